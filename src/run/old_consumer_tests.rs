//! Runs with old consumers, whose group is made of znodes.

use super::{RunOptions, run_plan};
use crate::scenario;
use crate::vocab::Seed;

const SCENARIO: &str = r#"
kafka = "1.1"
duration = "40s"
[cluster]
brokers = 3
[[topic]]
name = "orders"
partitions = 4
replication-factor = 3
"min.insync.replicas" = 2
[[producer]]
name = "p0"
topic = "orders"
acks = "all"
rate = "100/s"
[[consumer]]
name = "worker"
count = 2
topics = ["orders"]
api = "zookeeper"
group = "workers"
"auto.offset.reset" = "earliest"
"auto.commit.interval.ms" = 1000
[[fault]]
at = "15s"
crash = "worker-1"
restart-after = "10s"
"#;

#[test]
fn old_consumers_share_a_topic_and_read_all_of_it() {
    let scenario = scenario::parse("old.toml", SCENARIO).unwrap_or_else(|wrong| panic!("{wrong}"));
    for seed in [1, 2] {
        let outcome = run_plan(scenario.plan(Seed(seed)), RunOptions::default());
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
        assert!(outcome.held(), "{outcome}");
    }
}

#[test]
fn releases_without_the_old_consumer_refuse_it() {
    let later = SCENARIO.replace("\"1.1\"", "\"2.0\"");
    let wrong = scenario::parse("old.toml", &later).expect_err("2.0 has none").to_string();
    assert!(wrong.contains("Kafka 2.0.1 has no consumer that uses ZooKeeper"), "{wrong}");
}
