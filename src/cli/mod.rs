//! clap, colour, exit codes; one file per verb.
//!
//! The answer goes to stdout, everything else to stderr. What the verbs need of the layers below is handed
//! in as an [`Engine`], so that they can be tested with a made-up one.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checkers::RunOutcome;
use crate::gateway::{GatewayError, ServeOptions};
use crate::run::{Jobs, Ran, RunError, RunOptions};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::Time;

mod check;
mod chosen;
mod color;
mod determinism;
mod exit;
mod matrix;
mod mutants;
mod progress;
mod properties;
mod releases;
mod replay;
mod reports;
mod run;
mod serve;
mod sweep;
mod timeline;
mod trace;

pub use exit::Exit;

/// See [`run::many`](crate::run::many).
pub type Many = fn(&mut dyn Iterator<Item = Plan>, Jobs, &mut dyn FnMut(Ran) -> ControlFlow<()>);

/// What the verbs do their work with.
#[derive(Clone, Copy)]
pub struct Engine {
    /// Reads a scenario.
    pub load: fn(&Path) -> Result<Scenario, RunError>,
    /// Reads a failure.
    pub read_failure: fn(&Path) -> Result<scenario::Failure, RunError>,
    /// Runs a plan.
    pub play: fn(Plan, RunOptions) -> Result<Ran, RunError>,
    /// Runs a plan, with what clients from outside did when the file was recorded.
    pub play_back: fn(Plan, RunOptions, &Path) -> Result<RunOutcome, GatewayError>,
    /// Runs a plan in real time, for clients from outside.
    pub serve: fn(Plan, ServeOptions) -> Result<RunOutcome, GatewayError>,
    /// Runs plans, so many at a time, and hands each over in their own order.
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
    /// Whether `out` is a terminal.
    pub out_is_terminal: bool,
    /// Whether `err` is a terminal.
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
    /// Colour the answer: when stdout is a terminal, always, or never.
    ///
    /// NO_COLOR (set and not empty) and TERM=dumb turn `auto` off.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    color: color::When,
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
    #[error("cannot run myself: {0}")]
    Spawn(#[source] io::Error),
    /// The message of the panic stands on stderr already.
    #[error("this is a bug in sim; to see it again:\n  {replay}")]
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
            // Whoever read the answer has seen enough.
            Self::Output(error) | Self::Run(RunError::Events(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                Exit::Held
            }
            Self::Run(RunError::Unreadable { .. } | RunError::Scenario(_))
            | Self::Gateway(GatewayError::Unreadable { .. } | GatewayError::Recording { .. }) => {
                Exit::BadFile
            }
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

/// Does what the process's command line says.
pub fn main(engine: Engine) -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let (out_is_terminal, err_is_terminal) = (stdout.is_terminal(), stderr.is_terminal());
    // Not locked: a run writes its event log to stdout from a thread of its own.
    let (mut out, mut err) = (stdout, stderr);
    let mut streams = Streams { out: &mut out, err: &mut err, out_is_terminal, err_is_terminal };
    ExitCode::from(main_with(std::env::args_os(), engine, &mut streams) as u8)
}

/// Does what `args` say.
pub fn main_with(
    args: impl IntoIterator<Item = OsString>,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, streams),
    };
    let style = color::style(cli.color, streams.out_is_terminal);
    let done = match cli.verb {
        Verb::Run(args) => run::run(&args, style, engine, streams),
        Verb::Serve(args) => serve::serve(&args, style, engine, streams),
        Verb::Replay(args) => replay::replay(&args, style, engine, streams),
        Verb::Timeline(args) => timeline::timeline(&args, style, engine, streams),
        Verb::Check(args) => check::check(&args, engine, streams),
        Verb::Determinism(args) => determinism::determinism(&args, streams),
        Verb::Properties(_) => properties::properties(style, streams),
        Verb::Releases(args) => releases::releases(&args, style, streams),
        Verb::Matrix(args) => matrix::run(&args, style, streams),
        Verb::Mutants(args) => mutants::mutants(&args, style, streams),
    };
    let flushed = |exit| streams.out.flush().map(|()| exit).map_err(Failure::from);
    match done.and_then(flushed) {
        Ok(exit) => exit,
        Err(failure) => {
            if failure.exit() != Exit::Held {
                let text = failure.to_string();
                // When stderr is gone too, the exit code has to do.
                let _: io::Result<()> = writeln!(streams.err, "{}", text.trim_end());
            }
            failure.exit()
        }
    }
}

/// Help and versions are answers, everything else is a mistake.
fn not_parsed(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        let _: io::Result<()> = write!(streams.err, "{text}");
        return Exit::Usage;
    }
    match write!(streams.out, "{text}") {
        Err(error) => Failure::from(error).exit(),
        Ok(()) => Exit::Held,
    }
}

#[cfg(test)]
mod tests;
