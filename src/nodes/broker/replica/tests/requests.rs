//! Fetch, ListOffsets, OffsetForLeaderEpoch, LeaderAndIsr, StopReplica at their edges.

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaTopicState, StopReplicaTopicV1,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, OffsetForLeaderEpochRequest, StopReplicaRequest,
};

use super::*;

#[test]
fn a_fetch_waits_for_data_or_its_longest_wait() {
    let mut cluster = filled(NEWEST);
    let long = cluster.request(1, 11, Cluster::fetch_request(3, 500));
    assert_eq!(cluster.fetched(long), None);
    cluster.pass(499);
    assert_eq!(cluster.fetched(long), None);
    cluster.pass(1);
    assert_eq!(cluster.fetched(long), Some((0, vec![])));
    let woken = cluster.request(1, 11, Cluster::fetch_request(3, 500));
    cluster.produce(1, -1, "d");
    assert_eq!(cluster.fetched(woken), Some((0, vec!["d".to_owned()])));
    let waiting = cluster.manager(1).purgatory.waiting();
    assert_eq!(waiting, (0, 2), "the fetches of the followers");
}

#[test]
fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    let mut cluster = filled(NEWEST);
    let size = batch("x").bytes.len() as i32;
    let request = Cluster::fetch_request(3, 5_000).with_min_bytes(2 * size);
    let conn = cluster.request(1, 11, request);
    cluster.produce(1, -1, "d");
    assert_eq!(cluster.fetched(conn), None);
    cluster.produce(1, -1, "e");
    assert_eq!(cluster.fetched(conn).unwrap().1, ["d", "e"]);
}

#[test]
fn limits_cut_a_fetch_but_one_batch_always_comes() {
    let mut cluster = filled(NEWEST);
    let size = batch("x").bytes.len() as i32;
    for (max_bytes, partition_max, got) in [
        (1 << 20, 1 << 20, 3),
        (2 * size, 1 << 20, 2),
        (1 << 20, 2 * size + 1, 2),
        (1, 1 << 20, 1),
        (1 << 20, 0, 1),
    ] {
        let mut request = Cluster::fetch_request(0, 0).with_max_bytes(max_bytes);
        request.topics[0].partitions[0].partition_max_bytes = partition_max;
        let conn = cluster.request(1, 11, request);
        assert_eq!(cluster.fetched(conn).unwrap().1.len(), got, "{max_bytes} {partition_max}");
    }
    let mut hard = Cluster::fetch_request(0, 0);
    hard.topics[0].partitions[0].partition_max_bytes = 1;
    let conn = cluster.request(1, 2, hard);
    assert_eq!(cluster.fetched(conn).unwrap().1.len(), 0, "before v3 limits are hard");
}

#[test]
fn a_fetch_out_of_range_or_of_something_unknown_is_an_error_at_once() {
    let mut cluster = filled(NEWEST);
    assert_eq!(cluster.consume(1, 4).0, 1, "OFFSET_OUT_OF_RANGE");
    assert_eq!(cluster.consume(1, -1).0, 1);
    assert_eq!(cluster.consume(1, 3), (0, vec![]));
    let conn = cluster.request(2, 10, Cluster::fetch_request(0, 0));
    assert_eq!(cluster.fetched(conn).unwrap().0, 6, "NOT_LEADER_OR_FOLLOWER");
    let mut request = Cluster::fetch_request(0, 5_000);
    request.topics[0].partitions[0].partition = 7;
    let conn = cluster.request(1, 11, request);
    assert_eq!(cluster.fetched(conn), Some((3, vec![])), "UNKNOWN_TOPIC_OR_PARTITION");
    let request = Cluster::fetch_request(0, 0).with_session_id(5).with_session_epoch(1);
    let conn = cluster.request(1, 11, request);
    let response = cluster.response(conn).unwrap();
    assert_eq!(response.error_code, 70, "FETCH_SESSION_ID_NOT_FOUND");
}

#[test]
fn another_leader_epoch_is_fenced_or_unknown() {
    let mut cluster = filled(NEWEST);
    for (epoch, code) in [(-1, 0), (1, 74), (2, 0), (3, 75)] {
        let mut request = Cluster::fetch_request(0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let conn = cluster.request(1, 11, request);
        assert_eq!(cluster.fetched(conn).unwrap().0, code, "epoch {epoch}");
    }
}

#[test]
fn the_fetch_response_reports_divergence() {
    let mut cluster = filled(NEWEST);
    cluster.elect(1, 5, &[1, 2, 3]);
    cluster.produce(1, -1, "d");
    // Epoch 2 at 0, epoch 5 at 3; log end 4.
    for (offset, last, expected) in [
        (4, 5, (0, -1, -1)),
        (3, 2, (0, -1, -1)),
        (4, 2, (0, 2, 3)),
        (4, 4, (0, 2, 3)),
        (4, 6, (1, -1, -1)),
        (2, -1, (0, -1, -1)),
    ] {
        let mut request = Cluster::fetch_request(offset, 0).with_replica_id(WireBrokerId(2));
        request.topics[0].partitions[0].last_fetched_epoch = last;
        let conn = cluster.request(1, 12, request);
        let response = cluster.response(conn).unwrap();
        let part = &response.responses[0].partitions[0];
        let diverging = &part.diverging_epoch;
        let got = (part.error_code, diverging.epoch, diverging.end_offset);
        assert_eq!(got, expected, "offset {offset}, last epoch {last}");
        assert!(expected.1 < 0 || part.records.as_ref().is_none_or(Bytes::is_empty));
    }
}

/// Error, offset, leader epoch.
fn listed(cluster: &mut Cluster, version: i16, timestamp: i64) -> (i16, Offset, LeaderEpoch) {
    let part = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![part]);
    let request =
        ListOffsetsRequest::default().with_replica_id(WireBrokerId(-1)).with_topics(vec![topic]);
    let leader = if cluster.status(1).is_leader { 1 } else { 2 };
    let conn = cluster.request(leader, version, request);
    let response = cluster.response(conn).unwrap();
    let part = &response.topics[0].partitions[0];
    (part.error_code, part.offset, part.leader_epoch)
}

#[test]
fn offsets_are_listed_by_name_and_by_timestamp() {
    let mut cluster = filled(NEWEST);
    assert_eq!(listed(&mut cluster, 6, -1), (0, 3, 2));
    assert_eq!(listed(&mut cluster, 6, -2), (0, 0, 2));
    assert_eq!(listed(&mut cluster, 1, -1), (0, 3, -1));
    assert_eq!(listed(&mut cluster, 6, 1_000), (0, 0, 2));
    assert_eq!(listed(&mut cluster, 6, 1_001), (0, -1, -1));
}

#[test]
fn a_new_leader_does_not_list_an_end_that_goes_back() {
    for (version, request, code) in [("2.1", 5, 0), ("2.2", 5, 78), ("2.2", 4, 5), ("3.9", 6, 78)] {
        let mut cluster = Cluster::new(version.parse().unwrap());
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.produce(1, -1, "a");
        assert_eq!(cluster.status(2).high_watermark, 0, "one round behind");
        cluster.crash(1);
        cluster.hold(3);
        cluster.elect(2, 2, &[2, 3]);
        let part = ListOffsetsPartition::default().with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![part]);
        let body = ListOffsetsRequest::default()
            .with_replica_id(WireBrokerId(-1))
            .with_topics(vec![topic]);
        let conn = cluster.request(2, request, body.clone());
        let error = |cluster: &Cluster, conn: Sent<ListOffsetsRequest>| {
            let response = cluster.response(conn).unwrap();
            response.topics[0].partitions[0].error_code
        };
        assert_eq!(error(&cluster, conn), code, "{version}");
        cluster.release(3);
        cluster.pass(600);
        let conn = cluster.request(2, request, body);
        assert_eq!(error(&cluster, conn), 0, "{version}: the follower has fetched");
    }
}

#[test]
fn ends_of_epochs_follow_the_rule_of_the_version() {
    for (version, asked, expected) in [
        ("1.0", 2, 3),
        ("1.0", 3, 3),
        ("1.0", 0, -1),
        ("1.0", 9, -1),
        ("2.0", 0, 0),
        ("2.0", 3, 3),
        ("2.0", 9, -1),
        ("3.9", 5, 4),
    ] {
        let mut cluster = filled(version.parse().unwrap());
        cluster.elect(1, 5, &[1, 2, 3]);
        cluster.produce(1, -1, "d");
        let part = OffsetForLeaderPartition::default().with_leader_epoch(asked);
        let topic = OffsetForLeaderTopic::default().with_topic(topic()).with_partitions(vec![part]);
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
        let conn = cluster.request(1, 0, request);
        let response = cluster.response(conn).unwrap();
        let part = &response.topics[0].partitions[0];
        assert_eq!((part.error_code, part.end_offset), (0, expected), "{version}, epoch {asked}");
    }
}

#[test]
fn leader_and_isr_states_of_no_newer_epoch_are_refused() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 3, &[1, 2, 3]);
    let code = |response: LeaderAndIsrResponse| response.partition_errors[0].error_code;
    let equal = cluster.leader_and_isr(1, 2, 3, &[1, 2, 3]);
    assert_eq!(code(equal), 11);
    let lower = cluster.leader_and_isr(1, 2, 2, &[1, 2, 3]);
    assert_eq!(code(lower), 11);
    assert!(cluster.status(1).is_leader);
    let news = cluster.leader_and_isr(1, 2, 4, &[1, 2, 3]);
    assert_eq!(code(news), 0);
    assert!(!cluster.status(1).is_leader);
}

#[test]
fn a_leaderless_state_is_not_adopted() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.leader_and_isr(2, usize::MAX, 2, &[1]);
    assert_eq!(cluster.status(2).leader_epoch, 1);
    cluster.produce(1, 1, "a");
    assert_eq!(cluster.values(2), ["a"], "it goes on following");
}

#[test]
fn a_replica_is_stopped_and_deleted() {
    let mut cluster = filled(NEWEST);
    let state = |epoch, delete| {
        let state = StopReplicaPartitionState::default()
            .with_leader_epoch(epoch)
            .with_delete_partition(delete);
        let topic = StopReplicaTopicState::default()
            .with_topic_name(topic())
            .with_partition_states(vec![state]);
        StopReplicaRequest::default().with_topic_states(vec![topic])
    };
    let fenced = cluster.with(2, |m, cx| m.stop_replica(cx, state(2, true), 3));
    assert_eq!(fenced.partition_errors[0].error_code, 74);
    cluster.with(2, |m, cx| m.stop_replica(cx, state(3, false), 3));
    cluster.produce(1, 1, "d");
    assert_eq!(cluster.values(2).len(), 3, "it follows no more");
    let old = StopReplicaTopicV1::default().with_name(topic()).with_partition_indexes(vec![0]);
    let old = StopReplicaRequest::default().with_topics(vec![old]).with_delete_partitions(true);
    let waiting = cluster.request(1, 11, Cluster::fetch_request(3, 9_000));
    for broker in [1, 2] {
        cluster.with(broker, |m, cx| m.stop_replica(cx, old.clone(), 1));
        assert_eq!(cluster.manager(broker).status(&at()), None);
        let files = cluster.disk(node(broker)).image();
        let left = files.keys().filter(|file| file.starts_with("orders"));
        assert_eq!(left.count(), 0);
    }
    assert_eq!(cluster.fetched(waiting).unwrap().0, 6);
    cluster.pass(70_000);
    assert_eq!(cluster.consume(1, 0).0, 3);
    cluster.elect(1, 9, &[1, 2, 3]);
    assert_eq!(cluster.status(1).log_end_offset, 0, "a new life");
}

#[test]
fn a_replica_that_got_no_leader_and_isr_request_yet_leads_nothing() {
    let mut cluster = filled(NEWEST);
    cluster.crash(1);
    cluster.start(1);
    for epoch in [-1, 2] {
        let mut request = Cluster::fetch_request(0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let conn = cluster.request(1, 11, request);
        assert_eq!(cluster.fetched(conn).unwrap().0, 6);
    }
}

/// Asks broker 1 where partition 0 of a topic ends; the errors, one for each time that it is named.
fn ends(cluster: &mut Cluster, version: i16, topic: &'static str, times: usize) -> Vec<i16> {
    let one = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(StrBytes::from_static_str(topic)))
        .with_partitions(vec![one; times]);
    let request =
        ListOffsetsRequest::default().with_replica_id(WireBrokerId(-1)).with_topics(vec![topic]);
    let sent = cluster.request(1, version, request);
    let answer = cluster.response(sent).expect("it is answered at once");
    answer.topics[0].partitions.iter().map(|partition| partition.error_code).collect()
}

#[test]
fn a_partition_that_is_elsewhere_has_another_error_since_2_0() {
    for (version, error) in [((1, 1), 3), ((2, 0), 6), ((3, 9), 6)] {
        let mut cluster = filled(KafkaVersion::new(version.0, version.1));
        assert_eq!(ends(&mut cluster, 1, "elsewhere", 1), [error], "{version:?}");
        assert_eq!(ends(&mut cluster, 1, "nowhere", 1), [3], "{version:?}");
    }
    for (version, error) in [((2, 0), 3), ((2, 1), 6)] {
        let mut cluster = filled(KafkaVersion::new(version.0, version.1));
        let topic = OffsetForLeaderTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str("elsewhere")))
            .with_partitions(vec![OffsetForLeaderPartition::default()]);
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
        let sent = cluster.request(1, 1, request);
        let answer = cluster.response(sent).expect("it is answered at once");
        assert_eq!(answer.topics[0].partitions[0].error_code, error, "{version:?}");
    }
}

#[test]
fn a_partition_that_is_listed_twice_is_refused() {
    for (version, errors) in [((2, 6), vec![42]), ((2, 8), vec![42, 42])] {
        let mut cluster = filled(KafkaVersion::new(version.0, version.1));
        assert_eq!(ends(&mut cluster, 1, "orders", 2), errors, "{version:?}");
        assert_eq!(ends(&mut cluster, 1, "orders", 1), [0]);
    }
    // With a look through all for each, this takes hours.
    let mut cluster = filled(KafkaVersion::new(2, 8));
    assert_eq!(ends(&mut cluster, 1, "orders", 500_000).len(), 500_000);
}

#[test]
fn a_transactional_batch_needs_a_transactional_id_since_2_1() {
    for (version, error) in [((2, 0), 0), ((2, 1), 53), ((3, 9), 53)] {
        let mut cluster = filled(KafkaVersion::new(version.0, version.1));
        let mut bytes = batch("t").bytes.to_vec();
        bytes[22] |= 0b1_0000;
        let checksum = crc32c::crc32c(&bytes[21..]).to_be_bytes();
        bytes[17..21].copy_from_slice(&checksum);
        let sent = cluster.produce_bytes(1, 1, bytes.into());
        assert_eq!(cluster.produced(sent).map(|(error, _)| error), Some(error), "{version:?}");
    }
}
