//! What follows from a leader's answers.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{
    FetchResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse, TopicName,
};

use super::fetchers::{Fetcher, Question};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context};
use crate::nodes::broker::log::EpochEnd;
use crate::nodes::broker::replica::high_watermark::set_high_watermark;
use crate::nodes::broker::replica::log_manager::LogManager;
use crate::nodes::broker::replica::log_start::observe_start;
use crate::nodes::broker::replica::partition::{
    FetchState, Follower, PartitionReplica, ReplicaRole,
};
use crate::nodes::broker::replica::replicas::{Replicas, Slot};
use crate::nodes::broker::replica::truncation::Truncator;
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, Mutant, Offset, Time, TopicPartition};
use crate::wire::records::{Batch, BatchError};

/// Why records of a leader could not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum AppendError {
    #[error(transparent)]
    Damaged(#[from] BatchError),
    #[error("the leader's batch at {0} does not begin at the end of the log, {1}")]
    DoesNotFollow(Offset, Offset),
}

/// Observes that a partition is fetched no more.
pub fn observe_failed(
    cx: &mut Context<'_>,
    replica: &PartitionReplica,
    leader: BrokerId,
    refused: TopicPartition,
) {
    let (at, end) = (replica.at.clone(), replica.log.end());
    let failed = BrokerObservation::FetchingFailed { at, leader, end, refused };
    cx.effects.observe(Observation::Broker(failed));
}

/// The parts that answers of a leader work with.
#[derive(Debug)]
pub struct ResponseHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a mut Replicas,
    /// The disk.
    pub logs: &'a mut LogManager,
    /// The fetcher that asked.
    pub fetcher: &'a mut Fetcher,
    /// The leader that answered.
    pub leader: BrokerId,
    /// Replicas whose high watermark has risen, and for which fetches wait.
    pub raised: Vec<Slot>,
}

impl ResponseHandler<'_> {
    /// Finds the question that an answer belongs to: nearly always the next one.
    fn question<T: Copy>(
        &self,
        asked: &[Question<T>],
        next: &mut usize,
        topic: &TopicName,
        index: i32,
    ) -> Option<Question<T>> {
        let hit = |question: &Question<T>| {
            let partition = self.replicas.get(question.slot);
            partition.is_some_and(|p| p.at.partition == index && p.topic == *topic)
        };
        let n = match asked.get(*next) {
            Some(question) if hit(question) => *next,
            _ => asked.iter().position(hit)?,
        };
        *next = n + 1;
        Some(asked[n])
    }

    /// The replica of a partition that is answered: in a full answer nearly always the one that was named `next`.
    fn answered_slot(&self, next: &mut usize, topic: &TopicName, index: i32) -> Option<Slot> {
        let named = self.fetcher.session.named().get(*next).copied();
        *next += 1;
        let is_it = |slot: Slot| {
            let partition = self.replicas.get(slot);
            partition.is_some_and(|p| p.at.partition == index && p.topic == *topic)
        };
        match named {
            Some(slot) if is_it(slot) => Some(slot),
            _ => self.replicas.find(topic, index),
        }
    }

    /// Whether nothing keeps a replica from being in the next fetch.
    fn goes_on(&self, cx: &Context<'_>, slot: Slot) -> bool {
        let replica = self.replicas.at(slot);
        let ReplicaRole::Follower(follower) = &replica.role else { return false };
        follower.state == FetchState::Fetching
            && (follower.delayed_until == Time::ZERO
                || follower.delayed_until <= cx.clock.by_wall())
            && replica.log.flushed_end() == replica.log.end()
            && !self.logs.is_cutting(slot)
    }

    /// Whether a partition still waits for an answer that was asked for under epoch `current`: it can have been
    /// deleted since, or lead, or follow another.
    ///
    /// Before 2.1 requests did not carry the epoch, and an answer to an older one was taken.
    fn awaits(&self, slot: Slot, current: LeaderEpoch, state: FetchState) -> bool {
        let Some(replica) = self.replicas.get(slot) else { return false };
        let ReplicaRole::Follower(follower) = &replica.role else { return false };
        let same_epoch = !self.config.version.has(Change::EpochInReplicaRequests)
            || replica.leader_epoch == current;
        follower.leader == Some(self.leader) && follower.state == state && same_epoch
    }

    fn truncator(&mut self) -> Truncator<'_> {
        Truncator { config: self.config, replicas: self.replicas, logs: self.logs }
    }

    fn follower(&mut self, slot: Slot) -> &mut Follower {
        self.replicas.at_mut(slot).follower_mut().expect("the replica was just seen to follow")
    }

    /// Leaves a partition alone for `replica.fetch.backoff.ms`.
    fn delay(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let until = cx.clock.by_wall() + self.config.replica_fetch_backoff;
        self.follower(slot).delayed_until = until;
    }

    /// A delay that is over does not begin again when the wall clock is set back.
    fn end_delay(&mut self, slot: Slot) {
        let ReplicaRole::Follower(follower) = &self.replicas.at(slot).role else { return };
        if follower.delayed_until != Time::ZERO {
            self.follower(slot).delayed_until = Time::ZERO;
        }
    }

    fn refused(&mut self, cx: &mut Context<'_>, slot: Slot, code: i16, current: LeaderEpoch) {
        let partition = self.replicas.at_mut(slot);
        let error = ResponseError::try_from_code(code);
        tracing::info!(at = %partition.at, ?error, "fetcher: refused by the leader");
        if error == Some(ResponseError::FencedLeaderEpoch) && partition.leader_epoch == current {
            // The controller elected again: its LeaderAndIsr is on its way.
            self.follower(slot).state = FetchState::Parked;
        } else {
            self.delay(cx, slot);
        }
    }

    /// A fetch was answered.
    pub fn fetched(&mut self, cx: &mut Context<'_>, response: FetchResponse) {
        if !self.fetcher.session.answered(&response) {
            let (leader, code) = (self.leader, response.error_code);
            tracing::info!(%leader, code, "fetcher: the fetch session is over");
            self.fetcher.looks_at_all = true;
            return;
        }
        let (mut last_with_data, mut next) = (None, 0);
        for topic in response.responses {
            for data in topic.partitions {
                let slot = self.answered_slot(&mut next, &topic.topic, data.partition_index);
                let asked = slot.and_then(|slot| Some((slot, self.fetcher.session.asked(slot)?)));
                // Its replica was deleted since.
                let Some((slot, asked)) = asked else { continue };
                if data.records.as_ref().is_some_and(|records| !records.is_empty()) {
                    last_with_data = Some(slot);
                }
                let awaited = self.awaits(slot, asked.current, FetchState::Fetching)
                    && self.replicas.at(slot).log.end() == asked.offset;
                if awaited && !self.partition_fetched(cx, slot, asked.current, &data) {
                    self.fail(cx, slot);
                    if self.fetcher.ended_by.is_some() {
                        return;
                    }
                }
                if awaited && self.goes_on(cx, slot) {
                    self.end_delay(slot);
                    self.fetcher.answered.push(slot);
                } else {
                    self.fetcher.looks_at_all = true;
                }
            }
        }
        if let Some(slot) = last_with_data {
            self.fetcher.first = slot + 1;
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
            tracing::info!(at = %self.replicas.at(slot).at, "fetcher: out of the leader's range");
            self.follower(slot).state = FetchState::AskingEnd;
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
            self.truncator().truncate_by(cx, slot, EpochEnd { epoch, end_offset });
            return true;
        }
        if let Some(records) = data.records.as_ref().filter(|records| !records.is_empty())
            && let Err(why) = self.append_as_follower(cx, slot, records)
        {
            tracing::warn!(at = %self.replicas.at(slot).at, %why, "fetcher: records refused");
            if matches!(why, AppendError::DoesNotFollow(..)) {
                return false;
            }
            self.delay(cx, slot);
            return true;
        }
        let partition = self.replicas.at_mut(slot);
        if partition.log.raise_start(&mut self.logs.disk(cx), data.log_start_offset) {
            observe_start(cx, self.replicas.at(slot));
        }
        let partition = self.replicas.at_mut(slot);
        let (start, end) = (partition.log.start(), partition.log.end());
        let high_watermark = match self.config.is(Mutant::TakeHighWatermarkBeyondEnd) {
            true => data.high_watermark.max(start),
            false => data.high_watermark.clamp(start, end),
        };
        let rises = high_watermark > partition.high_watermark;
        set_high_watermark(cx, partition, high_watermark);
        if rises {
            self.raised.push(slot);
        }
        true
    }

    /// The leader's records do not follow on the own log: both logs hold other records under the same epoch, as
    /// happens when a leader loses its log's end with the power and stays the leader. Since 2.3 (KIP-461) the
    /// partition is marked as failed; before, the exception ends the thread and all that it fetches.
    fn fail(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let refused = self.replicas.at(slot).at.clone();
        self.follower(slot).state = FetchState::Failed;
        observe_failed(cx, self.replicas.at(slot), self.leader, refused.clone());
        if self.config.version.has(Change::FailedPartitionAlone) {
            return;
        }
        for other in self.fetcher.slots.iter().filter(|other| **other != slot) {
            observe_failed(cx, self.replicas.at(*other), self.leader, refused.clone());
        }
        self.fetcher.ended_by = Some(refused);
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
            let partition = self.replicas.at_mut(slot);
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
            partition.log.append(&mut self.logs.disk(cx), partition.settings.log, batch);
            cx.effects.observe(Observation::Broker(appended));
        }
        Ok(())
    }

    /// OffsetForLeaderEpoch was answered.
    pub fn epochs_answered(
        &mut self,
        cx: &mut Context<'_>,
        asked: &[Question<LeaderEpoch>],
        response: OffsetForLeaderEpochResponse,
    ) {
        let mut next = 0;
        for topic in response.topics {
            for answer in topic.partitions {
                let question = self.question(asked, &mut next, &topic.topic, answer.partition);
                // Its replica was deleted since.
                let Some(question) = question else { continue };
                let slot = question.slot;
                if !self.awaits(slot, question.current, FetchState::Truncating) {
                    continue;
                }
                if answer.error_code != 0 {
                    self.refused(cx, slot, answer.error_code, question.current);
                    continue;
                }
                let end = EpochEnd { epoch: answer.leader_epoch, end_offset: answer.end_offset };
                if self.truncator().truncate_by(cx, slot, end) {
                    self.follower(slot).state = FetchState::Fetching;
                }
            }
        }
    }

    /// ListOffsets was answered.
    pub fn offsets_answered(
        &mut self,
        cx: &mut Context<'_>,
        asked: &[Question<FetchState>],
        response: ListOffsetsResponse,
    ) {
        let mut next = 0;
        for topic in response.topics {
            for answer in topic.partitions {
                let question = self.question(asked, &mut next, &topic.name, answer.partition_index);
                // Its replica was deleted since.
                let Some(question) = question else { continue };
                let slot = question.slot;
                if !self.awaits(slot, question.current, question.what) {
                    continue;
                }
                if answer.error_code != 0 {
                    self.refused(cx, slot, answer.error_code, question.current);
                } else if question.what == FetchState::AskingEnd {
                    self.end_answered(cx, slot, answer.offset);
                } else {
                    self.start_answered(cx, slot, answer.offset);
                }
            }
        }
    }

    /// The leader's log ends at `offset`. If that is below the own end, the rest goes. Before 2.0.1 (KAFKA-7414)
    /// a broker without unclean elections ended itself instead: it would drop records that may be committed.
    fn end_answered(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        let may_exit = self.config.version.has(Change::HaltOnShorterLeader);
        let partition = self.replicas.at(slot);
        let end = partition.log.end();
        if offset < end {
            if may_exit && !partition.settings.unclean_leader_election {
                cx.ask(Ask::Halt(format!(
                    "Exiting because log truncation is not allowed for partition {}, current \
                     leader's latest offset {offset} is less than replica's latest offset {end}",
                    partition.at
                )));
                self.follower(slot).state = FetchState::Parked;
                return;
            }
            self.truncator().truncate(cx, slot, offset);
            self.follower(slot).state = FetchState::Fetching;
        } else {
            self.follower(slot).state = FetchState::AskingStart;
        }
    }

    /// The leader's log starts at `offset`. If the own one ends before, it starts there, too, without records.
    fn start_answered(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        self.follower(slot).state = FetchState::Fetching;
        if offset > self.replicas.at(slot).log.end() {
            self.truncator().truncate_fully(cx, slot, offset);
        } else {
            // In range after all: the leader has just changed, or knows none of this log's epochs.
            self.delay(cx, slot);
        }
    }
}
