//! Observations of transactions: of their coordinators, of the logs that hold them, and of their producers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group::{CommittedOffset, Offsets, Partitions};
use crate::vocab::{LeaderEpoch, Offset, TopicPartition};

/// Where a transactional id is, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionState {
    /// Its producer has begun no transaction.
    Empty,
    /// Its transaction has partitions.
    Ongoing,
    /// Its transaction is to be committed; markers are being written.
    PrepareCommit,
    /// Its transaction is to be aborted; markers are being written.
    PrepareAbort,
    /// Its transaction is committed.
    CompleteCommit,
    /// Its transaction is aborted.
    CompleteAbort,
}

/// A transactional id, as its coordinator has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionSnapshot {
    /// The id of its producer.
    pub producer: i64,
    /// The epoch of its producer, or the one by which that is fenced.
    pub epoch: i16,
    /// Where it is.
    pub state: TransactionState,
    /// The partitions of its transaction that have no marker, as far as the coordinator knows.
    pub partitions: Vec<TopicPartition>,
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
}

/// The coordinator of a transactional id, or the leader of a partition that a transaction writes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionObservation {
    /// What a transactional id becomes is replicated: from now on it is so.
    Written {
        /// `transactional.id`
        id: Arc<str>,
        /// Its partition of `__transaction_state`.
        partition: i32,
        /// The leader epoch of that.
        coordinator_epoch: LeaderEpoch,
        /// What it is now.
        now: TransactionSnapshot,
    },
    /// A broker that became leader of the partition of `__transaction_state` has read a transactional id from there.
    Loaded {
        /// `transactional.id`
        id: Arc<str>,
        /// Its partition of `__transaction_state`.
        partition: i32,
        /// The leader epoch of that.
        coordinator_epoch: LeaderEpoch,
        /// What it is.
        now: TransactionSnapshot,
    },
    /// Transactional ids were silent for long and are forgotten.
    Forgotten {
        /// Which.
        ids: Vec<Arc<str>>,
    },
    /// A broker coordinates the transactional ids of a partition of `__transaction_state`: those that it has loaded,
    /// and new ones.
    CoordinatorElected {
        /// The partition.
        partition: i32,
        /// The leader epoch.
        coordinator_epoch: LeaderEpoch,
    },
    /// It does so no longer.
    CoordinatorResigned {
        /// The partition.
        partition: i32,
    },
    /// As leader: the batch that it appended last is part of a transaction.
    Appended {
        /// The partition.
        at: TopicPartition,
        /// First offset of the batch.
        base: Offset,
        /// Last offset of the batch.
        last: Offset,
        /// Leader epoch of the batch.
        leader_epoch: LeaderEpoch,
        /// The producer's id.
        producer: i64,
        /// Its epoch.
        epoch: i16,
    },
    /// As leader: the batch that it appended last is a marker, which ends a transaction in this partition.
    MarkerAppended {
        /// The partition.
        at: TopicPartition,
        /// Its offset.
        offset: Offset,
        /// Leader epoch of the marker.
        leader_epoch: LeaderEpoch,
        /// The id of the producer whose transaction ends.
        producer: i64,
        /// Its epoch, or the one by which it is fenced.
        epoch: i16,
        /// The epoch of the coordinator that had it written.
        coordinator_epoch: LeaderEpoch,
        /// Committed, or aborted.
        commit: bool,
    },
    /// As leader: how far consumers with `isolation.level=read_committed` may read; while that is not the high
    /// watermark, and once when it is so again.
    LastStableOffset {
        /// The partition.
        at: TopicPartition,
        /// All below can be read.
        offset: Offset,
    },
}

/// A producer with a transactional id, or the application that uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionalObservation {
    /// `transactional.id`
    pub id: Arc<str>,
    /// What happened.
    pub what: TransactionEvent,
}

/// What a producer with a transactional id did, or was answered.
///
/// A transaction has a number, unique for the node. A record belongs to the transaction that had begun last when it
/// was given to the producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionEvent {
    /// InitProducerId was answered without an error: it has a producer id and an epoch.
    Initialized {
        /// The producer id.
        producer: i64,
        /// The epoch.
        epoch: i16,
    },
    /// A transaction began (`beginTransaction`).
    Began {
        /// Its number.
        number: u64,
    },
    /// Offsets of a group are to become part of the transaction (`sendOffsetsToTransaction`).
    OffsetsSent {
        /// The transaction.
        number: u64,
        /// `group.id`
        group: Arc<str>,
        /// The offsets.
        offsets: Vec<CommittedOffset>,
    },
    /// The application asks to commit (`commitTransaction`).
    CommitAsked {
        /// The transaction.
        number: u64,
    },
    /// The application asks to abort (`abortTransaction`).
    AbortAsked {
        /// The transaction.
        number: u64,
    },
    /// For the application, the transaction is over.
    Ended {
        /// The transaction.
        number: u64,
        /// How it ended.
        outcome: TransactionOutcome,
    },
}

/// How a transaction ended, as its producer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionOutcome {
    /// It is committed.
    Committed,
    /// It is aborted.
    Aborted,
    /// It may be committed or aborted, or become so: its end was asked for, and no answer came in time.
    Unknown {
        /// The reason, in Kafka's name for the error.
        error: Arc<str>,
    },
    /// Its producer is fenced, or otherwise at its end, and can ask for nothing any more. Unless it had asked to
    /// commit, the transaction is not committed.
    Fenced {
        /// Kafka's name for the error.
        error: Arc<str>,
    },
}

impl TransactionState {
    /// Whether markers are being written.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        })
    }
}

impl fmt::Display for TransactionSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { producer, epoch, state, partitions, .. } = self;
        write!(f, "{state}, producer {producer} in epoch {epoch}")?;
        match partitions.is_empty() {
            true => Ok(()),
            false => write!(f, ", partitions {}", Partitions(partitions)),
        }
    }
}

/// A marker's kind.
fn marker(commit: bool) -> &'static str {
    if commit { "commit" } else { "abort" }
}

impl fmt::Display for TransactionObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { id, now, .. } => write!(f, "transactional id {id} is {now}"),
            Self::Loaded { id, now, .. } => write!(f, "loaded transactional id {id}: {now}"),
            Self::Forgotten { ids } => {
                f.write_str("forgets transactional ids")?;
                ids.iter().try_for_each(|id| write!(f, " {id}"))
            }
            Self::CoordinatorElected { partition, coordinator_epoch } => write!(
                f,
                "coordinates the transactional ids of __transaction_state-{partition} in epoch \
                 {coordinator_epoch}"
            ),
            Self::CoordinatorResigned { partition } => write!(
                f,
                "no longer coordinates the transactional ids of __transaction_state-{partition}"
            ),
            Self::Appended { at, base, last, producer, epoch, .. } => write!(
                f,
                "appended {at}@{base}..={last} in a transaction of producer {producer} in epoch \
                 {epoch}"
            ),
            Self::MarkerAppended { at, offset, producer, epoch, commit, .. } => write!(
                f,
                "appended {at}@{offset}: {} marker of producer {producer} in epoch {epoch}",
                marker(*commit)
            ),
            Self::LastStableOffset { at, offset } => {
                write!(f, "last stable offset of {at} is {offset}")
            }
        }
    }
}

impl fmt::Display for TransactionalObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transactional id {}: {}", self.id, self.what)
    }
}

impl fmt::Display for TransactionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialized { producer, epoch } => {
                write!(f, "initialized as producer {producer} in epoch {epoch}")
            }
            Self::Began { number } => write!(f, "began transaction {number}"),
            Self::OffsetsSent { number, group, offsets } => {
                write!(
                    f,
                    "sent offsets of group {group} in transaction {number}:{}",
                    Offsets(offsets)
                )
            }
            Self::CommitAsked { number } => write!(f, "commits transaction {number}"),
            Self::AbortAsked { number } => write!(f, "aborts transaction {number}"),
            Self::Ended { number, outcome } => write!(f, "transaction {number} {outcome}"),
        }
    }
}

impl fmt::Display for TransactionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed => f.write_str("is committed"),
            Self::Aborted => f.write_str("is aborted"),
            Self::Unknown { error } => write!(f, "may be committed or not: {error}"),
            Self::Fenced { error } => write!(f, "cannot be ended by its producer: {error}"),
        }
    }
}
