//! Committed offsets.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    ResponseKind,
};

use super::world::{World, commit, group, join, text};

#[test]
fn a_member_commits_in_its_generation() {
    // `member-calls.commit`
    let mut world = World::new("2.8");
    let id = world.stable(None);
    assert_eq!(world.commit("g", &id, 1, 5), 0);
    assert_eq!(world.commit("g", "no", 1, 6), 25, "UNKNOWN_MEMBER_ID");
    assert_eq!(world.commit("g", &id, 4, 6), 22, "ILLEGAL_GENERATION");
    assert_eq!(world.commit("g", "", -1, 6), 25, "a group with members takes no simple commit");
    assert_eq!(world.fetch("g", "t", false), (0, 5, 0));
    assert_eq!(world.commit("other", "no", 3, 6), 22);
    assert_eq!(world.commit("simple", "", -1, 7), 0);
    assert_eq!(world.fetch("simple", "t", false), (0, 7, 0));
    assert_eq!(world.fetch("none", "t", false), (0, -1, 0));
}

#[test]
fn each_release_stores_offsets_in_its_format() {
    for (version, format, expires) in [("2.0", 1, true), ("2.1", 3, false), ("3.9", 3, false)] {
        let mut world = World::new(version);
        world.commit("g", "", -1, 5);
        let (stored, value) = world.stored_offset();
        assert_eq!((stored, value.offset, value.expire_ms.is_some()), (format, 5, expires));
    }
    // A commit with a time of its own keeps the old format.
    let mut world = World::new("2.8");
    world.send_commit_request(commit("g", "", -1, 5).with_retention_time_ms(1_000));
    let (format, value) = world.stored_offset();
    assert_eq!((format, value.expire_ms), (1, Some(value.commit_ms + 1_000)));
}

#[test]
fn a_commit_is_known_when_it_is_written() {
    let mut world = World::new("2.8");
    world.commit("g", "", -1, 5);
    world.holds = true;
    let waits = world.send_commit("g", "", -1, 6);
    assert_eq!(world.committed(waits), None);
    assert_eq!(world.fetch("g", "t", false), (0, 5, 0));
    assert_eq!(world.fetch("g", "t", true), (0, -1, 88), "UNSTABLE_OFFSET_COMMIT");
    world.release(Some(ResponseError::NotEnoughReplicasAfterAppend));
    assert_eq!(world.committed(waits), Some(15), "COORDINATOR_NOT_AVAILABLE");
    assert_eq!(world.fetch("g", "t", true), (0, 5, 0));
    let waits = world.send_commit("g", "", -1, 7);
    world.release(None);
    assert_eq!(world.committed(waits), Some(0));
    assert_eq!(world.fetch("g", "t", true), (0, 7, 0));
    for (error, code) in [
        (ResponseError::NotLeaderOrFollower, 16),
        (ResponseError::MessageTooLarge, 28),
        (ResponseError::RequestTimedOut, 7),
    ] {
        let waits = world.send_commit("g", "", -1, 8);
        world.release(Some(error));
        assert_eq!(world.committed(waits), Some(code));
    }
}

#[test]
fn a_commit_for_what_is_not_there_is_refused() {
    // `commit.unknown-topic`, `commit.metadata-4097`
    for (version, unknown_partition) in [("1.1", 0), ("2.0", 3)] {
        let mut world = World::new(version);
        let mut request = commit("g", "", -1, 5);
        request.topics[0].partitions[0].partition_index = 7;
        let sent = world.send_commit_request(request.clone());
        assert_eq!(world.committed(sent), Some(unknown_partition), "{version}");
        request.topics[0].name = text("other").into();
        let sent = world.send_commit_request(request);
        assert_eq!(world.committed(sent), Some(3), "{version}");
    }
    let mut world = World::new("2.8");
    let mut request = commit("g", "", -1, 5);
    for (length, code) in [(4_096, 0), (4_097, 12)] {
        let metadata = text(&"é".repeat(length));
        request.topics[0].partitions[0].committed_metadata = Some(metadata);
        let sent = world.send_commit_request(request.clone());
        assert_eq!(world.committed(sent), Some(code), "{length} characters");
    }
}

#[test]
fn a_commit_during_a_rebalance_is_refused_as_in_each_release() {
    for (version, of_stranger) in [("2.3", 27), ("2.4", 25)] {
        let mut world = World::new(version);
        let first = world.stable(None);
        assert_eq!(world.commit("g", &first, 1, 5), 0);
        world.send_join(3, join(""));
        assert_eq!(world.commit("g", &first, 1, 6), 0, "while members join");
        world.join(3, join(&first));
        assert_eq!(world.commit("g", &first, 2, 7), 27, "REBALANCE_IN_PROGRESS");
        assert_eq!(world.commit("g", "no", 2, 7), of_stranger, "{version}");
    }
}

#[test]
fn offsets_expire_as_in_each_release() {
    let day = 86_400;
    for (version, while_there, after) in [("2.0", false, false), ("2.1", true, true)] {
        // A broker's own retention, a day here; members are there all the time.
        let mut world = World::of(version, |config| {
            config.groups.offsets_retention_check_interval = std::time::Duration::from_secs(600);
        });
        let forever = join("").with_session_timeout_ms(300_000);
        let joined = world.join(3, forever);
        let id = joined.member_id.to_string();
        world.send_sync(&id, 1, &[]);
        world.commit("g", &id, 1, 5);
        for _ in 0..day / 200 + 6 {
            world.pass(200);
            world.beat(&id, 1, None);
        }
        let known = world.fetch("g", "t", false).1 == 5;
        assert_eq!(known, while_there, "{version}: with members");
        world.leave(&id, None);
        world.pass(day / 2);
        assert_eq!(world.fetch("g", "t", false).1 == 5, after, "{version}: half a day without");
        world.pass(day / 2 + 1_200);
        assert_eq!(world.fetch("g", "t", false).1, -1, "{version}: a day without");
        let last = world.stored().into_iter().rev().find(|(_, value)| value.is_none());
        assert!(last.is_some(), "{version}: the next coordinator learns it");
    }
}

#[test]
fn requests_that_are_refused_name_no_partitions_since_3_5() {
    // `commit.wrong-coordinator`
    for (version, topics) in [("3.4", 1), ("3.5", 0)] {
        let mut world = World::new(version);
        world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
        let to = world.to(ApiKey::OffsetFetch, 1);
        let asked = OffsetFetchRequestTopic::default()
            .with_name(text("t").into())
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default().with_topics(Some(vec![asked]));
        world.act(|groups, cx| groups.fetch_offsets(cx, to, request));
        let Some(ResponseKind::OffsetFetch(answer)) = world.answer(to.conn) else { panic!() };
        assert_eq!(answer.topics.len(), topics, "{version}");
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions);
        assert!(codes.into_iter().all(|part| part.error_code == 16), "{version}");
    }
}

fn delete_offsets(world: &mut World, of: &str) -> OffsetDeleteResponse {
    let to = world.to(ApiKey::OffsetDelete, 0);
    let part = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(text("t").into())
        .with_partitions(vec![part(0), part(4)]);
    let request = OffsetDeleteRequest::default().with_group_id(group(of)).with_topics(vec![topic]);
    let knows = |_: &str, partition: Option<i32>| partition.unwrap_or(0) < 2;
    world.act(|groups, cx| groups.delete_offsets(cx, to, request, &knows));
    match world.answer(to.conn) {
        Some(ResponseKind::OffsetDelete(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_are_deleted_unless_a_member_reads_them() {
    // `groups.offset-delete`
    for (version, times) in [("2.4", 2), ("2.8", 1)] {
        let mut world = World::new(version);
        world.commit("simple", "", -1, 5);
        let answer = delete_offsets(&mut world, "simple");
        assert_eq!((answer.error_code, answer.topics.len()), (0, times), "{version}");
        let codes = |answer: &OffsetDeleteResponse| -> Vec<i16> {
            answer.topics[0].partitions.iter().map(|part| part.error_code).collect()
        };
        assert_eq!(codes(&answer), [0, 3], "{version}");
        assert_eq!(world.fetch("simple", "t", false).1, -1);
        assert_eq!(delete_offsets(&mut world, "no").error_code, 69, "GROUP_ID_NOT_FOUND");
        let id = world.stable(None);
        world.commit("g", &id, 1, 5);
        // What the member subscribes to cannot be read, so that it may be anything.
        let answer = delete_offsets(&mut world, "g");
        assert_eq!(codes(&answer), [86, 3], "{version}: GROUP_SUBSCRIBED_TO_TOPIC");
        assert_eq!(world.fetch("g", "t", false).1, 5);
    }
}

#[test]
fn a_group_without_members_can_be_deleted() {
    // `groups.delete`
    let mut world = World::new("2.8");
    let id = world.stable(None);
    world.commit("g", &id, 1, 5);
    world.commit("simple", "", -1, 5);
    let delete = |world: &mut World| -> Vec<i16> {
        let to = world.to(ApiKey::DeleteGroups, 0);
        let names = ["g", "simple", "no"].map(group).to_vec();
        let request = DeleteGroupsRequest::default().with_groups_names(names);
        world.act(|groups, cx| groups.delete_groups(cx, to, request));
        match world.answer(to.conn) {
            Some(ResponseKind::DeleteGroups(response)) => {
                response.results.iter().map(|result| result.error_code).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut world), [68, 0, 69], "NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND");
    assert_eq!(world.fetch("simple", "t", false).1, -1);
    world.leave(&id, None);
    assert_eq!(delete(&mut world), [0, 69, 69]);
    assert_eq!(world.fetch("g", "t", false).1, -1);
    // A topic that is deleted takes its offsets with it.
    world.commit("simple", "", -1, 5);
    world.act(|groups, cx| groups.topic_deleted(cx, "t"));
    assert_eq!(world.fetch("simple", "t", false).1, -1);
}
