//! Transactions on a whole cluster: their coordinator crashes, or the leader of a partition does, and they end.

use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, BrokerId as WireBrokerId, EndTxnRequest, InitProducerIdRequest,
    ListOffsetsRequest, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{coordinator, with_topic};
use crate::nodes::testing::{Cluster, kafka};
use crate::vocab::BrokerId;
use crate::wire::records::BatchBuilder;

const TIMEOUT_MS: i32 = 60_000;

fn id() -> TransactionalId {
    TransactionalId(StrBytes::from_static_str("x"))
}

/// Asks until the answer is none of those that say "later".
fn again<T>(cluster: &mut Cluster, mut ask: impl FnMut(&mut Cluster) -> (i16, T)) -> (i16, T) {
    let until = cluster.now() + Duration::from_secs(60);
    loop {
        let (code, value) = ask(cluster);
        if !matches!(code, 14 | 15 | 16 | 51) || cluster.now() > until {
            return (code, value);
        }
        cluster.run_for(Duration::from_millis(100));
    }
}

/// The producer id and the epoch.
fn init(cluster: &mut Cluster, to: BrokerId) -> (i64, i16) {
    let (code, producer) = again(cluster, |cluster| {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id()))
            .with_transaction_timeout_ms(TIMEOUT_MS);
        let answer = cluster.call_in(to, 0, request).expect("it is answered");
        (answer.error_code, (answer.producer_id.0, answer.producer_epoch))
    });
    assert_eq!(code, 0, "{}", cluster.version);
    producer
}

fn add(cluster: &mut Cluster, to: BrokerId, (producer, epoch): (i64, i16)) -> i16 {
    let (code, ()) = again(cluster, |cluster| {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(kafka::topic("orders"))
            .with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id())
            .with_v3_and_below_producer_id(producer.into())
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer = cluster.call_in(to, 0, request).expect("it is answered");
        let rows = &answer.results_by_topic_v3_and_below[0].results_by_partition;
        (rows[0].partition_error_code, ())
    });
    code
}

fn write(cluster: &mut Cluster, to: BrokerId, (producer, epoch): (i64, i16), sequence: i32) {
    let mut batch =
        BatchBuilder::new(-1).of_producer(producer, epoch, sequence).of_transaction(false);
    batch.push(-1, Some(b"k"), Some(b"v"));
    let request = kafka::produce("orders", 0, -1, Some(batch.build().bytes))
        .with_transactional_id(Some(id()));
    let answer = cluster.call_in(to, 3, request).expect("it is answered");
    let part = &answer.responses[0].partition_responses[0];
    assert_eq!(part.error_code, 0, "{}", cluster.version);
}

fn end(cluster: &mut Cluster, to: BrokerId, (producer, epoch): (i64, i16), commit: bool) -> i16 {
    let request = EndTxnRequest::default()
        .with_transactional_id(id())
        .with_producer_id(producer.into())
        .with_producer_epoch(epoch)
        .with_committed(commit);
    cluster.call_in(to, 0, request).expect("it is answered").error_code
}

/// Where committed transactions can be read to.
fn stable(cluster: &mut Cluster, leader: BrokerId) -> i64 {
    let part = ListOffsetsPartition::default().with_timestamp(-1);
    let topic =
        ListOffsetsTopic::default().with_name(kafka::topic("orders")).with_partitions(vec![part]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(WireBrokerId(-1))
        .with_isolation_level(1)
        .with_topics(vec![topic]);
    let answer = cluster.call_in(leader, 2, request);
    answer.map_or(-1, |answer| answer.topics[0].partitions[0].offset)
}

/// A transaction that was open below `offset` has ended. Two coordinators may have had its marker written.
fn await_stable(cluster: &mut Cluster, leader: BrokerId, offset: i64, what: &str) {
    let until = cluster.now() + Duration::from_secs(40);
    while stable(cluster, leader) < offset {
        assert!(cluster.now() < until, "{}: {what}", cluster.version);
        cluster.run_for(Duration::from_millis(100));
    }
}

const VERSIONS: [&str; 5] = ["0.11", "1.1", "2.4", "2.8", "3.9"];

#[test]
fn transactions_end_when_a_coordinator_or_a_leader_crashes() {
    for version in VERSIONS {
        let (mut cluster, replicas) = with_topic(version.parse().unwrap());
        let leader = replicas[0];
        let first = coordinator(&mut cluster, BrokerId(1), (1, id().0), |_| true);
        let x = init(&mut cluster, first);
        assert_eq!(add(&mut cluster, first, x), 0, "{version}");
        write(&mut cluster, leader, x, 0);
        assert_eq!(stable(&mut cluster, leader), 0, "{version}: it is open");
        assert_eq!(end(&mut cluster, first, x, true), 0, "{version}");
        await_stable(&mut cluster, leader, 2, "committed");
        // The coordinator crashes when it has written how the transaction ends, or while markers are on their way.
        assert_eq!(add(&mut cluster, first, x), 0, "{version}");
        write(&mut cluster, leader, x, 1);
        assert_eq!(end(&mut cluster, first, x, false), 0, "{version}");
        cluster.crash(first);
        let other = BrokerId(first.0 % 3 + 1);
        let second = coordinator(&mut cluster, other, (1, id().0), |id| id != first);
        let leader =
            if leader == first { second_leader(&mut cluster, other, first) } else { leader };
        await_stable(&mut cluster, leader, 4, "aborted by the next coordinator");
        cluster.start(first);
        cluster.run_for(Duration::from_secs(15));
        // The leader crashes with the marker on its way to it.
        assert_eq!(add(&mut cluster, second, x), 0, "{version}");
        let open_from = stable(&mut cluster, leader);
        write(&mut cluster, leader, x, 2);
        let asked = [1, 2, 3].map(BrokerId).into_iter().find(|id| *id != leader).unwrap();
        cluster.crash(leader);
        let (code, ()) = again(&mut cluster, |cluster| {
            // It can move again: a new controller brings preferred leaders back after five seconds.
            let coordinator = coordinator(cluster, asked, (1, id().0), |id| id != leader);
            (end(cluster, coordinator, x, true), ())
        });
        assert_eq!(code, 0, "{version}");
        let next = second_leader(&mut cluster, asked, leader);
        await_stable(&mut cluster, next, open_from + 2, "committed at the next leader");
    }
}

/// The leader of the partition when it is another one.
fn second_leader(cluster: &mut Cluster, asked: BrokerId, before: BrokerId) -> BrokerId {
    let until = cluster.now() + Duration::from_secs(60);
    while cluster.now() < until {
        if let Some(answer) = cluster.call(asked, kafka::metadata(&["orders"], false)) {
            let leader = answer.topics[0].partitions[0].leader_id.0;
            if leader >= 0 && leader != before.0 {
                return BrokerId(leader);
            }
        }
        cluster.run_for(Duration::from_millis(100));
    }
    panic!("no other leader with {}", cluster.version);
}

#[test]
fn a_transaction_that_is_left_open_is_aborted() {
    // `faults`: the abort comes within the timeout and one look (10 s since 2.5, 60 s before).
    for version in ["1.1", "2.8"] {
        let (mut cluster, replicas) = with_topic(version.parse().unwrap());
        let first = coordinator(&mut cluster, BrokerId(1), (1, id().0), |_| true);
        let x = init(&mut cluster, first);
        assert_eq!(add(&mut cluster, first, x), 0, "{version}");
        write(&mut cluster, replicas[0], x, 0);
        cluster.run_for(Duration::from_secs(59));
        assert_eq!(stable(&mut cluster, replicas[0]), 0, "{version}: it may still end");
        cluster.run_for(Duration::from_secs(if version == "2.8" { 12 } else { 62 }));
        assert_eq!(stable(&mut cluster, replicas[0]), 2, "{version}");
        let code = end(&mut cluster, first, x, true);
        assert_eq!(code, 47, "{version}: the producer is fenced");
        assert_eq!(init(&mut cluster, first), (x.0, x.1 + 2), "{version}");
    }
}
