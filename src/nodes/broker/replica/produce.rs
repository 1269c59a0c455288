//! Produce: validation, the leader's append, and what an acknowledgement waits for.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, ResponseKind};

use super::acks::{ACKS_ALL, observe_acknowledged};
use super::alarm::Due;
use super::leader::LeaderHandler;
use super::log_manager::LogManager;
use super::partition::PartitionReplica;
use super::purgatory::{AppendedBy, DelayedProduce, Unsettled};
use super::replicas::Slot;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::config::INTERNAL_TOPICS;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::nodes::broker::log::producers::{Remembered, Sequence};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Mutant, Offset, Time};
use crate::wire::message_set::{is_message_set, up_convert};
use crate::wire::records::{Batch, BatchError, DECOMPRESSED_MAX};

/// `CompressionType.ZSTD`, since 2.1 and Produce v7 (KIP-110).
const ZSTD: u8 = 4;
/// The first version of Produce whose clients may use it.
const WITH_ZSTD: i16 = 7;
/// The first version of Produce that takes batches of format 2 only (KIP-98).
const WITH_BATCHES: i16 = 3;

/// The one batch that a producer sends for a partition, `None` when it sends nothing: `ProduceRequest.validateRecords`,
/// `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`. What is compressed is looked through, and stored as it
/// came. What does not decompress is to Kafka an error that it did not expect.
fn validate(
    records: Option<&Bytes>,
    max_message_bytes: i32,
    version: KafkaVersion,
    api_version: i16,
    room: &mut u64,
) -> Result<Option<Batch>, ResponseError> {
    // INVALID_RECORD came with 2.4; before, the error was CORRUPT_MESSAGE.
    let invalid = if version.has(Change::InvalidRecordError) {
        ResponseError::InvalidRecord
    } else {
        ResponseError::CorruptMessage
    };
    let Some(records) = one_batch(records, api_version, room, invalid)? else { return Ok(None) };
    let batch = Batch::first(&records).map_err(|why| match why {
        BatchError::Magic(0 | 1) => ResponseError::UnsupportedForMessageFormat,
        _ => ResponseError::CorruptMessage,
    })?;
    if batch.compression_type() == ZSTD {
        if !version.has(Change::Zstd) {
            return Err(ResponseError::UnknownServerError);
        }
        if api_version < WITH_ZSTD {
            return Err(ResponseError::UnsupportedCompressionType);
        }
    }
    if batch.bytes.len() > usize::try_from(max_message_bytes).unwrap_or(0) {
        return Err(ResponseError::MessageTooLarge);
    }
    batch.verify().map_err(|_| ResponseError::CorruptMessage)?;
    let whole = batch.bytes.len() == records.len();
    let counted = i64::from(batch.count()) == batch.last_offset - batch.base_offset + 1;
    let sequenced = batch.producer_id() < 0 || batch.base_sequence() >= 0;
    if !whole || !counted || !sequenced || batch.is_control() {
        return Err(invalid);
    }
    match batch.check_records(room) {
        Ok(()) => Ok(Some(batch)),
        Err(BatchError::Codec(_) | BatchError::Decompress(_)) => {
            Err(ResponseError::UnknownServerError)
        }
        // Kafka would accept it.
        Err(BatchError::Bomb(_)) => Err(ResponseError::MessageTooLarge),
        Err(_) => Err(invalid),
    }
}

/// What a producer sends: since Produce v3 one batch, before also messages of formats 0 and 1, which become one; an
/// empty set of those is accepted, and `None`.
fn one_batch(
    records: Option<&Bytes>,
    api_version: i16,
    room: &mut u64,
    invalid: ResponseError,
) -> Result<Option<Bytes>, ResponseError> {
    let records = records.filter(|records| !records.is_empty());
    let Some(records) = records else {
        return if api_version < WITH_BATCHES { Ok(None) } else { Err(invalid) };
    };
    if api_version >= WITH_BATCHES || !is_message_set(records) {
        return Ok(Some(records.clone()));
    }
    let converted = up_convert(records, room).map_err(|why| match why {
        BatchError::Codec(_) | BatchError::Decompress(_) => ResponseError::UnknownServerError,
        BatchError::Bomb(_) => ResponseError::MessageTooLarge,
        _ => ResponseError::CorruptMessage,
    })?;
    Ok(converted.map(|batch| batch.bytes))
}

/// Whether an error is about an idempotent producer: the answer then says where the log starts, by which the producer
/// knows whether its last batch was deleted.
fn is_of_producer(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::InvalidProducerEpoch
            | ResponseError::UnknownProducerId
            | ResponseError::DuplicateSequenceNumber
            | ResponseError::OutOfOrderSequenceNumber
    )
}

fn check_leader(
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
    /// Of a batch that was appended before, its timestamp; else −1.
    append_ms: i64,
}

/// What a broker itself writes.
#[derive(Debug)]
pub struct Append {
    /// An internal topic.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// What is appended.
    pub batch: Batch,
    /// Who waits for it: the group coordinator, with this number.
    pub number: Option<u64>,
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
    /// Appends a batch as the leader, unless it was appended before; `None` when there is no record in what was sent.
    fn append_as_leader(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        acks: i16,
        api_version: i16,
        records: Option<&Bytes>,
        room: &mut u64,
    ) -> Result<Option<Appended>, ResponseError> {
        let version = self.leader.config.version;
        if self.logs.is_shutting_down() {
            // Nothing may follow the last flush.
            return Err(ResponseError::NotLeaderOrFollower);
        }
        let partition = self.leader.replicas.at_mut(slot);
        check_leader(partition, acks, version)?;
        let limit = partition.settings.max_message_bytes;
        let batch = validate(records, limit, version, api_version, room)?;
        let Some(batch) = batch else { return Ok(None) };
        if let Some(known) = self.repeated(slot, &batch)? {
            return Ok(Some(Appended {
                base: known.first_offset,
                end: known.last_offset + 1,
                append_ms: known.timestamp_ms,
            }));
        }
        let (base, end) = self.append(cx, slot, &batch);
        Ok(Some(Appended { base, end, append_ms: -1 }))
    }

    /// Where a batch of an idempotent producer was appended before, if it was (`ProducerAppendInfo`).
    fn repeated(&self, slot: Slot, batch: &Batch) -> Result<Option<Remembered>, ResponseError> {
        if batch.producer_id() < 0 {
            return Ok(None);
        }
        let version = self.leader.config.version;
        let remembered = if version.has(Change::BatchesRemembered) { usize::MAX } else { 1 };
        let producers = self.leader.replicas.at(slot).log.producers();
        match producers.sequence(batch, remembered) {
            Sequence::Next => Ok(None),
            Sequence::Repeated(known) => Ok(Some(known)),
            Sequence::Fenced => Err(ResponseError::InvalidProducerEpoch),
            Sequence::Unknown if version.has(Change::ProducersBeginAnywhere) => Ok(None),
            Sequence::Unknown if version.has(Change::UnknownProducersTold) => {
                Err(ResponseError::UnknownProducerId)
            }
            Sequence::Forgotten if version.has(Change::DuplicateSequenceTold) => {
                Err(ResponseError::DuplicateSequenceNumber)
            }
            Sequence::Unknown | Sequence::Forgotten | Sequence::OutOfOrder => {
                Err(ResponseError::OutOfOrderSequenceNumber)
            }
        }
    }

    /// Appends a batch that is right, as the leader. Returns its first offset and the one behind its last.
    fn append(&mut self, cx: &mut Context<'_>, slot: Slot, batch: &Batch) -> (Offset, Offset) {
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
        partition.log.append(&mut self.logs.disk(cx), partition.settings.log, batch);
        cx.effects.observe(Observation::Broker(appended));
        self.leader.progress(cx, slot);
        (base, last + 1)
    }

    /// Appends what this broker writes itself, with `acks=all` when its end is waited for, else with `acks=0`.
    pub fn append_internal(&mut self, cx: &mut Context<'_>, append: Append) {
        let Append { topic, partition, batch, number } = append;
        let version = self.leader.config.version;
        let acks = if number.is_some() { ACKS_ALL } else { 0 };
        let slot = self.leader.replicas.find(topic, partition);
        let checked = match slot {
            _ if self.logs.is_shutting_down() => Err(ResponseError::NotLeaderOrFollower),
            None => Err(ResponseError::UnknownTopicOrPartition),
            Some(slot) => check_leader(self.leader.replicas.at(slot), acks, version).map(|()| slot),
        };
        let appended = checked.map(|slot| (slot, self.append(cx, slot, &batch)));
        let Some(number) = number else { return };
        let (slot, (base, required)) = match appended {
            Ok(appended) => appended,
            Err(error) => {
                cx.ask(Ask::OffsetsAppended { number, result: Err(error) });
                return;
            }
        };
        let part = PartitionProduceResponse::default().with_base_offset(base);
        let rows = TopicProduceResponse::default().with_partition_responses(vec![part]);
        let response = ProduceResponse::default().with_responses(vec![rows]);
        let unsettled = vec![Unsettled { place: (0, 0), slot, required }];
        let due = cx.clock.now + self.leader.config.groups.offsets_commit_timeout;
        self.wait(cx, AppendedBy::Groups(number), (acks, due), response, unsettled);
    }

    /// Appends what a producer sends, and answers as its `acks` say: 0 never, 1 when it is in the leader's
    /// log, −1 when the high watermark has passed it.
    pub fn produce(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: ProduceRequest) {
        let acks = request.acks;
        let valid_acks = (-1..=1).contains(&acks);
        let (mut failed, mut unsettled) = (false, Vec::new());
        let mut room = DECOMPRESSED_MAX;
        let mut responses = Vec::with_capacity(request.topic_data.len());
        for (topic, data) in request.topic_data.into_iter().enumerate() {
            let mut parts = Vec::with_capacity(data.partition_data.len());
            for (n, part) in data.partition_data.into_iter().enumerate() {
                let slot = self.leader.replicas.find(&data.name, part.index);
                let result = match slot {
                    _ if !valid_acks => Err(ResponseError::InvalidRequiredAcks),
                    // Only group coordinators write there.
                    _ if INTERNAL_TOPICS.contains(&data.name.as_str()) => {
                        Err(ResponseError::InvalidTopicException)
                    }
                    None => Err(ResponseError::UnknownTopicOrPartition),
                    Some(slot) => self
                        .append_as_leader(
                            cx,
                            slot,
                            acks,
                            to.version,
                            part.records.as_ref(),
                            &mut room,
                        )
                        .map(|appended| (slot, appended)),
                };
                let mut response = PartitionProduceResponse::default().with_index(part.index);
                match result {
                    Ok((_, None)) => response.base_offset = -1,
                    Ok((slot, Some(Appended { base, end: required, append_ms }))) => {
                        response.base_offset = base;
                        response.log_append_time_ms = append_ms;
                        response.log_start_offset = self.leader.replicas.at(slot).log.start();
                        unsettled.push(Unsettled { place: (topic, n), slot, required });
                    }
                    Err(error) => {
                        let topic = &data.name.0;
                        tracing::debug!(%topic, partition = part.index, %error, "refused");
                        failed = true;
                        response.base_offset = -1;
                        response.error_code = error.code();
                        if let Some(slot) = slot.filter(|_| is_of_producer(error)) {
                            response.log_start_offset = self.leader.replicas.at(slot).log.start();
                        }
                    }
                }
                parts.push(response);
            }
            let response = TopicProduceResponse::default()
                .with_name(data.name)
                .with_partition_responses(parts);
            responses.push(response);
        }
        if acks == 0 {
            cx.ask(if failed { Ask::Close(to.conn) } else { Ask::NoReply(to) });
            return;
        }
        let response = ProduceResponse::default().with_responses(responses);
        let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
        self.answer_produce(cx, to, acks, timeout_ms, response, unsettled);
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
    fn wait(
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
