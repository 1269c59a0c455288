//! What a new controller does, in this order (`KafkaController.onControllerFailover`): watch, read
//! everything, send every broker the list of brokers, and start the state machines of replicas and partitions.

use std::time::Duration;

use super::calls::{Answer, Call};
use super::context::{ControllerPartition, PartitionStage, ReplicaStage};
use super::event_manager::{ControllerEvent, Step};
use super::kafka_controller::Controller;
use super::timers::Tick;
use super::topics::usable;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, PartitionState, TopicAssignment};
use crate::releases::Change;
use crate::vocab::TopicPartition;
use crate::wire::zookeeper::Code;

/// When leaders are first looked at whether they are the preferred ones.
const FIRST_REBALANCE: Duration = Duration::from_secs(5);

impl Controller {
    /// Creates `/feature` when it is missing (2.7+). What is there stays: no feature can be changed here.
    pub(super) fn failover_features(&mut self, cx: &mut Context<'_>) {
        if !self.config.version.has(Change::FinalizedFeatures) {
            return;
        }
        self.ask(cx, vec![Call::exists(paths::FEATURE, false)], |this, cx, answers| {
            if answers[0] == Answer::Failed(Code::NO_NODE) {
                let none = payload::encode_feature(this.config.version);
                this.ask(cx, vec![Call::create(paths::FEATURE, Some(none))], |_, _, _| {});
            }
        });
    }

    /// Watches for requests of operators, and removes notifications that are older than the states read next.
    pub(super) fn failover_watch(&mut self, cx: &mut Context<'_>) {
        let calls = vec![
            Call::exists(paths::PREFERRED_REPLICA_ELECTION, true),
            Call::children(paths::ISR_CHANGE_NOTIFICATION, true),
            Call::children(paths::LOG_DIR_EVENT_NOTIFICATION, false),
            Call::exists(paths::REASSIGN_PARTITIONS, true),
        ];
        self.ask(cx, calls, |this, cx, answers| {
            if let Answer::Stat(_) = answers[3] {
                this.event_manager.add(ControllerEvent::ReassignmentByZnode);
            }
            let parents = [paths::ISR_CHANGE_NOTIFICATION, paths::LOG_DIR_EVENT_NOTIFICATION];
            let mut deletes = Vec::new();
            for (parent, answer) in parents.into_iter().zip(&answers[1..]) {
                // An operator deleted the parent znode.
                let Answer::Children(names) = answer else { continue };
                deletes.extend(names.iter().map(|name| Call::delete(format!("{parent}/{name}"))));
            }
            this.ask(cx, deletes, |_, _, _| {});
        });
    }

    /// Reads the registered brokers, and opens a channel to each.
    pub(super) fn failover_brokers(&mut self, cx: &mut Context<'_>) {
        self.read_brokers(cx, |this, cx, brokers| {
            for (&id, broker) in &brokers {
                this.add_peer(id, broker);
            }
            this.known.brokers = brokers;
            this.observe_brokers(cx);
        });
    }

    /// Reads topics, what is to be deleted, assignments and states.
    pub(super) fn failover_topics(&mut self, cx: &mut Context<'_>) {
        let calls =
            vec![Call::children(paths::TOPICS, true), Call::children(paths::DELETE_TOPICS, true)];
        self.ask(cx, calls, |this, cx, answers| {
            if let Answer::Children(topics) = &answers[0] {
                this.known.topics = usable(topics);
            }
            if let Answer::Children(to_be_deleted) = &answers[1] {
                let to_be_deleted =
                    to_be_deleted.iter().filter(|topic| this.known.topics.contains(*topic));
                this.known.to_be_deleted = to_be_deleted.cloned().collect();
            }
            let topics: Vec<_> = this.known.topics.iter().cloned().collect();
            let calls = topics.iter().map(|topic| Call::get(paths::topic(topic), true)).collect();
            this.ask(cx, calls, move |this, cx, answers| {
                let read = topics.into_iter().zip(&answers);
                let mut assignments: Vec<_> = read
                    .filter_map(|(topic, answer)| Some((topic, read_assignment(answer)?)))
                    .collect();
                let calls = this.identify_topics(&mut assignments);
                for (topic, assignment) in assignments {
                    for (index, replicas) in assignment.partitions {
                        let at = TopicPartition::new(topic.clone(), index);
                        let mut partition = ControllerPartition::new(replicas);
                        let ids = assignment.adding_replicas.get(&index);
                        partition.adding = ids.cloned().unwrap_or_default();
                        let ids = assignment.removing_replicas.get(&index);
                        partition.removing = ids.cloned().unwrap_or_default();
                        this.known.partitions.insert(at, partition);
                    }
                }
                this.known.note_reassignments();
                this.ask(cx, calls, |this, cx, _| this.read_all_states(cx));
            });
        });
    }

    fn read_all_states(&mut self, cx: &mut Context<'_>) {
        let all: Vec<_> = self.known.partitions.keys().cloned().collect();
        self.read_states(cx, all, |this, cx| {
            let partitions = this.known.partitions.iter();
            for (at, partition) in partitions {
                let leader = partition.leader();
                // It never had a leader.
                let Some(known) = &partition.leadership else { continue };
                cx.effects.observe(Observation::Broker(BrokerObservation::StateFound {
                    at: at.clone(),
                    leader,
                    leader_epoch: known.state.leader_epoch,
                    isr: known.state.isr.clone(),
                    partition_epoch: known.partition_epoch,
                }));
            }
        });
    }

    /// Reads states into memory.
    pub(super) fn read_states(
        &mut self,
        cx: &mut Context<'_>,
        partitions: Vec<TopicPartition>,
        then: impl FnOnce(&mut Self, &mut Context<'_>) + Send + 'static,
    ) {
        let get = |at: &TopicPartition| Call::get(paths::partition_state(at), false);
        let calls = partitions.iter().map(get).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            for (at, answer) in partitions.iter().zip(&answers) {
                if let Some((state, version)) = read_state(answer) {
                    this.known.put_leadership(at, state, version);
                }
            }
            then(this, cx);
        });
    }

    /// All is read: begins to act.
    pub(super) fn failover_start(&mut self, cx: &mut Context<'_>) {
        let all = self.known.registered();
        let (mut online, mut offline) = (Vec::new(), Vec::new());
        let context = &mut self.known;
        let (brokers, partitions) = (&context.brokers, &mut context.partitions);
        for (at, partition) in partitions {
            let leader = partition.leader();
            partition.stage = match (&partition.leadership, leader) {
                (None, _) => PartitionStage::New,
                (_, Some(leader)) if brokers.contains_key(&leader) => PartitionStage::Online,
                _ => PartitionStage::Offline,
            };
            for &id in &partition.replicas {
                let is_there = brokers.contains_key(&id);
                let stage = if is_there { ReplicaStage::Online } else { ReplicaStage::Offline };
                partition.replica_stages.insert(id, stage);
                let list = if is_there { &mut online } else { &mut offline };
                list.push((at.clone(), id));
            }
        }
        if self.config.version.has(Change::DeadReplicasLeaveAtFailover) {
            offline.retain(|(at, _)| !self.known.is_to_be_deleted(at));
        } else {
            // They are known to be offline, and stay in the ISR (`ReplicaStateMachine.startup`).
            offline.clear();
        }
        let partitions = self.known.of_plain_metadata(self.config.version);
        self.event_manager.first([
            Step::UpdateMetadata(all, partitions),
            Step::Flush,
            Step::ReplicasOnline(online),
            Step::Flush,
            Step::ReplicasOffline(offline),
            Step::Flush,
            Step::TriggerOnline,
            Step::ResumeReassignments(None),
            Step::ResumeDeletions,
        ]);
        // The operator's request may be older than the watch.
        self.event_manager.add(ControllerEvent::PendingPreferredElection);
        if self.config.auto_leader_rebalance {
            self.timers.set(cx, FIRST_REBALANCE, Tick::Rebalance);
        }
    }
}

/// The assignment in a topic's znode.
pub fn read_assignment(answer: &Answer) -> Option<TopicAssignment> {
    // The topic was deleted between the two reads.
    let Answer::Data { data, .. } = answer else { return None };
    TopicAssignment::decode(data).inspect_err(|why| tracing::warn!(%why, "a topic is skipped")).ok()
}

/// The state in a partition's state znode, and its version.
pub fn read_state(answer: &Answer) -> Option<(PartitionState, i32)> {
    // The partition never had a leader, or its topic was deleted.
    let Answer::Data { data, stat } = answer else { return None };
    let state = PartitionState::decode(data);
    let state = state.inspect_err(|why| tracing::warn!(%why, "a partition state is skipped"));
    Some((state.ok()?, stat.version))
}
