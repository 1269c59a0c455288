//! What a fetch reads from the logs of leaders, and when a fetch that waits can be answered.
//!
//! Every answer has session id 0 (no incremental fetch sessions, KIP-227), and only leaders are read from
//! (no KIP-392).

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ResponseKind};

use super::partition::PartitionReplica;
use super::purgatory::DelayedFetch;
use super::replicas::{Replicas, Slot};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::log::EpochEnd;
use crate::vocab::{BrokerId, LeaderEpoch, Mutant, Offset};
use crate::wire::records::Batch;

/// Where a follower is, as its fetch says.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The leader's replica.
    pub slot: Slot,
    /// The offset from which the follower fetches.
    pub offset: Offset,
    /// The leader's log end offset when it was read.
    pub leader_end: Offset,
}

/// What there is for a fetch.
#[derive(Debug, Default)]
pub struct Survey {
    /// Size of the records, in bytes.
    pub bytes: usize,
    /// An error or a diverging epoch: to be answered at once.
    pub urgent: bool,
    /// Of a follower's fetch.
    pub positions: Vec<Position>,
}

/// What there is for a fetch in one partition.
enum Found {
    /// The fetcher's log parts from this one.
    Diverges(EpochEnd),
    /// Records; often none.
    Records(Bytes),
}

/// What may still be read for a request.
struct Budget {
    bytes: usize,
    /// The first batch is given however large it is, so that a consumer cannot be stuck.
    at_least_one: bool,
}

/// A size in a request, in bytes; negative ones count as none.
pub fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// Where the fetcher's log parts from this one, if it does (KIP-595's check in Fetch v12).
fn diverging(
    partition: &PartitionReplica,
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
    partition: &PartitionReplica,
    asked: &FetchPartition,
    readable_end: Offset,
    last: Offset,
    budget: &mut Budget,
) -> Result<Found, ResponseError> {
    if let Some(end) = diverging(partition, asked)? {
        return Ok(Found::Diverges(end));
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
    Ok(Found::Records(records))
}

/// One partition's part of an answer. Fields are set one by one: there are thousands of these for each record where a
/// broker has thousands of partitions, and a chain of `with_…` moves each as often as it has links.
fn part_of(
    asked: &FetchPartition,
    partition: Option<&PartitionReplica>,
    found: Result<Found, ResponseError>,
) -> PartitionData {
    let mut data = PartitionData::default();
    data.partition_index = asked.partition;
    data.aborted_transactions = None;
    match (found, partition) {
        (Ok(found), Some(partition)) => {
            data.high_watermark = partition.high_watermark;
            data.log_start_offset = partition.log.start();
            match found {
                Found::Diverges(end) => {
                    data.diverging_epoch.epoch = end.epoch;
                    data.diverging_epoch.end_offset = end.end_offset;
                }
                Found::Records(records) => data.records = Some(records),
            }
        }
        (found, _) => {
            let error = found.err().unwrap_or(ResponseError::UnknownTopicOrPartition);
            data.high_watermark = -1;
            data.error_code = error.code();
        }
    }
    data
}

/// Reads for fetches; changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct FetchReader<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a Replicas,
}

impl FetchReader<'_> {
    /// The end of what a fetcher may read: the log's for followers, the high watermark for consumers.
    fn readable_end(&self, partition: &PartitionReplica, from_follower: bool) -> Offset {
        if from_follower || self.config.is(Mutant::ReadAboveHighWatermark) {
            partition.log.flushed_end()
        } else {
            partition.high_watermark
        }
    }

    /// The leader epoch that a fetcher knows (KIP-320); −1 is "unknown".
    fn fetchers_epoch(&self, asked: &FetchPartition) -> LeaderEpoch {
        if self.config.is(Mutant::FetchUnfenced) { -1 } else { asked.current_leader_epoch }
    }

    fn budget(&self, request: &FetchRequest, version: i16) -> Budget {
        Budget { bytes: size(request.max_bytes), at_least_one: version >= 3 }
    }

    /// Looks into one partition of a request.
    fn look(
        &self,
        asked: &FetchPartition,
        slot: Option<Slot>,
        from_follower: bool,
        budget: &mut Budget,
    ) -> Result<Found, ResponseError> {
        let slot = slot.ok_or(ResponseError::UnknownTopicOrPartition)?;
        let partition = self.replicas.at(slot);
        partition.leader_at(self.fetchers_epoch(asked))?;
        let end = self.readable_end(partition, from_follower);
        let last = match self.config.is(Mutant::OutOfRangeAboveHighWatermark) {
            true => end,
            false => partition.log.end(),
        };
        read_partition(partition, asked, end, last, budget)
    }

    /// What there is for a request, without an answer being made of it; notes nothing.
    pub fn survey(&self, request: &FetchRequest, slots: &[Option<Slot>], version: i16) -> Survey {
        let from_follower = request.replica_id.0 >= 0;
        let mut budget = self.budget(request, version);
        let mut survey = Survey::default();
        if from_follower {
            survey.positions.reserve(slots.len());
        }
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        for (asked, &slot) in asked.zip(slots) {
            match self.look(asked, slot, from_follower, &mut budget) {
                Ok(Found::Records(records)) => {
                    survey.bytes += records.len();
                    if let (true, Some(slot)) = (from_follower, slot) {
                        let leader_end = self.replicas.at(slot).log.flushed_end();
                        let offset = asked.fetch_offset;
                        survey.positions.push(Position { slot, offset, leader_end });
                    }
                }
                Ok(Found::Diverges(_)) | Err(_) => survey.urgent = true,
            }
        }
        survey
    }

    /// Reads what a request asks for, without waiting and without noting anything.
    pub fn read(
        &self,
        request: &FetchRequest,
        slots: &[Option<Slot>],
        version: i16,
    ) -> FetchResponse {
        let from_follower = request.replica_id.0 >= 0;
        let mut budget = self.budget(request, version);
        let mut response = FetchResponse::default();
        let mut slots = slots.iter();
        for topic in &request.topics {
            let mut answer = FetchableTopicResponse::default().with_topic(topic.topic.clone());
            answer.partitions.reserve(topic.partitions.len());
            for (asked, &slot) in topic.partitions.iter().zip(&mut slots) {
                let found = self.look(asked, slot, from_follower, &mut budget);
                let partition = slot.map(|slot| self.replicas.at(slot));
                answer.partitions.push(part_of(asked, partition, found));
            }
            response.responses.push(answer);
        }
        response
    }

    /// Observes how far consumers may read.
    fn observe_served(
        &self,
        cx: &mut Context<'_>,
        slots: &[Option<Slot>],
        response: &FetchResponse,
    ) {
        let parts = response.responses.iter().flat_map(|topic| &topic.partitions);
        for (part, slot) in parts.zip(slots) {
            let records = part.records.as_ref().filter(|records| !records.is_empty());
            let end = records.and_then(Batch::end_of_all);
            if let (Some(end), Some(slot)) = (end, *slot) {
                let at = self.replicas.at(slot).at.clone();
                let serving = BrokerObservation::Serving { at, end };
                cx.effects.observe(Observation::Broker(serving));
            }
        }
    }

    /// Sends what was read, and observes which followers get records.
    pub fn reply(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &FetchRequest,
        slots: &[Option<Slot>],
        response: FetchResponse,
    ) {
        if request.replica_id.0 < 0 {
            self.observe_served(cx, slots, &response);
        } else {
            let follower = BrokerId(request.replica_id.0);
            let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
            let given = response.responses.iter().flat_map(|topic| &topic.partitions);
            for ((asked, given), slot) in asked.zip(given).zip(slots) {
                let Some(slot) =
                    slot.filter(|_| given.records.as_ref().is_some_and(|r| !r.is_empty()))
                else {
                    continue;
                };
                let (at, from) = (self.replicas.at(slot).at.clone(), asked.fetch_offset);
                let handed = BrokerObservation::HandedToFollower { at, follower, from };
                cx.effects.observe(Observation::Broker(handed));
            }
        }
        cx.reply(to, ResponseKind::Fetch(response));
    }

    /// Whether a fetch that waits can be answered, as far as the partition in `slot` has something to say, which the
    /// request names at `place`.
    pub fn is_ready(
        &self,
        delayed: &DelayedFetch,
        slot: Slot,
        (topic, partition): (usize, usize),
    ) -> bool {
        let request = &delayed.request;
        let enough = size(request.min_bytes);
        if enough <= 1 {
            // The other partitions have nothing, or it would be over.
            let asked = &request.topics[topic].partitions[partition];
            return self.bytes_for(request, asked, slot).is_none_or(|bytes| bytes > 0);
        }
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        let mut total = 0;
        asked.zip(&delayed.slots).any(|(asked, slot)| {
            // A partition that is not here was answered with an error at once.
            let slot = slot.expect("a fetch with an error does not wait");
            let Some(bytes) = self.bytes_for(request, asked, slot) else { return true };
            total += bytes;
            total >= enough
        })
    }

    /// How many bytes there are for a fetch that waits in one of its partitions, as far as they matter to it; `None`
    /// when the partition has an error for it.
    fn bytes_for(
        &self,
        request: &FetchRequest,
        asked: &FetchPartition,
        slot: Slot,
    ) -> Option<usize> {
        let partition = self.replicas.at(slot);
        let wrong = partition.leader_at(self.fetchers_epoch(asked)).is_err()
            || !matches!(diverging(partition, asked), Ok(None))
            || asked.fetch_offset > partition.log.end();
        if wrong {
            return None;
        }
        let end = self.readable_end(partition, request.replica_id.0 >= 0);
        let (enough, max) = (size(request.min_bytes), size(asked.partition_max_bytes).max(1));
        Some(partition.log.bytes_available(asked.fetch_offset, end, enough).min(max))
    }
}
