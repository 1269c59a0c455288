//! ListOffsets and OffsetForLeaderEpoch.

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
use super::replicas::Replicas;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::log::{EpochEnd, epochs};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{LeaderEpoch, Offset};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

struct Listed {
    timestamp_ms: i64,
    offset: Offset,
    leader_epoch: LeaderEpoch,
}

/// The offset that a timestamp names. Consumers see nothing behind the high watermark; since 2.2 (KIP-207)
/// not even that while it is below the start of the leader's epoch, as it then may be older than the one
/// they saw before.
fn list(
    partition: &PartitionReplica,
    asked: &ListOffsetsPartition,
    from_follower: bool,
    version: KafkaVersion,
) -> Result<Listed, ResponseError> {
    let leader = partition.leader_at(asked.current_leader_epoch)?;
    let log = &partition.log;
    let end = if from_follower { log.flushed_end() } else { partition.high_watermark };
    let lags = !from_follower
        && version.has(Change::OffsetNotAvailable)
        && partition.high_watermark < leader.epoch_start;
    let plain = |offset, leader_epoch| Listed { timestamp_ms: -1, offset, leader_epoch };
    match asked.timestamp {
        LATEST_TIMESTAMP if lags => Err(ResponseError::OffsetNotAvailable),
        LATEST_TIMESTAMP => Ok(plain(end, partition.leader_epoch)),
        EARLIEST_TIMESTAMP => {
            let first = log.first_batch();
            Ok(plain(log.start(), first.map_or(-1, |batch| batch.leader_epoch)))
        }
        timestamp if timestamp >= 0 => match log.find_by_timestamp(timestamp, end) {
            Some(found) => Ok(Listed {
                timestamp_ms: found.timestamp_ms,
                offset: found.offset,
                leader_epoch: found.leader_epoch,
            }),
            None if lags => Err(ResponseError::OffsetNotAvailable),
            None => Ok(plain(-1, -1)),
        },
        _ => Err(ResponseError::UnsupportedForMessageFormat),
    }
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
        Ok(listed) if request_version == 0 => {
            let found = (listed.offset >= 0).then_some(listed.offset);
            response.old_style_offsets = found.into_iter().collect();
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
    pub fn list_offsets(self, cx: &mut Context<'_>, to: ReplyTo, request: ListOffsetsRequest) {
        let from_follower = request.replica_id.0 >= 0;
        let mut response = ListOffsetsResponse::default();
        for topic in request.topics {
            let answer = |asked: &ListOffsetsPartition| {
                let listed = self
                    .replicas
                    .wanted(&topic.name, asked.partition_index)
                    .and_then(|one| list(one, asked, from_follower, self.config.version));
                to_response(asked, listed, to.version)
            };
            let partitions = topic.partitions.iter().map(answer).collect();
            response.topics.push(
                ListOffsetsTopicResponse::default()
                    .with_name(topic.name)
                    .with_partitions(partitions),
            );
        }
        cx.reply(to, ResponseKind::ListOffsets(response));
    }

    fn epoch_end(
        &self,
        topic: &str,
        asked: &OffsetForLeaderPartition,
    ) -> Result<EpochEnd, ResponseError> {
        let partition = self.replicas.wanted(topic, asked.partition)?;
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
    ) {
        let mut response = OffsetForLeaderEpochResponse::default();
        for topic in request.topics {
            let answer = |asked: &OffsetForLeaderPartition| {
                let end = self.epoch_end(&topic.topic, asked);
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
