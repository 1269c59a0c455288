//! The base of the tests of the world: scripted processes, and a world with shorter words.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::substrate::{Observer, Process, World, WorldConfig, WorldEvent};
use crate::vocab::step::{DiskRequest, Effects, Input};
use crate::vocab::{Clock, ConnId, NodeId, Seed, Time};

/// The first node.
pub const A: NodeId = NodeId(0);
/// The second node.
pub const B: NodeId = NodeId(1);

/// The inputs of a process: when, in milliseconds, and what.
type Told = Rc<RefCell<Vec<(u64, String)>>>;

/// What a process does besides.
pub type Act = fn(Input, &mut Effects<String>);

/// Writes down its inputs, and does what its test wants.
pub struct Scripted {
    told: Told,
    act: Act,
}

impl Process for Scripted {
    type Observation = String;

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects<String>) {
        let what = match &input {
            Input::Start(image) => format!("start with {} files", image.len()),
            Input::Received { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Input::Accepted { peer, .. } => format!("accepted {}", peer.0),
            Input::Opened(_) => "opened".into(),
            Input::Closed { why, .. } => format!("{why:?}"),
            Input::Timer { token, .. } => format!("timer {token}"),
            Input::DiskDone(_) => "disk done".into(),
            Input::Shutdown => "shutdown".into(),
        };
        self.told.borrow_mut().push((clock.now.as_millis(), what));
        (self.act)(input, effects);
    }
}

/// Writes down every event.
#[derive(Default)]
pub struct Recorder(pub Vec<String>);

impl Observer<String> for Recorder {
    fn event(&mut self, event: &WorldEvent<'_, String>) {
        self.0.push(format!("{} {} {:?}", event.time.0, event.node.0, event.what));
    }
}

/// A world of scripted nodes.
pub struct Bench {
    pub world: World<Scripted, Recorder>,
    told: Vec<Told>,
}

/// Does nothing.
pub fn idle(_input: Input, _effects: &mut Effects<String>) {}

/// Sends back what comes.
pub fn echo(input: Input, effects: &mut Effects<String>) {
    if let Input::Received { conn, bytes } = input {
        effects.send(conn, bytes);
    }
}

/// Latencies of 1 ms, fsyncs of 10 ms.
pub fn config() -> WorldConfig {
    let mut config = WorldConfig::default();
    config.network.latency = Duration::from_millis(1)..=Duration::from_millis(1);
    config.disk.fsync = Duration::from_millis(10)..=Duration::from_millis(10);
    config
}

impl Bench {
    pub fn new(seed: u64, config: WorldConfig, acts: &[Act]) -> Self {
        let mut bench =
            Self { world: World::new(Seed(seed), config, Recorder::default()), told: Vec::new() };
        for (n, &act) in acts.iter().enumerate() {
            let told = Told::default();
            bench.told.push(told.clone());
            let boot = move || Scripted { told: told.clone(), act };
            bench.world.add_node(&format!("n{n}"), Box::new(boot));
        }
        for n in 0..acts.len() as u16 {
            bench.world.start(NodeId(n));
        }
        bench.told.iter().for_each(|told| told.borrow_mut().clear());
        bench
    }

    /// Two idle nodes with one connection, at 2 ms; their inputs so far are forgotten.
    pub fn connected() -> (Self, ConnId) {
        let mut bench = Self::new(1, config(), &[idle, idle]);
        let conn = bench.connect(A, B);
        bench.run(2);
        assert_eq!(bench.told(A), [(2, "opened")]);
        assert_eq!(bench.told(B), [(1, "accepted 0")]);
        bench.forget();
        (bench, conn)
    }

    pub fn run(&mut self, until_ms: u64) {
        self.world.run_until(Time::from_millis(until_ms));
    }

    pub fn forget(&mut self) {
        self.told.iter().for_each(|told| told.borrow_mut().clear());
    }

    pub fn told(&self, node: NodeId) -> Vec<(u64, &'static str)> {
        let told = self.told[usize::from(node.0)].borrow();
        told.iter().map(|(at, what)| (*at, &*what.clone().leak())).collect()
    }

    pub fn words(&self, node: NodeId) -> Vec<&'static str> {
        self.told(node).into_iter().map(|(_, what)| what).collect()
    }

    pub fn effects<R>(&mut self, node: NodeId, act: impl FnOnce(&mut Effects<String>) -> R) -> R {
        self.world.drive(node, |_, _, effects| act(effects)).expect("the process runs")
    }

    pub fn connect(&mut self, from: NodeId, to: NodeId) -> ConnId {
        self.effects(from, |effects| effects.connect(to))
    }

    pub fn send(&mut self, from: NodeId, conn: ConnId, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.effects(from, |effects| effects.send(conn, bytes));
    }

    pub fn append(&mut self, node: NodeId, bytes: &[u8]) {
        let bytes = bytes.to_vec().into();
        self.effects(node, |fx| fx.disk(DiskRequest::Append { file: "log".into(), bytes }));
    }

    pub fn fsync(&mut self, node: NodeId) {
        self.effects(node, |fx| fx.disk(DiskRequest::Fsync { file: "log".into() }));
    }

    pub fn platter(&self, node: NodeId) -> Option<Vec<u8>> {
        self.world.disk(node).platter("log").map(|content| content.flatten(0))
    }
}
