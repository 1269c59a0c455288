//! What shows that a property was violated: the first case, with names and times, and how many there are.

use std::fmt::{self, Display};
use std::sync::Arc;

use serde::Serialize;

use crate::checkers::Case;
use crate::model::Fired;
use crate::vocab::{Acks, LeaderEpoch, Offset, Time, TopicPartition, as_text};

/// An acknowledgement that a client got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// The partition.
    #[serde(serialize_with = "as_text")]
    pub at: TopicPartition,
    /// The record's offset.
    pub offset: Offset,
    /// When the client had it.
    #[serde(rename = "time_ns")]
    pub time: Time,
}

/// The moment from which a record is gone: the first leader whose log ends before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// When that leader was elected.
    #[serde(rename = "time_ns")]
    pub time: Time,
    /// Its name.
    pub leader: Arc<str>,
    /// Its leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Its log end offset, where its epoch starts.
    pub start: Offset,
}

/// The first case of a violation, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the fields are the words of the sentence that each variant displays"
)]
pub enum Evidence {
    /// An acknowledged record is not in the final log.
    Lost {
        producer: Arc<str>,
        acks: Acks,
        topic: Arc<str>,
        record: u64,
        /// `None` when the acknowledgement is so old that its details are no longer kept.
        acknowledged: Option<Acknowledged>,
        /// `None` when no leader's log ended before it.
        gone: Option<Gone>,
        /// The last faults before it was gone; ends of faults are left out.
        faults: Vec<Fired>,
        count: u64,
    },
    /// A reader skipped an acknowledged record.
    Skipped {
        reader: Arc<str>,
        producer: Arc<str>,
        record: u64,
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        offset: Offset,
        position: Offset,
        count: u64,
    },
    /// A reader read a record that is not in the final log.
    ReadAndGone { reader: Arc<str>, producer: Arc<str>, topic: Arc<str>, record: u64, count: u64 },
    /// The final log holds a record more than once; `offset` is of the second copy.
    Duplicated {
        producer: Arc<str>,
        record: u64,
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        offset: Offset,
        count: u64,
    },
    /// The final log holds a record after one that was sent later.
    Reordered {
        producer: Arc<str>,
        record: u64,
        after: u64,
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        offset: Offset,
        count: u64,
    },
    /// An operation ended that had ended before, or that had not begun.
    EndedWrongly {
        client: Arc<str>,
        op: u64,
        #[serde(rename = "time_ns")]
        time: Time,
        count: u64,
    },
    /// An operation had not ended by the end of the run.
    Unended { client: Arc<str>, op: u64, count: u64 },
    /// A producer was without an acknowledgement for longer than the scenario allows.
    Unavailable {
        producer: Arc<str>,
        #[serde(rename = "from_ns")]
        from: Time,
        #[serde(rename = "to_ns")]
        to: Time,
        #[serde(rename = "limit_ns")]
        limit: Time,
    },
    /// A partition was without an acknowledgement for longer than the scenario allows, while something waited.
    PartitionUnavailable {
        #[serde(serialize_with = "as_text")]
        at: TopicPartition,
        #[serde(rename = "from_ns")]
        from: Time,
        #[serde(rename = "to_ns")]
        to: Time,
        #[serde(rename = "limit_ns")]
        limit: Time,
    },
    /// A producer's acknowledgements took longer than the scenario allows; `share` is in thousandths of them.
    Slow {
        producer: Arc<str>,
        share: u64,
        #[serde(rename = "took_ns")]
        took: Time,
        #[serde(rename = "limit_ns")]
        limit: Time,
    },
    /// Something else, in a sentence.
    Case(Case),
}

impl Evidence {
    /// How many cases there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Lost { count, .. }
            | Self::Skipped { count, .. }
            | Self::ReadAndGone { count, .. }
            | Self::Duplicated { count, .. }
            | Self::Reordered { count, .. }
            | Self::EndedWrongly { count, .. }
            | Self::Unended { count, .. }
            | Self::Case(Case { count, .. }) => *count,
            Self::Unavailable { .. } | Self::PartitionUnavailable { .. } | Self::Slow { .. } => 1,
        }
    }
}

impl Evidence {
    /// What led to the first case, oldest first, each half a sentence; empty when it is not known.
    pub fn because(&self) -> Vec<String> {
        match self {
            Self::Lost { gone: Some(Gone { leader, leader_epoch, start, .. }), .. } => {
                vec![format!(
                    "{leader} became leader of epoch {leader_epoch} with log end offset {start}"
                )]
            }
            Self::Case(case) => case.because.clone(),
            _ => Vec::new(),
        }
    }

    /// The last faults before the first case, oldest first; empty when that is not known.
    pub fn faults(&self) -> &[Fired] {
        match self {
            Self::Lost { faults, .. } | Self::Case(Case { faults, .. }) => faults,
            _ => &[],
        }
    }
}

impl Evidence {
    /// The sentence about a loss; about anything else, nothing.
    fn lost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Lost { producer, acks, topic, record, acknowledged, gone, .. } = self else {
            return Ok(());
        };
        match acknowledged {
            Some(Acknowledged { at, offset, time }) => write!(
                f,
                "{at}@{offset}, record {record} of {producer}, was acked (acks={acks}) at {time:.3}"
            )?,
            None => write!(f, "record {record} of {producer} to {topic} was acked (acks={acks})")?,
        }
        match gone {
            Some(gone) => write!(f, " and is gone at {:.3}", gone.time),
            None => f.write_str(" and is not in the final log"),
        }
    }
}

impl Display for Evidence {
    /// One sentence about the first case, without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { .. } => self.lost(f),
            Self::Skipped { reader, producer, record, at, offset, position, .. } => write!(
                f,
                "{reader} read up to {at}@{position} \
                 and skipped record {record} of {producer} at offset {offset}"
            ),
            Self::ReadAndGone { reader, producer, topic, record, .. } => write!(
                f,
                "{reader} read record {record} of {producer}, \
                 which is not in the final log of {topic}"
            ),
            Self::Duplicated { producer, record, at, offset, .. } => {
                write!(f, "{at}@{offset} holds record {record} of {producer} a second time")
            }
            Self::Reordered { producer, record, after, at, offset, .. } => {
                write!(f, "{at}@{offset} holds record {record} of {producer} after record {after}")
            }
            Self::EndedWrongly { client, op, time, .. } => {
                write!(f, "operation {op} of {client} ended at {time:.3} but was not in progress")
            }
            Self::Unended { client, op, .. } => {
                write!(f, "operation {op} of {client} was still in progress at the end")
            }
            Self::Unavailable { producer, from, to, limit } => {
                write!(
                    f,
                    "{producer} had no acknowledgement from {from:.3} to {to:.3}, \
                     longer than {limit:.3}"
                )
            }
            Self::PartitionUnavailable { at, from, to, limit } => {
                write!(
                    f,
                    "{at} had no acknowledgement from {from:.3} to {to:.3}, longer than {limit:.3}"
                )
            }
            Self::Slow { producer, share: 1_000, took, limit } => {
                write!(f, "an acknowledgement of {producer} took {took:.3}, longer than {limit:.3}")
            }
            Self::Slow { producer, share, took, limit } => write!(
                f,
                "one of {} acknowledgements of {producer} took {took:.3}, longer than {limit:.3}",
                1_000 / (1_000 - share)
            ),
            Self::Case(case) => f.write_str(&case.what),
        }
    }
}
