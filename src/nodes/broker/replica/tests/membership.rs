//! Shrinking and expanding the ISR, and what the high watermark makes of it.

use super::*;
use crate::nodes::broker::config::OFFSETS_TOPIC;

const OLD: KafkaVersion = KafkaVersion::new(1, 0);

#[test]
fn a_silent_follower_is_dropped_between_one_and_one_and_a_half_lags() {
    for silent_after_ms in [0, 1_000, 2_500, 4_900] {
        let mut cluster = Cluster::new(NEWEST);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.pass(silent_after_ms);
        cluster.crash(3);
        let stopped = cluster.now();
        cluster.produce(1, -1, "a");
        while cluster.isr_changes().is_empty() {
            cluster.pass(10);
        }
        let lag = cluster.now().since(stopped).as_millis();
        assert!((9_500..=15_010).contains(&lag), "{lag} ms");
        assert_eq!(cluster.isr_changes()[0].isr, ids(&[1, 2]));
    }
}

#[test]
fn a_silent_follower_at_the_log_end_is_not_dropped_since_2_1() {
    for (version, dropped) in [
        (OLD, true),
        (KafkaVersion::new(2, 0), true),
        (KafkaVersion::new(2, 1), false),
        (NEWEST, false),
    ] {
        let mut cluster = Cluster::new(version);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.produce(1, -1, "a");
        cluster.crash(3);
        cluster.pass(60_000);
        let proposed = cluster.isr_changes().first().map(|change| change.isr.clone());
        assert_eq!(proposed, dropped.then(|| ids(&[1, 2])), "{version}");
    }
}

#[test]
fn a_pending_shrink_does_not_let_the_high_watermark_pass() {
    for version in [KafkaVersion::new(2, 6), NEWEST] {
        let mut cluster = Cluster::new(version);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.crash(3);
        let conn = cluster.produce(1, -1, "a");
        cluster.pass(16_000);
        assert_eq!(cluster.isr_changes().len(), 1);
        cluster.pass(8_000);
        assert_eq!(cluster.isr_changes().len(), 1, "one change at a time");
        assert_eq!((cluster.status(1).high_watermark, cluster.produced(conn)), (0, None));
        assert_eq!(cluster.status(1).isr, ids(&[1, 2, 3]));
        cluster.commit_isr();
        assert_eq!(cluster.status(1).isr, ids(&[1, 2]));
        assert_eq!((cluster.status(1).high_watermark, cluster.produced(conn)), (1, Some((0, 0))));
    }
}

/// Recorded at 2.6.3, 2.7.2, 2.8.2 and 3.9.1: 2.7 and 2.8 acknowledge only when the follower is back, or with the
/// next append.
#[test]
fn kafka_13091_from_2_7_to_3_0_a_shrink_leaves_the_high_watermark() {
    for (version, waits) in [
        (KafkaVersion::new(2, 6), false),
        (KafkaVersion::new(2, 7), true),
        (KafkaVersion::new(2, 8), true),
        (KafkaVersion::new(3, 0), true),
        (KafkaVersion::new(3, 1), false),
        (NEWEST, false),
    ] {
        let mut cluster = Cluster::new(version);
        cluster.elect(1, 1, &[1, 2, 3]);
        cluster.crash(3);
        let conn = cluster.produce(1, -1, "a");
        cluster.pass(16_000);
        cluster.commit_isr();
        cluster.pass(5_000);
        assert_eq!(cluster.status(1).isr, ids(&[1, 2]));
        let committed = if waits { (0, None) } else { (1, Some((0, 0))) };
        let now = (cluster.status(1).high_watermark, cluster.produced(conn));
        assert_eq!(now, committed, "{version}");
        // The append of anyone makes the leader look.
        cluster.produce(1, 1, "b");
        cluster.pass(1_000);
        assert_eq!(cluster.status(1).high_watermark, 2, "{version}");
        assert_eq!(cluster.produced(conn).or(committed.1), Some((0, 0)), "{version}");
    }
}

#[test]
fn a_refused_change_is_proposed_again_and_a_superseded_one_waits_for_the_controller() {
    let mut cluster = Cluster::new(OLD);
    cluster.elect(1, 1, &[1, 2, 3]);
    cluster.crash(3);
    cluster.produce(1, 1, "a");
    cluster.pass(16_000);
    let (_, change) = cluster.take_isr_change();
    assert_eq!((change.partition_epoch, change.controller_epoch), (1, 1));
    cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), IsrOutcome::Refused));
    cluster.pass(5_000);
    assert_eq!(cluster.take_isr_change().1, change, "with the same version: KAFKA-2729");
    cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), IsrOutcome::Superseded));
    cluster.pass(20_000);
    assert_eq!(cluster.isr_changes().len(), 0);
    cluster.elect(1, 2, &[1, 2, 3]);
    cluster.pass(16_000);
    assert_eq!(cluster.take_isr_change().1.leader_epoch, 2);
}

#[test]
fn stale_outcomes_are_passed_over() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2]);
    assert_eq!(cluster.isr_changes().len(), 1, "b3 fetched and is to be admitted");
    let outcome = |leader_epoch, partition_epoch| IsrOutcome::Committed {
        isr: ids(&[1]),
        leader_epoch,
        partition_epoch,
    };
    for stale in [outcome(0, 9), outcome(2, 9), outcome(1, 0)] {
        cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), stale));
        assert_eq!(cluster.status(1).isr, ids(&[1, 2]));
    }
    cluster.commit_isr();
    assert_eq!(cluster.status(1).isr, ids(&[1, 2, 3]));
}

#[test]
fn only_the_zookeeper_path_observes_the_change_at_the_leader() {
    for (version, observed) in [(KafkaVersion::new(2, 6), 1), (KafkaVersion::new(2, 7), 0)] {
        let mut cluster = Cluster::new(version);
        cluster.elect(1, 1, &[1, 2]);
        cluster.commit_isr();
        let changes = cluster.observed().filter(|(_, broker, what)| {
            broker.0 == 1 && matches!(what, BrokerObservation::IsrChanged { .. })
        });
        assert_eq!(changes.count(), observed, "{version}");
    }
}

#[test]
fn a_pending_expansion_counts_for_the_high_watermark() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1, 2]);
    assert_eq!(cluster.isr_changes()[0].isr, ids(&[1, 2, 3]));
    cluster.hold(3);
    let conn = cluster.produce(1, -1, "a");
    assert_eq!(cluster.produced(conn), None, "b3 may be electable already");
    cluster.pass(11_000);
    assert_eq!(cluster.produced(conn), None);
    cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), IsrOutcome::Refused));
    assert_eq!(cluster.produced(conn), Some((0, 0)));
}

/// A leader of three whose high watermark is one behind the start of its epoch, and a fetch of `offset` by
/// the broker that is not in the ISR.
fn fetch_of_outsider(version: KafkaVersion, offset: Offset) -> Vec<BrokerId> {
    let mut cluster = Cluster::new(version);
    cluster.elect(1, 1, &[1, 2]);
    cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), IsrOutcome::Refused));
    cluster.crash(3);
    cluster.pass(11_000);
    cluster.produce(1, 1, "a");
    cluster.pass(600);
    cluster.produce(1, 1, "b");
    assert_eq!((cluster.status(2).log_end_offset, cluster.status(2).high_watermark), (2, 1));
    cluster.forget_isr_changes();
    cluster.hold(1);
    cluster.elect(2, 2, &[1, 2]);
    assert_eq!(cluster.status(2).high_watermark, 1, "b1 has not fetched");
    let request = Cluster::fetch_request(offset, 0).with_replica_id(WireBrokerId(3));
    cluster.request(2, 6, request);
    cluster.isr_changes().first().map_or_else(Vec::new, |change| change.isr.clone())
}

#[test]
fn a_stale_high_watermark_admits_no_replica_since_2_1() {
    let all = ids(&[1, 2, 3]);
    for (version, offset, admitted) in [
        (OLD, 0, false),
        (OLD, 1, true),
        (KafkaVersion::patched(2, 0, 0), 1, true),
        (KafkaVersion::patched(2, 0, 1), 1, false),
        (KafkaVersion::new(2, 1), 1, false),
        (KafkaVersion::new(2, 1), 2, true),
        (NEWEST, 1, false),
        (NEWEST, 2, true),
    ] {
        let isr = fetch_of_outsider(version, offset);
        assert_eq!(isr == all, admitted, "{version}, offset {offset}: {isr:?}");
    }
}

#[test]
fn since_3_3_only_live_brokers_are_admitted() {
    for (version, admitted) in [(KafkaVersion::new(3, 2), 1), (KafkaVersion::new(3, 3), 0)] {
        let mut cluster = Cluster::new(version);
        cluster.with(1, |m, cx| m.set_live_brokers(cx, ids(&[1, 2]).into_iter().collect()));
        cluster.elect(1, 1, &[1, 2]);
        assert_eq!(cluster.isr_changes().len(), admitted, "{version}");
    }
}

#[test]
fn a_caught_up_follower_holds_the_high_watermark_though_it_is_not_in_sync() {
    for (version, any_fetch_looks) in [
        (OLD, true),
        (KafkaVersion::new(2, 3), true),
        (KafkaVersion::new(2, 4), false),
        (NEWEST, false),
    ] {
        let mut cluster = Cluster::new(version);
        cluster.elect(1, 1, &[1, 2]);
        cluster.with(1, |m, cx| m.isr_change_done(cx, &at(), IsrOutcome::Refused));
        cluster.hold(3);
        let conn = cluster.produce(1, -1, "a");
        assert_eq!(cluster.produced(conn), None, "{version}: b3 was caught up a moment ago");
        cluster.pass(10_600);
        let seen = cluster.produced(conn).is_some();
        assert_eq!(seen, any_fetch_looks, "{version}: b2 fetches, but has not moved");
        cluster.produce(1, 1, "b");
        assert_eq!(cluster.produced(conn), Some((0, 0)), "{version}: b3 is not any more");
    }
}

#[test]
fn a_topic_setting_overrides_the_brokers() {
    let mut cluster = Cluster::new(NEWEST);
    cluster.elect(1, 1, &[1]);
    let overrides = BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]);
    cluster.with(1, |m, cx| m.set_topic_overrides(cx, "orders", &overrides));
    let conn = cluster.produce(1, -1, "a");
    assert_eq!(cluster.produced(conn).unwrap().0, 19);
    cluster.with(1, |m, cx| m.set_topic_overrides(cx, "orders", &BTreeMap::new()));
    let conn = cluster.produce(1, -1, "a");
    assert_eq!(cluster.produced(conn), Some((0, 0)));
}

/// A leader of `__consumer_offsets` in the release.
fn leader_of_offsets(version: KafkaVersion) -> (Cluster, TopicPartition) {
    let mut cluster = Cluster::new(version);
    let at = TopicPartition::new(OFFSETS_TOPIC, 0);
    for broker in BROKERS {
        let topic = kafka::topic(OFFSETS_TOPIC);
        cluster.leader_and_isr_of(topic, broker, (1, 1), &[1, 2, 3]);
    }
    (cluster, at)
}

fn appended(cluster: &Cluster) -> Vec<(u64, Result<Offset, kafka_protocol::ResponseError>)> {
    cluster.replicas(1).appended.clone()
}

#[test]
fn what_a_group_coordinator_writes_waits_for_the_partitions_lock() {
    let (mut cluster, at) = leader_of_offsets(KafkaVersion::new(2, 6));
    cluster.with(1, |manager, _| manager.isr_write_begins(&at));
    for number in [Some(7), None, Some(8)] {
        cluster.with(1, |manager, cx| manager.append_offsets(cx, 0, batch("a"), number));
    }
    cluster.pass(1_000);
    assert_eq!(cluster.manager(1).blocked_handlers(), 2, "the third is a thread that cleans up");
    assert_eq!(cluster.manager(1).status(&at).unwrap().log_end_offset, 0);
    assert_eq!(appended(&cluster), []);
    cluster.with(1, |manager, cx| manager.isr_change_done(cx, &at, IsrOutcome::Refused));
    cluster.pass(1_000);
    assert_eq!(cluster.manager(1).blocked_handlers(), 0);
    assert_eq!(appended(&cluster), [(7, Ok(0)), (8, Ok(2))]);
}

#[test]
fn what_a_group_coordinator_writes_waits_for_its_disk() {
    let (mut cluster, at) = leader_of_offsets(NEWEST);
    cluster.brokers.slow_disk(node(1), Duration::from_secs(5));
    for number in [Some(7), Some(8)] {
        cluster.with(1, |manager, cx| manager.append_offsets(cx, 0, batch("a"), number));
    }
    cluster.pass(4_000);
    assert_eq!(cluster.manager(1).blocked_handlers(), 2);
    assert_eq!(cluster.manager(1).status(&at).unwrap().log_end_offset, 1);
    // Checkpoints are written meanwhile, and as slowly.
    cluster.pass(30_000);
    assert_eq!(cluster.manager(1).blocked_handlers(), 0);
    assert_eq!(appended(&cluster), [(7, Ok(0)), (8, Ok(1))]);
}
