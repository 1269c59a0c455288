//! `sim serve`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::chosen::Chosen;
use super::events;
use super::format::Format;
use super::output::UntilGone;
use super::{Engine, Exit, Failure, Streams, trace};
use crate::gateway::{RECORDING_BEGINS, Record, ServeOptions};
use crate::report::{self, Provenance};
use crate::run::RunOptions;
use crate::scenario::Plan;
use crate::vocab::foreign::shell_path;

/// Run a scenario's cluster in real time, for real clients.
///
/// Every broker and every ZooKeeper server listens on a port of its own, and the scenario's faults affect its
/// clients. The first lines name the ports (`broker b1 127.0.0.1:9092`); the line `ready` means that the
/// scenario's topics exist. With `--format json` these lines go to stderr.
///
/// Ends after the scenario's duration, or with Ctrl-C. Then connections are closed, the rest of the scenario is
/// simulated without waiting, and the run is judged as by `sim run`. A second Ctrl-C ends at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Address of the first broker; the others get the next ports.
    #[arg(long, value_name = "ADDRESS", default_value_t = local(9092))]
    pub kafka: SocketAddr,
    /// Address of the first ZooKeeper server; the others get the next ports.
    // Scripts that were written for the former word go on.
    #[arg(long, alias = "coordinator", value_name = "ADDRESS", default_value_t = local(2181))]
    pub zookeeper: SocketAddr,
    /// Use ports from PORT on, first for brokers, then for ZooKeeper; 0 picks free ports.
    #[arg(long)]
    pub port: Option<u16>,
    /// Advertise HOST to clients instead of the address that servers listen on.
    #[arg(long, value_name = "HOST")]
    pub advertised_host: Option<String>,
    /// Simulate this many seconds in each second of real time.
    #[arg(long, value_name = "TIMES", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub speed: u32,
    /// Continue after the scenario's duration, until Ctrl-C.
    #[arg(long)]
    pub keep_running: bool,
    /// Record what clients send to FILE, for `sim run --inbound FILE`.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Stop recording when FILE has so many bytes; serving goes on.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30, requires = "record")]
    pub record_limit: u64,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Show the logs of the nodes on stderr; repeat for more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(super) fn serve(
    args: &Args,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    trace::start(args.verbose, streams.err_style, engine.now);
    let plan = args.chosen.plan(engine)?;
    let is_full = Arc::new(AtomicBool::new(false));
    let replay = replay(args, &plan);
    let (kafka, zookeeper) = addresses(args);
    let options = ServeOptions {
        kafka,
        zookeeper,
        advertised_host: args.advertised_host.clone(),
        speed: args.speed,
        keep_running: args.keep_running,
        record: record(args, &is_full)?,
        // Not `streams`: another thread writes that the cluster is ready.
        notices: match args.format {
            Format::Text => Box::new(UntilGone::new(io::stdout())),
            Format::Json => Box::new(io::stderr()),
        },
        stop: (engine.stop)().map_err(Failure::Signals)?.flag(),
        run: RunOptions::default(),
    };
    // Nothing is used after an unwind: the process ends with this run.
    let ran = catch_unwind(AssertUnwindSafe(|| (engine.serve)(plan, options)));
    let outcome = ran.map_err(|_| Failure::Panic { replay: replay.clone() })??;
    let replay = match &args.record {
        Some(file) if is_full.load(Ordering::Relaxed) => {
            format!("impossible: {} is full (--record-limit)", file.display())
        }
        _ => replay,
    };
    let about = Provenance { replay: Some(replay), ..Provenance::default() };
    let report = match args.format {
        Format::Text => report::text(&outcome, &about, streams.out_style),
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

/// The command that gives the same run again, if there is one.
fn replay(args: &Args, plan: &Plan) -> String {
    match &args.record {
        Some(file) => format!("{} --inbound {}", plan.command(), shell_path(file)),
        None => "impossible: what clients sent was not recorded (--record FILE)".to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "`--record` names a file of the user's")]
fn record(args: &Args, is_full: &Arc<AtomicBool>) -> Result<Option<Record>, Failure> {
    let Some(path) = &args.record else { return Ok(None) };
    let name = || path.display().to_string();
    let create = |source| Failure::Create { path: name(), source };
    let is_ours = events::is_replaceable(path, RECORDING_BEGINS).map_err(create)?;
    if !is_ours {
        return Err(Failure::NotOurs { path: name(), what: "no recording" });
    }
    let file = File::create(path).map_err(create)?;
    Ok(Some(Record {
        out: Box::new(BufWriter::with_capacity(1 << 16, file)),
        path: path.clone(),
        limit: args.record_limit,
        is_full: is_full.clone(),
    }))
}
