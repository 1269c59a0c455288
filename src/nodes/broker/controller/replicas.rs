//! The states of replicas: online, or gone (`kafka/controller/ReplicaStateMachine.scala`).
//!
//! A replica that goes offline leaves the in-sync replicas, but the last of them stays: so it can be elected
//! again when it comes back, and no other replica can. Only up to 1.0, and when the topic allows unclean elections,
//! the in-sync replicas become empty.

use std::collections::BTreeSet;

use super::batch::{Batch, is_leaderless};
use super::calls::{Answer, Call};
use super::context::{ControllerContext, Replica, ReplicaStage};
use super::event_manager::Step;
use super::kafka_controller::Controller;
use super::partitions::{States, UncleanTopics};
use super::scala_order;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::PartitionState;
use crate::releases::Change;
use crate::vocab::{BrokerId, TopicPartition};
use crate::wire::zookeeper::Code;

impl Batch {
    /// Sends replicas LeaderAndIsr. A new one got it when its partition got its leader.
    pub fn start_replicas(&mut self, known: &mut ControllerContext, replicas: &[Replica]) {
        for replica in replicas {
            let (at, id) = replica;
            let partition = known.partitions.get(at);
            let partition = partition.expect("only deletion forgets partitions, in another event");
            let is_new = partition.replica_stages.get(id) == Some(&ReplicaStage::New);
            if !is_new && partition.leadership.is_some() {
                self.leader_and_isr(known, &[*id], at, false);
            }
            known.put_replica(replica, ReplicaStage::Online);
        }
    }

    /// Sends replicas StopReplica; returns those whose partitions have a state that may have to change.
    fn stop_replicas(
        &mut self,
        known: &mut ControllerContext,
        replicas: Vec<Replica>,
    ) -> Vec<Replica> {
        let mut with_state = Vec::new();
        for replica in replicas {
            let partition = known.partitions.get(&replica.0);
            let partition = partition.expect("only deletion forgets partitions, in another event");
            let has_state = partition.leadership.is_some();
            self.stop_replica(replica.1, &replica.0, false);
            known.put_replica(&replica, ReplicaStage::Offline);
            if has_state {
                with_state.push(replica);
            } else {
                self.update_metadata(known.registered(), [replica.0]);
            }
        }
        with_state
    }

    /// Sends the state of a partition to its replicas but `broker`, which is not in sync any more.
    fn left_isr(&mut self, known: &ControllerContext, broker: BrokerId, at: &TopicPartition) {
        if known.is_to_be_deleted(at) {
            return;
        }
        let partition = known.partitions.get(at);
        let partition = partition.expect("only deletion forgets partitions, in another event");
        let others: Vec<_> =
            partition.replicas.iter().copied().filter(|&id| id != broker).collect();
        self.leader_and_isr(known, &others, at, false);
    }
}

impl Controller {
    /// Sends replicas StopReplica, and takes them out of the in-sync replicas.
    pub(super) fn replicas_offline(&mut self, replicas: Vec<Replica>) {
        let with_state = self.batch.stop_replicas(&mut self.known, replicas);
        let groups = scala_order::by_broker(self.config.version, with_state).into_iter();
        let steps: Vec<_> = groups.map(|(id, of)| Step::RemoveFromIsr(id, of)).collect();
        self.event_manager.first(steps);
    }

    /// Takes a broker out of the in-sync replicas of some partitions.
    pub(super) fn remove_from_isr(
        &mut self,
        cx: &mut Context<'_>,
        broker: BrokerId,
        partitions: Vec<TopicPartition>,
    ) {
        self.read_own_states(cx, partitions, move |this, cx, states| {
            let may_empty = !this.config.version.has(Change::LastIsrMemberStays);
            let is_last = |state: &PartitionState| state.isr == [broker];
            let last: BTreeSet<_> = states
                .iter()
                .filter(|(_, state, _)| may_empty && is_last(state))
                .map(|(at, ..)| at.topic.clone())
                .collect();
            this.read_unclean(cx, last, move |this, cx, unclean| {
                this.write_without(cx, broker, states, &unclean);
            });
        });
    }

    fn write_without(
        &mut self,
        cx: &mut Context<'_>,
        broker: BrokerId,
        states: States,
        unclean: &UncleanTopics,
    ) {
        let epoch = self.epoch();
        let (mut calls, mut written) = (Vec::new(), Vec::new());
        for (at, old, version) in states {
            if !old.isr.contains(&broker) {
                // Nothing to write; the other replicas get the state all the same.
                let state = PartitionState { controller_epoch: epoch, ..old };
                self.known.put_leadership(&at, state, version);
                self.batch.left_isr(&self.known, broker, &at);
                continue;
            }
            let mut isr = old.isr.clone();
            let may_empty = unclean.get(&at.topic).copied().unwrap_or(false);
            if isr.len() > 1 || may_empty {
                isr.retain(|&id| id != broker);
            }
            let is_leader = old.leader == broker;
            let state = PartitionState {
                controller_epoch: epoch,
                leader: if is_leader { PartitionState::NO_LEADER } else { old.leader },
                leader_epoch: old.leader_epoch + 1,
                isr,
            };
            calls.push(Call::set(paths::partition_state(&at), state.encode(), version));
            written.push((at, old, state));
        }
        self.ask(cx, calls, move |this, cx, answers| {
            let mut again = Vec::new();
            for ((at, old, state), answer) in written.into_iter().zip(&answers) {
                match answer {
                    Answer::Stat(stat) => {
                        observe_removal(cx, &at, &old, &state, stat.version);
                        this.known.put_leadership(&at, state, stat.version);
                        this.batch.left_isr(&this.known, broker, &at);
                    }
                    Answer::Failed(Code::BAD_VERSION) => again.push(at),
                    other => tracing::warn!(partition = %at, ?other, "its ISR is not written"),
                }
            }
            if !again.is_empty() {
                this.event_manager.first([Step::RemoveFromIsr(broker, again)]);
            }
        });
    }
}

fn observe_removal(
    cx: &mut Context<'_>,
    at: &TopicPartition,
    old: &PartitionState,
    new: &PartitionState,
    partition_epoch: i32,
) {
    tracing::info!(partition = %at, from = ?old.isr, to = ?new.isr, leader = %new.leader,
        "a replica left the ISR");
    if old.isr != new.isr {
        let changed = BrokerObservation::IsrChanged {
            at: at.clone(),
            from: old.isr.clone(),
            to: new.isr.clone(),
            partition_epoch,
        };
        cx.effects.observe(Observation::Broker(changed));
    }
    if is_leaderless(new) && !is_leaderless(old) {
        let lost = BrokerObservation::LeaderLost {
            at: at.clone(),
            leader_epoch: new.leader_epoch,
            isr: new.isr.clone(),
        };
        cx.effects.observe(Observation::Broker(lost));
    }
}
