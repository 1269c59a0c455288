//! Request handlers that are blocked: each waits with its request for the lock of a partition.
//!
//! Kafka has `num.io.threads` of them. While one appends, it holds the log's lock and, for reading, the partition's
//! (`leaderIsrUpdateLock`), however long the disk takes. Up to 2.6 the thread that changes the ISR holds the
//! partition's lock for writing until ZooKeeper has answered, however long that takes:
//!
//! | waits | for a slow append | for the ISR to be written |
//! |---|---|---|
//! | Produce | yes | yes |
//! | Fetch | no | since 2.1; before, those of followers |
//! | ListOffsets | no | since 2.1 |
//! | OffsetForLeaderEpoch | no | yes |
//! | LeaderAndIsr, StopReplica | yes, and for fetchers that append | yes |
//! | WriteTxnMarkers | yes | yes |
//! | what the group coordinator writes | yes | yes |

use std::collections::{BTreeMap, VecDeque};

use kafka_protocol::messages::{
    FetchRequest, LeaderAndIsrRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    StopReplicaRequest,
};

use super::markers::WritingMarkers;
use super::produce::{Append, Place, Producing};
use super::replicas::{Elsewhere, Slot};
use crate::nodes::broker::context::ReplyTo;

/// A request whose handler is blocked.
#[derive(Debug)]
pub enum Blocked {
    /// Produce; some of its partitions may be done.
    Produce(Box<Producing>),
    /// Fetch, and whether it comes from outside.
    Fetch(ReplyTo, FetchRequest, bool, Elsewhere),
    /// ListOffsets.
    ListOffsets(ReplyTo, ListOffsetsRequest, Elsewhere),
    /// OffsetForLeaderEpoch.
    Epochs(ReplyTo, OffsetForLeaderEpochRequest, Elsewhere),
    /// LeaderAndIsr.
    LeaderAndIsr(ReplyTo, LeaderAndIsrRequest),
    /// StopReplica.
    StopReplica(ReplyTo, StopReplicaRequest),
    /// WriteTxnMarkers; some of its markers may be written.
    Markers(Box<WritingMarkers>),
    /// A write of the group coordinator, and where it is when it is in the log.
    Group(Append, Option<Place>),
}

impl Blocked {
    /// Whether a request handler is blocked, and not a thread that cleans up.
    fn is_handler(&self) -> bool {
        !matches!(self, Self::Group(Append { number: None, .. }, _))
    }
}

/// What a handler waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The disk is to do the append that it makes itself in this replica.
    OwnAppend(Slot),
    /// Another thread is to give the lock of this replica back.
    Lock(Slot),
}

/// Owns the requests whose handlers are blocked, by the replica whose lock they wait for.
#[derive(Debug, Default)]
pub struct Handlers {
    requests: BTreeMap<Slot, VecDeque<Blocked>>,
    count: usize,
}

impl Handlers {
    /// How many are blocked.
    pub fn count(&self) -> usize {
        self.count
    }

    /// A handler is blocked.
    pub fn block(&mut self, waits_for: WaitsFor, request: Blocked) {
        self.count += usize::from(request.is_handler());
        match waits_for {
            WaitsFor::OwnAppend(slot) => self.requests.entry(slot).or_default().push_front(request),
            WaitsFor::Lock(slot) => self.requests.entry(slot).or_default().push_back(request),
        }
    }

    /// The next that goes on when the lock of a replica is free.
    pub fn next(&mut self, slot: Slot) -> Option<Blocked> {
        let requests = self.requests.get_mut(&slot)?;
        let next = requests.pop_front();
        if requests.is_empty() {
            self.requests.remove(&slot);
        }
        self.count -= usize::from(next.as_ref().is_some_and(Blocked::is_handler));
        next
    }
}
