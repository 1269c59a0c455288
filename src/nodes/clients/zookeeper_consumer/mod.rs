//! The old consumer, which Kafka had up to 1.1: its group is made of znodes (`ZookeeperConsumerConnector`, as
//! `ConsoleConsumer --zookeeper` uses it).
//!
//! A member registers below `/consumers/GROUP/ids` and watches the others. At each change all members do the same sum:
//! partitions go in runs to the members in the order of their ids. Each gives up what it owned, reads the offset of
//! what it gets and claims it with an ephemeral znode below `owners`; as long as another still owns it, it fails,
//! waits and begins again. Offsets are committed below `offsets`.

mod asks;
mod rebalance;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};

use self::asks::{Ask, Own};
use self::rebalance::View;
use self::registry::Paths;
use super::consumer::{Consumer, ConsumerConfig};
use super::wake::{Wake, earlier};
use crate::nodes::Effects;
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Offset, Roster, Stream, Time, TopicPartition};
use crate::wire::zookeeper::{Code, Reply};

/// Token of the session's timers.
const SESSION_TOKEN: u64 = 1;

/// The properties of an old consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZookeeperConsumerConfig {
    /// How it reads, and what.
    pub reader: ConsumerConfig,
    /// `group.id`
    pub group: Arc<str>,
    /// `zookeeper.connect`
    pub servers: Vec<NodeId>,
    /// `zookeeper.session.timeout.ms`
    pub session_timeout: Duration,
    /// `auto.commit.interval.ms`; `None` when `auto.commit.enable` is off.
    pub auto_commit: Option<Duration>,
    /// `rebalance.max.retries`
    pub rebalance_max_retries: u32,
    /// `rebalance.backoff.ms`
    pub rebalance_backoff: Duration,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not begun.
    New,
    /// It writes its registration.
    Registering,
    /// It reads what it owns.
    Settled,
    /// It commits its offsets, before it gives up what it owned.
    Committing,
    /// It deletes its znodes below `owners`.
    Releasing,
    /// It reads who is in the group and what there is.
    Reading,
    /// It reads the offsets of what it gets.
    Positioning,
    /// It claims what it gets.
    Claiming,
    /// It gives up what it has claimed, as another owns a part.
    Yielding,
    /// It waits until it tries again.
    Waiting(Time),
    /// It commits for the last time.
    Leaving,
    /// It closes its session.
    Closing,
}

/// An old consumer.
#[derive(Debug)]
pub struct ZookeeperConsumer {
    config: ZookeeperConsumerConfig,
    paths: Paths,
    session: Session,
    reader: Consumer,
    stream: Stream,
    /// Its id in the group: `GROUP_HOST-MILLISECONDS-RANDOM`.
    id: Arc<str>,
    phase: Phase,
    /// The requests that are under way.
    asked: BTreeMap<u64, Ask>,
    next_tag: u64,
    /// Whether something has changed since the last rebalance began.
    is_triggered: bool,
    /// How often this rebalance has failed.
    failures: u32,
    view: View,
    owned: BTreeSet<TopicPartition>,
    /// The offset of each partition as ZooKeeper has it.
    committed: BTreeMap<TopicPartition, Offset>,
    next_commit: Option<Time>,
    wake: Wake,
}

impl ZookeeperConsumer {
    /// A consumer that starts with [`Input::Start`]; `stream` draws its id and its pauses.
    pub fn new(config: ZookeeperConsumerConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let timeout_ms = i32::try_from(config.session_timeout.as_millis()).unwrap_or(i32::MAX);
        let session = SessionConfig::new(config.servers.clone(), timeout_ms, SESSION_TOKEN);
        Self {
            paths: Paths::new(config.group.clone()),
            session: Session::new(session, stream.below_name("session")),
            reader: Consumer::manual(config.reader.clone(), roster, stream.below_name("reader")),
            stream,
            id: "".into(),
            phase: Phase::New,
            asked: BTreeMap::new(),
            next_tag: 0,
            is_triggered: false,
            failures: 0,
            view: View::default(),
            owned: BTreeSet::new(),
            committed: BTreeMap::new(),
            next_commit: None,
            wake: Wake::default(),
            config,
        }
    }

    /// The offset of the next record that it reads of a partition that it owns.
    pub fn position(&self, at: &TopicPartition) -> Option<Offset> {
        self.reader.position(at)
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let session = &mut self.session;
        match input {
            Input::Start(disk) => {
                session.start(clock, effects);
                self.reader.step(clock, Input::Start(disk), effects);
            }
            Input::Shutdown => self.leave(clock, effects),
            Input::Timer { id, token: SESSION_TOKEN } => session.on_timer(clock, effects, id),
            Input::Timer { id, token } => {
                if !self.wake.fired(id) {
                    self.reader.step(clock, Input::Timer { id, token }, effects);
                }
            }
            Input::Opened(conn) if session.owns(conn) => session.on_opened(clock, effects, conn),
            Input::Received { conn, bytes } if session.owns(conn) => {
                session.on_received(clock, effects, conn, bytes);
            }
            Input::Closed { conn, why } if session.owns(conn) => {
                session.on_closed(clock, effects, conn, why);
            }
            other => self.reader.step(clock, other, effects),
        }
        self.digest(clock, effects);
        self.go_on(clock, effects);
    }

    fn digest(&mut self, clock: Clock, effects: &mut Effects) {
        while let Some(event) = self.session.poll() {
            match event {
                SessionEvent::Reply { tag, result, .. } => {
                    // Requests of an expired session are forgotten.
                    if let Some(ask) = self.asked.remove(&tag) {
                        self.answered(clock, ask, result, effects);
                    }
                }
                SessionEvent::Watch(event) => {
                    debug!(path = %event.path, "something has changed");
                    self.is_triggered = true;
                }
                SessionEvent::Expired => self.expired(clock, effects),
                SessionEvent::Closed => return effects.exit(),
                SessionEvent::Connected | SessionEvent::Disconnected => {}
            }
        }
    }

    /// Its znodes are gone: it registers again, and claims what it gets then.
    fn expired(&mut self, clock: Clock, effects: &mut Effects) {
        if self.phase == Phase::Closing {
            return effects.exit();
        }
        info!(id = %self.id, "the session has expired");
        self.session.renew(clock, effects);
        self.asked.clear();
        self.owned.clear();
        self.reader.unassign_all();
        if !matches!(self.phase, Phase::New | Phase::Leaving) {
            self.register(clock, effects);
        }
    }

    fn register(&mut self, clock: Clock, effects: &mut Effects) {
        self.phase = Phase::Registering;
        self.failures = 0;
        self.ask(clock, Ask::Register, effects);
    }

    fn leave(&mut self, clock: Clock, effects: &mut Effects) {
        if matches!(self.phase, Phase::Leaving | Phase::Closing) {
            return;
        }
        self.phase = Phase::Leaving;
        self.asked.clear();
        self.commit(clock, effects);
        self.reader.unassign_all();
    }

    /// Commits what has changed since the last time, if it commits by itself.
    fn commit(&mut self, clock: Clock, effects: &mut Effects) {
        if self.config.auto_commit.is_none() {
            return;
        }
        for (at, offset) in self.reader.positions() {
            if self.owned.contains(&at) && self.committed.get(&at) != Some(&offset) {
                self.ask(clock, Ask::Commit(at.clone(), offset), effects);
                self.committed.insert(at, offset);
            }
        }
    }

    /// Does what is due, and what follows when all that it asked for is answered.
    fn go_on(&mut self, clock: Clock, effects: &mut Effects) {
        let start = self.config.reader.start;
        if self.phase == Phase::New && clock.now >= start {
            let random = self.stream.below(1 << 32);
            let host = &self.config.reader.name;
            let id = format!("{}_{host}-{}-{random:08x}", self.config.group, clock.wall_ms);
            self.id = id.into();
            self.next_commit = self.config.auto_commit.map(|every| clock.now + every);
            self.register(clock, effects);
        }
        if self.phase != Phase::New && self.next_commit.is_some_and(|at| at <= clock.now) {
            self.next_commit = self.config.auto_commit.map(|every| clock.now + every);
            if self.phase == Phase::Settled {
                self.commit(clock, effects);
            }
        }
        while self.asked.is_empty() && self.advance(clock, effects) {}
        let next = match self.phase {
            Phase::New => Some(start),
            Phase::Waiting(until) => earlier(Some(until), self.next_commit),
            _ => self.next_commit,
        };
        self.wake.arm(effects, next);
    }

    /// What it writes of itself.
    fn own(&self, clock: Clock) -> Own<'_> {
        let topics = &self.config.reader.topics;
        Own { paths: &self.paths, id: &self.id, topics, wall_ms: clock.wall_ms }
    }

    fn ask(&mut self, clock: Clock, ask: Ask, effects: &mut Effects) {
        let request = self.own(clock).request(&ask);
        self.next_tag += 1;
        self.asked.insert(self.next_tag, ask);
        self.session.request(clock, effects, request, self.next_tag);
    }

    fn answered(
        &mut self,
        clock: Clock,
        ask: Ask,
        result: Result<Reply, Code>,
        effects: &mut Effects,
    ) {
        match result {
            // The session goes on at another server; what was asked for may have been done.
            Err(Code::CONNECTION_LOSS) => self.ask(clock, ask, effects),
            Err(Code::SESSION_EXPIRED) => {}
            result => self.read(clock, ask, result, effects),
        }
    }
}
