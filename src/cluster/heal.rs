//! What undoes faults: one by one at their time, and all that are left at the end of the plan's `duration`.

use std::time::Duration;

use super::Cluster;
use super::changed::{Changed, Done};
use super::timeline::Due;
use crate::model::Reader;
use crate::vocab::Time;

impl<R: Reader> Cluster<'_, R> {
    /// Undoes a fault for the nodes and links that it was done to.
    pub fn undo(&mut self, done: Done) {
        let text = format!("{} {}", done.undo.verb(), self.list(&done.nodes));
        let now = self.world.now();
        self.world.observer_mut().undone(now, &text, &done.nodes);
        for changed in done.changed {
            self.outstanding.remove(&changed);
            self.revert(changed);
        }
    }

    /// Undoes, at the end of the first phase, every fault that is not undone yet.
    pub fn heal(&mut self) {
        while let Some((_, due)) = self.timeline.pop(Time::MAX) {
            if let Due::Undo(done) = due {
                self.undo(done);
            }
        }
        for changed in std::mem::take(&mut self.outstanding) {
            match changed {
                // The scenario gave no `restart-after`: the process is to stay stopped.
                Changed::Stopped(_) => {}
                Changed::Paused(_) | Changed::Cut(..) | Changed::Slowed(..) | Changed::Disk(_) => {
                    self.revert(changed);
                }
            }
        }
    }

    fn revert(&mut self, changed: Changed) {
        match changed {
            Changed::Stopped(node) => self.world.restart(node),
            Changed::Paused(node) => {
                self.world.resume(node);
            }
            Changed::Cut(from, to) => self.world.heal(from, to),
            Changed::Slowed(from, to) => self.world.slow(from, to, Duration::ZERO),
            Changed::Disk(node) => {
                let disk = &self.plan.disk;
                self.world.slow_disk(node, disk.write);
                self.world.set_fsync(node, disk.fsync.low..=disk.fsync.high);
            }
        }
    }
}
