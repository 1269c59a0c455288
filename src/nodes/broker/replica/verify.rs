//! Before a producer's first batch in a transaction is appended to a partition, its leader asks the transaction
//! coordinator whether the partition was added to the transaction (KIP-890, since 3.6): a batch that was delayed until
//! the transaction had ended would begin one that nothing ends.
//!
//! A request waits for the answer without a handler (`ReplicaManager.handleProduceAppend`,
//! `AddPartitionsToTxnManager`). Each partition's producer has a guard from the question on until a record or a marker
//! is appended: an answer that comes behind a marker is worth nothing.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    ResponseKind, TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::manager::ReplicaManager;
use super::produce::Producing;
use super::verification::{Place, refused_commit, verifies};
use crate::nodes::broker::config::{INTERNAL_TOPICS, OFFSETS_TOPIC};
use crate::nodes::broker::context::{Ask, Context, ReplyTo, VerifyTransaction};
use crate::releases::Change;
use crate::wire::records::Batch;

/// Offsets are committed without a sequence.
const NO_SEQUENCE: i32 = -1;

/// A request that waits for the coordinator's answer.
#[derive(Debug)]
enum Unverified {
    /// Produce, with the partitions that were asked for.
    Produce(Box<Producing>, Vec<Place>),
    /// TxnOffsetCommit.
    Commit(ReplyTo, TxnOffsetCommitRequest),
}

/// Owns the requests that wait for the coordinator's answer.
#[derive(Debug, Default)]
pub struct Verifications {
    waiting: BTreeMap<u64, Unverified>,
    next: u64,
}

impl Verifications {
    /// A request waits from now on, under this number.
    fn wait(&mut self, unverified: Unverified) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, unverified);
        number
    }
}

/// What the producer sends is committed, or refused for all partitions.
fn commit_verified(cx: &mut Context<'_>, to: ReplyTo, request: TxnOffsetCommitRequest, code: i16) {
    let Some(code) = refused_commit(code, to.version) else {
        return cx.ask(Ask::CommitVerified(to, request));
    };
    let topics = request.topics.into_iter().map(|topic| {
        let rows = topic.partitions.iter().map(|part| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(part.partition_index)
                .with_error_code(code)
        });
        TxnOffsetCommitResponseTopic::default()
            .with_partitions(rows.collect())
            .with_name(topic.name)
    });
    let response = TxnOffsetCommitResponse::default().with_topics(topics.collect());
    cx.reply(to, ResponseKind::TxnOffsetCommit(response));
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
        let number = self.verifications.wait(Unverified::Produce(Box::new(producing), places));
        let asked = VerifyTransaction { number, transactional_id, producer, partitions };
        cx.ask(Ask::VerifyTransaction(asked));
    }

    /// Asks whether a partition of `__consumer_offsets` is in the transaction in which offsets are committed to it
    /// (3.7+). Gives the request back when there is nothing to ask.
    pub fn verify_commit(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: TxnOffsetCommitRequest,
        partition: i32,
    ) -> Option<TxnOffsetCommitRequest> {
        let asks = verifies(&self.config) && self.config.version.has(Change::CommitsVerified);
        let slot = self.replicas.find(OFFSETS_TOPIC, partition).filter(|_| asks);
        let slot = slot.filter(|slot| self.replicas.at(*slot).leader().is_some());
        let Some(slot) = slot else { return Some(request) };
        let producer = (request.producer_id.0, request.producer_epoch);
        let log = &mut self.replicas.at_mut(slot).log;
        if log.verify(producer, NO_SEQUENCE, cx.clock.wall_ms).is_none() {
            return Some(request);
        }
        let transactional_id = request.transactional_id.clone();
        let partitions = vec![(TopicName(StrBytes::from_static_str(OFFSETS_TOPIC)), partition)];
        let number = self.verifications.wait(Unverified::Commit(to, request));
        let asked = VerifyTransaction { number, transactional_id, producer, partitions };
        cx.ask(Ask::VerifyTransaction(asked));
        None
    }

    /// The coordinator answered, or did not; 0 is a partition that is in the transaction.
    pub fn verified(&mut self, cx: &mut Context<'_>, number: u64, codes: &[i16]) {
        let unverified = self.verifications.waiting.remove(&number);
        let (mut producing, places) = match unverified.expect("it waits for the answer") {
            Unverified::Produce(producing, places) => (producing, places),
            Unverified::Commit(to, request) => return commit_verified(cx, to, request, codes[0]),
        };
        let api_version = producing.api_version();
        for (place, code) in places.into_iter().zip(codes) {
            producing.verified.is_answered(place, *code, api_version);
        }
        self.go_on_producing(cx, *producing);
    }
}
