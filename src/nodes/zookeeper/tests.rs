//! A server in the substrate's world, and one peer that plays all its clients. The test decides when fsyncs end.

mod crashes;
mod errors;
mod server;
mod words;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::history::{Observation, ZooKeeperObservation};
use crate::nodes::testing::{Entry, Peer, Rig, steady};
use crate::vocab::step::{DiskRequest, FileName};
use crate::vocab::{ConnId, NodeId, Seed, Stream, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::{
    Acl, AddWatchMode, Code, ConnectRequest, ConnectResponse, Create, Delete, MAX_FRAME, MultiOp,
    MultiResult, Reply, ReplyHeader, Request, SetData, VersionCheck, WatchedEvent, op, xid,
};

const TICK_MS: u32 = 1_000;

/// How long an fsync takes. Everything else that a test does takes less.
const FSYNC: Duration = Duration::from_micros(200);
const SERVER: NodeId = NodeId(0);
const CLIENT: NodeId = NodeId(1);
/// Nodes that do not run.
const ABSENT: std::ops::Range<u16> = 2..4;

/// A server whose fsyncs end when the test says so or time passes, and its clients.
struct Harness {
    rig: Rig,
}

impl Harness {
    fn new() -> Self {
        Self::seeded(Seed(1))
    }

    /// The seed says what a power loss takes.
    fn seeded(seed: Seed) -> Self {
        let config = Config {
            tick_ms: TICK_MS,
            extended_types: true,
            snap_count: 10,
            snapshot_piece_bytes: 100,
            ..Config::default()
        };
        Self::build(seed, config)
    }

    fn of(config: Config) -> Self {
        Self::build(Seed(1), config)
    }

    fn build(seed: Seed, config: Config) -> Self {
        let mut world = steady(Duration::from_micros(1));
        world.disk.fsync = FSYNC..=FSYNC;
        let mut rig = Rig::seeded(seed, world);
        let stream = || Seed(1).stream("ZooKeeper/c1");
        rig.add("c1", move || ZooKeeperServer::new(config.clone(), stream()));
        rig.run("client", Peer::default);
        // Where the other servers of an ensemble would be.
        ABSENT.for_each(|node| _ = rig.add(&format!("absent {node}"), Peer::default));
        rig.start(SERVER);
        let mut harness = Self { rig };
        harness.sync();
        harness
    }

    /// Lets arrive what is under way.
    fn settle(&mut self) {
        self.rig.run_for(Duration::from_micros(5));
    }

    /// The process dies and comes back: the page cache stays, or only what is on the platter.
    fn restart(&mut self, platter_only: bool) {
        if platter_only {
            let disk = self.rig.disk(SERVER);
            let kept = |file: FileName| match disk.platter(&file) {
                Some(kept) => DiskRequest::Write { file, bytes: kept.flatten(0).into() },
                None => DiskRequest::Delete { file },
            };
            let edits: Vec<_> = disk.image().into_keys().map(kept).collect();
            edits.into_iter().for_each(|edit| self.edit(edit));
        }
        self.rig.restart(SERVER);
    }

    /// The host loses power, and with it any part of what is not on the platter; then the process comes back.
    fn lose_power(&mut self) {
        self.rig.power_loss(SERVER);
        self.rig.start(SERVER);
    }

    /// Changes a file behind the server's back.
    fn edit(&mut self, request: DiskRequest) {
        self.rig.act(SERVER, |_: &mut ZooKeeperServer, _, fx| _ = fx.disk(request));
    }

    fn server(&self) -> &ZooKeeperServer {
        self.rig.role(SERVER)
    }

    /// How many fsyncs are under way.
    fn fsyncs(&self) -> usize {
        let (began, ended) = self.rig.fsyncs(SERVER);
        began - ended
    }

    /// Lets the oldest fsync end.
    fn sync_one(&mut self) {
        assert!(self.rig.end_fsync(SERVER), "an fsync is under way");
        self.settle();
    }

    fn sync(&mut self) {
        while self.fsyncs() > 0 {
            self.sync_one();
        }
    }

    /// What the server observed so far.
    fn observed(&self) -> Vec<ZooKeeperObservation> {
        let seen = self.rig.observations().filter_map(|(_, _, observation)| match observation {
            Observation::ZooKeeper(seen) => Some(seen.clone()),
            _ => None,
        });
        seen.collect()
    }

    /// The connections that the server closed, in order.
    fn closed(&self) -> Vec<ConnId> {
        let closed = self.rig.journal().iter().filter_map(|(_, node, entry)| match entry {
            Entry::Closing(conn) if *node == SERVER => Some(*conn),
            _ => None,
        });
        closed.collect()
    }

    fn accept(&mut self) -> ConnId {
        let conn = self.rig.connect(CLIENT, SERVER);
        self.settle();
        conn
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.rig.send(CLIENT, conn, bytes);
        self.settle();
    }

    /// The client closes a connection.
    fn hang_up(&mut self, conn: ConnId) {
        self.rig.hang_up(CLIENT, conn);
        self.settle();
    }

    fn greet(&mut self, conn: ConnId, session: i64, password: Option<Bytes>) {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 4_000,
            session,
            password,
            read_only: None,
        };
        self.send(conn, request.encode());
    }

    fn greeted(&mut self, conn: ConnId) -> ConnectResponse {
        ConnectResponse::decode(self.frames(conn).remove(0)).unwrap()
    }

    /// A connection with a new session.
    fn attach(&mut self) -> (ConnId, ConnectResponse) {
        let conn = self.accept();
        self.greet(conn, 0, None);
        self.sync();
        let response = self.greeted(conn);
        (conn, response)
    }

    fn frames(&mut self, conn: ConnId) -> Vec<Bytes> {
        let mut frames = Frames::new(MAX_FRAME);
        frames.push(self.rig.take(CLIENT, conn));
        std::iter::from_fn(|| frames.pop().unwrap()).collect()
    }

    /// What arrived: events by kind and path, replies by xid and code.
    fn arrivals(&mut self, conn: ConnId) -> Vec<String> {
        let text = |payload: Bytes| {
            let mut from = Reader::new(payload);
            let header = ReplyHeader::decode(&mut from).unwrap();
            if header.xid == xid::EVENT {
                let event = WatchedEvent::decode(&mut from).unwrap();
                return format!("{:?} {}", event.kind, event.path);
            }
            format!("{} {}", header.xid, header.code.name())
        };
        self.frames(conn).into_iter().map(text).collect()
    }

    fn ask(&mut self, conn: ConnId, xid: i32, request: &Request) {
        self.send(conn, request.encode(xid));
    }

    fn call(&mut self, conn: ConnId, request: &Request) -> Result<Reply, Code> {
        self.ask(conn, 1, request);
        self.sync();
        let mut from = Reader::new(self.frames(conn).pop().unwrap());
        let header = ReplyHeader::decode(&mut from).unwrap();
        if header.code == Code::OK {
            Ok(Reply::decode(request.op(), &mut from).unwrap())
        } else {
            Err(header.code)
        }
    }

    /// Lets time pass.
    fn pass(&mut self, ms: u64) {
        self.rig.run_for(Duration::from_millis(ms));
    }

    fn state(&self) -> &Database {
        self.server().state().unwrap()
    }
}

fn create(path: &str) -> Request {
    Request::Create(Create::persistent(path, None))
}

fn ephemeral(path: &str) -> Request {
    Request::Create(Create::ephemeral(path, None))
}

fn exists(path: &str, watch: bool) -> Request {
    Request::Exists { path: path.into(), watch }
}

fn children(path: &str) -> Request {
    Request::GetChildren { path: path.into(), watch: true }
}
