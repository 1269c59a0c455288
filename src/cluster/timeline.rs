//! What is done to the cluster from outside, and when: clients that start, faults that fire and are undone.

use std::collections::BTreeMap;

use crate::scenario::{Action, Direction, Fault, Target};
use crate::vocab::{NodeId, Time};

/// One thing that is due.
#[derive(Clone, Debug)]
pub enum Due {
    /// A client's process begins.
    Start(NodeId),
    /// A fault of the plan, by its index there, fires.
    Fire(usize),
    /// A fault is undone, for those that it was done to.
    Undo(Done),
}

/// A fault that fired, as it has to be undone.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its index in the plan.
    pub fault: usize,
    /// The nodes that it was done to.
    pub nodes: Vec<NodeId>,
    /// The links, from sender to receiver, that it was done to.
    pub links: Vec<(NodeId, NodeId)>,
}

/// What is due, in the order of time; of two things due at once, the one that was added first comes first.
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

/// Directed links, from sender to receiver, that a fault of links touches.
pub fn links(action: &Action, nodes: &[NodeId], others: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let (out, back) = match action {
        Action::Partition { direction: Direction::In, .. } => (false, true),
        Action::Partition { direction: Direction::Out, .. } | Action::Cut { .. } => (true, false),
        Action::Partition { direction: Direction::Both, .. } | Action::Slow { .. } => (true, true),
        _ => (false, false),
    };
    let pairs = nodes.iter().flat_map(|&node| others.iter().map(move |&other| (node, other)));
    let mut links = Vec::new();
    for (node, other) in pairs.filter(|(node, other)| node != other) {
        if out {
            links.push((node, other));
        }
        if back {
            links.push((other, node));
        }
    }
    links
}

/// The receivers, or others, that a fault names besides its targets; `None` is "every other node".
pub fn others(action: &Action) -> Option<&[Target]> {
    match action {
        Action::Partition { from: others, .. }
        | Action::Slow { to: others, .. }
        | Action::Reset { to: others } => others.as_deref(),
        Action::Cut { to } => Some(to),
        _ => None,
    }
}

/// A fault in one line, with every role followed by who had it: `crash leader(orders-0) = b2`.
pub fn describe(fault: &Fault, resolved: &[(Target, String)]) -> String {
    let mut text = fault.to_string();
    for (target, names) in resolved.iter().filter(|(target, _)| !target.is_fixed()) {
        let role = target.to_string();
        text = text.replacen(&role, &format!("{role} = {names}"), 1);
    }
    text
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

    #[test]
    fn links_follow_the_direction_of_a_fault() {
        let (b1, b2, z1) = (NodeId(1), NodeId(2), NodeId(0));
        let partition = |direction| Action::Partition { from: None, direction };
        let links = |action: &Action| super::links(action, &[b1], &[b2, z1, b1]);
        assert_eq!(links(&partition(Direction::Out)), [(b1, b2), (b1, z1)]);
        assert_eq!(links(&partition(Direction::In)), [(b2, b1), (z1, b1)]);
        assert_eq!(links(&partition(Direction::Both)).len(), 4);
        assert_eq!(links(&Action::Crash), []);
    }
}
