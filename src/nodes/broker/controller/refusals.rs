//! Answers that refuse a request as a whole.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsResponse, AlterPartitionResponse, ControlledShutdownResponse,
    ElectLeadersResponse, ResponseKind,
};

use super::creation::refuse_all;
use super::event_manager::ControllerEvent;
use crate::nodes::broker::context::{Context, ReplyTo};

/// Refuses a request, because this broker is not the controller (any more); other events are dropped.
pub fn refuse(cx: &mut Context<'_>, event: &ControllerEvent) {
    match event {
        ControllerEvent::CreateTopics(to, request) => refuse_all(cx, *to, request),
        ControllerEvent::AlterPartition(to, _) => {
            refuse_alter_partition(cx, *to, ResponseError::NotController)
        }
        // Kafka's ControllerMovedException has this code.
        ControllerEvent::ControlledShutdown(to, _) => {
            refuse_controlled_shutdown(cx, *to, ResponseError::StaleControllerEpoch);
        }
        ControllerEvent::ElectLeaders(to, _) => {
            refuse_elect_leaders(cx, *to, ResponseError::NotController)
        }
        ControllerEvent::AllocateProducerIds(to, _) => {
            refuse_producer_ids(cx, *to, ResponseError::NotController);
        }
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

/// Answers ElectLeaders with an error for the whole request.
pub fn refuse_elect_leaders(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let mut response = ElectLeadersResponse::default();
    if to.version >= 1 {
        response.error_code = error.code();
    }
    cx.reply(to, ResponseKind::ElectLeaders(response));
}

/// Answers AllocateProducerIds with an error.
pub fn refuse_producer_ids(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let response = AllocateProducerIdsResponse::default().with_error_code(error.code());
    cx.reply(to, ResponseKind::AllocateProducerIds(response));
}
