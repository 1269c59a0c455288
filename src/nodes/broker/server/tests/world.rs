//! A small world for tests: one ZooKeeper server, brokers, one client; a network with one fixed latency
//! that loses nothing, and a disk that is done at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use crate::history::{BrokerObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::broker::{Broker, Config};
use crate::nodes::channel::Channel;
use crate::nodes::zookeeper::{self, Tree, ZooKeeperServer};
use crate::releases::KafkaVersion;
use crate::releases::defaults::{BROKER, millis};
use crate::vocab::step::{Closed, DiskImage, DiskRequest, Effect, Input};
use crate::vocab::{BrokerId, Clock, ConnId, NodeId, Roster, Seed, Time, TimerId};

const LATENCY: Duration = Duration::from_micros(500);
/// Marks the accepting end of a connection of a node to itself.
const LOOPBACK: u64 = 1 << 62;
const WALL_START_MS: i64 = 1_600_000_000_000;

enum Node {
    ZooKeeper(Box<ZooKeeperServer>),
    Broker(Box<Broker>),
    Client,
    Dead,
}

struct Slot {
    node: Node,
    /// Counts the lives of the process.
    life: u32,
    disk: DiskImage,
}

struct Conn {
    client: NodeId,
    server: NodeId,
    client_open: bool,
    server_open: bool,
}

struct Event {
    to: NodeId,
    /// The life that it is for; `None` when it is for whoever is there.
    life: Option<u32>,
    input: Input,
}

/// The world.
pub struct World {
    pub now: Time,
    pub version: KafkaVersion,
    roster: Arc<Roster>,
    brokers: BTreeMap<BrokerId, NodeId>,
    client: NodeId,
    slots: Vec<Slot>,
    queue: BTreeMap<(Time, u64), Event>,
    next_event: u64,
    effects: Effects,
    conns: BTreeMap<ConnId, Conn>,
    cancelled: BTreeSet<TimerId>,
    channels: BTreeMap<BrokerId, Channel>,
    answers: VecDeque<(u64, Option<ResponseKind>)>,
    next_call: u64,
    /// Pairs between which nothing gets through, the lower id first.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// What waits for a cut to heal, as a stream's bytes do: from whom, and what.
    held: Vec<(NodeId, Event)>,
    /// When set, the next bytes for the client are kept here as they are.
    raw: Option<Option<Bytes>>,
    /// What the brokers told, with when.
    pub told: Vec<(Time, BrokerId, BrokerObservation)>,
}

/// A broker's settings as release `version` has them by default.
pub fn config(id: i32, version: KafkaVersion, zookeeper: NodeId) -> Config {
    let default = |name| millis(BROKER, name, version).expect("every release has it");
    Config {
        id: BrokerId(id),
        host: format!("b{id}"),
        external: None,
        version,
        mutant: None,
        zookeepers: vec![zookeeper],
        session_timeout: default("zookeeper.session.timeout.ms"),
        replica_lag_time_max: default("replica.lag.time.max.ms"),
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
        message_max_bytes: 1_000_012,
        min_insync_replicas: 1,
        unclean_leader_election: false,
        num_partitions: 1,
        default_replication_factor: 3,
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

impl World {
    /// Brokers 1 to `brokers`, started together with ZooKeeper.
    pub fn new(version: KafkaVersion, brokers: i32) -> Self {
        let mut roster = Roster::default();
        let zookeeper = roster.add("zk1");
        let ids: BTreeMap<_, _> =
            (1..=brokers).map(|id| (BrokerId(id), roster.add(&format!("b{id}")))).collect();
        let client = roster.add("client");
        let dead = || Slot { node: Node::Dead, life: 0, disk: DiskImage::new() };
        let slots = (0..roster.len()).map(|_| dead()).collect();
        let mut world = Self {
            now: Time::ZERO,
            version,
            roster: Arc::new(roster),
            brokers: ids.clone(),
            client,
            slots,
            queue: BTreeMap::new(),
            next_event: 0,
            effects: Effects::default(),
            conns: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            channels: BTreeMap::new(),
            answers: VecDeque::new(),
            next_call: 0,
            cuts: BTreeSet::new(),
            held: Vec::new(),
            raw: None,
            told: Vec::new(),
        };
        let stream = Seed(1).stream("zk1");
        let server = ZooKeeperServer::new(zookeeper::Config::default(), stream);
        world.slots[usize::from(client.0)].node = Node::Client;
        world.boot(zookeeper, Node::ZooKeeper(Box::new(server)));
        for id in ids.into_keys() {
            world.start(id);
        }
        world
    }

    /// Starts a broker's process, with the disk that it left.
    pub fn start(&mut self, id: BrokerId) {
        let config = config(id.0, self.version, NodeId(0));
        let stream = Seed(1).stream(&config.host);
        let broker = Broker::new(config, self.roster.clone(), stream);
        self.boot(self.brokers[&id], Node::Broker(Box::new(broker)));
    }

    fn boot(&mut self, id: NodeId, node: Node) {
        let slot = self.slot(id);
        assert!(matches!(slot.node, Node::Dead), "{id:?} runs already");
        slot.node = node;
        slot.life += 1;
        let (life, image) = (slot.life, slot.disk.clone());
        self.post(Duration::ZERO, id, Some(life), Input::Start(image));
    }

    /// Ends a broker's process on the spot; its disk keeps everything, its peers see a reset.
    pub fn kill(&mut self, id: BrokerId) {
        let node = self.brokers[&id];
        self.slot(node).node = Node::Dead;
        let ends: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.client == node || conn.server == node)
            .map(|(&id, conn)| (id, conn.client == node))
            .collect();
        for (base, is_client) in ends {
            let own = self.end(base, is_client);
            self.close_end(own, node, Closed::Reset);
        }
    }

    /// Asks a broker's process to end in an orderly way.
    pub fn shut_down(&mut self, id: BrokerId) {
        self.post(Duration::ZERO, self.brokers[&id], None, Input::Shutdown);
    }

    /// Lets nothing get through between a broker and ZooKeeper, or all again.
    pub fn cut_off(&mut self, id: BrokerId, is_cut: bool) {
        self.cut_nodes(NodeId(0), self.brokers[&id], is_cut);
    }

    /// Lets nothing get through between two brokers, or all again.
    pub fn cut(&mut self, one: BrokerId, other: BrokerId, is_cut: bool) {
        self.cut_nodes(self.brokers[&one], self.brokers[&other], is_cut);
    }

    fn cut_nodes(&mut self, one: NodeId, other: NodeId, is_cut: bool) {
        let pair = (one.min(other), one.max(other));
        if is_cut {
            self.cuts.insert(pair);
            return;
        }
        self.cuts.remove(&pair);
        for (from, event) in std::mem::take(&mut self.held) {
            if self.is_cut(from, event.to) {
                self.held.push((from, event));
            } else {
                self.post(LATENCY, event.to, event.life, event.input);
            }
        }
    }

    fn is_cut(&self, one: NodeId, other: NodeId) -> bool {
        self.cuts.contains(&(one.min(other), one.max(other)))
    }

    /// Sends something over the network.
    fn travel(&mut self, from: NodeId, to: NodeId, life: u32, input: Input) {
        if self.is_cut(from, to) {
            self.held.push((from, Event { to, life: Some(life), input }));
        } else {
            self.post(LATENCY, to, Some(life), input);
        }
    }

    /// The broker, if its process runs.
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        match &self.slots[usize::from(self.brokers[&id].0)].node {
            Node::Broker(broker) => Some(broker),
            _ => None,
        }
    }

    /// ZooKeeper's znodes.
    pub fn tree(&self) -> &Tree {
        match &self.slots[0].node {
            Node::ZooKeeper(server) => &server.state().expect("it has started").tree,
            _ => unreachable!("the first node is ZooKeeper"),
        }
    }

    /// The active controller.
    pub fn controller(&self) -> Option<BrokerId> {
        let active = |id: &BrokerId| self.broker(*id).is_some_and(Broker::is_controller);
        self.brokers.keys().copied().find(active)
    }

    fn slot(&mut self, id: NodeId) -> &mut Slot {
        &mut self.slots[usize::from(id.0)]
    }

    fn post(&mut self, after: Duration, to: NodeId, life: Option<u32>, input: Input) {
        self.next_event += 1;
        self.queue.insert((self.now + after, self.next_event), Event { to, life, input });
    }

    /// The id by which the client or the server of a connection knows it.
    fn end(&self, base: ConnId, is_client: bool) -> ConnId {
        let conn = &self.conns[&base];
        if !is_client && conn.client == conn.server { ConnId(base.0 | LOOPBACK) } else { base }
    }

    /// The connection of an end, and whether the end is the client's.
    fn of_end(&self, end: ConnId, node: NodeId) -> Option<(ConnId, bool)> {
        let base = ConnId(end.0 & !LOOPBACK);
        let conn = self.conns.get(&base)?;
        let is_client = if conn.client == conn.server { end == base } else { conn.client == node };
        Some((base, is_client))
    }

    fn close_end(&mut self, end: ConnId, node: NodeId, why: Closed) {
        let Some((base, is_client)) = self.of_end(end, node) else { return };
        let conn = self.conns.get_mut(&base).expect("it was just found");
        let (own, other) = (&mut conn.client_open, &mut conn.server_open);
        let (own, other) = if is_client { (own, other) } else { (other, own) };
        *own = false;
        let peer = if is_client { conn.server } else { conn.client };
        if *other {
            let life = self.slot(peer).life;
            let conn = self.end(base, !is_client);
            self.travel(node, peer, life, Input::Closed { conn, why });
        }
    }

    /// Runs until `is_done` or for `span`; returns whether it is done. Looked at after every event.
    pub fn run(&mut self, span: Duration, mut is_done: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.now + span;
        loop {
            if is_done(self) {
                return true;
            }
            match self.queue.first_key_value() {
                Some((&(at, _), _)) if at <= until => {}
                _ => {
                    self.now = until;
                    return false;
                }
            }
            let ((at, _), event) = self.queue.pop_first().expect("there is a first");
            self.now = at;
            self.deliver(event);
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, span: Duration) {
        self.run(span, |_| false);
    }

    fn deliver(&mut self, event: Event) {
        let Event { to, life, input } = event;
        let slot = &self.slots[usize::from(to.0)];
        if matches!(slot.node, Node::Dead) || life.is_some_and(|life| life != slot.life) {
            return;
        }
        match &input {
            Input::Timer { id, .. } if self.cancelled.remove(id) => return,
            Input::Received { conn, .. } | Input::Closed { conn, .. } | Input::Opened(conn) => {
                let Some((base, is_client)) = self.of_end(*conn, to) else { return };
                let state = self.conns.get_mut(&base).expect("it was just found");
                let open = if is_client { &mut state.client_open } else { &mut state.server_open };
                if !*open {
                    return;
                }
                *open = !matches!(input, Input::Closed { .. });
            }
            _ => {}
        }
        let ms = i64::try_from(self.now.as_millis()).unwrap();
        let clock = Clock { now: self.now, wall_ms: WALL_START_MS + ms };
        let mut effects = std::mem::take(&mut self.effects);
        match &mut self.slots[usize::from(to.0)].node {
            Node::ZooKeeper(server) => server.step(clock, input, &mut effects),
            Node::Broker(broker) => broker.step(clock, input, &mut effects),
            Node::Client => self.client_step(input, &mut effects),
            Node::Dead => unreachable!("nothing is delivered to the dead"),
        }
        self.apply(to, &mut effects);
        self.effects = effects;
    }

    fn apply(&mut self, from: NodeId, effects: &mut Effects) {
        let life = self.slot(from).life;
        for effect in effects.drain() {
            match effect {
                Effect::Connect { conn, to } => self.connect(from, conn, to),
                Effect::Send { conn, bytes } => {
                    if let Some((base, is_client)) = self.of_end(conn, from) {
                        let peer = &self.conns[&base];
                        let peer = if is_client { peer.server } else { peer.client };
                        let life = self.slot(peer).life;
                        let conn = self.end(base, !is_client);
                        self.travel(from, peer, life, Input::Received { conn, bytes });
                    }
                }
                Effect::Close(conn) => self.close_end(conn, from, Closed::Eof),
                Effect::SetTimer { id, at, token } => {
                    let after = at.since(self.now);
                    self.post(after, from, Some(life), Input::Timer { id, token });
                }
                Effect::CancelTimer(id) => {
                    self.cancelled.insert(id);
                }
                Effect::Disk { op, request } => {
                    if self.use_disk(from, request) {
                        self.post(Duration::ZERO, from, Some(life), Input::DiskDone(op));
                    }
                }
                Effect::Observe(Observation::Broker(told)) => {
                    let id = self.brokers.iter().find(|(_, node)| **node == from).unwrap().0;
                    self.told.push((self.now, *id, told));
                }
                Effect::Observe(_) => {}
                Effect::Exit => {
                    let id =
                        self.brokers.iter().find(|(_, node)| **node == from).map(|(id, _)| *id);
                    self.kill(id.expect("only brokers end"));
                }
            }
        }
    }

    fn connect(&mut self, from: NodeId, conn: ConnId, to: NodeId) {
        let is_there = !matches!(self.slot(to).node, Node::Dead);
        let state = Conn { client: from, server: to, client_open: true, server_open: is_there };
        self.conns.insert(conn, state);
        if self.is_cut(from, to) {
            return;
        }
        let (own, peer) = (self.slot(from).life, self.slot(to).life);
        if is_there {
            let accepted = Input::Accepted { conn: self.end(conn, false), peer: from };
            self.post(LATENCY, to, Some(peer), accepted);
            self.post(LATENCY * 2, from, Some(own), Input::Opened(conn));
        } else {
            let refused = Input::Closed { conn, why: Closed::Refused };
            self.post(LATENCY * 2, from, Some(own), refused);
        }
    }

    /// Returns whether its end is to be told.
    fn use_disk(&mut self, node: NodeId, request: DiskRequest) -> bool {
        let disk = &mut self.slot(node).disk;
        match request {
            DiskRequest::Append { file, bytes } => disk.entry(file).or_default().append(bytes),
            DiskRequest::Write { file, bytes } => {
                disk.insert(file, bytes.into());
            }
            DiskRequest::Truncate { file, len } => {
                disk.entry(file).or_default().truncate(len);
            }
            DiskRequest::Rename { from, to } => {
                if let Some(content) = disk.remove(&from) {
                    disk.insert(to, content);
                }
            }
            DiskRequest::Delete { file } => {
                disk.remove(&file);
            }
            DiskRequest::Fsync { .. } | DiskRequest::FsyncDirectory => return true,
        }
        false
    }

    fn client_step(&mut self, input: Input, effects: &mut Effects) {
        if let (Some(raw), Input::Received { bytes, .. }) = (&mut self.raw, &input) {
            *raw = Some(bytes.slice(4..));
            return;
        }
        let mut responses = Vec::new();
        for channel in self.channels.values_mut() {
            match &input {
                Input::Opened(conn) => {
                    channel.opened(effects, *conn);
                }
                Input::Received { conn, bytes } if channel.conn() == Some(*conn) => {
                    channel.received(bytes.clone(), &mut responses).expect("brokers speak Kafka");
                }
                Input::Closed { conn, .. } if channel.conn() == Some(*conn) => {
                    self.answers.extend(channel.closed().into_iter().map(|tag| (tag, None)));
                }
                _ => {}
            }
        }
        self.answers.extend(responses.into_iter().map(|(tag, body)| (tag, Some(body))));
    }

    /// Sends a request of the client to a broker and waits for the answer; `None` when the connection ends
    /// first or 90 seconds pass.
    pub fn call(
        &mut self,
        to: BrokerId,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Option<ResponseKind> {
        let node = self.brokers[&to];
        let name = StrBytes::from_static_str("test");
        let channel = self.channels.entry(to).or_insert_with(|| Channel::new(node, name));
        self.next_call += 1;
        let tag = self.next_call;
        let mut effects = std::mem::take(&mut self.effects);
        channel.send(&mut effects, api, version, body, tag);
        self.apply(self.client, &mut effects);
        self.effects = effects;
        let is_answer = move |world: &mut Self| world.answers.iter().any(|answer| answer.0 == tag);
        self.run(Duration::from_secs(90), is_answer);
        let at = self.answers.iter().position(|answer| answer.0 == tag)?;
        self.answers.remove(at)?.1
    }

    /// As [`World::call`], but gives the response's payload as it came. The connection is of no more use.
    pub fn call_raw(
        &mut self,
        to: BrokerId,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Option<Bytes> {
        self.raw = Some(None);
        let node = self.brokers[&to];
        let mut channel = Channel::new(node, StrBytes::from_static_str("raw"));
        let mut effects = std::mem::take(&mut self.effects);
        channel.send(&mut effects, api, version, body, 0);
        self.channels.insert(to, channel);
        self.apply(self.client, &mut effects);
        let is_answered = |world: &mut Self| {
            world.raw.as_ref().is_some_and(Option::is_some) || !world.answers.is_empty()
        };
        self.run(Duration::from_secs(10), is_answered);
        self.channels.remove(&to);
        self.answers.clear();
        self.raw.take().flatten()
    }
}
