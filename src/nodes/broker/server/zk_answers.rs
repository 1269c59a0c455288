//! ZooKeeper's answers to requests of the server, each to the part that asked.

use std::sync::Arc;

use kafka_protocol::messages::RequestKind;
use tracing::{info, warn};

use super::broker::Broker;
use super::dynamic;
use super::zk_requests::{ALL_BROKERS, Op, data};
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::payload;
use crate::releases::Change;
use crate::wire::zookeeper::{Code, Reply};

/// Whether a topic allows unclean elections.
const UNCLEAN: &str = "unclean.leader.election.enable";

impl Broker {
    /// ZooKeeper answered a request of the server.
    pub(super) fn zk_answered(
        &mut self,
        cx: &mut Context<'_>,
        op: Op,
        result: Result<Reply, Code>,
    ) {
        match op {
            Op::Ensure(_) => self.registration().path_ensured(cx, result),
            Op::ReadClusterId => {
                let next = self.registration().cluster_id_read(cx, &result);
                self.go_on(cx, next);
            }
            Op::CreateClusterId(_) => self.zk.ask(cx, Op::ReadClusterId),
            Op::Register => {
                let next = self.registration().registration_answered(cx, result);
                self.go_on(cx, next);
            }
            Op::SeeRegistration => {
                let next = self.registration().registration_seen(cx, &result);
                self.go_on(cx, next);
            }
            Op::Unregister => self.zk.ask(cx, Op::Register),
            Op::ListConfigChanges => {
                self.topic_configs.changes_listed(cx, &mut self.zk, result);
                // Behind the election of a controller; see there.
                self.producer_ids().start(cx);
            }
            Op::ReadConfigChange(_) => {
                let is_controller = self.controller.is_active()
                    && self.config.version.has(Change::UncleanTopicElectsAtOnce);
                self.topic_configs.change_read(cx, &mut self.zk, &result, is_controller);
            }
            Op::ReadTopicConfig(topic) => {
                self.topic_config_read(cx, &topic, &result);
                self.resume_requests(cx);
            }
            Op::ReadBrokerConfig(entity) => self.broker_config_read(cx, &entity, &result),
            Op::WriteIsr(change) => self.isr().written(cx, change, &result),
            Op::RereadIsr(change) => self.isr().reread(cx, change, &result),
            Op::NotifyIsrChanges(partitions) => {
                if let Err(code) = result {
                    warn!(broker = %self.config.id, %code, "cannot notify of ISR changes");
                    self.isr.notification_failed(partitions);
                }
            }
            Op::ReadProducerIds => self.producer_ids().read(cx, &result),
            Op::WriteProducerIds { start, .. } => self.producer_ids().written(cx, start, &result),
            Op::MarkForDeletion(number, topic) => self.topic_marked(cx, number, &topic, &result),
            Op::Admin { number, index, .. } => {
                self.admin_answered(cx, (number, index), result);
            }
            Op::FindController => self.shutdown().controller_found(cx, &result),
            Op::FindControllerHost(broker) => {
                self.shutdown().controller_host_found(cx, broker, &result);
            }
        }
    }

    fn topic_config_read(
        &mut self,
        cx: &mut Context<'_>,
        topic: &Arc<str>,
        result: &Result<Reply, Code>,
    ) {
        let has_changed = self.topic_configs.take_changed(topic);
        if let Some(overrides) = self.topic_configs.read(topic, result) {
            let replicas = self.replicas.as_mut().expect("it has started");
            replicas.set_topic_overrides(cx, topic, overrides);
        }
        let is_unclean = self.topic_configs.overrides(topic).is_some_and(|set| {
            set.get(UNCLEAN).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        });
        if has_changed && is_unclean && self.config.version.has(Change::UncleanTopicElectsAtOnce) {
            self.controller.unclean_enabled(cx, &mut self.zk.session, topic.clone());
        }
    }

    /// What is set for this broker, or for all, was read; settings that cannot be set so are left out.
    fn broker_config_read(
        &mut self,
        cx: &mut Context<'_>,
        entity: &str,
        result: &Result<Reply, Code>,
    ) {
        let read = data(result).map(|data| payload::decode_config(&data));
        let mut set = match read {
            Some(Ok(set)) => set,
            Some(Err(why)) => return warn!(entity, %why, "ignores damaged settings"),
            None => TopicOverrides::new(),
        };
        let for_all = entity == ALL_BROKERS;
        set.retain(|name, value| {
            let one = TopicOverrides::from([(name.clone(), value.clone())]);
            dynamic::unsettable(&self.config, &one, !for_all).is_none()
        });
        let mut dynamic = self.config.dynamic.clone();
        let level = if for_all { &mut dynamic.of_all } else { &mut dynamic.of_broker };
        if *level == set {
            return;
        }
        info!(broker = %self.config.id, entity, ?set, "settings changed");
        *level = set;
        self.config = Arc::new(self.at_start.with_dynamic(dynamic));
        self.controller.set_config(self.config.clone());
        self.replicas.as_mut().expect("it has started").set_config(cx, self.config.clone());
    }

    /// Goes on with the requests that have all settings that they waited for.
    fn resume_requests(&mut self, cx: &mut Context<'_>) {
        while let Some((to, body)) = self.topic_configs.take_ready() {
            match body {
                RequestKind::LeaderAndIsr(request) => {
                    self.control().leader_and_isr(cx, to, request);
                }
                RequestKind::DescribeConfigs(request) => self.configs_read(cx, to, &request),
                other => unreachable!("{other:?} does not wait for settings"),
            }
        }
    }
}
