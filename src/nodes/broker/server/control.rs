//! Control requests: what the active controller tells this broker (`KafkaApis`, `ReplicaManager`).
//!
//! A request of a controller that was replaced, as far as this broker knows, is refused with
//! STALE_CONTROLLER_EPOCH; one that is meant for an earlier life of this broker with STALE_BROKER_EPOCH
//! (2.2+, KIP-380). Before a LeaderAndIsr is obeyed, the settings of topics that are new here are read from
//! ZooKeeper, as Kafka does when it creates a log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    LeaderAndIsrRequest, LeaderAndIsrResponse, RequestKind, ResponseKind, StopReplicaRequest,
    StopReplicaResponse, UpdateMetadataRequest, UpdateMetadataResponse,
};
use tracing::{debug, info, warn};

use super::Broker;
use super::zk_requests::{Op, data};
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::payload;
use crate::vocab::ControllerEpoch;
use crate::wire::zookeeper::{Code, Reply};

/// A request that waits for settings.
#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    body: RequestKind,
    missing: BTreeSet<Arc<str>>,
}

/// What the server keeps for control requests and topics' settings.
#[derive(Debug, Default)]
pub struct Control {
    /// The highest that was seen in a control request.
    controller_epoch: ControllerEpoch,
    /// By topic; those that were read.
    overrides: BTreeMap<Arc<str>, TopicOverrides>,
    waiting: Vec<Waiting>,
    /// Name of the last settings notification that was obeyed; `None` before the first listing.
    last_config_change: Option<Arc<str>>,
}

impl Control {
    /// What a topic sets otherwise than its brokers, as far as it was read.
    pub fn overrides(&self, topic: &str) -> Option<&TopicOverrides> {
        self.overrides.get(topic)
    }
}

impl Broker {
    /// The error that refuses a control request, if one does; otherwise its controller epoch is noted.
    fn fence(&mut self, controller_epoch: i32, broker_epoch: i64) -> Option<ResponseError> {
        let own_epoch = self.registration.epoch().unwrap_or(-1);
        if broker_epoch != -1 && broker_epoch < own_epoch {
            info!(broker = %self.config.id, broker_epoch, own_epoch, "refuses a control request");
            return Some(ResponseError::StaleBrokerEpoch);
        }
        let known = self.control.controller_epoch;
        if controller_epoch < known {
            warn!(broker = %self.config.id, controller_epoch, known, "refuses a control request");
            return Some(ResponseError::StaleControllerEpoch);
        }
        self.control.controller_epoch = controller_epoch;
        None
    }

    pub(super) fn leader_and_isr(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: LeaderAndIsrRequest,
    ) {
        if let Some(error) = self.fence(request.controller_epoch, request.broker_epoch) {
            let response = LeaderAndIsrResponse::default().with_error_code(error.code());
            cx.reply(to, ResponseKind::LeaderAndIsr(response));
            return;
        }
        let missing = self.topics_without_overrides(&request);
        if missing.is_empty() {
            let response = self.replicas_mut().leader_and_isr(cx, request, to.version);
            cx.reply(to, ResponseKind::LeaderAndIsr(response));
        } else {
            self.wait_for_overrides(cx, to, RequestKind::LeaderAndIsr(request), missing);
        }
    }

    fn topics_without_overrides(&self, request: &LeaderAndIsrRequest) -> BTreeSet<Arc<str>> {
        let ungrouped = request.ungrouped_partition_states.iter().map(|state| &state.topic_name);
        let topics = request.topic_states.iter().map(|topic| &topic.topic_name);
        let names = ungrouped.chain(topics).map(|name| name.as_str());
        names.filter(|name| self.control.overrides(name).is_none()).map(Arc::from).collect()
    }

    /// Reads the settings of `topics`; then the request is taken up again.
    pub(super) fn wait_for_overrides(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        body: RequestKind,
        topics: BTreeSet<Arc<str>>,
    ) {
        for topic in &topics {
            self.ask_zookeeper(cx, Op::ReadTopicConfig(topic.clone()));
        }
        self.control.waiting.push(Waiting { to, body, missing: topics });
    }

    pub(super) fn topic_config_read(
        &mut self,
        cx: &mut Context<'_>,
        topic: &Arc<str>,
        result: &Result<Reply, Code>,
    ) {
        let overrides = match data(result).map(|data| payload::decode_config(&data)) {
            Some(Ok(overrides)) => overrides,
            Some(Err(why)) => {
                warn!(broker = %self.config.id, %topic, %why, "ignores damaged settings");
                TopicOverrides::new()
            }
            None => TopicOverrides::new(),
        };
        if self.control.overrides.get(topic) != Some(&overrides) {
            self.replicas_mut().set_topic_overrides(cx, topic, &overrides);
            self.control.overrides.insert(topic.clone(), overrides);
        }
        for waiting in &mut self.control.waiting {
            waiting.missing.remove(topic);
        }
        while let Some(ready) =
            self.control.waiting.iter().position(|waiting| waiting.missing.is_empty())
        {
            let Waiting { to, body, .. } = self.control.waiting.remove(ready);
            match body {
                RequestKind::LeaderAndIsr(request) => self.leader_and_isr(cx, to, request),
                RequestKind::DescribeConfigs(request) => self.configs_described(cx, to, &request),
                other => unreachable!("{other:?} does not wait for settings"),
            }
        }
    }

    pub(super) fn stop_replica(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: StopReplicaRequest,
    ) {
        let response = match self.fence(request.controller_epoch, request.broker_epoch) {
            Some(error) => StopReplicaResponse::default().with_error_code(error.code()),
            None => self.replicas_mut().stop_replica(cx, request, to.version),
        };
        cx.reply(to, ResponseKind::StopReplica(response));
    }

    pub(super) fn update_metadata(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: UpdateMetadataRequest,
    ) {
        let mut response = UpdateMetadataResponse::default();
        if let Some(error) = self.fence(request.controller_epoch, request.broker_epoch) {
            response.error_code = error.code();
        } else {
            for topic in self.metadata.update(request) {
                self.control.overrides.remove(&topic);
            }
            let live = self.metadata.live_brokers();
            self.replicas_mut().set_live_brokers(live);
        }
        cx.reply(to, ResponseKind::UpdateMetadata(response));
    }

    /// The settings notifications are listed: those that are new are read. The first listing tells only what
    /// is older than what this broker will read itself.
    pub(super) fn config_changes_listed(
        &mut self,
        cx: &mut Context<'_>,
        result: Result<Reply, Code>,
    ) {
        let mut names = match result {
            Ok(Reply::Children2 { children, .. } | Reply::Children(children)) => children,
            other => {
                debug!(broker = %self.config.id, ?other, "cannot list settings notifications");
                return;
            }
        };
        names.sort_unstable();
        let last = self.control.last_config_change.clone();
        self.control.last_config_change =
            Some(names.last().cloned().or_else(|| last.clone()).unwrap_or_else(|| "".into()));
        let Some(last) = last else { return };
        for name in names.into_iter().filter(|name| *name > last) {
            self.ask_zookeeper(cx, Op::ReadConfigChange(name));
        }
    }

    pub(super) fn config_change_read(
        &mut self,
        cx: &mut Context<'_>,
        result: &Result<Reply, Code>,
    ) {
        let Some(data) = data(result) else { return };
        let entity = match payload::decode_config_change(&data) {
            Ok(entity) => entity,
            Err(why) => {
                warn!(broker = %self.config.id, %why, "ignores a damaged settings notification");
                return;
            }
        };
        // Settings of topics that were never needed here are read when they are.
        if let Some(topic) = entity.strip_prefix("topics/")
            && self.control.overrides(topic).is_some()
        {
            self.ask_zookeeper(cx, Op::ReadTopicConfig(topic.into()));
        }
    }
}
