//! Brokers that come and go: changes of `/brokers/ids` (`KafkaController.processBrokerChange`).
//!
//! Since 2.2 a registration with another czxid is a broker that was away in between (KIP-380). Before, a
//! restart that is faster than the look at the children was not seen: its replicas stay in sync although
//! they may have lost the ends of their logs.
//! What that broker led stays without a leader, with all brokers up and for as long as nothing else changes:
//! the controller sends it nothing, and it does not know that it leads. A session that expires is enough, when
//! its broker waits to register again: the watch fires, and the znode is back before the controller has
//! read the children.

use std::collections::BTreeMap;

use super::calls::{Answer, Call};
use super::context::{ControllerContext, PartitionStage, RegisteredBroker, ReplicaStage};
use super::event_manager::Step;
use super::kafka_controller::Controller;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::BrokerRegistration;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, Mutant, TopicPartition};

impl ControllerContext {
    /// What UpdateMetadata about brokers says of partitions: nothing since 2.2, everything before.
    pub fn of_plain_metadata(&self, version: KafkaVersion) -> Vec<TopicPartition> {
        if version.has(Change::BrokerChangeWithoutPartitions) {
            return Vec::new();
        }
        self.with_leadership()
    }

    /// Partitions whose leaders are not live go offline; returns them.
    fn take_leaderless_offline(&mut self) -> Vec<TopicPartition> {
        let leaderless = self.with_dead_leader();
        for at in &leaderless {
            if let Some(partition) = self.partitions.get_mut(at) {
                partition.stage = PartitionStage::Offline;
            }
        }
        leaderless
    }
}

impl Controller {
    /// Reads `/brokers/ids` and all registrations, and watches the children.
    pub(super) fn read_brokers(
        &mut self,
        cx: &mut Context<'_>,
        then: impl FnOnce(&mut Self, &mut Context<'_>, BTreeMap<BrokerId, RegisteredBroker>)
        + Send
        + 'static,
    ) {
        self.ask(cx, vec![Call::children(paths::BROKER_IDS, true)], |this, cx, answers| {
            let ids: Vec<BrokerId> = match &answers[0] {
                Answer::Children(names) => {
                    names.iter().filter_map(|name| name.parse().ok()).map(BrokerId).collect()
                }
                _ => Vec::new(),
            };
            let calls = ids.iter().map(|&id| Call::get(paths::broker(id), false)).collect();
            this.ask(cx, calls, move |this, cx, answers| {
                let has_epochs = this.config.version.has(Change::BrokerEpochs);
                let registered = ids
                    .iter()
                    .zip(&answers)
                    .filter_map(|(&id, answer)| Some((id, read_registration(answer, has_epochs)?)));
                let registered = registered.collect();
                then(this, cx, registered);
            });
        });
    }

    /// Observes the registrations of the brokers that are known.
    pub(super) fn observe_brokers(&self, cx: &mut Context<'_>) {
        let brokers = self.known.brokers.iter().map(|(&id, broker)| (id, broker.czxid)).collect();
        let known = BrokerObservation::BrokersKnown { epoch: self.epoch(), brokers };
        cx.effects.observe(Observation::Broker(known));
    }

    /// Opens a channel to a broker.
    pub(super) fn add_peer(&mut self, id: BrokerId, broker: &RegisteredBroker) {
        match self.roster.find(&broker.host) {
            Some(node) => self.peers.add(id, node),
            None => tracing::warn!(broker = %id, host = broker.host, "no such host"),
        }
    }

    /// `BrokerChange`: new ones start, bounced ones fail and start, dead ones fail.
    pub(super) fn broker_change(&mut self, cx: &mut Context<'_>) {
        self.read_brokers(cx, |this, cx, now| {
            let known = &this.known.brokers;
            let compares_ids_only = this.config.is(Mutant::MissBouncedBrokers);
            let is_bounced = |id: &BrokerId, broker: &RegisteredBroker| {
                !compares_ids_only
                    && known.get(id).is_some_and(|before| broker.epoch > before.epoch)
            };
            let dead: Vec<_> = known.keys().copied().filter(|id| !now.contains_key(id)).collect();
            let (mut new, mut bounced) = (BTreeMap::new(), BTreeMap::new());
            for (id, broker) in now {
                if !known.contains_key(&id) {
                    new.insert(id, broker);
                } else if is_bounced(&id, &broker) {
                    bounced.insert(id, broker);
                }
            }
            tracing::info!(new = ?new.keys(), bounced = ?bounced.keys(), ?dead, "brokers changed");
            for (&id, broker) in &bounced {
                this.peers.remove(cx, id);
                this.add_peer(id, broker);
            }
            for (&id, broker) in &new {
                this.add_peer(id, broker);
            }
            for &id in &dead {
                this.peers.remove(cx, id);
            }
            let mut steps = Vec::new();
            if !new.is_empty() {
                let ids = new.keys().copied().collect();
                steps.extend([Step::Admit(new), Step::BrokerStartup(ids)]);
            }
            if !bounced.is_empty() {
                let ids: Vec<_> = bounced.keys().copied().collect();
                steps.extend([
                    Step::Forget(ids.clone()),
                    Step::BrokerFailure(ids.clone()),
                    Step::Admit(bounced),
                    Step::BrokerStartup(ids),
                ]);
            }
            if !dead.is_empty() {
                steps.extend([Step::Forget(dead.clone()), Step::BrokerFailure(dead)]);
            }
            this.event_manager.first(steps);
        });
    }

    /// New brokers: all brokers get the list of brokers, the new ones everything; their replicas start, and
    /// partitions that waited for them are elected.
    pub(super) fn broker_startup(&mut self, new: Vec<BrokerId>) {
        let mut others = self.known.registered();
        others.retain(|id| !new.contains(id));
        let partitions = self.known.of_plain_metadata(self.config.version);
        let replicas = self.known.replicas_on(&new);
        let all = self.known.with_leadership();
        let started = Some(new.clone());
        self.event_manager.first([
            Step::UpdateMetadata(others, partitions),
            Step::Flush,
            Step::UpdateMetadata(new, all),
            Step::Flush,
            Step::ReplicasOnline(replicas),
            Step::Flush,
            Step::TriggerOnline,
            Step::ResumeReassignments(started),
            Step::ResumeDeletions,
        ]);
    }

    /// Dead brokers: partitions that they led get other leaders, then their replicas leave the in-sync
    /// replicas.
    pub(super) fn broker_failure(&mut self, dead: &[BrokerId]) {
        for id in dead {
            self.known.shutting_down.remove(id);
        }
        let leaderless = self.known.take_leaderless_offline();
        let all = self.known.replicas_on(dead);
        let (to_be_deleted, replicas): (Vec<_>, _) =
            all.into_iter().partition(|(at, _)| self.known.is_to_be_deleted(at));
        for replica in &to_be_deleted {
            self.known.put_replica(replica, ReplicaStage::Offline);
        }
        let mut steps = vec![Step::TriggerOnline, Step::ReplicasOffline(replicas), Step::Flush];
        if leaderless.is_empty() {
            let partitions = self.known.of_plain_metadata(self.config.version);
            steps.extend([Step::UpdateMetadata(self.known.registered(), partitions), Step::Flush]);
        }
        self.event_manager.first(steps);
    }
}

fn read_registration(answer: &Answer, has_epochs: bool) -> Option<RegisteredBroker> {
    // The registration ended between the two reads.
    let Answer::Data { data, stat } = answer else { return None };
    match BrokerRegistration::decode(data) {
        Ok(BrokerRegistration { host, port, external, rack, .. }) => {
            let czxid = stat.czxid.0;
            let epoch = if has_epochs { czxid } else { -1 };
            Some(RegisteredBroker { epoch, czxid, host, port, external, rack })
        }
        Err(why) => {
            tracing::warn!(%why, "a registration is skipped");
            None
        }
    }
}
