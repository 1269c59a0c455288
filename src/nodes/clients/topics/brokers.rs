//! `kafka-topics --bootstrap-server`: asks brokers, by Metadata and DescribeConfigs (`AdminClient`).
//!
//! Three questions, one after the other, each to the least loaded broker: which topics exist, what their settings
//! are, and which brokers lead. A broker that lags behind does not know new topics, and answers with old leaders.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, DescribeConfigsRequest, DescribeConfigsResponse, MetadataRequest, MetadataResponse,
    RequestKind, ResponseKind,
};

use super::config::{Progress, TopicsConfig};
use super::description::{ClusterDescription, TopicDescription, TopicPartitionInfo};
use super::{java, print};
use crate::nodes::Effects;
use crate::nodes::clients::connections::{ConnectionConfig, Connections, Happenings, Readiness};
use crate::nodes::clients::protocol::{ApiVersions, code, error_name, text, topic_name};
use crate::nodes::clients::wake::{Wake, earlier};
use crate::releases::defaults::{ADMIN, millis};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Roster, Stream, Time, TopicsAction};

/// `ConfigResource.Type.TOPIC`
const TOPIC: i8 = 2;
/// `ConfigSource.DEFAULT_CONFIG`
const FROM_DEFAULT: i8 = 5;
/// A topic has some thirty settings: a `HashMap` of them has grown to 64 buckets, which 25 to 48 keys fill.
const BUCKETS_OF_CONFIGS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Names,
    Configs,
    Leaders,
}

impl Question {
    /// Its name in `KafkaAdminClient`.
    fn name(self) -> &'static str {
        match self {
            Self::Names => "listTopics",
            Self::Configs => "describeConfigs",
            Self::Leaders => "describeTopics",
        }
    }
}

/// The three questions, and how far they are answered.
#[derive(Debug)]
pub struct Brokers {
    config: TopicsConfig,
    versions: ApiVersions,
    roster: Arc<Roster>,
    net: Connections,
    nodes: Vec<NodeId>,
    question: Question,
    is_asked: bool,
    next_ask: Time,
    deadline: Option<Time>,
    topics: Vec<TopicDescription>,
    wake: Wake,
}

impl Brokers {
    /// A call that has not asked anything.
    pub fn new(config: TopicsConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let connection = ConnectionConfig {
            request_timeout: millis(ADMIN, "request.timeout.ms", config.version)
                .expect("a release whose tools ask brokers has an admin client"),
            ..ConnectionConfig::default()
        };
        Self {
            versions: ApiVersions::of(config.version),
            net: Connections::new(&config.name, connection, stream),
            nodes: config.servers.clone(),
            roster,
            question: Question::Names,
            is_asked: false,
            next_ask: Time::ZERO,
            deadline: None,
            topics: Vec::new(),
            wake: Wake::default(),
            config,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) -> Progress {
        let now = clock.now;
        let mut happened = Happenings::default();
        match input {
            Input::Timer { id, .. } => {
                if !self.wake.fired(id) {
                    return Progress::Waits;
                }
            }
            other => self.net.handle(now, other, effects, &mut happened),
        }
        self.net.expire(now, effects, &mut happened);
        for (_, answer) in happened.responses {
            self.is_asked = false;
            if let Some(lines) = self.answered(answer) {
                return Progress::Printed(lines);
            }
            self.deadline = None;
        }
        if !happened.lost.is_empty() {
            self.is_asked = false;
            // `retry.backoff.ms`
            self.next_ask = now + Duration::from_millis(100);
        }
        let deadline = *self.deadline.get_or_insert(now + time_limit(self.config.version));
        if now >= deadline {
            return Progress::Printed(vec![self.timed_out()]);
        }
        let next = self.ask(now, effects);
        let next = [next, Some(deadline), self.net.deadline()];
        self.wake.arm(effects, next.into_iter().fold(None, earlier));
        Progress::Waits
    }

    fn timed_out(&self) -> String {
        let call = match self.config.version.has(Change::AdminTimeoutNamesCall) {
            true => format!(" Call: {}", self.question.name()),
            false => String::new(),
        };
        print::error(&format!("Timed out waiting for a node assignment.{call}"))
    }

    /// Asks the next question. Returns when to come back.
    fn ask(&mut self, now: Time, effects: &mut Effects) -> Option<Time> {
        if self.is_asked {
            return None;
        }
        if now < self.next_ask {
            return Some(self.next_ask);
        }
        // All nodes are in back-off.
        let Some(node) = self.net.least_loaded(now, &self.nodes) else {
            return self.net.backoff_ends(now, &self.nodes);
        };
        match self.net.prepare(now, node, effects) {
            Readiness::Wait => return None,
            Readiness::Backoff(until) => return Some(until),
            Readiness::Ready => {}
        }
        let (api, version, body) = self.request();
        self.net.send(now, node, effects, (api, version, &body), 0);
        self.is_asked = true;
        None
    }

    fn request(&self) -> (ApiKey, i16, RequestKind) {
        let metadata = |topics| {
            let body = MetadataRequest::default()
                .with_topics(topics)
                .with_allow_auto_topic_creation(false);
            (ApiKey::Metadata, self.versions.metadata, RequestKind::Metadata(body))
        };
        match self.question {
            Question::Names => metadata(None),
            Question::Leaders => {
                let topic = |topic: &TopicDescription| {
                    MetadataRequestTopic::default().with_name(Some(topic_name(&topic.name)))
                };
                metadata(Some(self.topics.iter().map(topic).collect()))
            }
            Question::Configs => {
                let resource = |topic: &TopicDescription| {
                    DescribeConfigsResource::default()
                        .with_resource_type(TOPIC)
                        .with_resource_name(text(&topic.name))
                        .with_configuration_keys(None)
                };
                let resources = self.topics.iter().map(resource).collect();
                let body = DescribeConfigsRequest::default().with_resources(resources);
                let version = self.versions.describe_configs;
                (ApiKey::DescribeConfigs, version, RequestKind::DescribeConfigs(body))
            }
        }
    }

    /// Processes an answer. Returns the lines once everything is known.
    fn answered(&mut self, answer: ResponseKind) -> Option<Vec<String>> {
        match (self.question, answer) {
            (Question::Names, ResponseKind::Metadata(body)) => self.names(&body),
            (Question::Configs, ResponseKind::DescribeConfigs(body)) => self.configs(&body),
            (Question::Leaders, ResponseKind::Metadata(body)) => Some(self.leaders(&body)),
            (question, answer) => panic!("{question:?} answered by {answer:?}"),
        }
    }

    fn print(&mut self, live: &MetadataResponse) -> Vec<String> {
        let live = live.brokers.iter().map(|broker| broker.node_id.0).collect();
        let description = ClusterDescription { topics: std::mem::take(&mut self.topics), live };
        print::lines(self.config.version, &self.config.command, &description)
    }

    fn names(&mut self, body: &MetadataResponse) -> Option<Vec<String>> {
        let hosts = body.brokers.iter().filter_map(|broker| self.roster.find(&broker.host));
        let nodes: Vec<NodeId> = hosts.collect();
        if !nodes.is_empty() {
            self.nodes = nodes;
        }
        let command = &self.config.command;
        let names = body.topics.iter().filter_map(|topic| topic.name.as_ref());
        let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
        names.retain(|name| command.names(name));
        names.sort_unstable();
        let topic = |name| TopicDescription { name, ..TopicDescription::default() };
        self.topics = names.into_iter().map(topic).collect();
        if self.topics.is_empty() || command.action == TopicsAction::List {
            return Some(self.print(body));
        }
        self.question = Question::Configs;
        None
    }

    fn configs(&mut self, body: &DescribeConfigsResponse) -> Option<Vec<String>> {
        for result in &body.results {
            if result.error_code != code::NONE {
                return Some(vec![self.refused(result.error_code)]);
            }
            let is_it = |topic: &&mut TopicDescription| topic.name == result.resource_name.as_str();
            // An answer about something that was not asked for.
            let Some(topic) = self.topics.iter_mut().find(is_it) else { continue };
            let is_default = |config: &DescribeConfigsResourceResult| {
                config.is_default || config.config_source == FROM_DEFAULT
            };
            let set = result.configs.iter().filter(|config| !is_default(config));
            let name_and_value = |config: &DescribeConfigsResourceResult| {
                let value = config.value.as_ref().map_or("null", |value| value.as_str());
                (config.name.to_string(), value.to_owned())
            };
            topic.configs = set.map(name_and_value).collect();
            java::hash_map_order(&mut topic.configs, BUCKETS_OF_CONFIGS, |(name, _)| name);
        }
        self.question = Question::Leaders;
        None
    }

    fn leaders(&mut self, body: &MetadataResponse) -> Vec<String> {
        for answer in &body.topics {
            if answer.error_code != code::NONE {
                return vec![self.refused(answer.error_code)];
            }
            let name = answer.name.as_ref().map(|name| name.as_str());
            let is_it = |topic: &&mut TopicDescription| Some(&*topic.name) == name;
            // Before 0.11 one cannot ask for chosen topics without creating them: the answer has all.
            let Some(topic) = self.topics.iter_mut().find(is_it) else { continue };
            let live = |id: i32| body.brokers.iter().any(|broker| broker.node_id.0 == id);
            topic.id = id_of(answer);
            topic.partitions = answer.partitions.iter().map(|one| partition(one, live)).collect();
            topic.partitions.sort_by_key(|partition| partition.index);
        }
        let count = self.topics.len();
        java::hash_map_order(&mut self.topics, count, |topic| &topic.name);
        self.print(body)
    }

    fn refused(&self, error: i16) -> String {
        match error {
            code::UNKNOWN_TOPIC_OR_PARTITION => {
                print::error("This server does not host this topic-partition.")
            }
            error => print::error(error_name(self.config.version, error)),
        }
    }
}

/// How long one question may take: `request.timeout.ms`, and `default.api.timeout.ms` since 2.5 (KIP-533).
fn time_limit(version: KafkaVersion) -> Duration {
    let default = |name| millis(ADMIN, name, version);
    let limit = default("default.api.timeout.ms").or_else(|| default("request.timeout.ms"));
    limit.expect("a release whose tools ask brokers has an admin client")
}

fn partition(answer: &MetadataResponsePartition, live: impl Fn(i32) -> bool) -> TopicPartitionInfo {
    let leader = answer.leader_id.0;
    TopicPartitionInfo {
        index: answer.partition_index,
        // A leader that is not among the brokers of the answer counts as none.
        leader: live(leader).then_some(leader),
        replicas: answer.replica_nodes.iter().map(|id| id.0).collect(),
        isr: answer.isr_nodes.iter().map(|id| id.0).collect(),
    }
}

/// A topic's id as `Uuid.toString` has it: base64 for addresses, without padding.
fn id_of(answer: &MetadataResponseTopic) -> Option<String> {
    use crate::nodes::broker::znodes::payload::encode_uuid;
    (!answer.topic_id.is_nil()).then(|| encode_uuid(answer.topic_id))
}
