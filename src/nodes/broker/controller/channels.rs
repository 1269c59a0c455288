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

use crate::nodes::broker::context::{ConnOwner, Context};
use crate::nodes::channel::Channel;
use crate::vocab::{BrokerId, ConnId, NodeId, Time, TopicPartition};

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
enum RequestState {
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
    state: RequestState,
    attempt: u64,
    /// When the request in flight is without an answer for too long, by the wall clock (`NetworkClient`).
    times_out_at: Time,
}

/// What the owner has to set a timer for; back it comes as [`Peers::due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The broker.
    pub broker: BrokerId,
    /// Distinguishes this wait from later ones.
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
        let (queue, state) = (VecDeque::new(), RequestState::Idle);
        let peer = Peer { channel, queue, state, attempt: 0, times_out_at: Time::ZERO };
        self.peers.entry(id).or_insert(peer);
    }

    /// A broker is not registered any more: what was not sent yet is not sent.
    pub fn remove(&mut self, cx: &mut Context<'_>, id: BrokerId) {
        if let Some(mut peer) = self.peers.remove(&id) {
            cx.disconnect(&mut peer.channel);
        }
    }

    /// Closes all connections and forgets what was to be sent.
    pub fn clear(&mut self, cx: &mut Context<'_>) {
        for (_, mut peer) in std::mem::take(&mut self.peers) {
            cx.disconnect(&mut peer.channel);
        }
    }

    /// Queues a request.
    pub fn send(&mut self, cx: &mut Context<'_>, to: BrokerId, control: Control) -> Option<Alarm> {
        let peer = self.peers.get_mut(&to)?;
        peer.queue.push_back(control);
        self.advance(cx, to)
    }

    fn advance(&mut self, cx: &mut Context<'_>, id: BrokerId) -> Option<Alarm> {
        let attempt = self.next_attempt;
        let peer = self.peers.get_mut(&id)?;
        if peer.state != RequestState::Idle {
            return None;
        }
        let control = peer.queue.front()?;
        let call = (control.api, control.version);
        let owner = ConnOwner::ControlledBroker(id);
        cx.send(owner, &mut peer.channel, call, &control.body, attempt);
        peer.state = RequestState::Sent;
        peer.attempt = attempt;
        peer.times_out_at = cx.clock.by_wall() + self.socket_timeout;
        self.next_attempt += 1;
        Some(Alarm { broker: id, attempt, after: self.socket_timeout })
    }

    fn pause(&mut self, id: BrokerId) -> Option<Alarm> {
        let attempt = self.next_attempt;
        let peer = self.peers.get_mut(&id)?;
        if peer.state != RequestState::Sent {
            return None;
        }
        peer.state = RequestState::Pausing;
        peer.attempt = attempt;
        self.next_attempt += 1;
        Some(Alarm { broker: id, attempt, after: RESEND_PAUSE })
    }

    /// An alarm is due: a pause is over, or a response is overdue.
    pub fn due(&mut self, cx: &mut Context<'_>, broker: BrokerId, attempt: u64) -> Option<Alarm> {
        let peer = self.peers.get_mut(&broker)?;
        if peer.attempt != attempt {
            return None;
        }
        match peer.state {
            RequestState::Idle => None,
            RequestState::Sent if cx.clock.by_wall() < peer.times_out_at => {
                let after = peer.times_out_at.since(cx.clock.by_wall());
                Some(Alarm { broker, attempt, after })
            }
            RequestState::Sent => {
                tracing::warn!(%broker, "a control request is not answered; sent again");
                cx.disconnect(&mut peer.channel);
                self.pause(broker)
            }
            RequestState::Pausing => {
                peer.state = RequestState::Idle;
                self.advance(cx, broker)
            }
        }
    }

    /// The connection to a broker is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, broker: BrokerId, conn: ConnId) {
        let peer = self.peers.get_mut(&broker).expect("it owns the connection");
        peer.channel.opened(cx.effects, conn);
    }

    /// The connection to a broker is gone.
    pub fn closed(&mut self, broker: BrokerId) -> Option<Alarm> {
        let peer = self.peers.get_mut(&broker).expect("it owns the connection");
        peer.channel.closed();
        self.pause(broker)
    }

    /// Takes bytes of a broker; returns the answered requests, and what to wait for.
    pub fn received(
        &mut self,
        cx: &mut Context<'_>,
        broker: BrokerId,
        bytes: Bytes,
    ) -> (Vec<(Control, ResponseKind)>, Option<Alarm>) {
        let peer = self.peers.get_mut(&broker).expect("it owns the connection");
        let mut responses = Vec::new();
        let result = peer.channel.received(bytes, &mut responses);
        let mut answered = Vec::new();
        for (_, response) in responses {
            peer.state = RequestState::Idle;
            let control = peer.queue.pop_front().expect("the head of the queue was answered");
            answered.push((control, response));
        }
        if let Err(why) = result {
            tracing::warn!(%broker, %why, "a control connection broke the protocol");
            cx.disconnect(&mut peer.channel);
            return (answered, self.pause(broker));
        }
        let alarm = self.advance(cx, broker);
        (answered, alarm)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{UpdateMetadataRequest, UpdateMetadataResponse};

    use super::*;
    use crate::nodes::Effects;
    use crate::nodes::broker::context::Outbox;
    use crate::vocab::Clock;
    use crate::vocab::step::Effect;
    use crate::wire::kafka::{correlation_id, encode_response};

    const BROKER: BrokerId = BrokerId(1);

    fn control(epoch: i32) -> Control {
        let request = UpdateMetadataRequest::default().with_controller_epoch(epoch);
        Control::new(ApiKey::UpdateMetadata, 6, RequestKind::UpdateMetadata(request))
    }

    /// What a step needs beside the peers.
    #[derive(Default)]
    struct Step {
        effects: Effects,
        outbox: Outbox,
        wall_ms: i64,
    }

    impl Step {
        fn cx(&mut self) -> Context<'_> {
            let clock = Clock { now: Time::ZERO, wall_ms: self.wall_ms };
            Context { clock, effects: &mut self.effects, outbox: &mut self.outbox }
        }
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
        let (mut peers, mut step) = (peers(), Step::default());
        assert!(peers.send(&mut step.cx(), BROKER, control(1)).is_some());
        assert!(peers.send(&mut step.cx(), BROKER, control(2)).is_none(), "it has to wait");
        let conn = peers.peers[&BROKER].channel.conn().unwrap();
        peers.opened(&mut step.cx(), BROKER, conn);
        let first = sent(&mut step.effects);
        assert_eq!(first.len(), 1);
        let (answered, alarm) = peers.received(&mut step.cx(), BROKER, response(&first[0].1));
        assert_eq!((answered.len(), alarm.is_some()), (1, true));
        assert_eq!(sent(&mut step.effects).len(), 1);
    }

    #[test]
    fn a_request_is_sent_again_after_a_pause_until_it_is_answered() {
        let (mut peers, mut step) = (peers(), Step::default());
        let timeout = peers.send(&mut step.cx(), BROKER, control(1)).unwrap();
        for _ in 0..3 {
            let pause = peers.closed(BROKER).unwrap();
            assert_eq!(pause.after, RESEND_PAUSE);
            assert_eq!(peers.due(&mut step.cx(), BROKER, timeout.attempt), None, "it was given up");
            peers.due(&mut step.cx(), BROKER, pause.attempt).unwrap();
        }
        let conn = peers.peers[&BROKER].channel.conn().unwrap();
        peers.opened(&mut step.cx(), BROKER, conn);
        assert_eq!(sent(&mut step.effects).len(), 1);
    }

    #[test]
    fn a_broker_that_does_not_answer_in_time_is_disconnected() {
        let (mut peers, mut step) = (peers(), Step::default());
        let timeout = peers.send(&mut step.cx(), BROKER, control(1)).unwrap();
        assert_eq!(timeout.after, Duration::from_secs(30));
        // `NetworkClient` measures on the wall clock: when that is set back, it waits longer.
        step.wall_ms = 10_000;
        let longer = peers.due(&mut step.cx(), BROKER, timeout.attempt).unwrap();
        assert_eq!((longer.after, longer.attempt), (Duration::from_secs(20), timeout.attempt));
        step.wall_ms = 30_000;
        let pause = peers.due(&mut step.cx(), BROKER, timeout.attempt).unwrap();
        assert_eq!(pause.after, RESEND_PAUSE);
        assert!(step.effects.drain().any(|effect| matches!(effect, Effect::Close(_))));
    }

    #[test]
    fn a_removed_broker_gets_no_more_requests() {
        let (mut peers, mut step) = (peers(), Step::default());
        let alarm = peers.send(&mut step.cx(), BROKER, control(1)).unwrap();
        peers.remove(&mut step.cx(), BROKER);
        assert_eq!(peers.due(&mut step.cx(), BROKER, alarm.attempt), None);
        assert_eq!(peers.send(&mut step.cx(), BROKER, control(2)), None);
    }
}
