//! Histories of transactions for tests: transactional id `x` of producer 7 on p0, which writes to `orders-0` and
//! `orders-1`. Times are those of the story.

use std::sync::Arc;

use crate::checkers::testing::{Story, orders};
use crate::history::{
    BrokerObservation, ClientObservation, Observation, TransactionEvent, TransactionObservation,
    TransactionOutcome, TransactionSnapshot, TransactionState, TransactionalObservation,
};
use crate::vocab::{NodeId, Offset, TopicPartition};

pub fn id() -> Arc<str> {
    "x".into()
}

/// A replicated story whose consumer reads committed transactions.
pub fn story() -> Story {
    let mut story = Story::replicated();
    story.terms.consumers[0].read_committed = true;
    story.terms.kafka = "3.9".parse().expect("a release");
    story
}

/// A producer on `node` did something.
pub fn producer_at(story: &mut Story, node: NodeId, what: TransactionEvent) {
    let did = TransactionalObservation { id: id(), what };
    story.told_at(node, Observation::Client(ClientObservation::Transactional(did)));
}

/// p0 did something.
pub fn producer(story: &mut Story, what: TransactionEvent) {
    producer_at(story, Story::P0, what);
}

/// p0 begins a transaction.
pub fn begins(story: &mut Story, number: u64) {
    producer(story, TransactionEvent::Began { number });
}

/// p0 got producer id 7 with an epoch.
pub fn initialized(story: &mut Story, epoch: i16) {
    producer(story, TransactionEvent::Initialized { producer: 7, epoch });
}

/// p0 asks for the end of a transaction.
pub fn asks(story: &mut Story, number: u64, commit: bool) {
    producer(
        story,
        match commit {
            true => TransactionEvent::CommitAsked { number },
            false => TransactionEvent::AbortAsked { number },
        },
    );
}

/// p0's transaction ends.
pub fn ends(story: &mut Story, number: u64, outcome: TransactionOutcome) {
    producer(story, TransactionEvent::Ended { number, outcome });
}

/// The outcome of a transaction of which nothing came any more.
pub fn unknown() -> TransactionOutcome {
    TransactionOutcome::Unknown { error: "REQUEST_TIMED_OUT".into() }
}

pub fn transaction(story: &mut Story, broker: i32, did: TransactionObservation) {
    story.broker(broker, BrokerObservation::Transaction(did));
}

/// A leader of epoch 0 appends a record of a transaction.
pub fn appends(story: &mut Story, broker: i32, base: Offset, epoch: i16) {
    story.appended(broker, base, 0);
    let (at, last, leader_epoch, producer) = (orders(), base, 0, 7);
    let did = TransactionObservation::Appended { at, base, last, leader_epoch, producer, epoch };
    transaction(story, broker, did);
}

/// A leader of epoch 0 appends a marker.
pub fn marks(story: &mut Story, broker: i32, offset: Offset, epoch: i16, commit: bool) {
    story.appended(broker, offset, 0);
    marks_in(story, broker, (orders(), offset), epoch, commit);
}

/// The same in any partition.
pub fn marks_in(
    story: &mut Story,
    broker: i32,
    (at, offset): (TopicPartition, Offset),
    epoch: i16,
    commit: bool,
) {
    let (leader_epoch, producer, coordinator_epoch) = (0, 7, 0);
    let did = TransactionObservation::MarkerAppended {
        at,
        offset,
        leader_epoch,
        producer,
        epoch,
        coordinator_epoch,
        commit,
    };
    transaction(story, broker, did);
}

/// Producer 7 in this epoch and state, with `orders-0` while there is a transaction.
pub fn snapshot(state: TransactionState, epoch: i16) -> TransactionSnapshot {
    let is_going_on = state.is_ending() || state == TransactionState::Ongoing;
    let partitions = if is_going_on { vec![orders()] } else { Vec::new() };
    TransactionSnapshot { producer: 7, epoch, state, partitions, timeout_ms: 10_000 }
}

/// The coordinator has written that the transactional id is so.
pub fn writes(story: &mut Story, broker: i32, state: TransactionState, epoch: i16) {
    let (partition, coordinator_epoch) = (0, broker);
    let now = snapshot(state, epoch);
    let did = TransactionObservation::Written { id: id(), partition, coordinator_epoch, now };
    transaction(story, broker, did);
}

/// A broker becomes coordinator, in an epoch of its own number, and has loaded this, if anything.
pub fn loads(story: &mut Story, broker: i32, loaded: Option<(TransactionState, i16)>) {
    let (partition, coordinator_epoch) = (0, broker);
    if let Some((state, epoch)) = loaded {
        let now = snapshot(state, epoch);
        let did = TransactionObservation::Loaded { id: id(), partition, coordinator_epoch, now };
        transaction(story, broker, did);
    }
    let did = TransactionObservation::CoordinatorElected { partition, coordinator_epoch };
    transaction(story, broker, did);
}
