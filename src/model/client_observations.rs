//! Which record clients saw at which offset: by acknowledgements and by polls.
//!
//! What Jepsen's Kafka checker judges by. A *value* is a record of a
//! producer; it is *seen* at an offset by an acknowledgement or by a poll.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{ClientObservation, Outcome};
use crate::model::interval::IntervalSet;
use crate::model::ledger::{Ledger, Producer};
use crate::model::offset_map::{Novelty, OffsetMap, Value};
use crate::model::transactional::clients::Clients;
use crate::model::{ConsumerTerms, Terms};
use crate::vocab::{NodeId, Offset, TopicPartition};

/// Values that were seen at an offset where another one had been, as many as are kept.
const CONTRADICTIONS_MAX: usize = 4_096;

/// A partition's place in the list of partitions.
pub type Place = usize;

/// What clients know of one producer's records in one topic.
#[derive(Clone, Debug, Default)]
struct Records {
    /// Seen at an offset.
    seen: IntervalSet,
    /// Polled by any consumer.
    polled: IntervalSet,
}

/// What clients know of one partition.
#[derive(Clone, Debug)]
struct PartitionRecords {
    at: TopicPartition,
    topic: usize,
    map: OffsetMap,
    /// The highest offset that a consumer who reads from the beginning polled, and who did.
    highest: Option<(Offset, NodeId)>,
    /// Offsets at which consumers of the scenario polled records of clients from outside: whose they are shows only
    /// where they are acknowledged.
    unnamed: IntervalSet,
}

/// How far a consumer is in one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The last offset that it polled since its position was reset.
    polled: Option<Offset>,
    /// The offset of the next record that it reads, once it knows one.
    position: Option<Offset>,
}

/// How far a consumer is.
#[derive(Clone, Debug, Default)]
struct Cursors {
    from_beginning: bool,
    /// Whether it is a client from outside, which may seek.
    is_external: bool,
    /// By the partition's place.
    partitions: Vec<Cursor>,
}

impl Cursors {
    fn at(&mut self, place: Place) -> &mut Cursor {
        if self.partitions.len() <= place {
            self.partitions.resize(place + 1, Cursor::default());
        }
        &mut self.partitions[place]
    }
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An acknowledgement.
    Acknowledgement,
    /// A poll of a consumer, and the offset that it polled of this partition before, since its position was
    /// set last.
    Poll(Option<Offset>),
}

/// One word of a client about an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The partition.
    pub place: Place,
    /// The offset.
    pub offset: Offset,
    /// What is there; `None` for a record of no producer in the terms.
    pub value: Option<Value>,
    /// Whether it is news.
    pub novelty: Novelty,
    /// Whether the value was seen at another offset before.
    pub elsewhere: bool,
    /// Who says so.
    pub by: By,
}

/// An acknowledged value that no consumer polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub value: Value,
    /// Where it was acknowledged; `None` when that is too long ago.
    pub at: Option<(Place, Offset)>,
}

/// The first of some missing values, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The first, by partition and offset.
    pub first: Option<Missing>,
    /// How many.
    pub count: u64,
}

impl Count {
    fn add(&mut self, missing: Missing) {
        self.first.get_or_insert(missing);
        self.count += 1;
    }
}

/// Everything that clients saw.
#[derive(Clone, Debug, Default)]
pub struct ClientObservations {
    partitions: Vec<PartitionRecords>,
    places: BTreeMap<TopicPartition, Place>,
    /// The partition of the last sighting: most come in a row.
    recent: Place,
    topics: Vec<Arc<str>>,
    /// By topic and producer, as far as clients saw any.
    records: BTreeMap<(usize, Producer), Records>,
    /// Of each consumer that is judged: how far it is.
    cursors: BTreeMap<NodeId, Cursors>,
    /// By producer: operations that certainly did nothing.
    failed: Vec<IntervalSet>,
    contradictions: Vec<(Place, Offset, Value)>,
    latest: Option<Sighting>,
}

impl ClientObservations {
    /// Nothing seen yet.
    pub fn new(terms: &Terms) -> Self {
        let consumers = terms.consumers.iter();
        let cursor = |consumer: &super::ConsumerTerms| {
            let from_beginning = consumer.from_beginning;
            (consumer.node, Cursors { from_beginning, ..Cursors::default() })
        };
        Self {
            failed: vec![IntervalSet::default(); terms.producers.len()],
            cursors: consumers.map(cursor).collect(),
            ..Self::default()
        }
    }

    /// There is one more producer.
    pub fn add_producer(&mut self) {
        self.failed.push(IntervalSet::default());
    }

    /// A client from outside reads.
    pub fn add_external(&mut self, node: NodeId) {
        let cursors = Cursors { is_external: true, ..Cursors::default() };
        self.cursors.entry(node).or_insert(cursors);
    }

    /// The offset of the next record that a consumer reads; `None` when it knows no position.
    pub fn position(&self, consumer: NodeId, at: &TopicPartition) -> Option<Offset> {
        let cursors = self.cursors.get(&consumer)?;
        cursors.partitions.get(*self.places.get(at)?)?.position
    }

    /// A consumer's process began: it knows no position.
    pub fn started(&mut self, consumer: NodeId) {
        if let Some(cursors) = self.cursors.get_mut(&consumer) {
            cursors.partitions.clear();
        }
    }

    /// What the observation that was booked last says of an offset, if anything.
    pub fn latest(&self) -> Option<&Sighting> {
        self.latest.as_ref()
    }

    /// The partition at `place`.
    pub fn at(&self, place: Place) -> &TopicPartition {
        &self.partitions[place].at
    }

    /// What was seen at the first offset at or after `from`.
    pub fn first_from(&self, place: Place, from: Offset) -> Option<(Offset, Value)> {
        self.partitions[place].map.first_from(from)
    }

    /// The records that were seen at offsets below `end`, as far as they are still known.
    pub fn seen_below(
        &self,
        at: &TopicPartition,
        end: Offset,
    ) -> impl Iterator<Item = (Producer, u64)> {
        let place = self.places.get(at);
        let runs = place.into_iter().flat_map(|place| self.partitions[*place].map.runs());
        let offsets = runs
            .flat_map(move |run| (run.base..run.end().min(end)).map(|offset| run.value(offset)));
        offsets.map(|value| (value.producer, value.record))
    }

    /// The highest offset that was polled by a consumer that reads from the beginning, and the consumer.
    pub fn highest(&self, place: Place) -> Option<(Offset, NodeId)> {
        self.partitions[place].highest
    }

    /// Where in a topic a value was seen, by partition and offset.
    pub fn find(&self, topic: usize, value: Value) -> impl Iterator<Item = (Place, Offset)> {
        let places = self.partitions.iter().enumerate();
        let of_topic = places.filter(move |(_, partition)| partition.topic == topic);
        of_topic.flat_map(move |(place, partition)| {
            partition.map.offsets_of(value).map(move |offset| (place, offset))
        })
    }

    /// Another place where the value of `sighting` was seen.
    pub fn find_elsewhere(&self, sighting: &Sighting) -> Option<(Place, Offset)> {
        let (value, here) = (sighting.value?, (sighting.place, sighting.offset));
        let topic = self.partitions[sighting.place].topic;
        self.find(topic, value).find(|found| *found != here)
    }

    /// Folds in what a client observed.
    pub fn observe(&mut self, ledger: &Ledger, node: NodeId, observation: &ClientObservation) {
        self.latest = None;
        match observation {
            ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } } => {
                let Some(producer) = ledger.at_node(node).filter(|_| *offset >= 0) else { return };
                let value = Value { producer, record: *op };
                let place = self.place(at);
                let sighting = self.sighted(place, *offset, Some(value), By::Acknowledgement);
                self.latest = Some(sighting);
            }
            ClientObservation::Completed { op, outcome: Outcome::Failed { .. } } => {
                if let Some(producer) = ledger.at_node(node) {
                    self.failed[producer].insert(*op);
                }
            }
            ClientObservation::Consumed { at, offset, producer, record, .. }
                if self.cursors.contains_key(&node) =>
            {
                let producer = ledger.named(producer);
                let value = producer.map(|producer| Value { producer, record: *record });
                self.latest = Some(self.polled(node, at, *offset, value));
            }
            ClientObservation::RecordsPassed { at, to } => {
                let place = self.place(at);
                if let Some(cursors) = self.cursors.get_mut(&node) {
                    cursors.at(place).position = Some(*to);
                }
            }
            ClientObservation::PositionReset { at, to, .. } => {
                let place = self.place(at);
                if let Some(cursors) = self.cursors.get_mut(&node) {
                    *cursors.at(place) = Cursor { polled: None, position: Some(*to) };
                }
            }
            _ => {}
        }
    }

    fn polled(
        &mut self,
        node: NodeId,
        at: &TopicPartition,
        offset: Offset,
        value: Option<Value>,
    ) -> Sighting {
        let place = self.place(at);
        let cursors = self.cursors.get_mut(&node).expect("only consumers that are judged poll");
        let is_external = cursors.is_external;
        let cursor = cursors.at(place);
        let before = cursor.polled.replace(offset);
        let before = before.filter(|_| !is_external);
        cursor.position = Some(offset.saturating_add(1));
        let from_beginning = cursors.from_beginning;
        let partition = &mut self.partitions[place];
        if from_beginning && partition.highest.is_none_or(|(highest, _)| offset > highest) {
            partition.highest = Some((offset, node));
        }
        if let Some(value) = value {
            let records = self.records.entry((partition.topic, value.producer)).or_default();
            records.polled.insert(value.record);
        } else if !is_external {
            partition.unnamed.insert(offset.max(0) as u64);
        }
        self.sighted(place, offset, value, By::Poll(before))
    }

    fn sighted(&mut self, place: Place, offset: Offset, value: Option<Value>, by: By) -> Sighting {
        let (mut novelty, mut elsewhere) = (Novelty::Again, false);
        if let Some(value) = value {
            let partition = &mut self.partitions[place];
            novelty = partition.map.see(offset, value);
            if matches!(novelty, Novelty::First | Novelty::Otherwise(_)) {
                let records = self.records.entry((partition.topic, value.producer)).or_default();
                let fresh = records.seen.insert(value.record);
                elsewhere = !fresh && novelty == Novelty::First;
            }
            if matches!(novelty, Novelty::Otherwise(_))
                && self.contradictions.len() < CONTRADICTIONS_MAX
            {
                self.contradictions.push((place, offset, value));
            }
        }
        Sighting { place, offset, value, novelty, elsewhere, by }
    }

    fn place(&mut self, at: &TopicPartition) -> Place {
        if self.partitions.get(self.recent).is_some_and(|partition| partition.at == *at) {
            return self.recent;
        }
        self.recent = match self.places.get(at) {
            Some(place) => *place,
            None => self.add_place(at),
        };
        self.recent
    }

    fn add_place(&mut self, at: &TopicPartition) -> Place {
        let topic = self.topics.iter().position(|topic| *topic == at.topic).unwrap_or_else(|| {
            self.topics.push(at.topic.clone());
            self.topics.len() - 1
        });
        let (map, highest, unnamed) = (OffsetMap::default(), None, IntervalSet::default());
        self.partitions.push(PartitionRecords { at: at.clone(), topic, map, highest, unnamed });
        let place = self.partitions.len() - 1;
        self.places.insert(at.clone(), place);
        place
    }

    /// Values that certainly were not written but polled: of each producer and topic the first.
    pub fn failed_but_polled(&self) -> impl Iterator<Item = (usize, Value, u64)> {
        self.records.iter().filter_map(|(&(topic, producer), records)| {
            let failed = &self.failed[producer];
            let polled = records.polled.difference(&records.polled.difference(failed));
            let record = polled.first()?;
            Some((topic, Value { producer, record }, polled.len()))
        })
    }

    /// Acknowledged values that were not polled, in topics that a consumer reads from the beginning: those below
    /// the highest polled offset of their partition, and those above it. Where all such consumers read committed
    /// transactions alone, values of others do not count.
    pub fn missing(&self, terms: &Terms, ledger: &Ledger, clients: &Clients) -> (Count, Count) {
        let (mut below, mut above) = (Count::default(), Count::default());
        for (topic, name) in self.topics.iter().enumerate() {
            let is_reader = |one: &&ConsumerTerms| one.from_beginning && one.topics.contains(name);
            let mut readers = terms.consumers.iter().filter(is_reader).peekable();
            if readers.peek().is_none() {
                continue;
            }
            let read_all_committed = readers.all(|consumer| consumer.read_committed);
            for (producer, account) in ledger.accounts().iter().enumerate() {
                let Some(book) = account.topics.get(name) else { continue };
                let missing = match self.records.get(&(topic, producer)) {
                    Some(records) => book.acknowledged.difference(&records.polled),
                    None => book.acknowledged.clone(),
                };
                let missing = match read_all_committed {
                    true => missing.difference(&clients.uncommitted(account.terms.node)),
                    false => missing,
                };
                if !missing.is_empty() {
                    self.locate(topic, producer, &missing, (&mut below, &mut above));
                }
            }
        }
        (below, above)
    }

    /// Whether every offset of a topic that is forgotten is below the highest polled one of its partition.
    fn polled_past_forgotten(&self, topic: usize) -> bool {
        let mut partitions = self.partitions.iter().filter(|partition| partition.topic == topic);
        self.contradictions.len() < CONTRADICTIONS_MAX
            && partitions.all(|PartitionRecords { map, highest, .. }| {
                map.floor() == 0 || highest.is_some_and(|(highest, _)| highest >= map.floor() - 1)
            })
    }

    fn locate(
        &self,
        topic: usize,
        producer: Producer,
        missing: &IntervalSet,
        (below, above): (&mut Count, &mut Count),
    ) {
        let mut located = IntervalSet::default();
        let mut found = |place: Place, offset: Offset, value: Value| {
            let is_it = value.producer == producer && missing.contains(value.record);
            if is_it && located.insert(value.record) {
                let PartitionRecords { highest, unnamed, .. } = &self.partitions[place];
                if unnamed.contains(offset.max(0) as u64) {
                    return;
                }
                let is_below = highest.is_some_and(|(highest, _)| offset <= highest);
                let count = if is_below { &mut *below } else { &mut *above };
                count.add(Missing { value, at: Some((place, offset)) });
            }
        };
        for (place, partition) in self.partitions.iter().enumerate() {
            if partition.topic != topic {
                continue;
            }
            for run in partition.map.runs() {
                (run.base..run.end()).for_each(|offset| found(place, offset, run.value(offset)));
            }
        }
        for &(place, offset, value) in &self.contradictions {
            if self.partitions[place].topic == topic {
                found(place, offset, value);
            }
        }
        // The lowest offsets are forgotten, so the rest is below the highest polled one where all of those are.
        // Elsewhere it is not known, and counts as neither.
        if !self.polled_past_forgotten(topic) {
            return;
        }
        for record in missing.difference(&located).runs().flatten() {
            below.add(Missing { value: Value { producer, record }, at: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Call, Observation};
    use crate::model::{ConsumerTerms, Model, ProducerTerms};
    use crate::vocab::{Acks, Roster, Time};

    const P0: NodeId = NodeId(0);
    const C0: NodeId = NodeId(1);
    const STRANGER: NodeId = NodeId(2);

    fn model() -> Model {
        let mut roster = Roster::default();
        for name in ["p0", "c0", "b1"] {
            roster.add(name);
        }
        let (topic, acks): (Arc<str>, _) = ("orders".into(), Acks::All);
        let producer = ProducerTerms {
            node: P0,
            topic: topic.clone(),
            acks,
            idempotent: false,
            ordered: false,
            is_external: false,
        };
        let consumer = ConsumerTerms::new(C0, None, vec![topic]);
        let (producers, consumers) = (vec![producer], vec![consumer]);
        Model::new(Terms { roster, producers, consumers, ..Terms::default() })
    }

    fn fold(model: &mut Model, node: NodeId, observation: ClientObservation) {
        model.observed(Time::ZERO, node, &Observation::Client(observation));
    }

    fn orders() -> TopicPartition {
        TopicPartition::new("orders", 0)
    }

    #[test]
    fn sightings_of_a_long_run_take_no_more_room_than_those_of_a_short_one() {
        let mut model = model();
        let mut observe = |node, observation| fold(&mut model, node, observation);
        for record in 0..10_000_u64 {
            let offset = record as Offset;
            observe(
                P0,
                ClientObservation::Invoked {
                    op: record,
                    call: Call::Produce { topic: "orders".into() },
                },
            );
            let outcome = Outcome::Produced { at: orders(), offset };
            observe(P0, ClientObservation::Completed { op: record, outcome });
            let (at, producer) = (orders(), "p0".into());
            let leader_epoch = 0;
            observe(C0, ClientObservation::Consumed { at, offset, leader_epoch, producer, record });
        }
        let client_observations = &model.client_observations;
        assert_eq!(client_observations.partitions[0].map.runs().len(), 1);
        assert_eq!(client_observations.records[&(0, 0)].polled.runs().count(), 1);
        assert_eq!(client_observations.highest(0), Some((9_999, C0)));
        assert_eq!(
            client_observations.latest().map(|sighting| sighting.novelty),
            Some(Novelty::Again)
        );
        let (below, above) = {
            let clients = &model.transactional.clients;
            client_observations.missing(&model.terms, &model.ledger, clients)
        };
        assert_eq!((below.count, above.count), (0, 0));
    }

    #[test]
    fn what_strangers_see_is_not_looked_at() {
        let mut model = model();
        let outcome = Outcome::Produced { at: orders(), offset: 3 };
        let told = ClientObservation::Completed { op: 3, outcome };
        fold(&mut model, STRANGER, told);
        assert_eq!(model.client_observations.latest(), None);
    }

    #[test]
    fn a_position_is_behind_the_last_poll_or_where_it_was_reset() {
        let (mut model, at) = (model(), orders());
        let position = |model: &Model| model.client_observations.position(C0, &orders());
        assert_eq!(position(&model), None);
        fold(
            &mut model,
            C0,
            ClientObservation::PositionReset { at: at.clone(), from: None, to: 0 },
        );
        assert_eq!(position(&model), Some(0));
        let (offset, leader_epoch, producer, record) = (4, 0, "p0".into(), 4);
        let polled = ClientObservation::Consumed { at, offset, leader_epoch, producer, record };
        fold(&mut model, C0, polled);
        assert_eq!(position(&model), Some(5));
        fold(&mut model, C0, ClientObservation::RecordsPassed { at: orders(), to: 9 });
        assert_eq!(position(&model), Some(9));
        model.life(Time(1), C0, crate::history::Life::Started);
        assert_eq!(position(&model), None, "a new process knows no position");
    }
}
