//! What faults have changed in the world, so that it can be undone.

use std::cmp::Ordering;
use std::time::Duration;

use super::role::Role;
use crate::history::Recorder;
use crate::model::{Modelled, Reader};
use crate::scenario::Plan;
use crate::scenario::faults::Undo;
use crate::substrate::World;
use crate::vocab::NodeId;

/// The world of a cluster.
pub type ClusterWorld<R> = World<Role, Recorder<Modelled<R>>>;

/// Something that a fault changed in the world, until it is undone.
///
/// The order is the one in which the end undoes them: node by node, the process before its links and its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The node's process ended.
    Stopped(NodeId),
    /// The node's process does not run, and its connections stay open.
    Paused(NodeId),
    /// Nothing passes from the first node to the second.
    Cut(NodeId, NodeId),
    /// What the first node sends to the second takes longer.
    Slowed(NodeId, NodeId),
    /// The node's disk operations take longer.
    Disk(NodeId),
}

impl Changed {
    /// Makes the world as it was before.
    pub fn revert<R: Reader>(self, world: &mut ClusterWorld<R>, plan: &Plan) {
        match self {
            Self::Stopped(node) => world.restart(node),
            Self::Paused(node) => {
                world.resume(node);
            }
            Self::Cut(from, to) => world.heal(from, to),
            Self::Slowed(from, to) => world.slow(from, to, Duration::ZERO),
            Self::Disk(node) => {
                world.slow_disk(node, plan.disk.write);
                world.set_fsync(node, plan.disk.fsync.low..=plan.disk.fsync.high);
            }
        }
    }

    /// Whether the end of the faults reverts it, when the scenario gives no time for that.
    pub fn ends_with_the_faults(self) -> bool {
        match self {
            // Without `restart-after` a process is to stay stopped.
            Self::Stopped(_) => false,
            Self::Paused(_) | Self::Cut(..) | Self::Slowed(..) | Self::Disk(_) => true,
        }
    }

    /// Its place among all that the end undoes.
    fn order(self) -> (NodeId, u8, Option<NodeId>, u8) {
        match self {
            Self::Stopped(node) => (node, 0, None, 0),
            Self::Paused(node) => (node, 1, None, 0),
            Self::Cut(node, to) => (node, 2, Some(to), 0),
            Self::Slowed(node, to) => (node, 2, Some(to), 1),
            Self::Disk(node) => (node, 3, None, 0),
        }
    }
}

impl PartialOrd for Changed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Changed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

/// A fault that fired and has a time at which it is undone.
#[derive(Clone, Debug)]
pub struct Done {
    /// How it is undone.
    pub undo: Undo,
    /// The nodes that it was done to.
    pub nodes: Vec<NodeId>,
    /// What it changed.
    pub changed: Vec<Changed>,
}
