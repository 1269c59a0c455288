//! Tests of a session against a server that is played by hand.

use super::*;
use crate::history::{SessionAnswer, SessionCall, WatchKind};
use crate::vocab::Seed;
use crate::vocab::step::Effect;
use crate::wire::zookeeper::{EventKind, RequestHeader, SetWatches, Stat, encode_event};

const TOKEN: u64 = 99;

struct Harness {
    session: Session,
    fx: Effects,
    now: Time,
    /// How far the wall clock was set.
    wall_offset_ms: i64,
    timer: Option<(Time, TimerId)>,
    connected_to: Vec<NodeId>,
    conn: Option<ConnId>,
    sent: Vec<Bytes>,
    observed: Vec<Observation>,
}

impl Harness {
    /// A session of 6 s at two servers, on its way to the first.
    fn new() -> Self {
        Self::of(false)
    }

    fn of(by_wall: bool) -> Self {
        let mut config = SessionConfig::new(vec![NodeId(1), NodeId(2)], 6_000, TOKEN);
        config.backoff_ms = 100..=100;
        config.by_wall = by_wall;
        let mut harness = Self {
            session: Session::new(config, Seed(1).stream("session")),
            fx: Effects::default(),
            now: Time::ZERO,
            wall_offset_ms: 0,
            timer: None,
            connected_to: Vec::new(),
            conn: None,
            sent: Vec::new(),
            observed: Vec::new(),
        };
        harness.call(|session, clock, fx| session.start(clock, fx));
        harness
    }

    fn attached() -> Self {
        Self::new().and_attached()
    }

    fn and_attached(self) -> Self {
        let mut harness = self;
        harness.accept(7, 6_000);
        assert_eq!(harness.events(), [SessionEvent::Connected]);
        harness
    }

    fn call(&mut self, f: impl FnOnce(&mut Session, Clock, &mut Effects)) {
        let wall_ms = 1_000_000_000 + self.now.as_millis() as i64 + self.wall_offset_ms;
        let clock = Clock { now: self.now, wall_ms };
        f(&mut self.session, clock, &mut self.fx);
        for effect in self.fx.drain() {
            match effect {
                Effect::Connect { conn, to } => {
                    self.connected_to.push(to);
                    self.conn = Some(conn);
                }
                Effect::Send { conn, bytes } => {
                    assert_eq!(Some(conn), self.conn);
                    self.sent.push(bytes.slice(4..));
                }
                Effect::Close(conn) => {
                    assert_eq!(self.conn.take(), Some(conn));
                }
                Effect::SetTimer { id, at, token } => {
                    assert_eq!((token, self.timer), (TOKEN, None), "one timer at a time");
                    self.timer = Some((at, id));
                }
                Effect::CancelTimer(id) => {
                    assert_eq!(self.timer.take().unwrap().1, id);
                }
                Effect::Observe(seen) => self.observed.push(seen),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets time pass, and the timers that become due.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, id)) = self.timer
            && at <= end
        {
            (self.timer, self.now) = (None, at);
            self.call(|session, clock, fx| session.on_timer(clock, fx, id));
        }
        self.now = end;
    }

    fn accept(&mut self, id: i64, timeout_ms: i32) -> ConnectRequest {
        let conn = self.conn.unwrap();
        self.call(|session, clock, fx| session.on_opened(clock, fx, conn));
        let asked = ConnectRequest::decode(self.sent.pop().unwrap()).unwrap();
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session: id,
            password: Some(Bytes::from_static(b"0123456789abcdef")),
            read_only: Some(false),
        };
        self.receive(response.encode());
        asked
    }

    fn receive(&mut self, bytes: Bytes) {
        let conn = self.conn.unwrap();
        self.call(|session, clock, fx| session.on_received(clock, fx, conn, bytes));
    }

    fn lose(&mut self) {
        let conn = self.conn.unwrap();
        // The effect of closing is taken as for a live connection.
        self.call(|session, clock, fx| session.on_closed(clock, fx, conn, Closed::Reset));
    }

    fn ask(&mut self, request: Request, tag: u64) {
        self.call(|session, clock, fx| session.request(clock, fx, request, tag));
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn requests(&mut self) -> Vec<(i32, Request)> {
        let decode = |payload: Bytes| {
            let mut from = Reader::new(payload);
            let header = RequestHeader::decode(&mut from).unwrap();
            (header.xid, Request::decode(header, &mut from).unwrap())
        };
        std::mem::take(&mut self.sent).into_iter().map(decode).collect()
    }
}

fn exists(path: &str) -> Request {
    Request::Exists { path: path.into(), watch: true }
}

fn lost(tag: u64) -> SessionEvent {
    SessionEvent::Reply { tag, result: Err(Code::CONNECTION_LOSS), zxid: Zxid(0) }
}

#[test]
fn requests_made_before_the_connection_is_open_are_sent_when_it_is() {
    let mut harness = Harness::new();
    harness.ask(exists("/a"), 1);
    assert!(harness.sent.is_empty());
    let asked = harness.accept(7, 6_000);
    assert_eq!((asked.session, asked.timeout_ms, asked.last_zxid_seen), (0, 6_000, Zxid(0)));
    assert_eq!(harness.requests(), [(1, exists("/a"))]);
    assert_eq!(harness.session.id(), 7);
}

#[test]
fn replies_come_out_under_their_tags() {
    let mut harness = Harness::attached();
    harness.ask(exists("/a"), 11);
    harness.ask(exists("/b"), 12);
    harness.receive(Reply::encode(Ok(&Reply::Stat(Stat::default())), 1, Zxid(5)));
    harness.receive(Reply::encode(Err(Code::NO_NODE), 2, Zxid(6)));
    let expected = [
        SessionEvent::Reply { tag: 11, result: Ok(Reply::Stat(Stat::default())), zxid: Zxid(5) },
        SessionEvent::Reply { tag: 12, result: Err(Code::NO_NODE), zxid: Zxid(6) },
    ];
    assert_eq!(harness.events(), expected);
}

#[test]
fn it_pings_after_a_third_of_the_session_and_leaves_a_server_silent_for_two() {
    let mut harness = Harness::attached();
    harness.pass(1_999);
    assert!(harness.sent.is_empty());
    harness.pass(1);
    assert_eq!(harness.requests(), [(xid::PING, Request::Ping)]);
    harness.receive(Reply::encode(Ok(&Reply::Empty), xid::PING, Zxid(0)));
    harness.pass(3_999);
    assert!(harness.session.is_connected());
    harness.pass(1);
    assert_eq!(harness.events(), [SessionEvent::Disconnected]);
    harness.pass(100);
    assert_eq!(harness.connected_to, [NodeId(2), NodeId(1)], "in an order of its own");
}

#[test]
fn a_request_puts_the_ping_off() {
    let mut harness = Harness::attached();
    harness.pass(1_500);
    harness.ask(exists("/a"), 1);
    harness.sent.clear();
    harness.pass(1_999);
    assert!(harness.sent.is_empty());
    harness.pass(1);
    assert_eq!(harness.requests(), [(xid::PING, Request::Ping)]);
}

#[test]
fn a_long_session_pings_every_ten_seconds() {
    let mut harness = Harness::new();
    harness.accept(7, 60_000);
    harness.pass(9_999);
    assert!(harness.sent.is_empty());
    harness.pass(1);
    assert_eq!(harness.requests(), [(xid::PING, Request::Ping)]);
}

#[test]
fn it_attaches_again_with_what_it_knows_and_arms_its_watches() {
    let mut harness = Harness::attached();
    let path = |path: &str| std::sync::Arc::<str>::from(path);
    harness.ask(exists("/here"), 1);
    harness.ask(exists("/missing"), 2);
    harness.ask(Request::GetChildren { path: path("/c"), watch: true }, 3);
    harness.ask(Request::GetData { path: path("/fired"), watch: true }, 4);
    harness.ask(exists("/unanswered"), 5);
    harness.receive(Reply::encode(Ok(&Reply::Stat(Stat::default())), 1, Zxid(5)));
    harness.receive(Reply::encode(Err(Code::NO_NODE), 2, Zxid(5)));
    harness.receive(Reply::encode(Ok(&Reply::Children(vec![])), 3, Zxid(6)));
    let data = Reply::Data { data: None, stat: Stat::default() };
    harness.receive(Reply::encode(Ok(&data), 4, Zxid(6)));
    harness.receive(encode_event(EventKind::DataChanged, "/fired"));
    harness.events();
    harness.lose();
    assert_eq!(harness.events(), [lost(5), SessionEvent::Disconnected]);
    harness.sent.clear();
    harness.pass(100);
    let asked = harness.accept(7, 6_000);
    assert_eq!((asked.session, asked.last_zxid_seen), (7, Zxid(6)));
    assert_eq!(asked.password.unwrap(), "0123456789abcdef");
    let set = SetWatches {
        relative_zxid: Zxid(6),
        data: vec![path("/here")],
        exist: vec![path("/missing")],
        child: vec![path("/c")],
        persistent: None,
    };
    assert_eq!(harness.requests(), [(xid::SET_WATCHES, Request::SetWatches(set))]);
    assert_eq!(harness.events(), [SessionEvent::Connected]);
}

#[test]
fn an_expired_session_says_so_and_a_new_one_begins_from_nothing() {
    let mut harness = Harness::attached();
    harness.lose();
    harness.ask(exists("/a"), 1);
    harness.pass(100);
    harness.accept(0, 0);
    let expired =
        |tag| SessionEvent::Reply { tag, result: Err(Code::SESSION_EXPIRED), zxid: Zxid(0) };
    assert_eq!(harness.events(), [SessionEvent::Disconnected, expired(1), SessionEvent::Expired]);
    harness.ask(exists("/a"), 2);
    assert_eq!(harness.events(), [expired(2)]);
    assert_eq!(harness.timer, None);
    harness.call(|session, clock, fx| session.renew(clock, fx));
    let asked = harness.accept(8, 6_000);
    assert_eq!((asked.session, asked.last_zxid_seen), (0, Zxid(0)));
    assert_eq!(harness.events(), [SessionEvent::Connected]);
    assert!(harness.sent.is_empty(), "no watch of the old session is armed");
}

#[test]
fn its_requests_and_answers_are_in_the_history() {
    use SessionObservation::*;
    let mut harness = Harness::attached();
    let path: std::sync::Arc<str> = "/a".into();
    harness.ask(exists("/a"), 11);
    harness.receive(Reply::encode(Err(Code::NO_NODE), 1, Zxid(5)));
    harness.receive(encode_event(EventKind::Created, "/a"));
    harness.ask(exists("/a"), 12);
    let stat = Stat { mzxid: Zxid(6), version: 3, ..Stat::default() };
    harness.receive(Reply::encode(Ok(&Reply::Stat(stat)), 2, Zxid(7)));
    harness.ask(Request::Sync { path: path.clone() }, 13);
    harness.lose();
    harness.pass(100);
    harness.accept(7, 6_000);
    harness.receive(Reply::encode(Ok(&Reply::Empty), xid::SET_WATCHES, Zxid(8)));
    let servers = harness.connected_to.clone();
    let attached = |server: usize| Attached { session: 7, server: servers[server] };
    let exists = || SessionCall::Exists { path: path.clone(), watch: true };
    let failed = SessionAnswer::Failed { code: -101 };
    let found = SessionAnswer::Stat { mzxid: Zxid(6), version: 3 };
    let observed = [
        attached(0),
        Asked { xid: 1, call: exists() },
        Answered { xid: 1, zxid: Zxid(5), answer: failed },
        Notified { kind: WatchKind::Created, path: path.clone() },
        Asked { xid: 2, call: exists() },
        Answered { xid: 2, zxid: Zxid(7), answer: found },
        Asked { xid: 3, call: SessionCall::Sync },
        Detached,
        attached(1),
        Rearmed { zxid: Zxid(8) },
    ];
    assert_eq!(harness.observed, observed.map(Observation::Session));
}

#[test]
fn it_moves_to_another_server_at_once_and_never_learns_what_became_of_what_it_asked() {
    let mut harness = Harness::attached();
    harness.ask(exists("/a"), 1);
    harness.call(|session, clock, fx| session.move_to(clock, fx, 1));
    assert_eq!(harness.events(), [lost(1), SessionEvent::Disconnected]);
    assert_eq!(harness.connected_to, [NodeId(2), NodeId(1)]);
    harness.call(|session, clock, fx| session.move_to(clock, fx, 0));
    assert_eq!(harness.connected_to.len(), 2, "it is on its way already");
    let asked = harness.accept(7, 6_000);
    assert_eq!((asked.session, harness.events()), (7, vec![SessionEvent::Connected]));
}

#[test]
fn servers_that_do_not_answer_are_tried_in_turn() {
    let mut harness = Harness::new();
    harness.ask(exists("/a"), 1);
    harness.pass(3_100);
    assert_eq!(harness.connected_to, [NodeId(2), NodeId(1)]);
    assert_eq!(harness.events(), [lost(1)]);
    harness.lose();
    harness.pass(100);
    assert_eq!(harness.connected_to.len(), 2, "all were tried: there is a pause");
    harness.pass(1_000);
    assert_eq!(harness.connected_to, [NodeId(2), NodeId(1), NodeId(2)]);
}

/// Recorded with 2.8.2: sessions are there again 0.8 to 2.8 s after the only server is back; `StaticHostProvider`.
#[test]
fn a_server_that_is_the_only_one_is_tried_again_after_a_second_and_more() {
    let mut harness = Harness::new();
    harness.session.config.servers.truncate(1);
    harness.accept(7, 6_000);
    for tries in 1..4 {
        harness.lose();
        assert_eq!(harness.connected_to.len(), tries);
        harness.pass(1_050);
        assert_eq!(harness.connected_to.len(), tries, "1 s, and 0.1 s here");
        harness.pass(100);
        assert_eq!(harness.connected_to.len(), tries + 1);
    }
}

#[test]
fn what_does_not_decode_or_was_not_asked_for_breaks_the_connection() {
    for bytes in [
        Reply::encode(Ok(&Reply::Empty), 9, Zxid(1)),
        Reply::encode(Ok(&Reply::Empty), 1, Zxid(1)),
        Bytes::from_static(b"\xff\xff\xff\xff"),
        Bytes::from_static(b"\0\0\0\x01x"),
    ] {
        let mut harness = Harness::attached();
        harness.ask(exists("/a"), 1);
        harness.receive(bytes);
        assert_eq!(harness.events(), [lost(1), SessionEvent::Disconnected]);
    }
}

#[test]
fn closing_waits_for_the_server_when_there_is_one() {
    let mut harness = Harness::attached();
    harness.call(|session, clock, fx| session.close(clock, fx));
    assert_eq!(harness.requests(), [(1, Request::CloseSession)]);
    assert_eq!(harness.events(), []);
    harness.receive(Reply::encode(Ok(&Reply::Empty), 1, Zxid(1)));
    assert_eq!(harness.events(), [SessionEvent::Closed]);
    assert_eq!((harness.conn, harness.timer), (None, None));
    let mut unconnected = Harness::new();
    unconnected.call(|session, clock, fx| session.close(clock, fx));
    assert_eq!(unconnected.events(), [SessionEvent::Closed]);
}

#[test]
fn before_3_4_11_a_step_of_the_wall_clock_ends_connections() {
    for by_wall in [true, false] {
        let mut harness = Harness::of(by_wall).and_attached();
        harness.pass(1_000);
        harness.sent.clear();
        // Set back, it sends no ping for as long, so that its session expires.
        harness.wall_offset_ms = -60_000;
        harness.pass(59_000);
        assert_eq!(harness.sent.is_empty(), by_wall);
        // Set forward, its server seems to have been silent for long.
        let mut harness = Harness::of(by_wall).and_attached();
        harness.wall_offset_ms = 60_000;
        harness.pass(2_100);
        assert_eq!(harness.session.is_connected(), !by_wall);
    }
}
