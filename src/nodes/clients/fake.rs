//! A cluster of fake brokers on a network of one millisecond, to drive a client in unit tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataResponse,
    ProduceRequest, ProduceResponse, RequestKind, ResponseKind,
};

use super::protocol::{text, topic_name};
use super::{Admin, Consumer, Producer, Topics};
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::vocab::step::{Closed, Effect, Input};
use crate::vocab::{Clock, ConnId, NodeId, Roster, Time, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::kafka::{MAX_FRAME_BYTES, RequestFrame, decode_request, encode_response};
use crate::wire::records::{Batch, BatchBuilder};
use crate::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, Reply, Request, RequestHeader, Stat,
};

pub const MS: Duration = Duration::from_millis(1);
pub const TOPIC: &str = "orders";

/// What can be driven.
pub trait Role {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects);
}

impl Role for Producer {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

impl Role for Consumer {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

impl Role for Topics {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

impl Role for Admin {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

/// What a fake broker does with a request, when told.
pub enum Answer {
    Body(Box<ResponseKind>),
    Silence,
    Close,
}

impl Answer {
    pub fn body(body: ResponseKind) -> Self {
        Self::Body(Box::new(body))
    }
}

/// Chooses an answer; `None` leaves it to the brokers.
pub type Script = Box<dyn FnMut(Time, i32, &RequestFrame) -> Option<Answer>>;

/// One partition of the topic `orders`.
pub struct Partition {
    pub leader: i32,
    pub epoch: i32,
    pub batches: Vec<Batch>,
    pub start: i64,
    pub end: i64,
}

impl Partition {
    pub fn append(&mut self, batch: &Batch) -> i64 {
        let base = self.end;
        let stamped = batch.stamped(base, self.epoch);
        self.end = stamped.last_offset + 1;
        self.batches.push(stamped);
        base
    }

    pub fn append_records(&mut self, producer: &str, records: std::ops::Range<u64>) {
        let mut builder = BatchBuilder::new(0);
        for record in records {
            builder.push(0, None, Some(&crate::wire::workload::encode(producer, record, 0)));
        }
        let batch = builder.build();
        self.append(&batch);
    }

    pub fn values(&self) -> Vec<u64> {
        let records = self.batches.iter().flat_map(|batch| batch.records().unwrap());
        let value = |value: Bytes| crate::wire::workload::decode(&value).unwrap().1;
        records.map(|record| value(record.value.unwrap())).collect()
    }

    fn read(&self, from: i64) -> Bytes {
        let mut bytes = BytesMut::new();
        for batch in self.batches.iter().filter(|batch| batch.last_offset >= from) {
            bytes.extend_from_slice(&batch.bytes);
        }
        bytes.freeze()
    }
}

enum Event {
    ToClient(Input),
    ToBroker(ConnId, Bytes),
    Timer(TimerId, u64),
}

/// The brokers 1, 2, … (nodes 0, 1, …) and the client under test.
pub struct World<R> {
    pub client: R,
    pub now: Time,
    pub partitions: Vec<Partition>,
    pub down: BTreeSet<i32>,
    /// Brokers to which nothing gets through, nor from.
    pub cut: BTreeSet<i32>,
    /// Errors that the next partitions of Produce requests are answered with, nothing being appended; 0 appends.
    pub produce_errors: VecDeque<i16>,
    pub script: Script,
    pub requests: Vec<(Time, i32, RequestFrame)>,
    pub connects: Vec<(Time, i32)>,
    /// Operations, what was consumed, and what went wrong.
    pub observed: Vec<(Time, ClientObservation)>,
    /// How the client got there: what it asked, learned and sent.
    pub told: Vec<(Time, ClientObservation)>,
    pub exited: bool,
    pub brokers: i32,
    /// What was read from ZooKeeper.
    pub reads: Vec<String>,
    /// Connections on which a session was made.
    greeted: BTreeSet<ConnId>,
    effects: Effects,
    queue: BTreeMap<(Time, u64), Event>,
    timers: BTreeMap<TimerId, (Time, u64)>,
    conns: BTreeMap<ConnId, (i32, Frames)>,
    order: u64,
}

/// The brokers 1, 2, … and after them the one server of ZooKeeper.
pub fn roster(brokers: i32) -> Arc<Roster> {
    let mut roster = Roster::default();
    for id in 1..=brokers {
        roster.add(&format!("b{id}"));
    }
    roster.add("z1");
    Arc::new(roster)
}

pub fn all_nodes(brokers: i32) -> Vec<NodeId> {
    (0..brokers as u16).map(NodeId).collect()
}

impl<R: Role> World<R> {
    /// `leaders` of the partitions of `orders`.
    pub fn new(client: R, brokers: i32, leaders: &[i32]) -> Self {
        let partition =
            |&leader: &i32| Partition { leader, epoch: 0, batches: Vec::new(), start: 0, end: 0 };
        Self {
            client,
            now: Time::ZERO,
            partitions: leaders.iter().map(partition).collect(),
            down: BTreeSet::new(),
            cut: BTreeSet::new(),
            produce_errors: VecDeque::new(),
            script: Box::new(|_, _, _| None),
            requests: Vec::new(),
            connects: Vec::new(),
            observed: Vec::new(),
            told: Vec::new(),
            exited: false,
            brokers,
            reads: Vec::new(),
            greeted: BTreeSet::new(),
            effects: Effects::default(),
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            conns: BTreeMap::new(),
            order: 0,
        }
    }

    fn at(&mut self, at: Time, event: Event) -> (Time, u64) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
        (at, self.order)
    }

    pub fn input(&mut self, input: Input) {
        let clock = Clock { now: self.now, wall_ms: self.now.as_millis() as i64 };
        self.client.step(clock, input, &mut self.effects);
        let effects: Vec<_> = self.effects.drain().collect();
        for effect in effects {
            self.apply(effect);
        }
    }

    pub fn start(&mut self) {
        self.input(Input::Start(BTreeMap::new()));
    }

    fn apply(&mut self, effect: Effect<Observation>) {
        let soon = self.now + MS;
        match effect {
            Effect::Connect { conn, to } => {
                let id = i32::from(to.0) + 1;
                self.connects.push((self.now, id));
                if self.down.contains(&id) {
                    let input = Input::Closed { conn, why: Closed::Refused };
                    self.at(soon, Event::ToClient(input));
                } else if !self.cut.contains(&id) {
                    self.conns.insert(conn, (id, Frames::new(MAX_FRAME_BYTES)));
                    self.at(soon, Event::ToClient(Input::Opened(conn)));
                }
            }
            Effect::Send { conn, bytes } => {
                self.at(soon, Event::ToBroker(conn, bytes));
            }
            Effect::Close(conn) => {
                self.conns.remove(&conn);
            }
            Effect::SetTimer { id, at, token } => {
                assert!(at >= self.now, "a timer in the past");
                let key = self.at(at, Event::Timer(id, token));
                self.timers.insert(id, key);
            }
            Effect::CancelTimer(id) => {
                if let Some(key) = self.timers.remove(&id) {
                    self.queue.remove(&key);
                }
            }
            Effect::Observe(Observation::Client(observation)) => {
                let list = match &observation {
                    ClientObservation::LeadersAsked { .. }
                    | ClientObservation::LeaderLearned { .. }
                    | ClientObservation::BatchSent { .. } => &mut self.told,
                    _ => &mut self.observed,
                };
                list.push((self.now, observation));
            }
            Effect::Observe(Observation::Session(_)) => {}
            Effect::Exit => self.exited = true,
            other => panic!("a client has no use for {other:?}"),
        }
    }

    /// Lets time pass until `ms` milliseconds after the start.
    pub fn run_to(&mut self, ms: u64) {
        let end = Time::from_millis(ms);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            if self.exited {
                continue;
            }
            match event {
                Event::ToClient(input) => {
                    if !self.is_cut(&input) {
                        self.input(input);
                    }
                }
                Event::ToBroker(conn, bytes) => self.serve(conn, bytes),
                Event::Timer(id, token) => {
                    self.timers.remove(&id);
                    self.input(Input::Timer { id, token });
                }
            }
        }
        self.now = end;
    }

    /// The client does nothing until `ms`: what is due before comes then.
    pub fn pause_to(&mut self, ms: u64) {
        let end = Time::from_millis(ms);
        let later = self.queue.split_off(&(end, 0));
        let due = std::mem::replace(&mut self.queue, later);
        for ((_, order), event) in due {
            if let Event::Timer(id, _) = event {
                self.timers.insert(id, (end, order));
            }
            self.queue.insert((end, order), event);
        }
        self.now = end;
    }

    fn is_cut(&self, input: &Input) -> bool {
        let (Input::Opened(conn) | Input::Received { conn, .. }) = input else { return false };
        self.conns.get(conn).is_none_or(|(id, _)| self.cut.contains(id))
    }

    /// The broker's process ends.
    pub fn crash(&mut self, id: i32) {
        self.down.insert(id);
        let dead: Vec<_> =
            self.conns.iter().filter(|(_, (to, _))| *to == id).map(|(conn, _)| *conn).collect();
        for conn in dead {
            self.conns.remove(&conn);
            let input = Input::Closed { conn, why: Closed::Reset };
            self.at(self.now + MS, Event::ToClient(input));
        }
    }

    fn serve(&mut self, conn: ConnId, bytes: Bytes) {
        let Some((id, frames)) = self.conns.get_mut(&conn) else { return };
        let id = *id;
        if self.cut.contains(&id) {
            return;
        }
        frames.push(bytes);
        let mut payloads = Vec::new();
        while let Some(payload) = frames.pop().unwrap() {
            payloads.push(payload);
        }
        for payload in payloads {
            if id > self.brokers {
                let reply = self.coordinate(conn, payload);
                let input = Input::Received { conn, bytes: reply };
                self.at(self.now + MS, Event::ToClient(input));
                continue;
            }
            let request = decode_request(payload).unwrap();
            self.requests.push((self.now, id, request.clone()));
            let answer = (self.script)(self.now, id, &request);
            let (body, delay) = match answer {
                Some(Answer::Body(body)) => (Some(*body), Duration::ZERO),
                Some(Answer::Silence) => (None, Duration::ZERO),
                Some(Answer::Close) => {
                    let input = Input::Closed { conn, why: Closed::Eof };
                    self.at(self.now + MS, Event::ToClient(input));
                    self.conns.remove(&conn);
                    return;
                }
                None => self.answer(id, &request),
            };
            if let Some(body) = body {
                let RequestFrame { api, version, correlation_id, .. } = request;
                let bytes = encode_response(api, version, correlation_id, &body);
                let input = Input::Received { conn, bytes };
                self.at(self.now + MS + delay, Event::ToClient(input));
            }
        }
    }

    /// What a ZooKeeper server with the brokers' and partitions' znodes answers.
    fn coordinate(&mut self, conn: ConnId, payload: Bytes) -> Bytes {
        if self.greeted.insert(conn) {
            let request = ConnectRequest::decode(payload).unwrap();
            return ConnectResponse {
                protocol_version: 0,
                timeout_ms: request.timeout_ms,
                session: 7,
                password: request.password,
                read_only: Some(false),
            }
            .encode();
        }
        let mut reader = Reader::new(payload);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let request = Request::decode(header, &mut reader).unwrap();
        let reply = match &request {
            Request::Ping => Ok(Reply::Empty),
            Request::GetChildren { path, .. } | Request::GetData { path, .. } => self.znode(path),
            other => panic!("no reply to {other:?}"),
        };
        self.reads.push(format!("{request:?}"));
        Reply::encode(reply.as_ref().map_err(|code| *code), header.xid, Zxid(1))
    }

    fn znode(&self, path: &str) -> Result<Reply, Code> {
        let data = |text: String| Reply::Data { data: Some(text.into()), stat: Stat::default() };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts[..] {
            ["brokers", "ids"] => {
                let live = (1..=self.brokers).filter(|id| !self.down.contains(id));
                Ok(Reply::Children(live.map(|id| id.to_string().into()).collect()))
            }
            ["brokers", "ids", id] => {
                Ok(data(format!(r#"{{"version":4,"host":"b{id}","port":9092}}"#)))
            }
            ["brokers", "topics", TOPIC, "partitions"] => {
                let names = (0..self.partitions.len()).map(|index| index.to_string().into());
                Ok(Reply::Children(names.collect()))
            }
            ["brokers", "topics", TOPIC, "partitions", index, "state"] => {
                let partition = &self.partitions[index.parse::<usize>().unwrap()];
                let Partition { leader, epoch, .. } = partition;
                Ok(data(format!(r#"{{"leader":{leader},"leader_epoch":{epoch},"isr":[1]}}"#)))
            }
            _ => Err(Code::NO_NODE),
        }
    }

    fn answer(&mut self, id: i32, request: &RequestFrame) -> (Option<ResponseKind>, Duration) {
        match &request.body {
            RequestKind::Metadata(_) => {
                (Some(ResponseKind::Metadata(self.metadata(request.version))), Duration::ZERO)
            }
            RequestKind::Produce(body) => (self.produce(id, body), Duration::ZERO),
            RequestKind::Fetch(body) => {
                let (body, delay) = self.fetch(id, body);
                (Some(body), delay)
            }
            RequestKind::ListOffsets(body) => (Some(self.list_offsets(body)), Duration::ZERO),
            other => panic!("no answer for {other:?}"),
        }
    }

    pub fn metadata(&self, version: i16) -> MetadataResponse {
        let broker = |id: i32| {
            MetadataResponseBroker::default()
                .with_node_id(id.into())
                .with_host(text(&format!("b{id}")))
                .with_port(9092)
        };
        let partition = |(index, partition): (usize, &Partition)| {
            let down = self.down.contains(&partition.leader);
            let leader = if down { -1 } else { partition.leader };
            MetadataResponsePartition::default()
                .with_partition_index(index as i32)
                .with_leader_id(leader.into())
                .with_error_code(if leader < 0 { 5 } else { 0 })
                .with_leader_epoch(if version >= 7 { partition.epoch } else { -1 })
        };
        let topic = MetadataResponseTopic::default()
            .with_name(Some(topic_name(TOPIC)))
            .with_error_code(if self.partitions.is_empty() { 3 } else { 0 })
            .with_partitions(self.partitions.iter().enumerate().map(partition).collect());
        let live = (1..=self.brokers).filter(|id| !self.down.contains(id));
        MetadataResponse::default()
            .with_brokers(live.map(broker).collect())
            .with_controller_id(1.into())
            .with_topics(vec![topic])
    }

    fn produce(&mut self, id: i32, request: &ProduceRequest) -> Option<ResponseKind> {
        let mut answers = Vec::new();
        for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let partition = &mut self.partitions[data.index as usize];
            let scripted = self.produce_errors.pop_front().unwrap_or(0);
            let error = if partition.leader == id { scripted } else { 6 };
            let mut answer = PartitionProduceResponse::default().with_index(data.index);
            answer.error_code = error;
            answer.base_offset = -1;
            if error == 0 {
                let batch = Batch::first(data.records.as_ref().unwrap()).unwrap();
                batch.verify().unwrap();
                answer.base_offset = partition.append(&batch);
            }
            answers.push(answer);
        }
        let topic = TopicProduceResponse::default()
            .with_name(topic_name(TOPIC))
            .with_partition_responses(answers);
        let response = ProduceResponse::default().with_responses(vec![topic]);
        (request.acks != 0).then_some(ResponseKind::Produce(response))
    }

    fn fetch(&self, id: i32, request: &FetchRequest) -> (ResponseKind, Duration) {
        let mut delay = Duration::from_millis(request.max_wait_ms as u64);
        let mut answers = Vec::new();
        for asked in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let partition = &self.partitions[asked.partition as usize];
            let mut answer = PartitionData::default().with_partition_index(asked.partition);
            answer.high_watermark = partition.end;
            answer.records = Some(Bytes::new());
            if partition.leader != id {
                answer.error_code = 6;
            } else if asked.fetch_offset < partition.start || asked.fetch_offset > partition.end {
                answer.error_code = 1;
            } else {
                answer.records = Some(partition.read(asked.fetch_offset));
            }
            if answer.error_code != 0 || answer.records.as_ref().is_some_and(|r| !r.is_empty()) {
                delay = Duration::ZERO;
            }
            answers.push(answer);
        }
        let topic = FetchableTopicResponse::default()
            .with_topic(topic_name(TOPIC))
            .with_partitions(answers);
        let body = FetchResponse::default().with_responses(vec![topic]);
        (ResponseKind::Fetch(body), delay)
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ResponseKind {
        let answer =
            |asked: &kafka_protocol::messages::list_offsets_request::ListOffsetsPartition| {
                let partition = &self.partitions[asked.partition_index as usize];
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_offset(if asked.timestamp == -2 {
                        partition.start
                    } else {
                        partition.end
                    })
            };
        let answers = request.topics.iter().flat_map(|topic| &topic.partitions).map(answer);
        let topic = ListOffsetsTopicResponse::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(answers.collect());
        ResponseKind::ListOffsets(ListOffsetsResponse::default().with_topics(vec![topic]))
    }

    /// The requests of one API so far: when, to which broker, what.
    pub fn seen(&self, api: kafka_protocol::messages::ApiKey) -> Vec<(u64, i32, &RequestFrame)> {
        let of_api = self.requests.iter().filter(|(_, _, request)| request.api == api);
        of_api.map(|(at, id, request)| (at.as_millis(), *id, request)).collect()
    }
}
