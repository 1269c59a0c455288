//! A coordinator with a clock and the leaders of all partitions, whose appends and markers succeed at once unless a
//! test holds them or lets them fail.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiKey, EndTxnRequest, InitProducerIdRequest, RequestKind,
    ResponseKind, TransactionalId, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::{Destination, TransactionCoordinator};
use crate::nodes::Effects;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context, Outbox, ReplyTo};
use crate::nodes::testing::settings;
use crate::releases::KafkaVersion;
use crate::releases::apis::highest;
use crate::vocab::step::Effect;
use crate::vocab::{BrokerId, Clock, ConnId, NodeId, Seed, Time};
use crate::wire::records::Batch;
use crate::wire::transaction_records::{TransactionValue, decode_key};

pub struct World {
    pub version: KafkaVersion,
    pub transactions: TransactionCoordinator,
    pub now: Time,
    effects: Effects,
    /// Answers that no test has taken yet, by connection.
    answers: Vec<(ConnId, ResponseKind)>,
    /// The partition's log.
    pub log: Vec<Batch>,
    /// How the next appends end: one after the other, then all succeed.
    pub fail_appends: Vec<ResponseError>,
    /// Whether appends wait for [`World::release`].
    pub holds_appends: bool,
    appends: Vec<u64>,
    /// Requests with markers that are not answered yet.
    pub markers: Vec<(ReplyTo, Vec<WritableTxnMarker>)>,
    /// Whether markers wait for [`World::answer_markers`].
    pub holds_markers: bool,
    /// Where the markers of all partitions go.
    pub leader: Destination,
    pub next_producer: i64,
    conns: u64,
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn id(name: &str) -> TransactionalId {
    TransactionalId(text(name))
}

pub fn topics(of: &[(&str, &[i32])]) -> Vec<AddPartitionsToTxnTopic> {
    let topic = |(name, partitions): &(&str, &[i32])| {
        AddPartitionsToTxnTopic::default()
            .with_name(text(name).into())
            .with_partitions(partitions.to_vec())
    };
    of.iter().map(topic).collect()
}

impl World {
    /// A coordinator of all transactional ids, on the broker that leads all partitions.
    pub fn new(version: &str) -> Self {
        let mut world = Self::before(version, |_| {});
        world.elect(0);
        world
    }

    /// A coordinator that leads nothing yet.
    pub fn before(version: &str, change: impl FnOnce(&mut Config)) -> Self {
        let version: KafkaVersion = version.parse().unwrap();
        let mut config = settings::broker(1, version, Vec::new());
        config.transactions.topic_num_partitions = 1;
        config.offsets_topic_num_partitions = 1;
        change(&mut config);
        let phases = Seed(1).stream("transactions");
        Self {
            version,
            transactions: TransactionCoordinator::new(Arc::new(config), phases),
            now: Time(0),
            effects: Effects::default(),
            answers: Vec::new(),
            log: Vec::new(),
            fail_appends: Vec::new(),
            holds_appends: false,
            appends: Vec::new(),
            markers: Vec::new(),
            holds_markers: false,
            leader: Destination::At(BrokerId(1), NodeId(1)),
            next_producer: 1_000,
            conns: 0,
        }
    }

    /// It leads the partition in a leader epoch, and has loaded it.
    pub fn elect(&mut self, epoch: i32) {
        self.act(|transactions, cx| transactions.elected(cx, 0, epoch));
        self.pass(Duration::from_millis(5));
    }

    pub fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: 1_000_000 + (self.now.0 / 1_000_000) as i64 }
    }

    fn carry_out(&mut self, ask: Ask) {
        match ask {
            Ask::Reply { to, body } => self.answers.push((to.conn, *body)),
            Ask::AppendTransactions { batch, number, .. } => {
                if self.holds_appends || self.fail_appends.is_empty() {
                    let at = self.log.last().map_or(0, |last| last.last_offset + 1);
                    self.log.push(batch.stamped(at, 0));
                }
                self.appends.push(number);
            }
            Ask::RequestOfOwn { to, body } => {
                let RequestKind::WriteTxnMarkers(request) = *body else { panic!("{body:?}") };
                self.markers.push((to, request.markers));
            }
            other => panic!("a coordinator does not ask {other:?}"),
        }
    }

    fn step<T>(
        &mut self,
        act: impl FnOnce(&mut TransactionCoordinator, &mut Context<'_>) -> T,
    ) -> T {
        let mut outbox = Outbox::default();
        let clock = self.clock();
        let mut cx = Context { clock, effects: &mut self.effects, outbox: &mut outbox };
        let result = act(&mut self.transactions, &mut cx);
        for ask in outbox.asks {
            self.carry_out(ask);
        }
        result
    }

    pub fn act<T>(
        &mut self,
        act: impl FnOnce(&mut TransactionCoordinator, &mut Context<'_>) -> T,
    ) -> T {
        let result = self.step(act);
        self.settle();
        result
    }

    /// Carries out what was asked, unless it is held.
    fn settle(&mut self) {
        loop {
            if self.transactions.has_unrouted() {
                let leader = self.leader;
                self.step(|transactions, cx| transactions.route(cx, &|_, _| leader));
            } else if !self.holds_appends && !self.appends.is_empty() {
                self.end_appends();
            } else if !self.holds_markers && !self.markers.is_empty() {
                self.end_markers(0);
            } else {
                return;
            }
        }
    }

    fn end_appends(&mut self) {
        for number in std::mem::take(&mut self.appends) {
            let error = (!self.fail_appends.is_empty()).then(|| self.fail_appends.remove(0));
            let result = error.map_or(Ok(()), Err);
            self.step(|transactions, cx| transactions.appended(cx, number, result));
        }
    }

    /// What the history got to know since this was asked last, in words.
    pub fn facts(&mut self) -> Vec<String> {
        let observed = self.effects.drain().filter_map(|effect| match effect {
            Effect::Observe(observation) => Some(observation.to_string()),
            _ => None,
        });
        observed.collect()
    }

    /// Appends that were made are done, or fail.
    pub fn release(&mut self) {
        self.end_appends();
        self.settle();
    }

    /// The requests with markers are answered, with this error for each partition.
    pub fn answer_markers(&mut self, error: i16) {
        self.end_markers(error);
        self.settle();
    }

    fn end_markers(&mut self, error: i16) {
        for (to, markers) in std::mem::take(&mut self.markers) {
            let results = markers.iter().map(|marker| {
                let topics = marker.topics.iter().map(|topic| {
                    let rows = topic.partition_indexes.iter().map(|partition| {
                        WritableTxnMarkerPartitionResult::default()
                            .with_partition_index(*partition)
                            .with_error_code(error)
                    });
                    WritableTxnMarkerTopicResult::default()
                        .with_name(topic.name.clone())
                        .with_partitions(rows.collect())
                });
                WritableTxnMarkerResult::default()
                    .with_producer_id(marker.producer_id)
                    .with_topics(topics.collect())
            });
            let response = WriteTxnMarkersResponse::default().with_markers(results.collect());
            self.step(|transactions, cx| transactions.own_reply(cx, to, &response));
        }
    }

    /// Time passes, in steps of a millisecond up to a second.
    pub fn pass(&mut self, span: Duration) {
        let step = span.min(Duration::from_secs(1));
        let until = self.now + span;
        while self.now < until {
            self.now += step;
            while self.act(|transactions, cx| transactions.on_timer(cx)).is_some() {
                let log = self.log.clone();
                self.act(|transactions, cx| {
                    transactions.load(cx, log.iter().map(Cow::Borrowed));
                });
            }
        }
    }

    /// A request's place, on a connection of its own, in the highest version of the release.
    pub fn to(&mut self, api: ApiKey) -> ReplyTo {
        self.conns += 1;
        let version = highest(self.version, api).unwrap();
        ReplyTo { conn: ConnId(self.conns), api, version, correlation_id: 0 }
    }

    /// The answer of a connection, if it came.
    pub fn answer(&mut self, conn: ConnId) -> Option<ResponseKind> {
        let n = self.answers.iter().position(|(other, _)| *other == conn)?;
        Some(self.answers.remove(n).1)
    }

    pub fn send_init(&mut self, request: InitProducerIdRequest) -> ConnId {
        let to = self.to(ApiKey::InitProducerId);
        let new = self.transactions.needs_producer_id(&request).then(|| {
            self.next_producer += 1;
            self.next_producer
        });
        self.act(|transactions, cx| transactions.init_producer_id(cx, to, &request, new));
        to.conn
    }

    /// The error, and the producer id and epoch that InitProducerId gave.
    pub fn producer(&mut self, conn: ConnId) -> (i16, i64, i16) {
        match self.answer(conn) {
            Some(ResponseKind::InitProducerId(response)) => {
                (response.error_code, response.producer_id.0, response.producer_epoch)
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn init(&mut self, name: &str) -> (i16, i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id(name)))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let conn = self.send_init(request);
        self.producer(conn)
    }

    pub fn add_request(
        name: &str,
        (producer, epoch): (i64, i16),
        of: &[(&str, &[i32])],
    ) -> AddPartitionsToTxnRequest {
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id(name))
            .with_v3_and_below_producer_id(producer.into())
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(topics(of))
    }

    pub fn send_add(&mut self, request: AddPartitionsToTxnRequest) -> ConnId {
        let mut to = self.to(ApiKey::AddPartitionsToTxn);
        to.version = to.version.min(3);
        let knows = |topic: &str, partition| topic.starts_with('t') && partition < 4;
        self.act(|transactions, cx| transactions.add_partitions(cx, to, request, &knows));
        to.conn
    }

    /// The errors of AddPartitionsToTxn, by topic and partition.
    pub fn added(&mut self, conn: ConnId) -> Vec<(String, i32, i16)> {
        let Some(ResponseKind::AddPartitionsToTxn(response)) = self.answer(conn) else {
            panic!("no answer")
        };
        let topics = response.results_by_topic_v3_and_below.into_iter();
        let rows = topics.flat_map(|topic| {
            let name = topic.name.to_string();
            topic
                .results_by_partition
                .into_iter()
                .map(move |row| (name.clone(), row.partition_index, row.partition_error_code))
        });
        rows.collect()
    }

    /// Adds t-0; the error.
    pub fn add(&mut self, name: &str, producer: (i64, i16)) -> i16 {
        let conn = self.send_add(Self::add_request(name, producer, &[("t", &[0])]));
        self.added(conn)[0].2
    }

    pub fn send_end(&mut self, name: &str, producer: (i64, i16), commit: bool) -> ConnId {
        let to = self.to(ApiKey::EndTxn);
        let request = EndTxnRequest::default()
            .with_transactional_id(id(name))
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_committed(commit);
        self.act(|transactions, cx| transactions.end_transaction(cx, to, request));
        to.conn
    }

    pub fn ended(&mut self, conn: ConnId) -> i16 {
        match self.answer(conn) {
            Some(ResponseKind::EndTxn(response)) => response.error_code,
            other => panic!("{other:?}"),
        }
    }

    pub fn end(&mut self, name: &str, producer: (i64, i16), commit: bool) -> i16 {
        let conn = self.send_end(name, producer, commit);
        self.ended(conn)
    }

    /// What is stored: for each record the transactional id, and the value unless it is a tombstone.
    pub fn stored(&self) -> Vec<(String, Option<TransactionValue>)> {
        let records = self.log.iter().flat_map(|batch| batch.records().unwrap());
        let stored = records.map(|record| {
            let id = decode_key(record.key.unwrap()).unwrap().to_string();
            (id, record.value.map(|value| TransactionValue::decode(value).unwrap()))
        });
        stored.collect()
    }

    /// The states that are stored, as numbers; −1 is a tombstone.
    pub fn states(&self) -> Vec<i8> {
        let value = |value: Option<TransactionValue>| value.map_or(-1, |value| value.state);
        self.stored().into_iter().map(|(_, stored)| value(stored)).collect()
    }
}
