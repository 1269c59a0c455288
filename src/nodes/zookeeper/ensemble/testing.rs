//! One server of an ensemble in the substrate's world: the test decides when its fsyncs end, and speaks for all the
//! other servers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::log::{Log, Rhythm};
use super::super::server::Running;
use super::super::step::Step;
use super::super::tree::Changes;
use super::super::txn::{Lifetime, Record, Txn};
use super::super::{Config, Database, Effects, ZooKeeperServer};
use super::peer::PeerRole;
use crate::nodes::testing::{Entry, Peer, Rig, steady};
use crate::vocab::step::{DiskImage, DiskRequest, Effect};
use crate::vocab::{ConnId, NodeId, Seed, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::Acl;
use crate::wire::zookeeper::ensemble::{MAX_ENSEMBLE_FRAME, Packet, ServerId};

/// Epoch and counter.
pub type At = (u32, u32);

pub const TICK_MS: u32 = 2_000;
pub const INIT_LIMIT: u32 = 10;
pub const SYNC_LIMIT: u32 = 5;
/// How long an fsync takes. Everything else that a test does takes less.
const FSYNC: Duration = Duration::from_millis(1);
/// More than it takes the test to bring a server to where a limit begins.
const SETUP: Duration = Duration::from_millis(100);

pub fn zxid((epoch, counter): At) -> Zxid {
    Zxid::new(epoch, counter)
}

fn at(zxid: Zxid) -> String {
    format!("{}.{}", zxid.0 >> 32, zxid.0 & 0xffff_ffff)
}

/// The transaction of this zxid; it creates a znode of that name.
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

/// The state after these transactions.
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

/// The server, and a peer that speaks for each of the others.
pub struct Server {
    rig: Rig,
    me: NodeId,
    /// Which peer has a connection.
    ends: BTreeMap<ConnId, NodeId>,
    /// How much of the rig's journal was asked for already.
    asked: usize,
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

fn node(id: ServerId) -> NodeId {
    NodeId(u16::from(id) - 1)
}

impl Server {
    /// Server `me` of `count`, with this log and these epochs on its disk; it looks for a leader.
    pub fn new(me: ServerId, count: u8, log: &[At], accepted: u32, current: u32) -> Self {
        let config = Config {
            server_id: me,
            ensemble: (1..=count).map(|id| (id, node(id))).collect(),
            tick_ms: TICK_MS,
            init_limit: INIT_LIMIT,
            sync_limit: SYNC_LIMIT,
            ..Config::default()
        };
        let mut world = steady(Duration::from_micros(1));
        world.disk.fsync = FSYNC..=FSYNC;
        let mut rig = Rig::new(world);
        for id in 1..=count {
            let name = format!("z{id}");
            if id == me {
                let config = config.clone();
                let boot =
                    move || ZooKeeperServer::new(config.clone(), Seed(1).stream("zookeeper"));
                rig.run_with_disk(&name, image(log, accepted, current), boot);
            } else {
                rig.run(&name, Peer::default);
            }
        }
        let mut server = Self { rig, me: node(me), ends: BTreeMap::new(), asked: 0 };
        server.sync();
        server.happened();
        server
    }

    pub fn zookeeper(&self) -> &ZooKeeperServer {
        self.rig.role(self.me)
    }

    pub fn now(&self) -> Time {
        self.rig.now()
    }

    /// Lets arrive what is under way.
    fn settle(&mut self) {
        self.rig.run_for(Duration::from_micros(10));
    }

    /// A step of something that no input begins.
    pub fn with(&mut self, act: impl FnOnce(&mut Running, &mut Step<'_>)) {
        self.rig.act(self.me, |server: &mut ZooKeeperServer, clock, fx| {
            let ZooKeeperServer { config, stream, routes, running } = server;
            let running = running.as_mut().expect("it runs");
            let mut at = Step { clock, config, stream, fx, routes };
            act(running, &mut at);
            running.settle(&mut at);
        });
        self.settle();
    }

    /// Lets the oldest fsync end.
    pub fn sync_one(&mut self) {
        assert!(self.rig.end_fsync(self.me), "an fsync is under way");
        self.rig.run_for(Duration::from_micros(5));
    }

    pub fn is_at_rest(&self) -> bool {
        let (began, ended) = self.rig.fsyncs(self.me);
        began == ended
    }

    /// Lets all fsyncs end.
    pub fn sync(&mut self) {
        while !self.is_at_rest() {
            self.sync_one();
        }
    }

    /// Lets time pass.
    pub fn pass_until(&mut self, until: Time) {
        self.rig.run_to(until);
    }

    /// Another server's process ends: what connects to it is refused.
    pub fn stop(&mut self, id: ServerId) {
        self.rig.crash(node(id));
    }

    /// Another server connects.
    pub fn accept(&mut self, from: ServerId) -> ConnId {
        let conn = self.rig.connect(node(from), self.me);
        self.ends.insert(conn, node(from));
        self.settle();
        conn
    }

    /// The connection that this server asked for last.
    pub fn reached(&mut self) -> ConnId {
        let (conn, to) = *self.connects().last().expect("a connection was asked for");
        self.ends.insert(conn, to);
        conn
    }

    /// The connections that this server asked for, and their other ends.
    pub fn connects(&self) -> Vec<(ConnId, NodeId)> {
        let mine = self.rig.journal().iter().filter(|(_, node, _)| *node == self.me);
        let connects = mine.filter_map(|(_, _, entry)| match entry {
            Entry::Connecting { conn, to } => Some((*conn, *to)),
            _ => None,
        });
        connects.collect()
    }

    /// Whether this server closed a connection.
    pub fn closed(&self, conn: ConnId) -> bool {
        let is_it = |entry: &Entry| matches!(entry, Entry::Closing(closed) if *closed == conn);
        self.rig.journal().iter().any(|(_, node, entry)| *node == self.me && is_it(entry))
    }

    pub fn has_exited(&self) -> bool {
        !self.rig.is_running(self.me)
    }

    /// Another server sends a packet on its connection.
    pub fn say(&mut self, conn: ConnId, packet: &Packet) {
        if self.rig.closed(self.ends[&conn], conn).is_none() {
            self.rig.send(self.ends[&conn], conn, packet.encode());
        }
        self.settle();
    }

    /// What happened since this was asked last: fsyncs that began and ended, and packets that reached others.
    pub fn happened(&mut self) -> Vec<String> {
        let journal = self.rig.journal();
        let mut names = Vec::new();
        let mut happened = Vec::new();
        for (at, (_, node, entry)) in journal.iter().enumerate() {
            let line = match entry {
                Entry::Fsync { op, file } if *node == self.me => {
                    let name = file.as_deref().unwrap_or("names");
                    names.push((*op, name.to_owned()));
                    vec![format!("fsyncs {name}")]
                }
                Entry::FsyncDone(op) if *node == self.me => {
                    let name = names.iter().find(|(begun, _)| begun == op);
                    vec![format!("has {}", name.expect("it began").1)]
                }
                Entry::Delivered { conn, bytes, .. } if self.ends.get(conn) == Some(node) => {
                    let mut frames = Frames::new(MAX_ENSEMBLE_FRAME);
                    frames.push(bytes.clone());
                    let next = || frames.pop().expect("a frame");
                    let packets = std::iter::from_fn(next).map(Packet::decode);
                    packets
                        .map(|packet| format!("sends {}", brief(&packet.expect("a packet"))))
                        .collect()
                }
                _ => continue,
            };
            if at >= self.asked {
                happened.extend(line);
            }
        }
        self.asked = journal.len();
        happened
    }

    /// What of that was sent, but for pings.
    pub fn sent(&mut self) -> Vec<String> {
        let sent = |line: String| line.strip_prefix("sends ").map(str::to_owned);
        self.happened().into_iter().filter_map(sent).filter(|line| line != "ping").collect()
    }

    /// Whether it neither leads nor follows.
    pub fn looks(&self) -> bool {
        let running = self.zookeeper().running.as_ref().expect("it runs");
        let peer = running.quorum.peer.as_ref().expect("of an ensemble");
        matches!(peer.role, PeerRole::Settling | PeerRole::Looking(_))
    }

    pub fn after(&self, ticks: u32) -> Time {
        self.now() + Duration::from_millis(u64::from(TICK_MS * ticks))
    }

    /// A limit of so many ticks began a moment ago: it has not passed shortly before its end, and has at its end.
    pub fn gives_up_after(&mut self, ticks: u32, what: &str) {
        let end = self.after(ticks);
        self.pass_until(Time(end.0 - SETUP.as_nanos() as u64));
        assert!(!self.looks(), "{what}: too early");
        self.pass_until(end);
        assert!(self.looks(), "{what}: too late");
    }
}
