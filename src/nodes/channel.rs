//! A connection to a broker on which requests go out and responses come back in order.
//!
//! Used by followers, the controller, producers and consumers. Timeouts and back-off belong to its owner; the
//! channel only keeps the protocol.

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::Effects;
use crate::vocab::{ConnId, NodeId};
use crate::wire::frames::{FrameError, Frames};
use crate::wire::kafka::{
    KafkaWireError, MAX_FRAME_BYTES, correlation_id, decode_response, encode_request,
};

/// The peer broke the protocol; the connection has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// A frame of impossible length.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A response that does not decode.
    #[error(transparent)]
    Wire(#[from] KafkaWireError),
    /// A response to something else than the oldest request.
    #[error("response {got:?} instead of {wanted:?}")]
    OutOfOrder {
        /// Its correlation id.
        got: Option<i32>,
        /// The correlation id of the oldest request in flight.
        wanted: Option<i32>,
    },
}

#[derive(Debug)]
enum ChannelState {
    Idle,
    Connecting { conn: ConnId, waiting: Vec<Bytes> },
    Open(ConnId),
}

#[derive(Debug)]
struct InFlight {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
    tag: u64,
}

/// A connection to one broker.
#[derive(Debug)]
pub struct Channel {
    to: NodeId,
    client_id: StrBytes,
    state: ChannelState,
    frames: Frames,
    in_flight: VecDeque<InFlight>,
    next_correlation_id: i32,
}

impl Channel {
    /// A channel to `to`, not connected yet.
    pub fn new(to: NodeId, client_id: StrBytes) -> Self {
        Self {
            to,
            client_id,
            state: ChannelState::Idle,
            frames: Frames::new(MAX_FRAME_BYTES),
            in_flight: VecDeque::new(),
            next_correlation_id: 0,
        }
    }

    /// The broker's node.
    pub fn to(&self) -> NodeId {
        self.to
    }

    /// Its connection, open or being opened.
    pub fn conn(&self) -> Option<ConnId> {
        match &self.state {
            ChannelState::Idle => None,
            ChannelState::Connecting { conn, .. } | ChannelState::Open(conn) => Some(*conn),
        }
    }

    /// Whether the connection is open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ChannelState::Open(_))
    }

    /// How many requests wait for a response.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Connects, unless it is connected or about to be. Returns the connection if it is new.
    pub fn connect(&mut self, effects: &mut Effects) -> Option<ConnId> {
        if !matches!(self.state, ChannelState::Idle) {
            return None;
        }
        let conn = effects.connect(self.to);
        self.state = ChannelState::Connecting { conn, waiting: Vec::new() };
        Some(conn)
    }

    fn transmit(&mut self, effects: &mut Effects, frame: Bytes) -> Option<ConnId> {
        let new = self.connect(effects);
        match &mut self.state {
            ChannelState::Open(conn) => effects.send(*conn, frame),
            ChannelState::Connecting { waiting, .. } => waiting.push(frame),
            ChannelState::Idle => unreachable!("it was just connected"),
        }
        new
    }

    fn encode(&mut self, api: ApiKey, version: i16, body: &RequestKind) -> (i32, Bytes) {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1) & i32::MAX;
        (id, encode_request(api, version, id, &self.client_id, body))
    }

    /// Sends a request, connecting first when needed. `tag` comes back with the response, or from
    /// [`Channel::closed`] when there will be none. Returns the connection if it is new.
    pub fn send(
        &mut self,
        effects: &mut Effects,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
        tag: u64,
    ) -> Option<ConnId> {
        let (correlation_id, frame) = self.encode(api, version, body);
        self.in_flight.push_back(InFlight { correlation_id, api, version, tag });
        self.transmit(effects, frame)
    }

    /// Sends a request that has no response (Produce with `acks=0`). Returns the connection if it is new.
    pub fn send_one_way(
        &mut self,
        effects: &mut Effects,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Option<ConnId> {
        let (_, frame) = self.encode(api, version, body);
        self.transmit(effects, frame)
    }

    /// The connection is open: what waited goes out. Returns whether `conn` is this channel's.
    pub fn opened(&mut self, effects: &mut Effects, conn: ConnId) -> bool {
        if self.conn() != Some(conn) {
            return false;
        }
        if let ChannelState::Connecting { waiting, .. } =
            std::mem::replace(&mut self.state, ChannelState::Open(conn))
        {
            for frame in waiting {
                effects.send(conn, frame);
            }
        }
        true
    }

    /// Processes bytes of its connection; responses are added to `responses` with the tags of their requests.
    ///
    /// # Errors
    /// When the peer breaks the protocol; the owner should [`Channel::disconnect`].
    pub fn received(
        &mut self,
        bytes: Bytes,
        responses: &mut Vec<(u64, ResponseKind)>,
    ) -> Result<(), ChannelError> {
        self.frames.push(bytes);
        while let Some(payload) = self.frames.pop()? {
            let got = correlation_id(&payload);
            let wanted = self.in_flight.front().map(|request| request.correlation_id);
            if got.is_none() || got != wanted {
                return Err(ChannelError::OutOfOrder { got, wanted });
            }
            let request = self.in_flight.pop_front().expect("its id was just compared");
            let body = decode_response(request.api, request.version, payload)?;
            responses.push((request.tag, body));
        }
        Ok(())
    }

    /// The connection has ended. Returns the tags of requests that will get no response, oldest first.
    pub fn closed(&mut self) -> Vec<u64> {
        self.state = ChannelState::Idle;
        self.frames = Frames::new(MAX_FRAME_BYTES);
        self.in_flight.drain(..).map(|request| request.tag).collect()
    }

    /// Closes the connection; returns what [`Channel::closed`] returns.
    pub fn disconnect(&mut self, effects: &mut Effects) -> Vec<u64> {
        if let Some(conn) = self.conn() {
            effects.close(conn);
        }
        self.closed()
    }
}
