//! Old consumers in a world with a broker and ZooKeeper, beside what real ones wrote into ZooKeeper.
//!
//! Recorded of `kafka.tools.ConsoleConsumer --zookeeper` of 0.8.2.2, 0.10.2.2 and 1.1.1, which write the same, from
//! ZooKeeper's transaction log: topic `t` with three partitions, one consumer of group `g`, then another for a while.

use std::sync::Arc;
use std::time::Duration;

use super::{ZookeeperConsumer, ZookeeperConsumerConfig};
use crate::nodes::clients::{ConsumerConfig, ResetPolicy};
use crate::nodes::testing::{Advance, Cluster, ZOOKEEPER, kafka, node, steady};
use crate::nodes::zookeeper::{Lifetime, Znode};
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerId, NodeId, Roster, Seed};

/// What the first consumer created, in this order; of the partitions of one topic in any.
const CREATED: [&str; 13] = [
    "/consumers/g",
    "/consumers/g/ids",
    "/consumers/g/ids/A",
    "/consumers/g/owners",
    "/consumers/g/owners/t",
    "/consumers/g/owners/t/0",
    "/consumers/g/owners/t/1",
    "/consumers/g/owners/t/2",
    "/consumers/g/offsets",
    "/consumers/g/offsets/t",
    "/consumers/g/offsets/t/0",
    "/consumers/g/offsets/t/1",
    "/consumers/g/offsets/t/2",
];
/// The data of `ids/A`, with another time.
const REGISTRATION: &str =
    r#"{"version":1,"subscription":{"t":1},"pattern":"white_list","timestamp":"1796049655944"}"#;

/// A broker of 1.1 with the topic, and ZooKeeper.
fn cluster() -> Cluster {
    let version = KafkaVersion::new(1, 1);
    let tune = |config: &mut crate::nodes::broker::Config| {
        (config.num_partitions, config.default_replication_factor) = (3, 1);
    };
    let boot = |config: crate::nodes::broker::Config, roster: Arc<Roster>| {
        let stream = Seed(1).stream(&config.host);
        crate::nodes::broker::Broker::new(config, roster, stream)
    };
    let mut cluster = Cluster::of(version, 1, steady(Duration::from_micros(500)), tune, boot);
    assert!((*cluster).start(ZOOKEEPER));
    cluster.start_all();
    cluster
}

/// Starts a consumer of the group.
fn start(cluster: &mut Cluster, name: &'static str) -> NodeId {
    let mut roster = Roster::default();
    for name in ["zk1", "b1", "client"] {
        roster.add(name);
    }
    let (roster, version) = (Arc::new(roster), KafkaVersion::new(0, 10));
    let reader = ConsumerConfig {
        auto_offset_reset: ResetPolicy::Earliest,
        ..ConsumerConfig::new(name, version, vec![node(1)], vec!["t".into()])
    };
    let config = ZookeeperConsumerConfig {
        reader,
        group: "g".into(),
        servers: vec![ZOOKEEPER],
        session_timeout: Duration::from_secs(6),
        auto_commit: Some(Duration::from_secs(1)),
        rebalance_max_retries: 4,
        rebalance_backoff: Duration::from_secs(2),
    };
    cluster.run(name, move || {
        ZookeeperConsumer::new(config.clone(), roster.clone(), Seed(1).stream(name))
    })
}

fn pass(cluster: &mut Cluster, seconds: u64) {
    cluster.run_until(Duration::from_secs(seconds), |_| false);
}

fn find<'a>(cluster: &'a Cluster, path: &str) -> &'a Znode {
    cluster.tree().get(path).unwrap_or_else(|| panic!("{path} is there"))
}

fn children(cluster: &Cluster, path: &str) -> Vec<String> {
    find(cluster, path).children.iter().map(|name| name.to_string()).collect()
}

fn data(cluster: &Cluster, path: &str) -> String {
    let data = find(cluster, path).data.clone().unwrap_or_default();
    String::from_utf8(data.to_vec()).expect("text")
}

/// The consumer that owns each partition, by its name.
fn owners(cluster: &Cluster) -> Vec<(String, String)> {
    let owner = |partition: String| {
        let thread = data(cluster, &format!("/consumers/g/owners/t/{partition}"));
        let name = thread.trim_start_matches("g_").split('-').next().expect("a name").to_owned();
        assert!(thread.ends_with("-0"), "its only thread: {thread}");
        (partition, name)
    };
    children(cluster, "/consumers/g/owners/t").into_iter().map(owner).collect()
}

fn owned_by(names: [&str; 3]) -> Vec<(String, String)> {
    let owner = |(partition, name): (usize, &str)| (partition.to_string(), name.to_owned());
    names.into_iter().enumerate().map(owner).collect()
}

/// A cluster with the topic.
fn with_topic() -> Cluster {
    let mut cluster = cluster();
    pass(&mut cluster, 2);
    cluster.call(BrokerId(1), kafka::metadata(&["t"], true)).expect("an answer");
    pass(&mut cluster, 2);
    cluster
}

#[test]
fn a_group_of_znodes_is_as_the_real_one() {
    let mut cluster = with_topic();
    start(&mut cluster, "a");
    pass(&mut cluster, 4);
    let ids = children(&cluster, "/consumers/g/ids");
    let [id] = &ids[..] else { panic!("{ids:?}") };
    let parts: Vec<&str> = id.split('-').collect();
    assert!(parts[0] == "g_a" && parts[1].parse::<u64>().is_ok() && parts[2].len() == 8, "{id}");
    let (text, number) = (data(&cluster, &format!("/consumers/g/ids/{id}")), "1796049655944");
    let (head, tail) = REGISTRATION.split_once(number).expect("a time");
    let time = text.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{text}");

    let path = |path: &str| path.replace("ids/A", &format!("ids/{id}"));
    let mut last = crate::vocab::Zxid(0);
    for created in CREATED {
        let znode = find(&cluster, &path(created));
        let partition =
            created.rsplit('/').next().is_some_and(|name| name.len() == 1 && name < "a");
        assert!(znode.czxid > last, "{created} is out of order");
        last = znode.czxid;
        let is_ephemeral = matches!(znode.lifetime, Lifetime::Ephemeral { .. });
        let expected = created.contains("ids/") || created.contains("owners") && partition;
        assert_eq!(is_ephemeral, expected, "{created}");
        if created.contains("offsets") && partition {
            assert_eq!(znode.data.as_deref(), Some(&b"0"[..]), "{created}");
        }
    }
    assert_eq!(owners(&cluster), owned_by(["a", "a", "a"]));

    let b = start(&mut cluster, "b");
    pass(&mut cluster, 4);
    assert_eq!(children(&cluster, "/consumers/g/ids").len(), 2);
    assert_eq!(owners(&cluster), owned_by(["a", "a", "b"]));
    cluster.shutdown(b);
    pass(&mut cluster, 4);
    assert_eq!(children(&cluster, "/consumers/g/ids"), ids);
    assert_eq!(owners(&cluster), owned_by(["a", "a", "a"]));
}

#[test]
fn consumers_that_start_together_share_and_outlive_each_other() {
    let mut cluster = with_topic();
    let (a, b) = (start(&mut cluster, "a"), start(&mut cluster, "b"));
    pass(&mut cluster, 10);
    assert_eq!(owners(&cluster), owned_by(["a", "a", "b"]));
    assert!((*cluster).crash(a));
    pass(&mut cluster, 3);
    assert_eq!(owners(&cluster), owned_by(["a", "a", "b"]), "its session lives");
    pass(&mut cluster, 12);
    assert_eq!(owners(&cluster), owned_by(["b", "b", "b"]));
    let at = crate::vocab::TopicPartition::new("t", 0);
    assert_eq!(cluster.role::<ZookeeperConsumer>(b).position(&at), Some(0));
}

#[test]
fn an_expired_session_is_followed_by_another() {
    let mut cluster = with_topic();
    let a = start(&mut cluster, "a");
    pass(&mut cluster, 3);
    cluster.separate(a, ZOOKEEPER);
    pass(&mut cluster, 12);
    assert!(children(&cluster, "/consumers/g/ids").is_empty());
    cluster.reunite(a, ZOOKEEPER);
    pass(&mut cluster, 12);
    assert_eq!(owners(&cluster), owned_by(["a", "a", "a"]));
}

#[test]
fn partitions_go_in_runs_to_sorted_threads() {
    let members = vec![
        (Arc::from("g_b"), vec![(Arc::from("t"), 1)]),
        (Arc::from("g_a"), vec![(Arc::from("t"), 2)]),
    ];
    let threads = super::registry::threads(&members, "t");
    assert_eq!(threads, ["g_a-0", "g_a-1", "g_b-0"]);
    let ranges = super::registry::ranges(&[0, 1, 2, 3], &threads);
    let by_thread: Vec<_> = ranges.iter().map(|(at, thread)| (*at, thread.as_str())).collect();
    assert_eq!(by_thread, [(0, "g_a-0"), (1, "g_a-0"), (2, "g_a-1"), (3, "g_b-0")]);
}
