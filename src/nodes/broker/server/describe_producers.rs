//! DescribeProducers: the producers that a replica knows (KIP-664).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use kafka_protocol::protocol::StrBytes;

use super::metadata::MetadataCache;
use crate::nodes::broker::log::producers::{Producer, Producers};
use crate::nodes::broker::replica::ReplicaManager;

/// Kafka's text for UNKNOWN_TOPIC_OR_PARTITION.
const UNKNOWN: &str = "This server does not host this topic-partition.";

fn state((id, known): (i64, &Producer)) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(known.epoch.into())
        .with_last_sequence(known.last_sequence())
        .with_last_timestamp(known.timestamp_ms)
        .with_coordinator_epoch(known.coordinator_epoch)
        .with_current_txn_start_offset(known.open_from.unwrap_or(-1))
}

fn row(index: i32, producers: Result<&Producers, ResponseError>) -> PartitionResponse {
    let row = PartitionResponse::default().with_partition_index(index).with_error_message(None);
    match producers {
        Ok(producers) => row.with_active_producers(producers.all().map(state).collect()),
        Err(error) => row.with_error_code(error.code()),
    }
}

/// The answer.
pub fn describe(
    replicas: &ReplicaManager,
    metadata: &MetadataCache,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let name = topic.name.as_str();
        let is_known = metadata.has_topic(name);
        let answer = |&index: &i32| {
            let missing = match metadata.knows_partition(name, index) {
                true => ResponseError::NotLeaderOrFollower,
                false => ResponseError::UnknownTopicOrPartition,
            };
            let row = row(index, replicas.producers(name, index).ok_or(missing));
            let text = (!is_known).then(|| StrBytes::from_static_str(UNKNOWN));
            row.with_error_message(text)
        };
        let partitions = topic.partition_indexes.iter().map(answer).collect();
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::BatchBuilder;

    /// `txn.describe` of the recordings.
    #[test]
    fn a_producer_is_shown_with_its_open_transaction() {
        let mut builder = BatchBuilder::new(1_000);
        builder.push(1_000, None, Some(b"a"));
        let batch = builder.of_producer(7, 0, 0).of_transaction(false).build();
        let mut producers = Producers::default();
        producers.note(&batch.stamped(0, 0));
        let expected = ProducerState::default()
            .with_producer_id(ProducerId(7))
            .with_last_sequence(0)
            .with_last_timestamp(1_000)
            .with_coordinator_epoch(-1)
            .with_current_txn_start_offset(0);
        assert_eq!(row(0, Ok(&producers)).active_producers, [expected]);
        let missing = row(3, Err(ResponseError::UnknownTopicOrPartition));
        assert_eq!((missing.error_code, missing.active_producers), (3, vec![]));
    }
}
