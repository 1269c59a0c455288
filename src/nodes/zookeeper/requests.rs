//! Requests of clients: read from their connections, and sent to what serves them.

use bytes::Bytes;

use super::acl::AuthId;
use super::connection::{Arrived, Heard, Waiting};
use super::ensemble::learner::Awaits;
use super::ensemble::peer::Quorum;
use super::four_letter;
use super::handshake::Handshake;
use super::prepare::Write;
use super::propose::Proposer;
use super::replies::Shape;
use super::service::{Service, Serving};
use super::sessions::Session;
use super::step::Step;
use super::writes::{Kind, kind_of, refused_write};
use crate::vocab::{ConnId, Zxid};
use crate::wire::frames::FrameError;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::{
    Code, MultiOp, Reply, Request, RequestError, RequestHeader, create_flags, op, xid,
};

/// Serves the requests of clients.
pub(super) struct Requests<'a> {
    pub(super) service: &'a mut Service,
    pub(super) quorum: &'a mut Quorum,
}

impl Requests<'_> {
    /// Bytes of a client arrived.
    pub(super) fn received(&mut self, step: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        let connection = self.service.clients.get_mut(conn);
        let connection = connection.expect("routes lead to open connections");
        // After it has closed its session, a client has nothing to say.
        if !connection.ended {
            connection.frames.push(bytes);
            self.read_frames(step, conn);
        }
    }

    /// Whether clients are listened to. A standalone server lets them wait until what it read from its disk is
    /// durable; a server of an ensemble closes their connections until it has a leader.
    fn can_read(&self) -> bool {
        !self.quorum.is_standalone() || self.service.storage.log.is_ready()
    }

    /// Serves the whole frames that have arrived.
    pub(super) fn read_frames(&mut self, step: &mut Step<'_>, conn: ConnId) {
        while self.can_read()
            && let Some(connection) = self.service.clients.get_mut(conn)
            && !connection.ended
            && !connection.greeting
        {
            let payload = match connection.frames.pop() {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(error) => return self.no_frame(step, conn, error),
            };
            connection.received += 1;
            connection.heard = Heard { at: step.clock.now, op: op::CREATE_SESSION, xid: 0 };
            let session = connection.session;
            self.service.clients.stats.received += 1;
            if self.quorum.serving() == Serving::Nobody && !self.is_read_only(step) {
                return self.service.clients.end(step, conn);
            }
            match session {
                None => self.handshake().connect(step, conn, payload),
                Some(session) => {
                    self.touch(step, session);
                    self.request(step, conn, session, payload);
                }
            }
        }
    }

    fn is_read_only(&self, step: &Step<'_>) -> bool {
        self.quorum.is_read_only(step.clock.now, step.config)
    }

    fn handshake(&mut self) -> Handshake<'_> {
        Handshake { service: self.service, quorum: self.quorum }
    }

    fn proposer(&mut self) -> Proposer<'_> {
        Proposer { service: self.service, leader: self.quorum.leader() }
    }

    /// The session's client was heard.
    fn touch(&mut self, step: &Step<'_>, session: i64) {
        let now = step.clock.now;
        if self.service.sessions.local.touch(now, session) {
            return;
        }
        match self.quorum.learner() {
            Some(learner) => learner.touch(session),
            None => self.service.sessions.expiry.touch(now, session),
        }
    }

    /// A length that no frame has. Before a session it may be a four-letter word.
    fn no_frame(&mut self, step: &mut Step<'_>, conn: ConnId, error: FrameError) {
        let word = error.length.to_be_bytes();
        let is_first = self.service.clients.get(conn).is_some_and(|it| it.session.is_none());
        if !is_first || !four_letter::answer(self.service, self.quorum, step, conn, word) {
            tracing::info!(%error, "closes a connection");
        }
        self.service.clients.end(step, conn);
    }

    fn request(&mut self, step: &mut Step<'_>, conn: ConnId, session: i64, payload: Bytes) {
        let follows = self.quorum.follows();
        let body = if follows { payload.slice(payload.len().min(8)..) } else { Bytes::new() };
        let mut from = Reader::new(payload);
        let Ok(header) = RequestHeader::decode(&mut from) else {
            tracing::info!("a request has no header: closes a connection");
            return self.service.clients.end(step, conn);
        };
        let xid = header.xid;
        if let Some(connection) = self.service.clients.get_mut(conn) {
            (connection.heard.op, connection.heard.xid) = (header.op, xid);
        }
        let request = Request::decode(header, &mut from);
        let shape = request
            .as_ref()
            .map_or(Shape::Request { xid, op: header.op }, |request| Shape::of(request, xid));
        let kind = match request {
            Ok(request) => kind_of(request),
            Err(error) => match refused_write(header.op, error) {
                Some(write) => Kind::Write(write),
                None => return self.not_decoded(step, conn, header, error),
            },
        };
        let arrived = Arrived { conn, session, header, body };
        match kind {
            Kind::Write(write) => self.write(step, arrived, shape, write),
            Kind::Other(request) => self.other(step, arrived, shape, request),
        }
    }

    /// A request that is no write.
    fn other(&mut self, step: &mut Step<'_>, arrived: Arrived, shape: Shape, request: Request) {
        let (conn, xid) = (arrived.conn, arrived.header.xid);
        let mut replies = self.service.replies();
        match request {
            Request::Sync { path } if self.quorum.follows() => {
                self.forward(arrived, shape, Awaits::Sync(path));
            }
            Request::Sync { .. } if self.quorum.serving() == Serving::Nobody => {
                replies.refuse(step, conn, xid, Code::NOT_READ_ONLY, false);
            }
            Request::Sync { path } => self.proposer().propose_sync(step, conn, xid, path),
            Request::Auth { scheme, credentials } => {
                self.authenticate(step, conn, xid, &scheme, credentials.as_deref());
            }
            Request::Check(_) => replies.refuse(step, conn, xid, Code::UNIMPLEMENTED, true),
            Request::Sasl { token } => self.answer_token(step, conn, xid, token.is_some()),
            Request::Ping => {
                // The answer has ZooKeeper's own number, whatever number the ping has.
                let read = Waiting::Read { xid: xid::PING, request: Request::Ping };
                replies.wait_or_answer(step, conn, read);
            }
            request => replies.wait_or_answer(step, conn, Waiting::Read { xid, request }),
        }
    }

    /// Proposes or forwards a write, unless it is refused here.
    fn write(&mut self, step: &mut Step<'_>, arrived: Arrived, shape: Shape, write: Write) {
        let Arrived { conn, session, header, .. } = arrived;
        if write == Write::CloseSession {
            if let Some(connection) = self.service.clients.get_mut(conn) {
                connection.ended = true;
            }
            if self.service.sessions.local.has(session) {
                let close = Waiting::LocalClose { xid: header.xid };
                return self.service.replies().wait_or_answer(step, conn, close);
            }
        }
        if self.quorum.serving() == Serving::Nobody {
            let mut replies = self.service.replies();
            return replies.refuse(step, conn, header.xid, Code::NOT_READ_ONLY, false);
        }
        let refusal = self.upgrade_for(step, session, &write);
        if self.quorum.follows() {
            return self.forward(arrived, shape, refusal.map_or(Awaits::Txn, Awaits::Refusal));
        }
        // The leader refuses it for the same reason when it prepares the transaction.
        self.proposer().propose(step, Some((conn, shape)), session, header.xid, write);
    }

    fn forward(&mut self, arrived: Arrived, shape: Shape, awaits: Awaits) {
        let connection = self.service.clients.get_mut(arrived.conn);
        let connection = connection.expect("its request was just read");
        let learner = self.quorum.learner().expect("only a follower forwards");
        learner.forward(connection, arrived, shape, awaits);
    }

    /// What a write does before it is proposed or forwarded: a local session that wants an ephemeral znode
    /// becomes an ordinary session, or the write is refused with this code.
    fn upgrade_for(&mut self, step: &mut Step<'_>, session: i64, write: &Write) -> Option<Code> {
        let local = &mut self.service.sessions.local;
        if !local.has(session) || !creates_ephemeral(write) {
            return None;
        }
        if !step.config.local_sessions_upgrading {
            return Some(Code::EPHEMERAL_ON_LOCAL_SESSION);
        }
        let forgotten = local.forget(session).expect("it is local");
        let Session { timeout_ms, password } = forgotten;
        tracing::info!(session = format!("{session:#x}"), "upgrades a local session");
        match self.quorum.learner() {
            Some(learner) => learner.forward_upgrade(session, timeout_ms, &password),
            None => {
                let write = Write::CreateSession { timeout_ms, password };
                self.proposer().propose(step, None, session, 0, write);
            }
        }
        None
    }

    fn not_decoded(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        header: RequestHeader,
        error: RequestError,
    ) {
        tracing::warn!(op = header.op, %error, "a request does not decode");
        let (code, close) = match error {
            RequestError::UnknownOp(_) => (Code::UNIMPLEMENTED, true),
            RequestError::Body(_) => (Code::MARSHALLING_ERROR, false),
        };
        self.service.replies().refuse(step, conn, header.xid, code, close);
    }

    /// Credentials are checked at once, before what waits.
    fn authenticate(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        xid: i32,
        scheme: &str,
        credentials: Option<&[u8]>,
    ) {
        let clients = &mut self.service.clients;
        let connection = clients.get_mut(conn).expect("its request was just read");
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
        let is_refused = result.is_err();
        clients.reply(step, conn, xid, Zxid(0), result);
        if is_refused {
            clients.stats.auth_failed += 1;
            clients.end(step, conn);
        }
    }

    /// A server without a login of its own answers a SASL token with nothing, and at once
    /// (`ZooKeeperServer.processSasl`); no token at all ends the connection.
    fn answer_token(&mut self, step: &mut Step<'_>, conn: ConnId, xid: i32, has_token: bool) {
        if has_token {
            self.service.clients.reply(step, conn, xid, Zxid(0), Ok(Reply::Token(None)));
        } else {
            self.service.clients.end(step, conn);
        }
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
