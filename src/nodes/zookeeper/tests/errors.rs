//! What is refused, how, and what that costs: each operation of ZooKeeper's table whose answer is not a matter of
//! the tree alone.

use super::*;
use crate::wire::jute::Writer;
use crate::wire::zookeeper::{MultiRead, WatcherType, create_flags};

/// A request of operation `op` with any body.
fn raw(xid: i32, op: i32, body: &[u8]) -> Bytes {
    let mut to = Writer::framed();
    to.int(xid);
    to.int(op);
    to.raw(body);
    to.frame()
}

fn typed(path: &str, op: i32, flags: i32, ttl_ms: i64) -> Request {
    Request::Create(Create { op, ttl_ms, ..Create::new(path, None, flags) })
}

fn private(path: &str) -> Request {
    let acl = vec![Acl { perms: Acl::ALL, scheme: "digest".into(), id: "bob:hash".into() }];
    Request::Create(Create { acl, ..Create::persistent(path, None) })
}

#[test]
fn a_write_that_is_refused_or_does_not_decode_is_answered_in_its_turn_and_takes_a_zxid() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    let before = harness.state().last_zxid;
    harness.ask(conn, 1, &create("/a"));
    let servers = || "".into();
    let reconfig = Request::Reconfig {
        joining: servers(),
        leaving: servers(),
        members: servers(),
        config: -1,
    };
    harness.ask(conn, 2, &reconfig);
    for (xid, op) in (3..).zip([op::CREATE, op::DELETE, op::SET_DATA, op::SET_ACL, op::MULTI]) {
        harness.send(conn, raw(xid, op, &[0, 0]));
    }
    harness.send(conn, raw(8, op::DELETE_CONTAINER, b"/a"));
    harness.ask(conn, 9, &create("/b"));
    assert!(harness.arrivals(conn).is_empty(), "the first is not durable");
    harness.sync();
    let mut answers = vec!["1 Ok".to_owned(), "2 ReconfigDisabled".to_owned()];
    answers.extend((3..8).map(|xid| format!("{xid} MarshallingError")));
    answers.extend(["8 BadArguments".to_owned(), "9 Ok".to_owned()]);
    assert_eq!(harness.arrivals(conn), answers);
    assert_eq!(harness.state().last_zxid.0, before.0 + 9);
}

#[test]
fn a_read_that_does_not_decode_takes_no_zxid_and_the_connection_lives() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    let before = harness.state().last_zxid;
    let watch = |mode: i32| [&[0, 0, 0, 1, b'/'][..], &mode.to_be_bytes()].concat();
    for (op, body) in [
        (op::GET_DATA, &[0, 0][..]),
        (op::MULTI_READ, &[0; 9]),
        (op::ADD_WATCH, &watch(2)),
        (op::CHECK_WATCHES, &watch(0)),
        (op::REMOVE_WATCHES, &watch(6)),
    ] {
        harness.send(conn, raw(7, op, body));
        assert_eq!(harness.arrivals(conn), ["7 MarshallingError"], "{op}");
    }
    assert_eq!(harness.state().last_zxid, before);
    assert!(harness.closed().is_empty());
}

#[test]
fn what_is_no_operation_is_unimplemented_and_ends_the_connection() {
    for op in [0, 10, 23, 77, 99, op::ERROR, op::CREATE_SESSION] {
        let mut harness = Harness::new();
        let (conn, _) = harness.attach();
        harness.send(conn, raw(1, op, &[]));
        assert_eq!(harness.arrivals(conn), ["1 Unimplemented"], "{op}");
        assert_eq!(harness.closed(), [conn]);
    }
}

#[test]
fn a_sasl_token_is_answered_with_none_outside_the_order_of_requests() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.ask(conn, 1, &create("/a"));
    harness.ask(conn, 2, &Request::Sasl { token: Some(Bytes::from_static(b"x")) });
    let [reply] = &harness.frames(conn)[..] else { panic!("one answer, at once") };
    let mut from = Reader::new(reply.clone());
    let header = ReplyHeader::decode(&mut from).unwrap();
    assert_eq!((header.xid, header.zxid, header.code), (2, Zxid(0), Code::OK));
    assert_eq!(Reply::decode(op::SASL, &mut from), Ok(Reply::Token(None)));
    harness.sync();
    assert_eq!(harness.arrivals(conn), ["1 Ok"]);
    harness.ask(conn, 3, &Request::Sasl { token: None });
    assert_eq!(harness.closed(), [conn]);
}

#[test]
fn a_ping_is_answered_as_a_ping_whatever_its_number() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.ask(conn, 5, &Request::Ping);
    assert_eq!(harness.arrivals(conn), ["-2 Ok"]);
}

#[test]
fn credentials_are_digests_or_nothing() {
    let mut harness = Harness::new();
    let auth = |scheme: &str, credentials: Option<&'static [u8]>| Request::Auth {
        scheme: scheme.into(),
        credentials: credentials.map(Bytes::from_static),
    };
    let (conn, _) = harness.attach();
    for taken in [auth("digest", Some(b"bob:pw")), auth("digest", Some(b"\xff")), auth("ip", None)]
    {
        harness.ask(conn, xid::AUTH, &taken);
        assert_eq!(harness.arrivals(conn), ["-4 Ok"], "{taken:?}");
    }
    for refused in [auth("digest", None), auth("world", Some(b"anyone")), auth("x509", None)] {
        let (conn, _) = harness.attach();
        harness.ask(conn, xid::AUTH, &refused);
        assert_eq!(harness.arrivals(conn), ["-4 AuthFailed"], "{refused:?}");
        assert!(harness.closed().contains(&conn));
    }
}

#[test]
fn watches_are_checked_and_removed_by_their_kind() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    let path = || "/missing".into();
    let check = |watcher| Request::CheckWatches { path: path(), watcher };
    let remove = |watcher| Request::RemoveWatches { path: path(), watcher };
    let kinds = [
        WatcherType::Children,
        WatcherType::Data,
        WatcherType::Any,
        WatcherType::Persistent,
        WatcherType::PersistentRecursive,
    ];
    for kind in kinds {
        assert_eq!(harness.call(conn, &check(kind)), Err(Code::NO_WATCHER));
        assert_eq!(harness.call(conn, &remove(kind)), Err(Code::NO_WATCHER));
    }
    // Neither the znode nor permission is needed.
    for mode in [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive] {
        let added = harness.call(conn, &Request::AddWatch { path: path(), mode });
        assert_eq!(added, Ok(Reply::WatchAdded(Code::OK)));
    }
    harness.call(conn, &exists("/missing", true)).unwrap_err();
    let has = |harness: &mut Harness| kinds.map(|kind| harness.call(conn, &check(kind)).is_ok());
    assert_eq!(has(&mut harness), [false, true, true, true, true]);
    harness.call(conn, &remove(WatcherType::Persistent)).unwrap();
    assert_eq!(has(&mut harness), [false, true, true, false, true]);
    harness.call(conn, &remove(WatcherType::Any)).unwrap();
    assert_eq!(has(&mut harness), [false; 5]);
    harness.call(conn, &create("/missing")).unwrap();
    assert!(harness.arrivals(conn).is_empty(), "no watch fires");
}

#[test]
fn own_ephemerals_are_listed_by_prefix_and_everything_below_is_counted() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    let (other, _) = harness.attach();
    for path in ["/a", "/a-b"] {
        harness.call(conn, &ephemeral(path)).unwrap();
    }
    harness.call(other, &ephemeral("/other")).unwrap();
    for (prefix, found) in
        [("", 2), (" ", 2), ("/", 2), ("/a", 2), ("/a-", 1), ("/other", 0), ("/none", 0)]
    {
        let asked = Request::GetEphemerals { prefix: prefix.into() };
        let Ok(Reply::Children(paths)) = harness.call(conn, &asked) else { panic!("{prefix:?}") };
        assert_eq!(paths.len(), found, "{prefix:?}");
    }
    harness.call(conn, &private("/private")).unwrap();
    let count = |path: &str| Request::GetAllChildrenNumber { path: path.into() };
    assert_eq!(harness.call(conn, &count("/")), Ok(Reply::Count(7)));
    assert_eq!(harness.call(conn, &count("/a")), Ok(Reply::Count(0)));
    assert_eq!(harness.call(conn, &count("/none")), Err(Code::NO_NODE));
    assert_eq!(harness.call(conn, &count("/private")), Err(Code::NO_AUTH));
}

#[test]
fn reads_of_a_multi_read_fail_each_for_itself() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/a")).unwrap();
    harness.call(conn, &private("/private")).unwrap();
    let data = |path: &str| MultiRead::GetData { path: path.into(), watch: true };
    let names = |path: &str| MultiRead::GetChildren { path: path.into(), watch: true };
    let reads = vec![data("/none"), data("/a"), names("/private"), names("/a")];
    let Ok(Reply::Multi(results)) = harness.call(conn, &Request::MultiRead(reads)) else {
        panic!("it is answered")
    };
    assert_eq!(results[0], MultiResult::Error(Code::NO_NODE));
    assert!(matches!(&results[1], MultiResult::GetData { data: None, .. }));
    assert_eq!(results[2], MultiResult::Error(Code::NO_AUTH));
    assert_eq!(results[3], MultiResult::GetChildren(Vec::new()));
    assert_eq!(harness.call(conn, &Request::MultiRead(Vec::new())), Ok(Reply::Multi(Vec::new())));
}

#[test]
fn znodes_with_a_time_to_live_are_unimplemented_unless_switched_on() {
    let server = |extended_types| {
        let config = Config { extended_types, ..Config::default() };
        let mut harness = Harness::of(config);
        let (conn, _) = harness.attach();
        let mut answers = Vec::new();
        for (op, flags, ttl_ms) in [
            (op::CREATE_TTL, create_flags::PERSISTENT_WITH_TTL, 5),
            (op::CREATE_TTL, create_flags::PERSISTENT_SEQUENTIAL_WITH_TTL, 5),
            (op::CREATE_TTL, create_flags::PERSISTENT_WITH_TTL, 0),
            (op::CREATE_TTL, create_flags::PERSISTENT_WITH_TTL, 1 << 40),
            (op::CREATE_TTL, create_flags::PERSISTENT, 5),
            (op::CREATE, create_flags::PERSISTENT_WITH_TTL, -1),
            (op::CREATE_CONTAINER, create_flags::CONTAINER, -1),
        ] {
            let path = format!("/{op}-{flags}-{ttl_ms}");
            answers.push(harness.call(conn, &typed(&path, op, flags, ttl_ms)).err());
        }
        answers
    };
    let (off, bad) = (Some(Code::UNIMPLEMENTED), Some(Code::BAD_ARGUMENTS));
    assert_eq!(server(false), [off, off, off, off, bad, off, None]);
    assert_eq!(server(true), [None, None, bad, bad, bad, bad, None]);
}

#[test]
fn containers_that_never_had_a_child_go_when_that_is_wanted_and_sweeps_come_at_their_rate() {
    let config = Config {
        sweep_interval_ms: 5_000,
        never_used_ms: Some(2_000),
        extended_types: true,
        tick_ms: 10_000,
        ..Config::default()
    };
    let mut harness = Harness::of(config);
    let (conn, _) = harness.attach();
    harness.pass(3_500);
    harness.call(conn, &typed("/young", op::CREATE_CONTAINER, 4, -1)).unwrap();
    harness.call(conn, &typed("/t", op::CREATE_TTL, 5, 1_000)).unwrap();
    let there =
        |harness: &Harness| ["/young", "/t"].map(|path| harness.state().tree.get(path).is_some());
    harness.pass(1_499);
    assert_eq!(there(&harness), [true, true], "just before the first sweep");
    harness.pass(1);
    assert_eq!(there(&harness), [true, false], "1,500 ms old");
    harness.pass(4_999);
    assert_eq!(there(&harness), [true, false], "just before the second sweep");
    harness.pass(1);
    assert_eq!(there(&harness), [false, false]);
}
