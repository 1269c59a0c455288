//! Markers that are on their way, and the transactions that wait for them.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;

use super::state::{Next, Place};
use crate::vocab::{BrokerId, LeaderEpoch, NodeId};

/// Where the marker of a partition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// There is no such partition any more.
    Gone,
    /// It has no live leader.
    Unknown,
    /// To its leader, on this host.
    At(BrokerId, NodeId),
}

/// What this broker knows of the leaders of partitions.
pub type Leads<'a> = &'a dyn Fn(&str, i32) -> Destination;

/// The markers of one transaction for one broker.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The transactional id.
    pub id: StrBytes,
    /// The partition of `__transaction_state`, and the leader epoch in which this broker coordinates it.
    pub coordinator: (i32, LeaderEpoch),
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Whether the transaction is committed.
    pub commit: bool,
    /// The partitions.
    pub places: BTreeSet<Place>,
}

/// A transaction that is complete when all of its markers are written.
#[derive(Debug)]
pub struct Pending {
    /// The transactional id.
    pub id: StrBytes,
    /// The coordinator epoch.
    pub epoch: LeaderEpoch,
    /// What it becomes then.
    pub next: Next,
}

/// Owns what waits for markers.
#[derive(Debug, Default)]
pub struct Markers {
    /// Transactions that wait for markers, by transactional id.
    pub pending: BTreeMap<StrBytes, Pending>,
    /// Markers whose destination is looked up next.
    pub unrouted: Vec<Marker>,
    /// Markers of partitions without a leader, or whose leader refused them.
    pub leaderless: Vec<Marker>,
    /// Whether a time is set to try those again.
    pub is_again_due: bool,
    /// Transactions that are complete, which could not be written.
    pub again: Vec<Pending>,
}
