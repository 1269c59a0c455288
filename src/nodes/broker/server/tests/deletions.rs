//! DeleteTopics, and what log directories hold before and after.

use kafka_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{
    AlterReplicaLogDirsRequest, DeleteTopicsRequest, DescribeLogDirsRequest,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::cluster::{await_cluster, create_topic, with_topic};
use crate::nodes::broker::Config;
use crate::nodes::broker::znodes::paths;
use crate::nodes::testing::{Cluster, kafka};
use crate::releases::KafkaVersion;
use crate::vocab::BrokerId;

/// A request for these topics, in any version.
fn delete(names: &[&str]) -> DeleteTopicsRequest {
    let state = |name: &&str| DeleteTopicState::default().with_name(Some(kafka::topic(name)));
    DeleteTopicsRequest::default()
        .with_timeout_ms(1_000)
        .with_topics(names.iter().map(state).collect())
}

fn codes(
    cluster: &mut Cluster,
    to: BrokerId,
    version: i16,
    request: DeleteTopicsRequest,
) -> Vec<(Option<String>, i16)> {
    let request = match version {
        6.. => request,
        _ => {
            let names = request.topics.iter().filter_map(|topic| topic.name.clone()).collect();
            request.with_topics(Vec::new()).with_topic_names(names)
        }
    };
    let answer = cluster.call_in(to, version, request).expect("an answer");
    let rows = answer.responses.into_iter();
    rows.map(|row| (row.name.map(|name| name.to_string()), row.error_code)).collect()
}

fn row(name: &str, code: i16) -> (Option<String>, i16) {
    (Some(name.to_owned()), code)
}

fn controller_and_other(cluster: &mut Cluster) -> (BrokerId, BrokerId) {
    let controller = await_cluster(cluster);
    (controller, BrokerId(if controller.0 == 1 { 2 } else { 1 }))
}

#[test]
fn topics_are_deleted_as_a_client_asks() {
    // Recorded: `delete-topics.*`.
    for (release, version) in [("1.1", 1), ("2.4", 4), ("2.8", 5), ("3.9", 6)] {
        let release: KafkaVersion = release.parse().unwrap();
        let (mut cluster, _) = with_topic(release);
        let (controller, other) = controller_and_other(&mut cluster);
        let at =
            |cluster: &mut Cluster, to, names: &[&str]| codes(cluster, to, version, delete(names));
        let refused = at(&mut cluster, other, &["orders"]);
        assert_eq!(refused, [row("orders", 41)], "{release}: NOT_CONTROLLER");
        assert_eq!(at(&mut cluster, controller, &[""]), [row("", 3)], "{release}");
        let twice = at(&mut cluster, controller, &["orders", "orders", "none"]);
        let (mut expected, once) = (vec![row("orders", 0)], release < KafkaVersion::new(2, 3));
        if !once {
            expected.push(row("orders", 0));
        }
        expected.push(row("none", 3));
        assert_eq!(twice, expected, "{release}");
        let gone = cluster.call(controller, kafka::metadata(&["orders"], false)).unwrap();
        assert_eq!(gone.topics[0].error_code, 3, "{release}");
        cluster.run_for(std::time::Duration::from_secs(5));
        assert!(cluster.tree().get(&paths::topic("orders")).is_none(), "{release}");
        assert_eq!(at(&mut cluster, controller, &["orders"]), [row("orders", 3)], "{release}");
        create_topic(&mut cluster, controller);
    }
}

#[test]
fn topics_are_deleted_by_their_id_since_2_8() {
    let (mut cluster, _) = with_topic(KafkaVersion::new(2, 8));
    let (controller, _) = controller_and_other(&mut cluster);
    let id =
        cluster.call(controller, kafka::metadata(&["orders"], false)).unwrap().topics[0].topic_id;
    assert!(!id.is_nil());
    let by_id = |name: Option<&str>, id| {
        let state = DeleteTopicState::default().with_name(name.map(kafka::topic)).with_topic_id(id);
        DeleteTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![state])
    };
    let unknown = Uuid::from_u128(7);
    // `KafkaApis.handleDeleteTopicsRequest`
    assert_eq!(codes(&mut cluster, controller, 6, by_id(None, unknown)), [(None, 100)]);
    let both = codes(&mut cluster, controller, 6, by_id(Some("orders"), id));
    assert_eq!(both, [row("orders", 42)], "INVALID_REQUEST");
    assert_eq!(codes(&mut cluster, controller, 6, by_id(None, id)), [row("orders", 0)]);
}

#[test]
fn topics_are_not_deleted_where_that_is_disabled() {
    // Recorded of 0.11.0.3, where it is the default: `delete-topics.existing`.
    let disable = |config: &mut Config| {
        let name = "delete.topic.enable".to_owned();
        config.server_properties.insert(name, "false".to_owned());
    };
    for (release, version, code) in [("0.11", 1, 7), ("2.0", 2, 7), ("2.8", 2, 42), ("2.8", 3, 73)]
    {
        let mut cluster = Cluster::tuned(release.parse().unwrap(), 3, disable);
        let (controller, _) = controller_and_other(&mut cluster);
        create_topic(&mut cluster, controller);
        // CreateTopics is answered when the controller has elected leaders, before its broker's metadata know of it.
        cluster.run_for(std::time::Duration::from_secs(1));
        let answer = codes(&mut cluster, controller, version, delete(&["orders"]));
        assert_eq!(answer, [row("orders", code)], "{release} v{version}");
        cluster.run_for(std::time::Duration::from_secs(5));
        assert!(cluster.tree().get(&paths::topic("orders")).is_some(), "{release}");
        assert!(cluster.tree().get(&paths::delete_topic("orders")).is_none(), "{release}");
    }
}

#[test]
fn a_log_directory_is_described_with_the_topics_of_the_release() {
    // Recorded: `log-dirs`. The sources of 2.6 to 3.6 keep topics that were not asked about.
    for (release, others) in [("2.5", 0), ("2.8", 1), ("3.7", 0)] {
        let (mut cluster, replicas) = with_topic(release.parse().unwrap());
        let topic = |name: &str| {
            let topic = DescribableLogDirTopic::default().with_topic(kafka::topic(name));
            Some(vec![topic.with_partitions(vec![0, 4])])
        };
        let mut ask = |topics| {
            let request = DescribeLogDirsRequest::default().with_topics(topics);
            let mut answer = cluster.call(replicas[0], request).expect("an answer");
            assert_eq!((answer.error_code, answer.results.len()), (0, 1), "{release}");
            answer.results.remove(0)
        };
        let all = ask(None);
        assert_eq!((all.error_code, &*all.log_dir), (0, "/tmp/kafka-logs"));
        assert_eq!((&**all.topics[0].name, all.topics[0].partitions.len()), ("orders", 1));
        assert_eq!(ask(topic("orders")).topics[0].partitions[0].offset_lag, 0);
        let other = ask(topic("none"));
        assert_eq!(other.topics.len(), others, "{release}");
        assert!(other.topics.iter().all(|topic| topic.partitions.is_empty()));
    }
}

#[test]
fn replicas_move_to_no_other_directory() {
    // Recorded: `log-dirs`; an unknown partition: `ReplicaManager.alterReplicaLogDirs` of 2.0 and 2.1.
    for (release, unknown) in [("2.0", 9), ("2.8", 3)] {
        let (mut cluster, replicas) = with_topic(release.parse().unwrap());
        for (path, topic, code) in [
            ("/no/such", "orders", 57),
            ("relative", "orders", 57),
            ("/no/such", "none", 57),
            ("/tmp/kafka-logs", "orders", 0),
            ("/tmp/kafka-logs", "none", unknown),
        ] {
            let topics = AlterReplicaLogDirTopic::default()
                .with_name(kafka::topic(topic))
                .with_partitions(vec![0]);
            let dir = AlterReplicaLogDir::default()
                .with_path(StrBytes::from_string(path.to_owned()))
                .with_topics(vec![topics]);
            let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
            let answer = cluster.call(replicas[0], request).expect("an answer");
            let answered = answer.results[0].partitions[0].error_code;
            assert_eq!(answered, code, "{release} {path} {topic}");
        }
    }
}
