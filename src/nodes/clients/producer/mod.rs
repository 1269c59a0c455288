//! A producer that is not idempotent, as the Java client's behaves.
//!
//! Each record is an operation. It ends `Produced` when the leader acknowledged it (with `acks=0`: when it was
//! written to the connection), `Failed` only when no attempt can have put it into a log, else `Unknown`.
//!
//! Left out: compression, transactions, idempotence, and the splitting of a batch after MESSAGE_TOO_LARGE.

mod accumulator;
mod config;
mod partitioner;
mod sender;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::ResponseKind;

use self::accumulator::{Accumulator, NewRecord, NoRoom, ProducerBatch};
pub use self::config::{Discover, ProducerConfig, Workload};
use self::partitioner::Partitioner;
use super::connections::{Connections, Happenings};
use super::discovery::Discovery;
use super::metadata::{METADATA_TAG, Metadata, MetadataConfig};
use super::protocol::ApiVersions;
use super::wake::{Wake, earlier};
use crate::history::{Call, ClientObservation, Observation, Outcome};
use crate::nodes::Effects;
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Roster, Stream, Time, TopicPartition};
use crate::wire::workload;

/// Failures that the client itself decides; the protocol has no code for them.
mod reason {
    /// The topic was not in the metadata within `max.block.ms`.
    pub const NO_METADATA: &str = "METADATA_TIMED_OUT";
    /// There was no room within `max.block.ms` (`BufferExhaustedException`).
    pub const NO_ROOM: &str = "BUFFER_EXHAUSTED";
    /// The batch waited too long in the accumulator, or its delivery took too long.
    pub const EXPIRED: &str = "DELIVERY_TIMED_OUT";
}

/// A record whose `send` call blocks.
#[derive(Debug)]
struct Blocked {
    op: u64,
    topic: usize,
    key: Option<u32>,
    until: Time,
}

/// A request in flight: its batches, each with its queue.
type Sent = Vec<(usize, ProducerBatch)>;

/// A producer and the application that uses it.
#[derive(Debug)]
pub struct Producer {
    config: ProducerConfig,
    versions: ApiVersions,
    net: Connections,
    happened: Happenings,
    metadata: Metadata,
    /// The session, when leaders are read from ZooKeeper.
    discovery: Option<Discovery>,
    partitioners: Vec<Partitioner>,
    keys: Vec<(Bytes, u32)>,
    accumulator: Accumulator,
    sent: BTreeMap<u64, Sent>,
    next_tag: u64,
    /// A moment before which no batch in flight reaches its delivery timeout.
    next_in_flight_expiry: Option<Time>,
    wake: Wake,
    next_record: u64,
    /// When the next burst is due.
    next_burst: Time,
    /// Records of the current burst that are not sent yet.
    burst_left: u32,
    blocked: Option<Blocked>,
    closing: bool,
}

impl Producer {
    /// A producer that starts with [`Input::Start`]. `roster` is its DNS.
    pub fn new(config: ProducerConfig, roster: Arc<Roster>, mut stream: Stream) -> Self {
        let versions = ApiVersions::of(config.version);
        let topics = &config.workload.topics;
        let metadata_config = MetadataConfig {
            max_age: config.metadata_max_age,
            retry_backoff: config.retry_backoff,
            allow_auto_create: true,
        };
        let metadata =
            Metadata::new(metadata_config, versions.metadata, roster, &config.bootstrap, topics);
        let partitioners =
            topics.iter().map(|_| Partitioner::new(config.version, &mut stream)).collect();
        let discovery = match &config.discover {
            Discover::Metadata => None,
            Discover::ZooKeeper { servers, session_timeout } => {
                let stream = stream.below_name("session");
                Some(Discovery::new(servers.clone(), *session_timeout, stream))
            }
        };
        let key = |n: u32| {
            let key = Bytes::from(format!("key-{n}").into_bytes());
            let hash = partitioner::murmur2(&key);
            (key, hash)
        };
        Self {
            versions,
            net: Connections::new(&config.name, config.connection.clone(), stream),
            happened: Happenings::default(),
            metadata,
            discovery,
            partitioners,
            keys: (0..config.workload.keys).map(key).collect(),
            accumulator: Accumulator::new(&config),
            sent: BTreeMap::new(),
            next_tag: 0,
            next_in_flight_expiry: None,
            wake: Wake::default(),
            next_record: config.workload.first_record,
            next_burst: config.workload.start,
            burst_left: 0,
            blocked: None,
            closing: false,
            config,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let input = match &mut self.discovery {
            Some(discovery) => discovery.handle(clock, input, &mut self.metadata, effects),
            None => Some(input),
        };
        match input {
            Some(Input::Timer { id, .. }) if !self.wake.fired(id) => return,
            Some(Input::Shutdown) => self.closing = true,
            // The timer only says that something may be due.
            None | Some(Input::Timer { .. }) => {}
            Some(other) => self.network(clock, other, effects),
        }
        self.expire(clock, effects);
        self.hand_over(clock, effects);
        let sender = self.send_ready(clock, effects);
        let metadata = match &mut self.discovery {
            // A Metadata request can create the topic, so it is sent when the first record needs it.
            _ if clock.now < self.config.workload.start => None,
            Some(discovery) => discovery.refresh(clock, &mut self.metadata, effects),
            None => self.metadata.refresh(clock.now, &mut self.net, effects),
        };
        self.metadata.observe_changes(effects);
        if self.closing && self.is_idle() {
            effects.exit();
            return;
        }
        let next = [
            sender,
            metadata,
            self.application_due(clock.now),
            self.net.deadline(),
            self.accumulator.next_expiry(),
            self.next_in_flight_expiry,
        ];
        self.wake.arm(effects, next.into_iter().fold(None, earlier));
    }

    /// The nodes that it sends Metadata requests to; none when it reads ZooKeeper instead.
    pub fn asks(&self) -> &[NodeId] {
        if self.discovery.is_some() { &[] } else { self.metadata.nodes() }
    }

    /// Whether every operation has ended.
    pub fn is_idle(&self) -> bool {
        self.blocked.is_none() && self.accumulator.queued() == 0 && self.sent.is_empty()
    }

    fn network(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let mut happened = std::mem::take(&mut self.happened);
        self.net.handle(clock.now, input, effects, &mut happened);
        self.digest(clock, &mut happened, effects);
        self.happened = happened;
    }

    fn digest(&mut self, clock: Clock, happened: &mut Happenings, effects: &mut Effects) {
        for (tag, body) in happened.responses.drain(..) {
            match body {
                ResponseKind::Metadata(body) => {
                    self.metadata.answered(clock.now, &body);
                }
                ResponseKind::Produce(body) => self.answered(clock, tag, &body, effects),
                other => panic!("a producer does not ask for {other:?}"),
            }
        }
        for tag in happened.lost.drain(..) {
            if tag == METADATA_TAG {
                self.metadata.lost();
            } else {
                self.lost(clock, tag, effects);
            }
        }
        if std::mem::take(&mut happened.disconnected) {
            self.metadata.request_update();
        }
    }

    fn expire(&mut self, clock: Clock, effects: &mut Effects) {
        if self.net.deadline().is_some_and(|deadline| deadline <= clock.now) {
            let mut happened = std::mem::take(&mut self.happened);
            self.net.expire(clock.now, effects, &mut happened);
            self.digest(clock, &mut happened, effects);
            self.happened = happened;
        }
        for (slot, batch) in self.accumulator.expire(clock.now, &self.config) {
            let at = &self.accumulator.queue(slot).at;
            tracing::debug!(%at, "a batch expires in the accumulator");
            self.give_up(batch, reason::EXPIRED, effects);
        }
        self.expire_in_flight(clock, effects);
    }

    // The application's thread.

    fn stopped(&self, at: Time) -> bool {
        self.closing || self.config.workload.stop.is_some_and(|stop| at >= stop)
    }

    fn application_due(&self, now: Time) -> Option<Time> {
        match &self.blocked {
            Some(blocked) => Some(blocked.until),
            None => Some(self.next_burst.max(now)).filter(|&at| !self.stopped(at)),
        }
    }

    fn hand_over(&mut self, clock: Clock, effects: &mut Effects) {
        if let Some(blocked) = self.blocked.take() {
            self.send_record(clock, blocked, effects);
        }
        let workload = &self.config.workload;
        let (interval, burst) = (workload.interval, workload.burst);
        if self.blocked.is_none()
            && self.burst_left == 0
            && self.next_burst <= clock.now
            && !self.stopped(clock.now)
        {
            self.burst_left = burst;
            self.next_burst = (self.next_burst + interval).max(clock.now);
            if self.next_burst == clock.now {
                // Late, or without an interval: at least a nanosecond passes between two bursts.
                self.next_burst = clock.now + interval.max(std::time::Duration::from_nanos(1));
            }
        }
        while self.burst_left > 0 && self.blocked.is_none() {
            self.burst_left -= 1;
            if self.stopped(clock.now) {
                self.burst_left = 0;
                break;
            }
            self.begin_record(clock, effects);
        }
    }

    fn begin_record(&mut self, clock: Clock, effects: &mut Effects) {
        let op = self.next_record;
        self.next_record += 1;
        let topic = (op % self.metadata.topics() as u64) as usize;
        let call = Call::Produce { topic: self.metadata.name(topic).clone() };
        effects.observe(Observation::Client(ClientObservation::Invoked { op, call }));
        let keys = self.keys.len() as u64;
        let key = (keys > 0).then(|| self.net.stream().below(keys) as u32);
        let until = clock.now + self.config.max_block;
        self.send_record(clock, Blocked { op, topic, key, until }, effects);
    }

    /// As `KafkaProducer.send`: waits for metadata and for memory, and appends.
    fn send_record(&mut self, clock: Clock, record: Blocked, effects: &mut Effects) {
        let partitions = self.metadata.partitions(record.topic);
        if partitions == 0 {
            self.metadata.request_update();
            return self.block(clock, record, reason::NO_METADATA, effects);
        }
        let value =
            workload::encode(&self.config.name, record.op, self.config.workload.record_bytes);
        let (key, hash) = match record.key {
            Some(key) => {
                let (key, hash) = &self.keys[key as usize];
                (Some(key.clone()), Some(*hash))
            }
            None => (None, None),
        };
        let new = NewRecord { op: record.op, key: key.as_deref(), value: &value };
        if new.size_bytes() > self.config.max_request_size {
            return complete_failed(effects, record.op, "MESSAGE_TOO_LARGE");
        }
        let topic = record.topic;
        let slot = match hash {
            Some(hash) => {
                let partition = partitioner::of_key(hash, partitions);
                self.accumulator.slot(topic, self.metadata.name(topic), partition)
            }
            None => self.choose(topic, &new),
        };
        if self.accumulator.append(clock, slot, new) == Err(NoRoom) {
            return self.block(clock, record, reason::NO_ROOM, effects);
        }
        if hash.is_none() {
            self.partitioners[topic].appended(new.size_bytes(), self.config.batch_size);
        }
    }

    fn choose(&mut self, topic: usize, record: &NewRecord<'_>) -> usize {
        let Self { metadata, net, accumulator, partitioners, .. } = self;
        let partitioner = &mut partitioners[topic];
        let partition = partitioner.choose(topic, metadata, net.stream());
        let slot = accumulator.slot(topic, metadata.name(topic), partition);
        if !partitioner.moves_on_new_batch() || !accumulator.needs_new_batch(slot, record) {
            return slot;
        }
        let partition = partitioner.move_on(topic, metadata, net.stream());
        accumulator.slot(topic, metadata.name(topic), partition)
    }

    fn block(&mut self, clock: Clock, record: Blocked, why: &str, effects: &mut Effects) {
        if clock.now < record.until {
            self.blocked = Some(record);
        } else {
            complete_failed(effects, record.op, why);
        }
    }

    // The ends of operations.

    /// Ends the operations of a batch that will not be retried.
    fn give_up(&mut self, mut batch: ProducerBatch, error: &str, effects: &mut Effects) {
        self.accumulator.free(&mut batch);
        end_badly(&batch, error, effects);
    }

    fn succeed(
        &mut self,
        batch: &mut ProducerBatch,
        at: &TopicPartition,
        base_offset: i64,
        effects: &mut Effects,
    ) {
        self.accumulator.free(batch);
        for (n, &op) in (0i64..).zip(&batch.ops) {
            let offset = if base_offset < 0 { -1 } else { base_offset.saturating_add(n) };
            let outcome = Outcome::Produced { at: at.clone(), offset };
            effects.observe(Observation::Client(ClientObservation::Completed { op, outcome }));
        }
    }
}

fn complete_failed(effects: &mut Effects, op: u64, error: &str) {
    let outcome = Outcome::Failed { error: error.into() };
    effects.observe(Observation::Client(ClientObservation::Completed { op, outcome }));
}

fn end_badly(batch: &ProducerBatch, error: &str, effects: &mut Effects) {
    let error: Arc<str> = error.into();
    for &op in &batch.ops {
        let error = error.clone();
        let outcome = if batch.maybe_written {
            Outcome::Unknown { error }
        } else {
            Outcome::Failed { error }
        };
        effects.observe(Observation::Client(ClientObservation::Completed { op, outcome }));
    }
}
