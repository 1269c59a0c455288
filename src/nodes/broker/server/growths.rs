//! The CreatePartitions requests that wait for leaders.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;

use super::metadata::MetadataCache;
use crate::nodes::broker::context::ReplyTo;

/// How one topic of a request ended, or that it is to have this many partitions.
#[derive(Debug)]
pub struct Row {
    /// The topic.
    pub name: TopicName,
    /// How many partitions it is to have.
    pub partitions: i32,
    /// Why it does not get them.
    pub error: Option<ResponseError>,
    /// What is said about that.
    pub why: Option<String>,
}

impl Row {
    /// Whether every partition has a leader, as far as this broker knows.
    pub fn is_led(&self, metadata: &MetadataCache) -> bool {
        (0..self.partitions).all(|index| metadata.leader(&self.name, index).is_some())
    }
}

/// A request whose topics were written.
#[derive(Debug)]
pub struct Growth {
    /// Where its answer goes.
    pub to: ReplyTo,
    /// Its topics.
    pub rows: Vec<Row>,
    /// What is answered behind them.
    pub refused: Vec<Row>,
}

/// Owns the requests that wait.
#[derive(Debug, Default)]
pub struct Growths {
    waiting: BTreeMap<u64, Growth>,
    next: u64,
}

impl Growths {
    /// Lets a request wait; returns its number.
    pub fn add(&mut self, growth: Growth) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, growth);
        number
    }

    /// The numbers of the requests whose partitions all have leaders.
    pub fn done(&self, metadata: &MetadataCache) -> Vec<u64> {
        let is_done = |one: &Growth| {
            one.rows.iter().filter(|row| row.error.is_none()).all(|row| row.is_led(metadata))
        };
        let done = self.waiting.iter().filter(|(_, one)| is_done(one));
        done.map(|(number, _)| *number).collect()
    }

    /// Takes a request out; `None` when it was answered before its timeout.
    pub fn take(&mut self, number: u64) -> Option<Growth> {
        self.waiting.remove(&number)
    }
}
