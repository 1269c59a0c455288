//! OffsetCommit and OffsetFetch in version 0, that of clients before 0.8.2: offsets are kept in ZooKeeper, in
//! `/consumers/<group>/offsets/<topic>/<partition>`, and no coordinator is asked (`KafkaApis`).

use std::collections::VecDeque;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::admin_calls::{Done, get, set};
use super::admin_work::Answer;
use super::broker::Broker;
use super::metadata::MetadataCache;
use super::zk_requests::data;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::paths;
use crate::releases::Change;
use crate::vocab::Offset;
use crate::wire::zookeeper::Code;

/// An offset to be written: its row in the answer, the path, and the offset.
type Write = ((usize, usize), String, Offset);

/// Whether there is such a partition; up to 1.1, whether there is such a topic.
fn knows(config: &Config, metadata: &MetadataCache, topic: &str, partition: i32) -> bool {
    match config.version.has(Change::CommitsNeedPartition) {
        true => metadata.has_partition(topic, partition),
        false => metadata.has_topic(topic),
    }
}

/// An offset that was read, or the error in its place.
fn read(answer: &Answer) -> Result<Offset, ResponseError> {
    match (answer, data(answer)) {
        (Err(Code::NO_NODE), _) => Err(ResponseError::UnknownTopicOrPartition),
        (Ok(_), Some(data)) => {
            let number = std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok());
            number.ok_or(ResponseError::UnknownServerError)
        }
        _ => Err(ResponseError::UnknownServerError),
    }
}

impl Broker {
    /// OffsetCommit in version 0.
    pub(super) fn commit_to_zookeeper(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &OffsetCommitRequest,
    ) {
        let most = self.config.groups.offset_metadata_max_bytes;
        let mut response = OffsetCommitResponse::default();
        let mut writes = VecDeque::new();
        for (n, topic) in request.topics.iter().enumerate() {
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for (m, part) in topic.partitions.iter().enumerate() {
                let index = part.partition_index;
                let metadata = part.committed_metadata.as_ref();
                let length = metadata.map_or(0, |text| text.encode_utf16().count());
                let error = if !knows(&self.config, &self.metadata, &topic.name, index) {
                    ResponseError::UnknownTopicOrPartition.code()
                } else if length > most {
                    ResponseError::OffsetMetadataTooLarge.code()
                } else {
                    let path = paths::consumer_offset(&request.group_id, &topic.name, index);
                    writes.push_back(((n, m), path, part.committed_offset));
                    0
                };
                let row = OffsetCommitResponsePartition::default().with_partition_index(index);
                rows.push(row.with_error_code(error));
            }
            let topic = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
            response.topics.push(topic.with_partitions(rows));
        }
        self.write_next_offset(cx, to, response, writes);
    }

    fn write_next_offset(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        mut response: OffsetCommitResponse,
        mut left: VecDeque<Write>,
    ) {
        let Some((place, path, offset)) = left.pop_front() else {
            return cx.reply(to, ResponseKind::OffsetCommit(response));
        };
        let then: Done = Box::new(move |this, cx, written| {
            if written.is_err() {
                let row = &mut response.topics[place.0].partitions[place.1];
                row.error_code = ResponseError::UnknownServerError.code();
            }
            this.write_next_offset(cx, to, response, left);
        });
        let data = bytes::Bytes::from(offset.to_string());
        let write = set(path.clone(), data.clone());
        self.ask_zookeeper_once(cx, write, move |this, cx, answer| match answer {
            Err(Code::NO_NODE) => this.create_path(cx, path.into(), Some(data), then),
            answer => then(this, cx, answer.map(drop)),
        });
    }

    /// OffsetFetch in version 0.
    pub(super) fn fetch_from_zookeeper(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: OffsetFetchRequest,
    ) {
        let topics = request.topics.unwrap_or_default();
        let is_known: Vec<Vec<bool>> = topics
            .iter()
            .map(|topic| {
                let partitions = topic.partition_indexes.iter();
                let knows = |&index: &i32| knows(&self.config, &self.metadata, &topic.name, index);
                partitions.map(knows).collect()
            })
            .collect();
        let mut reads = Vec::new();
        for (topic, known) in topics.iter().zip(&is_known) {
            for (index, _) in topic.partition_indexes.iter().zip(known).filter(|(_, known)| **known)
            {
                let path = paths::consumer_offset(&request.group_id, &topic.name, *index);
                reads.push(get(path));
            }
        }
        let has_path = !request.group_id.is_empty();
        self.ask_zookeeper(cx, reads, move |_, cx, answers| {
            let mut answers = answers.iter();
            let mut response = OffsetFetchResponse::default();
            for (topic, known) in topics.into_iter().zip(is_known) {
                let rows = topic.partition_indexes.into_iter().zip(known).map(|(index, known)| {
                    let answer = if known { answers.next() } else { None };
                    let row = match answer {
                        None => Err(ResponseError::UnknownTopicOrPartition),
                        // Java's client of ZooKeeper asks for no such path.
                        Some(_) if !has_path => Err(ResponseError::UnknownServerError),
                        Some(answer) => read(answer),
                    };
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(index)
                        .with_committed_offset(row.unwrap_or(-1))
                        .with_metadata(Some(StrBytes::default()))
                        .with_error_code(row.err().map_or(0, |error| error.code()))
                });
                let rows = rows.collect();
                let topic = OffsetFetchResponseTopic::default().with_name(topic.name);
                response.topics.push(topic.with_partitions(rows));
            }
            cx.reply(to, ResponseKind::OffsetFetch(response));
        });
    }
}
