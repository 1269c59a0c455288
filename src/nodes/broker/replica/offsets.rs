//! ListOffsets and OffsetForLeaderEpoch.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, ResponseKind,
};

use super::partition::PartitionReplica;
use super::replicas::{Knows, Replicas};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::nodes::broker::log::{EpochEnd, epochs};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{LeaderEpoch, Offset};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

struct Listed {
    timestamp_ms: i64,
    offset: Offset,
    leader_epoch: LeaderEpoch,
}

/// The timestamp in ListOffsets that asks for the record with the largest timestamp (KIP-734).
const MAX_TIMESTAMP: i64 = -3;
/// The one that asks for the start of what is on the broker (KIP-405).
const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// The one that asks for the end of what is in remote storage (KIP-1005).
const LATEST_TIERED_TIMESTAMP: i64 = -5;

/// What a timestamp asks for in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Latest,
    Earliest,
    LargestTimestamp,
    LatestTiered,
    Time(i64),
    /// Nothing that this version of the request has.
    Unsupported,
}

/// Who asks for an offset: that decides where the log ends for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Follower,
    Consumer,
    /// With `isolation.level=read_committed`, since version 2.
    ReadsCommitted,
}

fn asked_for(timestamp: i64, version: KafkaVersion, request_version: i16) -> Asked {
    let by_version = version.has(Change::SpecialTimestampsByVersion);
    let since = |first: i16, asked: Asked| match request_version >= first {
        false if by_version => Asked::Unsupported,
        _ => asked,
    };
    match timestamp {
        LATEST_TIMESTAMP => Asked::Latest,
        EARLIEST_TIMESTAMP => Asked::Earliest,
        MAX_TIMESTAMP if version.has(Change::MaxTimestampListed) => {
            since(7, Asked::LargestTimestamp)
        }
        EARLIEST_LOCAL_TIMESTAMP if version.has(Change::EarliestLocalListed) => {
            since(8, Asked::Earliest)
        }
        LATEST_TIERED_TIMESTAMP if by_version => since(9, Asked::LatestTiered),
        time => Asked::Time(time),
    }
}

/// The offset that a timestamp names. Consumers see nothing behind the high watermark; since 2.2 (KIP-207)
/// not even that while it is below the start of the leader's epoch, as it then may be older than the one
/// they saw before.
fn list(
    partition: &PartitionReplica,
    asked: &ListOffsetsPartition,
    asker: Asker,
    version: KafkaVersion,
    request_version: i16,
) -> Result<Listed, ResponseError> {
    let leader = partition.leader_at(asked.current_leader_epoch)?;
    let log = &partition.log;
    let end = match asker {
        Asker::Follower => log.flushed_end(),
        Asker::Consumer => partition.high_watermark,
        Asker::ReadsCommitted => partition.last_stable_offset(),
    };
    let lags = asker != Asker::Follower
        && version.has(Change::OffsetNotAvailable)
        && partition.high_watermark < leader.epoch_start;
    let plain = |offset, leader_epoch| Listed { timestamp_ms: -1, offset, leader_epoch };
    let found = match asked_for(asked.timestamp, version, request_version) {
        Asked::Unsupported => return Err(ResponseError::UnsupportedVersion),
        Asked::Latest if lags => return Err(ResponseError::OffsetNotAvailable),
        Asked::Latest => return Ok(plain(end, partition.leader_epoch)),
        Asked::Earliest => {
            let first = log.first_batch();
            let epoch = first.map_or(partition.leader_epoch, |batch| batch.leader_epoch);
            return Ok(plain(log.start(), epoch));
        }
        Asked::LatestTiered => return Ok(plain(-1, -1)),
        Asked::LargestTimestamp => log.find_latest_timestamp(end),
        Asked::Time(time) => log.find_by_timestamp(time, end),
    };
    match found {
        Some(found) => Ok(Listed {
            timestamp_ms: found.timestamp_ms,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        }),
        None if lags => Err(ResponseError::OffsetNotAvailable),
        None => Ok(plain(-1, -1)),
    }
}

/// The offsets of segments, as version 0 lists them, newest first: those that were written by the time, as far as the
/// request wants so many (`legacyFetchOffsetsBefore`). A segment counts as written just now.
fn list_segments(
    partition: &PartitionReplica,
    asked: &ListOffsetsPartition,
    version: KafkaVersion,
    wall_ms: i64,
) -> Result<Vec<Offset>, ResponseError> {
    partition.leader_at(asked.current_leader_epoch)?;
    if asked_for(asked.timestamp, version, 0) == Asked::Unsupported {
        return Err(ResponseError::UnsupportedVersion);
    }
    let (log, end) = (&partition.log, partition.high_watermark);
    let most = usize::try_from(asked.max_num_offsets).unwrap_or(0);
    let bases = log.segment_bases().rev().filter(|base| *base < end);
    let all = std::iter::once(end).chain(bases.map(|base| base.max(log.start())));
    Ok(match asked.timestamp {
        EARLIEST_TIMESTAMP => vec![log.start()].into_iter().take(most).collect(),
        LATEST_TIMESTAMP => all.take(most).collect(),
        time if time >= wall_ms => all.take(most).collect(),
        _ => Vec::new(),
    })
}

fn to_response(
    asked: &ListOffsetsPartition,
    listed: Result<Listed, ResponseError>,
    request_version: i16,
) -> ListOffsetsPartitionResponse {
    let mut response =
        ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match listed {
        Err(error) => {
            // Clients that do not know OFFSET_NOT_AVAILABLE have to ask again, too.
            let error = match error {
                ResponseError::OffsetNotAvailable if request_version < 5 => {
                    ResponseError::LeaderNotAvailable
                }
                other => other,
            };
            response.error_code = error.code();
        }
        Ok(listed) => {
            response.timestamp = listed.timestamp_ms;
            response.offset = listed.offset;
            if request_version >= 4 {
                response.leader_epoch = listed.leader_epoch;
            }
        }
    }
    response
}

fn to_old_response(
    asked: &ListOffsetsPartition,
    found: Result<Vec<Offset>, ResponseError>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(found.as_ref().err().map_or(0, ResponseError::code));
    response.with_old_style_offsets(found.unwrap_or_default())
}

/// The parts that questions about offsets are answered from.
#[derive(Clone, Copy, Debug)]
pub struct OffsetsHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a Replicas,
}

impl OffsetsHandler<'_> {
    /// Answers where logs begin and end, or which record a timestamp names.
    pub fn list_offsets(
        self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: ListOffsetsRequest,
        knows: Knows<'_>,
    ) {
        let version = self.config.version;
        let by_partition = version.has(Change::OddListOffsetsByPartition);
        let unknown_level = to.version >= 2 && !(0..=1).contains(&request.isolation_level);
        if unknown_level && !by_partition {
            tracing::info!(broker = %self.config.id, "no isolation level: closes a connection");
            return cx.ask(Ask::Close(to.conn));
        }
        let asker = match (request.replica_id.0, request.isolation_level) {
            (0.., _) => Asker::Follower,
            (_, 1) if to.version >= 2 => Asker::ReadsCommitted,
            _ => Asker::Consumer,
        };
        let mut response = ListOffsetsResponse::default();
        for topic in request.topics {
            let mut times: BTreeMap<i32, usize> = BTreeMap::new();
            let indexes = topic.partitions.iter().map(|one| one.partition_index);
            indexes.for_each(|index| *times.entry(index).or_default() += 1);
            let mut refused = BTreeSet::new();
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for one in &topic.partitions {
                let is_twice = times[&one.partition_index] > 1;
                if is_twice && !refused.insert(one.partition_index) && !by_partition {
                    // One row is for all that name it.
                    continue;
                }
                let refusal = match (unknown_level, is_twice) {
                    (true, _) => Some(ResponseError::UnknownServerError),
                    (false, true) => Some(ResponseError::InvalidRequest),
                    (false, false) => None,
                };
                partitions.push(match refusal {
                    Some(error) => to_response(one, Err(error), to.version),
                    None => {
                        let replica =
                            self.replicas.wanted(version, &topic.name, one.partition_index, knows);
                        self.row(replica, one, asker, (to.version, cx.clock.wall_ms))
                    }
                });
            }
            response.topics.push(
                ListOffsetsTopicResponse::default()
                    .with_name(topic.name)
                    .with_partitions(partitions),
            );
        }
        cx.reply(to, ResponseKind::ListOffsets(response));
    }

    /// The row of one partition; `wall_ms` is now.
    fn row(
        self,
        replica: Result<&PartitionReplica, ResponseError>,
        asked: &ListOffsetsPartition,
        asker: Asker,
        (request_version, wall_ms): (i16, i64),
    ) -> ListOffsetsPartitionResponse {
        let version = self.config.version;
        if request_version == 0 {
            let found = replica.and_then(|at| list_segments(at, asked, version, wall_ms));
            return to_old_response(asked, found);
        }
        let listed = replica.and_then(|at| list(at, asked, asker, version, request_version));
        to_response(asked, listed, request_version)
    }

    fn epoch_end(
        &self,
        topic: &str,
        asked: &OffsetForLeaderPartition,
        knows: Knows<'_>,
    ) -> Result<EpochEnd, ResponseError> {
        let version = self.config.version;
        let told = |topic: &str, partition| {
            version.has(Change::EpochOfPartitionElsewhere) && knows(topic, partition)
        };
        let partition = self.replicas.wanted(version, topic, asked.partition, &told)?;
        partition.leader_at(asked.current_leader_epoch)?;
        let log = &partition.log;
        if self.config.version.has(Change::TruncationComparesEpochs) {
            return Ok(log.end_offset_for(asked.leader_epoch));
        }
        let end_offset = log.epochs().end_offset_for_kip101(asked.leader_epoch, log.flushed_end());
        let known = end_offset != epochs::UNDEFINED;
        let epoch = if known { asked.leader_epoch } else { EpochEnd::UNDEFINED.epoch };
        Ok(EpochEnd { epoch, end_offset })
    }

    /// Answers where leader epochs end (KIP-101, KIP-279).
    pub fn offsets_for_leader_epoch(
        self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: OffsetForLeaderEpochRequest,
        knows: Knows<'_>,
    ) {
        let mut response = OffsetForLeaderEpochResponse::default();
        for topic in request.topics {
            let answer = |asked: &OffsetForLeaderPartition| {
                let end = self.epoch_end(&topic.topic, asked, knows);
                let code = end.err().map_or(0, |error| error.code());
                let end = end.unwrap_or(EpochEnd::UNDEFINED);
                EpochEndOffset::default()
                    .with_partition(asked.partition)
                    .with_error_code(code)
                    .with_leader_epoch(end.epoch)
                    .with_end_offset(end.end_offset)
            };
            let partitions = topic.partitions.iter().map(answer).collect();
            response.topics.push(
                OffsetForLeaderTopicResult::default()
                    .with_topic(topic.topic)
                    .with_partitions(partitions),
            );
        }
        cx.reply(to, ResponseKind::OffsetForLeaderEpoch(response));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_timestamps_are_those_of_the_release() {
        let asked = |timestamp, version: &str, request| {
            asked_for(timestamp, version.parse().unwrap(), request)
        };
        assert_eq!(asked(-3, "2.8", 6), Asked::Time(-3));
        assert_eq!(asked(-3, "3.3", 1), Asked::LargestTimestamp);
        assert_eq!(
            [6, 7].map(|v| asked(-3, "3.9", v)),
            [Asked::Unsupported, Asked::LargestTimestamp]
        );
        assert_eq!(asked(-4, "3.3", 7), Asked::Time(-4));
        assert_eq!([7, 8].map(|v| asked(-4, "3.9", v)), [Asked::Unsupported, Asked::Earliest]);
        assert_eq!([8, 9].map(|v| asked(-5, "3.9", v)), [Asked::Unsupported, Asked::LatestTiered]);
        assert_eq!(asked(-6, "3.9", 9), Asked::Time(-6));
    }
}
