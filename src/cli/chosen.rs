//! Which run: what `run`, `serve`, `timeline` and `determinism` are told alike.

use std::path::PathBuf;

use super::{Engine, Failure};
use crate::run::DEFAULT_SEED;
use crate::scenario::Plan;
use crate::vocab::{Mutant, Seed};

/// A scenario, and what the command line decides of its run.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// The scenario to run.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Draw everything that is left to chance from SEED, 0 unless it is given.
    #[arg(long)]
    pub seed: Option<Seed>,
    /// Plant a known bug in the nodes, instead of the scenario's; `sim mutants` lists them.
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<Mutant>,
}

impl Chosen {
    /// The scenario with its seed, and the bug that is asked for if one is.
    pub(super) fn plan(&self, engine: Engine) -> Result<Plan, Failure> {
        let plan = (engine.load)(&self.scenario)?.plan(self.seed.unwrap_or(DEFAULT_SEED));
        Ok(Plan { mutant: self.mutant.or(plan.mutant), ..plan })
    }
}
