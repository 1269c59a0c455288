//! `sim replay`.

use std::path::PathBuf;

use super::events::{self, events};
use super::format::Format;
use super::{Engine, Exit, Failure, Streams, trace};
use crate::report::{self, Provenance};
use crate::run::{self, Integrity, RunOptions};
use crate::vocab::foreign::shell_path;

/// Run a failure again, and compare it with what was recorded.
///
/// FILE was written by a `sim run` that failed; with --edited it may be a copy that you changed. The result is one
/// of: the same violation in the same run, event by event; the same violation by another path, because the code or
/// the file has changed; or gone.
///
/// The exit code is that of the new run: 1, 3 or 70 when it fails, 4 when it is inconclusive, 0 when all holds.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The failure to run.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Run FILE though it is not as it was written.
    #[arg(long)]
    pub edited: bool,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write every event as a line to EVENTS; `-` is stdout.
    #[arg(long, value_name = "EVENTS")]
    pub events: Option<PathBuf>,
    /// Show the logs of the nodes on stderr; repeat for more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

pub(super) fn replay(
    args: &Args,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    trace::start(args.verbose, streams.err_style, engine.now);
    let integrity = if args.edited { Integrity::Edited } else { Integrity::Checked };
    let failure = (engine.read_failure)(&args.file, integrity)?;
    let options = RunOptions { events: events(args.events.as_deref())?, ..RunOptions::default() };
    let replayed = run::replay(failure, options, engine.play);
    let replayed = replayed.map_err(|error| events::failure(error, args.events.as_deref()))?;
    let edited = if args.edited { "--edited " } else { "" };
    let replay = Some(format!("sim replay {edited}{}", shell_path(&args.file)));
    let about = Provenance { replay, ..Provenance::default() };
    let report = match args.format {
        Format::Text => report::replay_text(&replayed, &about, streams.out_style),
        Format::Json => report::replay_json(&replayed, &about),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(match &replayed.ran.outcome {
        Ok(outcome) => outcome.judgement.status().into(),
        Err(_) => Exit::Bug,
    })
}
