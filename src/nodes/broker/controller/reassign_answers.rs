//! Answers to AlterPartitionReassignments, and refusals of it and of ListPartitionReassignments.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsResponse, ListPartitionReassignmentsResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::batch::topic_name;
use super::reassign_steps::Reassigned;
use crate::nodes::broker::context::{Context, ReplyTo};

const NOT_CONTROLLER: &str = "This is not the correct controller for this cluster.";

/// Answers AlterPartitionReassignments.
pub fn reply_reassigned(cx: &mut Context<'_>, to: ReplyTo, results: Reassigned) {
    let mut topics: Vec<ReassignableTopicResponse> = Vec::new();
    for (at, refusal) in results {
        let (error, why) = match refusal {
            Some((error, why)) => (error.code(), Some(StrBytes::from_string(why))),
            None => (0, None),
        };
        let row = ReassignablePartitionResponse::default()
            .with_partition_index(at.partition)
            .with_error_code(error)
            .with_error_message(why);
        let name = topic_name(&at.topic);
        match topics.last_mut() {
            Some(topic) if topic.name == name => topic.partitions.push(row),
            _ => topics.push(
                ReassignableTopicResponse::default().with_name(name).with_partitions(vec![row]),
            ),
        }
    }
    let response = AlterPartitionReassignmentsResponse::default()
        .with_error_message(None)
        .with_responses(topics);
    cx.reply(to, ResponseKind::AlterPartitionReassignments(response));
}

/// Refuses AlterPartitionReassignments: this broker is not the controller.
pub fn refuse_reassign(cx: &mut Context<'_>, to: ReplyTo) {
    let response = AlterPartitionReassignmentsResponse::default()
        .with_error_code(ResponseError::NotController.code())
        .with_error_message(Some(StrBytes::from_static_str(NOT_CONTROLLER)));
    cx.reply(to, ResponseKind::AlterPartitionReassignments(response));
}

/// Refuses ListPartitionReassignments: this broker is not the controller.
pub fn refuse_list_reassignments(cx: &mut Context<'_>, to: ReplyTo) {
    let response = ListPartitionReassignmentsResponse::default()
        .with_error_code(ResponseError::NotController.code())
        .with_error_message(Some(StrBytes::from_static_str(NOT_CONTROLLER)));
    cx.reply(to, ResponseKind::ListPartitionReassignments(response));
}
