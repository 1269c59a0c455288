//! How a consumer processes answers: records in order, new positions, and errors.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;
use kafka_protocol::messages::{FetchResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse};
use tracing::{debug, warn};

use super::assignment::FetchPhase;
use super::requests::Sent;
use super::{Consumer, ResetPolicy, observe};
use crate::history::ClientObservation;
use crate::nodes::Effects;
use crate::nodes::clients::protocol::{code, error_name, is_metadata_error};
use crate::vocab::{Clock, Mutant, Offset};
use crate::wire::records::{Batch, BatchError, Record};
use crate::wire::workload;

impl Consumer {
    /// The partition of a request that an answer is about; an answer about another one is passed over.
    fn asked(&self, sent: &Sent, topic: &str, partition: i32) -> Option<usize> {
        let same = |slot: &&usize| {
            let at = &self.assigned[**slot].at;
            at.partition == partition && &*at.topic == topic
        };
        sent.slots.iter().find(same).copied()
    }

    pub(super) fn fetched(
        &mut self,
        clock: Clock,
        sent: &Sent,
        body: &FetchResponse,
        effects: &mut Effects,
    ) {
        if body.error_code != code::NONE {
            for &slot in &sent.slots {
                self.refused(clock, slot, body.error_code);
            }
        }
        for topic in &body.responses {
            for data in &topic.partitions {
                let Some(slot) = self.asked(sent, topic.topic.as_str(), data.partition_index)
                else {
                    continue;
                };
                self.fetched_partition(clock, slot, data, effects);
            }
        }
    }

    fn fetched_partition(
        &mut self,
        clock: Clock,
        slot: usize,
        data: &PartitionData,
        effects: &mut Effects,
    ) {
        match data.error_code {
            code::NONE => {
                let records = data.records.clone().unwrap_or_default();
                if let Err(why) = self.consume(slot, &records, data.high_watermark, effects) {
                    let at = self.assigned[slot].at.clone();
                    warn!(%at, %why, "a fetch answer is wrong");
                    observe(effects, ClientObservation::ProtocolError { at, why });
                    self.back_off(clock, slot);
                }
            }
            code::OFFSET_OUT_OF_RANGE => self.lose_position(slot),
            error => self.refused(clock, slot, error),
        }
    }

    /// The leader returned an error: metadata is requested if the error says so, and the request is sent again later.
    fn refused(&mut self, clock: Clock, slot: usize, error: i16) {
        let at = &self.assigned[slot].at;
        debug!(%at, error = error_name(self.config.version, error), "request is refused");
        if is_metadata_error(error) && !self.config.is(Mutant::KeepFormerLeader) {
            self.metadata.request_update();
        }
        self.back_off(clock, slot);
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
            let position = self.assigned[slot].position.unwrap_or(0);
            if batch.last_offset < position {
                continue;
            }
            batch.verify().map_err(wrong)?;
            for record in records_of(&batch).map_err(wrong)? {
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
            self.pass(slot, batch.last_offset.saturating_add(1), effects);
            self.assigned[slot].last_epoch = batch.leader_epoch;
        }
        Ok(())
    }

    /// Moves the position to `to`, over records that were not delivered if there are any before it.
    fn pass(&mut self, slot: usize, to: Offset, effects: &mut Effects) {
        let assigned = &mut self.assigned[slot];
        if assigned.position.replace(to) != Some(to) {
            observe(effects, ClientObservation::RecordsPassed { at: assigned.at.clone(), to });
        }
    }

    fn deliver(&mut self, slot: usize, batch: &Batch, record: &Record, effects: &mut Effects) {
        let written = record.value.as_deref().and_then(workload::decode);
        let (name, number) = written.unwrap_or(("", 0));
        let producer = self.producers.get(name).cloned().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.producers.insert(name.clone());
            name
        });
        let assigned = &mut self.assigned[slot];
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

    pub(super) fn listed(
        &mut self,
        clock: Clock,
        sent: &Sent,
        body: &ListOffsetsResponse,
        effects: &mut Effects,
    ) {
        for topic in &body.topics {
            for answer in &topic.partitions {
                let Some(slot) = self.asked(sent, topic.name.as_str(), answer.partition_index)
                else {
                    continue;
                };
                if answer.error_code != code::NONE || answer.offset < 0 {
                    self.refused(clock, slot, answer.error_code);
                } else {
                    self.reposition(slot, answer.offset, answer.leader_epoch, effects);
                }
            }
        }
    }

    pub(super) fn validated(
        &mut self,
        clock: Clock,
        sent: &Sent,
        body: &OffsetForLeaderEpochResponse,
        effects: &mut Effects,
    ) {
        for topic in &body.topics {
            for answer in &topic.partitions {
                let Some(slot) = self.asked(sent, topic.topic.as_str(), answer.partition) else {
                    continue;
                };
                if answer.error_code == code::NONE {
                    self.validated_partition(slot, answer, effects);
                } else {
                    self.refused(clock, slot, answer.error_code);
                }
            }
        }
    }

    fn validated_partition(&mut self, slot: usize, end: &EpochEndOffset, effects: &mut Effects) {
        let assigned = &mut self.assigned[slot];
        let position = assigned.position.unwrap_or(0);
        if end.end_offset < 0 || end.leader_epoch < 0 {
            // The leader has no epoch in common.
            self.lose_position(slot);
        } else if end.end_offset >= position {
            assigned.phase = FetchPhase::Fetching;
            if self.config.is(Mutant::GoOnFromEpochEnd) {
                self.pass(slot, end.end_offset, effects);
            }
        } else if self.config.auto_offset_reset == ResetPolicy::None {
            self.lose_position(slot);
        } else {
            // The log was truncated below the position: reading goes on where the logs diverged.
            self.reposition(slot, end.end_offset, end.leader_epoch, effects);
        }
    }
}

/// The records of a batch. Compressed batches come from clients outside of the simulation, and are skipped.
fn records_of(batch: &Batch) -> Result<Vec<Record>, BatchError> {
    match batch.records() {
        Err(BatchError::Compressed(_)) => Ok(Vec::new()),
        known => known,
    }
}
