//! The consumer against brokers that answer as a script says.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ApiKey, FetchResponse, OffsetForLeaderEpochResponse, RequestKind, ResponseKind,
};

use super::*;
use crate::history::ClientObservation;
use crate::nodes::clients::fake::{Answer, TOPIC, World, all_nodes, roster};
use crate::nodes::clients::protocol::topic_name;
use crate::releases::KafkaVersion;
use crate::vocab::{Seed, Time};
use crate::wire::records::{BatchBuilder, DECOMPRESSED_MAX};
use crate::wire::workload;

const V1_0: KafkaVersion = KafkaVersion::new(1, 0);
const V2_1: KafkaVersion = KafkaVersion::new(2, 1);
const V2_3: KafkaVersion = KafkaVersion::new(2, 3);
const V2_8: KafkaVersion = KafkaVersion::new(2, 8);

fn world(
    version: KafkaVersion,
    leaders: &[i32],
    change: impl FnOnce(&mut ConsumerConfig),
) -> World<Consumer> {
    let mut config = ConsumerConfig::new("c0", version, all_nodes(3), vec![TOPIC.into()]);
    change(&mut config);
    let consumer = Consumer::new(config, roster(3), Seed(1).stream("c0"));
    World::new(consumer, 3, leaders)
}

/// What was consumed: partition, offset, record.
fn consumed(world: &World<Consumer>) -> Vec<(i32, i64, u64)> {
    let consumed = |observation: &ClientObservation| match observation {
        ClientObservation::Consumed { at, offset, record, .. } => {
            Some((at.partition, *offset, *record))
        }
        _ => None,
    };
    world.observed().iter().filter_map(|(_, observation)| consumed(observation)).collect()
}

fn resets(world: &World<Consumer>) -> Vec<(Option<i64>, i64)> {
    let reset = |observation: &ClientObservation| match observation {
        ClientObservation::PositionReset { from, to, .. } => Some((*from, *to)),
        _ => None,
    };
    world.observed().iter().filter_map(|(_, observation)| reset(observation)).collect()
}

fn errors(world: &World<Consumer>) -> Vec<String> {
    let error = |observation: &ClientObservation| match observation {
        ClientObservation::ProtocolError { why, .. } => Some(why.to_string()),
        _ => None,
    };
    world.observed().iter().filter_map(|(_, observation)| error(observation)).collect()
}

#[test]
fn all_partitions_are_read_from_the_beginning_in_order() {
    for (version, fetch) in [(V1_0, 6), (KafkaVersion::new(2, 0), 8), (V2_1, 10), (V2_8, 12)] {
        let mut world = world(version, &[1, 2], |_| {});
        world.fake().partitions[0].append_records("p0", 0..3);
        world.fake().partitions[1].append_records("p1", 0..2);
        world.start();
        world.run_to(300);
        world.fake().partitions[0].append_records("p0", 3..5);
        world.run_to(1_000);
        let mut seen = consumed(&world);
        seen.sort_by_key(|record| record.0);
        let expected =
            [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4), (1, 0, 0), (1, 1, 1)];
        assert_eq!(seen, expected, "{version}");
        assert_eq!(resets(&world), [(None, 0), (None, 0)]);
        assert_eq!(world.seen(ApiKey::Fetch)[0].2.version, fetch);
        let ClientObservation::Consumed { producer, leader_epoch, .. } = &world.observed()[2].1
        else {
            panic!("not consumed")
        };
        assert_eq!((&producer[..2], *leader_epoch), (&producer[..2], 0));
        assert!(["p0", "p1"].contains(&&**producer));
    }
}

#[test]
fn from_the_end_only_later_records_are_read() {
    let mut world = world(V2_8, &[1], |config| config.from = StartFrom::End);
    world.fake().partitions[0].append_records("p0", 0..3);
    world.start();
    world.run_to(300);
    world.fake().partitions[0].append_records("p0", 3..4);
    world.run_to(1_000);
    assert_eq!(consumed(&world), [(0, 3, 3)]);
    assert_eq!(resets(&world), [(None, 3)]);
}

#[test]
fn nothing_is_asked_before_the_start() {
    let mut world = world(V2_8, &[1], |config| config.start = Time::from_millis(500));
    world.start();
    world.run_to(499);
    assert!(world.connects().is_empty());
    world.run_to(600);
    assert!(!world.seen(ApiKey::Fetch).is_empty());
}

#[test]
fn one_fetch_is_in_flight_for_each_leader() {
    let mut world = world(V2_8, &[1, 1, 2], |_| {});
    world.start();
    world.run_to(400);
    let fetches: Vec<_> = world.seen(ApiKey::Fetch);
    assert_eq!(fetches.len(), 2, "each waits fetch.max.wait.ms for records");
    let of = |id| &fetches.iter().find(|fetch| fetch.1 == id).unwrap().2;
    let RequestKind::Fetch(request) = &of(1).body else { panic!("not Fetch") };
    assert_eq!(request.topics[0].partitions.len(), 2);
    assert_eq!((request.session_id, request.session_epoch), (0, 0), "it asks for a session");
    assert_eq!((request.min_bytes, request.max_wait_ms), (1, 500));
}

#[test]
fn records_of_a_batch_before_the_position_are_dropped() {
    // The log starts within a batch, as after DeleteRecords: the whole batch comes, half of it counts.
    let mut world = world(V2_8, &[1], |_| {});
    world.fake().partitions[0].append_records("p0", 0..4);
    world.fake().partitions[0].start = 2;
    world.start();
    world.run_to(300);
    assert_eq!(consumed(&world), [(0, 2, 2), (0, 3, 3)]);
}

#[test]
fn a_position_out_of_range_is_reset_by_the_policy() {
    for (policy, expected) in [
        (ResetPolicy::Earliest, vec![(None, 0), (Some(3), 0)]),
        (ResetPolicy::Latest, vec![(None, 0), (Some(3), 1)]),
        (ResetPolicy::None, vec![(None, 0)]),
    ] {
        // Before KIP-320 a log that was cut is noticed only so.
        let mut world = world(V1_0, &[1], |config| config.auto_offset_reset = policy);
        world.fake().partitions[0].append_records("p0", 0..3);
        world.start();
        world.run_to(300);
        world.fake().partitions[0].batches.clear();
        world.fake().partitions[0].end = 0;
        world.fake().partitions[0].append_records("p1", 0..1);
        world.run_to(3_000);
        assert_eq!(resets(&world), expected, "{policy:?}");
    }
}

#[test]
fn a_moved_leader_is_found_by_a_metadata_refresh() {
    let mut world = world(V1_0, &[1], |_| {});
    world.fake().partitions[0].append_records("p0", 0..1);
    world.start();
    world.run_to(300);
    world.fake().partitions[0].leader = 2;
    world.run_to(900);
    world.fake().partitions[0].append_records("p0", 1..2);
    world.run_to(2_000);
    assert_eq!(consumed(&world), [(0, 0, 0), (0, 1, 1)]);
    assert_eq!(world.seen(ApiKey::Fetch).last().unwrap().1, 2);
}

fn end_of_epoch(epoch: i32, end: i64) -> Answer {
    let answer =
        EpochEndOffset::default().with_partition(0).with_leader_epoch(epoch).with_end_offset(end);
    let topic = OffsetForLeaderTopicResult::default()
        .with_topic(topic_name(TOPIC))
        .with_partitions(vec![answer]);
    let body = OffsetForLeaderEpochResponse::default().with_topics(vec![topic]);
    Answer::body(ResponseKind::OffsetForLeaderEpoch(body))
}

/// A consumer that has read three records of epoch 0, and whose partition then gets the leader 2 in epoch 1,
/// which answers for epoch 0 as given.
fn after_an_election(policy: ResetPolicy, epoch: i32, end: i64) -> World<Consumer> {
    let mut world = world(V2_3, &[1], |config| config.auto_offset_reset = policy);
    world.fake().partitions[0].append_records("p0", 0..3);
    world.fake().script = Box::new(move |_, _, request| {
        (request.api == ApiKey::OffsetForLeaderEpoch).then(|| end_of_epoch(epoch, end))
    });
    world.start();
    world.run_to(300);
    (world.fake().partitions[0].leader, world.fake().partitions[0].epoch) = (2, 1);
    world.run_to(3_000);
    world
}

#[test]
fn a_new_leader_is_asked_whether_it_has_the_position() {
    let world = after_an_election(ResetPolicy::Latest, 0, 3);
    let asked = world.seen(ApiKey::OffsetForLeaderEpoch);
    assert_eq!(asked.len(), 1);
    let RequestKind::OffsetForLeaderEpoch(request) = &asked[0].2.body else { panic!("not it") };
    let partition = &request.topics[0].partitions[0];
    assert_eq!((partition.current_leader_epoch, partition.leader_epoch), (1, 0));
    assert_eq!(resets(&world), [(None, 0)], "it has");
    let fetches = world.seen(ApiKey::Fetch);
    let RequestKind::Fetch(fetch) = &fetches.last().unwrap().2.body else { panic!("not Fetch") };
    let partition = &fetch.topics[0].partitions[0];
    assert_eq!((partition.fetch_offset, partition.current_leader_epoch), (3, 1));
}

#[test]
fn a_log_that_was_cut_moves_the_position_to_where_it_parted() {
    let world = after_an_election(ResetPolicy::Latest, 0, 2);
    assert_eq!(resets(&world), [(None, 0), (Some(3), 2)]);
    let world = after_an_election(ResetPolicy::None, 0, 2);
    assert_eq!(resets(&world), [(None, 0)], "the application gets an exception");
    let world = after_an_election(ResetPolicy::Earliest, -1, -1);
    assert_eq!(resets(&world), [(None, 0), (Some(3), 0)], "no epoch in common");
}

#[test]
fn before_2_3_a_new_leader_is_not_asked_and_gets_no_epoch() {
    for version in [V1_0, V2_1, KafkaVersion::new(2, 2)] {
        let mut world = world(version, &[1], |_| {});
        world.fake().partitions[0].append_records("p0", 0..3);
        world.start();
        world.run_to(300);
        (world.fake().partitions[0].leader, world.fake().partitions[0].epoch) = (2, 1);
        world.run_to(2_000);
        assert!(world.seen(ApiKey::OffsetForLeaderEpoch).is_empty(), "{version}");
        let fetches = world.seen(ApiKey::Fetch);
        let last = fetches.last().expect("it goes on reading");
        let RequestKind::Fetch(fetch) = &last.2.body else { panic!("not Fetch") };
        let epoch = fetch.topics[0].partitions[0].current_leader_epoch;
        assert_eq!((last.1, epoch), (2, -1), "{version}");
    }
}

fn fetch_answer(records: Bytes, high_watermark: i64) -> Answer {
    let data =
        PartitionData::default().with_high_watermark(high_watermark).with_records(Some(records));
    let topic =
        FetchableTopicResponse::default().with_topic(topic_name(TOPIC)).with_partitions(vec![data]);
    let body = FetchResponse::default().with_responses(vec![topic]);
    Answer::body(ResponseKind::Fetch(body))
}

#[test]
fn read_committed_asks_for_stable_records_and_leaves_aborted_ones_out() {
    let batch = |builder: BatchBuilder, base: i64, records: std::ops::Range<u64>| {
        let mut builder = builder;
        for record in records {
            builder.push(0, None, Some(&workload::encode("p0", record, 0)));
        }
        builder.build().stamped(base, 0)
    };
    let of = |id| BatchBuilder::new(0).of_producer(id, 0, 0);
    let marker = |id, base, kind| {
        let mut builder = BatchBuilder::new(0).of_producer(id, 0, -1).of_transaction(true);
        builder.push(0, Some(&[0, 0, 0, kind]), Some(&[0; 6]));
        builder.build().stamped(base, 0)
    };
    let (abort, commit) = (0, 1);
    let batches = [
        batch(of(5).of_transaction(false), 0, 0..2),
        batch(of(6).of_transaction(false), 2, 2..3),
        batch(of(5), 3, 3..4),
        marker(5, 4, abort),
        marker(6, 5, commit),
        batch(of(5).of_transaction(false), 6, 4..5),
        marker(5, 7, commit),
    ];
    for (read_committed, expected) in [(true, vec![2, 3, 4]), (false, vec![0, 1, 2, 3, 4])] {
        let mut world = world(V2_8, &[1], |config| config.read_committed = read_committed);
        let mut log = BytesMut::new();
        batches.iter().for_each(|batch| log.extend_from_slice(&batch.bytes));
        let aborted = AbortedTransaction::default().with_producer_id(5.into()).with_first_offset(0);
        let mut answers =
            vec![Answer::body(ResponseKind::Fetch(FetchResponse::default().with_responses(vec![
                FetchableTopicResponse::default().with_topic(topic_name(TOPIC)).with_partitions(
                    vec![
                PartitionData::default()
                    .with_high_watermark(8)
                    .with_last_stable_offset(8)
                    .with_aborted_transactions(read_committed.then(|| vec![aborted]))
                    .with_records(Some(log.freeze())),
            ],
                ),
            ])))];
        world.fake().script = Box::new(move |_, _, request| match &request.body {
            RequestKind::Fetch(_) => Some(answers.pop().unwrap_or(Answer::Silence)),
            _ => None,
        });
        world.start();
        world.run_to(400);
        let records: Vec<u64> = consumed(&world).iter().map(|one| one.2).collect();
        assert_eq!(records, expected);
        let level = i8::from(read_committed);
        let asked = world.seen(ApiKey::Fetch);
        let RequestKind::Fetch(last) = &asked.last().expect("a fetch").2.body else { panic!() };
        assert_eq!((last.isolation_level, last.topics[0].partitions[0].fetch_offset), (level, 8));
        let RequestKind::ListOffsets(body) = &world.seen(ApiKey::ListOffsets)[0].2.body else {
            panic!("not ListOffsets")
        };
        assert_eq!(body.isolation_level, level);
    }
}

#[test]
fn compressed_batches_are_opened() {
    for codec in 1..=4 {
        let mut world = world(V2_8, &[1], |_| {});
        world.fake().partitions[0].append_records("p0", 0..3);
        let plain = world.fake().partitions[0].batches[0].clone();
        let packed = plain.recompressed(codec, &mut DECOMPRESSED_MAX.clone()).unwrap();
        world.fake().partitions[0].batches[0] = packed;
        world.start();
        world.run_to(300);
        assert_eq!(consumed(&world).len(), 3, "codec {codec}");
    }
}

#[test]
fn damaged_batches_and_records_above_the_high_watermark_are_observed_and_not_delivered() {
    let donor = world(V2_8, &[1], |_| {});
    donor.fake().partitions[0].append_records("p0", 0..2);
    let good = donor.fake().partitions[0].batches[0].bytes.clone();
    let mut damaged = BytesMut::from(&good[..]);
    *damaged.last_mut().unwrap() ^= 1;
    for (records, high_watermark, delivered, error) in [
        (good, 1, 1, "record 1 at high watermark 1"),
        (damaged.freeze(), 2, 0, "checksum of batch at offset 0 does not match"),
    ] {
        let mut world = world(V2_8, &[1], |_| {});
        let mut first = true;
        world.fake().script = Box::new(move |_, _, request| {
            let wrong = request.api == ApiKey::Fetch && std::mem::take(&mut first);
            wrong.then(|| fetch_answer(records.clone(), high_watermark))
        });
        world.start();
        world.run_to(300);
        assert_eq!(errors(&world), [error]);
        assert_eq!(consumed(&world).len(), delivered);
    }
}

#[test]
fn a_crashed_leader_is_read_again_when_it_is_back() {
    let mut world = world(V2_8, &[1], |_| {});
    world.fake().partitions[0].append_records("p0", 0..1);
    world.start();
    world.run_to(300);
    world.crash(1);
    world.run_to(5_000);
    world.start_brokers();
    world.fake().partitions[0].append_records("p0", 1..2);
    world.run_to(8_000);
    assert_eq!(consumed(&world), [(0, 0, 0), (0, 1, 1)]);
    assert_eq!(resets(&world).len(), 1);
}

#[test]
fn a_silent_leader_is_given_up_after_the_request_timeout() {
    let mut world = world(V2_8, &[1], |config| {
        config.connection.request_timeout = Duration::from_secs(2);
    });
    world.start();
    world.run_to(300);
    world.cut(1);
    let (connects, fetches) = (world.connects().len(), world.seen(ApiKey::Fetch).len());
    world.fake().partitions[0].leader = 2;
    world.fake().partitions[0].epoch = 1;
    world.run_to(4_000);
    assert!(world.connects().len() > connects);
    let later = world.seen(ApiKey::Fetch);
    assert!(later.len() > fetches && later.last().unwrap().1 == 2, "the new leader is asked");
}

#[test]
fn with_the_wall_clock_set_back_a_silent_leader_is_given_up_later() {
    // `NetworkClient` measures on `Time.milliseconds()`.
    let mut world = world(V2_8, &[1], |config| {
        config.connection.request_timeout = Duration::from_secs(2);
    });
    world.start();
    world.run_to(300);
    world.cut(1);
    world.set_wall(-3_000);
    let connects = world.connects().len();
    world.fake().partitions[0].leader = 2;
    world.fake().partitions[0].epoch = 1;
    world.run_to(4_500);
    assert_eq!(world.connects().len(), connects, "it has waited for less than 2 s");
    world.run_to(7_000);
    assert!(world.connects().len() > connects);
}
