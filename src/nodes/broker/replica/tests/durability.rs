//! Crashes, restarts, checkpoints, fsyncs.

use super::*;
use crate::nodes::testing::Entry;

fn text(cluster: &Cluster, broker: usize, file: &str) -> String {
    String::from_utf8(cluster.file(broker, file).to_vec()).unwrap()
}

fn recovered(cluster: &Cluster) -> (bool, u64) {
    let last = cluster.observed().rev().find_map(|(_, _, what)| match what {
        BrokerObservation::Recovered { clean, truncated_bytes } => Some((*clean, *truncated_bytes)),
        _ => None,
    });
    last.expect("every start is observed")
}

#[test]
fn a_replica_is_after_a_crash_what_it_was_before() {
    let mut cluster = Cluster::tuned(NEWEST, |config| config.log_segment_bytes = 200);
    cluster.elect(1, 1, &[1, 2, 3]);
    for n in 0..20 {
        cluster.produce(1, -1, &format!("value {n}"));
    }
    cluster.pass(6_000);
    let before = (cluster.values(2), cluster.status(2).high_watermark);
    cluster.crash(2);
    cluster.start(2);
    assert_eq!(recovered(&cluster), (false, 0));
    assert_eq!((cluster.values(2), cluster.status(2).high_watermark), before);
    assert_eq!(before.1, 20);
    cluster.leader_and_isr(2, 1, 1, &[1, 2, 3]);
    cluster.produce(1, -1, "more");
    cluster.assert_logs_match();
}

#[test]
fn a_torn_tail_is_cut_and_fetched_again() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    for value in ["a", "b"] {
        cluster.produce(1, -1, value);
    }
    let file = "orders-0/00000000000000000000.log";
    let bytes = cluster.file(2, file);
    let len = bytes.len() as u64 - 5;
    cluster.crash_and_edit(2, |_| vec![DiskRequest::Truncate { file: file.into(), len }]);
    cluster.start(2);
    assert_eq!(recovered(&cluster), (false, bytes.len() as u64 / 2 - 5));
    assert_eq!(cluster.values(2), ["a"]);
    cluster.leader_and_isr(2, 1, 1, &[1, 2, 3]);
    assert_eq!(cluster.values(2), ["a", "b"]);
}

#[test]
fn the_high_watermark_is_checkpointed_and_never_beyond_the_log() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    for value in ["a", "b"] {
        cluster.produce(1, -1, value);
    }
    cluster.pass(5_100);
    assert_eq!(text(&cluster, 2, "replication-offset-checkpoint"), "0\n1\norders 0 2\n");
    assert_eq!(text(&cluster, 2, "orders-0/leader-epoch-checkpoint"), "0\n1\n1 0\n");
    let file = "orders-0/00000000000000000000.log";
    cluster.crash_and_edit(2, |_| vec![DiskRequest::Delete { file: file.into() }]);
    cluster.start(2);
    assert_eq!(cluster.manager(2).status(&at()).unwrap().high_watermark, 0);
}

#[test]
fn a_clean_shutdown_leaves_a_marker_that_the_next_start_takes_away() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.produce(1, -1, "a");
    cluster.set_fsyncs(1_000);
    cluster.with(2, |m, cx| m.begin_shutdown(cx));
    assert!(!cluster.manager(2).is_shut_down(), "the flush is under way");
    cluster.pass(10_000);
    assert!(cluster.manager(2).is_shut_down());
    cluster.set_fsyncs(0);
    assert!(cluster.has_file(2, ".kafka_cleanshutdown"));
    assert_eq!(text(&cluster, 2, "recovery-point-offset-checkpoint"), "0\n1\norders 0 1\n");
    cluster.crash(2);
    cluster.start(2);
    assert_eq!(recovered(&cluster), (true, 0));
    assert!(!cluster.has_file(2, ".kafka_cleanshutdown"));
    assert_eq!(cluster.values(2), ["a"]);
    cluster.crash(2);
    cluster.start(2);
    assert_eq!(recovered(&cluster), (false, 0));
}

#[test]
fn with_a_flush_for_every_message_acknowledgements_wait_for_the_fsync() {
    for acks in [1, -1] {
        let mut cluster = Cluster::tuned(NEWEST, |config| config.log_flush_interval_messages = 1);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.set_fsyncs(1_000);
        let sent = cluster.now();
        let conn = cluster.produce(1, acks, "a");
        cluster.pass(500);
        assert_eq!(cluster.produced(conn), None);
        assert!(cluster.values(2).is_empty(), "followers do not see it before");
        while cluster.produced(conn).is_none() {
            cluster.pass(10);
        }
        let rounds = cluster.now().since(sent).as_secs();
        assert_eq!(rounds, if acks == 1 { 1 } else { 2 }, "the leader's, then the followers'");
        assert_eq!(cluster.produced(conn), Some((0, 0)));
    }
}

#[test]
fn the_disk_belongs_to_one_broker_of_one_cluster() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.with(1, |m, cx| m.set_cluster_id(cx, "cluster-a"));
    assert_eq!(
        text(&cluster, 1, "meta.properties"),
        "version=0\nbroker.id=1\ncluster.id=cluster-a\n"
    );
    cluster.crash(1);
    cluster.start(1);
    assert_eq!(cluster.manager(1).cluster_id(), Some("cluster-a"));
    cluster.with(1, |m, cx| m.set_cluster_id(cx, "cluster-a"));
    assert!(cluster.halted().is_empty());
    cluster.with(1, |m, cx| m.set_cluster_id(cx, "cluster-b"));
    assert_eq!(cluster.halted(), [1]);
    let stolen = cluster.disk(node(1)).image();
    let copied = |(file, content): (_, &crate::vocab::Rope)| DiskRequest::Write {
        file: Arc::clone(file),
        bytes: content.flatten(0).into(),
    };
    cluster.crash_and_edit(2, |_| stolen.iter().map(copied).collect());
    cluster.start(2);
    assert_eq!(cluster.halted(), [1, 2]);
}

#[test]
fn a_fetcher_survives_a_leader_that_comes_back() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.produce(1, -1, "a");
    cluster.crash(1);
    cluster.pass(5_000);
    cluster.start(1);
    cluster.elect(1, 2, &[1, 2, 3]);
    let conn = cluster.produce(1, -1, "b");
    cluster.pass(1_500);
    assert_eq!(cluster.produced(conn), Some((0, 1)));
    cluster.assert_logs_match();
}

/// How many connections were asked for.
fn connected(cluster: &Cluster) -> usize {
    let is_connect = |entry: &Entry| matches!(entry, Entry::Connecting { .. });
    cluster.journal().iter().filter(|(_, _, entry)| is_connect(entry)).count()
}

#[test]
fn a_silent_leader_is_given_up_later_when_the_wall_clock_is_set_back() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    let before = connected(&cluster);
    cluster.hold(1);
    // The next fetches are sent, and not answered.
    cluster.pass(1_000);
    cluster.brokers.deref_mut().set_wall(node(2), -60_000);
    cluster.brokers.deref_mut().set_wall(node(3), 60_000);
    cluster.pass(32_000);
    // `NetworkClient` looks at its requests when it wakes up: a step forward ends nothing early.
    assert_eq!(connected(&cluster), before + 1, "3 gives up");
    cluster.pass(57_000);
    let given_up = connected(&cluster);
    cluster.pass(2_000);
    assert_eq!(connected(&cluster), given_up + 1, "2 gives up after 90 s");
}

#[test]
fn a_silent_leader_is_given_up_after_the_socket_timeout() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    let before = connected(&cluster);
    cluster.hold(1);
    cluster.pass(29_000);
    assert_eq!(connected(&cluster), before);
    cluster.pass(4_000);
    assert_eq!(connected(&cluster), before + 2, "each follower tries again");
    cluster.release(1);
    let conn = cluster.produce(1, -1, "a");
    assert_eq!(cluster.produced(conn), Some((0, 0)), "on new connections");
}

#[test]
fn nothing_is_appended_behind_the_last_flush() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1]);
    cluster.with(1, |m, cx| m.begin_shutdown(cx));
    let conn = cluster.produce(1, 1, "a");
    assert_eq!(cluster.produced(conn), Some((6, -1)));
    assert_eq!(cluster.status(1).log_end_offset, 0);
}
