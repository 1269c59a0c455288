//! What a log remembers of idempotent producers, to distinguish a batch that is sent again from a new one
//! (`ProducerStateManager`).
//!
//! Leaders and followers alike note what they append; a process that starts, and a log that is cut, read it back from
//! the batches. Kafka begins there with a snapshot, which holds the last batch of each producer alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::vocab::Offset;
use crate::wire::records::Batch;

/// Batches of a producer that are remembered (`ProducerStateEntry.NumBatchesToRetain`).
const REMEMBERED: usize = 5;
/// The epoch of a producer that is not known.
const NO_EPOCH: i16 = -1;

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

/// What is known of one producer.
#[derive(Clone, Debug)]
struct Producer {
    epoch: i16,
    /// The last ones, oldest first; never empty.
    batches: VecDeque<Remembered>,
}

impl Producer {
    fn last(&self) -> &Remembered {
        self.batches.back().expect("a producer is known by a batch")
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
}

/// The producers of one log.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    by_id: BTreeMap<i64, Producer>,
}

/// The sequence behind `sequence`.
fn after(sequence: i32) -> i32 {
    if sequence == i32::MAX { 0 } else { sequence + 1 }
}

impl Producers {
    /// What `batch` is to the log. At most `remembered` batches count as remembered (one before 1.0).
    pub fn sequence(&self, batch: &Batch, remembered: usize) -> Sequence {
        let (epoch, first) = (batch.producer_epoch(), batch.base_sequence());
        let last = batch.last_sequence();
        let Some(known) = self.by_id.get(&batch.producer_id()) else {
            return if first == 0 { Sequence::Next } else { Sequence::Unknown };
        };
        let mut recent = known.batches.iter().rev().take(remembered);
        let is_same = |one: &&Remembered| (one.first_sequence, one.last_sequence) == (first, last);
        if epoch == known.epoch
            && let Some(same) = recent.find(is_same)
        {
            return Sequence::Repeated(*same);
        }
        if epoch < known.epoch {
            return Sequence::Fenced;
        }
        if epoch != known.epoch {
            let begins = first == 0 || known.epoch == NO_EPOCH;
            return if begins { Sequence::Next } else { Sequence::OutOfOrder };
        }
        if first == after(known.last().last_sequence) {
            return Sequence::Next;
        }
        let oldest = known.batches.front().expect("a producer is known by a batch");
        if last < oldest.first_sequence { Sequence::Forgotten } else { Sequence::OutOfOrder }
    }

    /// Notes a batch that is appended.
    pub fn note(&mut self, batch: &Batch) {
        let id = batch.producer_id();
        if id < 0 || batch.is_control() {
            return;
        }
        let epoch = batch.producer_epoch();
        let new = || Producer { epoch, batches: VecDeque::new() };
        let producer = self.by_id.entry(id).or_insert_with(new);
        if producer.epoch != epoch {
            *producer = new();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: batch.base_sequence(),
            last_sequence: batch.last_sequence(),
            first_offset: batch.base_offset,
            last_offset: batch.last_offset,
            timestamp_ms: batch.max_timestamp_ms(),
        });
    }

    /// Forgets producers whose last batch is as old as `expiry`, and gives their ids.
    pub fn expire(&mut self, expiry: Duration, now_ms: i64) -> Vec<i64> {
        let limit_ms = i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX);
        let is_old =
            |known: &Producer| now_ms.saturating_sub(known.last().timestamp_ms) >= limit_ms;
        self.by_id.extract_if(.., |_, known| is_old(known)).map(|(id, _)| id).collect()
    }

    /// Whether it knows of a batch that ends at `end` or behind it.
    pub fn reaches(&self, end: Offset) -> bool {
        self.by_id.values().any(|producer| producer.last().last_offset >= end)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_id.clear();
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
        assert_eq!(producers.expire(DAY, late - 1), [0_i64; 0]);
        assert_eq!(ask(&producers, &batch(0, 2, 1, 9)), Sequence::Next);
        assert_eq!(producers.expire(DAY, late), [7]);
        assert_eq!(ask(&producers, &batch(0, 2, 1, 9)), Sequence::Unknown);
    }
}
