//! What the history gets to know of transactions in the log of a leader.

use super::partition::PartitionReplica;
use crate::history::{BrokerObservation, Observation, TransactionObservation};
use crate::nodes::broker::context::Context;
use crate::vocab::TopicPartition;
use crate::wire::markers::EndMarker;
use crate::wire::records::Batch;

/// Of a batch that a leader has appended: that it is part of a transaction, or ends one.
pub fn of_transaction(at: &TopicPartition, batch: &Batch) -> Option<BrokerObservation> {
    if !batch.is_transactional() {
        return None;
    }
    let at = at.clone();
    let (producer, epoch) = (batch.producer_id(), batch.producer_epoch());
    let (base, last, leader_epoch) = (batch.base_offset, batch.last_offset, batch.leader_epoch);
    let did = match EndMarker::of(batch) {
        Some(EndMarker { commit, coordinator_epoch }) => TransactionObservation::MarkerAppended {
            at,
            offset: base,
            leader_epoch,
            producer,
            epoch,
            coordinator_epoch,
            commit,
        },
        None => TransactionObservation::Appended { at, base, last, leader_epoch, producer, epoch },
    };
    Some(BrokerObservation::Transaction(did))
}

/// Records how far consumers of committed transactions may read, if that has moved and is not the high watermark.
pub fn observe_stable(cx: &mut Context<'_>, replica: &mut PartitionReplica) {
    let has_unstable = replica.log.producers().transactions().first_unstable().is_some();
    if !has_unstable && replica.stable.is_none() {
        return;
    }
    let offset = replica.last_stable_offset();
    if replica.stable != Some(offset) {
        let at = replica.at.clone();
        let did = TransactionObservation::LastStableOffset { at, offset };
        cx.effects.observe(Observation::Broker(BrokerObservation::Transaction(did)));
    }
    replica.stable = has_unstable.then_some(offset);
}
