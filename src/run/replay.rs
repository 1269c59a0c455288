//! A failure, run again.

use serde::Serialize;

use super::{Ran, RunError, RunOptions};
use crate::scenario::{Failure, Found};

/// How a run compares with what was found when it ran before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// It fails in the same way, and event by event it is the same run.
    SameRun,
    /// It fails in the same way, by other events: the code or the plan has changed since.
    OtherPath,
    /// What was found then is not found now. Something else may be.
    Gone,
}

impl Comparison {
    /// Compares by what was found first, the worst: a run that violates more or less beside it is still the
    /// same failure. All panics are one.
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
    /// What it came to this time.
    pub ran: Ran,
    /// What was found before.
    pub found: Found,
    /// How the two compare.
    pub comparison: Comparison,
}

/// Runs the plan of a failure, and compares, by way of `play`: [`play`](super::play).
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
