//! What is being written into `__transaction_state`.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;

use super::adding::Adding;
use super::ending::Ending;
use super::marker::Pending;
use super::state::Next;
use crate::nodes::broker::context::ReplyTo;
use crate::vocab::LeaderEpoch;

/// For what a transactional id is written.
#[derive(Debug)]
pub enum Written {
    /// InitProducerId.
    Init(ReplyTo),
    /// Partitions become part of the transaction.
    Partitions(Adding),
    /// The transaction is to end; whether its producer is fenced with it.
    Prepared(Ending, bool),
    /// The transaction is complete.
    Complete(Pending),
}

/// What is being written.
#[derive(Debug)]
pub enum Append {
    /// A transactional id becomes something else.
    Change {
        /// The transactional id.
        id: StrBytes,
        /// The coordinator epoch in which it was decided.
        epoch: LeaderEpoch,
        /// What it becomes.
        next: Next,
        /// For what.
        written: Written,
    },
    /// Transactional ids are forgotten.
    Tombstones {
        /// The partition.
        partition: i32,
        /// The coordinator epoch in which it was decided.
        epoch: LeaderEpoch,
        /// The ids, and the epochs of their producers.
        ids: Vec<(StrBytes, i16)>,
    },
}

/// Owns what is being written.
#[derive(Debug, Default)]
pub struct Appends {
    next: u64,
    pending: BTreeMap<u64, Append>,
}

impl Appends {
    /// Something is being written; the number comes back with its end.
    pub fn begin(&mut self, append: Append) -> u64 {
        self.next += 1;
        self.pending.insert(self.next, append);
        self.next
    }

    /// What was being written.
    pub fn take(&mut self, number: u64) -> Option<Append> {
        self.pending.remove(&number)
    }
}
