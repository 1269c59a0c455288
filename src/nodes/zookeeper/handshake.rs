//! The first frame of a connection: a client opens a session, or attaches to one that it has.

use bytes::Bytes;

use super::clients::Attach;
use super::ensemble::peer::Quorum;
use super::prepare::Write;
use super::propose::Proposer;
use super::replies::Shape;
use super::service::Service;
use super::sessions::{Session, negotiate};
use super::step::Step;
use super::txn::PASSWORD;
use crate::vocab::{ConnId, Mutant};
use crate::wire::zookeeper::{Code, ConnectRequest, ConnectResponse};

/// Opens sessions, and attaches clients to them.
pub(super) struct Handshake<'a> {
    pub(super) service: &'a mut Service,
    pub(super) quorum: &'a mut Quorum,
}

impl Handshake<'_> {
    fn is_read_only(&self, step: &Step<'_>) -> bool {
        self.quorum.is_read_only(step.clock.now, step.config)
    }

    /// A client's first frame.
    pub(super) fn connect(&mut self, step: &mut Step<'_>, conn: ConnId, payload: Bytes) {
        let clients = &mut self.service.clients;
        let Ok(request) = ConnectRequest::decode(payload) else {
            tracing::info!("the first frame is no handshake: closes a connection");
            return clients.end(step, conn);
        };
        let is_read_only = self.quorum.is_read_only(step.clock.now, step.config);
        if is_read_only && request.read_only != Some(true) {
            tracing::info!("refused a client that wants to write");
            return clients.end(step, conn);
        }
        let is_behind = request.last_zxid_seen > self.service.storage.last_zxid();
        if is_behind && !step.config.is(Mutant::ServeClientWithNewerZxid) {
            // The client has seen transactions that this server does not have: it must find another server.
            tracing::info!(seen = %request.last_zxid_seen, "refused a client that has seen more");
            return clients.end(step, conn);
        }
        let timeout_ms = negotiate(request.timeout_ms, step.config);
        if request.session == 0 {
            self.open(step, conn, &request, timeout_ms);
        } else {
            self.reattach(step, conn, &request, timeout_ms);
        }
    }

    fn open(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) {
        let session = self.service.sessions.next_id();
        let mut password = [0; PASSWORD];
        step.stream.fill(&mut password);
        self.service.clients.attach(conn, session);
        if step.config.local_sessions && !self.quorum.is_standalone() {
            let local = Session { timeout_ms, password };
            return self.open_local(step, conn, session, local, request.read_only);
        }
        if self.is_read_only(step) {
            return self.refuse_opening(step, conn);
        }
        let shape = Shape::Connect { timeout_ms, password, read_only: request.read_only };
        if let Some(learner) = self.quorum.learner() {
            let connection = self.service.clients.get_mut(conn).expect("it has just spoken");
            let waiting = (conn, shape);
            return learner.forward_session(connection, waiting, session, timeout_ms, &password);
        }
        let write = Write::CreateSession { timeout_ms, password };
        let leader = self.quorum.leader();
        let mut proposer = Proposer { service: self.service, leader };
        proposer.propose(step, Some((conn, shape)), session, 0, write);
    }

    /// Opens a local session.
    fn open_local(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        id: i64,
        session: Session,
        read_only: Option<bool>,
    ) {
        let Session { timeout_ms, password } = session;
        let read_only = read_only.map(|_| self.is_read_only(step));
        let Service { sessions, clients, .. } = &mut *self.service;
        sessions.local.open(step.clock.now, id, session);
        let password = Some(Bytes::copy_from_slice(&password));
        let opened =
            ConnectResponse { protocol_version: 0, timeout_ms, session: id, password, read_only };
        clients.send(step, conn, opened.encode());
    }

    /// A new session of a server that serves only reads and has no local sessions: refused, with a reply where the
    /// client expects a handshake, as `ReadOnlyRequestProcessor` does.
    fn refuse_opening(&mut self, step: &mut Step<'_>, conn: ConnId) {
        const OF_HANDSHAKE: i32 = 0;
        let zxid = self.service.storage.last_zxid();
        let refused = Err(Code::NOT_READ_ONLY);
        self.service.clients.reply(step, conn, OF_HANDSHAKE, zxid, refused);
    }

    fn reattach(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) {
        let id = request.session;
        if self.reattach_here(step, conn, request, timeout_ms) {
            return;
        }
        let Service { storage, pipeline, sessions, clients, .. } = &mut *self.service;
        if let Some(learner) = self.quorum.learner() {
            let connection = clients.get_mut(conn).expect("it has just spoken");
            return learner.ask_for_session(connection, conn, request, timeout_ms);
        }
        let known = storage.db.sessions.get(id);
        let proven =
            known.is_some_and(|session| request.password.as_deref() == Some(&session.password));
        let read_only = request.read_only.map(|_| false);
        if !proven || !pipeline.preparer.is_live(&storage.db, id) {
            return clients.refuse_session(step, conn, id, read_only);
        }
        sessions.claim(id, None);
        sessions.expiry.track(step.clock.now, id, timeout_ms);
        let (session, password, is_local) = (id, request.password.clone(), false);
        let attach = Attach { session, timeout_ms, password, read_only, is_local };
        clients.attach_again(step, conn, attach);
    }

    /// Attaches a client to a session without a leader, because the session is local or the server serves only
    /// reads. Says whether that is so.
    fn reattach_here(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) -> bool {
        let session = request.session;
        let is_read_only = self.is_read_only(step);
        let read_only = request.read_only.map(|_| is_read_only);
        let Service { storage, sessions, clients, .. } = &mut *self.service;
        match sessions.local.get(session) {
            Some(local) if request.password.as_deref() == Some(&local.password[..]) => {
                sessions.local.renew(step.clock.now, session, timeout_ms);
                let (password, is_local) = (request.password.clone(), true);
                let attach = Attach { session, timeout_ms, password, read_only, is_local };
                clients.attach_again(step, conn, attach);
            }
            None if !is_read_only => return false,
            // One of the whole ensemble, which this server cannot ask now.
            None if storage.db.sessions.get(session).is_some() => clients.end(step, conn),
            _ => clients.refuse_session(step, conn, session, read_only),
        }
        true
    }
}
