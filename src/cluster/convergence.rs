//! The second phase: time passes until the healed cluster has converged.

use super::{Cluster, LOOK_EVERY};
use crate::model::{Missing, Reader};
use crate::releases::unnoted;

impl<R: Reader> Cluster<'_, R> {
    /// Lets time pass until nothing is missing, or until the scenario's budget is used up: then it returns what was.
    pub fn converge(&mut self) -> Option<Missing> {
        let deadline = self.world.now() + self.plan.expect.converge_within;
        let mut missing = unnoted(|| self.model().unconverged())?;
        while self.world.now() < deadline {
            self.advance(deadline.min(self.world.now() + LOOK_EVERY));
            // Mostly the same is missing as at the look before; only without it all partitions are looked at.
            let is_last = self.world.now() >= deadline;
            if is_last || !unnoted(|| self.model().is_still_missing(&missing)) {
                missing = unnoted(|| self.model().unconverged())?;
            }
        }
        Some(missing)
    }
}
