//! The parts of a server that serve clients, whatever its role in an ensemble is.

use super::clients::Clients;
use super::config::Config;
use super::pipeline::Pipeline;
use super::replies::Replies;
use super::step::Step;
use super::storage::Storage;
use super::sweeper::Sweeper;
use super::tracker::SessionTracker;
use crate::vocab::{Clock, Time, Zxid};

/// Whether clients are served, and what the server may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// It has no leader: clients are not served.
    Nobody,
    /// A follower: it forwards writes.
    Follower,
    /// A leader or a standalone server: it makes transactions, and decides when sessions and znodes expire.
    Leader,
}

/// The parts, each of which owns its state.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) storage: Storage,
    pub(super) pipeline: Pipeline,
    pub(super) sessions: SessionTracker,
    pub(super) clients: Clients,
    pub(super) sweeper: Sweeper,
}

impl Service {
    /// A server that has read its disk.
    pub(super) fn new(storage: Storage, config: &Config, clock: Clock) -> Self {
        Self {
            pipeline: Pipeline::new(storage.last_zxid(), config),
            sessions: SessionTracker::new(config, &storage.db, clock.wall_ms),
            clients: Clients::new(clock.now),
            sweeper: Sweeper::default(),
            storage,
        }
    }

    /// What answers clients.
    pub(super) fn replies(&mut self) -> Replies<'_> {
        let Self { storage, sessions, clients, .. } = self;
        Replies { db: &storage.db, clients, local: &mut sessions.local }
    }

    /// The end of every step: held-back events are sent, a snapshot goes on, timers of expiry are set.
    pub(super) fn settle(&mut self, step: &mut Step<'_>, serving: Serving) {
        self.clients.send_late_events(step);
        // A snapshot holds only what is surely committed.
        if serving != Serving::Nobody {
            self.storage.go_on_with_snapshot(step);
        }
        if serving == Serving::Leader {
            self.sessions.arm(step);
            self.sweeper.arm(step, &self.storage.db, self.clients.stats.since);
        }
    }

    /// Its statistics count from now on, as it begins to serve in a new role.
    pub(super) fn begin_role(&mut self, now: Time) {
        self.clients.stats = super::stats::Stats::since(now);
    }

    /// A leader begins to serve: the transactions of its epoch follow `zxid`, and every session has its whole
    /// timeout.
    pub(super) fn begin_epoch(&mut self, step: &mut Step<'_>, zxid: Zxid) {
        self.storage.db.last_zxid = zxid;
        self.pipeline.preparer = super::prepare::Preparer::new(zxid, step.config);
        self.begin_role(step.clock.now);
        self.sweeper.reset(step);
        self.sessions.track_all(step.clock.now, &self.storage.db);
    }

    /// Disconnects all clients, which ends local sessions.
    pub(super) fn disconnect_all(&mut self, step: &mut Step<'_>) {
        self.clients.end_all(step);
        self.sessions.local.clear(step);
    }

    /// The server stops leading or following. What it has logged will be applied, committed or not.
    pub(super) fn stop(&mut self, step: &mut Step<'_>) {
        self.storage.log.abandon_snapshot(step.fx);
        self.disconnect_all(step);
        self.pipeline.clear();
        self.sessions.stop(step);
    }
}
