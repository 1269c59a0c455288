//! Segments that are deleted because they are old: on the leader, on its followers, and for who reads them.

use std::time::Duration;

use kafka_protocol::messages::AlterConfigsRequest;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{produce_at, with_topic};
use crate::history::BrokerObservation;
use crate::nodes::testing::{Cluster, kafka};
use crate::vocab::{BrokerId, TopicPartition};

fn set(cluster: &mut Cluster, name: &'static str, value: &'static str) {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("orders"))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = cluster.call(BrokerId(1), request).expect("it is answered");
    assert_eq!(answer.responses[0].error_code, 0);
}

/// Where the logs of all brokers start and end.
fn logs(cluster: &Cluster) -> Vec<(i64, i64)> {
    let at = TopicPartition::new("orders", 0);
    let status = |id| {
        let broker = cluster.broker(BrokerId(id)).expect("it runs");
        let status = broker.replicas().status(&at).expect("it has a replica");
        (status.log_start_offset, status.log_end_offset)
    };
    [1, 2, 3].map(status).to_vec()
}

#[test]
fn records_of_long_ago_are_deleted_at_the_first_look() {
    for version in ["0.11", "1.1", "2.8", "3.9"] {
        let (mut cluster, replicas) = with_topic(version.parse().expect("a release"));
        // Their time is 1970: the default of a week is over.
        assert_eq!(produce_at(&mut cluster, replicas[0], 0..3, 0), (0, 0));
        assert_eq!(logs(&cluster), [(0, 3); 3], "{version}");
        cluster.run_for(Duration::from_secs(60));
        assert_eq!(logs(&cluster), [(3, 3); 3], "{version}");
        let deleted = cluster.observed().filter(|(_, _, did)| {
            matches!(did, BrokerObservation::BeginningDeleted { start: 3, .. })
        });
        assert_eq!(deleted.count(), 3, "{version}");
        let request = kafka::fetch("orders", 0, 0).with_replica_id((-1).into());
        let answer = cluster.call(replicas[0], request).expect("it is answered");
        assert_eq!(answer.responses[0].partitions[0].error_code, 1, "OFFSET_OUT_OF_RANGE");
        assert_eq!(produce_at(&mut cluster, replicas[0], 3..4, 0), (0, 3), "{version}");
    }
}

#[test]
fn a_topic_keeps_what_its_settings_say() {
    for (name, value, start) in [
        ("retention.ms", "-1", 0),
        ("cleanup.policy", "compact", 0),
        ("retention.bytes", "1000000", 3),
    ] {
        let (mut cluster, replicas) = with_topic("2.8".parse().expect("a release"));
        assert_eq!(produce_at(&mut cluster, replicas[0], 0..3, 0), (0, 0));
        set(&mut cluster, name, value);
        cluster.run_for(Duration::from_secs(60));
        assert_eq!(logs(&cluster), [(start, 3); 3], "{name}={value}");
    }
}
