//! What is known of topics when they are printed; the types are called as in Kafka's `AdminClient`.

use std::collections::BTreeSet;

/// A partition, from Metadata or from its znodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPartitionInfo {
    /// Its number.
    pub index: i32,
    /// The leader's broker id. From a znode, before 2.4, the number in it: −1 for none.
    pub leader: Option<i32>,
    /// Its replicas, in the order of the assignment.
    pub replicas: Vec<i32>,
    /// The in-sync replicas, in the order of the answer.
    pub isr: Vec<i32>,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id, as Kafka writes ids (2.8+).
    pub id: Option<String>,
    /// Its partitions, by rising number. None at all when the topic's znode is gone.
    pub partitions: Vec<TopicPartitionInfo>,
    /// Settings that are not the defaults, in the order in which they are printed.
    pub configs: Vec<(String, String)>,
    /// Whether it is being deleted; only known from znodes.
    pub is_marked_for_deletion: bool,
}

/// Everything that is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The topics, in the order in which they are printed.
    pub topics: Vec<TopicDescription>,
    /// The brokers that live.
    pub live: BTreeSet<i32>,
}
