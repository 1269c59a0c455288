//! The second phase: time passes until the healed cluster has converged.

use super::{Cluster, LOOK_EVERY};
use crate::model::{Missing, Reader};
use crate::releases::unnoted;

impl<R: Reader> Cluster<'_, R> {
    /// Lets time pass until nothing is missing, or until the scenario's budget is used up: then it returns what was.
    pub fn converge(&mut self) -> Option<Missing> {
        let deadline = self.world.now() + self.plan.expect.converge_within;
        loop {
            let missing = unnoted(|| self.model().unconverged())?;
            if self.world.now() >= deadline {
                return Some(missing);
            }
            self.advance(deadline.min(self.world.now() + LOOK_EVERY));
        }
    }
}
