//! A ZooKeeper server, alone or an ensemble of three, with disks and a clock, and a network that takes no time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kafka_sim::nodes::zookeeper::{Config, Effects, ZooKeeperServer};
use kafka_sim::vocab::step::{Closed, DiskImage, DiskRequest, Effect, FileName, Input};
use kafka_sim::vocab::{Clock, ConnId, DiskOpId, NodeId, Seed, Time, TimerId};

/// The wall clock at the beginning, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_795_357_676_000;
/// The node of the first server of an ensemble.
const FIRST_NODE: u16 = 100;

/// The node of all clients.
const CLIENT: NodeId = NodeId(1);

/// What a client has of a connection.
#[derive(Default)]
struct Line {
    arrived: Vec<u8>,
    closed: bool,
}

struct Server {
    config: Config,
    zookeeper: ZooKeeperServer,
    timers: BTreeMap<(Time, TimerId), u64>,
    files: BTreeMap<FileName, Vec<u8>>,
}

pub struct World {
    servers: Vec<Server>,
    /// The server that clients connect to.
    home: usize,
    fx: Effects,
    pub now: Time,
    lines: BTreeMap<ConnId, Line>,
    /// Connections between servers.
    between: BTreeMap<ConnId, (usize, usize)>,
    /// A server that no other reaches.
    isolated: Option<usize>,
    accepted: u64,
}

fn config(index: u8, servers: u8) -> Config {
    let node = |index: u8| (index + 1, NodeId(FIRST_NODE + u16::from(index)));
    // A snapshot every 50 transactions, so that the recovery at the end reads one.
    Config {
        server_id: index + 1,
        ensemble: if servers == 1 { BTreeMap::new() } else { (0..servers).map(node).collect() },
        tick_ms: 2_000,
        extended_types: true,
        snap_count: 50,
        snapshot_piece_bytes: 1_000,
        outside: Some(CLIENT),
        ..Config::default()
    }
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
        assert!(world.servers.iter().all(|server| server.zookeeper.serves()));
        world
    }

    /// Breaks the connections of a server with the others, and lets no new ones come about.
    pub fn isolate(&mut self, server: usize) {
        self.isolated = Some(server);
        let of_server = |ends: &(usize, usize)| ends.0 == server || ends.1 == server;
        let broken: Vec<_> = self.between.extract_if(.., |_, ends| of_server(ends)).collect();
        for (conn, (one, two)) in broken {
            self.step_one(one, Input::Closed { conn, why: Closed::Reset });
            self.step_one(two, Input::Closed { conn, why: Closed::Reset });
        }
    }

    /// Connections between all servers come about again.
    pub fn reunite(&mut self) {
        self.isolated = None;
    }

    /// What is sent from now on goes to this server.
    pub fn turn_to(&mut self, server: usize) {
        self.home = server;
    }

    fn of(count: u8, adjust: impl Fn(Config) -> Config) -> Self {
        let server = |index: u8| {
            let config = adjust(config(index, count));
            let stream = Seed(1).stream("ZooKeeper/test");
            let zookeeper = ZooKeeperServer::new(config.clone(), stream);
            Server { config, zookeeper, timers: BTreeMap::new(), files: BTreeMap::new() }
        };
        let mut world = Self {
            servers: (0..count).map(server).collect(),
            home: 0,
            fx: Effects::default(),
            now: Time::from_millis(1),
            lines: BTreeMap::new(),
            between: BTreeMap::new(),
            isolated: None,
            accepted: 0,
        };
        for server in 0..usize::from(count) {
            world.step_one(server, Input::Start(DiskImage::new()));
        }
        world
    }

    /// What a server says to a word of four letters.
    pub fn ask(&mut self, server: usize, word: &'static str) -> String {
        self.turn_to(server);
        let conn = self.accept();
        self.send(conn, Bytes::from_static(word.as_bytes()));
        String::from_utf8(self.take(conn).to_vec()).expect("text")
    }

    pub fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: EPOCH_MS + self.now.as_millis() as i64 }
    }

    fn step(&mut self, input: Input) {
        self.step_one(self.home, input);
    }

    fn step_one(&mut self, server: usize, input: Input) {
        let clock = self.clock();
        let mut inputs = VecDeque::from([(server, input)]);
        while let Some((server, input)) = inputs.pop_front() {
            self.servers[server].zookeeper.step(clock, input, &mut self.fx);
            let effects: Vec<_> = self.fx.drain().collect();
            for effect in effects {
                self.play(server, effect, &mut inputs);
            }
        }
    }

    fn play<O: std::fmt::Debug>(
        &mut self,
        server: usize,
        effect: Effect<O>,
        inputs: &mut VecDeque<(usize, Input)>,
    ) {
        let other = |(one, two): (usize, usize)| if one == server { two } else { one };
        match effect {
            Effect::Send { conn, bytes } => match self.between.get(&conn) {
                Some(ends) => inputs.push_back((other(*ends), Input::Received { conn, bytes })),
                None => self.lines.entry(conn).or_default().arrived.extend(&bytes),
            },
            Effect::Close(conn) => match self.between.remove(&conn) {
                Some(ends) => {
                    let why = Closed::Eof;
                    inputs.push_back((other(ends), Input::Closed { conn, why }));
                }
                None => self.lines.entry(conn).or_default().closed = true,
            },
            Effect::Connect { conn, to } => {
                let (to, peer) = (usize::from(to.0 - FIRST_NODE), FIRST_NODE + server as u16);
                if self.isolated.is_some_and(|lonely| lonely == to || lonely == server) {
                    let why = Closed::Refused;
                    return inputs.push_back((server, Input::Closed { conn, why }));
                }
                self.between.insert(conn, (server, to));
                inputs.push_back((to, Input::Accepted { conn, peer: NodeId(peer) }));
                inputs.push_back((server, Input::Opened(conn)));
            }
            Effect::SetTimer { id, at, token } => {
                self.servers[server].timers.insert((at, id), token);
            }
            Effect::CancelTimer(id) => {
                self.servers[server].timers.retain(|(_, timer), _| *timer != id);
            }
            Effect::Disk { op, request } => {
                let done = self.servers[server].disk(op, request);
                inputs.extend(done.map(|done| (server, done)));
            }
            Effect::Observe(_) => {}
            Effect::Exit => panic!("{effect:?}"),
        }
    }

    /// A new connection.
    pub fn accept(&mut self) -> ConnId {
        self.accepted += 1;
        let conn = ConnId((1 << 32) + self.accepted);
        self.lines.insert(conn, Line::default());
        self.step(Input::Accepted { conn, peer: CLIENT });
        conn
    }

    pub fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.step(Input::Received { conn, bytes });
    }

    /// The client's side breaks the connection.
    pub fn drop_connection(&mut self, conn: ConnId) {
        self.lines.remove(&conn);
        self.step(Input::Closed { conn, why: Closed::Reset });
    }

    /// What arrived at the client since it was asked last.
    pub fn take(&mut self, conn: ConnId) -> Bytes {
        self.lines
            .get_mut(&conn)
            .map(|line| std::mem::take(&mut line.arrived))
            .unwrap_or_default()
            .into()
    }

    /// Whether the server closed the connection.
    pub fn is_closed(&self, conn: ConnId) -> bool {
        self.lines.get(&conn).is_none_or(|line| line.closed)
    }

    /// Lets time pass, and the server's timers that become due.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            let next = |(index, server): (usize, &Server)| {
                server.timers.first_key_value().map(|(due, token)| (*due, index, *token))
            };
            let due = self.servers.iter().enumerate().filter_map(next).min();
            let Some(((at, id), server, token)) = due.filter(|((at, _), ..)| *at <= end) else {
                break;
            };
            self.servers[server].timers.remove(&(at, id));
            self.now = at.max(self.now);
            self.step_one(server, Input::Timer { id, token });
        }
        self.now = end;
    }

    /// A process that starts from this disk has the same state.
    pub fn recovers_to_the_same_state(&self) {
        let Server { config, zookeeper, files, .. } = &self.servers[self.home];
        assert!(files.keys().any(|name| name.starts_with("snapshot.")), "no snapshot was taken");
        let piece = |bytes: &Vec<u8>| bytes.clone().into();
        let image = files.iter().map(|(name, bytes)| (name.clone(), piece(bytes))).collect();
        let mut again = ZooKeeperServer::new(config.clone(), Seed(2).stream("ZooKeeper/test"));
        again.step(self.clock(), Input::Start(image), &mut Effects::default());
        let (before, after) = (zookeeper.state(), again.state());
        assert_eq!(before.map(|state| state.digest()), after.map(|state| state.digest()));
        assert!(before.is_some());
    }
}

impl Server {
    fn disk(&mut self, op: DiskOpId, request: DiskRequest) -> Option<Input> {
        match request {
            DiskRequest::Append { file, bytes } => {
                self.files.entry(file).or_default().extend(bytes.bytes());
            }
            DiskRequest::Write { file, bytes } => {
                self.files.insert(file, bytes.to_vec());
            }
            DiskRequest::Rename { from, to } => {
                let content = self.files.remove(&from).expect("a file to rename");
                self.files.insert(to, content);
            }
            DiskRequest::Delete { file } => {
                self.files.remove(&file);
            }
            DiskRequest::Truncate { file, len } => {
                self.files.get_mut(&file).expect("a file to cut").truncate(len as usize);
            }
            DiskRequest::Fsync { .. } | DiskRequest::FsyncDirectory => {
                return Some(Input::DiskDone(op));
            }
        }
        None
    }
}
