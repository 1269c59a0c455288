//! The controller's connections to all brokers, itself among them
//! (`kafka/controller/ControllerChannelManager.scala`).
//!
//! For each broker a queue of control requests, of which one is in flight. A request is sent again, after a
//! pause, until it is answered or the broker is not registered any more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use crate::nodes::Effects;
use crate::nodes::channel::Channel;
use crate::vocab::{BrokerId, ConnId, NodeId, TopicPartition};

/// Pause before a control request is sent again.
pub const RESEND_PAUSE: Duration = Duration::from_millis(100);

/// A control request.
#[derive(Clone, Debug)]
pub struct Control {
    /// LeaderAndIsr, UpdateMetadata or StopReplica.
    pub api: ApiKey,
    /// Its version.
    pub version: i16,
    /// The message.
    pub body: RequestKind,
    /// The partitions of a StopReplica that are to be deleted.
    pub deletes: Vec<TopicPartition>,
}

impl Control {
    /// A request that deletes nothing.
    pub fn new(api: ApiKey, version: i16, body: RequestKind) -> Self {
        Self { api, version, body, deletes: Vec::new() }
    }

    /// The same, with partitions that are to be deleted.
    #[must_use]
    pub fn with_deletes(self, deletes: Vec<TopicPartition>) -> Self {
        Self { deletes, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The head of the queue is sent, in attempt number so and so.
    Sent,
    /// The head of the queue is to be sent again after a pause.
    Pausing,
}

#[derive(Debug)]
struct Peer {
    channel: Channel,
    queue: VecDeque<Control>,
    state: State,
    attempt: u64,
}

/// What the owner has to set a timer for; back it comes as [`Peers::due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The broker.
    pub broker: BrokerId,
    /// Tells this wait from later ones.
    pub attempt: u64,
    /// How long to wait: [`RESEND_PAUSE`], or `controller.socket.timeout.ms`.
    pub after: Duration,
}

/// The connections.
#[derive(Debug)]
pub struct Peers {
    client_id: StrBytes,
    socket_timeout: Duration,
    peers: BTreeMap<BrokerId, Peer>,
    next_attempt: u64,
}

impl Peers {
    /// No connections yet. A wait for a connection or a response ends after `socket_timeout`.
    pub fn new(client_id: StrBytes, socket_timeout: Duration) -> Self {
        Self { client_id, socket_timeout, peers: BTreeMap::new(), next_attempt: 0 }
    }

    /// A broker registered.
    pub fn add(&mut self, id: BrokerId, node: NodeId) {
        let channel = Channel::new(node, self.client_id.clone());
        let peer = Peer { channel, queue: VecDeque::new(), state: State::Idle, attempt: 0 };
        self.peers.entry(id).or_insert(peer);
    }

    /// A broker is not registered any more: what it was not told yet, it will not be told.
    pub fn remove(&mut self, effects: &mut Effects, id: BrokerId) {
        if let Some(mut peer) = self.peers.remove(&id) {
            peer.channel.disconnect(effects);
        }
    }

    /// Closes all connections and forgets what was to be sent.
    pub fn clear(&mut self, effects: &mut Effects) {
        for (_, mut peer) in std::mem::take(&mut self.peers) {
            peer.channel.disconnect(effects);
        }
    }

    /// Whether a connection is one of these.
    pub fn owns(&self, conn: ConnId) -> bool {
        self.peers.values().any(|peer| peer.channel.conn() == Some(conn))
    }

    fn find(&self, conn: ConnId) -> Option<BrokerId> {
        let found = self.peers.iter().find(|(_, peer)| peer.channel.conn() == Some(conn));
        found.map(|(&id, _)| id)
    }

    /// Queues a request.
    pub fn send(&mut self, effects: &mut Effects, to: BrokerId, control: Control) -> Option<Alarm> {
        let peer = self.peers.get_mut(&to)?;
        peer.queue.push_back(control);
        self.advance(effects, to)
    }

    fn advance(&mut self, effects: &mut Effects, id: BrokerId) -> Option<Alarm> {
        let attempt = self.next_attempt;
        let peer = self.peers.get_mut(&id)?;
        if peer.state != State::Idle {
            return None;
        }
        let control = peer.queue.front()?;
        peer.channel.send(effects, control.api, control.version, &control.body, attempt);
        peer.state = State::Sent;
        peer.attempt = attempt;
        self.next_attempt += 1;
        Some(Alarm { broker: id, attempt, after: self.socket_timeout })
    }

    fn pause(&mut self, id: BrokerId) -> Option<Alarm> {
        let attempt = self.next_attempt;
        let peer = self.peers.get_mut(&id)?;
        if peer.state != State::Sent {
            return None;
        }
        peer.state = State::Pausing;
        peer.attempt = attempt;
        self.next_attempt += 1;
        Some(Alarm { broker: id, attempt, after: RESEND_PAUSE })
    }

    /// An alarm is due: a pause is over, or a response is overdue.
    pub fn due(&mut self, effects: &mut Effects, broker: BrokerId, attempt: u64) -> Option<Alarm> {
        let peer = self.peers.get_mut(&broker)?;
        if peer.attempt != attempt {
            return None;
        }
        match peer.state {
            State::Idle => None,
            State::Sent => {
                tracing::warn!(%broker, "a control request is not answered; sent again");
                peer.channel.disconnect(effects);
                self.pause(broker)
            }
            State::Pausing => {
                peer.state = State::Idle;
                self.advance(effects, broker)
            }
        }
    }

    /// A connection stands.
    pub fn opened(&mut self, effects: &mut Effects, conn: ConnId) {
        if let Some(id) = self.find(conn) {
            let peer = self.peers.get_mut(&id).expect("it was just found");
            peer.channel.opened(effects, conn);
        }
    }

    /// A connection is gone.
    pub fn closed(&mut self, conn: ConnId) -> Option<Alarm> {
        let id = self.find(conn)?;
        self.peers.get_mut(&id)?.channel.closed();
        self.pause(id)
    }

    /// Takes bytes; returns the answered requests, and what to wait for.
    pub fn received(
        &mut self,
        effects: &mut Effects,
        conn: ConnId,
        bytes: Bytes,
    ) -> (Option<BrokerId>, Vec<(Control, ResponseKind)>, Option<Alarm>) {
        let Some(id) = self.find(conn) else { return (None, Vec::new(), None) };
        let peer = self.peers.get_mut(&id).expect("it was just found");
        let mut responses = Vec::new();
        let result = peer.channel.received(bytes, &mut responses);
        let mut answered = Vec::new();
        for (_, response) in responses {
            peer.state = State::Idle;
            if let Some(control) = peer.queue.pop_front() {
                answered.push((control, response));
            }
        }
        if let Err(why) = result {
            tracing::warn!(broker = %id, %why, "a control connection broke the protocol");
            peer.channel.disconnect(effects);
            return (Some(id), answered, self.pause(id));
        }
        let alarm = self.advance(effects, id);
        (Some(id), answered, alarm)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{UpdateMetadataRequest, UpdateMetadataResponse};

    use super::*;
    use crate::vocab::step::Effect;
    use crate::wire::kafka::{correlation_id, encode_response};

    const BROKER: BrokerId = BrokerId(1);

    fn control(epoch: i32) -> Control {
        let request = UpdateMetadataRequest::default().with_controller_epoch(epoch);
        Control::new(ApiKey::UpdateMetadata, 6, RequestKind::UpdateMetadata(request))
    }

    fn peers() -> Peers {
        let mut peers = Peers::new(StrBytes::from_static_str("1"), Duration::from_secs(30));
        peers.add(BROKER, NodeId(3));
        peers
    }

    fn sent(effects: &mut Effects) -> Vec<(ConnId, Bytes)> {
        let list = effects.drain();
        list.filter_map(|effect| match effect {
            Effect::Send { conn, bytes } => Some((conn, bytes)),
            _ => None,
        })
        .collect()
    }

    fn response(request: &Bytes) -> Bytes {
        // Request header: length, key, version, then the correlation id.
        let id = correlation_id(&request[8..]).unwrap();
        let body = ResponseKind::UpdateMetadata(UpdateMetadataResponse::default());
        encode_response(ApiKey::UpdateMetadata, 6, id, &body)
    }

    #[test]
    fn one_request_is_in_flight_and_the_next_follows_its_response() {
        let (mut peers, mut effects) = (peers(), Effects::default());
        assert!(peers.send(&mut effects, BROKER, control(1)).is_some());
        assert!(peers.send(&mut effects, BROKER, control(2)).is_none(), "it has to wait");
        let conn = peers.peers[&BROKER].channel.conn().unwrap();
        peers.opened(&mut effects, conn);
        let first = sent(&mut effects);
        assert_eq!(first.len(), 1);
        let (id, answered, alarm) = peers.received(&mut effects, conn, response(&first[0].1));
        assert_eq!((id, answered.len(), alarm.is_some()), (Some(BROKER), 1, true));
        assert_eq!(sent(&mut effects).len(), 1);
    }

    #[test]
    fn a_request_is_sent_again_after_a_pause_until_it_is_answered() {
        let (mut peers, mut effects) = (peers(), Effects::default());
        let timeout = peers.send(&mut effects, BROKER, control(1)).unwrap();
        for _ in 0..3 {
            let conn = peers.peers[&BROKER].channel.conn().unwrap();
            let pause = peers.closed(conn).unwrap();
            assert_eq!(pause.after, RESEND_PAUSE);
            assert_eq!(peers.due(&mut effects, BROKER, timeout.attempt), None, "it was given up");
            peers.due(&mut effects, BROKER, pause.attempt).unwrap();
        }
        let conn = peers.peers[&BROKER].channel.conn().unwrap();
        peers.opened(&mut effects, conn);
        assert_eq!(sent(&mut effects).len(), 1);
    }

    #[test]
    fn a_broker_that_does_not_answer_in_time_is_disconnected() {
        let (mut peers, mut effects) = (peers(), Effects::default());
        let timeout = peers.send(&mut effects, BROKER, control(1)).unwrap();
        assert_eq!(timeout.after, Duration::from_secs(30));
        let pause = peers.due(&mut effects, BROKER, timeout.attempt).unwrap();
        assert_eq!(pause.after, RESEND_PAUSE);
        assert!(effects.drain().any(|effect| matches!(effect, Effect::Close(_))));
    }

    #[test]
    fn a_removed_broker_is_told_nothing_more() {
        let (mut peers, mut effects) = (peers(), Effects::default());
        let alarm = peers.send(&mut effects, BROKER, control(1)).unwrap();
        peers.remove(&mut effects, BROKER);
        assert_eq!(peers.due(&mut effects, BROKER, alarm.attempt), None);
        assert_eq!(peers.send(&mut effects, BROKER, control(2)), None);
    }
}
