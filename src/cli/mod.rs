//! clap, colour, exit codes; one file per verb.
//!
//! The answer goes to stdout, everything else to stderr. The verbs call the layers below through an [`Engine`], so
//! that tests can give them a made-up one.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use anstream::AutoStream;
use anstream::stream::RawStream;
use clap::{ColorChoice, Parser, Subcommand};

use crate::checkers::RunOutcome;
use crate::gateway::{GatewayError, ServeOptions};
use crate::report::Style;
use crate::run::{Jobs, Ran, RunError, RunOptions};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::Time;

mod check;
mod chosen;
mod determinism;
mod events;
mod exit;
mod format;
mod matrix;
mod mutants;
mod progress;
mod properties;
mod releases;
mod replay;
mod reports;
mod run;
mod seeds;
mod serve;
mod sweep;
mod timeline;
mod trace;

pub use exit::Exit;

/// See [`run::many`](crate::run::many).
pub type Many = fn(&mut dyn Iterator<Item = Plan>, Jobs, &mut dyn FnMut(Ran) -> ControlFlow<()>);

/// The functions of the layers below that the verbs call.
#[derive(Clone, Copy)]
pub struct Engine {
    /// Reads a scenario.
    pub load: fn(&Path) -> Result<Scenario, RunError>,
    /// Reads a failure.
    pub read_failure: fn(&Path) -> Result<scenario::Failure, RunError>,
    /// Runs a plan.
    pub play: fn(Plan, RunOptions) -> Result<Ran, RunError>,
    /// Runs a plan, with what external clients sent when the file was recorded.
    pub play_back: fn(Plan, RunOptions, &Path) -> Result<RunOutcome, GatewayError>,
    /// Runs a plan in real time, for external clients.
    pub serve: fn(Plan, ServeOptions) -> Result<RunOutcome, GatewayError>,
    /// Runs plans, several at a time, and hands over the outcomes in the order of the plans.
    pub many: Many,
    /// Virtual time and the name of the node that is being stepped, for `-v`.
    pub now: fn() -> (Time, String),
}

/// Where output goes.
pub struct Streams<'a> {
    /// The answer.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
    /// Whether `out` has colour, unless `--color` says otherwise.
    pub out_style: Style,
    /// Whether `err` has colour, unless `--color` says otherwise.
    pub err_style: Style,
    /// Whether `err` is a terminal: only there progress is shown.
    pub err_is_terminal: bool,
}

/// Run a whole Kafka cluster from one seed, break it, and judge what it lost.
#[derive(Debug, Parser)]
#[command(
    name = "sim",
    version,
    term_width = 80,
    help_expected = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = after_help()
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Use colour: auto, always or never.
    ///
    /// `auto` decides for stdout and stderr apart: colour on a terminal, unless NO_COLOR is set or TERM=dumb.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        global = true,
        hide_possible_values = true
    )]
    color: ColorChoice,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Serve(serve::Args),
    Replay(replay::Args),
    Timeline(timeline::Args),
    Check(check::Args),
    Determinism(determinism::Args),
    Properties(properties::Args),
    Releases(releases::Args),
    Mutants(mutants::Args),
    Matrix(matrix::Args),
}

fn after_help() -> String {
    let mut text = String::from(
        "Examples:\n  \
         sim run scenarios/leader_crash.toml\n  \
         sim run scenarios/leader_crash.toml --seed 7 --format json | jq .producers\n  \
         sim run scenarios/leader_crash.toml --seeds 1..1000\n  \
         sim replay reports/last_replica-42.toml\n  \
         sim determinism scenarios/leader_crash.toml --seed 7\n\nExit codes:",
    );
    for &exit in Exit::ALL {
        text.push_str(&format!("\n  {:>2}  {}", exit as u8, exit.meaning()));
    }
    text
}

/// Why a verb has no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Gateway(GatewayError),
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
    #[error("cannot create {path}: {source}")]
    Create { path: String, source: io::Error },
    #[error("cannot start sim a second time: {0}")]
    Spawn(#[source] io::Error),
    /// The message of the panic is on stderr already.
    #[error("this is a bug in sim; to reproduce it:\n  {replay}")]
    Panic { replay: String },
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Run(error) => Self::Run(error),
            error => Self::Gateway(error),
        }
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            // The reader, `head` or a pager, has seen enough.
            Self::Output(error) | Self::Run(RunError::Events(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                Exit::Held
            }
            Self::Run(RunError::Unreadable { .. } | RunError::Scenario(_))
            | Self::Gateway(GatewayError::Unreadable { .. } | GatewayError::Recording { .. }) => {
                Exit::BadFile
            }
            Self::Run(RunError::StandsStill(_)) => Exit::NotConverged,
            Self::Create { .. }
            | Self::Gateway(GatewayError::Listen { .. } | GatewayError::Ports(_)) => Exit::Usage,
            Self::Run(RunError::Events(_))
            | Self::Gateway(_)
            | Self::Signals(_)
            | Self::Output(_)
            | Self::Spawn(_)
            | Self::Panic { .. } => Exit::Bug,
        }
    }
}

/// Whether a stream has colour by itself: a terminal that knows it, and no NO_COLOR.
fn auto_style(stream: &impl RawStream) -> Style {
    match AutoStream::choice(stream) {
        anstream::ColorChoice::Never => Style::Plain,
        _ => Style::Colour,
    }
}

/// Runs the process's command line.
pub fn main(engine: Engine) -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let (out_style, err_style) = (auto_style(&stdout), auto_style(&stderr));
    let err_is_terminal = stderr.is_terminal();
    // Not locked: a run writes its event log to stdout from a thread of its own.
    let (mut out, mut err) = (stdout, stderr);
    let mut streams =
        Streams { out: &mut out, err: &mut err, out_style, err_style, err_is_terminal };
    ExitCode::from(main_with(std::env::args_os(), engine, &mut streams) as u8)
}

/// Runs a command line.
pub fn main_with(
    args: impl IntoIterator<Item = OsString>,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, streams),
    };
    match cli.color {
        ColorChoice::Auto => {}
        ColorChoice::Always => {
            (streams.out_style, streams.err_style) = (Style::Colour, Style::Colour)
        }
        ColorChoice::Never => (streams.out_style, streams.err_style) = (Style::Plain, Style::Plain),
    }
    let done = match cli.verb {
        Verb::Run(args) => run::run(&args, engine, streams),
        Verb::Serve(args) => serve::serve(&args, engine, streams),
        Verb::Replay(args) => replay::replay(&args, engine, streams),
        Verb::Timeline(args) => timeline::timeline(&args, engine, streams),
        Verb::Check(args) => check::check(&args, engine, streams),
        Verb::Determinism(args) => determinism::determinism(&args, streams),
        Verb::Properties(_) => properties::properties(streams),
        Verb::Releases(args) => releases::releases(&args, streams),
        Verb::Matrix(args) => matrix::run(&args, streams),
        Verb::Mutants(args) => mutants::mutants(&args, streams),
    };
    let flushed = |exit| streams.out.flush().map(|()| exit).map_err(Failure::from);
    match done.and_then(flushed) {
        Ok(exit) => exit,
        Err(failure) => {
            if failure.exit() != Exit::Held {
                let text = failure.to_string();
                // When stderr is gone, too, the exit code is all there is.
                let _: io::Result<()> = writeln!(streams.err, "{}", text.trim_end());
            }
            failure.exit()
        }
    }
}

/// Help and versions go to stdout, mistakes to stderr.
fn not_parsed(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let rendered = error.render();
    let text = |style| match style {
        Style::Plain => rendered.to_string(),
        Style::Colour => rendered.ansi().to_string(),
    };
    if error.use_stderr() {
        let _: io::Result<()> = streams.err.write_all(text(streams.err_style).as_bytes());
        return Exit::Usage;
    }
    match streams.out.write_all(text(streams.out_style).as_bytes()) {
        Err(error) => Failure::from(error).exit(),
        Ok(()) => Exit::Held,
    }
}

#[cfg(test)]
mod tests;
