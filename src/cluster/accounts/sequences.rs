//! Batches of idempotent producers from outside, which are known again when they are sent again: also behind an
//! acknowledgement, which the client may not have seen.

use std::collections::{BTreeMap, VecDeque};

use super::OperationId;

/// Batches that are remembered of a producer in a partition, as brokers do (`ProducerStateEntry.NumBatchesToRetain`).
const REMEMBERED: usize = 5;
/// Producers and partitions of which batches are remembered.
const PLACES_MAX: usize = 1 << 16;

/// Producer id and epoch, and the topic and the partition that it writes to.
pub(super) type Place = (i64, i16, u32, i32);

/// Owns the batches that are remembered: their first sequences, and the operations in them.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    by_place: BTreeMap<Place, VecDeque<(i32, Vec<OperationId>)>>,
}

impl Sequences {
    /// The operations of the batch that begins with a sequence, if it is remembered.
    pub(super) fn find(&self, place: Place, first: i32) -> Option<&[OperationId]> {
        let batches = self.by_place.get(&place)?;
        let found = batches.iter().find(|(sequence, _)| *sequence == first);
        found.map(|(_, operations)| &operations[..])
    }

    /// A batch was sent that was not before.
    pub(super) fn note(&mut self, place: Place, first: i32, operations: &[OperationId]) {
        if self.by_place.len() == PLACES_MAX && !self.by_place.contains_key(&place) {
            self.by_place.pop_first();
        }
        let batches = self.by_place.entry(place).or_default();
        if batches.len() == REMEMBERED {
            batches.pop_front();
        }
        batches.push_back((first, operations.to_vec()));
    }
}
