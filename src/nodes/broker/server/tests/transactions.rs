//! Transactions on a whole cluster: from the producer's id to the marker in its partition.

use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::with_topic;
use crate::nodes::testing::{Cluster, kafka};
use crate::vocab::{BrokerId, Offset};
use crate::wire::records::{Batch, BatchBuilder};

/// CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
const ASK_AGAIN: [i16; 4] = [51, 14, 15, 16];

fn id() -> TransactionalId {
    StrBytes::from_static_str("x").into()
}

/// Asks until the answer is none of those after which clients ask again.
fn until_answered(cluster: &mut Cluster, mut ask: impl FnMut(&mut Cluster) -> i16) -> i16 {
    let until = cluster.now() + Duration::from_secs(60);
    while cluster.now() < until {
        let code = ask(cluster);
        if !ASK_AGAIN.contains(&code) {
            return code;
        }
        cluster.run_for(Duration::from_millis(100));
    }
    panic!("asks in vain with {}", cluster.version);
}

/// A transactional producer.
struct Producer {
    coordinator: BrokerId,
    id: i64,
    epoch: i16,
    leader: BrokerId,
}

impl Producer {
    fn new(cluster: &mut Cluster, leader: BrokerId) -> Self {
        let mut coordinator = leader;
        let code = until_answered(cluster, |cluster| {
            let key = StrBytes::from_static_str("x");
            let request = FindCoordinatorRequest::default().with_key(key).with_key_type(1);
            let answer = cluster.call_in(leader, 1, request).expect("it is answered");
            coordinator = BrokerId(answer.node_id.0);
            answer.error_code
        });
        assert_eq!(code, 0, "{}", cluster.version);
        let mut producer = Self { coordinator, id: -1, epoch: -1, leader };
        let code = until_answered(cluster, |cluster| {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(Some(id()))
                .with_transaction_timeout_ms(60_000);
            let answer = cluster.call_in(coordinator, 0, request).expect("it is answered");
            (producer.id, producer.epoch) = (answer.producer_id.0, answer.producer_epoch);
            answer.error_code
        });
        assert_eq!((code, producer.epoch), (0, 0), "{}", cluster.version);
        producer
    }

    fn add(&self, cluster: &mut Cluster) -> i16 {
        until_answered(cluster, |cluster| {
            let topic = AddPartitionsToTxnTopic::default()
                .with_name(kafka::topic("orders"))
                .with_partitions(vec![0]);
            let request = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(id())
                .with_v3_and_below_producer_id(ProducerId(self.id))
                .with_v3_and_below_producer_epoch(self.epoch)
                .with_v3_and_below_topics(vec![topic]);
            let answer = cluster.call_in(self.coordinator, 0, request).expect("it is answered");
            let topics = &answer.results_by_topic_v3_and_below;
            topics[0].results_by_partition[0].partition_error_code
        })
    }

    fn write(&self, cluster: &mut Cluster, sequence: i32) -> (i16, Offset) {
        let mut batch = BatchBuilder::new(1_000);
        batch.push(1_000, None, Some(b"a"));
        let batch = batch.of_producer(self.id, self.epoch, sequence).of_transaction(false);
        let request = kafka::produce("orders", 0, -1, Some(batch.build().bytes));
        let request = request.with_transactional_id(Some(id()));
        let answer = cluster.call_in(self.leader, 3, request).expect("it is answered");
        let part = &answer.responses[0].partition_responses[0];
        (part.error_code, part.base_offset)
    }

    fn end(&self, cluster: &mut Cluster, commit: bool) -> i16 {
        until_answered(cluster, |cluster| {
            let request = EndTxnRequest::default()
                .with_transactional_id(id())
                .with_producer_id(ProducerId(self.id))
                .with_producer_epoch(self.epoch)
                .with_committed(commit);
            let answer = cluster.call_in(self.coordinator, 0, request).expect("it is answered");
            answer.error_code
        })
    }

    /// Last stable offset, offsets of the batches, and first offsets of aborted transactions.
    fn read(&self, cluster: &mut Cluster) -> (Offset, Vec<Offset>, Vec<Offset>) {
        let request = kafka::fetch("orders", 0, 0)
            .with_replica_id((-1).into())
            .with_max_bytes(1 << 20)
            .with_isolation_level(1);
        let answer = cluster.call_in(self.leader, 5, request).expect("it is answered");
        let part = &answer.responses[0].partitions[0];
        let records = part.records.clone().unwrap_or_default();
        let batches = Batch::all(&records).map(|batch| batch.unwrap().base_offset);
        let aborted = part.aborted_transactions.iter().flatten();
        let aborted = aborted.map(|one| {
            assert_eq!(one.producer_id.0, self.id);
            one.first_offset
        });
        (part.last_stable_offset, batches.collect(), aborted.collect())
    }
}

/// `txn.commit`, `txn.state.next-transaction` and `txn.state.write-not-added`.
#[test]
fn a_transaction_is_read_when_its_marker_is_written() {
    for (version, not_added) in [("0.11", 0), ("2.8", 0), ("3.9", 48)] {
        let (mut cluster, replicas) = with_topic(version.parse().unwrap());
        let producer = Producer::new(&mut cluster, replicas[0]);
        if not_added != 0 {
            assert_eq!(producer.write(&mut cluster, 0), (not_added, -1), "{version}");
        }
        assert_eq!(producer.add(&mut cluster), 0, "{version}");
        assert_eq!(producer.write(&mut cluster, 0), (0, 0), "{version}");
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(producer.read(&mut cluster), (0, vec![], vec![]), "{version}");
        assert_eq!(producer.end(&mut cluster, true), 0, "{version}");
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(producer.read(&mut cluster), (2, vec![0, 1], vec![]), "{version}");
        assert_eq!(producer.add(&mut cluster), 0, "{version}");
        assert_eq!(producer.write(&mut cluster, 1), (0, 2), "{version}");
        assert_eq!(producer.end(&mut cluster, false), 0, "{version}");
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(producer.read(&mut cluster), (4, vec![0, 1, 2, 3], vec![2]), "{version}");
    }
}
