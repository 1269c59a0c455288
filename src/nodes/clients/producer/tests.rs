//! The producer against brokers that answer as a script says.

use std::time::Duration;

use kafka_protocol::messages::{ApiKey, RequestKind};

use super::*;
use crate::history::{ClientObservation, Outcome};
use crate::nodes::clients::fake::{Answer, TOPIC, World, all_nodes, roster};
use crate::releases::KafkaVersion;
use crate::vocab::{Acks, Seed, Time};

const V1_0: KafkaVersion = KafkaVersion::new(1, 0);
const V2_1: KafkaVersion = KafkaVersion::new(2, 1);
const V2_8: KafkaVersion = KafkaVersion::new(2, 8);

fn config(version: KafkaVersion) -> ProducerConfig {
    let workload = Workload {
        topics: vec![TOPIC.into()],
        interval: Duration::from_millis(10),
        burst: 1,
        start: Time::from_millis(100),
        stop: Some(Time::from_millis(200)),
        record_bytes: 100,
        keys: 0,
        first_record: 0,
    };
    ProducerConfig::new("p0", version, all_nodes(3), workload)
}

fn world(config: ProducerConfig, leaders: &[i32]) -> World<Producer> {
    let producer = Producer::new(config, roster(3), Seed(1).stream("p0"));
    let mut world = World::new(producer, 3, leaders);
    world.start();
    world
}

fn with(version: KafkaVersion, change: impl FnOnce(&mut ProducerConfig)) -> World<Producer> {
    let mut config = config(version);
    change(&mut config);
    world(config, &[1])
}

/// Begins but `count` records, at 100 ms.
fn only(config: &mut ProducerConfig, count: u32) {
    config.workload.burst = count;
    config.workload.stop = Some(Time::from_millis(110));
}

/// Ends of operations: number and outcome, in the order in which they ended.
fn ends(world: &World<Producer>) -> Vec<(u64, String)> {
    let end = |observation: &ClientObservation| match observation {
        ClientObservation::Completed { op, outcome } => {
            let outcome = match outcome {
                Outcome::Produced { offset, .. } => format!("ok {offset}"),
                Outcome::Failed { error } => format!("failed {error}"),
                Outcome::Unknown { error } => format!("unknown {error}"),
            };
            Some((*op, outcome))
        }
        _ => None,
    };
    world.observed().iter().filter_map(|(_, observation)| end(observation)).collect()
}

fn outcomes(world: &World<Producer>) -> Vec<String> {
    ends(world).into_iter().map(|(_, outcome)| outcome).collect()
}

fn batch_sizes(world: &World<Producer>) -> Vec<i32> {
    world
        .fake()
        .partitions
        .iter()
        .flat_map(|p| &p.batches)
        .map(crate::wire::records::Batch::count)
        .collect()
}

#[test]
fn every_record_is_an_operation_that_ends_with_its_offset() {
    for (version, acks, api) in
        [(V1_0, Acks::Leader, 5), (V2_1, Acks::All, 7), (V2_8, Acks::All, 9)]
    {
        let mut world = with(version, |config| config.acks = acks);
        world.run_to(1_000);
        let expected: Vec<_> = (0..10).map(|n| (n, format!("ok {n}"))).collect();
        assert_eq!(ends(&world), expected, "{version}");
        assert_eq!(world.fake().partitions[0].values(), (0..10).collect::<Vec<_>>());
        let produced = world.seen(ApiKey::Produce);
        assert_eq!(produced[0].2.version, api);
        let RequestKind::Produce(request) = &produced[0].2.body else { panic!("not Produce") };
        assert_eq!(request.acks, acks.wire());
        assert!(world.client().is_idle());
    }
}

#[test]
fn without_acks_a_record_is_produced_when_it_is_handed_to_the_connection() {
    let mut world = with(V1_0, |config| config.acks = Acks::None);
    world.run_to(1_000);
    assert_eq!(outcomes(&world), vec!["ok -1"; 10]);
    assert_eq!(world.fake().partitions[0].values().len(), 10);
}

#[test]
fn lingering_fills_batches_and_a_full_batch_does_not_linger() {
    let mut world = with(V2_8, |config| {
        config.linger = Duration::from_millis(40);
    });
    world.run_to(1_000);
    assert_eq!(batch_sizes(&world), [5, 5]);
    let sent: Vec<_> = world.seen(ApiKey::Produce).iter().map(|request| request.0).collect();
    assert_eq!(sent, [147, 191], "the first had to wait for metadata and a connection");

    let mut world = with(V2_8, |config| {
        config.linger = Duration::from_secs(5);
        config.batch_size = 450;
        only(config, 7);
    });
    world.run_to(4_000);
    assert_eq!(batch_sizes(&world), [3, 3], "the last one still lingers");
    world.run_to(6_000);
    assert_eq!(batch_sizes(&world), [3, 3, 1]);
}

#[test]
fn a_batch_follows_the_leader_after_a_metadata_refresh() {
    let mut world = with(V2_1, |config| only(config, 1));
    world.run_to(103);
    world.fake().partitions[0].leader = 2;
    world.fake().partitions[0].epoch = 1;
    world.run_to(1_000);
    assert_eq!(outcomes(&world), ["ok 0"]);
    let to: Vec<_> = world.seen(ApiKey::Produce).iter().map(|request| request.1).collect();
    assert_eq!(to, [1, 2]);
}

#[test]
fn only_an_error_found_before_the_append_is_a_failure() {
    for (error, retries, expected) in [
        (19, 0, "failed NOT_ENOUGH_REPLICAS"),
        (10, 0, "failed MESSAGE_TOO_LARGE"),
        (20, 0, "unknown NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
        (7, 0, "unknown REQUEST_TIMED_OUT"),
        (6, 0, "unknown NOT_LEADER_FOR_PARTITION"),
        (3, 0, "unknown UNKNOWN_TOPIC_OR_PARTITION"),
        (19, 1, "ok 0"),
        (10, 1, "failed MESSAGE_TOO_LARGE"),
    ] {
        let mut world = with(V2_1, |config| {
            only(config, 1);
            config.retries = retries;
        });
        world.fake().produce_errors.push_back(error);
        world.run_to(1_000);
        assert_eq!(outcomes(&world), [expected], "error {error} with {retries} retries");
    }
}

#[test]
fn what_one_attempt_may_have_written_a_later_refusal_does_not_make_certain() {
    let mut world = with(V2_1, |config| {
        only(config, 1);
        config.retries = 1;
    });
    world.fake().produce_errors.extend([7, 19]);
    world.run_to(1_000);
    assert_eq!(outcomes(&world), ["unknown NOT_ENOUGH_REPLICAS"]);
}

#[test]
fn a_lost_connection_is_tried_again_and_may_duplicate() {
    let mut world = with(V2_1, |config| only(config, 2));
    let mut first = true;
    world.fake().script = Box::new(move |_, _, request| {
        let close = request.api == ApiKey::Produce && std::mem::take(&mut first);
        close.then_some(Answer::Close)
    });
    world.run_to(1_000);
    assert_eq!(outcomes(&world), ["ok 0", "ok 1"]);
    assert_eq!(world.seen(ApiKey::Produce).len(), 2);
}

#[test]
fn a_request_without_an_answer_is_unknown_when_no_retry_is_left() {
    let mut world = with(V1_0, |config| {
        only(config, 1);
        config.connection.request_timeout = Duration::from_millis(500);
    });
    world.fake().script =
        Box::new(|_, _, request| (request.api == ApiKey::Produce).then_some(Answer::Silence));
    world.run_to(2_000);
    assert_eq!(outcomes(&world), ["unknown NETWORK_EXCEPTION"]);
}

#[test]
fn the_delivery_timeout_of_a_batch_in_flight_is_unknown_and_its_late_answer_changes_nothing() {
    let mut world = with(V2_1, |config| {
        only(config, 1);
        config.delivery_timeout = Some(Duration::from_millis(1_000));
        config.connection.request_timeout = Duration::from_millis(3_000);
    });
    world.fake().script =
        Box::new(|_, _, request| (request.api == ApiKey::Produce).then_some(Answer::Silence));
    world.run_to(1_103);
    assert_eq!(outcomes(&world), [""; 0]);
    world.run_to(1_104);
    assert_eq!(outcomes(&world), ["unknown DELIVERY_TIMED_OUT"]);
    world.run_to(10_000);
    assert_eq!(outcomes(&world).len(), 1, "the connection's end comes later and is no second end");
    assert_eq!(world.seen(ApiKey::Produce).len(), 1, "and it is not tried again");
}

#[test]
fn what_was_never_sent_fails_when_it_expires_in_the_accumulator() {
    for (version, expected_ms) in [(V2_1, 2_104), (V1_0, 1_104)] {
        let mut config = config(version);
        only(&mut config, 1);
        config.bootstrap = all_nodes(1);
        config.delivery_timeout = config.delivery_timeout.map(|_| Duration::from_secs(2));
        config.connection.request_timeout = Duration::from_secs(1);
        let mut world = world(config, &[2]);
        world.cut(2);
        world.run_to(expected_ms - 1);
        assert!(outcomes(&world).is_empty(), "{version}");
        world.run_to(expected_ms);
        assert_eq!(outcomes(&world), ["failed DELIVERY_TIMED_OUT"], "{version}");
    }
}

#[test]
fn one_request_in_flight_keeps_the_order_through_retries_and_more_may_turn_it_around() {
    let order = |in_flight| {
        let mut world = with(V2_1, |config| {
            config.connection.max_in_flight = in_flight;
            config.acks = Acks::All;
            config.workload.interval = Duration::from_millis(1);
        });
        world.fake().produce_errors.extend([0, 0, 19, 0, 0, 20]);
        world.run_to(2_000);
        assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")));
        let values = world.fake().partitions[0].values();
        assert_eq!(values.len(), outcomes(&world).len());
        assert!(values.len() > 90);
        values.is_sorted()
    };
    assert!(order(1));
    assert!(!order(5));
}

/// Recorded with 1.1.1 and 2.8.2: a leader is killed with five requests in flight.
#[test]
fn a_lost_connection_turns_its_batches_around_since_2_0() {
    for (version, keeps) in [(V1_0, true), (KafkaVersion::new(2, 0), false), (V2_8, false)] {
        let mut world = with(version, |config| {
            config.acks = Acks::All;
            config.retries = 1_000;
            config.workload.interval = Duration::from_millis(1);
        });
        let mut requests = 0;
        world.fake().script = Box::new(move |_, _, request| {
            let RequestKind::Produce(_) = request.body else { return None };
            requests += 1;
            match requests {
                10..14 => Some(Answer::Silence),
                14 => Some(Answer::Close),
                _ => None,
            }
        });
        world.run_to(5_000);
        assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")), "{version}");
        let values = world.fake().partitions[0].values();
        assert_eq!(values.len(), outcomes(&world).len(), "{version}");
        assert_eq!(values.is_sorted(), keeps, "{version}: {values:?}");
    }
}

/// Recorded with 1.1.1: each batch is given up `request.timeout.ms` after its first record, full or not.
#[test]
fn a_full_batch_does_not_wait_longer_before_2_1() {
    let mut config = config(V1_0);
    config.bootstrap = all_nodes(1);
    config.connection.request_timeout = Duration::from_secs(8);
    config.batch_size = 400;
    config.workload.interval = Duration::from_millis(100);
    config.workload.stop = Some(Time::from_millis(3_000));
    let mut world = world(config, &[2]);
    world.cut(2);
    world.run_to(20_000);
    let (mut begun, mut ages) = (Vec::new(), Vec::new());
    for (time, observation) in world.observed() {
        match observation {
            ClientObservation::Invoked { .. } => begun.push(time),
            ClientObservation::Completed { op, outcome: Outcome::Failed { .. } } => {
                ages.push(time.since(begun[op as usize]).as_millis());
            }
            _ => {}
        }
    }
    assert_eq!(ages.len(), begun.len());
    // Three records to a batch: the first one's age decides.
    assert!(ages.iter().all(|age| (7_700..=8_010).contains(age)), "{ages:?}");
}

#[test]
fn a_record_without_metadata_or_room_blocks_the_application_and_fails() {
    let mut config = config(V2_1);
    config.max_block = Duration::from_millis(500);
    let mut world = world(config, &[]);
    world.run_to(700);
    assert_eq!(outcomes(&world), ["failed METADATA_TIMED_OUT"]);

    let mut world = with(V2_1, |config| {
        config.max_block = Duration::from_millis(500);
        config.batch_size = 200;
        config.buffer_memory = 3 * 200;
        config.workload.stop = Some(Time::from_millis(700));
    });
    world.fake().script = Box::new(|now, _, request| {
        let silent = request.api == ApiKey::Produce && now < Time::from_millis(500);
        silent.then_some(Answer::Silence)
    });
    world.run_to(640);
    let invoked = world.observed().len();
    assert_eq!(invoked, 6, "the fourth blocks for 500 ms and fails; only then comes the fifth");
    assert_eq!(outcomes(&world), ["failed BUFFER_EXHAUSTED"]);
}

#[test]
fn reconnecting_backs_off() {
    let mut world = with(V2_1, |_| {});
    world.run_to(150);
    for broker in 1..=3 {
        world.crash(broker);
    }
    let before = world.connects().len();
    world.run_to(30_150);
    let attempts = world.connects().len() - before;
    assert!((60..=140).contains(&attempts), "{attempts} attempts at three brokers in 30 s");
    world.start_brokers();
    world.run_to(33_000);
    assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")));
    assert_eq!(outcomes(&world).len(), 10);
}

#[test]
fn records_without_a_key_spread_as_their_release_spreads_them() {
    let spread = |version| {
        let mut config = config(version);
        config.workload.stop = Some(Time::from_millis(400));
        let mut world = world(config, &[1, 2, 3]);
        world.run_to(1_000);
        world.fake().partitions.iter().map(|p| p.values().len()).collect::<Vec<_>>()
    };
    assert_eq!(spread(V1_0), [10, 10, 10], "in turn");
    let sticky = spread(KafkaVersion::new(2, 4));
    assert!(sticky.iter().all(|&count| count > 3), "another for every batch: {sticky:?}");
    let bytes = spread(KafkaVersion::new(3, 3));
    assert_eq!(bytes.iter().filter(|&&count| count > 0).count(), 1, "one for 16 KiB: {bytes:?}");
}

#[test]
fn records_of_one_key_stay_in_one_partition() {
    let mut config = config(V2_8);
    config.workload.keys = 1;
    let mut world = world(config, &[1, 2, 3]);
    world.run_to(1_000);
    assert_eq!(world.fake().partitions.iter().filter(|p| !p.batches.is_empty()).count(), 1);
}

#[test]
fn a_stop_ends_the_records_and_not_the_retries() {
    let mut world = with(V2_1, |_| {});
    world.fake().produce_errors.extend([19; 20]);
    world.run_to(2_500);
    assert_eq!(outcomes(&world).len(), 10);
    assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")));
    assert!(!world.has_exited());
}

#[test]
fn a_shutdown_flushes_and_exits() {
    let mut world = with(V2_1, |config| config.linger = Duration::from_secs(60));
    world.run_to(150);
    world.shut_down();
    world.run_to(300);
    assert!(world.has_exited());
    let begun = world.observed().len() - outcomes(&world).len();
    assert_eq!(outcomes(&world).len(), begun, "every record that was begun has ended");
}

#[test]
fn metadata_grows_old() {
    let mut world = with(V2_1, |config| {
        config.metadata_max_age = Duration::from_secs(5);
        only(config, 1);
    });
    world.run_to(21_000);
    assert_eq!(world.seen(ApiKey::Metadata).len(), 5);
}

#[test]
fn the_workload_does_not_catch_up_after_a_pause() {
    let mut world = with(V2_1, |config| config.workload.stop = Some(Time::from_millis(10_000)));
    world.run_to(200);
    let before = world.observed().len();
    // A pause: the timer's input comes late.
    world.pause_to(5_000);
    world.run_to(5_010);
    let invoked = world.observed().len() - before;
    assert!(invoked <= 5, "{invoked} observations");
}

fn by_zookeeper() -> World<Producer> {
    let mut config = config(V1_0);
    config.retries = 10;
    config.workload.stop = Some(Time::from_millis(1_000));
    config.discover = Discover::ZooKeeper {
        servers: vec![crate::vocab::NodeId(3)],
        session_timeout: Duration::from_secs(6),
    };
    world(config, &[1, 2])
}

#[test]
fn a_producer_can_ask_zookeeper_for_the_leader() {
    let mut world = by_zookeeper();
    world.run_to(2_000);
    assert_eq!(outcomes(&world).len(), 90);
    assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")));
    assert!(world.seen(ApiKey::Metadata).is_empty(), "no broker is asked");
    assert_eq!(world.fake().reads.iter().filter(|read| !read.contains("Ping")).count(), 7);
    let details: Vec<_> = world.details().into_iter().map(|(_, detail)| detail).collect();
    let [
        ClientObservation::LeadersAsked { of: crate::vocab::NodeId(3) },
        ClientObservation::LeaderLearned { leader: Some(first), leader_epoch: 0, .. },
        ClientObservation::LeaderLearned { leader: Some(second), .. },
        ClientObservation::BatchSent { records, acks: Acks::Leader, .. },
        ..,
    ] = &details[..]
    else {
        panic!("asks, learns of both partitions, sends; not {details:?}")
    };
    assert_eq!((first.0, second.0, &records[..]), (1, 2, &[0][..]));
}

#[test]
fn the_coordinator_is_asked_again_when_the_leader_moves_or_dies() {
    let mut world = by_zookeeper();
    world.run_to(300);
    (world.fake().partitions[0].leader, world.fake().partitions[0].epoch) = (3, 1);
    world.run_to(600);
    world.crash(2);
    world.run_to(700);
    (world.fake().partitions[1].leader, world.fake().partitions[1].epoch) = (3, 1);
    world.run_to(4_000);
    assert_eq!(outcomes(&world).len(), 90);
    assert!(outcomes(&world).iter().all(|end| end.starts_with("ok")));
}
