//! Local sessions, and servers that serve reads without a leader.

use bytes::Bytes;
use kafka_sim::nodes::zookeeper::Config;
use kafka_sim::vocab::{ConnId, Zxid};
use kafka_sim::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, Create, Delete, Request, SetData,
};

use super::moved::{FOLLOWERS, LEADER, ask, create, frames, ok, read};
use super::world::World;

/// A handshake with a server; what it answers, if it does.
fn greet(
    world: &mut World,
    server: usize,
    session: Option<(i64, Option<Bytes>)>,
    read_only: Option<bool>,
) -> (ConnId, Option<ConnectResponse>) {
    world.turn_to(server);
    let conn = world.accept();
    let (session, password) = session.unwrap_or_default();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 4_000,
        session,
        password,
        read_only,
    };
    world.send(conn, request.encode());
    let answer = frames(world, conn).pop();
    (conn, answer.map(|answer| ConnectResponse::decode(answer).expect("a response")))
}

fn open(world: &mut World, server: usize) -> (ConnId, ConnectResponse) {
    let (conn, response) = greet(world, server, None, None);
    let response = response.expect("a session");
    assert_ne!(response.session, 0);
    (conn, response)
}

fn persistent(path: &str) -> Request {
    Request::Create(Create::persistent(path, None))
}

fn local(upgrading: bool) -> World {
    let mut world = World::ensemble_of(|config| Config {
        local_sessions: true,
        local_sessions_upgrading: upgrading,
        ..config
    });
    // A follower's last zxid is of the epoch only when there was one in it.
    let (conn, _) = open(&mut world, LEADER);
    ok(ask(&mut world, LEADER, conn, &persistent("/first")));
    world
}

#[test]
fn a_local_session_takes_no_zxid_and_is_known_to_one_server_only() {
    let mut world = local(false);
    for server in [FOLLOWERS[0], LEADER] {
        let (conn, session) = open(&mut world, server);
        let (id, password) = (session.session, session.password);
        let before = ok(ask(&mut world, server, conn, &read()));
        // It reads and writes, and an earlier connection of it is closed, as with any session.
        let written = ok(ask(&mut world, server, conn, &persistent(&format!("/{server}"))));
        assert_eq!(written.0, before.0 + 1, "the first zxid since it was opened");
        let (again, response) = greet(&mut world, server, Some((id, password.clone())), None);
        assert_eq!(response.expect("the session").session, id);
        assert!(world.is_closed(conn));
        let wrong = Some((id, Some(Bytes::from_static(&[1; 16]))));
        assert_eq!(greet(&mut world, server, wrong, None).1.expect("a refusal").session, 0);
        let elsewhere = greet(&mut world, FOLLOWERS[1], Some((id, password.clone())), None).1;
        assert_eq!(elsewhere.expect("a refusal").session, 0);
        // The other servers do not see its end either.
        let last = ok(ask(&mut world, server, again, &Request::CloseSession));
        assert_eq!(last, written);
        assert!(world.is_closed(again));
        let closed = greet(&mut world, server, Some((id, password)), None).1;
        assert_eq!(closed.expect("a refusal").session, 0);
    }
}

#[test]
fn a_local_session_expires_where_it_lives() {
    let mut world = local(false);
    for server in [FOLLOWERS[0], LEADER] {
        let (silent, _) = open(&mut world, server);
        let (conn, _) = open(&mut world, server);
        let before = ok(ask(&mut world, server, conn, &read()));
        for _ in 0..3 {
            world.pass(2_000);
            ok(ask(&mut world, server, conn, &read()));
        }
        assert!(world.is_closed(silent));
        assert_eq!(ok(ask(&mut world, server, conn, &read())), before);
    }
}

#[test]
fn an_ephemeral_znode_of_a_local_session_is_refused_with_a_zxid() {
    let mut world = local(false);
    for server in [FOLLOWERS[0], LEADER] {
        let (conn, _) = open(&mut world, server);
        let before = ok(ask(&mut world, server, conn, &read()));
        let multi = Request::Multi(vec![kafka_sim::wire::zookeeper::MultiOp::Create(
            Create::ephemeral("/e", None),
        )]);
        for (number, request) in (1..).zip([create("/e"), multi]) {
            let (zxid, code) = ask(&mut world, server, conn, &request).expect("an answer");
            assert_eq!(zxid.0, before.0 + number, "{request:?}");
            if number == 1 {
                assert_eq!(code, Code::EPHEMERAL_ON_LOCAL_SESSION);
            }
        }
        assert_eq!(
            ask(&mut world, server, conn, &Request::GetData { path: "/e".into(), watch: false }),
            Some((Zxid(before.0 + 2), Code::NO_NODE))
        );
        ok(ask(&mut world, server, conn, &read()));
    }
}

#[test]
fn a_local_session_becomes_one_like_any_other_when_it_wants_an_ephemeral_znode() {
    let mut world = local(true);
    for server in [FOLLOWERS[0], LEADER] {
        let (conn, session) = open(&mut world, server);
        let before = ok(ask(&mut world, server, conn, &read()));
        let path = format!("/e{server}");
        let created = ok(ask(&mut world, server, conn, &create(&path)));
        assert_eq!(created.0, before.0 + 2, "the session's, and its own");
        // Every server knows it now.
        let known = Some((session.session, session.password));
        let (moved, response) = greet(&mut world, FOLLOWERS[1], known, None);
        assert_eq!(response.expect("the session").session, session.session);
        ok(ask(&mut world, FOLLOWERS[1], moved, &Request::CloseSession));
        let (other, _) = open(&mut world, LEADER);
        let gone = Request::Exists { path: path.as_str().into(), watch: false };
        assert_eq!(
            ask(&mut world, LEADER, other, &gone).map(|(_, code)| code),
            Some(Code::NO_NODE)
        );
    }
}

#[test]
fn a_server_without_a_leader_serves_reads_to_who_is_content_with_them() {
    let mut world = World::ensemble_of(|config| Config {
        local_sessions: true,
        local_sessions_upgrading: true,
        read_only_mode: true,
        ..config
    });
    let server = FOLLOWERS[0];
    let (conn, global) = open(&mut world, LEADER);
    ok(ask(&mut world, LEADER, conn, &persistent("/a")));
    ok(ask(&mut world, LEADER, conn, &create("/makes-it-global")));
    let (before, _) = open(&mut world, server);
    world.isolate(server);
    assert!(world.is_closed(before), "it follows no leader any more");
    world.pass(1_900);
    assert_eq!(world.ask(server, "isro"), "null", "it has not looked for long");
    world.pass(200);
    assert_eq!(world.ask(server, "isro"), "ro");
    let answer = world.ask(server, "srvr");
    assert!(answer.contains("\nREAD-ONLY mode; serving only read-only clients\n"), "{answer}");
    assert!(answer.contains("\nMode: read-only\n"), "{answer}");
    for refused in [None, Some(false)] {
        let (conn, response) = greet(&mut world, server, None, refused);
        assert_eq!((response, world.is_closed(conn)), (None, true));
    }
    let (conn, response) = greet(&mut world, server, None, Some(true));
    let session = response.expect("a session");
    assert_eq!((session.read_only, session.session != 0), (Some(true), true));
    let exists = Request::Exists { path: "/a".into(), watch: true };
    let zxid = ok(ask(&mut world, server, conn, &exists));
    for write in [
        persistent("/b"),
        create("/b"),
        Request::Delete(Delete { path: "/a".into(), version: -1 }),
        Request::SetData(SetData { path: "/a".into(), data: None, version: -1 }),
        Request::Multi(Vec::new()),
        Request::Sync { path: "/".into() },
    ] {
        let refused = Some((zxid, Code::NOT_READ_ONLY));
        assert_eq!(ask(&mut world, server, conn, &write), refused, "{write:?}");
    }
    // A session of all servers is for those that can ask them.
    let known = Some((global.session, global.password));
    let (other, response) = greet(&mut world, server, known, Some(true));
    assert_eq!((response, world.is_closed(other)), (None, true));
    // With a leader it serves as before, and who was content with less has to come again.
    world.reunite();
    world.pass(20_000);
    assert!(world.is_closed(conn));
    assert_eq!(world.ask(server, "isro"), "rw");
    let (conn, response) = greet(&mut world, server, None, Some(true));
    assert_eq!(response.expect("a session").read_only, Some(false));
    ok(ask(&mut world, server, conn, &persistent("/b")));
}
