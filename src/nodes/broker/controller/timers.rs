//! The controller's timers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::nodes::broker::context::{Context, Part};
use crate::vocab::BrokerId;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Ask ZooKeeper again.
    Retry,
    /// Look whether leaders are the preferred ones.
    Rebalance,
    /// A control request: its pause is over, or its response overdue.
    Control {
        /// The broker that it goes to.
        broker: BrokerId,
        /// Distinguishes this wait from later ones.
        attempt: u64,
    },
    /// A CreateTopics has waited long enough.
    Creation(u64),
}

/// Owns what the timers that are set are for.
#[derive(Debug, Default)]
pub struct Timers {
    by_number: BTreeMap<u64, Tick>,
    next: u64,
}

impl Timers {
    /// Sets a timer.
    pub fn set(&mut self, cx: &mut Context<'_>, after: Duration, tick: Tick) {
        let number = self.next;
        self.next += 1;
        self.by_number.insert(number, tick);
        cx.timer(Part::Controller, cx.clock.now + after, number);
    }

    /// What a timer that is due is for; `None` when the term in which it was set is over.
    pub fn take(&mut self, number: u64) -> Option<Tick> {
        self.by_number.remove(&number)
    }

    /// The term ended: only what is not bound to it stays.
    pub fn end_term(&mut self) {
        self.by_number.retain(|_, tick| matches!(tick, Tick::Retry | Tick::Creation(_)));
    }
}
