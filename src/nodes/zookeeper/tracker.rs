//! The sessions that this server watches over: when each expires, and through which server its writes come
//! (`SessionTracker`, `LeaderSessionTracker`).

use std::collections::BTreeMap;

use super::config::Config;
use super::database::Database;
use super::local::LocalSessions;
use super::prepare::Write;
use super::sessions::{self, Expiry};
use super::step::Step;
use crate::vocab::{ConnId, Mutant, Time, TimerId};
use crate::wire::zookeeper::Code;

/// The timer of session expiry.
pub(super) const EXPIRY_TIMER: u64 = 1;

/// What one server knows of sessions beyond the database.
#[derive(Debug)]
pub(super) struct SessionTracker {
    /// The id of the next session that a client opens here.
    next_id: i64,
    /// Sessions of the database; empty on a server that does not lead.
    pub(super) expiry: Expiry,
    timer: Option<(Time, TimerId)>,
    pub(super) local: LocalSessions,
    /// Of a leader: the learner through which each session's writes come, or `None` for this server itself.
    owners: Option<BTreeMap<i64, Option<ConnId>>>,
}

impl SessionTracker {
    /// The tracker of a server that starts with `db` when the wall clock shows `wall_ms`.
    pub(super) fn new(config: &Config, db: &Database, wall_ms: i64) -> Self {
        let first = sessions::first_id(config.server_id, wall_ms);
        let last = db.sessions.last_id(config.server_id);
        Self {
            next_id: last.map_or(first, |last| first.max(last + 1)),
            expiry: Expiry::new(config.tick_ms, config.mutant).with_phase(config.tick_phase_ms),
            timer: None,
            local: LocalSessions::new(config.tick_ms, config.tick_phase_ms),
            owners: None,
        }
    }

    /// The id of a new session.
    pub(super) fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Every session of the database gets its whole timeout from now on.
    pub(super) fn track_all(&mut self, now: Time, db: &Database) {
        for (id, session) in db.sessions.iter() {
            self.expiry.track(now, id, session.timeout_ms);
        }
    }

    /// The session has ended.
    pub(super) fn forget(&mut self, session: i64) {
        self.expiry.forget(session);
        if let Some(owners) = &mut self.owners {
            owners.remove(&session);
        }
    }

    /// This server is elected: from now on it decides through which server a session writes.
    pub(super) fn lead(&mut self) {
        self.owners = Some(BTreeMap::new());
    }

    /// This server stops leading or following: no session expires here until it leads again.
    pub(super) fn stop(&mut self, step: &mut Step<'_>) {
        self.owners = None;
        self.expiry = Expiry::new(step.config.tick_ms, step.config.mutant)
            .with_phase(step.config.tick_phase_ms);
        if let Some((_, timer)) = self.timer.take() {
            step.fx.cancel(timer);
        }
    }

    /// The session is attached to `owner` from now on; no effect on a server that does not lead.
    pub(super) fn claim(&mut self, session: i64, owner: Option<ConnId>) {
        if let Some(owners) = &mut self.owners {
            owners.insert(session, owner);
        }
    }

    /// Lets a session's write through only from where it is attached: `owner` is the learner that forwarded the
    /// write, `None` for a client of this server (`SessionTracker.checkSession`).
    pub(super) fn check_owner(
        &mut self,
        config: &Config,
        session: i64,
        owner: Option<ConnId>,
        write: Write,
    ) -> Write {
        let Some(owners) = &mut self.owners else { return write };
        let ignores_moves = config.is(Mutant::WriteForMovedSession);
        match write {
            Write::CreateSession { .. } => {
                owners.insert(session, owner);
                write
            }
            Write::CloseSession | Write::DeletePerished { .. } => write,
            _ if *owners.entry(session).or_insert(owner) != owner && !ignores_moves => {
                Write::Refused(Code::SESSION_MOVED)
            }
            _ => write,
        }
    }

    /// Sets the timer of expiry.
    pub(super) fn arm(&mut self, step: &mut Step<'_>) {
        self.expiry.arm(&mut self.timer, EXPIRY_TIMER, step.fx);
    }

    /// Whether this is the timer of expiry; it has fired then.
    pub(super) fn fired(&mut self, id: TimerId) -> bool {
        self.timer.take_if(|(_, current)| *current == id).is_some()
    }
}
