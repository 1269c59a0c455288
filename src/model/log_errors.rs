//! How the event at hand leaves a replica's log with a gap, with epochs that decrease, or shorter than what is said
//! of it.

use std::fmt;

use super::replicas::Replicas;
use crate::history::{AppendedBatch, BrokerObservation};
use crate::vocab::{LeaderEpoch, Offset};

/// How a log is wrong. Displayed as what its broker did, without a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the words of the sentence that each variant displays"
)]
pub enum LogError {
    /// A batch was appended elsewhere than at the end.
    NotAtEnd { base: Offset, last: Offset, end: Offset },
    /// A batch was appended after one of a later epoch.
    EarlierEpoch { base: Offset, leader_epoch: LeaderEpoch, after: Offset, epoch: LeaderEpoch },
    /// The high watermark is not within the log.
    HighWatermarkOutside { offset: Offset, end: Offset },
    /// A truncation began elsewhere than at the end.
    TruncatedFrom { from: Offset, end: Offset },
    /// A loaded log has a gap.
    LoadedGap { at: Offset },
    /// The epochs of a loaded log decrease.
    LoadedEpochs { at: Offset },
    /// The batches of a loaded log are not all of it.
    LoadedPart { start: Offset, end: Offset },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAtEnd { base, last, end } => {
                write!(f, "appended offsets {base} to {last} at log end offset {end}")
            }
            Self::EarlierEpoch { base, leader_epoch, after, epoch } => write!(
                f,
                "appended offset {base} of epoch {leader_epoch} after {after} of epoch {epoch}"
            ),
            Self::HighWatermarkOutside { offset, end } => {
                write!(f, "set its high watermark to {offset} with log end offset {end}")
            }
            Self::TruncatedFrom { from, end } => {
                write!(f, "truncated a log from {from} with log end offset {end}")
            }
            Self::LoadedGap { at } => write!(f, "loaded a log with a gap at offset {at}"),
            Self::LoadedEpochs { at } => {
                write!(f, "loaded a log whose epochs decrease at offset {at}")
            }
            Self::LoadedPart { start, end } => {
                write!(f, "loaded only part of a log from {start} to {end}")
            }
        }
    }
}

impl Replicas {
    /// How the event at hand leaves the log of its replica wrong, if so.
    pub fn log_error(&self, did: &BrokerObservation) -> Option<LogError> {
        use BrokerObservation::{Appended, HighWatermark, LogLoaded, Truncated};
        let (partition, replica, before) = self.replica()?;
        match did {
            &Appended { base, last, leader_epoch, .. } => {
                let log = before.log?;
                if base != log.end || last < base {
                    return Some(LogError::NotAtEnd { base, last, end: log.end });
                }
                let last = partition.logs.last(log);
                let last = last.filter(|last| last.leader_epoch > leader_epoch)?;
                let (after, epoch) = (last.last, last.leader_epoch);
                Some(LogError::EarlierEpoch { base, leader_epoch, after, epoch })
            }
            &HighWatermark { offset, .. } => {
                let end = replica.log?.end;
                let is_within = (0..=end).contains(&offset);
                (!is_within).then_some(LogError::HighWatermarkOutside { offset, end })
            }
            &Truncated { from, .. } => {
                let end = before.log?.end;
                (from != end).then_some(LogError::TruncatedFrom { from, end })
            }
            LogLoaded { start, end, from, batches, .. } => {
                wrongly_loaded((*start, *from, *end), batches)
            }
            _ => None,
        }
    }
}

/// What is wrong with batches that were loaded from offset `from` of a log from `start` to `end`.
fn wrongly_loaded(
    (start, from, end): (Offset, Offset, Offset),
    batches: &[AppendedBatch],
) -> Option<LogError> {
    let first = batches.first().map_or(end, |batch| batch.base);
    let (mut next, mut epoch) = (first, None);
    for batch in batches {
        if batch.base != next {
            return Some(LogError::LoadedGap { at: next });
        }
        if epoch > Some(batch.leader_epoch) {
            return Some(LogError::LoadedEpochs { at: next });
        }
        (next, epoch) = (batch.last + 1, Some(batch.leader_epoch));
    }
    let is_whole = start <= from && from <= end && first <= from && next == end;
    (!is_whole).then_some(LogError::LoadedPart { start, end })
}
