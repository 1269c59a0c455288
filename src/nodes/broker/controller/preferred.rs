//! Preferred leaders: the first replica of each assignment leads again, when an operator asks for it
//! (`/admin/preferred_replica_election`, ElectLeaders) or when too many are led by others
//! (`auto.leader.rebalance.enable`).

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError::{self, ElectionNotNeeded};
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::batch::topic_name;
use super::calls::{Answer, Call};
use super::context::{ControllerContext, ControllerPartition};
use super::election::Strategy;
use super::event_manager::{ControllerEvent, Elections, Step};
use super::kafka_controller::Controller;
use super::timers::Tick;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::texts::{Text, say};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;

/// `election_type` of ElectLeaders.
const TYPE_PREFERRED: i8 = 0;
/// `election_type` of ElectLeaders.
const TYPE_UNCLEAN: i8 = 1;

impl ControllerContext {
    fn is_led_by_preferred(&self, at: &TopicPartition) -> bool {
        let partition = self.partitions.get(at);
        partition.is_some_and(|one| one.leader() == one.replicas.first().copied())
    }

    fn can_be_led_by_preferred(&self, at: &TopicPartition) -> bool {
        let Some(partition) = self.partitions.get(at) else { return false };
        // It never had a leader.
        let Some(leadership) = &partition.leadership else { return false };
        let preferred = partition.replicas.first();
        preferred.is_some_and(|id| self.is_live(*id) && leadership.state.isr.contains(id))
    }

    /// The partitions that their preferred replicas can lead and do not, of brokers where that are more than
    /// `percentage` of those that they should lead.
    fn imbalanced(&self, percentage: usize) -> Vec<TopicPartition> {
        let mut by_preferred: BTreeMap<_, (usize, Vec<TopicPartition>)> = BTreeMap::new();
        for (at, partition) in &self.partitions {
            // An operator wrote an assignment without replicas.
            let Some(preferred) = partition.replicas.first() else { continue };
            if self.is_to_be_deleted(at) || !self.reassigning.is_empty() {
                continue;
            }
            let (total, elsewhere) = by_preferred.entry(*preferred).or_default();
            *total += 1;
            if partition.leadership.is_some() && !self.is_led_by_preferred(at) {
                elsewhere.push(at.clone());
            }
        }
        let mut candidates = Vec::new();
        for (broker, (total, elsewhere)) in by_preferred {
            if elsewhere.len() * 100 > total * percentage {
                let elsewhere_count = elsewhere.len();
                tracing::info!(%broker, total, elsewhere_count, "leaders are imbalanced");
                candidates
                    .extend(elsewhere.into_iter().filter(|at| self.can_be_led_by_preferred(at)));
            }
        }
        candidates
    }

    /// Whether an election is to be held for a partition.
    fn is_electable(&self, at: &TopicPartition, preferred: bool) -> bool {
        let is_due = |one: &ControllerPartition| match preferred {
            true => one.leader() != one.replicas.first().copied(),
            false => one.leader().is_none_or(|id| !self.is_live(id)),
        };
        self.partitions.get(at).is_some_and(is_due) && !self.is_to_be_deleted(at)
    }

    /// What is wrong with a partition after its election, if one was held.
    fn election_error(
        &self,
        version: KafkaVersion,
        (at, is_held): (&TopicPartition, bool),
        preferred: bool,
    ) -> Option<(ResponseError, String)> {
        let Some(partition) = self.partitions.get(at) else {
            let why = "The partition does not exist.".to_owned();
            return Some((ResponseError::UnknownTopicOrPartition, why));
        };
        if self.is_to_be_deleted(at) {
            let why = "The topic is being deleted".to_owned();
            return Some((ResponseError::InvalidTopicException, why));
        }
        if !is_held {
            let why = say(Text::ElectionNotNeeded, version, &[]);
            let says = version.has(Change::ElectionNotNeeded);
            return says.then_some((ResponseError::ElectionNotNeeded, why));
        }
        let (has_it, failed) = match preferred {
            true => (self.is_led_by_preferred(at), ResponseError::PreferredLeaderNotAvailable),
            false => {
                let is_led = partition.leader().is_some_and(|id| self.is_live(id));
                (is_led, ResponseError::EligibleLeadersNotAvailable)
            }
        };
        (!has_it).then(|| (failed, format!("Failed to elect leader for partition {at}")))
    }
}

impl Controller {
    /// `AutoRebalance`: where more than the permitted share of a broker's partitions is led by others.
    pub(super) fn auto_rebalance(&mut self, cx: &mut Context<'_>) {
        self.timers.set(cx, self.config.leader_imbalance_check_interval, Tick::Rebalance);
        let percentage = self.config.leader_imbalance_per_broker_percentage;
        let candidates = self.known.imbalanced(percentage as usize);
        if !candidates.is_empty() {
            self.event_manager.first([Step::ElectPreferred(candidates)]);
        }
    }

    /// Elects preferred leaders where others lead.
    pub(super) fn elect_preferred(&mut self, mut partitions: Vec<TopicPartition>) {
        partitions.retain(|at| {
            let is_known = self.known.partitions.contains_key(at);
            is_known && !self.known.is_to_be_deleted(at) && !self.known.is_led_by_preferred(at)
        });
        if !partitions.is_empty() {
            self.event_manager.first([Step::Elect(partitions, Strategy::Preferred), Step::Flush]);
        }
    }

    /// `PreferredElection`: an operator's request, as a znode. Before 2.2 one that names an unknown partition stays,
    /// as the controller fails at looking for its leader, unless the request is older than the controller (`is_old`).
    pub(super) fn preferred_election(&mut self, cx: &mut Context<'_>, is_old: bool) {
        let call = Call::get(paths::PREFERRED_REPLICA_ELECTION, false);
        self.ask(cx, vec![call], move |this, _, answers| {
            // It is looked for at every failover, and rarely there.
            let Answer::Data { data, .. } = &answers[0] else { return };
            let wanted = payload::decode_partitions(data).unwrap_or_else(|why| {
                tracing::warn!(%why, "a preferred election is skipped");
                Vec::new()
            });
            let skips = is_old || this.config.version.has(Change::UnknownPreferredElectionSkipped);
            if skips || wanted.iter().all(|at| this.known.partitions.contains_key(at)) {
                this.event_manager.first([Step::ClearPreferredElection]);
            }
            this.event_manager.first([Step::ElectPreferred(wanted)]);
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

    /// ElectLeaders: the request's turn has come.
    pub(super) fn process_elect_leaders(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &ElectLeadersRequest,
    ) {
        let preferred = to.version == 0 || request.election_type == TYPE_PREFERRED;
        if !preferred && request.election_type != TYPE_UNCLEAN {
            let why =
                format!("Value {} must be one of [PREFERRED, UNCLEAN]", request.election_type);
            let why = self.config.version.has(Change::ServerErrorsSaySomething).then_some(why);
            let error = ResponseError::UnknownServerError.code();
            let refused = wanted(request).map(|at| (at, error, why.clone()));
            return reply_elections(cx, to, error, refused);
        }
        let all = request.topic_partitions.is_none();
        let asked: BTreeSet<TopicPartition> = match all {
            true => self.known.partitions.keys().cloned().collect(),
            false => wanted(request).collect(),
        };
        let partitions: Vec<_> = asked
            .into_iter()
            .map(|at| {
                let is_held = self.known.is_electable(&at, preferred);
                (at, is_held)
            })
            .collect();
        let held = partitions.iter().filter(|(_, is_held)| *is_held);
        let held: Vec<_> = held.map(|(at, _)| at.clone()).collect();
        let elections = Elections { preferred, all, partitions };
        let answer = Step::AnswerElectLeaders(to, elections);
        match preferred {
            true => self.event_manager.first([Step::ElectPreferred(held), answer]),
            false if held.is_empty() => self.event_manager.first([answer]),
            false => {
                let elect = Step::Elect(held, Strategy::Unclean);
                self.event_manager.first([elect, Step::Flush, answer]);
            }
        }
    }

    /// Answers an ElectLeaders with how it ended for each partition.
    pub(super) fn answer_elect_leaders(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        elections: &Elections,
    ) {
        let is_answered = |is_held: bool, error: &Option<(ResponseError, String)>| {
            let needless = !is_held && matches!(error, None | Some((ElectionNotNeeded, _)));
            !(elections.all && needless)
        };
        let results = elections.partitions.iter().filter_map(|(at, is_held)| {
            let version = self.config.version;
            let error = self.known.election_error(version, (at, *is_held), elections.preferred);
            if !is_answered(*is_held, &error) {
                return None;
            }
            let (code, why) = error.map_or((0, None), |(error, why)| (error.code(), Some(why)));
            Some((at.clone(), code, why))
        });
        reply_elections(cx, to, 0, results);
    }
}

/// The partitions that the request names.
pub fn wanted(request: &ElectLeadersRequest) -> impl Iterator<Item = TopicPartition> {
    let topics = request.topic_partitions.iter().flatten();
    topics.flat_map(|topic| {
        topic.partitions.iter().map(|&index| TopicPartition::new(&*topic.topic.0, index))
    })
}

/// Answers ElectLeaders with an error of the request, and each partition's error and text.
pub fn reply_elections(
    cx: &mut Context<'_>,
    to: ReplyTo,
    error: i16,
    partitions: impl Iterator<Item = (TopicPartition, i16, Option<String>)>,
) {
    let mut results: Vec<ReplicaElectionResult> = Vec::new();
    for (at, error, why) in partitions {
        let result = PartitionResult::default()
            .with_partition_id(at.partition)
            .with_error_code(error)
            .with_error_message(why.map(StrBytes::from_string));
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
    let mut response = ElectLeadersResponse::default().with_replica_election_results(results);
    if to.version >= 1 {
        response.error_code = error;
    }
    cx.reply(to, ResponseKind::ElectLeaders(response));
}
