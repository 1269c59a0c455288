//! LeaderAndIsr and StopReplica: this broker becomes leader or follower of a partition, or stops its replica.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leader_and_isr_request::LeaderAndIsrPartitionState;
use kafka_protocol::messages::leader_and_isr_response::{
    LeaderAndIsrPartitionError, LeaderAndIsrTopicError,
};
use kafka_protocol::messages::stop_replica_response::StopReplicaPartitionError;
use kafka_protocol::messages::{
    LeaderAndIsrRequest, LeaderAndIsrResponse, StopReplicaRequest, StopReplicaResponse, TopicName,
};
use uuid::Uuid;

use super::isr::Isr;
use super::isr_change::observe_isr;
use super::manager::ReplicaManager;
use super::partition::{FetchState, Follower, Leader, RemoteReplica, ReplicaRole};
use super::replicas::Slot;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::config::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::nodes::broker::context::{Ask, Context};
use crate::nodes::broker::log::producers::Producers;
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, Mutant, NodeId, Time, TopicPartition};

/// The leader epoch in StopReplica of a topic that is being deleted.
const EPOCH_DURING_DELETE: LeaderEpoch = -2;

fn brokers(ids: &[kafka_protocol::messages::BrokerId]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(id.0)).collect()
}

/// One partition of a StopReplica request, whichever version.
struct Stop {
    topic: TopicName,
    partition: i32,
    leader_epoch: LeaderEpoch,
    delete: bool,
}

fn stops(request: StopReplicaRequest, version: i16) -> Vec<Stop> {
    let delete = request.delete_partitions;
    match version {
        0 => {
            let old = request.ungrouped_partitions.into_iter();
            old.map(|p| Stop {
                topic: p.topic_name,
                partition: p.partition_index,
                leader_epoch: -1,
                delete,
            })
            .collect()
        }
        1 | 2 => {
            let of_topic =
                |topic: kafka_protocol::messages::stop_replica_request::StopReplicaTopicV1| {
                    let name = topic.name;
                    topic.partition_indexes.into_iter().map(move |partition| Stop {
                        topic: name.clone(),
                        partition,
                        leader_epoch: -1,
                        delete,
                    })
                };
            request.topics.into_iter().flat_map(of_topic).collect()
        }
        _ => {
            let mut all = Vec::new();
            for topic in request.topic_states {
                all.extend(topic.partition_states.iter().map(|p| Stop {
                    topic: topic.topic_name.clone(),
                    partition: p.partition_index,
                    leader_epoch: p.leader_epoch,
                    delete: p.delete_partition,
                }));
            }
            all
        }
    }
}

impl ReplicaManager {
    /// Carries out what the controller decided. Its epoch, and this broker's own, have been checked.
    pub fn leader_and_isr(
        &mut self,
        cx: &mut Context<'_>,
        request: LeaderAndIsrRequest,
        version: i16,
    ) -> LeaderAndIsrResponse {
        self.start_periodic(cx);
        let leaders = request.live_leaders.iter();
        let hosts: BTreeMap<BrokerId, NodeId> = leaders
            .filter_map(|l| Some((BrokerId(l.broker_id.0), self.roster.find(&l.host_name)?)))
            .collect();
        let mut response = LeaderAndIsrResponse::default();
        let mut changes: Vec<(Slot, &LeaderAndIsrPartitionState)> = Vec::new();
        for topic in &request.topic_states {
            let errors: Vec<_> = topic
                .partition_states
                .iter()
                .map(|state| {
                    self.admit(cx, (&topic.topic_name, topic.topic_id), state, &mut changes)
                })
                .collect();
            if version >= 5 {
                response.topics.push(
                    LeaderAndIsrTopicError::default()
                        .with_topic_id(topic.topic_id)
                        .with_partition_errors(errors),
                );
            } else {
                let name = &topic.topic_name;
                let named = errors.into_iter().map(|error| error.with_topic_name(name.clone()));
                response.partition_errors.extend(named);
            }
        }
        for state in &request.ungrouped_partition_states {
            let named = (&state.topic_name, Uuid::nil());
            let error = self.admit(cx, named, state, &mut changes);
            response.partition_errors.push(error.with_topic_name(state.topic_name.clone()));
        }
        // Leaders first: they need nothing from other brokers.
        let me = self.config.id.0;
        for (slot, state) in changes.iter().filter(|(_, state)| state.leader.0 == me) {
            self.make_leader(cx, *slot, state);
        }
        for (slot, state) in changes.iter().filter(|(_, state)| state.leader.0 != me) {
            self.make_follower(cx, *slot, state, &hosts);
        }
        let mut following = self.following();
        following.drop_idle_fetchers(cx);
        following.drive_all(cx);
        response
    }

    /// Whether a state is news to a replica that is assigned to this broker; if so, it is added to `changes`.
    fn admit<'a>(
        &mut self,
        cx: &mut Context<'_>,
        (topic, topic_id): (&TopicName, Uuid),
        state: &'a LeaderAndIsrPartitionState,
        changes: &mut Vec<(Slot, &'a LeaderAndIsrPartitionState)>,
    ) -> LeaderAndIsrPartitionError {
        let index = state.partition_index;
        let known = self.replicas.find(topic, index).map(|slot| self.replicas.at(slot));
        let (epoch, partition_epoch) =
            known.map_or((-1, -1), |known| (known.leader_epoch, known.partition_epoch));
        let error = if known.is_some_and(|known| known.is_of_another_topic(topic_id)) {
            tracing::error!(topic = %topic.0, index, "its topic was another when it came here");
            ResponseError::InconsistentTopicId.code()
        } else if state.leader_epoch <= epoch || state.partition_epoch < partition_epoch {
            tracing::info!(topic = %topic.0, index, epoch, "stale LeaderAndIsr state ignored");
            ResponseError::StaleControllerEpoch.code()
        } else if !state.replicas.iter().any(|id| id.0 == self.config.id.0) {
            ResponseError::UnknownTopicOrPartition.code()
        } else {
            let at = TopicPartition::new(topic.to_string(), index);
            let slot = self.logs.find_or_create(cx, &mut self.replicas, at);
            if !topic_id.is_nil() {
                self.replicas.at_mut(slot).topic_id = topic_id;
            }
            changes.push((slot, state));
            0
        };
        LeaderAndIsrPartitionError::default().with_partition_index(index).with_error_code(error)
    }

    fn make_leader(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        state: &LeaderAndIsrPartitionState,
    ) {
        self.stop_following(slot);
        let (me, clock, version) = (self.config.id, cx.clock, self.config.version);
        let forgets_epoch = self.config.is(Mutant::ForgetEpochOfElection);
        let keeps_epoch = self.config.is(Mutant::LeadInOldEpoch);
        let partition = self.replicas.at_mut(slot);
        let isr = brokers(&state.isr);
        let start = partition.log.end();
        let before = partition.leader();
        let follower = |id: BrokerId| {
            let in_sync = isr.contains(&id);
            let state = match before.and_then(|leader| leader.follower(id)) {
                Some(known) => known.in_next_epoch(in_sync, start, clock),
                None => RemoteReplica::unknown(in_sync, clock),
            };
            (id, state)
        };
        let replicas = brokers(&state.replicas);
        let followers = replicas.iter().filter(|id| **id != me).map(|id| follower(*id)).collect();
        partition.role =
            ReplicaRole::Leader(Leader { epoch_start: start, isr: Isr::new(isr), followers });
        partition.replicas = replicas;
        if !keeps_epoch || partition.leader_epoch < 0 {
            partition.leader_epoch = state.leader_epoch;
        }
        partition.controller_epoch = state.controller_epoch;
        partition.partition_epoch = state.partition_epoch;
        if self.config.is(Mutant::LeadWithoutSequences) {
            partition.log.set_producers(Producers::default());
        }
        let leader_epoch = partition.leader_epoch;
        if version.has(Change::EpochStoredAtElection) && !forgets_epoch {
            // Before KAFKA-7415 an epoch was noted with its first record only.
            partition.log.assign_epoch(&mut self.logs.disk(cx), leader_epoch);
        }
        let observation = BrokerObservation::BecameLeader {
            at: partition.at.clone(),
            leader_epoch,
            start,
            high_watermark: partition.high_watermark,
        };
        cx.effects.observe(Observation::Broker(observation));
        observe_isr(cx, version, self.replicas.at(slot));
        self.leading().progress(cx, slot);
        self.tell_coordinator(cx, slot, Some(leader_epoch), true);
    }

    /// Tells the coordinator whose topic the partition is of.
    fn tell_coordinator(
        &self,
        cx: &mut Context<'_>,
        slot: Slot,
        leader_epoch: Option<LeaderEpoch>,
        leads: bool,
    ) {
        let at = &self.replicas.at(slot).at;
        let partition = at.partition;
        match &*at.topic {
            OFFSETS_TOPIC => cx.ask(Ask::OffsetsLeader { partition, leader_epoch, leads }),
            TRANSACTIONS_TOPIC => {
                cx.ask(Ask::TransactionsLeader { partition, leader_epoch, leads });
            }
            _ => {}
        }
    }

    fn make_follower(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        state: &LeaderAndIsrPartitionState,
        hosts: &BTreeMap<BrokerId, NodeId>,
    ) {
        let leader = BrokerId(state.leader.0);
        let Some(host) = hosts.get(&leader).copied() else {
            // Kafka aborts the whole transition, the epoch included; only the log is there.
            let at = &self.replicas.at(slot).at;
            tracing::info!(%at, %leader, "no live leader; transition aborted");
            return;
        };
        let version = self.config.version;
        let partition = self.replicas.at_mut(slot);
        let same = partition.follower_mut().is_some_and(|f| f.leader == Some(leader));
        partition.replicas = brokers(&state.replicas);
        partition.leader_epoch = state.leader_epoch;
        partition.controller_epoch = state.controller_epoch;
        partition.partition_epoch = state.partition_epoch;
        let observation = BrokerObservation::BecameFollower {
            at: partition.at.clone(),
            leader_epoch: state.leader_epoch,
            leader: Some(leader),
        };
        cx.effects.observe(Observation::Broker(observation));
        self.tell_coordinator(cx, slot, Some(state.leader_epoch), false);
        if same && !version.has(Change::FollowerRestartsInNewEpoch) {
            // Before 2.1 a follower goes on fetching from the same leader, whatever came between
            // (KAFKA-6880).
            return;
        }
        self.stop_following(slot);
        if self.is_ending {
            let (state, delayed_until) = (FetchState::Parked, Time::ZERO);
            let follower = Follower { leader: Some(leader), state, delayed_until };
            self.replicas.at_mut(slot).role = ReplicaRole::Follower(follower);
        } else {
            self.following().follow(cx, slot, leader, host);
        }
        self.leading().lose_leadership(cx, slot);
    }

    /// Takes a replica from the fetcher that has it, if one has.
    fn stop_following(&mut self, slot: Slot) {
        self.fetchers.stop_following(slot, self.replicas.at(slot));
    }

    /// Stops replicas, and deletes those that the controller wants deleted.
    pub fn stop_replica(
        &mut self,
        cx: &mut Context<'_>,
        request: StopReplicaRequest,
        version: i16,
    ) -> StopReplicaResponse {
        let mut response = StopReplicaResponse::default();
        for stop in stops(request, version) {
            let code = self.replicas.find(&stop.topic, stop.partition).map_or(0, |slot| {
                let unconditional =
                    stop.leader_epoch == -1 || stop.leader_epoch == EPOCH_DURING_DELETE;
                if !unconditional && stop.leader_epoch <= self.replicas.at(slot).leader_epoch {
                    return ResponseError::FencedLeaderEpoch.code();
                }
                self.stop(cx, slot, stop.delete);
                0
            });
            response.partition_errors.push(
                StopReplicaPartitionError::default()
                    .with_topic_name(stop.topic)
                    .with_partition_index(stop.partition)
                    .with_error_code(code),
            );
        }
        self.following().drop_idle_fetchers(cx);
        response
    }

    fn stop(&mut self, cx: &mut Context<'_>, slot: Slot, delete: bool) {
        self.stop_following(slot);
        let partition = self.replicas.at_mut(slot);
        if let Some(follower) = partition.follower_mut() {
            follower.state = FetchState::Parked;
        }
        if !delete {
            return;
        }
        partition.role = ReplicaRole::Offline;
        self.tell_coordinator(cx, slot, None, false);
        self.leading().lose_leadership(cx, slot);
        let replica = self.replicas.remove(slot);
        tracing::info!(at = %replica.at, "replica deleted");
        replica.log.delete(&mut self.logs.disk(cx));
    }
}
