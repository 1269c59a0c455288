//! What a broker knows of the cluster, from the controller's UpdateMetadata requests
//! (`kafka/server/MetadataCache.scala`, later `ZkMetadataCache`). Each broker answers from its own view;
//! views may be stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataPartitionState, UpdateMetadataTopicState,
};
use kafka_protocol::messages::{BrokerId as WireBrokerId, UpdateMetadataRequest};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::nodes::broker::config::INTERNAL_TOPICS;
use crate::nodes::broker::znodes::payload::EXTERNAL;
use crate::vocab::{BrokerId, LeaderEpoch};

/// The leader in UpdateMetadata of a partition that is being deleted.
const LEADER_DURING_DELETE: i32 = -2;

/// The listener that a client connected to: Metadata gives it the listeners of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The one of the cluster's own nodes and clients.
    Internal,
    /// The one for clients from outside.
    External,
}

/// How a broker is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Host of the listener.
    pub host: StrBytes,
    /// Port of the listener.
    pub port: i32,
}

/// A live broker, as the controller reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveBroker {
    /// Its listener for the cluster's own nodes.
    pub internal: Reached,
    /// Its listener for clients from outside.
    pub external: Option<Reached>,
    /// `broker.rack`
    pub rack: Option<StrBytes>,
}

impl LiveBroker {
    /// How clients of `listener` reach it; none when it has no listener of that name.
    pub fn at(&self, listener: Listener) -> Option<&Reached> {
        match listener {
            Listener::Internal => Some(&self.internal),
            Listener::External => self.external.as_ref(),
        }
    }
}

#[derive(Clone, Debug)]
struct Topic {
    /// Name and id; its list of partitions is empty.
    head: UpdateMetadataTopicState,
    partitions: BTreeMap<i32, UpdateMetadataPartitionState>,
}

/// The view of one broker.
#[derive(Clone, Debug, Default)]
pub struct MetadataCache {
    controller: Option<BrokerId>,
    brokers: BTreeMap<BrokerId, LiveBroker>,
    topics: BTreeMap<Arc<str>, Topic>,
    /// Topics by their ids, as far as they have one.
    ids: BTreeMap<Uuid, Arc<str>>,
}

impl MetadataCache {
    /// Takes a request of any version: the set of live brokers is replaced, partitions are merged, those of
    /// topics being deleted are removed. Returns the topics that are gone.
    pub fn update(&mut self, request: UpdateMetadataRequest) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        self.controller =
            (request.controller_id.0 >= 0).then_some(request.controller_id.0).map(BrokerId);
        self.brokers = request.live_brokers.into_iter().filter_map(live_broker).collect();
        for state in request.ungrouped_partition_states {
            let head =
                UpdateMetadataTopicState::default().with_topic_name(state.topic_name.clone());
            gone.extend(self.merge(head, vec![state]));
        }
        for mut topic in request.topic_states {
            let states = std::mem::take(&mut topic.partition_states);
            gone.extend(self.merge(topic, states));
        }
        gone
    }

    fn merge(
        &mut self,
        head: UpdateMetadataTopicState,
        states: Vec<UpdateMetadataPartitionState>,
    ) -> Option<Arc<str>> {
        let name: Arc<str> = head.topic_name.as_str().into();
        let topic = self
            .topics
            .entry(name.clone())
            .or_insert_with(|| Topic { head: head.clone(), partitions: BTreeMap::new() });
        if topic.head.topic_id != head.topic_id {
            self.ids.remove(&topic.head.topic_id);
        }
        if !head.topic_id.is_nil() {
            self.ids.insert(head.topic_id, name.clone());
        }
        topic.head = head;
        for state in states {
            if state.leader.0 == LEADER_DURING_DELETE {
                topic.partitions.remove(&state.partition_index);
            } else {
                topic.partitions.insert(state.partition_index, state);
            }
        }
        if !topic.partitions.is_empty() {
            return None;
        }
        self.ids.remove(&topic.head.topic_id);
        self.topics.remove(&name);
        Some(name)
    }

    /// The controller, as its own UpdateMetadata says.
    pub fn controller(&self) -> Option<BrokerId> {
        self.controller
    }

    /// The brokers that live.
    pub fn live_brokers(&self) -> BTreeSet<BrokerId> {
        self.brokers.keys().copied().collect()
    }

    /// How to reach a live broker.
    pub fn broker(&self, id: BrokerId) -> Option<&LiveBroker> {
        self.brokers.get(&id)
    }

    /// The topic with this id.
    pub fn topic_of(&self, id: Uuid) -> Option<&Arc<str>> {
        self.ids.get(&id)
    }

    /// Whether this broker heard of the partition.
    pub fn knows_partition(&self, topic: &str, partition: i32) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.partitions.contains_key(&partition))
    }

    /// Whether the topic has partitions.
    pub fn has_topic(&self, name: &str) -> bool {
        self.topics.contains_key(name)
    }

    /// Whether the topic has this partition.
    pub fn has_partition(&self, topic: &str, partition: i32) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.partitions.contains_key(&partition))
    }

    /// The live leader of a partition, if there is one.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<BrokerId> {
        let state = self.topics.get(topic)?.partitions.get(&partition)?;
        Some(BrokerId(state.leader.0)).filter(|leader| self.brokers.contains_key(leader))
    }

    /// The leader of a partition, whether it lives or not, and its epoch.
    pub fn leader_and_epoch(&self, topic: &str, partition: i32) -> Option<(i32, LeaderEpoch)> {
        let state = self.topics.get(topic)?.partitions.get(&partition)?;
        Some((state.leader.0, state.leader_epoch))
    }

    /// All topics' names.
    pub fn topic_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    /// The live brokers, as Metadata lists them for clients of `listener`.
    pub fn response_brokers(&self, listener: Listener) -> Vec<MetadataResponseBroker> {
        let listed = self.brokers.iter().filter_map(|(id, broker)| {
            let at = broker.at(listener)?;
            let one = MetadataResponseBroker::default()
                .with_node_id(WireBrokerId(id.0))
                .with_host(at.host.clone())
                .with_port(at.port)
                .with_rack(broker.rack.clone());
            Some(one)
        });
        listed.collect()
    }

    /// A topic, as Metadata of `version` describes it; `None` when it is not known.
    pub fn response_topic(&self, name: &str, version: i16) -> Option<MetadataResponseTopic> {
        let topic = self.topics.get(name)?;
        let partitions =
            topic.partitions.values().map(|state| self.response_partition(state, version));
        Some(
            MetadataResponseTopic::default()
                .with_name(Some(topic.head.topic_name.clone()))
                .with_topic_id(topic.head.topic_id)
                .with_is_internal(INTERNAL_TOPICS.contains(&name))
                .with_partitions(partitions.collect()),
        )
    }

    fn response_partition(
        &self,
        state: &UpdateMetadataPartitionState,
        version: i16,
    ) -> MetadataResponsePartition {
        // Version 0 has no offline replicas: dead ones are left out, with an error.
        let known = |ids: &[WireBrokerId]| -> Vec<WireBrokerId> {
            let keep =
                |id: &WireBrokerId| version > 0 || self.brokers.contains_key(&BrokerId(id.0));
            ids.iter().copied().filter(keep).collect()
        };
        let replicas = known(&state.replicas);
        let isr = known(&state.isr);
        let leader = BrokerId(state.leader.0);
        let (error, leader) = if !self.brokers.contains_key(&leader) {
            (ResponseError::LeaderNotAvailable.code(), -1)
        } else if replicas.len() < state.replicas.len() || isr.len() < state.isr.len() {
            (ResponseError::ReplicaNotAvailable.code(), leader.0)
        } else {
            (0, leader.0)
        };
        MetadataResponsePartition::default()
            .with_error_code(error)
            .with_partition_index(state.partition_index)
            .with_leader_id(WireBrokerId(leader))
            .with_leader_epoch(state.leader_epoch)
            .with_replica_nodes(replicas)
            .with_isr_nodes(isr)
            .with_offline_replicas(state.offline_replicas.clone())
    }
}

fn live_broker(
    broker: kafka_protocol::messages::update_metadata_request::UpdateMetadataBroker,
) -> Option<(BrokerId, LiveBroker)> {
    let (mut internal, mut external) = (None, None);
    for endpoint in broker.endpoints {
        let at = Reached { host: endpoint.host, port: endpoint.port };
        let listener = if &*endpoint.listener == EXTERNAL { &mut external } else { &mut internal };
        listener.get_or_insert(at);
    }
    if internal.is_none() && !broker.v0_host.is_empty() {
        internal = Some(Reached { host: broker.v0_host, port: broker.v0_port });
    }
    Some((BrokerId(broker.id.0), LiveBroker { internal: internal?, external, rack: broker.rack }))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::update_metadata_request::{
        UpdateMetadataBroker, UpdateMetadataEndpoint,
    };

    use super::*;

    fn broker(id: i32) -> UpdateMetadataBroker {
        let endpoint = UpdateMetadataEndpoint::default()
            .with_host(StrBytes::from_string(format!("b{id}")))
            .with_port(9092);
        UpdateMetadataBroker::default().with_id(WireBrokerId(id)).with_endpoints(vec![endpoint])
    }

    fn name(name: &str) -> TopicName {
        TopicName(StrBytes::from_string(name.to_owned()))
    }

    fn state(partition: i32, leader: i32) -> UpdateMetadataPartitionState {
        UpdateMetadataPartitionState::default()
            .with_topic_name(name("t"))
            .with_partition_index(partition)
            .with_leader(WireBrokerId(leader))
            .with_leader_epoch(3)
            .with_replicas(vec![WireBrokerId(1), WireBrokerId(2)])
            .with_isr(vec![WireBrokerId(1), WireBrokerId(2)])
    }

    fn request(live: &[i32], states: Vec<UpdateMetadataPartitionState>) -> UpdateMetadataRequest {
        let topic = UpdateMetadataTopicState::default()
            .with_topic_name(name("t"))
            .with_partition_states(states);
        UpdateMetadataRequest::default()
            .with_controller_id(WireBrokerId(1))
            .with_live_brokers(live.iter().copied().map(broker).collect())
            .with_topic_states(vec![topic])
    }

    #[test]
    fn live_brokers_are_replaced_and_partitions_merged() {
        let mut cache = MetadataCache::default();
        cache.update(request(&[1, 2], vec![state(0, 1)]));
        cache.update(request(&[2], vec![state(1, 2)]));
        assert_eq!(cache.live_brokers(), BTreeSet::from([BrokerId(2)]));
        let topic = cache.response_topic("t", 9).unwrap();
        let known: Vec<_> = topic
            .partitions
            .iter()
            .map(|p| (p.partition_index, p.error_code, p.leader_id.0))
            .collect();
        assert_eq!(known, [(0, 5, -1), (1, 0, 2)]);
    }

    #[test]
    fn external_clients_get_external_listeners() {
        let mut both = broker(1);
        both.endpoints.push(
            UpdateMetadataEndpoint::default()
                .with_listener(StrBytes::from_static_str(EXTERNAL))
                .with_host(StrBytes::from_static_str("127.0.0.1"))
                .with_port(40_123),
        );
        let live = vec![both, broker(2)];
        let mut cache = MetadataCache::default();
        cache.update(UpdateMetadataRequest::default().with_live_brokers(live));
        let known = |listener| -> Vec<(i32, String, i32)> {
            let brokers = cache.response_brokers(listener).into_iter();
            brokers.map(|b| (b.node_id.0, b.host.to_string(), b.port)).collect()
        };
        let own = |id: i32| (id, format!("b{id}"), 9092);
        assert_eq!(known(Listener::Internal), [own(1), own(2)]);
        assert_eq!(known(Listener::External), [(1, "127.0.0.1".to_owned(), 40_123)]);
    }

    #[test]
    fn topics_being_deleted_disappear() {
        let mut cache = MetadataCache::default();
        cache.update(request(&[1, 2], vec![state(0, 1), state(1, 1)]));
        cache.update(request(&[1, 2], vec![state(0, -2)]));
        assert!(cache.has_topic("t"));
        let gone = cache.update(request(&[1, 2], vec![state(1, -2)]));
        assert_eq!(gone, ["t".into()]);
        assert!(!cache.has_topic("t"));
    }

    #[test]
    fn old_layouts_are_understood() {
        let old = UpdateMetadataBroker::default()
            .with_id(WireBrokerId(1))
            .with_v0_host(StrBytes::from_static_str("h"))
            .with_v0_port(9092);
        let mut cache = MetadataCache::default();
        cache.update(
            UpdateMetadataRequest::default()
                .with_live_brokers(vec![old])
                .with_ungrouped_partition_states(vec![state(0, 1)]),
        );
        assert_eq!(&*cache.broker(BrokerId(1)).unwrap().internal.host, "h");
        assert_eq!(cache.response_topic("t", 1).unwrap().partitions[0].leader_id.0, 1);
    }

    #[test]
    fn clients_of_version_0_do_not_get_dead_replicas() {
        let mut cache = MetadataCache::default();
        cache.update(request(&[1], vec![state(0, 1)]));
        let partition = &cache.response_topic("t", 0).unwrap().partitions[0];
        assert_eq!(partition.error_code, 9);
        assert_eq!(partition.replica_nodes, [WireBrokerId(1)]);
        let partition = &cache.response_topic("t", 1).unwrap().partitions[0];
        assert_eq!((partition.error_code, partition.replica_nodes.len()), (0, 2));
    }
}
