//! Answers that refuse a request as a whole.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsResponse, AlterPartitionResponse, ControlledShutdownResponse, ResponseKind,
};

use super::creation::refuse_all;
use super::event_manager::ControllerEvent;
use super::preferred::{reply_elections, wanted};
use super::reassign_answers::{refuse_list_reassignments, refuse_reassign};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};

/// Refuses a request, because this broker is not the controller (any more); other events are dropped.
pub fn refuse(cx: &mut Context<'_>, config: &Config, event: &ControllerEvent) {
    match event {
        ControllerEvent::CreateTopics(to, _, request) => refuse_all(cx, config, *to, request),
        ControllerEvent::AlterPartition(to, _) => {
            refuse_alter_partition(cx, *to, ResponseError::NotController)
        }
        // Kafka's ControllerMovedException has this code.
        ControllerEvent::ControlledShutdown(to, _) => {
            refuse_controlled_shutdown(cx, *to, ResponseError::StaleControllerEpoch);
        }
        ControllerEvent::ElectLeaders(to, request) => {
            // Each partition is refused, and the request is not.
            let refused = wanted(request).map(|at| (at, ResponseError::NotController.code(), None));
            reply_elections(cx, *to, 0, refused);
        }
        ControllerEvent::AllocateProducerIds(to, _) => {
            refuse_producer_ids(cx, *to, ResponseError::NotController);
        }
        ControllerEvent::Reassign(to, _) => refuse_reassign(cx, *to),
        ControllerEvent::ListReassignments(to, _) => refuse_list_reassignments(cx, *to),
        _ => {}
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
