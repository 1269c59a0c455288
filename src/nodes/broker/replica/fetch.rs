//! Fetch: reading for followers and consumers, and what a leader learns from its followers' fetches.
//!
//! Every answer has session id 0 (no incremental fetch sessions, KIP-227), and only leaders are read from
//! (no KIP-392).

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ResponseKind};

use super::partition::Partition;
use super::purgatory::DelayedFetch;
use super::{Due, ReplicaManager, Slot};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::log::EpochEnd;
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, Mutant, Offset};
use crate::wire::records::Batch;

/// What a follower's fetch tells its leader.
struct Position {
    slot: Slot,
    offset: Offset,
    /// The leader's log end offset when it was read.
    leader_end: Offset,
}

/// A fetch as read, before the fetcher's position is recorded.
pub(super) struct Read {
    pub response: FetchResponse,
    bytes: usize,
    /// An error or a diverging epoch: to be answered at once.
    urgent: bool,
    positions: Vec<Position>,
}

/// What may still be read for a request.
struct Budget {
    bytes: usize,
    /// The first batch is given however large it is, so that a consumer cannot be stuck.
    at_least_one: bool,
}

fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// Where the fetcher's log parts from this one, if it does (KIP-595's check in Fetch v12).
fn diverging(
    partition: &Partition,
    asked: &FetchPartition,
) -> Result<Option<EpochEnd>, ResponseError> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let end = partition.log.end_offset_for(asked.last_fetched_epoch);
    if end == EpochEnd::UNDEFINED || asked.fetch_offset < partition.log.start() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let diverges = end.epoch < asked.last_fetched_epoch || end.end_offset < asked.fetch_offset;
    Ok(diverges.then_some(end))
}

/// Reads what `asked` asks for, up to `readable_end`; an offset behind `last` is out of range.
fn read_partition(
    partition: &Partition,
    asked: &FetchPartition,
    readable_end: Offset,
    last: Offset,
    budget: &mut Budget,
) -> Result<PartitionData, ResponseError> {
    let mut data = PartitionData::default()
        .with_partition_index(asked.partition)
        .with_high_watermark(partition.high_watermark)
        .with_log_start_offset(partition.log.start())
        .with_aborted_transactions(None);
    if let Some(end) = diverging(partition, asked)? {
        data.diverging_epoch =
            EpochEndOffset::default().with_epoch(end.epoch).with_end_offset(end.end_offset);
        return Ok(data);
    }
    let log = &partition.log;
    if asked.fetch_offset < log.start() || asked.fetch_offset > last {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let max_bytes = size(asked.partition_max_bytes).min(budget.bytes);
    let records = log.read(asked.fetch_offset, readable_end, max_bytes, budget.at_least_one);
    if !records.is_empty() {
        budget.at_least_one = false;
        budget.bytes = budget.bytes.saturating_sub(records.len());
    }
    data.records = Some(records);
    Ok(data)
}

impl ReplicaManager {
    /// The end of what a fetcher may read: the log's for followers, the high watermark for consumers.
    fn readable_end(&self, partition: &Partition, from_follower: bool) -> Offset {
        if from_follower || self.config.is(Mutant::ReadAboveHighWatermark) {
            partition.log.flushed_end()
        } else {
            partition.high_watermark
        }
    }

    /// The leader epoch that a fetcher goes by (KIP-320); −1 is "unknown".
    fn fetchers_epoch(&self, asked: &FetchPartition) -> LeaderEpoch {
        if self.config.is(Mutant::FetchUnfenced) { -1 } else { asked.current_leader_epoch }
    }

    /// Reads what a request asks for, without waiting and without noting anything.
    pub(super) fn read(
        &self,
        request: &FetchRequest,
        slots: &[Option<Slot>],
        version: i16,
    ) -> Read {
        let from_follower = request.replica_id.0 >= 0;
        let mut budget = Budget { bytes: size(request.max_bytes), at_least_one: version >= 3 };
        let mut read = Read {
            response: FetchResponse::default(),
            bytes: 0,
            urgent: false,
            positions: Vec::new(),
        };
        let mut slots = slots.iter();
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                let slot = *slots.next().expect("one slot for each partition");
                let data = slot.ok_or(ResponseError::UnknownTopicOrPartition).and_then(|slot| {
                    let partition = self.at(slot);
                    let end = self.readable_end(partition, from_follower);
                    partition.leader_at(self.fetchers_epoch(asked))?;
                    let last = match self.config.is(Mutant::OutOfRangeAboveHighWatermark) {
                        true => end,
                        false => partition.log.end(),
                    };
                    read_partition(partition, asked, end, last, &mut budget)
                });
                let data = data.unwrap_or_else(|error| {
                    PartitionData::default()
                        .with_partition_index(asked.partition)
                        .with_high_watermark(-1)
                        .with_error_code(error.code())
                        .with_aborted_transactions(None)
                });
                let urgent = data.error_code != 0 || data.diverging_epoch.end_offset >= 0;
                read.urgent |= urgent;
                read.bytes += data.records.as_ref().map_or(0, bytes::Bytes::len);
                if let (true, false, Some(slot)) = (from_follower, urgent, slot) {
                    let leader_end = self.at(slot).log.flushed_end();
                    let offset = asked.fetch_offset;
                    read.positions.push(Position { slot, offset, leader_end });
                }
                partitions.push(data);
            }
            read.response.responses.push(
                FetchableTopicResponse::default()
                    .with_topic(topic.topic.clone())
                    .with_partitions(partitions),
            );
        }
        read
    }

    /// Tells the history how far consumers are let read.
    fn tell_served(
        &self,
        cx: &mut Context<'_>,
        request: &FetchRequest,
        slots: &[Option<Slot>],
        read: &Read,
    ) {
        if request.replica_id.0 >= 0 || read.bytes == 0 {
            return;
        }
        let parts = read.response.responses.iter().flat_map(|topic| &topic.partitions);
        for (part, slot) in parts.zip(slots) {
            let end = part.records.as_ref().and_then(Batch::end_of_all);
            if let (Some(end), Some(slot)) = (end, *slot) {
                let at = self.at(slot).at.clone();
                let serving = BrokerObservation::Serving { at, end };
                cx.effects.observe(Observation::Broker(serving));
            }
        }
    }

    /// Notes where a follower is: it has everything below the offset that it fetches from. What this makes
    /// of the ISR and the high watermark is not in the response that was just read.
    fn record(&mut self, cx: &mut Context<'_>, replica: BrokerId, position: &Position) {
        let now = cx.clock.now;
        let looks_at_every_fetch = self.config.version.has(Change::HighWatermarkAtEveryFetch);
        let partition = self.at_mut(position.slot);
        let Some(leader) = partition.leader_mut() else { return };
        let state = leader.followers.iter_mut().find(|(id, _)| *id == replica);
        let Some((_, state)) = state else {
            tracing::info!(at = %partition.at, %replica, "fetch of a replica that is not assigned");
            return;
        };
        let moved = state.end != Some(position.offset);
        state.fetched(position.offset, position.leader_end, now);
        let is_in_sync = leader.isr.maximal().contains(&replica);
        if moved {
            let (at, offset) = (partition.at.clone(), position.offset);
            let fetched = BrokerObservation::FollowerFetched { at, follower: replica, offset };
            cx.effects.observe(Observation::Broker(fetched));
        }
        if !is_in_sync {
            self.maybe_expand(cx, position.slot, replica);
        }
        // The high watermark can move without the follower having moved: when another one, outside the ISR,
        // counts as caught up no longer. Since 2.4 that has to wait for somebody who moves.
        if moved || looks_at_every_fetch {
            self.progress(cx, position.slot);
        }
    }

    /// Answers a fetch of a follower or a consumer, at once or when there is enough.
    pub fn fetch(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: FetchRequest) {
        if request.session_id != 0 && request.session_epoch > 0 {
            let code = ResponseError::FetchSessionIdNotFound.code();
            let response = FetchResponse::default().with_error_code(code);
            cx.reply(to, ResponseKind::Fetch(response));
            return;
        }
        let asked = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| (&topic.topic, partition.partition))
        });
        let slots: Vec<Option<Slot>> = asked.map(|(topic, n)| self.find(topic, n)).collect();
        let read = self.read(&request, &slots, to.version);
        let replica = BrokerId(request.replica_id.0);
        for position in &read.positions {
            self.record(cx, replica, position);
        }
        let enough = request.max_wait_ms <= 0
            || slots.is_empty()
            || read.urgent
            || read.bytes >= size(request.min_bytes);
        if enough {
            self.reply_fetch(cx, to, &request, &slots, read);
            return;
        }
        let number = self.next_request;
        self.next_request += 1;
        let wait = Duration::from_millis(request.max_wait_ms.unsigned_abs().into());
        let at = Self::later(cx, wait);
        let deadline = self.alarm.set(cx, at, Due::Fetch(number));
        self.park_fetch(number, DelayedFetch { to, deadline, request, slots });
    }

    /// Sends what was read, and tells the history which followers get records.
    pub(super) fn reply_fetch(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &FetchRequest,
        slots: &[Option<Slot>],
        read: Read,
    ) {
        self.tell_served(cx, request, slots, &read);
        if request.replica_id.0 >= 0 && read.bytes > 0 {
            let follower = BrokerId(request.replica_id.0);
            let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
            let given = read.response.responses.iter().flat_map(|topic| &topic.partitions);
            for ((asked, given), slot) in asked.zip(given).zip(slots) {
                let Some(slot) =
                    slot.filter(|_| given.records.as_ref().is_some_and(|r| !r.is_empty()))
                else {
                    continue;
                };
                let (at, from) = (self.at(slot).at.clone(), asked.fetch_offset);
                let handed = BrokerObservation::HandedToFollower { at, follower, from };
                cx.effects.observe(Observation::Broker(handed));
            }
        }
        cx.reply(to, ResponseKind::Fetch(read.response));
    }

    /// Whether a fetch that waits can be answered, as far as this partition has something to say.
    pub(super) fn is_fetch_ready(&self, delayed: &DelayedFetch, slot: Slot) -> bool {
        let request = &delayed.request;
        let from_follower = request.replica_id.0 >= 0;
        let enough = size(request.min_bytes);
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        let mut total = 0;
        for (asked, other) in asked.zip(&delayed.slots) {
            let Some(other) = *other else { continue };
            // With no more than a byte to wait for, the other partitions have nothing, or it would be over.
            if other != slot && enough <= 1 {
                continue;
            }
            let partition = self.at(other);
            let wrong = partition.leader_at(self.fetchers_epoch(asked)).is_err()
                || !matches!(diverging(partition, asked), Ok(None))
                || asked.fetch_offset > partition.log.end();
            if wrong {
                return true;
            }
            let end = self.readable_end(partition, from_follower);
            let max = size(asked.partition_max_bytes).max(1);
            total += partition.log.bytes_available(asked.fetch_offset, end, enough).min(max);
            if total >= enough.max(1) {
                return true;
            }
        }
        false
    }
}
