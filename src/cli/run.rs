//! `sim run`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::chosen::Chosen;
use super::reports::Reports;
use super::sweep::{self, Seeds};
use super::{Engine, Exit, Failure, Streams, trace};
use crate::checkers::RunOutcome;
use crate::report::{self, Provenance, Style};
use crate::run::RunOptions;
use crate::scenario::Plan;

/// Run a scenario, once or with many seeds, and judge it.
///
/// The same scenario and seed give the same run, to the byte. The report ends with the command that runs
/// it again. A run that fails leaves a file, which `sim replay` runs again.
///
/// With --seeds, every seed is run whatever the others come to, and the end is a summary. Its exit code
/// is that of the worst seed: 70, else 1, 3, 4, 0.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Let in what clients from outside did, and when, as `sim serve --record FILE` wrote it.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub inbound: Option<PathBuf>,
    /// Run every seed from FIRST to LAST, and sum up.
    #[arg(long, value_name = "FIRST..LAST", conflicts_with = "seed")]
    pub seeds: Option<Seeds>,
    /// Run N seeds at a time, one for each core unless it is given.
    #[arg(long, value_name = "N", requires = "seeds")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    #[command(flatten)]
    pub reports: Reports,
    /// Write every event as a line to FILE; `-` is stdout, before the report.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub events: Option<PathBuf>,
    /// Show what the nodes log; twice or three times shows more.
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "seeds")]
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
    if let Some(seeds) = &args.seeds {
        return sweep::sweep(args, seeds, style, engine, streams);
    }
    trace::start(args.verbose, style == Style::Colour, engine.now);
    let options = RunOptions { events: events(args.events.as_deref())?, ..RunOptions::default() };
    let plan = args.chosen.plan(engine)?;
    let (outcome, about) = match &args.inbound {
        Some(file) => with_inbound(engine, plan, options, file)?,
        None => plain(args, engine, plan, options, streams)?,
    };
    let report = match args.format {
        Format::Text => report::text(&outcome, &about, style),
        Format::Json => report::json(&outcome, &about),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(outcome.judgement.status().into())
}

/// Runs a plan; a failure leaves a file.
fn plain(
    args: &Args,
    engine: Engine,
    plan: Plan,
    options: RunOptions,
    streams: &mut Streams<'_>,
) -> Result<(RunOutcome, Provenance), Failure> {
    let mut replay = plan.command();
    let ran = (engine.play)(plan, options)?;
    let file = args.reports.write(&ran, streams);
    if let Some(file) = &file {
        replay.push_str(&format!("\n  sim replay {}", file.display()));
    }
    let outcome = ran.outcome.map_err(|_| Failure::Panic { replay })?;
    Ok((outcome, Provenance { file, ..Provenance::default() }))
}

/// Runs a plan with what came from outside. Whatever it comes to, the recording is the file to have it again.
fn with_inbound(
    engine: Engine,
    plan: Plan,
    options: RunOptions,
    file: &Path,
) -> Result<(RunOutcome, Provenance), Failure> {
    let replay = format!("{} --inbound {}", plan.command(), file.display());
    // Unwinding leaves nothing behind that is used again: the process ends with this run.
    let ran = catch_unwind(AssertUnwindSafe(|| (engine.play_back)(plan, options, file)));
    let outcome = ran.map_err(|_| Failure::Panic { replay: replay.clone() })??;
    Ok((outcome, Provenance { replay: Some(replay), ..Provenance::default() }))
}

/// Where `--events` goes.
#[expect(clippy::disallowed_methods, reason = "`--events` names a file of the user's")]
pub(super) fn events(path: Option<&Path>) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    if path.as_os_str() == "-" {
        return Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, io::stdout()))));
    }
    let file = File::create(path)
        .map_err(|source| Failure::Create { path: path.display().to_string(), source })?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, file))))
}
