//! A small world for controllers: a ZooKeeper server's tree with watches, and brokers that answer control
//! requests. Everything happens at once and in order, unless a test holds it back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::{BrokerRegistration, PartitionState, TopicAssignment};
use crate::releases::KafkaVersion;
use crate::vocab::step::Effect;
use crate::vocab::{BrokerId, Clock, ConnId, NodeId, Roster, Seed, Time, TopicPartition, Zxid};
use crate::wire::kafka::{decode_request, encode_response};
use crate::wire::zookeeper::{
    Code, EventKind, KeeperState, MultiOp, MultiResult, Reply, Request, Stat, WatchedEvent,
};

/// The configuration of a broker in these tests: Kafka's defaults.
pub fn config(id: i32, version: KafkaVersion) -> Config {
    Config {
        id: BrokerId(id),
        host: format!("b{id}"),
        external: None,
        version,
        mutant: None,
        zookeepers: vec![NodeId(0)],
        session_timeout: Duration::from_secs(18),
        replica_lag_time_max: Duration::from_secs(30),
        replica_fetch_wait_max: Duration::from_millis(500),
        replica_fetch_min_bytes: 1,
        replica_fetch_max_bytes: 1 << 20,
        replica_fetch_response_max_bytes: 10 << 20,
        replica_fetch_backoff: Duration::from_secs(1),
        replica_socket_timeout: Duration::from_secs(30),
        high_watermark_checkpoint_interval: Duration::from_secs(5),
        recovery_point_checkpoint_interval: Duration::from_secs(60),
        log_flush_interval_messages: i64::MAX,
        log_flush_interval: None,
        log_segment_bytes: 1 << 30,
        message_max_bytes: 1 << 20,
        min_insync_replicas: 1,
        unclean_leader_election: false,
        num_partitions: 1,
        default_replication_factor: 1,
        offsets_topic_num_partitions: 50,
        offsets_topic_replication_factor: 3,
        offsets_topic_segment_bytes: 100 << 20,
        auto_create_topics: true,
        auto_leader_rebalance: true,
        leader_imbalance_check_interval: Duration::from_secs(300),
        leader_imbalance_per_broker_percentage: 10,
        controlled_shutdown: true,
        controlled_shutdown_max_retries: 3,
        controlled_shutdown_retry_backoff: Duration::from_secs(5),
        controller_socket_timeout: Duration::from_secs(30),
        request_timeout: Duration::from_secs(30),
    }
}

#[derive(Clone, Debug)]
struct Znode {
    data: Bytes,
    stat: Stat,
}

type Tree = BTreeMap<String, Znode>;

#[derive(Debug)]
enum Delivery {
    Request(u64, Request),
    Watch(WatchedEvent),
    Opened(ConnId),
    Bytes(ConnId, Bytes),
    Closed(ConnId),
}

/// What was told to a broker.
#[derive(Debug)]
pub struct Told {
    pub to: BrokerId,
    pub body: RequestKind,
}

/// The world.
pub struct World {
    version: KafkaVersion,
    roster: Arc<Roster>,
    tree: Tree,
    zxid: i64,
    watches: BTreeSet<(String, bool, BrokerId)>,
    controllers: BTreeMap<BrokerId, Controller>,
    effects: Effects,
    now: Time,
    deliveries: VecDeque<(BrokerId, Delivery)>,
    timers: BTreeSet<(Time, u64, BrokerId, u64)>,
    conns: BTreeMap<ConnId, (BrokerId, BrokerId)>,
    /// The broker that a connection of a controller is for, until the controller closes it.
    owners: BTreeMap<ConnId, BrokerId>,
    /// Brokers whose process is gone.
    pub dead: BTreeSet<BrokerId>,
    /// Brokers that hear no watches.
    pub deaf: BTreeSet<BrokerId>,
    /// How many of the next ZooKeeper writes succeed without the answer getting through.
    pub lost_answers: usize,
    /// Changes that another makes just before the next conditional write to that path.
    pub interference: Vec<(String, Bytes)>,
    pub told: Vec<Told>,
    pub seen: Vec<(BrokerId, BrokerObservation)>,
    pub replies: Vec<(ReplyTo, ResponseKind)>,
}

fn parent(path: &str) -> &str {
    &path[..path.rfind('/').unwrap()]
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
        for id in 1..=brokers {
            roster.add(&format!("b{id}"));
        }
        let roster = Arc::new(roster);
        let controller = |id: i32| {
            let mut config = config(id, version);
            change(&mut config);
            let stream = Seed(1).stream("test");
            (BrokerId(id), Controller::new(Arc::new(config), roster.clone(), stream))
        };
        let mut world = Self {
            version,
            roster: roster.clone(),
            tree: Tree::new(),
            zxid: 0,
            watches: BTreeSet::new(),
            controllers: (1..=brokers).map(controller).collect(),
            effects: Effects::default(),
            now: Time::ZERO,
            deliveries: VecDeque::new(),
            timers: BTreeSet::new(),
            conns: BTreeMap::new(),
            owners: BTreeMap::new(),
            dead: BTreeSet::new(),
            deaf: BTreeSet::new(),
            lost_answers: 0,
            interference: Vec::new(),
            told: Vec::new(),
            seen: Vec::new(),
            replies: Vec::new(),
        };
        for path in paths::ensured_at_start(version) {
            world.put(path, Bytes::new(), 0);
        }
        world
    }

    /// Registers brokers and lets their controllers begin, in this order.
    pub fn start(&mut self, ids: &[i32]) {
        for &id in ids {
            self.register(id);
            self.act(id, |controller, cx| {
                controller.happened(cx, super::super::event_manager::ControllerEvent::Reelect);
            });
        }
        self.run();
    }

    pub fn register(&mut self, id: i32) {
        let registration = BrokerRegistration::plaintext(format!("b{id}"), 9092, 0);
        self.dead.remove(&BrokerId(id));
        self.put(&paths::broker(BrokerId(id)), registration.encode(self.version), i64::from(id));
    }

    /// A broker's session ends, and with it its ephemeral znodes.
    pub fn expire(&mut self, id: i32) {
        self.watches.retain(|(.., by)| *by != BrokerId(id));
        let owned = |node: &Znode| node.stat.ephemeral_owner == i64::from(id);
        let gone: Vec<_> = self
            .tree
            .iter()
            .filter(|(_, node)| owned(node))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.remove(&path);
        }
    }

    /// A broker's process ends, and its session with it.
    pub fn die(&mut self, id: i32) {
        let id_ = BrokerId(id);
        self.dead.insert(id_);
        let broken: Vec<_> =
            self.conns.iter().filter(|(_, (_, to))| *to == id_).map(|(&conn, _)| conn).collect();
        for conn in broken {
            let (from, _) = self.conns.remove(&conn).unwrap();
            self.deliveries.push_back((from, Delivery::Closed(conn)));
        }
        self.expire(id);
    }

    /// Lets the brokers know that time passed.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        self.run();
        while let Some(&due) = self.timers.first() {
            if due.0 > end {
                break;
            }
            self.timers.remove(&due);
            self.now = due.0;
            let (_, _, id, number) = due;
            self.act(id.0, |controller, cx| controller.ticked(cx, number));
            self.run();
        }
        self.now = end;
    }

    pub fn controller(&self, id: i32) -> &Controller {
        &self.controllers[&BrokerId(id)]
    }

    /// Makes a controller do something.
    pub fn act(&mut self, id: i32, what: impl FnOnce(&mut Controller, &mut Context<'_>)) {
        let id = BrokerId(id);
        if self.dead.contains(&id) {
            return;
        }
        let mut outbox = Outbox::default();
        let clock = Clock { now: self.now, wall_ms: self.now.as_millis() as i64 };
        let mut cx = Context { clock, effects: &mut self.effects, outbox: &mut outbox };
        let controller = self.controllers.get_mut(&id).unwrap();
        what(controller, &mut cx);
        for (number, request) in controller.outgoing() {
            self.deliveries.push_back((id, Delivery::Request(number, request)));
        }
        for ask in outbox.asks {
            match ask {
                Ask::Reply { to, body } => self.replies.push((to, *body)),
                Ask::Own(conn, ConnOwner::ControlledBroker(broker)) => {
                    self.owners.insert(conn, broker);
                }
                Ask::Disown(conn) => drop(self.owners.remove(&conn)),
                other => panic!("{other:?}"),
            }
        }
        self.apply_effects(id);
    }

    fn apply_effects(&mut self, id: BrokerId) {
        for effect in self.effects.drain().collect::<Vec<_>>() {
            match effect {
                Effect::Connect { conn, to } => {
                    let to = BrokerId(self.roster.name(to)[1..].parse().unwrap());
                    if self.dead.contains(&to) {
                        self.deliveries.push_back((id, Delivery::Closed(conn)));
                    } else {
                        self.conns.insert(conn, (id, to));
                        self.deliveries.push_back((id, Delivery::Opened(conn)));
                    }
                }
                Effect::Send { conn, bytes } => self.control(conn, bytes),
                Effect::Close(conn) => drop(self.conns.remove(&conn)),
                Effect::SetTimer { id: timer, at, token } => {
                    let (part, number) = Part::of(token);
                    assert_eq!(part, Part::Controller);
                    self.timers.insert((at, timer.0, id, number));
                }
                Effect::Observe(Observation::Broker(seen)) => self.seen.push((id, seen)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A broker gets a control request, and answers.
    fn control(&mut self, conn: ConnId, bytes: Bytes) {
        let Some(&(by, to)) = self.conns.get(&conn) else { return };
        let request = decode_request(bytes.slice(4..)).unwrap();
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
        self.told.push(Told { to, body: request.body });
        let response = encode_response(request.api, request.version, request.correlation_id, &body);
        self.deliveries.push_back((by, Delivery::Bytes(conn, response)));
    }

    /// Delivers until nothing is under way.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            let Some((id, delivery)) = self.deliveries.pop_front() else { return };
            if self.dead.contains(&id) {
                continue;
            }
            match delivery {
                Delivery::Request(number, request) => {
                    let is_write = !matches!(
                        request,
                        Request::Exists { .. }
                            | Request::GetData { .. }
                            | Request::GetChildren { .. }
                    );
                    let mut result = self.apply(id, &request);
                    if is_write && self.lost_answers > 0 {
                        self.lost_answers -= 1;
                        result = Err(Code::CONNECTION_LOSS);
                    }
                    self.act(id.0, |controller, cx| controller.replied(cx, number, result));
                }
                Delivery::Watch(event) => {
                    self.act(id.0, |controller, cx| controller.watched(cx, &event));
                }
                Delivery::Opened(conn) => {
                    if let Some(&broker) = self.owners.get(&conn) {
                        self.act(id.0, |controller, cx| controller.opened(cx, broker, conn));
                    }
                }
                Delivery::Bytes(conn, bytes) => {
                    if let Some(&broker) = self.owners.get(&conn) {
                        self.act(id.0, |one, cx| one.bytes_received(cx, broker, bytes));
                    }
                }
                Delivery::Closed(conn) => {
                    if let Some(broker) = self.owners.remove(&conn) {
                        self.act(id.0, |controller, cx| controller.closed(cx, broker));
                    }
                }
            }
        }
        panic!("it does not come to rest");
    }

    // The tree.

    fn fire(&mut self, path: &str, is_child: bool, kind: EventKind) {
        let mut heard = Vec::new();
        self.watches.retain(|(watched, child, by)| {
            let hit = watched == path && *child == is_child;
            if hit {
                heard.push(*by);
            }
            !hit
        });
        for by in heard {
            if !self.deaf.contains(&by) {
                let state = KeeperState::SYNC_CONNECTED;
                let event = WatchedEvent { kind, state, path: path.into() };
                self.deliveries.push_back((by, Delivery::Watch(event)));
            }
        }
    }

    /// Creates a znode or sets its data, as somebody else would.
    pub fn put(&mut self, path: &str, data: Bytes, owner: i64) {
        self.zxid += 1;
        let zxid = Zxid(self.zxid);
        if let Some(node) = self.tree.get_mut(path) {
            node.data = data;
            node.stat.version += 1;
            node.stat.mzxid = zxid;
            self.fire(path, false, EventKind::DataChanged);
            return;
        }
        let stat = Stat { czxid: zxid, mzxid: zxid, ephemeral_owner: owner, ..Stat::default() };
        self.tree.insert(path.to_owned(), Znode { data, stat });
        self.fire(path, false, EventKind::Created);
        self.fire(parent(path), true, EventKind::ChildrenChanged);
    }

    /// Removes a znode.
    pub fn remove(&mut self, path: &str) {
        self.zxid += 1;
        self.tree.remove(path).unwrap();
        self.fire(path, false, EventKind::Deleted);
        self.fire(parent(path), true, EventKind::ChildrenChanged);
    }

    pub fn data(&self, path: &str) -> Option<&Bytes> {
        self.tree.get(path).map(|node| &node.data)
    }

    /// Somebody else is faster.
    fn interfere(&mut self, request: &Request) {
        let ops = match request {
            Request::SetData(set) => vec![MultiOp::SetData(set.clone())],
            Request::Multi(ops) => ops.clone(),
            _ => return,
        };
        for op in ops {
            let MultiOp::SetData(set) = op else { continue };
            let hit = self.interference.iter().position(|(path, _)| **path == *set.path);
            if let Some(at) = hit {
                let (path, data) = self.interference.remove(at);
                self.put(&path, data, 0);
            }
        }
    }

    fn apply(&mut self, by: BrokerId, request: &Request) -> Result<Reply, Code> {
        self.interfere(request);
        let mut watch = |path: &str, child: bool, wanted: bool| {
            if wanted {
                self.watches.insert((path.to_owned(), child, by));
            }
        };
        match request {
            Request::Exists { path, watch: wanted } => {
                watch(path, false, *wanted);
                self.tree.get(&**path).map(|node| Reply::Stat(node.stat)).ok_or(Code::NO_NODE)
            }
            Request::GetData { path, watch: wanted } => {
                let node = self.tree.get(&**path).ok_or(Code::NO_NODE)?;
                watch(path, false, *wanted);
                Ok(Reply::Data { data: Some(node.data.clone()), stat: node.stat })
            }
            Request::GetChildren { path, watch: wanted } => {
                watch(path, true, *wanted);
                let inside = self.tree.keys().filter_map(|name| name.strip_prefix(&**path));
                let names = inside.filter_map(|rest| rest.strip_prefix('/'));
                let names = names.filter(|name| !name.contains('/')).map(Arc::from);
                Ok(Reply::Children(names.collect()))
            }
            Request::Create(create) => self.write(by, &MultiOp::Create(create.clone())).map(reply),
            Request::Delete(delete) => self.write(by, &MultiOp::Delete(delete.clone())).map(reply),
            Request::SetData(set) => self.write(by, &MultiOp::SetData(set.clone())).map(reply),
            Request::Multi(ops) => {
                let before = self.tree.clone();
                let mut results = Vec::new();
                for op in ops {
                    match self.write(by, op) {
                        Ok(result) => results.push(result),
                        Err(code) => {
                            self.tree = before;
                            results.fill(MultiResult::Error(Code::OK));
                            results.push(MultiResult::Error(code));
                            let rest = MultiResult::Error(Code::RUNTIME_INCONSISTENCY);
                            results.resize(ops.len(), rest);
                            break;
                        }
                    }
                }
                Ok(Reply::Multi(results))
            }
            other => panic!("{other:?}"),
        }
    }

    fn expect(&self, path: &str, version: i32) -> Result<(), Code> {
        let node = self.tree.get(path).ok_or(Code::NO_NODE)?;
        let fits = version == -1 || version == node.stat.version;
        if fits { Ok(()) } else { Err(Code::BAD_VERSION) }
    }

    fn write(&mut self, by: BrokerId, op: &MultiOp) -> Result<MultiResult, Code> {
        match op {
            MultiOp::Check(check) => {
                self.expect(&check.path, check.version)?;
                Ok(MultiResult::Check)
            }
            MultiOp::Create(create) => {
                let path = &*create.path;
                if self.tree.contains_key(path) {
                    return Err(Code::NODE_EXISTS);
                }
                if !parent(path).is_empty() && !self.tree.contains_key(parent(path)) {
                    return Err(Code::NO_NODE);
                }
                let owner = if create.flags == 1 { i64::from(by.0) } else { 0 };
                self.put(path, create.data.clone().unwrap_or_default(), owner);
                Ok(MultiResult::Create { path: create.path.clone() })
            }
            MultiOp::Delete(delete) => {
                self.expect(&delete.path, delete.version)?;
                self.remove(&delete.path);
                Ok(MultiResult::Delete)
            }
            MultiOp::SetData(set) => {
                self.expect(&set.path, set.version)?;
                self.put(&set.path, set.data.clone().unwrap_or_default(), 0);
                Ok(MultiResult::SetData(self.tree[&*set.path].stat))
            }
        }
    }

    // Shorthands.

    /// Writes a topic, as `kafka-topics.sh --zookeeper` would.
    pub fn write_topic(&mut self, name: &str, assignment: &[&[i32]]) {
        let replicas = |ids: &&[i32]| ids.iter().copied().map(BrokerId).collect();
        let partitions = (0..).zip(assignment.iter().map(replicas)).collect();
        let assignment = TopicAssignment { partitions, ..TopicAssignment::default() };
        self.put(&paths::topic(name), assignment.encode(self.version), 0);
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
        self.tree[&paths::partition_state(&TopicPartition::new(topic, partition))].stat.version
    }

    /// Writes a partition's state, as its leader would.
    pub fn write_state(&mut self, topic: &str, controller_epoch: i32, state: (i32, i32, &[i32])) {
        let (path, data) = state_of(topic, controller_epoch, state);
        self.put(&path, data, 0);
    }

    /// Who of the brokers is active.
    pub fn active(&self) -> Vec<i32> {
        let active = self.controllers.iter().filter(|(_, controller)| controller.is_active());
        active.map(|(id, _)| id.0).filter(|&id| !self.dead.contains(&BrokerId(id))).collect()
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

fn reply(result: MultiResult) -> Reply {
    match result {
        MultiResult::Create { path } => Reply::Path(path),
        MultiResult::SetData(stat) => Reply::Stat(stat),
        _ => Reply::Empty,
    }
}
