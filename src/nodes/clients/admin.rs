//! Creates a cluster's topics and waits until they are ready, as an operator does with `kafka-topics --create`.
//!
//! It waits until all brokers are registered, asks the controller to create the topics, and ends when every broker
//! knows all brokers and a leader for every partition of every topic. Then clients can start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, MetadataResponse, RequestKind, ResponseKind,
};
use tracing::{debug, info, warn};

use super::connections::{ConnectionConfig, Connections, Happenings, Readiness};
use super::metadata::{Metadata, MetadataConfig};
use super::protocol::{ApiVersions, code, error_name, text, topic_name};
use super::wake::{Wake, earlier};
use crate::nodes::Effects;
use crate::releases::KafkaVersion;
use crate::vocab::step::Input;
use crate::vocab::{BrokerId, Clock, NodeId, Roster, Stream, Time};

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions it gets.
    pub partitions: i32,
    /// How many replicas each partition gets.
    pub replication_factor: i16,
    /// The replicas of each partition, the preferred leader first; the controller chooses when there is none.
    pub assignment: Option<Vec<Vec<BrokerId>>>,
    /// Settings of the topic, under Kafka's names.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    fn partition_count(&self) -> usize {
        let chosen = usize::try_from(self.partitions).unwrap_or(0);
        self.assignment.as_ref().map_or(chosen, Vec::len)
    }

    fn request(&self) -> CreatableTopic {
        let config = |(name, value): (&String, &String)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(topic_name(&self.name))
            .with_configs(self.configs.iter().map(config).collect());
        let Some(assignment) = &self.assignment else {
            return topic
                .with_num_partitions(self.partitions)
                .with_replication_factor(self.replication_factor);
        };
        let partition = |(index, replicas): (i32, &Vec<BrokerId>)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(replicas.iter().map(|id| id.0.into()).collect())
        };
        topic
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments((0..).zip(assignment).map(partition).collect())
    }
}

/// The properties of the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// `client.id`
    pub name: Arc<str>,
    /// The release it behaves like.
    pub version: KafkaVersion,
    /// All brokers of the cluster (`bootstrap.servers`).
    pub brokers: Vec<NodeId>,
    /// What it creates.
    pub topics: Vec<NewTopic>,
    /// Between two looks at the cluster, and before a refused creation is tried again
    /// (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest wait before a refused creation is tried again; the wait doubles each time.
    pub retry_backoff_max: Duration,
    /// After this time it logs a warning, and no longer waits for all brokers before it creates the topics; it
    /// never gives up.
    pub time_limit: Duration,
    /// `request.timeout.ms`, `reconnect.backoff.ms` …
    pub connection: ConnectionConfig,
}

impl AdminConfig {
    /// The defaults of release `version`, and a time limit of a minute.
    pub fn new(
        name: impl Into<Arc<str>>,
        version: KafkaVersion,
        brokers: Vec<NodeId>,
        topics: Vec<NewTopic>,
    ) -> Self {
        Self {
            name: name.into(),
            version,
            brokers,
            topics,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1_000),
            time_limit: Duration::from_secs(60),
            connection: ConnectionConfig::default(),
        }
    }
}

/// One broker, as the admin knows it.
#[derive(Debug)]
struct Peer {
    node: NodeId,
    /// Whether a Metadata request to it is in flight.
    asked: bool,
    /// It is not asked before this moment.
    next_ask: Time,
    /// Whether it knows all brokers, and a leader for every partition.
    complete: bool,
}

/// The tag of CreateTopics requests; the tag of a Metadata request is the place of its broker.
const CREATE_TAG: u64 = u64::MAX;

/// The operator that creates the topics.
#[derive(Debug)]
pub struct Admin {
    config: AdminConfig,
    versions: ApiVersions,
    net: Connections,
    happened: Happenings,
    metadata: Metadata,
    peers: Vec<Peer>,
    created: Vec<bool>,
    creating: bool,
    refusals: u32,
    next_creation: Time,
    overdue_at: Option<Time>,
    overdue: bool,
    wake: Wake,
}

impl Admin {
    /// An admin that starts with [`Input::Start`] and ends its process when the topics are ready. `roster` is
    /// its DNS.
    pub fn new(config: AdminConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let versions = ApiVersions::of(config.version);
        let names: Vec<_> = config.topics.iter().map(|topic| topic.name.clone()).collect();
        let metadata_config = MetadataConfig {
            release: config.version,
            max_age: config.time_limit,
            retry_backoff: config.retry_backoff,
            allow_auto_create: false,
            matching: None,
        };
        let metadata =
            Metadata::new(metadata_config, versions.metadata, roster, &config.brokers, &names);
        let peer =
            |&node: &NodeId| Peer { node, asked: false, next_ask: Time::ZERO, complete: false };
        Self {
            versions,
            net: Connections::new(&config.name, config.connection.clone(), stream),
            happened: Happenings::default(),
            metadata,
            peers: config.brokers.iter().map(peer).collect(),
            created: vec![false; config.topics.len()],
            creating: false,
            refusals: 0,
            next_creation: Time::ZERO,
            overdue_at: None,
            overdue: false,
            wake: Wake::default(),
            config,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let now = clock.now;
        let mut happened = std::mem::take(&mut self.happened);
        match input {
            Input::Timer { id, .. } => {
                if !self.wake.fired(id) {
                    self.happened = happened;
                    return;
                }
            }
            Input::Shutdown => {
                effects.exit();
                return;
            }
            other => self.net.handle(now, other, effects, &mut happened),
        }
        self.net.expire(now, effects, &mut happened);
        self.digest(now, &mut happened);
        self.metadata.observe_changes(effects);
        self.happened = happened;
        if self.is_done() {
            info!("all brokers are registered and all topics have leaders");
            effects.exit();
            return;
        }
        let overdue_at = *self.overdue_at.get_or_insert(now + self.config.time_limit);
        if now >= overdue_at && !self.overdue {
            warn!(limit = ?self.config.time_limit, "topics are not ready in time, tries again");
            self.overdue = true;
        }
        let round = self.ask_around(now, effects);
        let creation = self.create(now, effects);
        let overdue = (!self.overdue).then_some(overdue_at);
        let next = [round, creation, overdue, self.net.deadline()];
        self.wake.arm(effects, next.into_iter().fold(None, earlier));
    }

    fn is_done(&self) -> bool {
        self.created.iter().all(|&created| created) && self.peers.iter().all(|peer| peer.complete)
    }

    fn digest(&mut self, now: Time, happened: &mut Happenings) {
        for (tag, body) in happened.responses.drain(..) {
            match body {
                ResponseKind::CreateTopics(body) => self.answered(now, &body),
                ResponseKind::Metadata(body) => {
                    self.metadata.update(&body);
                    let complete = self.is_complete(&body);
                    let peer = &mut self.peers[tag as usize];
                    peer.asked = false;
                    peer.complete = complete;
                }
                other => panic!("an admin does not ask for {other:?}"),
            }
        }
        for tag in happened.lost.drain(..) {
            if tag == CREATE_TAG {
                // The topics may exist now: then the next answer is TOPIC_ALREADY_EXISTS.
                self.creating = false;
                self.refused(now);
            } else {
                self.peers[tag as usize].asked = false;
            }
        }
    }

    /// Whether an answer has all brokers, and leaders for all partitions.
    fn is_complete(&self, body: &MetadataResponse) -> bool {
        let topic_is_ready = |wanted: &NewTopic| {
            let is_it = |name: &str| name == &*wanted.name;
            let topic = body
                .topics
                .iter()
                .find(|topic| topic.name.as_ref().is_some_and(|name| is_it(name.as_str())));
            topic.is_some_and(|topic| {
                topic.error_code == code::NONE
                    && topic.partitions.len() == wanted.partition_count()
                    && topic.partitions.iter().all(|p| p.leader_id.0 >= 0)
            })
        };
        body.brokers.len() >= self.peers.len() && self.config.topics.iter().all(topic_is_ready)
    }

    /// Asks every broker that does not know everything yet. Returns when to come back.
    fn ask_around(&mut self, now: Time, effects: &mut Effects) -> Option<Time> {
        let request = self.metadata.request();
        let request = (ApiKey::Metadata, self.versions.metadata, &request);
        let mut next = None;
        for (tag, peer) in (0u64..).zip(&mut self.peers) {
            if peer.asked || peer.complete {
                continue;
            }
            if peer.next_ask > now {
                next = earlier(next, Some(peer.next_ask));
                continue;
            }
            match self.net.prepare(now, peer.node, effects) {
                Readiness::Ready => {
                    self.net.send(now, peer.node, effects, request, tag);
                    peer.asked = true;
                    peer.next_ask = now + self.config.retry_backoff;
                }
                Readiness::Backoff(until) => next = earlier(next, Some(until)),
                Readiness::Wait => {}
            }
        }
        next
    }

    /// Asks the controller for the topics that are missing. Returns when to come back.
    fn create(&mut self, now: Time, effects: &mut Effects) -> Option<Time> {
        let all_here = self.metadata.brokers().len() >= self.peers.len();
        if self.creating || self.created.iter().all(|&created| created) {
            return None;
        }
        if !all_here && !self.overdue {
            return None;
        }
        if self.next_creation > now {
            return Some(self.next_creation);
        }
        let node = self.metadata.controller()?;
        match self.net.prepare(now, node, effects) {
            Readiness::Wait => return None,
            Readiness::Backoff(until) => return Some(until),
            Readiness::Ready => {}
        }
        let missing =
            self.config.topics.iter().zip(&self.created).filter(|(_, created)| !**created);
        let topics = missing.map(|(topic, _)| topic.request()).collect();
        let timeout = self.config.connection.request_timeout.as_millis();
        let body = RequestKind::CreateTopics(
            CreateTopicsRequest::default()
                .with_topics(topics)
                .with_timeout_ms(i32::try_from(timeout).unwrap_or(i32::MAX)),
        );
        let request = (ApiKey::CreateTopics, self.versions.create_topics, &body);
        self.net.send(now, node, effects, request, CREATE_TAG);
        self.creating = true;
        None
    }

    fn answered(&mut self, now: Time, body: &CreateTopicsResponse) {
        self.creating = false;
        for result in &body.topics {
            let name = result.name.as_str();
            // An answer about a topic that was not asked for.
            let Some(at) = self.config.topics.iter().position(|topic| &*topic.name == name) else {
                continue;
            };
            match result.error_code {
                code::NONE | code::TOPIC_ALREADY_EXISTS => {
                    debug!(topic = name, "topic is created");
                    self.created[at] = true;
                }
                error => {
                    let error = error_name(self.config.version, error);
                    warn!(topic = name, error, "topic is not created, trying again");
                }
            }
        }
        if !self.created.iter().all(|&created| created) {
            self.refused(now);
        }
    }

    fn refused(&mut self, now: Time) {
        let doubled = self.config.retry_backoff.saturating_mul(1 << self.refusals.min(20));
        self.next_creation = now + doubled.min(self.config.retry_backoff_max);
        self.refusals += 1;
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::create_topics_response::CreatableTopicResult;

    use super::*;
    use crate::nodes::clients::fake::{Answer, TOPIC, World, all_nodes, roster};
    use crate::vocab::Seed;
    use crate::wire::kafka::RequestFrame;

    const V2_8: KafkaVersion = KafkaVersion::new(2, 8);

    fn topic() -> NewTopic {
        NewTopic {
            name: TOPIC.into(),
            partitions: 1,
            replication_factor: 3,
            assignment: None,
            configs: BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]),
        }
    }

    fn result(error: i16) -> Answer {
        let result = CreatableTopicResult::default()
            .with_name(topic_name(TOPIC))
            .with_error_code(error)
            .with_topic_config_error_code(0);
        let body = CreateTopicsResponse::default().with_topics(vec![result]);
        Answer::body(ResponseKind::CreateTopics(body))
    }

    /// Three brokers, of which broker 1 controls. The topic appears when the test says so.
    fn world(answers: Vec<Option<i16>>) -> World<Admin> {
        let config = AdminConfig::new("admin", V2_8, all_nodes(3), vec![topic()]);
        let admin = Admin::new(config, roster(3), Seed(1).stream("admin"));
        let mut world = World::new(admin, 3, &[]);
        let mut answers = answers.into_iter();
        world.fake().script = Box::new(move |_, _, request: &RequestFrame| {
            if request.api != ApiKey::CreateTopics {
                return None;
            }
            Some(answers.next().flatten().map_or(Answer::Close, result))
        });
        world.start();
        world
    }

    fn appear(world: &mut World<Admin>) {
        world.fake().partitions.push(crate::nodes::clients::fake::Partition {
            leader: 2,
            epoch: 0,
            batches: Vec::new(),
            start: 0,
            end: 0,
        });
    }

    #[test]
    fn topics_are_created_at_the_controller_and_the_admin_ends_when_all_have_leaders() {
        let mut world = world(vec![Some(0)]);
        world.run_to(500);
        let created = world.seen(ApiKey::CreateTopics);
        assert_eq!((created.len(), created[0].1), (1, 1), "once, at the controller");
        let RequestKind::CreateTopics(request) = &created[0].2.body else { panic!("not it") };
        let asked = &request.topics[0];
        assert_eq!((asked.num_partitions, asked.replication_factor), (1, 3));
        assert_eq!(asked.configs[0].name.as_str(), "min.insync.replicas");
        assert!(!world.has_exited());
        appear(&mut world);
        world.run_to(700);
        assert!(world.has_exited());
    }

    #[test]
    fn refusals_and_lost_connections_are_tried_again_with_a_growing_wait() {
        let mut world = world(vec![Some(38), Some(41), None, Some(38), Some(38), Some(36)]);
        world.run_to(5_000);
        let at: Vec<_> = world.seen(ApiKey::CreateTopics).iter().map(|seen| seen.0).collect();
        assert_eq!(at.len(), 6);
        let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (wait, least) in waits.iter().zip([100, 200, 400, 800, 1_000]) {
            assert!((least..least + 120).contains(wait), "{waits:?}");
        }
        appear(&mut world);
        world.run_to(5_500);
        assert!(world.has_exited(), "a topic that exists already is as good as created");
    }

    #[test]
    fn topics_wait_for_all_brokers_until_the_time_limit() {
        let mut world = world(vec![Some(0)]);
        world.crash(3);
        world.run_to(59_000);
        assert!(world.seen(ApiKey::CreateTopics).is_empty());
        world.run_to(62_000);
        assert_eq!(world.seen(ApiKey::CreateTopics).len(), 1);
        appear(&mut world);
        world.run_to(70_000);
        assert!(!world.has_exited(), "it still waits for broker 3");
        world.start_brokers();
        world.run_to(73_000);
        assert!(world.has_exited());
    }

    #[test]
    fn a_chosen_assignment_is_sent_as_it_is() {
        let assigned =
            NewTopic { assignment: Some(vec![vec![BrokerId(2), BrokerId(1)]]), ..topic() };
        let request = assigned.request();
        assert_eq!((request.num_partitions, request.replication_factor), (-1, -1));
        let brokers = &request.assignments[0].broker_ids;
        assert_eq!(brokers.iter().map(|id| id.0).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(assigned.partition_count(), 1);
    }

    #[test]
    fn the_controller_is_followed_when_it_moves() {
        let mut world = world(Vec::new());
        let moved = world.fake().metadata(11).with_controller_id(2.into());
        let mut answers = [41, 0].into_iter();
        world.fake().script = Box::new(move |now, _, request: &RequestFrame| match request.api {
            ApiKey::CreateTopics => Some(result(answers.next().unwrap())),
            ApiKey::Metadata if now > Time::from_millis(50) => {
                Some(Answer::body(ResponseKind::Metadata(moved.clone())))
            }
            _ => None,
        });
        world.run_to(1_000);
        let to: Vec<_> = world.seen(ApiKey::CreateTopics).iter().map(|seen| seen.1).collect();
        assert_eq!(to, [1, 2]);
    }
}
