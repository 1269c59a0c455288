//! One server of the coordinator: a ZooKeeper 3.8 as its clients see it, alone for now.
//!
//! A write goes through one pipeline: it is validated against the tree and what is under way (`prepare`), is
//! appended to the log and fsynced (`log`), then applied (`state`), which tells watches, and then answered. A
//! read is answered from the applied state, at once unless an earlier write of the same connection is still
//! under way. Replication (ZAB) will come between fsync and apply: a transaction then is applied when a
//! quorum has it, and nothing above or below changes.

mod acl;
mod connection;
mod four_letter;
mod log;
mod path;
mod prepare;
mod reads;
mod sessions;
mod state;
mod telling;
#[cfg(test)]
mod tests;
mod tree;
mod txn;
mod watches;
mod writes;

use std::collections::{BTreeMap, VecDeque};

use crate::history::{CoordinatorObservation, Observation};
use crate::vocab::step::{self, DiskImage, Input};
use crate::vocab::{Clock, ConnId, Mutant, Stream, Time, TimerId, Zxid};

use acl::AuthId;
use connection::Connection;
use log::{Log, Synced};
use prepare::{Preparer, Requester, Write};
use sessions::Expiry;
pub use state::State;
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
/// `znode.container.checkIntervalMs`.
const SWEEP_MS: u64 = 60_000;

/// How a server is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `myid`: 1 to 254.
    pub server_id: u8,
    /// `tickTime`, in milliseconds: sessions last 2 to 20 ticks and expire on a tick.
    pub tick_ms: u32,
    /// `minSessionTimeout`, in milliseconds; 2 ticks when not set.
    pub min_session_timeout_ms: Option<u32>,
    /// `maxSessionTimeout`, in milliseconds; 20 ticks when not set.
    pub max_session_timeout_ms: Option<u32>,
    /// `snapCount`: transactions from one snapshot to the next.
    pub snapshot_every: u64,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// `zookeeper.extendedTypesEnabled`: whether znodes may have a time to live.
    pub extended_types: bool,
    /// `4lw.commands.whitelist=*`: whether more commands than `srvr` are answered.
    pub four_letter_words: bool,
}

impl Config {
    /// Whether this bug is planted.
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl Default for Config {
    /// The defaults of ZooKeeper, but for a smaller `snapCount` (its 100,000 is for longer lives) and for
    /// commands, which are all answered.
    fn default() -> Self {
        Self {
            server_id: 1,
            tick_ms: 3_000,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            snapshot_every: 10_000,
            mutant: None,
            extended_types: false,
            four_letter_words: true,
        }
    }
}

/// One server.
#[derive(Debug)]
pub struct Coordinator {
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
    connections: BTreeMap<ConnId, Connection>,
    /// Where each session is attached.
    attached: BTreeMap<i64, ConnId>,
    expiry_timer: Option<(Time, TimerId)>,
    sweeping: bool,
    received: u64,
    sent: u64,
}

impl Coordinator {
    /// A server whose process has not begun. `stream` is where passwords come from.
    ///
    /// # Panics
    /// When the configuration is impossible: a server id of 0 or 255, a tick of 0.
    pub fn new(config: Config, stream: Stream) -> Self {
        assert!((1..=254).contains(&config.server_id), "server id {}", config.server_id);
        assert!(config.tick_ms > 0, "a tick of no time");
        Self { config, stream, running: None }
    }

    /// The state that this server has applied; `None` before it has read its disk.
    pub fn state(&self) -> Option<&State> {
        self.running.as_ref().map(|running| &running.state)
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
            Input::Accepted { conn, peer } => {
                running.connections.insert(conn, Connection::new(AuthId::of_peer(peer)));
            }
            Input::Received { conn, bytes } => running.received(&mut at, conn, bytes),
            Input::Closed { conn, .. } => running.forget_connection(conn),
            Input::Timer { id, token } => running.timer(&mut at, id, token),
            Input::DiskDone(op) => match running.log.synced(op, at.fx) {
                Synced::Ready => running.serve(&mut at),
                Synced::Durable(zxid) => running.commit(&mut at, zxid),
                Synced::Other => {}
            },
            Input::Shutdown => at.fx.exit(),
            Input::Start(_) | Input::Opened(_) => {}
        }
        running.settle(&mut at);
    }

    fn start(&mut self, clock: Clock, image: &DiskImage, fx: &mut Effects) {
        let (log, state) = match Log::recover(image, self.config.snapshot_every, fx) {
            Ok(recovered) => recovered,
            Err(error) => {
                tracing::error!(%error, "the server cannot start from its disk");
                let why = error.to_string().into();
                fx.observe(Observation::Coordinator(CoordinatorObservation::Halted { why }));
                fx.exit();
                return;
            }
        };
        let zxid = state.last_zxid;
        tracing::info!(%zxid, znodes = state.tree.len(), "recovered");
        fx.observe(Observation::Coordinator(CoordinatorObservation::Recovered { zxid }));
        fx.observe(Observation::Coordinator(telling::loaded(&state)));
        let mut expiry = Expiry::new(self.config.tick_ms);
        for (id, session) in state.sessions.iter() {
            expiry.track(clock.now, id, session.timeout_ms);
        }
        let first = sessions::first_id(self.config.server_id, clock.wall_ms);
        let mut running = Running {
            preparer: Preparer::new(state.last_zxid, &self.config),
            next_session: first.max(state.sessions.last_id() + 1),
            state,
            log,
            proposals: VecDeque::new(),
            expiry,
            watches: Watches::default(),
            connections: BTreeMap::new(),
            attached: BTreeMap::new(),
            expiry_timer: None,
            sweeping: false,
            received: 0,
            sent: 0,
        };
        let mut at = Step { clock, config: &self.config, stream: &mut self.stream, fx };
        running.settle(&mut at);
        self.running = Some(running);
    }
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
            self.commit(at, self.preparer.last_zxid());
        }
        self.log.snapshot_if_due(&self.state, at.fx);
        // Touches only move deadlines back, so an early timer is kept and looks again when it fires.
        if let Some(next) = self.expiry.next()
            && self.expiry_timer.is_none_or(|(due, _)| next < due)
        {
            if let Some((_, id)) = self.expiry_timer {
                at.fx.cancel(id);
            }
            self.expiry_timer = Some((next, at.fx.timer(next, EXPIRY_TIMER)));
        }
        if !self.sweeping && self.state.tree.perishable().next().is_some() {
            self.sweeping = true;
            let due = Time(at.clock.now.0 + SWEEP_MS * 1_000_000);
            at.fx.timer(due, SWEEP_TIMER);
        }
    }

    fn timer(&mut self, at: &mut Step<'_>, id: TimerId, token: u64) {
        if token == SWEEP_TIMER {
            self.sweeping = false;
            self.sweep(at);
            return;
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
            let observation = CoordinatorObservation::SessionExpired { session, heard };
            at.fx.observe(Observation::Coordinator(observation));
            self.propose(at, None, session, 0, Write::CloseSession);
        }
    }

    /// Removes containers that lost their last child, and znodes whose time to live is over.
    fn sweep(&mut self, at: &mut Step<'_>) {
        let perished = |znode: &Znode| {
            znode.children.is_empty()
                && match znode.lifetime {
                    Lifetime::Container => znode.creates > 0,
                    Lifetime::Ttl { ms } => at.clock.wall_ms - znode.mtime > ms,
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

    fn requester<'a>(ids: &'a [AuthId], at: &Step<'_>, session: i64, cxid: i32) -> Requester<'a> {
        Requester { session, cxid, ids, time_ms: at.clock.wall_ms }
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
