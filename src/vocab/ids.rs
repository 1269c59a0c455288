//! Ids and the numbers that order things.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A node of the simulated cluster: its place in the [`Roster`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u16);

/// A broker's `broker.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BrokerId(pub i32);

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection: the same number at both of its ends, never used again within a run. Only a node
/// that connects to itself knows two numbers, one for each end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnId(pub u64);

/// A timer that was set, until it fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimerId(pub u64);

/// A disk operation whose end is reported to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskOpId(pub u64);

/// Position of a record in a partition's log. A plain number, as log code is arithmetic on it.
pub type Offset = i64;
/// Counts the elections of one partition; −1 is "unknown", as on the wire.
pub type LeaderEpoch = i32;
/// Counts the elections of the controller (`/controller_epoch`).
pub type ControllerEpoch = i32;
/// czxid of a broker's registration znode (KIP-380); −1 is "unknown", as on the wire.
pub type BrokerEpoch = i64;
/// dataVersion of a partition's state znode.
pub type PartitionEpoch = i32;

/// Position in ZooKeeper's sequence of transactions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The zxid of leader epoch `epoch` with counter `counter`.
    pub fn new(epoch: u32, counter: u32) -> Self {
        Self((i64::from(epoch) << 32) | i64::from(counter))
    }

    /// The next zxid of the same epoch.
    ///
    /// # Panics
    /// When the 32-bit counter is used up; an ensemble elects a new leader before that.
    #[must_use]
    pub fn next(self) -> Self {
        assert!(self.0 & 0xffff_ffff != 0xffff_ffff, "zxid counter is used up");
        Self(self.0 + 1)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// One partition of one topic, written `orders-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl Ord for TopicPartition {
    /// By topic, then by index. Most of those that are compared share their topic's name, whose letters say nothing
    /// then: a map of thousands of partitions is looked into all the time.
    fn cmp(&self, other: &Self) -> Ordering {
        let topics = match Arc::ptr_eq(&self.topic, &other.topic) {
            true => Ordering::Equal,
            false => self.topic.cmp(&other.topic),
        };
        topics.then(self.partition.cmp(&other.partition))
    }
}

impl PartialOrd for TopicPartition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A text that names no partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a topic and the number of a partition, as in orders-0")]
pub struct NotAPartition;

impl FromStr for TopicPartition {
    type Err = NotAPartition;
    fn from_str(text: &str) -> Result<Self, NotAPartition> {
        let (topic, partition) = text.rsplit_once('-').ok_or(NotAPartition)?;
        let is_number = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
        if topic.is_empty() || !is_number {
            return Err(NotAPartition);
        }
        Ok(Self::new(topic, partition.parse().map_err(|_| NotAPartition)?))
    }
}

/// The names of a cluster's nodes; what DNS is to a real one.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    names: Vec<Arc<str>>,
    by_name: BTreeMap<Arc<str>, NodeId>,
}

impl Roster {
    /// Adds a node.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn add(&mut self, name: &str) -> NodeId {
        let id = NodeId(u16::try_from(self.names.len()).expect("fewer than 65,536 nodes"));
        let name: Arc<str> = name.into();
        assert!(self.by_name.insert(name.clone(), id).is_none(), "two nodes named {name}");
        self.names.push(name);
        id
    }

    /// The node's name; also the host under which others reach it.
    ///
    /// # Panics
    /// When the node is not of this roster.
    pub fn name(&self, node: NodeId) -> &Arc<str> {
        &self.names[usize::from(node.0)]
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// All nodes, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Arc<str>)> {
        (0u16..).map(NodeId).zip(&self.names)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_read_as_it_is_shown() {
        for (topic, partition) in [("orders", 0), ("orders-by-day", 12)] {
            let at = TopicPartition::new(topic, partition);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        for text in ["", "orders", "orders-", "-0", "orders--1x", "orders-99999999999"] {
            assert_eq!(text.parse::<TopicPartition>(), Err(NotAPartition), "{text}");
        }
    }
}
