//! A failure, run again.

use serde::Serialize;

use super::{Ran, RunError, RunOptions};
use crate::scenario::{Failure, Found};

/// How a run compares with the recorded failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// The same failure, and event by event the same run.
    SameRun,
    /// The same failure by other events: the code or the plan has changed since.
    OtherPath,
    /// The recorded failure does not happen. Another one may.
    Gone,
}

impl Comparison {
    /// Compares by the first violation, the worst: more or fewer violations beside it are still the same failure.
    /// All panics count as one.
    pub fn of(ran: &Ran, found: &Found) -> Self {
        let is_there = match (&ran.outcome, found.violations.first()) {
            (Err(_), _) => found.panicked.is_some(),
            (Ok(outcome), Some(first)) => outcome.violates(&first.property),
            (Ok(_), None) => false,
        };
        let fingerprint = ran.outcome.as_ref().ok().map(|outcome| outcome.fingerprint.0);
        let message = ran.outcome.as_ref().err().map(|panic| &panic.message);
        let is_same = fingerprint == found.fingerprint && message == found.panicked.as_ref();
        match (is_there, is_same) {
            (true, true) => Self::SameRun,
            (true, false) => Self::OtherPath,
            (false, _) => Self::Gone,
        }
    }
}

/// A failure that was run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The new run.
    pub ran: Ran,
    /// The recorded failure.
    pub found: Found,
    /// How the two compare.
    pub comparison: Comparison,
}

/// Runs the plan of a failure with `play` ([`play`](super::play)), and compares.
///
/// # Errors
/// Those of `play`.
pub fn replay(
    failure: Failure,
    options: RunOptions,
    play: impl FnOnce(crate::scenario::Plan, RunOptions) -> Result<Ran, RunError>,
) -> Result<Replayed, RunError> {
    let Failure { plan, found } = failure;
    let ran = play(plan, options)?;
    let comparison = Comparison::of(&ran, &found);
    Ok(Replayed { ran, found, comparison })
}
