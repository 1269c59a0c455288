//! What a follower knows: how far it has come, what the leader has sent, and what its clients wait for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::nodes::zookeeper::acl::AuthId;
use crate::nodes::zookeeper::connection::{Arrived, Connection, Waiting};
use crate::nodes::zookeeper::replies::Shape;
use crate::nodes::zookeeper::step::{Effects, Route, Step};
use crate::nodes::zookeeper::txn::{PASSWORD, Record, Txn};
use crate::vocab::{ConnId, NodeId, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Writer;
use crate::wire::zookeeper::ensemble::{Forwarded, MAX_ENSEMBLE_FRAME, Packet, ServerId};
use crate::wire::zookeeper::{Code, ConnectRequest, Identity, RequestHeader, op};

/// The pause before a leader that was not reached is tried again (`leaderConnectDelayDuringRetryMs`).
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(100);
/// How often it is tried (`Learner.connectToLeader`).
pub(super) const TRIES: u32 = 5;

/// How far a follower has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowerStage {
    /// It connects to the leader again at this time.
    Retrying(Time),
    /// It connects to the leader.
    Connecting,
    /// The leader has to send the epoch.
    Registering,
    /// The epoch is being written to the disk.
    Accepting,
    /// The leader has to say where its history begins for this server.
    Agreed,
    /// The history is arriving.
    Receiving,
    /// The history has arrived, and is being written to the disk.
    Logging,
    /// The history is durable, and the epoch is being written as the current one.
    TakingOver,
    /// Both are acknowledged; the leader has to say that it serves.
    TakenOver,
    /// Clients are served.
    Serving,
}

/// A transaction that the leader sent.
#[derive(Debug)]
pub(super) struct Proposed {
    pub(super) txn: Txn,
    pub(super) bytes: Bytes,
}

/// A request of a client that was forwarded.
#[derive(Debug)]
pub(super) struct Awaited {
    session: i64,
    cxid: i32,
    pub(super) conn: ConnId,
    pub(super) shape: Shape,
    pub(super) what: Awaits,
}

/// What is awaited for a request that was forwarded.
#[derive(Debug)]
pub(in super::super) enum Awaits {
    /// A transaction.
    Txn,
    /// A transaction that fails; its client gets this code instead of the leader's.
    Refusal(Code),
    /// That everything proposed before is committed; the path is the answer.
    Sync(Arc<str>),
}

impl Awaited {
    pub(super) fn is_sync(&self) -> bool {
        matches!(self.what, Awaits::Sync(_))
    }

    /// Whether `txn` is the transaction of this request.
    pub(super) fn became(&self, txn: &Txn) -> bool {
        let opens = matches!(self.shape, Shape::Connect { .. });
        let opened = matches!(txn.record, Record::CreateSession { .. });
        !self.is_sync() && (self.session, self.cxid) == (txn.session, txn.cxid) && (opens == opened)
    }
}

/// A client that wants to attach to a session, which the leader has to confirm.
#[derive(Debug)]
pub(super) struct Attaching {
    pub(super) conn: ConnId,
    pub(super) timeout_ms: i32,
    pub(super) password: Option<Bytes>,
    pub(super) read_only: Option<bool>,
}

/// A server that follows, or tries to.
#[derive(Debug)]
pub(in super::super) struct Learner {
    pub(super) leader: ServerId,
    node: NodeId,
    pub(super) conn: Option<ConnId>,
    pub(super) frames: Frames,
    pub(super) stage: FollowerStage,
    pub(super) tries: u32,
    /// It stops following when nothing has arrived until then.
    pub(super) heard_until: Time,
    pub(super) epoch: u32,
    /// Whether its acknowledgement of the epoch counts: not when it had accepted the epoch before.
    pub(super) counts: bool,
    last_queued: Zxid,
    /// Transactions that are not in the log yet.
    pub(super) queued: VecDeque<Proposed>,
    /// The committed ones of them.
    pub(super) committed: VecDeque<Zxid>,
    /// How many of those are the history that the epoch begins with.
    pub(super) inherited: usize,
    /// Transactions in the log that are not committed.
    pub(super) pending: VecDeque<Proposed>,
    /// Transactions in the log that are not acknowledged.
    pub(super) unacked: VecDeque<Zxid>,
    /// Requests of clients that the leader has to answer, in order.
    pub(super) awaited: VecDeque<Awaited>,
    /// By session.
    pub(super) attaching: BTreeMap<i64, Attaching>,
    /// Sessions whose clients were heard since the last ping.
    pub(super) touched: BTreeSet<i64>,
    /// Bytes to send at the end of the step.
    pub(super) out: Vec<u8>,
}

impl Learner {
    /// A server that wants to follow `leader`, which it has to reach by `until`.
    pub(super) fn new(leader: ServerId, node: NodeId, until: Time) -> Self {
        Self {
            leader,
            node,
            conn: None,
            frames: Frames::new(MAX_ENSEMBLE_FRAME),
            stage: FollowerStage::Connecting,
            tries: 0,
            heard_until: until,
            epoch: 0,
            counts: false,
            last_queued: Zxid(0),
            queued: VecDeque::new(),
            committed: VecDeque::new(),
            inherited: 0,
            pending: VecDeque::new(),
            unacked: VecDeque::new(),
            awaited: VecDeque::new(),
            attaching: BTreeMap::new(),
            touched: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    /// Whether clients are served.
    pub(super) fn serves(&self) -> bool {
        self.stage == FollowerStage::Serving
    }

    /// When the timer has to fire.
    pub(super) fn deadline(&self) -> Time {
        match self.stage {
            FollowerStage::Retrying(at) => at.min(self.heard_until),
            _ => self.heard_until,
        }
    }

    /// The session's client was heard; the next ping says so to the leader.
    pub(in super::super) fn touch(&mut self, session: i64) {
        self.touched.insert(session);
    }

    /// Queues a packet for the leader.
    pub(super) fn queue(&mut self, packet: &Packet) {
        self.out.extend_from_slice(&packet.encode());
    }

    /// Sends what is queued.
    pub(super) fn flush(&mut self, fx: &mut Effects) {
        if let Some(conn) = self.conn
            && !self.out.is_empty()
        {
            fx.send(conn, std::mem::take(&mut self.out).into());
        }
    }

    /// Acknowledges everything up to `zxid`, which is durable here.
    pub(super) fn acknowledge(&mut self, zxid: Zxid) {
        while let Some(zxid) = self.unacked.pop_front_if(|next| *next <= zxid) {
            self.queue(&Packet::Ack { zxid });
        }
    }

    /// Connects to the leader.
    pub(super) fn connect(&mut self, step: &mut Step<'_>) {
        self.tries += 1;
        self.conn = Some(step.connect(self.node, Route::Leader));
        self.frames = Frames::new(MAX_ENSEMBLE_FRAME);
        self.stage = FollowerStage::Connecting;
    }

    /// Takes a transaction of the leader; `None` when it does not follow on the last one.
    pub(super) fn receive(&mut self, zxid: Zxid, bytes: Bytes) -> Option<()> {
        let txn = Txn::decode(bytes.clone()).ok().filter(|txn| txn.zxid == zxid)?;
        let follows = self.last_queued == Zxid(0)
            || zxid.0 == self.last_queued.0 + 1
            || zxid.0 >> 32 > self.last_queued.0 >> 32;
        self.last_queued = zxid;
        follows.then(|| self.queued.push_back(Proposed { txn, bytes }))
    }

    /// The oldest queued transaction, which has to be the next committed one.
    pub(super) fn next_committed(&mut self) -> Option<Result<Proposed, Zxid>> {
        let zxid = self.committed.pop_front()?;
        let next = self.queued.pop_front_if(|next| next.txn.zxid == zxid);
        Some(next.ok_or(zxid))
    }

    /// Forwards a client's request to the leader; the answer is what the leader commits.
    pub(in super::super) fn forward(
        &mut self,
        connection: &mut Connection,
        arrived: Arrived,
        shape: Shape,
        what: Awaits,
    ) {
        let Arrived { conn, session, header, body } = arrived;
        connection.wait(Waiting::Proposal);
        let identity = |id: &AuthId| Identity { scheme: id.scheme.clone(), user: id.id.clone() };
        let ids = connection.ids.iter().map(identity).collect();
        let (cxid, op) = (header.xid, header.op);
        self.awaited.push_back(Awaited { session, cxid, conn, shape, what });
        self.queue(&Packet::Request(Forwarded { session, cxid, op, body, ids }));
    }

    /// Forwards the request for a new session.
    pub(in super::super) fn forward_session(
        &mut self,
        connection: &mut Connection,
        (conn, shape): (ConnId, Shape),
        session: i64,
        timeout_ms: i32,
        password: &[u8; PASSWORD],
    ) {
        let header = RequestHeader { xid: 0, op: op::CREATE_SESSION };
        let body = body_of_session(timeout_ms, password);
        self.forward(connection, Arrived { conn, session, header, body }, shape, Awaits::Txn);
    }

    /// Asks the leader to make a local session known to all servers; no client waits for that.
    pub(in super::super) fn forward_upgrade(
        &mut self,
        session: i64,
        timeout_ms: i32,
        password: &[u8; PASSWORD],
    ) {
        let body = body_of_session(timeout_ms, password);
        let (cxid, op, ids) = (0, op::CREATE_SESSION, Vec::new());
        self.queue(&Packet::Request(Forwarded { session, cxid, op, body, ids }));
    }

    /// A client wants to attach to a session; only the leader knows whether it is alive.
    pub(in super::super) fn ask_for_session(
        &mut self,
        connection: &mut Connection,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) {
        connection.greeting = true;
        let (session, password) = (request.session, request.password.clone());
        let read_only = request.read_only.map(|_| false);
        let attaching = Attaching { conn, timeout_ms, password: password.clone(), read_only };
        self.attaching.insert(session, attaching);
        self.queue(&Packet::Revalidate { session, timeout_ms, password });
    }
}

fn body_of_session(timeout_ms: i32, password: &[u8; PASSWORD]) -> Bytes {
    let mut body = Writer::new();
    body.int(timeout_ms);
    body.raw(password);
    body.finish()
}
