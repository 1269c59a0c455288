//! What clients from outside were answered is counted and judged as what the scenario's clients were.

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, ProduceRequest, RequestKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;

use super::served::play_back_of;
use crate::checkers::clients::acknowledged_is_in_the_final_log;
use crate::checkers::{ConsumerSummary, ProducerSummary, RunOutcome, Status, Verdict};
use crate::cluster::{ExternalListener, Visitor};
use crate::gateway::Recording;
use crate::gateway::recording::{Entry, Header, digest};
use crate::scenario::{self, Plan};
use crate::vocab::{Seed, Time};
use crate::wire::kafka::encode_request;
use crate::wire::records::BatchBuilder;

/// Two replicas; the follower gets nothing from the fourth second on, and is in sync for thirty more.
const CLUSTER: &str = r#"
kafka = "2.8"
duration = "20s"
[cluster]
brokers = 2
[broker]
"zookeeper.session.timeout.ms" = 4000
[[topic]]
name = "orders"
assignment = [[1, 2]]
[[fault]]
at = "4s"
cut = "b1"
to = "b2"
[[fault]]
at = "6s"
crash = "b1"
"#;

fn plan(text: &str) -> Plan {
    let parsed = scenario::parse("accounts.toml", text);
    parsed.unwrap_or_else(|wrong| panic!("{wrong}")).plan(Seed(1))
}

/// A client of one connection to each broker, and what it does when.
struct Script {
    plan: Plan,
    entries: Vec<(Time, Entry)>,
    correlation_id: i32,
}

impl Script {
    fn new(text: &str) -> Self {
        Self { plan: plan(text), entries: Vec::new(), correlation_id: 0 }
    }

    fn open(&mut self, ms: u64, visitor: u64, broker: &str) {
        self.entries.push((Time::from_millis(ms), Entry::Open(Visitor(visitor), broker.into())));
    }

    fn close(&mut self, ms: u64, visitor: u64) {
        self.entries.push((Time::from_millis(ms), Entry::Close(Visitor(visitor))));
    }

    fn request(&mut self, ms: u64, visitor: u64, api: ApiKey, version: i16, body: &RequestKind) {
        self.correlation_id += 1;
        let client = StrBytes::from_static_str("rdkafka");
        let bytes = encode_request(api, version, self.correlation_id, &client, body);
        self.entries.push((Time::from_millis(ms), Entry::Bytes(Visitor(visitor), bytes)));
    }

    /// Produces records with these values, all of one moment.
    fn produce(&mut self, ms: u64, visitor: u64, acks: i16, values: &[&str]) {
        let mut batch = BatchBuilder::new(1_000);
        values.iter().for_each(|value| batch.push(1_000, None, Some(value.as_bytes())));
        let data = PartitionProduceData::default().with_records(Some(batch.build().bytes));
        let name = TopicName(StrBytes::from_static_str("orders"));
        let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
        let body = ProduceRequest::default()
            .with_acks(acks)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        self.request(ms, visitor, ApiKey::Produce, 8, &RequestKind::Produce(body));
    }

    fn fetch(&mut self, ms: u64, visitor: u64, offset: i64) {
        let partition =
            FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        let name = TopicName(StrBytes::from_static_str("orders"));
        let topic = FetchTopic::default().with_topic(name).with_partitions(vec![partition]);
        let body = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1 << 20)
            .with_topics(vec![topic]);
        self.request(ms, visitor, ApiKey::Fetch, 4, &RequestKind::Fetch(body));
    }

    fn play(self) -> RunOutcome {
        let at = |server: &String| ExternalListener {
            server: server.clone(),
            host: "127.0.0.1".into(),
            port: 9092,
        };
        let listeners: Vec<_> = self.plan.brokers.iter().map(|broker| at(&broker.name)).collect();
        let outside = listeners.into();
        let header = Header { seed: self.plan.seed, plan: digest(&self.plan), outside };
        let end = Time::ZERO + self.plan.duration;
        let recording = Recording { header, entries: self.entries, end, is_cut_short: false };
        play_back_of(self.plan, recording)
    }
}

fn only(producers: &[ProducerSummary]) -> &ProducerSummary {
    let [producer] = producers else { panic!("one producer: {producers:?}") };
    producer
}

#[test]
fn records_that_an_outsider_was_promised_and_lost_fail_the_run() {
    let mut script = Script::new(CLUSTER);
    script.open(1_000, 1, "b1");
    for number in 0..40 {
        let value = format!("record {number}");
        script.produce(2_000 + number * 100, 1, 1, &[&value]);
    }
    script.close(11_000, 1);
    let outcome = script.play();
    let producer = only(&outcome.judgement.producers);
    assert_eq!((&*producer.name, producer.is_external), ("rdkafka", true));
    // Twenty before the cut reach the follower; of the twenty behind it none does.
    let counted = (producer.sent, producer.acknowledged, producer.lost, producer.duplicated);
    assert_eq!(counted, (40, 40, Some(20), 0));
    assert_eq!(outcome.judgement.status(), Status::Violated);
    let property = &acknowledged_is_in_the_final_log::PROPERTY;
    let judged = outcome.judgement.find(property).expect("it is judged");
    let Verdict::Violated(evidence) = &judged.verdict else { panic!("{judged:?}") };
    let text = evidence.to_string();
    assert!(text.contains("record 20 of rdkafka, was acked (acks=1) at 4.0"), "{text}");
    let json: Value = serde_json::to_value(&outcome).expect("plain data");
    let told = &json["producers"][0];
    assert_eq!((&told["name"], &told["lost"]), (&"rdkafka".into(), &20.into()));
    assert_eq!(told["is_external"], true);
}

#[test]
fn a_retry_on_another_connection_is_the_same_record() {
    let mut script = Script::new(&CLUSTER.replace("\"4s\"", "\"5900ms\""));
    script.open(1_000, 1, "b1");
    script.open(1_000, 2, "b2");
    script.produce(2_000, 1, -1, &["one", "two"]);
    // Appended and never answered: the follower is cut off. The client sends it again to the next leader.
    script.produce(5_950, 1, -1, &["three"]);
    script.produce(18_000, 2, -1, &["three"]);
    let outcome = script.play();
    let producer = only(&outcome.judgement.producers);
    let ended = (producer.acknowledged, producer.unknown, producer.failed);
    assert_eq!((producer.sent, ended), (3, (3, 0, 0)), "{producer:?}");
    assert_eq!((producer.lost, producer.duplicated), (Some(0), 0));
    assert_eq!(outcome.judgement.status(), Status::Held);
}

#[test]
fn what_a_retry_writes_once_more_is_a_duplicate() {
    let text = CLUSTER.replace("to = \"b2\"", "to = \"b2\"\nheal-after = \"3s\"");
    let mut script = Script::new(&text.replace("at = \"6s\"\ncrash", "at = \"19s\"\ncrash"));
    script.open(1_000, 1, "b1");
    script.open(1_000, 2, "b1");
    script.produce(2_000, 2, -1, &["zero"]);
    script.produce(4_500, 1, -1, &["one"]);
    script.close(5_000, 1);
    script.produce(5_500, 2, -1, &["one"]);
    let outcome = script.play();
    let producer = only(&outcome.judgement.producers);
    let counted = (producer.sent, producer.acknowledged, producer.lost, producer.duplicated);
    assert_eq!(counted, (2, 2, Some(0), 1), "{producer:?}");
}

#[test]
fn what_has_no_answer_when_a_client_goes_is_unknown_and_a_new_life_sends_new_records() {
    let mut script = Script::new(CLUSTER);
    script.open(1_000, 1, "b1");
    // Not acknowledged: the follower is cut off.
    script.produce(4_500, 1, -1, &["one"]);
    script.close(5_000, 1);
    script.open(9_000, 2, "b2");
    script.open(18_000, 3, "b2");
    script.produce(18_100, 3, -1, &["one"]);
    script.close(19_000, 2);
    script.close(19_100, 3);
    let outcome = script.play();
    let producer = only(&outcome.judgement.producers);
    assert_eq!((producer.sent, producer.acknowledged, producer.unknown), (2, 1, 1));
    assert_eq!((producer.lost, producer.duplicated), (Some(0), 0));
}

#[test]
fn what_outsiders_read_is_counted_by_life() {
    let mut script = Script::new(CLUSTER);
    script.open(1_000, 1, "b1");
    script.produce(2_000, 1, -1, &["one", "two", "three"]);
    script.fetch(2_500, 1, 0);
    // The whole batch comes again; a client drops what lies before its position.
    script.fetch(3_000, 1, 1);
    script.close(3_500, 1);
    script.open(3_600, 2, "b1");
    script.fetch(3_700, 2, 0);
    script.close(3_900, 2);
    let outcome = script.play();
    let readers = &outcome.judgement.consumers[..];
    let [ConsumerSummary { name, is_external: true, read, duplicates, .. }] = readers else {
        panic!("{readers:?}");
    };
    assert_eq!((&**name, *read, *duplicates), ("rdkafka", 8, 2));
}

#[test]
fn what_brokers_refuse_is_counted_by_its_name() {
    let text = CLUSTER.replace("assignment", "\"min.insync.replicas\" = 3\nassignment");
    let mut script = Script::new(&text);
    script.open(1_000, 1, "b1");
    script.produce(2_000, 1, -1, &["one"]);
    script.produce(2_500, 1, -1, &["one"]);
    script.close(3_000, 1);
    let outcome = script.play();
    let producer = only(&outcome.judgement.producers);
    let refused: Vec<_> = producer.refused.iter().map(|(name, n)| (&**name, *n)).collect();
    assert_eq!(refused, [("NOT_ENOUGH_REPLICAS", 2)]);
    assert_eq!((producer.sent, producer.failed), (1, 1));
    assert_eq!(outcome.judgement.status(), Status::Inconclusive);
}

#[test]
fn a_name_that_is_a_nodes_or_obeyed_by_terminals_is_not_taken_over() {
    let mut script = Script::new(CLUSTER);
    let body = RequestKind::ApiVersions(kafka_protocol::messages::ApiVersionsRequest::default());
    for (visitor, name) in [(1, "b1"), (2, "\u{1b}[2J"), (3, "")] {
        script.open(1_000, visitor, "b1");
        let client = StrBytes::from_static_str(name);
        let hello = encode_request(ApiKey::ApiVersions, 0, 1, &client, &body);
        let mut last = Script::new(CLUSTER);
        last.produce(2_000, visitor, 1, &["one"]);
        script.entries.push((Time::from_millis(1_500), Entry::Bytes(Visitor(visitor), hello)));
        script.entries.append(&mut last.entries);
    }
    script.entries.sort_by_key(|(time, _)| *time);
    let outcome = script.play();
    let names: Vec<_> = outcome.judgement.producers.iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["b1 (outside)", "\\u{1b}[2J", "no client id"]);
}

#[test]
fn bytes_that_are_no_request_leave_no_account() {
    let mut script = Script::new(CLUSTER);
    for (visitor, bytes) in
        (1..).zip([&[0xff; 40][..], b"\0\0\0\x0c\0\0\0\x08\0\0\0\x01\x7f\xff\0\0"])
    {
        script.open(1_000, visitor, "b1");
        let bytes = Bytes::copy_from_slice(bytes);
        script.entries.push((Time::from_millis(1_500), Entry::Bytes(Visitor(visitor), bytes)));
    }
    script.entries.sort_by_key(|(time, _)| *time);
    let outcome = script.play();
    assert!(outcome.judgement.producers.is_empty() && outcome.judgement.consumers.is_empty());
}
