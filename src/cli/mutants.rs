//! `sim mutants`.

use std::path::PathBuf;

use super::{Engine, Exit, Failure, Streams};
use crate::report;
use crate::run::mutants::run_cases;

/// List the bugs that can be planted, or show which checker finds which.
///
/// Ctrl-C prints the table as far as it is known, and exits with 130; a second one ends at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run each mutant on the scenario that shows it, and count the seeds in which each checker finds it.
    #[arg(long)]
    pub table: bool,
    /// Run N seeds for each mutant, from the one that is known to show it.
    #[arg(long, value_name = "N", default_value = "1", requires = "table",
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,
    /// Read the scenarios from FOLDER.
    #[arg(long, value_name = "FOLDER", default_value = "scenarios", requires = "table")]
    pub scenarios: PathBuf,
}

pub(super) fn mutants(
    args: &Args,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let style = streams.out_style;
    if !args.table {
        streams.out.write_all(report::mutants(style).as_bytes())?;
        return Ok(Exit::Held);
    }
    let stop = (engine.stop)().map_err(Failure::Signals)?;
    let hunt = run_cases(&args.scenarios, args.seeds, &stop)?;
    if let Some(fewer) = hunt.fewer {
        writeln!(streams.err, "{fewer}")?;
    }
    streams.out.write_all(report::mutants_table(&hunt, style).as_bytes())?;
    Ok(if hunt.not_run > 0 { Exit::Stopped } else { Exit::Held })
}
