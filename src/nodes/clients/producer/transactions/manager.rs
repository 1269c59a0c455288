//! Where a producer with a transactional id is, and what it has to ask coordinators (`TransactionManager`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::idempotence::Identity;
use super::config::TransactionConfig;
use super::reactions::{Reaction, to_batch};
use super::requests::{GroupMetadata, TransactionRequests};
use crate::history::CommittedOffset;
use crate::nodes::clients::protocol::error_name;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{NodeId, Time, TopicPartition};

/// How long the first AddPartitionsToTxn of a transaction waits while the one before is completed
/// (`ADD_PARTITIONS_RETRY_BACKOFF_MS`).
const ADD_PARTITIONS_RETRY_BACKOFF: Duration = Duration::from_millis(20);

/// Where the producer is (`TransactionManager.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no producer id.
    Uninitialized,
    /// It asks for a producer id, or for the next epoch.
    Initializing,
    /// No transaction is open.
    Ready,
    /// A transaction is open.
    InTransaction,
    /// It commits.
    Committing,
    /// It aborts.
    Aborting,
    /// The transaction can only be aborted.
    AbortableError,
    /// The producer can only be closed.
    FatalError,
}

/// Whose coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinator {
    /// That of the transactional id.
    Transaction,
    /// That of the group whose offsets are sent.
    Group,
}

/// What it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// FindCoordinator
    Find(Coordinator),
    /// InitProducerId, also for the next epoch behind a transaction that is aborted.
    Initialize {
        /// Whether it is for the next epoch.
        bump: bool,
    },
    /// AddPartitionsToTxn, for the partitions of these queues.
    AddPartitions(Vec<usize>),
    /// AddOffsetsToTxn
    AddOffsets,
    /// TxnOffsetCommit
    CommitOffsets,
    /// EndTxn
    End {
        /// Whether to commit.
        commit: bool,
    },
}

impl Call {
    /// Whom it asks; `None` is any broker.
    pub fn coordinator(&self) -> Option<Coordinator> {
        match self {
            Self::Find(_) => None,
            Self::CommitOffsets => Some(Coordinator::Group),
            _ => Some(Coordinator::Transaction),
        }
    }

    /// What goes first (`TransactionManager.Priority`).
    fn priority(&self) -> u8 {
        match self {
            Self::Find(_) => 0,
            Self::Initialize { bump: false } => 1,
            Self::AddPartitions(_) | Self::AddOffsets | Self::CommitOffsets => 2,
            Self::End { .. } => 3,
            Self::Initialize { bump: true } => 4,
        }
    }
}

/// A request that is to be sent, or is in flight.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it asks.
    pub call: Call,
    /// How long it waits before it is sent, as it was sent before.
    pub backoff: Option<Duration>,
}

/// A request whose turn it is.
#[derive(Debug)]
pub struct Current {
    /// The request.
    pub request: Request,
    /// The broker that was chosen for it, if any can answer it.
    pub node: Option<NodeId>,
    /// It is sent then.
    pub sleeps_until: Option<Time>,
}

/// How a partition is part of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A record was given for it.
    New,
    /// The coordinator was asked to add it.
    Pending,
    /// The coordinator has added it.
    Added,
}

/// The offsets of a group that are to be part of the transaction.
#[derive(Debug)]
pub struct Offsets {
    /// Whose.
    pub group: GroupMetadata,
    /// Those that the group's coordinator has not accepted.
    pub left: Vec<CommittedOffset>,
}

/// A producer's transactions.
#[derive(Debug)]
pub struct Transactions {
    pub(super) config: TransactionConfig,
    pub(super) release: KafkaVersion,
    pub(super) retry_backoff: Duration,
    pub(super) state: State,
    pub(super) identity: Option<Identity>,
    error: Option<i16>,
    /// Whether the next epoch is needed once the transaction is aborted (KIP-360).
    bump_required: bool,
    /// Whether a coordinator knows of the transaction.
    pub(super) is_started: bool,
    /// By their queues.
    partitions: BTreeMap<usize, (TopicPartition, Part)>,
    /// In the order in which they are sent.
    pending: Vec<Request>,
    pub(super) current: Option<Current>,
    pub(super) in_flight: Option<Request>,
    pub(super) coordinator: Option<NodeId>,
    pub(super) group_coordinator: Option<NodeId>,
    pub(super) offsets: Option<Offsets>,
    /// Whether a coordinator may have a request to commit that was not refused.
    pub(super) may_be_committed: bool,
}

impl Transactions {
    /// A producer that has asked for nothing.
    pub fn new(config: TransactionConfig, release: KafkaVersion, retry_backoff: Duration) -> Self {
        Self {
            config,
            release,
            retry_backoff,
            state: State::Uninitialized,
            identity: None,
            error: None,
            bump_required: false,
            is_started: false,
            partitions: BTreeMap::new(),
            pending: Vec::new(),
            current: None,
            in_flight: None,
            coordinator: None,
            group_coordinator: None,
            offsets: None,
            may_be_committed: false,
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its transactional id.
    pub fn id(&self) -> &std::sync::Arc<str> {
        &self.config.id
    }

    /// Its settings.
    pub fn config(&self) -> &TransactionConfig {
        &self.config
    }

    /// Whether a request is in flight.
    pub fn is_asking(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The application starts another producer with the same transactional id.
    pub fn start_again(&mut self) {
        *self = Self::new(self.config.clone(), self.release, self.retry_backoff);
    }

    /// Kafka's name for the error that made the transaction, or the producer, fail.
    pub fn error(&self) -> &'static str {
        self.error.map_or("NONE", |error| error_name(self.release, error))
    }

    /// Whether the transaction that is open, or was, may be committed although its producer was not told.
    pub fn may_be_committed(&self) -> bool {
        self.may_be_committed
    }

    /// `initTransactions`
    pub fn initialize(&mut self) {
        assert_eq!(self.state, State::Uninitialized, "a producer is initialized once");
        self.state = State::Initializing;
        self.enqueue(Call::Initialize { bump: false }, None);
    }

    /// `beginTransaction`
    pub fn begin(&mut self) {
        assert_eq!(self.state, State::Ready, "a transaction begins when none is open");
        self.state = State::InTransaction;
        self.may_be_committed = false;
    }

    /// A record was given to the producer for this partition.
    pub fn add_partition(&mut self, slot: usize, at: &TopicPartition) {
        if self.state == State::InTransaction {
            self.partitions.entry(slot).or_insert_with(|| (at.clone(), Part::New));
        }
    }

    /// `sendOffsetsToTransaction`
    #[expect(dead_code, reason = "no application sends offsets yet")]
    pub fn send_offsets(&mut self, group: GroupMetadata, offsets: Vec<CommittedOffset>) {
        assert_eq!(self.state, State::InTransaction, "offsets are sent in a transaction");
        if self.offsets.as_ref().is_none_or(|before| before.group.group != group.group) {
            self.group_coordinator = None;
        }
        self.offsets = Some(Offsets { group, left: offsets });
        self.enqueue(Call::AddOffsets, None);
    }

    /// Whether offsets are being sent.
    #[expect(dead_code, reason = "no application sends offsets yet")]
    pub fn is_sending_offsets(&self) -> bool {
        self.offsets.as_ref().is_some_and(|offsets| !offsets.left.is_empty())
            && self.state == State::InTransaction
    }

    /// `commitTransaction`, for a transaction that has not failed.
    pub fn commit(&mut self) {
        assert_eq!(self.state, State::InTransaction, "there is a transaction to commit");
        self.state = State::Committing;
        self.add_new_partitions();
        self.enqueue(Call::End { commit: true }, None);
    }

    /// `abortTransaction`
    pub fn abort(&mut self) {
        assert!(
            matches!(self.state, State::InTransaction | State::AbortableError),
            "there is a transaction to abort"
        );
        self.state = State::Aborting;
        self.partitions.retain(|_, (_, part)| *part != Part::New);
        let error = self.error.take();
        // A coordinator that does not know the producer would not end its transaction, either.
        if error == Some(crate::nodes::clients::protocol::code::INVALID_PRODUCER_ID_MAPPING) {
            self.bump_required = false;
            self.is_started = false;
            self.partitions.clear();
            return self.enqueue(Call::Initialize { bump: true }, None);
        }
        self.enqueue(Call::End { commit: false }, None);
        if self.bump_required {
            self.enqueue(Call::Initialize { bump: true }, None);
        }
    }

    /// Whether batches of this queue may be sent.
    pub fn may_send(&self, slot: usize) -> bool {
        self.state != State::FatalError
            && self.partitions.get(&slot).is_some_and(|(_, part)| *part == Part::Added)
    }

    /// Whether the transaction is being ended, so that nothing lingers.
    pub fn is_completing(&self) -> bool {
        matches!(self.state, State::Committing | State::Aborting)
    }

    /// Whether batches that were never sent are given up.
    pub fn drops_unsent(&self) -> bool {
        matches!(self.state, State::Aborting | State::AbortableError | State::FatalError)
    }

    /// A batch is given up for this error.
    pub fn batch_failed(&mut self, error: i16) {
        let reaction = to_batch(self.release, error);
        // A transaction that is being ended gets its epoch for a later error, if that is necessary.
        let keeps_epoch = reaction == Reaction::AbortAndBump && self.is_completing();
        self.react(if keeps_epoch { Reaction::Abort } else { reaction }, error);
    }

    /// Whether a batch was written is not known, and it will not be tried again.
    pub fn batch_lost(&mut self, error: i16) {
        let can_bump = self.release.has(Change::ProducerBumpsEpoch);
        self.react(if can_bump { Reaction::AbortAndBump } else { Reaction::Fatal }, error);
    }

    /// What an error makes of the transaction, or of the producer.
    pub(super) fn react(&mut self, reaction: Reaction, error: i16) {
        match reaction {
            Reaction::AbortAndBump if self.release.has(Change::ProducerBumpsEpoch) => {
                self.bump_required = true;
                self.fail(State::AbortableError, error);
            }
            Reaction::Abort => self.fail(State::AbortableError, error),
            _ => self.fail(State::FatalError, error),
        }
    }

    fn fail(&mut self, state: State, error: i16) {
        let is_over = self.state == State::FatalError;
        if is_over || (state == State::AbortableError && self.state == State::Aborting) {
            return;
        }
        if state == State::AbortableError && self.state == State::Ready {
            // A batch of a transaction that is over.
            return;
        }
        tracing::info!(id = &*self.config.id, error, ?state, "a transaction fails");
        self.state = state;
        self.error = Some(error);
        self.offsets = None;
    }

    /// The transaction is over.
    pub(super) fn complete(&mut self) {
        self.state = if self.bump_required { State::Initializing } else { State::Ready };
        let bump = Call::Initialize { bump: true };
        if self.bump_required && !self.pending.iter().any(|request| request.call == bump) {
            // It became necessary while the transaction was being aborted.
            self.enqueue(bump, None);
        }
        self.error = None;
        self.bump_required = false;
        self.is_started = false;
        self.partitions.clear();
        self.offsets = None;
    }

    /// Adds a request, behind those that go first.
    pub(super) fn enqueue(&mut self, call: Call, backoff: Option<Duration>) {
        let priority = call.priority();
        let behind = |other: &Request| other.call.priority() > priority;
        let place = self.pending.iter().position(behind).unwrap_or(self.pending.len());
        self.pending.insert(place, Request { call, backoff });
    }

    /// A request is to be sent again.
    pub(super) fn retry(&mut self, request: Request) {
        self.enqueue(request.call, Some(self.retry_backoff));
    }

    /// AddPartitionsToTxn is to be sent again; the first of a transaction sooner.
    pub(super) fn retry_soon(&mut self, request: Request) {
        let is_first = !self.partitions.values().any(|(_, part)| *part == Part::Added);
        let soon = self.retry_backoff.min(ADD_PARTITIONS_RETRY_BACKOFF);
        self.enqueue(request.call, Some(if is_first { soon } else { self.retry_backoff }));
    }

    /// The coordinator is not known any more.
    pub(super) fn look_up(&mut self, coordinator: Coordinator, backoff: Option<Duration>) {
        match coordinator {
            Coordinator::Transaction => self.coordinator = None,
            Coordinator::Group => self.group_coordinator = None,
        }
        let call = Call::Find(coordinator);
        if !self.pending.iter().any(|request| request.call == call) {
            self.enqueue(call, backoff);
        }
    }

    fn add_new_partitions(&mut self) {
        let mut slots = Vec::new();
        for (slot, (_, part)) in &mut self.partitions {
            if *part == Part::New {
                *part = Part::Pending;
                slots.push(*slot);
            }
        }
        if !slots.is_empty() {
            self.enqueue(Call::AddPartitions(slots), None);
        }
    }

    /// The coordinator has added these partitions, or refused to.
    pub(super) fn partitions_answered(&mut self, slots: &[usize], added: bool) {
        for slot in slots {
            if !added {
                self.partitions.remove(slot);
            } else if let Some((_, part)) = self.partitions.get_mut(slot) {
                *part = Part::Added;
            }
        }
        self.is_started |= added;
    }

    /// The partition of a queue that is part of the transaction.
    pub(super) fn partition(&self, slot: usize) -> Option<&TopicPartition> {
        self.partitions.get(&slot).map(|(at, _)| at)
    }

    /// The request whose turn it is (`nextRequest`). The end waits for batches that have not ended.
    pub(super) fn next_request(&mut self, has_incomplete: bool) -> Option<Request> {
        self.add_new_partitions();
        loop {
            let first = self.pending.first()?;
            let is_end = matches!(first.call, Call::End { .. });
            if is_end && has_incomplete {
                return None;
            }
            let request = self.pending.remove(0);
            let is_find = matches!(request.call, Call::Find(_));
            match self.state {
                State::FatalError => continue,
                State::AbortableError if !is_find => continue,
                _ => {}
            }
            if is_end && !self.is_started {
                // No coordinator knows of it.
                self.complete();
                continue;
            }
            return Some(request);
        }
    }

    pub(super) fn requests(&self) -> TransactionRequests<'_> {
        TransactionRequests {
            config: &self.config,
            release: self.release,
            identity: self.identity.unwrap_or(Identity::NONE),
        }
    }
}
