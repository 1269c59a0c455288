//! Metadata and DescribeCluster, answered from this broker's own view.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId as WireBrokerId, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest,
    MetadataResponse, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::auto_creation::TopicCreator;
use super::metadata::Listener;
use crate::nodes::broker::config::{INTERNAL_TOPICS, OFFSETS_TOPIC};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::controller::{in_order_of_bins, is_valid_topic};
use crate::releases::Change;

/// All that can be permitted for the cluster, as bits of `AclOperation`: each operation is, without an authorizer.
const CLUSTER_OPERATIONS: i32 = 8096;
/// All that can be permitted for a topic.
const TOPIC_OPERATIONS: i32 = 3576;

/// The parts that Metadata works with.
#[derive(Debug)]
pub struct MetadataHandler<'a> {
    /// Creates topics that do not exist, and knows the cluster.
    pub creator: TopicCreator<'a>,
    /// By which the client came in.
    pub listener: Listener,
    /// The cluster's id, once it is known.
    pub cluster_id: Option<&'a str>,
}

impl MetadataHandler<'_> {
    /// Metadata.
    pub fn metadata(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: MetadataRequest) {
        let unasked = self.unasked_operations();
        let of_cluster = match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => unasked,
        };
        let of_topics = match request.include_topic_authorized_operations {
            true => TOPIC_OPERATIONS,
            false => unasked,
        };
        let all = match &request.topics {
            None => true,
            Some(topics) => to.version == 0 && topics.is_empty(),
        };
        let mut topics: Vec<_> = if all {
            let names = self.creator.client.metadata.topic_names();
            names
                .filter_map(|name| self.creator.client.metadata.response_topic(name, to.version))
                .collect()
        } else {
            let create =
                request.allow_auto_topic_creation && self.creator.client.config.auto_create_topics;
            self.metadata_of(cx, to.version, request, create)
        };
        if self.creator.client.config.version.has(Change::PartitionsInOrderOfBins) {
            topics.iter_mut().for_each(order_by_bins);
        }
        if to.version >= 8 {
            topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = of_topics);
        }
        let controller = self.creator.client.metadata.controller().map_or(-1, |id| id.0);
        let cluster_id = self.cluster_id.map(str::to_owned);
        let mut response = MetadataResponse::default()
            .with_brokers(self.creator.client.metadata.response_brokers(self.listener))
            .with_cluster_id(cluster_id.map(StrBytes::from_string))
            .with_controller_id(WireBrokerId(controller))
            .with_topics(topics);
        if (8..=10).contains(&to.version) {
            response.cluster_authorized_operations = of_cluster;
        }
        cx.reply(to, ResponseKind::Metadata(response));
    }

    /// What is answered for operations that were not asked for.
    fn unasked_operations(&self) -> i32 {
        match self.creator.client.config.version.has(Change::OperationsUnknownUnasked) {
            true => i32::MIN,
            false => 0,
        }
    }

    fn metadata_of(
        &mut self,
        cx: &mut Context<'_>,
        version: i16,
        request: MetadataRequest,
        create: bool,
    ) -> Vec<MetadataResponseTopic> {
        let (mut found, mut seen, mut seen_ids) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut to_create = Vec::new();
        for topic in request.topics.unwrap_or_default() {
            let Some(name) = topic.name else {
                if seen_ids.insert(topic.topic_id) {
                    found.push(self.by_id(topic.topic_id, version));
                }
                continue;
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(topic) = self.creator.client.metadata.response_topic(&name, version) {
                found.push(topic);
                continue;
            }
            // Up to 2.7 every request for an internal topic creates it.
            let create = create
                || *name == *OFFSETS_TOPIC
                    && !self.creator.client.config.version.has(Change::TopicCreationByController);
            let error = self.error_of_unknown(&name, create);
            if create && error != ResponseError::InvalidTopicException {
                to_create.push(name.clone());
            }
            let topic = MetadataResponseTopic::default().with_error_code(error.code());
            let is_internal = INTERNAL_TOPICS.contains(&name.as_str());
            found.push(topic.with_is_internal(is_internal).with_name(Some(name)));
        }
        if !to_create.is_empty() {
            self.creator.auto_create(cx, to_create);
        }
        found
    }

    /// A topic that is asked for by its id alone.
    fn by_id(&self, id: Uuid, version: i16) -> MetadataResponseTopic {
        let metadata = self.creator.client.metadata;
        let is_found = self.creator.client.config.version.has(Change::TopicsById);
        let name = metadata.topic_of(id).filter(|_| is_found);
        let known = name.and_then(|name| metadata.response_topic(name, version));
        known.unwrap_or_else(|| {
            let error = ResponseError::UnknownTopicId.code();
            MetadataResponseTopic::default()
                .with_name(None)
                .with_error_code(error)
                .with_topic_id(id)
        })
    }

    /// The error of Metadata for a topic that does not exist: of one that is created now, that its leader is not
    /// available yet.
    fn error_of_unknown(&self, name: &str, create: bool) -> ResponseError {
        let checks_name =
            create || self.creator.client.config.version.has(Change::TopicCreationByController);
        if checks_name && !is_valid_topic(name) {
            return ResponseError::InvalidTopicException;
        }
        if !create {
            return ResponseError::UnknownTopicOrPartition;
        }
        let topic = self.creator.creatable(TopicName(StrBytes::from_string(name.to_owned())));
        let live = self.creator.client.metadata.live_brokers().len();
        let fits = |topic: &CreatableTopic| {
            usize::try_from(topic.replication_factor).is_ok_and(|factor| factor <= live)
        };
        match topic.is_some_and(|topic| fits(&topic)) {
            true => ResponseError::LeaderNotAvailable,
            false => ResponseError::InvalidReplicationFactor,
        }
    }

    /// DescribeCluster.
    pub fn describe_cluster(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DescribeClusterRequest,
    ) {
        if request.endpoint_type != BROKERS {
            return refuse_endpoints(cx, to, request.endpoint_type);
        }
        let metadata = self.creator.client.metadata;
        let brokers = metadata.response_brokers(self.listener).into_iter().map(|broker| {
            DescribeClusterBroker::default()
                .with_broker_id(broker.node_id)
                .with_host(broker.host)
                .with_port(broker.port)
                .with_rack(broker.rack)
        });
        let cluster_id = self.cluster_id.unwrap_or_default().to_owned();
        let controller = metadata.controller().map_or(-1, |id| id.0);
        let operations = match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => i32::MIN,
        };
        let response = DescribeClusterResponse::default()
            .with_cluster_authorized_operations(operations)
            .with_cluster_id(StrBytes::from_string(cluster_id))
            .with_controller_id(WireBrokerId(controller))
            .with_brokers(brokers.collect());
        cx.reply(to, ResponseKind::DescribeCluster(response));
    }
}

/// Puts partitions, which are in the order of their numbers, in that of the map that had them.
fn order_by_bins(topic: &mut MetadataResponseTopic) {
    let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
    let order = (0..).zip(in_order_of_bins(numbers)).map(|(place, number)| (number, place));
    let places: BTreeMap<i32, usize> = order.collect();
    topic.partitions.sort_by_key(|partition| places[&partition.partition_index]);
}

/// The type of endpoint of brokers in DescribeCluster.
const BROKERS: i8 = 1;
/// That of controllers, with KRaft.
const CONTROLLERS: i8 = 2;

/// `Errors.MISMATCHED_ENDPOINT_TYPE`, which [`ResponseError`] does not have.
const MISMATCHED_ENDPOINT_TYPE: i16 = 114;
/// `Errors.UNSUPPORTED_ENDPOINT_TYPE`
const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;

fn refuse_endpoints(cx: &mut Context<'_>, to: ReplyTo, asked: i8) {
    let (error, why) = match asked {
        CONTROLLERS => {
            let why = "The request was sent to an endpoint of type BROKER, but we wanted an \
                       endpoint of type CONTROLLER";
            (MISMATCHED_ENDPOINT_TYPE, why.to_owned())
        }
        _ => {
            let why = format!("Unsupported endpoint type {asked}");
            (UNSUPPORTED_ENDPOINT_TYPE, why)
        }
    };
    let response = DescribeClusterResponse::default()
        .with_error_code(error)
        .with_error_message(Some(StrBytes::from_string(why)));
    cx.reply(to, ResponseKind::DescribeCluster(response));
}
