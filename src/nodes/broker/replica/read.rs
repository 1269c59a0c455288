//! What a fetch reads from the logs, and when a fetch that waits can be answered.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use kafka_protocol::messages::{ProducerId, TopicName};
use uuid::Uuid;

use super::fetch_partitions::{AskedPartition, FetchParams, FetchPartitions};
use super::partition::PartitionReplica;
use super::replicas::{Replicas, Slot, not_here};
use crate::nodes::broker::Config;
use crate::nodes::broker::log::transactions::Aborted;
use crate::nodes::broker::log::{EpochEnd, FirstBatch};
use crate::releases::Change;
use crate::vocab::{LeaderEpoch, Mutant, Offset};
use crate::wire::records::Batch;

/// Where a follower is, as its fetch says.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The place of the partition in the fetch.
    pub place: usize,
    /// The leader's replica.
    pub slot: Slot,
    /// The offset from which the follower fetches.
    pub offset: Offset,
    /// The leader's log end offset when it was read.
    pub leader_end: Offset,
    /// Whether there is nothing for it.
    pub is_quiet: bool,
    /// Where the follower's log starts; −1 is unknown.
    pub log_start: Offset,
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

/// What a fetch is answered of one partition.
#[derive(Debug)]
pub struct Answer {
    /// The place of the partition in the fetch.
    pub place: usize,
    /// Its topic.
    pub topic: TopicName,
    /// The topic's id, if it was named by that.
    pub topic_id: Uuid,
    /// The replica, if it is here.
    pub slot: Option<Slot>,
    /// Where it was read from.
    pub offset: Offset,
    /// The answer.
    pub data: PartitionData,
}

impl Answer {
    /// The session remembers what was answered.
    pub fn note(&self, partitions: &mut FetchPartitions) {
        let asked = partitions.at_mut(self.place);
        asked.high_watermark = self.data.high_watermark;
        asked.log_start = self.data.log_start_offset;
    }
}

/// What there is for a fetch in one partition.
enum Found {
    /// The fetcher's log parts from this one.
    Diverges(EpochEnd),
    /// Records; often none.
    Records(Bytes),
}

impl Found {
    fn is_something(&self) -> bool {
        match self {
            Self::Diverges(_) => true,
            Self::Records(records) => !records.is_empty(),
        }
    }
}

/// What a batch has more than messages of its records, and how much a fetch reads beyond what it may, at most.
const BATCH_HEAD_BYTES: i32 = 61;

/// What may still be read for a request.
struct Budget {
    /// Negative when the request says so.
    bytes: i32,
    /// The first batch is given however large it is, so that a consumer cannot be stuck (KIP-74). Before v3 it is cut.
    at_least_one: bool,
}

/// Where the fetcher's log parts from this one, if it does (KIP-595's check in Fetch v12).
fn diverging(
    partition: &PartitionReplica,
    asked: &AskedPartition,
) -> Result<Option<EpochEnd>, ResponseError> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let end = partition.log.end_offset_for(asked.last_fetched_epoch);
    if end == EpochEnd::UNDEFINED || asked.offset < partition.log.start() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let diverges = end.epoch < asked.last_fetched_epoch || end.end_offset < asked.offset;
    Ok(diverges.then_some(end))
}

/// Reads what `asked` asks for, up to `readable_end`; an offset behind `last` is out of range.
fn read_partition(
    partition: &PartitionReplica,
    asked: &AskedPartition,
    readable_end: Offset,
    last: Offset,
    budget: &mut Budget,
    cuts_first: bool,
) -> Result<Found, ResponseError> {
    if let Some(end) = diverging(partition, asked)? {
        return Ok(Found::Diverges(end));
    }
    let log = &partition.log;
    if asked.offset < log.start() || asked.offset > last {
        return Err(ResponseError::OffsetOutOfRange);
    }
    if asked.offset >= readable_end {
        return Ok(Found::Records(Bytes::new()));
    }
    // As in Kafka, where the segment refuses to read less than nothing.
    let max_bytes = usize::try_from(asked.max_bytes.min(budget.bytes))
        .map_err(|_| ResponseError::UnknownServerError)?;
    let first = match (budget.at_least_one, cuts_first) {
        (true, _) => FirstBatch::Whole,
        (false, true) => FirstBatch::Cut,
        (false, false) => FirstBatch::IfItFits,
    };
    let records = log.read(asked.offset, readable_end, max_bytes, first);
    if !records.is_empty() {
        budget.at_least_one = false;
        let size = i32::try_from(records.len()).unwrap_or(i32::MAX);
        budget.bytes = budget.bytes.saturating_sub(size).max(0);
    }
    Ok(Found::Records(records))
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
    /// The end of what a fetcher may read: the log's for followers, the high watermark for consumers, the last stable
    /// offset for those that read committed transactions alone.
    fn readable_end(&self, partition: &PartitionReplica, params: &FetchParams) -> Offset {
        if params.follower.is_some() || self.config.is(Mutant::ReadAboveHighWatermark) {
            partition.log.flushed_end()
        } else if params.read_committed && !self.config.is(Mutant::ReadOpenTransactions) {
            partition.last_stable_offset()
        } else {
            partition.high_watermark
        }
    }

    /// The aborted transactions in what a consumer gets.
    fn aborted(
        &self,
        asked: &AskedPartition,
        partition: &PartitionReplica,
        found: &Found,
    ) -> Vec<AbortedTransaction> {
        let Found::Records(records) = found else { return Vec::new() };
        if records.is_empty() || self.config.is(Mutant::NameNoAbortedTransactions) {
            return Vec::new();
        }
        let end = Batch::end_of_all(records).unwrap_or(asked.offset);
        let with_empty = self.config.version.has(Change::EmptyTransactionsIndexed);
        let aborted = partition.log.aborted(asked.offset, end, with_empty);
        let one = |one: Aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(one.producer))
                .with_first_offset(one.first)
        };
        aborted.into_iter().map(one).collect()
    }

    /// The leader epoch that a fetcher knows (KIP-320); −1 is "unknown".
    fn fetchers_epoch(&self, asked: &AskedPartition) -> LeaderEpoch {
        if self.config.is(Mutant::FetchUnfenced) { -1 } else { asked.current_leader_epoch }
    }

    /// Whether replicas that follow may be read from (KIP-392).
    fn reads_followers(&self, params: &FetchParams) -> bool {
        params.follower.is_none()
            && params.version >= 11
            && self.config.version.has(Change::FetchFromFollowers)
    }

    /// The error for a partition that has no replica here.
    fn not_here(&self, params: &FetchParams, asked: &AskedPartition) -> ResponseError {
        if asked.has_unknown_id() {
            return ResponseError::UnknownTopicId;
        }
        let told = self.config.version.has(Change::ReplicaNotAvailableError);
        if asked.is_elsewhere && told && self.reads_followers(params) {
            return ResponseError::ReplicaNotAvailable;
        }
        let knows = |_: &str, _| asked.is_elsewhere;
        not_here(self.config.version, &asked.topic, asked.partition, &knows)
    }

    /// Whether this replica may be read from: the leader always, a follower by consumers (KIP-392).
    fn check(
        &self,
        partition: &PartitionReplica,
        params: &FetchParams,
        asked: &AskedPartition,
    ) -> Result<(), ResponseError> {
        let epoch = self.fetchers_epoch(asked);
        match self.reads_followers(params) {
            true => partition.replica_at(epoch),
            false => partition.leader_at(epoch).map(|_| ()),
        }?;
        let refuses = params.is_unassigned(partition)
            && self.config.version.has(Change::UnassignedReplicaRefused);
        match (refuses, asked.current_leader_epoch >= 0) {
            (false, _) => Ok(()),
            (true, true) => Err(ResponseError::UnknownLeaderEpoch),
            (true, false) => Err(ResponseError::NotLeaderOrFollower),
        }
    }

    /// Whether a fetcher has read a partition to its end, and knows its leader epoch: there is nothing for it. Nearly
    /// all partitions of a large session are so nearly always.
    fn is_quiet(
        &self,
        params: &FetchParams,
        asked: &AskedPartition,
        partition: &PartitionReplica,
    ) -> bool {
        let (known, last) = (asked.current_leader_epoch, asked.last_fetched_epoch);
        asked.offset == self.readable_end(partition, params)
            && !params.is_unassigned(partition)
            && (known == partition.leader_epoch || known < 0)
            && partition.leader().is_some()
            && !partition.is_of_another_topic(asked.topic_id)
            && (last < 0 || partition.log.epochs().latest() == Some(last))
    }

    fn budget(params: &FetchParams) -> Budget {
        Budget { bytes: params.max_bytes, at_least_one: params.version >= 3 }
    }

    /// Looks into one partition of a request.
    fn look(
        &self,
        params: &FetchParams,
        asked: &AskedPartition,
        budget: &mut Budget,
    ) -> Result<Found, ResponseError> {
        let slot = asked.slot.ok_or_else(|| self.not_here(params, asked))?;
        let partition = self.replicas.at(slot);
        if partition.is_of_another_topic(asked.topic_id) {
            return Err(ResponseError::InconsistentTopicId);
        }
        self.check(partition, params, asked)?;
        let end = self.readable_end(partition, params);
        let last = match self.config.is(Mutant::OutOfRangeAboveHighWatermark) {
            true => end,
            false => partition.log.end(),
        };
        let cuts_first = params.version < 3;
        let is_in_messages =
            partition.settings.magic < 2 && params.converts_to(partition.settings.magic).is_some();
        if !is_in_messages || asked.max_bytes.min(budget.bytes) < 0 {
            return read_partition(partition, asked, end, last, budget, cuts_first);
        }
        // What is to lie in messages lies in batches here, which are larger when they hold one record. It is cut when
        // it is converted.
        let wider = |bytes: i32| bytes.saturating_mul(2).saturating_add(BATCH_HEAD_BYTES);
        let mut room =
            Budget { bytes: wider(budget.bytes), at_least_one: budget.at_least_one || cuts_first };
        let mut asked_wider = asked.clone();
        asked_wider.max_bytes = wider(asked.max_bytes);
        let found = read_partition(partition, &asked_wider, end, last, &mut room, false)?;
        if let Found::Records(records) = &found
            && !records.is_empty()
        {
            budget.at_least_one = false;
            let size = i32::try_from(records.len()).unwrap_or(i32::MAX);
            budget.bytes = budget.bytes.saturating_sub(size.min(asked.max_bytes)).max(0);
        }
        Ok(found)
    }

    /// What there is for a request, without an answer being made of it. Looks at the partitions that are loud, and lets
    /// them be so if there is something in them.
    pub fn survey(&self, params: &FetchParams, partitions: &mut FetchPartitions) -> Survey {
        let mut budget = Self::budget(params);
        let mut survey = Survey::default();
        let places = partitions.take_loud();
        if params.follower.is_some() {
            survey.positions.reserve(places.len());
        }
        for place in places {
            let asked = partitions.at(place);
            let replica = asked.slot.map(|slot| (slot, self.replicas.at(slot)));
            let is_quiet =
                replica.is_some_and(|(_, replica)| self.is_quiet(params, asked, replica));
            let found = (!is_quiet).then(|| self.look(params, asked, &mut budget));
            let (offset, log_start) = (asked.offset, asked.fetcher_start);
            if !is_quiet {
                partitions.make_loud(place);
            }
            match found {
                None => {}
                Some(Ok(Found::Records(records))) => survey.bytes += records.len(),
                Some(Ok(Found::Diverges(_)) | Err(_)) => {
                    survey.urgent = true;
                    continue;
                }
            }
            if let (Some(_), Some((slot, replica))) = (params.follower, replica) {
                let leader_end = replica.log.flushed_end();
                survey.positions.push(Position {
                    place,
                    slot,
                    offset,
                    leader_end,
                    is_quiet,
                    log_start,
                });
            }
        }
        survey
    }

    /// Reads what a request asks for, without waiting and without noting anything; of a session `only_news`: what
    /// differs from its last answer (`CachedPartition.maybeUpdateResponseData`).
    pub fn read(
        &self,
        params: &FetchParams,
        partitions: &mut FetchPartitions,
        only_news: bool,
    ) -> Vec<Answer> {
        let mut budget = Self::budget(params);
        let places = if only_news { partitions.take_news() } else { partitions.places() };
        let mut answers = Vec::with_capacity(places.len());
        for place in places {
            let asked = partitions.at(place);
            let partition = asked.slot.map(|slot| self.replicas.at(slot));
            let is_known = partition.is_some_and(|partition| {
                partition.high_watermark == asked.high_watermark
                    && partition.log.start() == asked.log_start
            });
            let is_quiet = || partition.is_some_and(|p| self.is_quiet(params, asked, p));
            if only_news && is_known && is_quiet() {
                continue;
            }
            let found = self.look(params, asked, &mut budget);
            let says_nothing = found.as_ref().is_ok_and(|found| !found.is_something());
            if only_news && is_known && says_nothing {
                partitions.make_news(place);
                continue;
            }
            let data = self.part_of(params, asked, partition, found);
            let AskedPartition { topic, topic_id, slot, offset, .. } = asked;
            let (topic, topic_id, slot, offset) = (topic.clone(), *topic_id, *slot, *offset);
            answers.push(Answer { place, topic, topic_id, slot, offset, data });
            partitions.make_news(place);
        }
        answers
    }

    /// One partition's part of an answer. Fields are set one by one: a chain of `with_…` moves the part as often as it
    /// has links, and before 1.1 each fetch is answered with all partitions.
    fn part_of(
        &self,
        params: &FetchParams,
        asked: &AskedPartition,
        partition: Option<&PartitionReplica>,
        found: Result<Found, ResponseError>,
    ) -> PartitionData {
        let release = self.config.version;
        let mut data = PartitionData::default();
        data.partition_index = asked.partition;
        data.aborted_transactions = None;
        match (found, partition) {
            (Ok(found), Some(partition)) => {
                data.high_watermark = partition.high_watermark;
                data.log_start_offset = partition.log.start();
                if params.read_committed || release.has(Change::LastStableOffsetInEveryFetch) {
                    data.last_stable_offset = partition.last_stable_offset();
                }
                if params.read_committed {
                    data.aborted_transactions = Some(self.aborted(asked, partition, &found));
                }
                match found {
                    Found::Diverges(end) => {
                        data.diverging_epoch.epoch = end.epoch;
                        data.diverging_epoch.end_offset = end.end_offset;
                    }
                    Found::Records(_) if params.is_unassigned(partition) => {
                        data.records = Some(Bytes::new());
                    }
                    Found::Records(records) => data.records = Some(records),
                }
            }
            (found, _) => {
                let error = found.err().unwrap_or(ResponseError::UnknownTopicOrPartition);
                data.high_watermark = -1;
                data.error_code = error.code();
                let is_unknown = matches!(
                    error,
                    ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId
                );
                if is_unknown && release.has(Change::NoAbortedTransactionsOfUnknown) {
                    data.aborted_transactions = Some(Vec::new());
                }
            }
        }
        data
    }

    /// Whether a fetch that waits can be answered, as far as the partition at `place` has something to say.
    pub fn is_ready(
        &self,
        params: &FetchParams,
        partitions: &FetchPartitions,
        place: usize,
    ) -> bool {
        if params.min_bytes <= 1 {
            // The other partitions have nothing, or it would be over.
            return self.bytes_for(params, partitions.at(place)).is_none_or(|bytes| bytes > 0);
        }
        let mut total = 0;
        partitions.all().any(|asked| {
            let Some(bytes) = self.bytes_for(params, asked) else { return true };
            total += bytes;
            total >= params.min_bytes
        })
    }

    /// How many bytes there are for a fetch that waits in one of its partitions, as far as they matter to it; `None`
    /// when the partition has an error for it.
    fn bytes_for(&self, params: &FetchParams, asked: &AskedPartition) -> Option<usize> {
        // A partition that is not here was answered with an error at once.
        let partition = self.replicas.at(asked.slot.expect("a fetch with an error does not wait"));
        let wrong = self.check(partition, params, asked).is_err()
            || !matches!(diverging(partition, asked), Ok(None))
            || asked.offset > partition.log.end();
        if wrong {
            return None;
        }
        let end = self.readable_end(partition, params);
        let max = usize::try_from(asked.max_bytes).unwrap_or(0).max(1);
        Some(partition.log.bytes_available(asked.offset, end, params.min_bytes).min(max))
    }
}
