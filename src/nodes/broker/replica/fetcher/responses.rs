//! What a fetcher makes of its leader's answers.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{
    FetchResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse, TopicName,
};

use super::Question;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Ask, Context};
use crate::nodes::broker::log::EpochEnd;
use crate::nodes::broker::replica::partition::{Follower, Partition, Role, Stage};
use crate::nodes::broker::replica::{ReplicaManager, Slot};
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, Mutant, Offset, TopicPartition};
use crate::wire::records::{Batch, BatchError};

/// Why records of a leader could not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum AppendError {
    #[error(transparent)]
    Damaged(#[from] BatchError),
    #[error("the leader's batch at {0} does not begin at the end of the log, {1}")]
    DoesNotFollow(Offset, Offset),
}

impl ReplicaManager {
    /// Finds the question that an answer belongs to: nearly always the next one.
    fn question<T: Copy>(
        &self,
        asked: &[Question<T>],
        next: &mut usize,
        topic: &TopicName,
        index: i32,
    ) -> Option<Question<T>> {
        let hit = |question: &Question<T>| {
            let partition = self.partitions[question.slot].as_ref();
            partition.is_some_and(|p| p.at.partition == index && p.topic == *topic)
        };
        let n = match asked.get(*next) {
            Some(question) if hit(question) => *next,
            _ => asked.iter().position(hit)?,
        };
        *next = n + 1;
        Some(asked[n])
    }

    /// Whether a partition still waits for an answer of `leader` that was asked for under epoch `current`.
    ///
    /// Before 2.1 requests did not carry the epoch, and an answer to an older one was taken.
    fn awaits(&self, slot: Slot, leader: BrokerId, current: LeaderEpoch, stage: Stage) -> bool {
        let Some(partition) = self.partitions[slot].as_ref() else { return false };
        let Role::Follower(follower) = &partition.role else { return false };
        let same_epoch = !self.config.version.has(Change::EpochInReplicaRequests)
            || partition.leader_epoch == current;
        follower.leader == Some(leader) && follower.stage == stage && same_epoch
    }

    fn follower(&mut self, slot: Slot) -> &mut Follower {
        self.at_mut(slot).follower_mut().expect("the replica was just seen to follow")
    }

    /// Leaves a partition alone for `replica.fetch.backoff.ms`.
    fn delay(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let until = Self::later(cx, self.config.replica_fetch_backoff);
        self.follower(slot).delayed_until = until;
    }

    fn refused(&mut self, cx: &mut Context<'_>, slot: Slot, code: i16, current: LeaderEpoch) {
        let partition = self.at_mut(slot);
        let error = ResponseError::try_from_code(code);
        tracing::info!(at = %partition.at, ?error, "fetcher: refused by the leader");
        if error == Some(ResponseError::FencedLeaderEpoch) && partition.leader_epoch == current {
            // The controller has moved on: its word is on its way.
            self.follower(slot).stage = Stage::Parked;
        } else {
            self.delay(cx, slot);
        }
    }

    pub(super) fn fetched(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        asked: &[Question<Offset>],
        response: FetchResponse,
    ) {
        if response.error_code != 0 {
            tracing::warn!(%leader, code = response.error_code, "fetcher: fetch refused");
            self.pause(cx, leader);
            return;
        }
        let (mut next, mut last_with_data) = (0, None);
        for topic in response.responses {
            for data in topic.partitions {
                let question = self.question(asked, &mut next, &topic.topic, data.partition_index);
                let Some(question) = question else { continue };
                if data.records.as_ref().is_some_and(|records| !records.is_empty()) {
                    last_with_data = Some(question.slot);
                }
                let slot = question.slot;
                let awaited = self.awaits(slot, leader, question.current, Stage::Fetching)
                    && self.at(slot).log.end() == question.what;
                if awaited && !self.partition_fetched(cx, slot, question.current, &data) {
                    self.fail(cx, leader, slot);
                    if self.fetchers.get(&leader).is_some_and(|f| f.ended_by.is_some()) {
                        return;
                    }
                }
            }
        }
        if let (Some(slot), Some(fetcher)) = (last_with_data, self.fetchers.get_mut(&leader)) {
            fetcher.first = slot + 1;
        }
    }

    /// Takes one partition's answer; whether the records in it, if there are any, follow on the log.
    fn partition_fetched(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        current: LeaderEpoch,
        data: &PartitionData,
    ) -> bool {
        if data.error_code == ResponseError::OffsetOutOfRange.code() {
            tracing::info!(at = %self.at(slot).at, "fetcher: out of the leader's range");
            self.follower(slot).stage = Stage::AskingEnd;
            return true;
        }
        if data.error_code != 0 {
            self.refused(cx, slot, data.error_code, current);
            return true;
        }
        let diverging = &data.diverging_epoch;
        if diverging.end_offset >= 0 {
            // Only cut: the high watermark of this response is of a log that this one does not follow yet
            // (KAFKA-14704).
            let (epoch, end_offset) = (diverging.epoch, diverging.end_offset);
            self.truncate_by(cx, slot, EpochEnd { epoch, end_offset });
            return true;
        }
        if let Some(records) = data.records.as_ref().filter(|records| !records.is_empty())
            && let Err(why) = self.append_as_follower(cx, slot, records)
        {
            tracing::warn!(at = %self.at(slot).at, %why, "fetcher: records refused");
            if matches!(why, AppendError::DoesNotFollow(..)) {
                return false;
            }
            self.delay(cx, slot);
            return true;
        }
        let (partition, mut disk) = self.with_disk(cx, slot);
        partition.log.raise_start(&mut disk, data.log_start_offset);
        let (start, end) = (partition.log.start(), partition.log.end());
        let high_watermark = match self.config.is(Mutant::TakeHighWatermarkBeyondEnd) {
            true => data.high_watermark.max(start),
            false => data.high_watermark.clamp(start, end),
        };
        Self::set_high_watermark(cx, self.at_mut(slot), high_watermark);
        true
    }

    /// The leader's records do not follow on the own log: both hold others under the same epoch, as happens
    /// when a leader loses its log's end with the power and leads on. Since 2.3 (KIP-461) the partition is marked
    /// as failed; before, the exception ends the thread and with it all that it fetches.
    fn fail(&mut self, cx: &mut Context<'_>, leader: BrokerId, slot: Slot) {
        let refused = self.at(slot).at.clone();
        self.follower(slot).stage = Stage::Failed;
        self.tell_failed(cx, slot, leader, refused.clone());
        if self.config.version.has(Change::FailedPartitionAlone) {
            return;
        }
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        fetcher.ended_by = Some(refused.clone());
        let others: Vec<Slot> = fetcher.slots.iter().copied().filter(|o| *o != slot).collect();
        for other in others {
            self.tell_failed(cx, other, leader, refused.clone());
        }
    }

    pub(super) fn tell_failed(
        &self,
        cx: &mut Context<'_>,
        slot: Slot,
        leader: BrokerId,
        refused: TopicPartition,
    ) {
        let Partition { at, log, .. } = self.at(slot);
        let (at, end) = (at.clone(), log.end());
        let failed = BrokerObservation::FetchingFailed { at, leader, end, refused };
        cx.effects.observe(Observation::Broker(failed));
    }

    fn append_as_follower(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        records: &Bytes,
    ) -> Result<(), AppendError> {
        for batch in Batch::all(records) {
            let batch = batch?;
            batch.verify()?;
            let (partition, mut disk) = self.with_disk(cx, slot);
            if batch.base_offset != partition.log.end() {
                return Err(AppendError::DoesNotFollow(batch.base_offset, partition.log.end()));
            }
            let appended = BrokerObservation::Appended {
                at: partition.at.clone(),
                base: batch.base_offset,
                last: batch.last_offset,
                leader_epoch: batch.leader_epoch,
                checksum: batch.checksum,
            };
            partition.log.append(&mut disk, partition.settings.log, batch);
            cx.effects.observe(Observation::Broker(appended));
        }
        Ok(())
    }

    pub(super) fn told_epochs(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        asked: &[Question<LeaderEpoch>],
        response: OffsetForLeaderEpochResponse,
    ) {
        let mut next = 0;
        for topic in response.topics {
            for told in topic.partitions {
                let question = self.question(asked, &mut next, &topic.topic, told.partition);
                let Some(question) = question else { continue };
                let slot = question.slot;
                if !self.awaits(slot, leader, question.current, Stage::Truncating) {
                    continue;
                }
                if told.error_code != 0 {
                    self.refused(cx, slot, told.error_code, question.current);
                    continue;
                }
                let end = EpochEnd { epoch: told.leader_epoch, end_offset: told.end_offset };
                if self.truncate_by(cx, slot, end) {
                    self.follower(slot).stage = Stage::Fetching;
                }
            }
        }
    }

    pub(super) fn told_offsets(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        asked: &[Question<Stage>],
        response: ListOffsetsResponse,
    ) {
        let mut next = 0;
        for topic in response.topics {
            for told in topic.partitions {
                let question = self.question(asked, &mut next, &topic.name, told.partition_index);
                let Some(question) = question else { continue };
                let slot = question.slot;
                if !self.awaits(slot, leader, question.current, question.what) {
                    continue;
                }
                if told.error_code != 0 {
                    self.refused(cx, slot, told.error_code, question.current);
                } else if question.what == Stage::AskingEnd {
                    self.told_end(cx, slot, told.offset);
                } else {
                    self.told_start(cx, slot, told.offset);
                }
            }
        }
    }

    /// The leader's log ends at `offset`. If that is below the own end, the rest goes. Before 2.1 (KAFKA-7414)
    /// a broker without unclean elections rather ended itself than drop what it took for committed.
    fn told_end(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        let may_exit = self.config.version.has(Change::HaltOnShorterLeader);
        let partition = self.at(slot);
        let end = partition.log.end();
        if offset < end {
            if may_exit && !partition.settings.unclean_leader_election {
                cx.ask(Ask::Halt(format!(
                    "Exiting because log truncation is not allowed for partition {}, current \
                     leader's latest offset {offset} is less than replica's latest offset {end}",
                    partition.at
                )));
                self.follower(slot).stage = Stage::Parked;
                return;
            }
            self.truncate(cx, slot, offset);
            self.follower(slot).stage = Stage::Fetching;
        } else {
            self.follower(slot).stage = Stage::AskingStart;
        }
    }

    /// The leader's log starts at `offset`. If the own one ends before, it begins anew there.
    fn told_start(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        self.follower(slot).stage = Stage::Fetching;
        if offset > self.at(slot).log.end() {
            self.start_anew(cx, slot, offset);
        } else {
            // In range after all: the leader has just changed, or knows none of this log's epochs.
            self.delay(cx, slot);
        }
    }
}
