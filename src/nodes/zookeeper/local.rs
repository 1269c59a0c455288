//! Local sessions, which are off unless the configuration says otherwise.
//!
//! A local session (`localSessionsEnabled`) is known only to the server of an ensemble that opened it, is in no
//! log, and ends with the server's role. It owns no ephemeral znode: the first one turns it into an ordinary
//! session (`localSessionsUpgradingEnabled`), or is refused (`UpgradeableSessionTracker`).

use std::collections::BTreeMap;

use super::sessions::{Expiry, Session};
use super::step::Step;
use crate::vocab::{Time, TimerId};

/// The timer of local sessions.
pub(super) const LOCAL_TIMER: u64 = 4;

/// The local sessions of one server.
#[derive(Debug)]
pub(super) struct LocalSessions {
    sessions: BTreeMap<i64, Session>,
    expiry: Expiry,
    timer: Option<(Time, TimerId)>,
}

impl LocalSessions {
    pub(super) fn new(tick_ms: u32, tick_phase_ms: u64) -> Self {
        let expiry = Expiry::new(tick_ms, None).with_phase(tick_phase_ms);
        Self { sessions: BTreeMap::new(), expiry, timer: None }
    }

    /// Whether there is such a session.
    pub(super) fn has(&self, id: i64) -> bool {
        self.sessions.contains_key(&id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// A session's client was heard. Returns whether it is a local session.
    pub(super) fn touch(&mut self, now: Time, id: i64) -> bool {
        let is_local = self.has(id);
        if is_local {
            self.expiry.touch(now, id);
        }
        is_local
    }

    /// The session with this id, to attach to it again.
    pub(super) fn get(&self, id: i64) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// A client attaches again, with this timeout.
    pub(super) fn renew(&mut self, now: Time, id: i64, timeout_ms: i32) {
        let local = self.sessions.get_mut(&id).expect("only a known session is renewed");
        local.timeout_ms = timeout_ms;
        self.expiry.track(now, id, timeout_ms);
    }

    pub(super) fn open(&mut self, now: Time, id: i64, session: Session) {
        self.expiry.track(now, id, session.timeout_ms);
        self.sessions.insert(id, session);
    }

    pub(super) fn forget(&mut self, id: i64) -> Option<Session> {
        self.expiry.forget(id);
        self.sessions.remove(&id)
    }

    /// Sets the timer of expiry.
    pub(super) fn arm(&mut self, step: &mut Step<'_>) {
        self.expiry.arm(&mut self.timer, LOCAL_TIMER, step.fx);
    }

    /// The timer fired: the sessions that expire now. `None` when it is an old timer.
    pub(super) fn expired(&mut self, now: Time, id: TimerId) -> Option<Vec<i64>> {
        self.timer.take_if(|(_, current)| *current == id)?;
        let expired: Vec<i64> =
            self.expiry.expired(now).into_iter().map(|(session, _)| session).collect();
        for session in &expired {
            self.sessions.remove(session);
        }
        Some(expired)
    }

    /// Forgets all of them: the server's role has changed.
    pub(super) fn clear(&mut self, step: &mut Step<'_>) {
        if let Some((_, timer)) = self.timer {
            step.fx.cancel(timer);
        }
        *self = Self::new(step.config.tick_ms, step.config.tick_phase_ms);
    }
}
