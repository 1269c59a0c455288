//! The application's thread: it calls `send` for each record of the workload, and may block in it.

use std::time::Duration;

use bytes::Bytes;

use super::accumulator::{Accumulator, NewRecord, NoRoom};
use super::config::{ProducerConfig, Workload};
use super::operations::{fail, reason};
use super::partitioner::{self, Partitioner};
use super::transactions::Transactions;
use crate::history::{Call, ClientObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::clients::metadata::Metadata;
use crate::vocab::{Clock, Stream, Time};
use crate::wire::workload;

/// A record whose `send` call blocks.
#[derive(Debug)]
struct Blocked {
    op: u64,
    topic: usize,
    key: Option<u32>,
    /// By the wall clock.
    until: Time,
}

/// The application, and the partitioners that its `send` calls use.
#[derive(Debug)]
pub struct Application {
    /// One for each topic.
    partitioners: Vec<Partitioner>,
    /// Each key with its hash.
    keys: Vec<(Bytes, u32)>,
    next_record: u64,
    /// When the next burst is due.
    next_burst: Time,
    /// Records of the current burst that are not sent yet.
    burst_left: u32,
    blocked: Option<Blocked>,
    /// Whether a `send` call failed.
    has_failed: bool,
    closing: bool,
}

/// The parts of the producer that `send` works with.
#[derive(Debug)]
pub struct SendParts<'a> {
    /// The producer's settings.
    pub config: &'a ProducerConfig,
    /// Which partitions there are.
    pub metadata: &'a mut Metadata,
    /// Where records wait.
    pub accumulator: &'a mut Accumulator,
    /// The client's own randomness.
    pub stream: &'a mut Stream,
    /// The transactions of a producer that has them.
    pub transactions: Option<&'a mut Transactions>,
}

impl Application {
    /// An application that has not sent anything.
    pub fn new(config: &ProducerConfig, stream: &mut Stream) -> Self {
        let topics = config.workload.topics.iter();
        let key = |n: u32| {
            let key = Bytes::from(format!("key-{n}").into_bytes());
            let hash = partitioner::murmur2(&key);
            (key, hash)
        };
        Self {
            partitioners: topics.map(|_| Partitioner::new(config.version, stream)).collect(),
            keys: (0..config.workload.keys).map(key).collect(),
            next_record: config.workload.first_record,
            next_burst: config.workload.start,
            burst_left: 0,
            blocked: None,
            has_failed: false,
            closing: false,
        }
    }

    /// It calls `close`: no further record, and nothing lingers.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Whether it has called `close`.
    pub fn is_closed(&self) -> bool {
        self.closing
    }

    /// Whether a `send` call blocks.
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Whether batches are sent without lingering: the application closes the producer, or waits for room.
    pub fn flushes(&self) -> bool {
        self.closing || self.is_blocked()
    }

    /// Number of the next record.
    pub fn next_record(&self) -> u64 {
        self.next_record
    }

    /// Whether a `send` call failed since the last time.
    pub fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.has_failed)
    }

    /// A `send` call that blocks fails.
    pub fn abandon(&mut self, why: &str, effects: &mut Effects) {
        if let Some(blocked) = self.blocked.take() {
            fail(effects, blocked.op, why);
        }
    }

    /// Whether no record is sent any more.
    pub fn has_stopped(&self, workload: &Workload, now: Time) -> bool {
        self.closing || workload.stop.is_some_and(|stop| now >= stop)
    }

    /// When a `send` call that blocks gives up, by the wall clock.
    pub fn blocked_until(&self) -> Option<Time> {
        self.blocked.as_ref().map(|blocked| blocked.until)
    }

    /// When it sends the next record.
    pub fn due(&self, now: Time, workload: &Workload) -> Option<Time> {
        if self.is_blocked() {
            return None;
        }
        Some(self.next_burst.max(now)).filter(|&at| !self.has_stopped(workload, at))
    }

    /// Sends the records that are due, until one blocks.
    pub fn run(&mut self, clock: Clock, mut parts: SendParts<'_>, effects: &mut Effects) {
        if let Some(blocked) = self.blocked.take() {
            self.send(clock, blocked, &mut parts, effects);
        }
        let workload = &parts.config.workload;
        if self.blocked.is_none()
            && self.burst_left == 0
            && self.next_burst <= clock.now
            && !self.has_stopped(workload, clock.now)
        {
            self.burst_left = workload.burst;
            self.next_burst = (self.next_burst + workload.interval).max(clock.now);
            if self.next_burst == clock.now {
                // Late, or without an interval: at least a nanosecond passes between two bursts.
                self.next_burst = clock.now + workload.interval.max(Duration::from_nanos(1));
            }
        }
        while self.burst_left > 0 && self.blocked.is_none() {
            self.burst_left -= 1;
            if self.has_stopped(workload, clock.now) {
                self.burst_left = 0;
                break;
            }
            self.begin(clock, &mut parts, effects);
        }
    }

    fn begin(&mut self, clock: Clock, parts: &mut SendParts<'_>, effects: &mut Effects) {
        let op = self.next_record;
        self.next_record += 1;
        let topic = (op % parts.metadata.topics() as u64) as usize;
        let call = Call::Produce { topic: parts.metadata.name(topic).clone() };
        effects.observe(Observation::Client(ClientObservation::Invoked { op, call }));
        let keys = self.keys.len() as u64;
        let key = (keys > 0).then(|| parts.stream.below(keys) as u32);
        let until = clock.by_wall() + parts.config.max_block;
        self.send(clock, Blocked { op, topic, key, until }, parts, effects);
    }

    /// As `KafkaProducer.send`: waits for metadata and for memory, and appends.
    fn send(
        &mut self,
        clock: Clock,
        record: Blocked,
        parts: &mut SendParts<'_>,
        effects: &mut Effects,
    ) {
        let SendParts { config, metadata, accumulator, .. } = parts;
        let partitions = metadata.partitions(record.topic);
        if partitions == 0 {
            metadata.request_update();
            return self.block(clock, record, reason::NO_METADATA, effects);
        }
        let value = workload::encode(&config.name, record.op, config.workload.record_bytes);
        let (key, hash) = match record.key {
            Some(key) => {
                let (key, hash) = &self.keys[key as usize];
                (Some(key.clone()), Some(*hash))
            }
            None => (None, None),
        };
        let new = NewRecord { op: record.op, key: key.as_deref(), value: &value };
        if new.size_bytes() > config.max_request_size {
            self.has_failed = true;
            return fail(effects, record.op, "MESSAGE_TOO_LARGE");
        }
        let topic = record.topic;
        let slot = match hash {
            Some(hash) => {
                let partition = partitioner::of_key(hash, partitions);
                accumulator.slot(topic, metadata.name(topic), partition)
            }
            None => choose(&mut self.partitioners[topic], topic, &new, parts),
        };
        if parts.accumulator.append(clock.of_wall(), slot, new) == Err(NoRoom) {
            return self.block(clock, record, reason::NO_ROOM, effects);
        }
        if let Some(transactions) = &mut parts.transactions {
            transactions.add_partition(slot, &parts.accumulator.queue(slot).at);
        }
        if hash.is_none() {
            self.partitioners[topic].appended(new.size_bytes(), parts.config.batch_size);
        }
    }

    fn block(&mut self, clock: Clock, record: Blocked, why: &str, effects: &mut Effects) {
        if clock.by_wall() < record.until {
            self.blocked = Some(record);
        } else {
            self.has_failed = true;
            fail(effects, record.op, why);
        }
    }
}

/// The queue for a record without a key.
fn choose(
    partitioner: &mut Partitioner,
    topic: usize,
    record: &NewRecord<'_>,
    parts: &mut SendParts<'_>,
) -> usize {
    let SendParts { metadata, accumulator, stream, .. } = parts;
    let partition = partitioner.choose(topic, metadata, stream);
    let slot = accumulator.slot(topic, metadata.name(topic), partition);
    if !partitioner.moves_on_new_batch() || !accumulator.needs_new_batch(slot, record) {
        return slot;
    }
    let partition = partitioner.move_on(topic, metadata, stream);
    accumulator.slot(topic, metadata.name(topic), partition)
}
