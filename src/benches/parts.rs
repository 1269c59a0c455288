//! What the parts of one event cost: loops over the real functions, as often as a real run calls them.

use std::collections::BTreeMap;
use std::hint::black_box;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, RequestKind,
    ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kafka_sim::checkers::Judge;
use kafka_sim::history::{
    BrokerObservation, Call, ClientObservation, Observation, Outcome, Recorder,
};
use kafka_sim::model::{ConsumerTerms, Modelled, ProducerTerms, Terms};
use kafka_sim::nodes::Effects;
use kafka_sim::nodes::broker::log::{self, AtomicFiles, Log, LogSettings};
use kafka_sim::substrate::Disk;
use kafka_sim::vocab::step::{DiskRequest, Effect};
use kafka_sim::vocab::{Acks, BrokerId, ConnId, DiskOpId, NodeId, Roster, Time, TopicPartition};
use kafka_sim::wire::kafka::{decode_request, decode_response, encode_request, encode_response};
use kafka_sim::wire::records::{Batch, BatchBuilder};
use kafka_sim::wire::workload;

use super::seconds;

const FETCH_VERSION: i16 = 12;
const PRODUCE_VERSION: i16 = 8;
/// The length before each frame.
const PREFIX_BYTES: usize = 4;

/// How often a run does what.
#[derive(Debug, Default)]
pub struct Counts {
    world_events: u64,
    /// Answers to producers.
    produces: u64,
    /// Requests and answers of followers and consumers.
    fetch_frames: u64,
    /// Bytes written to the ends of files, so often.
    appends: u64,
    /// Pieces that arrived.
    delivered: u64,
    /// Bytes that arrived.
    delivered_bytes: u64,
    timers: u64,
    /// Observations by their first word.
    observed: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts the lines of an event log: `[s TIME e N] NODE WHAT …`.
    pub fn of(event_log: &str, world_events: u64) -> Self {
        let mut counts = Self { world_events, ..Self::default() };
        for line in event_log.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let kind = |node: &str| node.chars().next();
            match words[4..] {
                [to, "delivered", bytes, "bytes", "from", from, ..] => {
                    counts.delivered += 1;
                    counts.delivered_bytes += bytes.parse().unwrap_or(0);
                    match (kind(from), kind(to)) {
                        (Some('b'), Some('p')) => counts.produces += 1,
                        (Some('b'), Some('b' | 'c')) | (Some('c'), Some('b')) => {
                            counts.fetch_frames += 1;
                        }
                        _ => {}
                    }
                }
                [_, "disk", _, "append", ..] => counts.appends += 1,
                [_, "timer", ..] => counts.timers += 1,
                [_, "observed:", what, ..] => {
                    *counts.observed.entry(what.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
        counts
    }

    fn observed(&self, what: &str) -> u64 {
        self.observed.get(what).copied().unwrap_or(0)
    }
}

/// Nanoseconds per event of the world.
pub struct Parts {
    /// Encoding and decoding what clients and brokers say to one another.
    pub codec_ns: f64,
    /// Checking batches, appending them to logs and files.
    pub append_ns: f64,
    /// Recording and judging what happened.
    pub history_ns: f64,
}

impl Parts {
    /// Does what `counts` says, part by part.
    pub fn measure(counts: &Counts) -> Self {
        let batch = batch(0);
        let per_event = |(took, ()): (f64, ())| took * 1e9 / counts.world_events as f64;
        Self {
            codec_ns: per_event(seconds(|| codec(counts, &batch))),
            append_ns: per_event(seconds(|| appends(counts.appends, &batch))),
            history_ns: per_event(seconds(|| history(counts))),
        }
    }
}

/// One record of 100 bytes, as the scenario's producer sends them.
fn batch(base: i64) -> Batch {
    let mut builder = BatchBuilder::new(1_520_585_755_000);
    builder.push(1_520_585_755_000, None, Some(&workload::encode("p0", 1_000, 100)));
    builder.build().stamped(base, 1)
}

fn codec(counts: &Counts, batch: &Batch) {
    for id in 0..counts.produces as i32 {
        produce(id, &batch.bytes);
    }
    for id in 0..(counts.fetch_frames / 2) as i32 {
        fetch(id, &batch.bytes);
    }
}

/// A request and its answer: each encoded and decoded.
fn exchange(api: ApiKey, version: i16, id: i32, request: &RequestKind, response: &ResponseKind) {
    let client = StrBytes::from_static_str("p0");
    let frame = encode_request(api, version, id, &client, request);
    black_box(decode_request(frame.slice(PREFIX_BYTES..)).expect("it was just encoded"));
    let frame = encode_response(api, version, id, response);
    let payload = frame.slice(PREFIX_BYTES..);
    black_box(decode_response(api, version, payload).expect("it was just encoded"));
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn produce(id: i32, records: &Bytes) {
    let data = PartitionProduceData::default().with_records(Some(records.clone()));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    let answer = PartitionProduceResponse::default().with_base_offset(1_000);
    let answer =
        TopicProduceResponse::default().with_name(topic()).with_partition_responses(vec![answer]);
    let response = ProduceResponse::default().with_responses(vec![answer]);
    let (request, response) = (RequestKind::Produce(request), ResponseKind::Produce(response));
    exchange(ApiKey::Produce, PRODUCE_VERSION, id, &request, &response);
}

fn fetch(id: i32, records: &Bytes) {
    let asked = FetchPartition::default().with_fetch_offset(1_000);
    let asked = FetchTopic::default().with_topic(topic()).with_partitions(vec![asked]);
    let request = FetchRequest::default().with_topics(vec![asked]);
    let data = PartitionData::default().with_records(Some(records.clone()));
    let data = FetchableTopicResponse::default().with_topic(topic()).with_partitions(vec![data]);
    let response = FetchResponse::default().with_responses(vec![data]);
    let (request, response) = (RequestKind::Fetch(request), ResponseKind::Fetch(response));
    exchange(ApiKey::Fetch, FETCH_VERSION, id, &request, &response);
}

fn appends(count: u64, batch: &Batch) {
    let (mut effects, mut files) = (Effects::default(), AtomicFiles::default());
    let (mut flushing, mut disk) = (BTreeMap::new(), Disk::default());
    let (settings, now) = (
        LogSettings { segment_bytes: 1 << 30, segment_ms: i64::MAX, flush_messages: i64::MAX },
        Time::ZERO,
    );
    let at = TopicPartition::new("orders", 0);
    let mut node =
        log::Disk { now, effects: &mut effects, files: &mut files, flushing: &mut flushing };
    let mut log = Log::create(&mut node, 0, &at);
    for base in 0..count as i64 {
        batch.verify().expect("it was just built");
        let mut node =
            log::Disk { now, effects: &mut effects, files: &mut files, flushing: &mut flushing };
        log.append(&mut node, settings, batch.stamped(base, 1));
        for effect in effects.drain() {
            if let Effect::Disk { op, request } = effect {
                disk.apply(op, request);
            }
        }
    }
    black_box((log, disk));
}

const BROKER: NodeId = NodeId(0);
const PRODUCER: NodeId = NodeId(1);
const CONSUMER: NodeId = NodeId(2);

fn judge() -> Modelled<Judge> {
    let mut roster = Roster::default();
    for name in ["b1", "p0", "c0"] {
        roster.add(name);
    }
    let producer = ProducerTerms {
        node: PRODUCER,
        topic: "orders".into(),
        acks: Acks::All,
        idempotent: false,
        ordered: false,
        is_external: false,
    };
    let consumer = ConsumerTerms::new(CONSUMER, None, vec!["orders".into()]);
    let terms = Terms {
        roster,
        brokers: vec![(BrokerId(1), BROKER)],
        producers: vec![producer],
        consumers: vec![consumer],
        ..Terms::default()
    };
    Modelled::new(terms, Judge::default())
}

fn history(counts: &Counts) {
    let mut recorder = Recorder::new(judge());
    let now = Time::from_millis(1);
    let piece = vec![b'.'; (counts.delivered_bytes / counts.delivered.max(1)) as usize];
    for _ in 0..counts.delivered {
        recorder.delivered(now, BROKER, ConnId(1), PRODUCER, &piece);
    }
    for _ in 0..counts.timers {
        recorder.timer(now, PRODUCER, 0);
    }
    let file = "orders-0/00000000000000000000.log".into();
    let request = DiskRequest::Append { file, bytes: piece.into() };
    for op in 0..counts.appends {
        recorder.disk(now, BROKER, DiskOpId(op), &request);
    }
    observations(counts, |node, observation| recorder.observed(now, node, &observation));
    let at = TopicPartition::new("orders", 0);
    let producer = "p0".into();
    recorder.final_log(now, &at, Some(BrokerId(1)), counts.observed("invoked") as i64);
    for record in 0..counts.observed("invoked") {
        recorder.final_record(now, &at, record as i64, &producer, record);
    }
    black_box(recorder.fingerprint());
}

/// The observations that are made for each record; all others together are few.
fn observations(counts: &Counts, mut observe: impl FnMut(NodeId, Observation)) {
    let at = TopicPartition::new("orders", 0);
    let mut client = |node, observation| observe(node, Observation::Client(observation));
    for op in 0..counts.observed("invoked") {
        let call = Call::Produce { topic: at.topic.clone() };
        client(PRODUCER, ClientObservation::Invoked { op, call });
    }
    for op in 0..counts.observed("completed") {
        let outcome = Outcome::Produced { at: at.clone(), offset: op as i64 };
        client(PRODUCER, ClientObservation::Completed { op, outcome });
    }
    for record in 0..counts.observed("consumed") {
        let (at, producer, offset) = (at.clone(), "p0".into(), record as i64);
        let leader_epoch = 1;
        let consumed = ClientObservation::Consumed { at, offset, leader_epoch, producer, record };
        client(CONSUMER, consumed);
    }
    for base in 0..counts.observed("appended") as i64 {
        let (at, leader_epoch, checksum) = (at.clone(), 1, 0x50c7_98ac);
        let appended = BrokerObservation::Appended { at, base, last: base, leader_epoch, checksum };
        observe(BROKER, Observation::Broker(appended));
    }
    for offset in 0..counts.observed("high") as i64 {
        let moved = BrokerObservation::HighWatermark { at: at.clone(), offset };
        observe(BROKER, Observation::Broker(moved));
    }
}
