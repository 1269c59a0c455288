//! Having in-sync replicas changed, for the partitions that this broker leads.
//!
//! Up to 2.6 the leader writes the partition's state itself, on the condition that the znode's version is the
//! one it knows (`ReplicationUtils.updateLeaderAndIsr`), and notifies the controller later, with one notification
//! for several changes (`ReplicaManager.maybePropagateIsrChanges`). From 2.7 on it asks the controller
//! (AlterPartition, KIP-497), with one request in flight and everything that waits in the next one
//! (`AlterIsrManager`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::alter_partition_response::PartitionData as Altered;
use kafka_protocol::messages::{
    AlterPartitionRequest, ApiKey, BrokerId as WireBrokerId, RequestKind, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tracing::{debug, info};

use super::controller_channel::{CallEnd, ControllerClient};
use super::timers::TimerFor;
use super::zk_requests::{Op, data, proposed_state};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, IsrChange, IsrOutcome, Part, Purpose};
use crate::nodes::broker::replica::ReplicaManager;
use crate::nodes::broker::znodes::payload::PartitionState;
use crate::releases::IsrPath;
use crate::releases::apis::highest;
use crate::vocab::{
    BrokerEpoch, BrokerId, Clock, Mutant, PartitionEpoch, Stream, Time, TopicPartition, nanos,
};
use crate::wire::zookeeper::{Code, Reply};

/// How often it is seen whether a notification is due (`ReplicaManager`, scheduled task).
const NOTIFICATION_CHECK: Duration = Duration::from_millis(2_500);
/// No notification while changes are younger than this (`IsrChangePropagationBlackOut`) …
const NOTIFICATION_QUIET: Duration = Duration::from_millis(5_000);
/// … unless the last one is older than this (`IsrChangePropagationInterval`).
const NOTIFICATION_LATEST: Duration = Duration::from_millis(60_000);
/// Pause after the controller refused a whole request, or could not be reached.
const ALTER_RETRY: Duration = Duration::from_millis(50);
/// The first version of AlterPartition that names topics by their ids (KIP-841).
const WITH_TOPIC_IDS: i16 = 2;
/// The first version with the epochs of the brokers (KIP-903).
const WITH_BROKER_EPOCHS: i16 = 3;

/// ISR changes that are not over.
#[derive(Debug, Default)]
pub struct IsrChanges {
    /// Checks are at such multiples of their interval less this, in nanoseconds.
    phase_ns: u64,
    /// Changed in ZooKeeper, and the controller is not notified yet.
    unnotified: BTreeSet<TopicPartition>,
    /// By the wall clock, and so is the next.
    last_change: Time,
    last_notification: Time,
    notification_due: bool,
    /// To be asked of the controller.
    wanted: BTreeMap<TopicPartition, IsrChange>,
    /// Asked of the controller.
    asked: Option<Vec<IsrChange>>,
    retry_due: bool,
}

impl IsrChanges {
    /// No changes; the process begins now, which counts as its last notification
    /// (`ReplicaManager.lastIsrPropagationMs`).
    /// Its checks are at intervals from now, or, of a broker that was up before, at any phase, drawn from `phases`.
    pub fn starting(clock: Clock, phases: Option<Stream>) -> Self {
        let (last_notification, interval) = (clock.by_wall(), nanos(NOTIFICATION_CHECK));
        let phase_ns = match phases {
            Some(mut phases) => phases.below(interval),
            None => (interval - clock.now.0 % interval) % interval,
        };
        Self { phase_ns, last_notification, ..Self::default() }
    }

    /// A notification could not be written; its partitions go into the next one.
    pub fn notification_failed(&mut self, partitions: Vec<TopicPartition>) {
        self.unnotified.extend(partitions);
    }
}

/// The parts that changes of the ISR work with.
#[derive(Debug)]
pub struct IsrHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// ISR changes that are not over.
    pub isr: &'a mut IsrChanges,
    /// Of the last registration; −1 before the first.
    pub broker_epoch: BrokerEpoch,
    /// The replicas, which wait for the outcome.
    pub replicas: &'a mut ReplicaManager,
    /// The way to the controller, and to ZooKeeper.
    pub client: ControllerClient<'a>,
}

impl IsrHandler<'_> {
    /// Carries out a change that a leader proposes.
    pub fn change(&mut self, cx: &mut Context<'_>, change: IsrChange) {
        match self.config.version.isr_path() {
            IsrPath::ZooKeeper => {
                self.replicas.isr_write_begins(&change.at);
                self.client.zk.ask(cx, Op::WriteIsr(change));
            }
            IsrPath::AlterPartition => {
                self.isr.wanted.insert(change.at.clone(), change);
                self.alter_partitions(cx);
            }
        }
    }

    /// ZooKeeper answered a write.
    pub fn written(
        &mut self,
        cx: &mut Context<'_>,
        change: IsrChange,
        result: &Result<Reply, Code>,
    ) {
        match result {
            Ok(Reply::Stat(stat)) => self.committed(cx, change, stat.version),
            Err(Code::BAD_VERSION) => self.client.zk.ask(cx, Op::RereadIsr(change)),
            other => {
                debug!(broker = %self.config.id, at = %change.at, ?other, "ISR is not written");
                self.refused(cx, &change.at);
            }
        }
    }

    /// The state after a refused write was read: if it is what was to be written, an earlier try took effect.
    pub fn reread(
        &mut self,
        cx: &mut Context<'_>,
        change: IsrChange,
        result: &Result<Reply, Code>,
    ) {
        let written = match (result, data(result)) {
            (Ok(Reply::Data { stat, .. }), Some(data)) => PartitionState::decode(&data)
                .is_ok_and(|state| state == proposed_state(self.config.id, &change))
                .then_some(stat.version),
            _ => None,
        };
        if let Some(version) = written {
            self.committed(cx, change, version);
            return;
        }
        info!(
            broker = %self.config.id, at = %change.at, cached = change.partition_epoch,
            "Cached zkVersion not equal to that in zookeeper, skip updating ISR"
        );
        self.refused(cx, &change.at);
    }

    /// A change is refused.
    pub fn refused(&mut self, cx: &mut Context<'_>, at: &TopicPartition) {
        self.replicas.isr_change_done(cx, at, IsrOutcome::Refused);
    }

    fn committed(&mut self, cx: &mut Context<'_>, change: IsrChange, version: PartitionEpoch) {
        self.isr.unnotified.insert(change.at.clone());
        self.isr.last_change = cx.clock.by_wall();
        self.check_notifications_later(cx);
        let outcome = IsrOutcome::Committed {
            isr: change.isr,
            leader_epoch: change.leader_epoch,
            partition_epoch: version,
        };
        self.replicas.isr_change_done(cx, &change.at, outcome);
    }

    /// The check is periodic in Kafka; here it runs at the same times, but only while there are changes.
    fn check_notifications_later(&mut self, cx: &mut Context<'_>) {
        if self.isr.notification_due {
            return;
        }
        self.isr.notification_due = true;
        let (interval, phase) = (nanos(NOTIFICATION_CHECK), self.isr.phase_ns);
        let next = Time(((cx.clock.now.0 + phase) / interval + 1) * interval - phase);
        cx.timer(Part::Server, next, TimerFor::IsrNotification.number());
    }

    /// It is time to see whether a notification is due.
    pub fn notify(&mut self, cx: &mut Context<'_>) {
        self.isr.notification_due = false;
        if self.isr.unnotified.is_empty() {
            return;
        }
        let now = cx.clock.by_wall();
        let quiet = self.isr.last_change + NOTIFICATION_QUIET < now;
        let overdue = self.isr.last_notification + NOTIFICATION_LATEST < now;
        if quiet || overdue {
            self.isr.last_notification = now;
            let partitions = std::mem::take(&mut self.isr.unnotified).into_iter().collect();
            self.client.zk.ask(cx, Op::NotifyIsrChanges(partitions));
        }
        self.check_notifications_later(cx);
    }

    /// The pause after a refusal is over.
    pub fn alter_partitions_again(&mut self, cx: &mut Context<'_>) {
        self.isr.retry_due = false;
        self.alter_partitions(cx);
    }

    /// Asks the controller for what is wanted, unless it is busy with an earlier request.
    fn alter_partitions(&mut self, cx: &mut Context<'_>) {
        if self.isr.asked.is_some() || self.isr.retry_due || self.isr.wanted.is_empty() {
            return;
        }
        let changes: Vec<_> = std::mem::take(&mut self.isr.wanted).into_values().collect();
        // Topics are named by their ids if all have one (`AlterPartitionRequest.Builder`).
        let has_ids = changes.iter().all(|change| !change.topic_id.is_nil());
        let version = highest(self.config.version, ApiKey::AlterPartition).unwrap_or(0);
        let version = if has_ids { version } else { version.min(WITH_TOPIC_IDS - 1) };
        let request = self.alter_partition_request(&changes, version);
        self.isr.asked = Some(changes);
        let body = RequestKind::AlterPartition(request);
        let to = self.client.controller_node();
        if self.client.call(cx, Purpose::AlterPartition, to, version, body).is_err() {
            self.partitions_altered(cx, None);
        }
    }

    fn alter_partition_request(
        &self,
        changes: &[IsrChange],
        version: i16,
    ) -> AlterPartitionRequest {
        let mut topics: Vec<TopicData> = Vec::new();
        // Changes are in the order of their partitions, so those of a topic are together.
        for changes in changes.chunk_by(|one, next| one.at.topic == next.at.topic) {
            let partitions = changes.iter().map(|change| asked_partition(change, version));
            let topic = TopicData::default().with_partitions(partitions.collect());
            topics.push(match version {
                WITH_TOPIC_IDS.. => topic.with_topic_id(changes[0].topic_id),
                _ => {
                    let name = StrBytes::from_string(changes[0].at.topic.to_string());
                    topic.with_topic_name(TopicName(name))
                }
            });
        }
        AlterPartitionRequest::default()
            .with_broker_id(WireBrokerId(self.config.id.0))
            .with_broker_epoch(self.broker_epoch)
            .with_topics(topics)
    }

    /// The controller answered AlterPartition, or cannot be reached.
    pub fn partitions_altered(&mut self, cx: &mut Context<'_>, answer: CallEnd) {
        let asked = self.isr.asked.take().expect("a request ends once");
        let answers = match answer {
            Some(ResponseKind::AlterPartition(response)) if response.error_code == 0 => {
                let mut answers = BTreeMap::new();
                for topic in response.topics {
                    let named = asked.iter().find(|change| match topic.topic_id.is_nil() {
                        true => *change.at.topic == **topic.topic_name,
                        false => change.topic_id == topic.topic_id,
                    });
                    let Some(named) = named else { continue };
                    let name = named.at.topic.clone();
                    for partition in topic.partitions {
                        let at = TopicPartition::new(name.clone(), partition.partition_index);
                        answers.insert(at, partition);
                    }
                }
                answers
            }
            other => {
                debug!(broker = %self.config.id, ?other, "controller altered no partition");
                BTreeMap::new()
            }
        };
        let mut retry = false;
        for change in asked {
            match answers.get(&change.at).and_then(outcome) {
                // Something newer is wanted already: the replicas no longer wait for this one.
                _ if self.isr.wanted.contains_key(&change.at) => {}
                Some(outcome) => self.replicas.isr_change_done(cx, &change.at, outcome),
                None if self.config.is(Mutant::ForgetUnansweredIsrChange) => {}
                None => {
                    self.isr.wanted.insert(change.at.clone(), change);
                    retry = true;
                }
            }
        }
        if retry && !self.isr.retry_due {
            self.isr.retry_due = true;
            let at = cx.clock.now + ALTER_RETRY;
            cx.timer(Part::Server, at, TimerFor::AlterPartition.number());
        }
        self.alter_partitions(cx);
    }
}

/// What is asked for a partition in this version of AlterPartition. Brokers that know no epochs of the others say −1,
/// as all do that are at a ZooKeeper (`Partition.addBrokerEpochToIsr`).
fn asked_partition(change: &IsrChange, version: i16) -> PartitionData {
    let ids = change.isr.iter().map(|id| WireBrokerId(id.0));
    let partition = PartitionData::default()
        .with_partition_index(change.at.partition)
        .with_leader_epoch(change.leader_epoch)
        .with_partition_epoch(change.partition_epoch);
    match version {
        WITH_BROKER_EPOCHS.. => {
            let states = ids.map(|id| BrokerState::default().with_broker_id(id));
            partition.with_new_isr_with_epochs(states.collect())
        }
        _ => partition.with_new_isr(ids.collect()),
    }
}

/// INELIGIBLE_REPLICA, which the crate's list of errors does not have.
const INELIGIBLE_REPLICA: i16 = 107;

/// What the answer for one partition means; `None` is "ask again".
fn outcome(answer: &Altered) -> Option<IsrOutcome> {
    match answer.error_code {
        0 => Some(IsrOutcome::Committed {
            isr: answer.isr.iter().map(|id| BrokerId(id.0)).collect(),
            leader_epoch: answer.leader_epoch,
            partition_epoch: answer.partition_epoch,
        }),
        INELIGIBLE_REPLICA => Some(IsrOutcome::Refused),
        code => match ResponseError::try_from_code(code) {
            Some(ResponseError::OperationNotAttempted) => Some(IsrOutcome::Refused),
            Some(
                ResponseError::FencedLeaderEpoch
                | ResponseError::InvalidUpdateVersion
                | ResponseError::UnknownTopicOrPartition
                | ResponseError::UnknownTopicId,
            ) => Some(IsrOutcome::Superseded),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_begins_late_does_not_owe_a_notification() {
        let clock = Clock { now: Time::from_millis(100_000), wall_ms: 1_520_585_855_000 };
        let changes = IsrChanges::starting(clock, None);
        assert_eq!((changes.phase_ns, changes.last_notification), (0, clock.by_wall()));
    }

    #[test]
    fn answers_of_the_controller_mean_what_they_mean_in_kafka() {
        let answer = |code| Altered::default().with_error_code(code).with_partition_epoch(7);
        for (code, expected) in [
            (74, Some(IsrOutcome::Superseded)),
            (95, Some(IsrOutcome::Superseded)),
            (3, Some(IsrOutcome::Superseded)),
            (100, Some(IsrOutcome::Superseded)),
            (107, Some(IsrOutcome::Refused)),
            (55, Some(IsrOutcome::Refused)),
            (41, None),
            (-1, None),
        ] {
            assert_eq!(outcome(&answer(code)), expected, "{code}");
        }
        let committed = IsrOutcome::Committed { isr: vec![], leader_epoch: 0, partition_epoch: 7 };
        assert_eq!(outcome(&answer(0)), Some(committed));
    }
}
