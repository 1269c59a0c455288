//! A server as a whole: it starts from its disk, and sends each input to the part that it concerns.

use crate::history::ZooKeeperObservation;
use crate::vocab::step::{DiskImage, Input};
use crate::vocab::{Clock, ConnId, Mutant, Stream, TimerId};

use super::config::Config;
use super::database::Database;
use super::ensemble::events::EnsembleEvents;
use super::ensemble::peer::{PEER_TIMER, Peer, Quorum};
use super::expiry;
use super::history::History;
use super::local::LOCAL_TIMER;
use super::log::{Log, Recovered, Rhythm, Synced};
use super::propose::Proposer;
use super::requests::Requests;
use super::service::{Service, Serving};
use super::step::{Effects, Route, Routes, Step};
use super::storage::Storage;
use super::sweeper::SWEEP_TIMER;
use super::tracker::EXPIRY_TIMER;

/// One server.
#[derive(Debug)]
pub struct ZooKeeperServer {
    pub(super) config: Config,
    /// Passwords of sessions come from here.
    pub(super) stream: Stream,
    pub(super) routes: Routes,
    /// `None` until it has read its disk, and when it could not.
    pub(super) running: Option<Running>,
}

/// A server that has read its disk.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) service: Service,
    pub(super) quorum: Quorum,
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
        Self { config, stream, routes: Routes::new(), running: None }
    }

    /// The state that this server has applied; `None` before it has read its disk.
    pub fn state(&self) -> Option<&Database> {
        self.running.as_ref().map(|running| &running.service.storage.db)
    }

    /// Whether clients are served: always, unless it is of an ensemble and has no leader with a majority.
    pub fn serves(&self) -> bool {
        self.running.as_ref().is_some_and(|it| it.quorum.serving() != Serving::Nobody)
    }

    /// Whether a client's connection waits for an answer.
    pub fn works_for(&self, conn: ConnId) -> bool {
        let connection = self.running.as_ref().and_then(|it| it.service.clients.get(conn));
        connection.is_some_and(|it| it.greeting || !it.waiting.is_empty())
    }

    /// The last transaction that this server has proposed.
    #[cfg(test)]
    pub(super) fn last_proposed(&self) -> crate::vocab::Zxid {
        let running = self.running.as_ref().expect("it runs");
        running.service.pipeline.preparer.last_zxid()
    }

    /// Processes one input, and collects the effects.
    pub fn step(&mut self, clock: Clock, input: Input, fx: &mut Effects) {
        let Self { config, stream, routes, running } = self;
        let mut step = Step { clock, config, stream, fx, routes };
        match (input, running) {
            (Input::Start(image), running) => *running = Running::start(&mut step, &image),
            (input, Some(running)) => {
                running.input(&mut step, input);
                running.settle(&mut step);
            }
            // It has exited, because its disk is damaged.
            (_, None) => {}
        }
    }
}

impl Running {
    /// Reads the disk. `None` when it is damaged: such a server exits.
    fn start(step: &mut Step<'_>, image: &DiskImage) -> Option<Self> {
        let rhythm = Rhythm {
            snap_count: step.config.snap_count,
            piece_bytes: step.config.snapshot_piece_bytes,
            stream: step.stream.below_name("snapshots"),
        };
        let recovered = Log::recover(image, rhythm, step.fx);
        let recovered = recovered.map_err(|error| step.halt(&error.to_string())).ok()?;
        let Recovered { log, state: db, base, entries } = recovered;
        let zxid = db.last_zxid;
        let (mut peer, mut history) = (None, None);
        if !step.config.ensemble.is_empty() {
            let recovered = Peer::recover(step.config, image, zxid);
            let recovered = recovered.map_err(|error| step.halt(&error.to_string())).ok()?;
            peer = Some(Box::new(recovered));
            history = Some(History::new(base, entries));
        }
        let quorum = Quorum { peer };
        tracing::info!(%zxid, znodes = db.tree.len(), "recovered");
        step.observe(ZooKeeperObservation::Recovered { zxid });
        let storage = Storage::new(db, log, history);
        storage.observe_loaded(step);
        let mut service = Service::new(storage, step.config, step.clock);
        if quorum.is_standalone() {
            service.sessions.track_all(step.clock.now, &service.storage.db);
        }
        let mut running = Self { service, quorum };
        running.settle(step);
        Some(running)
    }

    /// Sends an input to the part that it concerns.
    fn input(&mut self, step: &mut Step<'_>, input: Input) {
        match input {
            Input::Start(_) => panic!("a process starts once"),
            Input::Accepted { conn, peer } if self.quorum.is_server(peer) => {
                self.ensemble().accepted(step, conn);
            }
            Input::Accepted { conn, peer } => {
                step.routes.insert(conn, Route::Client);
                let identity = step.config.identity(peer);
                self.service.clients.accept(conn, identity, step.clock.wall_ms);
            }
            Input::Opened(conn) => {
                if let Some(route) = step.routes.get(&conn).copied() {
                    self.ensemble().opened(step, conn, route);
                }
            }
            Input::Received { conn, bytes } => match step.routes.get(&conn).copied() {
                Some(Route::Client) => self.requests().received(step, conn, bytes),
                Some(Route::NewServer) => self.ensemble().new_server_sent(step, conn, bytes),
                Some(Route::Election(from)) => self.ensemble().votes_arrived(step, from, bytes),
                Some(Route::Learner) => self.ensemble().learner_sent(step, conn, bytes),
                Some(Route::Leader) => self.ensemble().leader_sent(step, bytes),
                // The server closed the connection while these bytes were on their way.
                None => {}
            },
            Input::Closed { conn, .. } => match step.routes.remove(&conn) {
                Some(Route::Client) => self.service.clients.forget(conn),
                Some(route) => self.ensemble().closed(step, conn, route),
                // The server closed it at the same time.
                None => {}
            },
            Input::Timer { id, token } => self.timer(step, id, token),
            Input::DiskDone(op) => {
                let standalone = self.quorum.is_standalone();
                match self.service.storage.log.synced(op, step.fx) {
                    Synced::Ready => self.read_waiting(step),
                    Synced::Durable(zxid) if standalone => self.commit(step, zxid),
                    Synced::Durable(zxid) => self.ensemble().logged(step, zxid),
                    Synced::Tidied => self.ensemble().tidied(step),
                    Synced::Other if standalone => {}
                    Synced::Other => self.ensemble().epoch_synced(step, op),
                }
            }
            Input::Shutdown => step.fx.exit(),
        }
    }

    /// What deals with the other servers of the ensemble.
    pub(super) fn ensemble(&mut self) -> EnsembleEvents<'_> {
        EnsembleEvents { service: &mut self.service, quorum: &mut self.quorum }
    }

    fn requests(&mut self) -> Requests<'_> {
        Requests { service: &mut self.service, quorum: &mut self.quorum }
    }

    /// What makes transactions.
    pub(super) fn proposer(&mut self) -> Proposer<'_> {
        Proposer { service: &mut self.service, leader: self.quorum.leader() }
    }

    /// A standalone server commits what is durable.
    fn commit(&mut self, step: &mut Step<'_>, zxid: crate::vocab::Zxid) {
        let (service, serving) = (&mut self.service, Serving::Leader);
        let synced = super::apply::Applier { service, serving }.commit(step, zxid);
        assert!(synced.is_empty(), "a standalone server has no learners");
    }

    /// Recovery is durable: what clients have sent meanwhile is read now.
    fn read_waiting(&mut self, step: &mut Step<'_>) {
        let waiting: Vec<ConnId> = self.service.clients.iter().map(|(conn, _)| conn).collect();
        waiting.into_iter().for_each(|conn| self.requests().read_frames(step, conn));
    }

    fn timer(&mut self, step: &mut Step<'_>, id: TimerId, token: u64) {
        let leads = self.quorum.serving() == Serving::Leader;
        match token {
            EXPIRY_TIMER => {
                if self.service.sessions.fired(id) {
                    expiry::expire_sessions(&mut self.proposer(), step);
                }
            }
            SWEEP_TIMER => {
                if self.service.sweeper.fired(id) && leads {
                    expiry::sweep(&mut self.proposer(), step);
                }
            }
            PEER_TIMER => self.ensemble().timer(step, id),
            LOCAL_TIMER => {
                let Service { sessions, clients, .. } = &mut self.service;
                for session in sessions.local.expired(step.clock.now, id).unwrap_or_default() {
                    tracing::info!(session = format!("{session:#x}"), "local session expired");
                    if let Some(conn) = clients.attached(session) {
                        clients.end(step, conn);
                    }
                }
            }
            token => panic!("a server sets no timer {token}"),
        }
    }

    /// The end of every step: what was proposed goes to the log, and timers are set.
    pub(super) fn settle(&mut self, step: &mut Step<'_>) {
        self.service.storage.log.flush(step.fx);
        if step.config.is(Mutant::ApplyBeforeFsync) {
            self.acknowledge_unlogged(step);
        }
        let serving = self.quorum.serving();
        self.service.settle(step, serving);
        if !self.quorum.is_standalone() {
            self.service.sessions.local.arm(step);
            self.ensemble().settle(step);
        }
    }

    fn acknowledge_unlogged(&mut self, step: &mut Step<'_>) {
        if self.quorum.is_standalone() {
            let last = self.service.pipeline.preparer.last_zxid();
            self.commit(step, last);
        } else {
            self.ensemble().acknowledge_unlogged(step);
        }
    }
}
