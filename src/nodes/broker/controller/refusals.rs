//! Answers that refuse a request as a whole.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsResponse, AlterPartitionResponse, ControlledShutdownResponse, ResponseKind,
};

use super::creation::refuse_all;
use super::event_manager::ControllerRequest;
use super::preferred::{reply_elections, wanted};
use super::reassign_answers::{refuse_list_reassignments, refuse_reassign};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};

/// Refuses a request, because this broker is not the controller (any more).
pub fn refuse(cx: &mut Context<'_>, config: &Config, to: ReplyTo, request: &ControllerRequest) {
    match request {
        ControllerRequest::CreateTopics(_, request) => refuse_all(cx, config, to, request),
        ControllerRequest::AlterPartition(_) => {
            refuse_alter_partition(cx, to, ResponseError::NotController)
        }
        // Kafka's ControllerMovedException has this code.
        ControllerRequest::ControlledShutdown(_) => {
            refuse_controlled_shutdown(cx, to, ResponseError::StaleControllerEpoch);
        }
        ControllerRequest::ElectLeaders(request) => {
            // Each partition is refused, and the request is not.
            let refused = wanted(request).map(|at| (at, ResponseError::NotController.code(), None));
            reply_elections(cx, to, 0, refused);
        }
        ControllerRequest::AllocateProducerIds(_) => {
            refuse_producer_ids(cx, to, ResponseError::NotController);
        }
        ControllerRequest::Reassign(_) => refuse_reassign(cx, to),
        ControllerRequest::ListReassignments(_) => refuse_list_reassignments(cx, to),
    }
}

/// Answers AlterPartition with an error for the whole request.
pub fn refuse_alter_partition(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let response = AlterPartitionResponse::default().with_error_code(error.code());
    cx.reply(to, ResponseKind::AlterPartition(response));
}

/// Answers ControlledShutdown with an error.
pub fn refuse_controlled_shutdown(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let response = ControlledShutdownResponse::default().with_error_code(error.code());
    cx.reply(to, ResponseKind::ControlledShutdown(response));
}

/// Answers AllocateProducerIds with an error.
pub fn refuse_producer_ids(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let response = AllocateProducerIdsResponse::default().with_error_code(error.code());
    cx.reply(to, ResponseKind::AllocateProducerIds(response));
}
