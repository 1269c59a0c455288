//! A ZooKeeper server, alone or an ensemble of three, on links and disks that take next to no time, and a client.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_sim::nodes::zookeeper::{Config, Effects, ZooKeeperServer};
use kafka_sim::vocab::step::Input;
use kafka_sim::vocab::{Clock, ConnId, NodeId, Seed, Time};

use crate::peer::Peer;
use crate::rig::{Rig, Role, steady};

/// The wall clock at the beginning, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_795_357_676_000;

impl Role for ZooKeeperServer {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

pub struct World {
    rig: Rig,
    /// By server; server `n` is node `n`, and the client's node comes behind them.
    configs: Vec<Config>,
    /// The server that clients connect to.
    home: usize,
}

fn config(index: u16, servers: u16) -> Config {
    let member = |index: u16| (index as u8 + 1, NodeId(index));
    // A snapshot every 50 transactions, so that the recovery at the end reads one.
    Config {
        server_id: index as u8 + 1,
        ensemble: if servers == 1 { BTreeMap::new() } else { (0..servers).map(member).collect() },
        tick_ms: 2_000,
        extended_types: true,
        snap_count: 50,
        snapshot_piece_bytes: 1_000,
        outside: Some(NodeId(servers)),
        ..Config::default()
    }
}

fn node(server: usize) -> NodeId {
    NodeId(server as u16)
}

impl World {
    pub fn new() -> Self {
        Self::of(1, |config| config)
    }

    /// Three servers, and clients that connect to the one that leads, or to one that does not.
    pub fn ensemble(at_leader: bool) -> Self {
        let mut world = Self::ensemble_of(|config| config);
        world.home = if at_leader { 2 } else { 0 };
        let mode = world.ask(world.home, "srvr");
        assert_eq!(mode.contains("Mode: leader"), at_leader, "{mode}");
        world
    }

    /// Three servers that are set up otherwise than usual.
    pub fn ensemble_of(adjust: impl Fn(Config) -> Config) -> Self {
        let mut world = Self::of(3, adjust);
        world.pass(3_000);
        assert!((0..3).all(|server| world.server(server).serves()));
        world
    }

    fn of(count: u16, adjust: impl Fn(Config) -> Config) -> Self {
        let mut world = steady(Duration::from_nanos(100));
        world.wall_epoch_ms = EPOCH_MS;
        let mut rig = Rig::new(world);
        let configs: Vec<_> = (0..count).map(|index| adjust(config(index, count))).collect();
        for config in &configs {
            let config = config.clone();
            let name = format!("z{}", config.server_id);
            let stream = || Seed(1).stream("ZooKeeper/test");
            rig.add(&name, move || ZooKeeperServer::new(config.clone(), stream()));
        }
        rig.add("client", Peer::default);
        (0..=count).for_each(|node| _ = rig.start(NodeId(node)));
        rig.run_to(Time::from_millis(1));
        Self { rig, configs, home: 0 }
    }

    fn server(&self, server: usize) -> &ZooKeeperServer {
        self.rig.role(node(server))
    }

    fn client(&self) -> NodeId {
        node(self.configs.len())
    }

    /// Breaks the connections of a server with the others, and lets no new ones come about.
    pub fn isolate(&mut self, server: usize) {
        for other in (0..self.configs.len()).filter(|other| *other != server) {
            self.rig.separate(node(server), node(other));
            self.rig.reset(node(server), node(other));
        }
        self.settle();
    }

    /// Connections between all servers come about again.
    pub fn reunite(&mut self) {
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            self.rig.reunite(node(one), node(other));
        }
    }

    /// What is sent from now on goes to this server.
    pub fn turn_to(&mut self, server: usize) {
        self.home = server;
    }

    /// What a server says to a word of four letters.
    pub fn ask(&mut self, server: usize, word: &'static str) -> String {
        self.turn_to(server);
        let conn = self.accept();
        self.send(conn, Bytes::from_static(word.as_bytes()));
        String::from_utf8(self.take(conn).to_vec()).expect("text")
    }

    pub fn now(&self) -> Time {
        self.rig.now()
    }

    pub fn clock(&self) -> Clock {
        Clock { now: self.now(), wall_ms: EPOCH_MS + self.now().as_millis() as i64 }
    }

    /// Lets happen what is under way.
    fn settle(&mut self) {
        self.rig.run_for(Duration::from_micros(5));
    }

    /// A new connection.
    pub fn accept(&mut self) -> ConnId {
        let conn = self.rig.connect(self.client(), node(self.home));
        self.settle();
        conn
    }

    pub fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.rig.send(self.client(), conn, bytes);
        self.settle();
    }

    /// The client's side breaks the connection.
    pub fn drop_connection(&mut self, conn: ConnId) {
        self.rig.hang_up(self.client(), conn);
        self.settle();
    }

    fn has(&self, conn: ConnId) -> bool {
        self.rig.role::<Peer>(self.client()).lines.contains_key(&conn)
    }

    /// What arrived at the client since it was asked last.
    pub fn take(&mut self, conn: ConnId) -> Bytes {
        if self.has(conn) { self.rig.take(self.client(), conn) } else { Bytes::new() }
    }

    /// Whether the server closed the connection.
    pub fn is_closed(&self, conn: ConnId) -> bool {
        !self.has(conn) || self.rig.closed(self.client(), conn).is_some()
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        self.rig.run_for(Duration::from_millis(ms));
    }

    /// A process that starts from this disk has the same state.
    pub fn recovers_to_the_same_state(&self) {
        let image = self.rig.disk(node(self.home)).image();
        assert!(image.keys().any(|name| name.starts_with("snapshot.")), "no snapshot was taken");
        let config = self.configs[self.home].clone();
        let mut again = ZooKeeperServer::new(config, Seed(2).stream("ZooKeeper/test"));
        ZooKeeperServer::step(
            &mut again,
            self.clock(),
            Input::Start(image),
            &mut Effects::default(),
        );
        let (before, after) = (self.server(self.home).state(), again.state());
        assert_eq!(before.map(|state| state.digest()), after.map(|state| state.digest()));
        assert!(before.is_some());
    }
}
