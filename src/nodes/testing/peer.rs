//! A node that speaks bytes: the other end of whatever is under test.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Request, StrBytes};

use super::rig::{Advance, Rig, Role};
use crate::nodes::Effects;
use crate::vocab::step::{Closed, Input};
use crate::vocab::{Clock, ConnId, NodeId};
use crate::wire::frames::Frames;
use crate::wire::kafka::{MAX_FRAME_BYTES, encode_request};

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

/// A Kafka request on a connection of its own.
#[derive(Debug)]
pub struct Sent<R> {
    from: NodeId,
    pub conn: ConnId,
    version: i16,
    request: PhantomData<R>,
}

impl<R> Clone for Sent<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Sent<R> {}

/// The API of a request.
pub fn api<R: Request>() -> ApiKey {
    ApiKey::try_from(R::KEY).expect("every request has an API")
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
    pub fn request<R: Request + Into<RequestKind>>(
        &mut self,
        from: NodeId,
        to: NodeId,
        version: i16,
        body: R,
    ) -> Sent<R> {
        let conn = self.connect(from, to);
        let name = StrBytes::from_static_str("test");
        self.send(from, conn, encode_request(api::<R>(), version, 1, &name, &body.into()));
        Sent { from, conn, version, request: PhantomData }
    }

    /// The payloads that came for a request.
    pub fn payloads<R>(&self, request: Sent<R>) -> Vec<Bytes> {
        let mut frames = Frames::new(MAX_FRAME_BYTES);
        frames.push(Bytes::copy_from_slice(self.arrived(request.from, request.conn)));
        std::iter::from_fn(|| frames.pop().expect("brokers send frames")).collect()
    }

    /// What a request was answered with, if it was.
    pub fn response<R: Request>(&self, request: Sent<R>) -> Option<R::Response> {
        let mut payload = self.payloads(request).into_iter().next()?;
        let header = api::<R>().response_header_version(request.version);
        ResponseHeader::decode(&mut payload, header).expect("brokers speak Kafka");
        let body = R::Response::decode(&mut payload, request.version);
        assert!(payload.is_empty(), "{} bytes too many", payload.len());
        Some(body.expect("brokers speak Kafka"))
    }

    /// Lets time pass until a request is answered; `None` when the connection ends first or `within` passes.
    pub fn await_payload<R>(&mut self, request: Sent<R>, within: Duration) -> Option<Bytes> {
        let is_closed = |rig: &Self| rig.closed(request.from, request.conn).is_some();
        self.run_until(within, |rig| !rig.payloads(request).is_empty() || is_closed(rig));
        self.payloads(request).into_iter().next()
    }

    /// As [`Rig::await_payload`], decoded.
    pub fn await_response<R: Request>(
        &mut self,
        request: Sent<R>,
        within: Duration,
    ) -> Option<R::Response> {
        self.await_payload(request, within)?;
        let response = self.response(request);
        self.hang_up(request.from, request.conn);
        response
    }
}
