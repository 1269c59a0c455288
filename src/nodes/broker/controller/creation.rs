//! CreateTopics: what is checked in memory, how topics end, and the requests that wait for leaders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::calls::Answer;
use crate::nodes::broker::config::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::BrokerId;
use crate::wire::zookeeper::Code;

/// Longest name of a topic.
const MAX_NAME: usize = 249;

/// Why a topic is not created: Kafka's error, and a sentence.
pub type Refusal = (ResponseError, String);
/// One topic of the request: its name, and what is written or why not.
pub type Outcome = (StrBytes, Result<NewTopic, Refusal>);

/// A topic that is written.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Since 2.8.
    pub id: Option<Uuid>,
    /// The replicas of each partition.
    pub assignment: Vec<Vec<BrokerId>>,
    /// Its own settings.
    pub config: TopicOverrides,
}

/// A CreateTopics whose topics wait for leaders.
#[derive(Debug)]
pub struct Creation {
    /// Where its response goes.
    pub to: ReplyTo,
    /// How each topic ended, so far.
    pub outcomes: Vec<Outcome>,
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

    /// The numbers of the requests whose topics all have leaders.
    pub fn done(&self, has_leaders: impl Fn(&NewTopic) -> bool) -> Vec<u64> {
        let is_done = |one: &Creation| planned(&one.outcomes).all(&has_leaders);
        let done = self.waiting.iter().filter(|(_, creation)| is_done(creation));
        done.map(|(&number, _)| number).collect()
    }

    /// Takes a request out; `None` when it was answered before its timeout.
    pub fn take(&mut self, number: u64) -> Option<Creation> {
        self.waiting.remove(&number)
    }
}

/// Why a topic cannot have this name, if it cannot (`org.apache.kafka.common.internals.Topic`).
pub fn name_refusal(name: &str) -> Option<Refusal> {
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
pub fn chosen_assignment(
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
            Some(Code::NODE_EXISTS) => {
                let why = format!("Topic '{}' already exists.", &**name);
                Err((ResponseError::TopicAlreadyExists, why))
            }
            Some(code) => Err((ResponseError::UnknownServerError, code.to_string())),
        };
    }
}

/// Answers CreateTopics.
pub fn reply(cx: &mut Context<'_>, to: ReplyTo, outcomes: &[Outcome]) {
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
