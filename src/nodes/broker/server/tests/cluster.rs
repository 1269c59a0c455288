//! A cluster of three: it starts, takes records, loses its leader and gets it back.

use std::ops::Range;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId as WireBrokerId, CreateTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, FindCoordinatorRequest, MetadataResponse, RequestKind, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::history::{BrokerObservation, Election};
use crate::nodes::testing::{Advance, Cluster, kafka};
use crate::releases::defaults::{BROKER, millis};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::BrokerId;
use crate::wire::records::{Batch, BatchBuilder};
use crate::wire::workload;

const VERSIONS: [KafkaVersion; 5] = [
    KafkaVersion::new(1, 0),
    KafkaVersion::new(2, 0),
    KafkaVersion::new(2, 4),
    KafkaVersion::new(2, 8),
    KafkaVersion::new(3, 8),
];

const STEP: Duration = Duration::from_millis(100);

fn topic() -> TopicName {
    kafka::topic("orders")
}

fn metadata(cluster: &mut Cluster, from: BrokerId) -> Option<MetadataResponse> {
    cluster.call(from, kafka::metadata(&["orders"], false))
}

fn partition(cluster: &mut Cluster, from: BrokerId) -> Option<MetadataResponsePartition> {
    metadata(cluster, from)?.topics.first()?.partitions.first().cloned()
}

fn ids(ids: &[WireBrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// The coordinator of a group (type 0) or a transactional id (1), as soon as there is one that `is_wanted`.
pub(super) fn coordinator(
    cluster: &mut Cluster,
    asked: BrokerId,
    (kind, key): (i8, StrBytes),
    is_wanted: impl Fn(BrokerId) -> bool,
) -> BrokerId {
    let until = cluster.now() + Duration::from_secs(60);
    while cluster.now() < until {
        let request = FindCoordinatorRequest::default().with_key(key.clone()).with_key_type(kind);
        if let Some(answer) = cluster.call_in(asked, kind.into(), request)
            && answer.error_code == 0
            && is_wanted(BrokerId(answer.node_id.0))
        {
            return BrokerId(answer.node_id.0);
        }
        cluster.run_for(Duration::from_millis(200));
    }
    panic!("no coordinator with {}", cluster.version);
}

/// Asks every 100 ms until `is_wanted`; panics after `within`.
fn await_partition(
    cluster: &mut Cluster,
    from: BrokerId,
    within: Duration,
    what: &str,
    is_wanted: impl Fn(&MetadataResponsePartition) -> bool,
) -> MetadataResponsePartition {
    let until = cluster.now() + within;
    let mut last = None;
    while cluster.now() < until {
        last = partition(cluster, from);
        if let Some(partition) = last.as_ref().filter(|partition| is_wanted(partition)) {
            return partition.clone();
        }
        cluster.run_for(STEP);
    }
    panic!("{what} did not come in {within:?} with {}: {last:?}", cluster.version);
}

pub fn await_cluster(cluster: &mut Cluster) -> BrokerId {
    let is_up = |cluster: &mut Cluster| cluster.controller().is_some();
    assert!(
        cluster.run_until(Duration::from_secs(30), is_up),
        "no controller with {}",
        cluster.version
    );
    for id in [1, 2, 3] {
        let until = cluster.now() + Duration::from_secs(30);
        while metadata(cluster, BrokerId(id)).is_none_or(|known| known.brokers.len() < 3) {
            assert!(cluster.now() < until, "b{id} knows no three brokers with {}", cluster.version);
            cluster.run_for(STEP);
        }
    }
    cluster.controller().unwrap()
}

pub fn create_topic(cluster: &mut Cluster, controller: BrokerId) {
    let new = CreatableTopic::default()
        .with_name(topic())
        .with_num_partitions(1)
        .with_replication_factor(3);
    let request = CreateTopicsRequest::default().with_topics(vec![new]).with_timeout_ms(30_000);
    let response = cluster.call(controller, request).expect("it is answered");
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
}

/// A cluster with a topic: its replicas, the leader first.
pub fn with_topic(version: KafkaVersion) -> (Cluster, Vec<BrokerId>) {
    let mut cluster = Cluster::new(version, 3);
    let controller = await_cluster(&mut cluster);
    create_topic(&mut cluster, controller);
    let within = Duration::from_secs(10);
    let created = await_partition(&mut cluster, BrokerId(1), within, "a leader", |partition| {
        partition.error_code == 0 && partition.isr_nodes.len() == 3
    });
    let replicas: Vec<_> = ids(&created.replica_nodes).into_iter().map(BrokerId).collect();
    assert_eq!(created.leader_id.0, replicas[0].0, "the first replica of the assignment leads");
    (cluster, replicas)
}

/// Writes records `from..to` in one batch with `acks=all`; returns the base offset.
pub fn produce(cluster: &mut Cluster, leader: BrokerId, from: u64, to: u64) -> i64 {
    let (error, base) = try_to_produce(cluster, leader, from, to);
    assert_eq!(error, 0, "with {}", cluster.version);
    base
}

/// The error and the base offset that answer a batch of records `from..to` with `acks=all`. They have no time, and are
/// kept for a week from now.
pub fn try_to_produce(cluster: &mut Cluster, leader: BrokerId, from: u64, to: u64) -> (i16, i64) {
    produce_at(cluster, leader, from..to, -1)
}

/// The same, with a time.
pub fn produce_at(
    cluster: &mut Cluster,
    leader: BrokerId,
    records: Range<u64>,
    timestamp_ms: i64,
) -> (i16, i64) {
    let mut batch = BatchBuilder::new(timestamp_ms);
    for record in records {
        batch.push(timestamp_ms, None, Some(&workload::encode("p0", record, 20)));
    }
    let request = kafka::produce("orders", 0, -1, Some(batch.build().bytes));
    // Longer than a follower may lag.
    let response = cluster.call(leader, request.with_timeout_ms(60_000)).expect("it is answered");
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// The records that a consumer reads from the leader, from the beginning.
fn consume(cluster: &mut Cluster, leader: BrokerId) -> Vec<u64> {
    let request =
        kafka::fetch("orders", 0, 500).with_replica_id(WireBrokerId(-1)).with_max_bytes(10 << 20);
    let response = cluster.call(leader, request).expect("it is answered");
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0, "{partition:?}");
    let records = partition.records.clone().unwrap_or_default();
    let batches = Batch::all(&records).map(|batch| batch.unwrap().records().unwrap());
    let values = batches.flatten().map(|record| record.value.unwrap());
    values.map(|value| workload::decode(&value).unwrap().1).collect()
}

#[test]
fn acknowledged_records_survive_their_leader() {
    for version in VERSIONS {
        let (mut cluster, replicas) = with_topic(version);
        let leader = replicas[0];
        assert_eq!(produce(&mut cluster, leader, 0, 10), 0);
        assert_eq!(produce(&mut cluster, leader, 10, 12), 10);
        assert_eq!(consume(&mut cluster, leader), (0..12).collect::<Vec<_>>());

        cluster.crash(leader);
        let killed = cluster.now();
        let witness = replicas[2];
        let within = Duration::from_secs(60);
        let after = await_partition(&mut cluster, witness, within, "a new leader", |partition| {
            partition.error_code == 0 && partition.leader_id.0 != leader.0
        });
        let new_leader = BrokerId(after.leader_id.0);
        assert_eq!(new_leader, replicas[1], "the first in-sync replica that lives leads");
        let elected = cluster.observed().find(|(at, _, observation)| {
            *at > killed
                && matches!(observation, BrokerObservation::LeaderElected { election, leader, .. }
                    if *election == Election::Offline && *leader == new_leader)
        });
        assert!(elected.is_some(), "the controller observes the election");
        // The new leader may not know yet that it leads.
        await_partition(&mut cluster, new_leader, within, "its own leadership", |partition| {
            partition.leader_id.0 == new_leader.0
        });
        assert_eq!(produce(&mut cluster, new_leader, 12, 15), 12, "{version}");
        assert_eq!(consume(&mut cluster, new_leader), (0..15).collect::<Vec<_>>(), "{version}");

        cluster.start(leader);
        await_partition(&mut cluster, witness, within, "three in sync", |partition| {
            partition.isr_nodes.len() == 3
        });
        assert_eq!(produce(&mut cluster, new_leader, 15, 16), 15, "{version}");
    }
}

#[test]
fn a_leader_that_shuts_down_hands_over_at_once() {
    for version in VERSIONS {
        let (mut cluster, replicas) = with_topic(version);
        let leader = replicas[0];
        produce(&mut cluster, leader, 0, 5);
        cluster.shut_down(leader);
        let is_gone = |cluster: &mut Cluster| cluster.broker(leader).is_none();
        assert!(
            cluster.run_until(Duration::from_secs(4), is_gone),
            "{leader} still runs with {version}"
        );
        let witness = replicas[2];
        let after = await_partition(
            &mut cluster,
            witness,
            Duration::from_secs(2),
            "a new leader",
            |partition| partition.error_code == 0 && partition.leader_id.0 != leader.0,
        );
        let new_leader = BrokerId(after.leader_id.0);
        assert_eq!(produce(&mut cluster, new_leader, 5, 6), 5, "{version}");
        assert_eq!(consume(&mut cluster, new_leader), (0..6).collect::<Vec<_>>(), "{version}");
    }
}

#[test]
fn a_topic_that_a_client_asks_for_is_created() {
    for version in VERSIONS {
        let mut cluster = Cluster::new(version, 3);
        let controller = await_cluster(&mut cluster);
        let other = BrokerId(if controller.0 == 1 { 2 } else { 1 });
        for asked in [other, controller] {
            let request = kafka::metadata(&[&format!("t{asked}")], true);
            let ask = |cluster: &mut Cluster| {
                cluster.call(asked, request.clone()).expect("it is answered").topics[0].clone()
            };
            let first = ask(&mut cluster);
            assert_eq!(first.error_code, 5);
            cluster.run_for(Duration::from_secs(1));
            let then = ask(&mut cluster);
            assert_eq!((then.error_code, then.partitions.len()), (0, 1), "{version}");
            assert_eq!(then.partitions[0].error_code, 0, "{version}");
        }
    }
}

#[test]
fn a_follower_that_does_not_keep_up_leaves_the_isr_and_comes_back() {
    for version in VERSIONS {
        let (mut cluster, replicas) = with_topic(version);
        let leader = replicas[0];
        produce(&mut cluster, leader, 0, 5);
        // Cut off from the controller, a leader of 2.7 and later could change nothing.
        let controller = cluster.controller().unwrap();
        let slow = replicas[1..].iter().copied().find(|id| *id != controller).unwrap();
        cluster.cut(leader, slow);
        let cut = cluster.now();
        let answer = try_to_produce(&mut cluster, leader, 5, 6);
        let stalled = cluster.now().since(cut);
        let waits = version.has(Change::HighWatermarkWaitsAfterShrink);
        // The timeout of the request, as nothing else is appended.
        assert_eq!(answer, (if waits { 7 } else { 0 }, 5), "{version}");
        let lag = millis(BROKER, "replica.lag.time.max.ms", version).expect("every release has it");
        let most = if waits { Duration::from_millis(60_100) } else { lag * 2 };
        assert!(stalled > lag / 2 && stalled < most, "{stalled:?} with {version}");
        // Up to 2.6 the other brokers learn it only when the leader notifies the controller.
        let within = Duration::from_secs(15);
        await_partition(&mut cluster, leader, within, "two in sync", |partition| {
            partition.isr_nodes.len() == 2
        });
        cluster.heal(leader, slow);
        let within = Duration::from_secs(90);
        await_partition(&mut cluster, leader, within, "three in sync", |partition| {
            partition.isr_nodes.len() == 3
        });
        assert_eq!(consume(&mut cluster, leader), (0..6).collect::<Vec<_>>(), "{version}");
        let kept = cluster.broker(slow).unwrap().replicas();
        let at = crate::vocab::TopicPartition::new("orders", 0);
        assert_eq!(kept.status(&at).unwrap().log_end_offset, 6, "{version}");
    }
}

#[test]
fn a_leader_whose_session_expires_is_replaced_and_follows_when_it_is_back() {
    for version in VERSIONS {
        let (mut cluster, replicas) = with_topic(version);
        let (old, new) = (replicas[0], replicas[1]);
        produce(&mut cluster, old, 0, 5);
        cluster.cut_from_zookeeper(old);
        let within = Duration::from_secs(60);
        await_partition(&mut cluster, new, within, "a new leader", |partition| {
            partition.error_code == 0 && partition.leader_id.0 == new.0
        });
        cluster.heal_to_zookeeper(old);
        await_partition(&mut cluster, new, within, "three in sync", |partition| {
            partition.leader_id.0 == new.0 && partition.isr_nodes.len() == 3
        });
        assert_eq!(produce(&mut cluster, new, 5, 8), 5, "{version}");
        assert_eq!(consume(&mut cluster, new), (0..8).collect::<Vec<_>>(), "{version}");
        await_partition(&mut cluster, old, within, "the new leader", |partition| {
            partition.leader_id.0 == new.0
        });
        assert_eq!(
            (1..=3).filter(|id| cluster.broker(BrokerId(*id)).unwrap().is_controller()).count(),
            1
        );
    }
}

fn resource(kind: i8, name: &str) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_configuration_keys(None)
}

/// Sends a request in all versions of the release.
fn in_every_version<Q: Request + Into<RequestKind> + Clone>(
    cluster: &mut Cluster,
    asked: BrokerId,
    request: Q,
    check: impl Fn(i16, Q::Response),
) {
    for version in 0..=cluster.highest::<Q>() {
        let answer = cluster.call_in(asked, version, request.clone());
        check(version, answer.unwrap_or_else(|| panic!("API {} v{version}", Q::KEY)));
    }
}

#[test]
fn every_advertised_version_of_the_servers_apis_is_answered() {
    let (mut cluster, replicas) = with_topic(KafkaVersion::new(2, 8));
    let controller = cluster.controller().unwrap();
    let asked = replicas.iter().copied().find(|id| *id != controller).unwrap();
    let cluster = &mut cluster;
    let named = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    in_every_version(cluster, asked, named, |_, table| {
        assert!(table.api_keys.len() > 10);
    });
    let request = kafka::metadata(&["orders", "a b"], true);
    in_every_version(cluster, asked, request, |version, response| {
        let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!((codes, response.brokers.len()), (vec![0, 17], 3));
        assert_eq!(response.cluster_id.is_some(), version >= 2);
    });
    in_every_version(cluster, asked, FindCoordinatorRequest::default(), |_, response| {
        // Until the topic that the first request asked for has leaders.
        assert!([0, 15].contains(&response.error_code), "{response:?}");
    });
    let new = CreatableTopic::default().with_name(topic());
    let request = CreateTopicsRequest::default().with_topics(vec![new]);
    in_every_version(cluster, asked, request, |_, response| {
        assert_eq!(response.topics[0].error_code, 41);
    });
    let resources = vec![resource(2, "orders"), resource(4, &asked.to_string()), resource(2, "x")];
    let request = DescribeConfigsRequest::default().with_resources(resources);
    in_every_version(cluster, asked, request, |_, response| {
        let codes: Vec<_> = response.results.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [0, 0, 3]);
        let mut configs = response.results[0].configs.iter();
        let isr = configs.find(|config| &*config.name == "min.insync.replicas");
        assert_eq!(isr.unwrap().value.as_deref(), Some("1"));
    });
    in_every_version(cluster, asked, DescribeClusterRequest::default(), |_, response| {
        assert_eq!((response.brokers.len(), response.controller_id.0), (3, controller.0));
    });
}
