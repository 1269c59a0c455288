//! Control requests: LeaderAndIsr, StopReplica and UpdateMetadata of the active controller (`KafkaApis`,
//! `ReplicaManager`).
//!
//! A request of a controller that was replaced, as far as this broker knows, is refused with
//! STALE_CONTROLLER_EPOCH; one for an earlier process of this broker with STALE_BROKER_EPOCH (2.2+, KIP-380).
//! Before a LeaderAndIsr is carried out, the settings of topics that are new here are read from ZooKeeper, as Kafka
//! does when it creates a log.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    LeaderAndIsrRequest, LeaderAndIsrResponse, RequestKind, ResponseKind, StopReplicaRequest,
    StopReplicaResponse, UpdateMetadataRequest, UpdateMetadataResponse,
};
use tracing::{info, warn};

use super::metadata::MetadataCache;
use super::topic_configs::TopicConfigs;
use super::zk_requests::ZkRequests;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::replica::ReplicaManager;
use crate::vocab::{BrokerEpoch, ControllerEpoch};

/// The parts that control requests work with.
#[derive(Debug)]
pub struct ControlHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// The highest controller epoch of a control request so far.
    pub controller_epoch: &'a mut ControllerEpoch,
    /// Of the last registration; −1 before the first.
    pub broker_epoch: BrokerEpoch,
    /// What this broker knows of the cluster.
    pub metadata: &'a mut MetadataCache,
    /// Settings of topics.
    pub topic_configs: &'a mut TopicConfigs,
    /// The replicas.
    pub replicas: &'a mut ReplicaManager,
    /// Requests to ZooKeeper.
    pub zk: &'a mut ZkRequests,
}

impl ControlHandler<'_> {
    /// The error that refuses a control request, if one does; otherwise its controller epoch is noted.
    fn fence(&mut self, controller_epoch: i32, broker_epoch: i64) -> Option<ResponseError> {
        let own_epoch = self.broker_epoch;
        if broker_epoch != -1 && broker_epoch < own_epoch {
            info!(broker = %self.config.id, broker_epoch, own_epoch, "refuses a control request");
            return Some(ResponseError::StaleBrokerEpoch);
        }
        let known = *self.controller_epoch;
        if controller_epoch < known {
            warn!(broker = %self.config.id, controller_epoch, known, "refuses a control request");
            return Some(ResponseError::StaleControllerEpoch);
        }
        *self.controller_epoch = controller_epoch;
        None
    }

    /// LeaderAndIsr; carried out when the settings of its topics are known.
    pub fn leader_and_isr(
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
            self.replicas.take_leader_and_isr(cx, to, request);
        } else {
            let request = (to, RequestKind::LeaderAndIsr(request));
            self.topic_configs.wait(cx, self.zk, request, missing);
        }
    }

    fn topics_without_overrides(&self, request: &LeaderAndIsrRequest) -> BTreeSet<Arc<str>> {
        let ungrouped = request.ungrouped_partition_states.iter().map(|state| &state.topic_name);
        let topics = request.topic_states.iter().map(|topic| &topic.topic_name);
        let names = ungrouped.chain(topics).map(|name| name.as_str());
        names.filter(|name| self.topic_configs.overrides(name).is_none()).map(Arc::from).collect()
    }

    /// StopReplica.
    pub fn stop_replica(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: StopReplicaRequest) {
        if let Some(error) = self.fence(request.controller_epoch, request.broker_epoch) {
            let response = StopReplicaResponse::default().with_error_code(error.code());
            cx.reply(to, ResponseKind::StopReplica(response));
        } else {
            self.replicas.take_stop_replica(cx, to, request);
        }
    }

    /// UpdateMetadata. Returns the topics that are deleted.
    pub fn update_metadata(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: UpdateMetadataRequest,
    ) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        let mut response = UpdateMetadataResponse::default();
        if let Some(error) = self.fence(request.controller_epoch, request.broker_epoch) {
            response.error_code = error.code();
        } else {
            gone = self.metadata.update(request);
            for topic in &gone {
                self.topic_configs.forget(topic);
            }
            let live = self.metadata.live_brokers();
            self.replicas.set_live_brokers(cx, live);
        }
        cx.reply(to, ResponseKind::UpdateMetadata(response));
        gone
    }
}
