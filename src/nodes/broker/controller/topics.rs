//! Topics that appear, written by the controller or by a tool: changes of `/brokers/topics`, and of a topic's
//! assignment (`KafkaController.processTopicChange`, `onNewPartitionCreation`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::calls::{Answer, Call};
use super::context::{ControllerContext, ControllerPartition, ReplicaStage};
use super::event_manager::Step;
use super::failover::read_assignment;
use super::kafka_controller::Controller;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, TopicAssignment};
use crate::releases::Change;
use crate::vocab::TopicPartition;
use crate::wire::kafka::TEXT_MAX;

/// The topics whose names a request can carry. What else is below `/brokers/topics` no Kafka tool has written.
pub fn usable(names: &[Arc<str>]) -> BTreeSet<Arc<str>> {
    let fit = |name: &&Arc<str>| name.len() <= TEXT_MAX;
    let skipped = names.len() - names.iter().filter(fit).count();
    if skipped > 0 {
        tracing::warn!(skipped, "topics with names that are too long are skipped");
    }
    names.iter().filter(fit).cloned().collect()
}

impl ControllerContext {
    /// Remembers partitions that were not known; returns them.
    fn take_assignment(
        &mut self,
        topic: &Arc<str>,
        assignment: TopicAssignment,
    ) -> Vec<TopicPartition> {
        let mut appeared = Vec::new();
        for (index, replicas) in assignment.partitions {
            let at = TopicPartition::new(topic.clone(), index);
            if !self.partitions.contains_key(&at) {
                self.partitions.insert(at.clone(), ControllerPartition::new(replicas));
                appeared.push(at);
            }
        }
        appeared
    }
}

impl Controller {
    /// `TopicChange`: topics appeared or are gone.
    pub(super) fn topic_change(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::children(paths::TOPICS, true)], |this, cx, answers| {
            // An operator deleted the parent znode.
            let Answer::Children(names) = &answers[0] else { return };
            let now = usable(names);
            let known = std::mem::replace(&mut this.known.topics, now.clone());
            for gone in known.difference(&now) {
                this.known.partitions.retain(|at, _| at.topic != *gone);
                this.known.topic_ids.remove(gone);
            }
            let new: Vec<_> = now.difference(&known).cloned().collect();
            let calls = new.iter().map(|topic| Call::get(paths::topic(topic), true)).collect();
            this.ask(cx, calls, move |this, cx, answers| {
                let read = new.into_iter().zip(&answers);
                let mut assignments: Vec<_> = read
                    .filter_map(|(topic, answer)| Some((topic, read_assignment(answer)?)))
                    .collect();
                let calls = this.identify_topics(&mut assignments);
                this.ask(cx, calls, move |this, cx, _| {
                    let mut appeared = Vec::new();
                    for (topic, assignment) in assignments {
                        observe_topic(cx, &topic, &assignment);
                        appeared.extend(this.known.take_assignment(&topic, assignment));
                    }
                    this.partitions_appeared(appeared);
                });
            });
        });
    }

    /// Remembers the ids of topics. Those that have none, of an older tool or release, get one (2.8+,
    /// `processTopicIds`): returns what has to be written.
    pub(super) fn identify_topics(
        &mut self,
        assignments: &mut [(Arc<str>, TopicAssignment)],
    ) -> Vec<Call> {
        let version = self.config.version;
        let mut calls = Vec::new();
        if !version.has(Change::TopicIds) {
            return calls;
        }
        for (topic, assignment) in assignments {
            let id = match assignment.topic_id {
                Some(id) => id,
                None => {
                    let id = payload::random_uuid(&mut self.topic_ids);
                    assignment.topic_id = Some(id);
                    calls.push(Call::set(paths::topic(topic), assignment.encode(version), -1));
                    id
                }
            };
            self.known.topic_ids.insert(topic.clone(), id);
        }
        calls
    }

    /// `PartitionChange`: a topic got more partitions.
    pub(super) fn partition_change(&mut self, cx: &mut Context<'_>, topic: Arc<str>) {
        self.ask(cx, vec![Call::get(paths::topic(&topic), true)], move |this, _, answers| {
            // The topic was deleted since, or its znode is damaged.
            let Some(assignment) = read_assignment(&answers[0]) else { return };
            if this.known.topics.contains(&topic) && !this.known.to_be_deleted.contains(&topic) {
                let appeared = this.known.take_assignment(&topic, assignment);
                this.partitions_appeared(appeared);
            }
        });
    }

    fn partitions_appeared(&mut self, partitions: Vec<TopicPartition>) {
        if partitions.is_empty() {
            return;
        }
        let mut replicas = Vec::new();
        for at in &partitions {
            let assigned = self.known.partitions[at].replicas.iter();
            replicas.extend(assigned.map(|&id| (at.clone(), id)));
        }
        for replica in &replicas {
            self.known.put_replica(replica, ReplicaStage::New);
        }
        self.event_manager.first([
            Step::Initialize(partitions),
            Step::Flush,
            Step::ReplicasOnline(replicas),
            Step::Flush,
        ]);
    }
}

fn observe_topic(cx: &mut Context<'_>, topic: &Arc<str>, assignment: &TopicAssignment) {
    tracing::info!(%topic, assignment = ?assignment.partitions, "a topic appeared");
    let assignment = assignment.partitions.values().cloned().collect();
    let created = BrokerObservation::TopicCreated { topic: topic.clone(), assignment };
    cx.effects.observe(Observation::Broker(created));
}
