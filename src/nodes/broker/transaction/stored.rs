//! A transactional id as it is stored.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::state::{NO_EPOCH, NO_PRODUCER, Next, Place, State, Transaction};
use crate::wire::records::{Batch, BatchBuilder};
use crate::wire::transaction_records::{TransactionValue, encode_key};

/// Partitions by topic.
pub fn by_topic<'a>(
    partitions: impl IntoIterator<Item = &'a Place>,
) -> BTreeMap<StrBytes, Vec<i32>> {
    let mut topics: BTreeMap<StrBytes, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics
}

fn value(next: &Next) -> Bytes {
    let topics = || by_topic(&next.partitions).into_iter().collect();
    let value = TransactionValue {
        producer_id: next.producer_id,
        producer_epoch: next.epoch,
        timeout_ms: next.timeout_ms,
        state: next.state.number(),
        partitions: (next.state != State::Empty).then(topics),
        updated_ms: next.updated_ms,
        start_ms: next.start_ms,
    };
    value.encode()
}

/// The batch by which a transactional id becomes `next`.
pub fn batch(id: &StrBytes, next: &Next, wall_ms: i64) -> Batch {
    let mut builder = BatchBuilder::new(wall_ms);
    builder.push(wall_ms, Some(&encode_key(id)), Some(&value(next)));
    builder.build()
}

/// The batch by which transactional ids, of which there is one at least, are forgotten.
pub fn tombstones(ids: &[StrBytes], wall_ms: i64) -> Batch {
    let mut builder = BatchBuilder::new(wall_ms);
    for id in ids {
        builder.push(wall_ms, Some(&encode_key(id)), None);
    }
    builder.build()
}

/// A transactional id as it was stored; `None` when its state is none.
pub fn restored(id: StrBytes, value: TransactionValue) -> Option<Transaction> {
    let state = State::of(value.state)?;
    let topics = value.partitions.filter(|_| state != State::Empty).unwrap_or_default();
    let places = topics
        .into_iter()
        .flat_map(|(topic, all)| all.into_iter().map(move |partition| (topic.clone(), partition)));
    Some(Transaction {
        id,
        producer_id: value.producer_id,
        last_producer_id: NO_PRODUCER,
        epoch: value.producer_epoch,
        last_epoch: NO_EPOCH,
        timeout_ms: value.timeout_ms,
        state,
        pending: None,
        partitions: places.collect(),
        start_ms: value.start_ms,
        updated_ms: value.updated_ms,
        has_failed_fence: false,
    })
}
