//! `sim mutants`.

use std::path::PathBuf;

use super::{Exit, Failure, Streams};
use crate::report::{self, Style};
use crate::run::mutants::catch_all;

/// List the known bugs that can be planted, or show which checker finds which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run each mutant where it is known to show, and print in how many seeds each checker found it.
    #[arg(long)]
    pub table: bool,
    /// How many seeds are run for each mutant, from the one that is known to show it.
    #[arg(long, value_name = "N", default_value = "1", requires = "table",
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub seeds: u64,
    /// Where the scenarios are.
    #[arg(long, value_name = "FOLDER", default_value = "scenarios", requires = "table")]
    pub scenarios: PathBuf,
}

pub(super) fn mutants(
    args: &Args,
    style: Style,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let text = match args.table {
        false => report::mutants(style),
        true => report::catches(&catch_all(&args.scenarios, args.seeds)?, style),
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
