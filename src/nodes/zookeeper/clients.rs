//! The clients of a server: their connections, the sessions attached to them, their watches.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::acl::AuthId;
use super::connection::{Answered, Connection, Heard};
use super::stats::Stats;
use super::step::Step;
use super::txn::PASSWORD;
use super::watches::Watches;
use crate::history::ZooKeeperObservation;
use crate::vocab::{ConnId, Mutant, Time, Zxid};
use crate::wire::zookeeper::{Code, ConnectResponse, EventKind, Reply, encode_event};

/// All clients of one server.
#[derive(Debug)]
pub(super) struct Clients {
    connections: BTreeMap<ConnId, Connection>,
    /// The connection of each session that is attached here.
    attached: BTreeMap<i64, ConnId>,
    pub(super) watches: Watches,
    /// With [`Mutant::FireWatchesLate`]: events that wait for the end of the step.
    late_events: Vec<(ConnId, Bytes)>,
    pub(super) stats: Stats,
}

/// What the answer to a client that attaches to its session again says.
pub(super) struct Attach {
    pub(super) session: i64,
    pub(super) timeout_ms: i32,
    pub(super) password: Option<Bytes>,
    pub(super) read_only: Option<bool>,
    /// A local session: no other server knows it, so attaching to it is no fact about the ensemble.
    pub(super) is_local: bool,
}

impl Clients {
    pub(super) fn new(now: Time) -> Self {
        Self {
            connections: BTreeMap::new(),
            attached: BTreeMap::new(),
            watches: Watches::default(),
            late_events: Vec::new(),
            stats: Stats::since(now),
        }
    }

    /// A client connected.
    pub(super) fn accept(&mut self, conn: ConnId, identity: AuthId, wall_ms: i64) {
        self.connections.insert(conn, Connection::new(identity, wall_ms));
    }

    /// A connection, while it is open.
    pub(super) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.connections.get(&conn)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(&conn)
    }

    /// All of them, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        self.connections.iter().map(|(conn, connection)| (*conn, connection))
    }

    /// The frames of every connection are counted from now on.
    pub(super) fn reset_counts(&mut self) {
        for connection in self.connections.values_mut() {
            (connection.received, connection.sent) = (0, 0);
            connection.answered = Answered::default();
        }
    }

    /// How many are connected.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// The session of a connection; 0 for none.
    pub(super) fn session(&self, conn: ConnId) -> i64 {
        self.get(conn).and_then(|connection| connection.session).unwrap_or(0)
    }

    /// The identities of a connection.
    pub(super) fn ids(&self, conn: ConnId) -> &[AuthId] {
        self.get(conn).map_or(&[], |connection| &connection.ids)
    }

    /// The connection of a session.
    pub(super) fn attached(&self, session: i64) -> Option<ConnId> {
        self.attached.get(&session).copied()
    }

    /// A new session belongs to this connection.
    pub(super) fn attach(&mut self, conn: ConnId, session: i64) {
        if let Some(connection) = self.get_mut(conn) {
            connection.session = Some(session);
        }
        self.attached.insert(session, conn);
    }

    /// A session that exists is attached to this connection from now on; an earlier connection of it is closed.
    pub(super) fn attach_again(&mut self, step: &mut Step<'_>, conn: ConnId, attach: Attach) {
        let Attach { session, timeout_ms, password, read_only, is_local } = attach;
        if let Some(before) = self.attached.insert(session, conn) {
            self.end(step, before);
        }
        self.attach(conn, session);
        if !is_local {
            step.observe(ZooKeeperObservation::SessionAttached { session, timeout_ms });
        }
        let response =
            ConnectResponse { protocol_version: 0, timeout_ms, session, password, read_only };
        self.send(step, conn, response.encode());
    }

    /// The session does not exist, or the password was wrong.
    pub(super) fn refuse_session(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        id: i64,
        read_only: Option<bool>,
    ) {
        tracing::info!(session = format!("{id:#x}"), "refused an unknown session");
        let password = Some(Bytes::from_static(&[0; PASSWORD]));
        let (protocol_version, session) = (0, 0);
        let gone =
            ConnectResponse { protocol_version, timeout_ms: 0, session, password, read_only };
        step.fx.send(conn, gone.encode());
        self.end(step, conn);
    }

    /// Sends a frame.
    pub(super) fn send(&mut self, step: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        self.stats.sent += 1;
        if let Some(connection) = self.get_mut(conn) {
            connection.sent += 1;
        }
        step.fx.send(conn, bytes);
    }

    /// A request is answered; `zxid` is the last transaction that is applied.
    pub(super) fn answered(&mut self, conn: ConnId, heard: Heard, now: Time, zxid: Zxid) {
        self.stats.latency.add(heard.at, now);
        if let Some(connection) = self.get_mut(conn) {
            connection.answered.add(heard, now, zxid);
        }
    }

    /// Sends the reply to a request; `zxid` is the last transaction that is applied.
    pub(super) fn reply(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        zxid: Zxid,
        result: Result<Reply, Code>,
    ) {
        let bytes = Reply::encode(result.as_ref().map_err(|code| *code), xid, zxid);
        self.send(step, conn, bytes);
    }

    /// Sends an event to every client that watches for it.
    pub(super) fn notify(
        &mut self,
        step: &mut Step<'_>,
        kind: EventKind,
        path: &std::sync::Arc<str>,
    ) {
        let watchers = self.watches.trigger(kind, path);
        if watchers.is_empty() {
            return;
        }
        let event = encode_event(kind, path);
        if step.config.is(Mutant::FireWatchesLate) {
            self.late_events.extend(watchers.into_iter().map(|conn| (conn, event.clone())));
            return;
        }
        watchers.into_iter().for_each(|conn| self.send(step, conn, event.clone()));
    }

    /// The end of a step: sends the events that a mutant held back.
    pub(super) fn send_late_events(&mut self, step: &mut Step<'_>) {
        for (conn, event) in std::mem::take(&mut self.late_events) {
            self.send(step, conn, event);
        }
    }

    /// Closes a connection; its session lives on until it expires.
    pub(super) fn end(&mut self, step: &mut Step<'_>, conn: ConnId) {
        if self.connections.contains_key(&conn) {
            step.close(conn);
            self.forget(conn);
        }
    }

    /// Closes all connections.
    pub(super) fn end_all(&mut self, step: &mut Step<'_>) {
        let clients: Vec<ConnId> = self.connections.keys().copied().collect();
        clients.into_iter().for_each(|conn| self.end(step, conn));
    }

    /// A connection has ended.
    pub(super) fn forget(&mut self, conn: ConnId) {
        let connection = self.connections.remove(&conn).expect("a connection ends once");
        self.watches.forget(conn);
        if let Some(session) = connection.session
            && self.attached.get(&session) == Some(&conn)
        {
            self.attached.remove(&session);
        }
    }
}
