//! Sets of numbers that mostly come in a row, kept as runs: a set of a million record numbers without a
//! gap takes as much memory as a set of one.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A set of `u64`, stored as its maximal runs of neighbours.
///
/// Memory and the time of [`insert`](Self::insert) depend on the number of runs, not of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalSet {
    /// First number of a run → its last. Runs neither touch nor overlap.
    runs: BTreeMap<u64, u64>,
    /// The highest run, kept out of the map: nearly every insertion extends it.
    top: Option<(u64, u64)>,
    len: u64,
}

impl IntervalSet {
    /// Adds `number`; whether it was not a member before.
    pub fn insert(&mut self, number: u64) -> bool {
        match &mut self.top {
            None => self.top = Some((number, number)),
            Some((first, last)) if number > *last => {
                if number == *last + 1 {
                    *last = number;
                } else {
                    self.runs.insert(*first, *last);
                    self.top = Some((number, number));
                }
            }
            Some((first, _)) if number >= *first => return false,
            Some(_) => return self.insert_below_top(number),
        }
        self.len += 1;
        true
    }

    /// `number` is below the first number of the highest run.
    fn insert_below_top(&mut self, number: u64) -> bool {
        let below = self.runs.range(..=number).next_back().map(|(&first, &last)| (first, last));
        if below.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let first = match below {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        self.len += 1;
        if let Some((top_first, _)) = &mut self.top
            && *top_first == number + 1
        {
            *top_first = first;
            self.runs.remove(&first);
            return true;
        }
        let last = self.runs.remove(&(number + 1)).unwrap_or(number);
        self.runs.insert(first, last);
        true
    }

    /// Whether `number` is a member.
    pub fn contains(&self, number: u64) -> bool {
        if let Some((first, last)) = self.top
            && number >= first
        {
            return number <= last;
        }
        self.runs.range(..=number).next_back().is_some_and(|(_, &last)| number <= last)
    }

    /// How many members there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The least member.
    pub fn first(&self) -> Option<u64> {
        self.runs().next().map(|run| *run.start())
    }

    /// The maximal runs, in ascending order.
    pub fn runs(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.runs.iter().map(|(&first, &last)| first..=last).chain(self.top.map(|(f, l)| f..=l))
    }

    /// The members that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        let mut others = other.runs().peekable();
        for run in self.runs() {
            let (mut from, last) = run.into_inner();
            loop {
                while others.next_if(|other| *other.end() < from).is_some() {}
                let Some(hole) = others.peek().filter(|other| *other.start() <= last) else {
                    rest.push_run(from, last);
                    break;
                };
                if *hole.start() > from {
                    rest.push_run(from, hole.start() - 1);
                }
                if *hole.end() >= last {
                    break;
                }
                from = hole.end() + 1;
            }
        }
        rest
    }

    /// Adds a run that lies above every member, and does not touch one.
    fn push_run(&mut self, first: u64, last: u64) {
        if let Some((top_first, top_last)) = self.top.replace((first, last)) {
            assert!(top_last + 1 < first, "runs are pushed in ascending order, with gaps");
            self.runs.insert(top_first, top_last);
        }
        self.len += last - first + 1;
    }
}

impl FromIterator<u64> for IntervalSet {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::vocab::Seed;

    fn agree(set: &IntervalSet, model: &BTreeSet<u64>) {
        assert_eq!(set.len(), model.len() as u64);
        assert_eq!(set.first(), model.first().copied());
        assert!(set.runs().flatten().eq(model.iter().copied()), "{set:?} is not {model:?}");
        let mut end_before = None;
        for run in set.runs() {
            assert!(end_before.is_none_or(|end| end + 1 < *run.start()), "runs touch: {set:?}");
            end_before = Some(*run.end());
        }
    }

    #[test]
    fn behaves_like_a_set_of_numbers() {
        let mut stream = Seed(3).stream("interval");
        for round in 0..200 {
            let bound = 1 + round % 40;
            let mut pair = [IntervalSet::default(), IntervalSet::default()];
            let mut models = [BTreeSet::new(), BTreeSet::new()];
            for _ in 0..60 {
                let side = stream.below(2) as usize;
                let number = stream.below(bound);
                assert_eq!(pair[side].insert(number), models[side].insert(number));
                agree(&pair[side], &models[side]);
            }
            for number in 0..bound + 2 {
                assert_eq!(pair[0].contains(number), models[0].contains(&number));
            }
            let rest = models[0].difference(&models[1]).copied().collect();
            agree(&pair[0].difference(&pair[1]), &rest);
        }
    }

    #[test]
    fn a_row_of_numbers_is_one_run_in_whatever_order_it_came() {
        let forward: IntervalSet = (0..1_000).collect();
        let backward: IntervalSet = (0..1_000).rev().collect();
        let odd_last: IntervalSet = (0..1_000).step_by(2).chain((1..1_000).step_by(2)).collect();
        for set in [forward, backward, odd_last] {
            assert_eq!(set.runs().collect::<Vec<_>>(), [0..=999]);
        }
    }

    #[test]
    fn the_greatest_number_is_a_member_like_any_other() {
        let mut set = IntervalSet::default();
        assert!(set.insert(u64::MAX));
        assert!(set.insert(u64::MAX - 1));
        assert!(!set.insert(u64::MAX));
        assert_eq!(set.runs().collect::<Vec<_>>(), [u64::MAX - 1..=u64::MAX]);
        assert!(set.difference(&set).is_empty());
    }
}
