//! Scripted brokers and a scripted ZooKeeper for the unit tests of clients, on links of one millisecond.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
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
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::testing::kafka::Requests;
use crate::nodes::testing::{Entry, Rig, Role, steady};
use crate::vocab::step::Input;
use crate::vocab::{Clock, ConnId, NodeId, Roster, Time, Zxid};
use crate::wire::jute::Reader;
use crate::wire::kafka::{RequestFrame, decode_request, encode_response};
use crate::wire::records::{Batch, BatchBuilder};
use crate::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, Reply, Request, RequestHeader, Stat,
};

pub const TOPIC: &str = "orders";

/// What a script lets a broker do with a request.
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

/// What the scripted nodes share: the topic, and what clients asked.
pub struct Fake {
    pub partitions: Vec<Partition>,
    down: BTreeSet<i32>,
    /// Errors that the next partitions of Produce requests are answered with, nothing being appended; 0 appends.
    pub produce_errors: VecDeque<i16>,
    pub script: Script,
    pub requests: Vec<(Time, i32, RequestFrame)>,
    pub brokers: i32,
    /// What was read from ZooKeeper.
    pub reads: Vec<String>,
    /// Connections on which a session was made.
    greeted: BTreeSet<ConnId>,
}

/// A broker, or ZooKeeper, which has the number after the last broker's.
struct FakeNode {
    id: i32,
    fake: Rc<RefCell<Fake>>,
    requests: Requests,
    /// Responses that wait for their time, by the token of their timer.
    later: BTreeMap<u64, (ConnId, Bytes)>,
    tokens: u64,
}

impl Role for FakeNode {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Accepted { conn, .. } => self.requests.accept(conn),
            Input::Received { conn, bytes } => {
                for payload in self.requests.payloads(conn, bytes) {
                    if self.requests.has(conn) {
                        self.serve(clock.now, conn, payload, effects);
                    }
                }
            }
            Input::Closed { conn, .. } => _ = self.requests.close(conn),
            Input::Timer { token, .. } => {
                let (conn, bytes) = self.later.remove(&token).expect("a response waits");
                if self.requests.has(conn) {
                    effects.send(conn, bytes);
                }
            }
            _ => {}
        }
    }
}

impl FakeNode {
    fn serve(&mut self, now: Time, conn: ConnId, payload: Bytes, effects: &mut Effects) {
        let mut fake = self.fake.borrow_mut();
        if self.id > fake.brokers {
            return effects.send(conn, fake.zookeeper(conn, payload));
        }
        let request = decode_request(payload).expect("clients speak Kafka");
        fake.requests.push((now, self.id, request.clone()));
        let (body, delay) = match (fake.script)(now, self.id, &request) {
            Some(Answer::Body(body)) => (Some(*body), Duration::ZERO),
            Some(Answer::Silence) => (None, Duration::ZERO),
            Some(Answer::Close) => {
                self.requests.close(conn);
                return effects.close(conn);
            }
            None => fake.answer(self.id, &request),
        };
        let Some(body) = body else { return };
        let RequestFrame { api, version, correlation_id, .. } = request;
        self.tokens += 1;
        self.later
            .insert(self.tokens, (conn, encode_response(api, version, correlation_id, &body)));
        effects.timer(now + delay, self.tokens);
    }
}

/// The brokers 1, 2, … (nodes 0, 1, …), ZooKeeper, and the client under test.
pub struct World<R> {
    rig: Rig,
    fake: Rc<RefCell<Fake>>,
    client: NodeId,
    role: std::marker::PhantomData<R>,
}

impl<R> Deref for World<R> {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl<R> DerefMut for World<R> {
    fn deref_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }
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

fn node(id: i32) -> NodeId {
    NodeId(id as u16 - 1)
}

impl<R: Role> World<R> {
    /// `leaders` of the partitions of `orders`. The client is not started.
    pub fn new(client: R, brokers: i32, leaders: &[i32]) -> Self {
        let partition =
            |&leader: &i32| Partition { leader, epoch: 0, batches: Vec::new(), start: 0, end: 0 };
        let fake = Rc::new(RefCell::new(Fake {
            partitions: leaders.iter().map(partition).collect(),
            down: BTreeSet::new(),
            produce_errors: VecDeque::new(),
            script: Box::new(|_, _, _| None),
            requests: Vec::new(),
            brokers,
            reads: Vec::new(),
            greeted: BTreeSet::new(),
        }));
        let mut rig = Rig::new(steady(Duration::from_millis(1)));
        for id in 1..=brokers + 1 {
            let fake = fake.clone();
            rig.run(&format!("n{id}"), move || FakeNode {
                id,
                fake: fake.clone(),
                requests: Requests::default(),
                later: BTreeMap::new(),
                tokens: 0,
            });
        }
        let mut client = Some(client);
        let client = rig.add("client", move || client.take().expect("it starts once"));
        Self { rig, fake, client, role: std::marker::PhantomData }
    }

    /// What the brokers have, answer and were asked.
    pub fn fake(&self) -> RefMut<'_, Fake> {
        self.fake.borrow_mut()
    }

    pub fn client(&self) -> &R {
        self.rig.role(self.client)
    }

    pub fn has_exited(&self) -> bool {
        !self.rig.is_running(self.client)
    }

    pub fn start(&mut self) {
        self.rig.start(self.client);
    }

    /// Asks the client to end in an orderly way.
    pub fn shut_down(&mut self) {
        self.rig.shutdown(self.client);
    }

    /// Lets time pass until `ms` milliseconds after the start.
    pub fn run_to(&mut self, ms: u64) {
        self.rig.run_to(Time::from_millis(ms));
    }

    /// The client does nothing until `ms`: what is due before comes then.
    pub fn pause_to(&mut self, ms: u64) {
        self.rig.pause(self.client);
        self.run_to(ms);
        self.rig.resume(self.client);
    }

    /// A broker's process ends.
    pub fn crash(&mut self, id: i32) {
        self.fake().down.insert(id);
        self.rig.crash(node(id));
    }

    /// Every broker that is down starts again.
    pub fn start_brokers(&mut self) {
        let down = std::mem::take(&mut self.fake().down);
        down.into_iter().for_each(|id| _ = self.rig.start(node(id)));
    }

    /// Nothing gets through between the client and a broker any more.
    pub fn cut(&mut self, id: i32) {
        self.rig.separate(self.client, node(id));
    }

    /// Steps the client's wall clock.
    pub fn set_wall(&mut self, offset_ms: i64) {
        self.rig.set_wall(self.client, offset_ms);
    }

    fn observations_of_client(&self) -> Vec<(Time, ClientObservation)> {
        let seen = self.rig.observations().filter_map(|(at, _, observation)| match observation {
            Observation::Client(observation) => Some((at, observation.clone())),
            _ => None,
        });
        seen.collect()
    }

    /// Operations, what was consumed, and what went wrong.
    pub fn observed(&self) -> Vec<(Time, ClientObservation)> {
        self.observations_of_client().into_iter().filter(|(_, seen)| !is_detail(seen)).collect()
    }

    /// How the client got there: what it asked, learned and sent.
    pub fn details(&self) -> Vec<(Time, ClientObservation)> {
        self.observations_of_client().into_iter().filter(|(_, seen)| is_detail(seen)).collect()
    }

    /// When the client connected to which broker.
    pub fn connects(&self) -> Vec<(Time, i32)> {
        let connects = self.rig.journal().iter().filter_map(|(at, _, entry)| match entry {
            Entry::Connecting { to, .. } => Some((*at, i32::from(to.0) + 1)),
            _ => None,
        });
        connects.collect()
    }

    /// The requests of one API so far: when, to which broker, what.
    pub fn seen(&self, api: kafka_protocol::messages::ApiKey) -> Vec<(u64, i32, RequestFrame)> {
        let fake = self.fake();
        let of_api = fake.requests.iter().filter(|(_, _, request)| request.api == api);
        of_api.map(|(at, id, request)| (at.as_millis(), *id, request.clone())).collect()
    }
}

fn is_detail(observation: &ClientObservation) -> bool {
    matches!(
        observation,
        ClientObservation::LeadersAsked { .. }
            | ClientObservation::LeaderLearned { .. }
            | ClientObservation::BatchSent { .. }
    )
}

impl Fake {
    /// What a ZooKeeper server with the brokers' and partitions' znodes answers.
    fn zookeeper(&mut self, conn: ConnId, payload: Bytes) -> Bytes {
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
}
