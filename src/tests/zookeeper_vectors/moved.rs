//! A session that is attached at one server of an ensemble after the other.

use bytes::Bytes;
use kafka_sim::vocab::{ConnId, Zxid};
use kafka_sim::wire::frames::Frames;
use kafka_sim::wire::jute::Reader;
use kafka_sim::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, Create, MAX_FRAME, ReplyHeader, Request,
};

use super::world::World;

pub const FOLLOWERS: [usize; 2] = [0, 1];
pub const LEADER: usize = 2;

pub fn frames(world: &mut World, conn: ConnId) -> Vec<Bytes> {
    let mut frames = Frames::new(MAX_FRAME);
    frames.push(world.take(conn));
    std::iter::from_fn(|| frames.pop().expect("frames")).collect()
}

/// Attaches to a session at a server, or opens one there.
fn attach(
    world: &mut World,
    server: usize,
    session: Option<&ConnectResponse>,
) -> (ConnId, ConnectResponse) {
    world.turn_to(server);
    let conn = world.accept();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 30_000,
        session: session.map_or(0, |session| session.session),
        password: session.and_then(|session| session.password.clone()),
        read_only: None,
    };
    world.send(conn, request.encode());
    let response = ConnectResponse::decode(frames(world, conn).remove(0)).expect("a response");
    assert_ne!(response.session, 0);
    (conn, response)
}

/// Asks a server; the answer's zxid and code, or `None` when it hangs up instead.
pub fn ask(
    world: &mut World,
    server: usize,
    conn: ConnId,
    request: &Request,
) -> Option<(Zxid, Code)> {
    world.turn_to(server);
    world.send(conn, request.encode(1));
    let answers = frames(world, conn);
    assert!(!answers.is_empty() || world.is_closed(conn), "an answer or an end");
    let mut from = Reader::new(answers.first()?.clone());
    let header = ReplyHeader::decode(&mut from).expect("a header");
    Some((header.zxid, header.code))
}

pub fn create(path: &str) -> Request {
    Request::Create(Create::ephemeral(path, None))
}

pub fn read() -> Request {
    Request::Exists { path: "/zookeeper".into(), watch: false }
}

pub fn ok(answer: Option<(Zxid, Code)>) -> Zxid {
    let (zxid, code) = answer.expect("an answer");
    assert_eq!(code, Code::OK);
    zxid
}

#[test]
fn the_old_connection_reads_until_it_writes_and_that_write_is_refused_with_a_zxid() {
    let mut world = World::ensemble(true);
    let [first, second] = FOLLOWERS;
    let (before, session) = attach(&mut world, first, None);
    ok(ask(&mut world, first, before, &create("/a")));
    let (after, _) = attach(&mut world, second, Some(&session));
    ok(ask(&mut world, first, before, &read()));
    let last = ok(ask(&mut world, second, after, &create("/b")));
    assert_eq!(ask(&mut world, first, before, &create("/c")), None);
    let next = ok(ask(&mut world, second, after, &create("/c")));
    assert_eq!(next.0, last.0 + 2, "the one that was refused took one");
    // To the leader it is the same.
    let (at_leader, _) = attach(&mut world, LEADER, Some(&session));
    ok(ask(&mut world, LEADER, at_leader, &create("/d")));
    ok(ask(&mut world, second, after, &read()));
    assert_eq!(ask(&mut world, second, after, &create("/e")), None);
    ok(ask(&mut world, LEADER, at_leader, &create("/e")));
}

#[test]
fn a_session_that_leaves_the_leader_is_closed_there_at_once() {
    let mut world = World::ensemble(true);
    let (before, session) = attach(&mut world, LEADER, None);
    let (after, _) = attach(&mut world, FOLLOWERS[0], Some(&session));
    assert!(world.is_closed(before));
    ok(ask(&mut world, FOLLOWERS[0], after, &create("/a")));
}

#[test]
fn a_follower_refuses_as_the_leader_does() {
    let mut world = World::ensemble(true);
    let server = FOLLOWERS[0];
    let (conn, _) = attach(&mut world, server, None);
    let last = ok(ask(&mut world, server, conn, &create("/a")));
    let servers = || "".into();
    let reconfig =
        Request::Reconfig { joining: servers(), leaving: servers(), members: servers(), config: 0 };
    let refused = ask(&mut world, server, conn, &reconfig);
    assert_eq!(refused, Some((Zxid(last.0 + 1), Code::RECONFIG_DISABLED)));
    // A delete without a body.
    world.send(conn, Bytes::from_static(b"\0\0\0\x08\0\0\0\x01\0\0\0\x02"));
    let answer = frames(&mut world, conn).remove(0);
    let header = ReplyHeader::decode(&mut Reader::new(answer)).expect("a header");
    assert_eq!((header.zxid.0, header.code), (last.0 + 2, Code::MARSHALLING_ERROR));
    ok(ask(&mut world, server, conn, &create("/b")));
}
