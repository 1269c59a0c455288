//! CreatePartitions, AlterConfigs and IncrementalAlterConfigs: what is answered, written and done.

use std::time::Duration;

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterConfigsRequest, BrokerId as WireBrokerId,
    CreatePartitionsRequest, DescribeClientQuotasRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{await_cluster, produce, try_to_produce, with_topic};
use crate::nodes::broker::znodes::paths;
use crate::nodes::broker::znodes::payload::TopicAssignment;
use crate::nodes::testing::{Cluster, kafka};
use crate::releases::KafkaVersion;
use crate::vocab::BrokerId;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn release(version: &str) -> KafkaVersion {
    version.parse().expect("a release")
}

fn grow(count: i32, rows: Option<&[&[i32]]>) -> CreatePartitionsRequest {
    let assignment = |ids: &&[i32]| {
        let ids = ids.iter().copied().map(WireBrokerId).collect();
        CreatePartitionsAssignment::default().with_broker_ids(ids)
    };
    let topic = CreatePartitionsTopic::default()
        .with_name(kafka::topic("orders"))
        .with_count(count)
        .with_assignments(rows.map(|rows| rows.iter().map(assignment).collect()));
    CreatePartitionsRequest::default().with_timeout_ms(5_000).with_topics(vec![topic])
}

fn grown(cluster: &mut Cluster, to: BrokerId, request: CreatePartitionsRequest) -> (i16, String) {
    let row = cluster.call(to, request).expect("it is answered").results.remove(0);
    (row.error_code, row.error_message.as_deref().unwrap_or_default().to_owned())
}

fn assignment(cluster: &Cluster) -> Vec<Vec<i32>> {
    let data = cluster.tree().get(&paths::topic("orders")).expect("it is there").data.clone();
    let read = TopicAssignment::decode(&data.expect("it has data")).expect("an assignment");
    read.partitions.into_values().map(|ids| ids.iter().map(|id| id.0).collect()).collect()
}

#[test]
fn partitions_are_added_where_real_controllers_put_them() {
    for version in ["1.1", "2.4", "2.8", "3.9"] {
        let (mut cluster, replicas) = with_topic(release(version));
        let controller = await_cluster(&mut cluster);
        let other = BrokerId(if controller.0 == 1 { 2 } else { 1 });
        // Recorded: `create-partitions.*`.
        assert_eq!(grown(&mut cluster, other, grow(2, None)).0, 41, "{version}");
        let fewer = grown(&mut cluster, controller, grow(-1, None));
        let why = "Topic currently has 1 partitions, which is higher than the requested -1.";
        assert_eq!(fewer, (37, why.to_owned()), "{version}");
        let same = grown(&mut cluster, controller, grow(1, None));
        assert_eq!(same, (37, "Topic already has 1 partitions.".to_owned()), "{version}");
        let unknown = grown(&mut cluster, controller, grow(2, Some(&[&[99]])));
        let why = "Unknown broker(s) in replica assignment: 99.".to_owned();
        assert_eq!(unknown, (39, why), "{version}");
        let unequal = grown(&mut cluster, controller, grow(2, Some(&[&[1]])));
        assert!(unequal.1.starts_with("Inconsistent replication factor"), "{version}: {unequal:?}");
        let only = grow(4, None).with_validate_only(true);
        assert_eq!(grown(&mut cluster, controller, only).0, 0, "{version}");
        assert_eq!(assignment(&cluster).len(), 1, "{version}");

        assert_eq!(grown(&mut cluster, controller, grow(3, None)).0, 0, "{version}");
        // P2 of the findings about znodes: start and shift are the place of partition 0's first replica.
        let start = replicas[0].0 - 1;
        let row = |partition: i32| {
            let first = (partition + start) % 3;
            let follower = |n: i32| (first + 1 + (start + n) % 2) % 3 + 1;
            vec![first + 1, follower(0), follower(1)]
        };
        assert_eq!(assignment(&cluster)[1..], [row(1), row(2)], "{version}");
        let known = cluster.call(controller, kafka::metadata(&["orders"], false)).unwrap();
        let led = known.topics[0].partitions.iter().filter(|one| one.leader_id.0 > 0);
        assert_eq!(led.count(), 3, "{version}: the answer waits for leaders");
    }
}

fn alter(kind: i8, name: &str, settings: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let config = |(name, value): &(&str, Option<&str>)| {
        AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    };
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(settings.iter().map(config).collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

/// The error, the type and the text of an answer.
fn altered(cluster: &mut Cluster, request: AlterConfigsRequest) -> Option<(i16, i8, String)> {
    let row = cluster.call(BrokerId(1), request)?.responses.remove(0);
    let why = row.error_message.as_deref().unwrap_or_default().to_owned();
    Some((row.error_code, row.resource_type, why))
}

#[test]
fn altered_settings_are_refused_in_the_words_of_the_release() {
    // Recorded: `configs.alter.*`.
    const NO_NUMBER: &str = "Invalid value soon for configuration retention.ms: Not a number of \
                             type LONG";
    for (version, bad_value, close, unknown, strange, null) in [
        ("1.1", 42, "Resource(type=TOPIC, name='orders'}", -1, (1, "Unexpected"), Some(-1)),
        ("2.4", 42, "ConfigResource(type=TOPIC, name='orders')", -1, (0, "Unexpected"), None),
        ("2.6", 42, "ConfigResource(type=TOPIC, name='orders')", -1, (1, "Unexpected"), Some(-1)),
        ("2.8", 42, "ConfigResource(type=TOPIC, name='orders')", 3, (1, "Unexpected"), Some(-1)),
        ("3.9", 40, "ConfigResource(type=TOPIC, name='orders')", 3, (1, "Unknown"), Some(42)),
    ] {
        let (mut cluster, _) = with_topic(release(version));
        let soon = alter(TOPIC, "orders", &[("retention.ms", Some("soon"))]);
        let why = format!("Invalid config value for resource {close}: {NO_NUMBER}");
        assert_eq!(altered(&mut cluster, soon), Some((bad_value, TOPIC, why)), "{version}");
        let missing = alter(TOPIC, "none", &[("retention.ms", Some("1"))]);
        let answer = altered(&mut cluster, missing).expect("it is answered");
        assert_eq!(answer.0, unknown, "{version}");
        let other = altered(&mut cluster, alter(1, "orders", &[])).expect("it is answered");
        assert_eq!((other.0, other.1), (42, strange.0), "{version}");
        assert!(other.2.starts_with(strange.1), "{version}: {other:?}");
        let none = alter(TOPIC, "orders", &[("retention.ms", None)]);
        assert_eq!(altered(&mut cluster, none).map(|answer| answer.0), null, "{version}");
        let elsewhere = altered(&mut cluster, alter(BROKER, "2", &[("log.dirs", Some("/"))]));
        let why = elsewhere.expect("it is answered").2;
        assert!(why.starts_with("Unexpected broker id, expected 1, but received"), "{why}");
        let fixed = altered(&mut cluster, alter(BROKER, "1", &[("log.dirs", Some("/"))]));
        let why = fixed.expect("it is answered").2;
        assert!(why.ends_with("Cannot update these configs dynamically: Set(log.dirs)"), "{why}");
    }
}

fn incremental(name: &str, op: i8, value: Option<&str>) -> IncrementalAlterConfigsRequest {
    let config = incremental::AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(op)
        .with_value(value.map(text));
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("orders"))
        .with_configs(vec![config]);
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

#[test]
fn single_settings_are_altered_and_every_broker_obeys() {
    for version in ["2.4", "2.8", "3.9"] {
        let (mut cluster, replicas) = with_topic(release(version));
        let leader = replicas[0];
        let path = paths::topic_config("orders");
        let data = |cluster: &Cluster| {
            let data = cluster.tree().get(&path).expect("it is there").data.clone();
            String::from_utf8(data.expect("it has data").to_vec()).expect("a text")
        };
        let ask = |cluster: &mut Cluster, name: &str, op, value| {
            let answer = cluster.call(BrokerId(1), incremental(name, op, value));
            let row = answer.expect("it is answered").responses.remove(0);
            cluster.run_for(Duration::from_secs(1));
            row.error_code
        };
        assert_eq!(ask(&mut cluster, "max.message.bytes", 0, Some("10")), 0, "{version}");
        assert_eq!(data(&cluster), r#"{"version":1,"config":{"max.message.bytes":"10"}}"#);
        let changes = cluster.tree().get(paths::CONFIG_CHANGES).expect("it is there");
        let last = changes.children.iter().next_back().expect("a notification").clone();
        let change = format!("{}/{last}", paths::CONFIG_CHANGES);
        let change = cluster.tree().get(&change).expect("it is there").data.clone();
        assert_eq!(&change.unwrap()[..], br#"{"version":2,"entity_path":"topics/orders"}"#);
        // MESSAGE_TOO_LARGE: the leader has read it.
        assert_eq!(try_to_produce(&mut cluster, leader, 0, 1).0, 10, "{version}");
        assert_eq!(ask(&mut cluster, "max.message.bytes", 1, None), 0, "{version}");
        produce(&mut cluster, leader, 0, 1);
        let not_a_list = if version == "3.9" { 40 } else { 42 };
        assert_eq!(ask(&mut cluster, "retention.ms", 2, Some("1")), not_a_list, "{version}");
        let null = if version == "2.4" { -1 } else { 42 };
        assert_eq!(ask(&mut cluster, "retention.ms", 0, None), null, "{version}");
    }
}

/// The value and the source of a setting of a broker.
fn described(cluster: &mut Cluster, of: &str, name: &str) -> Option<(String, i8)> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(text(of))
        .with_configuration_keys(Some(vec![text(name)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let configs = cluster.call(BrokerId(1), request)?.results.remove(0).configs;
    let one = configs.into_iter().next()?;
    Some((one.value.as_deref().unwrap_or_default().to_owned(), one.config_source))
}

#[test]
fn a_brokers_settings_change_while_it_runs() {
    let (mut old, _) = with_topic(release("1.0"));
    let refused = altered(&mut old, alter(BROKER, "1", &[("message.max.bytes", Some("10"))]));
    let why = "AlterConfigs is only supported for topics, but resource type is BROKER";
    assert_eq!(refused, Some((42, BROKER, why.to_owned())));
    for version in ["1.1", "2.8", "3.9"] {
        let (mut cluster, replicas) = with_topic(release(version));
        let name = "message.max.bytes";
        let set = |cluster: &mut Cluster, of: &str, value: Option<&str>| {
            let settings: Vec<_> = value.iter().map(|value| (name, Some(*value))).collect();
            let answer = altered(cluster, alter(BROKER, of, &settings));
            assert_eq!(answer.map(|answer| answer.0), Some(0), "{version}");
            cluster.run_for(Duration::from_secs(1));
        };
        set(&mut cluster, "", Some("10"));
        assert_eq!(described(&mut cluster, "1", name), Some(("10".to_owned(), 3)), "{version}");
        assert_eq!(described(&mut cluster, "", name), Some(("10".to_owned(), 3)), "{version}");
        assert_eq!(try_to_produce(&mut cluster, replicas[0], 0, 1).0, 10, "{version}");
        set(&mut cluster, "1", Some("2000"));
        assert_eq!(described(&mut cluster, "1", name), Some(("2000".to_owned(), 2)), "{version}");
        // A broker that starts again reads what was set before.
        cluster.crash(BrokerId(1));
        cluster.run_for(Duration::from_secs(30));
        cluster.start(BrokerId(1));
        cluster.run_for(Duration::from_secs(10));
        assert_eq!(described(&mut cluster, "1", name), Some(("2000".to_owned(), 2)), "{version}");
        set(&mut cluster, "1", None);
        set(&mut cluster, "", None);
        let (_, source) = described(&mut cluster, "1", name).expect("it is listed");
        assert_eq!(source, 5, "{version}: the default again");
    }
}

#[test]
fn a_topic_that_allows_unclean_leaders_gets_one_at_once_since_2_1() {
    for (version, elects) in [("2.0", false), ("2.1", true), ("3.9", true)] {
        let (mut cluster, replicas) = with_topic(release(version));
        // The leader alone is in sync, and dies.
        let leader = replicas[0];
        for follower in &replicas[1..] {
            cluster.crash(*follower);
        }
        cluster.run_for(Duration::from_secs(60));
        produce(&mut cluster, leader, 0, 1);
        cluster.crash(leader);
        cluster.run_for(Duration::from_secs(30));
        for follower in &replicas[1..] {
            cluster.start(*follower);
        }
        cluster.run_for(Duration::from_secs(30));
        let asked = replicas[1];
        let led = |cluster: &mut Cluster| {
            let known = cluster.call(asked, kafka::metadata(&["orders"], false)).unwrap();
            known.topics[0].partitions[0].leader_id.0 > 0
        };
        assert!(!led(&mut cluster), "{version}");
        let unclean = [("unclean.leader.election.enable", Some("true"))];
        let answer = cluster.call(asked, alter(TOPIC, "orders", &unclean)).unwrap();
        assert_eq!(answer.responses[0].error_code, 0, "{version}");
        cluster.run_for(Duration::from_secs(5));
        assert_eq!(led(&mut cluster), elects, "{version}");
    }
}

/// An entity's name, in a path, with its type.
fn entity(kind: &str, name: Option<&str>) -> EntityData {
    EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
}

fn alter_quota(
    cluster: &mut Cluster,
    of: Vec<EntityData>,
    key: &str,
    value: Option<f64>,
) -> (i16, String) {
    let op = OpData::default()
        .with_key(text(key))
        .with_value(value.unwrap_or_default())
        .with_remove(value.is_none());
    let entry = EntryData::default().with_entity(of).with_ops(vec![op]);
    let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
    let row = cluster.call(BrokerId(1), request).expect("it is answered").entries.remove(0);
    (row.error_code, row.error_message.as_deref().unwrap_or_default().to_owned())
}

#[test]
fn quotas_are_kept_and_told() {
    // Recorded: `quotas`, and the step `client-quota` of the znodes.
    for version in ["2.6", "2.8", "3.9"] {
        let (mut cluster, _) = with_topic(release(version));
        let mut alter = |of, key: &str, value| alter_quota(&mut cluster, of, key, value);
        let client = || vec![entity("client-id", Some("cl"))];
        let both = || vec![entity("user", Some("us")), entity("client-id", Some("cl"))];
        let set = alter(client(), "consumer_byte_rate", Some(1000.0));
        assert_eq!(set, (0, String::new()), "{version}");
        assert_eq!(alter(both(), "consumer_byte_rate", Some(1000.0)).0, 0, "{version}");
        let why = "Invalid configuration key no_such".to_owned();
        assert_eq!(alter(client(), "no_such", Some(1.0)), (42, why), "{version}");
        let why = "Unhandled client quota entity type: no".to_owned();
        let strange = alter(vec![entity("no", Some("x"))], "consumer_byte_rate", Some(1.0));
        assert_eq!(strange, (42, why), "{version}");
        let why = "Invalid empty client quota entity".to_owned();
        assert_eq!(alter(Vec::new(), "consumer_byte_rate", Some(1.0)), (42, why), "{version}");
        let mutation = alter(client(), "controller_mutation_rate", Some(1.5)).0;
        assert_eq!(mutation, if version == "2.6" { 42 } else { 0 }, "{version}");
        for path in ["/config/clients/cl", "/config/users/us/clients/cl"] {
            let data = cluster.tree().get(path).expect("it is there").data.clone().unwrap();
            let written = String::from_utf8(data.to_vec()).unwrap();
            assert!(written.contains(r#""consumer_byte_rate":"1000""#), "{version}: {written}");
        }
        let mut found = |strict| {
            let component = ComponentData::default()
                .with_entity_type(text("client-id"))
                .with_match_type(0)
                .with_match(Some(text("cl")));
            let request = DescribeClientQuotasRequest::default()
                .with_components(vec![component])
                .with_strict(strict);
            let answer = cluster.call(BrokerId(2), request).expect("it is answered");
            assert_eq!(answer.error_code, 0, "{version}");
            answer.entries.unwrap_or_default().len()
        };
        assert_eq!((found(true), found(false)), (1, 2), "{version}");
    }
}
