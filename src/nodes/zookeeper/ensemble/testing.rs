//! One server of an ensemble, for tests: the test is its disk, its clock and all the other servers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::log::{Log, Rhythm};
use super::super::server::Running;
use super::super::step::Step;
use super::super::tree::Changes;
use super::super::txn::{Lifetime, Record, Txn};
use super::super::{Config, Database, Effects, ZooKeeperServer};
use super::peer::PeerRole;
use crate::history::Observation;
use crate::vocab::step::{DiskImage, DiskRequest, Effect, Input};
use crate::vocab::{Clock, ConnId, DiskOpId, NodeId, Seed, Time, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::Acl;
use crate::wire::zookeeper::ensemble::{MAX_ENSEMBLE_FRAME, Packet, ServerId};

/// Epoch and counter.
pub type At = (u32, u32);

pub const TICK_MS: u32 = 2_000;
pub const INIT_LIMIT: u32 = 10;
pub const SYNC_LIMIT: u32 = 5;

pub fn zxid((epoch, counter): At) -> Zxid {
    Zxid::new(epoch, counter)
}

fn at(zxid: Zxid) -> String {
    format!("{}.{}", zxid.0 >> 32, zxid.0 & 0xffff_ffff)
}

/// The transaction that stands there: it creates a znode that is called after it.
pub fn txn((epoch, counter): At) -> Txn {
    let record = Record::Create {
        path: format!("/{epoch}.{counter}").into(),
        data: None,
        acl: Acl::open(),
        lifetime: Lifetime::Persistent,
        parent_creates: counter as i32,
    };
    Txn { session: 1, cxid: 1, zxid: zxid((epoch, counter)), time_ms: 1, record }
}

/// What these transactions come to.
pub fn state(log: &[At]) -> Database {
    let mut state = Database::default();
    for place in log {
        state.apply(&txn(*place), &mut Changes::new());
    }
    state
}

/// A message in a few words.
pub fn brief(packet: &Packet) -> String {
    match packet {
        Packet::FollowerInfo { accepted_epoch, .. } => {
            format!("follower, accepted {accepted_epoch}")
        }
        Packet::LeaderInfo { epoch } => format!("epoch {epoch}"),
        Packet::AckEpoch { current_epoch: Some(epoch), last_zxid, .. } => {
            format!("ack epoch, current {epoch}, last {}", at(*last_zxid))
        }
        Packet::AckEpoch { last_zxid, .. } => format!("ack epoch again, last {}", at(*last_zxid)),
        Packet::Diff { zxid } => format!("diff {}", at(*zxid)),
        Packet::Trunc { zxid } => format!("trunc {}", at(*zxid)),
        Packet::Snap { zxid, .. } => format!("snap {}", at(*zxid)),
        Packet::NewLeader { epoch } => format!("new leader {epoch}"),
        Packet::Proposal { zxid, .. } => format!("proposal {}", at(*zxid)),
        Packet::Commit { zxid } => format!("commit {}", at(*zxid)),
        Packet::Ack { zxid } => format!("ack {}", at(*zxid)),
        Packet::UpToDate => "up to date".into(),
        Packet::Ping { .. } => "ping".into(),
        other => format!("{other:?}"),
    }
}

pub fn proposal(place: At) -> Packet {
    Packet::Proposal { zxid: zxid(place), txn: txn(place).encode() }
}

pub fn commit(place: At) -> Packet {
    Packet::Commit { zxid: zxid(place) }
}

pub fn ack(place: At) -> Packet {
    Packet::Ack { zxid: zxid(place) }
}

pub fn ping() -> Packet {
    Packet::Ping { zxid: Zxid(0), touched: Vec::new() }
}

/// The server.
pub struct Server {
    pub zookeeper: ZooKeeperServer,
    fx: Effects,
    pub now: Time,
    fsyncs: VecDeque<(DiskOpId, String)>,
    timers: BTreeMap<(Time, TimerId), u64>,
    /// Learner connections, and what arrived on them.
    peers: BTreeMap<ConnId, Frames>,
    pub connects: Vec<(ConnId, NodeId)>,
    pub closed: BTreeSet<ConnId>,
    pub exited: bool,
    /// What was asked of the disk, what the disk has done, and what was sent on learner connections, in order.
    pub journal: Vec<String>,
    conns: u64,
}

fn image(log: &[At], accepted: u32, current: u32) -> DiskImage {
    let mut fx = Effects::default();
    let rhythm =
        Rhythm { snap_count: 1_000, piece_bytes: 1_000, stream: Seed(1).stream("snapshots") };
    let mut written = Log::recover(&DiskImage::new(), rhythm, &mut fx).expect("empty").log;
    log.iter().for_each(|place| written.append(zxid(*place), &txn(*place).encode()));
    written.flush(&mut fx);
    let mut image = DiskImage::new();
    for effect in fx.drain() {
        if let Effect::Disk { request: DiskRequest::Append { file, bytes }, .. } = effect {
            image.entry(file).or_default().append(bytes);
        }
    }
    for (name, epoch) in [("acceptedEpoch", accepted), ("currentEpoch", current)] {
        image.insert(name.into(), epoch.to_string().into_bytes().into());
    }
    image
}

impl Server {
    /// Server `me` of `count`, with this log and these epochs on its disk; it looks for a leader.
    pub fn new(me: ServerId, count: u8, log: &[At], accepted: u32, current: u32) -> Self {
        let config = Config {
            server_id: me,
            ensemble: (1..=count).map(|id| (id, NodeId(id.into()))).collect(),
            tick_ms: TICK_MS,
            init_limit: INIT_LIMIT,
            sync_limit: SYNC_LIMIT,
            ..Config::default()
        };
        let mut server = Self {
            zookeeper: ZooKeeperServer::new(config, Seed(1).stream("zookeeper")),
            fx: Effects::default(),
            now: Time::ZERO,
            fsyncs: VecDeque::new(),
            timers: BTreeMap::new(),
            peers: BTreeMap::new(),
            connects: Vec::new(),
            closed: BTreeSet::new(),
            exited: false,
            journal: Vec::new(),
            conns: 1 << 32,
        };
        server.step(Input::Start(image(log, accepted, current)));
        server.sync();
        server.journal.clear();
        server
    }

    fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: 1_000_000 }
    }

    pub fn step(&mut self, input: Input) {
        self.zookeeper.step(self.clock(), input, &mut self.fx);
        self.play();
    }

    /// A step of something that no input begins.
    pub fn with(&mut self, act: impl FnOnce(&mut Running, &mut Step<'_>)) {
        let clock = self.clock();
        let ZooKeeperServer { config, stream, routes, running } = &mut self.zookeeper;
        let running = running.as_mut().expect("it runs");
        let mut at = Step { clock, config, stream, fx: &mut self.fx, routes };
        act(running, &mut at);
        running.settle(&mut at);
        self.play();
    }

    fn play(&mut self) {
        let effects: Vec<Effect<Observation>> = self.fx.drain().collect();
        for effect in effects {
            match effect {
                Effect::Connect { conn, to } => self.connects.push((conn, to)),
                Effect::Send { conn, bytes } => {
                    let Some(frames) = self.peers.get_mut(&conn) else { continue };
                    frames.push(bytes);
                    while let Some(payload) = frames.pop().expect("a frame") {
                        let packet = Packet::decode(payload).expect("a packet");
                        self.journal.push(format!("sends {}", brief(&packet)));
                    }
                }
                Effect::Close(conn) => {
                    self.closed.insert(conn);
                }
                Effect::SetTimer { id, at, token } => {
                    self.timers.insert((at, id), token);
                }
                Effect::CancelTimer(id) => self.timers.retain(|(_, timer), _| *timer != id),
                Effect::Disk { op, request: DiskRequest::Fsync { file } } => {
                    self.journal.push(format!("fsyncs {file}"));
                    self.fsyncs.push_back((op, file.to_string()));
                }
                Effect::Disk { op, request: DiskRequest::FsyncDirectory } => {
                    self.journal.push("fsyncs names".into());
                    self.fsyncs.push_back((op, "names".into()));
                }
                Effect::Exit => self.exited = true,
                Effect::Disk { .. } | Effect::Observe(_) => {}
            }
        }
    }

    /// Lets the oldest fsync end.
    pub fn sync_one(&mut self) {
        let (op, name) = self.fsyncs.pop_front().expect("an fsync");
        self.journal.push(format!("has {name}"));
        self.step(Input::DiskDone(op));
    }

    pub fn is_at_rest(&self) -> bool {
        self.fsyncs.is_empty()
    }

    /// Lets all fsyncs end.
    pub fn sync(&mut self) {
        while !self.is_at_rest() {
            self.sync_one();
        }
    }

    /// Lets time pass, with all its timers.
    pub fn pass_until(&mut self, until: Time) {
        while let Some((&(at, id), &token)) = self.timers.first_key_value()
            && at <= until
        {
            self.timers.remove(&(at, id));
            self.now = self.now.max(at);
            self.step(Input::Timer { id, token });
        }
        self.now = self.now.max(until);
    }

    /// Another server's connection.
    pub fn accept(&mut self, from: ServerId) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.peers.insert(conn, Frames::new(MAX_ENSEMBLE_FRAME));
        self.step(Input::Accepted { conn, peer: NodeId(from.into()) });
        conn
    }

    /// The connection that this server asked for last stands.
    pub fn open(&mut self) -> ConnId {
        let (conn, _) = *self.connects.last().expect("a connection was asked for");
        self.peers.insert(conn, Frames::new(MAX_ENSEMBLE_FRAME));
        self.step(Input::Opened(conn));
        conn
    }

    pub fn say(&mut self, conn: ConnId, packet: &Packet) {
        self.step(Input::Received { conn, bytes: packet.encode() });
    }

    /// What happened since this was asked last.
    pub fn happened(&mut self) -> Vec<String> {
        std::mem::take(&mut self.journal)
    }

    /// What of that was sent, but for pings.
    pub fn sent(&mut self) -> Vec<String> {
        let sent = |line: String| line.strip_prefix("sends ").map(str::to_owned);
        self.happened().into_iter().filter_map(sent).filter(|line| line != "ping").collect()
    }

    /// Whether it neither leads nor follows.
    pub fn looks(&self) -> bool {
        let running = self.zookeeper.running.as_ref().expect("it runs");
        let peer = running.quorum.peer.as_ref().expect("of an ensemble");
        matches!(peer.role, PeerRole::Settling | PeerRole::Looking(_))
    }

    pub fn after(&self, ticks: u32) -> Time {
        self.now + std::time::Duration::from_millis(u64::from(TICK_MS * ticks))
    }
}
