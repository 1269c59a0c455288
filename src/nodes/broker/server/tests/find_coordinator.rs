//! Where a group's coordinator would be, as brokers of several releases answer.

use std::time::Duration;

use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::protocol::StrBytes;

use super::cluster::await_cluster;
use crate::nodes::testing::{Advance, Cluster, kafka};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::BrokerId;

const VERSIONS: [KafkaVersion; 4] = [
    KafkaVersion::new(1, 0),
    KafkaVersion::new(2, 7),
    KafkaVersion::new(2, 8),
    KafkaVersion::new(3, 8),
];
/// Hashed to partition 12.
const GROUP: &str = "my-group";
const OFFSETS: &str = "__consumer_offsets";

/// An answer: error code, node, host and port.
type Answer = (i16, i32, String, i32);

const NO_COORDINATOR: fn() -> Answer = || (15, -1, String::new(), -1);

fn find(cluster: &mut Cluster, asked: BrokerId, api: i16, key_type: i8, key: &str) -> Answer {
    let key = StrBytes::from_string(key.to_owned());
    let mut request = FindCoordinatorRequest::default();
    if api >= 1 {
        request.key_type = key_type;
    }
    match api {
        4.. => request.coordinator_keys = vec![key],
        _ => request.key = key,
    }
    let answer = cluster.call_in(asked, api, request).expect("it is answered");
    if api >= 4 {
        let one = answer.coordinators.into_iter().next().expect("one answer for each key");
        return (one.error_code, one.node_id.0, one.host.to_string(), one.port);
    }
    let message = answer.error_message.as_deref();
    let has_text = cluster.version.has(Change::FindCoordinatorText);
    let expected = match answer.error_code {
        0 | 15 if !has_text => None,
        0 => Some("NONE"),
        15 => Some("The coordinator is not available."),
        _ => message,
    };
    assert_eq!(message.filter(|_| api >= 1), expected.filter(|_| api >= 1), "v{api}");
    (answer.error_code, answer.node_id.0, answer.host.to_string(), answer.port)
}

fn group(cluster: &mut Cluster, asked: i32) -> Answer {
    let api = cluster.highest::<FindCoordinatorRequest>();
    find(cluster, BrokerId(asked), api, 0, GROUP)
}

fn offsets_topic(cluster: &mut Cluster, asked: i32, may_create: bool) -> MetadataResponseTopic {
    let request = kafka::metadata(&[OFFSETS], may_create);
    cluster.call(BrokerId(asked), request).expect("it is answered").topics[0].clone()
}

#[test]
fn the_leader_of_the_groups_partition_of_the_offsets_topic_is_the_coordinator() {
    for version in VERSIONS {
        let mut cluster = Cluster::new(version, 3);
        await_cluster(&mut cluster);
        assert_eq!(
            group(&mut cluster, 1),
            NO_COORDINATOR(),
            "{version}: the topic is created first"
        );
        cluster.run_for(Duration::from_secs(3));
        let topic = offsets_topic(&mut cluster, 2, false);
        assert_eq!((topic.partitions.len(), topic.is_internal), (50, true), "{version}");
        let mine = topic.partitions.iter().find(|one| one.partition_index == 12).unwrap();
        assert_eq!(mine.replica_nodes.len(), 3, "{version}");
        let leader = mine.leader_id.0;
        for asked in 1..=3 {
            let highest = cluster.highest::<FindCoordinatorRequest>();
            for api in 0..=highest {
                let answer = find(&mut cluster, BrokerId(asked), api, 0, GROUP);
                assert_eq!(answer, (0, leader, format!("b{leader}"), 9092), "{version} v{api}");
            }
        }
        let settings = cluster.tree().get("/config/topics/__consumer_offsets").expect("settings");
        let text = String::from_utf8(settings.data.clone().unwrap().to_vec()).unwrap();
        for one in [
            r#""cleanup.policy":"compact""#,
            r#""compression.type":"producer""#,
            r#""segment.bytes":"104857600""#,
        ] {
            assert!(text.contains(one), "{version}: {text}");
        }
        // Another replica of the partition takes over.
        cluster.crash(BrokerId(leader));
        let other = (1..=3).find(|id| *id != leader).unwrap();
        let moved = |cluster: &mut Cluster| {
            let (code, node, ..) = group(cluster, other);
            code == 0 && node != leader
        };
        let until = cluster.now() + Duration::from_secs(60);
        while !moved(&mut cluster) {
            assert!(cluster.now() < until, "{version}: no other coordinator");
            cluster.run_for(Duration::from_millis(500));
        }
    }
}

#[test]
fn fewer_brokers_than_replicas_have_no_coordinator_since_0_11() {
    for version in [KafkaVersion::new(0, 10)].into_iter().chain(VERSIONS) {
        let mut cluster = Cluster::new(version, 2);
        let is_up = |cluster: &mut Cluster| cluster.controller().is_some();
        assert!(cluster.run_until(Duration::from_secs(30), is_up), "no controller with {version}");
        cluster.run_for(Duration::from_secs(5));
        for _ in 0..10 {
            group(&mut cluster, 1);
            cluster.run_for(Duration::from_secs(1));
        }
        let (code, ..) = group(&mut cluster, 1);
        let topic = offsets_topic(&mut cluster, 1, true);
        if version.has(Change::StrictOffsetsTopicReplication) {
            assert_eq!((code, topic.error_code), (15, 38), "{version}");
        } else {
            assert_eq!((code, topic.partitions.len()), (0, 50), "{version}");
            assert_eq!(topic.partitions[0].replica_nodes.len(), 2, "{version}");
        }
    }
}

#[test]
fn the_leader_of_the_ids_partition_of_the_transaction_topic_is_the_coordinator() {
    // Recorded: `find-coordinator.txn`, `find-coordinator.bad-type`, and the znode of the topic with 1.1.1.
    for version in VERSIONS {
        let mut cluster = Cluster::new(version, 3);
        await_cluster(&mut cluster);
        let highest = cluster.highest::<FindCoordinatorRequest>();
        let first = find(&mut cluster, BrokerId(1), highest, 1, GROUP);
        assert_eq!(first, NO_COORDINATOR(), "{version}: the topic is created first");
        cluster.run_for(Duration::from_secs(3));
        let request = kafka::metadata(&["__transaction_state"], false);
        let topic = cluster.call(BrokerId(2), request).expect("it is answered").topics[0].clone();
        assert_eq!((topic.partitions.len(), topic.is_internal), (50, true), "{version}");
        let mine = topic.partitions.iter().find(|one| one.partition_index == 12).unwrap();
        let leader = mine.leader_id.0;
        for api in 1..=highest {
            let answer = find(&mut cluster, BrokerId(3), api, 1, GROUP);
            assert_eq!(answer, (0, leader, format!("b{leader}"), 9092), "{version} v{api}");
            let (code, ..) = find(&mut cluster, BrokerId(1), api, 7, "t");
            assert_eq!(code, 42, "{version} v{api}: INVALID_REQUEST");
        }
        let settings = cluster.tree().get("/config/topics/__transaction_state").expect("settings");
        let text = String::from_utf8(settings.data.clone().unwrap().to_vec()).unwrap();
        for one in [
            r#""compression.type":"uncompressed""#,
            r#""cleanup.policy":"compact""#,
            r#""min.insync.replicas":"2""#,
            r#""segment.bytes":"104857600""#,
            r#""unclean.leader.election.enable":"false""#,
        ] {
            assert!(text.contains(one), "{version}: {text}");
        }
    }
}

#[test]
fn only_group_coordinators_write_the_offsets_topic() {
    let mut cluster = Cluster::new(KafkaVersion::new(2, 8), 3);
    await_cluster(&mut cluster);
    group(&mut cluster, 1);
    cluster.run_for(Duration::from_secs(3));
    let (_, leader, ..) = group(&mut cluster, 1);
    let request = kafka::produce(OFFSETS, 12, -1, None);
    let response = cluster.call_in(BrokerId(leader), 7, request).expect("it is answered");
    assert_eq!(response.responses[0].partition_responses[0].error_code, 17);
}

#[test]
fn the_answer_has_a_text_since_2_3() {
    // `find-coordinator.group`
    for (text, expected) in [("2.2", None), ("2.3", Some("NONE"))] {
        let mut cluster = Cluster::new(text.parse().unwrap(), 3);
        await_cluster(&mut cluster);
        group(&mut cluster, 1);
        cluster.run_for(Duration::from_secs(3));
        let request = FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("g"));
        let answer = cluster.call_in(BrokerId(1), 1, request).expect("it is answered");
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (0, expected), "{text}");
    }
}
