//! Offsets that are committed in transactions.

use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{ApiKey, ResponseKind, TxnOffsetCommitRequest};

use super::world::{World, group, text};
use crate::wire::markers::EndMarker;
use crate::wire::records::Batch;

fn request(producer: i64, offset: i64) -> TxnOffsetCommitRequest {
    let part = TxnOffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("m")));
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(text("t").into())
        .with_partitions(vec![part]);
    TxnOffsetCommitRequest::default()
        .with_transactional_id(text("x").into())
        .with_group_id(group("g"))
        .with_producer_id(producer.into())
        .with_producer_epoch(0)
        .with_topics(vec![topic])
}

/// The error of a TxnOffsetCommit, if it is answered.
fn send(world: &mut World, version: i16, request: TxnOffsetCommitRequest) -> Option<i16> {
    let to = world.to(ApiKey::TxnOffsetCommit, version);
    world.act(|groups, cx| groups.commit_in_transaction(cx, to, request, &|_, _| true));
    match world.answer(to.conn)? {
        ResponseKind::TxnOffsetCommit(response) => {
            Some(response.topics[0].partitions[0].error_code)
        }
        other => panic!("{other:?}"),
    }
}

fn commit(world: &mut World, producer: i64, offset: i64) {
    assert_eq!(send(world, 0, request(producer, offset)), Some(0));
}

/// What is committed for `t-0`: the offset, and the error.
fn fetched(world: &mut World, require_stable: bool) -> (i64, i16) {
    let (error, offset, of_partition) = world.fetch("g", "t", require_stable);
    assert_eq!(error, 0);
    (offset, of_partition)
}

/// The marker of a transaction, as its coordinator has it written.
fn marker(world: &World, producer: i64, commit: bool) -> Batch {
    let at = world.log.last().map_or(0, |last| last.last_offset + 1);
    EndMarker { commit, coordinator_epoch: 0 }.batch((producer, 0), 0).stamped(at, 0)
}

/// Its coordinator has the marker written into the partition.
fn end(world: &mut World, producer: i64, commit: bool) {
    let marker = marker(world, producer, commit);
    world.log.push(marker);
    world.act(|groups, cx| groups.transaction_completed(cx, producer, &[0], commit));
}

/// Another coordinator loads the log.
fn reloaded(world: &World, version: &str) -> World {
    let mut next = World::before(version, |_| {});
    next.log = world.log.clone();
    next.act(|groups, cx| groups.elected(cx, 0, 1));
    next.pass(1);
    next
}

#[test]
fn offsets_of_a_transaction_count_when_it_is_committed() {
    // Recorded: `txn.offset-commit`.
    for version in ["0.11", "1.1", "2.4", "2.8", "3.9"] {
        let mut world = World::new(version);
        commit(&mut world, 7, 5);
        assert_eq!(fetched(&mut world, false), (-1, 0), "{version}");
        // UNSTABLE_OFFSET_COMMIT
        assert_eq!(fetched(&mut world, true), (-1, 88), "{version}");
        let batch = world.log.last().unwrap();
        assert!(batch.is_transactional(), "{version}");
        assert_eq!((batch.producer_id(), batch.producer_epoch()), (7, 0), "{version}");
        world.act(|groups, cx| groups.transaction_completed(cx, 8, &[0], true));
        world.act(|groups, cx| groups.transaction_completed(cx, 7, &[1], true));
        assert_eq!(fetched(&mut world, true).1, 88, "{version}: of another producer, or partition");
        let mut next = reloaded(&world, version);
        assert_eq!(fetched(&mut next, true), (-1, 88), "{version}");
        for world in [&mut world, &mut next] {
            end(world, 7, true);
            assert_eq!(fetched(world, true), (5, 0), "{version}");
        }
        assert_eq!(fetched(&mut reloaded(&world, version), true), (5, 0), "{version}");
        commit(&mut world, 7, 9);
        end(&mut world, 7, false);
        assert_eq!(fetched(&mut world, true), (5, 0), "{version}: aborted");
        assert_eq!(fetched(&mut reloaded(&world, version), true), (5, 0), "{version}");
    }
}

#[test]
fn the_offset_that_was_written_last_counts() {
    // KAFKA-5247: by where they are in the log, and not by which transaction ended last.
    let mut world = World::new("2.8");
    commit(&mut world, 7, 5);
    commit(&mut world, 8, 6);
    end(&mut world, 8, true);
    end(&mut world, 7, true);
    assert_eq!(fetched(&mut world, true), (6, 0));
    assert_eq!(fetched(&mut reloaded(&world, "2.8"), true), (6, 0));
}

#[test]
fn offsets_that_could_not_be_written_are_dropped() {
    use kafka_protocol::error::ResponseError;
    let mut world = World::new("2.8");
    world.holds = true;
    let to = world.to(ApiKey::TxnOffsetCommit, 0);
    let request = request(7, 5);
    world.act(|groups, cx| groups.commit_in_transaction(cx, to, request, &|_, _| true));
    assert_eq!(fetched(&mut world, true).1, 88);
    world.release(Some(ResponseError::NotEnoughReplicas));
    let Some(ResponseKind::TxnOffsetCommit(answer)) = world.answer(to.conn) else { panic!() };
    // COORDINATOR_NOT_AVAILABLE
    assert_eq!(answer.topics[0].partitions[0].error_code, 15);
    assert_eq!(fetched(&mut world, true), (-1, 0));
    world.act(|groups, cx| groups.transaction_completed(cx, 7, &[0], true));
    assert_eq!(fetched(&mut world, true), (-1, 0));
}

#[test]
fn a_member_that_was_replaced_commits_no_offsets_since_2_5() {
    for version in ["1.1", "2.4", "2.5", "2.8", "3.0", "3.9"] {
        let mut world = World::new(version);
        let (old, whole) = (matches!(version, "1.1" | "2.4"), matches!(version, "3.0" | "3.9"));
        let id = world.stable(None);
        let mut code = |member: &str, generation, instance: Option<&str>| {
            let request = request(7, 5)
                .with_member_id(text(member))
                .with_generation_id(generation)
                .with_group_instance_id(instance.map(text));
            send(&mut world, 3, request).expect("it is answered")
        };
        let or_0 = |code: i16| if old { 0 } else { code };
        assert_eq!(code("", -1, None), 0, "{version}: it names none");
        assert_eq!(code(&id, 1, None), 0, "{version}");
        // `txn.offset-commit`: UNKNOWN_MEMBER_ID
        assert_eq!(code("no", 3, None), or_0(25), "{version}");
        // ILLEGAL_GENERATION
        assert_eq!(code(&id, 2, None), or_0(22), "{version}");
        assert_eq!(code(&id, -1, None), if whole { 22 } else { 0 }, "{version}");
        assert_eq!(code("", 1, None), if whole { 25 } else { 0 }, "{version}");
        assert_eq!(code(&id, 1, Some("i")), if whole { 25 } else { 0 }, "{version}");
    }
}

#[test]
fn an_old_producer_does_not_hear_that_groups_are_loaded_since_2_6() {
    for (version, expected) in [("2.5", [14, 14]), ("2.6", [15, 14])] {
        let mut world = World::before(version, |_| {});
        world.act(|groups, cx| groups.elected(cx, 0, 0));
        let codes = [1, 2].map(|api| send(&mut world, api, request(7, 5)).unwrap());
        assert_eq!(codes, expected, "{version}");
    }
}
