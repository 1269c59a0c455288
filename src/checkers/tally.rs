//! Cases counted, of which the first is told: apart, those that the configuration permits.

use super::{Case, FirstCase, Permission, Verdict};

/// Cases of one property, some of which may be permitted and others forbidden.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    permitted: FirstCase,
    forbidden: FirstCase,
}

impl Tally {
    /// Counts one more case; the first of its kind is described.
    pub fn found(&mut self, permission: Permission, describe: impl FnOnce() -> Case) {
        match permission {
            Permission::Permitted => self.permitted.found(describe),
            Permission::Forbidden => self.forbidden.found(describe),
        }
    }

    /// Violated by the first forbidden case or, without one, by the first permitted one.
    pub fn verdict(&self) -> (Permission, Verdict) {
        let (permission, evidence) = match (self.forbidden.evidence(), self.permitted.evidence()) {
            (None, Some(permitted)) => (Permission::Permitted, Some(permitted)),
            (forbidden, _) => (Permission::Forbidden, forbidden),
        };
        (permission, Verdict::from_evidence(evidence))
    }
}
