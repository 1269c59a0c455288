//! Requests of clients and of other brokers, each to the part that it is for (`KafkaApis.handle`).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DescribeConfigsRequest, FetchRequest, RequestKind, ResponseKind, TopicName,
    UpdateMetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use tracing::info;

use super::broker::Broker;
use super::metadata::Listener;
use super::owners::{Owner, owner};
use super::{describe_producers, features, log_dirs, refusals};
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::nodes::broker::controller::ControllerRequest;
use crate::nodes::broker::replica::{FETCH_WITH_IDS, name_of_unknown};
use crate::nodes::broker::versions::{nameless, names_client, table, unsupported};
use crate::releases::Change;
use crate::vocab::ConnId;
use crate::wire::foreign::decode_foreign_request;
use crate::wire::kafka::{KafkaWireError, decode_request, encode_response};

/// Bytes of records that the answers to all clients from outside may have, when each has fetched once.
const FOREIGN_ANSWERS_BYTES: usize = 256 << 20;

/// The first version of Fetch whose replica is in a field of its own (KIP-903).
const FETCH_WITH_REPLICA_STATE: i16 = 15;

fn named(name: &Arc<str>) -> TopicName {
    TopicName(StrBytes::from_string(name.to_string()))
}

impl Broker {
    /// Takes a request's payload of a client's connection.
    pub(super) fn request(&mut self, cx: &mut Context<'_>, conn: ConnId, payload: Bytes) {
        let foreign = self.connections.listener(conn) == Listener::External;
        let decode = if foreign { decode_foreign_request } else { decode_request };
        let frame = match decode(payload) {
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
        if let RequestKind::Fetch(fetch) = &mut body {
            self.complete_fetch(to.version, fetch);
            self.limit_fetch(fetch, foreign);
        }
        self.handle(cx, to, frame.client_id, body);
    }

    /// Gives a request to the part that answers it. `client` is the name that its client has given itself.
    pub(super) fn handle(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        client: Option<StrBytes>,
        body: RequestKind,
    ) {
        match owner(to.api) {
            Owner::Replicas => self.replica_request(cx, to, body),
            Owner::Control => self.control_request(cx, to, body),
            Owner::Controller => self.controller_request(cx, to, client, body),
            Owner::Groups => self.group_request(cx, to, client, body),
            Owner::Transactions => self.transaction_request(cx, to, body),
            Owner::Metadata => self.metadata_request(cx, to, body),
            Owner::Administration => self.administer(cx, to, body),
            Owner::Refused => match refusals::answer(self.config.version, &body, to.version) {
                Some(response) => cx.reply(to, response),
                // Envelope: requests are forwarded only by brokers that move to KRaft.
                None => {
                    let api = to.api;
                    info!(broker = %self.config.id, ?api, "closes a connection");
                    self.close_client(cx, to.conn);
                }
            },
        }
    }

    /// Fills in what newer versions of Fetch say otherwise: topics by their ids, and the replica in a field of its own.
    fn complete_fetch(&self, version: i16, fetch: &mut FetchRequest) {
        if version >= FETCH_WITH_REPLICA_STATE {
            fetch.replica_id = fetch.replica_state.replica_id;
        }
        if version < FETCH_WITH_IDS {
            return;
        }
        let name = |id| {
            let known = self.metadata.topic_of(id).map(named);
            known.unwrap_or_else(|| name_of_unknown(id))
        };
        for topic in &mut fetch.topics {
            topic.topic = name(topic.topic_id);
        }
        for topic in &mut fetch.forgotten_topics_data {
            topic.topic = name(topic.topic_id);
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

    fn controller_request(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        client: Option<StrBytes>,
        body: RequestKind,
    ) {
        let request = match body {
            RequestKind::CreateTopics(request) => {
                let mut settings = request.topics.iter().flat_map(|topic| &topic.configs);
                let is_malformed = settings.any(|setting| setting.value.is_none());
                if is_malformed && !self.config.version.has(Change::NullConfigOnTheWire) {
                    info!(broker = %self.config.id, "a setting has no value: closes a connection");
                    return self.close_client(cx, to.conn);
                }
                ControllerRequest::CreateTopics(client.unwrap_or_default(), request)
            }
            RequestKind::AlterPartition(request) => ControllerRequest::AlterPartition(request),
            RequestKind::ControlledShutdown(request) => {
                ControllerRequest::ControlledShutdown(request)
            }
            RequestKind::ElectLeaders(request) => ControllerRequest::ElectLeaders(request),
            RequestKind::AllocateProducerIds(request) => {
                ControllerRequest::AllocateProducerIds(request)
            }
            RequestKind::AlterPartitionReassignments(request) => {
                ControllerRequest::Reassign(request)
            }
            RequestKind::ListPartitionReassignments(request) => {
                ControllerRequest::ListReassignments(request)
            }
            other => unreachable!("{other:?} is not for the controller"),
        };
        self.controller.request(cx, &mut self.zk.session, to, request);
    }

    fn replica_request(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        let is_foreign = self.connections.listener(to.conn) == Listener::External;
        let (replicas, metadata) = self.replicas_and_metadata();
        let knows = |topic: &str, partition| metadata.knows_partition(topic, partition);
        match body {
            RequestKind::Produce(request) => replicas.produce(cx, to, request, &knows),
            RequestKind::Fetch(request) => {
                replicas.name_unknown(request.session_id, |id| metadata.topic_of(id).map(named));
                replicas.fetch(cx, to, request, is_foreign, &knows);
            }
            RequestKind::ListOffsets(request) => replicas.list_offsets(cx, to, request, &knows),
            RequestKind::OffsetForLeaderEpoch(request) => {
                replicas.offsets_for_leader_epoch(cx, to, request, &knows);
            }
            RequestKind::DeleteRecords(request) => {
                replicas.delete_records(cx, to, request, &knows);
            }
            RequestKind::WriteTxnMarkers(request) => {
                self.replicas_mut().write_markers(cx, to, request);
            }
            RequestKind::DescribeProducers(request) => {
                let response = describe_producers::describe(replicas, metadata, request);
                cx.reply(to, ResponseKind::DescribeProducers(response));
            }
            RequestKind::DescribeLogDirs(request) => {
                let response = log_dirs::describe(&self.config, self.replicas(), &request);
                cx.reply(to, ResponseKind::DescribeLogDirs(response));
            }
            RequestKind::AlterReplicaLogDirs(request) => {
                let response =
                    log_dirs::alter(&self.config, self.replicas(), &self.metadata, &request);
                cx.reply(to, ResponseKind::AlterReplicaLogDirs(response));
            }
            other => unreachable!("{other:?} is not about replicas"),
        }
    }

    fn control_request(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        match body {
            RequestKind::LeaderAndIsr(request) => self.control().leader_and_isr(cx, to, request),
            RequestKind::StopReplica(request) => self.control().stop_replica(cx, to, request),
            RequestKind::UpdateMetadata(request) => self.update_metadata(cx, to, request),
            other => unreachable!("{other:?} does not come from a controller"),
        }
    }

    fn metadata_request(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        match body {
            RequestKind::Metadata(request) => {
                self.metadata_handler(to.conn).metadata(cx, to, request);
            }
            RequestKind::DescribeCluster(request) => {
                self.metadata_handler(to.conn).describe_cluster(cx, to, &request);
            }
            RequestKind::FindCoordinator(request) => {
                self.coordinators(to.conn).find_coordinator(cx, to, request);
            }
            RequestKind::ApiVersions(request) => {
                let answer = match names_client(self.config.version, to.version, &request) {
                    true => table(self.config.version),
                    false => nameless(),
                };
                cx.reply(to, ResponseKind::ApiVersions(answer));
            }
            other => unreachable!("{other:?} does not ask about the cluster"),
        }
    }

    /// UpdateMetadata, and what waited for it.
    fn update_metadata(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: UpdateMetadataRequest,
    ) {
        let gone = self.control().update_metadata(cx, to, request);
        for topic in &gone {
            self.groups.topic_deleted(cx, topic);
        }
        if !gone.is_empty() {
            self.end_deletions(cx);
        }
        let metadata = &self.metadata;
        let leads = |topic: &str, partition| {
            let leader = metadata.leader_and_epoch(topic, partition);
            leader.is_some_and(|(leader, _)| leader >= 0)
        };
        self.controller.metadata_changed(cx, &leads);
        self.end_growths(cx);
        self.transactions.metadata_changed();
    }

    /// Requests of tools.
    fn administer(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        match body {
            RequestKind::DeleteTopics(request) => self.delete_topics(cx, to, &request),
            RequestKind::CreatePartitions(request) => self.create_partitions(cx, to, request),
            RequestKind::DescribeConfigs(request) => self.describe_configs(cx, to, request),
            RequestKind::AlterConfigs(request) => self.alter_configs(cx, to, request),
            RequestKind::IncrementalAlterConfigs(request) => {
                self.incremental_alter_configs(cx, to, request);
            }
            RequestKind::UpdateFeatures(request) => {
                let typed = self.config.version.has(Change::FeatureZnodeWithoutMinimum);
                let is_controller = self.controller.is_active();
                let response = features::update(&request, to.version, is_controller, typed);
                cx.reply(to, ResponseKind::UpdateFeatures(response));
            }
            RequestKind::DescribeClientQuotas(request) => {
                self.describe_client_quotas(cx, to, &request);
            }
            RequestKind::AlterClientQuotas(request) => self.alter_client_quotas(cx, to, request),
            RequestKind::AlterUserScramCredentials(request) => {
                self.alter_scram_credentials(cx, to, request);
            }
            RequestKind::DescribeUserScramCredentials(request) => {
                self.describe_scram_credentials(cx, to, &request);
            }
            other => unreachable!("{other:?} is not the work of tools"),
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
        match self.describer().describe(request, to.version) {
            Some(response) => cx.reply(to, ResponseKind::DescribeConfigs(response)),
            None => cx.ask(Ask::Close(to.conn)),
        }
    }
}
