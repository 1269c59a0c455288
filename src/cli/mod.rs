//! clap, colour, exit codes; one file per verb.
//!
//! The answer goes to stdout, everything else to stderr. The verbs call the layers below through an [`Engine`], so
//! that tests can give them a made-up one.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use anstream::AutoStream;
use anstream::stream::RawStream;
use clap::{ColorChoice, Parser, Subcommand};

use crate::checkers::RunOutcome;
use crate::gateway::{GatewayError, ServeOptions};
use crate::report::Style;
use crate::run::{Integrity, Jobs, Ran, RunError, RunOptions, Stop};
use crate::scenario::{self, Plan, Scenario};
use crate::vocab::Time;
use crate::vocab::foreign::{Foreign, ForeignLines, is_unprintable_in_lines};
use output::{Unheard, UntilGone};

mod check;
mod chosen;
mod determinism;
mod events;
mod exit;
mod explain;
mod format;
mod matrix;
mod mutants;
mod output;
mod progress;
mod properties;
mod releases;
mod replay;
mod reports;
mod run;
mod seeds;
mod serve;
mod stop;
mod sweep;
mod timeline;
mod trace;

pub use exit::Exit;
pub use stop::on_signals;

/// What [`run::many`](crate::run::many) calls with each outcome.
pub type Each<'a> = &'a mut dyn FnMut(Ran) -> ControlFlow<()>;
/// See [`run::many`](crate::run::many).
pub type Many = fn(&mut dyn Iterator<Item = Plan>, Jobs, &Stop, Each<'_>);

/// The functions of the layers below that the verbs call.
#[derive(Clone, Copy)]
pub struct Engine {
    /// Reads a scenario.
    pub load: fn(&Path) -> Result<Scenario, RunError>,
    /// Reads a failure.
    pub read_failure: fn(&Path, Integrity) -> Result<scenario::Failure, RunError>,
    /// Runs a plan.
    pub play: fn(Plan, RunOptions) -> Result<Ran, RunError>,
    /// Runs a plan, with what external clients sent when the file was recorded.
    pub play_back: fn(Plan, RunOptions, &Path) -> Result<RunOutcome, GatewayError>,
    /// Runs a plan in real time, for external clients.
    pub serve: fn(Plan, ServeOptions) -> Result<RunOutcome, GatewayError>,
    /// Runs plans, several at a time, and hands over the outcomes in the order of the plans.
    pub many: Many,
    /// What asks many runs to stop.
    pub stop: fn() -> io::Result<Stop>,
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
    Explain(explain::Args),
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
         sim replay reports/scenarios.last_replica-42.toml\n  \
         sim determinism scenarios/leader_crash.toml --seed 7\n\nExit codes:",
    );
    for &exit in Exit::ALL {
        text.push_str(&format!("\n  {:>3}  {}", exit as u8, exit.meaning()));
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
    #[error("cannot write to stdout: {0}")]
    Output(#[from] io::Error),
    #[error("cannot create {}: {source}", Foreign(path))]
    Create { path: String, source: io::Error },
    #[error("cannot write {}: {source}", Foreign(path))]
    Write { path: String, source: io::Error },
    #[error("{} is there and holds {what}: it stays as it is", Foreign(path))]
    NotOurs { path: String, what: &'static str },
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
            Self::Run(
                RunError::Unreadable { .. } | RunError::Scenario(_) | RunError::Damaged { .. },
            )
            | Self::Gateway(GatewayError::Unreadable { .. } | GatewayError::Recording { .. }) => {
                Exit::BadFile
            }
            Self::Run(RunError::StandsStill(_)) => Exit::NotConverged,
            Self::Create { source, .. } if is_full(source) => Exit::Unwritten,
            Self::Create { .. }
            | Self::NotOurs { .. }
            | Self::Gateway(GatewayError::Listen { .. } | GatewayError::Ports(_)) => Exit::Usage,
            Self::Run(RunError::Events(_))
            | Self::Gateway(GatewayError::Record(_) | GatewayError::Notices(_))
            | Self::Output(_)
            | Self::Write { .. } => Exit::Unwritten,
            Self::Gateway(_) | Self::Signals(_) | Self::Spawn(_) | Self::Panic { .. } => Exit::Bug,
        }
    }
}

/// Whether a disk has no room, or takes nothing.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
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
    std::panic::set_hook(Box::new(panicked));
    let run = || main_with(std::env::args_os(), engine, &mut streams);
    // Nothing is used after an unwind, whose message is on stderr already.
    let exit = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Exit::Bug);
    ExitCode::from(exit as u8)
}

/// Prints a panic as the standard library does; its message may quote a file or a client.
fn panicked(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let text = format!("thread '{}' {info}", thread.name().unwrap_or("-"));
    let mut err = Unheard(io::stderr());
    writeln!(err, "{}", ForeignLines(&text)).expect("stderr may be gone");
    // With RUST_BACKTRACE only.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        writeln!(err, "{backtrace}").expect("stderr may be gone");
    }
}

/// Runs a command line.
pub fn main_with(
    args: impl IntoIterator<Item = OsString>,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Exit {
    let streams = &mut Streams {
        out: &mut UntilGone::new(&mut *streams.out),
        err: &mut Unheard(&mut *streams.err),
        ..*streams
    };
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
        Verb::Explain(args) => explain::explain(&args, streams),
        Verb::Releases(args) => releases::releases(&args, streams),
        Verb::Matrix(args) => matrix::run(&args, engine, streams),
        Verb::Mutants(args) => mutants::mutants(&args, engine, streams),
    };
    let flushed = |exit| streams.out.flush().map(|()| exit).map_err(Failure::from);
    match done.and_then(flushed) {
        Ok(exit) => exit,
        Err(failure) => {
            say(&failure, streams);
            failure.exit()
        }
    }
}

/// Names a failure on stderr.
fn say(failure: &Failure, streams: &mut Streams<'_>) {
    let text = failure.to_string();
    writeln!(streams.err, "{}", ForeignLines(text.trim_end())).expect("stderr may be gone");
}

/// Help and versions go to stdout, mistakes to stderr.
fn not_parsed(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let rendered = error.render();
    // It may quote an argument.
    let plain = ForeignLines(&rendered.to_string()).to_string();
    let text = |style| match style {
        Style::Colour if !rendered.to_string().contains(is_unprintable_in_lines) => {
            rendered.ansi().to_string()
        }
        _ => plain.clone(),
    };
    if error.use_stderr() {
        let text = text(streams.err_style);
        streams.err.write_all(text.as_bytes()).expect("stderr may be gone");
        return Exit::Usage;
    }
    let text = text(streams.out_style);
    match streams.out.write_all(text.as_bytes()).and_then(|()| streams.out.flush()) {
        Err(error) => {
            let failure = Failure::from(error);
            say(&failure, streams);
            failure.exit()
        }
        Ok(()) => Exit::Held,
    }
}

#[cfg(test)]
mod tests;
