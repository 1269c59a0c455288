//! Tests of a leader, one step at a time: the test speaks for the learners and ends the fsyncs.

use super::super::testing::{At, INIT_LIMIT, SYNC_LIMIT, Server, ack, ping, zxid};
use super::*;
use crate::wire::zookeeper::Create;

const LOG: &[At] = &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)];

fn join(server: &mut Server, id: ServerId, accepted_epoch: u32) -> ConnId {
    let conn = server.accept(id);
    server.say(conn, &Packet::FollowerInfo { from: id, accepted_epoch });
    conn
}

fn ack_epoch(current_epoch: Option<u32>, last: At) -> Packet {
    Packet::AckEpoch { current_epoch, last_zxid: zxid(last), needs_snapshot: false }
}

/// The last of `count` servers leads, and has sent its epoch 3 to these learners.
fn gathering(count: u8, learners: &[ServerId]) -> (Server, Vec<ConnId>) {
    let mut server = Server::new(count, count, LOG, 2, 2);
    server.with(|running, at| running.ensemble().lead(at));
    let conns = learners.iter().map(|id| join(&mut server, *id, 2)).collect();
    server.sync();
    assert_eq!(server.sent(), vec!["epoch 3"; learners.len()]);
    (server, conns)
}

/// The same, with learners that have all of its history.
fn serving(count: u8, learners: &[ServerId]) -> (Server, Vec<ConnId>) {
    let (mut server, conns) = gathering(count, learners);
    conns.iter().for_each(|conn| server.say(*conn, &ack_epoch(Some(2), (2, 2))));
    server.sync();
    conns.iter().for_each(|conn| server.say(*conn, &ack((3, 0))));
    assert!(server.zookeeper().serves());
    server.happened();
    (server, conns)
}

fn write(server: &mut Server, number: u32) {
    let create = Write::Create(Create::persistent(format!("/w{number}"), None));
    server.with(|running, at| running.proposer().propose(at, None, 1, number as i32, create));
}

/// The commits that learners get.
fn commits(server: &mut Server) -> Vec<String> {
    let mut received = Vec::new();
    for line in server.sent() {
        if line.starts_with("commit") && !received.contains(&line) {
            received.push(line);
        }
    }
    received
}

#[test]
fn the_epoch_is_above_all_that_a_majority_accepted_and_sent_when_it_is_durable() {
    for (own, theirs, epoch) in [(3, 3, 4), (3, 5, 6), (5, 3, 6)] {
        let mut server = Server::new(3, 3, LOG, own, 2);
        server.with(|running, at| running.ensemble().lead(at));
        server.sync();
        assert!(server.happened().is_empty(), "no majority has said anything");
        join(&mut server, 1, theirs);
        while !server.is_at_rest() {
            assert!(server.sent().is_empty(), "sent before it is durable");
            server.sync_one();
        }
        assert_eq!(server.sent(), [format!("epoch {epoch}")]);
    }
}

#[test]
fn a_learner_that_has_more_than_its_leader_is_sent_away() {
    let cases = [
        (Some(2), (2, 2), false),
        (Some(2), (2, 3), true),
        (Some(3), (0, 0), true),
        (Some(1), (2, 9), false),
        // It accepted this epoch before: its word does not count, for or against.
        (None, (2, 9), false),
    ];
    for (current, last, sent_away) in cases {
        let (mut server, conns) = gathering(5, &[1, 2]);
        server.say(conns[0], &ack_epoch(current, last));
        assert_eq!(server.closed(conns[0]), sent_away, "{current:?} {last:?}");
    }
}

#[test]
fn each_learner_is_brought_up_from_where_it_is() {
    let up: &[&str] = &[];
    type Case = (At, bool, &'static str, &'static [&'static str]);
    let cases: &[Case] = &[
        ((2, 2), false, "diff 2.2", up),
        ((2, 1), false, "diff 2.2", &["proposal 2.2", "commit 2.2"]),
        ((1, 3), false, "diff 2.2", &["proposal 2.1", "commit 2.1", "proposal 2.2", "commit 2.2"]),
        ((2, 5), false, "trunc 2.2", up),
        // Never cut across an epoch.
        ((1, 4), false, "snap 2.2", up),
        ((0, 0), false, "snap 2.2", up),
        // Its own snapshot has too much.
        ((2, 1), true, "snap 2.2", up),
    ];
    for (last, needs_snapshot, opening, missing) in cases {
        let (mut server, conns) = gathering(3, &[1]);
        let last_zxid = zxid(*last);
        let needs_snapshot = *needs_snapshot;
        server
            .say(conns[0], &Packet::AckEpoch { current_epoch: Some(1), last_zxid, needs_snapshot });
        assert!(server.sent().is_empty(), "before the epoch is its own, durably");
        server.sync();
        let expected = [&[*opening][..], missing, &["new leader 3"]].concat();
        assert_eq!(server.sent(), expected, "{last:?}");
    }
}

#[test]
fn what_is_not_decided_is_sent_behind_the_history_and_before_new_leader() {
    let (mut server, _) = serving(3, &[1]);
    write(&mut server, 1);
    server.happened();
    let late = join(&mut server, 2, 2);
    server.say(late, &ack_epoch(Some(2), (2, 1)));
    let expected =
        ["epoch 3", "diff 2.2", "proposal 2.2", "commit 2.2", "proposal 3.1", "new leader 3"];
    assert_eq!(server.sent(), expected);
}

#[test]
fn it_serves_with_a_majority_that_acknowledged_its_history_and_not_before() {
    let (mut server, conns) = gathering(5, &[1, 2, 3]);
    conns.iter().for_each(|conn| server.say(*conn, &ack_epoch(Some(2), (2, 2))));
    server.sync();
    server.happened();
    server.say(conns[0], &ack((3, 0)));
    assert!(!server.zookeeper().serves(), "two of five");
    server.say(conns[1], &ack((2, 0)));
    assert!(!server.zookeeper().serves(), "another epoch's");
    server.say(conns[2], &ack((3, 0)));
    assert!(server.zookeeper().serves());
    assert_eq!(server.sent(), vec!["up to date"; 3]);
    let state = server.zookeeper().state().unwrap();
    assert_eq!(state.last_zxid, zxid((3, 0)));
}

#[test]
fn it_decides_what_a_majority_has_in_order_and_needs_not_be_of_it() {
    let (mut server, conns) = serving(3, &[1, 2]);
    (1..=3).for_each(|number| write(&mut server, number));
    let [one, other] = conns[..] else { panic!("two learners") };
    server.say(one, &ack((3, 2)));
    server.say(other, &ack((3, 2)));
    assert_eq!(commits(&mut server), [""; 0], "what is before is not decided");
    server.say(one, &ack((3, 1)));
    assert_eq!(commits(&mut server), [""; 0], "one of three");
    server.sync_one();
    assert_eq!(commits(&mut server), ["commit 3.1", "commit 3.2"], "with its own fsync");
    server.say(one, &ack((3, 3)));
    assert_eq!(commits(&mut server), [""; 0]);
    server.say(other, &ack((3, 3)));
    assert_eq!(commits(&mut server), ["commit 3.3"], "without it");
    assert!(!server.is_at_rest());
    assert_eq!(server.zookeeper().state().unwrap().last_zxid, zxid((3, 3)));
}

#[test]
fn its_own_copy_counts_only_from_the_fsync_on() {
    let (mut server, conns) = serving(3, &[1]);
    write(&mut server, 1);
    server.say(conns[0], &ack((3, 1)));
    assert_eq!(commits(&mut server), [""; 0]);
    server.sync();
    assert_eq!(commits(&mut server), ["commit 3.1"]);
}

#[test]
fn without_a_majority_it_gives_up_after_the_init_limit_in_every_phase() {
    type Until = fn() -> Server;
    let phases: [(&str, Until); 3] = [
        ("discovery", || {
            let mut server = Server::new(3, 3, LOG, 2, 2);
            server.with(|running, at| running.ensemble().lead(at));
            server
        }),
        ("gathering", || gathering(3, &[1]).0),
        ("synchronizing", || {
            let (mut server, conns) = gathering(3, &[1]);
            server.say(conns[0], &ack_epoch(Some(2), (2, 2)));
            server.sync();
            server
        }),
    ];
    for (phase, until) in phases {
        let mut server = until();
        server.gives_up_after(INIT_LIMIT, phase);
    }
}

#[test]
fn it_gives_up_when_a_majority_is_silent_for_the_sync_limit() {
    let (mut server, conns) = serving(3, &[1, 2]);
    // One that speaks is enough, for ever.
    for _ in 0..60 {
        let next = server.after(1);
        server.pass_until(next);
        server.say(conns[0], &ping());
    }
    assert!(!server.looks());
    assert!(server.closed(conns[1]) && !server.closed(conns[0]));
    let silent = server.now();
    while !server.looks() {
        let next = server.after(1);
        server.pass_until(next);
    }
    let ticks = server.now().since(silent).as_millis() as u32 / super::super::testing::TICK_MS;
    assert!((SYNC_LIMIT..=SYNC_LIMIT + 1).contains(&ticks), "{ticks} ticks");
}

#[test]
fn a_learner_that_acknowledges_nothing_for_the_sync_limit_is_left_behind() {
    let (mut server, conns) = serving(3, &[1, 2]);
    write(&mut server, 1);
    server.sync();
    server.say(conns[0], &ack((3, 1)));
    for tick in 1..=SYNC_LIMIT + 1 {
        assert!(tick >= SYNC_LIMIT || !server.closed(conns[1]), "after {tick} ticks");
        let next = server.after(1);
        server.pass_until(next);
        conns.iter().for_each(|conn| server.say(*conn, &ping()));
    }
    assert!(server.closed(conns[1]), "it is alive, but it logs nothing");
    assert!(!server.closed(conns[0]) && !server.looks());
}
