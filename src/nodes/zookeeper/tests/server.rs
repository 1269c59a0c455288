//! What leaves a server when, and what it has after a crash.

use super::*;

#[test]
fn nothing_is_acknowledged_or_seen_before_it_is_durable() {
    let mut harness = Harness::new();
    let (writer, _) = harness.attach();
    let (reader, _) = harness.attach();
    harness.ask(writer, 1, &create("/a"));
    harness.ask(writer, 2, &exists("/a", false));
    harness.ask(reader, 1, &exists("/a", false));
    assert!(harness.arrivals(writer).is_empty(), "neither the write nor the read behind it");
    assert_eq!(harness.arrivals(reader), ["1 NoNode"]);
    harness.sync();
    assert_eq!(harness.arrivals(writer), ["1 Ok", "2 Ok"]);
}

#[test]
fn writes_that_come_during_an_fsync_share_the_next() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    for n in 1..=4 {
        harness.ask(conn, n, &create(&format!("/n{n}")));
    }
    assert_eq!(harness.fsyncs(), 1);
    harness.sync_one();
    assert_eq!(harness.arrivals(conn), ["1 Ok"]);
    assert_eq!(harness.fsyncs(), 1);
    harness.sync_one();
    assert_eq!(harness.arrivals(conn), ["2 Ok", "3 Ok", "4 Ok"]);
    assert_eq!(harness.fsyncs(), 0);
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_and_the_rest_leaves_no_trace() {
    let mut harness = Harness::new();
    let (conn, session) = harness.attach();
    for n in 1..=17 {
        harness.call(conn, &ephemeral(&format!("/n{n}"))).unwrap();
    }
    let before = harness.state().digest();
    harness.ask(conn, 1, &create("/unacknowledged"));
    harness.restart(true);
    harness.sync();
    assert_eq!(harness.state().digest(), before);
    let recovered = ZooKeeperObservation::Recovered { zxid: Zxid(18) };
    let observed = harness.observed();
    let [.., before_last, ZooKeeperObservation::TreeLoaded { sessions, ephemerals }] =
        &observed[..]
    else {
        panic!("{:?}", harness.observed())
    };
    assert_eq!((before_last, sessions.len(), ephemerals.len()), (&recovered, 1, 17));
    let again = harness.accept();
    harness.greet(again, session.session, session.password);
    assert_eq!(harness.greeted(again).session, session.session);
    assert_eq!(harness.call(again, &exists("/unacknowledged", false)), Err(Code::NO_NODE));
    harness.call(again, &create("/later")).unwrap();
    assert_eq!(harness.state().last_zxid, Zxid(19));
}

#[test]
fn a_torn_last_entry_is_cut_and_the_server_goes_on() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/a")).unwrap();
    let before = harness.state().digest();
    harness.call(conn, &create("/b")).unwrap();
    let len = harness.rig.disk(SERVER).file_len("log.1").unwrap() - 3;
    harness.edit(DiskRequest::Truncate { file: "log.1".into(), len });
    harness.restart(false);
    harness.sync();
    assert_eq!(harness.state().digest(), before);
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/b")).unwrap();
    let before = harness.state().digest();
    harness.restart(true);
    assert_eq!(harness.state().digest(), before);
}

#[test]
fn a_server_that_comes_back_answers_only_when_what_it_read_is_durable() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/a")).unwrap();
    harness.restart(false);
    let conn = harness.accept();
    harness.greet(conn, 0, None);
    assert!(harness.rig.arrived(CLIENT, conn).is_empty());
    harness.sync();
    assert_ne!(harness.greeted(conn).session, 0);
}

#[test]
fn a_damaged_disk_stops_the_server() {
    let is_later_log = |name: &str| name.starts_with("log.") && name != "log.1";
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    for n in 1..=19 {
        harness.call(conn, &create(&format!("/n{n}"))).unwrap();
    }
    let mut files = harness.rig.disk(SERVER).image();
    assert!(
        files.contains_key("log.1") && files.keys().any(|name| is_later_log(name)),
        "{:?}",
        files.keys()
    );
    let mut damaged = files.remove("log.1").unwrap().flatten(0);
    *damaged.last_mut().unwrap() ^= 1;
    harness.edit(DiskRequest::Write { file: "log.1".into(), bytes: damaged.into() });
    for file in files.into_keys().filter(|name| name.starts_with("snapshot.")) {
        harness.edit(DiskRequest::Delete { file });
    }
    harness.restart(false);
    assert!(!harness.rig.is_running(SERVER), "{:?}", harness.observed().last());
    assert!(matches!(harness.observed().last(), Some(ZooKeeperObservation::Halted { .. })));
}

#[test]
fn a_silent_session_expires_after_its_timeout_and_its_ephemerals_go_at_one_zxid() {
    let mut harness = Harness::new();
    harness.pass(500);
    let (silent, session) = harness.attach();
    for path in ["/e1", "/e2"] {
        harness.call(silent, &ephemeral(path)).unwrap();
    }
    let (watcher, _) = harness.attach();
    harness.call(watcher, &exists("/e1", true)).unwrap();
    harness.call(watcher, &exists("/e2", true)).unwrap();
    harness.call(watcher, &children("/")).unwrap();
    let zxid = harness.state().last_zxid;
    harness.pass(3_000);
    harness.ask(watcher, xid::PING, &Request::Ping);
    harness.arrivals(watcher);
    harness.pass(1_499);
    assert!(harness.state().tree.get("/e1").is_some(), "4,499 ms after it sent something");
    harness.pass(1);
    let session = session.session;
    let observed = harness.observed();
    let expiry = |seen: &ZooKeeperObservation| match seen {
        ZooKeeperObservation::SessionExpired { heard, .. } => Some(*heard),
        _ => None,
    };
    let heard = observed.iter().find_map(expiry).expect("it expires");
    assert_eq!(heard.as_millis(), 500);
    let deleted =
        |path: &str| ZooKeeperObservation::EphemeralDeleted { path: path.into(), session };
    let end = [
        ZooKeeperObservation::SessionExpired { session, heard },
        deleted("/e1"),
        deleted("/e2"),
        ZooKeeperObservation::Removed { zxid: zxid.next(), path: "/e1".into() },
        ZooKeeperObservation::Removed { zxid: zxid.next(), path: "/e2".into() },
        ZooKeeperObservation::SessionEnded { session },
    ];
    assert!(observed.ends_with(&end), "{observed:?}");
    assert_eq!(
        (harness.state().last_zxid, harness.state().tree.ephemeral_count()),
        (zxid.next(), 0)
    );
    assert_eq!(harness.closed(), [silent]);
    assert_eq!(harness.arrivals(watcher), ["Deleted /e1", "ChildrenChanged /", "Deleted /e2"]);
    harness.pass(2_000);
    assert_eq!(harness.closed(), [silent], "the watcher's ping kept it");
}

#[test]
fn sessions_get_their_whole_timeout_again_after_a_restart() {
    let mut harness = Harness::new();
    let (_, session) = harness.attach();
    harness.pass(3_900);
    harness.restart(true);
    harness.sync();
    harness.pass(4_000);
    assert!(harness.state().sessions.get(session.session).is_some());
    harness.pass(1_100);
    assert!(harness.state().sessions.get(session.session).is_none());
}

#[test]
fn a_session_is_attached_again_only_with_its_password_and_to_one_connection() {
    let mut harness = Harness::new();
    let (first, session) = harness.attach();
    let wrong = harness.accept();
    harness.greet(wrong, session.session, Some(Bytes::from_static(&[1; 16])));
    let refused = harness.greeted(wrong);
    assert_eq!((refused.session, refused.timeout_ms), (0, 0));
    assert_eq!(harness.closed(), [wrong]);
    let second = harness.accept();
    harness.greet(second, session.session, session.password.clone());
    assert_eq!(harness.greeted(second).session, session.session);
    assert_eq!(harness.closed(), [wrong, first]);
    harness.hang_up(second);
    let third = harness.accept();
    harness.greet(third, session.session, session.password);
    assert_eq!(harness.greeted(third).session, session.session);
}

#[test]
fn a_client_that_has_seen_more_than_the_server_is_refused() {
    let mut harness = Harness::new();
    let conn = harness.accept();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(1),
        timeout_ms: 4_000,
        session: 0,
        password: None,
        read_only: None,
    };
    harness.send(conn, request.encode());
    assert!(harness.rig.arrived(CLIENT, conn).is_empty());
    assert_eq!(harness.closed(), [conn]);
}

#[test]
fn closing_a_session_is_answered_and_final() {
    let mut harness = Harness::new();
    let (conn, session) = harness.attach();
    harness.call(conn, &ephemeral("/e")).unwrap();
    harness.ask(conn, 5, &Request::CloseSession);
    harness.ask(conn, 6, &create("/late"));
    harness.sync();
    assert_eq!(harness.arrivals(conn), ["5 Ok"]);
    assert_eq!((harness.closed(), harness.state().tree.len()), (vec![conn], 4));
    let closed = ZooKeeperObservation::SessionClosed { session: session.session };
    assert_eq!(harness.observed().last(), Some(&closed));
    let again = harness.accept();
    harness.greet(again, session.session, session.password);
    assert_eq!(harness.greeted(again).session, 0);
}

#[test]
fn an_event_leaves_before_any_reply_that_shows_the_change() {
    let mut harness = Harness::new();
    let (writer, _) = harness.attach();
    let (watcher, _) = harness.attach();
    harness.call(writer, &exists("/a", true)).unwrap_err();
    harness.call(watcher, &exists("/a", true)).unwrap_err();
    harness.ask(writer, 1, &create("/a"));
    harness.ask(watcher, 2, &Request::Sync { path: "/".into() });
    harness.ask(watcher, 3, &exists("/a", false));
    assert!(
        harness.arrivals(watcher).is_empty(),
        "a sync waits for what others proposed before it"
    );
    harness.sync();
    assert_eq!(harness.arrivals(writer), ["Created /a", "1 Ok"]);
    assert_eq!(harness.arrivals(watcher), ["Created /a", "2 Ok", "3 Ok"]);
}

#[test]
fn a_multi_is_all_or_nothing() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.call(conn, &create("/epoch")).unwrap();
    harness
        .call(
            conn,
            &Request::AddWatch { path: "/".into(), mode: AddWatchMode::PersistentRecursive },
        )
        .unwrap();
    let before = harness.state().tree.clone();
    let check = |version| MultiOp::Check(VersionCheck { path: "/epoch".into(), version });
    let set = MultiOp::SetData(SetData { path: "/epoch".into(), data: None, version: 0 });
    let ops =
        |version| vec![MultiOp::Create(Create::ephemeral("/c", None)), check(version), set.clone()];
    harness.ask(conn, 7, &Request::Multi(ops(3)));
    harness.sync();
    assert_eq!(harness.arrivals(conn), ["7 Ok"], "no event, and no error in the header");
    assert_eq!(harness.state().tree, before);
    let Reply::Multi(failed) = harness.call(conn, &Request::Multi(ops(9))).unwrap() else {
        panic!()
    };
    assert_eq!(MultiResult::failure(&failed), Some(Code::BAD_VERSION));
    let Reply::Multi(done) = harness.call(conn, &Request::Multi(ops(0))).unwrap() else { panic!() };
    let [MultiResult::Create { path }, MultiResult::Check, MultiResult::SetData(set)] = &done[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!((&**path, set.mzxid), ("/c", harness.state().last_zxid));
}

#[test]
fn childless_containers_and_stale_znodes_with_a_time_to_live_are_swept() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    let kind = |path: &str, op, flags, ttl_ms| {
        Request::Create(Create { op, ttl_ms, ..Create::new(path, None, flags) })
    };
    harness.call(conn, &kind("/c", op::CREATE_CONTAINER, 4, -1)).unwrap();
    harness.call(conn, &kind("/unused", op::CREATE_CONTAINER, 4, -1)).unwrap();
    harness.call(conn, &kind("/t", op::CREATE_TTL, 5, 1_000)).unwrap();
    harness.call(conn, &kind("/long", op::CREATE_TTL, 5, 10_000_000)).unwrap();
    harness.call(conn, &create("/c/k")).unwrap();
    let there = |harness: &Harness| {
        ["/c", "/unused", "/t", "/long"].map(|path| harness.state().tree.get(path).is_some())
    };
    let live = |harness: &mut Harness| {
        for _ in 0..30 {
            harness.pass(2_010);
            harness.call(conn, &Request::Ping).unwrap();
        }
    };
    live(&mut harness);
    assert_eq!(there(&harness), [true, true, false, true]);
    harness.call(conn, &Request::Delete(Delete { path: "/c/k".into(), version: -1 })).unwrap();
    live(&mut harness);
    assert_eq!(there(&harness), [false, true, false, true]);
}

#[test]
fn no_bytes_bring_a_server_down() {
    let mut stream = Seed(3).stream("garbage");
    let mut harness = Harness::new();
    for round in 0..500 {
        let conn = if round % 2 == 0 { harness.attach().0 } else { harness.accept() };
        let mut bytes = vec![0; stream.below(60) as usize];
        stream.fill(&mut bytes);
        let op = [
            op::CREATE,
            op::MULTI,
            op::SET_WATCHES2,
            op::ADD_WATCH,
            op::AUTH,
            op::SASL,
            op::RECONFIG,
            999,
        ];
        let op = op[stream.below(8) as usize];
        let body = [&1i32.to_be_bytes()[..], &op.to_be_bytes(), &bytes].concat();
        let len = (body.len() as u32).to_be_bytes();
        harness.send(conn, [&len[..], &body].concat().into());
        harness.send(conn, bytes.into());
        harness.hang_up(conn);
        harness.sync();
    }
    let (conn, _) = harness.attach();
    assert!(harness.call(conn, &create("/alive")).is_ok());
}

#[test]
fn a_check_outside_a_multi_is_refused_and_closes_behind_what_waits() {
    let mut harness = Harness::new();
    let (conn, _) = harness.attach();
    harness.ask(conn, 1, &create("/a"));
    harness.ask(conn, 2, &Request::Check(VersionCheck { path: "/a".into(), version: 0 }));
    harness.ask(conn, 3, &create("/b"));
    harness.sync();
    assert_eq!(harness.arrivals(conn), ["1 Ok", "2 Unimplemented"]);
    assert_eq!(harness.closed(), [conn]);
    assert!(harness.state().tree.get("/b").is_none());
}

#[test]
fn exists_answers_everyone_even_where_only_the_owner_may_read() {
    let mut harness = Harness::new();
    let (owner, _) = harness.attach();
    let credentials = Some(Bytes::from_static(b"bob:pw"));
    harness.ask(owner, xid::AUTH, &Request::Auth { scheme: "digest".into(), credentials });
    harness.arrivals(owner);
    let acl = vec![Acl { perms: Acl::ALL, scheme: "auth".into(), id: "".into() }];
    harness
        .call(owner, &Request::Create(Create { acl, ..Create::persistent("/own", None) }))
        .unwrap();
    let (other, _) = harness.attach();
    let read = Request::GetData { path: "/own".into(), watch: true };
    assert_eq!(harness.call(other, &read), Err(Code::NO_AUTH));
    let set = Request::SetData(SetData { path: "/own".into(), data: None, version: -1 });
    harness.call(owner, &set).unwrap();
    assert!(harness.arrivals(other).is_empty(), "what may not be read is not watched by reading");
    assert!(harness.call(other, &exists("/own", true)).is_ok());
    harness.call(owner, &set).unwrap();
    assert_eq!(harness.arrivals(other), ["DataChanged /own"]);
    assert_eq!(harness.call(other, &exists("/a\0b", true)), Err(Code::BAD_ARGUMENTS));
}
