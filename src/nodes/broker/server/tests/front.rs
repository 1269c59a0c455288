//! What the server does by itself: registration and the front of the wire.

use std::time::Duration;

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FindCoordinatorRequest, RequestKind, ResponseKind,
};

use super::world::World;
use crate::history::BrokerObservation;
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerEpoch, BrokerId, Time};

const OLD: KafkaVersion = KafkaVersion::new(1, 0);
const NEW: KafkaVersion = KafkaVersion::new(2, 8);

fn registrations(world: &World, id: BrokerId) -> Vec<(Time, BrokerEpoch)> {
    let of_it = world.told.iter().filter(|(_, broker, _)| *broker == id);
    of_it
        .filter_map(|(at, _, told)| match told {
            BrokerObservation::Registered { epoch } => Some((*at, *epoch)),
            _ => None,
        })
        .collect()
}

fn await_registrations(world: &mut World, id: BrokerId, count: usize) {
    let is_done = |world: &mut World| registrations(world, id).len() >= count;
    assert!(world.run(Duration::from_secs(60), is_done), "{:?}", world.told);
}

#[test]
fn brokers_register_when_they_start() {
    for version in [OLD, NEW] {
        let mut world = World::new(version, 3);
        for id in [1, 2, 3] {
            await_registrations(&mut world, BrokerId(id), 1);
        }
        assert!(world.now < Time::from_millis(1_000), "it took until {}", world.now);
    }
}

#[test]
fn a_broker_that_comes_back_waits_for_its_old_session_to_expire() {
    for version in [OLD, NEW] {
        let mut world = World::new(version, 1);
        let id = BrokerId(1);
        await_registrations(&mut world, id, 1);
        world.wait(Duration::from_secs(10));
        let killed = world.now;
        world.kill(id);
        world.start(id);
        await_registrations(&mut world, id, 2);
        let epochs = registrations(&world, id);
        assert!(epochs[1].1 > epochs[0].1, "a new life has a higher broker epoch");
        let waited = epochs[1].0.since(killed);
        let session = if version == OLD { 6 } else { 18 };
        assert!(waited > Duration::from_secs(session / 2), "{waited:?}");
        assert!(waited < Duration::from_secs(session + 3 + 2), "{waited:?}");
        let is_blocked = |told: &BrokerObservation| {
            matches!(told, BrokerObservation::RegistrationBlocked { .. })
        };
        let blocked = world.told.iter().filter(|(_, _, told)| is_blocked(told));
        assert_eq!(blocked.count(), 1, "it is told once, however often it is tried");
    }
}

#[test]
fn the_api_table_is_told_and_unknown_versions_of_it_answered() {
    let mut world = World::new(OLD, 1);
    let id = BrokerId(1);
    await_registrations(&mut world, id, 1);
    let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
    match world.call(id, ApiKey::ApiVersions, 1, &body) {
        Some(ResponseKind::ApiVersions(table)) => {
            let produce = table.api_keys.iter().find(|row| row.api_key == 0).unwrap();
            assert_eq!((table.error_code, produce.min_version, produce.max_version), (0, 0, 5));
        }
        other => panic!("{other:?}"),
    }
    // The answer comes in version 0, which the channel does not expect: that it comes is what counts.
    let bytes = world.call_raw(id, ApiKey::ApiVersions, 3, &body).unwrap();
    assert_eq!(bytes[4..10], [0, 35, 0, 0, 0, 0]);
}

#[test]
fn what_the_release_does_not_speak_ends_the_connection() {
    let mut world = World::new(OLD, 1);
    let id = BrokerId(1);
    await_registrations(&mut world, id, 1);
    let body = RequestKind::FindCoordinator(FindCoordinatorRequest::default());
    assert!(world.call_raw(id, ApiKey::FindCoordinator, 3, &body).is_none());
    match world.call(id, ApiKey::FindCoordinator, 1, &body) {
        Some(ResponseKind::FindCoordinator(response)) => assert_eq!(response.error_code, 15),
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_wait_until_the_broker_is_registered() {
    let mut world = World::new(NEW, 1);
    let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
    // Asked at the very start, before the session at ZooKeeper stands.
    assert!(world.call(BrokerId(1), ApiKey::ApiVersions, 3, &body).is_some());
    let registered = registrations(&world, BrokerId(1))[0].0;
    assert!(world.now >= registered);
}

#[test]
fn a_broker_registers_again_after_its_session_expired() {
    for version in [OLD, NEW] {
        let mut world = World::new(version, 1);
        let id = BrokerId(1);
        await_registrations(&mut world, id, 1);
        world.cut_off(id, true);
        world.wait(Duration::from_secs(30));
        world.cut_off(id, false);
        await_registrations(&mut world, id, 2);
        let expired = world
            .told
            .iter()
            .filter(|(_, _, told)| matches!(told, BrokerObservation::SessionExpired { .. }));
        assert_eq!(expired.count(), 1);
        let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
        assert!(world.call(id, ApiKey::ApiVersions, 1, &body).is_some());
    }
}

#[test]
fn a_broker_that_is_asked_to_end_ends_its_registration() {
    for version in [OLD, NEW] {
        let mut world = World::new(version, 2);
        for id in [1, 2] {
            await_registrations(&mut world, BrokerId(id), 1);
        }
        world.wait(Duration::from_secs(5));
        world.shut_down(BrokerId(2));
        let is_gone = |world: &mut World| world.broker(BrokerId(2)).is_none();
        assert!(world.run(Duration::from_secs(20), is_gone), "{version}");
        let ended = world.now;
        world.start(BrokerId(2));
        await_registrations(&mut world, BrokerId(2), 2);
        assert!(world.now.since(ended) < Duration::from_secs(1), "nothing stands in its way");
    }
}
