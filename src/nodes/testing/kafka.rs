//! Kafka requests of clients, and the other end of the wire: connections whose frames are requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest, TopicName};

use crate::vocab::ConnId;
use crate::wire::frames::Frames;
use crate::wire::kafka::{MAX_FRAME_BYTES, RequestFrame, decode_request};

/// A topic's name as messages hold it.
pub fn topic(name: &str) -> TopicName {
    TopicName(name.to_owned().into())
}

/// Asks for topics.
pub fn metadata(topics: &[&str], may_create: bool) -> MetadataRequest {
    let topics =
        topics.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
    MetadataRequest::default()
        .with_topics(Some(topics.collect()))
        .with_allow_auto_topic_creation(may_create)
}

/// Writes records to one partition.
pub fn produce(name: &str, partition: i32, acks: i16, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = TopicProduceData::default().with_name(topic(name));
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic.with_partition_data(vec![data])])
}

/// Reads partition 0 of a topic.
pub fn fetch(name: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset);
    let partition = partition.with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    FetchRequest::default().with_max_wait_ms(max_wait_ms).with_min_bytes(1).with_topics(vec![topic])
}

/// Connections that others opened, and what came in of their next frames.
#[derive(Default)]
pub struct Requests(BTreeMap<ConnId, Frames>);

impl Requests {
    /// A connection is accepted.
    pub fn accept(&mut self, conn: ConnId) {
        self.0.insert(conn, Frames::new(MAX_FRAME_BYTES));
    }

    /// Whether it is open.
    pub fn has(&self, conn: ConnId) -> bool {
        self.0.contains_key(&conn)
    }

    /// The connection is closed; returns whether it was one of these.
    pub fn close(&mut self, conn: ConnId) -> bool {
        self.0.remove(&conn).is_some()
    }

    /// The frames that are complete now.
    pub fn payloads(&mut self, conn: ConnId, bytes: Bytes) -> Vec<Bytes> {
        let frames = self.0.get_mut(&conn).expect("it was accepted");
        frames.push(bytes);
        std::iter::from_fn(|| frames.pop().expect("clients send frames")).collect()
    }

    /// The requests that are complete now.
    pub fn requests(&mut self, conn: ConnId, bytes: Bytes) -> Vec<RequestFrame> {
        let payloads = self.payloads(conn, bytes).into_iter();
        payloads.map(|payload| decode_request(payload).expect("clients speak Kafka")).collect()
    }
}
