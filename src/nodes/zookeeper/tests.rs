//! A server with a disk and a clock that only the test moves, and the tests of the whole of it.

mod crashes;
mod errors;
mod server;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::step::{Closed, DiskRequest, Effect, FileName, Input};
use crate::vocab::{Clock, ConnId, DiskOpId, NodeId, Seed, Stream, Time, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::{
    Acl, AddWatchMode, Code, ConnectRequest, ConnectResponse, Create, Delete, MAX_FRAME, MultiOp,
    MultiResult, Reply, ReplyHeader, Request, SetData, VersionCheck, WatchedEvent, op, xid,
};

const TICK_MS: u32 = 1_000;

/// A server with a disk whose fsyncs end when the test says so.
struct Harness {
    config: Config,
    server: ZooKeeperServer,
    fx: Effects,
    now: Time,
    cache: BTreeMap<FileName, Vec<u8>>,
    platter: BTreeMap<FileName, Vec<u8>>,
    fsyncs: Vec<(DiskOpId, Option<FileName>)>,
    timers: BTreeMap<(Time, TimerId), u64>,
    arrived: BTreeMap<ConnId, Bytes>,
    closed: Vec<ConnId>,
    observed: Vec<ZooKeeperObservation>,
    exited: bool,
    conns: u64,
}

fn new_server(config: &Config) -> ZooKeeperServer {
    ZooKeeperServer::new(config.clone(), Seed(1).stream("ZooKeeper/c1"))
}

impl Harness {
    fn new() -> Self {
        Self::of(Config {
            tick_ms: TICK_MS,
            extended_types: true,
            snap_count: 10,
            snapshot_piece_bytes: 100,
            ..Config::default()
        })
    }

    fn of(config: Config) -> Self {
        let mut harness = Self {
            server: new_server(&config),
            config,
            fx: Effects::default(),
            now: Time::ZERO,
            cache: BTreeMap::new(),
            platter: BTreeMap::new(),
            fsyncs: Vec::new(),
            timers: BTreeMap::new(),
            arrived: BTreeMap::new(),
            closed: Vec::new(),
            observed: Vec::new(),
            exited: false,
            conns: 1 << 32,
        };
        harness.start();
        harness.sync();
        harness
    }

    fn start(&mut self) {
        let pieces = |bytes: &Vec<u8>| bytes.clone().into();
        let image = self.cache.iter().map(|(name, bytes)| (name.clone(), pieces(bytes))).collect();
        self.step(Input::Start(image));
    }

    /// The process dies and comes back: the page cache stays, or (power loss) only the platter.
    fn restart(&mut self, power_loss: bool) {
        if power_loss {
            self.cache = self.platter.clone();
        }
        let server = new_server(&self.config);
        (self.server, self.fsyncs, self.timers) = (server, Vec::new(), BTreeMap::new());
        self.start();
    }

    fn step(&mut self, input: Input) {
        let clock = Clock { now: self.now, wall_ms: 1_000_000 + self.now.as_millis() as i64 };
        self.server.step(clock, input, &mut self.fx);
        let effects: Vec<_> = self.fx.drain().collect();
        for effect in effects {
            match effect {
                Effect::Send { conn, bytes } => {
                    let before = self.arrived.remove(&conn).unwrap_or_default();
                    self.arrived.insert(conn, [before, bytes].concat().into());
                }
                Effect::Close(conn) => self.closed.push(conn),
                Effect::SetTimer { id, at, token } => {
                    self.timers.insert((at, id), token);
                }
                Effect::CancelTimer(id) => self.timers.retain(|(_, timer), _| *timer != id),
                Effect::Disk { op, request } => self.disk(op, request),
                Effect::Observe(Observation::ZooKeeper(seen)) => self.observed.push(seen),
                Effect::Exit => self.exited = true,
                // The other servers of an ensemble are not there.
                Effect::Connect { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn disk(&mut self, op: DiskOpId, request: DiskRequest) {
        match request {
            DiskRequest::Append { file, bytes } => {
                self.cache.entry(file).or_default().extend(bytes.bytes())
            }
            DiskRequest::Write { file, bytes } => {
                self.cache.insert(file, bytes.to_vec());
            }
            DiskRequest::Rename { from, to } => {
                for files in [&mut self.cache, &mut self.platter] {
                    let content = files.remove(&from).unwrap();
                    files.insert(to.clone(), content);
                }
            }
            DiskRequest::Delete { file } => {
                self.cache.remove(&file);
                self.platter.remove(&file);
            }
            DiskRequest::Truncate { file, len } => {
                self.cache.get_mut(&file).unwrap().truncate(len as usize);
            }
            DiskRequest::Fsync { file } => self.fsyncs.push((op, Some(file))),
            DiskRequest::FsyncDirectory => self.fsyncs.push((op, None)),
        }
    }

    /// Lets the oldest fsync end.
    fn sync_one(&mut self) {
        let (op, file) = self.fsyncs.remove(0);
        if let Some(file) = file {
            let content = self.cache[&file].clone();
            self.platter.insert(file, content);
        }
        self.step(Input::DiskDone(op));
    }

    fn sync(&mut self) {
        while !self.fsyncs.is_empty() {
            self.sync_one();
        }
    }

    fn accept(&mut self) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.step(Input::Accepted { conn, peer: NodeId(9) });
        conn
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.step(Input::Received { conn, bytes });
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
        frames.push(self.arrived.remove(&conn).unwrap_or_default());
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

    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((&(at, id), &token)) = self.timers.first_key_value()
            && at <= end
        {
            self.timers.remove(&(at, id));
            self.now = at;
            self.step(Input::Timer { id, token });
            self.sync();
        }
        self.now = end;
    }

    fn state(&self) -> &Database {
        self.server.state().unwrap()
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
