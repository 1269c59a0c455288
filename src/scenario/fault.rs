//! Faults: what is done to whom, when, and how long.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::quantity::{Latency, show};
use crate::vocab::{Time, TopicPartition};

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub at: Time,
    /// What is done.
    pub action: Action,
    /// To whom; roles are resolved when the fault fires. A role that nobody has at that moment is
    /// skipped.
    pub targets: Vec<Target>,
    /// How long after `at` it is undone, for the nodes and links that it was done to; `None` is
    /// never.
    pub undo_after: Option<Duration>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// The process dies; the page cache stays, peers see a reset. Undone by a restart.
    Crash,
    /// The host loses power; what was not fsynced may be gone, peers see nothing. Undone by a
    /// restart.
    PowerLoss,
    /// The process is asked to end, and does so in an orderly way. Undone by a restart.
    Shutdown,
    /// Starts a process that an earlier fault ended; nothing if it runs.
    Restart,
    /// The process stands still (a long garbage collection). Undone by going on.
    Pause,
    /// Nothing passes between the targets and others, silently.
    Partition {
        /// The others; `None` is every node that is no target, clients and ZooKeeper servers too.
        from: Option<Vec<Target>>,
        /// Which way nothing passes.
        direction: Direction,
    },
    /// What the targets send to `to` is lost, silently; the way back is open.
    Cut {
        /// The receivers.
        to: Vec<Target>,
    },
    /// Each message between the targets and others takes longer, both ways.
    Slow {
        /// The others; `None` is every other node.
        to: Option<Vec<Target>>,
        /// How much longer.
        latency: Duration,
    },
    /// The connections between the targets and others are reset, at both ends.
    Reset {
        /// The others; `None` is every other node.
        to: Option<Vec<Target>>,
    },
    /// Disk operations take so long; what is `None` stays as it is.
    SlowDisk {
        /// Each write.
        write: Option<Duration>,
        /// Each fsync.
        fsync: Option<Latency>,
    },
    /// The wall clock is stepped; monotonic clocks and timers go on as they were.
    Clock {
        /// How far, in milliseconds; negative is back.
        step_ms: i64,
    },
}

/// Which way a partition stops messages, seen from the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    Both,
    /// The targets hear nothing, but are heard.
    In,
    /// The targets hear, but are not heard.
    Out,
}

/// Whom a fault hits. Roles are resolved when the fault fires.
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
    /// Every server of ZooKeeper: `ZooKeeper servers`.
    ZooKeepers,
}

impl Target {
    /// Whether it names nodes themselves, not whoever has a role at the moment.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Node(_) | Self::Brokers | Self::ZooKeepers)
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
        }
    }
}

impl Action {
    /// The key of the fault's table in a scenario.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::PowerLoss => "power-loss",
            Self::Shutdown => "shutdown",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Partition { .. } => "partition",
            Self::Cut { .. } => "cut",
            Self::Slow { .. } => "slow",
            Self::Reset { .. } => "reset",
            Self::SlowDisk { .. } => "slow-disk",
            Self::Clock { .. } => "clock",
        }
    }

    /// What undoing it is called, if it can be undone.
    pub const fn undone_by(&self) -> Option<&'static str> {
        match self {
            Self::Crash | Self::PowerLoss | Self::Shutdown => Some("restart"),
            Self::Pause => Some("resume"),
            Self::Partition { .. } | Self::Cut { .. } | Self::Slow { .. } => Some("heal"),
            Self::SlowDisk { .. } => Some("heal"),
            Self::Restart | Self::Reset { .. } | Self::Clock { .. } => None,
        }
    }
}

fn list(targets: &[Target]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Fault {
    /// One line without the time: `crash leader(orders-0), restart after 5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action.name(), list(&self.targets))?;
        match &self.action {
            Action::Partition { from, direction } => {
                if let Some(from) = from {
                    write!(f, " from {}", list(from))?;
                }
                match direction {
                    Direction::Both => {}
                    Direction::In => f.write_str(", inbound only")?,
                    Direction::Out => f.write_str(", outbound only")?,
                }
            }
            Action::Cut { to } => write!(f, " to {}", list(to))?,
            Action::Slow { to, latency } => {
                if let Some(to) = to {
                    write!(f, " to {}", list(to))?;
                }
                write!(f, " by {}", show(*latency))?;
            }
            Action::Reset { to: Some(to) } => write!(f, " to {}", list(to))?,
            Action::SlowDisk { write, fsync } => {
                if let Some(write) = write {
                    write!(f, ", write {}", show(*write))?;
                }
                if let Some(fsync) = fsync {
                    write!(f, ", fsync {fsync}")?;
                }
            }
            Action::Clock { step_ms } => write!(f, " by {step_ms:+}ms")?,
            _ => {}
        }
        match (self.action.undone_by(), self.undo_after) {
            (Some(undo), Some(after)) => write!(f, ", {undo} after {}", show(after)),
            _ => Ok(()),
        }
    }
}
