//! The acknowledged records that the final logs lack.

use std::sync::Arc;

use super::Model;
use super::ack_window::Found;
use super::ledger::{Ledger, Producer};
use crate::vocab::Time;

/// The lost record that was acknowledged first.
#[derive(Clone, Debug)]
pub struct Lost {
    /// Its producer.
    pub producer: Producer,
    /// Its topic.
    pub topic: Arc<str>,
    /// Its number.
    pub record: u64,
    /// How many records are lost.
    pub count: u64,
    /// Its acknowledgement, if that is still known.
    pub found: Option<Found>,
}

impl Model {
    /// Of the acknowledged records that the final logs lack, the one that was acknowledged first.
    pub fn first_lost(&self) -> Option<Lost> {
        let mut first: Option<(Time, Lost)> = None;
        let mut count = 0;
        for (producer, account) in self.ledger.accounts().iter().enumerate() {
            for (topic, book) in &account.topics {
                let lost = Ledger::lost(book);
                let Some(record) = lost.first() else { continue };
                count += lost.len();
                let found = self.window.find(producer, topic, record);
                let time = found.as_ref().map_or(Time::MAX, |found| found.time);
                if first.as_ref().is_none_or(|(before, _)| time < *before) {
                    let topic = topic.clone();
                    first = Some((time, Lost { producer, topic, record, count: 0, found }));
                }
            }
        }
        first.map(|(_, lost)| Lost { count, ..lost })
    }
}
