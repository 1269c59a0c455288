//! Local sessions and the read-only mode, both switched off unless the configuration says otherwise.
//!
//! A local session (`localSessionsEnabled`) is known to the server of an ensemble that opened it and to no other,
//! stands in no log, and ends with the server's role. It owns no ephemeral znode: the first one makes it a session
//! like any other (`localSessionsUpgradingEnabled`), or is refused (`UpgradeableSessionTracker`).
//!
//! A server that has looked for a leader for a while (`readonlymode.enabled`) serves what it has to clients that
//! said that they are content with it, and refuses to write (`ReadOnlyZooKeeperServer`). New sessions are local
//! there, so without local sessions it is of no use to anybody, as in ZooKeeper.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::prepare::Write;
use super::sessions::{Expiry, Session};
use super::{LOCAL_TIMER, Running, Step};
use crate::vocab::{ConnId, Time, TimerId};
use crate::wire::zookeeper::{Code, ConnectRequest, ConnectResponse, MultiOp, Reply, create_flags};

/// For how long a server has looked for a leader, at least, that begins to serve reads.
const READ_ONLY_AFTER: Duration = Duration::from_secs(2);

/// The local sessions of one server.
#[derive(Debug)]
pub(super) struct LocalSessions {
    sessions: BTreeMap<i64, Session>,
    expiry: Expiry,
    timer: Option<(Time, TimerId)>,
}

impl LocalSessions {
    pub(super) fn new(tick_ms: u32) -> Self {
        Self { sessions: BTreeMap::new(), expiry: Expiry::new(tick_ms, None), timer: None }
    }

    /// Whether there is such a session.
    pub(super) fn has(&self, id: i64) -> bool {
        self.sessions.contains_key(&id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// A session was heard of; says whether it is one of these.
    pub(super) fn touch(&mut self, now: Time, id: i64) -> bool {
        let is_local = self.has(id);
        if is_local {
            self.expiry.touch(now, id);
        }
        is_local
    }

    fn open(&mut self, now: Time, id: i64, session: Session) {
        self.expiry.track(now, id, session.timeout_ms);
        self.sessions.insert(id, session);
    }

    fn forget(&mut self, id: i64) -> Option<Session> {
        self.expiry.forget(id);
        self.sessions.remove(&id)
    }
}

/// Whether a write creates an ephemeral znode, by its flags.
fn creates_ephemeral(write: &Write) -> bool {
    let is_ephemeral =
        |flags| matches!(flags, create_flags::EPHEMERAL | create_flags::EPHEMERAL_SEQUENTIAL);
    match write {
        Write::Create(create) => is_ephemeral(create.flags),
        Write::Multi(ops) => {
            ops.iter().any(|op| matches!(op, MultiOp::Create(create) if is_ephemeral(create.flags)))
        }
        _ => false,
    }
}

impl Running {
    /// Whether only reads are served.
    pub(super) fn is_read_only(&self, now: Time, config: &super::Config) -> bool {
        let patience = READ_ONLY_AFTER.max(Duration::from_millis(config.tick_ms.into()));
        config.read_only_mode
            && self.looking_since().is_some_and(|since| now.since(since) >= patience)
    }

    /// Opens the session that a client asks for, as a local one.
    pub(super) fn open_local(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        id: i64,
        session: Session,
        read_only: Option<bool>,
    ) {
        let Session { timeout_ms, password } = session;
        self.local.open(at.clock.now, id, session);
        let read_only = read_only.map(|_| self.is_read_only(at.clock.now, at.config));
        let password = Some(Bytes::copy_from_slice(&password));
        let opened =
            ConnectResponse { protocol_version: 0, timeout_ms, session: id, password, read_only };
        self.send(at, conn, opened.encode());
    }

    /// A client attaches to a session again: says whether the leader need not be asked, as the session is local
    /// or the server serves only reads.
    pub(super) fn reattach_here(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) -> bool {
        let id = request.session;
        let is_read_only = self.is_read_only(at.clock.now, at.config);
        let read_only = request.read_only.map(|_| is_read_only);
        match self.local.sessions.get_mut(&id) {
            Some(local) if request.password.as_deref() == Some(&local.password[..]) => {
                local.timeout_ms = timeout_ms;
                self.local.expiry.track(at.clock.now, id, timeout_ms);
                let password = request.password.clone();
                self.attach_again(at, conn, id, timeout_ms, password, read_only);
            }
            None if !is_read_only => return false,
            // One that all servers know is not for a server that cannot ask them.
            None if self.state.sessions.get(id).is_some() => self.end_connection(at, conn),
            _ => self.refuse_session(at, conn, id, read_only),
        }
        true
    }

    /// What a write of a session comes to before it is on its way: a session that is local and wants an ephemeral
    /// znode becomes one like any other, or is refused.
    pub(super) fn upgrade_for(
        &mut self,
        at: &mut Step<'_>,
        session: i64,
        write: &Write,
    ) -> Option<Code> {
        if !self.local.has(session) || !creates_ephemeral(write) {
            return None;
        }
        if !at.config.local_sessions_upgrading {
            return Some(Code::EPHEMERAL_ON_LOCAL_SESSION);
        }
        let Session { timeout_ms, password } = self.local.forget(session)?;
        tracing::info!(session = format!("{session:#x}"), "upgrades a local session");
        if self.follows() {
            self.forward_upgrade(session, timeout_ms, &password);
        } else {
            self.propose(at, None, session, 0, Write::CreateSession { timeout_ms, password });
        }
        None
    }

    /// The end of a local session, as its client wants it.
    pub(super) fn farewell(&mut self, at: &mut Step<'_>, conn: ConnId, xid: i32) {
        if let Some(session) = self.connections.get(&conn).and_then(|connection| connection.session)
        {
            self.local.forget(session);
        }
        self.reply(at, conn, xid, Ok(Reply::Empty));
        self.end_connection(at, conn);
    }

    /// Sets the timer of local sessions where it must stand.
    pub(super) fn arm_local_timer(&mut self, at: &mut Step<'_>) {
        if let Some(next) = self.local.expiry.next()
            && self.local.timer.is_none_or(|(due, _)| next < due)
        {
            if let Some((_, id)) = self.local.timer {
                at.fx.cancel(id);
            }
            self.local.timer = Some((next, at.fx.timer(next, LOCAL_TIMER)));
        }
    }

    /// Local sessions may have to expire.
    pub(super) fn local_timer(&mut self, at: &mut Step<'_>, id: TimerId) {
        if self.local.timer.take_if(|(_, current)| *current == id).is_none() {
            return;
        }
        for (session, _) in self.local.expiry.expired(at.clock.now) {
            tracing::info!(session = format!("{session:#x}"), "local session expired");
            self.local.sessions.remove(&session);
            if let Some(conn) = self.attached.get(&session).copied() {
                self.end_connection(at, conn);
            }
        }
    }

    /// The server becomes something else: its local sessions are gone, and all clients are disconnected.
    pub(super) fn disconnect_all(&mut self, at: &mut Step<'_>) {
        let clients: Vec<ConnId> = self.connections.keys().copied().collect();
        clients.into_iter().for_each(|conn| self.end_connection(at, conn));
        if let Some((_, timer)) = self.local.timer {
            at.fx.cancel(timer);
        }
        self.local = LocalSessions::new(at.config.tick_ms);
    }

    /// A new session of a server that serves only reads and has no local sessions: refused, with a reply where a
    /// handshake is expected, as `ReadOnlyRequestProcessor` does.
    pub(super) fn refuse_opening(&mut self, at: &mut Step<'_>, conn: ConnId) {
        const OF_HANDSHAKE: i32 = 0;
        self.reply(at, conn, OF_HANDSHAKE, Err(Code::NOT_READ_ONLY));
    }
}
