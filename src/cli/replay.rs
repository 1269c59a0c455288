//! `sim replay`.

use std::path::PathBuf;

use super::run::{Format, events};
use super::{Engine, Exit, Failure, Streams, trace};
use crate::report::{self, Provenance, Style};
use crate::run::{self, RunOptions};

/// Run a failure again, and say whether it is still there.
///
/// FILE is what a failed `sim run` wrote, or an edited copy of it. The answer is one of: the same
/// violation and the same run, event by event; the same violation on another path, because the code or
/// the file has changed since; or gone.
///
/// The exit code is that of the run as it is now: 1, 3 or 70 when it fails, 4 when it is
/// inconclusive, 0 when nothing is wrong any more.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The failure to run.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write every event as a line to EVENTS; `-` is stdout, before the report.
    #[arg(long, value_name = "EVENTS")]
    pub events: Option<PathBuf>,
    /// Show what the nodes log; twice or three times shows more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

pub(super) fn replay(
    args: &Args,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    trace::start(args.verbose, style == Style::Colour, engine.now);
    let failure = (engine.read_failure)(&args.file)?;
    let options = RunOptions { events: events(args.events.as_deref())?, ..RunOptions::default() };
    let replayed = run::replay(failure, options, engine.play)?;
    let replay = Some(format!("sim replay {}", args.file.display()));
    let about = Provenance { replay, ..Provenance::default() };
    let report = match args.format {
        Format::Text => report::replay_text(&replayed, &about, style),
        Format::Json => report::replay_json(&replayed, &about),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(match &replayed.ran.outcome {
        Ok(outcome) => outcome.judgement.status().into(),
        Err(_) => Exit::Bug,
    })
}
