//! How followers cut their logs, on histories in which the protocols differ.

use super::*;
use crate::releases::Change;

fn version(text: &str) -> KafkaVersion {
    text.parse().expect("a version")
}

/// b1 and b2; b3 is down.
fn pair(version: KafkaVersion) -> Cluster {
    let mut cluster = Cluster::new(version);
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    cluster.produce(1, -1, "a");
    cluster.pass(600);
    cluster
}

#[test]
fn kip_101_a_restarted_follower_keeps_what_is_committed() {
    for (text, kept) in [("0.10", 1), ("0.11", 2), ("1.1", 2), ("2.0", 2), ("2.6", 2), ("3.9", 2)] {
        let mut cluster = pair(version(text));
        cluster.pass(6_000);
        cluster.produce(1, -1, "b");
        assert_eq!(
            (cluster.status(1).high_watermark, cluster.status(2).high_watermark),
            (2, 1),
            "{text}"
        );
        cluster.crash(2);
        cluster.start(2);
        cluster.hold(2);
        cluster.leader_and_isr(2, 1, 1, &[1, 2]);
        assert_eq!(cluster.status(2).log_end_offset, kept, "{text}");
        cluster.crash(1);
        cluster.release(2);
        cluster.elect(2, 2, &[2]);
        assert_eq!(cluster.values(2), &["a", "b"][..kept as usize], "{text}: loses below 0.11");
    }
}

#[test]
fn an_unreplicated_tail_gives_way_to_the_new_leaders_records() {
    for version in KafkaVersion::ALL {
        let mut cluster = pair(*version);
        cluster.hold(2);
        cluster.produce(1, 1, "lost");
        cluster.crash(1);
        cluster.release(2);
        cluster.elect(2, 2, &[2]);
        cluster.produce(2, 1, "c");
        cluster.start(1);
        cluster.leader_and_isr(1, 2, 2, &[2]);
        cluster.pass(3_000);
        assert_eq!(cluster.values(1), ["a", "c"], "{version}");
        cluster.assert_logs_match();
    }
}

#[test]
fn nothing_is_fetched_behind_a_cut_before_the_leader_epochs_are_on_the_platter() {
    // Before 0.11 a broker keeps no leader epochs, and cuts to its own high watermark instead.
    for version in KafkaVersion::ALL.iter().filter(|version| version.has(Change::TruncationByEpoch))
    {
        let mut cluster = pair(*version);
        cluster.elect(1, 2, &[1, 2]);
        cluster.hold(2);
        cluster.produce(1, 1, "lost");
        cluster.crash(1);
        cluster.release(2);
        cluster.elect(2, 3, &[2]);
        cluster.produce(2, 1, "c");
        cluster.start(1);
        cluster.set_fsyncs(10_000);
        cluster.leader_and_isr(1, 2, 3, &[2]);
        cluster.pass(3_000);
        assert_eq!(cluster.values(1), ["a"], "{version}: epoch 2 is to go from the file");
        cluster.pass(10_000);
        assert_eq!(cluster.values(1), ["a", "c"], "{version}");
        cluster.assert_logs_match();
    }
}

#[test]
fn a_recovery_point_that_is_cut_is_checkpointed_at_once() {
    let mut cluster = Cluster::tuned(NEWEST, |config| config.log_segment_bytes = 200);
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    cluster.produce(1, -1, "a");
    cluster.pass(600);
    cluster.hold(2);
    for n in 0..20 {
        cluster.produce(1, 1, &format!("value {n}"));
    }
    let file = "recovery-point-offset-checkpoint";
    let known = |cluster: &Cluster| cluster.file(1, file);
    cluster.pass(61_000);
    assert_ne!(known(&cluster), "0\n1\norders 0 1\n", "full segments were flushed");
    cluster.crash(1);
    cluster.release(2);
    cluster.elect(2, 2, &[2]);
    cluster.start(1);
    cluster.leader_and_isr(1, 2, 2, &[2]);
    cluster.pass(3_000);
    assert_eq!(cluster.values(1), ["a"]);
    assert_eq!(known(&cluster), "0\n1\norders 0 1\n");
}

/// KIP-279: b2's last epoch is one that b1 never had.
fn rapid_elections(version: KafkaVersion, writes: bool) -> Cluster {
    let mut cluster = pair(version);
    cluster.hold(2);
    cluster.produce(1, 1, "b");
    cluster.crash(1);
    cluster.release(2);
    cluster.elect(2, 2, &[2]);
    cluster.produce(2, 1, "c");
    cluster.pass(11_000);
    assert_eq!(cluster.status(2).high_watermark, 2);
    cluster.crash(2);
    cluster.start(1);
    cluster.elect(1, 3, &[1]);
    if writes {
        cluster.produce(1, 1, "d");
    }
    cluster.start(2);
    cluster.leader_and_isr(2, 1, 3, &[1]);
    cluster.pass(3_000);
    cluster
}

#[test]
fn kip_279_epochs_are_compared_until_they_agree() {
    for (text, same) in
        [("0.11", false), ("1.1", false), ("2.0", true), ("2.1", true), ("2.7", true)]
    {
        let cluster = rapid_elections(version(text), true);
        assert_eq!(cluster.values(1), ["a", "b", "d"]);
        assert_eq!(cluster.values(2) == cluster.values(1), same, "{text}");
    }
}

#[test]
fn kafka_7415_an_epoch_without_records_has_to_be_known_too() {
    for (text, same) in
        [("1.1", false), ("2.0.0", false), ("2.0.1", true), ("2.7", true), ("3.9", true)]
    {
        let cluster = rapid_elections(version(text), false);
        assert_eq!(cluster.values(1), ["a", "b"]);
        assert_eq!(cluster.values(2) == cluster.values(1), same, "{text}");
    }
}

#[test]
fn kafka_6880_a_follower_that_missed_elections_truncates_since_2_1() {
    for (text, same) in
        [("1.0", false), ("2.0", false), ("2.1", true), ("2.8", true), ("3.9", true)]
    {
        let mut cluster = Cluster::new(version(text));
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.produce(1, -1, "a");
        cluster.pass(600);
        cluster.hold(3);
        cluster.produce(1, 1, "b");
        assert_eq!(cluster.values(2), ["a", "b"]);
        cluster.hold(2);
        // What b1 has sent to b3 is lost.
        cluster.reset(node(1), node(3));
        cluster.release(3);
        cluster.partition_epoch += 1;
        for broker in [3, 1] {
            cluster.leader_and_isr(broker, 3, 2, &[1, 3]);
        }
        cluster.produce(3, 1, "c");
        cluster.produce(3, 1, "d");
        cluster.pass(3_000);
        assert_eq!(cluster.values(1), ["a", "c", "d"], "{text}");
        cluster.partition_epoch += 1;
        cluster.release(2);
        for broker in 1..=3 {
            cluster.leader_and_isr(broker, 1, 3, &[1, 3]);
        }
        cluster.pass(3_000);
        assert_eq!(cluster.values(2) == cluster.values(1), same, "{text}");
        cluster.assert_match(&[1, 3]);
    }
}

#[test]
fn a_follower_of_an_older_epoch_is_fenced_until_it_gets_the_new_one() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.partition_epoch += 1;
    cluster.leader_and_isr(1, 1, 2, &[1, 2, 3]);
    cluster.pass(2_000);
    let conn = cluster.produce(1, -1, "a");
    cluster.pass(5_000);
    assert_eq!(cluster.produced(conn), None);
    assert!(cluster.values(2).is_empty() && cluster.values(3).is_empty());
    for broker in [2, 3] {
        cluster.leader_and_isr(broker, 1, 2, &[1, 2, 3]);
    }
    assert_eq!(cluster.produced(conn), Some((0, 0)));
}

#[test]
fn a_follower_ahead_of_its_leader_asks_again_later() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.partition_epoch += 1;
    cluster.leader_and_isr(2, 1, 2, &[1, 2, 3]);
    cluster.produce(1, 1, "a");
    assert!(cluster.values(2).is_empty(), "UNKNOWN_LEADER_EPOCH");
    cluster.leader_and_isr(1, 1, 2, &[1, 2, 3]);
    cluster.pass(1_100);
    assert_eq!(cluster.values(2), ["a"]);
}

#[test]
fn a_follower_longer_than_its_leader_is_cut_to_the_leaders_end() {
    for version in KafkaVersion::ALL {
        let cluster = shorter_leader(*version, true);
        assert_eq!(cluster.values(2), ["c"], "{version}");
        assert!(cluster.halted().is_empty(), "{version}");
        cluster.assert_logs_match();
    }
}

/// b1 lost its disk and leads all the same; b2 has more than it.
fn shorter_leader(version: KafkaVersion, unclean: bool) -> Cluster {
    let mut cluster = Cluster::new(version);
    let overrides =
        BTreeMap::from([("unclean.leader.election.enable".to_owned(), unclean.to_string())]);
    cluster.with(2, |m, cx| m.set_topic_overrides(cx, "orders", &overrides));
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    for value in ["a", "b"] {
        cluster.produce(1, -1, value);
        cluster.pass(6_000);
    }
    cluster.crash_and_lose_disk(1);
    cluster.start(1);
    cluster.elect(1, 2, &[1]);
    cluster.pass(3_000);
    cluster.produce(1, 1, "c");
    cluster.pass(3_000);
    cluster
}

#[test]
fn kafka_7414_before_2_0_1_a_broker_halts_rather_than_truncate() {
    for version in KafkaVersion::ALL {
        let cluster = shorter_leader(*version, false);
        let exits = version.has(Change::HaltOnShorterLeader);
        assert_eq!(!cluster.halted().is_empty(), exits, "{version}");
        assert_eq!(cluster.values(2) == ["a", "b"], exits, "{version}");
    }
}

#[test]
fn a_follower_that_ends_before_its_leaders_log_starts_starts_again_there() {
    for version in KafkaVersion::ALL {
        let mut cluster = Cluster::new(*version);
        cluster.crash(3);
        let write = |file: &str, text: &'static str| DiskRequest::Write {
            file: file.into(),
            bytes: Bytes::from_static(text.as_bytes()),
        };
        cluster.crash_and_edit(1, |_| {
            vec![
                write("orders-0/00000000000000000000.log", ""),
                write("log-start-offset-checkpoint", "0\n1\norders 0 100\n"),
            ]
        });
        cluster.start(1);
        assert_eq!(cluster.status(1).log_end_offset, 100);
        cluster.elect(1, 1, &[1, 2]);
        cluster.produce(1, 1, "a");
        cluster.pass(3_000);
        assert_eq!(
            (cluster.status(2).log_end_offset, cluster.values(2)),
            (101, vec!["a".to_owned()])
        );
    }
}

#[test]
fn truncation_never_takes_the_high_watermark_past_the_log() {
    let mut cluster = pair(NEWEST);
    cluster.produce(1, -1, "b");
    cluster.pass(600);
    assert_eq!(cluster.status(2).high_watermark, 2);
    cluster.crash_and_lose_disk(1);
    cluster.start(1);
    cluster.elect(1, 2, &[1]);
    cluster.pass(3_000);
    assert_eq!((cluster.status(2).log_end_offset, cluster.status(2).high_watermark), (0, 0));
    let truncated = BrokerObservation::Truncated { at: at(), from: 2, to: 0 };
    assert!(cluster.observed().any(|(_, id, seen)| (id.0, seen) == (2, &truncated)));
}

/// b1 lost everything and leads on in its epoch; where b2 has three batches of one record, it has one of three
/// at the beginning, and goes on: a batch of it spans the end of b2's log.
fn rewritten(version: KafkaVersion, ends: usize) -> Cluster {
    let mut cluster = Cluster::new(version);
    cluster.crash(3);
    cluster.elect(1, 1, &[1, 2]);
    for value in ["a", "b", "c", "d"].iter().take(ends) {
        cluster.produce(1, 1, value);
    }
    cluster.pass(600);
    cluster.crash_and_lose_disk(1);
    cluster.start(1);
    let mut builder = BatchBuilder::new(1_000);
    for value in ["x", "y", "z"] {
        builder.push(1_000, None, Some(value.as_bytes()));
    }
    cluster.leader_and_isr(1, 1, 1, &[1, 2]);
    cluster.produce_bytes(1, 1, builder.build().bytes);
    cluster.pass(5_000);
    cluster
}

fn failed(cluster: &Cluster) -> usize {
    let is_it = |what: &BrokerObservation| matches!(what, BrokerObservation::FetchingFailed { .. });
    cluster.observed().filter(|(_, broker, what)| broker.0 == 2 && is_it(what)).count()
}

#[test]
fn kip_461_a_follower_whose_log_ends_in_the_middle_of_a_batch_gives_the_partition_up() {
    for version in KafkaVersion::ALL {
        let mut cluster = rewritten(*version, 2);
        assert_eq!(cluster.values(2), ["a", "b"], "{version}");
        assert!(cluster.status(2).has_failed, "{version}");
        assert_eq!(failed(&cluster), 1, "{version}");
        cluster.produce(1, 1, "more");
        cluster.pass(30_000);
        assert_eq!((failed(&cluster), cluster.status(2).log_end_offset), (1, 2), "{version}");
        // Since 2.3 a new leader epoch makes it try again; before, its fetcher has ended.
        cluster.elect(1, 2, &[1]);
        cluster.pass(5_000);
        let tries = if version.has(Change::FailedPartitionAlone) { 2 } else { failed(&cluster) };
        assert_eq!((failed(&cluster), cluster.status(2).has_failed), (tries, true), "{version}");
    }
}

#[test]
fn a_follower_whose_log_ends_where_a_batch_does_goes_on_and_does_not_see_the_difference() {
    for version in KafkaVersion::ALL {
        let cluster = rewritten(*version, 3);
        assert_eq!((failed(&cluster), cluster.status(2).has_failed), (0, false), "{version}");
        assert_eq!(cluster.values(2), ["a", "b", "c"], "{version}: other records, same epoch");
    }
}
