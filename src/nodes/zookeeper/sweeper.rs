//! When a leader or a standalone server looks for containers and znodes with a time to live that have to go
//! (`ContainerManager`).

use super::database::Database;
use super::step::Step;
use crate::vocab::{Time, TimerId};

/// The timer of sweeps.
pub(super) const SWEEP_TIMER: u64 = 2;

/// The timer of the next sweep.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    timer: Option<TimerId>,
}

impl Sweeper {
    /// Sets the timer: sweeps have a fixed rate since the server began its role at `since`, but take place only
    /// while there is something that may have to go.
    pub(super) fn arm(&mut self, step: &mut Step<'_>, db: &Database, since: Time) {
        if self.timer.is_none() && db.tree.perishable().next().is_some() {
            let interval = u64::from(step.config.sweep_interval_ms) * 1_000_000;
            let sweeps = (step.clock.now.0 - since.0) / interval + 1;
            let due = Time(since.0 + sweeps * interval);
            self.timer = Some(step.fx.timer(due, SWEEP_TIMER));
        }
    }

    /// Whether this is the timer of the next sweep; it has fired then.
    pub(super) fn fired(&mut self, id: TimerId) -> bool {
        self.timer.take_if(|current| *current == id).is_some()
    }

    /// The server begins another role: the rate counts from there.
    pub(super) fn reset(&mut self, step: &mut Step<'_>) {
        if let Some(timer) = self.timer.take() {
            step.fx.cancel(timer);
        }
    }
}
