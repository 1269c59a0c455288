//! Reassignment of partitions: replicas are added, and when all of the new set are in sync, the others are removed
//! (`KafkaController.onPartitionReassignment`, KIP-455).
//!
//! Since 2.4 what is added and removed is in the topic's znode, and is there before anything else is done. Before, the
//! wanted set is only in `/admin/reassign_partitions`, and the topic's znode has the union while replicas are added.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batch::Batch;
use super::calls::{Answer, Call};
use super::context::{ControllerContext, ControllerPartition, ReplicaStage};
use super::election::Strategy;
use super::event_manager::{ControllerEvent, Step};
use super::failover::read_state;
use super::kafka_controller::Controller;
use super::reassign_steps::{Reassign, union};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, PartitionState, TopicAssignment};
use crate::releases::{Change, IsrPath};
use crate::vocab::{BrokerId, TopicPartition};
use crate::wire::zookeeper::Code;

fn without(all: &[BrokerId], these: &[BrokerId]) -> Vec<BrokerId> {
    all.iter().copied().filter(|id| !these.contains(id)).collect()
}

impl ControllerPartition {
    /// The replicas as they were before the reassignment that is under way.
    pub fn origin(&self) -> Vec<BrokerId> {
        without(&self.replicas, &self.adding)
    }

    /// The replicas as they are to be.
    pub fn target(&self) -> Vec<BrokerId> {
        without(&self.replicas, &self.removing)
    }

    /// Whether replicas are added or removed.
    pub fn is_reassigned(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }
}

impl ControllerContext {
    /// Whether a partition of this topic is reassigned: it cannot be deleted meanwhile.
    pub fn is_reassigning(&self, topic: &str) -> bool {
        self.reassigning.keys().any(|at| &*at.topic == topic)
    }

    /// Whether there is such a partition, and its topic stays.
    pub fn can_be_reassigned(&self, at: &TopicPartition) -> bool {
        let partition = self.partitions.get(at);
        partition.is_some_and(|one| !one.replicas.is_empty()) && !self.is_to_be_deleted(at)
    }

    /// What goes on with reassignments when these brokers have started, or all of them when a controller has.
    pub fn resumed_reassignments(&self, started: Option<&[BrokerId]>) -> Vec<Step> {
        let is_meant = |target: &Vec<BrokerId>| {
            started.is_none_or(|started| target.iter().any(|id| started.contains(id)))
        };
        let meant = self.reassigning.iter().filter(|(_, target)| is_meant(target));
        let step =
            |at: &TopicPartition| Step::Reassign(Reassign::GoOn { at: at.clone(), begins: true });
        meant.map(|(at, _)| step(at)).collect()
    }

    /// The reassignments that the topics' znodes tell of (2.4+).
    pub fn note_reassignments(&mut self) {
        let reassigned = self.partitions.iter().filter(|(_, one)| one.is_reassigned());
        let targets: Vec<_> = reassigned.map(|(at, one)| (at.clone(), one.target())).collect();
        self.reassigning.extend(targets);
    }

    /// The partitions that a request about reassignments names, or all.
    pub fn reassigned_among(
        &self,
        wanted: Option<BTreeSet<TopicPartition>>,
    ) -> Vec<(TopicPartition, ControllerPartition)> {
        let wanted = wanted.unwrap_or_else(|| self.reassigning.keys().cloned().collect());
        let found = wanted.into_iter().filter_map(|at| {
            let partition = self.partitions.get(&at).filter(|one| one.is_reassigned())?;
            Some((at, partition.clone()))
        });
        found.collect()
    }

    /// The assignment of a topic, as its znode has it.
    fn assignment(&self, topic: &Arc<str>) -> TopicAssignment {
        let topic_id = self.topic_ids.get(topic).copied();
        let mut assignment = TopicAssignment { topic_id, ..TopicAssignment::default() };
        for (at, partition) in self.of_topic(topic) {
            let ControllerPartition { replicas, adding, removing, .. } = partition.clone();
            assignment.partitions.insert(at.partition, replicas);
            for (all, ids) in [
                (&mut assignment.adding_replicas, adding),
                (&mut assignment.removing_replicas, removing),
            ] {
                if !ids.is_empty() {
                    all.insert(at.partition, ids);
                }
            }
        }
        assignment
    }
}

impl Batch {
    /// Sends a state of a raised epoch to the replicas of before, and to those that are added.
    fn send_raised(&mut self, known: &ControllerContext, at: &TopicPartition) {
        let Some(partition) = known.partitions.get(at) else { return };
        self.leader_and_isr(known, &partition.origin(), at, false);
        self.leader_and_isr(known, &partition.adding, at, true);
    }
}

impl Controller {
    fn has_reassignments_in_topics(&self) -> bool {
        self.config.version.has(Change::ReassignmentInTopicZnode)
    }

    pub(super) fn reassign(&mut self, cx: &mut Context<'_>, step: Reassign) {
        match step {
            Reassign::Begin(at, target) => self.begin_reassignment(&at, target),
            Reassign::GoOn { at, begins } => self.go_on_reassigning(cx, at, begins),
            Reassign::WriteAssignment(at) => self.write_assignment(cx, &at),
            Reassign::RaiseEpoch(at) => self.raise_epoch(cx, at),
            Reassign::Switch(at) => self.switch_replicas(cx, &at),
            Reassign::Forget(at, replicas) => {
                if let Some(partition) = self.known.partitions.get_mut(&at) {
                    partition.replica_stages.retain(|id, _| !replicas.contains(id));
                }
            }
            Reassign::RemoveFromZnode(partitions) => self.remove_from_znode(cx, partitions),
            Reassign::End(at) => {
                tracing::info!(partition = %at, "is reassigned");
                self.known.reassigning.remove(&at);
            }
        }
    }

    /// `ZkPartitionReassignment`: `/admin/reassign_partitions` appeared, or may be there since before this controller.
    pub(super) fn reassignment_by_znode(&mut self, cx: &mut Context<'_>) {
        let calls = vec![
            Call::exists(paths::REASSIGN_PARTITIONS, true),
            Call::get(paths::REASSIGN_PARTITIONS, false),
        ];
        self.ask(cx, calls, |this, _, answers| {
            // It is looked for at every failover, and rarely there.
            let Answer::Data { data, .. } = &answers[1] else { return };
            let wanted = payload::decode_reassignment(data).unwrap_or_else(|why| {
                tracing::warn!(%why, "a reassignment is skipped");
                Vec::new()
            });
            let (mut steps, mut failed) = (Vec::new(), Vec::new());
            for (at, target) in wanted {
                let is_there = this.known.can_be_reassigned(&at);
                // Up to 2.3 nothing is done for replicas that are the wanted ones already.
                let is_done = !this.has_reassignments_in_topics()
                    && this.known.partitions.get(&at).is_some_and(|one| one.replicas == target);
                match is_there && !is_done {
                    true => steps.push(Step::Reassign(Reassign::Begin(at, target))),
                    false => failed.push(at),
                }
            }
            if !failed.is_empty() {
                steps.push(Step::Reassign(Reassign::RemoveFromZnode(failed)));
            }
            this.event_manager.first(steps);
        });
    }

    fn begin_reassignment(&mut self, at: &TopicPartition, target: Vec<BrokerId>) {
        let in_topics = self.has_reassignments_in_topics();
        let partition = self.known.partitions.get_mut(at).expect("it was just looked at");
        tracing::info!(partition = %at, from = ?partition.replicas, to = ?target, "reassigned");
        let mut steps = Vec::new();
        self.known.reassigning.insert(at.clone(), target.clone());
        if in_topics {
            let origin = partition.origin();
            let old =
                (partition.replicas.clone(), partition.adding.clone(), partition.removing.clone());
            let replicas = union(&target, &origin);
            partition.adding = without(&replicas, &origin);
            partition.removing = without(&replicas, &target);
            partition.replicas = replicas;
            let unneeded = without(&old.0, &partition.replicas);
            let new = (&partition.replicas, &partition.adding, &partition.removing);
            if (&old.0, &old.1, &old.2) != new {
                steps.push(Step::Reassign(Reassign::WriteAssignment(at.clone())));
            }
            if !unneeded.is_empty() {
                steps.extend(remove(at, unneeded));
            }
        }
        steps.push(Step::Reassign(Reassign::GoOn { at: at.clone(), begins: true }));
        self.event_manager.first(steps);
    }

    /// Reads the state, and watches it where leaders write their ISRs themselves (up to 2.6).
    fn go_on_reassigning(&mut self, cx: &mut Context<'_>, at: TopicPartition, begins: bool) {
        // It ended, or the topic was deleted.
        let Some(target) = self.known.reassigning.get(&at).cloned() else { return };
        let watches = self.config.version.isr_path() == IsrPath::ZooKeeper;
        let read = Call::get(paths::partition_state(&at), watches);
        self.ask(cx, vec![read], move |this, _, answers| {
            let Some(partition) = this.known.partitions.get(&at) else { return };
            let state = read_state(&answers[0]);
            let is_in_sync =
                |id: &BrokerId| state.as_ref().is_some_and(|(state, _)| state.isr.contains(id));
            let needless = this.has_reassignments_in_topics() && !partition.is_reassigned();
            if needless || target.iter().all(is_in_sync) {
                this.complete_reassignment(&at, &target);
            } else if begins {
                this.start_new_replicas(&at, &target);
            }
        });
    }

    /// Replicas are started, and have to catch up.
    fn start_new_replicas(&mut self, at: &TopicPartition, target: &[BrokerId]) {
        let in_topics = self.has_reassignments_in_topics();
        let partition = self.known.partitions.get_mut(at).expect("it was just looked at");
        let mut steps = Vec::new();
        if !in_topics {
            let origin = partition.origin();
            partition.replicas = union(target, &origin);
            partition.adding = without(target, &origin);
            partition.removing = without(&origin, target);
            steps.push(Step::Reassign(Reassign::WriteAssignment(at.clone())));
        }
        for id in partition.adding.clone() {
            partition.replica_stages.insert(id, ReplicaStage::New);
        }
        steps.extend([Step::Reassign(Reassign::RaiseEpoch(at.clone())), Step::Flush]);
        self.event_manager.first(steps);
    }

    /// All wanted replicas are in sync.
    fn complete_reassignment(&mut self, at: &TopicPartition, target: &[BrokerId]) {
        let partition = &self.known.partitions[at];
        let online = match self.has_reassignments_in_topics() {
            true => partition.adding.clone(),
            false => target.to_vec(),
        };
        let online: Vec<_> = online.into_iter().map(|id| (at.clone(), id)).collect();
        let removed = without(&partition.replicas, target);
        let mut steps = vec![
            Step::ReplicasOnline(online),
            Step::Flush,
            Step::Reassign(Reassign::Switch(at.clone())),
        ];
        if !removed.is_empty() {
            steps.extend(remove(at, removed));
        }
        steps.extend([
            Step::Reassign(Reassign::WriteAssignment(at.clone())),
            Step::Reassign(Reassign::RemoveFromZnode(vec![at.clone()])),
            Step::Reassign(Reassign::End(at.clone())),
            Step::UpdateMetadata(self.known.registered(), vec![at.clone()]),
            Step::Flush,
            Step::ResumeDeletions,
        ]);
        self.event_manager.first(steps);
    }

    /// The wanted replicas are the replicas: if the leader is one of them it goes on in another epoch.
    fn switch_replicas(&mut self, cx: &mut Context<'_>, at: &TopicPartition) {
        let Some(target) = self.known.reassigning.get(at).cloned() else { return };
        let Some(partition) = self.known.partitions.get_mut(at) else { return };
        (partition.adding, partition.removing) = (Vec::new(), Vec::new());
        partition.replicas.clone_from(&target);
        let leader = partition.leader();
        let reassigned =
            BrokerObservation::PartitionReassigned { at: at.clone(), replicas: target.clone() };
        cx.effects.observe(Observation::Broker(reassigned));
        let stays = leader.is_some_and(|id| target.contains(&id) && self.known.is_live(id));
        let step = match stays {
            true => Step::Reassign(Reassign::RaiseEpoch(at.clone())),
            false => Step::Elect(vec![at.clone()], Strategy::Reassigned),
        };
        self.event_manager.first([step, Step::Flush]);
    }

    fn write_assignment(&mut self, cx: &mut Context<'_>, at: &TopicPartition) {
        let assignment = self.known.assignment(&at.topic);
        let data = assignment.encode(self.config.version);
        let write = Call::set(paths::topic(&at.topic), data, -1);
        self.ask(cx, vec![write], |_, _, _| {});
    }

    /// The leader goes on in another epoch, and learns the replicas with it (`updateLeaderEpochAndSendRequest`).
    fn raise_epoch(&mut self, cx: &mut Context<'_>, at: TopicPartition) {
        self.read_own_states(cx, vec![at], |this, cx, states| {
            let epoch = this.epoch();
            let raised = |(at, old, version): &(TopicPartition, PartitionState, i32)| {
                let leader_epoch = old.leader_epoch + 1;
                let state = PartitionState { controller_epoch: epoch, leader_epoch, ..old.clone() };
                let write = Call::set(paths::partition_state(at), state.encode(), *version);
                ((at.clone(), state), write)
            };
            let (written, calls): (Vec<_>, Vec<_>) = states.iter().map(raised).unzip();
            this.ask(cx, calls, |this, _, answers| {
                for ((at, state), answer) in written.into_iter().zip(&answers) {
                    match answer {
                        Answer::Stat(stat) => {
                            this.known.put_leadership(&at, state, stat.version);
                            this.batch.send_raised(&this.known, &at);
                        }
                        Answer::Failed(Code::BAD_VERSION) => {
                            let again = Step::Reassign(Reassign::RaiseEpoch(at));
                            this.event_manager.first([again]);
                        }
                        other => {
                            tracing::warn!(partition = %at, ?other, "its epoch is not written");
                        }
                    }
                }
            });
        });
    }

    /// Takes partitions out of `/admin/reassign_partitions`, which goes with the last.
    fn remove_from_znode(&mut self, cx: &mut Context<'_>, partitions: Vec<TopicPartition>) {
        const PATH: &str = paths::REASSIGN_PARTITIONS;
        self.ask(cx, vec![Call::get(PATH, false)], move |this, cx, answers| {
            let Answer::Data { data, .. } = &answers[0] else { return };
            let Ok(mut left) = payload::decode_reassignment(data) else { return };
            let count = left.len();
            left.retain(|(at, _)| !partitions.contains(at));
            if left.len() == count && count > 0 {
                return;
            }
            let call = match left.is_empty() {
                true => Call::delete(PATH),
                false => Call::set(PATH, payload::encode_reassignment(&left), -1),
            };
            let ends = left.is_empty();
            this.ask(cx, vec![call], move |this, cx, _| {
                if ends {
                    // The next one is waited for.
                    this.ask(cx, vec![Call::exists(PATH, true)], |this, _, answers| {
                        if let Answer::Stat(_) = answers[0] {
                            this.event_manager.add(ControllerEvent::ReassignmentByZnode);
                        }
                    });
                }
            });
        });
    }

    /// The ISR of a partition changed: it may be what a reassignment waits for.
    pub(super) fn isr_of_reassigned(&mut self, at: TopicPartition) {
        if self.known.reassigning.contains_key(&at) {
            let step = Reassign::GoOn { at, begins: false };
            self.event_manager.first([Step::Reassign(step)]);
        }
    }
}

/// Replicas leave the ISR, and delete their logs.
fn remove(at: &TopicPartition, replicas: Vec<BrokerId>) -> Vec<Step> {
    let all: Vec<_> = replicas.iter().map(|id| (at.clone(), *id)).collect();
    vec![
        Step::ReplicasOffline(all.clone()),
        Step::Flush,
        Step::DeleteReplicas(all),
        Step::Flush,
        Step::Reassign(Reassign::Forget(at.clone(), replicas)),
    ]
}
