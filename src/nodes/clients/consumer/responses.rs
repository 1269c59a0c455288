//! How a consumer processes answers: records in order, new positions, and errors.

use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;
use kafka_protocol::messages::{FetchResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse};
use tracing::debug;

use super::aborted;
use super::assignment::{Assigned, Assignment, FetchPhase, Fetched, observe};
use super::config::{ConsumerConfig, ResetPolicy};
use super::records::{Producers, RecordReader, observe_wrong};
use crate::history::ClientObservation;
use crate::nodes::Effects;
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::{code, error_name, is_metadata_error};
use crate::vocab::{Clock, Mutant};

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
                let fetched = Fetched {
                    records: data.records.clone().unwrap_or_default(),
                    high_watermark: data.high_watermark,
                    aborted: match self.config.read_committed {
                        true => aborted::named(data),
                        false => Vec::new(),
                    },
                };
                if self.config.group.is_some() {
                    // The application of a member polls.
                    return self.assignment.fetched(slot, fetched);
                }
                let (assignment, producers) = (&mut *self.assignment, &mut *self.producers);
                let mut reader = RecordReader { assignment, producers };
                let sink = &mut |seen| observe(effects, seen);
                let read = reader.read(slot, &fetched, usize::MAX, sink);
                if let Err(why) = read {
                    observe_wrong(self.at(slot), why, effects);
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
