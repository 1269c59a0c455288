//! Topics that appear, whoever wrote them: changes of `/brokers/topics`, and of a topic's assignment
//! (`KafkaController.processTopicChange`, `onNewPartitionCreation`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Controller;
use super::agenda::Step;
use super::calls::{Answer, Call};
use super::context::{Partition, ReplicaStage};
use super::failover::read_assignment;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::zookeeper::paths;
use crate::nodes::broker::zookeeper::payload::TopicAssignment;
use crate::vocab::TopicPartition;

impl Controller {
    /// `TopicChange`: topics appeared or are gone.
    pub(super) fn topic_change(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::children(paths::TOPICS, true)], |this, cx, answers| {
            let Answer::Children(names) = &answers[0] else { return };
            let now: BTreeSet<Arc<str>> = names.iter().cloned().collect();
            let known = std::mem::replace(&mut this.known.topics, now.clone());
            for gone in known.difference(&now) {
                this.known.partitions.retain(|at, _| at.topic != *gone);
            }
            let new: Vec<_> = now.difference(&known).cloned().collect();
            let calls = new.iter().map(|topic| Call::get(paths::topic(topic), true)).collect();
            this.ask(cx, calls, move |this, cx, answers| {
                let mut appeared = Vec::new();
                for (topic, answer) in new.into_iter().zip(&answers) {
                    let Some(assignment) = read_assignment(answer) else { continue };
                    observe_topic(cx, &topic, &assignment);
                    appeared.extend(this.take_assignment(&topic, assignment));
                }
                this.partitions_appeared(appeared);
            });
        });
    }

    /// `PartitionChange`: a topic got more partitions.
    pub(super) fn partition_change(&mut self, cx: &mut Context<'_>, topic: Arc<str>) {
        self.ask(cx, vec![Call::get(paths::topic(&topic), true)], move |this, _, answers| {
            let Some(assignment) = read_assignment(&answers[0]) else { return };
            if this.known.topics.contains(&topic) && !this.known.doomed.contains(&topic) {
                let appeared = this.take_assignment(&topic, assignment);
                this.partitions_appeared(appeared);
            }
        });
    }

    /// Remembers partitions that were not known; returns them.
    fn take_assignment(
        &mut self,
        topic: &Arc<str>,
        assignment: TopicAssignment,
    ) -> Vec<TopicPartition> {
        let mut appeared = Vec::new();
        for (index, replicas) in assignment.partitions {
            let at = TopicPartition::new(topic.clone(), index);
            if !self.known.partitions.contains_key(&at) {
                self.known.partitions.insert(at.clone(), Partition::new(replicas));
                appeared.push(at);
            }
        }
        appeared
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
        self.agenda.first([
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
