//! Controllers in the substrate's world, at a real ZooKeeper server. Their brokers have nothing else: they answer
//! control requests, and a test can keep from a controller what ZooKeeper answers.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    LeaderAndIsrResponse, RequestKind, StopReplicaResponse, UpdateMetadataResponse,
};
use kafka_protocol::protocol::Request as KafkaRequest;
use kafka_protocol::protocol::StrBytes;

use crate::history::BrokerObservation;
use crate::nodes::Effects;
use crate::nodes::broker::config::Config;
use crate::nodes::broker::context::{Ask, ConnOwner, Context, Outbox, Part, ReplyTo};
use crate::nodes::broker::controller::Controller;
use crate::nodes::broker::controller::event_manager::{ControllerEvent, ControllerRequest};
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{BrokerRegistration, PartitionState, TopicAssignment};
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::nodes::testing::kafka::Requests;
use crate::nodes::testing::{Advance, Cluster, Role, Sent as Asked, ZOOKEEPER, node, steady};
use crate::nodes::zookeeper::Lifetime;
use crate::releases::KafkaVersion;
use crate::vocab::step::Input;
use crate::vocab::{BrokerId, Clock, ConnId, Seed, Time, TopicPartition};
use crate::wire::kafka::{RequestFrame, encode_response};
use crate::wire::zookeeper::{Code, Create, Delete, MultiOp, Request, SetData};

/// A control request that reached a broker.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: BrokerId,
    pub body: RequestKind,
}

/// What the brokers got, and what the test does to them.
#[derive(Default)]
pub struct Shared {
    pub sent: Vec<Sent>,
    /// Brokers that see no watches.
    pub deaf: BTreeSet<BrokerId>,
    /// How many of the next ZooKeeper writes succeed without the answer getting through.
    pub lost_answers: usize,
    /// Changes that another makes just before the next conditional write to that path.
    pub interference: Vec<(String, Bytes)>,
}

/// A broker's process that has nothing but the controller and its session.
pub struct Node {
    id: BrokerId,
    controller: Controller,
    session: Session,
    /// Connections on which requests come: of clients, and of controllers.
    requests: Requests,
    /// The broker that a connection of the controller is for, until the controller closes it.
    owners: BTreeMap<ConnId, BrokerId>,
    /// The writes that ZooKeeper has not answered.
    writes: BTreeSet<u64>,
    /// Partitions that had a leader in an UpdateMetadata.
    led: BTreeSet<(String, i32)>,
    shared: Rc<RefCell<Shared>>,
}

impl Role for Node {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Start(_) => self.session.start(clock, effects),
            Input::Accepted { conn, .. } => self.requests.accept(conn),
            Input::Opened(conn) if self.session.owns(conn) => {
                self.session.on_opened(clock, effects, conn);
            }
            Input::Opened(conn) => {
                if let Some(&broker) = self.owners.get(&conn) {
                    self.act(clock, effects, |one, cx| one.opened(cx, broker, conn));
                }
            }
            Input::Received { conn, bytes } if self.requests.has(conn) => {
                for request in self.requests.requests(conn, bytes) {
                    self.serve(clock, effects, conn, request);
                }
            }
            Input::Received { conn, bytes } if self.session.owns(conn) => {
                self.session.on_received(clock, effects, conn, bytes);
            }
            Input::Received { conn, bytes } => {
                if let Some(&broker) = self.owners.get(&conn) {
                    self.act(clock, effects, |one, cx| one.bytes_received(cx, broker, bytes));
                }
            }
            Input::Closed { conn, .. } if self.requests.close(conn) => {}
            Input::Closed { conn, why } if self.session.owns(conn) => {
                self.session.on_closed(clock, effects, conn, why);
            }
            Input::Closed { conn, .. } => {
                if let Some(broker) = self.owners.remove(&conn) {
                    self.act(clock, effects, |one, cx| one.closed(cx, broker));
                }
            }
            Input::Timer { id, token } => match Part::of(token) {
                (Part::Session, _) => self.session.on_timer(clock, effects, id),
                (Part::Controller, number) => {
                    self.act(clock, effects, |controller, cx| controller.ticked(cx, number));
                }
                other => panic!("a timer of {other:?}"),
            },
            other => panic!("{other:?}"),
        }
        while let Some(event) = self.session.poll() {
            self.session_event(clock, effects, event);
        }
    }
}

impl Node {
    fn session_event(&mut self, clock: Clock, effects: &mut Effects, event: SessionEvent) {
        match event {
            SessionEvent::Reply { tag, result, .. } => {
                let (Part::Controller, number) = Part::of(tag) else { return };
                let mut result = result;
                let mut shared = self.shared.borrow_mut();
                if self.writes.remove(&number) && shared.lost_answers > 0 {
                    shared.lost_answers -= 1;
                    result = Err(Code::CONNECTION_LOSS);
                }
                drop(shared);
                self.act(clock, effects, |controller, cx| controller.replied(cx, number, result));
            }
            SessionEvent::Watch(event) if !self.shared.borrow().deaf.contains(&self.id) => {
                self.act(clock, effects, |controller, cx| controller.watched(cx, &event));
            }
            _ => {}
        }
    }

    /// Lets the controller do something, and carries out what it asks for.
    fn act(
        &mut self,
        clock: Clock,
        effects: &mut Effects,
        act: impl FnOnce(&mut Controller, &mut Context<'_>),
    ) {
        let mut outbox = Outbox::default();
        let mut cx = Context { clock, effects, outbox: &mut outbox };
        act(&mut self.controller, &mut cx);
        for ask in outbox.asks {
            match ask {
                Ask::Reply { to, body } => {
                    let frame = encode_response(to.api, to.version, to.correlation_id, &body);
                    effects.send(to.conn, frame);
                }
                Ask::Own(conn, ConnOwner::ControlledBroker(broker)) => {
                    self.owners.insert(conn, broker);
                }
                Ask::Disown(conn) => _ = self.owners.remove(&conn),
                other => panic!("{other:?}"),
            }
        }
        for (number, request) in self.controller.outgoing() {
            if !is_read(&request) {
                self.writes.insert(number);
            }
            for set in self.interfering(&request) {
                let other = Part::Session.mark(0);
                self.session.request(clock, effects, Request::SetData(set), other);
            }
            self.session.request(clock, effects, request, Part::Controller.mark(number));
        }
    }

    fn interfering(&self, request: &Request) -> Vec<SetData> {
        let paths: Vec<&str> = match request {
            Request::SetData(set) => vec![&set.path],
            Request::Multi(ops) => {
                let sets = ops.iter().filter_map(|op| match op {
                    MultiOp::SetData(set) => Some(&*set.path),
                    _ => None,
                });
                sets.collect()
            }
            _ => Vec::new(),
        };
        let mut shared = self.shared.borrow_mut();
        let hits = shared.interference.extract_if(.., |(path, _)| paths.contains(&&**path));
        let set = |(path, data): (String, Bytes)| SetData {
            path: path.into(),
            data: Some(data),
            version: -1,
        };
        hits.map(set).collect()
    }

    /// Hands a request to the controller; a control request is kept, and answered.
    fn serve(&mut self, clock: Clock, effects: &mut Effects, conn: ConnId, frame: RequestFrame) {
        let RequestFrame { api, version, correlation_id, body, .. } = frame;
        let to = ReplyTo { conn, api, version, correlation_id };
        let response = match &body {
            RequestKind::LeaderAndIsr(_) => LeaderAndIsrResponse::default().into(),
            RequestKind::UpdateMetadata(_) => UpdateMetadataResponse::default().into(),
            RequestKind::StopReplica(_) => StopReplicaResponse::default().into(),
            _ => {
                let request = match body {
                    RequestKind::CreateTopics(body) => {
                        let client = StrBytes::from_static_str("wire");
                        ControllerRequest::CreateTopics(client, body)
                    }
                    RequestKind::AlterPartition(body) => ControllerRequest::AlterPartition(body),
                    RequestKind::ControlledShutdown(body) => {
                        ControllerRequest::ControlledShutdown(body)
                    }
                    RequestKind::ElectLeaders(body) => ControllerRequest::ElectLeaders(body),
                    other => panic!("{other:?}"),
                };
                return self
                    .act(clock, effects, |controller, cx| controller.requested(cx, to, request));
            }
        };
        effects.send(conn, encode_response(api, version, correlation_id, &response));
        if let RequestKind::UpdateMetadata(request) = &body {
            let topics = request.topic_states.iter().map(|one| (&one.topic_name, one));
            let nested = topics.flat_map(|(name, one)| {
                one.partition_states.iter().map(move |state| (name.to_string(), state))
            });
            let flat = request.ungrouped_partition_states.iter();
            let flat = flat.map(|state| (state.topic_name.to_string(), state));
            for (topic, state) in nested.chain(flat).filter(|(_, state)| state.leader.0 >= 0) {
                self.led.insert((topic, state.partition_index));
            }
            let led = self.led.clone();
            let leads = |topic: &str, partition| led.contains(&(topic.to_owned(), partition));
            self.act(clock, effects, |controller, cx| controller.metadata_changed(cx, &leads));
        }
        self.shared.borrow_mut().sent.push(Sent { to: self.id, body });
    }
}

fn is_read(request: &Request) -> bool {
    matches!(
        request,
        Request::Exists { .. } | Request::GetData { .. } | Request::GetChildren { .. }
    )
}

/// Controllers 1, 2, …, ZooKeeper, and an operator with `zkCli.sh`.
pub struct World {
    cluster: Cluster<Node>,
    shared: Rc<RefCell<Shared>>,
}

impl Deref for World {
    type Target = Cluster<Node>;

    fn deref(&self) -> &Self::Target {
        &self.cluster
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.cluster
    }
}

impl Advance for World {
    fn advance(&mut self, end: Time) -> bool {
        self.cluster.advance(end)
    }

    fn time(&self) -> Time {
        self.cluster.time()
    }
}

impl World {
    /// Brokers 1 to `brokers`, not registered yet.
    pub fn new(version: KafkaVersion, brokers: i32) -> Self {
        Self::with(version, brokers, |_| {})
    }

    /// The same, with other settings.
    pub fn with(
        version: KafkaVersion,
        brokers: i32,
        change: impl Fn(&mut Config) + Clone + 'static,
    ) -> Self {
        let shared = Rc::new(RefCell::new(Shared::default()));
        let tune = move |config: &mut Config| {
            config.default_replication_factor = 1;
            change(config);
        };
        let of_brokers = shared.clone();
        let boot = move |config: Config, roster| {
            let session = SessionConfig::new(vec![ZOOKEEPER], 18_000, Part::Session.mark(0));
            let stream = || Seed(1).stream("test");
            Node {
                id: config.id,
                controller: Controller::new(Arc::new(config), roster, stream()),
                session: Session::new(session, stream()),
                requests: Requests::default(),
                owners: BTreeMap::new(),
                writes: BTreeSet::new(),
                led: BTreeSet::new(),
                shared: of_brokers.clone(),
            }
        };
        let latency = steady(Duration::from_micros(10));
        let mut cluster = Cluster::of(version, brokers, latency, tune, boot);
        cluster.deref_mut().start(ZOOKEEPER);
        cluster.start_all();
        let mut world = Self { cluster, shared };
        for path in paths::ensured_at_start(version) {
            world.put(path, Bytes::new());
        }
        world.run();
        world
    }

    /// What the brokers got, and what is done to them.
    pub fn shared(&self) -> RefMut<'_, Shared> {
        self.shared.borrow_mut()
    }

    /// The control requests that reached brokers.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared().sent.clone()
    }

    /// What the brokers observed.
    pub fn seen(&self) -> Vec<(BrokerId, BrokerObservation)> {
        self.observed().map(|(_, id, seen)| (id, seen.clone())).collect()
    }

    /// Sends a request to a broker.
    pub fn request<Q: KafkaRequest + Into<RequestKind>>(
        &mut self,
        to: i32,
        version: i16,
        body: Q,
    ) -> Asked<Q> {
        self.send_request(BrokerId(to), version, body)
    }

    /// Sends a request to a broker, and lets happen what follows from it; returns the answer.
    pub fn ask<Q: KafkaRequest + Into<RequestKind>>(
        &mut self,
        to: i32,
        version: i16,
        body: Q,
    ) -> Q::Response {
        let request = self.request(to, version, body);
        self.run();
        self.response(request).expect("the request is answered")
    }

    /// Registers brokers and lets their controllers begin, in this order.
    pub fn start(&mut self, ids: &[i32]) {
        for &id in ids {
            if self.deref_mut().deref_mut().start(node(id)) {
                self.run();
            }
            self.register(id);
        }
        for &id in ids {
            self.act(id, |controller, cx| controller.happened(cx, ControllerEvent::Reelect));
            self.run_for(Duration::from_micros(1));
        }
        self.run();
    }

    fn register(&mut self, id: i32) {
        let registration = BrokerRegistration::plaintext(format!("b{id}"), 9092, 0);
        let data = registration.encode(self.version);
        self.put(&paths::broker(BrokerId(id)), data);
    }

    /// A broker's session ends, and with it its znodes; it has no watches any more.
    pub fn expire(&mut self, id: i32) {
        let session = self.node(id).session.id();
        self.shared().deaf.insert(BrokerId(id));
        self.end_session(id, session);
        self.shared().deaf.remove(&BrokerId(id));
    }

    /// A broker's process ends, and its session with it.
    pub fn die(&mut self, id: i32) {
        let session = self.node(id).session.id();
        self.crash(BrokerId(id));
        self.end_session(id, session);
    }

    /// A broker goes and comes back before the controller looks: the watch fires once.
    pub fn bounce(&mut self, id: i32) {
        let path = paths::broker(BrokerId(id));
        let data = self.data(&path).cloned();
        let delete = Delete { path: (&*path).into(), version: -1 };
        let create = Create::persistent(path, data);
        self.operate(&Request::Multi(vec![MultiOp::Delete(delete), MultiOp::Create(create)]));
    }

    fn end_session(&mut self, id: i32, ended: i64) {
        let owned = |path: &&str| match self.tree().get(path).map(|znode| &znode.lifetime) {
            Some(Lifetime::Ephemeral { owner }) => *owner == ended,
            _ => false,
        };
        let registration = paths::broker(BrokerId(id));
        let gone = [paths::CONTROLLER].into_iter().filter(owned).chain([&*registration]);
        let delete = |path: &str| MultiOp::Delete(Delete { path: path.into(), version: -1 });
        let deletes = gone.map(delete).collect();
        self.operate(&Request::Multi(deletes));
        self.run();
    }

    /// Lets happen what is under way.
    pub fn run(&mut self) {
        self.run_for(Duration::from_millis(5));
    }

    fn node(&self, id: i32) -> &Node {
        self.role(node(id))
    }

    pub fn controller(&self, id: i32) -> &Controller {
        &self.node(id).controller
    }

    /// Makes a controller do something.
    pub fn act(&mut self, id: i32, what: impl FnOnce(&mut Controller, &mut Context<'_>)) {
        let act = |node: &mut Node, clock, effects: &mut Effects| node.act(clock, effects, what);
        self.cluster.act(node(id), act);
    }

    fn operate(&mut self, request: &Request) {
        let operator = self.client;
        let done = self.zk_call(operator, ZOOKEEPER, request);
        done.unwrap_or_else(|code| panic!("{request:?}: {code:?}"));
    }

    /// Creates a znode or sets its data, as an operator would.
    pub fn put(&mut self, path: &str, data: Bytes) {
        let (path, data): (Arc<str>, _) = (path.into(), Some(data));
        self.operate(&match self.tree().get(&path) {
            Some(_) => Request::SetData(SetData { path, data, version: -1 }),
            None => Request::Create(Create::persistent(path, data)),
        });
    }

    /// Removes a znode.
    pub fn remove(&mut self, path: &str) {
        self.operate(&Request::Delete(Delete { path: path.into(), version: -1 }));
    }

    pub fn data(&self, path: &str) -> Option<&Bytes> {
        self.tree().get(path)?.data.as_ref()
    }

    /// The broker epoch of a registered broker.
    pub fn broker_epoch(&self, id: i32) -> i64 {
        self.tree().get(&paths::broker(BrokerId(id))).expect("it is registered").czxid.0
    }

    // Shorthands.

    /// Writes a topic, as `kafka-topics.sh --zookeeper` would.
    pub fn write_topic(&mut self, name: &str, assignment: &[&[i32]]) {
        let replicas = |ids: &&[i32]| ids.iter().copied().map(BrokerId).collect();
        let partitions = (0..).zip(assignment.iter().map(replicas)).collect();
        let assignment = TopicAssignment { partitions, ..TopicAssignment::default() };
        let data = assignment.encode(self.version);
        self.put(&paths::topic(name), data);
        self.run();
    }

    /// A partition's state: leader, leader epoch, in-sync replicas.
    pub fn state(&self, topic: &str, partition: i32) -> (i32, i32, Vec<i32>) {
        let path = paths::partition_state(&TopicPartition::new(topic, partition));
        let state = PartitionState::decode(self.data(&path).unwrap()).unwrap();
        (state.leader.0, state.leader_epoch, state.isr.iter().map(|id| id.0).collect())
    }

    /// dataVersion of a partition's state.
    pub fn partition_epoch(&self, topic: &str, partition: i32) -> i32 {
        let path = paths::partition_state(&TopicPartition::new(topic, partition));
        self.tree().get(&path).expect("the partition has a state").version
    }

    /// Writes a partition's state, as its leader would.
    pub fn write_state(&mut self, topic: &str, controller_epoch: i32, state: (i32, i32, &[i32])) {
        let (path, data) = state_of(topic, controller_epoch, state);
        self.put(&path, data);
    }

    /// The brokers that are active as controller.
    pub fn active(&self) -> Vec<i32> {
        let active = self.running().filter(|(_, node)| node.controller.is_active());
        active.map(|(id, _)| id.0).collect()
    }
}

/// Path and data of partition 0 of a topic.
pub fn state_of(
    topic: &str,
    epoch: i32,
    (leader, leader_epoch, isr): (i32, i32, &[i32]),
) -> (String, Bytes) {
    let state = PartitionState {
        controller_epoch: epoch,
        leader: BrokerId(leader),
        leader_epoch,
        isr: isr.iter().copied().map(BrokerId).collect(),
    };
    (paths::partition_state(&TopicPartition::new(topic, 0)), state.encode())
}
