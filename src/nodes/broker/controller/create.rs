//! CreateTopics: the request is checked, `/config/topics/T` and then `/brokers/topics/T` are written (not
//! atomically, and without a fence: Kafka does both outside its controller thread), and the answer waits
//! until the partitions have leaders in the metadata of the controller's own broker (`kafka/server/AdminManager.scala`,
//! `kafka/zk/AdminZkClient.scala`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;

use super::assignment::assign;
use super::calls::{Answer, Call};
use super::creation::{
    Assignment, Creation, Leads, MetricNames, NewTopic, Outcome, Refusal, already_exists,
    assignment_refusal, chosen_assignment, config_refusal, name_refusal, planned, refuse_where,
    reply,
};
use super::kafka_controller::Controller;
use super::timers::Tick;
use crate::nodes::broker::config::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, TopicAssignment};
use crate::releases::Change;
use crate::releases::texts::{Text, say};
use crate::wire::zookeeper::Code;

impl Controller {
    /// The request's turn has come.
    pub(super) fn process_create_topics(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        client: &str,
        request: CreateTopicsRequest,
    ) {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        request.topics.iter().for_each(|topic| *times.entry(&topic.name).or_default() += 1);
        let mut answered = BTreeSet::new();
        let mut there = MetricNames::default();
        self.known.topics.iter().for_each(|topic| there.add(topic));
        for topic in &request.topics {
            if times[&**topic.name] == 1 {
                let planned = self.plan_topic(topic, &there);
                if let Ok(planned) = &planned {
                    there.add(&planned.name);
                }
                outcomes.push((topic.name.0.clone(), planned));
                continue;
            }
            let is_first = answered.insert(&topic.name);
            if is_first || self.config.version.has(Change::TopicTwiceAnsweredTwice) {
                let why = say(Text::TopicTwice, self.config.version, &[client, &topic.name]);
                outcomes.push((topic.name.0.clone(), Err((ResponseError::InvalidRequest, why))));
            }
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
                return reply(cx, &this.config, to, &outcomes);
            }
            this.write_configs(cx, to, outcomes, timeout_ms);
        });
    }

    fn plan_topic(
        &mut self,
        topic: &CreatableTopic,
        there: &MetricNames,
    ) -> Result<NewTopic, Refusal> {
        let version = self.config.version;
        let name: Arc<str> = (*topic.name.0).into();
        if self.known.topics.contains(&name) {
            return Err(already_exists(&name));
        }
        let config = self.given_config(topic)?;
        let assignment = self.given_or_drawn(topic)?;
        if let Some(refusal) = name_refusal(&name, version) {
            return Err(refusal);
        }
        let refusal = there
            .collision(&name)
            .or_else(|| assignment_refusal(&assignment, version))
            .or_else(|| config_refusal(&self.config, &config));
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(self.new_topic(name, assignment, config)),
        }
    }

    fn given_config(&self, topic: &CreatableTopic) -> Result<TopicOverrides, Refusal> {
        let version = self.config.version;
        let nulls = topic.configs.iter().filter(|setting| setting.value.is_none());
        let nulls: Vec<_> = nulls.map(|setting| &*setting.name).collect();
        if !nulls.is_empty() {
            let error = if version.has(Change::NullConfigIsInvalidConfig) {
                ResponseError::InvalidConfig
            } else if version.has(Change::NullConfigRefused) {
                ResponseError::InvalidRequest
            } else {
                ResponseError::UnknownServerError
            };
            return Err((error, say(Text::ConfigNull, version, &[&nulls.join(",")])));
        }
        let set = topic.configs.iter().filter_map(|setting| {
            Some((setting.name.to_string(), setting.value.as_ref()?.to_string()))
        });
        Ok(set.collect())
    }

    /// The replicas that the request names, or drawn ones.
    fn given_or_drawn(&mut self, topic: &CreatableTopic) -> Result<Assignment, Refusal> {
        let version = self.config.version;
        if !topic.assignments.is_empty() {
            if topic.num_partitions != -1 || topic.replication_factor != -1 {
                let why = "Both numPartitions or replicationFactor and replicasAssignments were \
                           set. Both cannot be used at the same time.";
                return Err((ResponseError::InvalidRequest, why.to_owned()));
            }
            return Ok(chosen_assignment(topic));
        }
        let takes_default = version.has(Change::DefaultsForMinusOne);
        let or_default = |value: i32, default: i32| match value {
            -1 if takes_default => default,
            value => value,
        };
        let partitions = or_default(topic.num_partitions, self.config.num_partitions);
        let factor = or_default(
            i32::from(topic.replication_factor),
            i32::from(self.config.default_replication_factor),
        );
        let brokers = self.known.registered();
        if partitions <= 0 {
            let why = say(Text::NoPartitions, version, &[]);
            return Err((ResponseError::InvalidPartitions, why));
        }
        if factor <= 0 {
            let why = say(Text::NoReplicas, version, &[]);
            return Err((ResponseError::InvalidReplicationFactor, why));
        }
        if factor as usize > brokers.len() {
            let numbers = [&*factor.to_string(), &*brokers.len().to_string()];
            let why = say(Text::MoreReplicasThanBrokers, version, &numbers);
            return Err((ResponseError::InvalidReplicationFactor, why));
        }
        let drawn = assign(&brokers, partitions as usize, factor as usize, &mut self.stream);
        Ok((0..).zip(drawn).collect())
    }

    fn new_topic(
        &mut self,
        name: Arc<str>,
        assignment: Assignment,
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
            let partitions = topic.assignment.clone();
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
                return Creation::new(to, outcomes).reply(cx, &this.config);
            }
            let number = this.creations.add(Creation::new(to, outcomes));
            let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
            this.timers.set(cx, timeout, Tick::Creation(number));
        });
    }

    /// The metadata of this controller's broker changed: requests whose topics have leaders there are answered
    /// (`DelayedCreatePartitions`).
    pub fn metadata_changed(&mut self, cx: &mut Context<'_>, leads: Leads<'_>) {
        for number in self.creations.see(leads) {
            self.end_creation(cx, number);
        }
    }

    /// Answers a request: all its topics have leaders, or its timeout is over.
    pub(super) fn end_creation(&mut self, cx: &mut Context<'_>, number: u64) {
        if let Some(creation) = self.creations.take(number) {
            creation.reply(cx, &self.config);
        }
    }
}
