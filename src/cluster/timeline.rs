//! What is done to the cluster from outside, and when: clients start, faults fire and are undone.

use std::collections::BTreeMap;

use super::changed::Done;
use crate::vocab::{NodeId, Time};

/// One thing that is due.
#[derive(Clone, Debug)]
pub enum Due {
    /// A client's process starts.
    Start(NodeId),
    /// A fault of the plan, by its index there, fires.
    Fire(usize),
    /// A fault is undone, for those that it was done to.
    Undo(Done),
}

/// What is due, by time; of two things due at once, first the one that was added first.
#[derive(Debug, Default)]
pub struct Timeline {
    due: BTreeMap<(Time, u64), Due>,
    added: u64,
}

impl Timeline {
    /// Adds something.
    pub fn add(&mut self, at: Time, due: Due) {
        self.due.insert((at, self.added), due);
        self.added += 1;
    }

    /// The next that is due at or before `until`, taken out.
    pub fn pop(&mut self, until: Time) -> Option<(Time, Due)> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, _), due) = entry.remove_entry();
        Some((at, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_not_before_its_time() {
        let mut timeline = Timeline::default();
        timeline.add(Time(20), Due::Fire(1));
        timeline.add(Time(10), Due::Fire(0));
        timeline.add(Time(20), Due::Fire(2));
        let mut seen = Vec::new();
        while let Some((at, Due::Fire(index))) = timeline.pop(Time(20)) {
            seen.push((at.0, index));
        }
        assert_eq!(seen, [(10, 0), (20, 1), (20, 2)]);
        timeline.add(Time(30), Due::Fire(3));
        assert!(timeline.pop(Time(29)).is_none());
    }
}
