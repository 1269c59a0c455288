//! Markers: control batches that end a transaction (KIP-98, `EndTransactionMarker`).
//!
//! The record's key is an i16 version and an i16 type, its value an i16 version and the coordinator's epoch as i32.

use super::records::{Batch, BatchBuilder};

const VERSION: [u8; 2] = [0, 0];

/// How a transaction ended, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndMarker {
    /// Committed, or aborted.
    pub commit: bool,
    /// The epoch of the transaction coordinator: that of its leadership of a partition of `__transaction_state`.
    pub coordinator_epoch: i32,
}

impl EndMarker {
    /// The batch that ends a transaction of a producer.
    pub fn batch(self, (producer, epoch): (i64, i16), wall_ms: i64) -> Batch {
        let key = [VERSION, i16::from(self.commit).to_be_bytes()].concat();
        let value = [&VERSION[..], &self.coordinator_epoch.to_be_bytes()].concat();
        let mut builder = BatchBuilder::new(wall_ms);
        builder.push(wall_ms, Some(&key), Some(&value));
        builder.of_producer(producer, epoch, -1).of_transaction(true).build()
    }

    /// The marker in a control batch; `None` when it is no control batch, or one of another kind.
    pub fn of(batch: &Batch) -> Option<Self> {
        if !batch.is_control() {
            return None;
        }
        let record = batch.records().ok()?.into_iter().next()?;
        let (key, value) = (record.key?, record.value?);
        let commit = match key.get(2..4)? {
            [0, 0] => false,
            [0, 1] => true,
            _ => return None,
        };
        let epoch = value.get(2..6)?.try_into().expect("four bytes");
        Some(Self { commit, coordinator_epoch: i32::from_be_bytes(epoch) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        for commit in [false, true] {
            let marker = EndMarker { commit, coordinator_epoch: 7 };
            let batch = marker.batch((5, 3), 1_000);
            assert_eq!(EndMarker::of(&batch), Some(marker));
            assert!(batch.is_control() && batch.is_transactional());
            assert_eq!((batch.producer_id(), batch.producer_epoch()), (5, 3));
            assert_eq!((batch.base_sequence(), batch.last_sequence()), (-1, -1));
        }
        let mut plain = BatchBuilder::new(1_000);
        plain.push(1_000, Some(&[0, 0, 0, 1]), Some(&[0; 6]));
        assert_eq!(EndMarker::of(&plain.build()), None);
    }
}
