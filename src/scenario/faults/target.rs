//! Which nodes a fault hits.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vocab::TopicPartition;

/// A node, a group of nodes, or a role that is resolved when the fault fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The node of that name: `b1`, `z1`, `p0`.
    Node(String),
    /// The partition's leader: `leader(orders-0)`.
    Leader(TopicPartition),
    /// The `k`-th follower (from 1) in the order of the assignment, leaving out the leader:
    /// `follower(orders-0, 2)`. Every replica is counted, in sync or not, running or not.
    Follower(TopicPartition, usize),
    /// The active controller: `controller`.
    Controller,
    /// The server that leads the ZooKeeper ensemble: `leader(zookeeper)`. The only one, if there is one.
    ZooKeeperLeader,
    /// The `k`-th of ZooKeeper's other servers (from 1), running or not: `follower(zookeeper, 2)`.
    ZooKeeperFollower(usize),
    /// Every broker: `brokers`.
    Brokers,
    /// Every server of ZooKeeper: `zookeepers`.
    ZooKeepers,
    /// The broker that coordinates a consumer group: `coordinator(billing)`.
    Coordinator(String),
    /// The broker that coordinates a producer's transactions: `transaction-coordinator(billing)`.
    TransactionCoordinator(String),
}

impl Target {
    /// Whether it names nodes themselves and no role.
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Node(_) | Self::Brokers | Self::ZooKeepers => true,
            Self::Leader(_) | Self::Follower(..) | Self::Controller => false,
            Self::Coordinator(_) | Self::TransactionCoordinator(_) => false,
            Self::ZooKeeperLeader | Self::ZooKeeperFollower(_) => false,
        }
    }
}

impl fmt::Display for Target {
    /// As scenarios write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => name.fmt(f),
            Self::Leader(of) => write!(f, "leader({of})"),
            Self::Follower(of, k) => write!(f, "follower({of}, {k})"),
            Self::Controller => "controller".fmt(f),
            Self::ZooKeeperLeader => "leader(zookeeper)".fmt(f),
            Self::ZooKeeperFollower(k) => write!(f, "follower(zookeeper, {k})"),
            Self::Brokers => "brokers".fmt(f),
            Self::ZooKeepers => "zookeepers".fmt(f),
            Self::Coordinator(group) => write!(f, "coordinator({group})"),
            Self::TransactionCoordinator(id) => write!(f, "transaction-coordinator({id})"),
        }
    }
}

/// Several targets in a fault's line: `b1 leader(orders-0)`.
pub fn list(targets: &[Target]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
