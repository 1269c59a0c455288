//! Requests of clients and of other brokers, each to the part that it is for (`KafkaApis.handle`).

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, RequestKind, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;
use tracing::info;

use super::broker::Broker;
use super::metadata::Listener;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::versions::{nameless, names_client, table, unsupported};
use crate::releases::Change;
use crate::vocab::ConnId;
use crate::wire::foreign::decode_foreign_request;
use crate::wire::kafka::{KafkaWireError, RequestFrame, decode_request, encode_response};

/// Bytes of records that the answers to all clients from outside may have, when each has fetched once.
const FOREIGN_ANSWERS_BYTES: usize = 256 << 20;

impl Broker {
    /// Takes a request's payload of a client's connection.
    pub(super) fn request(&mut self, cx: &mut Context<'_>, conn: ConnId, payload: Bytes) {
        let foreign = self.connections.listener(conn) == Listener::External;
        let decode = if foreign { decode_foreign_request } else { decode_request };
        let frame = match decode(payload) {
            Ok(RequestFrame { body: RequestKind::Fetch(fetch), .. })
                if foreign && fetch.replica_id.0 >= 0 =>
            {
                // With authorization Kafka wants CLUSTER_ACTION for it.
                let replica = fetch.replica_id.0;
                info!(broker = %self.config.id, replica, "no replica: closes a connection");
                self.close_client(cx, conn);
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
                self.close_client(cx, conn);
                return;
            }
            Err(why) => {
                info!(broker = %self.config.id, %why, "closes a connection");
                self.close_client(cx, conn);
                return;
            }
        };
        let to = ReplyTo {
            conn,
            api: frame.api,
            version: frame.version,
            correlation_id: frame.correlation_id,
        };
        let mut body = frame.body;
        if let RequestKind::CreateTopics(request) = body {
            let client = frame.client_id.unwrap_or_default();
            return self.create_topics(cx, to, (client, request));
        }
        if let RequestKind::Fetch(fetch) = &mut body {
            self.limit_fetch(fetch, foreign);
        }
        if let Some(body) = self.group_request(cx, to, frame.client_id, body) {
            self.handle(cx, to, body);
        }
    }

    /// Limits an answer: `fetch.max.bytes` of the broker, and of clients from outside, which may leave it unread, also
    /// what they may have together. As with a real broker, one batch of records is returned all the same.
    fn limit_fetch(&self, fetch: &mut FetchRequest, foreign: bool) {
        let mut most = self.config.fetch_max_bytes.unwrap_or(i32::MAX);
        if foreign {
            let share = FOREIGN_ANSWERS_BYTES / self.connections.count(Listener::External).max(1);
            most = most.min(i32::try_from(share).unwrap_or(i32::MAX));
        }
        if fetch.max_bytes > most {
            fetch.max_bytes = most;
            fetch.min_bytes = fetch.min_bytes.min(most);
        }
    }

    fn create_topics(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        (client, request): (StrBytes, CreateTopicsRequest),
    ) {
        let mut settings = request.topics.iter().flat_map(|topic| &topic.configs);
        let is_malformed = settings.any(|setting| setting.value.is_none());
        if is_malformed && !self.config.version.has(Change::NullConfigOnTheWire) {
            info!(broker = %self.config.id, "a setting has no value: closes a connection");
            return self.close_client(cx, to.conn);
        }
        self.controller.create_topics(cx, &mut self.zk.session, to, (client, request));
    }

    fn handle(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        match body {
            RequestKind::Produce(request) => {
                let (replicas, metadata) = self.replicas_and_metadata();
                let knows = |topic: &str, partition| metadata.knows_partition(topic, partition);
                replicas.produce(cx, to, request, &knows);
            }
            RequestKind::Fetch(request) => {
                let is_foreign = self.connections.listener(to.conn) == Listener::External;
                let (replicas, metadata) = self.replicas_and_metadata();
                let knows = |topic: &str, partition| metadata.knows_partition(topic, partition);
                replicas.fetch(cx, to, request, is_foreign, &knows);
            }
            RequestKind::ListOffsets(request) => {
                let (replicas, metadata) = self.replicas_and_metadata();
                let knows = |topic: &str, partition| metadata.knows_partition(topic, partition);
                replicas.list_offsets(cx, to, request, &knows);
            }
            RequestKind::OffsetForLeaderEpoch(request) => {
                let (replicas, metadata) = self.replicas_and_metadata();
                let knows = |topic: &str, partition| metadata.knows_partition(topic, partition);
                replicas.offsets_for_leader_epoch(cx, to, request, &knows);
            }
            RequestKind::Metadata(request) => {
                self.metadata_handler(to.conn).metadata(cx, to, request)
            }
            RequestKind::LeaderAndIsr(request) => self.control().leader_and_isr(cx, to, request),
            RequestKind::StopReplica(request) => self.control().stop_replica(cx, to, request),
            RequestKind::UpdateMetadata(request) => {
                for topic in self.control().update_metadata(cx, to, request) {
                    self.groups.topic_deleted(cx, &topic);
                }
            }
            RequestKind::AlterPartition(request) => {
                self.controller.alter_partition(cx, &mut self.zk.session, to, request);
            }
            RequestKind::ControlledShutdown(request) => {
                self.controller.controlled_shutdown(cx, &mut self.zk.session, to, request);
            }
            RequestKind::ElectLeaders(request) => {
                self.controller.elect_leaders(cx, &mut self.zk.session, to, request);
            }
            RequestKind::ApiVersions(request) => {
                let answer = match names_client(self.config.version, to.version, &request) {
                    true => table(self.config.version),
                    false => nameless(),
                };
                cx.reply(to, ResponseKind::ApiVersions(answer));
            }
            RequestKind::FindCoordinator(request) => {
                self.coordinators(to.conn).find_coordinator(cx, to, request)
            }
            RequestKind::InitProducerId(request) => {
                self.producer_ids().init_producer_id(cx, to, &request);
            }
            RequestKind::AllocateProducerIds(request) => {
                self.controller.allocate_producer_ids(cx, &mut self.zk.session, to, request);
            }
            RequestKind::DescribeConfigs(request) => self.describe_configs(cx, to, request),
            RequestKind::DescribeCluster(request) => {
                self.metadata_handler(to.conn).describe_cluster(cx, to, &request)
            }
            _ => {
                info!(broker = %self.config.id, api = ?to.api, "not built: closes a connection");
                self.close_client(cx, to.conn);
            }
        }
    }

    fn refuse_api_versions(&mut self, cx: &mut Context<'_>, conn: ConnId, correlation_id: i32) {
        let body = ResponseKind::ApiVersions(unsupported(self.config.version));
        cx.effects.send(conn, encode_response(ApiKey::ApiVersions, 0, correlation_id, &body));
        if self.connections.done(conn) {
            self.serve(cx, conn);
        }
    }

    /// Answers when the settings of the topics that are asked for are read again.
    fn describe_configs(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: DescribeConfigsRequest,
    ) {
        let topics = self.describer().topics(&request);
        if topics.is_empty() {
            self.configs_read(cx, to, &request);
        } else {
            let request = (to, RequestKind::DescribeConfigs(request));
            self.topic_configs.wait(cx, &mut self.zk, request, topics);
        }
    }

    /// The settings that DescribeConfigs asks for are known.
    pub(super) fn configs_read(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DescribeConfigsRequest,
    ) {
        let response = self.describer().describe(request, to.version);
        cx.reply(to, ResponseKind::DescribeConfigs(response));
    }
}
