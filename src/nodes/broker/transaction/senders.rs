//! The ways to the leaders that write markers: one connection to each broker, with one request in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{ApiKey, RequestKind, TopicName, WriteTxnMarkersRequest};
use kafka_protocol::protocol::StrBytes;

use super::deadlines::Due;
use super::marker::Marker;
use super::stored::by_topic;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, ConnOwner, Context, OWN, ReplyTo};
use crate::nodes::broker::replica::{Alarm, Deadline};
use crate::nodes::channel::Channel;
use crate::releases::apis::highest;
use crate::vocab::{BrokerId, NodeId};

/// How long a connection that was lost is left alone: what the marker channel has for `reconnect.backoff.ms`.
pub const BACKOFF: Duration = Duration::from_millis(50);

/// A request that waits for its answer.
#[derive(Debug)]
struct InFlight {
    number: u64,
    markers: Vec<Marker>,
    timeout: Deadline,
}

/// The way to one broker.
#[derive(Debug)]
pub struct Sender {
    /// The connection.
    pub channel: Channel,
    /// What is sent next.
    waiting: Vec<Marker>,
    in_flight: Option<InFlight>,
    /// Whether the connection was just lost.
    pub backs_off: bool,
}

/// Owns the ways to all brokers.
#[derive(Debug)]
pub struct Senders {
    own: BrokerId,
    client_id: StrBytes,
    version: i16,
    request_timeout: Duration,
    by_broker: BTreeMap<BrokerId, Sender>,
    next: u64,
}

fn request(markers: &[Marker]) -> RequestKind {
    let markers = markers.iter().map(|marker| {
        let topics = by_topic(&marker.places).into_iter().map(|(topic, partitions)| {
            WritableTxnMarkerTopic::default()
                .with_name(TopicName(topic))
                .with_partition_indexes(partitions)
        });
        WritableTxnMarker::default()
            .with_producer_id(marker.producer_id.into())
            .with_producer_epoch(marker.epoch)
            .with_coordinator_epoch(marker.coordinator.1)
            .with_transaction_result(marker.commit)
            .with_topics(topics.collect())
    });
    WriteTxnMarkersRequest::default().with_markers(markers.collect()).into()
}

impl Senders {
    /// No connection to any broker.
    pub fn new(config: &Config) -> Self {
        let id = config.id;
        Self {
            own: id,
            client_id: StrBytes::from_string(format!("broker-{id}-txn-marker-sender")),
            version: highest(config.version, ApiKey::WriteTxnMarkers).unwrap_or(0),
            request_timeout: config.request_timeout,
            by_broker: BTreeMap::new(),
            next: 0,
        }
    }

    /// Has markers sent to a broker with its next request.
    pub fn push(&mut self, broker: BrokerId, node: NodeId, marker: Marker) {
        let sender = self.by_broker.entry(broker).or_insert_with(|| Sender {
            channel: Channel::new(node, self.client_id.clone()),
            waiting: Vec::new(),
            in_flight: None,
            backs_off: false,
        });
        sender.waiting.push(marker);
    }

    /// Markers of connections that are down.
    pub fn take_unsent(&mut self) -> Vec<Marker> {
        let down = self.by_broker.values_mut().filter(|sender| sender.in_flight.is_none());
        down.flat_map(|sender| std::mem::take(&mut sender.waiting)).collect()
    }

    /// Markers of a partition of `__transaction_state` that are not sent yet.
    pub fn take_of(&mut self, partition: i32) -> Vec<Marker> {
        let is_of = |marker: &mut Marker| marker.coordinator.0 == partition;
        let all = self.by_broker.values_mut();
        all.flat_map(|sender| sender.waiting.extract_if(.., is_of).collect::<Vec<_>>()).collect()
    }

    /// Sends what can be sent.
    pub fn drive_all(&mut self, cx: &mut Context<'_>, alarm: &mut Alarm<Due>) {
        let Self { own, version, request_timeout, by_broker, next, .. } = self;
        for (broker, sender) in by_broker {
            if sender.in_flight.is_some() || sender.waiting.is_empty() || sender.backs_off {
                continue;
            }
            let markers = std::mem::take(&mut sender.waiting);
            let body = request(&markers);
            *next += 1;
            let number = *next;
            if broker == own {
                // Kafka has a connection to itself; here there is no network in between.
                let correlation_id = i32::try_from(number).expect("fewer than 2³¹ requests");
                let api = ApiKey::WriteTxnMarkers;
                let to = ReplyTo { conn: OWN, api, version: *version, correlation_id };
                cx.ask(Ask::RequestOfOwn { to, body: Box::new(body) });
            } else {
                let api = (ApiKey::WriteTxnMarkers, *version);
                cx.send(ConnOwner::Markers(*broker), &mut sender.channel, api, &body, number);
            }
            let timeout = alarm.set_after(cx, *request_timeout, Due::MarkersTimeout(*broker));
            sender.in_flight = Some(InFlight { number, markers, timeout });
        }
    }

    /// The way to a broker.
    ///
    /// # Panics
    /// When markers never went there.
    pub fn get(&mut self, broker: BrokerId) -> &mut Sender {
        self.by_broker.get_mut(&broker).expect("it made the connection")
    }

    /// Takes the request in flight, if it has this number.
    pub fn ended(
        &mut self,
        alarm: &mut Alarm<Due>,
        broker: BrokerId,
        number: Option<u64>,
    ) -> Vec<Marker> {
        let Some(sender) = self.by_broker.get_mut(&broker) else { return Vec::new() };
        let is_it =
            |in_flight: &mut InFlight| number.is_none_or(|number| number == in_flight.number);
        let Some(in_flight) = sender.in_flight.take_if(is_it) else { return Vec::new() };
        alarm.clear(in_flight.timeout);
        in_flight.markers
    }
}
