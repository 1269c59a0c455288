//! Tests of a follower, one step at a time: the test speaks for the leader and ends the fsyncs.

use super::super::testing::{
    At, INIT_LIMIT, SYNC_LIMIT, Server, commit, ping, proposal, state, zxid,
};
use super::*;
use crate::vocab::{NodeId, Time};
use crate::wire::zookeeper::ensemble::ServerId;

const LOG: &[At] = &[(1, 1), (1, 2), (2, 1)];
/// The file that holds it.
const FILE: &str = "log.100000001";
const EPOCH: &[&str] = &["currentEpoch.tmp"];
const LEADER: ServerId = 3;

/// Server 1 of three has reached the leader, and said who it is.
fn registering(accepted: u32) -> (Server, ConnId) {
    let mut server = Server::new(1, 3, LOG, accepted, 2);
    server.with(|running, at| running.ensemble().follow(at, LEADER));
    assert_eq!(server.connects().last().unwrap().1, NodeId(u16::from(LEADER) - 1));
    let conn = server.reached();
    assert_eq!(server.sent(), [format!("follower, accepted {accepted}")]);
    (server, conn)
}

/// It has accepted epoch 3.
fn agreed() -> (Server, ConnId) {
    let (mut server, conn) = registering(2);
    server.say(conn, &Packet::LeaderInfo { epoch: 3 });
    server.sync();
    assert_eq!(server.sent(), ["ack epoch, current 2, last 2.1"]);
    (server, conn)
}

/// It has taken over the history, which is its own, and acknowledged that.
fn taken_over() -> (Server, ConnId) {
    let (mut server, conn) = agreed();
    server.say(conn, &Packet::Diff { zxid: zxid((2, 1)) });
    server.say(conn, &Packet::NewLeader { epoch: 3 });
    server.sync();
    assert_eq!(server.sent(), ["ack 3.0"]);
    (server, conn)
}

fn serving() -> (Server, ConnId) {
    let (mut server, conn) = taken_over();
    server.say(conn, &Packet::UpToDate);
    assert!(server.zookeeper().serves());
    server.happened();
    (server, conn)
}

#[test]
fn an_epoch_is_acknowledged_when_it_is_durable_and_an_older_one_never() {
    let (mut server, conn) = registering(4);
    server.say(conn, &Packet::LeaderInfo { epoch: 3 });
    assert!(server.looks() && server.closed(conn));

    let (mut server, conn) = registering(4);
    server.say(conn, &Packet::LeaderInfo { epoch: 4 });
    assert_eq!(server.happened(), ["sends ack epoch again, last 2.1"], "it is already");

    let (mut server, conn) = registering(4);
    server.say(conn, &Packet::LeaderInfo { epoch: 5 });
    server.sync();
    let expected = [
        "fsyncs acceptedEpoch.tmp",
        "has acceptedEpoch.tmp",
        "fsyncs names",
        "has names",
        "sends ack epoch, current 2, last 2.1",
    ];
    assert_eq!(server.happened(), expected);
}

/// `syncWithLeader` of ZooKeeper 3.9.5. In the other order a server claims an epoch without its history
/// (ZOOKEEPER-4643, 4646, 4785; 3642 for a snapshot).
#[test]
fn history_then_epoch_then_acknowledgement_is_the_order_on_disk() {
    let whole: &[At] = &[(1, 1), (1, 2), (2, 1), (2, 2)];
    let snap = Packet::Snap { zxid: zxid((2, 2)), state: state(whole).encode() };
    let diff = Packet::Diff { zxid: zxid((2, 2)) };
    let trunc = Packet::Trunc { zxid: zxid((1, 2)) };
    let behind = [proposal((2, 2)), commit((2, 2))];
    type Case<'a> = (&'a str, Vec<&'a Packet>, Vec<&'a [&'a str]>, At);
    let cases: Vec<Case<'_>> = vec![
        ("diff, all of which it has", vec![&diff], vec![EPOCH], (2, 1)),
        ("diff", vec![&diff, &behind[0], &behind[1]], vec![&[FILE], EPOCH], (2, 2)),
        ("trunc", vec![&trunc], vec![&[FILE, "names"], EPOCH], (1, 2)),
        // The second is of what it replaced and goes; nothing waits for that.
        (
            "snap",
            vec![&snap],
            vec![&["snapshot.tmp"], &["names"], &["names", "currentEpoch.tmp"]],
            (2, 2),
        ),
    ];
    for (name, packets, durable, last) in cases {
        let (mut server, conn) = agreed();
        packets.into_iter().for_each(|packet| server.say(conn, packet));
        server.say(conn, &Packet::NewLeader { epoch: 3 });
        server.sync();
        let mut expected = Vec::new();
        for together in durable.into_iter().chain([&["names"][..]]) {
            expected.extend(together.iter().map(|file| format!("fsyncs {file}")));
            expected.extend(together.iter().map(|file| format!("has {file}")));
        }
        expected.push("sends ack 3.0".into());
        assert_eq!(server.happened(), expected, "{name}");
        assert!(!server.zookeeper().serves(), "the leader has no majority yet");
        assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid(last), "{name}");
    }
}

#[test]
fn what_comes_behind_a_snapshot_is_logged_before_the_epoch_too() {
    let (mut server, conn) = agreed();
    let bytes = state(&[(1, 1), (1, 2), (2, 1), (2, 2)]).encode();
    server.say(conn, &Packet::Snap { zxid: zxid((2, 2)), state: bytes });
    server.say(conn, &proposal((2, 3)));
    server.say(conn, &commit((2, 3)));
    server.say(conn, &Packet::NewLeader { epoch: 3 });
    server.sync();
    let happened = server.happened();
    let position = |line: &str| happened.iter().position(|it| it == line).expect(line);
    let order = [
        position("has snapshot.tmp"),
        position("fsyncs log.200000003"),
        position("has log.200000003"),
        position("fsyncs currentEpoch.tmp"),
        position("sends ack 3.0"),
    ];
    assert!(order.is_sorted(), "{happened:?}");
    assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid((2, 3)));
}

#[test]
fn what_is_not_decided_when_it_joins_is_logged_and_acknowledged_when_it_serves() {
    let (mut server, conn) = agreed();
    server.say(conn, &Packet::Diff { zxid: zxid((2, 1)) });
    server.say(conn, &proposal((3, 1)));
    server.say(conn, &Packet::NewLeader { epoch: 3 });
    server.say(conn, &proposal((3, 2)));
    server.sync();
    assert_eq!(server.sent(), ["ack 3.0"], "neither is of the history");
    server.say(conn, &commit((3, 1)));
    server.say(conn, &Packet::UpToDate);
    assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid((3, 1)));
    assert_eq!(server.sent(), ["ack 3.0"]);
    server.sync();
    assert_eq!(server.sent(), ["ack 3.1", "ack 3.2"]);
}

#[test]
fn a_proposal_is_acknowledged_from_the_fsync_on_and_applied_when_it_is_decided() {
    let (mut server, conn) = serving();
    server.say(conn, &proposal((3, 1)));
    server.say(conn, &proposal((3, 2)));
    server.say(conn, &commit((3, 1)));
    assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid((3, 1)));
    assert!(server.sent().is_empty());
    server.sync_one();
    assert_eq!(server.sent(), ["ack 3.1"]);
    server.sync_one();
    assert_eq!(server.sent(), ["ack 3.2"]);
    assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid((3, 1)));
}

#[test]
fn a_decision_out_of_order_ends_the_server() {
    let (mut server, conn) = serving();
    server.say(conn, &proposal((3, 1)));
    server.say(conn, &proposal((3, 2)));
    server.say(conn, &commit((3, 2)));
    assert!(server.has_exited());
}

#[test]
fn what_a_leader_cannot_say_now_ends_following_it() {
    type Case = (&'static str, fn() -> (Server, ConnId), Packet);
    let cases: [Case; 6] = [
        ("no epoch yet", || registering(2), Packet::UpToDate),
        ("nothing sent yet", agreed, Packet::UpToDate),
        ("the epoch of another", agreed, Packet::NewLeader { epoch: 4 }),
        ("a second epoch", taken_over, Packet::NewLeader { epoch: 3 }),
        ("brought up already", serving, Packet::Trunc { zxid: zxid((1, 1)) }),
        ("not a transaction", serving, Packet::Proposal { zxid: zxid((3, 1)), txn: "x".into() }),
    ];
    for (name, until, packet) in cases {
        let (mut server, conn) = until();
        server.say(conn, &packet);
        assert!(server.looks() && server.closed(conn), "{name}");
    }
}

#[test]
fn a_hole_in_what_the_leader_sends_is_not_taken() {
    let (mut server, conn) = serving();
    server.say(conn, &proposal((3, 1)));
    server.say(conn, &proposal((3, 3)));
    assert!(server.looks());
}

#[test]
fn a_silent_leader_is_left_after_the_init_limit_and_once_it_leads_after_the_sync_limit() {
    type Case = (&'static str, fn() -> (Server, ConnId), u32);
    let cases: [Case; 4] = [
        ("registering", || registering(2), INIT_LIMIT),
        ("agreed", agreed, INIT_LIMIT),
        ("taken over", taken_over, SYNC_LIMIT),
        ("serving", serving, SYNC_LIMIT),
    ];
    for (name, until, limit) in cases {
        let (mut server, conn) = until();
        server.gives_up_after(limit, name);
        assert!(server.closed(conn), "{name}");
    }
    let (mut server, conn) = serving();
    for _ in 0..3 * SYNC_LIMIT {
        let next = server.after(1);
        server.pass_until(next);
        server.say(conn, &ping());
    }
    assert!(!server.looks(), "it speaks");
}

#[test]
fn a_leader_that_does_not_know_yet_that_it_leads_is_tried_five_times() {
    let mut server = Server::new(1, 3, LOG, 2, 2);
    server.stop(LEADER);
    let before = server.connects().len();
    server.with(|running, at| running.ensemble().follow(at, LEADER));
    for tried in 1..TRIES as usize {
        assert!(!server.looks(), "after {tried} tries");
        assert_eq!(server.connects().len(), before + tried);
        let retry = server.now() + RETRY_DELAY;
        server.pass_until(Time(retry.0 - 100_000));
        assert_eq!(server.connects().len(), before + tried, "at once");
        server.pass_until(retry);
    }
    assert!(server.looks(), "after {TRIES} tries");
    let to = server.connects().into_iter().skip(before).map(|(_, to)| to);
    let tries: Vec<_> = to.take(TRIES as usize).collect();
    assert_eq!(tries, [NodeId(u16::from(LEADER) - 1); TRIES as usize]);
}
