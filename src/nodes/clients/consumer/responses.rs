//! How a consumer processes answers: records in order, new positions, and errors.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;
use kafka_protocol::messages::{FetchResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse};
use tracing::{debug, warn};

use super::assignment::{Assigned, Assignment, FetchPhase, observe};
use super::config::{ConsumerConfig, ResetPolicy};
use crate::history::ClientObservation;
use crate::nodes::Effects;
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::{code, error_name, is_metadata_error};
use crate::vocab::{Clock, Mutant, Offset};
use crate::wire::records::{Batch, BatchError, DECOMPRESSED_MAX, Record};
use crate::wire::workload;

/// The names of producers seen in records, so that equal names share their memory.
#[derive(Debug, Default)]
pub(super) struct Producers(BTreeSet<Arc<str>>);

impl Producers {
    fn intern(&mut self, name: &str) -> Arc<str> {
        self.0.get(name).cloned().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.0.insert(name.clone());
            name
        })
    }
}

/// The parts that an answer works with.
pub(super) struct ResponseHandler<'a> {
    pub(super) config: &'a ConsumerConfig,
    pub(super) assignment: &'a mut Assignment,
    pub(super) metadata: &'a mut Metadata,
    pub(super) producers: &'a mut Producers,
    /// The partitions of the request.
    pub(super) slots: &'a [usize],
    pub(super) clock: Clock,
}

impl ResponseHandler<'_> {
    /// The slot of a partition in the answer: nearly always the one that was asked for `next`. `None` for a partition
    /// that the request does not name.
    fn slot(&self, next: &mut usize, topic: &str, partition: i32) -> Option<usize> {
        let same = |slot: &usize| {
            let at = &self.assignment.partitions[*slot].at;
            at.partition == partition && &*at.topic == topic
        };
        let n = match self.slots.get(*next) {
            Some(slot) if same(slot) => *next,
            _ => self.slots.iter().position(same)?,
        };
        *next = n + 1;
        Some(self.slots[n])
    }

    fn at(&mut self, slot: usize) -> &mut Assigned {
        &mut self.assignment.partitions[slot]
    }

    /// A Fetch answer: records, in order.
    pub(super) fn fetched(&mut self, body: &FetchResponse, effects: &mut Effects) {
        let mut next = 0;
        for topic in &body.responses {
            for data in &topic.partitions {
                let (topic, partition) = (topic.topic.as_str(), data.partition_index);
                let Some(slot) = self.slot(&mut next, topic, partition) else { continue };
                self.fetched_partition(slot, data, effects);
            }
        }
    }

    fn fetched_partition(&mut self, slot: usize, data: &PartitionData, effects: &mut Effects) {
        match data.error_code {
            code::NONE => {
                let records = data.records.clone().unwrap_or_default();
                if let Err(why) = self.consume(slot, &records, data.high_watermark, effects) {
                    let at = self.at(slot).at.clone();
                    warn!(%at, %why, "a fetch answer is wrong");
                    observe(effects, ClientObservation::ProtocolError { at, why });
                    self.back_off(slot);
                }
            }
            code::OFFSET_OUT_OF_RANGE => {
                let (at, error) = (self.at(slot).at.clone(), "OFFSET_OUT_OF_RANGE".into());
                observe(effects, ClientObservation::Refused { at, error });
                self.lose_position(slot);
            }
            error => self.refused(slot, error, effects),
        }
    }

    /// The leader returned an error: metadata is requested if the error says so, and the request is sent again later.
    fn refused(&mut self, slot: usize, error: i16, effects: &mut Effects) {
        let at = &self.assignment.partitions[slot].at;
        let name = error_name(self.config.version, error);
        debug!(%at, error = name, "request is refused");
        let refused = ClientObservation::Refused { at: at.clone(), error: name.into() };
        observe(effects, refused);
        if is_metadata_error(error) && !self.config.is(Mutant::KeepFormerLeader) {
            self.metadata.request_update();
        }
        self.back_off(slot);
    }

    /// Waits before the next request for the partition.
    fn back_off(&mut self, slot: usize) {
        self.at(slot).not_before = self.clock.now + self.config.retry_backoff;
    }

    fn lose_position(&mut self, slot: usize) {
        let policy = self.config.auto_offset_reset;
        self.at(slot).lose_position(policy);
    }

    /// Hands records to the application, from the position on.
    fn consume(
        &mut self,
        slot: usize,
        records: &Bytes,
        high_watermark: Offset,
        effects: &mut Effects,
    ) -> Result<(), Arc<str>> {
        let wrong = |why: BatchError| Arc::from(why.to_string());
        for batch in Batch::all(records) {
            let batch = batch.map_err(wrong)?;
            let position = self.at(slot).position.unwrap_or(0);
            if batch.last_offset < position {
                continue;
            }
            batch.verify().map_err(wrong)?;
            // Batches that clients from outside wrote may be compressed.
            for record in batch.open(&mut DECOMPRESSED_MAX.clone()).map_err(wrong)? {
                if record.offset < position {
                    continue;
                }
                if record.offset >= high_watermark {
                    let offset = record.offset;
                    let why = format!("record {offset} at high watermark {high_watermark}");
                    return Err(why.into());
                }
                self.deliver(slot, &batch, &record, effects);
            }
            let assigned = self.at(slot);
            assigned.pass(batch.last_offset.saturating_add(1), effects);
            assigned.last_epoch = batch.leader_epoch;
        }
        Ok(())
    }

    fn deliver(&mut self, slot: usize, batch: &Batch, record: &Record, effects: &mut Effects) {
        let written = record.value.as_deref().and_then(workload::decode);
        let (name, number) = written.unwrap_or(("", 0));
        let producer = self.producers.intern(name);
        let assigned = self.at(slot);
        assigned.position = Some(record.offset.saturating_add(1));
        observe(
            effects,
            ClientObservation::Consumed {
                at: assigned.at.clone(),
                offset: record.offset,
                leader_epoch: batch.leader_epoch,
                producer,
                record: number,
            },
        );
    }

    /// A ListOffsets answer: new positions.
    pub(super) fn listed(&mut self, body: &ListOffsetsResponse, effects: &mut Effects) {
        let mut next = 0;
        for topic in &body.topics {
            for answer in &topic.partitions {
                let (topic, partition) = (topic.name.as_str(), answer.partition_index);
                let Some(slot) = self.slot(&mut next, topic, partition) else { continue };
                if answer.error_code != code::NONE || answer.offset < 0 {
                    self.refused(slot, answer.error_code, effects);
                } else {
                    self.at(slot).reposition(answer.offset, answer.leader_epoch, effects);
                }
            }
        }
    }

    /// An OffsetForLeaderEpoch answer: whether positions are still in the leader's log.
    pub(super) fn validated(&mut self, body: &OffsetForLeaderEpochResponse, effects: &mut Effects) {
        let mut next = 0;
        for topic in &body.topics {
            for answer in &topic.partitions {
                let (topic, partition) = (topic.topic.as_str(), answer.partition);
                let Some(slot) = self.slot(&mut next, topic, partition) else { continue };
                if answer.error_code == code::NONE {
                    self.validated_partition(slot, answer, effects);
                } else {
                    self.refused(slot, answer.error_code, effects);
                }
            }
        }
    }

    fn validated_partition(&mut self, slot: usize, end: &EpochEndOffset, effects: &mut Effects) {
        let assigned = &mut self.assignment.partitions[slot];
        let position = assigned.position.unwrap_or(0);
        if end.end_offset < 0 || end.leader_epoch < 0 {
            // The leader has no epoch in common.
            self.lose_position(slot);
        } else if end.end_offset >= position {
            assigned.phase = FetchPhase::Fetching;
            if self.config.is(Mutant::GoOnFromEpochEnd) {
                assigned.pass(end.end_offset, effects);
            }
        } else if self.config.auto_offset_reset == ResetPolicy::None {
            self.lose_position(slot);
        } else {
            // The log was truncated below the position: reading goes on where the logs diverged.
            self.at(slot).reposition(end.end_offset, end.leader_epoch, effects);
        }
    }
}
