//! Runs for test suites: a scenario and a seed give an outcome to assert on.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

use super::{Jobs, RunError, RunOptions, Stop, load, many, run_plan};
use crate::checkers::RunOutcome;
use crate::vocab::Seed;

/// Runs the scenario at `path` with `seed`.
///
/// # Errors
/// [`RunError::Unreadable`], or [`RunError::Scenario`] with all that is wrong in it.
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn seed(path: impl AsRef<Path>, seed: u64) -> Result<RunOutcome, RunError> {
    run_plan(load(path.as_ref())?.plan(Seed(seed)), RunOptions::default())
}

/// Runs the scenario at `path` with each of `seeds`, on all cores; in the order of the seeds.
///
/// # Errors
/// [`RunError::Unreadable`], or [`RunError::Scenario`] with all that is wrong in it.
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn seeds(
    path: impl AsRef<Path>,
    seeds: RangeInclusive<u64>,
) -> Result<Vec<RunOutcome>, RunError> {
    let scenario = load(path.as_ref())?;
    let mut outcomes = Vec::new();
    let plans = seeds.map(|seed| scenario.plan(Seed(seed)));
    many(plans, Jobs::default(), &Stop::default(), |ran| {
        let seed = ran.plan.seed.0;
        outcomes.push(ran.outcome.unwrap_or_else(|panic| panic!("seed {seed} {panic}")));
        ControlFlow::Continue(())
    });
    Ok(outcomes)
}
