//! Elections of the controller, its term, and its failover.

use kafka_protocol::messages::RequestKind;

use super::world::{World, state_of};
use crate::history::BrokerObservation;
use crate::nodes::broker::znodes::paths;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::BrokerId;

const VERSIONS: [KafkaVersion; 4] = [
    KafkaVersion::new(1, 0),
    KafkaVersion::new(2, 1),
    KafkaVersion::new(2, 8),
    KafkaVersion::new(3, 8),
];

#[test]
fn of_racing_brokers_one_is_elected_and_the_others_know_it() {
    for version in VERSIONS {
        let mut world = World::new(version, 3);
        world.start(&[2, 1, 3]);
        assert_eq!(world.active(), [2], "{version}");
        for id in 1..=3 {
            assert_eq!(world.controller(id).controller_id(), Some(BrokerId(2)), "{version}");
        }
        let elected: Vec<_> = world
            .seen()
            .into_iter()
            .filter(|(_, seen)| matches!(seen, BrokerObservation::ControllerElected { epoch: 1 }))
            .collect();
        assert_eq!(elected.len(), 1, "{version}");
        assert_eq!(world.data(paths::CONTROLLER_EPOCH).unwrap(), "1", "{version}");
    }
}

#[test]
fn when_the_controller_dies_another_is_elected_with_the_next_epoch_and_repairs() {
    for version in VERSIONS {
        let mut world = World::new(version, 3);
        world.start(&[1, 2, 3]);
        world.write_topic("t", &[&[1, 2, 3]]);
        assert_eq!(world.state("t", 0), (1, 0, vec![1, 2, 3]), "{version}");
        world.die(1);
        world.run();
        // Which of the two is faster is left open.
        assert!(matches!(world.active()[..], [2] | [3]), "{version}");
        assert_eq!(world.data(paths::CONTROLLER_EPOCH).unwrap(), "2", "{version}");
        // Since 2.3 the dead replica leaves first (epoch 1, no leader), and then 2 is elected.
        let epoch = if version.has(Change::DeadReplicasLeaveAtFailover) { 2 } else { 1 };
        assert_eq!(world.state("t", 0), (2, epoch, vec![2, 3]), "{version}");
    }
}

#[test]
fn a_failover_sends_the_brokers_before_the_partitions() {
    let mut world = World::new(KafkaVersion::new(2, 8), 2);
    world.start(&[1, 2]);
    world.write_topic("t", &[&[2, 1]]);
    world.shared().sent.clear();
    world.die(1);
    world.run();
    let to_itself: Vec<_> =
        world.sent().into_iter().filter(|sent| sent.to == BrokerId(2)).collect();
    let RequestKind::UpdateMetadata(first) = &to_itself[0].body else { panic!("{to_itself:?}") };
    assert_eq!((first.controller_epoch, first.topic_states.len()), (2, 0), "brokers only");
    assert!(matches!(to_itself[1].body, RequestKind::LeaderAndIsr(_)));
}

#[test]
fn an_election_whose_answer_is_lost_is_recognised_as_won() {
    for version in VERSIONS {
        let mut world = World::new(version, 2);
        world.put(paths::CONTROLLER_EPOCH, "4".into());
        world.shared().lost_answers = 1;
        world.start(&[1]);
        world.run_for(std::time::Duration::from_secs(1));
        assert_eq!(world.active(), [1], "{version}");
        assert_eq!(world.data(paths::CONTROLLER_EPOCH).unwrap(), "5", "{version}");
    }
}

/// Broker 1 is replaced by another and does not see that.
fn replaced(version: KafkaVersion) -> World {
    let mut world = World::new(version, 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[3, 2, 1]]);
    world.shared().deaf.insert(BrokerId(1));
    world.remove(paths::CONTROLLER);
    world.run();
    assert!(matches!(world.active()[..], [1, 2 | 3]), "two believe to be the controller");
    world
}

#[test]
fn since_2_1_a_replaced_controller_is_fenced_and_resigns() {
    let mut world = replaced(KafkaVersion::new(2, 1));
    let before = world.state("t", 0);
    world.act(1, |controller, cx| {
        controller.batch = Default::default();
        let at = crate::vocab::TopicPartition::new("t", 0);
        let step = super::super::event_manager::Step::RemoveFromIsr(BrokerId(2), vec![at]);
        controller.event_manager.first([step]);
        controller.work(cx);
    });
    world.run();
    assert_eq!(world.state("t", 0), before, "nothing was written");
    assert!(matches!(world.active()[..], [2] | [3]));
    assert!(
        world.seen().contains(&(BrokerId(1), BrokerObservation::ControllerResigned { epoch: 1 }))
    );
}

#[test]
fn before_2_1_a_replaced_controller_still_writes() {
    let mut world = replaced(KafkaVersion::new(2, 0));
    // The new controller did not touch this topic since, so its state has the old epoch.
    world.act(1, |controller, cx| {
        let at = crate::vocab::TopicPartition::new("t", 0);
        let step = super::super::event_manager::Step::RemoveFromIsr(BrokerId(2), vec![at]);
        controller.event_manager.first([step]);
        controller.work(cx);
    });
    world.run();
    assert_eq!(world.state("t", 0), (3, 1, vec![3, 1]), "KAFKA-6082");
    assert!(matches!(world.active()[..], [1, 2 | 3]));
}

#[test]
fn before_2_1_a_state_of_a_later_controller_is_left_alone() {
    let mut world = replaced(KafkaVersion::new(2, 0));
    world.write_state("t", 2, (3, 5, &[3, 2]));
    world.act(1, |controller, cx| {
        let at = crate::vocab::TopicPartition::new("t", 0);
        let step = super::super::event_manager::Step::RemoveFromIsr(BrokerId(2), vec![at]);
        controller.event_manager.first([step]);
        controller.work(cx);
    });
    world.run();
    assert_eq!(world.state("t", 0), (3, 5, vec![3, 2]));
}

#[test]
fn an_expired_session_ends_the_term_at_once_since_1_1_and_with_the_next_session_before() {
    for (version, is_active) in [(KafkaVersion::new(1, 0), true), (KafkaVersion::new(1, 1), false)]
    {
        let mut world = World::new(version, 2);
        world.start(&[1, 2]);
        world.expire(1);
        world.run();
        world.act(1, |controller, cx| controller.expired(cx));
        assert_eq!(world.controller(1).is_active(), is_active, "{version}");
        world.start(&[1]);
        assert_eq!(world.active(), [2], "{version}");
        assert_eq!(world.controller(1).controller_id(), Some(BrokerId(2)));
    }
}

#[test]
fn what_was_lost_with_the_connection_is_asked_again() {
    let mut world = World::new(KafkaVersion::new(2, 8), 3);
    world.start(&[1, 2, 3]);
    world.shared().lost_answers = 3;
    world.write_topic("t", &[&[2, 3, 1]]);
    world.run_for(std::time::Duration::from_secs(1));
    assert_eq!(world.state("t", 0), (2, 0, vec![2, 3, 1]));
    let is_led = |seen: &BrokerObservation| {
        matches!(seen, BrokerObservation::LeaderElected { leader: BrokerId(2), .. })
    };
    assert!(world.seen().iter().any(|(_, seen)| is_led(seen)), "its own state is recognised");
}

#[test]
fn a_conditional_write_that_loses_a_race_reads_and_chooses_again() {
    let mut world = World::new(KafkaVersion::new(2, 8), 3);
    world.start(&[1, 2, 3]);
    world.write_topic("t", &[&[3, 2, 1]]);
    // The leader shrinks the in-sync replicas to {3, 1} just before the controller writes.
    world.shared().interference.push(state_of("t", 1, (3, 0, &[3, 1])));
    world.die(3);
    world.run();
    assert_eq!(world.state("t", 0), (1, 1, vec![1]), "2 is not in sync any more");
}
