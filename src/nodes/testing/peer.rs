//! A node that speaks bytes: the other end of whatever is under test.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::rig::{Rig, Role};
use crate::nodes::Effects;
use crate::vocab::step::{Closed, Input};
use crate::vocab::{Clock, ConnId, NodeId};
use crate::wire::frames::Frames;
use crate::wire::kafka::{MAX_FRAME_BYTES, decode_response, encode_request};

/// One connection of a [`Peer`].
#[derive(Debug)]
pub struct Line {
    pub is_open: bool,
    /// How the connection ended, if it did.
    pub closed: Option<Closed>,
    /// What is sent as soon as the connection is open.
    waiting: Vec<Bytes>,
    arrived: Vec<u8>,
}

/// Connects, sends and closes when its test says so, and keeps what arrives.
#[derive(Debug, Default)]
pub struct Peer {
    pub lines: BTreeMap<ConnId, Line>,
}

impl Peer {
    fn line(&mut self, conn: ConnId, is_open: bool) {
        let line = Line { is_open, closed: None, waiting: Vec::new(), arrived: Vec::new() };
        self.lines.insert(conn, line);
    }
}

impl Role for Peer {
    fn step(&mut self, _clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Accepted { conn, .. } => self.line(conn, true),
            Input::Opened(conn) => {
                let line = self.lines.get_mut(&conn).expect("the peer connected");
                line.is_open = true;
                line.waiting.drain(..).for_each(|bytes| effects.send(conn, bytes));
            }
            Input::Received { conn, bytes } => {
                let line = self.lines.get_mut(&conn).expect("the connection is known");
                line.arrived.extend_from_slice(&bytes);
            }
            Input::Closed { conn, why } => {
                let line = self.lines.get_mut(&conn).expect("the connection is known");
                (line.is_open, line.closed) = (false, Some(why));
            }
            _ => {}
        }
    }
}

/// A request on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    from: NodeId,
    pub conn: ConnId,
    api: ApiKey,
    version: i16,
}

/// Connections and requests of a [`Peer`].
impl Rig {
    /// Connects a peer to a node.
    pub fn connect(&mut self, from: NodeId, to: NodeId) -> ConnId {
        self.act(from, |peer: &mut Peer, _, effects| {
            let conn = effects.connect(to);
            peer.line(conn, false);
            conn
        })
    }

    /// Sends bytes on a peer's connection, as soon as that is open.
    pub fn send(&mut self, from: NodeId, conn: ConnId, bytes: Bytes) {
        self.act(from, |peer: &mut Peer, _, effects| {
            let line = peer.lines.get_mut(&conn).expect("the peer has the connection");
            if line.is_open {
                effects.send(conn, bytes);
            } else if line.closed.is_none() {
                line.waiting.push(bytes);
            }
        });
    }

    /// Closes a peer's connection.
    pub fn hang_up(&mut self, from: NodeId, conn: ConnId) {
        self.act(from, |peer: &mut Peer, _, effects| {
            peer.lines.remove(&conn);
            effects.close(conn);
        });
    }

    /// What arrived at a peer since it was taken last; it stays.
    pub fn arrived(&self, at: NodeId, conn: ConnId) -> &[u8] {
        &self.role::<Peer>(at).lines[&conn].arrived
    }

    /// What arrived at a peer since it was taken last.
    pub fn take(&mut self, at: NodeId, conn: ConnId) -> Bytes {
        self.act(at, |peer: &mut Peer, _, _| {
            let line = peer.lines.get_mut(&conn).expect("the peer has the connection");
            std::mem::take(&mut line.arrived).into()
        })
    }

    /// How a peer's connection ended, if it did.
    pub fn closed(&self, at: NodeId, conn: ConnId) -> Option<Closed> {
        self.role::<Peer>(at).lines[&conn].closed
    }

    /// Sends a Kafka request on a new connection.
    pub fn request(
        &mut self,
        from: NodeId,
        to: NodeId,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Request {
        let conn = self.connect(from, to);
        let name = StrBytes::from_static_str("test");
        self.send(from, conn, encode_request(api, version, 1, &name, body));
        Request { from, conn, api, version }
    }

    /// The payload that a request was answered with, if it was.
    pub fn payload(&self, request: Request) -> Option<Bytes> {
        let mut frames = Frames::new(MAX_FRAME_BYTES);
        frames.push(Bytes::copy_from_slice(self.arrived(request.from, request.conn)));
        frames.pop().expect("brokers send frames")
    }

    /// What a request was answered with, if it was.
    pub fn response(&self, request: Request) -> Option<ResponseKind> {
        let payload = self.payload(request)?;
        Some(decode_response(request.api, request.version, payload).expect("brokers speak Kafka"))
    }

    /// Lets time pass until a request is answered; `None` when the connection ends first or `within` passes.
    pub fn await_payload(&mut self, request: Request, within: Duration) -> Option<Bytes> {
        let is_closed = |rig: &Self| rig.closed(request.from, request.conn).is_some();
        self.run_until(within, |rig| rig.payload(request).is_some() || is_closed(rig));
        self.payload(request)
    }

    /// As [`Rig::await_payload`], decoded.
    pub fn await_response(&mut self, request: Request, within: Duration) -> Option<ResponseKind> {
        self.await_payload(request, within)?;
        let response = self.response(request);
        self.hang_up(request.from, request.conn);
        response
    }
}
