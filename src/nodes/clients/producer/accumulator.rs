//! Records that wait to be sent, in batches, a queue for each partition (`RecordAccumulator` of the Java
//! client), with the memory they may use and the time they may wait.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::config::ProducerConfig;
use super::idempotence::Stamp;
use crate::nodes::clients::wake::earlier;
use crate::vocab::{Clock, Mutant, Time, TopicPartition};
use crate::wire::records::{BATCH_HEADER_BYTES, BatchBuilder};

/// Bytes that a record can need beyond key and value (`MAX_RECORD_OVERHEAD`).
const RECORD_OVERHEAD_BYTES: usize = 21;
const MILLISECOND: Duration = Duration::from_millis(1);

#[derive(Debug)]
enum Content {
    Filling(BatchBuilder),
    Closed(Bytes),
}

/// A batch on its way from the application to the log.
#[derive(Debug)]
pub struct ProducerBatch {
    /// The operations whose records it holds, in order.
    pub ops: Vec<u64>,
    /// When its first record came.
    pub created: Time,
    /// When its last record came.
    pub last_append: Time,
    /// Attempts that failed and were followed by another.
    pub attempts: u32,
    /// When the last of them failed.
    pub last_attempt: Time,
    /// Whether an attempt may have put it into a log: then it cannot fail any more, only succeed or stay
    /// unknown.
    pub maybe_written: bool,
    /// Whether its operations have ended; only its answer is still due.
    pub done: bool,
    /// Its number at an idempotent producer, from its first attempt on.
    pub number: Option<u64>,
    /// How it was stamped when it was sent last.
    pub stamp: Option<Stamp>,
    content: Content,
    memory: usize,
}

impl ProducerBatch {
    fn size_bytes(&self) -> usize {
        match &self.content {
            Content::Filling(builder) => builder.size_bytes(),
            Content::Closed(bytes) => bytes.len(),
        }
    }

    fn has_room(&self, record_bytes: usize, batch_size: usize) -> bool {
        matches!(&self.content, Content::Filling(builder)
            if builder.size_bytes() + record_bytes <= batch_size)
    }

    /// Its bytes; it takes no more records.
    pub fn close(&mut self) -> Bytes {
        let placeholder = Content::Closed(Bytes::new());
        let bytes = match std::mem::replace(&mut self.content, placeholder) {
            Content::Filling(builder) => builder.build().bytes,
            Content::Closed(bytes) => bytes,
        };
        self.content = Content::Closed(bytes.clone());
        bytes
    }
}

/// The batches of one partition.
#[derive(Debug)]
pub struct Queue {
    /// The topic's place in the metadata.
    pub topic: usize,
    /// The partition.
    pub at: TopicPartition,
    /// Oldest first.
    pub batches: VecDeque<ProducerBatch>,
    /// A batch is in flight and no other may be (`max.in.flight.requests.per.connection=1`).
    pub muted: bool,
}

/// A record to be put into a batch.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Its operation.
    pub op: u64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
}

impl NewRecord<'_> {
    /// Most bytes that it takes in a batch.
    pub fn size_bytes(&self) -> usize {
        RECORD_OVERHEAD_BYTES + self.key.map_or(0, <[u8]>::len) + self.value.len()
    }
}

/// `buffer.memory` is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// All queues of a producer.
#[derive(Debug)]
pub struct Accumulator {
    queues: Vec<Queue>,
    /// The queues in which something waits.
    filled: BTreeSet<usize>,
    /// For each topic, the queue of each partition.
    slots: Vec<Vec<usize>>,
    batch_size: usize,
    linger: Duration,
    request_timeout: Duration,
    delivery_timeout: Option<Duration>,
    mutant: Option<Mutant>,
    memory_left: usize,
    queued: usize,
    /// A moment before which no queued batch expires.
    next_expiry: Option<Time>,
}

impl Accumulator {
    /// Empty.
    pub fn new(config: &ProducerConfig) -> Self {
        Self {
            queues: Vec::new(),
            filled: BTreeSet::new(),
            slots: vec![Vec::new(); config.workload.topics.len()],
            batch_size: config.batch_size,
            linger: config.linger,
            request_timeout: config.connection.request_timeout,
            delivery_timeout: config.delivery_timeout,
            mutant: config.mutant,
            memory_left: config.buffer_memory,
            queued: 0,
            next_expiry: None,
        }
    }

    /// The queue of a partition, made when there is none yet.
    pub fn slot(&mut self, topic: usize, name: &std::sync::Arc<str>, partition: usize) -> usize {
        while self.slots[topic].len() <= partition {
            let index = self.slots[topic].len() as i32;
            self.slots[topic].push(self.queues.len());
            self.queues.push(Queue {
                topic,
                at: TopicPartition::new(name.clone(), index),
                batches: VecDeque::new(),
                muted: false,
            });
        }
        self.slots[topic][partition]
    }

    /// The slots of the queues in which something waits, in order.
    pub fn filled(&self) -> impl Iterator<Item = usize> {
        self.filled.iter().copied()
    }

    /// The queue at `slot`.
    pub fn queue(&self, slot: usize) -> &Queue {
        &self.queues[slot]
    }

    /// How many batches wait.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the record would begin a new batch.
    pub fn needs_new_batch(&self, slot: usize, record: &NewRecord<'_>) -> bool {
        let last = self.queues[slot].batches.back();
        !last.is_some_and(|last| last.has_room(record.size_bytes(), self.batch_size))
    }

    /// Adds a record to the partition's last batch, or to a new one.
    ///
    /// # Errors
    /// When a new batch is needed and there is no memory for it.
    pub fn append(
        &mut self,
        clock: Clock,
        slot: usize,
        record: NewRecord<'_>,
    ) -> Result<(), NoRoom> {
        if self.needs_new_batch(slot, &record) {
            let memory = self.batch_size.max(BATCH_HEADER_BYTES + record.size_bytes());
            self.memory_left = self.memory_left.checked_sub(memory).ok_or(NoRoom)?;
            self.queues[slot].batches.push_back(ProducerBatch {
                ops: Vec::new(),
                created: clock.now,
                last_append: clock.now,
                attempts: 0,
                last_attempt: Time::ZERO,
                maybe_written: false,
                done: false,
                number: None,
                stamp: None,
                content: Content::Filling(BatchBuilder::new(clock.wall_ms)),
                memory,
            });
            self.filled.insert(slot);
            self.queued += 1;
        }
        let batch = self.queues[slot].batches.back_mut().expect("there is one now");
        let Content::Filling(builder) = &mut batch.content else {
            unreachable!("a closed batch has no room")
        };
        builder.push(clock.wall_ms, record.key, Some(record.value));
        batch.ops.push(record.op);
        batch.last_append = clock.now;
        self.watch(slot);
        Ok(())
    }

    /// Takes the last batch of `slot` into account for the next expiry.
    fn watch(&mut self, slot: usize) {
        let queue = &self.queues[slot];
        let last = queue.batches.len() - 1;
        let expiry = self.expiry(queue, last, Duration::ZERO);
        self.next_expiry = earlier(self.next_expiry, Some(expiry));
    }

    fn is_full(&self, queue: &Queue, at: usize) -> bool {
        let batch = &queue.batches[at];
        at + 1 < queue.batches.len()
            || matches!(batch.content, Content::Closed(_))
            || batch.size_bytes() >= self.batch_size
    }

    /// When the queued batch at `at` expires.
    fn expiry(&self, queue: &Queue, at: usize, backoff: Duration) -> Time {
        let batch = &queue.batches[at];
        if let Some(delivery_timeout) = self.delivery_timeout {
            return batch.created + delivery_timeout;
        }
        let lingered = batch.created + self.linger;
        let waits_since = if batch.attempts > 0 {
            batch.last_attempt + backoff
        } else if self.is_full(queue, at) {
            // Either limit ends it (`ProducerBatch.maybeExpire`).
            batch.last_append.min(lingered)
        } else {
            lingered
        };
        waits_since + self.request_timeout
    }

    /// When the partition's first batch may be sent; `None` when there is none or it has to wait for another.
    /// `flush` ends lingering.
    pub fn ready_at(&self, slot: usize, config: &ProducerConfig, flush: bool) -> Option<Time> {
        let queue = &self.queues[slot];
        let batch = queue.batches.front().filter(|_| !queue.muted)?;
        Some(if batch.attempts > 0 {
            batch.last_attempt + config.backoff(batch.attempts)
        } else if flush || self.is_full(queue, 0) {
            batch.last_append
        } else {
            batch.created + self.linger
        })
    }

    /// Takes the partition's first batch out, to be sent.
    ///
    /// # Panics
    /// When there is none.
    pub fn take(&mut self, slot: usize, mute: bool) -> (ProducerBatch, Bytes) {
        let queue = &mut self.queues[slot];
        let mut batch = queue.batches.pop_front().expect("a batch is ready");
        queue.muted = mute;
        if queue.batches.is_empty() {
            self.filled.remove(&slot);
        }
        self.queued -= 1;
        let bytes = batch.close();
        (batch, bytes)
    }

    /// Bytes of the partition's first batch; 0 when there is none.
    pub fn front_bytes(&self, slot: usize) -> usize {
        self.queues[slot].batches.front().map_or(0, ProducerBatch::size_bytes)
    }

    /// The number of the partition's first batch.
    pub fn front_number(&self, slot: usize) -> Option<u64> {
        self.queues[slot].batches.front()?.number
    }

    /// Puts a batch back at the head of its queue, to be tried again.
    pub fn retry(&mut self, now: Time, slot: usize, mut batch: ProducerBatch) {
        batch.attempts += 1;
        batch.last_attempt = now;
        let expiry =
            self.delivery_timeout.map_or(now + self.request_timeout, |d| batch.created + d);
        self.next_expiry = earlier(self.next_expiry, Some(expiry));
        let batches = &mut self.queues[slot].batches;
        match self.mutant {
            Some(Mutant::RetryBehindOthers) => batches.push_back(batch),
            _ if batch.number.is_some() => {
                // In the order of sequences.
                let behind = |other: &ProducerBatch| {
                    other.number.is_none_or(|number| Some(number) > batch.number)
                };
                let place = batches.iter().position(behind).unwrap_or(batches.len());
                batches.insert(place, batch);
            }
            _ => batches.push_front(batch),
        }
        self.filled.insert(slot);
        self.queued += 1;
    }

    /// The partition may be sent to again.
    pub fn unmute(&mut self, slot: usize) {
        self.queues[slot].muted = false;
    }

    /// Takes out the batches that were never sent, or all.
    pub fn abandon(&mut self, all: bool) -> Vec<ProducerBatch> {
        let mut abandoned = Vec::new();
        for slot in std::mem::take(&mut self.filled) {
            let batches = std::mem::take(&mut self.queues[slot].batches);
            let (gone, kept): (VecDeque<_>, VecDeque<_>) =
                batches.into_iter().partition(|batch| all || batch.number.is_none());
            self.queued -= gone.len();
            abandoned.extend(gone);
            if !kept.is_empty() {
                self.filled.insert(slot);
            }
            self.queues[slot].batches = kept;
        }
        abandoned
    }

    /// Gives a batch's memory back.
    pub fn free(&mut self, batch: &mut ProducerBatch) {
        self.memory_left += std::mem::take(&mut batch.memory);
    }

    /// When [`Accumulator::expire`] may have something to do.
    pub fn next_expiry(&self) -> Option<Time> {
        self.next_expiry.filter(|_| self.queued > 0)
    }

    /// Takes out the batches that waited too long: `delivery.timeout.ms` since 2.1; before, about
    /// `request.timeout.ms` since they could have been sent.
    pub fn expire(&mut self, now: Time, config: &ProducerConfig) -> Vec<(usize, ProducerBatch)> {
        let mut expired = Vec::new();
        if self.next_expiry.is_none_or(|next| next > now) {
            return expired;
        }
        let mut next = None;
        for slot in 0..self.queues.len() {
            // A batch that waits for another one in flight does not expire (before 2.1).
            if self.queues[slot].muted && self.delivery_timeout.is_none() {
                next = earlier(next, Some(now + config.retry_backoff.max(MILLISECOND)));
                continue;
            }
            while let Some(batch) = self.queues[slot].batches.front() {
                let at = self.expiry(&self.queues[slot], 0, config.backoff(batch.attempts));
                if at > now {
                    next = earlier(next, Some(at));
                    break;
                }
                let batch = self.queues[slot].batches.pop_front().expect("it was looked at");
                self.queued -= 1;
                expired.push((slot, batch));
            }
            if self.queues[slot].batches.is_empty() {
                self.filled.remove(&slot);
            }
        }
        self.next_expiry = next;
        expired
    }
}
