//! Mutants against checkers: which checker finds which planted bug, on the runs that are said to show it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{RunError, RunOptions, load, run_plan};
use crate::checkers::{PROPERTIES, RunOutcome, Status};
use crate::scenario::Plan;
use crate::vocab::{Mutant, Seed};

/// Runs that are done at the same time.
const THREADS: usize = 2;

/// Where a mutant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The planted bug.
    pub mutant: Mutant,
    /// The scenario's file name, without `.toml`.
    pub scenario: &'static str,
    /// The first seed by which it is found.
    pub seed: Seed,
}

impl Hunt {
    /// The command that shows it.
    pub fn command(&self) -> String {
        let Self { mutant, scenario, seed } = self;
        format!("sim run scenarios/{scenario}.toml --seed {} --mutant {mutant}", seed.0)
    }
}

const fn hunt(mutant: Mutant, scenario: &'static str, seed: u64) -> Hunt {
    Hunt { mutant, scenario, seed: Seed(seed) }
}

/// A run for each mutant that finds it, in the order of [`Mutant::ALL`].
pub const HUNTS: &[Hunt] = &[
    hunt(Mutant::TruncateToOwnHighWatermark, "leader_crash", 0),
    hunt(Mutant::AcknowledgeAlone, "leader_crash", 0),
];

/// What the checkers made of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// The mutant, and where it was looked for.
    pub hunt: Hunt,
    /// How many seeds were run, from the hunt's on.
    pub seeds: u64,
    /// In how many of them the run failed: something forbidden happened, or it did not converge.
    pub found: u64,
    /// In how many seeds each of [`PROPERTIES`] failed the run.
    pub by: Vec<u64>,
}

/// Runs every hunt, with `seeds` seeds each, on the scenarios in `folder`.
///
/// # Errors
/// When a scenario cannot be read, or is wrong.
pub fn catch_all(folder: &Path, seeds: u64) -> Result<Vec<Catch>, RunError> {
    let mut plans = Vec::new();
    for hunt in HUNTS {
        let scenario = load(&folder.join(hunt.scenario).with_extension("toml"))?;
        let numbers = hunt.seed.0..hunt.seed.0 + seeds;
        plans.extend(numbers.map(|seed| {
            let mutant = Some(hunt.mutant);
            Plan { mutant, ..scenario.plan(Seed(seed)) }
        }));
    }
    let outcomes = run_all(plans)?;
    let per_hunt = usize::try_from(seeds).expect("few seeds");
    let caught = HUNTS.iter().zip(outcomes.chunks(per_hunt));
    Ok(caught.map(|(hunt, outcomes)| catch(*hunt, outcomes)).collect())
}

fn fails(status: Status) -> bool {
    matches!(status, Status::Violated | Status::NotConverged)
}

fn catch(hunt: Hunt, outcomes: &[RunOutcome]) -> Catch {
    let count = |is_it: &dyn Fn(&RunOutcome) -> bool| -> u64 {
        outcomes.iter().map(|outcome| u64::from(is_it(outcome))).sum()
    };
    let by = PROPERTIES.iter().map(|property| {
        count(&|outcome| {
            outcome.judgement.find(property).is_some_and(|judged| fails(judged.status()))
        })
    });
    Catch {
        hunt,
        seeds: outcomes.len() as u64,
        found: count(&|outcome| fails(outcome.judgement.status())),
        by: by.collect(),
    }
}

/// Runs plans, a few at a time; each run has a thread of its own, and shares nothing.
fn run_all(plans: Vec<Plan>) -> Result<Vec<RunOutcome>, RunError> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(plan) = plans.get(index) else { return };
                    let outcome = run_plan(plan.clone(), RunOptions::default());
                    outcomes.lock().expect("nobody panics with it").push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("nobody panicked with it");
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
