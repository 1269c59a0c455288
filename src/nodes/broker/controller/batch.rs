//! Control requests that are collected while partitions and replicas change state, and sent together:
//! LeaderAndIsr, then UpdateMetadata, then StopReplica (`AbstractControllerBrokerRequestBatch` in
//! `kafka/controller/ControllerChannelManager.scala`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionState, LeaderAndIsrTopicState,
};
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaPartitionV0, StopReplicaTopicState, StopReplicaTopicV1,
};
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState,
    UpdateMetadataTopicState,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, LeaderAndIsrRequest, RequestKind, StopReplicaRequest,
    TopicName, UpdateMetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::channels::Control;
use super::context::{ControllerContext, ControllerPartition, Leadership};
use crate::nodes::broker::znodes::payload::{EXTERNAL, PLAINTEXT, PartitionState};
use crate::releases::KafkaVersion;
use crate::releases::apis::highest;
use crate::vocab::{BrokerId, ControllerEpoch, TopicPartition};

/// Leader epoch in StopReplica of a partition that never had a leader.
const UNKNOWN_EPOCH: i32 = -1;
/// Leader epoch in StopReplica, and leader in UpdateMetadata, of a partition that is being deleted.
const DURING_DELETE: i32 = -2;

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Batch {
    leader_and_isr: BTreeMap<BrokerId, BTreeMap<TopicPartition, bool>>,
    stop_replica: BTreeMap<BrokerId, BTreeMap<TopicPartition, bool>>,
    metadata_to: BTreeSet<BrokerId>,
    metadata_of: BTreeSet<TopicPartition>,
}

/// In whose name requests are sent.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The controller.
    pub id: BrokerId,
    /// Its epoch.
    pub epoch: ControllerEpoch,
    /// The release, which decides on the versions of requests.
    pub version: KafkaVersion,
}

fn wire(id: BrokerId) -> WireBrokerId {
    WireBrokerId(id.0)
}

fn wire_all(ids: &[BrokerId]) -> Vec<WireBrokerId> {
    ids.iter().copied().map(wire).collect()
}

/// A topic's name as the protocol has it.
pub fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Groups pairs whose partitions are in order by topic.
fn by_topic<T>(pairs: impl IntoIterator<Item = (TopicPartition, T)>) -> Vec<(Arc<str>, Vec<T>)> {
    let mut topics: Vec<(Arc<str>, Vec<T>)> = Vec::new();
    for (at, value) in pairs {
        match topics.last_mut() {
            Some((topic, values)) if *topic == at.topic => values.push(value),
            _ => topics.push((at.topic, vec![value])),
        }
    }
    topics
}

impl Sender {
    /// Controllers send the newest version that their release speaks.
    fn request_version(self, api: ApiKey) -> i16 {
        highest(self.version, api).expect("every release speaks the control APIs")
    }

    fn broker_epoch(self, known: &ControllerContext, to: BrokerId) -> i64 {
        known.brokers.get(&to).map_or(-1, |broker| broker.epoch)
    }
}

fn leader_and_isr_state(
    at: &TopicPartition,
    partition: &ControllerPartition,
    leadership: &Leadership,
    is_new: bool,
    version: i16,
) -> LeaderAndIsrPartitionState {
    let state = &leadership.state;
    let mut wired = LeaderAndIsrPartitionState::default()
        .with_partition_index(at.partition)
        .with_controller_epoch(state.controller_epoch)
        .with_leader(wire(state.leader))
        .with_leader_epoch(state.leader_epoch)
        .with_isr(wire_all(&state.isr))
        .with_partition_epoch(leadership.partition_epoch)
        .with_replicas(wire_all(&partition.replicas));
    if version >= 1 {
        wired.is_new = is_new;
    }
    if version >= 3 {
        wired.adding_replicas = wire_all(&partition.adding);
        wired.removing_replicas = wire_all(&partition.removing);
    }
    if version <= 1 {
        wired.topic_name = topic_name(&at.topic);
    }
    wired
}

impl Batch {
    /// Sends `to` a partition's leader with LeaderAndIsr, and all brokers with UpdateMetadata.
    pub fn leader_and_isr(
        &mut self,
        known: &ControllerContext,
        to: &[BrokerId],
        at: &TopicPartition,
        is_new: bool,
    ) {
        for &id in to {
            *self.leader_and_isr.entry(id).or_default().entry(at.clone()).or_default() |= is_new;
        }
        self.update_metadata(known.brokers.keys().copied(), [at.clone()]);
    }

    /// Sends `to` the brokers and some partitions.
    pub fn update_metadata(
        &mut self,
        to: impl IntoIterator<Item = BrokerId>,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) {
        self.metadata_to.extend(to);
        self.metadata_of.extend(partitions);
    }

    /// Sends a broker StopReplica, with its log's deletion if `delete`.
    pub fn stop_replica(&mut self, to: BrokerId, at: &TopicPartition, delete: bool) {
        self.stop_replica.entry(to).or_default().insert(at.clone(), delete);
    }

    /// The collected requests, in the order in which they have to be sent; to registered brokers only.
    pub fn take(&mut self, known: &ControllerContext, sender: Sender) -> Vec<(BrokerId, Control)> {
        let batch = std::mem::take(self);
        let mut controls = Vec::new();
        let is_there = |id: &BrokerId| known.brokers.contains_key(id);
        for (to, partitions) in &batch.leader_and_isr {
            if is_there(to) {
                controls.push((*to, leader_and_isr(known, sender, *to, partitions)));
            }
        }
        if !batch.metadata_to.is_empty() {
            let shared = metadata_states(known, &batch.metadata_of);
            for &to in batch.metadata_to.iter().filter(|id| is_there(id)) {
                controls.push((to, update_metadata(known, sender, to, &shared)));
            }
        }
        for (to, partitions) in &batch.stop_replica {
            if is_there(to) {
                let requests = stop_replica(known, sender, *to, partitions);
                controls.extend(requests.into_iter().map(|control| (*to, control)));
            }
        }
        controls
    }
}

fn leader_and_isr(
    known: &ControllerContext,
    sender: Sender,
    to: BrokerId,
    partitions: &BTreeMap<TopicPartition, bool>,
) -> Control {
    let version = sender.request_version(ApiKey::LeaderAndIsr);
    let mut leaders = BTreeSet::new();
    let mut states = Vec::new();
    for (at, &is_new) in partitions {
        // A topic that was deleted after its partition was queued.
        let Some(partition) = known.partitions.get(at) else { continue };
        let leadership = partition.leadership.as_ref();
        let leadership = leadership.expect("LeaderAndIsr is queued with a leader");
        leaders.insert(leadership.state.leader);
        let state = leader_and_isr_state(at, partition, leadership, is_new, version);
        states.push((at.clone(), state));
    }
    let live = leaders.into_iter().filter_map(|id| {
        let broker = known.brokers.get(&id)?;
        let leader = LeaderAndIsrLiveLeader::default().with_broker_id(wire(id));
        let host = StrBytes::from_string(broker.host.clone());
        Some(leader.with_host_name(host).with_port(broker.port))
    });
    let mut request = LeaderAndIsrRequest::default()
        .with_controller_id(wire(sender.id))
        .with_controller_epoch(sender.epoch)
        .with_live_leaders(live.collect());
    if version >= 2 {
        request.broker_epoch = sender.broker_epoch(known, to);
        let topics = by_topic(states).into_iter().map(|(topic, states)| {
            LeaderAndIsrTopicState::default()
                .with_topic_name(topic_name(&topic))
                .with_topic_id(if version >= 5 { known.topic_id(&topic) } else { Uuid::nil() })
                .with_partition_states(states)
        });
        request.topic_states = topics.collect();
    } else {
        let states = states.into_iter().map(|(_, state)| state);
        request.ungrouped_partition_states = states.collect();
    }
    Control::new(ApiKey::LeaderAndIsr, version, RequestKind::LeaderAndIsr(request))
}

fn metadata_states(
    known: &ControllerContext,
    partitions: &BTreeSet<TopicPartition>,
) -> Vec<(TopicPartition, UpdateMetadataPartitionState)> {
    let state_of = |at: &TopicPartition| {
        let partition = known.partitions.get(at)?;
        let Leadership { state, partition_epoch } = partition.leadership.as_ref()?;
        let offline = partition.replicas.iter().copied().filter(|&id| !known.is_live(id));
        let leader = if known.is_to_be_deleted(at) {
            WireBrokerId(DURING_DELETE)
        } else {
            wire(state.leader)
        };
        let wired = UpdateMetadataPartitionState::default()
            .with_partition_index(at.partition)
            .with_controller_epoch(state.controller_epoch)
            .with_leader(leader)
            .with_leader_epoch(state.leader_epoch)
            .with_isr(wire_all(&state.isr))
            .with_zk_version(*partition_epoch)
            .with_replicas(wire_all(&partition.replicas))
            .with_offline_replicas(offline.map(wire).collect());
        Some((at.clone(), wired))
    };
    partitions.iter().filter_map(state_of).collect()
}

fn update_metadata(
    known: &ControllerContext,
    sender: Sender,
    to: BrokerId,
    states: &[(TopicPartition, UpdateMetadataPartitionState)],
) -> Control {
    let version = sender.request_version(ApiKey::UpdateMetadata);
    let brokers = known.brokers.iter().map(|(&id, broker)| {
        let endpoint = |listener, port, host: &String| {
            let endpoint = UpdateMetadataEndpoint::default()
                .with_port(port)
                .with_host(StrBytes::from_string(host.clone()));
            if version >= 3 {
                endpoint.with_listener(StrBytes::from_static_str(listener))
            } else {
                endpoint
            }
        };
        let own = endpoint(PLAINTEXT, broker.port, &broker.host);
        // Before version 3 listeners have no names, and there is one of each protocol.
        let external = broker.external.as_ref().filter(|_| version >= 3);
        let external = external.map(|at| endpoint(EXTERNAL, at.port, &at.host));
        let rack = broker.rack.clone().map(StrBytes::from_string);
        UpdateMetadataBroker::default()
            .with_id(wire(id))
            .with_endpoints(std::iter::once(own).chain(external).collect())
            .with_rack(rack)
    });
    let mut request = UpdateMetadataRequest::default()
        .with_controller_id(wire(sender.id))
        .with_controller_epoch(sender.epoch)
        .with_live_brokers(brokers.collect());
    let mut states = states.to_vec();
    if version < 4 {
        for (_, state) in &mut states {
            state.offline_replicas.clear();
        }
    }
    if version >= 5 {
        request.broker_epoch = sender.broker_epoch(known, to);
        let topics = by_topic(states).into_iter().map(|(topic, states)| {
            UpdateMetadataTopicState::default()
                .with_topic_name(topic_name(&topic))
                .with_topic_id(if version >= 7 { known.topic_id(&topic) } else { Uuid::nil() })
                .with_partition_states(states)
        });
        request.topic_states = topics.collect();
    } else {
        let named =
            states.into_iter().map(|(at, state)| state.with_topic_name(topic_name(&at.topic)));
        request.ungrouped_partition_states = named.collect();
    }
    Control::new(ApiKey::UpdateMetadata, version, RequestKind::UpdateMetadata(request))
}

/// One request, or before version 3, which has the flag for each partition, one for those that are to be
/// deleted and one for the others.
fn stop_replica(
    known: &ControllerContext,
    sender: Sender,
    to: BrokerId,
    partitions: &BTreeMap<TopicPartition, bool>,
) -> Vec<Control> {
    let version = sender.request_version(ApiKey::StopReplica);
    let base = |delete: bool| {
        let mut request = StopReplicaRequest::default()
            .with_controller_id(wire(sender.id))
            .with_controller_epoch(sender.epoch);
        if version >= 1 {
            request.broker_epoch = sender.broker_epoch(known, to);
        }
        if version <= 2 {
            request.delete_partitions = delete;
        }
        request
    };
    let deleted = |at: &TopicPartition| partitions[at];
    let control = |request, of: Vec<TopicPartition>| {
        let deletes = of.into_iter().filter(deleted).collect();
        let kind = RequestKind::StopReplica(request);
        Control::new(ApiKey::StopReplica, version, kind).with_deletes(deletes)
    };
    if version >= 3 {
        let states = partitions.iter().map(|(at, &delete)| {
            let state = StopReplicaPartitionState::default()
                .with_partition_index(at.partition)
                .with_leader_epoch(stop_epoch(known, at))
                .with_delete_partition(delete);
            (at.clone(), state)
        });
        let topics = by_topic(states).into_iter().map(|(topic, states)| {
            StopReplicaTopicState::default()
                .with_topic_name(topic_name(&topic))
                .with_partition_states(states)
        });
        let request = base(false).with_topic_states(topics.collect());
        return vec![control(request, partitions.keys().cloned().collect())];
    }
    let mut controls = Vec::new();
    for delete in [false, true] {
        let these = || partitions.iter().filter(|(_, flag)| **flag == delete).map(|(at, _)| at);
        if these().next().is_none() {
            continue;
        }
        let mut request = base(delete);
        if version == 0 {
            let wired = these().map(|at| {
                StopReplicaPartitionV0::default()
                    .with_topic_name(topic_name(&at.topic))
                    .with_partition_index(at.partition)
            });
            request.ungrouped_partitions = wired.collect();
        } else {
            let pairs = these().map(|at| (at.clone(), at.partition));
            let topics = by_topic(pairs).into_iter().map(|(topic, indexes)| {
                StopReplicaTopicV1::default()
                    .with_name(topic_name(&topic))
                    .with_partition_indexes(indexes)
            });
            request.topics = topics.collect();
        }
        controls.push(control(request, these().cloned().collect()));
    }
    controls
}

fn stop_epoch(known: &ControllerContext, at: &TopicPartition) -> i32 {
    if known.is_to_be_deleted(at) {
        return DURING_DELETE;
    }
    let leadership = known.partitions.get(at).and_then(|one| one.leadership.as_ref());
    leadership.map_or(UNKNOWN_EPOCH, |leadership| leadership.state.leader_epoch)
}

/// Whether a state has no leader.
pub fn is_leaderless(state: &PartitionState) -> bool {
    state.leader == PartitionState::NO_LEADER
}

#[cfg(test)]
mod tests {
    use super::super::context::RegisteredBroker;
    use super::*;
    use crate::wire::kafka::{decode_request, encode_request};

    fn known() -> ControllerContext {
        let mut known = ControllerContext::default();
        for id in 1..=2 {
            let host = format!("b{id}");
            let epoch = 100 + i64::from(id);
            let broker =
                RegisteredBroker { epoch, czxid: 0, host, port: 9092, external: None, rack: None };
            known.brokers.insert(BrokerId(id), broker);
        }
        let at = TopicPartition::new("t", 0);
        let replicas = vec![BrokerId(1), BrokerId(2), BrokerId(3)];
        known.partitions.insert(at.clone(), ControllerPartition::new(replicas));
        let state = PartitionState {
            controller_epoch: 4,
            leader: BrokerId(1),
            leader_epoch: 7,
            isr: vec![BrokerId(1), BrokerId(2)],
        };
        known.put_leadership(&at, state, 9);
        known
    }

    #[test]
    fn every_release_sends_requests_that_its_versions_can_express() {
        let known = known();
        let at = TopicPartition::new("t", 0);
        for &version in KafkaVersion::ALL {
            let sender = Sender { id: BrokerId(1), epoch: 5, version };
            let mut batch = Batch::default();
            batch.stop_replica(BrokerId(2), &at, false);
            batch.leader_and_isr(&known, &[BrokerId(1), BrokerId(3)], &at, true);
            let controls = batch.take(&known, sender);
            let order: Vec<_> = controls.iter().map(|(to, control)| (to.0, control.api)).collect();
            assert_eq!(
                order,
                [
                    (1, ApiKey::LeaderAndIsr),
                    (1, ApiKey::UpdateMetadata),
                    (2, ApiKey::UpdateMetadata),
                    (2, ApiKey::StopReplica),
                ],
                "{version}: LeaderAndIsr, UpdateMetadata, StopReplica; nothing to the dead broker 3"
            );
            for (_, control) in controls {
                let client = StrBytes::from_static_str("1");
                let bytes = encode_request(control.api, control.version, 1, &client, &control.body);
                let back = decode_request(bytes.slice(4..)).unwrap();
                assert_eq!(back.body, control.body, "{version}");
            }
        }
    }

    #[test]
    fn leader_and_isr_has_the_state_and_the_epochs() {
        let known = known();
        let sender = Sender { id: BrokerId(1), epoch: 5, version: KafkaVersion::new(2, 2) };
        let mut batch = Batch::default();
        batch.leader_and_isr(&known, &[BrokerId(2)], &TopicPartition::new("t", 0), false);
        let (_, control) = batch.take(&known, sender).remove(0);
        let RequestKind::LeaderAndIsr(request) = control.body else { panic!() };
        assert_eq!((request.controller_epoch, request.broker_epoch), (5, 102));
        let state = &request.topic_states[0].partition_states[0];
        assert_eq!((state.controller_epoch, state.leader_epoch, state.partition_epoch), (4, 7, 9));
        let leader = &request.live_leaders[0];
        assert_eq!((leader.broker_id.0, &*leader.host_name, leader.port), (1, "b1", 9092));
    }

    #[test]
    fn metadata_lists_offline_replicas_and_marks_topics_that_are_deleted() {
        let mut known = known();
        let sender = Sender { id: BrokerId(1), epoch: 5, version: KafkaVersion::new(2, 8) };
        for (to_be_deleted, leader) in [(false, 1), (true, DURING_DELETE)] {
            if to_be_deleted {
                known.to_be_deleted.insert("t".into());
            }
            let mut batch = Batch::default();
            batch.update_metadata([BrokerId(1)], known.with_leadership());
            let (_, control) = batch.take(&known, sender).remove(0);
            let RequestKind::UpdateMetadata(request) = control.body else { panic!() };
            let state = &request.topic_states[0].partition_states[0];
            assert_eq!(
                (state.leader.0, &state.offline_replicas[..]),
                (leader, &[WireBrokerId(3)][..])
            );
            assert_eq!(request.live_brokers.len(), 2);
        }
    }

    #[test]
    fn old_releases_send_one_stop_replica_for_each_value_of_the_flag() {
        let known = known();
        let sender = Sender { id: BrokerId(1), epoch: 5, version: KafkaVersion::new(1, 0) };
        let mut batch = Batch::default();
        batch.stop_replica(BrokerId(1), &TopicPartition::new("t", 0), false);
        batch.stop_replica(BrokerId(1), &TopicPartition::new("u", 0), true);
        let flags: Vec<_> = batch
            .take(&known, sender)
            .into_iter()
            .map(|(_, control)| match control.body {
                RequestKind::StopReplica(request) => {
                    (request.delete_partitions, control.deletes.len())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(flags, [(false, 0), (true, 1)]);
    }
}
