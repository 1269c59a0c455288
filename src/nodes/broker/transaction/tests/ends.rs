//! Partitions are added to transactions, and transactions end.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTransaction;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, GroupId, ResponseKind,
};

use super::super::Destination;
use super::world::{World, id, text, topics};

const ALL: [&str; 6] = ["0.11", "1.1", "2.4", "2.6", "2.8", "3.9"];

fn begun(version: &str) -> (World, (i64, i16)) {
    let mut world = World::new(version);
    let (_, producer, epoch) = world.init("x");
    (world, (producer, epoch))
}

#[test]
fn a_transaction_begins_and_ends() {
    // Recorded: `txn.commit`, `txn.abort`, `txn.state.next-transaction`.
    for version in ALL {
        let (mut world, x) = begun(version);
        for (commit, states) in [(true, [1, 2, 4]), (false, [1, 3, 5])] {
            let before = world.log.len();
            world.holds_markers = true;
            assert_eq!(world.add("x", x), 0, "{version}");
            assert_eq!(world.end("x", x, commit), 0, "{version}: answered before the markers");
            assert_eq!(world.states()[before..], states[..2], "{version}");
            let marker = &world.markers[0].1[0];
            assert_eq!((marker.producer_id.0, marker.producer_epoch), x, "{version}");
            assert_eq!((marker.transaction_result, marker.coordinator_epoch), (commit, 0));
            assert_eq!(&*marker.topics[0].name, "t");
            world.holds_markers = false;
            world.answer_markers(0);
            assert_eq!(world.states()[before..], states, "{version}");
        }
        let last = world.stored().pop().unwrap().1.unwrap();
        assert_eq!(last.partitions, Some(vec![]), "{version}");
        assert!(last.start_ms > 0);
    }
}

#[test]
fn an_end_is_answered_by_the_state() {
    // Recorded: `txn.state.end-without-begin`, `end-twice-commit`, `commit-then-abort`, `abort-then-commit`.
    for version in ALL {
        let (mut world, x) = begun(version);
        assert_eq!(world.end("x", x, true), 48, "{version}: INVALID_TXN_STATE");
        assert_eq!(world.end("x", x, false), 48, "{version}");
        for commit in [true, false] {
            world.add("x", x);
            assert_eq!(world.end("x", x, commit), 0, "{version}");
            assert_eq!(world.end("x", x, commit), 0, "{version}: it has ended so");
            assert_eq!(world.end("x", x, !commit), 48, "{version}");
        }
    }
}

#[test]
fn requests_wait_while_a_transaction_ends() {
    let (mut world, x) = begun("2.8");
    world.add("x", x);
    world.holds_appends = true;
    let end = world.send_end("x", x, true);
    assert!(world.answer(end).is_none(), "it is being written");
    assert_eq!(world.end("x", x, true), 51, "CONCURRENT_TRANSACTIONS");
    assert_eq!(world.add("x", x), 51);
    assert_eq!(world.init("x").0, 51);
    world.holds_markers = true;
    world.holds_appends = false;
    world.release();
    assert_eq!(world.ended(end), 0);
    assert_eq!(world.end("x", x, true), 51, "markers are missing");
    assert_eq!(world.end("x", x, false), 51);
    assert_eq!(world.add("x", x), 51);
    world.holds_markers = false;
    world.answer_markers(0);
    assert_eq!(world.add("x", x), 0);
}

#[test]
fn partitions_that_are_there_are_added_once() {
    // Recorded: `txn.state.add-twice`, `add-none`, `unknown-topic`.
    let (mut world, x) = begun("2.8");
    let none = world.send_add(World::add_request("x", x, &[]));
    assert_eq!(world.added(none), []);
    let before = world.log.len();
    assert_eq!(world.add("x", x), 0);
    assert_eq!(world.log.len(), before + 1);
    assert_eq!(world.add("x", x), 0);
    assert_eq!(world.log.len(), before + 1, "nothing new is written");
    let request = World::add_request("x", x, &[("t", &[0, 9]), ("no", &[0])]);
    let conn = world.send_add(request);
    let rows = [("t".to_owned(), 0, 55), ("t".to_owned(), 9, 3), ("no".to_owned(), 0, 3)];
    assert_eq!(world.added(conn), rows);
    let conn = world.send_add(World::add_request("x", x, &[("t", &[1]), ("t2", &[3])]));
    assert_eq!(world.added(conn).len(), 2);
    let stored = world.stored().pop().unwrap().1.unwrap();
    let expected = vec![(text("t"), vec![0, 1]), (text("t2"), vec![3])];
    assert_eq!(stored.partitions, Some(expected));
    assert_eq!(world.add("", x), 42, "INVALID_REQUEST");
}

#[test]
fn the_partition_of_a_groups_offsets_is_added() {
    // Recorded: `txn.offset-commit`.
    let (mut world, x) = begun("2.8");
    let to = world.to(ApiKey::AddOffsetsToTxn);
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id("x"))
        .with_producer_id(x.0.into())
        .with_producer_epoch(x.1)
        .with_group_id(GroupId(text("g")));
    world.act(|transactions, cx| transactions.add_offsets(cx, to, request));
    let Some(ResponseKind::AddOffsetsToTxn(answer)) = world.answer(to.conn) else { panic!() };
    assert_eq!(answer.error_code, 0);
    let stored = world.stored().pop().unwrap().1.unwrap();
    assert_eq!(stored.partitions, Some(vec![(text("__consumer_offsets"), vec![0])]));
}

#[test]
fn partitions_are_verified_as_in_each_release() {
    for (version, not_added) in [("3.6", 48), ("3.7", 48), ("3.9", 120)] {
        let (mut world, x) = begun(version);
        world.add("x", x);
        let verify = |world: &mut World, name, producer: (i64, i16)| {
            let to = world.to(ApiKey::AddPartitionsToTxn);
            let one = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(id(name))
                .with_producer_id(producer.0.into())
                .with_producer_epoch(producer.1)
                .with_verify_only(true)
                .with_topics(topics(&[("t", &[0, 1])]));
            let two = one.clone().with_transactional_id(id("no"));
            let request = AddPartitionsToTxnRequest::default().with_transactions(vec![one, two]);
            world.act(|transactions, cx| {
                transactions.add_partitions(cx, to, request, &|_, _| true);
            });
            let Some(ResponseKind::AddPartitionsToTxn(answer)) = world.answer(to.conn) else {
                panic!("{version}: no answer")
            };
            let codes = |n: usize| {
                let rows = &answer.results_by_transaction[n].topic_results[0].results_by_partition;
                rows.iter().map(|row| row.partition_error_code).collect::<Vec<_>>()
            };
            assert_eq!(codes(1), [49, 49], "{version}: INVALID_PRODUCER_ID_MAPPING");
            codes(0)
        };
        let before = world.log.len();
        assert_eq!(verify(&mut world, "x", x), [0, not_added], "{version}");
        assert_eq!(verify(&mut world, "x", (x.0, x.1 + 1)), [90, 90], "{version}");
        world.holds_markers = true;
        world.end("x", x, true);
        assert_eq!(verify(&mut world, "x", x), [51, 51], "{version}: CONCURRENT_TRANSACTIONS");
        assert_eq!(world.log.len(), before + 1, "{version}: it adds nothing");
    }
}

#[test]
fn many_transactions_are_answered_when_all_are_written() {
    let (mut world, x) = begun("3.9");
    let (_, producer, epoch) = world.init("y");
    let one = |name, producer: i64, epoch, of| {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(id(name))
            .with_producer_id(producer.into())
            .with_producer_epoch(epoch)
            .with_topics(topics(of))
    };
    let all = vec![
        one("x", x.0, x.1, &[("t", &[0][..])]),
        one("y", producer, epoch, &[("t", &[1][..])]),
        one("y", producer, epoch, &[("gone", &[1][..])]),
    ];
    world.holds_appends = true;
    let to = world.to(ApiKey::AddPartitionsToTxn);
    let request = AddPartitionsToTxnRequest::default().with_transactions(all);
    let knows = |topic: &str, _| topic == "t";
    world.act(|transactions, cx| transactions.add_partitions(cx, to, request, &knows));
    assert!(world.answer(to.conn).is_none());
    world.release();
    let Some(ResponseKind::AddPartitionsToTxn(answer)) = world.answer(to.conn) else { panic!() };
    let codes = answer
        .results_by_transaction
        .iter()
        .map(|result| result.topic_results[0].results_by_partition[0].partition_error_code);
    let mut codes: Vec<i16> = codes.collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 0, 3]);
}

#[test]
fn markers_are_sent_until_all_leaders_have_written_them() {
    let (mut world, x) = begun("2.8");
    world.add("x", x);
    world.holds_markers = true;
    assert_eq!(world.end("x", x, true), 0);
    // Retriable: NOT_LEADER_OR_FOLLOWER and its kin.
    for error in [3, 6, 19, 20, 7, 56] {
        world.answer_markers(error);
        assert_eq!(world.markers.len(), 0, "{error}: there may be news of another leader");
        world.pass(Duration::from_millis(20));
        assert_eq!((world.markers.len(), world.states().len()), (1, 3), "after {error}");
    }
    world.answer_markers(0);
    assert_eq!(world.states(), [0, 1, 2, 4]);
    // Partitions of an older format have no markers: UNSUPPORTED_FOR_MESSAGE_FORMAT.
    world.add("x", x);
    world.end("x", x, false);
    world.answer_markers(43);
    assert_eq!(world.states()[4..], [1, 3, 5]);
}

#[test]
fn a_newer_producer_or_coordinator_ends_the_markers_of_an_older_one() {
    for error in [47, 52] {
        let (mut world, x) = begun("2.8");
        world.add("x", x);
        world.holds_markers = true;
        world.end("x", x, true);
        world.answer_markers(error);
        assert!(world.markers.is_empty());
        world.pass(Duration::from_secs(60));
        assert_eq!(world.states(), [0, 1, 2], "after {error}");
    }
}

#[test]
fn markers_wait_for_a_leader_and_not_for_partitions_that_are_gone() {
    let (mut world, x) = begun("2.8");
    let there = world.leader;
    world.add("x", x);
    world.leader = Destination::Unknown;
    world.end("x", x, true);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.states(), [0, 1, 2]);
    world.leader = there;
    world.act(|transactions, _| transactions.metadata_changed());
    assert_eq!(world.states(), [0, 1, 2, 4]);
    world.add("x", x);
    world.leader = Destination::Gone;
    world.end("x", x, true);
    assert_eq!(world.states()[4..], [1, 2, 4], "its topic was deleted");
}

#[test]
fn that_a_transaction_is_complete_is_written_again_when_it_cannot_be() {
    let (mut world, x) = begun("2.8");
    world.add("x", x);
    world.holds_markers = true;
    world.end("x", x, true);
    world.fail_appends = vec![ResponseError::NotEnoughReplicas];
    world.answer_markers(0);
    assert_eq!(world.states(), [0, 1, 2]);
    assert_eq!(world.add("x", x), 51, "it is still ending");
    world.pass(Duration::from_secs(31));
    assert_eq!(world.states(), [0, 1, 2, 4]);
    assert_eq!(world.add("x", x), 0);
}

#[test]
fn what_cannot_be_written_did_not_happen() {
    for (error, code) in [
        (ResponseError::NotEnoughReplicas, 15),
        (ResponseError::NotEnoughReplicasAfterAppend, 15),
        (ResponseError::UnknownTopicOrPartition, 15),
        (ResponseError::RequestTimedOut, 15),
        (ResponseError::NotLeaderOrFollower, 16),
        (ResponseError::KafkaStorageError, 16),
        (ResponseError::MessageTooLarge, -1),
    ] {
        let (mut world, x) = begun("2.8");
        world.fail_appends = vec![error];
        assert_eq!(world.add("x", x), code, "{error}");
        assert_eq!(world.end("x", x, true), 48, "{error}: it did not begin");
        assert_eq!(world.add("x", x), 0);
        world.fail_appends = vec![error];
        assert_eq!(world.end("x", x, true), code, "{error}");
        assert!(world.markers.is_empty());
        assert_eq!(world.end("x", x, true), 0);
    }
}
