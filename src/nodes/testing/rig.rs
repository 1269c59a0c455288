//! Roles in the substrate's world, and what a test does with them.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use bytes::Bytes;

use crate::history::Observation;
use crate::nodes::Effects;
use crate::substrate::{Observer, Process, What, World, WorldConfig, WorldEvent};
use crate::vocab::step::{DiskImage, DiskRequest, FileName, Input};
use crate::vocab::{Clock, ConnId, DiskOpId, NodeId, Seed, Time};

/// A process of the rig: a role under test, or a script that plays another node.
pub trait Role: Any {
    /// Takes one input; what follows from it is added to `effects`.
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects);

    /// Whether it waits for its appends itself, as brokers do.
    fn awaits_appends(&self) -> bool {
        false
    }
}

impl Process for Box<dyn Role> {
    type Observation = Observation;

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        (**self).step(clock, input, effects);
    }

    fn awaits_appends(&self) -> bool {
        (**self).awaits_appends()
    }
}

/// Something that the world reported.
#[derive(Clone, Debug)]
pub enum Entry {
    Observed(Observation),
    Connecting {
        conn: ConnId,
        to: NodeId,
    },
    Delivered {
        conn: ConnId,
        bytes: Bytes,
    },
    Closing(ConnId),
    /// An fsync began: of a file, or of the names when there is none.
    Fsync {
        op: DiskOpId,
        file: Option<FileName>,
    },
    FsyncDone(DiskOpId),
    /// The process ended, by itself or by a fault.
    Ended,
}

/// What was reported so far: when, of which node, what.
#[derive(Debug, Default)]
pub struct Journal {
    pub entries: Vec<(Time, NodeId, Entry)>,
}

impl Observer<Observation> for Journal {
    fn event(&mut self, event: &WorldEvent<'_, Observation>) {
        let entry = match event.what {
            What::Observed(observation) => Entry::Observed(observation.clone()),
            What::Connecting { conn, to } => Entry::Connecting { conn, to },
            What::Delivered { conn, bytes, .. } => Entry::Delivered { conn, bytes: bytes.clone() },
            What::Closing { conn } => Entry::Closing(conn),
            What::Disk { op, request: DiskRequest::Fsync { file } } => {
                Entry::Fsync { op, file: Some(file.clone()) }
            }
            What::Disk { op, request: DiskRequest::FsyncDirectory } => {
                Entry::Fsync { op, file: None }
            }
            What::DiskDone { op } => Entry::FsyncDone(op),
            What::Exited | What::Crashed | What::PowerLost => Entry::Ended,
            _ => return,
        };
        self.entries.push((event.time, event.node, entry));
    }
}

/// Writes files when it starts: what a node finds on its disk.
struct Installer(DiskImage);

impl Role for Installer {
    fn step(&mut self, _clock: Clock, _input: Input, effects: &mut Effects) {
        for (file, content) in std::mem::take(&mut self.0) {
            effects.disk(DiskRequest::Write { file, bytes: content.flatten(0).into() });
        }
    }
}

/// The substrate's world with the roles of a test in it. Everything that the world can do to a node (crash, cut,
/// pause, slow down) is done through it.
pub struct Rig<W: Observer<Observation> = Journal> {
    world: World<Box<dyn Role>, W>,
}

impl<W: Observer<Observation>> Deref for Rig<W> {
    type Target = World<Box<dyn Role>, W>;

    fn deref(&self) -> &Self::Target {
        &self.world
    }
}

impl<W: Observer<Observation>> DerefMut for Rig<W> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.world
    }
}

/// Every link has this latency, and an fsync takes no time. What a cut held arrives a millisecond after it heals.
pub fn steady(latency: Duration) -> WorldConfig {
    let mut config = WorldConfig::default();
    config.network.latency = latency..=latency;
    config.network.loopback = latency;
    config.network.retransmission_min = Duration::from_millis(1);
    config.network.retransmission_max = Duration::from_millis(1);
    config.disk.fsync = Duration::ZERO..=Duration::ZERO;
    config
}

impl Rig {
    /// A rig without nodes.
    pub fn new(config: WorldConfig) -> Self {
        Self::seeded(Seed(1), config)
    }

    /// A rig without nodes whose randomness comes from `seed`.
    pub fn seeded(seed: Seed, config: WorldConfig) -> Self {
        Self::observed_by(Journal::default(), seed, config)
    }
}

impl<W: Observer<Observation>> Rig<W> {
    /// A rig without nodes, with an observer of the test's own.
    pub fn observed_by(observer: W, seed: Seed, config: WorldConfig) -> Self {
        Self { world: World::new(seed, config, observer) }
    }

    /// Adds a node whose process is not started yet; `boot` makes its role at each start.
    pub fn add<R: Role>(&mut self, name: &str, mut boot: impl FnMut() -> R + 'static) -> NodeId {
        self.world.add_node(name, Box::new(move || Box::new(boot())))
    }

    /// Adds a node and starts it.
    pub fn run<R: Role>(&mut self, name: &str, boot: impl FnMut() -> R + 'static) -> NodeId {
        let node = self.add(name, boot);
        self.world.start(node);
        node
    }

    /// Adds a node whose disk holds these files, and starts it.
    pub fn run_with_disk<R: Role>(
        &mut self,
        name: &str,
        files: DiskImage,
        mut boot: impl FnMut() -> R + 'static,
    ) -> NodeId {
        let mut files = Some(files);
        let boot = move || -> Box<dyn Role> {
            match files.take() {
                Some(files) => Box::new(Installer(files)),
                None => Box::new(boot()),
            }
        };
        let node = self.world.add_node(name, Box::new(boot));
        self.world.start(node);
        self.world.restart(node);
        node
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.now() + span;
        self.world.run_until(until);
    }

    /// Lets time pass until `end`.
    pub fn run_to(&mut self, end: Time) {
        self.world.run_until(end);
    }

    /// The role of a node, if its process runs.
    pub fn find<R: Role>(&self, node: NodeId) -> Option<&R> {
        let role: &dyn Any = &**self.world.process(node)?;
        Some(role.downcast_ref().expect("the node has this role"))
    }

    /// The role of a node whose process runs.
    pub fn role<R: Role>(&self, node: NodeId) -> &R {
        self.find(node).unwrap_or_else(|| panic!("{} does not run", self.name(node)))
    }

    /// Lets a role do something that no input begins.
    pub fn act<R: Role, T>(
        &mut self,
        node: NodeId,
        act: impl FnOnce(&mut R, Clock, &mut Effects) -> T,
    ) -> T {
        let done = self.world.drive(node, |role, clock, effects| {
            let role: &mut dyn Any = &mut **role;
            act(role.downcast_mut().expect("the node has this role"), clock, effects)
        });
        done.expect("the process runs")
    }

    /// Cuts the ways between two nodes, both of them.
    pub fn separate(&mut self, one: NodeId, other: NodeId) {
        self.world.cut(one, other);
        self.world.cut(other, one);
    }

    /// Steps the wall clock of a node.
    pub fn set_wall(&mut self, node: NodeId, offset_ms: i64) {
        self.world.set_wall(node, offset_ms);
    }

    /// Opens the ways between two nodes again.
    pub fn reunite(&mut self, one: NodeId, other: NodeId) {
        self.world.heal(one, other);
        self.world.heal(other, one);
    }
}

/// Time that passes step by step.
pub trait Advance {
    /// Goes to the next moment in which something is due. When nothing is due by `end`, goes to `end` and
    /// returns false.
    fn advance(&mut self, end: Time) -> bool;

    /// The time.
    fn time(&self) -> Time;

    /// Lets time pass until `is_done`, at most for `span`; returns whether it is done.
    fn run_until(&mut self, span: Duration, mut is_done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.time() + span;
        while !is_done(self) {
            if !self.advance(end) {
                return is_done(self);
            }
        }
        true
    }
}

impl<W: Observer<Observation>> Advance for Rig<W> {
    fn advance(&mut self, end: Time) -> bool {
        let next = self.world.next_event_at().filter(|at| *at <= end);
        self.world.run_until(next.unwrap_or(end));
        next.is_some()
    }

    fn time(&self) -> Time {
        self.now()
    }
}

/// What the journal holds.
impl Rig {
    /// What the world reported so far.
    pub fn journal(&self) -> &[(Time, NodeId, Entry)] {
        &self.observer().entries
    }

    /// Goes to the end of the oldest fsync of a node; false when none is under way.
    pub fn end_fsync(&mut self, node: NodeId) -> bool {
        let (began, ended) = self.fsyncs(node);
        began > ended && self.run_until(Duration::from_secs(60), |rig| rig.fsyncs(node).1 > ended)
    }

    /// How many fsyncs of a node began, and how many of them ended or died with their process.
    pub fn fsyncs(&self, node: NodeId) -> (usize, usize) {
        let mut counts = (0, 0);
        for (_, _, entry) in self.journal().iter().filter(|(_, at, _)| *at == node) {
            match entry {
                Entry::Fsync { .. } => counts.0 += 1,
                Entry::FsyncDone(_) => counts.1 += 1,
                Entry::Ended => counts.1 = counts.0,
                _ => {}
            }
        }
        counts
    }

    /// What the nodes observed about themselves so far.
    pub fn observations(&self) -> impl DoubleEndedIterator<Item = (Time, NodeId, &Observation)> {
        self.journal().iter().filter_map(|(at, node, entry)| match entry {
            Entry::Observed(observation) => Some((*at, *node, observation)),
            _ => None,
        })
    }
}
