//! What a log remembers of idempotent producers, to distinguish a batch that is sent again from a new one
//! (`ProducerStateManager`).
//!
//! Leaders and followers alike note what they append; a process that starts, and a log that is cut, read it back from
//! the batches. Kafka begins there with a snapshot, which holds the last batch of each producer alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::transactions::Transactions;
use crate::vocab::Offset;
use crate::wire::markers::EndMarker;
use crate::wire::records::Batch;

/// Batches of a producer that are remembered (`ProducerStateEntry.NumBatchesToRetain`).
const REMEMBERED: usize = 5;
/// The epoch of a producer that is not known.
const NO_EPOCH: i16 = -1;
/// The sequence of a producer of which no batch is known.
const NO_SEQUENCE: i32 = -1;
/// The epoch of a coordinator that wrote no marker.
const NO_COORDINATOR: i32 = -1;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Sequence of its first record.
    pub first_sequence: i32,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Its largest timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// What is known of one producer (`ProducerStateEntry`).
#[derive(Clone, Debug)]
pub struct Producer {
    /// Its epoch.
    pub epoch: i16,
    /// The last ones of its epoch, oldest first; none when only the marker of a transaction is known.
    batches: VecDeque<Remembered>,
    /// The epoch of the coordinator that ended its last transaction; −1 when none has ended.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, if one is open.
    pub open_from: Option<Offset>,
    /// The offset of its last record or marker.
    last_offset: Offset,
    /// The largest timestamp of its last batch, or that of its marker, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
            coordinator_epoch: NO_COORDINATOR,
            open_from: None,
            last_offset: -1,
            timestamp_ms: -1,
        }
    }

    /// The sequence of its last record; −1 when only a marker is known.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NO_SEQUENCE, |last| last.last_sequence)
    }

    /// Takes an epoch; batches of another one are no longer remembered.
    fn take_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn note(&mut self, batch: &Batch) {
        self.take_epoch(batch.producer_epoch());
        if self.batches.len() == REMEMBERED {
            self.batches.pop_front();
        }
        self.last_offset = batch.last_offset;
        self.timestamp_ms = batch.max_timestamp_ms();
        self.batches.push_back(Remembered {
            first_sequence: batch.base_sequence(),
            last_sequence: batch.last_sequence(),
            first_offset: batch.base_offset,
            last_offset: batch.last_offset,
            timestamp_ms: self.timestamp_ms,
        });
    }

    /// What `batch` is to it, as far as its sequence says.
    fn sequence(&self, batch: &Batch, remembered: usize) -> Sequence {
        let (epoch, first) = (batch.producer_epoch(), batch.base_sequence());
        let last = batch.last_sequence();
        let mut recent = self.batches.iter().rev().take(remembered);
        let is_same = |one: &&Remembered| (one.first_sequence, one.last_sequence) == (first, last);
        if epoch == self.epoch
            && let Some(same) = recent.find(is_same)
        {
            return Sequence::Repeated(*same);
        }
        if epoch < self.epoch {
            return Sequence::Fenced;
        }
        if epoch != self.epoch {
            let begins = first == 0 || self.epoch == NO_EPOCH;
            return if begins { Sequence::Next } else { Sequence::OutOfOrder };
        }
        if first == after(self.last_sequence()) {
            return Sequence::Next;
        }
        match self.batches.front() {
            None => Sequence::BehindMarker,
            Some(oldest) if last < oldest.first_sequence => Sequence::Forgotten,
            Some(_) => Sequence::OutOfOrder,
        }
    }

    /// The time from which on it counts as silent: up to 2.3 that of its last batch alone (KAFKA-9144).
    fn heard_ms(&self, hears_markers: bool) -> i64 {
        match hears_markers {
            true => self.timestamp_ms,
            false => self.batches.back().map_or(-1, |last| last.timestamp_ms),
        }
    }
}

/// What a batch of a producer is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// It follows on the last one, or is the first of its epoch.
    Next,
    /// It was appended before.
    Repeated(Remembered),
    /// It has an epoch that ended.
    Fenced,
    /// The producer is not known, and this is not its first batch.
    Unknown,
    /// It lies before all that is remembered.
    Forgotten,
    /// Another one should come before it, or came.
    OutOfOrder,
    /// Only a marker is known of its producer in this epoch, and this is not the first batch behind it.
    BehindMarker,
    /// It is no part of a transaction, and its producer has one open.
    OutsideTransaction,
}

/// Why a marker is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Its producer has a newer epoch.
    Producer,
    /// A newer coordinator wrote one.
    Coordinator,
}

/// The producers of one log.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    by_id: BTreeMap<i64, Producer>,
    transactions: Transactions,
    /// Producers whose transaction is being verified.
    verifying: BTreeMap<i64, Verifying>,
    next_guard: u64,
}

/// A transaction that is being verified, until something of it is appended (`VerificationStateEntry`).
#[derive(Clone, Copy, Debug)]
struct Verifying {
    guard: u64,
    epoch: i16,
    /// The lowest that was asked for: it has to come first, or it could never be written.
    lowest_sequence: i32,
    since_ms: i64,
}

/// The sequence behind `sequence`.
fn after(sequence: i32) -> i32 {
    if sequence == i32::MAX { 0 } else { sequence + 1 }
}

impl Producers {
    /// What `batch` is to the log. At most `remembered` batches count as remembered (one before 1.0).
    pub fn sequence(&self, batch: &Batch, remembered: usize) -> Sequence {
        let is_behind = self.is_behind_verified(batch);
        let Some(known) = self.by_id.get(&batch.producer_id()) else {
            return match batch.base_sequence() {
                _ if is_behind => Sequence::OutOfOrder,
                0 => Sequence::Next,
                _ => Sequence::Unknown,
            };
        };
        match known.sequence(batch, remembered) {
            Sequence::Next if is_behind => Sequence::OutOfOrder,
            Sequence::Next if known.open_from.is_some() && !batch.is_transactional() => {
                Sequence::OutsideTransaction
            }
            other => other,
        }
    }

    /// What is known of a producer.
    pub fn get(&self, id: i64) -> Option<&Producer> {
        self.by_id.get(&id)
    }

    /// All producers, by their ids.
    pub fn all(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }

    /// Whether an epoch of a producer ended.
    pub fn is_fenced(&self, id: i64, epoch: i16) -> bool {
        self.by_id.get(&id).is_some_and(|known| epoch < known.epoch)
    }

    /// Whether a marker may be written that ends a transaction of a producer.
    ///
    /// # Errors
    /// When it comes from an older producer or coordinator.
    pub fn check_marker(&self, id: i64, epoch: i16, coordinator_epoch: i32) -> Result<(), Stale> {
        let Some(known) = self.by_id.get(&id) else { return Ok(()) };
        if epoch < known.epoch {
            return Err(Stale::Producer);
        }
        match coordinator_epoch < known.coordinator_epoch {
            true => Err(Stale::Coordinator),
            false => Ok(()),
        }
    }

    /// A guard for a batch that begins a transaction here; none when the producer has one open.
    pub fn verify(&mut self, (id, epoch): (i64, i16), sequence: i32, now_ms: i64) -> Option<u64> {
        if self.by_id.get(&id).is_some_and(|known| known.open_from.is_some()) {
            return None;
        }
        let next = self.next_guard;
        let new = Verifying { guard: next, epoch, lowest_sequence: sequence, since_ms: now_ms };
        let entry = self.verifying.entry(id).or_insert(new);
        self.next_guard += u64::from(entry.guard == next);
        if epoch == entry.epoch {
            entry.lowest_sequence = entry.lowest_sequence.min(sequence);
        } else if epoch > entry.epoch {
            (entry.epoch, entry.lowest_sequence) = (epoch, sequence);
        }
        Some(entry.guard)
    }

    /// Whether a transactional batch belongs to an open transaction, or has the guard of one that was verified.
    pub fn is_verified(&self, batch: &Batch, guard: Option<u64>) -> bool {
        let id = batch.producer_id();
        let is_open = self.by_id.get(&id).is_some_and(|known| known.open_from.is_some());
        is_open || guard.is_some() && self.verifying.get(&id).map(|one| one.guard) == guard
    }

    /// Whether a batch lies behind one whose transaction is being verified.
    fn is_behind_verified(&self, batch: &Batch) -> bool {
        let verifying = self.verifying.get(&batch.producer_id());
        verifying.is_some_and(|one| batch.base_sequence() > one.lowest_sequence)
    }

    /// The transactions of the log.
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The transactions of the log.
    pub fn transactions_mut(&mut self) -> &mut Transactions {
        &mut self.transactions
    }

    /// Notes a batch that is appended.
    pub fn note(&mut self, batch: &Batch) {
        let id = batch.producer_id();
        if id < 0 {
            return;
        }
        if batch.is_control() {
            if let Some(marker) = EndMarker::of(batch) {
                self.note_marker(batch, marker);
            }
            return;
        }
        let new = || Producer::new(batch.producer_epoch());
        let producer = self.by_id.entry(id).or_insert_with(new);
        producer.note(batch);
        if batch.is_transactional() {
            self.verifying.remove(&id);
        }
        if producer.open_from.is_none() && batch.is_transactional() {
            producer.open_from = Some(batch.base_offset);
            self.transactions.begin(id, batch.base_offset);
        }
    }

    fn note_marker(&mut self, batch: &Batch, marker: EndMarker) {
        let (id, epoch) = (batch.producer_id(), batch.producer_epoch());
        self.verifying.remove(&id);
        let producer = self.by_id.entry(id).or_insert_with(|| Producer::new(epoch));
        producer.take_epoch(epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_offset = batch.last_offset;
        producer.timestamp_ms = batch.max_timestamp_ms();
        let at = batch.base_offset;
        let first = producer.open_from.take().unwrap_or(at);
        self.transactions.end(id, (first, at), !marker.commit);
    }

    /// Forgets producers that are as long silent as `expiry` and have no transaction open, and gives their ids. Up to
    /// 2.3 markers do not count as a sign of life.
    pub fn expire(&mut self, expiry: Duration, now_ms: i64, hears_markers: bool) -> Vec<i64> {
        let limit_ms = i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX);
        let is_old = |known: &Producer| {
            let silent_ms = now_ms.saturating_sub(known.heard_ms(hears_markers));
            known.open_from.is_none() && silent_ms >= limit_ms
        };
        self.verifying.retain(|_, one| now_ms.saturating_sub(one.since_ms) < limit_ms);
        self.by_id.extract_if(.., |_, known| is_old(known)).map(|(id, _)| id).collect()
    }

    /// Whether it knows of a batch that ends at `end` or behind it.
    pub fn reaches(&self, end: Offset) -> bool {
        self.by_id.values().any(|producer| producer.last_offset >= end)
    }

    /// None, in a log of which the same is replicated.
    pub fn emptied(&self) -> Self {
        Self {
            transactions: self.transactions.emptied(),
            verifying: self.verifying.clone(),
            next_guard: self.next_guard,
            ..Self::default()
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = self.emptied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::BatchBuilder;

    const DAY: Duration = Duration::from_hours(24);

    fn batch(epoch: i16, sequence: i32, records: usize, at: Offset) -> Batch {
        let mut builder = BatchBuilder::new(1_000);
        (0..records).for_each(|_| builder.push(1_000, None, Some(b"x")));
        builder.of_producer(7, epoch, sequence).build().stamped(at, 0)
    }

    fn known(sequences: &[i32]) -> Producers {
        let mut producers = Producers::default();
        for (at, sequence) in (0..).zip(sequences) {
            producers.note(&batch(0, *sequence, 1, at));
        }
        producers
    }

    fn ask(producers: &Producers, batch: &Batch) -> Sequence {
        producers.sequence(batch, REMEMBERED)
    }

    #[test]
    fn the_last_five_batches_are_remembered() {
        // `idempotent.sequence.repeat-first-of-3` and `.back` of the recordings.
        let producers = known(&[0, 1, 2]);
        let Sequence::Repeated(first) = ask(&producers, &batch(0, 0, 1, 9)) else { panic!() };
        assert_eq!((first.first_offset, first.last_offset, first.timestamp_ms), (0, 0, 1_000));
        let before_1_0 = producers.sequence(&batch(0, 0, 1, 9), 1);
        assert_eq!(before_1_0, Sequence::OutOfOrder, "0.11 remembers one");
        let producers = known(&[0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(matches!(ask(&producers, &batch(0, 3, 1, 9)), Sequence::Repeated(_)));
        assert_eq!(ask(&producers, &batch(0, 1, 1, 9)), Sequence::Forgotten);
    }

    #[test]
    fn a_part_of_a_batch_is_not_the_batch() {
        // `idempotent.batch-of-3-then-part`
        let mut producers = Producers::default();
        producers.note(&batch(0, 0, 3, 0));
        assert_eq!(ask(&producers, &batch(0, 1, 2, 9)), Sequence::OutOfOrder);
        assert_eq!(ask(&producers, &batch(0, 0, 4, 9)), Sequence::OutOfOrder);
        assert_eq!(ask(&producers, &batch(0, 3, 1, 9)), Sequence::Next);
    }

    #[test]
    fn sequences_rise_by_one_and_begin_again_with_an_epoch() {
        let mut producers = known(&[0, 1]);
        assert_eq!(ask(&producers, &batch(0, 3, 1, 9)), Sequence::OutOfOrder, "a gap");
        assert_eq!(ask(&producers, &batch(1, 3, 1, 9)), Sequence::OutOfOrder, "newer-not-0");
        assert_eq!(ask(&producers, &batch(1, 0, 1, 9)), Sequence::Next);
        producers.note(&batch(1, 0, 1, 2));
        assert_eq!(ask(&producers, &batch(0, 2, 1, 9)), Sequence::Fenced);
        let producers = known(&[i32::MAX]);
        assert_eq!(ask(&producers, &batch(0, 0, 1, 9)), Sequence::Next, "wraps");
        let wraps = batch(0, i32::MAX - 1, 3, 0);
        assert_eq!(wraps.last_sequence(), 0);
    }

    #[test]
    fn a_producer_that_is_not_known_or_was_silent_begins_with_0() {
        let mut producers = known(&[0, 1]);
        let other = Producers::default();
        assert_eq!(ask(&other, &batch(0, 5, 1, 0)), Sequence::Unknown);
        assert_eq!(ask(&other, &batch(0, 0, 1, 0)), Sequence::Next);
        assert!(producers.reaches(1) && !producers.reaches(2));
        let late = 1_000 + i64::try_from(DAY.as_millis()).unwrap();
        assert_eq!(producers.expire(DAY, late - 1, true), [0_i64; 0]);
        assert_eq!(ask(&producers, &batch(0, 2, 1, 9)), Sequence::Next);
        assert_eq!(producers.expire(DAY, late, true), [7]);
        assert_eq!(ask(&producers, &batch(0, 2, 1, 9)), Sequence::Unknown);
    }

    fn transactional(epoch: i16, sequence: i32, at: Offset) -> Batch {
        let mut builder = BatchBuilder::new(1_000);
        builder.push(1_000, None, Some(b"x"));
        let builder = builder.of_producer(7, epoch, sequence).of_transaction(false);
        builder.build().stamped(at, 0)
    }

    fn marker(epoch: i16, coordinator_epoch: i32, commit: bool, at: Offset) -> Batch {
        let marker = EndMarker { commit, coordinator_epoch };
        marker.batch((7, epoch), 2_000).stamped(at, 0)
    }

    #[test]
    fn a_marker_ends_the_transaction_that_the_first_batch_began() {
        let mut producers = Producers::default();
        producers.note(&transactional(0, 0, 0));
        producers.note(&transactional(0, 1, 1));
        assert_eq!(producers.transactions().first_unstable(), Some(0));
        assert_eq!(ask(&producers, &batch(0, 2, 1, 2)), Sequence::OutsideTransaction);
        assert_eq!(ask(&producers, &transactional(0, 2, 2)), Sequence::Next);
        producers.note(&marker(0, 3, false, 2));
        producers.transactions_mut().replicated(3);
        assert_eq!(producers.transactions().first_unstable(), None);
        assert_eq!(ask(&producers, &batch(0, 2, 1, 3)), Sequence::Next, "the epoch is the same");
        assert_eq!(producers.check_marker(7, 0, 3), Ok(()));
        assert_eq!(producers.check_marker(7, 0, 2), Err(Stale::Coordinator));
        producers.note(&transactional(1, 0, 3));
        assert_eq!(producers.check_marker(7, 0, 3), Err(Stale::Producer));
        assert_eq!(producers.transactions().first_unstable(), Some(3));
    }

    #[test]
    fn a_marker_of_another_epoch_fences_and_is_all_that_is_known() {
        // `txn.state.init-while-open`, `txn.state.fenced-produce`: the marker has the next epoch.
        let mut producers = Producers::default();
        producers.note(&transactional(0, 0, 0));
        producers.note(&marker(1, 0, false, 1));
        assert_eq!(ask(&producers, &transactional(0, 1, 2)), Sequence::Fenced);
        assert_eq!(ask(&producers, &transactional(1, 1, 2)), Sequence::BehindMarker);
        assert_eq!(ask(&producers, &transactional(1, 0, 2)), Sequence::Next);
        assert_eq!(producers.get(7).map(Producer::last_sequence), Some(-1));
        assert!(producers.reaches(1) && !producers.reaches(2));
    }

    /// KAFKA-14884: an answer that comes behind a marker is worth nothing.
    #[test]
    fn a_guard_is_good_for_one_transaction() {
        let mut producers = Producers::default();
        let guard = producers.verify((7, 0), 0, 1_000);
        let first = transactional(0, 0, 0);
        assert!(producers.is_verified(&first, guard) && !producers.is_verified(&first, None));
        assert_eq!(producers.verify((7, 0), 3, 1_000), guard, "the same question");
        assert_eq!(ask(&producers, &transactional(0, 3, 0)), Sequence::OutOfOrder);
        producers.note(&first);
        assert_eq!(producers.verify((7, 0), 1, 1_000), None, "it is open");
        assert!(producers.is_verified(&transactional(0, 1, 1), None));
        producers.note(&marker(0, 0, false, 1));
        let second = producers.verify((7, 0), 1, 1_000);
        assert!(second.is_some() && second != guard);
        producers.note(&marker(0, 0, false, 2));
        assert!(!producers.is_verified(&transactional(0, 1, 3), second));
        let third = producers.verify((7, 0), 1, 1_000);
        assert!(third != second && producers.is_verified(&transactional(0, 1, 3), third));
    }

    #[test]
    fn a_producer_with_an_open_transaction_does_not_expire() {
        let mut producers = Producers::default();
        producers.note(&transactional(0, 0, 0));
        let late = 1_000 + i64::try_from(DAY.as_millis()).unwrap();
        assert_eq!(producers.expire(DAY, late + 9_000, true), [0_i64; 0]);
        // The marker's time is 2,000.
        producers.note(&marker(0, 0, true, 1));
        assert_eq!(producers.clone().expire(DAY, late, false), [7], "up to 2.3");
        assert_eq!(producers.expire(DAY, late, true), [0_i64; 0]);
        assert_eq!(producers.expire(DAY, late + 1_000, true), [7]);
    }
}
