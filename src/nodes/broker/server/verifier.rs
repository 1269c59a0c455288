//! Questions of leaders to transaction coordinators: whether partitions are in a transaction
//! (`AddPartitionsToTxnManager`, KIP-890).
//!
//! There is one connection to each coordinator, with one request in flight; what is asked meanwhile goes with the next.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey, ProducerId, RequestKind,
    ResponseKind, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use super::metadata::MetadataCache;
use super::timers::TimerFor;
use crate::nodes::broker::Config;
use crate::nodes::broker::config::TRANSACTIONS_TOPIC;
use crate::nodes::broker::context::{
    Ask, ConnOwner, Context, OWN, Part, ReplyTo, VerifyTransaction,
};
use crate::nodes::broker::group::partition_of;
use crate::nodes::broker::replica::ReplicaManager;
use crate::nodes::channel::Channel;
use crate::releases::apis::highest;
use crate::vocab::{BrokerId, ConnId, NodeId, Roster, TimerId};

/// Questions by transactional id: a coordinator is asked for each once at a time.
type Questions = BTreeMap<TransactionalId, VerifyTransaction>;

/// A request that waits for its answer.
#[derive(Debug)]
struct InFlight {
    number: u64,
    questions: Questions,
    timeout: TimerId,
}

/// The way to one coordinator.
#[derive(Debug)]
struct Way {
    channel: Channel,
    /// What is asked next.
    waiting: Questions,
    in_flight: Option<InFlight>,
}

/// Owns the ways to coordinators.
#[derive(Debug, Default)]
pub struct Verifier {
    by_broker: BTreeMap<BrokerId, Way>,
    next: u64,
}

fn request(questions: &Questions) -> RequestKind {
    let transactions = questions.values().map(|asked| {
        let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
        for (topic, number) in &asked.partitions {
            match topics.iter_mut().find(|known| known.name == *topic) {
                Some(known) => known.partitions.push(*number),
                None => topics.push(
                    AddPartitionsToTxnTopic::default()
                        .with_name(topic.clone())
                        .with_partitions(vec![*number]),
                ),
            }
        }
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(asked.transactional_id.clone())
            .with_producer_id(ProducerId(asked.producer.0))
            .with_producer_epoch(asked.producer.1)
            .with_verify_only(true)
            .with_topics(topics)
    });
    AddPartitionsToTxnRequest::default().with_transactions(transactions.collect()).into()
}

/// The error for each partition of a question; 0 is that it is in the transaction.
fn codes(asked: &VerifyTransaction, response: &AddPartitionsToTxnResponse) -> Vec<i16> {
    let all = match response.error_code {
        // The client is not the one that was not authorized.
        code if code == ResponseError::ClusterAuthorizationFailed.code() => {
            ResponseError::InvalidTxnState.code()
        }
        code => code,
    };
    let results = response.results_by_transaction.iter();
    let mut of_it = results.filter(|result| result.transactional_id == asked.transactional_id);
    let topics = of_it.next().map_or(&[][..], |result| &result.topic_results);
    let rows = topics.iter().flat_map(|topic| {
        let rows = topic.results_by_partition.iter();
        rows.map(|row| ((&topic.name, row.partition_index), row.partition_error_code))
    });
    let rows: BTreeMap<_, i16> = rows.collect();
    let code = |(topic, number): &(_, i32)| rows.get(&(topic, *number)).copied().unwrap_or(all);
    asked.partitions.iter().map(code).collect()
}

/// The parts that questions to coordinators work with.
#[derive(Debug)]
pub struct VerifierHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// Nodes by host name.
    pub roster: &'a Roster,
    /// What this broker knows of the cluster.
    pub metadata: &'a MetadataCache,
    /// The ways to coordinators.
    pub verifier: &'a mut Verifier,
    /// Those that ask.
    pub replicas: &'a mut ReplicaManager,
}

impl VerifierHandler<'_> {
    fn end(&mut self, cx: &mut Context<'_>, asked: &VerifyTransaction, error: ResponseError) {
        let codes = vec![error.code(); asked.partitions.len()];
        self.replicas.verified(cx, asked.number, &codes);
    }

    fn coordinator(&self, id: &TransactionalId) -> Option<(BrokerId, NodeId)> {
        let partition = partition_of(id, self.config.transactions.topic_num_partitions);
        let leader = self.metadata.leader(TRANSACTIONS_TOPIC, partition)?;
        let host = &self.metadata.broker(leader)?.internal.host;
        Some((leader, self.roster.find(host)?))
    }

    /// Asks the coordinator of a transaction. A question of the same producer that waits is given up: its client has
    /// sent its batches again.
    pub fn ask(&mut self, cx: &mut Context<'_>, asked: VerifyTransaction) {
        let Some((broker, node)) = self.coordinator(&asked.transactional_id) else {
            return self.end(cx, &asked, ResponseError::CoordinatorNotAvailable);
        };
        let name = || StrBytes::from_string(self.config.id.to_string());
        let way = self.verifier.by_broker.entry(broker).or_insert_with(|| Way {
            channel: Channel::new(node, name()),
            waiting: BTreeMap::new(),
            in_flight: None,
        });
        let epoch = asked.producer.1;
        let id = asked.transactional_id.clone();
        if way.waiting.get(&id).is_some_and(|old| old.producer.1 > epoch) {
            return self.end(cx, &asked, ResponseError::InvalidProducerEpoch);
        }
        if let Some(old) = way.waiting.insert(id, asked) {
            let error = match old.producer.1 < epoch {
                true => ResponseError::InvalidProducerEpoch,
                false => ResponseError::NetworkException,
            };
            self.end(cx, &old, error);
        }
        self.drive(cx, broker);
    }

    /// Sends what waits, unless an answer is due.
    fn drive(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let Verifier { by_broker, next } = &mut *self.verifier;
        let way = by_broker.get_mut(&broker).expect("it is asked");
        if way.in_flight.is_some() || way.waiting.is_empty() {
            return;
        }
        let questions = std::mem::take(&mut way.waiting);
        let body = request(&questions);
        *next += 1;
        let (number, api) = (*next, ApiKey::AddPartitionsToTxn);
        let version = highest(self.config.version, api).expect("it verifies since 3.6");
        let due = cx.clock.now + self.config.request_timeout;
        let timeout = cx.timer(Part::Server, due, TimerFor::Verification(broker).number());
        way.in_flight = Some(InFlight { number, questions, timeout });
        if broker == self.config.id {
            // Kafka has a connection to itself; here there is no network in between.
            let correlation_id = i32::try_from(number).expect("fewer than 2³¹ requests");
            let to = ReplyTo { conn: OWN, api, version, correlation_id };
            return cx.ask(Ask::RequestOfOwn { to, body: Box::new(body) });
        }
        cx.send(ConnOwner::Verifier(broker), &mut way.channel, (api, version), &body, number);
    }

    fn way(&mut self, broker: BrokerId) -> &mut Way {
        self.verifier.by_broker.get_mut(&broker).expect("it made the connection")
    }

    /// The connection to a coordinator is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, broker: BrokerId, conn: ConnId) {
        self.way(broker).channel.opened(cx.effects, conn);
    }

    /// Bytes of a coordinator.
    pub fn received(&mut self, cx: &mut Context<'_>, broker: BrokerId, bytes: Bytes) {
        let way = self.way(broker);
        let mut responses = Vec::new();
        if let Err(why) = way.channel.received(bytes, &mut responses) {
            debug!(%why, %broker, "closes the connection for verifications");
            cx.disconnect(&mut way.channel);
            self.lost(cx, broker);
        }
        for (number, body) in responses {
            if let ResponseKind::AddPartitionsToTxn(response) = body {
                self.answered(cx, (broker, number), &response);
            }
        }
    }

    /// This broker's own coordinator answered.
    pub fn own_reply(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        response: &AddPartitionsToTxnResponse,
    ) {
        let number = u64::try_from(to.correlation_id).expect("numbers of requests are positive");
        self.answered(cx, (self.config.id, number), response);
    }

    fn answered(
        &mut self,
        cx: &mut Context<'_>,
        (broker, number): (BrokerId, u64),
        response: &AddPartitionsToTxnResponse,
    ) {
        let way = self.way(broker);
        let is_it = |in_flight: &mut InFlight| in_flight.number == number;
        // Else it was given up.
        let Some(in_flight) = way.in_flight.take_if(is_it) else { return };
        cx.effects.cancel(in_flight.timeout);
        for asked in in_flight.questions.values() {
            self.replicas.verified(cx, asked.number, &codes(asked, response));
        }
        self.drive(cx, broker);
    }

    /// The connection to a coordinator is gone, or was refused.
    pub fn closed(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        self.way(broker).channel.closed();
        self.lost(cx, broker);
    }

    /// A request has been without an answer for `request.timeout.ms`.
    pub fn timed_out(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        cx.disconnect(&mut self.way(broker).channel);
        self.lost(cx, broker);
    }

    fn lost(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let Some(in_flight) = self.way(broker).in_flight.take() else { return };
        cx.effects.cancel(in_flight.timeout);
        for asked in in_flight.questions.values() {
            self.end(cx, asked, ResponseError::NetworkException);
        }
        self.drive(cx, broker);
    }
}
