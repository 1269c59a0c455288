//! The parts of a reassignment, and how the partitions of a request end.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;

use crate::vocab::{BrokerId, TopicPartition};

/// Kafka's error, and a text.
pub type Refusal = (ResponseError, String);
/// How each partition of a request ended.
pub type Reassigned = BTreeMap<TopicPartition, Option<Refusal>>;

/// A part of the work on a reassignment.
#[derive(Clone, Debug)]
pub enum Reassign {
    /// Begins it: these are to be the replicas.
    Begin(TopicPartition, Vec<BrokerId>),
    /// Looks whether all new replicas are in sync: completes it, or else starts the new ones, if it just begins.
    GoOn {
        /// The partition.
        at: TopicPartition,
        /// Whether nothing was done yet.
        begins: bool,
    },
    /// Writes the assignment of the partition's topic.
    WriteAssignment(TopicPartition),
    /// Raises the leader epoch, and sends the state to all replicas.
    RaiseEpoch(TopicPartition),
    /// The replicas are the wanted ones from now on, and one of them leads.
    Switch(TopicPartition),
    /// These replicas are no more.
    Forget(TopicPartition, Vec<BrokerId>),
    /// These partitions are no more in `/admin/reassign_partitions`.
    RemoveFromZnode(Vec<TopicPartition>),
    /// It is done.
    End(TopicPartition),
}

/// The new set first, then what is left of the old one (`ReplicaAssignment.reassignTo`).
pub fn union(target: &[BrokerId], old: &[BrokerId]) -> Vec<BrokerId> {
    let mut all = target.to_vec();
    all.extend(old.iter().filter(|id| !target.contains(id)));
    all
}
