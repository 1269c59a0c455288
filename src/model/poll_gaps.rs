//! Offsets between two consecutive polls of a consumer. A record may be seen there later.

use crate::model::client_observations::{By, Place, Sighting};
use crate::vocab::{NodeId, Offset, Time};

/// Gaps that are kept.
const GAPS_MAX: usize = 4_096;

/// A consumer polled `to` right after `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollGap {
    /// When.
    pub time: Time,
    /// The consumer.
    pub consumer: NodeId,
    /// The partition.
    pub place: Place,
    /// The last offset below the gap.
    pub after: Offset,
    /// The first offset above the gap.
    pub to: Offset,
}

/// The first gaps of all consumers.
#[derive(Clone, Debug, Default)]
pub struct PollGaps(Vec<PollGap>);

impl PollGaps {
    /// All gaps, oldest first.
    pub fn all(&self) -> &[PollGap] {
        &self.0
    }

    /// Folds in what a client saw, if anything.
    pub fn observe(&mut self, time: Time, consumer: NodeId, sighting: Option<&Sighting>) {
        let Some(&Sighting { place, offset: to, by: By::Poll(Some(after)), .. }) = sighting else {
            return;
        };
        if to > after.saturating_add(1) && self.0.len() < GAPS_MAX {
            self.0.push(PollGap { time, consumer, place, after, to });
        }
    }
}
