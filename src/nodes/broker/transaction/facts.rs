//! What the history gets to know of transactional ids.

use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::state::{Next, Place, State, Transaction};
use crate::history::{
    BrokerObservation, Observation, TransactionObservation, TransactionSnapshot, TransactionState,
};
use crate::nodes::broker::context::Context;
use crate::vocab::{LeaderEpoch, TopicPartition};

/// Records what a coordinator did.
pub fn observe(cx: &mut Context<'_>, observation: TransactionObservation) {
    cx.effects.observe(Observation::Broker(BrokerObservation::Transaction(observation)));
}

fn text(text: &StrBytes) -> Arc<str> {
    Arc::from(&**text)
}

/// A state that is stored.
fn state(state: State) -> TransactionState {
    match state {
        State::Empty | State::Dead => TransactionState::Empty,
        State::Ongoing | State::PrepareEpochFence => TransactionState::Ongoing,
        State::PrepareCommit => TransactionState::PrepareCommit,
        State::PrepareAbort => TransactionState::PrepareAbort,
        State::CompleteCommit => TransactionState::CompleteCommit,
        State::CompleteAbort => TransactionState::CompleteAbort,
    }
}

fn snapshot<'a>(
    (producer, epoch): (i64, i16),
    now: State,
    places: impl IntoIterator<Item = &'a Place>,
    timeout_ms: i32,
) -> TransactionSnapshot {
    let places = places.into_iter();
    let partitions = places.map(|(topic, at)| TopicPartition::new(text(topic), *at)).collect();
    TransactionSnapshot { producer, epoch, state: state(now), partitions, timeout_ms }
}

/// A transactional id has become `next`.
pub fn observe_written(
    cx: &mut Context<'_>,
    id: &StrBytes,
    (partition, coordinator_epoch): (i32, LeaderEpoch),
    next: &Next,
) {
    let producer = (next.producer_id, next.epoch);
    let now = snapshot(producer, next.state, &next.partitions, next.timeout_ms);
    observe(
        cx,
        TransactionObservation::Written { id: text(id), partition, coordinator_epoch, now },
    );
}

/// A transactional id is loaded.
pub fn observe_loaded(
    cx: &mut Context<'_>,
    (partition, coordinator_epoch): (i32, LeaderEpoch),
    known: &Transaction,
) {
    let producer = (known.producer_id, known.epoch);
    let now = snapshot(producer, known.state, &known.partitions, known.timeout_ms);
    let id = text(&known.id);
    observe(cx, TransactionObservation::Loaded { id, partition, coordinator_epoch, now });
}

/// Transactional ids are forgotten.
pub fn observe_forgotten(cx: &mut Context<'_>, ids: &[StrBytes]) {
    if !ids.is_empty() {
        let ids = ids.iter().map(text).collect();
        observe(cx, TransactionObservation::Forgotten { ids });
    }
}
