//! Many deadlines on one timer.
//!
//! Nearly every deadline of a replica manager (a request's timeout, a fetch's longest wait) is cleared long
//! before it is due. So they are in a list of their own, and one timer is set: the earliest.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::nodes::broker::context::{Context, Part};
use crate::vocab::{BrokerId, Time, TimerId};

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A produce request's timeout.
    Produce(u64),
    /// The timeout of a DeleteRecords.
    DeleteRecords(u64),
    /// A fetch's longest wait.
    Fetch(u64),
    /// A fetcher may go on after a pause.
    Resume(BrokerId),
    /// A fetcher's request has been without an answer for `replica.socket.timeout.ms`.
    SocketTimeout(BrokerId),
    /// Look for followers that lag (every half `replica.lag.time.max.ms`).
    ShrinkIsr,
    /// Write `replication-offset-checkpoint`.
    CheckpointHighWatermarks,
    /// Write `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint`.
    CheckpointRecoveryPoints,
    /// Flush the logs that are due (`log.flush.scheduler.interval.ms`).
    FlushLogs,
    /// Delete segments that are too old, or too much (`log.retention.check.interval.ms`).
    DeleteOldSegments,
    /// Look for idempotent producers that were silent for long.
    ExpireProducers,
}

/// A deadline that was set, until it is due or cleared.
pub type Deadline = (Time, u64);

/// Deadlines, each with what is due then.
#[derive(Debug)]
pub struct Alarm<D> {
    /// Whose timer it is.
    part: Part,
    entries: BTreeMap<Deadline, D>,
    next: u64,
    armed: Option<(Time, TimerId)>,
    /// While what is due is being taken out, the timer is not armed.
    firing: bool,
}

impl<D> Alarm<D> {
    /// No deadlines, on a timer of `part`. It is the only timer of that part, with number 0.
    pub fn of(part: Part) -> Self {
        Self { part, entries: BTreeMap::new(), next: 0, armed: None, firing: false }
    }

    /// Sets a deadline.
    pub fn set(&mut self, cx: &mut Context<'_>, at: Time, due: D) -> Deadline {
        let deadline = (at, self.next);
        self.next += 1;
        self.entries.insert(deadline, due);
        self.arm(cx);
        deadline
    }

    /// Sets a deadline a span from now.
    pub fn set_after(&mut self, cx: &mut Context<'_>, span: Duration, due: D) -> Deadline {
        let at = cx.clock.now + span;
        self.set(cx, at, due)
    }

    /// Clears a deadline; nothing happens when it was due already.
    pub fn clear(&mut self, deadline: Deadline) {
        self.entries.remove(&deadline);
    }

    /// Sets the timer, unless it is due no later than the first deadline.
    fn arm(&mut self, cx: &mut Context<'_>) {
        let Some((&(first, _), _)) = self.entries.first_key_value() else {
            // The last deadline was just popped.
            return;
        };
        if self.firing {
            return;
        }
        if let Some((armed, timer)) = self.armed {
            if armed <= first {
                return;
            }
            cx.effects.cancel(timer);
        }
        self.armed = Some((first, cx.timer(self.part, first, 0)));
    }

    /// The world's timer is due: call [`Alarm::pop`] until it gives nothing.
    pub fn fired(&mut self) {
        self.armed = None;
        self.firing = true;
    }

    /// The next thing that is due, in the order of deadlines; when there is none, arms the timer again.
    pub fn pop(&mut self, cx: &mut Context<'_>) -> Option<D> {
        match self.entries.first_key_value() {
            Some((&deadline, _)) if deadline.0 <= cx.clock.now => self.entries.remove(&deadline),
            _ => {
                self.firing = false;
                self.arm(cx);
                None
            }
        }
    }
}
