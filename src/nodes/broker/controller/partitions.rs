//! The states of partitions: first leaders, and other leaders
//! (`kafka/controller/PartitionStateMachine.scala`).
//!
//! Every leader that is written raises the leader epoch. A write is conditional on the version that was
//! read; when another was faster, all is read and chosen again. A state that was written under a later
//! controller epoch is left alone: this controller was replaced and does not know it yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::calls::{Answer, Call};
use super::context::{ControllerContext, PartitionStage};
use super::election::{Candidates, Choice, Strategy};
use super::event_manager::Step;
use super::failover::read_state;
use super::kafka_controller::Controller;
use crate::history::{BrokerObservation, Election, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, PartitionState};
use crate::vocab::{BrokerId, Mutant, TopicPartition};
use crate::wire::zookeeper::Code;

/// `unclean.leader.election.enable`, as a topic overrides it.
const UNCLEAN: &str = "unclean.leader.election.enable";

/// States as read, with their versions.
pub type States = Vec<(TopicPartition, PartitionState, i32)>;
/// Whether topics allow unclean elections.
pub type UncleanTopics = BTreeMap<Arc<str>, bool>;

impl ControllerContext {
    /// The partitions that are in this state, of all topics or of one; not those that are to be deleted.
    fn in_stage(&self, stage: PartitionStage, topic: Option<&Arc<str>>) -> Vec<TopicPartition> {
        let all = self.partitions.iter().filter(|(at, one)| {
            one.stage == stage
                && topic.is_none_or(|topic| at.topic == *topic)
                && !self.is_to_be_deleted(at)
        });
        all.map(|(at, _)| at.clone()).collect()
    }

    fn live_among(&self, at: &TopicPartition, isr: &[BrokerId]) -> Vec<BrokerId> {
        let assigned = self.partitions.get(at).map_or(&[][..], |one| &one.replicas);
        let all = assigned.iter().chain(isr).copied();
        all.filter(|&id| self.is_live(id)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The leader and the in-sync replicas that a partition in `state` gets.
    fn choose(
        &self,
        at: &TopicPartition,
        state: &PartitionState,
        strategy: Strategy,
        unclean: bool,
    ) -> Option<Choice> {
        let partition = self.partitions.get(at)?;
        let live = self.live_among(at, &state.isr);
        let shutting_down: Vec<_> = self.shutting_down.iter().copied().collect();
        let candidates = Candidates {
            assignment: &partition.replicas,
            isr: &state.isr,
            live: &live,
            shutting_down: &shutting_down,
        };
        match strategy {
            Strategy::Offline => candidates.offline(unclean),
            Strategy::Unclean => candidates.offline(true),
            Strategy::Preferred => candidates.preferred(),
            Strategy::ControlledShutdown => candidates.controlled_shutdown(),
            Strategy::Reassigned => candidates.reassigned(),
        }
    }
}

impl Controller {
    /// Elects for every partition that never had a leader or lost it.
    pub(super) fn trigger_online(&mut self) {
        let new = self.known.in_stage(PartitionStage::New, None);
        let offline = self.known.in_stage(PartitionStage::Offline, None);
        let mut steps = Vec::new();
        if !new.is_empty() {
            steps.push(Step::Initialize(new));
        }
        if !offline.is_empty() {
            steps.push(Step::Elect(offline, Strategy::Offline));
        }
        steps.push(Step::Flush);
        self.event_manager.first(steps);
    }

    /// Elects for the partitions of a topic that lost their leaders (`processTopicUncleanLeaderElectionEnable`).
    pub(super) fn trigger_online_of(&mut self, topic: &Arc<str>) {
        let offline = self.known.in_stage(PartitionStage::Offline, Some(topic));
        if !offline.is_empty() {
            self.event_manager.first([Step::Elect(offline, Strategy::Offline), Step::Flush]);
        }
    }

    /// First leaders: the state znodes are created, below their parents.
    pub(super) fn initialize(&mut self, cx: &mut Context<'_>, partitions: Vec<TopicPartition>) {
        let epoch = self.epoch();
        let mut chosen = Vec::new();
        let (mut topics, mut parents, mut states) = (BTreeSet::new(), Vec::new(), Vec::new());
        for at in partitions {
            let partition = self.known.partitions.get(&at);
            let partition = partition.expect("only deletion forgets partitions, in another event");
            let live = self.known.live_among(&at, &[]);
            let candidates = Candidates {
                assignment: &partition.replicas,
                isr: &[],
                live: &live,
                shutting_down: &[],
            };
            let Some(Choice { leader, isr, .. }) = candidates.new_partition() else {
                tracing::warn!(partition = %at, "no replica is live, so it has no leader");
                continue;
            };
            let state = PartitionState { controller_epoch: epoch, leader, leader_epoch: 0, isr };
            topics.insert(at.topic.clone());
            parents.push(Call::create(paths::partition(&at), None));
            states.push(Call::create(paths::partition_state(&at), Some(state.encode())));
            chosen.push((at, state));
        }
        let make = |topic: &Arc<str>| Call::create(paths::partitions(topic), None);
        let mut calls: Vec<_> = topics.iter().map(make).collect();
        calls.append(&mut parents);
        let first_state = calls.len();
        calls.append(&mut states);
        self.ask(cx, calls, move |this, cx, answers| {
            let mut unclear = Vec::new();
            for ((at, state), answer) in chosen.into_iter().zip(&answers[first_state..]) {
                match answer {
                    Answer::Done => this.online(cx, &at, state, 0, Election::New, None),
                    Answer::Failed(Code::NODE_EXISTS) => unclear.push((at, state)),
                    other => tracing::warn!(partition = %at, ?other, "its state is not created"),
                }
            }
            this.confirm_new(cx, unclear);
        });
    }

    /// States that were there already: this controller's own, if a create was sent again after its answer
    /// was lost.
    fn confirm_new(
        &mut self,
        cx: &mut Context<'_>,
        unclear: Vec<(TopicPartition, PartitionState)>,
    ) {
        let get = |(at, _): &(TopicPartition, _)| Call::get(paths::partition_state(at), false);
        let calls = unclear.iter().map(get).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            for ((at, wanted), answer) in unclear.into_iter().zip(&answers) {
                match read_state(answer) {
                    Some((state, version)) if state == wanted => {
                        this.online(cx, &at, state, version, Election::New, None);
                    }
                    _ => tracing::warn!(partition = %at, "it has a state that another wrote"),
                }
            }
        });
    }

    /// A leader was written: remembers it, and queues the control requests.
    fn online(
        &mut self,
        cx: &mut Context<'_>,
        at: &TopicPartition,
        state: PartitionState,
        version: i32,
        election: Election,
        recipients: Option<&[BrokerId]>,
    ) {
        let PartitionState { leader, leader_epoch, .. } = state;
        let isr = state.isr.clone();
        tracing::info!(partition = %at, %leader, leader_epoch, ?isr, ?election, "leader elected");
        self.known.put_leadership(at, state, version);
        if let Some(partition) = self.known.partitions.get_mut(at) {
            partition.stage = PartitionStage::Online;
        }
        let is_new = election == Election::New;
        self.batch.leader_and_isr(&self.known, recipients.unwrap_or(&isr), at, is_new);
        let at = at.clone();
        let elected = BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, election };
        cx.effects.observe(Observation::Broker(elected));
    }

    /// Other leaders: reads the states first.
    pub(super) fn elect(
        &mut self,
        cx: &mut Context<'_>,
        partitions: Vec<TopicPartition>,
        strategy: Strategy,
    ) {
        self.read_own_states(cx, partitions, move |this, cx, states| {
            let needs_setting: BTreeSet<_> = states
                .iter()
                .filter(|(at, state, _)| {
                    let live = this.known.live_among(at, &state.isr);
                    strategy == Strategy::Offline && !state.isr.iter().any(|id| live.contains(id))
                })
                .map(|(at, ..)| at.topic.clone())
                .collect();
            this.read_unclean(cx, needs_setting, move |this, cx, unclean| {
                this.write_choices(cx, &states, strategy, &unclean);
            });
        });
    }

    /// Reads states; leaves out those that are missing or were written by a later controller.
    pub(super) fn read_own_states(
        &mut self,
        cx: &mut Context<'_>,
        partitions: Vec<TopicPartition>,
        then: impl FnOnce(&mut Self, &mut Context<'_>, States) + Send + 'static,
    ) {
        let get = |at: &TopicPartition| Call::get(paths::partition_state(at), false);
        let calls = partitions.iter().map(get).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            let epoch = this.epoch();
            let mut states = Vec::new();
            for (at, answer) in partitions.into_iter().zip(&answers) {
                let Some((state, version)) = read_state(answer) else {
                    tracing::warn!(partition = %at, "it has no state");
                    continue;
                };
                if state.controller_epoch > epoch {
                    tracing::warn!(partition = %at, "a later controller wrote its state");
                    continue;
                }
                states.push((at, state, version));
            }
            then(this, cx, states);
        });
    }

    /// Reads whether topics allow unclean elections.
    pub(super) fn read_unclean(
        &mut self,
        cx: &mut Context<'_>,
        topics: BTreeSet<Arc<str>>,
        then: impl FnOnce(&mut Self, &mut Context<'_>, UncleanTopics) + Send + 'static,
    ) {
        let get = |topic: &Arc<str>| Call::get(paths::topic_config(topic), false);
        let calls = topics.iter().map(get).collect();
        self.ask(cx, calls, move |this, cx, answers| {
            let default = this.config.unclean_leader_election;
            let setting = |answer: &Answer| {
                // The topic has no settings of its own.
                let Answer::Data { data, .. } = answer else { return default };
                let config = payload::decode_config(data).unwrap_or_default();
                config.get(UNCLEAN).map_or(default, |value| value.eq_ignore_ascii_case("true"))
            };
            let unclean = answers.iter().map(setting);
            let unclean = topics.into_iter().zip(unclean).collect();
            then(this, cx, unclean);
        });
    }

    fn write_choices(
        &mut self,
        cx: &mut Context<'_>,
        states: &States,
        strategy: Strategy,
        unclean: &UncleanTopics,
    ) {
        let epoch = self.epoch();
        let epoch_step = if self.config.is(Mutant::ReuseLeaderEpoch) { 0 } else { 1 };
        let (mut calls, mut chosen) = (Vec::new(), Vec::new());
        for (at, old, version) in states {
            let unclean = unclean.get(&at.topic).copied().unwrap_or(false)
                || self.config.is(Mutant::ElectOutsideIsr);
            let Some(mut choice) = self.known.choose(at, old, strategy, unclean) else {
                let isr = &old.isr;
                tracing::info!(partition = %at, ?strategy, ?isr, "no replica can lead it");
                continue;
            };
            if self.config.is(Mutant::ElectWithoutJoining) {
                choice.isr.retain(|id| *id != choice.leader);
            }
            let state = PartitionState {
                controller_epoch: epoch,
                leader: choice.leader,
                leader_epoch: old.leader_epoch + epoch_step,
                isr: choice.isr,
            };
            calls.push(Call::set(paths::partition_state(at), state.encode(), *version));
            let election = match strategy {
                Strategy::Offline | Strategy::Unclean if choice.unclean => Election::Unclean,
                Strategy::Offline | Strategy::Unclean => Election::Offline,
                Strategy::Preferred => Election::Preferred,
                Strategy::ControlledShutdown => Election::ControlledShutdown,
                Strategy::Reassigned => Election::Reassigned,
            };
            chosen.push((at.clone(), state, election, choice.recipients));
        }
        self.ask(cx, calls, move |this, cx, answers| {
            let mut again = Vec::new();
            for ((at, state, election, recipients), answer) in chosen.into_iter().zip(&answers) {
                match answer {
                    Answer::Stat(stat) => {
                        this.online(cx, &at, state, stat.version, election, Some(&recipients));
                    }
                    Answer::Failed(Code::BAD_VERSION) => again.push(at),
                    other => tracing::warn!(partition = %at, ?other, "its leader is not written"),
                }
            }
            if !again.is_empty() {
                this.event_manager.first([Step::Elect(again, strategy)]);
            }
        });
    }
}
