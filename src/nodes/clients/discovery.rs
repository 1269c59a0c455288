//! Leaders, read from ZooKeeper: `/brokers/ids/N` and `/brokers/topics/T/partitions/P/state`.
//!
//! In many textbooks a producer finds the leader this way ("the producer asks ZooKeeper"). Kafka's own producers
//! have asked brokers since 0.8. Nothing is watched: the znodes are read again when a Metadata request would be
//! sent.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tracing::debug;

use super::metadata::Metadata;
use crate::nodes::Effects;
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::vocab::step::Input;
use crate::vocab::{BrokerId, Clock, LeaderEpoch, NodeId, Stream, Time};
use crate::wire::zookeeper::{Code, Reply, Request};

/// Token of the session's timers; the client's own have another.
pub const SESSION_TOKEN: u64 = 1;

/// What a request of a round reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Children of `/brokers/ids`.
    Ids,
    /// `/brokers/ids/N`
    Broker(BrokerId),
    /// Children of `/brokers/topics/T/partitions`.
    Partitions(usize),
    /// `/brokers/topics/T/partitions/P/state`
    State(usize, usize),
}

/// One reading of all these znodes.
#[derive(Debug, Default)]
struct Round {
    pending: BTreeMap<u64, Read>,
    hosts: Vec<(BrokerId, String)>,
    topics: Vec<Vec<(Option<BrokerId>, LeaderEpoch)>>,
}

/// A client's session at ZooKeeper, and what it reads there.
#[derive(Debug)]
pub struct Discovery {
    session: Session,
    round: Option<Round>,
    next_tag: u64,
}

impl Discovery {
    /// A session with these servers that is not started yet; `stream` draws its pauses.
    pub fn new(servers: Vec<NodeId>, session_timeout: Duration, stream: Stream) -> Self {
        let timeout_ms = i32::try_from(session_timeout.as_millis()).unwrap_or(i32::MAX);
        let config = SessionConfig::new(servers, timeout_ms, SESSION_TOKEN);
        let session = Session::new(config, stream);
        Self { session, round: None, next_tag: 0 }
    }

    /// Processes an input that is the session's; returns any other.
    pub fn handle(
        &mut self,
        clock: Clock,
        input: Input,
        metadata: &mut Metadata,
        effects: &mut Effects,
    ) -> Option<Input> {
        let session = &mut self.session;
        match input {
            Input::Start(disk) => {
                session.start(clock, effects);
                return Some(Input::Start(disk));
            }
            Input::Timer { id, token: SESSION_TOKEN } => session.on_timer(clock, effects, id),
            Input::Opened(conn) if session.owns(conn) => session.on_opened(clock, effects, conn),
            Input::Received { conn, bytes } if session.owns(conn) => {
                session.on_received(clock, effects, conn, bytes);
            }
            Input::Closed { conn, why } if session.owns(conn) => {
                session.on_closed(clock, effects, conn, why);
            }
            other => return Some(other),
        }
        self.digest(clock, metadata, effects);
        None
    }

    /// Begins a round when one is due. Returns when to come back.
    pub fn refresh(
        &mut self,
        clock: Clock,
        metadata: &mut Metadata,
        effects: &mut Effects,
    ) -> Option<Time> {
        let due = metadata.due()?;
        if due > clock.now {
            return Some(due);
        }
        let Some(server) = self.session.server() else {
            // No server is connected; the next input is the session's.
            return None;
        };
        metadata.begin(clock.now, server, effects);
        self.round =
            Some(Round { topics: vec![Vec::new(); metadata.topics()], ..Round::default() });
        self.ask(clock, Read::Ids, metadata, effects);
        for topic in 0..metadata.topics() {
            self.ask(clock, Read::Partitions(topic), metadata, effects);
        }
        None
    }

    fn ask(&mut self, clock: Clock, read: Read, metadata: &Metadata, effects: &mut Effects) {
        let round = self.round.as_mut().expect("only a round reads");
        let request = match read {
            Read::Ids => Request::GetChildren { path: "/brokers/ids".into(), watch: false },
            Read::Broker(id) => {
                Request::GetData { path: format!("/brokers/ids/{id}").into(), watch: false }
            }
            Read::Partitions(topic) => {
                let path = format!("/brokers/topics/{}/partitions", metadata.name(topic));
                Request::GetChildren { path: path.into(), watch: false }
            }
            Read::State(topic, partition) => {
                let topic = metadata.name(topic);
                let path = format!("/brokers/topics/{topic}/partitions/{partition}/state");
                Request::GetData { path: path.into(), watch: false }
            }
        };
        round.pending.insert(self.next_tag, read);
        self.session.request(clock, effects, request, self.next_tag);
        self.next_tag += 1;
    }

    fn digest(&mut self, clock: Clock, metadata: &mut Metadata, effects: &mut Effects) {
        while let Some(event) = self.session.poll() {
            match event {
                SessionEvent::Reply { tag, result, .. } => {
                    self.read(clock, tag, result, metadata, effects);
                }
                SessionEvent::Expired => self.session.renew(clock, effects),
                SessionEvent::Watch(_)
                | SessionEvent::Connected
                | SessionEvent::Disconnected
                | SessionEvent::Closed => {}
            }
        }
    }

    fn read(
        &mut self,
        clock: Clock,
        tag: u64,
        result: Result<Reply, Code>,
        metadata: &mut Metadata,
        effects: &mut Effects,
    ) {
        // Answers to a round that has failed.
        let Some(round) = &mut self.round else { return };
        let Some(read) = round.pending.remove(&tag) else { return };
        match (read, result) {
            (Read::Ids, Ok(Reply::Children(ids))) => {
                let mut ids: Vec<i32> = ids.iter().filter_map(|id| id.parse().ok()).collect();
                ids.sort_unstable();
                for id in ids {
                    self.ask(clock, Read::Broker(BrokerId(id)), metadata, effects);
                }
            }
            (Read::Partitions(topic), Ok(Reply::Children(partitions))) => {
                let count = partitions.len();
                round.topics[topic] = vec![(None, -1); count];
                for partition in 0..count {
                    self.ask(clock, Read::State(topic, partition), metadata, effects);
                }
            }
            (Read::Broker(id), Ok(Reply::Data { data, .. })) => {
                if let Some(host) = host_of(data.as_deref()) {
                    round.hosts.push((id, host));
                }
            }
            (Read::State(topic, partition), Ok(Reply::Data { data, .. })) => {
                if let Some(state) = leader_of(data.as_deref()) {
                    round.topics[topic][partition] = state;
                }
            }
            // Deleted, or not written yet.
            (_, Err(Code::NO_NODE)) => {}
            (read, other) => {
                debug!(?read, ?other, "ZooKeeper could not be read");
                self.round = None;
                metadata.lost();
                return;
            }
        }
        let finished = |round: &&Round| round.pending.is_empty();
        if let Some(round) = self.round.as_ref().filter(finished) {
            metadata.read_from_zookeeper(clock.now, &round.hosts, &round.topics);
            self.round = None;
        }
    }
}

fn json(data: Option<&[u8]>) -> Option<Value> {
    serde_json::from_slice(data?).ok()
}

/// The host in a broker's registration: of the listener PLAINTEXT, or else of the only one. The field `host` itself
/// may be the address for clients from outside.
fn host_of(data: Option<&[u8]>) -> Option<String> {
    let registration = json(data)?;
    let endpoints = registration.get("endpoints").and_then(Value::as_array);
    let mut endpoints = endpoints.into_iter().flatten().filter_map(Value::as_str);
    let own = endpoints.find_map(|text| text.strip_prefix("PLAINTEXT://")?.rsplit_once(':'));
    let only = || registration.get("host")?.as_str();
    own.map(|(host, _)| host).or_else(only).map(str::to_owned)
}

/// Leader and leader epoch of a partition's state.
fn leader_of(data: Option<&[u8]>) -> Option<(Option<BrokerId>, LeaderEpoch)> {
    let state = json(data)?;
    let number = |name| i32::try_from(state.get(name)?.as_i64()?).ok();
    let leader = number("leader")?;
    Some(((leader >= 0).then_some(BrokerId(leader)), number("leader_epoch")?))
}
