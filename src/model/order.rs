//! In which order a producer's records are in the final logs.

use std::collections::BTreeMap;

use super::ledger::{FinalRecord, Ledger, Producer};
use crate::vocab::{Offset, TopicPartition};

/// A record that is in a final log behind one that its producer sent later.
#[derive(Clone, Debug)]
pub struct Reordered {
    /// The partition.
    pub at: TopicPartition,
    /// The offset of the record.
    pub offset: Offset,
    /// Who sent both.
    pub producer: Producer,
    /// The record's number.
    pub record: u64,
    /// The number of the later one, which comes first.
    pub after: u64,
}

/// How far the numbers have come in each partition.
#[derive(Clone, Debug, Default)]
pub struct Order {
    highest: BTreeMap<TopicPartition, BTreeMap<Producer, u64>>,
    reordered: BTreeMap<Producer, u64>,
    /// The first case where the order was not promised, and how many there are.
    pub unpromised: Option<(Reordered, u64)>,
    /// The same where it was promised, of each partition.
    pub promised: BTreeMap<TopicPartition, (Reordered, u64)>,
}

/// Whether the place of a record was promised. Without sequence numbers a broker appends whatever arrives: what
/// a producer gave up (it timed out, it lost the connection) can arrive long after what it sent next.
fn is_promised(ledger: &Ledger, record: &FinalRecord<'_>) -> bool {
    let FinalRecord { at, producer, record, .. } = *record;
    let terms = &ledger.accounts()[producer].terms;
    terms.ordered && (terms.idempotent || ledger.is_acknowledged(producer, &at.topic, record))
}

impl Order {
    /// The first copy of a record in the final logs of a topic.
    pub fn first_copy(&mut self, ledger: &Ledger, copy: &FinalRecord<'_>) {
        let FinalRecord { at, offset, producer, record } = *copy;
        if !self.highest.contains_key(at) {
            self.highest.insert(at.clone(), BTreeMap::new());
        }
        let producers = self.highest.get_mut(at).expect("just inserted");
        let highest = producers.entry(producer).or_insert(record);
        if record >= *highest {
            *highest = record;
            return;
        }
        let after = *highest;
        *self.reordered.entry(producer).or_default() += 1;
        let promised = is_promised(ledger, copy);
        let case = || (Reordered { at: at.clone(), offset, producer, record, after }, 0);
        let found = match promised {
            true => self.promised.entry(at.clone()).or_insert_with(case),
            false => self.unpromised.get_or_insert_with(case),
        };
        found.1 += 1;
    }

    /// How many records of a producer are behind later ones.
    pub fn reordered(&self, producer: Producer) -> u64 {
        self.reordered.get(&producer).copied().unwrap_or(0)
    }
}
