//! A client that writes and reads all the time, and remembers the replies.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_sim::nodes::Effects;
use kafka_sim::nodes::session::{Session, SessionConfig, SessionEvent};
use kafka_sim::vocab::step::Input;
use kafka_sim::vocab::{Clock, NodeId, Stream, Time, Zxid};
use kafka_sim::wire::zookeeper::{Code, Create, Reply, Request, SetData};

const SESSION_TIMER: u64 = 1;
const ASK_TIMER: u64 = 2;
const SESSION_TIMEOUT_MS: i32 = 4_000;

#[derive(Debug)]
enum Asked {
    Create(String),
    Ephemeral,
    Set(u64),
    Read,
    Sync,
}

/// What a client knows of its writes.
#[derive(Debug, Default)]
pub struct Known {
    /// Paths of the znodes that ZooKeeper said were created, and at which zxid.
    pub created: BTreeMap<String, Zxid>,
    /// Values that ZooKeeper said were set, by their zxid.
    pub set: BTreeMap<Zxid, u64>,
    /// When the last write was acknowledged.
    pub last_write_at: Option<Time>,
    /// How many sessions it has had.
    pub sessions: u32,
    /// The most recent zxid that its session has seen.
    seen: Zxid,
}

pub struct Client {
    name: String,
    session: Session,
    stream: Stream,
    asked: BTreeMap<u64, Asked>,
    next: u64,
    pub known: Known,
}

impl Client {
    pub fn new(name: &str, servers: Vec<NodeId>, stream: Stream) -> Self {
        let config = SessionConfig::new(servers, SESSION_TIMEOUT_MS, SESSION_TIMER);
        Self {
            name: name.into(),
            session: Session::new(config, stream.below_name("session")),
            stream,
            asked: BTreeMap::new(),
            next: 0,
            known: Known::default(),
        }
    }

    /// Whether its session is attached.
    pub fn is_connected(&self) -> bool {
        self.session.is_connected()
    }

    fn draw(&mut self) -> (Request, Asked) {
        let number = self.next;
        if number % 50 == 1 {
            let shared = Create::persistent("/shared", None);
            return (Request::Create(shared), Asked::Ephemeral);
        }
        let data = Some(Bytes::from(number.to_string()));
        match self.stream.below(8) {
            0..=2 => {
                let path = format!("/{}-{number}", self.name);
                (Request::Create(Create::persistent(path.as_str(), data)), Asked::Create(path))
            }
            3 => {
                let path = format!("/e-{}-{number}", self.name);
                (Request::Create(Create::ephemeral(path, data)), Asked::Ephemeral)
            }
            4 => {
                let (path, version) = ("/shared".into(), -1);
                (Request::SetData(SetData { path, data, version }), Asked::Set(number))
            }
            5 => (Request::Sync { path: "/".into() }, Asked::Sync),
            6 => (Request::GetData { path: "/shared".into(), watch: true }, Asked::Read),
            _ => (Request::Exists { path: "/shared".into(), watch: true }, Asked::Read),
        }
    }

    fn ask(&mut self, clock: Clock, fx: &mut Effects) {
        if self.asked.len() < 8 && self.session.is_connected() {
            self.next += 1;
            let (request, asked) = self.draw();
            self.asked.insert(self.next, asked);
            self.session.request(clock, fx, request, self.next);
        }
        let pause = Duration::from_millis(self.stream.within(5..=60));
        fx.timer(clock.now + pause, ASK_TIMER);
    }

    fn learn(&mut self, clock: Clock, fx: &mut Effects) {
        while let Some(event) = self.session.poll() {
            match event {
                SessionEvent::Reply { tag, result, zxid } => {
                    let asked = self.asked.remove(&tag).expect("a request ends once");
                    if zxid != Zxid(0) {
                        assert!(zxid >= self.known.seen, "{}: a view went back", self.name);
                        self.known.seen = zxid;
                    }
                    self.ended(clock.now, asked, result);
                }
                SessionEvent::Expired => {
                    self.known.seen = Zxid(0);
                    self.session.renew(clock, fx);
                }
                SessionEvent::Connected => self.known.sessions += 1,
                SessionEvent::Watch(_) | SessionEvent::Disconnected | SessionEvent::Closed => {}
            }
        }
    }

    fn ended(&mut self, now: Time, asked: Asked, result: Result<Reply, Code>) {
        match (asked, result) {
            (Asked::Create(path), Ok(Reply::Created { path: made, stat })) => {
                assert_eq!(*path, *made, "a reply to another request");
                self.known.created.insert(path, stat.czxid);
                self.known.last_write_at = Some(now);
            }
            (Asked::Set(value), Ok(Reply::Stat(stat))) => {
                self.known.set.insert(stat.mzxid, value);
                self.known.last_write_at = Some(now);
            }
            (Asked::Create(_), Err(Code::NODE_EXISTS)) => panic!("written twice"),
            (Asked::Sync, Ok(reply)) => assert_eq!(reply, Reply::Path("/".into())),
            (_, Ok(_) | Err(_)) => {}
        }
    }

    pub fn step(&mut self, clock: Clock, input: Input, fx: &mut Effects) {
        match input {
            Input::Start(_) => {
                self.session.start(clock, fx);
                fx.timer(clock.now, ASK_TIMER);
            }
            Input::Opened(conn) => self.session.on_opened(clock, fx, conn),
            Input::Received { conn, bytes } => self.session.on_received(clock, fx, conn, bytes),
            Input::Closed { conn, why } => self.session.on_closed(clock, fx, conn, why),
            Input::Timer { token: ASK_TIMER, .. } => self.ask(clock, fx),
            Input::Timer { id, .. } => self.session.on_timer(clock, fx, id),
            Input::Accepted { .. } | Input::DiskDone(_) | Input::Shutdown => {}
        }
        self.learn(clock, fx);
    }
}
