//! Controllers in the substrate's world, at a real ZooKeeper server. Their brokers have nothing else: they answer
//! control requests, and a test can keep from a controller what ZooKeeper answers.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    LeaderAndIsrResponse, RequestKind, ResponseKind, StopReplicaResponse, UpdateMetadataResponse,
};

use crate::history::{BrokerObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::broker::config::Config;
use crate::nodes::broker::context::{Ask, ConnOwner, Context, Outbox, Part, ReplyTo};
use crate::nodes::broker::controller::Controller;
use crate::nodes::broker::controller::event_manager::ControllerEvent;
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{BrokerRegistration, PartitionState, TopicAssignment};
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::nodes::testing::{Peer, Rig, Role, settings, steady};
use crate::nodes::zookeeper::{self, Lifetime, Tree, ZooKeeperServer};
use crate::releases::KafkaVersion;
use crate::vocab::step::Input;
use crate::vocab::{BrokerId, Clock, ConnId, NodeId, Roster, Seed, TopicPartition};
use crate::wire::frames::Frames;
use crate::wire::kafka::{MAX_FRAME_BYTES, decode_request, encode_response};
use crate::wire::zookeeper::{Code, Create, Delete, MultiOp, Request, SetData};

/// The ZooKeeper server; broker `n` is node `n`.
const ZOOKEEPER: NodeId = NodeId(0);

/// A control request that reached a broker.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: BrokerId,
    pub body: RequestKind,
}

/// What the brokers got and answered, and what the test does to them.
#[derive(Default)]
pub struct Shared {
    pub sent: Vec<Sent>,
    pub replies: Vec<(ReplyTo, ResponseKind)>,
    /// Brokers that see no watches.
    pub deaf: BTreeSet<BrokerId>,
    /// How many of the next ZooKeeper writes succeed without the answer getting through.
    pub lost_answers: usize,
    /// Changes that another makes just before the next conditional write to that path.
    pub interference: Vec<(String, Bytes)>,
}

/// A broker's process that has nothing but the controller and its session.
struct Node {
    id: BrokerId,
    controller: Controller,
    session: Session,
    /// Connections of controllers, on which control requests come.
    control: BTreeMap<ConnId, Frames>,
    /// The broker that a connection of the controller is for, until the controller closes it.
    owners: BTreeMap<ConnId, BrokerId>,
    /// The writes that ZooKeeper has not answered.
    writes: BTreeSet<u64>,
    shared: Rc<RefCell<Shared>>,
}

impl Role for Node {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Start(_) => self.session.start(clock, effects),
            Input::Accepted { conn, .. } => {
                self.control.insert(conn, Frames::new(MAX_FRAME_BYTES));
            }
            Input::Opened(conn) if self.session.owns(conn) => {
                self.session.on_opened(clock, effects, conn);
            }
            Input::Opened(conn) => {
                if let Some(&broker) = self.owners.get(&conn) {
                    self.act(clock, effects, |one, cx| one.opened(cx, broker, conn));
                }
            }
            Input::Received { conn, bytes } if self.control.contains_key(&conn) => {
                self.control.get_mut(&conn).expect("it was just found").push(bytes);
                self.serve(conn, effects);
            }
            Input::Received { conn, bytes } if self.session.owns(conn) => {
                self.session.on_received(clock, effects, conn, bytes);
            }
            Input::Received { conn, bytes } => {
                if let Some(&broker) = self.owners.get(&conn) {
                    self.act(clock, effects, |one, cx| one.bytes_received(cx, broker, bytes));
                }
            }
            Input::Closed { conn, .. } if self.control.remove(&conn).is_some() => {}
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
                Ask::Reply { to, body } => self.shared.borrow_mut().replies.push((to, *body)),
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

    /// Answers the control requests of a connection.
    fn serve(&mut self, conn: ConnId, effects: &mut Effects) {
        let frames = self.control.get_mut(&conn).expect("it was accepted");
        while let Some(payload) = frames.pop().expect("controllers send frames") {
            let request = decode_request(payload).expect("controllers speak Kafka");
            let body = match &request.body {
                RequestKind::LeaderAndIsr(_) => {
                    ResponseKind::LeaderAndIsr(LeaderAndIsrResponse::default())
                }
                RequestKind::UpdateMetadata(_) => {
                    ResponseKind::UpdateMetadata(UpdateMetadataResponse::default())
                }
                RequestKind::StopReplica(_) => {
                    ResponseKind::StopReplica(StopReplicaResponse::default())
                }
                other => panic!("{other:?}"),
            };
            let frame =
                encode_response(request.api, request.version, request.correlation_id, &body);
            effects.send(conn, frame);
            self.shared.borrow_mut().sent.push(Sent { to: self.id, body: request.body });
        }
    }
}

fn is_read(request: &Request) -> bool {
    matches!(
        request,
        Request::Exists { .. } | Request::GetData { .. } | Request::GetChildren { .. }
    )
}

fn node(id: i32) -> NodeId {
    NodeId(id as u16)
}

/// Controllers 1, 2, …, ZooKeeper, and an operator with `zkCli.sh`.
pub struct World {
    rig: Rig,
    version: KafkaVersion,
    brokers: i32,
    operator: NodeId,
    shared: Rc<RefCell<Shared>>,
}

impl World {
    /// Brokers 1 to `brokers`, not registered yet.
    pub fn new(version: KafkaVersion, brokers: i32) -> Self {
        Self::with(version, brokers, |_| {})
    }

    /// The same, with other settings.
    pub fn with(version: KafkaVersion, brokers: i32, change: impl Fn(&mut Config)) -> Self {
        let mut roster = Roster::default();
        roster.add("zk");
        (1..=brokers).for_each(|id| _ = roster.add(&format!("b{id}")));
        let roster = Arc::new(roster);
        let shared = Rc::new(RefCell::new(Shared::default()));
        let mut rig = Rig::new(steady(Duration::from_micros(10)));
        rig.run("zk", || ZooKeeperServer::new(zookeeper::Config::default(), Seed(1).stream("zk")));
        for id in 1..=brokers {
            let mut config = settings::broker(id, version, vec![ZOOKEEPER]);
            config.default_replication_factor = 1;
            change(&mut config);
            let (config, roster, shared) = (Arc::new(config), roster.clone(), shared.clone());
            rig.run(&format!("b{id}"), move || {
                let session = SessionConfig::new(vec![ZOOKEEPER], 18_000, Part::Session.mark(0));
                let stream = || Seed(1).stream("test");
                Node {
                    id: BrokerId(id),
                    controller: Controller::new(config.clone(), roster.clone(), stream()),
                    session: Session::new(session, stream()),
                    control: BTreeMap::new(),
                    owners: BTreeMap::new(),
                    writes: BTreeSet::new(),
                    shared: shared.clone(),
                }
            });
        }
        let operator = rig.run("operator", Peer::default);
        let mut world = Self { rig, version, brokers, operator, shared };
        for path in paths::ensured_at_start(version) {
            world.put(path, Bytes::new());
        }
        world.run();
        world
    }

    /// What the brokers got and answered, and what is done to them.
    pub fn shared(&self) -> RefMut<'_, Shared> {
        self.shared.borrow_mut()
    }

    /// The control requests that reached brokers.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared().sent.clone()
    }

    /// How requests were answered.
    pub fn replies(&self) -> Vec<(ReplyTo, ResponseKind)> {
        self.shared().replies.clone()
    }

    /// What the brokers observed.
    pub fn seen(&self) -> Vec<(BrokerId, BrokerObservation)> {
        let seen = self.rig.observations().filter_map(|(_, node, observation)| match observation {
            Observation::Broker(seen) => Some((BrokerId(i32::from(node.0)), seen.clone())),
            _ => None,
        });
        seen.collect()
    }

    /// Registers brokers and lets their controllers begin, in this order.
    pub fn start(&mut self, ids: &[i32]) {
        for &id in ids {
            if self.rig.start(node(id)) {
                self.run();
            }
            self.register(id);
        }
        for &id in ids {
            self.act(id, |controller, cx| controller.happened(cx, ControllerEvent::Reelect));
            self.rig.run_for(Duration::from_micros(1));
        }
        self.run();
    }

    fn register(&mut self, id: i32) {
        let registration = BrokerRegistration::plaintext(format!("b{id}"), 9092, 0);
        self.put(&paths::broker(BrokerId(id)), registration.encode(self.version));
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
        self.rig.crash(node(id));
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

    /// Lets time pass.
    pub fn advance(&mut self, span: Duration) {
        self.rig.run_for(span);
    }

    /// Lets happen what is under way.
    pub fn run(&mut self) {
        self.advance(Duration::from_millis(5));
    }

    fn node(&self, id: i32) -> &Node {
        self.rig.role(node(id))
    }

    pub fn controller(&self, id: i32) -> &Controller {
        &self.node(id).controller
    }

    /// Makes a controller do something.
    pub fn act(&mut self, id: i32, what: impl FnOnce(&mut Controller, &mut Context<'_>)) {
        self.rig.act(node(id), |node: &mut Node, clock, effects| node.act(clock, effects, what));
    }

    fn operate(&mut self, request: &Request) {
        let done = self.rig.zk_call(self.operator, ZOOKEEPER, request);
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

    fn tree(&self) -> &Tree {
        &self.rig.role::<ZooKeeperServer>(ZOOKEEPER).state().expect("it has started").tree
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
        self.put(&paths::topic(name), assignment.encode(self.version));
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
        let active = |id: &i32| self.rig.is_running(node(*id)) && self.controller(*id).is_active();
        (1..=self.brokers).filter(active).collect()
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
