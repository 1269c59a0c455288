//! The world: processes on hosts, driven one event at a time.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::time::Duration;

use madsim::time::TimeHandle;

use super::disk::Disk;
use super::event::{Observer, What};
use super::host::{DiskConfig, Held, Host};
use super::kernel::{Kernel, Life, Turn};
use super::link::{Link, NetworkConfig, nanos_range};
use super::network::Network;
use crate::vocab::step::{Effects, Input};
use crate::vocab::{Clock, ConnId, NodeId, Ratio, Seed, Time, nanos};

/// A process that the world can run.
pub trait Process {
    /// What it can observe about itself.
    type Observation;

    /// Processes one input, and answers by filling `effects`.
    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects<Self::Observation>);

    /// Whether it waits for its appends itself: it is told of their ends, and what it sends does not wait for them.
    /// That is for a process of many threads, of which a slow disk stops only the one that writes.
    fn awaits_appends(&self) -> bool {
        false
    }
}

/// How a world is unless a fault says otherwise.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Links.
    pub network: NetworkConfig,
    /// Disks.
    pub disk: DiskConfig,
    /// How long after a process was killed its kernel closes its connections.
    pub death: RangeInclusive<Duration>,
    /// What wall clocks show at the start of a run, in milliseconds since 1970.
    pub wall_epoch_ms: i64,
}

impl WorldConfig {
    /// A moment of 9 March 2018: the days of Kafka 1.0.
    pub const WALL_EPOCH_MS: i64 = 1_520_585_755_000;
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            network: NetworkConfig::default(),
            disk: DiskConfig::default(),
            death: Duration::ZERO..=Duration::ZERO,
            wall_epoch_ms: Self::WALL_EPOCH_MS,
        }
    }
}

thread_local! {
    static MOMENT: Cell<Moment> = const { Cell::new(Moment { time: Time::ZERO, node: None }) };
}

/// What a log line is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Virtual time of the step that this thread makes or made last.
    pub time: Time,
    /// The node that is being stepped; `None` between steps.
    pub node: Option<NodeId>,
}

/// The moment of the world that runs on this thread; for stamping log lines, and for nothing that
/// decides.
pub fn moment() -> Moment {
    MOMENT.get()
}

struct Program<P> {
    boot: Box<dyn FnMut() -> P>,
    process: Option<P>,
}

/// Hosts, the processes on them, the network between them, and one queue of what happens.
///
/// Nothing happens by itself: [`World::run_until`] makes time pass, and between two calls the
/// outside may inject faults, which act at the present time. Faults that do not apply (crashing
/// what does not run) do nothing and say so by returning false.
pub struct World<P: Process, W: Observer<P::Observation>> {
    programs: Vec<Program<P>>,
    effects: Effects<P::Observation>,
    kernel: Kernel<P::Observation, W>,
    seed: Seed,
    config: WorldConfig,
    /// The clock of the madsim runtime around us, if there is one, and what it was moved to.
    runtime_clock: Option<TimeHandle>,
    runtime_now: Time,
}

impl<P: Process, W: Observer<P::Observation>> World<P, W> {
    /// A world without nodes, at time zero.
    pub fn new(seed: Seed, config: WorldConfig, observer: W) -> Self {
        let network = Network::new(seed, config.network.clone());
        Self {
            programs: Vec::new(),
            effects: Effects::default(),
            kernel: Kernel::new(seed, network, observer),
            seed,
            config,
            runtime_clock: TimeHandle::try_current(),
            runtime_now: Time::ZERO,
        }
    }

    /// Adds a host with power, an empty disk and no process; `boot` makes the process at each
    /// start. Nodes are numbered from 0 in the order in which they are added.
    ///
    /// # Panics
    /// When there are 65,536 nodes already.
    pub fn add_node(&mut self, name: &str, boot: Box<dyn FnMut() -> P>) -> NodeId {
        let node = NodeId(u16::try_from(self.programs.len()).expect("fewer than 65,536 nodes"));
        let host = Host::new(self.seed, name, &self.config.disk, self.config.wall_epoch_ms);
        self.kernel.network.add_host(host.name.clone());
        self.kernel.hosts.push(host);
        self.programs.push(Program { boot, process: None });
        node
    }

    // ---- time ----

    /// The present.
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// When something happens next, if anything does.
    pub fn next_event_at(&mut self) -> Option<Time> {
        self.kernel.next_at()
    }

    /// How many events happened so far: arrivals, timers, disk completions.
    pub fn events(&self) -> u64 {
        self.kernel.events
    }

    /// Makes everything happen that is due up to `until`, that moment included; then it is `until`.
    ///
    /// # Panics
    /// When `until` is past, or when a process panics.
    pub fn run_until(&mut self, until: Time) {
        assert!(until >= self.kernel.now, "time does not run backwards");
        while let Some(turn) = self.kernel.next(until) {
            self.take(turn);
        }
        self.kernel.now = until;
        self.move_runtime_clock();
        MOMENT.set(Moment { time: until, node: None });
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Step(node, input) => self.step(node, input),
            Turn::Exited(node) => self.programs[usize::from(node.0)].process = None,
            Turn::Start(node) => _ = self.start(node),
            Turn::Boot(node) => self.boot(node),
            Turn::Nothing => {}
        }
    }

    fn step(&mut self, node: NodeId, input: Input) {
        self.with_process(node, |process, clock, effects| process.step(clock, input, effects));
    }

    fn with_process<R>(
        &mut self,
        node: NodeId,
        act: impl FnOnce(&mut P, Clock, &mut Effects<P::Observation>) -> R,
    ) -> Option<R> {
        self.move_runtime_clock();
        let now = self.kernel.now;
        let clock = Clock { now, wall_ms: self.kernel.host(node).wall.at(now) };
        let process = self.programs[usize::from(node.0)].process.as_mut()?;
        self.effects.set_appends_take_time(self.kernel.host(node).appends_take_time());
        MOMENT.set(Moment { time: now, node: Some(node) });
        let result = act(process, clock, &mut self.effects);
        MOMENT.set(Moment { time: now, node: None });
        let mut life = Life::On;
        for effect in self.effects.drain() {
            if life == Life::On {
                life = self.kernel.apply(node, effect);
            }
        }
        if life == Life::Ended {
            self.programs[usize::from(node.0)].process = None;
        }
        Some(result)
    }

    fn move_runtime_clock(&mut self) {
        let Some(clock) = &self.runtime_clock else { return };
        if self.runtime_now < self.kernel.now {
            clock.advance(self.kernel.now.since(self.runtime_now));
            self.runtime_now = self.kernel.now;
        }
    }

    // ---- processes ----

    /// Starts the process, and gives the host power if it has none. It comes up later when it takes time for that
    /// ([`World::set_start_up`]). False when it runs already.
    pub fn start(&mut self, node: NodeId) -> bool {
        let now = self.kernel.now;
        self.kernel.bury(node);
        let host = self.kernel.host(node);
        if host.is_running {
            return false;
        }
        if !host.has_power {
            host.has_power = true;
            let due = self.kernel.network.regain_power(now, node);
            self.kernel.schedule(due);
        }
        let host = self.kernel.host(node);
        let start_up_ns = host.start_up();
        host.is_running = true;
        host.incarnation += 1;
        self.kernel.tell(node, What::Started);
        if start_up_ns == 0 {
            self.boot(node);
        } else {
            self.kernel.boot_after(node, start_up_ns);
        }
        true
    }

    /// The process has come up.
    fn boot(&mut self, node: NodeId) {
        let host = self.kernel.host(node);
        host.is_booting = false;
        host.listens = true;
        let image = host.disk.image();
        let program = &mut self.programs[usize::from(node.0)];
        let process = (program.boot)();
        self.kernel.host(node).awaits_appends = process.awaits_appends();
        program.process = Some(process);
        self.step(node, Input::Start(image));
    }

    /// Sets how long the process takes to come up when it starts again. The first time it is up at once: a run begins
    /// with processes that run.
    pub fn set_start_up(&mut self, node: NodeId, start_up: &RangeInclusive<Duration>) {
        self.kernel.host(node).start_up_ns = nanos_range(start_up);
    }

    /// Kills the process: what it had in memory is gone, what it wrote stays in the page cache, its
    /// peers see a reset one latency after its kernel has closed its connections ([`WorldConfig::death`]). False when
    /// it does not run.
    pub fn crash(&mut self, node: NodeId) -> bool {
        if !self.is_running(node) {
            return false;
        }
        self.kernel.tell(node, What::Crashed);
        let death = nanos_range(&self.config.death);
        let after_ns = self.kernel.host(node).death(&death);
        self.kernel.kill(node, after_ns);
        self.programs[usize::from(node.0)].process = None;
        true
    }

    /// Takes the power from the host: the process dies, the disk keeps its platter and what the
    /// seed says of the rest, and peers get no sign of it. False when it has none.
    pub fn power_loss(&mut self, node: NodeId) -> bool {
        if !self.has_power(node) {
            return false;
        }
        self.kernel.tell(node, What::PowerLost);
        self.kernel.lose_power(node);
        self.programs[usize::from(node.0)].process = None;
        true
    }

    /// Crashes the process if it runs, and starts it.
    pub fn restart(&mut self, node: NodeId) {
        self.crash(node);
        self.start(node);
    }

    /// Pauses the process, as a long garbage collection does. Its connections stay up and its kernel
    /// accepts new ones; its inputs wait. False when it does not run, or is paused already.
    pub fn pause(&mut self, node: NodeId) -> bool {
        let host = self.kernel.host(node);
        if !host.is_running || host.is_paused {
            return false;
        }
        host.is_paused = true;
        self.kernel.tell(node, What::Paused);
        true
    }

    /// Lets a paused process run again: it gets at once, in order, the inputs that waited, its due
    /// timers included. False when it is not paused.
    pub fn resume(&mut self, node: NodeId) -> bool {
        let host = self.kernel.host(node);
        if !host.is_paused {
            return false;
        }
        host.is_paused = false;
        self.kernel.tell(node, What::Resumed);
        let turn = self.kernel.flush(node);
        self.take(turn);
        // A process that ends meanwhile gets no more of them.
        while let Some(turn) = self.kernel.next_held(node) {
            self.take(turn);
        }
        true
    }

    /// Asks the process to end in an orderly way; a paused one gets this when it resumes. False
    /// when it does not run.
    pub fn shutdown(&mut self, node: NodeId) -> bool {
        let host = self.kernel.host(node);
        if !host.is_running || host.is_exiting {
            return false;
        }
        if host.is_paused {
            host.held.push_back(Held::Shutdown);
        } else {
            let turn = self.kernel.ask_to_end(node);
            self.take(turn);
        }
        true
    }

    /// Whether the process runs; a paused one does.
    pub fn is_running(&self, node: NodeId) -> bool {
        self.kernel.hosts[usize::from(node.0)].is_running
    }

    /// Whether a process was ever started.
    pub fn has_run(&self, node: NodeId) -> bool {
        self.kernel.hosts[usize::from(node.0)].incarnation > 0
    }

    /// Whether the process is paused.
    pub fn is_paused(&self, node: NodeId) -> bool {
        self.kernel.hosts[usize::from(node.0)].is_paused
    }

    /// Whether the host has power.
    pub fn has_power(&self, node: NodeId) -> bool {
        self.kernel.hosts[usize::from(node.0)].has_power
    }

    /// The process, if it runs: for looking into it, at the end of a run or in a test.
    pub fn process(&self, node: NodeId) -> Option<&P> {
        self.programs[usize::from(node.0)].process.as_ref()
    }

    /// Lets the outside act as the process of `node` would in a step: what a gateway or a driver of
    /// a client needs. `None` when the process does not run, is paused or is ending.
    pub fn drive<R>(
        &mut self,
        node: NodeId,
        act: impl FnOnce(&mut P, Clock, &mut Effects<P::Observation>) -> R,
    ) -> Option<R> {
        let host = self.kernel.host(node);
        if host.is_paused || host.is_exiting {
            return None;
        }
        self.with_process(node, act)
    }

    // ---- network ----

    /// Cuts the way from one host to another, in this direction only: silence. What is under way
    /// or is sent into the cut is held.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.kernel.cut(from, to);
    }

    /// Opens the way again. What was held arrives after a retransmission timeout, in order.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        let due = self.kernel.network.heal(self.kernel.now, from, to);
        self.kernel.schedule(due);
    }

    /// Whether the way is cut.
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.kernel.network.is_cut(from, to)
    }

    /// What is added to each latency.
    pub fn slowed_by(&self, from: NodeId, to: NodeId) -> Duration {
        Duration::from_nanos(self.kernel.network.slowed_by(from, to))
    }

    /// Whether there is a connection between two nodes that has not ended.
    pub fn are_connected(&self, one: NodeId, other: NodeId) -> bool {
        self.kernel.network.are_connected(one, other)
    }

    /// Resets all connections between two hosts, at both ends.
    pub fn reset(&mut self, one: NodeId, other: NodeId) {
        let due = self.kernel.network.reset(self.kernel.now, one, other);
        self.kernel.schedule(due);
    }

    /// Sets the one-way latency.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn set_latency(&mut self, from: NodeId, to: NodeId, latency: RangeInclusive<Duration>) {
        self.link(from, to).set_latency(&latency);
    }

    /// Adds `extra` to each latency, in place of what was added before; zero ends it.
    pub fn slow(&mut self, from: NodeId, to: NodeId, extra: Duration) {
        self.kernel.network.slow(from, to, nanos(extra));
    }

    /// Sets the bandwidth, in bytes per second; `None` is no limit.
    pub fn set_bandwidth(&mut self, from: NodeId, to: NodeId, bandwidth: Option<u64>) {
        self.link(from, to).bandwidth = bandwidth;
    }

    /// Sets how likely a piece is lost and sent again.
    pub fn set_loss(&mut self, from: NodeId, to: NodeId, loss: Ratio) {
        self.link(from, to).loss = loss;
    }

    fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        self.kernel.network.link(from, to)
    }

    // ---- disk and clock ----

    /// Lets each disk write take `write`; what the node sends behind a write waits for it, or its process does
    /// ([`Process::awaits_appends`]). Zero ends it, and the writes that are under way.
    pub fn slow_disk(&mut self, node: NodeId, write: Duration) {
        let before = std::mem::replace(&mut self.kernel.host(node).write_ns, nanos(write));
        if nanos(write) < before {
            self.kernel.disk_is_faster(node);
        }
    }

    /// Sets how long an fsync takes; those that are under way end sooner if that is less than before.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn set_fsync(&mut self, node: NodeId, fsync: RangeInclusive<Duration>) {
        let fsync = nanos_range(&fsync);
        let longest = *fsync.end();
        let before = std::mem::replace(&mut self.kernel.host(node).fsync_ns, fsync);
        if longest < *before.end() {
            self.kernel.disk_is_faster(node);
        }
    }

    /// How long a write takes, and how long an fsync, in nanoseconds.
    pub fn disk_times(&self, node: NodeId) -> (u64, RangeInclusive<u64>) {
        let host = &self.kernel.hosts[usize::from(node.0)];
        (host.write_ns, host.fsync_ns.clone())
    }

    /// The disk, for looking into it.
    pub fn disk(&self, node: NodeId) -> &Disk {
        &self.kernel.hosts[usize::from(node.0)].disk
    }

    /// Steps the wall clock so that it is off by `offset_ms` milliseconds, not counting drift.
    pub fn set_wall(&mut self, node: NodeId, offset_ms: i64) {
        self.kernel.host(node).wall.set_offset(offset_ms);
    }

    /// What the wall clock shows, in milliseconds since 1970.
    pub fn wall_ms(&self, node: NodeId) -> i64 {
        self.kernel.hosts[usize::from(node.0)].wall.at(self.kernel.now)
    }

    /// Lets the wall clock gain `ppm` microseconds per second from now on.
    pub fn set_drift(&mut self, node: NodeId, ppm: i64) {
        let now = self.kernel.now;
        self.kernel.host(node).wall.set_drift(now, ppm);
    }

    // ---- what is inside ----

    /// The observer.
    pub fn observer(&self) -> &W {
        &self.kernel.observer
    }

    /// The observer, to change it.
    pub fn observer_mut(&mut self) -> &mut W {
        &mut self.kernel.observer
    }

    /// The process, if it runs, and the observer: to give the one what the other holds.
    pub fn process_and_observer(&mut self, node: NodeId) -> (Option<&P>, &mut W) {
        let process = self.programs[usize::from(node.0)].process.as_ref();
        (process, &mut self.kernel.observer)
    }

    /// Ends the world and returns the observer.
    pub fn into_observer(self) -> W {
        self.kernel.observer
    }

    /// The name of a node.
    pub fn name(&self, node: NodeId) -> &str {
        &self.kernel.hosts[usize::from(node.0)].name
    }

    /// Whether the host of `node` refuses connections at once: it has power, and no process that takes
    /// connections. A host without power answers nothing.
    pub fn refuses(&self, node: NodeId) -> bool {
        let host = &self.kernel.hosts[usize::from(node.0)];
        let listens = host.is_running && !host.is_exiting && host.listens;
        host.has_power && !listens && !host.is_dying
    }

    /// Bytes that `node` has sent on a connection and that have not arrived at its other end; what waits for a paused
    /// process has not arrived.
    ///
    /// # Panics
    /// When the connection is another node's.
    pub fn in_flight(&self, conn: ConnId, node: NodeId) -> usize {
        self.kernel.network.in_flight(conn, node)
    }

    /// How many connections some host still knows of.
    pub fn conn_count(&self) -> usize {
        self.kernel.network.conn_count()
    }

    /// How many entries the queue holds, cancelled timers included.
    pub fn queue_len(&self) -> usize {
        self.kernel.queue_len()
    }
}

/// Runs `f` inside a madsim runtime of its own, as its only task.
///
/// Inside, the clocks and the randomness that libc gives to dependencies are those of the seed, and
/// a [`World`] moves the runtime's clock along with its own. Let each seed have a fresh thread:
/// thread-locals of dependencies outlive a runtime (`rand`'s generators, for one).
pub fn simulate<R>(seed: Seed, f: impl FnOnce() -> R) -> R {
    let runtime = madsim::runtime::Runtime::with_seed_and_config(seed.0, madsim::Config::default());
    runtime.block_on(async move { f() })
}
