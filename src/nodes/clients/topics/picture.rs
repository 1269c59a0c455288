//! What is known of topics when they are printed.

use std::collections::BTreeSet;

/// A partition, as Metadata or its znodes tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// Who leads. From a znode, before 2.4, the number that stands there: −1 for nobody.
    pub leader: Option<i32>,
    /// Its replicas, in the order of the assignment.
    pub replicas: Vec<i32>,
    /// The in-sync replicas, in the order in which they were told.
    pub isr: Vec<i32>,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, as Kafka writes ids (2.8+).
    pub id: Option<String>,
    /// Its partitions, by rising number. None at all when the topic's znode is gone.
    pub partitions: Vec<Partition>,
    /// Settings that are not the defaults, in the order in which they are printed.
    pub configs: Vec<(String, String)>,
    /// Whether it is to be deleted; only znodes tell.
    pub is_marked_for_deletion: bool,
}

/// Everything that is printed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The topics, in the order in which they are printed.
    pub topics: Vec<Topic>,
    /// The brokers that live.
    pub live: BTreeSet<i32>,
}
