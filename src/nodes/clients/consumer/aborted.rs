//! What a consumer with `isolation.level=read_committed` leaves out: records of transactions that were aborted
//! (`CompletedFetch.nextFetchedRecord`).

use std::collections::BTreeSet;

use kafka_protocol::messages::fetch_response::{AbortedTransaction, PartitionData};

use crate::vocab::Offset;
use crate::wire::records::{Batch, BatchError};

/// An aborted transaction: the offset of its first record, and the id of its producer.
pub type Aborted = (Offset, i64);

/// The type of a marker that ends a transaction which was aborted (`ControlRecordType.ABORT`).
const ABORT: i16 = 0;

/// The aborted transactions that a leader named, by their first offsets.
pub fn named(data: &PartitionData) -> Vec<Aborted> {
    let aborted = data.aborted_transactions.iter().flatten();
    let one = |one: &AbortedTransaction| (one.first_offset, one.producer_id.0);
    let mut aborted: Vec<Aborted> = aborted.map(one).collect();
    aborted.sort_unstable();
    aborted
}

/// Goes through the batches of one answer, in order.
#[derive(Debug)]
pub struct AbortedFilter<'a> {
    /// Transactions that have not begun yet.
    later: &'a [Aborted],
    /// The producers whose transactional records are of an aborted transaction.
    producers: BTreeSet<i64>,
}

impl<'a> AbortedFilter<'a> {
    /// Before the first batch.
    pub fn new(aborted: &'a [Aborted]) -> Self {
        Self { later: aborted, producers: BTreeSet::new() }
    }

    /// Whether the records of the next batch are left out.
    ///
    /// # Errors
    /// When it is a marker that cannot be read.
    pub fn leaves_out(&mut self, batch: &Batch) -> Result<bool, BatchError> {
        let id = batch.producer_id();
        if id < 0 || (self.later.is_empty() && self.producers.is_empty()) {
            return Ok(false);
        }
        while let Some((&(first, producer), rest)) = self.later.split_first()
            && first <= batch.last_offset
        {
            self.producers.insert(producer);
            self.later = rest;
        }
        if batch.is_control() {
            if is_abort(batch)? {
                self.producers.remove(&id);
            }
            return Ok(false);
        }
        Ok(batch.is_transactional() && self.producers.contains(&id))
    }
}

/// Whether a marker says that its transaction was aborted. Its key is an i16 version and an i16 type.
fn is_abort(batch: &Batch) -> Result<bool, BatchError> {
    let records = batch.records()?;
    let key = records.first().and_then(|marker| marker.key.as_deref());
    let kind = key.and_then(|key| key.get(2..4)).map(|kind| i16::from_be_bytes([kind[0], kind[1]]));
    Ok(kind == Some(ABORT))
}
