//! `sim serve`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::chosen::Chosen;
use super::run::Format;
use super::{Engine, Exit, Failure, Streams, trace};
use crate::gateway::ServeOptions;
use crate::report::{self, Provenance, Style};
use crate::run::RunOptions;
use crate::scenario::Plan;

/// Run a scenario's cluster in real time, for real clients.
///
/// Every broker and every ZooKeeper server listens on a port of its own, and the scenario's faults reach who
/// is connected. The first lines say where servers listen (`broker b1 127.0.0.1:9092`), the line `ready` says
/// that the scenario's topics stand; with `--format json` they go to stderr.
///
/// Ends when the scenario's duration is over, or with Ctrl-C: connections are closed, what is left of the
/// scenario is simulated without waiting, and the run is judged as by `sim run`. Another Ctrl-C ends at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Where the first broker listens; the others on the ports behind it.
    #[arg(long, value_name = "ADDRESS", default_value_t = local(9092))]
    pub kafka: SocketAddr,
    /// Where the first ZooKeeper server listens; the others on the ports behind it.
    #[arg(long, value_name = "ADDRESS", default_value_t = local(2181))]
    pub zookeeper: SocketAddr,
    /// Take ports from PORT on, first for brokers, then for servers; 0 picks free ones.
    #[arg(long)]
    pub port: Option<u16>,
    /// Tell clients HOST as the place of the servers, not the address they listen on.
    #[arg(long, value_name = "HOST")]
    pub advertised_host: Option<String>,
    /// Let so many simulated seconds pass in each second.
    #[arg(long, value_name = "TIMES", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub speed: u32,
    /// Go on after the scenario's duration, until Ctrl-C.
    #[arg(long)]
    pub keep_running: bool,
    /// Write what comes from clients, and when, to FILE, for `sim run --inbound FILE`.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Show what the nodes log; twice or three times shows more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(super) fn serve(
    args: &Args,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    trace::start(args.verbose, style == Style::Colour, engine.now);
    let plan = args.chosen.plan(engine)?;
    let replay = replay(args, &plan);
    let (kafka, zookeeper) = addresses(args);
    let options = ServeOptions {
        kafka,
        zookeeper,
        advertised_host: args.advertised_host.clone(),
        speed: args.speed,
        keep_running: args.keep_running,
        record: record(args)?,
        // Not `streams`: another thread tells when the cluster is ready.
        notices: match args.format {
            Format::Text => Box::new(io::stdout()),
            Format::Json => Box::new(io::stderr()),
        },
        stop: stop_on_signals().map_err(Failure::Signals)?,
        run: RunOptions::default(),
    };
    // Unwinding leaves nothing behind that is used again: the process ends with this run.
    let ran = catch_unwind(AssertUnwindSafe(|| (engine.serve)(plan, options)));
    let outcome = ran.map_err(|_| Failure::Panic { replay: replay.clone() })??;
    let about = Provenance { replay: Some(replay), ..Provenance::default() };
    let report = match args.format {
        Format::Text => report::text(&outcome, &about, style),
        Format::Json => report::json(&outcome, &about),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(outcome.judgement.status().into())
}

/// Where brokers and ZooKeeper servers begin to listen.
fn addresses(args: &Args) -> (SocketAddr, SocketAddr) {
    let (mut kafka, mut zookeeper) = (args.kafka, args.zookeeper);
    if let Some(port) = args.port {
        kafka.set_port(port);
        zookeeper.set_port(port);
    }
    (kafka, zookeeper)
}

/// A flag that SIGINT or SIGTERM sets. Another signal, a second or more later, ends the process: not sooner, as
/// `timeout` and others send theirs twice, to the process and to its group.
#[expect(clippy::disallowed_methods, reason = "signals come in real time, beside any simulation")]
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    /// What a shell says of a process that SIGINT ended.
    const INTERRUPTED: i32 = 130;
    const LOOK: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_secs(1);
    let stop = Arc::new(AtomicBool::new(false));
    let impatient = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, impatient.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let asked = stop.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while !asked.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(PATIENCE);
        impatient.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}

/// What gives this run again, as far as anything can.
fn replay(args: &Args, plan: &Plan) -> String {
    match &args.record {
        Some(file) => format!("{} --inbound {}", plan.command(), file.display()),
        None => "needs what clients sent, and nothing was recorded (--record FILE)".to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "`--record` names a file of the user's")]
fn record(args: &Args) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = &args.record else { return Ok(None) };
    let file = File::create(path)
        .map_err(|source| Failure::Create { path: path.display().to_string(), source })?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, file))))
}
