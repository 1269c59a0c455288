//! The world without its processes: what is due, and what the effects of a step do.
//!
//! Effects never step a process; they only schedule. So the kernel need not know what a process is,
//! and a step never happens inside another.

use std::marker::PhantomData;

use super::event::{Observer, What, WorldEvent};
use super::host::{Held, Host, Outgoing};
use super::id_map::IdMap;
use super::network::{Arrival, Due, Network, Reach};
use super::queue::{Key, Queue};
use super::watchdog::Watchdog;
use crate::vocab::step::{Closed, Effect, Input};
use crate::vocab::{DiskOpId, NodeId, Time, TimerId, nanos};

/// What is scheduled.
#[derive(Debug)]
enum Scheduled {
    Arrival(Arrival),
    Timer {
        node: NodeId,
        id: TimerId,
        token: u64,
    },
    DiskDone {
        node: NodeId,
        incarnation: u32,
        op: DiskOpId,
    },
    /// A supervisor starts the process that ended.
    Start {
        node: NodeId,
        incarnation: u32,
    },
    /// The process that started has come up.
    Boot {
        node: NodeId,
        incarnation: u32,
    },
    /// The kernel closes the connections of the process that was killed.
    Dead {
        node: NodeId,
        incarnation: u32,
    },
    /// The disk writes for which something waits are done.
    Flush {
        node: NodeId,
        incarnation: u32,
    },
}

/// Where a timer is.
#[derive(Clone, Copy, Debug)]
struct TimerPlace {
    node: NodeId,
    /// `None` when it was due and waits for a paused process.
    key: Option<Key>,
}

/// What the world has to do next.
#[derive(Debug)]
pub enum Turn {
    /// Step a process.
    Step(NodeId, Input),
    /// Drop a process that ended.
    Exited(NodeId),
    /// Start a process.
    Start(NodeId),
    /// A process that started has come up.
    Boot(NodeId),
    /// Nothing; the event was for no process.
    Nothing,
}

/// What an effect did to the process that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It goes on.
    On,
    /// It wants to end and only waits for its disk: it gets no more input, and what it asked for
    /// behind its end does not happen.
    Ending,
    /// It ended.
    Ended,
}

/// Time, queue, network and hosts.
#[derive(Debug)]
pub struct Kernel<O, W> {
    /// The present.
    pub now: Time,
    /// How many events happened.
    pub events: u64,
    /// The observer.
    pub observer: W,
    /// By node.
    pub hosts: Vec<Host>,
    /// Links and connections.
    pub network: Network,
    watchdog: Watchdog,
    queue: Queue<Scheduled>,
    timers: IdMap<TimerPlace>,
    observations: PhantomData<fn(O)>,
}

impl<O, W: Observer<O>> Kernel<O, W> {
    /// A kernel at time zero.
    pub fn new(seed: crate::vocab::Seed, network: Network, observer: W) -> Self {
        Self {
            now: Time::ZERO,
            events: 0,
            observer,
            hosts: Vec::new(),
            network,
            watchdog: Watchdog::default(),
            queue: Queue::new(seed),
            timers: IdMap::default(),
            observations: PhantomData,
        }
    }

    /// When something is due next.
    pub fn next_at(&mut self) -> Option<Time> {
        self.queue.next_at()
    }

    /// Entries of the queue, the cancelled ones too.
    pub fn queue_len(&self) -> usize {
        self.queue.heap_len()
    }

    /// Goes to the next event that is due at `until` or before; `None` when there is none.
    pub fn next(&mut self, until: Time) -> Option<Turn> {
        let (time, event) = self.queue.pop(until)?;
        self.now = time;
        self.events += 1;
        if self.watchdog.passes(time) {
            self.suspect(&event);
        }
        Some(match event {
            Scheduled::Arrival(arrival) => self.arrived(arrival),
            Scheduled::Timer { node, id, token } => self.timer_due(node, id, token),
            Scheduled::DiskDone { node, incarnation, op } => self.disk_done(node, incarnation, op),
            Scheduled::Start { node, incarnation } => {
                let host = self.host(node);
                // Something else may have started it, or taken its host's power.
                match host.incarnation == incarnation && !host.is_running && host.has_power {
                    true => Turn::Start(node),
                    false => Turn::Nothing,
                }
            }
            Scheduled::Boot { node, incarnation } => {
                let host = self.host(node);
                match host.incarnation == incarnation && host.is_booting {
                    true if host.is_paused => {
                        host.held.push_back(Held::Boot);
                        Turn::Nothing
                    }
                    true => Turn::Boot(node),
                    false => Turn::Nothing,
                }
            }
            Scheduled::Dead { node, incarnation } => {
                if self.host(node).incarnation == incarnation {
                    self.bury(node);
                }
                Turn::Nothing
            }
            Scheduled::Flush { node, incarnation } => {
                let host = self.host(node);
                if host.incarnation == incarnation && host.is_running && !host.is_paused {
                    return Some(self.flush(node));
                }
                Turn::Nothing
            }
        })
    }

    /// Counts an event for its node, while time hardly moves; ends the run when it has not moved for too long.
    fn suspect(&mut self, event: &Scheduled) {
        let node = match event {
            Scheduled::Arrival(arrival) => self.network.target(arrival),
            Scheduled::Timer { node, .. }
            | Scheduled::DiskDone { node, .. }
            | Scheduled::Start { node, .. }
            | Scheduled::Boot { node, .. }
            | Scheduled::Dead { node, .. }
            | Scheduled::Flush { node, .. } => Some(*node),
        };
        if let Some(stuck) = node.and_then(|node| self.watchdog.suspect(node)) {
            let name = |node: NodeId| self.hosts[usize::from(node.0)].name.clone();
            stuck.end_run(name);
        }
    }

    /// The host of `node`.
    pub fn host(&mut self, node: NodeId) -> &mut Host {
        &mut self.hosts[usize::from(node.0)]
    }

    /// Gives an event to the observer.
    pub fn tell(&mut self, node: NodeId, what: What<'_, O>) {
        self.observer.event(&WorldEvent { time: self.now, node, what });
    }

    /// Puts what the network wants to happen into the queue.
    pub fn schedule(&mut self, due: impl IntoIterator<Item = Due>) {
        for (time, arrival) in due {
            self.queue.push(time, Scheduled::Arrival(arrival));
        }
    }

    /// Does one effect of a step of `node`.
    pub fn apply(&mut self, node: NodeId, effect: Effect<O>) -> Life {
        let outgoing = match effect {
            Effect::Send { conn, bytes } => Outgoing::Send { conn, bytes, after_ns: 0 },
            Effect::SendAfter { conn, bytes, after } => {
                Outgoing::Send { conn, bytes, after_ns: nanos(after) }
            }
            Effect::StopListening => {
                self.host(node).listens = false;
                return Life::On;
            }
            Effect::Connect { conn, to } => Outgoing::Connect { conn, to },
            Effect::Close(conn) => Outgoing::Close(conn),
            Effect::Exit { start_after } => Outgoing::Exit { start_after },
            // It never fires, and cancelling a timer that is not there does nothing.
            Effect::SetTimer { at, .. } if at.is_never() => return Life::On,
            Effect::SetTimer { id, at, token } => {
                let key = self.queue.push(at.max(self.now), Scheduled::Timer { node, id, token });
                self.timers.insert(id.0, TimerPlace { node, key: Some(key) });
                return Life::On;
            }
            Effect::CancelTimer(id) => {
                self.cancel_timer(node, id);
                return Life::On;
            }
            Effect::Observe(observation) => {
                self.tell(node, What::Observed(&observation));
                return Life::On;
            }
            Effect::Disk { op, request } => {
                self.tell(node, What::Disk { op, request: &request });
                let now = self.now;
                let host = self.host(node);
                let incarnation = host.incarnation;
                if let Some(done_at) = host.use_disk(now, op, request) {
                    self.queue.push(done_at, Scheduled::DiskDone { node, incarnation, op });
                }
                return Life::On;
            }
        };
        self.leave(node, outgoing)
    }

    /// Lets something leave a node, or holds it while the disk is not done.
    fn leave(&mut self, node: NodeId, outgoing: Outgoing) -> Life {
        let now = self.now;
        let host = self.host(node);
        let Some(ready) = host.waits_until(now) else { return self.perform(node, outgoing) };
        let mut life = Life::On;
        match outgoing {
            Outgoing::Close(conn) => _ = host.closing.insert(conn),
            Outgoing::Exit { .. } => life = Life::Ending,
            Outgoing::Connect { .. } | Outgoing::Send { .. } => {}
        }
        host.is_exiting = life == Life::Ending;
        host.outbox.push_back((ready, outgoing));
        if host.outbox.len() == 1 {
            let incarnation = host.incarnation;
            self.queue.push(ready, Scheduled::Flush { node, incarnation });
        }
        life
    }

    fn perform(&mut self, node: NodeId, outgoing: Outgoing) -> Life {
        let due = match outgoing {
            Outgoing::Send { conn, bytes, after_ns } => {
                self.network.send(self.now, conn, node, bytes, after_ns)
            }
            Outgoing::Connect { conn, to } => {
                self.tell(node, What::Connecting { conn, to });
                self.network.connect(self.now, conn, node, to)
            }
            Outgoing::Close(conn) => {
                self.host(node).closing.remove(&conn);
                self.tell(node, What::Closing { conn });
                self.network.close(self.now, conn, node)
            }
            Outgoing::Exit { start_after } => {
                if let Some(after) = start_after {
                    let incarnation = self.host(node).incarnation;
                    self.queue.push(self.now + after, Scheduled::Start { node, incarnation });
                }
                self.tell(node, What::Exited);
                self.end_process(node, Closed::Eof);
                return Life::Ended;
            }
        };
        self.schedule(due);
        Life::On
    }

    /// Cuts the way from one host to another: what is under way there does not arrive before the heal.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.network.cut(from, to);
        let network = &self.network;
        let is_there = |event: &Scheduled| match event {
            Scheduled::Arrival(arrival) => network.is_under_way(arrival, from, to),
            _ => false,
        };
        let mut under_way = self.queue.take_all(is_there);
        // The arrivals of one direction of a connection differ in time.
        under_way.sort_by_key(|(time, _)| *time);
        for (_, event) in under_way {
            if let Scheduled::Arrival(arrival) = event {
                self.network.hold(self.now, arrival);
            }
        }
    }

    /// The disk of `node` is faster than before: what is under way there ends sooner.
    pub fn disk_is_faster(&mut self, node: NodeId) {
        let now = self.now;
        let is_of = |event: &Scheduled| match event {
            Scheduled::DiskDone { node: of, .. } => *of == node,
            _ => false,
        };
        let mut under_way: Vec<_> = self.queue.take_all(is_of);
        let op_of = |event: &Scheduled| match event {
            Scheduled::DiskDone { op, .. } => *op,
            other => unreachable!("{other:?} was not picked"),
        };
        under_way.sort_by_key(|(_, event)| op_of(event));
        let mut ends: Vec<_> =
            under_way.iter().map(|(time, event)| (*time, op_of(event))).collect();
        let host = self.host(node);
        host.speed_up(now, &mut ends);
        let incarnation = host.incarnation;
        let first = host.outbox.front().map(|(ready, _)| *ready);
        for ((time, _), (_, event)) in ends.into_iter().zip(under_way) {
            self.queue.push(time, event);
        }
        if let Some(ready) = first {
            self.queue.push(ready, Scheduled::Flush { node, incarnation });
        }
    }

    /// Performs the effects that waited for disk writes that are done.
    pub fn flush(&mut self, node: NodeId) -> Turn {
        let now = self.now;
        while let Some((ready, _)) = self.host(node).outbox.front() {
            let ready = *ready;
            if ready > now {
                let incarnation = self.host(node).incarnation;
                self.queue.push(ready, Scheduled::Flush { node, incarnation });
                break;
            }
            let (_, outgoing) = self.host(node).outbox.pop_front().expect("it was just seen");
            if self.perform(node, outgoing) == Life::Ended {
                return Turn::Exited(node);
            }
        }
        Turn::Nothing
    }

    /// The process of `node` ended while its host did not.
    pub fn end_process(&mut self, node: NodeId, why: Closed) {
        let due = self.network.end_process(self.now, node, why);
        self.schedule(due);
        self.forget_timers(node);
        self.host(node).process_ended();
    }

    /// The process of `node` was killed. Its kernel closes its connections only `after_ns` nanoseconds later: until
    /// then what arrives stays without an answer.
    pub fn kill(&mut self, node: NodeId, after_ns: u64) {
        let now = self.now;
        self.network.process_died(now, node);
        if after_ns == 0 {
            return self.end_process(node, Closed::Reset);
        }
        self.forget_timers(node);
        let host = self.host(node);
        host.process_ended();
        host.is_dying = true;
        let incarnation = host.incarnation;
        self.queue.push(now.after_nanos(after_ns), Scheduled::Dead { node, incarnation });
    }

    /// The kernel closes the connections of a process that was killed, if it has not yet.
    pub fn bury(&mut self, node: NodeId) {
        let host = self.host(node);
        if !std::mem::take(&mut host.is_dying) {
            return;
        }
        let held = std::mem::take(&mut host.held);
        let due = self.network.end_process(self.now, node, Closed::Reset);
        self.schedule(due);
        for held in held {
            let Held::Arrival(arrival) = held else { unreachable!("a dead process sets nothing") };
            let turn = self.arrived(arrival);
            assert!(matches!(turn, Turn::Nothing), "nothing reaches a dead process");
        }
    }

    /// Lets the process of `node`, which has just started, come up in `after_ns` nanoseconds.
    pub fn boot_after(&mut self, node: NodeId, after_ns: u64) {
        let at = self.now.after_nanos(after_ns);
        let host = self.host(node);
        host.is_booting = true;
        let incarnation = host.incarnation;
        self.queue.push(at, Scheduled::Boot { node, incarnation });
    }

    /// The process is asked to end; one that comes up just does.
    pub fn ask_to_end(&mut self, node: NodeId) -> Turn {
        self.tell(node, What::ShutdownAsked);
        if !self.host(node).is_booting {
            return Turn::Step(node, Input::Shutdown);
        }
        self.tell(node, What::Exited);
        self.end_process(node, Closed::Eof);
        Turn::Nothing
    }

    /// The host of `node` lost power.
    pub fn lose_power(&mut self, node: NodeId) {
        self.network.lose_power(self.now, node);
        self.forget_timers(node);
        let now = self.now;
        self.host(node).power_lost(now);
    }

    fn forget_timers(&mut self, node: NodeId) {
        let timers = &mut self.timers;
        self.queue.cancel_all(|event| match event {
            Scheduled::Timer { node: of, id, .. } if *of == node => {
                timers.remove(id.0);
                true
            }
            _ => false,
        });
        for held in &self.hosts[usize::from(node.0)].held {
            if let Held::Timer { id, .. } = held {
                timers.remove(id.0);
            }
        }
    }

    fn cancel_timer(&mut self, node: NodeId, id: TimerId) {
        let Some(place) = self.timers.get(id.0) else { return };
        assert_eq!(place.node, node, "a node cancels a timer of another");
        self.timers.remove(id.0);
        if let Some(key) = place.key {
            self.queue.cancel(key);
        }
    }

    fn timer_due(&mut self, node: NodeId, id: TimerId, token: u64) -> Turn {
        let host = self.host(node);
        if host.is_paused {
            host.held.push_back(Held::Timer { id, token });
            self.timers.replace(id.0, TimerPlace { node, key: None });
            return Turn::Nothing;
        }
        self.fire(node, id, token)
    }

    fn fire(&mut self, node: NodeId, id: TimerId, token: u64) -> Turn {
        if self.timers.remove(id.0).is_none() || self.host(node).is_exiting {
            return Turn::Nothing;
        }
        self.tell(node, What::TimerFired { token });
        Turn::Step(node, Input::Timer { id, token })
    }

    fn disk_done(&mut self, node: NodeId, incarnation: u32, op: DiskOpId) -> Turn {
        let host = self.host(node);
        host.disk.complete(op);
        if host.incarnation != incarnation || !host.is_running || host.is_exiting {
            return Turn::Nothing;
        }
        if host.is_paused {
            host.held.push_back(Held::DiskDone(op));
            return Turn::Nothing;
        }
        self.report_disk_done(node, op)
    }

    fn report_disk_done(&mut self, node: NodeId, op: DiskOpId) -> Turn {
        self.tell(node, What::DiskDone { op });
        Turn::Step(node, Input::DiskDone(op))
    }

    fn arrived(&mut self, arrival: Arrival) -> Turn {
        let Some(node) = self.network.target(&arrival) else { return Turn::Nothing };
        let is_awaited = self.network.is_awaited(&arrival);
        let host = self.host(node);
        if host.is_dying || host.is_paused && is_awaited {
            host.held.push_back(Held::Arrival(arrival));
            return Turn::Nothing;
        }
        let listens = host.is_running && !host.is_exiting && host.listens;
        let reach = match (host.has_power, listens) {
            (false, _) => Reach::Silent,
            (true, true) => Reach::Listening,
            (true, false) => Reach::Refusing,
        };
        let reaction = self.network.arrive(self.now, arrival, reach);
        self.schedule(reaction.reply);
        let Some((input, peer)) = reaction.input else { return Turn::Nothing };
        let (conn, what) = match &input {
            Input::Received { conn, bytes } => {
                (*conn, What::Delivered { conn: *conn, from: peer, bytes })
            }
            Input::Opened(conn) => (*conn, What::Opened { conn: *conn, peer }),
            Input::Accepted { conn, .. } => (*conn, What::Accepted { conn: *conn, peer }),
            Input::Closed { conn, why } => (*conn, What::Closed { conn: *conn, peer, why: *why }),
            other => unreachable!("the network gave a process {other:?}"),
        };
        let host = self.host(node);
        if host.is_exiting || !host.closing.is_empty() && host.closing.contains(&conn) {
            return Turn::Nothing;
        }
        if host.is_paused && matches!(input, Input::Accepted { .. }) {
            host.held.push_back(Held::Accepted { conn, peer });
            return Turn::Nothing;
        }
        self.observer.event(&WorldEvent { time: self.now, node, what });
        Turn::Step(node, input)
    }

    /// The oldest of what waited for a paused process that runs again now.
    pub fn next_held(&mut self, node: NodeId) -> Option<Turn> {
        if self.host(node).is_exiting {
            return None;
        }
        Some(match self.host(node).held.pop_front()? {
            Held::Arrival(arrival) => self.arrived(arrival),
            Held::Timer { id, token } => self.fire(node, id, token),
            Held::DiskDone(op) => self.report_disk_done(node, op),
            Held::Accepted { conn, peer } => {
                self.tell(node, What::Accepted { conn, peer });
                Turn::Step(node, Input::Accepted { conn, peer })
            }
            Held::Shutdown => self.ask_to_end(node),
            Held::Boot => Turn::Boot(node),
        })
    }
}
