//! Transactions as the applications of their producers know them, and the records in them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::logs::Ended;
use crate::history::{TransactionEvent, TransactionOutcome, TransactionalObservation};
use crate::model::interval::IntervalSet;
use crate::vocab::{NodeId, Offset, TopicPartition};

/// Transactions that are kept of each producer.
const TRANSACTIONS_MAX: usize = 4_096;
/// Acknowledged records that are kept of each partition until a marker comes.
const RECORDS_MAX: usize = 65_536;

/// What its application knows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is open, and nothing was asked for.
    Open,
    /// A commit was asked for, and how that ended is not known, or not yet.
    MayCommit,
    /// It is committed.
    Committed,
    /// It is aborted, or will be: no commit was asked for, and none will be.
    Aborted,
}

/// A transaction.
#[derive(Clone, Debug)]
pub struct ClientTransaction {
    /// `transactional.id`
    pub id: Arc<str>,
    /// Its number at its node.
    pub number: u64,
    /// The producer id and epoch when it began.
    pub producer: Option<(i64, i16)>,
    /// What its application knows.
    pub fate: Fate,
    /// The first marker that was seen to end it: whether that commits, and in which partition.
    pub marker: Option<(bool, TopicPartition)>,
    /// Its records have this number or a higher one, up to the next transaction's.
    from: u64,
}

/// A marker that fits neither another one of the same transaction nor what its application was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The producer's node.
    pub node: NodeId,
    /// `transactional.id`
    pub id: Arc<str>,
    /// The transaction.
    pub number: u64,
    /// Whether its marker commits it, and the partition.
    pub marker: (bool, TopicPartition),
    /// The other marker; `None` when its application was told otherwise.
    pub other: Option<(bool, TopicPartition)>,
}

/// The transactions of one node.
#[derive(Clone, Debug, Default)]
struct Account {
    /// The producer id and epoch that it got last.
    producer: Option<(i64, i16)>,
    /// The number of its next record.
    next: u64,
    kept: VecDeque<ClientTransaction>,
    /// Records of transactions that were aborted, or are kept no longer and not known to be committed.
    uncommitted: IntervalSet,
}

impl Account {
    /// The place in `kept` of the transaction of a record.
    fn place(&self, record: u64) -> Option<usize> {
        self.kept.partition_point(|one| one.from <= record).checked_sub(1)
    }

    fn with_number(&mut self, number: u64) -> Option<usize> {
        self.kept.iter().rposition(|one| one.number == number)
    }

    fn records(&self, place: usize) -> std::ops::Range<u64> {
        let end = self.kept.get(place + 1).map_or(self.next, |next| next.from);
        self.kept[place].from..end
    }

    /// Whether a transaction is known to be committed, by its application or by a marker.
    fn is_committed(&self, place: usize) -> bool {
        let one = &self.kept[place];
        match one.fate {
            Fate::Committed => true,
            Fate::Aborted => false,
            Fate::Open | Fate::MayCommit => one.marker.as_ref().is_some_and(|marker| marker.0),
        }
    }

    /// Notes for good that the records of a transaction are not committed.
    fn is_over(&mut self, place: usize) {
        self.records(place).for_each(|record| _ = self.uncommitted.insert(record));
    }

    fn began(&mut self, id: Arc<str>, number: u64) {
        if self.kept.len() == TRANSACTIONS_MAX {
            if !self.is_committed(0) {
                self.is_over(0);
            }
            self.kept.pop_front();
        }
        let (producer, from) = (self.producer, self.next);
        let (fate, marker) = (Fate::Open, None);
        self.kept.push_back(ClientTransaction { id, number, producer, fate, marker, from });
    }

    fn contradiction(
        &self,
        node: NodeId,
        place: usize,
        marker: &(bool, TopicPartition),
    ) -> Option<Contradiction> {
        let one = &self.kept[place];
        let differs = |other: &&(bool, TopicPartition)| other.0 != marker.0;
        let other = one.marker.as_ref().filter(differs).cloned();
        let is_known = match one.fate {
            Fate::Committed => marker.0,
            Fate::Aborted => !marker.0,
            Fate::Open | Fate::MayCommit => true,
        };
        (other.is_some() || !is_known).then(|| Contradiction {
            node,
            id: one.id.clone(),
            number: one.number,
            marker: marker.clone(),
            other,
        })
    }
}

/// The transactions of all producers, as their applications know them.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    accounts: BTreeMap<NodeId, Account>,
    /// Acknowledged records that no marker was seen behind: node and record, by place.
    places: BTreeMap<TopicPartition, BTreeMap<Offset, (NodeId, u64)>>,
    /// Which node, in which of its lives, got an epoch of a producer id.
    epochs: BTreeMap<(i64, i16), (NodeId, u64)>,
    /// How often each node's process ended.
    lives: BTreeMap<NodeId, u64>,
    /// Clients from outside that read committed transactions alone.
    read_committed: BTreeSet<NodeId>,
    /// Of the event at hand: who got the same producer id and epoch before.
    shares: Option<NodeId>,
}

impl Clients {
    /// Whether there was a producer with a transactional id.
    pub fn has_any(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// The transaction of a record, if that is in one and the transaction is kept.
    pub fn of_record(&self, node: NodeId, record: u64) -> Option<&ClientTransaction> {
        let account = self.accounts.get(&node)?;
        account.kept.get(account.place(record)?)
    }

    /// Whether a record is in a transaction that is not known to be committed.
    pub fn is_uncommitted(&self, node: NodeId, record: u64) -> bool {
        let Some(account) = self.accounts.get(&node) else { return false };
        let place = account.place(record);
        account.uncommitted.contains(record)
            || place.is_some_and(|place| !account.is_committed(place))
    }

    /// Records of transactions that are not known to be committed.
    pub fn uncommitted(&self, node: NodeId) -> IntervalSet {
        let Some(account) = self.accounts.get(&node) else { return IntervalSet::default() };
        let mut records = account.uncommitted.clone();
        for place in (0..account.kept.len()).filter(|place| !account.is_committed(*place)) {
            account.records(place).for_each(|record| _ = records.insert(record));
        }
        records
    }

    /// Whether a client from outside reads committed transactions alone.
    pub fn reads_committed(&self, node: NodeId) -> bool {
        self.read_committed.contains(&node)
    }

    /// A client from outside reads with another isolation level.
    pub(super) fn isolation_changed(&mut self, node: NodeId, read_committed: bool) {
        match read_committed {
            true => _ = self.read_committed.insert(node),
            false => _ = self.read_committed.remove(&node),
        }
    }

    /// The node that got the producer id and epoch before that the event at hand gives to another one.
    pub fn shares(&self) -> Option<NodeId> {
        self.shares
    }

    /// The producer id that a record was sent with, if it is in a transaction.
    pub(super) fn producer_of(&self, node: NodeId, record: u64) -> Option<i64> {
        Some(self.of_record(node, record)?.producer?.0)
    }

    /// Folds in that a record was given to a producer.
    pub(super) fn invoked(&mut self, node: NodeId, record: u64) {
        self.shares = None;
        if let Some(account) = self.accounts.get_mut(&node) {
            account.next = account.next.max(record.saturating_add(1));
        }
    }

    /// Folds in that a record was acknowledged, in a transaction of which no marker is known there.
    pub(super) fn acknowledged(
        &mut self,
        node: NodeId,
        record: u64,
        at: &TopicPartition,
        offset: Offset,
    ) {
        if offset < 0 {
            return;
        }
        let of_partition = self.places.entry(at.clone()).or_default();
        if of_partition.len() == RECORDS_MAX {
            of_partition.pop_first();
        }
        of_partition.insert(offset, (node, record));
    }

    /// A transaction ended in a partition. Returns what that contradicts.
    pub(super) fn ended_in(&mut self, at: &TopicPartition, ended: &Ended) -> Option<Contradiction> {
        let of_partition = self.places.get_mut(at)?;
        let accounts = &self.accounts;
        let is_its = |node: NodeId, record: u64| {
            let account = accounts.get(&node)?;
            let one = account.kept.get(account.place(record)?)?;
            Some(one.producer?.0 == ended.producer)
        };
        let inside = of_partition.range(ended.first..ended.marker);
        let records: Vec<(Offset, (NodeId, u64))> = inside
            .filter(|(_, (node, record))| is_its(*node, *record).unwrap_or(true))
            .map(|(offset, record)| (*offset, *record))
            .collect();
        let mut found = None;
        for (offset, (node, record)) in records {
            self.places.get_mut(at).into_iter().for_each(|all| _ = all.remove(&offset));
            found = found.or(self.is_in(node, record, at, ended.commit));
        }
        found
    }

    /// A record lies in a transaction that ended with a marker. Returns what that contradicts.
    pub(super) fn is_in(
        &mut self,
        node: NodeId,
        record: u64,
        at: &TopicPartition,
        commit: bool,
    ) -> Option<Contradiction> {
        let account = self.accounts.get_mut(&node)?;
        let place = account.place(record)?;
        let marker = (commit, at.clone());
        let found = account.contradiction(node, place, &marker);
        if account.kept[place].marker.is_none() {
            account.kept[place].marker = Some(marker);
        }
        found
    }

    /// Folds in what a producer with a transactional id did. Returns what that contradicts.
    pub(super) fn transactional(
        &mut self,
        node: NodeId,
        did: &TransactionalObservation,
    ) -> Option<Contradiction> {
        self.shares = None;
        match &did.what {
            TransactionEvent::Initialized { producer, epoch } => {
                self.initialized(node, (*producer, *epoch));
                None
            }
            TransactionEvent::Began { number } => {
                self.accounts.entry(node).or_default().began(did.id.clone(), *number);
                None
            }
            TransactionEvent::OffsetsSent { .. } => None,
            TransactionEvent::CommitAsked { number } => {
                self.set_fate(node, *number, |fate| match fate {
                    Fate::Open => Fate::MayCommit,
                    other => other,
                })
            }
            TransactionEvent::AbortAsked { number } => {
                // It may have been asked to commit before, without an answer.
                self.set_fate(node, *number, |fate| match fate {
                    Fate::Open => Fate::Aborted,
                    other => other,
                })
            }
            TransactionEvent::Ended { number, outcome } => {
                self.set_fate(node, *number, |fate| match (outcome, fate) {
                    (TransactionOutcome::Committed, _) => Fate::Committed,
                    (TransactionOutcome::Aborted, _) => Fate::Aborted,
                    (_, Fate::Open) => Fate::Aborted,
                    (_, other) => other,
                })
            }
        }
    }

    fn initialized(&mut self, node: NodeId, producer: (i64, i16)) {
        let life = self.lives.get(&node).copied().unwrap_or(0);
        match self.epochs.get(&producer) {
            // An answer that was lost comes again.
            Some(owner) if *owner == (node, life) => {}
            Some((owner, _)) => self.shares = Some(*owner),
            None => _ = self.epochs.insert(producer, (node, life)),
        }
        self.accounts.entry(node).or_default().producer = Some(producer);
    }

    fn set_fate(
        &mut self,
        node: NodeId,
        number: u64,
        fate: impl FnOnce(Fate) -> Fate,
    ) -> Option<Contradiction> {
        let account = self.accounts.get_mut(&node)?;
        let place = account.with_number(number)?;
        account.kept[place].fate = fate(account.kept[place].fate);
        if account.kept[place].fate == Fate::Aborted {
            account.is_over(place);
        }
        let marker = account.kept[place].marker.clone()?;
        account.contradiction(node, place, &marker)
    }

    /// A process ended: it asks for nothing any more.
    pub(super) fn gone(&mut self, node: NodeId) {
        *self.lives.entry(node).or_default() += 1;
        let Some(account) = self.accounts.get_mut(&node) else { return };
        for place in 0..account.kept.len() {
            if account.kept[place].fate == Fate::Open {
                account.kept[place].fate = Fate::Aborted;
                account.is_over(place);
            }
        }
    }
}
