//! CreateTopics: what is checked in memory, how topics end, and the requests that wait for leaders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::calls::Answer;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::shown::{self, Shown, topic_value};
use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::texts::{Text, say};
use crate::releases::{Change, KafkaVersion, settings};
use crate::vocab::BrokerId;
use crate::wire::zookeeper::Code;

/// Longest name of a topic.
const MAX_NAME: usize = 249;

/// Why a topic is not created: Kafka's error, and a sentence, or an empty text where Kafka says nothing.
pub type Refusal = (ResponseError, String);
/// One topic of the request: its name, and what is written or why not.
pub type Outcome = (StrBytes, Result<NewTopic, Refusal>);

/// The replicas of each partition of a topic.
pub type Assignment = BTreeMap<i32, Vec<BrokerId>>;

/// A topic that is written.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Since 2.8.
    pub id: Option<Uuid>,
    /// The replicas of each partition.
    pub assignment: Assignment,
    /// Its own settings.
    pub config: TopicOverrides,
}

/// Whether a partition has a leader, as far as the broker's own metadata say.
pub type Leads<'a> = &'a dyn Fn(&str, i32) -> bool;

/// A CreateTopics whose topics wait for leaders.
#[derive(Debug)]
pub struct Creation {
    /// Where its response goes.
    to: ReplyTo,
    /// How each topic ended, so far.
    outcomes: Vec<Outcome>,
    /// The topics whose partitions had leaders, all of them, when the metadata changed last.
    led: BTreeSet<Arc<str>>,
}

impl Creation {
    /// Its topics are written.
    pub fn new(to: ReplyTo, outcomes: Vec<Outcome>) -> Self {
        Self { to, outcomes, led: BTreeSet::new() }
    }

    fn see(&mut self, leads: Leads<'_>) {
        let is_led = |topic: &&NewTopic| {
            topic.assignment.keys().all(|partition| leads(&topic.name, *partition))
        };
        self.led = planned(&self.outcomes).filter(is_led).map(|one| one.name.clone()).collect();
    }

    fn is_done(&self) -> bool {
        planned(&self.outcomes).all(|topic| self.led.contains(&topic.name))
    }

    /// Answers: what has no leaders took too long.
    pub fn reply(self, cx: &mut Context<'_>, config: &Config) {
        let Self { to, mut outcomes, led } = self;
        for (_, outcome) in &mut outcomes {
            if outcome.as_ref().is_ok_and(|topic| !led.contains(&topic.name)) {
                *outcome = Err((ResponseError::RequestTimedOut, String::new()));
            }
        }
        reply(cx, config, to, &outcomes);
    }
}

/// Owns the CreateTopics that wait.
#[derive(Debug, Default)]
pub struct Creations {
    waiting: BTreeMap<u64, Creation>,
    next: u64,
}

impl Creations {
    /// Lets a request wait; returns its number.
    pub fn add(&mut self, creation: Creation) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, creation);
        number
    }

    /// The metadata changed. Returns the numbers of the requests whose topics all have leaders now.
    pub fn see(&mut self, leads: Leads<'_>) -> Vec<u64> {
        self.waiting.values_mut().for_each(|creation| creation.see(leads));
        let done = self.waiting.iter().filter(|(_, creation)| creation.is_done());
        done.map(|(&number, _)| number).collect()
    }

    /// Takes a request out; `None` when it was answered before its timeout.
    pub fn take(&mut self, number: u64) -> Option<Creation> {
        self.waiting.remove(&number)
    }
}

/// Why a topic cannot have this name, if it cannot (`org.apache.kafka.common.internals.Topic`).
pub fn name_refusal(name: &str, version: KafkaVersion) -> Option<Refusal> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let text = if name.is_empty() {
        Text::TopicNameEmpty
    } else if matches!(name, "." | "..") {
        Text::TopicNameDots
    } else if name.encode_utf16().count() > MAX_NAME {
        Text::TopicNameLong
    } else if !name.chars().any(is_legal) {
        Text::TopicNameStrange
    } else if !name.chars().all(is_legal) {
        Text::TopicNameCharacters
    } else {
        return None;
    };
    Some((ResponseError::InvalidTopicException, say(text, version, &[name])))
}

/// Whether a topic may have this name.
pub fn is_valid_topic(name: &str) -> bool {
    name_refusal(name, KafkaVersion::default()).is_none()
}

/// Topics by the name that their metrics have: no two topics may have metrics of the same name.
#[derive(Debug, Default)]
pub struct MetricNames(BTreeMap<String, Vec<Arc<str>>>);

impl MetricNames {
    /// One more topic.
    pub fn add(&mut self, topic: &Arc<str>) {
        self.0.entry(topic.replace('.', "_")).or_default().push(topic.clone());
    }

    /// Why another topic cannot be there beside these, if it cannot.
    pub fn collision(&self, name: &str) -> Option<Refusal> {
        let same = self.0.get(&name.replace('.', "_"))?;
        let same: Vec<&str> =
            same.iter().map(|other| &**other).filter(|one| *one != name).collect();
        (!same.is_empty()).then(|| {
            let why = format!("Topic '{name}' collides with existing topics: {}", same.join(", "));
            (ResponseError::InvalidTopicException, why)
        })
    }
}

/// The replicas that a request chose itself; whether those brokers exist is not looked at.
pub fn chosen_assignment(topic: &CreatableTopic) -> Assignment {
    let ids =
        |one: &CreatableReplicaAssignment| one.broker_ids.iter().map(|id| BrokerId(id.0)).collect();
    topic.assignments.iter().map(|one| (one.partition_index, ids(one))).collect()
}

/// Why the replicas cannot be these, if they cannot (`AdminZkClient.validateTopicCreate`).
pub fn assignment_refusal(assignment: &Assignment, version: KafkaVersion) -> Option<Refusal> {
    let refuse = |why: String| Some((ResponseError::InvalidReplicaAssignment, why));
    let sizes: BTreeSet<_> = assignment.values().map(Vec::len).collect();
    if sizes.len() != 1 {
        return refuse("All partitions should have the same number of replicas".to_owned());
    }
    let is_twice = |replicas: &Vec<BrokerId>| {
        let distinct: BTreeSet<_> = replicas.iter().collect();
        distinct.len() != replicas.len()
    };
    if assignment.values().any(is_twice) {
        let rows = assignment.iter().map(|(partition, replicas)| {
            let ids: Vec<_> = replicas.iter().map(ToString::to_string).collect();
            format!("{partition} -> ArrayBuffer({})", ids.join(", "))
        });
        let rows: Vec<_> = rows.collect();
        let map = if version.has(Change::NewScalaCollections) { "HashMap" } else { "Map" };
        return refuse(format!("Duplicate replica assignment found: {map}({})", rows.join(", ")));
    }
    let has_gaps = !assignment.keys().copied().eq(0..assignment.len() as i32);
    if has_gaps && version.has(Change::AssignmentWithoutGaps) {
        let why = "partitions should be a consecutive 0-based integer sequence";
        return refuse(why.to_owned());
    }
    None
}

/// Why a topic cannot have some settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// There is no such setting.
    Unknown(String),
    /// A setting cannot have this value.
    Value(String),
    /// Two settings do not go together.
    Conflict(String),
}

/// Why a topic cannot have these settings, if it cannot (`LogConfig.validate`), in Kafka's words.
pub fn config_fault(config: &Config, set: &TopicOverrides) -> Option<ConfigFault> {
    let version = config.version;
    for name in set.keys() {
        if settings::of_topic(name, version).is_none() {
            return Some(ConfigFault::Unknown(say(Text::ConfigUnknown, version, &[name])));
        }
    }
    let wrong = set.iter().find_map(|(name, value)| {
        settings::check(settings::of_topic(name, version)?, value, version).err()
    });
    if let Some(why) = wrong {
        return Some(ConfigFault::Value(why));
    }
    let value = |name: &str| topic_value(config, set, settings::of_topic(name, version)?);
    settings::conflict(value).map(ConfigFault::Conflict)
}

/// Why a topic cannot be made with these settings, if it cannot.
pub fn config_refusal(config: &Config, set: &TopicOverrides) -> Option<Refusal> {
    let of_value = match config.version.has(Change::InvalidConfigError) {
        true => ResponseError::InvalidConfig,
        false => ResponseError::UnknownServerError,
    };
    Some(match config_fault(config, set)? {
        ConfigFault::Value(why) => (of_value, why),
        ConfigFault::Unknown(why) | ConfigFault::Conflict(why) => {
            (ResponseError::InvalidConfig, why)
        }
    })
}

/// There is such a topic.
pub fn already_exists(name: &str) -> Refusal {
    (ResponseError::TopicAlreadyExists, format!("Topic '{name}' already exists."))
}

/// The topics that are not refused (so far).
pub fn planned(outcomes: &[Outcome]) -> impl Iterator<Item = &NewTopic> {
    outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok())
}

/// Refuses those planned topics whose answers mean a failure.
pub fn refuse_where(
    outcomes: &mut [Outcome],
    answers: &[Answer],
    failure: impl Fn(&Answer) -> Option<Code>,
) {
    let planned = outcomes.iter_mut().filter(|(_, outcome)| outcome.is_ok());
    for ((name, outcome), answer) in planned.zip(answers) {
        *outcome = match failure(answer) {
            None => continue,
            Some(Code::NODE_EXISTS) => Err(already_exists(name)),
            Some(code) => Err((ResponseError::UnknownServerError, code.to_string())),
        };
    }
}

/// Answers CreateTopics.
pub fn reply(cx: &mut Context<'_>, config: &Config, to: ReplyTo, outcomes: &[Outcome]) {
    let results = outcomes.iter().map(|(name, outcome)| {
        let mut result = CreatableTopicResult::default()
            .with_error_message(None)
            .with_name(kafka_protocol::messages::TopicName(name.clone()));
        match outcome {
            Ok(topic) if to.version >= 5 => {
                if to.version >= 7 {
                    result.topic_id = topic.id.unwrap_or_default();
                }
                result.num_partitions = topic.assignment.len() as i32;
                let factor = topic.assignment.values().next().map_or(0, Vec::len);
                result.replication_factor = factor as i16;
                result.configs = Some(topic_configs(config, &topic.config));
            }
            Ok(_) => {}
            Err((error, why)) => {
                result.error_code = error.code();
                let says = *error != ResponseError::UnknownServerError
                    || config.version.has(Change::ServerErrorsSaySomething);
                if to.version >= 1 && says && !why.is_empty() {
                    result.error_message = Some(StrBytes::from_string(why.clone()));
                }
            }
        }
        result
    });
    let response = CreateTopicsResponse::default().with_topics(results.collect());
    cx.reply(to, ResponseKind::CreateTopics(response));
}

/// What holds for a topic that sets `own`.
fn topic_configs(config: &Config, own: &TopicOverrides) -> Vec<CreatableTopicConfigs> {
    let entry = |shown: Shown| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(shown.name))
            .with_value(shown.value.map(StrBytes::from_string))
            .with_read_only(shown.read_only)
            .with_config_source(shown.source as i8)
    };
    shown::of_topic(config, own).into_iter().map(entry).collect()
}

/// Refuses a whole CreateTopics: this broker is not the controller.
pub fn refuse_all(
    cx: &mut Context<'_>,
    config: &Config,
    to: ReplyTo,
    request: &CreateTopicsRequest,
) {
    let refusal = (ResponseError::NotController, String::new());
    let refused = |topic: &CreatableTopic| (topic.name.0.clone(), Err(refusal.clone()));
    let outcomes: Vec<Outcome> = request.topics.iter().map(refused).collect();
    reply(cx, config, to, &outcomes);
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
