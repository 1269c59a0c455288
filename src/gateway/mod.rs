//! Real programs on the simulated cluster: sockets outside, simulated connections inside.
//!
//! A served cluster runs in the thread of its simulation, paced to the wall clock; the sockets live in a thread
//! beside it, in real time. All external clients are connections of one simulated node, so that the scenario's
//! latencies, cuts, crashes and pauses affect them as they affect simulated clients:
//!
//! | in the cluster | at the client |
//! |---|---|
//! | the server closes | the rest arrives, then end of file |
//! | the server's process dies | a reset |
//! | its process is down, its host is up | connections are refused |
//! | the link is cut, the host has no power, the process is paused | silence |
//!
//! One thing differs: the operating system accepts connections by itself, so that a client that would wait for the
//! handshake waits for its first answer instead.
//!
//! External clients have accounts, as the scenario's clients do: what they sent, were answered and read is observed at
//! their end of the simulated connections, by client id, and judged like the rest. A record is an operation of one life
//! of its client: until it closes its last connection.
//!
//! External clients are not trusted. What they can make a served cluster hold is bounded, beside what they store
//! (records, topics, znodes, and the history of it):
//!
//! | what | bound |
//! |---|---|
//! | connections of a server | `max.connections`, where it is set; otherwise 1,024, and its share of the process's descriptors; more are reset. Of one address `max.connections.per.ip`, `maxClientCnxns`; more are closed |
//! | idle connections | closed after `connections.max.idle.ms`; at ZooKeeper after 10 s without a word |
//! | bytes that a server has not read | 256 KiB for each connection, 256 MiB together with more than a thousand; and 64 KiB read ahead; the rest stays in the client's socket |
//! | requests that are not complete | `socket.request.max.bytes` each, 256 MiB together: then the largest is reset; buffers that grow by doubling can take twice as much, and accounts hold them once more |
//! | accounts | two million records, about 120 bytes each; 16 million records read; 64 names of clients |
//! | a request without records | 1 MiB ([`crate::wire::foreign`]) |
//! | an answer without records | 64 MiB: the connection is closed where it would be larger |
//! | what a Produce request decompresses to | 64 MiB, one batch at a time |
//! | requests being worked on | one for each connection, as with a real broker; up to 16 small ones with less than 64 connections |
//! | answers on their way | for each broker, records of 256 MiB for all clients together, or one batch for each (`message.max.bytes`) if that is more |
//! | answers that clients do not read | 512 MiB together: then those with more than their share are reset |
//!
//! With three brokers and one ZooKeeper server that is at most 6 GiB, and 4 GiB with less than 250 connections to a
//! broker. The limits decide only when bytes are taken from a real socket, and when a connection is closed, so the
//! recording holds their effect. Requests that only brokers make are refused, as the ACLs of a real cluster do.
//!
//! What external clients send, and when, is the only thing that the seed does not decide. It enters between two
//! events of the simulation, at a virtual time that is recorded ([`recording`]); played back at the same times it
//! gives the same run, to the byte.
//!
//! | file | what |
//! |---|---|
//! | `sockets.rs` | the thread with the sockets |
//! | `limits.rs` | what a server lets its clients have, by its settings |
//! | `valve.rs` | how much of what a client sends is let through at a time |
//! | `listeners.rs` | the port of a server, open while it runs |
//! | `exchange.rs` | what the two threads exchange |
//! | `serving.rs` | the cluster's side: pace, inputs, the end |
//! | `wall.rs` | the wall clock |
//! | `recording.rs` | the file |

mod exchange;
mod limits;
mod listeners;
mod recording;
mod serving;
mod sockets;
mod valve;
mod wall;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use recording::{RECORDING_BEGINS, Record, RecordError, Recording, RecordingError};

use self::exchange::Exchange;
use self::limits::Limits;
use self::recording::{Header, digest};
use self::serving::Serving;
use self::sockets::Sockets;
use self::wall::Pace;
use crate::checkers::RunOutcome;
use crate::cluster::{ExternalListener, Outside};
use crate::run::{self, RunError, RunOptions};
use crate::scenario::Plan;
use crate::vocab::foreign::Foreign;

/// How a cluster is served.
pub struct ServeOptions {
    /// Address of the first broker; the others get the next ports. Port 0: each gets a free port.
    pub kafka: SocketAddr,
    /// Address of the first ZooKeeper server; the others get the next ports. When it is also the address of the first
    /// broker, ZooKeeper servers come after the brokers.
    pub zookeeper: SocketAddr,
    /// The host that servers advertise, if it is not the address that they listen on.
    pub advertised_host: Option<String>,
    /// Virtual seconds for each second of the wall clock.
    pub speed: u32,
    /// Whether to go on after the plan's duration.
    pub keep_running: bool,
    /// Where the recording is written.
    pub record: Option<Record>,
    /// Gets a line for each server's address, and one when the cluster is ready.
    pub notices: Box<dyn Write + Send>,
    /// Set to end serving.
    pub stop: Arc<AtomicBool>,
    /// Options of any run.
    pub run: RunOptions,
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("kafka", &self.kafka)
            .field("zookeeper", &self.zookeeper)
            .field("speed", &self.speed)
            .field("keep_running", &self.keep_running)
            .field("record", &self.record.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a cluster cannot be served, or a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// As with any run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There are not enough ports above the first one.
    #[error("there are not enough ports above {0}")]
    Ports(SocketAddr),
    /// The operating system gives no sockets.
    #[error("cannot wait for connections: {0}")]
    Sockets(#[source] io::Error),
    /// The recording cannot be written.
    #[error(transparent)]
    Record(RecordError),
    /// The addresses of servers cannot be written.
    #[error("cannot write where servers listen: {0}")]
    Notices(#[source] io::Error),
    /// The recording cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file, as it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The recording is wrong.
    #[error("{path}: {source}")]
    Recording {
        /// The file, as it was given.
        path: String,
        /// What is wrong.
        source: RecordingError,
    },
}

/// Serves the cluster of `plan` until its duration is over or `options.stop` is set, and judges it.
///
/// # Errors
/// See [`GatewayError`].
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn serve(plan: Plan, options: ServeOptions) -> Result<RunOutcome, GatewayError> {
    let (sockets, listeners) = bind_all(&plan, &options)?;
    let mut notices = options.notices;
    announce(&plan, &listeners, &mut notices).map_err(GatewayError::Notices)?;
    let exchange = Arc::new(Exchange::default());
    let limits = Limits::of(&plan);
    let sockets =
        Sockets::new(sockets, limits.clone(), exchange.clone()).map_err(GatewayError::Sockets)?;
    let stop = options.stop;
    // Started here: a thread that a simulation starts would have its clock.
    let thread = std::thread::Builder::new()
        .name("sockets".to_owned())
        .spawn(move || sockets.serve(&stop))
        .map_err(GatewayError::Sockets)?;
    let names = listeners.iter().map(|listener| listener.server.clone()).collect();
    let outside = Outside { listeners, wall_epoch_ms: Some(wall::now_ms()) };
    let header = Header { seed: plan.seed, plan: digest(&plan), outside: outside.clone() };
    let recording = options.record.map(|record| recording::Writer::new(record, &header));
    let serving = Serving {
        exchange,
        servers: names,
        limits,
        pace: Pace::new(options.speed),
        keep_running: options.keep_running,
        recording,
        notices,
    };
    let (outcome, written) = run::run_live(plan, options.run, outside, |live| serving.play(live))?;
    // A thread that panicked has printed it, and the cluster's side has ended all the same.
    drop(thread.join());
    written.map_err(GatewayError::Record)?;
    Ok(outcome)
}

/// Runs a plan with the inputs in the file `inbound`.
///
/// # Errors
/// See [`GatewayError`].
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn play_back(
    plan: Plan,
    options: RunOptions,
    inbound: &Path,
) -> Result<RunOutcome, GatewayError> {
    let recording = load(inbound)?;
    let wrong = |source| GatewayError::Recording { path: inbound.display().to_string(), source };
    recording.belongs_to(&plan).map_err(wrong)?;
    let outside = recording.header.outside.clone();
    if recording.is_cut_short {
        let (path, until) = (inbound.to_string_lossy(), recording.end);
        let path = Foreign(&path);
        let text = format!("{path} was cut short: it is played until {until}, where it ends\n");
        // When stderr is gone, the run goes on.
        let _: io::Result<()> = io::stderr().write_all(text.as_bytes());
    }
    let (outcome, played) =
        run::run_live(plan, options, outside, move |live| serving::play_back(live, &recording))?;
    played.map_err(wrong)?;
    Ok(outcome)
}

/// Reads a recording.
#[expect(clippy::disallowed_methods, reason = "the gateway reads its own files")]
fn load(path: &Path) -> Result<Recording, GatewayError> {
    let name = || path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|source| GatewayError::Unreadable { path: name(), source })?;
    Recording::parse(&bytes).map_err(|source| GatewayError::Recording { path: name(), source })
}

/// A listening socket for each server, and the address that it advertises.
fn bind_all(
    plan: &Plan,
    options: &ServeOptions,
) -> Result<(Vec<TcpListener>, Vec<ExternalListener>), GatewayError> {
    let brokers = plan.brokers.iter().map(|broker| &broker.name).enumerate();
    let before = if options.kafka == options.zookeeper { plan.brokers.len() } else { 0 };
    let servers = (before..).zip(plan.zookeepers.iter().map(|server| &server.name));
    let all = brokers
        .map(|(index, name)| (options.kafka, index, name))
        .chain(servers.map(|(index, name)| (options.zookeeper, index, name)));
    let (mut sockets, mut listeners) = (Vec::new(), Vec::new());
    for (first, index, server) in all {
        let socket = listen(first, index)?;
        let bound = socket
            .local_addr()
            .map_err(|source| GatewayError::Listen { address: first, source })?;
        let host = options.advertised_host.clone().unwrap_or_else(|| reachable(bound.ip()));
        listeners.push(ExternalListener { server: server.clone(), host, port: bound.port() });
        sockets.push(socket);
    }
    Ok((sockets, listeners))
}

fn listen(first: SocketAddr, index: usize) -> Result<TcpListener, GatewayError> {
    let mut address = first;
    if first.port() != 0 {
        let offset = u16::try_from(index).ok();
        let port = offset.and_then(|offset| first.port().checked_add(offset));
        address.set_port(port.ok_or(GatewayError::Ports(first))?);
    }
    TcpListener::bind(address).map_err(|source| GatewayError::Listen { address, source })
}

/// The host to advertise: a server that listens on all addresses is for clients on this machine.
fn reachable(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(v6) if v6.is_unspecified() => "::1".to_owned(),
        address => address.to_string(),
    }
}

/// One line for each server, in a form that scripts can read: `broker b1 127.0.0.1:9092`.
fn announce(
    plan: &Plan,
    listeners: &[ExternalListener],
    notices: &mut dyn Write,
) -> io::Result<()> {
    for ExternalListener { server, host, port } in listeners {
        let is_broker = plan.brokers.iter().any(|broker| broker.name == *server);
        let kind = if is_broker { "broker" } else { "zookeeper" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        writeln!(notices, "{kind} {server} {host}:{port}")?;
    }
    notices.flush()
}
