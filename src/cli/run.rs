//! `sim run`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::ValueEnum;

use super::{Engine, Exit, Failure, Streams, replay, trace};
use crate::report::{self, Style};
use crate::run::RunOptions;
use crate::vocab::{Mutant, Seed};

/// Run a scenario once and judge it.
///
/// The same scenario and seed give the same run, to the byte. The report ends with the command that runs
/// it again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario to run.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Draw everything that is left to chance from SEED, not from the scenario's own.
    #[arg(long, value_parser = super::seed)]
    pub seed: Option<Seed>,
    /// Plant a known bug in the nodes, instead of the scenario's; `sim mutants` lists them.
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<Mutant>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write every event as a line to FILE; `-` is stdout, before the report.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Show what the nodes log; twice or three times shows more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How the outcome is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

pub(super) fn run(
    args: &Args,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    trace::start(args.verbose, style == Style::Colour, engine.now);
    let options =
        RunOptions { events: events(args)?, mutant: args.mutant, ..RunOptions::default() };
    // Unwinding leaves nothing behind that is used again: the process ends with this run.
    let ran = catch_unwind(AssertUnwindSafe(|| (engine.run)(&args.scenario, args.seed, options)));
    let outcome = ran
        .map_err(|_| Failure::Panic { replay: replay(&args.scenario, args.seed, args.mutant) })??;
    let report = match args.format {
        Format::Text => report::text(&outcome, style),
        Format::Json => report::json(&outcome),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(outcome.judgement.status().into())
}

#[expect(clippy::disallowed_methods, reason = "`--events` names a file of the user's")]
fn events(args: &Args) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = &args.events else { return Ok(None) };
    if path.as_os_str() == "-" {
        return Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, io::stdout()))));
    }
    let file = File::create(path)
        .map_err(|source| Failure::Create { path: path.display().to_string(), source })?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, file))))
}
