//! How the operations of an application end: each record is one.

use std::sync::Arc;

use super::accumulator::ProducerBatch;
use crate::history::{ClientObservation, Observation, Outcome};
use crate::nodes::Effects;
use crate::vocab::TopicPartition;

/// Failures that the client itself decides; the protocol has no code for them.
pub mod reason {
    /// The topic was not in the metadata within `max.block.ms`.
    pub const NO_METADATA: &str = "METADATA_TIMED_OUT";
    /// There was no room within `max.block.ms` (`BufferExhaustedException`).
    pub const NO_ROOM: &str = "BUFFER_EXHAUSTED";
    /// The batch waited too long in the accumulator, or its delivery took too long.
    pub const EXPIRED: &str = "DELIVERY_TIMED_OUT";
    /// The batch was not sent before its transaction was aborted (`TransactionAbortedException`).
    pub const ABORTED: &str = "TRANSACTION_ABORTED";
}

fn complete(effects: &mut Effects, op: u64, outcome: Outcome) {
    effects.observe(Observation::Client(ClientObservation::Completed { op, outcome }));
}

/// The record was never in a batch.
pub fn fail(effects: &mut Effects, op: u64, error: &str) {
    complete(effects, op, Outcome::Failed { error: error.into() });
}

/// The batch is not tried again. Its operations failed, or are unknown if a log may have the batch.
pub fn end_batch(batch: &ProducerBatch, error: &str, effects: &mut Effects) {
    let error: Arc<str> = error.into();
    for &op in &batch.ops {
        let error = error.clone();
        let outcome = if batch.maybe_written {
            Outcome::Unknown { error }
        } else {
            Outcome::Failed { error }
        };
        complete(effects, op, outcome);
    }
}

/// The batch was acknowledged. `base_offset` is −1 when the leader does not say it (`acks=0`).
pub fn succeed_batch(
    batch: &ProducerBatch,
    at: &TopicPartition,
    base_offset: i64,
    effects: &mut Effects,
) {
    for (n, &op) in (0i64..).zip(&batch.ops) {
        let offset = if base_offset < 0 { -1 } else { base_offset.saturating_add(n) };
        complete(effects, op, Outcome::Produced { at: at.clone(), offset });
    }
}
