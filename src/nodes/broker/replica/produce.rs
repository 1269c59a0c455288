//! Produce: the leader's append, and what an acknowledgement waits for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, ResponseKind, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use super::acks::{ACKS_ALL, observe_acknowledged};
use super::alarm::Due;
use super::handlers::WaitsFor;
use super::leader::LeaderHandler;
use super::log_manager::LogManager;
use super::partition::PartitionReplica;
use super::purgatory::{AppendedBy, DelayedProduce, Unsettled};
use super::replicas::{Elsewhere, Slot, not_here};
use super::transaction_facts::of_transaction;
use super::validate::{Appending, BadRecord, Refused, ends_connection};
use super::verification::{Verified, verifies};
use crate::history::{BrokerObservation, Observation, ProducerBatch};
use crate::nodes::broker::Config;
use crate::nodes::broker::config::INTERNAL_TOPICS;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::nodes::broker::log::producers::{Remembered, Sequence};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Mutant, Offset, Time, TopicPartition};
use crate::wire::records::{Batch, DECOMPRESSED_MAX};

/// The first version of Produce whose answer has errors of single records (KIP-467).
const WITH_RECORD_ERRORS: i16 = 8;

/// Whether a replica leads, and has enough in-sync replicas for what is to be appended.
pub(super) fn check_leader(
    partition: &PartitionReplica,
    acks: i16,
    version: KafkaVersion,
) -> Result<(), ResponseError> {
    let leader = partition.leader().ok_or(ResponseError::NotLeaderOrFollower)?;
    if acks == ACKS_ALL && leader.isr.committed().len() < partition.min_isr(version) {
        return Err(ResponseError::NotEnoughReplicas);
    }
    Ok(())
}

/// Where a batch is.
#[derive(Clone, Copy, Debug)]
struct Appended {
    base: Offset,
    /// Behind its last record.
    end: Offset,
    /// The time of the append where that counts, of a batch that was appended before its timestamp; else −1.
    append_ms: i64,
}

/// Where a batch is: its first offset, and the one behind its last.
pub type Place = (Offset, Offset);

/// What a broker itself writes.
#[derive(Debug)]
pub struct Append {
    /// An internal topic.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// What is appended.
    pub batch: Batch,
    /// Who waits for it: the coordinator of the topic, with this number.
    pub number: Option<u64>,
    /// How long the in-sync replicas are waited for.
    pub timeout: Duration,
}

fn is_transactional(records: Option<&Bytes>) -> bool {
    let batch = records.and_then(|records| Batch::first(records).ok());
    batch.is_some_and(|batch| batch.is_transactional())
}

/// A partition whose records end the connection, if there is one.
fn broken(request: &ProduceRequest, version: KafkaVersion, api_version: i16) -> Option<i32> {
    let mut parts = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let part = parts.find(|part| ends_connection(part.records.as_ref(), version, api_version))?;
    Some(part.index)
}

/// The error that a request has for all of its partitions.
fn refused_as_a_whole(request: &ProduceRequest, version: KafkaVersion) -> Option<ResponseError> {
    let mut parts = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    if request.transactional_id.is_none()
        && version.has(Change::TransactionNeedsId)
        && parts.any(|part| is_transactional(part.records.as_ref()))
    {
        return Some(ResponseError::TransactionalIdAuthorizationFailed);
    }
    let is_known = (-1..=1).contains(&request.acks);
    (!is_known).then_some(ResponseError::InvalidRequiredAcks)
}

/// Each topic once, and of each partition what came last.
fn merged(topics: Vec<TopicProduceData>) -> Vec<TopicProduceData> {
    let mut seen = BTreeSet::new();
    let parts = topics
        .iter()
        .flat_map(|topic| topic.partition_data.iter().map(move |part| (&topic.name, part.index)));
    let mut names: Vec<_> = topics.iter().map(|topic| &topic.name).collect();
    names.dedup();
    let is_plain = names.len() == topics.len() && parts.into_iter().all(|part| seen.insert(part));
    if is_plain {
        return topics;
    }
    let mut all: Vec<TopicProduceData> = Vec::new();
    let (mut places, mut places_within) = (BTreeMap::new(), BTreeMap::new());
    for topic in topics {
        let place = *places.entry(topic.name.clone()).or_insert_with(|| {
            all.push(TopicProduceData::default().with_name(topic.name));
            all.len() - 1
        });
        let into = &mut all[place].partition_data;
        for part in topic.partition_data {
            match places_within.entry((place, part.index)) {
                Entry::Occupied(same) => into[*same.get()] = part,
                Entry::Vacant(free) => {
                    free.insert(into.len());
                    into.push(part);
                }
            }
        }
    }
    all
}

/// Says why a partition's records are refused; `start` is where its log starts, if that is said.
fn refuse(
    response: &mut PartitionProduceResponse,
    refused: Refused,
    start: Offset,
    api_version: i16,
    version: KafkaVersion,
) {
    response.error_code = refused.error.code();
    response.log_start_offset = start;
    if api_version < WITH_RECORD_ERRORS {
        return;
    }
    let has_text = version.has(Change::RecordErrorsHaveText);
    let bad = |bad: BadRecord| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(bad.index)
            .with_batch_index_error_message(has_text.then(|| StrBytes::from_string(bad.why)))
    };
    response.record_errors = refused.records.into_iter().map(bad).collect();
    response.error_message = refused.why.map(StrBytes::from_string);
}

/// A produce request that is being worked on.
#[derive(Debug)]
pub struct Producing {
    to: ReplyTo,
    acks: i16,
    timeout_ms: u64,
    topics: Vec<TopicProduceData>,
    /// The partition that is next: topic, and partition in it.
    next: (usize, usize),
    responses: Vec<TopicProduceResponse>,
    unsettled: Vec<Unsettled>,
    has_failed: bool,
    /// What is left for records to decompress to, in bytes.
    room: u64,
    /// The error that all of its partitions have.
    refused: Option<ResponseError>,
    /// Partitions that it names and that have no replica here.
    elsewhere: Elsewhere,
    transactional_id: Option<TransactionalId>,
    /// What the transaction coordinator said of its partitions.
    pub(super) verified: Verified,
}

impl Producing {
    /// `transactional.id` of its producer.
    pub fn transactional_id(&self) -> Option<&TransactionalId> {
        self.transactional_id.as_ref()
    }

    /// Its topics, with what is to be appended.
    pub fn topics(&self) -> &[TopicProduceData] {
        &self.topics
    }

    /// The version of the request.
    pub fn api_version(&self) -> i16 {
        self.to.version
    }

    /// Nothing of it is appended.
    pub fn refuse_all(&mut self, error: ResponseError) {
        self.refused = Some(error);
    }

    /// A request of which nothing is done. `None` when it ends its connection.
    pub fn begin(
        cx: &mut Context<'_>,
        config: &Config,
        to: ReplyTo,
        request: ProduceRequest,
        elsewhere: Elsewhere,
    ) -> Option<Self> {
        if let Some(part) = broken(&request, config.version, to.version) {
            tracing::info!(broker = %config.id, part, "no batch: closes a connection");
            cx.ask(Ask::Close(to.conn));
            return None;
        }
        let refused = refused_as_a_whole(&request, config.version);
        let topics = merged(request.topic_data);
        let answer = |topic: &TopicProduceData| {
            let parts = Vec::with_capacity(topic.partition_data.len());
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_partition_responses(parts)
        };
        Some(Self {
            to,
            acks: request.acks,
            timeout_ms: u64::try_from(request.timeout_ms).unwrap_or(0),
            responses: topics.iter().map(answer).collect(),
            topics,
            next: (0, 0),
            unsettled: Vec::new(),
            has_failed: false,
            room: DECOMPRESSED_MAX,
            refused,
            elsewhere,
            transactional_id: request.transactional_id,
            verified: Verified::default(),
        })
    }

    /// The partition that is next; `None` when all are done.
    fn next(&mut self) -> Option<(usize, usize)> {
        while self.next.1 >= self.topics.get(self.next.0)?.partition_data.len() {
            self.next = (self.next.0 + 1, 0);
        }
        Some(self.next)
    }

    /// The next partition is done.
    fn done(&mut self, response: PartitionProduceResponse) {
        self.responses[self.next.0].partition_responses.push(response);
        self.next.1 += 1;
    }
}

/// Offsets in a transaction have the producer of the transaction, and their sequence does not matter.
fn check_epoch(partition: &PartitionReplica, batch: &Batch) -> Result<(), ResponseError> {
    let (id, epoch) = (batch.producer_id(), batch.producer_epoch());
    match id >= 0 && partition.log.producers().is_fenced(id, epoch) {
        true => Err(ResponseError::InvalidProducerEpoch),
        false => Ok(()),
    }
}

/// What a leader tells of a batch of an idempotent producer that it appends.
fn of_producer(at: &TopicPartition, batch: &Batch) -> Option<BrokerObservation> {
    // What a coordinator writes for a producer always has sequence 0.
    let is_sequenced = batch.producer_id() >= 0
        && batch.base_sequence() >= 0
        && !INTERNAL_TOPICS.contains(&&*at.topic);
    is_sequenced.then(|| BrokerObservation::ProducerAppended {
        at: at.clone(),
        base: batch.base_offset,
        leader_epoch: batch.leader_epoch,
        batch: ProducerBatch {
            producer: batch.producer_id(),
            epoch: batch.producer_epoch(),
            first_sequence: batch.base_sequence(),
            last_sequence: batch.last_sequence(),
        },
    })
}

/// The parts that a produce request works with.
#[derive(Debug)]
pub struct ProduceHandler<'a> {
    /// Those of a leader.
    pub leader: LeaderHandler<'a>,
    /// Where appends go to disk.
    pub logs: &'a mut LogManager,
}

impl ProduceHandler<'_> {
    /// Whether an append to a replica is under way.
    pub(super) fn is_writing(&self, slot: Slot) -> bool {
        self.leader.replicas.at(slot).log.is_writing()
    }

    /// Appends a batch as the leader, unless it was appended before; `None` when there is no record in what was sent.
    fn append_as_leader(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        (acks, api_version): (i16, i16),
        (records, guard): (Option<&Bytes>, Option<u64>),
        room: &mut u64,
    ) -> Result<Option<Appended>, Refused> {
        let version = self.leader.config.version;
        if self.logs.is_shutting_down() {
            // Nothing may follow the last flush.
            return Err(ResponseError::NotLeaderOrFollower.into());
        }
        let partition = self.leader.replicas.at_mut(slot);
        check_leader(partition, acks, version).map_err(|error| Refused {
            reached_log: error == ResponseError::NotEnoughReplicas,
            ..error.into()
        })?;
        let settings = partition.settings;
        let wall_ms = cx.clock.wall_ms;
        let appending = Appending { version, api_version, settings: &settings, wall_ms };
        let Some(batch) = appending.batch(records, room)? else { return Ok(None) };
        // An answer about a producer says where the log starts, by which it knows whether its last batch was deleted.
        let known = self
            .repeated(slot, (&batch, guard), wall_ms)
            .map_err(|error| Refused { reached_log: true, ..error.into() })?;
        if let Some(known) = known {
            return Ok(Some(Appended {
                base: known.first_offset,
                end: known.last_offset + 1,
                append_ms: known.timestamp_ms,
            }));
        }
        let append_ms = if batch.has_append_time() { wall_ms } else { -1 };
        let (base, end) = self.append(cx, slot, &batch);
        Ok(Some(Appended { base, end, append_ms }))
    }

    /// Where a batch of an idempotent producer was appended before, if it was (`ProducerAppendInfo`).
    fn repeated(
        &self,
        slot: Slot,
        (batch, guard): (&Batch, Option<u64>),
        wall_ms: i64,
    ) -> Result<Option<Remembered>, ResponseError> {
        if batch.producer_id() < 0 {
            return Ok(None);
        }
        let version = self.leader.config.version;
        let config = &self.leader.config;
        let remembers_all =
            version.has(Change::BatchesRemembered) && !config.is(Mutant::RememberOneBatch);
        let remembered = if remembers_all { usize::MAX } else { 1 };
        let producers = self.leader.replicas.at(slot).log.producers();
        let found = producers.sequence(batch, remembered);
        let needs_guard = batch.is_transactional() && verifies(config);
        if needs_guard
            && !matches!(found, Sequence::Repeated(_))
            && !producers.is_verified(batch, guard)
        {
            return Err(ResponseError::InvalidTxnState);
        }
        match found {
            Sequence::Next => Ok(None),
            Sequence::Repeated(_) if config.is(Mutant::AppendRepeatedBatches) => Ok(None),
            Sequence::Repeated(known)
                if config.is(Mutant::ForgetQuietProducers)
                    && wall_ms - known.timestamp_ms > 1_000 =>
            {
                Ok(None)
            }
            Sequence::Repeated(known) => Ok(Some(known)),
            Sequence::Fenced => Err(ResponseError::InvalidProducerEpoch),
            Sequence::Unknown if version.has(Change::ProducersBeginAnywhere) => Ok(None),
            Sequence::Unknown if version.has(Change::UnknownProducersRefused) => {
                Err(ResponseError::UnknownProducerId)
            }
            Sequence::Forgotten if version.has(Change::DuplicateSequenceError) => {
                Err(ResponseError::DuplicateSequenceNumber)
            }
            Sequence::BehindMarker if version.has(Change::MarkerHidesSequence) => {
                Err(ResponseError::UnknownProducerId)
            }
            Sequence::OutsideTransaction => Err(ResponseError::InvalidTxnState),
            Sequence::Unknown
            | Sequence::Forgotten
            | Sequence::BehindMarker
            | Sequence::OutOfOrder => Err(ResponseError::OutOfOrderSequenceNumber),
        }
    }

    /// Appends a batch that is right, as the leader. Returns its first offset and the one behind its last.
    pub(super) fn append(&mut self, cx: &mut Context<'_>, slot: Slot, batch: &Batch) -> Place {
        let partition = self.leader.replicas.at_mut(slot);
        let batch = batch.stamped(partition.log.end(), partition.leader_epoch);
        let (base, last) = (batch.base_offset, batch.last_offset);
        if self.leader.config.is(Mutant::CanaryAcknowledgeWithoutAppend) {
            return (base, 0);
        }
        let appended = BrokerObservation::Appended {
            at: partition.at.clone(),
            base,
            last,
            leader_epoch: batch.leader_epoch,
            checksum: batch.checksum,
        };
        let of_producer = of_producer(&partition.at, &batch);
        let of_transaction = of_transaction(&partition.at, &batch);
        partition.log.append(&mut self.logs.disk(cx), partition.settings.log, batch);
        cx.effects.observe(Observation::Broker(appended));
        for did in of_producer.into_iter().chain(of_transaction) {
            cx.effects.observe(Observation::Broker(did));
        }
        self.leader.progress(cx, slot);
        (base, last + 1)
    }

    /// Appends what this broker writes itself, with `acks=all` when its end is waited for, else with `acks=0`; or goes
    /// on when it is in the log. Gives it back when its thread has to block.
    pub fn append_internal(
        &mut self,
        cx: &mut Context<'_>,
        append: Append,
        is_in: Option<Place>,
    ) -> Option<(WaitsFor, Append, Option<Place>)> {
        let Append { topic, partition, number, timeout, .. } = append;
        let to = number.map(|number| AppendedBy::coordinator(topic, number));
        let slot = self.leader.replicas.find(topic, partition);
        if let (Some(slot), Some(place)) = (slot, is_in) {
            self.appended_internal(cx, (to?, timeout), slot, place);
            return None;
        }
        let version = self.leader.config.version;
        let acks = if number.is_some() { ACKS_ALL } else { 0 };
        let is_locked =
            |slot: &Slot| self.is_writing(*slot) || self.leader.replicas.writes_isr(*slot);
        if let Some(locked) = slot.filter(is_locked) {
            return Some((WaitsFor::Lock(locked), append, None));
        }
        let checked = match slot {
            _ if self.logs.is_shutting_down() => Err(ResponseError::NotLeaderOrFollower),
            None => Err(ResponseError::UnknownTopicOrPartition),
            Some(slot) => {
                let partition = self.leader.replicas.at(slot);
                check_leader(partition, acks, version)
                    .and_then(|()| check_epoch(partition, &append.batch))
                    .map(|()| slot)
            }
        };
        let slot = match checked {
            Ok(slot) => slot,
            Err(error) => {
                to?.ended(cx, Err(error));
                return None;
            }
        };
        let place = self.append(cx, slot, &append.batch);
        if self.is_writing(slot) {
            return Some((WaitsFor::OwnAppend(slot), append, Some(place)));
        }
        self.appended_internal(cx, (to?, timeout), slot, place);
        None
    }

    /// What this broker writes itself is in the log: the in-sync replicas are waited for.
    fn appended_internal(
        &mut self,
        cx: &mut Context<'_>,
        (to, timeout): (AppendedBy, Duration),
        slot: Slot,
        (base, required): Place,
    ) {
        let part = PartitionProduceResponse::default().with_base_offset(base);
        let rows = TopicProduceResponse::default().with_partition_responses(vec![part]);
        let response = ProduceResponse::default().with_responses(vec![rows]);
        let unsettled = vec![Unsettled { place: (0, 0), slot, required }];
        let due = cx.clock.now + timeout;
        self.wait(cx, to, (ACKS_ALL, due), response, unsettled);
    }

    /// Appends to the partition that is next.
    fn produce_next(
        &mut self,
        cx: &mut Context<'_>,
        producing: &mut Producing,
        slot: Option<Slot>,
    ) {
        let (topic, n) = producing.next;
        let data = &producing.topics[topic];
        let part = &data.partition_data[n];
        let (acks, api_version) = (producing.acks, producing.to.version);
        let version = self.leader.config.version;
        let knows = |topic: &str, n| producing.elsewhere.has(topic, n);
        let unverified = producing.verified.take_refused((topic, n));
        let guard = producing.verified.guard((topic, n));
        let result = match (producing.refused, slot) {
            (Some(error), _) => Err(error.into()),
            _ if unverified.is_some() => Err(unverified.expect("it was just looked at")),
            // Only group coordinators write there.
            _ if INTERNAL_TOPICS.contains(&data.name.as_str()) => {
                Err(ResponseError::InvalidTopicException.into())
            }
            (_, None) => Err(not_here(version, &data.name, part.index, &knows).into()),
            (_, Some(slot)) => {
                let records = (part.records.as_ref(), guard);
                self.append_as_leader(cx, slot, (acks, api_version), records, &mut producing.room)
                    .map(|appended| (slot, appended))
            }
        };
        let mut response = PartitionProduceResponse::default().with_index(part.index);
        response.base_offset = -1;
        match result {
            Ok((slot, appended)) => {
                if let Some(Appended { base, end: required, append_ms }) = appended {
                    response.base_offset = base;
                    response.log_append_time_ms = append_ms;
                    producing.unsettled.push(Unsettled { place: (topic, n), slot, required });
                }
                response.log_start_offset = self.leader.replicas.at(slot).log.start();
            }
            Err(refused) => {
                let (topic, error) = (&data.name.0, refused.error);
                tracing::debug!(%topic, partition = part.index, %error, "refused");
                producing.has_failed = true;
                let start = |slot| self.leader.replicas.at(slot).log.start();
                let start = slot.filter(|_| refused.reached_log).map_or(-1, start);
                refuse(&mut response, refused, start, api_version, version);
            }
        }
        producing.done(response);
    }

    /// Appends what a producer sends, and answers as its `acks` say: 0 never, 1 when it is in the leader's
    /// log, −1 when the high watermark has passed it. Gives the request back when its handler has to block.
    pub fn go_on(
        &mut self,
        cx: &mut Context<'_>,
        mut producing: Producing,
    ) -> Option<(WaitsFor, Producing)> {
        while let Some((topic, n)) = producing.next() {
            let data = &producing.topics[topic];
            let slot = self.leader.replicas.find(&data.name, data.partition_data[n].index);
            if let Some(slot) = slot
                && (self.is_writing(slot) || self.leader.replicas.writes_isr(slot))
            {
                return Some((WaitsFor::Lock(slot), producing));
            }
            self.produce_next(cx, &mut producing, slot);
            let Some(slot) = slot else { continue };
            if self.is_writing(slot) {
                return Some((WaitsFor::OwnAppend(slot), producing));
            }
            if let Some(locked) = self.leader.hold_fetch(slot) {
                return Some((WaitsFor::Lock(locked), producing));
            }
        }
        let Producing { to, acks, timeout_ms, responses, unsettled, has_failed, .. } = producing;
        if acks == 0 {
            cx.ask(if has_failed { Ask::Close(to.conn) } else { Ask::NoReply(to) });
            return None;
        }
        let response = ProduceResponse::default().with_responses(responses);
        self.answer_produce(cx, to, acks, timeout_ms, response, unsettled);
        None
    }

    /// Answers at once, or when all that is unsettled is settled.
    fn answer_produce(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        acks: i16,
        timeout_ms: u64,
        response: ProduceResponse,
        mut unsettled: Vec<Unsettled>,
    ) {
        if self.leader.config.is(Mutant::AcknowledgeBeforeFlush) && acks != ACKS_ALL {
            unsettled.retain(|part| {
                observe_acknowledged(cx, self.leader.replicas.at(part.slot), part.required, acks);
                false
            });
        }
        if acks != ACKS_ALL || self.leader.config.is(Mutant::AcknowledgeAlone) {
            unsettled.retain(|part| {
                let partition = self.leader.replicas.at(part.slot);
                let settled = partition.log.flushed_end() >= part.required;
                if settled {
                    observe_acknowledged(cx, partition, part.required, acks);
                }
                !settled
            });
        }
        if unsettled.is_empty() {
            cx.reply(to, ResponseKind::Produce(response));
            return;
        }
        let due = Time(cx.clock.now.0.saturating_add(timeout_ms.saturating_mul(1_000_000)));
        self.wait(cx, AppendedBy::Client(to), (acks, due), response, unsettled);
    }

    /// Lets an append wait for the high watermark or fsyncs, or for the time when it is due.
    pub(super) fn wait(
        &mut self,
        cx: &mut Context<'_>,
        to: AppendedBy,
        (acks, due): (i16, Time),
        response: ProduceResponse,
        unsettled: Vec<Unsettled>,
    ) {
        let slots: Vec<Slot> = unsettled.iter().map(|part| part.slot).collect();
        let LeaderHandler { replicas, purgatory, alarm, .. } = &mut self.leader;
        let number = purgatory.number();
        let deadline = alarm.set(cx, due, Due::Produce(number));
        let delayed = DelayedProduce { to, deadline, response, unsettled };
        purgatory.park_produce(replicas, number, acks, delayed);
        // The high watermark has passed it already when the leader is alone in the ISR.
        for slot in slots {
            self.leader.complete_produces(cx, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::produce_request::PartitionProduceData;

    use super::*;

    fn topic(name: &str, indexes: impl Iterator<Item = i32>) -> TopicProduceData {
        let part = |index| PartitionProduceData::default().with_index(index);
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(name.to_owned())))
            .with_partition_data(indexes.map(part).collect())
    }

    fn shape(topics: &[TopicProduceData]) -> Vec<(String, usize)> {
        topics.iter().map(|one| (one.name.to_string(), one.partition_data.len())).collect()
    }

    /// With a look through all for each, this takes hours.
    #[test]
    fn half_a_million_partitions_are_merged() {
        let topics = vec![
            topic("a", 0..500_000),
            topic("b", 0..2),
            topic("a", 250_000..500_001),
            topic("b", [1, 1].into_iter()),
        ];
        let merged = merged(topics);
        assert_eq!(shape(&merged), [("a".to_owned(), 500_001), ("b".to_owned(), 2)]);
        let plain = vec![topic("b", 0..2), topic("a", 0..1)];
        assert_eq!(super::merged(plain.clone()), plain);
    }
}
