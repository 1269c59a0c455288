//! Servers and clients in the rig, and what is done to them.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_sim::checkers::zookeeper::committed_transactions_are_durable;
use kafka_sim::checkers::zookeeper::ephemerals_have_live_sessions;
use kafka_sim::checkers::zookeeper::one_zookeeper_leader_per_epoch;
use kafka_sim::checkers::zookeeper::session_requests_are_in_order;
use kafka_sim::checkers::zookeeper::sessions_expire_only_when_silent;
use kafka_sim::checkers::zookeeper::watches_fire;
use kafka_sim::checkers::zookeeper::znodes_are_consistent;
use kafka_sim::checkers::zookeeper::zookeeper_histories_agree;
use kafka_sim::checkers::{Judge, Property, Verdict};
use kafka_sim::model::{Modelled, Terms};
use kafka_sim::nodes::Effects;
use kafka_sim::nodes::zookeeper::{Config, Database, ZooKeeperServer};
use kafka_sim::substrate::WorldConfig;
use kafka_sim::vocab::step::Input;
use kafka_sim::vocab::{Clock, NodeId, Roster, Seed, Time, Zxid};

use super::client::Client;
use super::rules::Rules;
use crate::rig::{Rig, Role};

/// What is to hold of a ZooKeeper server whatever its clients are.
const ZOOKEEPER_PROPERTIES: [&Property; 8] = [
    &ephemerals_have_live_sessions::PROPERTY,
    &sessions_expire_only_when_silent::PROPERTY,
    &session_requests_are_in_order::PROPERTY,
    &znodes_are_consistent::PROPERTY,
    &watches_fire::PROPERTY,
    &one_zookeeper_leader_per_epoch::PROPERTY,
    &zookeeper_histories_agree::PROPERTY,
    &committed_transactions_are_durable::PROPERTY,
];

impl Role for Client {
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        Self::step(self, clock, input, effects);
    }
}

pub struct Ensemble {
    pub world: Rig<Rules>,
    pub servers: usize,
    clients: usize,
}

/// The servers' settings: small snapshots, so that they are taken, sent and read.
pub fn config(id: u8, servers: usize, tick_ms: u32) -> Config {
    let ensemble = (1..=servers as u8).map(|id| (id, NodeId(u16::from(id) - 1))).collect();
    Config {
        server_id: id,
        ensemble,
        tick_ms,
        snap_count: 60,
        snapshot_piece_bytes: 500,
        ..Config::default()
    }
}

impl Ensemble {
    pub fn new(servers: usize, clients: usize, seed: Seed) -> Self {
        Self::with_tick(servers, clients, seed, 500)
    }

    pub fn with_tick(servers: usize, clients: usize, seed: Seed, tick_ms: u32) -> Self {
        let mut roster = Roster::default();
        (1..=servers).for_each(|id| {
            roster.add(&format!("z{id}"));
        });
        (0..clients).for_each(|number| {
            roster.add(&format!("c{number}"));
        });
        let rules = Rules::new(servers, roster);
        let mut world = Rig::observed_by(rules, seed, WorldConfig::default());
        for id in 1..=servers as u8 {
            let mut lives = 0;
            let boot = move || {
                lives += 1;
                let stream = seed.stream(&format!("ZooKeeper/z{id}/{lives}"));
                ZooKeeperServer::new(config(id, servers, tick_ms), stream)
            };
            world.add(&format!("z{id}"), boot);
        }
        for number in 0..clients {
            let boot = move || {
                let nodes = (0..servers as u16).map(NodeId).collect();
                let name = format!("c{number}");
                let stream = seed.stream(&format!("client/{name}"));
                Client::new(&name, nodes, stream)
            };
            world.add(&format!("c{number}"), boot);
        }
        (0..(servers + clients) as u16).for_each(|node| _ = world.start(NodeId(node)));
        Self { world, servers, clients }
    }

    pub fn nodes(&self) -> usize {
        self.servers + self.clients
    }

    pub fn run(&mut self, ms: u64) {
        self.world.run_for(Duration::from_millis(ms));
    }

    pub fn crash(&mut self, server: u16) {
        self.world.crash(NodeId(server));
    }

    pub fn power_loss(&mut self, server: u16) {
        self.world.power_loss(NodeId(server));
    }

    pub fn pause(&mut self, server: u16) {
        self.world.pause(NodeId(server));
    }

    pub fn restart_all(&mut self) {
        for server in (0..self.servers as u16).map(NodeId) {
            self.world.resume(server);
            if !self.world.is_running(server) {
                self.world.restart(server);
            }
        }
    }

    /// Stops messages between two nodes: both ways, or one of them.
    pub fn cut(&mut self, one: u16, other: u16, way: u64) {
        let (one, other) = (NodeId(one), NodeId(other));
        if one != other && way != 1 {
            self.world.cut(one, other);
        }
        if one != other && way != 0 {
            self.world.cut(other, one);
        }
    }

    pub fn isolate(&mut self, server: u16, way: u64) {
        (0..self.servers as u16).for_each(|other| self.cut(server, other, way));
    }

    pub fn reset(&mut self, server: u16) {
        for other in (0..self.nodes() as u16).filter(|&other| other != server) {
            self.world.reset(NodeId(server), NodeId(other));
        }
    }

    pub fn heal_links(&mut self) {
        let nodes = self.nodes() as u16;
        for (one, other) in (0..nodes).flat_map(|one| (0..nodes).map(move |other| (one, other))) {
            if one != other {
                self.world.heal(NodeId(one), NodeId(other));
            }
        }
    }

    pub fn heal_all(&mut self) {
        self.heal_links();
        self.restart_all();
    }

    pub fn server(&self, server: u16) -> &ZooKeeperServer {
        self.world.role(NodeId(server))
    }

    pub fn client(&self, number: usize) -> &Client {
        self.world.role(NodeId((self.servers + number) as u16))
    }

    fn last_write(&self) -> Option<Time> {
        (0..self.clients).map(|number| self.client(number).known.last_write_at).min().flatten()
    }

    /// Lets time pass until every server serves and every client writes again; then stops the clients.
    pub fn come_to_rest(&mut self) {
        let healed = self.world.now();
        let everything_works = |ensemble: &Self| {
            let serve = (0..ensemble.servers as u16).all(|s| ensemble.server(s).serves());
            let connected = (0..ensemble.clients).all(|c| ensemble.client(c).is_connected());
            serve && connected && ensemble.last_write().is_some_and(|at| at > healed)
        };
        while !everything_works(self) {
            self.run(100);
            let waited = self.world.now().since(healed);
            if waited >= Duration::from_secs(130) {
                let serving: Vec<bool> =
                    (0..self.servers as u16).map(|s| self.server(s).serves()).collect();
                panic!("the ensemble does not recover: {serving:?}");
            }
        }
        for client in self.servers..self.nodes() {
            self.world.pause(NodeId(client as u16));
        }
        // Longer than a server takes to notice that it follows or leads no more.
        self.run(4_000);
        while !(0..self.servers as u16).all(|server| self.server(server).serves()) {
            self.run(100);
            assert!(self.world.now().since(healed) < Duration::from_secs(260), "some never serve");
        }
        self.run(1_000);
    }

    fn tree(state: &Database) -> (Vec<u8>, usize) {
        let mut comparable = state.clone();
        comparable.last_zxid = Zxid(0);
        (comparable.encode().to_vec(), state.tree.len())
    }

    /// The checkers of whole runs have nothing against what servers and clients observed.
    pub fn judge_history(mut self) {
        let end = self.world.now();
        let none = Modelled::new(Terms::default(), Judge::default());
        let judge = &mut self.world.observer_mut().judge;
        let Modelled { model, reader } = std::mem::replace(judge, none);
        let judgement = reader.finish(model, end);
        for property in ZOOKEEPER_PROPERTIES {
            let judged = judgement.find(property).expect("every property is judged");
            assert_eq!(judged.verdict, Verdict::Holds, "{}", property.name);
        }
    }

    /// All servers have the same state, and it has what was acknowledged to clients. Returns how many writes were.
    pub fn judge_end(&self) -> usize {
        let states: Vec<&Database> =
            (0..self.servers as u16).map(|s| self.server(s).state().expect("started")).collect();
        for state in &states {
            let (first, other) = (Self::tree(states[0]), Self::tree(state));
            assert_eq!(first.1, other.1, "{} and {}", states[0].last_zxid, state.last_zxid);
            assert!(first.0 == other.0, "two states in the end");
        }
        let (mut acknowledged, mut set) = (0, BTreeMap::new());
        for number in 0..self.clients {
            let known = &self.client(number).known;
            for (path, zxid) in &known.created {
                let znode = states[0].tree.get(path);
                let found = znode.map(|znode| znode.czxid);
                assert_eq!(found, Some(*zxid), "{path} was acknowledged");
                acknowledged += 1;
            }
            set.extend(known.set.iter().map(|(zxid, value)| (*zxid, *value)));
        }
        if let Some((zxid, _)) = set.last_key_value() {
            let shared = states[0].tree.get("/shared").expect("it was set");
            assert!(shared.mzxid >= *zxid, "a later value was overwritten by an earlier one");
        }
        acknowledged
    }
}
