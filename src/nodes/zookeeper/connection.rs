//! Connections: the handshake, the order of replies, the end.

use std::collections::VecDeque;

use bytes::Bytes;

use super::acl::AuthId;
use super::ensemble::Awaits;
use super::prepare::Write;
use super::sessions::{Session, negotiate};
use super::txn::PASSWORD;
use super::writes::{Asked, Shape, refused_write, write_of};
use super::{Running, Step};
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::{ConnId, Mutant, Time, Zxid};
use crate::wire::frames::{FrameError, Frames};
use crate::wire::jute::Reader;
use crate::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, MAX_FRAME, Reply, Request, RequestError, RequestHeader,
    xid,
};

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    frames: Frames,
    /// Its session, once it has asked for one.
    pub(super) session: Option<i64>,
    /// As what it is known.
    pub(super) ids: Vec<AuthId>,
    /// What is to be answered, in this order, and when it was read; the front waits for a transaction.
    pub(super) waiting: VecDeque<(Time, Waiting)>,
    /// When the last frame was read.
    heard: Time,
    /// Frames that came, and that went.
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Nothing that arrives counts any more.
    pub(super) ended: bool,
    /// Whether the leader is being asked for its session: until then nothing more is read.
    pub(super) greeting: bool,
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) conn: ConnId,
    pub(super) session: i64,
    pub(super) header: RequestHeader,
    /// What a follower forwards.
    pub(super) body: Bytes,
}

/// A request whose answer has to wait for those before it.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A proposal of this connection.
    Proposal,
    /// A read.
    Read { xid: i32, request: Request },
    /// The end of a local session.
    Farewell { xid: i32 },
    /// A request that cannot be served.
    Refusal { xid: i32, code: Code, close: bool },
}

impl Connection {
    pub(super) fn new(peer: AuthId) -> Self {
        Self {
            frames: Frames::new(MAX_FRAME),
            session: None,
            ids: vec![peer],
            waiting: VecDeque::new(),
            heard: Time::ZERO,
            received: 0,
            sent: 0,
            ended: false,
            greeting: false,
        }
    }

    /// What was read last has to wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back((self.heard, waiting));
    }
}

impl Running {
    pub(super) fn received(&mut self, at: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.ended {
            return;
        }
        connection.frames.push(bytes);
        self.read_frames(at, conn);
    }

    /// Serves the frames that are there. Until recovery is durable, they wait.
    pub(super) fn read_frames(&mut self, at: &mut Step<'_>, conn: ConnId) {
        while self.can_read()
            && let Some(connection) = self.connections.get_mut(&conn)
            && !connection.ended
            && !connection.greeting
        {
            let payload = match connection.frames.pop() {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(error) => return self.no_frame(at, conn, error),
            };
            self.stats.received += 1;
            connection.received += 1;
            connection.heard = at.clock.now;
            let session = connection.session;
            match session {
                _ if !self.serves() && !self.is_read_only(at.clock.now, at.config) => {
                    return self.end_connection(at, conn);
                }
                None => self.connect(at, conn, payload),
                Some(session) => {
                    self.touch(at.clock.now, session);
                    self.request(at, conn, session, payload);
                }
            }
        }
    }

    /// A length that no frame has: before a session it may be a command of four letters.
    fn no_frame(&mut self, at: &mut Step<'_>, conn: ConnId, error: FrameError) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let is_first = connection.session.is_none();
        if !is_first || !self.answer_word(at, conn, error.length.to_be_bytes()) {
            tracing::info!(%error, "closes a connection");
        }
        self.end_connection(at, conn);
    }

    fn connect(&mut self, at: &mut Step<'_>, conn: ConnId, payload: Bytes) {
        let Ok(request) = ConnectRequest::decode(payload) else {
            tracing::info!("what came first is no handshake: closes a connection");
            return self.end_connection(at, conn);
        };
        let is_read_only = self.is_read_only(at.clock.now, at.config);
        if is_read_only && request.read_only != Some(true) {
            tracing::info!("refused a client that wants to write");
            return self.end_connection(at, conn);
        }
        let is_behind = request.last_zxid_seen > self.last_zxid();
        if is_behind && !at.config.is(Mutant::ServeWhoHasSeenMore) {
            // The client has seen what this server does not have: it must find another.
            tracing::info!(seen = %request.last_zxid_seen, "refused a client that has seen more");
            return self.end_connection(at, conn);
        }
        let timeout_ms = negotiate(request.timeout_ms, at.config);
        if request.session != 0 {
            return self.reattach(at, conn, &request, timeout_ms);
        }
        let session = self.next_session;
        self.next_session += 1;
        let mut password = [0; PASSWORD];
        at.stream.fill(&mut password);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.session = Some(session);
        }
        self.attached.insert(session, conn);
        if at.config.local_sessions && self.peer.is_some() {
            let local = Session { timeout_ms, password };
            return self.open_local(at, conn, session, local, request.read_only);
        }
        if is_read_only {
            return self.refuse_opening(at, conn);
        }
        let shape = Shape::Connect { timeout_ms, password, read_only: request.read_only };
        if self.follows() {
            return self.forward_session(conn, shape, session, timeout_ms, &password);
        }
        let write = Write::CreateSession { timeout_ms, password };
        self.propose(at, Some((conn, shape)), session, 0, write);
    }

    fn reattach(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) {
        let id = request.session;
        if self.reattach_here(at, conn, request, timeout_ms) {
            return;
        }
        if self.follows() {
            return self.ask_leader_for_session(conn, request, timeout_ms);
        }
        let known = self.state.sessions.get(id);
        let proven =
            known.is_some_and(|session| request.password.as_deref() == Some(&session.password));
        let read_only = request.read_only.map(|_| false);
        if !proven || !self.preparer.is_live(&self.state, id) {
            return self.refuse_session(at, conn, id, read_only);
        }
        self.claim(id);
        self.expiry.track(at.clock.now, id, timeout_ms);
        let password = request.password.clone();
        self.attach_again(at, conn, id, timeout_ms, password, read_only);
    }

    /// The session is not there, or the password was wrong.
    pub(super) fn refuse_session(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        id: i64,
        read_only: Option<bool>,
    ) {
        tracing::info!(session = format!("{id:#x}"), "refused a session that is not there");
        let password = Some(Bytes::from_static(&[0; PASSWORD]));
        let (protocol_version, session) = (0, 0);
        let gone =
            ConnectResponse { protocol_version, timeout_ms: 0, session, password, read_only };
        at.fx.send(conn, gone.encode());
        self.end_connection(at, conn);
    }

    /// The session is attached to this connection from now on; an earlier connection of it is closed.
    pub(super) fn attach_again(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        id: i64,
        timeout_ms: i32,
        password: Option<Bytes>,
        read_only: Option<bool>,
    ) {
        if let Some(before) = self.attached.insert(id, conn) {
            self.end_connection(at, before);
            self.attached.insert(id, conn);
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.session = Some(id);
        }
        if !self.local.has(id) {
            let attached = ZooKeeperObservation::SessionAttached { session: id, timeout_ms };
            at.fx.observe(Observation::ZooKeeper(attached));
        }
        let again =
            ConnectResponse { protocol_version: 0, timeout_ms, session: id, password, read_only };
        self.send(at, conn, again.encode());
    }

    fn request(&mut self, at: &mut Step<'_>, conn: ConnId, session: i64, payload: Bytes) {
        let body =
            if self.follows() { payload.slice(payload.len().min(8)..) } else { Bytes::new() };
        let mut from = Reader::new(payload);
        let Ok(header) = RequestHeader::decode(&mut from) else {
            tracing::info!("a request has no header: closes a connection");
            return self.end_connection(at, conn);
        };
        let xid = header.xid;
        let request = Request::decode(header, &mut from);
        let shape = request
            .as_ref()
            .map_or(Shape::Request { xid, op: header.op }, |request| Shape::of(request, xid));
        let asked = match request {
            Ok(request) => write_of(request),
            Err(error) => match refused_write(header.op, error) {
                Some(write) => Asked::Write(write),
                None => return self.not_decoded(at, conn, header, error),
            },
        };
        let request = match asked {
            Asked::Write(write) => {
                let arrived = Arrived { conn, session, header, body };
                return self.write(at, arrived, shape, write);
            }
            Asked::Other(request) => request,
        };
        match request {
            Request::Sync { path } if self.follows() => {
                let arrived = Arrived { conn, session, header, body };
                self.forward(arrived, shape, Awaits::Sync(path));
            }
            Request::Sync { .. } if !self.serves() => {
                self.refuse(at, conn, xid, Code::NOT_READ_ONLY, false);
            }
            Request::Sync { path } => self.propose_sync(at, conn, xid, path),
            Request::Auth { scheme, credentials } => {
                self.authenticate(at, conn, xid, &scheme, credentials.as_deref());
            }
            Request::Check(_) => self.refuse(at, conn, xid, Code::UNIMPLEMENTED, true),
            Request::Sasl { token } => self.answer_token(at, conn, xid, token.is_some()),
            // Whatever number a ping has.
            Request::Ping => {
                let read = Waiting::Read { xid: xid::PING, request: Request::Ping };
                self.wait_or_answer(at, conn, read);
            }
            read => self.wait_or_answer(at, conn, Waiting::Read { xid, request: read }),
        }
    }

    /// A write goes on its way, unless it is refused here and now.
    fn write(&mut self, at: &mut Step<'_>, arrived: Arrived, shape: Shape, write: Write) {
        let Arrived { conn, session, header, .. } = arrived;
        if write == Write::CloseSession {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.ended = true;
            }
            if self.local.has(session) {
                return self.wait_or_answer(at, conn, Waiting::Farewell { xid: header.xid });
            }
        }
        if !self.serves() {
            return self.refuse(at, conn, header.xid, Code::NOT_READ_ONLY, false);
        }
        let refusal = self.upgrade_for(at, session, &write);
        if self.follows() {
            return self.forward(arrived, shape, refusal.map_or(Awaits::Txn, Awaits::Refusal));
        }
        // The leader comes to the same refusal when it prepares the transaction.
        self.propose(at, Some((conn, shape)), session, header.xid, write);
    }

    fn not_decoded(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        header: RequestHeader,
        error: RequestError,
    ) {
        tracing::warn!(op = header.op, %error, "a request does not decode");
        let (code, close) = match error {
            RequestError::UnknownOp(_) => (Code::UNIMPLEMENTED, true),
            RequestError::Body(_) => (Code::MARSHALLING_ERROR, false),
        };
        self.refuse(at, conn, header.xid, code, close);
    }

    fn refuse(&mut self, at: &mut Step<'_>, conn: ConnId, xid: i32, code: Code, close: bool) {
        if close && let Some(connection) = self.connections.get_mut(&conn) {
            connection.ended = true;
        }
        self.wait_or_answer(at, conn, Waiting::Refusal { xid, code, close });
    }

    fn wait_or_answer(&mut self, at: &mut Step<'_>, conn: ConnId, waiting: Waiting) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.waiting.is_empty() {
            let since = connection.heard;
            self.answer(at, conn, since, waiting);
        } else {
            connection.wait(waiting);
        }
    }

    fn answer(&mut self, at: &mut Step<'_>, conn: ConnId, since: Time, waiting: Waiting) {
        self.stats.latency.add(since, at.clock.now);
        match waiting {
            Waiting::Proposal => {}
            Waiting::Read { xid, request } => self.read(at, conn, xid, request),
            Waiting::Farewell { xid } => self.farewell(at, conn, xid),
            Waiting::Refusal { xid, code, close } => {
                self.reply(at, conn, xid, Err(code));
                if close {
                    self.end_connection(at, conn);
                }
            }
        }
    }

    /// The proposal at the front was answered: so is what waited only for it.
    pub(super) fn answer_waiting(&mut self, at: &mut Step<'_>, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let Some((since, Waiting::Proposal)) = connection.waiting.pop_front() else {
            panic!("replies are in the order of requests")
        };
        self.stats.latency.add(since, at.clock.now);
        while let Some(connection) = self.connections.get_mut(&conn)
            && let Some((since, next)) =
                connection.waiting.pop_front_if(|(_, next)| !matches!(next, Waiting::Proposal))
        {
            self.answer(at, conn, since, next);
        }
    }

    /// Credentials are judged at once, before what waits.
    fn authenticate(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        scheme: &str,
        credentials: Option<&[u8]>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let digest = credentials.map(String::from_utf8_lossy);
        let result = match (scheme, digest) {
            ("digest", Some(credentials)) => {
                let id = AuthId::of_digest(&credentials);
                if !connection.ids.contains(&id) {
                    connection.ids.push(id);
                    connection.ids.sort();
                }
                Ok(Reply::Empty)
            }
            ("ip", _) => Ok(Reply::Empty),
            _ => Err(Code::AUTH_FAILED),
        };
        let result = result.as_ref().map_err(|code| *code);
        self.send(at, conn, Reply::encode(result, xid, Zxid(0)));
        if result.is_err() {
            self.stats.auth_failed += 1;
            self.end_connection(at, conn);
        }
    }

    /// Without a login of its own a server has nothing to say to a SASL token, which it says at once
    /// (`ZooKeeperServer.processSasl`); none at all ends the connection.
    fn answer_token(&mut self, at: &mut Step<'_>, conn: ConnId, xid: i32, has_token: bool) {
        if has_token {
            self.send(at, conn, Reply::encode(Ok(&Reply::Token(None)), xid, Zxid(0)));
        } else {
            self.end_connection(at, conn);
        }
    }

    pub(super) fn reply(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        result: Result<Reply, Code>,
    ) {
        let bytes = Reply::encode(result.as_ref().map_err(|code| *code), xid, self.last_zxid());
        self.send(at, conn, bytes);
    }

    pub(super) fn send(&mut self, at: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        self.stats.sent += 1;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.sent += 1;
        }
        at.fx.send(conn, bytes);
    }

    /// Closes a connection; its session lives on until it expires.
    pub(super) fn end_connection(&mut self, at: &mut Step<'_>, conn: ConnId) {
        if self.connections.contains_key(&conn) {
            at.fx.close(conn);
            self.forget_connection(conn);
        }
    }

    pub(super) fn forget_connection(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        self.watches.forget(conn);
        if let Some(session) = connection.session
            && self.attached.get(&session) == Some(&conn)
        {
            self.attached.remove(&session);
        }
    }
}
