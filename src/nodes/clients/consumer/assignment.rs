//! The partitions that a consumer reads, and how far it has come in each.

use crate::nodes::clients::metadata::Leader;
use crate::vocab::{LeaderEpoch, Offset, Time, TopicPartition};

/// What a partition needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchPhase {
    /// An offset, from a ListOffsets request with this timestamp.
    Unpositioned(i64),
    /// An OffsetForLeaderEpoch request: does the new leader's log still have the position?
    Unvalidated,
    /// Records.
    Fetching,
    /// Nothing: its position is lost and the reset policy is `none`.
    Stuck,
}

/// A partition that the consumer reads.
#[derive(Debug)]
pub(super) struct Assigned {
    /// Its topic's place in the metadata.
    pub(super) topic: usize,
    pub(super) at: TopicPartition,
    pub(super) phase: FetchPhase,
    /// The offset of the next record to read, once known.
    pub(super) position: Option<Offset>,
    /// Leader epoch of the batch before the position; −1 when not known.
    pub(super) last_epoch: LeaderEpoch,
    /// The leader in whose log the position was valid last.
    pub(super) leader: Option<Leader>,
    /// Whether it is part of a request in flight.
    pub(super) busy: bool,
    /// No request before this moment.
    pub(super) not_before: Time,
}
