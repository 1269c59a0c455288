//! What the server does by itself: registration and the front of the wire.

use std::time::Duration;

use kafka_protocol::messages::{ApiVersionsRequest, FindCoordinatorRequest};

use crate::history::BrokerObservation;
use crate::nodes::testing::{Advance, Cluster};
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerEpoch, BrokerId, Time};

const OLD: KafkaVersion = KafkaVersion::new(1, 0);
const NEW: KafkaVersion = KafkaVersion::new(2, 8);

fn registrations(cluster: &Cluster, id: BrokerId) -> Vec<(Time, BrokerEpoch)> {
    let of_it = cluster.observed().filter(|(_, broker, _)| *broker == id);
    of_it
        .filter_map(|(at, _, observation)| match observation {
            BrokerObservation::Registered { epoch } => Some((at, *epoch)),
            _ => None,
        })
        .collect()
}

fn await_registrations(cluster: &mut Cluster, id: BrokerId, count: usize) {
    let is_done = |cluster: &mut Cluster| registrations(cluster, id).len() >= count;
    assert!(cluster.run_until(Duration::from_secs(60), is_done), "b{id} does not register");
}

#[test]
fn brokers_register_when_they_start() {
    for version in [OLD, NEW] {
        let mut cluster = Cluster::new(version, 3);
        for id in [1, 2, 3] {
            await_registrations(&mut cluster, BrokerId(id), 1);
        }
        assert!(cluster.now() < Time::from_millis(1_000), "it took until {}", cluster.now());
    }
}

#[test]
fn a_broker_cannot_start_while_its_old_session_lives_and_ends_in_an_orderly_way() {
    for version in [OLD, NEW] {
        let mut cluster = Cluster::new(version, 1);
        let id = BrokerId(1);
        await_registrations(&mut cluster, id, 1);
        cluster.run_for(Duration::from_secs(10));
        let killed = cluster.now();
        cluster.crash(id);
        cluster.start(id);
        await_registrations(&mut cluster, id, 2);
        let epochs = registrations(&cluster, id);
        assert!(epochs[1].1 > epochs[0].1, "a new life has a higher broker epoch");
        let waited = epochs[1].0.since(killed);
        let session = if version == OLD { 6 } else { 18 };
        assert!(waited > Duration::from_secs(session / 2), "{waited:?}");
        assert!(waited < Duration::from_secs(session + 3 + 2), "{waited:?}");
        let is_blocked = |observation: &BrokerObservation| {
            matches!(observation, BrokerObservation::RegistrationBlocked { .. })
        };
        let blocked = cluster.observed().filter(|(_, _, observation)| is_blocked(observation));
        assert!(blocked.count() >= 1, "another process tries");
        let clean = cluster.observed().filter(|(_, _, observation)| {
            matches!(observation, BrokerObservation::Recovered { clean: true, .. })
        });
        assert!(clean.count() >= 2, "those that fail shut down in an orderly way");
    }
}

#[test]
fn the_api_table_is_answered_and_so_are_unknown_versions_of_its_request() {
    let mut cluster = Cluster::new(OLD, 1);
    let id = BrokerId(1);
    await_registrations(&mut cluster, id, 1);
    let table = cluster.call_in(id, 1, ApiVersionsRequest::default()).unwrap();
    let produce = table.api_keys.iter().find(|row| row.api_key == 0).unwrap();
    assert_eq!((table.error_code, produce.min_version, produce.max_version), (0, 0, 5));
    // The answer comes in version 0, which the channel does not expect: that it comes is what counts.
    let bytes = cluster.call_raw(id, 3, ApiVersionsRequest::default()).unwrap();
    assert_eq!(bytes[4..10], [0, 35, 0, 0, 0, 0]);
}

#[test]
fn what_the_release_does_not_speak_ends_the_connection() {
    let mut cluster = Cluster::new(OLD, 1);
    let id = BrokerId(1);
    await_registrations(&mut cluster, id, 1);
    let request = FindCoordinatorRequest::default();
    assert!(cluster.call_raw(id, 3, request.clone()).is_none());
    assert_eq!(cluster.call_in(id, 1, request).unwrap().error_code, 15);
}

#[test]
fn requests_wait_until_the_broker_is_registered() {
    let mut cluster = Cluster::new(NEW, 1);
    // Asked at the very start, before there is a session at ZooKeeper.
    assert!(cluster.call_in(BrokerId(1), 3, ApiVersionsRequest::default()).is_some());
    let registered = registrations(&cluster, BrokerId(1))[0].0;
    assert!(cluster.now() >= registered);
}

#[test]
fn a_broker_registers_again_after_its_session_expired() {
    for version in [OLD, NEW] {
        let mut cluster = Cluster::new(version, 1);
        let id = BrokerId(1);
        await_registrations(&mut cluster, id, 1);
        cluster.cut_from_zookeeper(id);
        cluster.run_for(Duration::from_secs(30));
        cluster.heal_to_zookeeper(id);
        await_registrations(&mut cluster, id, 2);
        let expired = cluster.observed().filter(|(_, _, observation)| {
            matches!(observation, BrokerObservation::SessionExpired { .. })
        });
        assert_eq!(expired.count(), 1);
        assert!(cluster.call_in(id, 1, ApiVersionsRequest::default()).is_some());
    }
}

#[test]
fn a_broker_that_is_asked_to_end_ends_its_registration() {
    for version in [OLD, NEW] {
        let mut cluster = Cluster::new(version, 2);
        for id in [1, 2] {
            await_registrations(&mut cluster, BrokerId(id), 1);
        }
        cluster.run_for(Duration::from_secs(5));
        cluster.shut_down(BrokerId(2));
        let is_gone = |cluster: &mut Cluster| cluster.broker(BrokerId(2)).is_none();
        assert!(cluster.run_until(Duration::from_secs(20), is_gone), "{version}");
        let ended = cluster.now();
        cluster.start(BrokerId(2));
        await_registrations(&mut cluster, BrokerId(2), 2);
        assert!(cluster.now().since(ended) < Duration::from_secs(1), "no old session blocks it");
    }
}
