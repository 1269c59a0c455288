//! AlterPartitionReassignments and ListPartitionReassignments (2.4+, KIP-455).

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId as WireBrokerId,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ResponseKind,
};

use super::batch::topic_name;
use super::context::ControllerContext;
use super::event_manager::Step;
use super::kafka_controller::Controller;
use super::reassign_steps::{Reassign, Reassigned, Refusal, union};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, TopicPartition};

/// A list of replicas as Scala prints it.
fn printed(ids: &[BrokerId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl ControllerContext {
    /// The replicas that a partition is to have; none asks for those that it had before.
    fn target_of(
        &self,
        version: KafkaVersion,
        at: &TopicPartition,
        wanted: Option<Vec<BrokerId>>,
    ) -> Result<Vec<BrokerId>, Refusal> {
        let partition = self.partitions.get(at);
        let target = match wanted {
            Some(target) => {
                self.check_target(version, at, &target)?;
                target
            }
            None => match partition.filter(|one| one.is_reassigned()) {
                Some(partition) => partition.origin(),
                None => {
                    let why = "No partition reassignment is in progress.".to_owned();
                    return Err((ResponseError::NoReassignmentInProgress, why));
                }
            },
        };
        if self.can_be_reassigned(at) {
            return Ok(target);
        }
        let why = "The partition does not exist.".to_owned();
        Err((ResponseError::UnknownTopicOrPartition, why))
    }

    fn check_target(
        &self,
        version: KafkaVersion,
        at: &TopicPartition,
        target: &[BrokerId],
    ) -> Result<(), Refusal> {
        let origin = self.partitions.get(at).map(|one| one.origin()).unwrap_or_default();
        let adding: Vec<_> =
            union(target, &origin).into_iter().filter(|id| !origin.contains(id)).collect();
        let distinct: BTreeSet<_> = target.iter().collect();
        let why = if target.is_empty() {
            "Empty replica list specified in partition reassignment.".to_owned()
        } else if distinct.len() != target.len() {
            format!(
                "Duplicate replica ids in partition reassignment replica list: ArrayBuffer({})",
                printed(target)
            )
        } else if target.iter().any(|id| id.0 < 0) {
            format!("Invalid broker id in replica list: ArrayBuffer({})", printed(target))
        } else if !adding.iter().all(|id| self.is_live(*id)) {
            let live: Vec<_> =
                self.registered().into_iter().filter(|id| self.is_live(*id)).collect();
            format!(
                "Replica assignment has brokers that are not alive. Replica list: \
                 ArrayBuffer({}), live broker list: Set({})",
                printed(&adding),
                printed(&live)
            )
        } else {
            return Ok(());
        };
        let says_why = version.has(Change::ReassignmentErrorsSayWhy);
        let why = if says_why { why } else { "Replica assignment is invalid.".to_owned() };
        Err((ResponseError::InvalidReplicaAssignment, why))
    }
}

impl Controller {
    /// AlterPartitionReassignments: the request's turn has come.
    pub(super) fn process_reassign(
        &mut self,
        to: ReplyTo,
        request: &AlterPartitionReassignmentsRequest,
    ) {
        let (mut results, mut steps) = (Reassigned::new(), Vec::new());
        let mut replaced = Vec::new();
        for topic in &request.topics {
            for one in &topic.partitions {
                let at = TopicPartition::new(&**topic.name, one.partition_index);
                let wanted: Option<Vec<BrokerId>> =
                    one.replicas.as_ref().map(|ids| ids.iter().map(|id| BrokerId(id.0)).collect());
                match self.known.target_of(self.config.version, &at, wanted) {
                    Ok(target) => {
                        replaced.push(at.clone());
                        steps.push(Step::Reassign(Reassign::Begin(at.clone(), target)));
                        results.insert(at, None);
                    }
                    Err(refusal) => _ = results.insert(at, Some(refusal)),
                }
            }
        }
        if !replaced.is_empty() {
            steps.insert(0, Step::Reassign(Reassign::RemoveFromZnode(replaced)));
        }
        steps.push(Step::AnswerReassignments(to, results));
        self.event_manager.first(steps);
    }

    /// ListPartitionReassignments: the request's turn has come.
    pub(super) fn process_list_reassignments(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &ListPartitionReassignmentsRequest,
    ) {
        let wanted = request.topics.as_ref().map(|topics| {
            let all = topics.iter().flat_map(|topic| {
                let name = &**topic.name;
                topic.partition_indexes.iter().map(move |index| TopicPartition::new(name, *index))
            });
            all.collect::<BTreeSet<_>>()
        });
        let mut topics: Vec<OngoingTopicReassignment> = Vec::new();
        for (at, partition) in self.known.reassigned_among(wanted) {
            let wire = |ids: &[BrokerId]| ids.iter().map(|id| WireBrokerId(id.0)).collect();
            let row = OngoingPartitionReassignment::default()
                .with_partition_index(at.partition)
                .with_replicas(wire(&partition.replicas))
                .with_adding_replicas(wire(&partition.adding))
                .with_removing_replicas(wire(&partition.removing));
            let name = topic_name(&at.topic);
            match topics.last_mut() {
                Some(topic) if topic.name == name => topic.partitions.push(row),
                _ => topics.push(
                    OngoingTopicReassignment::default().with_name(name).with_partitions(vec![row]),
                ),
            }
        }
        let response = ListPartitionReassignmentsResponse::default()
            .with_error_message(None)
            .with_topics(topics);
        cx.reply(to, ResponseKind::ListPartitionReassignments(response));
    }
}
