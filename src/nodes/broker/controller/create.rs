//! CreateTopics: the request is checked, `/config/topics/T` and then `/brokers/topics/T` are written (not
//! atomically, and without a fence: Kafka does both outside its controller thread), and the answer waits
//! until the partitions have leaders (`kafka/server/AdminManager.scala`, `kafka/zk/AdminZkClient.scala`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::assignment::assign;
use super::calls::{Answer, Call};
use super::{Controller, Tick};
use crate::nodes::broker::config::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, TopicAssignment};
use crate::releases::Change;
use crate::vocab::BrokerId;
use crate::wire::zookeeper::Code;

/// Longest name of a topic.
const MAX_NAME: usize = 249;

/// Why a topic is not created: Kafka's error, and a sentence.
type Refusal = (ResponseError, String);
/// One topic of the request: its name, and what is written or why not.
type Outcome = (StrBytes, Result<NewTopic, Refusal>);

/// A topic that is written.
#[derive(Clone, Debug)]
struct NewTopic {
    name: Arc<str>,
    /// Since 2.8.
    id: Option<Uuid>,
    assignment: Vec<Vec<BrokerId>>,
    config: TopicOverrides,
}

/// A CreateTopics whose topics wait for leaders.
#[derive(Debug)]
pub struct Creation {
    to: ReplyTo,
    outcomes: Vec<Outcome>,
}

/// Why a topic cannot have this name, if it cannot (`org.apache.kafka.common.internals.Topic`).
fn name_refusal(name: &str) -> Option<Refusal> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "Topic name is illegal, it can't be empty"
    } else if matches!(name, "." | "..") {
        "Topic name cannot be \".\" or \"..\""
    } else if name.len() > MAX_NAME {
        "Topic name is longer than 249 characters"
    } else if !name.chars().all(is_legal) {
        "Topic name has other characters than ASCII alphanumerics, '.', '_' and '-'"
    } else {
        return None;
    };
    Some((ResponseError::InvalidTopicException, why.to_owned()))
}

/// Whether a topic may have this name.
pub fn is_valid_topic(name: &str) -> bool {
    name_refusal(name).is_none()
}

/// The replicas that a request chose itself.
fn chosen_assignment(
    topic: &CreatableTopic,
    brokers: &[BrokerId],
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let refuse = |why: &str| Err((ResponseError::InvalidReplicaAssignment, why.to_owned()));
    let by_index: BTreeMap<i32, Vec<BrokerId>> = topic
        .assignments
        .iter()
        .map(|one| (one.partition_index, one.broker_ids.iter().map(|id| BrokerId(id.0)).collect()))
        .collect();
    if by_index.len() != topic.assignments.len()
        || !by_index.keys().copied().eq(0..by_index.len() as i32)
    {
        return refuse("Partitions should be a consecutive 0-based integer sequence.");
    }
    let assignment: Vec<Vec<BrokerId>> = by_index.into_values().collect();
    for replicas in &assignment {
        let distinct: BTreeSet<_> = replicas.iter().collect();
        if replicas.is_empty() || distinct.len() != replicas.len() {
            return refuse("Duplicate or no replicas in a partition's assignment.");
        }
        if replicas.len() != assignment[0].len() {
            return refuse("Partitions have different numbers of replicas.");
        }
        if !replicas.iter().all(|id| brokers.contains(id)) {
            return refuse("Unknown broker(s) in replica assignment.");
        }
    }
    Ok(assignment)
}

impl Controller {
    /// The request's turn has come.
    pub(super) fn process_create_topics(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: CreateTopicsRequest,
    ) {
        let mut names = BTreeMap::new();
        for topic in &request.topics {
            *names.entry(topic.name.clone()).or_insert(0) += 1;
        }
        let mut outcomes: Vec<Outcome> = Vec::new();
        for topic in &request.topics {
            if names[&topic.name] > 1 {
                let why = "Create topics request contains duplicate topics.".to_owned();
                if !outcomes.iter().any(|(name, _)| *name == topic.name.0) {
                    let refusal = Err((ResponseError::InvalidRequest, why));
                    outcomes.push((topic.name.0.clone(), refusal));
                }
                continue;
            }
            outcomes.push((topic.name.0.clone(), self.plan_topic(topic)));
        }
        let (timeout_ms, validate_only) = (request.timeout_ms, request.validate_only);
        let exists = |topic: &NewTopic| Call::exists(paths::topic(&topic.name), false);
        let calls = planned(&outcomes).map(exists).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            refuse_where(&mut outcomes, &answers, |answer| match answer {
                Answer::Stat(_) => Some(Code::NODE_EXISTS),
                _ => None,
            });
            if validate_only {
                return reply(cx, to, &outcomes);
            }
            this.write_configs(cx, to, outcomes, timeout_ms);
        });
    }

    fn plan_topic(&mut self, topic: &CreatableTopic) -> Result<NewTopic, Refusal> {
        let name: Arc<str> = (*topic.name.0).into();
        if let Some(refusal) = name_refusal(&name) {
            return Err(refusal);
        }
        let mut config = TopicOverrides::new();
        for setting in &topic.configs {
            let Some(value) = &setting.value else {
                let why = format!("Null value not supported for topic config {}", &*setting.name);
                return Err((ResponseError::InvalidConfig, why));
            };
            config.insert(setting.name.to_string(), value.to_string());
        }
        let brokers = self.known.registered();
        if !topic.assignments.is_empty() {
            if topic.num_partitions != -1 || topic.replication_factor != -1 {
                let why =
                    "Both numPartitions or replicationFactor and replicasAssignments were set.";
                return Err((ResponseError::InvalidRequest, why.to_owned()));
            }
            let assignment = chosen_assignment(topic, &brokers)?;
            return Ok(self.new_topic(name, assignment, config));
        }
        let or_default = |value: i32, default: i32| if value == -1 { default } else { value };
        let partitions = or_default(topic.num_partitions, self.config.num_partitions);
        let factor = or_default(
            i32::from(topic.replication_factor),
            i32::from(self.config.default_replication_factor),
        );
        if partitions <= 0 {
            let why = "Number of partitions must be larger than 0.".to_owned();
            return Err((ResponseError::InvalidPartitions, why));
        }
        if factor <= 0 || factor as usize > brokers.len() {
            let why = format!(
                "Replication factor: {factor} larger than available brokers: {}.",
                brokers.len()
            );
            return Err((ResponseError::InvalidReplicationFactor, why));
        }
        let assignment = assign(&brokers, partitions as usize, factor as usize, &mut self.stream);
        Ok(self.new_topic(name, assignment, config))
    }

    fn new_topic(
        &mut self,
        name: Arc<str>,
        assignment: Vec<Vec<BrokerId>>,
        config: TopicOverrides,
    ) -> NewTopic {
        let has_id = self.config.version.has(Change::TopicIds);
        let id = has_id.then(|| payload::random_uuid(&mut self.topic_ids));
        NewTopic { name, id, assignment, config }
    }

    fn write_configs(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        outcomes: Vec<Outcome>,
        timeout_ms: i32,
    ) {
        let create = |topic: &NewTopic| {
            let data = payload::encode_config(&topic.config);
            Call::create(paths::topic_config(&topic.name), Some(data)).unfenced()
        };
        let calls = planned(&outcomes).map(create).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            // Settings of an earlier topic of that name are replaced.
            let left_over = planned(&outcomes).zip(&answers);
            let left_over = left_over
                .filter(|(_, answer)| **answer == Answer::Failed(Code::NODE_EXISTS))
                .map(|(topic, _)| {
                    let data = payload::encode_config(&topic.config);
                    Call::set(paths::topic_config(&topic.name), data, -1).unfenced()
                })
                .collect();
            this.ask(cx, left_over, move |this, cx, _| {
                this.write_assignments(cx, to, outcomes, timeout_ms);
            });
        });
    }

    fn write_assignments(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        mut outcomes: Vec<Outcome>,
        timeout_ms: i32,
    ) {
        let version = self.config.version;
        let create = |topic: &NewTopic| {
            let partitions = (0..).zip(topic.assignment.iter().cloned()).collect();
            let topic_id = topic.id;
            let assignment = TopicAssignment { partitions, topic_id, ..TopicAssignment::default() };
            Call::create(paths::topic(&topic.name), Some(assignment.encode(version))).unfenced()
        };
        let calls = planned(&outcomes).map(create).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            refuse_where(&mut outcomes, &answers, |answer| match answer {
                Answer::Failed(code) => Some(*code),
                _ => None,
            });
            let waits = planned(&outcomes).next().is_some();
            if timeout_ms <= 0 || !waits {
                this.reply_created(cx, &Creation { to, outcomes });
                return;
            }
            let number = this.next_creation;
            this.next_creation += 1;
            this.creations.insert(number, Creation { to, outcomes });
            let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
            this.set_timer(cx, timeout, Tick::Creation(number));
        });
    }

    fn has_leaders(&self, topic: &NewTopic) -> bool {
        let led = self.known.of_topic(&topic.name).filter(|(_, one)| one.leader().is_some());
        led.count() >= topic.assignment.len()
    }

    /// Answers the requests whose topics have leaders now.
    pub(super) fn finish_creations(&mut self, cx: &mut Context<'_>) {
        let is_done =
            |creation: &Creation| planned(&creation.outcomes).all(|topic| self.has_leaders(topic));
        let done = self.creations.iter().filter(|(_, creation)| is_done(creation));
        let done: Vec<u64> = done.map(|(&number, _)| number).collect();
        for number in done {
            self.end_creation(cx, number);
        }
    }

    /// Answers a request, whether or not its topics have leaders: all are told now, or time is up.
    pub(super) fn end_creation(&mut self, cx: &mut Context<'_>, number: u64) {
        if let Some(creation) = self.creations.remove(&number) {
            self.reply_created(cx, &creation);
        }
    }

    fn reply_created(&self, cx: &mut Context<'_>, creation: &Creation) {
        let timed_out = || {
            let why = "Timed out waiting for leaders; the topic is created.".to_owned();
            Err((ResponseError::RequestTimedOut, why))
        };
        let outcomes: Vec<Outcome> = creation
            .outcomes
            .iter()
            .map(|(name, outcome)| match outcome {
                Ok(topic) if !self.has_leaders(topic) => (name.clone(), timed_out()),
                other => (name.clone(), other.clone()),
            })
            .collect();
        reply(cx, creation.to, &outcomes);
    }
}

/// The topics that are not refused (so far).
fn planned(outcomes: &[Outcome]) -> impl Iterator<Item = &NewTopic> {
    outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok())
}

/// Refuses those planned topics whose answers mean a failure.
fn refuse_where(
    outcomes: &mut [Outcome],
    answers: &[Answer],
    failure: impl Fn(&Answer) -> Option<Code>,
) {
    let planned = outcomes.iter_mut().filter(|(_, outcome)| outcome.is_ok());
    for ((name, outcome), answer) in planned.zip(answers) {
        *outcome = match failure(answer) {
            None => continue,
            Some(Code::NODE_EXISTS) => {
                let why = format!("Topic '{}' already exists.", &**name);
                Err((ResponseError::TopicAlreadyExists, why))
            }
            Some(code) => Err((ResponseError::UnknownServerError, code.to_string())),
        };
    }
}

fn reply(cx: &mut Context<'_>, to: ReplyTo, outcomes: &[Outcome]) {
    let results = outcomes.iter().map(|(name, outcome)| {
        let mut result = CreatableTopicResult::default()
            .with_name(kafka_protocol::messages::TopicName(name.clone()));
        match outcome {
            Ok(topic) if to.version >= 5 => {
                if to.version >= 7 {
                    result.topic_id = topic.id.unwrap_or_default();
                }
                result.num_partitions = topic.assignment.len() as i32;
                result.replication_factor = topic.assignment[0].len() as i16;
                result.configs = Some(Vec::new());
            }
            Ok(_) => {}
            Err((error, why)) => {
                result.error_code = error.code();
                if to.version >= 1 {
                    result.error_message = Some(StrBytes::from_string(why.clone()));
                }
            }
        }
        result
    });
    let response = CreateTopicsResponse::default().with_topics(results.collect());
    cx.reply(to, ResponseKind::CreateTopics(response));
}

/// Refuses a whole CreateTopics: this broker is not the controller.
pub fn refuse_all(cx: &mut Context<'_>, to: ReplyTo, request: &CreateTopicsRequest) {
    let refusal = (ResponseError::NotController, "This is not the correct controller".to_owned());
    let refused = |topic: &CreatableTopic| (topic.name.0.clone(), Err(refusal.clone()));
    let outcomes: Vec<Outcome> = request.topics.iter().map(refused).collect();
    reply(cx, to, &outcomes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_topics_are_checked() {
        for name in ["orders", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_valid_topic(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
            assert!(!is_valid_topic(name), "{name}");
        }
    }
}
