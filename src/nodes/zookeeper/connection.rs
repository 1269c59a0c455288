//! One connection of a client: what has arrived, and what is to be answered in which order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::acl::AuthId;
use crate::vocab::{ConnId, Time};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::{Code, MAX_FRAME, Request, RequestHeader};

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) frames: Frames,
    /// Its session, once it has asked for one.
    pub(super) session: Option<i64>,
    /// The identities that it has proved; the first is its address.
    pub(super) ids: Vec<AuthId>,
    /// Requests that are not answered yet, in order, and when each was read; the front waits for a transaction.
    pub(super) waiting: VecDeque<(Time, Waiting)>,
    /// When the last frame was read.
    pub(super) heard: Time,
    /// Frames received.
    pub(super) received: u64,
    /// Frames sent.
    pub(super) sent: u64,
    /// The client has closed its session, or was refused: what it sends is not read any more.
    pub(super) ended: bool,
    /// The leader is being asked for its session: until it answers, nothing more is read.
    pub(super) greeting: bool,
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

    /// The request that was read last has to wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back((self.heard, waiting));
    }
}
