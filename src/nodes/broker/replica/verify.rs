//! Before a producer's first batch in a transaction is appended to a partition, its leader asks the transaction
//! coordinator whether the partition was added to the transaction (KIP-890, since 3.6): a batch that was delayed until
//! the transaction had ended would begin one that nothing ends.
//!
//! A request waits for the answer without a handler (`ReplicaManager.handleProduceAppend`,
//! `AddPartitionsToTxnManager`). Each partition's producer has a guard from the question on until a record or a marker
//! is appended: an answer that comes behind a marker is worth nothing.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;

use super::manager::ReplicaManager;
use super::produce::Producing;
use super::verification::{Place, verifies};
use crate::nodes::broker::config::INTERNAL_TOPICS;
use crate::nodes::broker::context::{Ask, Context, VerifyTransaction};
use crate::wire::records::Batch;

/// A Produce request that waits for the coordinator's answer.
#[derive(Debug)]
struct Unverified {
    producing: Box<Producing>,
    /// The partitions that were asked for.
    places: Vec<Place>,
}

/// Owns the Produce requests that wait for the coordinator's answer.
#[derive(Debug, Default)]
pub struct Verifications {
    waiting: BTreeMap<u64, Unverified>,
    next: u64,
}

/// A partition of a Produce request with a transactional batch.
struct Asked {
    place: Place,
    partition: (TopicName, i32),
    /// Id and epoch.
    producer: (i64, i16),
    sequence: i32,
}

fn transactional(producing: &Producing) -> Vec<Asked> {
    let parts = producing.topics().iter().enumerate().flat_map(|(t, topic)| {
        topic.partition_data.iter().enumerate().map(move |(n, part)| ((t, n), topic, part))
    });
    let asked = parts.filter_map(|(place, topic, part)| {
        let batch = Batch::first(part.records.as_ref()?).ok()?;
        let is_asked = batch.is_transactional() && batch.producer_id() >= 0;
        is_asked.then(|| Asked {
            place,
            partition: (topic.name.clone(), part.index),
            producer: (batch.producer_id(), batch.producer_epoch()),
            sequence: batch.base_sequence(),
        })
    });
    asked.collect()
}

impl ReplicaManager {
    /// Works on a Produce request, when its transaction is verified where it has to be.
    pub(super) fn verify(&mut self, cx: &mut Context<'_>, mut producing: Producing) {
        let id = producing.transactional_id().cloned().filter(|_| verifies(&self.config));
        let Some(transactional_id) = id else { return self.go_on_producing(cx, producing) };
        let asked = transactional(&producing);
        if let Some(first) = asked.first()
            && asked.iter().any(|other| other.producer != first.producer)
        {
            producing.refuse_all(ResponseError::InvalidProducerIdMapping);
            return self.go_on_producing(cx, producing);
        }
        let mut places = Vec::new();
        let mut partitions = Vec::new();
        let mut producer = None;
        for asked in asked {
            let (topic, number) = &asked.partition;
            let slot = self.replicas.find(topic, *number);
            let slot = slot.filter(|slot| self.replicas.at(*slot).leader().is_some());
            let Some(slot) = slot.filter(|_| !INTERNAL_TOPICS.contains(&topic.as_str())) else {
                // It is refused when it comes to it.
                continue;
            };
            let log = &mut self.replicas.at_mut(slot).log;
            let guard = log.verify(asked.producer, asked.sequence, cx.clock.wall_ms);
            if let Some(guard) = guard {
                producing.verified.is_asked(asked.place, guard);
                producer = Some(asked.producer);
                places.push(asked.place);
                partitions.push(asked.partition);
            }
        }
        let Some(producer) = producer else { return self.go_on_producing(cx, producing) };
        let number = self.verifications.next;
        self.verifications.next += 1;
        let unverified = Unverified { producing: Box::new(producing), places };
        self.verifications.waiting.insert(number, unverified);
        let asked = VerifyTransaction { number, transactional_id, producer, partitions };
        cx.ask(Ask::VerifyTransaction(asked));
    }

    /// The coordinator answered, or did not; 0 is a partition that is in the transaction.
    pub fn verified(&mut self, cx: &mut Context<'_>, number: u64, codes: &[i16]) {
        let unverified = self.verifications.waiting.remove(&number);
        let Unverified { mut producing, places } = unverified.expect("it waits for the answer");
        let api_version = producing.api_version();
        for (place, code) in places.into_iter().zip(codes) {
            producing.verified.is_answered(place, *code, api_version);
        }
        self.go_on_producing(cx, *producing);
    }
}
