//! AlterPartitionReassignments, `/admin/reassign_partitions`, and DeleteRecords in a whole cluster.

use std::time::Duration;

use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId as WireBrokerId, CreateTopicsRequest,
    DeleteRecordsRequest, ListPartitionReassignmentsRequest,
};

use super::cluster::{await_cluster, produce, with_topic};
use crate::nodes::broker::znodes::paths;
use crate::nodes::testing::{Cluster, kafka};
use crate::vocab::{BrokerId, TopicPartition};

/// A cluster with a topic of one replica, on broker 2; and the controller.
fn on_one_broker(version: &str) -> (Cluster, BrokerId) {
    let mut cluster = Cluster::new(version.parse().unwrap(), 3);
    let controller = await_cluster(&mut cluster);
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![WireBrokerId(2)]);
    let new = CreatableTopic::default()
        .with_name(kafka::topic("orders"))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assignment]);
    let request = CreateTopicsRequest::default().with_topics(vec![new]).with_timeout_ms(30_000);
    let response = cluster.call(controller, request).expect("it is answered");
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    cluster.run_for(Duration::from_secs(1));
    (cluster, controller)
}

fn text(cluster: &Cluster, path: &str) -> (String, i32) {
    let znode = cluster.tree().get(path).expect("it is there");
    let data = znode.data.clone().expect("it has data");
    (String::from_utf8(data.to_vec()).expect("a text"), znode.version)
}

/// Error and text of a request for these replicas.
fn reassign(
    cluster: &mut Cluster,
    to: BrokerId,
    topic: &str,
    replicas: Option<&[i32]>,
) -> (i16, String) {
    let ids = replicas.map(|ids| ids.iter().copied().map(WireBrokerId).collect());
    let partition = ReassignablePartition::default().with_replicas(ids);
    let topic = ReassignableTopic::default()
        .with_name(kafka::topic(topic))
        .with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(5_000)
        .with_topics(vec![topic]);
    let mut answer = cluster.call(to, request).expect("it is answered");
    let told = |text: Option<kafka_protocol::protocol::StrBytes>| {
        text.as_deref().unwrap_or_default().to_owned()
    };
    if answer.error_code != 0 {
        return (answer.error_code, told(answer.error_message));
    }
    let row = answer.responses.remove(0).partitions.remove(0);
    (row.error_code, told(row.error_message))
}

#[test]
fn a_reassignment_is_checked_in_the_words_of_the_release() {
    // Recorded: `reassign.*`.
    let vague = "Replica assignment is invalid.";
    for (version, empty, twice) in [
        ("2.4", vague, vague),
        (
            "2.8",
            "Empty replica list specified in partition reassignment.",
            "Duplicate replica ids in partition reassignment replica list: ArrayBuffer(2, 2)",
        ),
    ] {
        let (mut cluster, controller) = on_one_broker(version);
        let other = BrokerId(if controller.0 == 1 { 2 } else { 1 });
        let mut ask = |to, topic, ids| reassign(&mut cluster, to, topic, ids);
        let why = "This is not the correct controller for this cluster.";
        assert_eq!(ask(other, "orders", Some(&[1])), (41, why.to_owned()), "{version}");
        assert_eq!(ask(controller, "orders", Some(&[])), (39, empty.to_owned()), "{version}");
        assert_eq!(ask(controller, "orders", Some(&[2, 2])), (39, twice.to_owned()), "{version}");
        let why = "The partition does not exist.";
        assert_eq!(ask(controller, "none", Some(&[1])), (3, why.to_owned()), "{version}");
        let why = "No partition reassignment is in progress.";
        assert_eq!(ask(controller, "orders", None), (85, why.to_owned()), "{version}");
    }
}

#[test]
fn replicas_move_in_the_recorded_steps() {
    // Recorded: the steps `reassign` and `reassign-by-znode` of 2.8.2: state + 4, leader epoch + 3, topic + 2.
    for version in ["2.4", "2.6", "2.8", "3.9"] {
        let (mut cluster, controller) = on_one_broker(version);
        let base = produce(&mut cluster, BrokerId(2), 0, 5);
        assert_eq!(base, 0);
        assert_eq!(reassign(&mut cluster, controller, "orders", Some(&[3])).0, 0, "{version}");
        cluster.run_for(Duration::from_secs(10));
        let (topic, topic_version) = text(&cluster, &paths::topic("orders"));
        let written =
            [r#""partitions":{"0":[3]}"#, r#""adding_replicas":{}"#, r#""removing_replicas":{}"#];
        assert!(written.iter().all(|part| topic.contains(part)), "{version}: {topic}");
        let ids = i32::from(version >= "2.8");
        // Topics get their id with the first write of a controller that has not made them.
        assert!((2..=2 + ids).contains(&topic_version), "{version}: {topic_version}");
        let at = TopicPartition::new("orders", 0);
        let (state, state_version) = text(&cluster, &paths::partition_state(&at));
        let is_on_3 = state.contains(r#""leader":3"#) && state.contains(r#""isr":[3]"#);
        assert!(is_on_3 && state.contains(r#""leader_epoch":3"#), "{version}: {state}");
        assert_eq!(state_version, 4, "{version}");
        let known = cluster.call(controller, kafka::metadata(&["orders"], false)).unwrap();
        assert_eq!(known.topics[0].partitions[0].replica_nodes, [WireBrokerId(3)], "{version}");
        assert_eq!(produce(&mut cluster, BrokerId(3), 5, 6), 5, "{version}: records moved");
        let old = cluster.broker(BrokerId(2)).unwrap().replicas().status(&at);
        assert!(old.is_none(), "{version}: the old replica is deleted");
        let list = ListPartitionReassignmentsRequest::default().with_topics(None);
        let list = cluster.call(controller, list).expect("it is answered");
        assert!(list.topics.is_empty(), "{version}: {list:?}");
    }
}

#[test]
fn a_reassignment_whose_new_broker_is_down_waits_and_can_be_cancelled() {
    let (mut cluster, controller) = on_one_broker("2.8");
    let target = if controller.0 == 3 { 1 } else { 3 };
    // Its session goes on for a while, so that the controller takes it for live.
    cluster.crash(BrokerId(target));
    assert_eq!(reassign(&mut cluster, controller, "orders", Some(&[2, target])).0, 0);
    cluster.run_for(Duration::from_secs(30));
    let list = ListPartitionReassignmentsRequest::default().with_topics(None);
    let list = cluster.call(controller, list).expect("it is answered");
    let ongoing = &list.topics.first().expect("it waits").partitions[0];
    assert_eq!(ongoing.adding_replicas, [WireBrokerId(target)]);
    assert_eq!(reassign(&mut cluster, controller, "orders", None).0, 0);
    cluster.run_for(Duration::from_secs(5));
    let (topic, _) = text(&cluster, &paths::topic("orders"));
    assert!(topic.contains(r#""partitions":{"0":[2]}"#), "{topic}");
}

fn delete_below(cluster: &mut Cluster, to: BrokerId, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default()
        .with_name(kafka::topic("orders"))
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let mut answer = cluster.call(to, request).expect("it is answered");
    let row = answer.topics.remove(0).partitions.remove(0);
    (row.error_code, row.low_watermark)
}

#[test]
fn deleted_records_are_gone_at_every_replica() {
    // Recorded: `delete-records.*`, of topics with one replica.
    for version in ["0.11", "1.1", "2.8", "3.9"] {
        let (mut cluster, replicas) = with_topic(version.parse().unwrap());
        for first in [0, 2, 4] {
            produce(&mut cluster, replicas[0], first, first + 2);
        }
        let leader = replicas[0];
        assert_eq!(delete_below(&mut cluster, replicas[1], 1).0, 6, "{version}: not the leader");
        assert_eq!(delete_below(&mut cluster, leader, 99), (1, -1), "{version}");
        assert_eq!(delete_below(&mut cluster, leader, -2), (1, -1), "{version}");
        assert_eq!(delete_below(&mut cluster, leader, 0), (0, 0), "{version}");
        assert_eq!(delete_below(&mut cluster, leader, 3), (0, 3), "{version}");
        let at = TopicPartition::new("orders", 0);
        for id in &replicas {
            let status = cluster.broker(*id).unwrap().replicas().status(&at).unwrap();
            assert_eq!(status.log_start_offset, 3, "{version}: b{id}");
        }
        let fetch = kafka::fetch("orders", 0, 0).with_replica_id(WireBrokerId(-1));
        let fetched = cluster.call(leader, fetch).expect("it is answered");
        assert_eq!(fetched.responses[0].partitions[0].error_code, 1, "{version}");
        // A follower that is down is not waited for.
        cluster.crash(replicas[2]);
        cluster.run_for(Duration::from_secs(30));
        assert_eq!(delete_below(&mut cluster, leader, -1), (0, 6), "{version}");
        // The start is kept.
        cluster.shut_down(replicas[1]);
        cluster.run_for(Duration::from_secs(30));
        cluster.start(replicas[1]);
        cluster.run_for(Duration::from_secs(10));
        let status = cluster.broker(replicas[1]).unwrap().replicas().status(&at).unwrap();
        assert_eq!(status.log_start_offset, 6, "{version}");
    }
}
