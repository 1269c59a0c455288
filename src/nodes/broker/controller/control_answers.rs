//! Errors in the answers to control requests.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ResponseKind;

use super::channels::Control;
use crate::vocab::{BrokerId, TopicPartition};

/// Logs the errors of an answer, as Kafka does; a stale controller epoch means that there is a newer controller,
/// which the watch on `/controller` will report.
pub fn log_errors(broker: BrokerId, response: &ResponseKind) {
    let (error, in_partitions) = match response {
        ResponseKind::LeaderAndIsr(response) => {
            let flat = response.partition_errors.iter();
            let nested = response.topics.iter().flat_map(|topic| &topic.partition_errors);
            let errors = flat.chain(nested).filter(|one| one.error_code != 0).count();
            (response.error_code, errors)
        }
        ResponseKind::UpdateMetadata(response) => (response.error_code, 0),
        ResponseKind::StopReplica(response) => {
            let errors = response.partition_errors.iter().filter(|one| one.error_code != 0).count();
            (response.error_code, errors)
        }
        _ => return,
    };
    if error == ResponseError::StaleControllerEpoch.code() {
        tracing::warn!(%broker, "knows a later controller");
    } else if error != 0 {
        tracing::warn!(%broker, error, "refused a control request");
    } else if in_partitions != 0 {
        // Mostly a state that the broker has already: it is sent again when an election and the end of a
        // replica concern the same partition.
        tracing::debug!(%broker, in_partitions, "refused a part of a control request");
    }
}

/// The replicas of a StopReplica that its broker deleted.
pub fn deleted(control: Control, response: &ResponseKind) -> Vec<TopicPartition> {
    let ResponseKind::StopReplica(stop) = response else {
        unreachable!("the channel gives the answer to the request in flight");
    };
    let has_failed = |at: &TopicPartition| {
        stop.partition_errors.iter().any(|one| {
            let is_it = one.partition_index == at.partition && *one.topic_name.0 == *at.topic;
            is_it && one.error_code != 0
        })
    };
    let mut deleted = control.deletes;
    deleted.retain(|at| !has_failed(at));
    deleted
}
