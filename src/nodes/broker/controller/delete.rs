//! Deletion of topics: every replica is stopped and deletes its log, then the topic's znodes go
//! (`kafka/controller/TopicDeletionManager.scala`). A topic with a replica on a dead broker waits for it.

use std::sync::Arc;

use super::calls::{Answer, Call};
use super::context::{PartitionStage, Replica, ReplicaStage};
use super::kafka_controller::Controller;
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::vocab::{BrokerId, TopicPartition};

impl Controller {
    /// `TopicDeletion`: reads which topics are to be deleted.
    pub(super) fn topic_deletion(&mut self, cx: &mut Context<'_>) {
        self.ask(cx, vec![Call::children(paths::DELETE_TOPICS, true)], |this, cx, answers| {
            // An operator deleted the parent znode.
            let Answer::Children(wanted) = &answers[0] else { return };
            let (known, unknown): (Vec<_>, Vec<_>) =
                wanted.iter().cloned().partition(|topic| this.known.topics.contains(topic));
            this.known.to_be_deleted.extend(known);
            let calls =
                unknown.iter().map(|topic| Call::delete(paths::delete_topic(topic))).collect();
            this.ask(cx, calls, |this, cx, _| this.resume_deletions(cx));
        });
    }

    fn replica_stages(&self, topic: &Arc<str>) -> Vec<(Replica, Option<ReplicaStage>)> {
        let mut stages = Vec::new();
        for (at, partition) in self.known.of_topic(topic) {
            for id in &partition.replicas {
                let stage = partition.replica_stages.get(id).copied();
                stages.push(((at.clone(), *id), stage));
            }
        }
        stages
    }

    /// Goes on with the deletions that can go on, and ends those that are done.
    pub(super) fn resume_deletions(&mut self, cx: &mut Context<'_>) {
        let to_be_deleted: Vec<_> = self.known.to_be_deleted.iter().cloned().collect();
        let mut done = Vec::new();
        for topic in to_be_deleted {
            let stages = self.replica_stages(&topic);
            let is_deleted =
                |(_, stage): &(Replica, _)| *stage == Some(ReplicaStage::DeletionSuccessful);
            if stages.iter().all(is_deleted) {
                done.push(topic);
                continue;
            }
            let is_under_way =
                stages.iter().any(|(_, stage)| *stage == Some(ReplicaStage::DeletionStarted));
            if !is_under_way {
                let left: Vec<_> = stages
                    .into_iter()
                    .filter(|replica| !is_deleted(replica))
                    .map(|(replica, _)| replica)
                    .collect();
                self.start_deletion(cx, &topic, &left);
            }
        }
        self.remove_topics(cx, done);
    }

    fn start_deletion(&mut self, cx: &mut Context<'_>, topic: &Arc<str>, replicas: &[Replica]) {
        tracing::info!(%topic, "is being deleted");
        let partitions: Vec<_> = self.known.of_topic(topic).map(|(at, _)| at.clone()).collect();
        for at in &partitions {
            if let Some(partition) = self.known.partitions.get_mut(at) {
                partition.stage = PartitionStage::Offline;
            }
        }
        self.batch.update_metadata(self.known.registered(), partitions);
        self.flush(cx);
        for delete in [false, true] {
            for replica in replicas {
                let is_there = self.known.brokers.contains_key(&replica.1);
                if is_there {
                    self.batch.stop_replica(replica.1, &replica.0, delete);
                }
                let started = is_there && delete;
                let stage =
                    if started { ReplicaStage::DeletionStarted } else { ReplicaStage::Offline };
                self.known.put_replica(replica, stage);
            }
            self.flush(cx);
        }
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
                this.known.partitions.retain(|at, _| at.topic != topic);
                this.known.topics.remove(&topic);
                this.known.topic_ids.remove(&topic);
                this.known.to_be_deleted.remove(&topic);
            }
        });
    }
}
