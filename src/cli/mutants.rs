//! `sim mutants`.

use std::path::PathBuf;

use super::{Exit, Failure, Streams};
use crate::report;
use crate::run::mutants::run_cases;

/// List the bugs that can be planted, or show which checker finds which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run each mutant on the scenario that shows it, and count the seeds in which each checker finds it.
    #[arg(long)]
    pub table: bool,
    /// Run N seeds for each mutant, from the one that is known to show it.
    #[arg(long, value_name = "N", default_value = "1", requires = "table",
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub seeds: u64,
    /// Read the scenarios from FOLDER.
    #[arg(long, value_name = "FOLDER", default_value = "scenarios", requires = "table")]
    pub scenarios: PathBuf,
}

pub(super) fn mutants(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let style = streams.out_style;
    let text = match args.table {
        false => report::mutants(style),
        true => report::mutants_table(&run_cases(&args.scenarios, args.seeds)?, style),
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
