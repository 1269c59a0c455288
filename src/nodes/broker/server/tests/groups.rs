//! A group on a whole cluster: its coordinator crashes, and another one goes on.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{await_cluster, coordinator, create_topic};
use crate::nodes::testing::Cluster;
use crate::vocab::BrokerId;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text("g"))
}

fn beat(cluster: &mut Cluster, to: BrokerId, id: &StrBytes) -> Option<i16> {
    let request = HeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(id.clone())
        .with_generation_id(1);
    Some(cluster.call_in(to, 0, request)?.error_code)
}

fn committed(cluster: &mut Cluster, to: BrokerId) -> i64 {
    let topic = OffsetFetchRequestTopic::default()
        .with_name(text("orders").into())
        .with_partition_indexes(vec![0]);
    let request =
        OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    let answer = cluster.call_in(to, 1, request).expect("it is answered");
    answer.topics[0].partitions[0].committed_offset
}

fn commit(cluster: &mut Cluster, to: BrokerId, id: &StrBytes, offset: i64) -> i16 {
    let part = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(text("orders").into())
        .with_partitions(vec![part]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_member_id(id.clone())
        .with_generation_id_or_member_epoch(1)
        .with_topics(vec![topic]);
    let answer = cluster.call_in(to, 2, request).expect("it is answered");
    answer.topics[0].partitions[0].error_code
}

/// A member that is alone in its group, which is stable.
fn stable(cluster: &mut Cluster, to: BrokerId) -> StrBytes {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"m"));
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let sent = cluster.send_request(to, 1, join);
    cluster.run_for(Duration::from_secs(4));
    let joined = cluster.response(sent).expect("the first rebalance is over");
    assert_eq!((joined.error_code, joined.generation_id), (0, 1), "{}", cluster.version);
    let id = joined.member_id;
    let sync = SyncGroupRequest::default()
        .with_group_id(group())
        .with_member_id(id.clone())
        .with_generation_id(1);
    assert_eq!(cluster.call_in(to, 0, sync).expect("an answer").error_code, 0);
    id
}

#[test]
fn a_group_goes_on_when_its_coordinator_crashes() {
    for version in ["0.11", "1.1", "2.4", "2.8", "3.9"] {
        let mut cluster = Cluster::new(version.parse().unwrap(), 3);
        let controller = await_cluster(&mut cluster);
        create_topic(&mut cluster, controller);
        cluster.run_for(Duration::from_secs(2));
        let first = coordinator(&mut cluster, BrokerId(1), (0, text("g")), |_| true);
        cluster.run_for(Duration::from_secs(2));
        let id = stable(&mut cluster, first);
        assert_eq!(commit(&mut cluster, first, &id, 7), 0, "{version}");
        assert_eq!(committed(&mut cluster, first), 7, "{version}");
        cluster.crash(first);
        let other = BrokerId(first.0 % 3 + 1);
        let second = coordinator(&mut cluster, other, (0, text("g")), |id| id != first);
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(beat(&mut cluster, second, &id), Some(0), "{version}: no rebalance");
        assert_eq!(committed(&mut cluster, second), 7, "{version}");
    }
}

#[test]
fn offsets_of_old_clients_are_kept_in_zookeeper() {
    // `KafkaApis.handleOffsetCommitRequest` and `handleOffsetFetchRequest` of 0.10 to 3.9.
    for (version, unknown) in [("0.11", 0), ("1.1", 0), ("2.0", 3), ("3.9", 3)] {
        let mut cluster = Cluster::new(version.parse().expect("a release"), 3);
        let controller = await_cluster(&mut cluster);
        create_topic(&mut cluster, controller);
        let part = |index, metadata: &str| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(42)
                .with_committed_metadata(Some(text(metadata)))
        };
        let topic = |name: &str, partitions| {
            let topic = OffsetCommitRequestTopic::default().with_name(text(name).into());
            topic.with_partitions(partitions)
        };
        let orders = topic("orders", vec![part(0, "m"), part(7, "m"), part(0, &"x".repeat(5000))]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_topics(vec![orders, topic("no", vec![part(0, "")])]);
        let answer = cluster.call_in(BrokerId(2), 0, request).expect("it is answered");
        let rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let codes: Vec<_> = rows.map(|row| row.error_code).collect();
        assert_eq!(codes, [0, unknown, 12, 3], "{version}");
        let path = "/consumers/g/offsets/orders/0";
        let data = cluster.tree().get(path).expect("it is there").data.clone();
        assert_eq!(data.as_deref(), Some(&b"42"[..]), "{version}");

        let topics = [("orders", vec![0, 1]), ("no", vec![0])].map(|(name, partitions)| {
            OffsetFetchRequestTopic::default()
                .with_name(text(name).into())
                .with_partition_indexes(partitions)
        });
        let request =
            OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(topics.into()));
        let answer = cluster.call_in(BrokerId(3), 0, request).expect("it is answered");
        let rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let rows: Vec<_> =
            rows.map(|row| (row.committed_offset, row.error_code, row.metadata.clone())).collect();
        let none = (-1, 3, Some(text("")));
        assert_eq!(rows, [(42, 0, Some(text(""))), none.clone(), none], "{version}");
    }
}
