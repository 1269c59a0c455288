//! OffsetFetch: what was committed.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ApiKey, OffsetFetchRequest, OffsetFetchResponse, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::coordinator::GroupCoordinator;
use super::state::Group;
use crate::nodes::broker::answer_room::AnswerRoom;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::{LeaderEpoch, Offset};

/// The first version with an error of its own, and with "all topics".
const WITH_ERROR: i16 = 2;
/// The first version for many groups.
const BATCHED: i16 = 8;

/// Topics, each with partitions.
type Asked = Vec<(StrBytes, Vec<i32>)>;

/// One partition of an answer.
struct Row {
    partition: i32,
    offset: Offset,
    leader_epoch: LeaderEpoch,
    metadata: StrBytes,
    error: i16,
}

impl Row {
    fn none(partition: i32, error: i16) -> Self {
        Self { partition, offset: -1, leader_epoch: -1, metadata: StrBytes::default(), error }
    }
}

fn read(group: &Group, topic: &StrBytes, partition: i32, require_stable: bool) -> Row {
    let place = (topic.clone(), partition);
    if require_stable && group.is_unstable(&place) {
        return Row::none(partition, ResponseError::UnstableOffsetCommit.code());
    }
    match group.offsets.get(&place) {
        None => Row::none(partition, 0),
        Some(known) => Row {
            partition,
            offset: known.value.offset,
            leader_epoch: known.value.leader_epoch,
            metadata: known.value.metadata.clone(),
            error: 0,
        },
    }
}

impl GroupCoordinator {
    /// OffsetFetch.
    pub fn fetch_offsets(&self, cx: &mut Context<'_>, to: ReplyTo, request: OffsetFetchRequest) {
        let stable = request.require_stable;
        let mut response = OffsetFetchResponse::default();
        if to.version >= BATCHED {
            let mut room = AnswerRoom::default();
            for group in request.groups {
                let asked = group.topics.map(|topics| {
                    topics.into_iter().map(|one| (one.name.0, one.partition_indexes)).collect()
                });
                let mut answer =
                    OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
                match self.read_offsets(&group.group_id.0, asked, stable) {
                    Ok(rows) => answer.topics = rows.into_iter().map(new_topic).collect(),
                    Err(error) => answer.error_code = error.code(),
                }
                let rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
                let texts = rows.clone().map(|row| row.metadata.as_ref().map_or(0, |m| m.len()));
                if room.take(1 + rows.count(), texts.sum()).is_none() {
                    return cx.ask(Ask::Close(to.conn));
                }
                response.groups.push(answer);
            }
            cx.reply(to, ResponseKind::OffsetFetch(response));
            return;
        }
        let asked: Option<Asked> = request.topics.map(|topics| {
            topics.into_iter().map(|one| (one.name.0, one.partition_indexes)).collect()
        });
        match self.read_offsets(&request.group_id.0, asked.clone(), stable) {
            Ok(rows) => response.topics = rows.into_iter().map(old_topic).collect(),
            Err(_)
                if to.version < WITH_ERROR
                    && self.config.version.has(Change::OffsetFetchFailsWhole) => {}
            Err(error) if to.version < WITH_ERROR => {
                let none = |partition| Row::none(partition, error.code());
                let rows = asked.unwrap_or_default().into_iter();
                let rows = rows.map(|(topic, all)| (topic, all.into_iter().map(none).collect()));
                response.topics = rows.map(old_topic).collect();
            }
            Err(error) => response.error_code = error.code(),
        }
        cx.reply(to, ResponseKind::OffsetFetch(response));
    }

    fn read_offsets(
        &self,
        group: &StrBytes,
        asked: Option<Asked>,
        stable: bool,
    ) -> Result<Vec<(StrBytes, Vec<Row>)>, ResponseError> {
        if let Some(error) = self.refusal(group, ApiKey::OffsetFetch) {
            return Err(error);
        }
        let group = self.groups.get(group);
        let asked = asked.unwrap_or_else(|| {
            let mut all: BTreeMap<StrBytes, Vec<i32>> = BTreeMap::new();
            for (topic, partition) in group.into_iter().flat_map(|group| group.offsets.keys()) {
                all.entry(topic.clone()).or_default().push(*partition);
            }
            all.into_iter().collect()
        });
        let rows = asked.into_iter().map(|(topic, partitions)| {
            let one = |partition| match group {
                Some(group) => read(group, &topic, partition, stable),
                None => Row::none(partition, 0),
            };
            let rows = partitions.into_iter().map(one).collect();
            (topic, rows)
        });
        Ok(rows.collect())
    }
}

fn old_topic((name, rows): (StrBytes, Vec<Row>)) -> OffsetFetchResponseTopic {
    let rows = rows.into_iter().map(|row| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(row.partition)
            .with_committed_offset(row.offset)
            .with_committed_leader_epoch(row.leader_epoch)
            .with_metadata(Some(row.metadata))
            .with_error_code(row.error)
    });
    OffsetFetchResponseTopic::default().with_name(TopicName(name)).with_partitions(rows.collect())
}

fn new_topic((name, rows): (StrBytes, Vec<Row>)) -> OffsetFetchResponseTopics {
    let rows = rows.into_iter().map(|row| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(row.partition)
            .with_committed_offset(row.offset)
            .with_committed_leader_epoch(row.leader_epoch)
            .with_metadata(Some(row.metadata))
            .with_error_code(row.error)
    });
    OffsetFetchResponseTopics::default().with_name(TopicName(name)).with_partitions(rows.collect())
}
