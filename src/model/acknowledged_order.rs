//! The highest record that each producer got acknowledged in each partition, with its offset.

use std::collections::BTreeMap;

use crate::model::client_observations::{By, Place, Sighting};
use crate::model::ledger::Producer;
use crate::vocab::Offset;

/// A record and its offset.
type Acknowledged = (u64, Offset);

/// The highest acknowledged records.
#[derive(Clone, Debug, Default)]
pub struct AcknowledgedOrder {
    highest: BTreeMap<(Place, Producer), Acknowledged>,
    contradicted: Option<Acknowledged>,
}

impl AcknowledgedOrder {
    /// The highest record before the acknowledgement at hand, if their offsets are in another order than their
    /// numbers.
    pub fn contradicted(&self) -> Option<Acknowledged> {
        self.contradicted
    }

    /// Folds in what a client saw, if anything.
    pub fn observe(&mut self, sighting: Option<&Sighting>) {
        self.contradicted = None;
        let Some(&Sighting { place, offset, value, by: By::Acknowledgement, .. }) = sighting else {
            return;
        };
        let Some(value) = value else { return };
        let seen = (value.record, offset);
        let highest = self.highest.entry((place, value.producer)).or_insert(seen);
        let other = *highest;
        if seen.0 >= other.0 {
            *highest = seen;
        }
        let is_in_order = seen.0 == other.0 || (seen.0 > other.0) == (seen.1 > other.1);
        self.contradicted = (!is_in_order).then_some(other);
    }
}
