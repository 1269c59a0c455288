//! The producer's sender: it sends ready batches in Produce requests, and ends or retries them when answers come.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse,
    RequestKind, TransactionalId,
};
use tracing::debug;

use super::accumulator::{Accumulator, ProducerBatch};
use super::config::ProducerConfig;
use super::idempotence::{Idempotence, Identity, OutOfOrder, Stamp};
use super::operations::{end_batch, reason, succeed_batch};
use super::transactions::Transactions;
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::clients::connections::{Connections, Readiness};
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::{
    certainly_not_written, code, error_name, is_metadata_error, is_out_of_order, is_retriable, text,
};
use crate::nodes::clients::wake::earlier;
use crate::vocab::{Acks, Clock, Mutant, NodeId, Time};
use crate::wire::records::Batch;

/// The error of a partition that the answer leaves out (UNKNOWN_SERVER_ERROR).
const UNANSWERED: i16 = -1;

/// The tag of InitProducerId requests; no other request of a producer has it.
pub const PRODUCER_ID_TAG: u64 = u64::MAX - 1;

/// A request in flight: its batches, each with its queue.
type Sent = Vec<(usize, ProducerBatch)>;

/// The requests that wait for an answer.
#[derive(Debug, Default)]
pub struct InFlight {
    /// By their tags.
    sent: BTreeMap<u64, Sent>,
    next_tag: u64,
    /// A moment before which no batch in flight reaches its delivery timeout.
    next_expiry: Option<Time>,
}

impl InFlight {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether a batch has not ended.
    pub fn has_incomplete(&self) -> bool {
        self.sent.values().flatten().any(|(_, batch)| !batch.done)
    }

    /// Ends the operations of all batches: their producer is at its end. They were sent, so their outcome is unknown.
    pub fn abandon(&mut self, why: &str, accumulator: &mut Accumulator, effects: &mut Effects) {
        for (_, batch) in self.sent.values_mut().flatten().filter(|(_, batch)| !batch.done) {
            batch.maybe_written = true;
            batch.done = true;
            end_batch(batch, why, effects);
            accumulator.free(batch);
        }
    }

    /// When [`InFlight::expire`] may have something to do.
    pub fn next_expiry(&self) -> Option<Time> {
        self.next_expiry
    }

    fn add(&mut self, batches: Sent, config: &ProducerConfig) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        if let Some(timeout) = config.delivery_timeout {
            let first = batches.iter().map(|(_, batch)| batch.created + timeout).min();
            self.next_expiry = earlier(self.next_expiry, first);
        }
        self.sent.insert(tag, batches);
        tag
    }

    /// Ends the operations of batches that reached `delivery.timeout.ms`. They were sent, so their outcome is
    /// unknown. Returns the numbers of those that have one, each with its queue.
    pub fn expire(
        &mut self,
        now: Time,
        config: &ProducerConfig,
        accumulator: &mut Accumulator,
        effects: &mut Effects,
    ) -> Vec<(usize, u64)> {
        let mut ended = Vec::new();
        // Releases before 2.1 do not have it.
        let Some(timeout) = config.delivery_timeout else { return ended };
        if self.next_expiry.is_none_or(|next| next > now) {
            return ended;
        }
        self.next_expiry = None;
        let in_flight = self.sent.values_mut().flatten();
        for (slot, batch) in in_flight.filter(|(_, batch)| !batch.done) {
            if batch.created + timeout > now {
                self.next_expiry = earlier(self.next_expiry, Some(batch.created + timeout));
                continue;
            }
            batch.maybe_written |= !config.is(Mutant::FailUnanswered);
            batch.done = !config.is(Mutant::EndTwice);
            end_batch(batch, reason::EXPIRED, effects);
            accumulator.free(batch);
            ended.extend(batch.number.map(|number| (*slot, number)));
        }
        ended
    }
}

/// The parts that sending works with.
#[derive(Debug)]
pub struct Sender<'a> {
    /// The producer's settings.
    pub config: &'a ProducerConfig,
    /// The version of Produce.
    pub version: i16,
    /// The version of InitProducerId; `None` where it does not exist.
    pub init_producer_id: Option<i16>,
    /// Of an idempotent producer.
    pub idempotence: Option<&'a mut Idempotence>,
    /// Of a producer with a transactional id.
    pub transactions: Option<&'a mut Transactions>,
    /// The batches that wait.
    pub accumulator: &'a mut Accumulator,
    /// The requests in flight.
    pub in_flight: &'a mut InFlight,
    /// The leaders.
    pub metadata: &'a mut Metadata,
    /// The connections to them.
    pub net: &'a mut Connections,
}

impl Sender<'_> {
    /// Whether a connection has at most one request in flight, so that retries cannot reorder
    /// (`max.in.flight.requests.per.connection=1`).
    fn keeps_order(&self) -> bool {
        self.config.connection.max_in_flight == 1
    }

    /// Sends what is ready; returns when something else will be. `flush` ends lingering.
    pub fn send_ready(&mut self, clock: Clock, flush: bool, effects: &mut Effects) -> Option<Time> {
        if self.accumulator.queued() == 0 {
            return None;
        }
        if let Some(known) = &self.idempotence
            && !known.has_id()
            && !known.is_transactional()
        {
            return self.ask_for_id(clock, effects);
        }
        let mut next = None;
        let mut nodes: Vec<NodeId> = Vec::new();
        for slot in self.accumulator.filled() {
            let queue = self.accumulator.queue(slot);
            // A request for it is in flight.
            let Some(at) = self.accumulator.ready_at(slot, self.config, flush) else { continue };
            if at > clock.now {
                next = earlier(next, Some(at));
                continue;
            }
            let partition = queue.at.partition as usize;
            match self.metadata.leader(queue.topic, partition) {
                None => self.metadata.request_update(),
                Some(leader) if !nodes.contains(&leader.node) => nodes.push(leader.node),
                Some(_) => {}
            }
        }
        for node in nodes {
            loop {
                match self.net.prepare(clock.now, node, effects) {
                    Readiness::Ready => {}
                    Readiness::Wait => break,
                    Readiness::Backoff(until) => {
                        next = earlier(next, Some(until));
                        break;
                    }
                }
                if !self.send_one(clock, node, flush, effects) {
                    break;
                }
            }
        }
        next
    }

    /// Sends one request to `node`, with the first batch of every partition that it leads and that is ready.
    /// Returns whether there was one.
    fn send_one(&mut self, clock: Clock, node: NodeId, flush: bool, effects: &mut Effects) -> bool {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let mut last_topic = None;
        let mut batches: Sent = Vec::new();
        let mut bytes_left = self.config.max_request_size;
        let mute = self.keeps_order() && self.config.acks != Acks::None;
        for slot in self.accumulator.filled().collect::<Vec<_>>() {
            let queue = self.accumulator.queue(slot);
            let (topic, index) = (queue.topic, queue.at.partition);
            let ready = self.accumulator.ready_at(slot, self.config, flush);
            let leader = self.metadata.leader(topic, index as usize);
            if ready.is_none_or(|at| at > clock.now) || leader.is_none_or(|l| l.node != node) {
                continue;
            }
            let number = self.accumulator.front_number(slot);
            if self.idempotence.as_ref().is_some_and(|known| !known.may_send(slot, number))
                || self.transactions.as_ref().is_some_and(|of| !of.may_send(slot))
            {
                continue;
            }
            let size = self.accumulator.front_bytes(slot);
            if size > bytes_left && !batches.is_empty() {
                break;
            }
            bytes_left = bytes_left.saturating_sub(size);
            let (mut batch, bytes) = self.accumulator.take(slot, mute);
            let bytes = self.stamped(slot, &mut batch, bytes);
            let data = PartitionProduceData::default().with_index(index).with_records(Some(bytes));
            if last_topic == Some(topic) {
                topics.last_mut().expect("it was pushed").partition_data.push(data);
            } else {
                last_topic = Some(topic);
                let name = self.metadata.wire_name(topic).clone();
                let topic = TopicProduceData::default().with_name(name);
                topics.push(topic.with_partition_data(vec![data]));
            }
            batches.push((slot, batch));
        }
        if batches.is_empty() {
            return false;
        }
        self.transmit(clock, node, topics, batches, effects);
        true
    }

    /// Asks any broker for a producer id; returns when to try again.
    fn ask_for_id(&mut self, clock: Clock, effects: &mut Effects) -> Option<Time> {
        let known = self.idempotence.as_mut()?;
        let from = known.ask_from()?;
        let version = self.init_producer_id?;
        if from > clock.now {
            return Some(from);
        }
        let mut next = None;
        for node in self.metadata.nodes().to_vec() {
            match self.net.prepare(clock.now, node, effects) {
                Readiness::Ready => {
                    known.asked();
                    let request = InitProducerIdRequest::default()
                        .with_transactional_id(None)
                        .with_transaction_timeout_ms(i32::MAX);
                    let request = RequestKind::InitProducerId(request);
                    let request = (ApiKey::InitProducerId, version, &request);
                    self.net.send(clock.now, node, effects, request, PRODUCER_ID_TAG);
                    return None;
                }
                // It is being connected to.
                Readiness::Wait => return None,
                Readiness::Backoff(until) => next = earlier(next, Some(until)),
            }
        }
        next
    }

    /// InitProducerId was answered.
    pub fn id_answered(&mut self, clock: Clock, response: &InitProducerIdResponse) {
        let Some(known) = &mut self.idempotence else { return };
        let (id, epoch) = (response.producer_id.0, response.producer_epoch);
        known.answered(match response.error_code {
            code::NONE => Ok(Identity { id, epoch }),
            _ => Err(clock.now + self.config.retry_backoff),
        });
    }

    /// It will not be answered.
    pub fn id_lost(&mut self, clock: Clock) {
        if let Some(known) = &mut self.idempotence {
            known.answered(Err(clock.now + self.config.retry_backoff));
        }
    }

    /// The bytes of a batch as they are sent: those of an idempotent producer have its id and their sequence.
    fn stamped(&mut self, slot: usize, batch: &mut ProducerBatch, bytes: Bytes) -> Bytes {
        let Some(known) = &mut self.idempotence else { return bytes };
        let number = *batch.number.get_or_insert_with(|| known.assign(slot, batch.ops.len()));
        // One that the producer has forgotten keeps the stamp that it had.
        batch.stamp = known.stamp(slot, number).or(batch.stamp);
        let Some(Stamp { identity, first }) = batch.stamp else { return bytes };
        let plain = Batch::first(&bytes).expect("the producer built it");
        let stamped = match known.is_transactional() {
            true => plain.of_transaction(identity.id, identity.epoch, first),
            false => plain.of_producer(identity.id, identity.epoch, first),
        };
        stamped.bytes
    }

    fn transmit(
        &mut self,
        clock: Clock,
        node: NodeId,
        topics: Vec<TopicProduceData>,
        batches: Sent,
        effects: &mut Effects,
    ) {
        let timeout = self.config.connection.request_timeout.as_millis();
        let id = self.transactions.as_ref().map(|of| TransactionalId(text(of.id())));
        let request = RequestKind::Produce(
            ProduceRequest::default()
                .with_transactional_id(id)
                .with_acks(self.config.acks.wire())
                .with_timeout_ms(i32::try_from(timeout).unwrap_or(i32::MAX))
                .with_topic_data(topics),
        );
        let request = (ApiKey::Produce, self.version, &request);
        for (slot, batch) in &batches {
            effects.observe(Observation::Client(ClientObservation::BatchSent {
                at: self.accumulator.queue(*slot).at.clone(),
                to: node,
                records: batch.ops.clone(),
                acks: self.config.acks,
            }));
        }
        if self.config.acks == Acks::None {
            self.net.send_one_way(node, effects, request);
            for (slot, mut batch) in batches {
                let at = self.accumulator.queue(slot).at.clone();
                self.accumulator.free(&mut batch);
                succeed_batch(&batch, &at, -1, effects);
            }
            return;
        }
        let tag = self.in_flight.add(batches, self.config);
        self.net.send(clock.now, node, effects, request, tag);
    }

    /// The answer to the request `tag`.
    pub fn answered(
        &mut self,
        clock: Clock,
        tag: u64,
        response: &ProduceResponse,
        effects: &mut Effects,
    ) {
        let batches = self.in_flight.sent.remove(&tag).expect("each request is answered once");
        let answers = response.responses.iter().flat_map(|topic| {
            topic.partition_responses.iter().map(|answer| (topic.name.as_str(), answer))
        });
        let answers: Vec<(&str, &PartitionProduceResponse)> = answers.collect();
        let mut next = 0;
        for (slot, batch) in batches {
            let at = &self.accumulator.queue(slot).at;
            let same = |(topic, answer): &(&str, &PartitionProduceResponse)| {
                answer.index == at.partition && *topic == &*at.topic
            };
            // Nearly always they come in the order in which they were asked for.
            let n = match answers.get(next) {
                Some(answer) if same(answer) => Some(next),
                _ => answers.iter().position(same),
            };
            next = n.map_or(next, |n| n + 1);
            let answer = n.map(|n| answers[n].1);
            let (error, offset) =
                answer.map_or((UNANSWERED, -1), |answer| (answer.error_code, answer.base_offset));
            self.settle(clock, slot, batch, error, offset, effects);
        }
    }

    /// The request `tag` will have no answer.
    pub fn lost(&mut self, clock: Clock, tag: u64, effects: &mut Effects) {
        let batches = self.in_flight.sent.remove(&tag).expect("a lost request was in flight");
        // As in Java, each goes back to the head of its queue. Since 2.0 the oldest request is lost first, so that
        // several in flight are turned around; idempotence, or one request in flight, prevents this.
        for (slot, batch) in batches {
            self.settle(clock, slot, batch, code::NETWORK_EXCEPTION, -1, effects);
        }
    }

    fn settle(
        &mut self,
        clock: Clock,
        slot: usize,
        mut batch: ProducerBatch,
        error: i16,
        base_offset: i64,
        effects: &mut Effects,
    ) {
        if self.keeps_order() {
            self.accumulator.unmute(slot);
        }
        if is_metadata_error(error) && !self.config.is(Mutant::WaitForMetadataAge) {
            self.metadata.request_update();
        }
        if batch.done {
            return;
        }
        let repeated = error == code::DUPLICATE_SEQUENCE_NUMBER && batch.number.is_some();
        if error == code::NONE || repeated {
            if let (Some(known), Some(number)) = (&mut self.idempotence, batch.number) {
                known.succeeded(slot, number);
            }
            let at = self.accumulator.queue(slot).at.clone();
            self.accumulator.free(&mut batch);
            return succeed_batch(&batch, &at, base_offset, effects);
        }
        batch.maybe_written |= !certainly_not_written(error);
        let name = error_name(self.config.version, error);
        if error != code::NETWORK_EXCEPTION {
            let at = self.accumulator.queue(slot).at.clone();
            let refused = ClientObservation::Refused { at, error: name.into() };
            effects.observe(Observation::Client(refused));
        }
        let retriable = match (&mut self.idempotence, batch.number) {
            (Some(known), Some(number)) if is_out_of_order(error) => {
                known.out_of_order(slot, number, batch.stamp) == OutOfOrder::Retry
            }
            // It was sent with an id that the producer has given up.
            (Some(known), Some(number)) if known.stamp(slot, number).is_none() => false,
            _ => is_retriable(error),
        };
        let late = self.config.delivery_timeout.is_some_and(|d| batch.created + d <= clock.now);
        if retriable && batch.attempts < self.config.retries && !late {
            debug!(at = %self.accumulator.queue(slot).at, error = name, "batch is tried again");
            self.accumulator.retry(clock.now, slot, batch);
        } else {
            debug!(at = %self.accumulator.queue(slot).at, error = name, "batch is given up");
            if let (Some(known), Some(number)) = (&mut self.idempotence, batch.number) {
                // In a transaction, a refusal is one even where an earlier attempt may be written: it is aborted.
                let may_be_written = match known.is_transactional() {
                    true => batch.attempts >= self.config.retries,
                    false => batch.maybe_written,
                };
                known.failed(slot, number, may_be_written);
            }
            if let Some(transactions) = &mut self.transactions {
                transactions.batch_failed(error);
            }
            self.accumulator.free(&mut batch);
            end_batch(&batch, name, effects);
        }
    }
}
