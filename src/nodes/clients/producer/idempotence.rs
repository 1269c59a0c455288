//! The id and the sequences of an idempotent producer (`TransactionManager` of the Java client).
//!
//! A batch gets a number when it is sent first, and a place among the partition's batches that are not acknowledged.
//! Its sequence follows from that place, so that it changes when the partition begins again in a later epoch
//! (KIP-360).

use std::collections::BTreeMap;

use crate::releases::{Change, KafkaVersion};
use crate::vocab::Time;

/// Who a batch is from, as the leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

impl Identity {
    /// Of a producer that has none.
    pub const NONE: Self = Self { id: -1, epoch: -1 };
}

/// Who a batch is from, and its place in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub identity: Identity,
    /// The sequence of its first record.
    pub first: i32,
}

/// A batch that was sent and not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    number: u64,
    first: i32,
    records: i32,
}

#[derive(Debug)]
struct Partition {
    identity: Identity,
    /// The sequence of the next record.
    next: i32,
    /// The sequence of the last record that was acknowledged.
    acknowledged: Option<i32>,
    /// In the order of their sequences.
    outstanding: Vec<Outstanding>,
    /// Whether the outcome of a batch is not known: nothing new is sent before the others have ended.
    is_unresolved: bool,
}

impl Partition {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            next: 0,
            acknowledged: None,
            outstanding: Vec::new(),
            is_unresolved: false,
        }
    }

    /// Begins again at 0, with what is outstanding.
    fn restart(&mut self, identity: Identity) {
        let outstanding = std::mem::take(&mut self.outstanding);
        *self = Self::new(identity);
        for batch in outstanding {
            self.outstanding.push(Outstanding { first: self.next, ..batch });
            self.next = after(self.next, batch.records);
        }
    }

    /// Takes a batch out, and gives its place.
    fn take(&mut self, number: u64) -> Option<(usize, Outstanding)> {
        let place = self.outstanding.iter().position(|one| one.number == number)?;
        Some((place, self.outstanding.remove(place)))
    }
}

/// The sequence `records` behind `first`; behind 2³¹−1 comes 0.
fn after(first: i32, records: i32) -> i32 {
    let sum = i64::from(first) + i64::from(records);
    i32::try_from(sum % (1 << 31)).expect("it is below 2³¹")
}

/// What to do with a batch that the leader found out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfOrder {
    /// Send it again.
    Retry,
    /// Give it up.
    Fail,
}

/// What an idempotent producer knows of itself.
#[derive(Debug)]
pub struct Idempotence {
    version: KafkaVersion,
    identity: Option<Identity>,
    /// Whether an id is asked for.
    asking: bool,
    /// Nothing is asked before.
    ask_from: Time,
    next_number: u64,
    partitions: BTreeMap<usize, Partition>,
    /// Whether it has a transactional id: then transactions say what comes after a failure.
    is_transactional: bool,
    /// Of a producer with a transactional id: whether it gave up a batch that may be written.
    has_lost: bool,
}

impl Idempotence {
    /// A producer without an id.
    pub fn new(version: KafkaVersion) -> Self {
        Self {
            version,
            identity: None,
            asking: false,
            ask_from: Time::ZERO,
            next_number: 0,
            partitions: BTreeMap::new(),
            is_transactional: false,
            has_lost: false,
        }
    }

    /// A producer with a transactional id, without a producer id.
    pub fn transactional(version: KafkaVersion) -> Self {
        Self { is_transactional: true, ..Self::new(version) }
    }

    /// Whether its batches are part of transactions.
    pub fn is_transactional(&self) -> bool {
        self.is_transactional
    }

    /// The coordinator has given it an id and an epoch; with `restart`, every partition begins again at 0.
    pub fn renew(&mut self, identity: Identity, restart: bool) {
        self.identity = Some(identity);
        if restart {
            self.partitions.clear();
        }
    }

    /// Whether a batch that may be written was given up since the last time, so that sequences have a gap.
    pub fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }

    /// Whether it has an id.
    pub fn has_id(&self) -> bool {
        self.identity.is_some()
    }

    /// From when on an id is to be asked for; `None` when it has one, or asked.
    pub fn ask_from(&self) -> Option<Time> {
        (self.identity.is_none() && !self.asking).then_some(self.ask_from)
    }

    /// An id is asked for.
    pub fn asked(&mut self) {
        self.asking = true;
    }

    /// It got an id, or is to ask again from `again` on.
    pub fn answered(&mut self, identity: Result<Identity, Time>) {
        self.asking = false;
        match identity {
            Ok(identity) => self.identity = Some(identity),
            Err(again) => self.ask_from = again,
        }
    }

    /// Whether the batch with this number, or a new one, may be sent to the partition of a slot. Of those that were
    /// sent before, only the first may.
    pub fn may_send(&self, slot: usize, number: Option<u64>) -> bool {
        let Some(partition) = self.partitions.get(&slot) else { return true };
        let first = partition.outstanding.first();
        let Some(number) = number else {
            let is_stale = Some(partition.identity) != self.identity;
            return !partition.is_unresolved && (first.is_none() || !is_stale);
        };
        let is_known = partition.outstanding.iter().any(|one| one.number == number);
        !is_known || first.is_some_and(|first| first.number == number)
    }

    /// Gives a new batch its number and place.
    ///
    /// # Panics
    /// When the producer has no id.
    pub fn assign(&mut self, slot: usize, records: usize) -> u64 {
        let identity = self.identity.expect("nothing is sent without an id");
        let partition = self.partitions.entry(slot).or_insert_with(|| Partition::new(identity));
        if partition.outstanding.is_empty() && partition.identity != identity {
            *partition = Partition::new(identity);
        }
        let records = i32::try_from(records).expect("a batch has fewer than 2³¹ records");
        self.next_number += 1;
        let first = partition.next;
        partition.outstanding.push(Outstanding { number: self.next_number, first, records });
        partition.next = after(first, records);
        self.next_number
    }

    /// How a batch is stamped now; `None` when the producer has forgotten it.
    pub fn stamp(&self, slot: usize, number: u64) -> Option<Stamp> {
        let partition = self.partitions.get(&slot)?;
        let batch = partition.outstanding.iter().find(|one| one.number == number)?;
        Some(Stamp { identity: partition.identity, first: batch.first })
    }

    /// A batch is acknowledged.
    pub fn succeeded(&mut self, slot: usize, number: u64) {
        let Some(partition) = self.partitions.get_mut(&slot) else { return };
        if let Some((_, batch)) = partition.take(number) {
            let last = after(batch.first, batch.records - 1);
            partition.acknowledged = partition.acknowledged.max(Some(last));
        }
        self.resolve(slot);
    }

    /// A batch is given up. When no log can have it, those behind it close the gap.
    pub fn failed(&mut self, slot: usize, number: u64, may_be_written: bool) {
        let Some(partition) = self.partitions.get_mut(&slot) else { return };
        if let Some((place, batch)) = partition.take(number) {
            if may_be_written {
                partition.is_unresolved = true;
                // Without another epoch, the producer does not wait for what comes.
                let can_wait = self.version.has(Change::ProducerBumpsEpoch);
                self.has_lost |= self.is_transactional && !can_wait;
            } else {
                let mut next = batch.first;
                for later in &mut partition.outstanding[place..] {
                    later.first = next;
                    next = after(next, later.records);
                }
                partition.next = next;
            }
        }
        self.resolve(slot);
    }

    /// A leader found a batch out of order, or did not know the producer.
    pub fn out_of_order(&mut self, slot: usize, number: u64, sent: Option<Stamp>) -> OutOfOrder {
        let Some(stamp) = self.stamp(slot, number) else { return OutOfOrder::Fail };
        let acknowledged = self.partitions[&slot].acknowledged;
        let is_next = stamp.first == acknowledged.map_or(0, |last| after(last, 1));
        if !is_next || sent != Some(stamp) {
            // One before it has to come first, or it was sent before the partition began again.
            return OutOfOrder::Retry;
        }
        if self.is_transactional {
            OutOfOrder::Fail
        } else if self.version.has(Change::ProducerBumpsEpoch) {
            self.begin_again(slot);
            OutOfOrder::Retry
        } else {
            self.forget_id();
            OutOfOrder::Fail
        }
    }

    /// When all batches of a partition have ended after one whose outcome is not known: whether it was written shows
    /// in the sequences.
    fn resolve(&mut self, slot: usize) {
        let Some(partition) = self.partitions.get_mut(&slot) else { return };
        if !partition.is_unresolved || !partition.outstanding.is_empty() {
            return;
        }
        partition.is_unresolved = false;
        let reached = partition.acknowledged.map_or(0, |last| after(last, 1));
        if reached == partition.next {
            return;
        }
        if self.is_transactional {
            self.has_lost = true;
        } else if self.version.has(Change::ProducerBumpsEpoch) {
            self.begin_again(slot);
        } else {
            self.forget_id();
        }
    }

    /// The next epoch, and in it the partition from 0 on.
    fn begin_again(&mut self, slot: usize) {
        let next = self.identity.and_then(|now| {
            let epoch = now.epoch.checked_add(1)?;
            Some(Identity { epoch, ..now })
        });
        let Some(next) = next else { return self.forget_id() };
        self.identity = Some(next);
        if let Some(partition) = self.partitions.get_mut(&slot) {
            partition.restart(next);
        }
    }

    /// Another id has to be asked for; what was sent keeps the old one.
    fn forget_id(&mut self) {
        self.identity = None;
        self.partitions.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Identity = Identity { id: 7, epoch: 0 };

    fn with_id(version: &str) -> Idempotence {
        let mut known = Idempotence::new(version.parse().unwrap());
        assert!(!known.has_id() && known.ask_from() == Some(Time::ZERO));
        known.asked();
        assert_eq!(known.ask_from(), None);
        known.answered(Ok(ID));
        known
    }

    fn stamped(known: &Idempotence, number: u64) -> (i16, i32) {
        let stamp = known.stamp(0, number).unwrap();
        (stamp.identity.epoch, stamp.first)
    }

    #[test]
    fn sequences_follow_on_each_other_and_only_the_first_is_sent_again() {
        let mut known = with_id("2.8");
        let (one, two) = (known.assign(0, 3), known.assign(0, 2));
        assert_eq!((stamped(&known, one), stamped(&known, two)), ((0, 0), (0, 3)));
        assert!(known.may_send(0, Some(one)) && !known.may_send(0, Some(two)));
        assert!(known.may_send(0, None), "others may be in flight");
        known.succeeded(0, one);
        assert!(known.may_send(0, Some(two)));
        let other = known.assign(1, 1);
        assert_eq!(known.stamp(1, other), Some(Stamp { identity: ID, first: 0 }));
    }

    #[test]
    fn a_batch_that_is_not_the_next_is_tried_again() {
        let mut known = with_id("2.8");
        let (_, two) = (known.assign(0, 1), known.assign(0, 1));
        let sent = known.stamp(0, two);
        assert_eq!(known.out_of_order(0, two, sent), OutOfOrder::Retry);
        assert_eq!(stamped(&known, two), (0, 1));
    }

    #[test]
    fn since_2_5_the_epoch_rises_when_the_next_batch_is_out_of_order() {
        let mut known = with_id("2.8");
        let (one, two, three) = (known.assign(0, 1), known.assign(0, 1), known.assign(0, 1));
        known.succeeded(0, one);
        let (sent, sent_after) = (known.stamp(0, two), known.stamp(0, three));
        assert_eq!(known.out_of_order(0, two, sent), OutOfOrder::Retry);
        assert_eq!((stamped(&known, two), stamped(&known, three)), ((1, 0), (1, 1)));
        // What was in flight with the old epoch comes back.
        assert_eq!(known.out_of_order(0, three, sent_after), OutOfOrder::Retry);
        assert_eq!(stamped(&known, three), (1, 1));
        // Before, the producer gets another id.
        let mut known = with_id("2.4");
        let one = known.assign(0, 1);
        let sent = known.stamp(0, one);
        assert_eq!(known.out_of_order(0, one, sent), OutOfOrder::Fail);
        assert!(!known.has_id() && known.stamp(0, one).is_none());
    }

    #[test]
    fn a_batch_that_was_certainly_not_written_leaves_no_gap() {
        let mut known = with_id("2.8");
        let (one, two) = (known.assign(0, 3), known.assign(0, 2));
        known.failed(0, one, false);
        assert_eq!(stamped(&known, two), (0, 0));
        known.succeeded(0, two);
        assert_eq!(known.assign(0, 1), 3);
        assert_eq!(stamped(&known, 3), (0, 2));
    }

    #[test]
    fn nothing_new_is_sent_behind_a_batch_whose_outcome_is_not_known() {
        let mut known = with_id("2.8");
        let (one, two) = (known.assign(0, 1), known.assign(0, 1));
        known.failed(0, one, true);
        assert!(!known.may_send(0, None) && known.may_send(0, Some(two)));
        known.succeeded(0, two);
        assert!(known.may_send(0, None), "the second shows that the first was written");
        let three = known.assign(0, 1);
        assert_eq!(stamped(&known, three), (0, 2));
        known.failed(0, three, true);
        let four = known.assign(0, 1);
        assert_eq!(stamped(&known, four), (1, 0), "or the epoch rises");
    }
}
