//! The znodes of a Kafka cluster (`kafka/zk/ZkData.scala`; before 1.1 `kafka/utils/ZkUtils.scala`).

use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, TopicPartition};

/// Parent of the registrations of live brokers.
pub const BROKER_IDS: &str = "/brokers/ids";
/// Parent of the topics.
pub const TOPICS: &str = "/brokers/topics";
/// Counter of generated broker ids.
pub const BROKER_SEQID: &str = "/brokers/seqid";
/// Ephemeral, of the elected controller.
pub const CONTROLLER: &str = "/controller";
/// Counts the elections of the controller.
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";
/// Parent of the notifications about in-sync replicas that a leader changed.
pub const ISR_CHANGE_NOTIFICATION: &str = "/isr_change_notification";
/// What a notification's path begins with; ZooKeeper adds ten digits.
pub const ISR_CHANGE_PREFIX: &str = "/isr_change_notification/isr_change_";
/// Parent of the notifications about failed log directories.
pub const LOG_DIR_EVENT_NOTIFICATION: &str = "/log_dir_event_notification";
/// The producer ids handed out so far.
pub const LATEST_PRODUCER_ID_BLOCK: &str = "/latest_producer_id_block";
/// Parent of the topics' own settings.
pub const CONFIG_TOPICS: &str = "/config/topics";
/// Parent of the notifications about changed settings.
pub const CONFIG_CHANGES: &str = "/config/changes";
/// Parent of the topics that are to be deleted.
pub const DELETE_TOPICS: &str = "/admin/delete_topics";
/// The reassignments that are wanted.
pub const REASSIGN_PARTITIONS: &str = "/admin/reassign_partitions";
/// What a settings notification's path begins with; ZooKeeper adds ten digits.
pub const CONFIG_CHANGE_PREFIX: &str = "/config/changes/config_change_";
/// The preferred elections that are wanted; there only until they are begun.
pub const PREFERRED_REPLICA_ELECTION: &str = "/admin/preferred_replica_election";
/// The cluster's id.
pub const CLUSTER_ID: &str = "/cluster/id";
/// The finalized features (2.7+).
pub const FEATURE: &str = "/feature";

/// The registration of a broker.
pub fn broker(id: BrokerId) -> String {
    format!("{BROKER_IDS}/{id}")
}

/// The assignment of a topic.
pub fn topic(name: &str) -> String {
    format!("{TOPICS}/{name}")
}

/// Parent of a topic's partitions.
pub fn partitions(topic: &str) -> String {
    format!("{TOPICS}/{topic}/partitions")
}

/// Parent of a partition's state.
pub fn partition(at: &TopicPartition) -> String {
    format!("{TOPICS}/{}/partitions/{}", at.topic, at.partition)
}

/// The state of a partition; its dataVersion is the partition epoch.
pub fn partition_state(at: &TopicPartition) -> String {
    format!("{TOPICS}/{}/partitions/{}/state", at.topic, at.partition)
}

/// The partition of a state znode's path.
pub fn partition_of(path: &str) -> Option<TopicPartition> {
    let rest = path.strip_prefix(TOPICS)?.strip_prefix('/')?.strip_suffix("/state")?;
    let (topic, partition) = rest.split_once("/partitions/")?;
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

/// The settings of a topic.
pub fn topic_config(name: &str) -> String {
    format!("{CONFIG_TOPICS}/{name}")
}

/// What is set for a broker while it runs.
pub fn broker_config(entity: &str) -> String {
    format!("/config/brokers/{entity}")
}

/// The settings of an entity, like `topics/orders`.
pub fn entity_config(entity: &str) -> String {
    format!("/config/{entity}")
}

/// What a group has read of a partition, of clients before 0.8.2.
pub fn consumer_offset(group: &str, topic: &str, partition: i32) -> String {
    format!("/consumers/{group}/offsets/{topic}/{partition}")
}

/// An operator's request to delete a topic.
pub fn delete_topic(name: &str) -> String {
    format!("{DELETE_TOPICS}/{name}")
}

/// The persistent znodes, with empty data, that a broker creates when it starts if they are missing, in Kafka's order;
/// parents come before their children. Entity types of the settings grew with the releases.
pub fn ensured_at_start(version: KafkaVersion) -> Vec<&'static str> {
    let mut paths = vec![
        "/consumers",
        "/brokers",
        BROKER_IDS,
        TOPICS,
        "/config",
        CONFIG_CHANGES,
        "/admin",
        DELETE_TOPICS,
        BROKER_SEQID,
        ISR_CHANGE_NOTIFICATION,
    ];
    if version.has(Change::ProducerIdZnode) {
        paths.push(LATEST_PRODUCER_ID_BLOCK);
    }
    if version.has(Change::LogDirEventZnode) {
        paths.push(LOG_DIR_EVENT_NOTIFICATION);
    }
    paths.extend([CONFIG_TOPICS, "/config/clients"]);
    if version.has(Change::ConfigZnodesOfUsersAndBrokers) {
        paths.extend(["/config/users", "/config/brokers"]);
    }
    if version.has(Change::ConfigZnodeOfIps) {
        paths.push("/config/ips");
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_kafka() {
        let at = TopicPartition::new("orders", 3);
        assert_eq!(partition_state(&at), "/brokers/topics/orders/partitions/3/state");
        assert_eq!(broker(BrokerId(7)), "/brokers/ids/7");
        assert_eq!(topic_config("orders"), "/config/topics/orders");
    }

    #[test]
    fn parents_are_made_before_their_children() {
        for &version in KafkaVersion::ALL {
            let paths = ensured_at_start(version);
            for (index, path) in paths.iter().enumerate() {
                let parent = &path[..path.rfind('/').unwrap()];
                assert!(
                    parent.is_empty() || paths[..index].contains(&parent),
                    "{path} in {version} comes before {parent}"
                );
            }
        }
    }
}
