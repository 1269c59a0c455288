//! The latest acknowledgements with their times and offsets, for the evidence of a loss.
//!
//! Which records are lost is known from sets alone; this is only about telling when the first of them was
//! acknowledged and since when it is gone. It keeps a bounded number of runs (neighbours acknowledged at
//! one moment are one run), and sets aside the first ones that a new leader's log did not reach, as these
//! are the ones that will be asked for.

use std::collections::{BTreeMap, VecDeque};

use crate::model::ledger::Producer;
use crate::vocab::{LeaderEpoch, NodeId, Offset, Time, TopicPartition};

/// Runs of acknowledgements kept for each partition.
const RUNS_MAX: usize = 8_192;
/// Leaders' beginnings kept for each partition.
const REIGNS_MAX: usize = 512;
/// Runs set aside for each beginning of a leader, and for each partition.
const SUSPECTS_PER_REIGN: usize = 16;
const SUSPECTS_MAX: usize = 1_024;

/// Neighbouring records that were acknowledged at one moment.
#[derive(Clone, Copy, Debug)]
struct Run {
    time: Time,
    producer: Producer,
    record: u64,
    offset: Offset,
    len: u64,
}

/// The beginning of a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reign {
    /// When.
    pub time: Time,
    /// Who.
    pub leader: NodeId,
    /// In which epoch.
    pub leader_epoch: LeaderEpoch,
    /// Its log end offset.
    pub start: Offset,
}

#[derive(Clone, Debug, Default)]
struct Window {
    runs: VecDeque<Run>,
    suspects: Vec<Run>,
    reigns: VecDeque<Reign>,
}

/// An acknowledgement that was found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub at: TopicPartition,
    /// The record's offset.
    pub offset: Offset,
    /// When it was acknowledged.
    pub time: Time,
    /// The first leader afterwards whose log ended before it.
    pub gone: Option<Reign>,
}

/// The latest acknowledgements of all partitions.
#[derive(Clone, Debug, Default)]
pub struct AckWindow {
    partitions: BTreeMap<TopicPartition, Window>,
}

impl AckWindow {
    fn window(&mut self, at: &TopicPartition) -> &mut Window {
        if !self.partitions.contains_key(at) {
            self.partitions.insert(at.clone(), Window::default());
        }
        self.partitions.get_mut(at).expect("just inserted")
    }

    /// A record was acknowledged.
    pub fn acknowledged(
        &mut self,
        time: Time,
        producer: Producer,
        record: u64,
        at: &TopicPartition,
        offset: Offset,
    ) {
        let window = self.window(at);
        if let Some(run) = window.runs.back_mut()
            && (run.time, run.producer) == (time, producer)
            && run.record.wrapping_add(run.len) == record
            && run.offset.wrapping_add_unsigned(run.len) == offset
        {
            run.len += 1;
            return;
        }
        if window.runs.len() == RUNS_MAX {
            window.runs.pop_front();
        }
        window.runs.push_back(Run { time, producer, record, offset, len: 1 });
    }

    /// A leader began.
    pub fn became_leader(&mut self, at: &TopicPartition, reign: Reign) {
        let window = self.window(at);
        if window.reigns.len() == REIGNS_MAX {
            window.reigns.pop_front();
        }
        window.reigns.push_back(reign);
        let beyond = |run: &&Run| run.offset.saturating_add_unsigned(run.len) > reign.start;
        let room = SUSPECTS_MAX.saturating_sub(window.suspects.len()).min(SUSPECTS_PER_REIGN);
        window.suspects.extend(window.runs.iter().filter(beyond).take(room));
    }

    /// What is still known of the acknowledgement of `record`.
    pub fn find(&self, producer: Producer, topic: &str, record: u64) -> Option<Found> {
        let of_topic = self.partitions.iter().filter(|(at, _)| &*at.topic == topic);
        for (at, window) in of_topic {
            let mut runs = window.suspects.iter().chain(&window.runs);
            let holds = |run: &&Run| {
                run.producer == producer
                    && record.checked_sub(run.record).is_some_and(|index| index < run.len)
            };
            if let Some(run) = runs.find(holds) {
                let offset = run.offset.saturating_add_unsigned(record - run.record);
                let after = |reign: &&Reign| reign.time >= run.time && reign.start <= offset;
                let gone = window.reigns.iter().find(after).copied();
                return Some(Found { at: at.clone(), offset, time: run.time, gone });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reign(seconds: u64, start: Offset) -> Reign {
        let time = Time::from_millis(seconds * 1_000);
        Reign { time, leader: NodeId(1), leader_epoch: 1, start }
    }

    #[test]
    fn an_acknowledgement_is_found_with_the_leader_that_ended_it() {
        let at = TopicPartition::new("orders", 0);
        let mut window = AckWindow::default();
        for record in 0..10 {
            let offset = 100 + record as Offset;
            window.acknowledged(Time::from_millis(1_000), 0, record, &at, offset);
        }
        window.became_leader(&at, reign(2, 110));
        window.became_leader(&at, reign(3, 104));
        let gone = |record| window.find(0, "orders", record).expect("in the window").gone;
        assert_eq!(gone(3), None);
        assert_eq!(gone(4), Some(reign(3, 104)));
        assert_eq!(window.find(0, "orders", 4).expect("in the window").offset, 104);
        assert_eq!(window.find(0, "orders", 10), None);
        assert_eq!(window.find(1, "orders", 4), None);
        assert_eq!(window.find(0, "other", 4), None);
    }

    #[test]
    fn the_window_is_bounded_but_keeps_what_a_leader_did_not_reach() {
        let at = TopicPartition::new("orders", 0);
        let mut window = AckWindow::default();
        for record in 0..RUNS_MAX as u64 {
            window.acknowledged(Time(record), 0, record, &at, record as Offset);
        }
        window.became_leader(&at, Reign { time: Time(RUNS_MAX as u64), ..reign(0, 7) });
        for record in 0..2 * RUNS_MAX as u64 {
            let later = RUNS_MAX as u64 + record;
            window.acknowledged(Time(later), 0, later, &at, 7 + record as Offset);
        }
        assert_eq!(window.partitions[&at].runs.len(), RUNS_MAX);
        assert_eq!(window.find(0, "orders", 6), None);
        assert_eq!(window.find(0, "orders", 7).expect("set aside").time, Time(7));
    }
}
