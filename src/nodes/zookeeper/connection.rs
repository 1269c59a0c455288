//! One connection of a client: what has arrived, and what is to be answered in which order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::acl::AuthId;
use super::stats::Latency;
use crate::vocab::{ConnId, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::{Code, MAX_FRAME, Request, RequestHeader, op};

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) frames: Frames,
    /// Its session, once it has asked for one.
    pub(super) session: Option<i64>,
    /// The identities that it has proved; the first is its address.
    pub(super) ids: Vec<AuthId>,
    /// Requests that are not answered yet, in order, and when each was read; the front waits for a transaction.
    pub(super) waiting: VecDeque<(Heard, Waiting)>,
    /// The last frame that was read.
    pub(super) heard: Heard,
    /// When it was accepted, by the wall clock, in milliseconds since 1970.
    pub(super) since_wall_ms: i64,
    /// Of its answers.
    pub(super) answered: Answered,
    /// Frames received.
    pub(super) received: u64,
    /// Frames sent.
    pub(super) sent: u64,
    /// The client has closed its session, or was refused: what it sends is not read any more.
    pub(super) ended: bool,
    /// The leader is being asked for its session: until it answers, nothing more is read.
    pub(super) greeting: bool,
}

/// When a frame was read, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) at: Time,
    pub(super) op: i32,
    pub(super) xid: i32,
}

/// What is known of the answers of a connection (`ServerCnxn.updateStatsForResponse`).
#[derive(Debug)]
pub(super) struct Answered {
    /// The operation that was answered last, if one was.
    op: Option<i32>,
    /// The number of the client's last request that has one of its own.
    pub(super) cxid: Option<i32>,
    /// The last transaction that was applied then.
    pub(super) zxid: Zxid,
    /// When, on the server's monotonic clock.
    pub(super) at_ms: u64,
    /// How long it took.
    pub(super) last_ms: u64,
    pub(super) latency: Latency,
}

impl Default for Answered {
    fn default() -> Self {
        let latency = Latency::default();
        Self { op: None, cxid: None, zxid: Zxid(-1), at_ms: 0, last_ms: 0, latency }
    }
}

impl Answered {
    /// A request is answered.
    pub(super) fn add(&mut self, heard: Heard, now: Time, zxid: Zxid) {
        self.op = Some(heard.op);
        if heard.xid >= 0 {
            self.cxid = Some(heard.xid);
        }
        self.zxid = zxid;
        self.at_ms = now.as_millis();
        self.last_ms = now.as_millis() - heard.at.as_millis();
        self.latency.add(heard.at, now);
    }

    /// ZooKeeper's name for the last operation (`FinalRequestProcessor`).
    pub(super) fn operation(&self) -> &'static str {
        match self.op {
            Some(op::PING) => "PING",
            Some(op::CREATE_SESSION) => "SESS",
            Some(op::CLOSE_SESSION) => "CLOS",
            Some(op::MULTI) => "MULT",
            Some(op::MULTI_READ) => "MLTR",
            Some(op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL) => "CREA",
            Some(op::DELETE | op::DELETE_CONTAINER) => "DELE",
            Some(op::SET_DATA) => "SETD",
            Some(op::SET_ACL) => "SETA",
            Some(op::RECONFIG) => "RECO",
            Some(op::SYNC) => "SYNC",
            Some(op::CHECK) => "CHEC",
            Some(op::EXISTS) => "EXIS",
            Some(op::GET_DATA) => "GETD",
            Some(op::GET_ACL) => "GETA",
            Some(op::GET_CHILDREN | op::GET_CHILDREN2) => "GETC",
            Some(op::GET_ALL_CHILDREN_NUMBER) => "GETACN",
            Some(op::GET_EPHEMERALS) => "GETE",
            Some(op::SET_WATCHES) => "SETW",
            Some(op::SET_WATCHES2) => "STW2",
            Some(op::ADD_WATCH) => "ADDW",
            Some(op::CHECK_WATCHES) => "CHKW",
            Some(op::REMOVE_WATCHES) => "REMW",
            Some(op::WHO_AM_I) => "HOMI",
            _ => "NA",
        }
    }
}

/// A request as it was read.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) conn: ConnId,
    pub(super) session: i64,
    pub(super) header: RequestHeader,
    /// The bytes that a follower forwards.
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
    LocalClose { xid: i32 },
    /// A request that cannot be served.
    Refusal { xid: i32, code: Code, close: bool },
}

impl Connection {
    pub(super) fn new(peer: AuthId, wall_ms: i64) -> Self {
        Self {
            frames: Frames::new(MAX_FRAME),
            session: None,
            ids: vec![peer],
            waiting: VecDeque::new(),
            heard: Heard { at: Time::ZERO, op: 0, xid: 0 },
            since_wall_ms: wall_ms,
            answered: Answered::default(),
            received: 0,
            sent: 0,
            ended: false,
            greeting: false,
        }
    }

    /// The request that was read last has to wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back((self.heard, waiting));
    }
}
