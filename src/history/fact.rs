//! What was read off the cluster after a run ended, for the judges to compare with what clients were told.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocab::{BrokerId, Offset, TopicPartition};

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
            Self::FinalRecord { at, offset, producer, record } => {
                write!(f, "{at}@{offset} holds record {record} of {producer}")
            }
        }
    }
}
