//! What becomes of partitions when topics and brokers come and go.

use std::time::Duration;

use kafka_protocol::messages::RequestKind;

use super::world::World;
use crate::history::{BrokerObservation, Election};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, TopicPartition};

const V1_0: KafkaVersion = KafkaVersion::new(1, 0);
const V2_8: KafkaVersion = KafkaVersion::new(2, 8);

fn at(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

fn elections(world: &World) -> Vec<(i32, i32, Election)> {
    let seen = world.seen();
    let elected = seen.iter().filter_map(|(_, seen)| match seen {
        BrokerObservation::LeaderElected { leader, leader_epoch, election, .. } => {
            Some((leader.0, *leader_epoch, *election))
        }
        _ => None,
    });
    elected.collect()
}

#[test]
fn a_topic_that_an_operator_wrote_gets_leaders_and_all_replicas_get_the_requests() {
    for version in [KafkaVersion::new(0, 10), V1_0, KafkaVersion::new(2, 4), V2_8] {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        world.shared().sent.clear();
        world.write_topic("t", &[&[2, 3, 1], &[3, 1, 2]]);
        assert_eq!(world.state("t", 0), (2, 0, vec![2, 3, 1]), "{version}");
        assert_eq!(world.state("t", 1), (3, 0, vec![3, 1, 2]), "{version}");
        for id in 1..=3 {
            let kinds: Vec<_> = world
                .sent()
                .into_iter()
                .filter(|sent| sent.to == BrokerId(id))
                .map(|sent| match &sent.body {
                    RequestKind::LeaderAndIsr(_) => "LeaderAndIsr",
                    RequestKind::UpdateMetadata(_) => "UpdateMetadata",
                    _ => "other",
                })
                .collect();
            assert_eq!(kinds, ["LeaderAndIsr", "UpdateMetadata"], "{version}, broker {id}");
        }
    }
}

#[test]
fn a_dead_leader_is_replaced_in_assignment_order_and_leaves_the_isr() {
    for version in [V1_0, V2_8] {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[3, 2, 1]]);
        world.shared().sent.clear();
        world.die(3);
        world.run();
        assert_eq!(world.state("t", 0), (2, 1, vec![2, 1]), "{version}");
        assert_eq!(elections(&world).last(), Some(&(2, 1, Election::Offline)));
        assert!(
            world.sent().into_iter().all(|sent| sent.to != BrokerId(3)),
            "a dead broker gets no request"
        );
    }
}

#[test]
fn a_dead_follower_leaves_the_isr_with_a_new_leader_epoch() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[2, 3, 1]]);
    world.shared().sent.clear();
    world.die(3);
    world.run();
    assert_eq!(world.state("t", 0), (2, 1, vec![2, 1]));
    let changed = BrokerObservation::IsrChanged {
        at: at("t"),
        from: vec![BrokerId(2), BrokerId(3), BrokerId(1)],
        to: vec![BrokerId(2), BrokerId(1)],
        partition_epoch: 1,
    };
    assert!(world.seen().contains(&(BrokerId(1), changed)));
    let mut sent: Vec<_> = world
        .sent()
        .into_iter()
        .filter(|sent| matches!(sent.body, RequestKind::LeaderAndIsr(_)))
        .map(|sent| sent.to.0)
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [1, 2], "the other replicas get it");
}

#[test]
fn the_last_in_sync_replica_stays_although_it_is_dead() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[2, 3]]);
    world.die(3);
    world.run();
    world.die(2);
    world.run();
    assert_eq!(world.state("t", 0), (-1, 2, vec![2]));
    let lost =
        BrokerObservation::LeaderLost { at: at("t"), leader_epoch: 2, isr: vec![BrokerId(2)] };
    assert!(world.seen().contains(&(BrokerId(1), lost)));
    // The one that was not in sync cannot lead ...
    world.start(&[3]);
    assert_eq!(world.state("t", 0).0, -1);
    // ... the other can.
    world.start(&[2]);
    assert_eq!(world.state("t", 0), (2, 3, vec![2]));
}

#[test]
fn an_unclean_election_takes_any_live_replica_if_the_topic_or_the_broker_allows_it() {
    for (by_topic, by_broker, leader) in
        [(None, true, 3), (Some("true"), false, 3), (Some("false"), true, -1), (None, false, -1)]
    {
        let mut world =
            World::with(V2_8, 3, move |config| config.unclean_leader_election = by_broker);
        world.start(&[1, 2, 3]);
        let settings =
            by_topic.map(|value| ("unclean.leader.election.enable".into(), value.into()));
        let data = payload::encode_config(&settings.into_iter().collect());
        world.put(&paths::topic_config("t"), data);
        world.write_topic("t", &[&[2, 3]]);
        world.die(3);
        world.run();
        world.start(&[3]);
        world.die(2);
        world.run();
        assert_eq!(world.state("t", 0).0, leader, "{by_topic:?} {by_broker}");
        if leader == 3 {
            assert_eq!(world.state("t", 0).2, [3], "only the unclean leader is in sync");
            assert_eq!(elections(&world).last().unwrap().2, Election::Unclean);
        }
    }
}

#[test]
fn only_up_to_1_0_an_unclean_topic_may_lose_its_last_in_sync_replica() {
    for (version, isr) in [(V1_0, vec![]), (KafkaVersion::new(1, 1), vec![2])] {
        let mut world = World::with(version, 2, |config| config.unclean_leader_election = true);
        world.start(&[1, 2]);
        world.write_topic("t", &[&[2]]);
        world.die(2);
        world.run();
        assert_eq!(world.state("t", 0), (-1, 1, isr), "{version}");
    }
}

#[test]
fn a_fast_restart_is_seen_since_2_2_and_not_before() {
    for (version, wanted) in
        [(KafkaVersion::new(2, 1), (2, 0, vec![2, 3])), (KafkaVersion::new(2, 2), (3, 1, vec![3]))]
    {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[2, 3]]);
        world.shared().sent.clear();
        world.bounce(2);
        world.run();
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.state("t", 0), wanted, "{version}");
        let epochs: Vec<_> = world
            .sent()
            .into_iter()
            .filter(|sent| sent.to == BrokerId(2))
            .filter_map(|sent| match &sent.body {
                RequestKind::LeaderAndIsr(request) => Some(request.broker_epoch),
                _ => None,
            })
            .collect();
        assert_eq!(epochs.is_empty(), !version.has(Change::BrokerEpochs), "{version}: {epochs:?}");
    }
}

#[test]
fn a_new_broker_makes_the_controller_repeat_all_partitions_to_the_others_before_2_2() {
    for (version, repeated) in [(KafkaVersion::new(2, 1), 1), (KafkaVersion::new(2, 2), 0)] {
        let mut world = World::new(version, 3);
        world.start(&[1, 2]);
        world.write_topic("t", &[&[1, 2]]);
        world.shared().sent.clear();
        world.start(&[3]);
        let sent = world.sent();
        let to_2 = sent.iter().filter(|sent| sent.to == BrokerId(2));
        let partitions = to_2.filter_map(|sent| match &sent.body {
            RequestKind::UpdateMetadata(request) => {
                let topics = request.topic_states.iter().map(|t| t.partition_states.len());
                Some(topics.sum::<usize>() + request.ungrouped_partition_states.len())
            }
            _ => None,
        });
        assert_eq!(partitions.collect::<Vec<_>>(), [repeated], "{version}");
    }
}

#[test]
fn a_new_broker_gets_the_whole_state_and_its_replicas_start() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2]);
    world.write_topic("t", &[&[3, 2]]);
    assert_eq!(world.state("t", 0), (2, 0, vec![2]), "the live replicas are in sync");
    world.shared().sent.clear();
    world.start(&[3]);
    let to_3: Vec<_> = world.sent().into_iter().filter(|sent| sent.to == BrokerId(3)).collect();
    let RequestKind::UpdateMetadata(all) = &to_3[0].body else { panic!("{to_3:?}") };
    assert_eq!((all.live_brokers.len(), all.topic_states.len()), (3, 1));
    let RequestKind::LeaderAndIsr(work) = &to_3[1].body else { panic!("{to_3:?}") };
    assert_eq!(work.topic_states[0].partition_states[0].leader.0, 2);
}

#[test]
fn a_partition_without_a_live_replica_is_led_when_one_comes() {
    let mut world = World::new(V2_8, 2);
    world.start(&[1]);
    world.write_topic("t", &[&[2]]);
    assert!(world.data(&paths::partition_state(&at("t"))).is_none());
    world.start(&[2]);
    assert_eq!(world.state("t", 0), (2, 0, vec![2]));
}

#[test]
fn more_partitions_of_a_topic_are_picked_up() {
    let mut world = World::new(V2_8, 2);
    world.start(&[1, 2]);
    world.write_topic("t", &[&[1, 2]]);
    world.write_topic("t", &[&[1, 2], &[2, 1]]);
    assert_eq!(world.state("t", 1), (2, 0, vec![2, 1]));
    let created = |seen: &BrokerObservation| matches!(seen, BrokerObservation::TopicCreated { .. });
    assert_eq!(world.seen().iter().filter(|(_, seen)| created(seen)).count(), 1);
}

#[test]
fn leaders_move_back_when_too_many_are_not_the_preferred_ones() {
    let mut world = World::new(V2_8, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[2, 3]]);
    world.die(2);
    world.run();
    world.start(&[2]);
    assert_eq!(world.state("t", 0), (3, 1, vec![3]));
    world.run_for(Duration::from_secs(301));
    assert_eq!(world.state("t", 0).0, 3, "2 is not in sync yet");
    world.write_state("t", 1, (3, 1, &[3, 2]));
    world.put(
        "/isr_change_notification/isr_change_0000000000",
        payload::encode_partitions([&at("t")]),
    );
    world.run();
    assert!(world.data("/isr_change_notification/isr_change_0000000000").is_none());
    world.run_for(Duration::from_secs(300));
    assert_eq!(world.state("t", 0), (2, 2, vec![3, 2]));
    assert_eq!(elections(&world).last(), Some(&(2, 2, Election::Preferred)));
}

#[test]
fn an_operator_can_ask_for_preferred_leaders_twice() {
    let mut world = World::with(V2_8, 3, |config| config.auto_leader_rebalance = false);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[2, 3]]);
    for epoch in [3, 5] {
        world.write_state("t", 1, (3, epoch - 1, &[3, 2]));
        world.put(
            "/isr_change_notification/isr_change_0000000000",
            payload::encode_partitions([&at("t")]),
        );
        world.run();
        world.put(paths::PREFERRED_REPLICA_ELECTION, payload::encode_partitions([&at("t")]));
        world.run();
        assert_eq!(world.state("t", 0), (2, epoch, vec![3, 2]));
        assert!(world.data(paths::PREFERRED_REPLICA_ELECTION).is_none());
    }
}

/// Recorded at 0.11.0.3, 1.1.1 and 2.0.1, and at 2.4.1 and later (`prefer-by-znode`): the known ones are elected.
#[test]
fn before_2_2_an_unknown_partition_leaves_the_election_in_zookeeper() {
    for (version, stays) in [
        (KafkaVersion::new(1, 1), true),
        (KafkaVersion::new(2, 1), true),
        (KafkaVersion::new(2, 2), false),
        (V2_8, false),
    ] {
        let mut world = World::with(version, 3, |config| config.auto_leader_rebalance = false);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[2, 3]]);
        world.write_state("t", 1, (3, 2, &[3, 2]));
        let changed = payload::encode_partitions([&at("t")]);
        world.put("/isr_change_notification/isr_change_0000000000", changed);
        world.run();
        let wanted = payload::encode_partitions([&at("t"), &at("never-was")]);
        world.put(paths::PREFERRED_REPLICA_ELECTION, wanted);
        world.run();
        assert_eq!(world.state("t", 0), (2, 3, vec![3, 2]), "{version}");
        let is_there = world.data(paths::PREFERRED_REPLICA_ELECTION).is_some();
        assert_eq!(is_there, stays, "{version}");
        // The next controller removes it.
        world.die(1);
        world.run();
        assert!(world.data(paths::PREFERRED_REPLICA_ELECTION).is_none(), "{version}");
    }
}

#[test]
fn a_deleted_topic_is_gone_once_all_replicas_are_and_waits_for_dead_brokers() {
    for version in [V1_0, V2_8] {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        world.put(&paths::topic_config("t"), payload::encode_config(&Default::default()));
        world.write_topic("t", &[&[2, 3]]);
        world.die(3);
        world.run();
        world.put(&paths::delete_topic("t"), "".into());
        world.run();
        assert!(world.data(&paths::topic("t")).is_some(), "{version}: 3 has a replica");
        // Replicas go offline before they delete, and the last stays in the ISR, as recorded (`delete-while-down`).
        assert_eq!(world.state("t", 0), (-1, 2, vec![2]), "{version}");
        world.start(&[3]);
        for path in [paths::topic("t"), paths::topic_config("t"), paths::delete_topic("t")] {
            assert!(world.data(&path).is_none(), "{version}: {path}");
        }
        let deletes = |body: &RequestKind| match body {
            RequestKind::StopReplica(stop) => {
                let flags = stop.topic_states.iter().flat_map(|topic| &topic.partition_states);
                stop.delete_partitions || flags.into_iter().any(|state| state.delete_partition)
            }
            _ => false,
        };
        let sent: Vec<_> = world
            .sent()
            .into_iter()
            .filter(|sent| deletes(&sent.body))
            .map(|sent| sent.to.0)
            .collect();
        assert_eq!(sent, [2, 3], "{version}");
    }
}

/// Recorded (`reassign-by-znode`) at 1.1.1, 2.4.1, 2.6.3: one replica moves, and one of three, which leads, leaves.
#[test]
fn an_operator_can_have_replicas_moved_by_a_znode() {
    let versions = ["1.0", "1.1", "2.3", "2.4", "2.6"].map(|one| one.parse().unwrap());
    for version in versions {
        let mut world = World::with(version, 3, |config| config.auto_leader_rebalance = false);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[2]]);
        world.write_topic("u", &[&[2, 3, 1]]);
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let wanted = [(at("t"), ids(&[3])), (at("u"), ids(&[1, 3])), (at("no"), ids(&[1]))];
        world.put(paths::REASSIGN_PARTITIONS, payload::encode_reassignment(&wanted));
        world.run();
        let replicas = |world: &World, topic: &str| {
            let data = world.data(&paths::topic(topic)).expect("it is there");
            payload::TopicAssignment::decode(data).expect("an assignment").partitions[&0].clone()
        };
        assert_eq!(replicas(&world, "t"), ids(&[3, 2]), "{version}: the new one is added");
        assert_eq!(world.state("t", 0), (2, 1, vec![2]), "{version}");
        assert_eq!(replicas(&world, "u"), ids(&[1, 3]), "{version}: both were in sync");
        assert_eq!(world.state("u", 0), (1, 2, vec![3, 1]), "{version}");
        let left = world.data(paths::REASSIGN_PARTITIONS).expect("one is left");
        assert_eq!(payload::decode_reassignment(left).unwrap(), wanted[..1], "{version}");
        // The leader writes the new ISR itself.
        world.write_state("t", 1, (2, 1, &[2, 3]));
        world.run();
        assert_eq!(replicas(&world, "t"), ids(&[3]), "{version}");
        assert_eq!(world.state("t", 0), (3, 3, vec![3]), "{version}");
        assert_eq!(world.partition_epoch("t", 0), 4, "{version}");
        assert!(world.data(paths::REASSIGN_PARTITIONS).is_none(), "{version}");
        // The next one is seen, too.
        let back = [(at("t"), ids(&[3, 1]))];
        world.put(paths::REASSIGN_PARTITIONS, payload::encode_reassignment(&back));
        world.run();
        assert_eq!(replicas(&world, "t"), ids(&[3, 1]), "{version}");
        assert_eq!(world.state("t", 0), (3, 4, vec![3]), "{version}");
    }
}
