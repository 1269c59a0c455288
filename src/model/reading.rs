//! The reading list: what each reader was handed, and which final records it was not.
//!
//! Bookkeeping that several properties are judged by; it decides nothing. A reader is a consumer group, or
//! a consumer without one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::ClientObservation;
use crate::model::Terms;
use crate::model::interval::IntervalSet;
use crate::model::ledger::{FinalRecord, Ledger, Producer};
use crate::vocab::{NodeId, Offset, TopicPartition};

/// The first of some records, and all their numbers.
#[derive(Clone, Debug, Default)]
pub struct Missed {
    /// The first in the order in which they were found: its place, its producer, its number.
    pub first: Option<(TopicPartition, Offset, Producer, u64)>,
    records: BTreeMap<Producer, IntervalSet>,
}

impl Missed {
    fn add(&mut self, record: &FinalRecord<'_>) {
        self.records.entry(record.producer).or_default().insert(record.record);
        let FinalRecord { at, offset, producer, record } = *record;
        self.first.get_or_insert_with(|| (at.clone(), offset, producer, record));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.records.values().map(IntervalSet::len).sum()
    }
}

/// What is known of one reader.
#[derive(Clone, Debug)]
pub struct ReaderAccount {
    /// Name of the group, or of the consumer.
    pub name: Arc<str>,
    /// Topics that it reads.
    topics: Vec<Arc<str>>,
    /// Whether it is expected to be handed every record.
    pub from_beginning: bool,
    /// Whether it reads with `isolation.level=read_committed`.
    read_committed: bool,
    /// Records that it was handed, copies included.
    pub read: u64,
    /// Records that it was handed more than once.
    pub duplicates: u64,
    /// Records that it was handed, by producer and topic. There is one for each pair of a reader and a producer, so
    /// that a map for each producer would take more room than all else that is kept of a run.
    seen: BTreeMap<(Producer, Arc<str>), IntervalSet>,
    /// The offset that it goes on from, in each partition.
    positions: BTreeMap<TopicPartition, Offset>,
    /// Offsets of records that it was handed and that name no producer: clients from outside wrote them.
    unnamed: BTreeMap<TopicPartition, IntervalSet>,
    /// Whether it is a client from outside.
    pub is_external: bool,
    /// What it was handed in earlier lives, of a client from outside.
    earlier: BTreeMap<(Producer, Arc<str>), IntervalSet>,
    /// Errors with which brokers answered its requests, once for each partition of a request.
    pub refused: BTreeMap<Arc<str>, u64>,
    /// Acknowledged final records that it went past.
    pub skipped: Missed,
    /// Acknowledged final records that it has not reached.
    pub behind: Missed,
}

impl ReaderAccount {
    fn new(name: Arc<str>, from_beginning: bool, is_external: bool) -> Self {
        Self {
            name,
            topics: Vec::new(),
            from_beginning,
            read_committed: false,
            read: 0,
            duplicates: 0,
            seen: BTreeMap::new(),
            positions: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            is_external,
            earlier: BTreeMap::new(),
            refused: BTreeMap::new(),
            skipped: Missed::default(),
            behind: Missed::default(),
        }
    }

    /// What it is handed from now on, it was not handed before.
    fn life_ended(&mut self) {
        for (key, seen) in std::mem::take(&mut self.seen) {
            let earlier = self.earlier.entry(key).or_default();
            seen.runs().flatten().for_each(|record| _ = earlier.insert(record));
        }
    }

    /// The offset that it goes on from.
    pub fn position(&self, at: &TopicPartition) -> Offset {
        self.positions.get(at).copied().unwrap_or(0)
    }

    fn advance(&mut self, at: &TopicPartition, to: Offset) {
        match self.positions.get_mut(at) {
            Some(position) => *position = to.max(*position),
            None => _ = self.positions.insert(at.clone(), to),
        }
    }

    fn handed(&mut self, producer: Producer, topic: &Arc<str>, record: u64) {
        self.read += 1;
        let seen = self.seen.entry((producer, topic.clone())).or_default();
        self.duplicates += u64::from(!seen.insert(record));
    }

    fn handed_unnamed(&mut self, at: &TopicPartition, offset: Offset) {
        self.read += 1;
        // A client from outside names what it can; it may read without end.
        if !self.is_external {
            self.unnamed.entry(at.clone()).or_default().insert(offset.max(0) as u64);
        }
    }

    fn has_seen(&self, record: &FinalRecord<'_>) -> bool {
        let seen = self.seen.get(&(record.producer, record.at.topic.clone()));
        let unnamed = self.unnamed.get(record.at);
        seen.is_some_and(|seen| seen.contains(record.record))
            || unnamed.is_some_and(|unnamed| unnamed.contains(record.offset.max(0) as u64))
    }

    /// Records that it was handed, by producer and topic.
    pub fn seen(&self) -> impl Iterator<Item = (Producer, &Arc<str>, &IntervalSet)> {
        let all = self.seen.iter().chain(&self.earlier);
        all.map(|((producer, topic), seen)| (*producer, topic, seen))
    }
}

/// All readers.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    readers: Vec<ReaderAccount>,
    by_node: BTreeMap<NodeId, usize>,
}

impl Reading {
    /// An empty list for each reader of `terms`.
    pub fn new(terms: &Terms) -> Self {
        let mut reading = Self::default();
        for consumer in &terms.consumers {
            let name = consumer.group.clone().unwrap_or_else(|| terms.name(consumer.node));
            let known = reading.readers.iter().position(|reader| reader.name == name);
            let index = known.unwrap_or_else(|| {
                reading.readers.push(ReaderAccount::new(name, true, false));
                reading.readers.len() - 1
            });
            let reader = &mut reading.readers[index];
            reader.topics.extend(consumer.topics.iter().cloned());
            reader.from_beginning &= consumer.from_beginning;
            reader.read_committed |= consumer.read_committed;
            reading.by_node.insert(consumer.node, index);
        }
        reading
    }

    /// A client from outside reads.
    pub fn add_external(&mut self, node: NodeId, name: &Arc<str>) {
        if !self.by_node.contains_key(&node) {
            self.by_node.insert(node, self.readers.len());
            self.readers.push(ReaderAccount::new(name.clone(), false, true));
        }
    }

    /// All readers.
    pub fn readers(&self) -> &[ReaderAccount] {
        &self.readers
    }

    /// Folds in what a client observed.
    pub fn observe(&mut self, ledger: &Ledger, node: NodeId, observation: &ClientObservation) {
        let (ClientObservation::Consumed { .. }
        | ClientObservation::PositionReset { .. }
        | ClientObservation::Refused { .. }
        | ClientObservation::LifeEnded) = observation
        else {
            return;
        };
        let Some(&index) = self.by_node.get(&node) else { return };
        let reader = &mut self.readers[index];
        match observation {
            ClientObservation::Consumed { at, offset, producer, record, .. } => {
                reader.advance(at, offset.saturating_add(1));
                if let Some(producer) = ledger.named(producer) {
                    reader.handed(producer, &at.topic, *record);
                } else {
                    reader.handed_unnamed(at, *offset);
                }
            }
            ClientObservation::Refused { error, .. } => {
                *reader.refused.entry(error.clone()).or_default() += 1;
            }
            ClientObservation::LifeEnded => reader.life_ended(),
            ClientObservation::PositionReset { at, to, .. } => reader.advance(at, *to),
            _ => {}
        }
    }

    /// Folds in a record of a final log: every reader of the topic should have been handed it, unless it is of a
    /// transaction that is not committed and the reader reads committed ones alone.
    pub fn final_record(
        &mut self,
        ledger: &Ledger,
        record: &FinalRecord<'_>,
        is_uncommitted: bool,
    ) {
        let topic = &record.at.topic;
        if !ledger.is_acknowledged(record.producer, topic, record.record) {
            return;
        }
        for reader in &mut self.readers {
            let concerned = reader.from_beginning && reader.topics.contains(topic);
            let is_hidden = is_uncommitted && reader.read_committed;
            if !concerned || is_hidden || reader.has_seen(record) {
                continue;
            }
            let passed = record.offset < reader.position(record.at);
            let missed = if passed { &mut reader.skipped } else { &mut reader.behind };
            missed.add(record);
        }
    }
}
