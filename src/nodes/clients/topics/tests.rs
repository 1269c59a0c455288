//! The formats of the releases, from one description.

use super::description::{ClusterDescription, TopicDescription, TopicPartitionInfo};
use super::print::lines;
use crate::releases::KafkaVersion;
use crate::vocab::{Shown, TopicsAction, TopicsCommand, Via};

const DESCRIBE: TopicsAction = TopicsAction::Describe(Shown::Everything);

fn command(via: Via, action: TopicsAction) -> TopicsCommand {
    TopicsCommand { action, topics: Some("orders".to_owned()), via, hosts: Vec::new() }
}

fn version(text: &str) -> KafkaVersion {
    text.parse().expect("a simulated release")
}

/// A topic of two partitions: one whole, one whose leader is gone and left one replica in sync.
fn description() -> ClusterDescription {
    let partition = |index, leader, isr: &[i32]| TopicPartitionInfo {
        index,
        leader,
        replicas: vec![1, 2, 0],
        isr: isr.to_vec(),
    };
    let topic = TopicDescription {
        name: "orders".to_owned(),
        id: Some("JTQ0CnE7RkqJ0h3Gd7NZSg".to_owned()),
        partitions: vec![partition(0, Some(1), &[1, 2, 0]), partition(1, Some(-1), &[2])],
        configs: vec![("min.insync.replicas".to_owned(), "2".to_owned())],
        is_marked_for_deletion: false,
    };
    ClusterDescription { topics: vec![topic], live: [0, 1].into() }
}

#[test]
fn a_topic_is_described_as_in_each_release() {
    let old = "Topic:orders\tPartitionCount:2\tReplicationFactor:3\tConfigs:min.insync.replicas=2";
    let new =
        "Topic: orders\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: min.insync.replicas=2";
    let with_id = "Topic: orders\tTopicId: JTQ0CnE7RkqJ0h3Gd7NZSg\tPartitionCount: 2\t\
                   ReplicationFactor: 3\tConfigs: min.insync.replicas=2";
    let whole = "\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,0\tIsr: 1,2,0";
    let number = "\tTopic: orders\tPartition: 1\tLeader: -1\tReplicas: 1,2,0\tIsr: 2";
    let none = "\tTopic: orders\tPartition: 1\tLeader: none\tReplicas: 1,2,0\tIsr: 2";
    let elr = "\tElr: N/A\tLastKnownElr: N/A";
    for (release, via, head, second, behind) in [
        ("0.10", Via::ZooKeeper, old, number, ""),
        ("1.0", Via::ZooKeeper, old, number, ""),
        ("2.3", Via::ZooKeeper, old, number, ""),
        ("2.2", Via::Brokers, old, none, ""),
        ("2.3", Via::Brokers, old, none, ""),
        ("2.4", Via::ZooKeeper, new, none, ""),
        ("2.4", Via::Brokers, new, none, ""),
        ("2.7", Via::Brokers, new, none, ""),
        ("2.8", Via::ZooKeeper, with_id, none, ""),
        ("2.8", Via::Brokers, with_id, none, ""),
        ("3.7", Via::Brokers, with_id, none, ""),
        ("3.8", Via::Brokers, with_id, none, elr),
        ("3.9", Via::Brokers, with_id, none, elr),
    ] {
        let printed = lines(version(release), &command(via, DESCRIBE), &description());
        let expected = [head.to_owned(), format!("{whole}{behind}"), format!("{second}{behind}")];
        assert_eq!(printed, expected, "{release} {via:?}");
    }
}

#[test]
fn a_topic_without_an_id_is_described_without() {
    let mut description = description();
    description.topics[0].id = None;
    let printed = lines(version("2.8"), &command(Via::Brokers, DESCRIBE), &description);
    assert!(printed[0].starts_with("Topic: orders\tPartitionCount: 2"), "{printed:?}");
}

#[test]
fn filters_leave_out_what_is_well() {
    let of = |shown, live: &[i32]| {
        let mut description = description();
        description.live = live.iter().copied().collect();
        let command = command(Via::ZooKeeper, TopicsAction::Describe(shown));
        lines(version("1.0"), &command, &description)
            .iter()
            .map(|line| line.split('\t').nth(2).unwrap_or("head").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Shown::UnderReplicated, &[0, 1]), ["Partition: 1"]);
    assert_eq!(of(Shown::Unavailable, &[0, 1]), ["Partition: 1"]);
    assert_eq!(of(Shown::Unavailable, &[0]), ["Partition: 0", "Partition: 1"]);
    assert_eq!(of(Shown::Overridden, &[0, 1]).len(), 1);
    let mut plain = description();
    plain.topics[0].configs.clear();
    let overridden = command(Via::ZooKeeper, TopicsAction::Describe(Shown::Overridden));
    assert_eq!(lines(version("1.0"), &overridden, &plain), Vec::<String>::new());
}

#[test]
fn a_topic_that_is_to_be_deleted_is_marked() {
    let mut description = description();
    description.topics[0].is_marked_for_deletion = true;
    let printed =
        |release, action| lines(version(release), &command(Via::ZooKeeper, action), &description);
    let marked = |line: &String| line.ends_with("\tMarkedForDeletion: true");
    assert!(printed("1.0", DESCRIBE)[0].ends_with("\tMarkedForDeletion:true"));
    assert!(!printed("1.0", DESCRIBE).iter().any(marked));
    assert!(printed("2.8", DESCRIBE).iter().all(marked));
    assert_eq!(printed("1.0", TopicsAction::List), ["orders - marked for deletion"]);
}

#[test]
fn what_is_not_there_is_printed_as_in_each_release() {
    let in_brackets = "Error while executing topic command : Topics in [] does not exist";
    let by_name = "Error while executing topic command : Topic 'orders' does not exist as expected";
    for (release, via, action, expected) in [
        ("1.0", Via::ZooKeeper, DESCRIBE, vec![]),
        ("2.2", Via::ZooKeeper, DESCRIBE, vec![in_brackets]),
        ("2.3.0", Via::ZooKeeper, DESCRIBE, vec![in_brackets]),
        ("2.3.1", Via::ZooKeeper, DESCRIBE, vec![by_name]),
        ("2.3", Via::Brokers, DESCRIBE, vec![]),
        ("2.4", Via::Brokers, DESCRIBE, vec![by_name]),
        ("3.9", Via::Brokers, DESCRIBE, vec![by_name]),
        ("1.0", Via::ZooKeeper, TopicsAction::List, vec![]),
        ("2.8", Via::Brokers, TopicsAction::List, vec![""]),
    ] {
        let printed =
            lines(version(release), &command(via, action), &ClusterDescription::default());
        assert_eq!(printed, expected, "{release} {via:?}");
    }
    let all = TopicsCommand { topics: None, ..command(Via::Brokers, DESCRIBE) };
    assert_eq!(lines(version("2.8"), &all, &ClusterDescription::default()), Vec::<String>::new());
}
