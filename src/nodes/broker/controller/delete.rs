//! Deletion of topics: every replica is stopped and deletes its log, then the topic's znodes go
//! (`kafka/controller/TopicDeletionManager.scala`). A topic with a replica on a dead broker waits for it. Without
//! `delete.topic.enable` it is forgotten that a topic is to be deleted.

use std::sync::Arc;

use super::batch::Batch;
use super::calls::{Answer, Call};
use super::context::{ControllerContext, PartitionStage, Replica, ReplicaStage};
use super::event_manager::Step;
use super::kafka_controller::Controller;
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::vocab::{BrokerId, TopicPartition};

impl ControllerContext {
    fn replica_stages(&self, topic: &Arc<str>) -> Vec<(Replica, Option<ReplicaStage>)> {
        let mut stages = Vec::new();
        for (at, partition) in self.of_topic(topic) {
            for id in &partition.replicas {
                let stage = partition.replica_stages.get(id).copied();
                stages.push(((at.clone(), *id), stage));
            }
        }
        stages
    }

    /// The partitions of a topic go offline; returns them.
    fn take_offline(&mut self, topic: &Arc<str>) -> Vec<TopicPartition> {
        let partitions: Vec<_> = self.of_topic(topic).map(|(at, _)| at.clone()).collect();
        for at in &partitions {
            if let Some(partition) = self.partitions.get_mut(at) {
                partition.stage = PartitionStage::Offline;
            }
        }
        partitions
    }

    fn forget_topic(&mut self, topic: &Arc<str>) {
        self.partitions.retain(|at, _| at.topic != *topic);
        self.topics.remove(topic);
        self.topic_ids.remove(topic);
        self.to_be_deleted.remove(topic);
    }
}

impl Batch {
    /// Sends replicas StopReplica, with which they delete their logs.
    pub fn delete_replicas(&mut self, known: &mut ControllerContext, replicas: &[Replica]) {
        for replica in replicas {
            self.stop_replica(replica.1, &replica.0, true);
            known.put_replica(replica, ReplicaStage::DeletionStarted);
        }
    }
}

impl Controller {
    /// `TopicDeletion`: reads which topics are to be deleted.
    pub(super) fn topic_deletion(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::children(paths::DELETE_TOPICS, true)], |this, cx, answers| {
            // An operator deleted the parent znode.
            let Answer::Children(wanted) = &answers[0] else { return };
            let deletes = this.config.deletes_topics();
            let (known, unknown): (Vec<_>, Vec<_>) = wanted
                .iter()
                .cloned()
                .partition(|topic| deletes && this.known.topics.contains(topic));
            this.known.to_be_deleted.extend(known);
            let calls =
                unknown.iter().map(|topic| Call::delete(paths::delete_topic(topic))).collect();
            this.ask(cx, calls, |this, cx, _| this.resume_deletions(cx));
        });
    }

    /// Goes on with the deletions that can go on, and ends those that are done.
    pub(super) fn resume_deletions(&mut self, cx: &mut Context<'_>) {
        let to_be_deleted: Vec<_> = self.known.to_be_deleted.iter().cloned().collect();
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for topic in to_be_deleted {
            if self.known.is_reassigning(&topic) {
                continue;
            }
            let stages = self.known.replica_stages(&topic);
            let is_deleted =
                |(_, stage): &(Replica, _)| *stage == Some(ReplicaStage::DeletionSuccessful);
            if stages.iter().all(is_deleted) {
                done.push(topic);
                continue;
            }
            let is_under_way =
                stages.iter().any(|(_, stage)| *stage == Some(ReplicaStage::DeletionStarted));
            if !is_under_way {
                tracing::info!(%topic, "is being deleted");
                let partitions = self.known.take_offline(&topic);
                self.batch.update_metadata(self.known.registered(), partitions);
                let undeleted = stages.into_iter().filter(|replica| !is_deleted(replica));
                left.extend(undeleted.map(|(replica, _)| replica));
            }
        }
        if !left.is_empty() {
            self.flush(cx);
            self.start_deletion(left);
        }
        self.remove_topics(cx, done);
    }

    /// Replicas go offline, which takes each out of the ISR and is written, before they delete anything
    /// (`TopicDeletionManager.onPartitionDeletion`). Those on dead brokers wait.
    fn start_deletion(&mut self, replicas: Vec<Replica>) {
        let is_there = |replica: &Replica| self.known.brokers.contains_key(&replica.1);
        let (live, dead): (Vec<_>, Vec<_>) = replicas.into_iter().partition(is_there);
        for replica in &dead {
            self.known.put_replica(replica, ReplicaStage::Offline);
        }
        let steps = [
            Step::ReplicasOffline(live.clone()),
            Step::Flush,
            Step::DeleteReplicas(live),
            Step::Flush,
        ];
        self.event_manager.first(steps);
    }

    /// `ReplicasDeleted`: a broker deleted its replicas.
    pub(super) fn replicas_deleted(
        &mut self,
        cx: &mut Context<'_>,
        broker: BrokerId,
        partitions: Vec<TopicPartition>,
    ) {
        for at in partitions {
            self.known.put_replica(&(at, broker), ReplicaStage::DeletionSuccessful);
        }
        self.resume_deletions(cx);
    }

    fn remove_topics(&mut self, cx: &mut Context<'_>, topics: Vec<Arc<str>>) {
        let mut calls = Vec::new();
        for topic in &topics {
            for (at, _) in self.known.of_topic(topic) {
                calls.push(Call::delete(paths::partition_state(at)));
                calls.push(Call::delete(paths::partition(at)));
            }
            calls.push(Call::delete(paths::partitions(topic)));
            calls.push(Call::delete(paths::topic(topic)));
            calls.push(Call::delete(paths::topic_config(topic)));
            calls.push(Call::delete(paths::delete_topic(topic)));
        }
        self.ask(cx, calls, move |this, _, _| {
            for topic in topics {
                tracing::info!(%topic, "is deleted");
                this.known.forget_topic(&topic);
            }
        });
    }
}
