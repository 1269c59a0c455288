//! Preferred leaders: the first replica of each assignment leads again, when an operator asks for it
//! (`/admin/preferred_replica_election`, ElectLeaders) or when too many are led by others
//! (`auto.leader.rebalance.enable`).

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, ResponseKind};

use super::batch::topic_name;
use super::calls::{Answer, Call};
use super::context::ControllerPartition;
use super::election::Strategy;
use super::event_manager::{ControllerEvent, Step};
use super::kafka_controller::Controller;
use super::refusals::refuse_elect_leaders;
use super::timers::Tick;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::{paths, payload};
use crate::vocab::TopicPartition;

/// `election_type` of ElectLeaders.
const TYPE_PREFERRED: i8 = 0;

impl Controller {
    fn is_led_by_preferred(&self, at: &TopicPartition) -> bool {
        let partition = self.known.partitions.get(at);
        partition.is_some_and(|one| one.leader() == one.replicas.first().copied())
    }

    fn can_be_led_by_preferred(&self, partition: &ControllerPartition) -> bool {
        // It never had a leader.
        let Some(leadership) = &partition.leadership else { return false };
        let preferred = partition.replicas.first();
        preferred.is_some_and(|id| self.known.is_live(*id) && leadership.state.isr.contains(id))
    }

    /// `AutoRebalance`: where more than the permitted share of a broker's partitions is led by others.
    pub(super) fn auto_rebalance(&mut self, cx: &mut Context<'_>) {
        self.timers.set(cx, self.config.leader_imbalance_check_interval, Tick::Rebalance);
        let mut by_preferred: BTreeMap<_, (usize, Vec<TopicPartition>)> = BTreeMap::new();
        for (at, partition) in &self.known.partitions {
            // An operator wrote an assignment without replicas.
            let Some(preferred) = partition.replicas.first() else { continue };
            if self.known.is_to_be_deleted(at) {
                continue;
            }
            let (total, elsewhere) = by_preferred.entry(*preferred).or_default();
            *total += 1;
            if partition.leadership.is_some() && !self.is_led_by_preferred(at) {
                elsewhere.push(at.clone());
            }
        }
        let percentage = self.config.leader_imbalance_per_broker_percentage as usize;
        let mut candidates = Vec::new();
        for (broker, (total, elsewhere)) in by_preferred {
            if elsewhere.len() * 100 > total * percentage {
                let elsewhere_count = elsewhere.len();
                tracing::info!(%broker, total, elsewhere_count, "leaders are imbalanced");
                let can = |at: &TopicPartition| {
                    self.known
                        .partitions
                        .get(at)
                        .is_some_and(|one| self.can_be_led_by_preferred(one))
                };
                candidates.extend(elsewhere.into_iter().filter(can));
            }
        }
        if !candidates.is_empty() {
            self.event_manager.first([Step::ElectPreferred(candidates)]);
        }
    }

    /// Elects preferred leaders where others lead.
    pub(super) fn elect_preferred(&mut self, mut partitions: Vec<TopicPartition>) {
        partitions.retain(|at| {
            let is_known = self.known.partitions.contains_key(at);
            is_known && !self.known.is_to_be_deleted(at) && !self.is_led_by_preferred(at)
        });
        if !partitions.is_empty() {
            self.event_manager.first([Step::Elect(partitions, Strategy::Preferred), Step::Flush]);
        }
    }

    /// `PreferredElection`: an operator's request, as a znode.
    pub(super) fn preferred_election(&mut self, cx: &mut Context<'_>) {
        let call = Call::get(paths::PREFERRED_REPLICA_ELECTION, false);
        self.ask(cx, vec![call], |this, _, answers| {
            // It is looked for at every failover, and rarely there.
            let Answer::Data { data, .. } = &answers[0] else { return };
            let wanted = payload::decode_partitions(data).unwrap_or_else(|why| {
                tracing::warn!(%why, "a preferred election is skipped");
                Vec::new()
            });
            this.event_manager.first([Step::ElectPreferred(wanted), Step::ClearPreferredElection]);
        });
    }

    /// Removes the request and watches for the next one.
    pub(super) fn clear_preferred_election(&mut self, cx: &mut Context<'_>) {
        const PATH: &str = paths::PREFERRED_REPLICA_ELECTION;
        let calls = vec![Call::delete(PATH), Call::exists(PATH, true)];
        self.ask(cx, calls, |this, _, answers| {
            if let Answer::Stat(_) = answers[1] {
                this.event_manager.add(ControllerEvent::PreferredElection);
            }
        });
    }

    /// ElectLeaders: the request's turn has come. Unclean elections (type 1) are refused.
    pub(super) fn process_elect_leaders(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &ElectLeadersRequest,
    ) {
        if request.election_type != TYPE_PREFERRED {
            return refuse_elect_leaders(cx, to, ResponseError::InvalidRequest);
        }
        let wanted = match &request.topic_partitions {
            None => self.known.partitions.keys().cloned().collect(),
            Some(topics) => {
                let mut wanted = BTreeSet::new();
                for topic in topics {
                    let at = |&index: &i32| TopicPartition::new(&*topic.topic.0, index);
                    wanted.extend(topic.partitions.iter().map(at));
                }
                wanted.into_iter().collect::<Vec<_>>()
            }
        };
        self.event_manager
            .first([Step::ElectPreferred(wanted.clone()), Step::AnswerElectLeaders(to, wanted)]);
    }

    /// Answers an ElectLeaders with how it ended for each partition.
    pub(super) fn answer_elect_leaders(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        partitions: &[TopicPartition],
    ) {
        let mut results: Vec<ReplicaElectionResult> = Vec::new();
        for at in partitions {
            let error = if !self.known.partitions.contains_key(at) {
                ResponseError::UnknownTopicOrPartition.code()
            } else if self.is_led_by_preferred(at) {
                0
            } else {
                ResponseError::PreferredLeaderNotAvailable.code()
            };
            let result =
                PartitionResult::default().with_partition_id(at.partition).with_error_code(error);
            let name = topic_name(&at.topic);
            match results.last_mut() {
                Some(topic) if topic.topic == name => topic.partition_result.push(result),
                _ => results.push(
                    ReplicaElectionResult::default()
                        .with_topic(name)
                        .with_partition_result(vec![result]),
                ),
            }
        }
        let response = ElectLeadersResponse::default().with_replica_election_results(results);
        cx.reply(to, ResponseKind::ElectLeaders(response));
    }
}
