//! One coordinator server, its disk and its clock, without a network.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_sim::nodes::coordinator::{Config, Coordinator, Effects};
use kafka_sim::vocab::step::{Closed, DiskImage, DiskRequest, Effect, FileName, Input};
use kafka_sim::vocab::{Clock, ConnId, DiskOpId, NodeId, Seed, Time, TimerId};

/// The wall clock at the beginning, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_795_357_676_000;

/// What a client has of a connection.
#[derive(Default)]
struct Line {
    arrived: Vec<u8>,
    closed: bool,
}

pub struct World {
    coordinator: Coordinator,
    fx: Effects,
    pub now: Time,
    timers: BTreeMap<(Time, TimerId), u64>,
    files: BTreeMap<FileName, Vec<u8>>,
    lines: BTreeMap<ConnId, Line>,
    accepted: u64,
}

fn config() -> Config {
    // A snapshot every 50 transactions, so that the recovery at the end reads one.
    Config { tick_ms: 2_000, extended_types: true, snapshot_every: 50, ..Config::default() }
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            coordinator: Coordinator::new(config(), Seed(1).stream("coordinator/test")),
            fx: Effects::default(),
            now: Time::from_millis(1),
            timers: BTreeMap::new(),
            files: BTreeMap::new(),
            lines: BTreeMap::new(),
            accepted: 0,
        };
        world.step(Input::Start(DiskImage::new()));
        world
    }

    pub fn clock(&self) -> Clock {
        Clock { now: self.now, wall_ms: EPOCH_MS + self.now.as_millis() as i64 }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.coordinator.step(self.clock(), input, &mut self.fx);
            let effects: Vec<_> = self.fx.drain().collect();
            for effect in effects {
                match effect {
                    Effect::Send { conn, bytes } => {
                        self.lines.entry(conn).or_default().arrived.extend(&bytes);
                    }
                    Effect::Close(conn) => self.lines.entry(conn).or_default().closed = true,
                    Effect::SetTimer { id, at, token } => {
                        self.timers.insert((at, id), token);
                    }
                    Effect::CancelTimer(id) => self.timers.retain(|(_, timer), _| *timer != id),
                    Effect::Disk { op, request } => inputs.extend(self.disk(op, request)),
                    Effect::Observe(_) => {}
                    Effect::Connect { .. } | Effect::Exit => panic!("{effect:?}"),
                }
            }
            // One fsync at a time ends, in the order in which they were asked for.
            inputs.sort_by_key(|input| match input {
                Input::DiskDone(op) => std::cmp::Reverse(op.0),
                _ => std::cmp::Reverse(0),
            });
        }
    }

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

    /// A new connection.
    pub fn accept(&mut self) -> ConnId {
        self.accepted += 1;
        let conn = ConnId((1 << 32) + self.accepted);
        self.lines.insert(conn, Line::default());
        self.step(Input::Accepted { conn, peer: NodeId(1) });
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
        while let Some((&(at, id), &token)) = self.timers.first_key_value()
            && at <= end
        {
            self.timers.remove(&(at, id));
            self.now = at.max(self.now);
            self.step(Input::Timer { id, token });
        }
        self.now = end;
    }

    /// A process that starts from this disk has the same state.
    pub fn recovers_to_the_same_state(&self) {
        assert!(
            self.files.keys().any(|name| name.starts_with("snapshot.")),
            "no snapshot was taken"
        );
        let piece = |bytes: &Vec<u8>| bytes.clone().into();
        let image = self.files.iter().map(|(name, bytes)| (name.clone(), piece(bytes))).collect();
        let mut again = Coordinator::new(config(), Seed(2).stream("coordinator/test"));
        again.step(self.clock(), Input::Start(image), &mut Effects::default());
        let (before, after) = (self.coordinator.state(), again.state());
        assert_eq!(before.map(|state| state.digest()), after.map(|state| state.digest()));
        assert!(before.is_some());
    }
}
