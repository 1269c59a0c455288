//! One server of ZooKeeper: a ZooKeeper 3.8 as its clients see it, alone or one of an ensemble.
//!
//! A write goes through one pipeline: it is validated against the tree and what is under way (`prepare`), is
//! appended to the log and fsynced (`log`), then applied (`state`), which tells watches, and then answered. A
//! read is answered from the applied state, at once unless an earlier write of the same connection is still
//! under way. In an ensemble (`ensemble`) the leader does so for all servers: between fsync and apply stands
//! that a majority has fsynced, and the other servers forward writes and apply what they are told is decided.

mod acl;
mod connection;
mod ensemble;
mod four_letter;
mod local;
mod log;
mod path;
mod prepare;
mod reads;
mod sessions;
mod snapshot;
mod state;
mod stats;
mod telling;
#[cfg(test)]
mod tests;
mod tree;
mod txn;
mod watches;
mod writes;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::step::{self, DiskImage, Input};
use crate::vocab::{Clock, ConnId, Mutant, NodeId, Stream, Time, TimerId, Zxid};

use acl::AuthId;
use connection::Connection;
use ensemble::Peer;
use local::LocalSessions;
use log::{Log, Recovered, Rhythm, Synced};
use prepare::{Preparer, Write};
use sessions::Expiry;
pub use state::State;
use stats::Stats;
pub use tree::{Tree, Znode};
pub use txn::{Lifetime, Record, Txn};
use watches::Watches;
use writes::Proposal;

/// What a server can ask for.
pub type Effects = step::Effects<Observation>;

/// Sessions may have to expire.
const EXPIRY_TIMER: u64 = 1;
/// Containers and znodes with a time to live may have to go.
const SWEEP_TIMER: u64 = 2;
/// Something of the ensemble is due.
const PEER_TIMER: u64 = 3;
/// Local sessions may have to expire.
const LOCAL_TIMER: u64 = 4;

/// How a server is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `myid`: 1 to 254.
    pub server_id: u8,
    /// All servers of the ensemble, this one included, by their ids (`server.N`); empty for a server that is
    /// alone.
    pub ensemble: BTreeMap<u8, NodeId>,
    /// `tickTime`, in milliseconds: sessions last 2 to 20 ticks and expire on a tick.
    pub tick_ms: u32,
    /// `initLimit`, in ticks: how long a server may take to find, or to be brought up by, a leader.
    pub init_limit: u32,
    /// `syncLimit`, in ticks: how long leader and follower put up with each other's silence.
    pub sync_limit: u32,
    /// `minSessionTimeout`, in milliseconds; 2 ticks when not set.
    pub min_session_timeout_ms: Option<u32>,
    /// `maxSessionTimeout`, in milliseconds; 20 ticks when not set.
    pub max_session_timeout_ms: Option<u32>,
    /// `snapCount`: a snapshot is taken after a random half to whole of so many transactions; 2 at least.
    pub snap_count: u64,
    /// How much of a snapshot is written at a time, in bytes; transactions are applied between.
    pub snapshot_piece_bytes: usize,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// `zookeeper.extendedTypesEnabled`: whether znodes may have a time to live.
    pub extended_types: bool,
    /// `znode.container.checkIntervalMs`: how often containers and znodes with a time to live are looked at.
    pub sweep_interval_ms: u32,
    /// `znode.container.maxNeverUsedIntervalMs`: how long a container stays that never had a child; for ever
    /// when not set.
    pub never_used_ms: Option<u32>,
    /// `localSessionsEnabled`: whether servers of an ensemble keep new sessions to themselves.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: whether such a session becomes one like any other when it wants an
    /// ephemeral znode; else that is refused.
    pub local_sessions_upgrading: bool,
    /// `readonlymode.enabled`: whether a server of an ensemble serves reads while it has no leader.
    pub read_only_mode: bool,
    /// `4lw.commands.whitelist=*`: whether more commands than `srvr` are answered.
    pub four_letter_words: bool,
    /// The name of the host.
    pub host: String,
    /// The node through which clients from outside come in, if there is one. They are known by the loopback
    /// address, as those of a real server on the same machine are.
    pub outside: Option<NodeId>,
}

impl Config {
    /// Whether this bug is planted.
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// As what a connection from `peer` is known before it proves anything.
    fn identity(&self, peer: NodeId) -> AuthId {
        if self.outside == Some(peer) { AuthId::loopback() } else { AuthId::of_peer(peer) }
    }
}

impl Default for Config {
    /// The defaults of ZooKeeper, but for commands, which are all answered. Snapshots are written in pieces as
    /// large as the buffer of Java's `BufferedOutputStream`, through which ZooKeeper's go.
    fn default() -> Self {
        Self {
            server_id: 1,
            ensemble: BTreeMap::new(),
            tick_ms: 3_000,
            init_limit: 10,
            sync_limit: 5,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            snap_count: 100_000,
            snapshot_piece_bytes: 8_192,
            mutant: None,
            extended_types: false,
            sweep_interval_ms: 60_000,
            never_used_ms: None,
            local_sessions: false,
            local_sessions_upgrading: false,
            read_only_mode: false,
            four_letter_words: true,
            host: "localhost".to_owned(),
            outside: None,
        }
    }
}

/// One server.
#[derive(Debug)]
pub struct ZooKeeperServer {
    config: Config,
    /// Passwords of sessions come from here.
    stream: Stream,
    running: Option<Running>,
}

/// A server that has read its disk.
#[derive(Debug)]
struct Running {
    state: State,
    log: Log,
    preparer: Preparer,
    proposals: VecDeque<Proposal>,
    expiry: Expiry,
    next_session: i64,
    watches: Watches,
    /// As a bug: events of watches that wait for the end of the step.
    late_events: Vec<(ConnId, Bytes)>,
    connections: BTreeMap<ConnId, Connection>,
    local: LocalSessions,
    /// Where each session is attached.
    attached: BTreeMap<i64, ConnId>,
    expiry_timer: Option<(Time, TimerId)>,
    /// Since when it has been what it is: alone, the leader or a follower.
    role_since: Time,
    sweep_timer: Option<TimerId>,
    stats: Stats,
    /// Its part in the ensemble; `None` when it is alone.
    peer: Option<Box<Peer>>,
}

impl ZooKeeperServer {
    /// A server whose process has not begun. `stream` is where passwords come from.
    ///
    /// # Panics
    /// When the configuration is impossible: a server id of 0 or 255, a tick or sweep interval of 0, an
    /// ensemble of more than 16 servers or without this one.
    pub fn new(config: Config, stream: Stream) -> Self {
        assert!((1..=254).contains(&config.server_id), "server id {}", config.server_id);
        assert!(config.tick_ms > 0, "a tick of no time");
        assert!(config.sweep_interval_ms > 0, "sweeps without end");
        let ensemble = &config.ensemble;
        assert!(ensemble.is_empty() || ensemble.contains_key(&config.server_id), "{ensemble:?}");
        assert!(ensemble.len() <= 16, "an ensemble of {} servers", ensemble.len());
        Self { config, stream, running: None }
    }

    /// The state that this server has applied; `None` before it has read its disk.
    pub fn state(&self) -> Option<&State> {
        self.running.as_ref().map(|running| &running.state)
    }

    /// Whether clients are served: always, unless it is of an ensemble and has no leader with a majority.
    pub fn serves(&self) -> bool {
        self.running.as_ref().is_some_and(Running::serves)
    }

    /// Tells the server what happened, and collects what it wants.
    pub fn step(&mut self, clock: Clock, input: Input, fx: &mut Effects) {
        if let Input::Start(image) = input {
            self.start(clock, &image, fx);
            return;
        }
        let Some(running) = &mut self.running else { return };
        let mut at = Step { clock, config: &self.config, stream: &mut self.stream, fx };
        match input {
            Input::Accepted { conn, peer } if running.is_server(peer) => running.greet(conn),
            Input::Accepted { conn, peer } => {
                running.connections.insert(conn, Connection::new(self.config.identity(peer)));
            }
            Input::Received { conn, bytes } if running.connections.contains_key(&conn) => {
                running.received(&mut at, conn, bytes);
            }
            Input::Received { conn, bytes } => running.peer_received(&mut at, conn, bytes),
            Input::Closed { conn, .. } if running.connections.contains_key(&conn) => {
                running.forget_connection(conn);
            }
            Input::Closed { conn, .. } => running.peer_closed(&mut at, conn),
            Input::Opened(conn) => running.peer_opened(&mut at, conn),
            Input::Timer { id, token } => running.timer(&mut at, id, token),
            Input::DiskDone(op) => match running.log.synced(op, at.fx) {
                Synced::Ready => running.serve(&mut at),
                Synced::Durable(zxid) if running.peer.is_none() => running.commit(&mut at, zxid),
                Synced::Durable(zxid) => running.logged(&mut at, zxid),
                Synced::Tidied => running.tidied(&mut at),
                Synced::Other => running.epoch_synced(&mut at, op),
            },
            Input::Shutdown => at.fx.exit(),
            Input::Start(_) => {}
        }
        running.settle(&mut at);
    }

    fn start(&mut self, clock: Clock, image: &DiskImage, fx: &mut Effects) {
        let rhythm = Rhythm {
            snap_count: self.config.snap_count,
            piece_bytes: self.config.snapshot_piece_bytes,
            stream: self.stream.below_name("snapshots"),
        };
        let recovered = match Log::recover(image, rhythm, fx) {
            Ok(recovered) => recovered,
            Err(error) => return halt(fx, &error.to_string()),
        };
        let Recovered { log, state, base, entries } = recovered;
        let peer = match Peer::recover(&self.config, image, &state, base, entries) {
            Ok(peer) => peer.map(Box::new),
            Err(error) => return halt(fx, &error.to_string()),
        };
        let zxid = state.last_zxid;
        tracing::info!(%zxid, znodes = state.tree.len(), "recovered");
        fx.observe(Observation::ZooKeeper(ZooKeeperObservation::Recovered { zxid }));
        fx.observe(Observation::ZooKeeper(telling::loaded(&state)));
        let mut expiry = Expiry::new(self.config.tick_ms, self.config.mutant);
        if peer.is_none() {
            for (id, session) in state.sessions.iter() {
                expiry.track(clock.now, id, session.timeout_ms);
            }
        }
        let server_id = self.config.server_id;
        let first = sessions::first_id(server_id, clock.wall_ms);
        let mut running = Running {
            preparer: Preparer::new(state.last_zxid, &self.config),
            next_session: state
                .sessions
                .last_id(server_id)
                .map_or(first, |last| first.max(last + 1)),
            state,
            log,
            proposals: VecDeque::new(),
            expiry,
            watches: Watches::default(),
            late_events: Vec::new(),
            connections: BTreeMap::new(),
            local: LocalSessions::new(self.config.tick_ms),
            attached: BTreeMap::new(),
            expiry_timer: None,
            role_since: clock.now,
            sweep_timer: None,
            stats: Stats::default(),
            peer,
        };
        let mut at = Step { clock, config: &self.config, stream: &mut self.stream, fx };
        running.settle(&mut at);
        self.running = Some(running);
    }
}

fn halt(fx: &mut Effects, why: &str) {
    tracing::error!(why, "the server cannot go on");
    let why = why.into();
    fx.observe(Observation::ZooKeeper(ZooKeeperObservation::Halted { why }));
    fx.exit();
}

/// What every part of one step needs.
struct Step<'a> {
    clock: Clock,
    config: &'a Config,
    stream: &'a mut Stream,
    fx: &'a mut Effects,
}

impl Running {
    /// The end of every step: what was proposed goes to the log, and timers stand where they must.
    fn settle(&mut self, at: &mut Step<'_>) {
        self.log.flush(at.fx);
        if at.config.is(Mutant::ApplyBeforeFsync) {
            self.acknowledge_unlogged(at);
        }
        for (conn, event) in std::mem::take(&mut self.late_events) {
            self.send(at, conn, event);
        }
        self.go_on_with_snapshot(at);
        if self.leads() {
            self.arm_timers(at);
        }
        if self.peer.is_some() {
            self.arm_local_timer(at);
            self.settle_peer(at);
        }
    }

    /// Goes on with a snapshot when it is time. What is not surely decided is in none.
    fn go_on_with_snapshot(&mut self, at: &mut Step<'_>) {
        if !self.serves() {
            return;
        }
        let taken = self.log.snapshot(&self.state, at.fx);
        if let (Some((snapshot, keep_from)), Some(peer)) = (taken, &mut self.peer) {
            peer.history.snapshot(snapshot, keep_from);
        }
    }

    fn arm_timers(&mut self, at: &mut Step<'_>) {
        // Touches only move deadlines back, so an early timer is kept and looks again when it fires.
        if let Some(next) = self.expiry.next()
            && self.expiry_timer.is_none_or(|(due, _)| next < due)
        {
            if let Some((_, id)) = self.expiry_timer {
                at.fx.cancel(id);
            }
            self.expiry_timer = Some((next, at.fx.timer(next, EXPIRY_TIMER)));
        }
        if self.sweep_timer.is_none() && self.state.tree.perishable().next().is_some() {
            // At a fixed rate since the server began to lead, looked at only when there may be something.
            let interval = u64::from(at.config.sweep_interval_ms) * 1_000_000;
            let sweeps = (at.clock.now.0 - self.role_since.0) / interval + 1;
            let due = Time(self.role_since.0 + sweeps * interval);
            self.sweep_timer = Some(at.fx.timer(due, SWEEP_TIMER));
        }
    }

    fn timer(&mut self, at: &mut Step<'_>, id: TimerId, token: u64) {
        if token == SWEEP_TIMER {
            if self.sweep_timer.take_if(|current| *current == id).is_some() && self.leads() {
                self.sweep(at);
            }
            return;
        }
        if token == PEER_TIMER {
            return self.peer_timer(at, id);
        }
        if token == LOCAL_TIMER {
            return self.local_timer(at, id);
        }
        if self.expiry_timer.is_none_or(|(_, current)| current != id) {
            return;
        }
        self.expiry_timer = None;
        if !self.log.is_ready() {
            // Nothing can be written yet; nobody could have been heard of either.
            let sessions: Vec<(i64, i32)> =
                self.state.sessions.iter().map(|(id, s)| (id, s.timeout_ms)).collect();
            sessions.into_iter().for_each(|(id, ms)| self.expiry.track(at.clock.now, id, ms));
            return;
        }
        for (session, heard) in self.expiry.expired(at.clock.now) {
            if !self.preparer.is_live(&self.state, session) {
                continue;
            }
            tracing::info!(session = format!("{session:#x}"), "session expired");
            let observation = ZooKeeperObservation::SessionExpired { session, heard };
            at.fx.observe(Observation::ZooKeeper(observation));
            self.propose(at, None, session, 0, Write::CloseSession);
        }
    }

    /// Removes containers that lost their last child or never had one for too long, and znodes whose time to
    /// live is over (`ContainerManager`).
    fn sweep(&mut self, at: &mut Step<'_>) {
        let perished = |znode: &Znode| {
            let unchanged_for_ms = at.clock.wall_ms - znode.mtime;
            let is_unused = |ms: u32| unchanged_for_ms > i64::from(ms);
            znode.children.is_empty()
                && match znode.lifetime {
                    Lifetime::Container if znode.creates > 0 => true,
                    Lifetime::Container => at.config.never_used_ms.is_some_and(is_unused),
                    Lifetime::Ttl { ms } => unchanged_for_ms > ms,
                    _ => false,
                }
        };
        let tree = &self.state.tree;
        let paths: Vec<_> = tree
            .perishable()
            .filter(|(_, znode)| perished(znode))
            .map(|(path, _)| path.clone())
            .collect();
        for path in paths {
            self.propose(at, None, 0, 0, Write::DeletePerished { path });
        }
    }

    /// Recovery is durable: what arrived meanwhile is read now.
    fn serve(&mut self, at: &mut Step<'_>) {
        let waiting: Vec<ConnId> = self.connections.keys().copied().collect();
        waiting.into_iter().for_each(|conn| self.read_frames(at, conn));
    }

    fn last_zxid(&self) -> Zxid {
        self.state.last_zxid
    }
}
