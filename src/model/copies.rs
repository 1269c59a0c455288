//! The first copies of records in the final logs beyond the first.

use crate::model::ledger::{FinalRecord, Ledger, Producer};
use crate::vocab::{Offset, TopicPartition};

/// A second copy of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondCopy {
    /// The partition.
    pub at: TopicPartition,
    /// The offset of the second copy.
    pub offset: Offset,
    /// The producer that wrote it.
    pub producer: Producer,
    /// The record's number at that producer.
    pub record: u64,
}

/// The first copy of a producer with idempotence, and of one without.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    idempotent: Option<SecondCopy>,
    other: Option<SecondCopy>,
}

impl Copies {
    /// The first copy of a producer with or without `enable.idempotence`.
    pub fn first(&self, idempotent: bool) -> Option<&SecondCopy> {
        if idempotent { self.idempotent.as_ref() } else { self.other.as_ref() }
    }

    /// Folds in a record of a final log that is not its first copy.
    pub fn copied(&mut self, ledger: &Ledger, copy: &FinalRecord<'_>) {
        let FinalRecord { at, offset, producer, record } = *copy;
        let idempotent = ledger.accounts()[producer].terms.idempotent;
        let first = if idempotent { &mut self.idempotent } else { &mut self.other };
        first.get_or_insert_with(|| SecondCopy { at: at.clone(), offset, producer, record });
    }
}
