//! `sim run`.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::chosen::Chosen;
use super::events::{self, events};
use super::format::Format;
use super::reports::Reports;
use super::seeds::Seeds;
use super::{Engine, Exit, Failure, Streams, stop, sweep, trace};
use crate::checkers::RunOutcome;
use crate::gateway::GatewayError;
use crate::report::{self, Provenance};
use crate::run::RunOptions;
use crate::scenario::Plan;
use crate::vocab::foreign::shell_path;

/// Run a scenario, with one seed or many, and judge it.
///
/// The same scenario and seed give the same run, to the byte. The report ends with the command that runs it again.
/// A run that fails writes a file for `sim replay`.
///
/// With --seeds, every seed is run and the result is a summary. The exit code is that of the worst seed, in the
/// order 70, 1, 3, 4, 0. Ctrl-C prints the summary of the seeds so far, and exits with 130; a second one ends at
/// once.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Play back what external clients sent, from a file that `sim serve --record` wrote.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub inbound: Option<PathBuf>,
    /// Run every seed from FIRST to LAST, and print a summary.
    #[arg(long, value_name = "FIRST..LAST", conflicts_with = "seed")]
    pub seeds: Option<Seeds>,
    /// Run N seeds at a time, if memory allows [default: one for each core].
    #[arg(long, value_name = "N", requires = "seeds")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    #[command(flatten)]
    pub reports: Reports,
    /// Write every event as a line to FILE; `-` is stdout.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub events: Option<PathBuf>,
    /// Show the logs of the nodes on stderr; repeat for more.
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "seeds")]
    pub verbose: u8,
    /// End when stdin does.
    #[arg(long, hide = true)]
    pub until_stdin_ends: bool,
}

pub(super) fn run(args: &Args, engine: Engine, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    if let Some(seeds) = &args.seeds {
        let Args { chosen, jobs, format, reports, .. } = args;
        let options = sweep::Options { chosen, seeds, jobs: *jobs, format: *format, reports };
        return sweep::sweep(&options, engine, streams);
    }
    if args.until_stdin_ends {
        stop::end_with(io::stdin()).map_err(Failure::Signals)?;
    }
    trace::start(args.verbose, streams.err_style, engine.now);
    let options = RunOptions { events: events(args.events.as_deref())?, ..RunOptions::default() };
    let plan = args.chosen.plan(engine)?;
    let (outcome, about) = match &args.inbound {
        Some(file) => with_inbound(args, engine, plan, options, file)?,
        None => plain(args, engine, plan, options, streams)?,
    };
    let report = match args.format {
        Format::Text => report::text(&outcome, &about, streams.out_style),
        Format::Json => report::json(&outcome, &about),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(outcome.judgement.status().into())
}

/// Runs a plan, and writes a file if it fails.
fn plain(
    args: &Args,
    engine: Engine,
    plan: Plan,
    options: RunOptions,
    streams: &mut Streams<'_>,
) -> Result<(RunOutcome, Provenance), Failure> {
    let mut replay = plan.command();
    let played = (engine.play)(plan, options);
    let ran = played.map_err(|error| events::failure(error, args.events.as_deref()))?;
    let file = args.reports.write(&ran, streams);
    if let Some(file) = &file {
        replay.push_str(&format!("\n  sim replay {}", shell_path(file)));
    }
    let outcome = ran.outcome.map_err(|_| Failure::Panic { replay })?;
    Ok((outcome, Provenance { file, ..Provenance::default() }))
}

/// Runs a plan with what external clients sent. It writes no file: the recording gives the same run again.
fn with_inbound(
    args: &Args,
    engine: Engine,
    plan: Plan,
    options: RunOptions,
    file: &Path,
) -> Result<(RunOutcome, Provenance), Failure> {
    let replay = format!("{} --inbound {}", plan.command(), shell_path(file));
    // Nothing is used after an unwind: the process ends with this run.
    let ran = catch_unwind(AssertUnwindSafe(|| (engine.play_back)(plan, options, file)));
    let outcome = ran.map_err(|_| Failure::Panic { replay: replay.clone() })?;
    let outcome = outcome.map_err(|error| match error {
        GatewayError::Run(error) => events::failure(error, args.events.as_deref()),
        error => error.into(),
    })?;
    Ok((outcome, Provenance { replay: Some(replay), ..Provenance::default() }))
}
