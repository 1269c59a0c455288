//! Requests of clients, told to whom they concern (`KafkaApis.handle`), and those that the server answers.

use std::collections::BTreeSet;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, CreateTopicsRequest, DescribeClusterResponse,
    MetadataRequest, MetadataResponse, RequestKind, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tracing::{debug, info};

use super::Broker;
use super::controller_channel::Purpose;
use super::metadata::Listener;
use crate::nodes::broker::config::{INTERNAL_TOPICS, OFFSETS_TOPIC};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::controller::is_valid_topic;
use crate::nodes::broker::versions::{table, unsupported};
use crate::releases::Change;
use crate::releases::apis::highest;
use crate::vocab::ConnId;
use crate::wire::foreign::decode_foreign_request;
use crate::wire::kafka::{KafkaWireError, RequestFrame, decode_request, encode_response};

impl Broker {
    /// Takes a request's payload of a client's connection.
    pub(super) fn request(&mut self, cx: &mut Context<'_>, conn: ConnId, payload: Bytes) {
        let foreign = self.clients.listener(conn) == Listener::External;
        let decode = if foreign { decode_foreign_request } else { decode_request };
        let frame = match decode(payload) {
            Ok(RequestFrame { body: RequestKind::Fetch(fetch), .. })
                if foreign && fetch.replica_id.0 >= 0 =>
            {
                // With authorization Kafka wants CLUSTER_ACTION for it.
                let replica = fetch.replica_id.0;
                info!(broker = %self.config.id, replica, "no replica: closes a connection");
                self.drop_client(cx, conn);
                return;
            }
            Ok(frame) if self.versions.speaks(frame.api, frame.version) => frame,
            Ok(frame) if frame.api == ApiKey::ApiVersions => {
                self.refuse_api_versions(cx, conn, frame.correlation_id);
                return;
            }
            Err(KafkaWireError::UnsupportedVersion {
                api: ApiKey::ApiVersions,
                correlation_id,
                ..
            }) => {
                self.refuse_api_versions(cx, conn, correlation_id);
                return;
            }
            Ok(frame) => {
                let (api, version) = (frame.api, frame.version);
                info!(broker = %self.config.id, ?api, version, "unsupported: closes a connection");
                self.drop_client(cx, conn);
                return;
            }
            Err(why) => {
                info!(broker = %self.config.id, %why, "closes a connection");
                self.drop_client(cx, conn);
                return;
            }
        };
        let to = ReplyTo {
            conn,
            api: frame.api,
            version: frame.version,
            correlation_id: frame.correlation_id,
        };
        self.handle(cx, to, frame.body);
    }

    fn handle(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        match body {
            RequestKind::Produce(request) => self.replicas_mut().produce(cx, to, request),
            RequestKind::Fetch(request) => self.replicas_mut().fetch(cx, to, request),
            RequestKind::ListOffsets(request) => self.replicas_mut().list_offsets(cx, to, request),
            RequestKind::OffsetForLeaderEpoch(request) => {
                self.replicas_mut().offsets_for_leader_epoch(cx, to, request);
            }
            RequestKind::Metadata(request) => self.tell_metadata(cx, to, request),
            RequestKind::LeaderAndIsr(request) => self.leader_and_isr(cx, to, request),
            RequestKind::StopReplica(request) => self.stop_replica(cx, to, request),
            RequestKind::UpdateMetadata(request) => self.update_metadata(cx, to, request),
            RequestKind::AlterPartition(request) => {
                self.controller.alter_partition(cx, &mut self.session, to, request);
            }
            RequestKind::ControlledShutdown(request) => {
                self.controller.controlled_shutdown(cx, &mut self.session, to, request);
            }
            RequestKind::ElectLeaders(request) => {
                self.controller.elect_leaders(cx, &mut self.session, to, request);
            }
            RequestKind::CreateTopics(request) => {
                self.controller.create_topics(cx, &mut self.session, to, request);
            }
            RequestKind::ApiVersions(_) => {
                cx.reply(to, ResponseKind::ApiVersions(table(self.config.version)));
            }
            RequestKind::FindCoordinator(request) => self.find_coordinator(cx, to, request),
            RequestKind::DescribeConfigs(request) => self.describe_configs(cx, to, request),
            RequestKind::DescribeCluster(_) => self.describe_cluster(cx, to),
            _ => {
                info!(broker = %self.config.id, api = ?to.api, "not built: closes a connection");
                self.drop_client(cx, to.conn);
            }
        }
    }

    fn refuse_api_versions(&mut self, cx: &mut Context<'_>, conn: ConnId, correlation_id: i32) {
        let body = ResponseKind::ApiVersions(unsupported(self.config.version));
        cx.effects.send(conn, encode_response(ApiKey::ApiVersions, 0, correlation_id, &body));
        if self.clients.done(conn) {
            self.serve(cx, conn);
        }
    }

    fn tell_metadata(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: MetadataRequest) {
        let all = match &request.topics {
            None => true,
            Some(topics) => to.version == 0 && topics.is_empty(),
        };
        let topics = if all {
            let names = self.metadata.topic_names();
            names.filter_map(|name| self.metadata.response_topic(name, to.version)).collect()
        } else {
            let create = request.allow_auto_topic_creation && self.config.auto_create_topics;
            self.metadata_of(cx, to.version, request, create)
        };
        let controller = self.metadata.controller().map_or(-1, |id| id.0);
        let cluster_id = self.registration.cluster_id().map(str::to_owned);
        let response = MetadataResponse::default()
            .with_brokers(self.metadata.response_brokers(self.clients.listener(to.conn)))
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
        let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
        let mut to_create = Vec::new();
        for topic in request.topics.unwrap_or_default() {
            let Some(name) = topic.name else {
                // Asked for by id alone, which brokers of the ZooKeeper era cannot look up.
                let error = ResponseError::UnknownTopicId.code();
                told.push(MetadataResponseTopic::default().with_error_code(error));
                continue;
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(topic) = self.metadata.response_topic(&name, version) {
                told.push(topic);
                continue;
            }
            // Up to 2.7 whoever asks for an internal topic has it created.
            let create = create
                || *name == *OFFSETS_TOPIC
                    && !self.config.version.has(Change::TopicCreationByController);
            let error = self.error_of_unknown(&name, create);
            if create && error != ResponseError::InvalidTopicException {
                to_create.push(name.clone());
            }
            let topic = MetadataResponseTopic::default().with_error_code(error.code());
            let is_internal = INTERNAL_TOPICS.contains(&name.as_str());
            told.push(topic.with_is_internal(is_internal).with_name(Some(name)));
        }
        if !to_create.is_empty() {
            self.auto_create(cx, to_create);
        }
        told
    }

    /// What Metadata tells of a topic that does not exist. Up to 2.7 a broker that creates it says that its
    /// leader is not available yet; later ones that it is unknown.
    fn error_of_unknown(&self, name: &str, create: bool) -> ResponseError {
        let checks_name = create || self.config.version.has(Change::TopicCreationByController);
        if checks_name && !is_valid_topic(name) {
            ResponseError::InvalidTopicException
        } else if create && !self.config.version.has(Change::TopicCreationByController) {
            let is_tried = self.creatable(TopicName(StrBytes::from_string(name.to_owned())));
            match is_tried {
                Some(_) => ResponseError::LeaderNotAvailable,
                None => ResponseError::InvalidReplicationFactor,
            }
        } else {
            ResponseError::UnknownTopicOrPartition
        }
    }

    /// Has the controller create topics that a client asked for, one request at a time; clients ask again.
    ///
    /// Brokers up to 2.7 write the topic to ZooKeeper themselves; here all versions ask the controller
    /// as 2.8 does (`AutoTopicCreationManager`).
    pub(super) fn auto_create(&mut self, cx: &mut Context<'_>, names: Vec<TopicName>) {
        if self.controller_channel.is_busy(Purpose::CreateTopics) {
            return;
        }
        let topics: Vec<_> = names.into_iter().filter_map(|name| self.creatable(name)).collect();
        if topics.is_empty() {
            return;
        }
        let timeout = i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(timeout);
        let version = highest(self.config.version, ApiKey::CreateTopics).unwrap_or(0);
        let to = self.controller_node();
        let body = RequestKind::CreateTopics(request);
        self.call_controller(cx, Purpose::CreateTopics, to, version, body);
    }

    /// The controller created topics, or did not: whoever wants them asks Metadata again.
    pub(super) fn topics_created(&mut self, answer: Option<&ResponseKind>) {
        debug!(broker = %self.config.id, ?answer, "topics created on demand");
    }

    fn describe_cluster(&mut self, cx: &mut Context<'_>, to: ReplyTo) {
        let listener = self.clients.listener(to.conn);
        let brokers = self.metadata.response_brokers(listener).into_iter().map(|broker| {
            DescribeClusterBroker::default()
                .with_broker_id(broker.node_id)
                .with_host(broker.host)
                .with_port(broker.port)
                .with_rack(broker.rack)
        });
        let cluster_id = self.registration.cluster_id().unwrap_or_default().to_owned();
        let controller = self.metadata.controller().map_or(-1, |id| id.0);
        let response = DescribeClusterResponse::default()
            .with_cluster_id(StrBytes::from_string(cluster_id))
            .with_controller_id(WireBrokerId(controller))
            .with_brokers(brokers.collect());
        cx.reply(to, ResponseKind::DescribeCluster(response));
    }
}
