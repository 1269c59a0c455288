//! A client that works on znodes, so that the guarantees of ZooKeeper are tested.
//!
//! At a steady rate it creates, sets, deletes, reads, watches and syncs znodes below `/load` that it shares with
//! the other clients of its kind, without waiting for answers, and from time to time moves to another server.
//! It does not judge the answers: its session observes them, and checkers judge the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::nodes::Effects;
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Stream, Time};
use crate::wire::zookeeper::{Create, Delete, Reply, Request, SetData};

const SESSION_TIMER: u64 = 1;
const ASK_TIMER: u64 = 2;
const MOVE_TIMER: u64 = 3;
/// The most requests that are under way at a time.
const IN_FLIGHT: usize = 16;
/// The znode above all that it works on.
const ROOT: &str = "/load";

/// How a client works on znodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZnodesConfig {
    /// The node's name, which is part of the data that it writes.
    pub name: Arc<str>,
    /// The ZooKeeper servers.
    pub servers: Vec<NodeId>,
    /// The session timeout that it requests, in milliseconds.
    pub session_timeout_ms: i32,
    /// Time between two requests.
    pub interval: Duration,
    /// How many znodes there are to work on.
    pub znodes: u64,
    /// Time between two moves to another server, on average; `None` for a client that never moves.
    pub move_every: Option<Duration>,
    /// When it sends its last request.
    pub stop: Time,
}

/// A client that works on znodes.
#[derive(Debug)]
pub struct Znodes {
    config: ZnodesConfig,
    session: Session,
    stream: Stream,
    /// The path of each request that is under way, by its tag.
    asked: BTreeMap<u64, Arc<str>>,
    next_tag: u64,
    /// The last version of each znode that an answer contained.
    versions: BTreeMap<Arc<str>, i32>,
}

impl Znodes {
    /// A client that begins at [`Input::Start`]; `stream` draws what it does.
    ///
    /// # Panics
    /// Without a server or a znode.
    pub fn new(config: ZnodesConfig, stream: Stream) -> Self {
        assert!(config.znodes > 0, "a client without a znode to work on");
        let servers = config.servers.clone();
        let mut session = SessionConfig::new(servers, config.session_timeout_ms, SESSION_TIMER);
        // Shorter than the Java client's pause, so that most of the run is work on znodes.
        session.backoff_ms = 0..=99;
        Self {
            session: Session::new(session, stream.below_name("session")),
            config,
            stream,
            asked: BTreeMap::new(),
            next_tag: 0,
            versions: BTreeMap::new(),
        }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Start(_) => {
                self.session.start(clock, effects);
                let root = Request::Create(Create::persistent(ROOT, None));
                self.send(clock, effects, ROOT.into(), root);
                effects.timer(clock.now + self.config.interval, ASK_TIMER);
                self.move_later(clock, effects);
            }
            Input::Opened(conn) => self.session.on_opened(clock, effects, conn),
            Input::Received { conn, bytes } => {
                self.session.on_received(clock, effects, conn, bytes);
            }
            Input::Closed { conn, why } => self.session.on_closed(clock, effects, conn, why),
            Input::Timer { token: ASK_TIMER, .. } => self.ask(clock, effects),
            Input::Timer { token: MOVE_TIMER, .. } => self.move_on(clock, effects),
            Input::Timer { id, .. } => self.session.on_timer(clock, effects, id),
            Input::Shutdown => return effects.exit(),
            Input::Accepted { .. } | Input::DiskDone(_) => {}
        }
        self.digest(clock, effects);
    }

    fn ask(&mut self, clock: Clock, effects: &mut Effects) {
        if clock.now >= self.config.stop {
            return;
        }
        effects.timer(clock.now + self.config.interval, ASK_TIMER);
        if self.session.is_connected() && self.asked.len() < IN_FLIGHT {
            let (path, request) = self.draw();
            self.send(clock, effects, path, request);
        }
    }

    /// Moves to another server, often with requests under way.
    fn move_on(&mut self, clock: Clock, effects: &mut Effects) {
        if clock.now >= self.config.stop {
            return;
        }
        let servers = self.config.servers.len() as u64;
        let server = usize::try_from(self.stream.below(servers)).expect("below a usize");
        self.session.move_to(clock, effects, server);
        self.move_later(clock, effects);
    }

    fn move_later(&mut self, clock: Clock, effects: &mut Effects) {
        // Without this setting it never moves.
        let Some(every) = self.config.move_every else { return };
        let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX / 4);
        let pause = Duration::from_nanos(self.stream.within(every / 2..=every / 2 * 3));
        effects.timer(clock.now + pause, MOVE_TIMER);
    }

    fn send(&mut self, clock: Clock, effects: &mut Effects, path: Arc<str>, request: Request) {
        self.next_tag += 1;
        self.asked.insert(self.next_tag, path);
        self.session.request(clock, effects, request, self.next_tag);
    }

    /// What it does next, and to which znode.
    fn draw(&mut self) -> (Arc<str>, Request) {
        let number = self.stream.below(self.config.znodes);
        let path: Arc<str> = format!("{ROOT}/{number}").into();
        let data = Some(Bytes::from(format!("{}-{}", self.config.name, self.next_tag)));
        let version = self.versions.get(&path).copied().unwrap_or(-1);
        let request = match self.stream.below(20) {
            0..=2 => Request::Create(Create::persistent(path.clone(), data)),
            3 => Request::Create(Create::ephemeral(path.clone(), data)),
            4..=6 => Request::SetData(SetData { path: path.clone(), data, version }),
            7 | 8 => Request::SetData(SetData { path: path.clone(), data, version: -1 }),
            9 => Request::Delete(Delete { path: path.clone(), version }),
            10 => Request::Delete(Delete { path: path.clone(), version: -1 }),
            11..=13 => Request::GetData { path: path.clone(), watch: true },
            14 => Request::GetData { path: path.clone(), watch: false },
            15 | 16 => Request::Exists { path: path.clone(), watch: true },
            17 => return (ROOT.into(), Request::GetChildren { path: ROOT.into(), watch: true }),
            _ => Request::Sync { path: path.clone() },
        };
        (path, request)
    }

    fn digest(&mut self, clock: Clock, effects: &mut Effects) {
        while let Some(event) = self.session.poll() {
            match event {
                SessionEvent::Reply { tag, result, .. } => {
                    let path = self.asked.remove(&tag).expect("each request is answered once");
                    match result {
                        Ok(
                            Reply::Stat(stat)
                            | Reply::Data { stat, .. }
                            | Reply::Created { stat, .. },
                        ) => {
                            self.versions.insert(path, stat.version);
                        }
                        // The version may be wrong: the next attempt goes without one.
                        Err(_) => {
                            self.versions.remove(&path);
                        }
                        Ok(_) => {}
                    }
                }
                SessionEvent::Expired => self.session.renew(clock, effects),
                SessionEvent::Watch(_)
                | SessionEvent::Connected
                | SessionEvent::Disconnected
                | SessionEvent::Closed => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::vocab::Seed;
    use crate::vocab::step::Effect;
    use crate::wire::zookeeper::ConnectResponse;

    fn client(move_every: Option<Duration>) -> Znodes {
        let config = ZnodesConfig {
            name: "k0".into(),
            servers: vec![NodeId(0), NodeId(1), NodeId(2)],
            session_timeout_ms: 6_000,
            interval: Duration::from_millis(10),
            znodes: 4,
            move_every,
            stop: Time::from_millis(5_000),
        };
        Znodes::new(config, Seed(1).stream("znodes"))
    }

    /// Plays servers that take everybody and answer nothing; to which of them it connected, and how many frames
    /// it sent.
    fn play(mut client: Znodes) -> (Vec<NodeId>, usize) {
        let mut effects = Effects::default();
        let mut inputs = vec![(Time::ZERO, Input::Start(Default::default()))];
        let (mut connected, mut frames) = (Vec::new(), 0);
        while let Some(first) = (0..inputs.len()).min_by_key(|&index| inputs[index].0) {
            let (now, input) = inputs.remove(first);
            if now > Time::from_millis(6_000) {
                break;
            }
            client.step(Clock { now, wall_ms: 0 }, input, &mut effects);
            for effect in effects.drain() {
                match effect {
                    Effect::Connect { conn, to } => {
                        connected.push(to);
                        inputs.push((now, Input::Opened(conn)));
                        let response = ConnectResponse {
                            protocol_version: 0,
                            timeout_ms: 6_000,
                            session: 7,
                            password: None,
                            read_only: Some(false),
                        };
                        let bytes = response.encode();
                        inputs.push((
                            now + Duration::from_millis(1),
                            Input::Received { conn, bytes },
                        ));
                    }
                    Effect::Send { .. } => frames += 1,
                    Effect::SetTimer { id, at, token } => {
                        inputs.push((at, Input::Timer { id, token }));
                    }
                    _ => {}
                }
            }
        }
        (connected, frames)
    }

    #[test]
    fn it_asks_as_much_as_may_be_under_way_and_no_more() {
        let (connected, frames) = play(client(None));
        // The handshake and pings come on top, and what a second connection repeats after the first was silent.
        assert!((IN_FLIGHT..4 * IN_FLIGHT).contains(&frames), "{frames}");
        assert!(connected.len() <= 2, "{connected:?}");
    }

    #[test]
    fn it_goes_on_at_other_servers() {
        let (connected, frames) = play(client(Some(Duration::from_millis(100))));
        let servers: BTreeSet<_> = connected.iter().collect();
        assert!(connected.len() > 25 && servers.len() == 3, "{connected:?}");
        assert!(frames > 200, "{frames}");
    }
}
