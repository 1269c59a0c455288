//! The bytes of the embedded consumer protocol: what members put into JoinGroup and SyncGroup
//! (`ConsumerProtocol`, `ConsumerProtocolSubscription`, `ConsumerProtocolAssignment`).
//!
//! An i16 version comes first. Every release writes its highest version and reads a later one as its highest.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::java_map::JavaMap;
use super::members::{Subscription, add};
use crate::nodes::clients::protocol::{text, topic_name};
use crate::releases::{Change, KafkaVersion, apis};
use crate::vocab::TopicPartition;

/// Bytes that are not of the consumer protocol (Java: `SchemaException`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOfConsumers {
    /// There is no version.
    #[error("the bytes end before the version")]
    NoVersion,
    /// The version is negative.
    #[error("unsupported version: {0}")]
    Version(i16),
    /// They break off, or a length in them is wrong.
    #[error("the bytes do not parse as version {0}")]
    Broken(i16),
}

impl Subscription {
    /// The bytes that a client of release `kafka` writes.
    pub fn encode(&self, kafka: KafkaVersion) -> Bytes {
        let version = apis::consumer_protocol(kafka);
        let (mut topics, mut owned) = (self.topics.clone(), self.owned.clone());
        let owned = match kafka.has(Change::SortedSubscriptions) {
            true => {
                topics.sort();
                owned.sort();
                grouped_in_order(&owned)
            }
            false => grouped(kafka, &owned),
        };
        let owned = owned.into_iter().map(|(topic, partitions)| {
            OwnedTopic::default().with_topic(topic_name(&topic)).with_partitions(partitions)
        });
        let body = ConsumerProtocolSubscription::default()
            .with_topics(topics.iter().map(|topic| text(topic)).collect())
            .with_user_data(self.user_data.clone())
            .with_owned_partitions(owned.collect())
            .with_generation_id(self.generation.unwrap_or(-1))
            .with_rack_id(self.rack.as_ref().map(|rack| text(rack)));
        encode(&body, version)
    }

    /// Reads what a member wrote, as a client of release `kafka` reads it.
    pub fn decode(kafka: KafkaVersion, bytes: Bytes) -> Result<Self, NotOfConsumers> {
        let body: ConsumerProtocolSubscription = decode(kafka, bytes)?;
        let owned = body.owned_partitions.iter();
        Ok(Self {
            topics: body.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            owned: owned.flat_map(|of| partitions(&of.topic, &of.partitions)).collect(),
            generation: Some(body.generation_id).filter(|&generation| generation >= 0),
            rack: body.rack_id.filter(|rack| !rack.is_empty()).map(|rack| rack.as_str().into()),
            user_data: body.user_data,
        })
    }
}

/// The bytes with which a group's leader of release `kafka` assigns `partitions` to a member.
pub fn encode_assignment(kafka: KafkaVersion, partitions: &[TopicPartition]) -> Bytes {
    let topics = match kafka.has(Change::AssignedTopicsInOrder) {
        true => grouped_in_order(partitions),
        false => grouped(kafka, partitions),
    };
    let topics = topics.into_iter().map(|(topic, partitions)| {
        AssignedTopic::default().with_topic(topic_name(&topic)).with_partitions(partitions)
    });
    let body = ConsumerProtocolAssignment::default()
        .with_assigned_partitions(topics.collect())
        .with_user_data(no_user_data(kafka));
    encode(&body, apis::consumer_protocol(kafka))
}

/// Reads an assignment, as a client of release `kafka` reads it.
pub fn decode_assignment(
    kafka: KafkaVersion,
    bytes: Bytes,
) -> Result<Vec<TopicPartition>, NotOfConsumers> {
    let body: ConsumerProtocolAssignment = decode(kafka, bytes)?;
    let topics = body.assigned_partitions.iter();
    Ok(topics.flat_map(|of| partitions(&of.topic, &of.partitions)).collect())
}

/// What an assignor writes that has nothing to add.
pub(super) fn no_user_data(kafka: KafkaVersion) -> Option<Bytes> {
    (!kafka.has(Change::NullUserData)).then(Bytes::new)
}

/// The partitions by topic, the topics in the order of Java's `HashMap` (`CollectionUtils.groupPartitionsByTopic`).
pub(super) fn grouped(
    kafka: KafkaVersion,
    partitions: &[TopicPartition],
) -> Vec<(Arc<str>, Vec<i32>)> {
    let mut topics: JavaMap<Arc<str>, Vec<i32>> = JavaMap::default();
    for at in partitions {
        add(kafka, &mut topics, &at.topic, at.partition);
    }
    topics.into_entries().collect()
}

/// The partitions by topic, the topics in the order in which they come.
fn grouped_in_order(partitions: &[TopicPartition]) -> Vec<(Arc<str>, Vec<i32>)> {
    let mut topics: Vec<(Arc<str>, Vec<i32>)> = Vec::new();
    for at in partitions {
        match topics.iter_mut().find(|(topic, _)| *topic == at.topic) {
            Some((_, partitions)) => partitions.push(at.partition),
            None => topics.push((at.topic.clone(), vec![at.partition])),
        }
    }
    topics
}

fn partitions(topic: &TopicName, indexes: &[i32]) -> Vec<TopicPartition> {
    let topic: Arc<str> = Arc::from(topic.as_str());
    indexes.iter().map(|&index| TopicPartition::new(topic.clone(), index)).collect()
}

fn encode(body: &impl Encodable, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    body.encode(&mut bytes, version).expect("every field is written or left out");
    bytes.freeze()
}

fn decode<T: Decodable>(kafka: KafkaVersion, mut bytes: Bytes) -> Result<T, NotOfConsumers> {
    let version = bytes.try_get_i16().map_err(|_| NotOfConsumers::NoVersion)?;
    if version < 0 {
        return Err(NotOfConsumers::Version(version));
    }
    let version = version.min(apis::consumer_protocol(kafka));
    T::decode(&mut bytes, version).map_err(|_| NotOfConsumers::Broken(version))
}
