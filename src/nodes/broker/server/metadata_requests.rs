//! Metadata and DescribeCluster, answered from this broker's own view.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId as WireBrokerId, DescribeClusterResponse, MetadataRequest, MetadataResponse,
    ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::auto_creation::TopicCreator;
use super::metadata::Listener;
use crate::nodes::broker::config::{INTERNAL_TOPICS, OFFSETS_TOPIC};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::controller::is_valid_topic;
use crate::releases::Change;

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
        let all = match &request.topics {
            None => true,
            Some(topics) => to.version == 0 && topics.is_empty(),
        };
        let topics = if all {
            let names = self.creator.client.metadata.topic_names();
            names
                .filter_map(|name| self.creator.client.metadata.response_topic(name, to.version))
                .collect()
        } else {
            let create =
                request.allow_auto_topic_creation && self.creator.client.config.auto_create_topics;
            self.metadata_of(cx, to.version, request, create)
        };
        let controller = self.creator.client.metadata.controller().map_or(-1, |id| id.0);
        let cluster_id = self.cluster_id.map(str::to_owned);
        let response = MetadataResponse::default()
            .with_brokers(self.creator.client.metadata.response_brokers(self.listener))
            .with_cluster_id(cluster_id.map(StrBytes::from_string))
            .with_controller_id(WireBrokerId(controller))
            .with_topics(topics);
        cx.reply(to, ResponseKind::Metadata(response));
    }

    fn metadata_of(
        &mut self,
        cx: &mut Context<'_>,
        version: i16,
        request: MetadataRequest,
        create: bool,
    ) -> Vec<MetadataResponseTopic> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut to_create = Vec::new();
        for topic in request.topics.unwrap_or_default() {
            let Some(name) = topic.name else {
                // By id alone, which brokers of the ZooKeeper era cannot look up.
                let error = ResponseError::UnknownTopicId.code();
                found.push(MetadataResponseTopic::default().with_error_code(error));
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

    /// The error of Metadata for a topic that does not exist. Up to 2.7 a broker that creates it says that its
    /// leader is not available yet; later ones that it is unknown.
    fn error_of_unknown(&self, name: &str, create: bool) -> ResponseError {
        let checks_name =
            create || self.creator.client.config.version.has(Change::TopicCreationByController);
        if checks_name && !is_valid_topic(name) {
            ResponseError::InvalidTopicException
        } else if create
            && !self.creator.client.config.version.has(Change::TopicCreationByController)
        {
            let is_tried =
                self.creator.creatable(TopicName(StrBytes::from_string(name.to_owned())));
            match is_tried {
                Some(_) => ResponseError::LeaderNotAvailable,
                None => ResponseError::InvalidReplicationFactor,
            }
        } else {
            ResponseError::UnknownTopicOrPartition
        }
    }

    /// DescribeCluster.
    pub fn describe_cluster(&mut self, cx: &mut Context<'_>, to: ReplyTo) {
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
        let response = DescribeClusterResponse::default()
            .with_cluster_id(StrBytes::from_string(cluster_id))
            .with_controller_id(WireBrokerId(controller))
            .with_brokers(brokers.collect());
        cx.reply(to, ResponseKind::DescribeCluster(response));
    }
}
