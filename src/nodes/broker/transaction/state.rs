//! A transactional id: its producer, its transaction, and how they change (`TransactionMetadata`).

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::releases::{Change, KafkaVersion};

/// The epoch of a producer that has none yet.
pub const NO_EPOCH: i16 = -1;
/// The id of no producer.
pub const NO_PRODUCER: i64 = -1;
/// The first epoch that no producer gets: the one behind it is left for fencing.
const EXHAUSTED: i16 = i16::MAX - 1;

/// Where a transaction is (`TransactionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There was none since the producer came.
    Empty,
    /// It has partitions.
    Ongoing,
    /// It is to be committed; markers are being written.
    PrepareCommit,
    /// It is to be aborted; markers are being written.
    PrepareAbort,
    /// It is committed.
    CompleteCommit,
    /// It is aborted.
    CompleteAbort,
    /// The transactional id is about to be forgotten.
    Dead,
    /// The producer is about to be fenced, and its transaction to be aborted. It is never stored.
    PrepareEpochFence,
}

impl State {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// The number with which it is stored.
    pub fn number(self) -> i8 {
        self as i8
    }

    /// The state with a number, if there is one.
    pub fn of(number: i8) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its name in the answers to tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// Whether markers are being written.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    /// Whether a transactional id in this state may be forgotten.
    pub fn may_expire(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }
}

/// A partition of a transaction: topic and partition.
pub type Place = (StrBytes, i32);

/// What a transactional id becomes when it is written (`TxnTransitMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The epoch before, if the producer itself asked for the next one; else −1.
    pub last_epoch: i16,
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
    /// The state.
    pub state: State,
    /// The partitions of the transaction.
    pub partitions: BTreeSet<Place>,
    /// When the transaction began, in milliseconds since 1970; −1 is never.
    pub start_ms: i64,
    /// When it changed, in milliseconds since 1970.
    pub updated_ms: i64,
}

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// `transactional.id`
    pub id: StrBytes,
    /// The producer that has it.
    pub producer_id: i64,
    /// The producer id before; −1 when there was none. It is not stored.
    pub last_producer_id: i64,
    /// The epoch of the producer; −1 before its first one is written.
    pub epoch: i16,
    /// The epoch before, if the producer itself asked for the next one. It is not stored.
    pub last_epoch: i16,
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
    /// Where its transaction is.
    pub state: State,
    /// The state that is being written. Until it is, nearly all requests are refused.
    pub pending: Option<State>,
    /// The partitions of the transaction that have no marker yet.
    pub partitions: BTreeSet<Place>,
    /// When the transaction began, in milliseconds since 1970; −1 is never.
    pub start_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Whether a higher epoch could not be written, that no producer got (KAFKA-9666).
    pub has_failed_fence: bool,
}

/// Whether no producer may have a higher epoch than this.
pub fn is_exhausted(epoch: i16) -> bool {
    epoch >= EXHAUSTED
}

impl Transaction {
    /// A transactional id that was not known, with a producer id that no producer had.
    pub fn new(id: StrBytes, producer_id: i64, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            id,
            producer_id,
            last_producer_id: NO_PRODUCER,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: State::Empty,
            pending: None,
            partitions: BTreeSet::new(),
            start_ms: -1,
            updated_ms: wall_ms,
            has_failed_fence: false,
        }
    }

    /// As it is, in `state`; that is being written from now on.
    fn next(&mut self, state: State, updated_ms: i64) -> Next {
        self.pending = Some(state);
        Next {
            producer_id: self.producer_id,
            epoch: self.epoch,
            last_epoch: self.last_epoch,
            timeout_ms: self.timeout_ms,
            state,
            partitions: self.partitions.clone(),
            start_ms: self.start_ms,
            updated_ms,
        }
    }

    /// Its producer gets this id and epoch, and no transaction.
    pub fn prepare_producer(
        &mut self,
        (producer_id, epoch, last_epoch): (i64, i16, i16),
        timeout_ms: i32,
        now_ms: i64,
    ) -> Next {
        let next = self.next(State::Empty, now_ms);
        let partitions = BTreeSet::new();
        Next { producer_id, epoch, last_epoch, timeout_ms, partitions, start_ms: -1, ..next }
    }

    /// Its producer is fenced by the next epoch, which no producer gets, and its transaction is to be aborted. `None`
    /// when there is no next epoch.
    pub fn prepare_fence(&mut self) -> Option<i16> {
        let bumped = if self.has_failed_fence { self.epoch } else { self.epoch.checked_add(1)? };
        self.pending = Some(State::PrepareEpochFence);
        Some(bumped)
    }

    /// Partitions are added to its transaction, which begins now unless it is ongoing.
    pub fn prepare_partitions(&mut self, added: BTreeSet<Place>, now_ms: i64) -> Next {
        let begins = self.state.may_expire();
        let mut next = self.next(State::Ongoing, now_ms);
        next.partitions.extend(added);
        if begins {
            next.start_ms = now_ms;
        }
        next
    }

    /// Its transaction is to be committed or aborted.
    pub fn prepare_end(&mut self, commit: bool, now_ms: i64) -> Next {
        self.next(if commit { State::PrepareCommit } else { State::PrepareAbort }, now_ms)
    }

    /// Its transaction is complete when it has all markers.
    pub fn prepare_complete(&mut self, now_ms: i64) -> Next {
        let is_commit = self.state == State::PrepareCommit;
        let state = if is_commit { State::CompleteCommit } else { State::CompleteAbort };
        self.has_failed_fence = false;
        Next { partitions: BTreeSet::new(), ..self.next(state, now_ms) }
    }

    /// What was being written is written.
    pub fn complete(&mut self, next: Next) {
        if next.state == State::Empty {
            self.last_producer_id = self.producer_id;
            self.last_epoch = next.last_epoch;
            self.producer_id = next.producer_id;
            self.epoch = next.epoch;
            self.timeout_ms = next.timeout_ms;
        }
        match next.state {
            State::Ongoing => {
                self.partitions = next.partitions;
                self.start_ms = next.start_ms;
            }
            State::CompleteCommit | State::CompleteAbort => {
                self.partitions.clear();
                self.start_ms = next.start_ms;
            }
            _ => {}
        }
        self.updated_ms = next.updated_ms;
        self.state = next.state;
        self.pending = None;
    }
}

/// The error for a producer whose place another one has.
pub fn fenced(version: KafkaVersion) -> ResponseError {
    if version.has(Change::ProducerFencedError) {
        ResponseError::ProducerFenced
    } else {
        ResponseError::InvalidProducerEpoch
    }
}
