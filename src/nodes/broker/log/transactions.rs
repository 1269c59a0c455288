//! The transactions of one log: those that are open, those whose end may not be replicated yet, and those that were
//! aborted (`ProducerStateManager.ongoingTxns` and `unreplicatedTxns`, `TransactionIndex`).

use std::collections::BTreeMap;

use crate::vocab::Offset;

/// A transaction that was aborted: an entry of the transaction index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Its producer's id.
    pub producer: i64,
    /// Offset of its first record.
    pub first: Offset,
    /// Offset of the marker that ended it.
    pub last: Offset,
    /// Where the earliest transaction that was open then began; behind the marker when there was none.
    stable: Offset,
}

impl Aborted {
    /// Whether it had no record. Its marker is its first record then.
    fn is_empty(&self) -> bool {
        self.first == self.last
    }
}

/// The transactions of one log.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    /// Producers with an open one, by the offset of its first record.
    open: BTreeMap<Offset, i64>,
    /// Offsets of the markers of those that have ended, by the offset of the first record.
    ended: BTreeMap<Offset, Offset>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
    /// All below is replicated.
    replicated: Offset,
}

impl Transactions {
    /// None, in a log of which the same is replicated.
    pub fn emptied(&self) -> Self {
        Self { replicated: self.replicated, ..Self::default() }
    }

    /// A producer's transaction begins.
    pub fn begin(&mut self, producer: i64, first: Offset) {
        self.open.insert(first, producer);
    }

    /// A producer's transaction ends with a marker; `first` is the marker's own offset when it had no record.
    pub fn end(&mut self, producer: i64, (first, marker): (Offset, Offset), is_aborted: bool) {
        self.open.remove(&first);
        if is_aborted {
            let stable = self.open.keys().next().copied().unwrap_or(marker + 1);
            self.aborted.push(Aborted { producer, first, last: marker, stable });
        }
        if marker >= self.replicated && first != marker {
            self.ended.insert(first, marker);
        }
    }

    /// All below an offset is replicated.
    pub fn replicated(&mut self, high_watermark: Offset) {
        self.replicated = high_watermark;
        if !self.ended.is_empty() {
            self.ended.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// The first offset of a transaction that is open or whose end is not replicated.
    pub fn first_unstable(&self) -> Option<Offset> {
        let first = |offset: Option<&Offset>| offset.copied().unwrap_or(Offset::MAX);
        let least = first(self.open.keys().next()).min(first(self.ended.keys().next()));
        (least < Offset::MAX).then_some(least)
    }

    /// Those of which a reader from `from` to `to` has to know. Up to 2.7 also those that had no record.
    pub fn aborted(&self, from: Offset, to: Offset, with_empty: bool) -> Vec<Aborted> {
        let begin = self.aborted.partition_point(|one| one.last < from);
        let mut found = Vec::new();
        for one in &self.aborted[begin..] {
            if one.is_empty() && !with_empty {
                continue;
            }
            if one.first < to {
                found.push(*one);
            }
            if one.stable >= to {
                break;
            }
        }
        found
    }

    /// The log's first segment begins at `base` now.
    pub fn drop_below(&mut self, base: Offset) {
        let gone = self.aborted.partition_point(|one| one.last < base);
        self.aborted.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(found: &[Aborted]) -> Vec<(i64, Offset)> {
        found.iter().map(|one| (one.producer, one.first)).collect()
    }

    /// `txn.two-then-plain-behind-open`: 1 at 0, 2 at 1, a plain record at 2, 1 aborted at 3, 2 committed at 4.
    #[test]
    fn a_reader_is_told_of_what_was_aborted_in_its_range() {
        let mut transactions = Transactions::default();
        transactions.begin(1, 0);
        transactions.begin(2, 1);
        assert_eq!(transactions.first_unstable(), Some(0));
        transactions.end(1, (0, 3), true);
        assert_eq!(transactions.first_unstable(), Some(0), "the marker is not replicated");
        transactions.replicated(4);
        assert_eq!(transactions.first_unstable(), Some(1));
        transactions.end(2, (1, 4), false);
        transactions.replicated(5);
        assert_eq!(transactions.first_unstable(), None);
        let of = |from, to| offsets(&transactions.aborted(from, to, false));
        assert_eq!((of(0, 5), of(2, 5), of(4, 5)), (vec![(1, 0)], vec![(1, 0)], vec![]));
        transactions.drop_below(4);
        assert_eq!(transactions.aborted(0, 5, false), []);
    }

    #[test]
    fn up_to_2_7_an_aborted_transaction_without_records_is_listed() {
        let mut transactions = Transactions::default();
        transactions.end(1, (7, 7), true);
        assert_eq!(offsets(&transactions.aborted(0, 8, true)), [(1, 7)]);
        assert_eq!(transactions.aborted(0, 8, false), []);
        assert_eq!(transactions.first_unstable(), None);
    }

    #[test]
    fn what_began_behind_the_range_is_not_listed_and_ends_the_look() {
        let mut transactions = Transactions::default();
        for (producer, first) in [(1, 0), (2, 10), (3, 20)] {
            transactions.begin(producer, first);
            transactions.end(producer, (first, first + 1), true);
        }
        assert_eq!(offsets(&transactions.aborted(0, 10, false)), [(1, 0)]);
        assert_eq!(offsets(&transactions.aborted(1, 21, false)), [(1, 0), (2, 10), (3, 20)]);
        assert_eq!(offsets(&transactions.aborted(2, 12, false)), [(2, 10)]);
    }
}
