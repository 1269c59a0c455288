//! Ends a run in which virtual time does not move: a node that works without end at one moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::vocab::{NodeId, Time, nanos};

/// What counts as one moment. Messages of one connection arrive at least a nanosecond apart, so that nodes that
/// answer one another at once move time, if hardly.
const MOMENT: Duration = Duration::from_millis(10);
/// Events of one moment after which a run is ended: one every two nanoseconds.
const EVENTS_MAX: u64 = 5_000_000;
/// Events of one moment that are not counted by node; those that follow show which nodes go on without end.
const EVENTS_UNWATCHED: u64 = EVENTS_MAX / 2;
/// How many nodes are named.
const NAMED_MAX: usize = 3;

/// A run in which virtual time stood still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandsStill {
    /// When.
    pub at: Time,
    /// The nodes with the most events, the busiest first, with their share in per cent.
    pub busiest: Vec<(Arc<str>, u64)>,
}

impl fmt::Display for StandsStill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.busiest.iter().map(|(name, share)| format!("{name} ({share} %)"));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let (events, moment) = (EVENTS_MAX / 1_000_000, MOMENT.as_millis());
        write!(f, "virtual time stands still at {}: ", self.at)?;
        write!(f, "{events} million events within {moment} ms, most of them at {shares}")
    }
}

/// Counts the events of one moment.
#[derive(Debug, Default)]
pub struct Watchdog {
    ends: Time,
    events: u64,
    /// By node, of the events that were watched.
    by_node: Vec<u64>,
}

impl Watchdog {
    /// Counts an event at `now`; whether there were so many that its node is of interest.
    #[inline]
    pub fn passes(&mut self, now: Time) -> bool {
        if now >= self.ends {
            self.ends = now + MOMENT;
            self.events = 0;
            self.by_node.clear();
        }
        self.events += 1;
        self.events > EVENTS_UNWATCHED
    }

    /// Counts an event for its node; what ends the run, when there were too many.
    pub fn suspect(&mut self, node: NodeId) -> Option<Stuck> {
        let index = usize::from(node.0);
        if self.by_node.len() <= index {
            self.by_node.resize(index + 1, 0);
        }
        self.by_node[index] += 1;
        let at = Time(self.ends.0.saturating_sub(nanos(MOMENT)));
        (self.events > EVENTS_MAX).then(|| Stuck { at, by_node: std::mem::take(&mut self.by_node) })
    }
}

/// Too many events of one moment, by node.
pub struct Stuck {
    at: Time,
    by_node: Vec<u64>,
}

impl Stuck {
    /// Unwinds the stack with a [`StandsStill`], as a panic does, but without a message.
    pub fn end_run(self, name: impl Fn(NodeId) -> Arc<str>) -> ! {
        let all: u64 = self.by_node.iter().sum();
        let mut nodes: Vec<_> = (0..).map(NodeId).zip(self.by_node).collect();
        nodes.sort_by_key(|(node, events)| (std::cmp::Reverse(*events), *node));
        nodes.truncate(NAMED_MAX);
        let shares =
            nodes.into_iter().map(|(node, events)| (name(node), events * 100 / all.max(1)));
        let busiest = shares.filter(|(_, share)| *share > 0).collect();
        std::panic::resume_unwind(Box::new(StandsStill { at: self.at, busiest }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_events_are_no_alarm_while_time_moves() {
        let mut watchdog = Watchdog::default();
        for number in 0..2 * EVENTS_MAX {
            assert!(!watchdog.passes(Time(10 * number)), "{number}");
        }
    }

    #[test]
    fn events_of_one_moment_are_counted_by_node() {
        let mut watchdog = Watchdog::default();
        let mut stuck = None;
        for number in 0.. {
            if watchdog.passes(Time::from_millis(7)) {
                stuck = watchdog.suspect(NodeId(u16::from(number % 4 == 0)));
            }
            if stuck.is_some() {
                assert_eq!(number, EVENTS_MAX);
                break;
            }
        }
        let end = || stuck.unwrap().end_run(|node| format!("n{}", node.0).into());
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(end)).unwrap_err();
        let text = ended.downcast_ref::<StandsStill>().unwrap().to_string();
        let expected = "virtual time stands still at 0.007000s: 5 million events within 10 ms, \
                        most of them at n0 (75 %), n1 (25 %)";
        // Rounded down.
        assert_eq!(text.replace("74 %", "75 %").replace("24 %", "25 %"), expected);
    }
}
