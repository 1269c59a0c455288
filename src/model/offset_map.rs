//! Which record is at which offset of one partition, as clients saw it: in acknowledgements and in what they read.
//!
//! Kept as linear runs: neighbouring offsets whose records are of one producer, and apart by one stride
//! (1 when a producer writes to one partition, the number of partitions when it goes round), are one entry,
//! however many they are. A workload with keys has no such pattern; so the number of runs is bounded, and the
//! lowest are let go.

use std::collections::VecDeque;

use crate::model::ledger::Producer;
use crate::vocab::Offset;

/// Runs kept for each partition.
const RUNS_MAX: usize = 65_536;

/// A record of a producer in the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Who wrote it.
    pub producer: Producer,
    /// Its number at that producer.
    pub record: u64,
}

/// Neighbouring offsets whose records form a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first offset.
    pub base: Offset,
    /// How many offsets.
    pub len: u64,
    /// The record at the first offset.
    first: Value,
    /// From one record's number to the next one's; 0 for a run of one.
    stride: u64,
}

impl Run {
    fn of_one(offset: Offset, value: Value) -> Self {
        Self { base: offset, len: 1, first: value, stride: 0 }
    }

    /// The offset after the last.
    pub fn end(&self) -> Offset {
        self.base.saturating_add_unsigned(self.len)
    }

    /// The record at an offset of the run.
    pub fn value(&self, offset: Offset) -> Value {
        let index = offset.abs_diff(self.base);
        Value { record: self.first.record + index * self.stride, ..self.first }
    }

    /// The offset of a record, if it is in the run.
    fn offset_of(&self, value: Value) -> Option<Offset> {
        let distance = value.record.checked_sub(self.first.record)?;
        let index = match self.stride {
            0 => Some(distance).filter(|&distance| distance == 0)?,
            stride => Some(distance / stride).filter(|_| distance % stride == 0)?,
        };
        let inside = value.producer == self.first.producer && index < self.len;
        inside.then(|| self.base.saturating_add_unsigned(index))
    }

    /// This run and the one behind it as one, if both lie on a line.
    fn joined(&self, next: &Self) -> Option<Self> {
        let last = self.value(self.end() - 1);
        let stride = next.first.record.checked_sub(last.record).filter(|&stride| stride > 0)?;
        let fits = |run: &Self| run.len == 1 || run.stride == stride;
        let joins = self.end() == next.base
            && last.producer == next.first.producer
            && fits(self)
            && fits(next);
        joins.then(|| Self { len: self.len + next.len, stride, ..*self })
    }
}

/// What a client saw at an offset, compared with what was seen there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// Nothing was seen at the offset before.
    First,
    /// The same was seen before.
    Again,
    /// This other record was seen before.
    Otherwise(Value),
    /// It is too long ago.
    Forgotten,
}

/// The records of one partition, by offset.
#[derive(Clone, Debug, Default)]
pub struct OffsetMap {
    /// In the order of offsets; they do not overlap.
    runs: VecDeque<Run>,
    /// Nothing is known of offsets below.
    floor: Offset,
}

impl OffsetMap {
    /// A client saw `value` at `offset`.
    pub fn see(&mut self, offset: Offset, value: Value) -> Novelty {
        if offset < self.floor {
            return Novelty::Forgotten;
        }
        let new = Run::of_one(offset, value);
        // Nearly everything is seen at the end.
        let index = match self.runs.back() {
            Some(last) if last.base <= offset => self.runs.len(),
            _ => self.runs.partition_point(|run| run.base <= offset),
        };
        if let Some(before) = index.checked_sub(1) {
            let run = self.runs[before];
            if offset < run.end() {
                let known = run.value(offset);
                return if known == value { Novelty::Again } else { Novelty::Otherwise(known) };
            }
            if let Some(longer) = run.joined(&new) {
                self.runs[before] = longer;
                self.join(before);
                return Novelty::First;
            }
        }
        self.runs.insert(index, new);
        self.join(index);
        if self.runs.len() > RUNS_MAX
            && let Some(gone) = self.runs.pop_front()
        {
            self.floor = gone.end();
        }
        Novelty::First
    }

    /// Makes one run of that at `index` and the next, if they lie on a line.
    fn join(&mut self, index: usize) {
        let Some(next) = self.runs.get(index + 1) else { return };
        if let Some(joined) = self.runs[index].joined(next) {
            self.runs[index] = joined;
            self.runs.remove(index + 1);
        }
    }

    /// The offsets of a record, ascending; none when it was not seen, or too long ago.
    pub fn offsets_of(&self, value: Value) -> impl Iterator<Item = Offset> {
        self.runs.iter().filter_map(move |run| run.offset_of(value))
    }

    /// What was seen at the first offset at or after `from`.
    pub fn first_from(&self, from: Offset) -> Option<(Offset, Value)> {
        let index = self.runs.partition_point(|run| run.end() <= from);
        let run = self.runs.get(index)?;
        let offset = from.max(run.base);
        Some((offset, run.value(offset)))
    }

    /// Nothing is known of offsets below this one.
    pub fn floor(&self) -> Offset {
        self.floor
    }

    /// The runs, in the order of offsets.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &Run> {
        self.runs.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::vocab::Seed;

    fn value(record: u64) -> Value {
        Value { producer: 0, record }
    }

    #[test]
    fn behaves_like_a_map() {
        let mut stream = Seed(5).stream("offsets");
        for round in 0..200 {
            let stride = 1 + round % 3;
            let (mut map, mut model) = (OffsetMap::default(), BTreeMap::new());
            for _ in 0..80 {
                let offset = stream.below(60);
                // Mostly on a line, now and then off it, of one of two producers.
                let jitter = if stream.below(5) == 0 { stream.below(3) } else { 0 };
                let producer = usize::from(offset > 30);
                let value = Value { producer, record: offset * stride + jitter };
                let expected = match model.get(&offset) {
                    None => Novelty::First,
                    Some(known) if *known == value => Novelty::Again,
                    Some(known) => Novelty::Otherwise(*known),
                };
                model.entry(offset).or_insert(value);
                assert_eq!(map.see(offset as Offset, value), expected);
            }
            let seen: BTreeMap<u64, Value> = map
                .runs()
                .flat_map(|run| (run.base..run.end()).map(|at| (at as u64, run.value(at))))
                .collect();
            assert_eq!(seen, model);
            for (&offset, &value) in &model {
                assert!(map.offsets_of(value).any(|at| at == offset as Offset));
                assert!(map.offsets_of(value).all(|at| model[&(at as u64)] == value));
                assert_eq!(map.first_from(offset as Offset), Some((offset as Offset, value)));
            }
        }
    }

    #[test]
    fn records_on_a_line_are_one_run_in_whatever_order_they_came() {
        for stride in [1, 3] {
            let mut map = OffsetMap::default();
            for offset in (0..1_000).filter(|n| n % 2 == 0).chain((0..1_000).rev()) {
                map.see(offset, value(offset as u64 * stride));
            }
            assert_eq!(map.runs().len(), 1, "stride {stride}");
            assert!(map.offsets_of(value(7 * stride)).eq([7]));
        }
    }

    #[test]
    fn producers_that_take_turns_are_a_run_for_each_turn() {
        let mut map = OffsetMap::default();
        for offset in 0..100_u64 {
            let producer = (offset / 10 % 2) as usize;
            map.see(offset as Offset, Value { producer, record: offset });
        }
        assert_eq!(map.runs().len(), 10);
    }

    #[test]
    fn the_lowest_runs_are_let_go_and_not_guessed_at() {
        let mut map = OffsetMap::default();
        for offset in 0..2 * RUNS_MAX as i64 + 2 {
            // Falling numbers are no line.
            map.see(offset, value(u64::MAX - offset as u64));
        }
        assert_eq!(map.runs().len(), RUNS_MAX);
        assert_eq!(map.floor, RUNS_MAX as i64 + 2);
        assert_eq!(map.see(map.floor - 1, value(3)), Novelty::Forgotten);
        assert!(matches!(map.see(map.floor, value(3)), Novelty::Otherwise(_)));
    }
}
