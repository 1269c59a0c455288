//! In-sync replicas that leaders change: AlterPartition (2.7+, KIP-497; checked more strictly since 3.3,
//! KIP-841), and the notifications of leaders that write by themselves (up to 2.6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use kafka_protocol::messages::{
    AlterPartitionRequest, AlterPartitionResponse, BrokerId as WireBrokerId, ResponseKind,
};

use super::batch::topic_name;
use super::calls::{Answer, Call};
use super::context::{ControllerContext, Leadership};
use super::event_manager::Step;
use super::kafka_controller::Controller;
use super::reassign_steps::Reassign;
use super::refusals::refuse_alter_partition;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{self, PartitionState};
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, PartitionEpoch, TopicPartition};
use crate::wire::zookeeper::Code;

/// KIP-841; the protocol crate has no name for it.
const INELIGIBLE_REPLICA: ResponseError = ResponseError::Unknown(107);

/// What a leader wants for one partition.
#[derive(Clone, Debug)]
struct Proposal {
    leader: BrokerId,
    leader_epoch: LeaderEpoch,
    isr: Vec<BrokerId>,
    partition_epoch: PartitionEpoch,
}

type Verdicts = BTreeMap<TopicPartition, Result<Leadership, ResponseError>>;

/// The first version of AlterPartition that names topics by their ids.
const WITH_TOPIC_IDS: i16 = 2;
/// The first version with the epochs of the brokers; a controller at a ZooKeeper does not look at them.
const WITH_BROKER_EPOCHS: i16 = 3;

/// The proposals of a request, and the answers for topics whose ids are not known.
fn proposals(
    known: &ControllerContext,
    request: &AlterPartitionRequest,
    version: i16,
) -> (BTreeMap<TopicPartition, Proposal>, Vec<TopicData>) {
    let (mut proposals, mut unknown) = (BTreeMap::new(), Vec::new());
    for topic in &request.topics {
        let name: Option<Arc<str>> = match version {
            WITH_TOPIC_IDS.. => known.topic_of(topic.topic_id),
            _ => Some((*topic.topic_name.0).into()),
        };
        let Some(name) = name else {
            let refused = topic.partitions.iter().map(|partition| {
                PartitionData::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(ResponseError::UnknownTopicId.code())
            });
            let topic = TopicData::default().with_topic_id(topic.topic_id);
            unknown.push(topic.with_partitions(refused.collect()));
            continue;
        };
        for partition in &topic.partitions {
            let isr = if version >= WITH_BROKER_EPOCHS {
                let with_epochs = partition.new_isr_with_epochs.iter();
                with_epochs.map(|replica| BrokerId(replica.broker_id.0)).collect()
            } else {
                partition.new_isr.iter().map(|id| BrokerId(id.0)).collect()
            };
            let at = TopicPartition::new(name.clone(), partition.partition_index);
            let proposal = Proposal {
                leader: BrokerId(request.broker_id.0),
                leader_epoch: partition.leader_epoch,
                isr,
                partition_epoch: partition.partition_epoch,
            };
            proposals.insert(at, proposal);
        }
    }
    (proposals, unknown)
}

/// What is answered for a partition.
fn answered(at: &TopicPartition, verdict: Result<Leadership, ResponseError>) -> PartitionData {
    let data = PartitionData::default().with_partition_index(at.partition);
    match verdict {
        Err(error) => data.with_error_code(error.code()),
        Ok(Leadership { state, partition_epoch }) => data
            .with_leader_id(WireBrokerId(state.leader.0))
            .with_leader_epoch(state.leader_epoch)
            .with_isr(state.isr.iter().map(|id| WireBrokerId(id.0)).collect())
            .with_partition_epoch(partition_epoch),
    }
}

fn answer(
    cx: &mut Context<'_>,
    known: &ControllerContext,
    to: ReplyTo,
    (mut topics, verdicts): (Vec<TopicData>, Verdicts),
) {
    let mut last: Option<Arc<str>> = None;
    for (at, verdict) in verdicts {
        tracing::debug!(partition = %at, ?verdict, "AlterPartition");
        let data = answered(&at, verdict);
        if last.as_ref() == Some(&at.topic)
            && let Some(topic) = topics.last_mut()
        {
            topic.partitions.push(data);
            continue;
        }
        let topic = TopicData::default().with_partitions(vec![data]);
        topics.push(match to.version {
            WITH_TOPIC_IDS.. => topic.with_topic_id(known.topic_id(&at.topic)),
            _ => topic.with_topic_name(topic_name(&at.topic)),
        });
        last = Some(at.topic);
    }
    let response = AlterPartitionResponse::default().with_topics(topics);
    cx.reply(to, ResponseKind::AlterPartition(response));
}

impl Controller {
    /// The request's turn has come.
    pub(super) fn process_alter_partition(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &AlterPartitionRequest,
    ) {
        let broker = BrokerId(request.broker_id.0);
        let epoch = self.known.brokers.get(&broker).map(|broker| broker.epoch);
        if epoch != Some(request.broker_epoch) {
            tracing::info!(%broker, ?epoch, "AlterPartition with a stale broker epoch");
            return refuse_alter_partition(cx, to, ResponseError::StaleBrokerEpoch);
        }
        let (proposals, unknown) = proposals(&self.known, request, to.version);
        let asked: Vec<_> = proposals.keys().cloned().collect();
        let mut verdicts = Verdicts::new();
        let (mut calls, mut granted) = (Vec::new(), Vec::new());
        for (at, proposal) in proposals {
            match self.judge(&at, &proposal, to.version) {
                Some(verdict) => {
                    verdicts.insert(at, verdict);
                }
                None => {
                    let state = PartitionState {
                        controller_epoch: self.epoch(),
                        leader: proposal.leader,
                        leader_epoch: proposal.leader_epoch,
                        isr: proposal.isr,
                    };
                    let path = paths::partition_state(&at);
                    calls.push(Call::set(path, state.encode(), proposal.partition_epoch));
                    granted.push((at, state, proposal.partition_epoch));
                }
            }
        }
        self.ask(cx, calls, move |this, cx, answers| {
            for (index, ((at, state, expected), answer)) in
                granted.into_iter().zip(&answers).enumerate()
            {
                if *answer == Answer::Failed(Code::BAD_VERSION)
                    && this.event_manager.was_repeated(index)
                {
                    this.isr_written_before(cx, &at, &state, expected);
                }
                let verdict = this.isr_written(cx, &at, state, answer);
                verdicts.insert(at, verdict);
            }
            let reassigned: Vec<_> = asked
                .iter()
                .filter(|at| this.known.reassigning.contains_key(at))
                .cloned()
                .collect();
            let go_on = |at| Step::Reassign(Reassign::GoOn { at, begins: false });
            this.event_manager.first(reassigned.into_iter().map(go_on).collect::<Vec<_>>());
            this.event_manager
                .first([Step::UpdateMetadata(this.known.registered(), asked), Step::Flush]);
            answer(cx, &this.known, to, (unknown, verdicts));
        });
    }

    /// The verdict on a proposal that is not written; `None`: it may be written.
    fn judge(
        &self,
        at: &TopicPartition,
        proposal: &Proposal,
        request_version: i16,
    ) -> Option<Result<Leadership, ResponseError>> {
        let leadership = self.known.partitions.get(at).and_then(|one| one.leadership.as_ref());
        let Some(Leadership { state, partition_epoch }) = leadership else {
            return Some(Err(ResponseError::UnknownTopicOrPartition));
        };
        let is_strict = self.config.version.has(Change::AlterPartitionChecksState);
        let is_ahead = proposal.partition_epoch > *partition_epoch
            || proposal.leader_epoch > state.leader_epoch;
        if is_strict && is_ahead {
            return Some(Err(ResponseError::NotController));
        }
        if proposal.leader_epoch < state.leader_epoch {
            return Some(Err(ResponseError::FencedLeaderEpoch));
        }
        let is_there = proposal.leader == state.leader
            && proposal.leader_epoch == state.leader_epoch
            && proposal.isr == state.isr;
        // Before the fence on the partition epoch: a request that is sent again has to succeed again.
        if is_there && (!is_strict || proposal.partition_epoch <= *partition_epoch) {
            let state = state.clone();
            return Some(Ok(Leadership { state, partition_epoch: *partition_epoch }));
        }
        if is_strict && proposal.partition_epoch < *partition_epoch {
            return Some(Err(ResponseError::InvalidUpdateVersion));
        }
        if is_strict && !proposal.isr.iter().all(|&id| self.known.is_live(id)) {
            tracing::info!(%at, isr = ?proposal.isr, "a replica that is not live cannot join");
            let error = if request_version > 1 {
                INELIGIBLE_REPLICA
            } else {
                ResponseError::OperationNotAttempted
            };
            return Some(Err(error));
        }
        None
    }

    fn isr_written(
        &mut self,
        cx: &mut Context<'_>,
        at: &TopicPartition,
        state: PartitionState,
        answer: &Answer,
    ) -> Result<Leadership, ResponseError> {
        let stat = match answer {
            Answer::Stat(stat) => stat,
            Answer::Failed(Code::BAD_VERSION) => return Err(ResponseError::InvalidUpdateVersion),
            other => {
                tracing::warn!(partition = %at, ?other, "its ISR is not written");
                return Err(ResponseError::UnknownServerError);
            }
        };
        let known = self.known.partitions.get(at).and_then(|one| one.leadership.as_ref());
        let from = known.map(|leadership| leadership.state.isr.clone()).unwrap_or_default();
        let changed = BrokerObservation::IsrChanged {
            at: at.clone(),
            from,
            to: state.isr.clone(),
            partition_epoch: stat.version,
        };
        cx.effects.observe(Observation::Broker(changed));
        self.known.put_leadership(at, state.clone(), stat.version);
        Ok(Leadership { state, partition_epoch: stat.version })
    }

    /// The write was sent again, as its answer was lost with a connection, and the state is not of the version
    /// that it was to replace. When that is the version that this controller knows, its own write took effect
    /// the first time: no other controller writes states in its epoch. Kafka does not look (`updateLeaderAndIsr` of
    /// `KafkaZkClient`, up to 3.9): it answers INVALID_UPDATE_VERSION.
    fn isr_written_before(
        &self,
        cx: &mut Context<'_>,
        at: &TopicPartition,
        state: &PartitionState,
        expected: PartitionEpoch,
    ) {
        let known = self.known.partitions.get(at).and_then(|one| one.leadership.as_ref());
        // Another write came between the two tries.
        let Some(known) = known.filter(|known| known.partition_epoch == expected) else { return };
        let (from, to) = (known.state.isr.clone(), state.isr.clone());
        let (at, partition_epoch) = (at.clone(), expected + 1);
        let changed = BrokerObservation::IsrChanged { at: at.clone(), from, to, partition_epoch };
        cx.effects.observe(Observation::Broker(changed));
        let denied = BrokerObservation::IsrChangeDenied { at, partition_epoch };
        cx.effects.observe(Observation::Broker(denied));
    }

    /// `IsrChange`: reads what leaders changed, sends it to all brokers, and removes the notifications.
    pub(super) fn isr_change(&mut self, cx: &mut Context<'_>) {
        const PARENT: &str = paths::ISR_CHANGE_NOTIFICATION;
        self.ask(cx, vec![Call::children(PARENT, true)], |this, cx, answers| {
            // An operator deleted the parent znode.
            let Answer::Children(names) = &answers[0] else { return };
            let names: Vec<_> = names.iter().map(|name| format!("{PARENT}/{name}")).collect();
            let calls = names.iter().map(|path| Call::get(&**path, false)).collect();
            this.ask(cx, calls, move |this, cx, answers| {
                let mut changed = BTreeSet::new();
                for answer in &answers {
                    // An earlier controller removed it meanwhile.
                    let Answer::Data { data, .. } = answer else { continue };
                    changed.extend(payload::decode_partitions(data).unwrap_or_default());
                }
                changed.retain(|at| this.known.partitions.contains_key(at));
                let changed: Vec<_> = changed.into_iter().collect();
                this.read_states(cx, changed.clone(), move |this, cx| {
                    if !changed.is_empty() {
                        this.batch.update_metadata(this.known.registered(), changed);
                        this.flush(cx);
                    }
                    let deletes = names.iter().map(|path| Call::delete(&**path)).collect();
                    this.ask(cx, deletes, |_, _, _| {});
                });
            });
        });
    }
}
