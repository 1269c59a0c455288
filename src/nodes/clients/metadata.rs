//! What a client knows of the cluster: brokers, controller, and the leader of each partition of its topics.
//!
//! Every broker answers Metadata from its own cache, which may be old; so a leader is never replaced by one of an
//! older leader epoch (KIP-320), if the API version has leader epochs.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse, RequestKind, TopicName};
use tracing::{debug, warn};

use super::connections::{Connections, Readiness};
use super::protocol::{code, topic_name};
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Roster, Time, TopicPartition, TopicPattern};

/// The tag of Metadata requests that [`Metadata::refresh`] sends; no other request of the client has it.
pub const METADATA_TAG: u64 = u64::MAX;

/// When a client asks for metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataConfig {
    /// The client's release.
    pub release: KafkaVersion,
    /// `metadata.max.age.ms`
    pub max_age: Duration,
    /// `retry.backoff.ms`, between two attempts
    pub retry_backoff: Duration,
    /// `allow.auto.create.topics`
    pub allow_auto_create: bool,
    /// It follows all topics that match.
    pub matching: Option<TopicPattern>,
}

/// The leader of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The broker.
    pub broker: BrokerId,
    /// Its node.
    pub node: NodeId,
    /// The leader epoch; −1 when the API version does not have it.
    pub epoch: LeaderEpoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PartitionMetadata {
    leader: Option<(BrokerId, NodeId)>,
    epoch: LeaderEpoch,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    wire_name: TopicName,
    /// Whether the last answer knew the topic.
    present: bool,
    partitions: Vec<PartitionMetadata>,
    /// How many of them have a leader.
    led: usize,
}

impl Topic {
    fn new(name: &Arc<str>) -> Self {
        Self {
            name: name.clone(),
            wire_name: topic_name(name),
            present: false,
            partitions: Vec::new(),
            led: 0,
        }
    }

    /// Takes what is known of a partition now; whether it is new.
    fn learn(&mut self, index: usize, new: PartitionMetadata) -> bool {
        let known = &mut self.partitions[index];
        self.led -= usize::from(known.leader.is_some());
        self.led += usize::from(new.leader.is_some());
        std::mem::replace(known, new) != new
    }
}

/// What a client knows. A topic is identified by its place in the list of the client's topics.
#[derive(Debug)]
pub struct Metadata {
    roster: Arc<Roster>,
    config: MetadataConfig,
    version: i16,
    /// The nodes that it asks: the bootstrap list, then the brokers of the last answer.
    nodes: Vec<NodeId>,
    brokers: Vec<(BrokerId, NodeId)>,
    controller: Option<BrokerId>,
    topics: Vec<Topic>,
    wanted: bool,
    asked: bool,
    /// How many topics the last request named.
    asked_topics: usize,
    /// How many answers were of use.
    updates: u64,
    /// How often something new was learned of a partition.
    changes: u64,
    /// How many answers of any kind were applied.
    answers: u64,
    last_attempt: Option<Time>,
    last_success: Option<Time>,
    /// Partitions whose leader changed, which is not observed yet.
    learned: Vec<(usize, usize)>,
    /// Whether `nodes` changed, which is not observed yet.
    nodes_changed: bool,
}

impl Metadata {
    /// Nothing known yet but `bootstrap`; the first [`Metadata::refresh`] asks.
    pub fn new(
        config: MetadataConfig,
        version: i16,
        roster: Arc<Roster>,
        bootstrap: &[NodeId],
        topics: &[Arc<str>],
    ) -> Self {
        Self {
            roster,
            config,
            version,
            nodes: bootstrap.to_vec(),
            brokers: Vec::new(),
            controller: None,
            topics: topics.iter().map(Topic::new).collect(),
            wanted: true,
            asked: false,
            asked_topics: topics.len(),
            updates: 0,
            changes: 0,
            answers: 0,
            last_attempt: None,
            last_success: None,
            learned: Vec::new(),
            nodes_changed: false,
        }
    }

    /// The place of the topic `name`.
    pub fn topic(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| &*topic.name == name)
    }

    /// The topic's name.
    pub fn name(&self, topic: usize) -> &Arc<str> {
        &self.topics[topic].name
    }

    /// The topic's name as messages hold it.
    pub fn wire_name(&self, topic: usize) -> &TopicName {
        &self.topics[topic].wire_name
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.topics.len()
    }

    /// How many partitions the topic has; 0 when the cluster does not know it.
    pub fn partitions(&self, topic: usize) -> usize {
        let topic = &self.topics[topic];
        if topic.present { topic.partitions.len() } else { 0 }
    }

    /// Whether the leader of every partition is known.
    pub fn is_led_throughout(&self, topic: usize) -> bool {
        self.topics[topic].led == self.topics[topic].partitions.len()
    }

    /// The leader of a partition, if one is known.
    pub fn leader(&self, topic: usize, partition: usize) -> Option<Leader> {
        let topic = &self.topics[topic];
        let partition = topic.partitions.get(partition).filter(|_| topic.present)?;
        let (broker, node) = partition.leader?;
        Some(Leader { broker, node, epoch: partition.epoch })
    }

    /// The live brokers of the last answer, and their nodes.
    pub fn brokers(&self) -> &[(BrokerId, NodeId)] {
        &self.brokers
    }

    /// The nodes that it asks: the bootstrap list, then the brokers of the last answer. When none of those comes
    /// back, the client has lost the cluster (KIP-899; before 4.0 it did not go back to the bootstrap list by default).
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The node of a host, as brokers name it.
    pub fn node_at(&self, host: &str) -> Option<NodeId> {
        self.roster.find(host)
    }

    /// Follows one more topic.
    pub fn add_topic(&mut self, name: &Arc<str>) {
        if self.topic(name).is_none() {
            self.topics.push(Topic::new(name));
            self.wanted = true;
        }
    }

    /// Whether it asks, or is about to: what it knows may be out of date.
    pub fn is_wanted(&self) -> bool {
        self.wanted || self.asked
    }

    /// The controller's node, if a controller is known and alive.
    pub fn controller(&self) -> Option<NodeId> {
        let id = self.controller?;
        self.brokers.iter().find(|(broker, _)| *broker == id).map(|(_, node)| *node)
    }

    /// The topics that match and that the cluster has, sorted.
    pub fn matching(&self, pattern: &TopicPattern) -> Vec<Arc<str>> {
        let found = self.topics.iter().filter(|one| one.present && pattern.matches(&one.name));
        let mut names: Vec<Arc<str>> = found.map(|topic| topic.name.clone()).collect();
        names.sort();
        names
    }

    /// Wants a new answer if it may ask now (`Metadata.timeToAllowUpdate`).
    pub fn request_allowed_update(&mut self, now: Time) {
        let allowed = self.last_attempt.map_or(Time::ZERO, |last| last + self.config.retry_backoff);
        self.wanted |= allowed <= now;
    }

    /// Wants a new answer as soon as the back-off allows.
    pub fn request_update(&mut self) {
        self.wanted = true;
    }

    /// When the next request is due; `None` while one is in flight.
    pub fn due(&self) -> Option<Time> {
        if self.asked {
            return None;
        }
        let after_attempt =
            self.last_attempt.map_or(Time::ZERO, |attempt| attempt + self.config.retry_backoff);
        let aged = self.last_success.map_or(Time::ZERO, |success| success + self.config.max_age);
        Some(if self.wanted { after_attempt } else { after_attempt.max(aged) })
    }

    /// The request for this client's topics. Before v4 (0.11) naming a topic may create it, so a client that
    /// does not want that asks for all that there are; one that has a pattern does so, too.
    pub fn request(&self) -> RequestKind {
        let is_by_pattern = self.config.matching.is_some();
        if is_by_pattern || self.version < 4 && !self.config.allow_auto_create {
            return RequestKind::Metadata(MetadataRequest::default().with_topics(None));
        }
        let topics = self.topics.iter();
        let topics = topics
            .map(|t| MetadataRequestTopic::default().with_name(Some(t.wire_name.clone())))
            .collect();
        RequestKind::Metadata(
            MetadataRequest::default()
                .with_topics(Some(topics))
                .with_allow_auto_topic_creation(self.config.allow_auto_create),
        )
    }

    /// Asks the least loaded node when an answer is due. Returns when to come back.
    pub fn refresh(
        &mut self,
        now: Time,
        net: &mut Connections,
        effects: &mut Effects,
    ) -> Option<Time> {
        let due = self.due()?;
        if due > now {
            return Some(due);
        }
        // All nodes are in back-off.
        let Some(node) = net.least_loaded(now, &self.nodes) else {
            return net.backoff_ends(now, &self.nodes);
        };
        match net.prepare(now, node, effects) {
            Readiness::Ready => {
                let request = self.request();
                let request = (ApiKey::Metadata, self.version, &request);
                net.send(now, node, effects, request, METADATA_TAG);
                self.begin(now, node, effects);
                None
            }
            Readiness::Wait => None,
            Readiness::Backoff(until) => Some(until),
        }
    }

    /// A request for metadata is sent to `node` now.
    pub fn begin(&mut self, now: Time, node: NodeId, effects: &mut Effects) {
        self.asked = true;
        self.asked_topics = self.topics.len();
        self.last_attempt = Some(now);
        let asked = ClientObservation::LeadersAsked { of: node };
        effects.observe(Observation::Client(asked));
    }

    /// The request in flight will have no answer.
    pub fn lost(&mut self) {
        self.asked = false;
        self.wanted = true;
    }

    /// Applies the answer to the request in flight.
    pub fn answered(&mut self, now: Time, response: &MetadataResponse) {
        self.asked = false;
        if self.update(response) {
            self.satisfied(now);
            let unknown = [code::UNKNOWN_TOPIC_OR_PARTITION, code::LEADER_NOT_AVAILABLE];
            let is_refused =
                response.topics.iter().any(|topic| unknown.contains(&topic.error_code))
                    && self.config.release.has(Change::TopicErrorAsksAgain);
            // A topic that was added since is not in the answer.
            let is_complete =
                self.config.matching.is_some() || self.asked_topics == self.topics.len();
            self.wanted = is_refused || !is_complete;
            self.updates += u64::from(is_complete);
        }
    }

    /// How often something new was learned of a partition.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many answers of any kind were applied: as long as there is no other, leaders are what they were.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// How many answers there were that were of use and named all topics.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    fn satisfied(&mut self, now: Time) {
        self.asked = false;
        self.wanted = false;
        self.last_success = Some(now);
    }

    /// Applies an answer to any request. Returns whether it was of use: an answer without brokers is not.
    pub fn update(&mut self, response: &MetadataResponse) -> bool {
        if response.brokers.is_empty() {
            return false;
        }
        self.answers += 1;
        self.brokers.clear();
        for broker in &response.brokers {
            match self.roster.find(broker.host.as_str()) {
                Some(node) => self.brokers.push((BrokerId(broker.node_id.0), node)),
                None => warn!(host = broker.host.as_str(), "no such host"),
            }
        }
        let nodes = self.brokers.iter().map(|(_, node)| *node);
        if !self.brokers.is_empty() && !nodes.clone().eq(self.nodes.iter().copied()) {
            self.nodes = nodes.collect();
            self.nodes_changed = true;
        }
        self.controller = Some(BrokerId(response.controller_id.0));
        if self.config.matching.is_some() {
            // What is not in an answer about all topics is gone.
            self.topics.iter_mut().for_each(|topic| topic.present = false);
        }
        for topic in &response.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            if let Some(at) = self.place(name) {
                self.update_topic(at, topic);
            }
        }
        true
    }

    /// The place of a topic of an answer, if it follows it; one that matches its pattern gets one.
    fn place(&mut self, name: &str) -> Option<usize> {
        let known = self.topic(name);
        if known.is_none() && self.config.matching.as_ref().is_some_and(|all| all.matches(name)) {
            self.topics.push(Topic::new(&name.into()));
            return Some(self.topics.len() - 1);
        }
        known
    }

    fn update_topic(&mut self, at: usize, answer: &MetadataResponseTopic) {
        let known = &mut self.topics[at];
        known.present = answer.error_code == code::NONE;
        if !known.present {
            debug!(topic = &*known.name, error = answer.error_code, "no metadata for topic");
            return;
        }
        if known.partitions.len() < answer.partitions.len() {
            let unknown = PartitionMetadata { leader: None, epoch: -1 };
            known.partitions.resize(answer.partitions.len(), unknown);
        }
        for partition in &answer.partitions {
            self.update_partition(at, partition);
        }
    }

    fn update_partition(&mut self, topic: usize, answer: &MetadataResponsePartition) {
        // A broker that numbers partitions with gaps, or below 0, is not believed.
        let Ok(index) = usize::try_from(answer.partition_index) else { return };
        let node_of = |id| self.brokers.iter().find(|(broker, _)| *broker == id);
        let leader = node_of(BrokerId(answer.leader_id.0)).copied();
        let Some(known) = self.topics[topic].partitions.get(index) else { return };
        if answer.leader_epoch >= 0 && answer.leader_epoch < known.epoch {
            debug!(index, old = answer.leader_epoch, known = known.epoch, "answer is out of date");
            return;
        }
        let new = PartitionMetadata { leader, epoch: answer.leader_epoch };
        if self.topics[topic].learn(index, new) {
            self.changes += 1;
            self.learned.push((topic, index));
        }
    }

    /// Observes what changed since the last call.
    pub fn observe_changes(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.nodes_changed) {
            let nodes = self.nodes.clone();
            effects.observe(Observation::Client(ClientObservation::BrokersLearned { nodes }));
        }
        for (topic, index) in self.learned.drain(..) {
            let topic = &self.topics[topic];
            let PartitionMetadata { leader, epoch } = topic.partitions[index];
            let partition = i32::try_from(index).unwrap_or(i32::MAX);
            effects.observe(Observation::Client(ClientObservation::LeaderLearned {
                at: TopicPartition::new(topic.name.clone(), partition),
                leader: leader.map(|(broker, _)| broker),
                leader_epoch: epoch,
            }));
        }
    }

    /// Applies what was read from ZooKeeper instead of a Metadata answer: hosts of the live brokers, and for each
    /// topic the leaders of its partitions with their epochs.
    pub fn read_from_zookeeper(
        &mut self,
        now: Time,
        hosts: &[(BrokerId, String)],
        topics: &[Vec<(Option<BrokerId>, LeaderEpoch)>],
    ) {
        self.answers += 1;
        let node = |(id, host): &(BrokerId, String)| Some((*id, self.roster.find(host)?));
        self.brokers = hosts.iter().filter_map(node).collect();
        for (place, (topic, leaders)) in self.topics.iter_mut().zip(topics).enumerate() {
            topic.present = !leaders.is_empty();
            let unknown = PartitionMetadata { leader: None, epoch: -1 };
            topic.partitions.resize(topic.partitions.len().max(leaders.len()), unknown);
            for (index, &(leader, epoch)) in leaders.iter().enumerate() {
                let live = |(id, _): &&(BrokerId, NodeId)| Some(*id) == leader;
                let new =
                    PartitionMetadata { leader: self.brokers.iter().find(live).copied(), epoch };
                if epoch >= topic.partitions[index].epoch && topic.learn(index, new) {
                    self.changes += 1;
                    self.learned.push((place, index));
                }
            }
        }
        self.satisfied(now);
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    fn roster() -> Arc<Roster> {
        let mut roster = Roster::default();
        for name in ["z1", "b1", "b2"] {
            roster.add(name);
        }
        Arc::new(roster)
    }

    fn metadata() -> Metadata {
        metadata_of(KafkaVersion::new(2, 8))
    }

    fn metadata_of(release: KafkaVersion) -> Metadata {
        let config = MetadataConfig {
            release,
            max_age: Duration::from_secs(300),
            retry_backoff: Duration::from_millis(100),
            allow_auto_create: true,
            matching: None,
        };
        Metadata::new(config, 9, roster(), &[NodeId(1)], &["orders".into()])
    }

    fn answer(brokers: &[i32], leaders: &[(i32, LeaderEpoch)]) -> MetadataResponse {
        let broker = |&id: &i32| {
            MetadataResponseBroker::default()
                .with_node_id(id.into())
                .with_host(StrBytes::from_string(format!("b{id}")))
                .with_port(9092)
        };
        let partition = |(index, &(leader, epoch)): (usize, &(i32, LeaderEpoch))| {
            MetadataResponsePartition::default()
                .with_partition_index(index as i32)
                .with_leader_id(leader.into())
                .with_leader_epoch(epoch)
        };
        let topic = MetadataResponseTopic::default()
            .with_name(Some(topic_name("orders")))
            .with_partitions(leaders.iter().enumerate().map(partition).collect());
        MetadataResponse::default()
            .with_brokers(brokers.iter().map(broker).collect())
            .with_controller_id(2.into())
            .with_topics(vec![topic])
    }

    fn leader(metadata: &Metadata) -> Option<i32> {
        metadata.leader(0, 0).map(|leader| leader.broker.0)
    }

    #[test]
    fn a_leader_is_not_exchanged_for_one_of_an_older_epoch() {
        let mut metadata = metadata();
        metadata.update(&answer(&[1, 2], &[(2, 5)]));
        assert_eq!(leader(&metadata), Some(2));
        metadata.update(&answer(&[1, 2], &[(1, 4)]));
        assert_eq!(leader(&metadata), Some(2), "an answer from a broker that lags");
        metadata.update(&answer(&[1, 2], &[(1, 6)]));
        assert_eq!(leader(&metadata), Some(1));
        metadata.update(&answer(&[1, 2], &[(-1, 7)]));
        assert_eq!(leader(&metadata), None);
        metadata.update(&answer(&[1, 2], &[(2, -1)]));
        assert_eq!(leader(&metadata), Some(2), "without epochs the last answer counts");
    }

    #[test]
    fn an_answer_without_brokers_or_for_strange_partitions_changes_nothing() {
        let mut metadata = metadata();
        assert!(!metadata.update(&answer(&[], &[(1, 1)])));
        assert_eq!(metadata.partitions(0), 0);
        let mut strange = answer(&[1], &[(1, 1)]);
        strange.topics[0].partitions[0].partition_index = i32::MAX;
        metadata.update(&strange);
        assert_eq!((metadata.partitions(0), leader(&metadata)), (1, None));
    }

    #[test]
    fn a_leader_that_is_not_a_live_broker_is_none() {
        let mut metadata = metadata();
        metadata.update(&answer(&[1], &[(2, 1)]));
        assert_eq!(leader(&metadata), None);
        assert_eq!(metadata.controller(), None);
        metadata.update(&answer(&[1, 2], &[(2, 1)]));
        assert_eq!(metadata.controller(), Some(NodeId(2)));
    }

    #[test]
    fn a_topic_that_is_not_known_yet_is_asked_for_again_since_2_3() {
        let mut unknown = answer(&[1], &[]);
        unknown.topics[0].error_code = code::UNKNOWN_TOPIC_OR_PARTITION;
        let (asked, backoff) = (Time::from_millis(7_000), Duration::from_millis(100));
        for (minor, again) in [(2, Duration::from_secs(300)), (3, backoff)] {
            let mut metadata = metadata_of(KafkaVersion::new(2, minor));
            metadata.begin(asked, NodeId(1), &mut Effects::default());
            metadata.answered(asked, &unknown);
            let due = metadata.due().map(|due| due.since(asked));
            assert!(due >= Some(again) && due <= Some(again + backoff), "2.{minor}: {due:?}");
        }
    }

    #[test]
    fn a_topic_that_the_cluster_forgot_has_no_partitions() {
        let mut metadata = metadata();
        metadata.update(&answer(&[1, 2], &[(1, 1)]));
        let mut forgotten = answer(&[1, 2], &[]);
        forgotten.topics[0].error_code = 3;
        metadata.update(&forgotten);
        assert_eq!((metadata.partitions(0), leader(&metadata)), (0, None));
    }
}
