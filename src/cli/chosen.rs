//! Which run: the options that `run`, `serve`, `timeline` and `determinism` share.

use std::path::PathBuf;

use super::{Engine, Failure};
use crate::run::DEFAULT_SEED;
use crate::scenario::Plan;
use crate::vocab::{Mutant, Seed};

/// A scenario, its seed and its mutant.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// The scenario to run.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Draw everything that is random from SEED [default: 0].
    #[arg(long)]
    pub seed: Option<Seed>,
    /// Plant a bug in the nodes; `sim mutants` lists them.
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<Mutant>,
}

impl Chosen {
    /// The scenario with its seed. `--mutant` replaces the scenario's own.
    pub(super) fn plan(&self, engine: Engine) -> Result<Plan, Failure> {
        let plan = (engine.load)(&self.scenario)?.plan(self.seed.unwrap_or(DEFAULT_SEED));
        Ok(Plan { mutant: self.mutant.or(plan.mutant), ..plan })
    }
}
