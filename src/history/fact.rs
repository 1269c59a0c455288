//! Facts: what the cluster holds after a run, for checkers to compare with the answers that clients got.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Offset, Time, TopicPartition};

/// What a leader knows of a follower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// The follower.
    pub broker: BrokerId,
    /// Where its log ends; `None` when it has not fetched in this leadership.
    pub log_end: Option<Offset>,
    /// When it fetched last in this leadership.
    pub fetched: Option<Time>,
}

/// What a leader knows besides its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leading {
    /// The in-sync replicas, as last written as far as it knows.
    pub isr: Vec<BrokerId>,
    /// Whether a change of them is on its way (to ZooKeeper, or as AlterPartition to the controller).
    pub is_isr_pending: bool,
    /// Whether too few replicas are in sync for the high watermark to rise (3.7+).
    pub is_held_below_min_isr: bool,
    /// The other replicas.
    pub followers: Vec<Follower>,
}

/// One replica at the end of a run, on a broker that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// First offset of its log.
    pub log_start: Offset,
    /// Offset after the last of its log.
    pub log_end: Offset,
    /// The high watermark that it knows.
    pub high_watermark: Offset,
    /// Its leader epoch; −1 when it got none since its process started.
    pub leader_epoch: LeaderEpoch,
    /// What it knows as a leader, if it believes to be one.
    pub leading: Option<Leading>,
    /// XXH3 over its batches: offsets, leader epochs, checksums.
    pub log_hash: u64,
    /// The first offset at which its log holds another batch than that of the leader does, among the offsets
    /// that both have.
    pub differs_at: Option<Offset>,
}

/// One fact about the cluster at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// Whose log of a partition counts as the final one. Its records follow, in the order of offsets.
    FinalLog {
        /// The partition.
        at: TopicPartition,
        /// The leader at the end; without one there is no final log, and no record follows.
        leader: Option<BrokerId>,
        /// Its log end offset.
        end: Offset,
    },
    /// One replica of a partition.
    FinalReplica {
        /// The partition.
        at: TopicPartition,
        /// The broker.
        broker: BrokerId,
        /// The replica; `None` when the broker does not run, or got no request about it.
        replica: Option<Replica>,
    },
    /// Where a consumer goes on reading.
    FinalPosition {
        /// The consumer.
        consumer: NodeId,
        /// The partition.
        at: TopicPartition,
        /// The offset; `None` when it knows none.
        position: Option<Offset>,
    },
    /// The healed cluster used up its budget and had not converged.
    Unconverged {
        /// What was missing: one sentence without a full stop.
        why: Arc<str>,
    },
    /// A workload's record in the final log of a partition.
    FinalRecord {
        /// The partition.
        at: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// Name of the producer that wrote it.
        producer: Arc<str>,
        /// Number of the record at that producer.
        record: u64,
    },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FinalLog { at, leader: Some(leader), end } => {
                write!(f, "{at} ends at offset {end}, led by broker {leader}")
            }
            Self::FinalLog { at, leader: None, .. } => write!(f, "{at} has no leader at the end"),
            Self::FinalReplica { at, broker, replica: None } => {
                write!(f, "{broker} has no replica of {at}")
            }
            Self::FinalReplica { at, broker, replica: Some(replica) } => {
                let Replica { log_start, log_end, high_watermark, leader_epoch, .. } = replica;
                write!(
                    f,
                    "{broker} has {at} from {log_start} to {log_end}, \
                     high watermark {high_watermark}, epoch {leader_epoch}, {:016x}",
                    replica.log_hash
                )
            }
            Self::FinalPosition { consumer, at, position: Some(position) } => {
                write!(f, "node {} is at {at}@{position}", consumer.0)
            }
            Self::FinalPosition { consumer, at, position: None } => {
                write!(f, "node {} has no position in {at}", consumer.0)
            }
            Self::Unconverged { why } => write!(f, "not converged: {why}"),
            Self::FinalRecord { at, offset, producer, record } => {
                write!(f, "{at}@{offset} holds record {record} of {producer}")
            }
        }
    }
}
