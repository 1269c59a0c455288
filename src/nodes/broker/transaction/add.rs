//! AddPartitionsToTxn and AddOffsetsToTxn: partitions become part of a transaction before the producer writes to them.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddPartitionsToTxnRequest};
use kafka_protocol::protocol::StrBytes;

use super::adding::{Adding, answer_one};
use super::answers::code;
use super::appends::Written;
use super::coordinator::TransactionCoordinator;
use super::state::{Place, State, fenced};
use crate::nodes::broker::OFFSETS_TOPIC;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::group::partition_of;
use crate::releases::Change;

/// `TRANSACTION_ABORTABLE` (KIP-1050), which the crate of messages does not know.
const TRANSACTION_ABORTABLE: i16 = 120;
/// The first version for many transactions, which brokers alone send (KIP-890).
const BATCHED: i16 = 4;

/// What a broker knows of topics: whether there is such a partition.
pub type Knows<'a> = &'a dyn Fn(&str, i32) -> bool;

/// The topics of a request with an error for each partition.
fn results(
    topics: &[AddPartitionsToTxnTopic],
    error_of: impl Fn(&Place) -> Option<ResponseError>,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let rows = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let error = error_of(&(topic.name.0.clone(), *partition));
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code(error))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    rows.collect()
}

fn places(topics: &[AddPartitionsToTxnTopic]) -> BTreeSet<Place> {
    let of_topic = |topic: &AddPartitionsToTxnTopic| {
        let name = topic.name.0.clone();
        topic.partitions.clone().into_iter().map(move |partition| (name.clone(), partition))
    };
    topics.iter().flat_map(of_topic).collect()
}

/// Which producer adds partitions to the transaction of which id.
struct Producer {
    id: StrBytes,
    producer_id: i64,
    epoch: i16,
}

impl TransactionCoordinator {
    /// AddPartitionsToTxn. One partition that there is not makes the whole transaction fail.
    pub fn add_partitions(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AddPartitionsToTxnRequest,
        knows: Knows<'_>,
    ) {
        if to.version >= BATCHED {
            return self.add_partitions_of_many(cx, to, request, knows);
        }
        let topics = request.v3_and_below_topics;
        let refused = refusals(&topics, knows);
        if let Some(refused) = refused {
            return answer_one(cx, to, refused);
        }
        let producer = Producer {
            id: request.v3_and_below_transactional_id.0,
            producer_id: request.v3_and_below_producer_id.0,
            epoch: request.v3_and_below_producer_epoch,
        };
        let adding = Adding::One(to, results(&topics, |_| None));
        self.add(cx, &producer, places(&topics), adding);
    }

    fn add_partitions_of_many(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AddPartitionsToTxnRequest,
        knows: Knows<'_>,
    ) {
        if request.transactions.is_empty() {
            // It is answered when as many are done as there are; none is never done.
            return;
        }
        let number = self.batches.begin(to, request.transactions.len());
        for transaction in request.transactions {
            let id = transaction.transactional_id.clone();
            if let Some(refused) = refusals(&transaction.topics, knows) {
                self.batches.done(cx, number, id, refused);
            } else if transaction.verify_only {
                let verified = self.verified(&transaction);
                self.batches.done(cx, number, id, verified);
            } else {
                let producer = Producer {
                    id: id.0.clone(),
                    producer_id: transaction.producer_id.0,
                    epoch: transaction.producer_epoch,
                };
                let rows = results(&transaction.topics, |_| None);
                let places = places(&transaction.topics);
                self.add(cx, &producer, places, Adding::OfMany(number, id, rows));
            }
        }
    }

    /// AddOffsetsToTxn: the partition of a group's offsets becomes part of the transaction.
    pub fn add_offsets(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AddOffsetsToTxnRequest,
    ) {
        let partition = partition_of(&request.group_id, self.config.offsets_topic_num_partitions);
        let places = BTreeSet::from([(StrBytes::from_static_str(OFFSETS_TOPIC), partition)]);
        let producer = Producer {
            id: request.transactional_id.0,
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        self.add(cx, &producer, places, Adding::Offsets(to));
    }

    fn add(
        &mut self,
        cx: &mut Context<'_>,
        producer: &Producer,
        places: BTreeSet<Place>,
        adding: Adding,
    ) {
        let error = match self.may_add(producer, &places) {
            Ok(true) => {
                let known = self.find_mut(&producer.id).expect("it was just found");
                let next = known.prepare_partitions(places, cx.clock.wall_ms);
                return self.write(cx, &producer.id, next, Written::Partitions(adding));
            }
            // They are part of it already.
            Ok(false) => None,
            Err(error) => Some(error),
        };
        adding.end(cx, &mut self.batches, error);
    }

    /// Whether partitions have to be added (`handleAddPartitionsToTransaction`).
    fn may_add(
        &self,
        producer: &Producer,
        places: &BTreeSet<Place>,
    ) -> Result<bool, ResponseError> {
        if producer.id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let known = self.find(&producer.id)?.1.ok_or(ResponseError::InvalidProducerIdMapping)?;
        if known.producer_id != producer.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if known.epoch != producer.epoch {
            return Err(fenced(self.config.version));
        }
        if known.pending.is_some() || known.state.is_ending() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        Ok(known.state != State::Ongoing || !places.is_subset(&known.partitions))
    }

    /// Says which partitions are part of a transaction (`handleVerifyPartitionsInTransaction`). A pending change does
    /// not matter: whether the transaction is open is looked at again at the append.
    fn verified(
        &self,
        asked: &AddPartitionsToTxnTransaction,
    ) -> Vec<AddPartitionsToTxnTopicResult> {
        let id = &asked.transactional_id;
        let check = || {
            if id.is_empty() {
                return Err(ResponseError::InvalidRequest);
            }
            let known = self.find(id)?.1.ok_or(ResponseError::InvalidProducerIdMapping)?;
            if known.producer_id != asked.producer_id.0 {
                return Err(ResponseError::InvalidProducerIdMapping);
            }
            if known.epoch != asked.producer_epoch {
                return Err(fenced(self.config.version));
            }
            if known.state.is_ending() {
                return Err(ResponseError::ConcurrentTransactions);
            }
            Ok(known)
        };
        let not_added = if self.config.version.has(Change::TransactionAbortableError) {
            ResponseError::Unknown(TRANSACTION_ABORTABLE)
        } else {
            ResponseError::InvalidTxnState
        };
        let known = check();
        results(&asked.topics, |place| match &known {
            Err(error) => Some(*error),
            Ok(known) => (!known.partitions.contains(place)).then_some(not_added),
        })
    }
}

/// The answer when some partitions are not there: none is added.
fn refusals(
    topics: &[AddPartitionsToTxnTopic],
    knows: Knows<'_>,
) -> Option<Vec<AddPartitionsToTxnTopicResult>> {
    let is_there = |(topic, partition): &Place| knows(topic, *partition);
    if places(topics).iter().all(is_there) {
        return None;
    }
    Some(results(topics, |place| {
        Some(if is_there(place) {
            ResponseError::OperationNotAttempted
        } else {
            ResponseError::UnknownTopicOrPartition
        })
    }))
}
