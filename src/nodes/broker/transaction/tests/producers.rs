//! Producers of transactional ids: their ids and epochs, and how they are fenced.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::InitProducerIdRequest;

use super::world::{World, id};

const ALL: [&str; 6] = ["0.11", "1.1", "2.4", "2.6", "2.8", "3.9"];

fn fenced(version: &str) -> i16 {
    if matches!(version, "2.8" | "3.9") { 90 } else { 47 }
}

/// Continues with the id and epoch that the client has (KIP-360).
fn go_on(world: &mut World, producer: (i64, i16)) -> (i16, i64, i16) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id("x")))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1);
    let conn = world.send_init(request);
    world.producer(conn)
}

#[test]
fn each_producer_of_an_id_has_the_next_epoch() {
    // Recorded: `txn.state.init-again`.
    for version in ALL {
        let mut world = World::new(version);
        assert_eq!(world.init("x"), (0, 1_001, 0), "{version}");
        assert_eq!(world.init("x"), (0, 1_001, 1), "{version}");
        assert_eq!(world.init("y"), (0, 1_002, 0), "{version}");
        assert_eq!(world.states(), [0, 0, 0], "{version}");
        let (name, stored) = world.stored().remove(1);
        let stored = stored.unwrap();
        assert_eq!((&*name, stored.producer_epoch, stored.partitions), ("x", 1, None));
        assert_eq!((stored.timeout_ms, stored.start_ms), (60_000, -1));
    }
}

#[test]
fn a_request_that_is_wrong_is_refused() {
    // Recorded: `init-producer-id.*`.
    let mut world = World::new("2.8");
    let mut code = |name: &str, timeout_ms| {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id(name)))
            .with_transaction_timeout_ms(timeout_ms);
        let conn = world.send_init(request);
        world.producer(conn)
    };
    assert_eq!(code("", 60_000), (42, -1, -1), "INVALID_REQUEST");
    for timeout_ms in [0, -1, 1_000_000_000, 900_001] {
        assert_eq!(code("x", timeout_ms), (50, -1, -1), "INVALID_TRANSACTION_TIMEOUT");
    }
    assert_eq!(code("x", 900_000).0, 0);
    let mut other = World::before("2.8", |_| {});
    assert_eq!(other.init("x"), (16, -1, -1), "NOT_COORDINATOR");
}

#[test]
fn an_open_transaction_is_aborted_before_the_next_producer_begins() {
    // Recorded: `txn.state.init-while-open`.
    for version in ALL {
        let mut world = World::new(version);
        let (_, producer, epoch) = world.init("x");
        assert_eq!(world.add("x", (producer, epoch)), 0);
        world.holds_markers = true;
        assert_eq!(world.init("x"), (51, -1, -1), "{version}: CONCURRENT_TRANSACTIONS");
        assert_eq!(world.init("x"), (51, -1, -1), "{version}: markers are missing");
        let marker = &world.markers[0].1[0];
        assert_eq!((marker.producer_id.0, marker.producer_epoch), (producer, 1), "{version}");
        assert!(!marker.transaction_result);
        world.holds_markers = false;
        world.answer_markers(0);
        assert_eq!(world.states(), [0, 1, 3, 5], "{version}");
        assert_eq!(world.init("x"), (0, producer, 2), "{version}");
    }
}

#[test]
fn a_producer_that_was_replaced_is_fenced_as_in_each_release() {
    // Recorded: `txn.state.old-epoch`, `txn.state.fenced-add`, `txn.state.fenced-end`.
    for version in ALL {
        let mut world = World::new(version);
        let (_, producer, _) = world.init("x");
        world.init("x");
        assert_eq!(world.add("x", (producer, 0)), fenced(version), "{version}");
        assert_eq!(world.end("x", (producer, 0), true), fenced(version), "{version}");
        for (id, producer) in [("x", producer + 1_000), ("no", producer)] {
            // INVALID_PRODUCER_ID_MAPPING: `txn.state.wrong-pid`, `txn.state.unknown-id`.
            assert_eq!(world.add(id, (producer, 1)), 49, "{version}");
            assert_eq!(world.end(id, (producer, 1), true), 49, "{version}");
        }
    }
}

#[test]
fn clients_that_do_not_know_the_error_are_fenced_with_the_old_one() {
    let mut world = World::new("3.9");
    world.init("x");
    world.init("x");
    assert_eq!(go_on(&mut world, (1_001, 0)), (90, -1, -1));
    world.version = "2.6".parse().unwrap();
    assert_eq!(go_on(&mut world, (1_001, 0)), (47, -1, -1));
    assert_eq!(world.add("x", (1_001, 0)), 47);
    assert_eq!(world.end("x", (1_001, 0), true), 47);
}

#[test]
fn an_epoch_that_is_too_high_is_refused_as_in_each_release() {
    // `TransactionCoordinator.endTransaction` of 2.4, 2.6 and 2.8: up to 2.5 the state is looked at, of 48.
    for (version, add, end) in [("1.1", 47, 48), ("2.5", 47, 48), ("2.6", 47, 47), ("2.8", 90, 90)]
    {
        let mut world = World::new(version);
        let (_, producer, _) = world.init("x");
        assert_eq!(world.add("x", (producer, 1)), add, "{version}");
        assert_eq!(world.end("x", (producer, 1), true), end, "{version}");
    }
}

#[test]
fn a_producer_that_goes_on_gets_the_next_epoch_once() {
    for version in ["2.5", "3.9"] {
        let mut world = World::new(version);
        assert_eq!(world.init("x"), (0, 1_001, 0));
        assert_eq!(go_on(&mut world, (1_001, 0)), (0, 1_001, 1), "{version}");
        assert_eq!(go_on(&mut world, (1_001, 0)), (0, 1_001, 1), "{version}: it asks again");
        assert_eq!(go_on(&mut world, (1_001, 1)), (0, 1_001, 2), "{version}");
        let code = if version == "2.5" { 47 } else { 90 };
        assert_eq!(go_on(&mut world, (1_001, 0)).0, code, "{version}: it is fenced");
        assert_eq!(go_on(&mut world, (7, 2)).0, code, "{version}: of another id");
        assert_eq!(world.init("x"), (0, 1_001, 3), "{version}");
        assert_eq!(go_on(&mut world, (1_001, 2)).0, code, "{version}: another has come");
    }
}

#[test]
fn a_new_producer_id_comes_when_epochs_are_exhausted() {
    let mut world = World::new("2.8");
    assert_eq!(world.init("x"), (0, 1_001, 0));
    for epoch in 1..i16::MAX {
        assert_eq!(world.init("x"), (0, 1_001, epoch));
    }
    assert_eq!(go_on(&mut world, (1_001, i16::MAX - 1)), (0, 1_002, 0));
    assert_eq!(go_on(&mut world, (1_001, i16::MAX - 1)), (0, 1_002, 0), "it asks again");
    assert_eq!(world.init("x"), (0, 1_002, 1));
}

#[test]
fn a_producer_whose_epoch_could_not_be_written_gets_it_again() {
    let mut world = World::new("2.8");
    world.fail_appends = vec![ResponseError::NotEnoughReplicas];
    assert_eq!(world.init("x"), (15, -1, -1), "COORDINATOR_NOT_AVAILABLE");
    assert_eq!(world.init("x"), (0, 1_001, 0));
    world.fail_appends = vec![ResponseError::NotLeaderOrFollower];
    assert_eq!(world.init("x"), (16, -1, -1), "NOT_COORDINATOR");
    world.fail_appends = vec![ResponseError::RequestTimedOut];
    assert_eq!(world.init("x").0, 15);
    assert_eq!(world.init("x"), (0, 1_001, 1));
}

#[test]
fn a_fence_that_is_not_written_takes_one_epoch_since_2_6() {
    for (version, last) in [("2.5", 4), ("2.6", 2)] {
        let mut world = World::new(version);
        let (_, producer, epoch) = world.init("x");
        world.add("x", (producer, epoch));
        world.fail_appends = vec![ResponseError::NotEnoughReplicas; 2];
        assert_eq!(world.init("x").0, 15, "{version}");
        assert_eq!(world.init("x").0, 15, "{version}");
        assert_eq!(world.init("x").0, 51, "{version}: it is aborted now");
        assert_eq!(world.init("x"), (0, producer, last), "{version}");
    }
}

#[test]
fn a_transaction_is_aborted_when_it_is_over_its_timeout() {
    // `transaction.abort.timed.out.transaction.cleanup.interval.ms`: 60 s, since 2.5 10 s.
    for (version, late) in [("2.4", 120), ("2.8", 70)] {
        let mut world = World::new(version);
        let (_, producer, epoch) = world.init("x");
        world.add("x", (producer, epoch));
        world.pass(Duration::from_secs(late - 1));
        assert_eq!(world.states(), [0, 1], "{version}");
        world.pass(Duration::from_secs(2));
        assert_eq!(world.states(), [0, 1, 3, 5], "{version}");
        let stored = world.stored().remove(2).1.unwrap();
        assert_eq!(stored.producer_epoch, epoch + 1, "{version}");
        let code = if version == "2.8" { 90 } else { 47 };
        assert_eq!(world.end("x", (producer, epoch), true), code, "{version}: it is fenced");
        assert_eq!(world.add("x", (producer, epoch)), code, "{version}");
    }
}

#[test]
fn an_id_that_is_silent_for_long_is_forgotten() {
    let mut world = World::before("2.8", |config| {
        config.transactions.id_expiration = Duration::from_hours(2);
    });
    world.elect(0);
    world.init("x");
    let (_, producer, epoch) = world.init("open");
    world.add("open", (producer, epoch));
    world.end("open", (producer, epoch), true);
    world.pass(Duration::from_mins(90));
    world.add("open", (producer, epoch));
    world.holds_markers = true;
    world.pass(Duration::from_mins(91));
    assert_eq!(world.stored().iter().filter(|(_, value)| value.is_none()).count(), 1);
    assert_eq!(world.stored().iter().find(|(_, value)| value.is_none()).unwrap().0, "x");
    assert_eq!(world.init("x"), (0, 1_003, 0), "it is a new one");
}
