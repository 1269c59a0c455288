//! What undoes faults: one by one at their time, and all that are left at the end of the plan's `duration`.

use super::Cluster;
use super::changed::Done;
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
            changed.revert(&mut self.world, self.plan);
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
            if changed.ends_with_the_faults() {
                changed.revert(&mut self.world, self.plan);
            }
        }
    }
}
