//! Every fault at once, drawn from a seed, against what a byte stream promises.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::substrate::{Process, World, WorldConfig};
use crate::vocab::step::{DiskRequest, Effects, Input};
use crate::vocab::{Clock, ConnId, DiskOpId, NodeId, Ratio, Seed, Stream, TimerId};

const NODES: u64 = 4;

/// How far one end of a connection is.
#[derive(Default)]
struct Progress {
    is_open: bool,
    sent: u64,
    received: u64,
}

/// Numbers what it sends, and checks the numbers that it gets.
#[derive(Default)]
struct Checking {
    is_started: bool,
    conns: BTreeMap<ConnId, Progress>,
    timers: BTreeMap<TimerId, u64>,
    syncs: Vec<DiskOpId>,
}

impl Checking {
    fn open(&mut self) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, conn)| conn.is_open).map(|(&id, _)| id).collect()
    }

    fn send(&mut self, id: ConnId, effects: &mut Effects<()>) {
        let conn = self.conns.get_mut(&id).unwrap();
        effects.send(id, Bytes::copy_from_slice(&conn.sent.to_be_bytes()));
        conn.sent += 1;
    }
}

impl Process for Checking {
    type Observation = ();

    fn step(&mut self, clock: Clock, input: Input, _effects: &mut Effects<()>) {
        assert_eq!(self.is_started, !matches!(input, Input::Start(_)), "{input:?}");
        match input {
            Input::Start(_) => self.is_started = true,
            Input::Opened(id) => {
                let conn = self.conns.get_mut(&id).expect("it asked for it");
                assert!(!std::mem::replace(&mut conn.is_open, true));
            }
            Input::Accepted { conn, .. } => {
                let new = Progress { is_open: true, ..Progress::default() };
                assert!(self.conns.insert(conn, new).is_none());
            }
            Input::Received { conn, bytes } => {
                let conn = self.conns.get_mut(&conn).expect("bytes come on what is open");
                assert!(conn.is_open);
                assert_eq!(bytes[..], conn.received.to_be_bytes(), "no gap, no repetition");
                conn.received += 1;
            }
            Input::Closed { conn, .. } => {
                self.conns.remove(&conn).expect("a connection ends once");
            }
            Input::Timer { id, token } => {
                assert_eq!(self.timers.remove(&id), Some(token), "set by this incarnation");
                assert!(clock.now.0 >= token);
            }
            Input::DiskDone(op) => assert_eq!(self.syncs.remove(0), op, "in order"),
            Input::Shutdown => {}
        }
    }
}

type Soup = World<Checking, ()>;

fn pick<T: Copy>(stream: &mut Stream, items: &[T]) -> Option<T> {
    (!items.is_empty()).then(|| items[stream.below(items.len() as u64) as usize])
}

/// One thing that a node does.
fn act(world: &mut Soup, node: NodeId, stream: &mut Stream) {
    let what = stream.below(12);
    world.drive(node, |process, clock, effects| match what {
        0 => {
            let conn = effects.connect(NodeId(stream.below(NODES) as u16));
            process.conns.insert(conn, Progress::default());
        }
        1 => {
            let all: Vec<ConnId> = process.conns.keys().copied().collect();
            if let Some(conn) = pick(stream, &all) {
                process.conns.remove(&conn);
                effects.close(conn);
            }
        }
        2 => {
            let at = clock.now + Duration::from_micros(stream.below(400_000));
            process.timers.insert(effects.timer(at, at.0), at.0);
        }
        3 => {
            let all: Vec<TimerId> = process.timers.keys().copied().collect();
            if let Some(timer) = pick(stream, &all) {
                process.timers.remove(&timer);
                effects.cancel(timer);
            }
        }
        4 => {
            let file = ["log", "index"][stream.below(2) as usize].into();
            effects.disk(DiskRequest::Append { file, bytes: Bytes::from_static(b"abc").into() });
        }
        5 => process.syncs.push(effects.disk(DiskRequest::Fsync { file: "log".into() })),
        6 => process.syncs.push(effects.disk(DiskRequest::FsyncDirectory)),
        7 if stream.below(40) == 0 => effects.exit(),
        _ => {
            if let Some(conn) = pick(stream, &process.open()) {
                process.send(conn, effects);
            }
        }
    });
}

/// One fault, or the end of one.
fn disturb(world: &mut Soup, node: NodeId, stream: &mut Stream) {
    let other = NodeId(stream.below(NODES) as u16);
    match stream.below(16) {
        0 => _ = world.crash(node),
        1 => _ = world.power_loss(node),
        2..=4 => _ = world.start(node),
        5 => _ = world.pause(node),
        6 | 7 => _ = world.resume(node),
        8 => world.cut(node, other),
        9 | 10 => world.heal(node, other),
        11 => world.reset(node, other),
        12 => world.slow_disk(node, Duration::from_micros(stream.below(2) * 7_000)),
        13 => world.slow(node, other, Duration::from_micros(stream.below(2) * 90_000)),
        14 => world.set_loss(node, other, Ratio::new(stream.below(2), 10).unwrap()),
        _ => _ = world.shutdown(node),
    }
}

fn calm(world: &mut Soup) {
    for node in (0..NODES as u16).map(NodeId) {
        world.resume(node);
        world.slow_disk(node, Duration::ZERO);
        for other in (0..NODES as u16).map(NodeId) {
            world.set_loss(node, other, Ratio::ZERO);
            world.heal(node, other);
        }
    }
    // What is ending behind a slow disk ends; then everybody runs.
    world.run_until(world.now() + Duration::from_secs(1_000));
    (0..NODES as u16).for_each(|node| _ = world.start(NodeId(node)));
    world.run_until(world.now() + Duration::from_secs(1_000));
}

fn soup(seed: u64) -> (u64, usize) {
    let mut stream = Seed(seed).stream("nemesis");
    let mut world = World::new(Seed(seed), WorldConfig::default(), ());
    for node in 0..NODES {
        world.add_node(&format!("n{node}"), Box::new(Checking::default));
    }
    (0..NODES as u16).for_each(|node| _ = world.start(NodeId(node)));
    let mut conns_max = 0;
    for _ in 0..4_000 {
        let node = NodeId(stream.below(NODES) as u16);
        if stream.below(20) == 0 {
            disturb(&mut world, node, &mut stream);
        } else {
            act(&mut world, node, &mut stream);
        }
        conns_max = conns_max.max(world.conn_count());
        world.run_until(world.now() + Duration::from_nanos(stream.below(1_000_000)));
    }
    calm(&mut world);
    // A node that sends on a half-open connection sees it end; what is left is open at both ends.
    for node in (0..NODES as u16).map(NodeId) {
        world.drive(node, |process, _, effects| {
            process.open().into_iter().for_each(|conn| process.send(conn, effects));
        });
    }
    world.run_until(world.now() + Duration::from_secs(1_000));
    let mut ends = 0;
    for node in (0..NODES as u16).map(NodeId) {
        let process = world.process(node).expect("everybody runs");
        assert!(process.conns.values().all(|conn| conn.is_open), "nobody waits for ever");
        assert!(process.timers.is_empty() && process.syncs.is_empty());
        ends += process.conns.len();
    }
    assert_eq!(ends, 2 * world.conn_count(), "seed {seed}");
    for node in (0..NODES as u16).map(NodeId) {
        world.drive(node, |process, _, effects| {
            process.open().into_iter().for_each(|conn| effects.close(conn));
            process.conns.clear();
        });
    }
    world.run_until(world.now() + Duration::from_secs(1_000));
    assert_eq!(world.conn_count(), 0, "seed {seed}");
    assert_eq!(world.next_event_at(), None, "seed {seed}");
    (world.events(), conns_max)
}

#[test]
fn streams_keep_their_promises_under_every_fault_and_nothing_is_left_behind() {
    let mut total = 0;
    for seed in 0..100 {
        let (events, conns_max) = soup(seed);
        assert!(conns_max > 2, "seed {seed}: {conns_max} connections at most");
        total += events;
    }
    assert!(total > 30_000, "{total} events");
}
