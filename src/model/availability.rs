//! How long producers were without an acknowledgement.

use serde::Serialize;

use super::ledger::{Ledger, Producer};
use crate::vocab::Time;

/// A time without an acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its beginning.
    #[serde(rename = "from_ns")]
    pub from: Time,
    /// Its end.
    #[serde(rename = "to_ns")]
    pub to: Time,
}

/// The times without an acknowledgement, of each producer.
#[derive(Clone, Debug, Default)]
pub struct Availability {
    /// The last acknowledgement, or the first invocation, and the longest gap before it.
    producers: Vec<Option<(Time, Gap)>>,
}

impl Availability {
    /// For as many producers as the ledger has.
    pub fn new(ledger: &Ledger) -> Self {
        Self { producers: vec![None; ledger.accounts().len()] }
    }

    /// The ledger has one more producer.
    pub fn add(&mut self) {
        self.producers.push(None);
    }

    /// An operation began.
    pub fn invoked(&mut self, time: Time, producer: Producer) {
        self.producers[producer].get_or_insert((time, Gap { from: time, to: time }));
    }

    /// An operation was acknowledged.
    pub fn acknowledged(&mut self, time: Time, producer: Producer) {
        let (last, longest) =
            self.producers[producer].get_or_insert((time, Gap { from: time, to: time }));
        *longest = longer(*longest, Gap { from: *last, to: time });
        *last = time;
    }

    /// The longest gap of a producer in a run that ended at `end`; `None` when it sent nothing.
    pub fn longest(&self, ledger: &Ledger, producer: Producer, end: Time) -> Option<Gap> {
        let (last, longest) = self.producers[producer]?;
        let account = &ledger.accounts()[producer];
        let ended = account.last_ended.filter(|_| account.unended().is_empty());
        let to = ended.unwrap_or(end).max(last);
        Some(longer(longest, Gap { from: last, to }))
    }
}

/// The longer one, of two equal ones the earlier.
pub fn longer(before: Gap, after: Gap) -> Gap {
    let longer = after.to.since(after.from) > before.to.since(before.from);
    if longer { after } else { before }
}
