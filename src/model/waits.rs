//! How long operations waited for their acknowledgement, of each producer and in each partition.
//!
//! A partition is without an acknowledgement from when the application handed over a record for it, or from the last
//! acknowledgement on, as long as the record has not ended. So a partition without writes is not unavailable,
//! and one that is dead shows, however many others go on. Which partition a record is for shows when it is sent: one
//! that expires before is of none.

use std::collections::BTreeMap;

use super::availability::{Gap, longer};
use super::ledger::Producer;
use crate::vocab::{Time, TopicPartition};

/// A latency is kept with so many binary digits: to a thousandth.
const DIGITS: u32 = 10;

/// Latencies, as a histogram.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// How many there are of each length in nanoseconds, rounded up.
    counts: BTreeMap<u64, u64>,
    count: u64,
    max: u64,
}

impl Latencies {
    fn add(&mut self, nanos: u64) {
        let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(DIGITS);
        *self.counts.entry(nanos | ((1 << shift) - 1)).or_default() += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    /// What `per_thousand` of the latencies do not exceed, to a thousandth; `None` when there is none.
    pub fn quantile(&self, per_thousand: u64) -> Option<Time> {
        if per_thousand >= 1_000 {
            return (self.count > 0).then_some(Time(self.max));
        }
        let rank = (u128::from(self.count) * u128::from(per_thousand)).div_ceil(1_000);
        let mut before = 0;
        let found = self.counts.iter().find(|(_, count)| {
            before += u128::from(**count);
            before >= rank.max(1)
        });
        found.map(|(nanos, _)| Time(self.max.min(*nanos)))
    }
}

/// Times in which something waited and nothing was acknowledged.
#[derive(Clone, Debug, Default)]
struct Waited {
    /// Operations under way.
    open: u64,
    /// Since when nothing was acknowledged, while something is under way.
    since: Time,
    /// The last acknowledgement.
    last: Time,
    longest: Gap,
}

impl Waited {
    /// Something is under way that began at `time`, which can be long ago.
    fn began(&mut self, time: Time) {
        let since = time.max(self.last);
        self.since = if self.open == 0 { since } else { self.since.min(since) };
        self.open += 1;
    }

    fn ended(&mut self, time: Time, acknowledged: bool) {
        self.open -= 1;
        if acknowledged || self.open == 0 {
            self.longest = longer(self.longest, Gap { from: self.since, to: time });
            self.since = time;
        }
        if acknowledged {
            self.last = time;
        }
    }

    fn longest(&self, end: Time) -> Gap {
        match self.open {
            0 => self.longest,
            _ => longer(self.longest, Gap { from: self.since, to: end.max(self.since) }),
        }
    }
}

/// An operation under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: Time,
    /// The place of its partition, once it was sent.
    partition: Option<usize>,
}

#[derive(Clone, Debug)]
struct Partition {
    at: TopicPartition,
    acknowledged: u64,
    waited: Waited,
}

/// All that waited.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    open: BTreeMap<(Producer, u64), Open>,
    producers: BTreeMap<Producer, (Latencies, Waited)>,
    partitions: Vec<Partition>,
    places: BTreeMap<TopicPartition, usize>,
}

impl Waits {
    /// An operation began.
    pub fn invoked(&mut self, time: Time, producer: Producer, op: u64) {
        let open = Open { since: time, partition: None };
        if self.open.insert((producer, op), open).is_none() {
            self.producers.entry(producer).or_default().1.began(time);
        }
    }

    /// Records were sent to a partition, for the first time or again.
    pub fn sent(&mut self, producer: Producer, at: &TopicPartition, records: &[u64]) {
        let place = self.place(at);
        for record in records {
            let Some(open) = self.open.get_mut(&(producer, *record)) else { continue };
            if open.partition.is_none() {
                open.partition = Some(place);
                self.partitions[place].waited.began(open.since);
            }
        }
    }

    /// An operation ended, by an acknowledgement or otherwise.
    pub fn ended(&mut self, time: Time, producer: Producer, op: u64, acknowledged: bool) {
        let Some(open) = self.open.remove(&(producer, op)) else { return };
        let (latencies, waited) = self.producers.entry(producer).or_default();
        waited.ended(time, acknowledged);
        if acknowledged {
            latencies.add(u64::try_from(time.since(open.since).as_nanos()).unwrap_or(u64::MAX));
        }
        if let Some(place) = open.partition {
            let partition = &mut self.partitions[place];
            partition.acknowledged += u64::from(acknowledged);
            partition.waited.ended(time, acknowledged);
        }
    }

    /// The process of a producer ended: it waits for nothing more.
    pub fn gone(&mut self, time: Time, producer: Producer) {
        let of_it = self.open.range((producer, 0)..=(producer, u64::MAX));
        let ops: Vec<u64> = of_it.map(|((_, op), _)| *op).collect();
        ops.into_iter().for_each(|op| self.ended(time, producer, op, false));
    }

    fn place(&mut self, at: &TopicPartition) -> usize {
        if let Some(place) = self.places.get(at) {
            return *place;
        }
        let (acknowledged, waited) = (0, Waited::default());
        self.partitions.push(Partition { at: at.clone(), acknowledged, waited });
        self.places.insert(at.clone(), self.partitions.len() - 1);
        self.partitions.len() - 1
    }

    /// How long a producer waited for its acknowledgements.
    pub fn latencies(&self, producer: Producer) -> Option<&Latencies> {
        self.producers.get(&producer).map(|(latencies, _)| latencies)
    }

    /// The longest time in which a producer waited and nothing was acknowledged to it.
    pub fn longest(&self, producer: Producer, end: Time) -> Option<Gap> {
        self.producers.get(&producer).map(|(_, waited)| waited.longest(end))
    }

    /// Every partition that something was sent to, with how many records were acknowledged in it, and the longest time
    /// without an acknowledgement while something waited for one.
    pub fn partitions(&self, end: Time) -> impl Iterator<Item = (&TopicPartition, u64, Gap)> {
        self.places.values().map(move |place| {
            let Partition { at, acknowledged, waited } = &self.partitions[*place];
            (at, *acknowledged, waited.longest(end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn gap(from: u64, to: u64) -> Gap {
        Gap { from: Time(from), to: Time(to) }
    }

    fn gaps(waits: &Waits, end: u64) -> Vec<(i32, u64, Gap)> {
        let all = waits.partitions(Time(end));
        all.map(|(at, acknowledged, gap)| (at.partition, acknowledged, gap)).collect()
    }

    #[test]
    fn a_dead_partition_shows_while_another_goes_on() {
        let mut waits = Waits::default();
        for (op, partition) in [(0, 0), (1, 1)] {
            waits.invoked(Time(10), 0, op);
            waits.sent(0, &at(partition), &[op]);
        }
        for op in 2..9 {
            waits.ended(Time(10 * op), 0, op - 1, op != 2);
            waits.invoked(Time(10 * op), 0, op);
            waits.sent(0, &at(1), &[op]);
        }
        waits.ended(Time(100), 0, 0, true);
        // Handed over at 10, acknowledged at 100.
        assert_eq!(gaps(&waits, 500), [(0, 1, gap(10, 100)), (1, 6, gap(80, 500))]);
        assert_eq!(gaps(&waits, 90)[1], (1, 6, gap(10, 20)));
    }

    #[test]
    fn a_record_that_waited_to_be_sent_counts_from_when_it_was_handed_over() {
        let mut waits = Waits::default();
        waits.invoked(Time(10), 0, 0);
        waits.invoked(Time(40), 0, 1);
        waits.sent(0, &at(0), &[0]);
        waits.ended(Time(50), 0, 0, true);
        // It lay in the accumulator while its partition had no leader.
        waits.sent(0, &at(0), &[1]);
        waits.ended(Time(900), 0, 1, true);
        assert_eq!(gaps(&waits, 999), [(0, 2, gap(50, 900))]);
    }

    #[test]
    fn nothing_is_waited_for_after_the_end_of_a_process_and_between_operations() {
        let mut waits = Waits::default();
        waits.invoked(Time(0), 3, 0);
        waits.sent(3, &at(0), &[0]);
        waits.gone(Time(8), 3);
        waits.invoked(Time(1_000), 3, 1);
        waits.sent(3, &at(0), &[1]);
        waits.sent(3, &at(0), &[1]);
        waits.ended(Time(1_002), 3, 1, true);
        assert_eq!(gaps(&waits, 9_000), [(0, 1, gap(0, 8))]);
        assert_eq!(waits.longest(3, Time(9_000)), Some(gap(0, 8)));
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank_to_a_thousandth_and_the_longest_is_exact() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(500), None);
        (1..=1_000).for_each(|ms| latencies.add(ms * 1_000_003));
        for (per_thousand, ms) in [(500, 500), (990, 990), (1, 1)] {
            let (found, exact) = (latencies.quantile(per_thousand), ms * 1_000_003);
            let found = found.expect("there are some").0;
            assert!(found >= exact && found - exact <= exact / 500, "{found} of {exact}");
        }
        assert_eq!(latencies.quantile(1_000), Some(Time(1_000 * 1_000_003)));
        let mut one = Latencies::default();
        one.add(7);
        assert_eq!((one.quantile(500), one.quantile(990)), (Some(Time(7)), Some(Time(7))));
    }
}
