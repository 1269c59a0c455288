//! DescribeConfigs, and what Metadata tells of topics, as real brokers of each release answer.

use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
    MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{await_cluster, with_topic};
use crate::nodes::testing::{Advance, Cluster, kafka};
use crate::releases::KafkaVersion;
use crate::releases::loggers::loggers;
use crate::vocab::BrokerId;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;

fn release(text: &str) -> KafkaVersion {
    text.parse().expect("a release")
}

fn cluster(version: &str) -> Cluster {
    let mut cluster = Cluster::new(release(version), 3);
    await_cluster(&mut cluster);
    cluster
}

fn resource(kind: i8, name: &str) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_configuration_keys(None)
}

fn describe(cluster: &mut Cluster, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    cluster.call(BrokerId(1), request).expect("it is answered").results.remove(0)
}

/// The error, its text and how many settings there are.
fn told(cluster: &mut Cluster, kind: i8, name: &str) -> (i16, String, usize) {
    let result = describe(cluster, resource(kind, name));
    let text = result.error_message.as_deref().unwrap_or_default().to_owned();
    (result.error_code, text, result.configs.len())
}

#[test]
fn configs_of_a_topic_that_does_not_exist_are_the_defaults_up_to_1_1() {
    for (version, expected) in [("1.1", (0, 24)), ("2.0", (3, 0)), ("3.9", (3, 0))] {
        let (error, text, count) = told(&mut cluster(version), TOPIC, "missing");
        assert_eq!((error, count, &*text), (expected.0, expected.1, ""), "{version}");
    }
    let refused = told(&mut cluster("3.9"), TOPIC, "");
    let text = "Topic name is invalid: the empty string is not allowed";
    assert_eq!(refused, (17, text.to_owned(), 0));
}

/// Recorded: the step `config-topic-missing` of Kafka's tools; the Java client says what the error means where
/// there is no text.
#[test]
fn an_error_without_a_text_has_an_empty_one_since_2_7() {
    for (version, text) in [("2.6", None), ("2.7", Some("")), ("3.9", Some(""))] {
        let result = describe(&mut cluster(version), resource(TOPIC, "missing"));
        assert_eq!(result.error_message.as_deref(), text, "{version}");
        let result = describe(&mut cluster(version), resource(BROKER, "1"));
        assert_eq!(result.error_message.as_deref(), text, "{version}");
    }
}

#[test]
fn configs_of_all_brokers_and_of_loggers_come_with_their_release() {
    let text = "Broker id must be an integer, but it is: ".to_owned();
    assert_eq!(told(&mut cluster("1.0"), BROKER, ""), (42, text, 0));
    assert_eq!(told(&mut cluster("1.1"), BROKER, ""), (0, String::new(), 0));
    let text = "Unexpected resource type UNKNOWN for resource 1".to_owned();
    assert_eq!(told(&mut cluster("2.3"), LOGGER, "1"), (42, text, 0));
    let count = loggers(release("2.4")).count();
    assert_eq!(told(&mut cluster("2.4"), LOGGER, "1"), (0, String::new(), count));
}

#[test]
fn an_empty_list_of_names_asks_for_all_since_2_7() {
    for (version, count) in [("2.6", 0), ("2.7", 26), ("3.9", 36)] {
        let (mut cluster, _) = with_topic(release(version));
        let all = resource(TOPIC, "orders").with_configuration_keys(Some(Vec::new()));
        assert_eq!(describe(&mut cluster, all).configs.len(), count, "{version}");
    }
}

#[test]
fn resources_of_other_types_are_refused_in_the_words_of_the_release() {
    for (version, kind, starts) in [
        ("1.1", 0, "Unexpected resource type UNKNOWN for resource g"),
        ("2.6", 0, "Unexpected resource type UNKNOWN for resource g"),
        ("2.8", 32, "This most likely occurs because of a request being malformed"),
    ] {
        let result = describe(&mut cluster(version), resource(32, "g"));
        let text = result.error_message.as_deref().unwrap_or_default();
        assert_eq!((result.error_code, result.resource_type), (42, kind), "{version}");
        assert!(text.starts_with(starts), "{version}: {text}");
    }
    let (error, text, _) = told(&mut cluster("2.8"), BROKER, "77");
    let expected = "Unexpected broker id, expected 1 or empty string, but received 77";
    assert_eq!((error, &*text), (42, expected));
}

#[test]
fn a_brokers_settings_are_all_listed_with_type_and_source() {
    let result = describe(&mut cluster("2.8"), resource(BROKER, "1"));
    assert_eq!(result.configs.len(), 218);
    let find = |name: &str| {
        let found = result.configs.iter().find(|one| one.name.as_str() == name);
        let one = found.unwrap_or_else(|| panic!("{name} is not listed"));
        (one.value.as_deref().map(str::to_owned), one.config_source, one.config_type, one.read_only)
    };
    assert_eq!(find("broker.id"), (Some("1".to_owned()), 4, 3, true));
    assert_eq!(find("log.cleaner.threads"), (Some("1".to_owned()), 5, 3, false));
    assert_eq!(find("log.retention.ms"), (None, 5, 5, false));
    assert_eq!(find("delegation.token.master.key"), (None, 5, 9, true));
}

fn metadata_of(cluster: &mut Cluster, version: i16, request: MetadataRequest) -> MetadataResponse {
    cluster.call_in(BrokerId(1), version, request).expect("it is answered")
}

#[test]
fn operations_are_answered_when_they_are_asked_for() {
    for (version, unasked) in [("2.4", 0), ("2.5", i32::MIN), ("3.9", i32::MIN)] {
        let (mut cluster, _) = with_topic(release(version));
        let mut ask = |is_asked: bool| {
            let request = kafka::metadata(&["orders"], false)
                .with_include_cluster_authorized_operations(is_asked)
                .with_include_topic_authorized_operations(is_asked);
            let answer = metadata_of(&mut cluster, 8, request);
            (answer.cluster_authorized_operations, answer.topics[0].topic_authorized_operations)
        };
        assert_eq!(ask(true), (8_096, 3_576), "{version}");
        assert_eq!(ask(false), (unasked, unasked), "{version}");
    }
}

#[test]
fn a_topic_is_found_by_its_id() {
    let (mut cluster, _) = with_topic(release("3.3"));
    let known = metadata_of(&mut cluster, 10, kafka::metadata(&["orders"], false));
    let id = known.topics[0].topic_id;
    let mut by_id = |id| {
        let topic = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let topic = metadata_of(&mut cluster, 12, request).topics.remove(0);
        (topic.error_code, topic.name.map(|name| name.to_string()), topic.partitions.len())
    };
    let count = known.topics[0].partitions.len();
    assert_eq!(by_id(id), (0, Some("orders".to_owned()), count));
    assert_eq!(by_id(uuid::Uuid::from_u128(1)), (100, None, 0));
}

#[test]
fn partitions_come_in_the_order_of_their_map_up_to_2_0() {
    // Recorded: what the Java client lists on 1.1.
    use kafka_protocol::messages::create_topics_request::CreatableTopic;
    for (version, order) in [("1.1", [2, 1, 3, 0]), ("2.0", [2, 1, 3, 0]), ("2.1", [0, 1, 2, 3])] {
        let mut cluster = Cluster::new(release(version), 3);
        let controller = await_cluster(&mut cluster);
        let topic = CreatableTopic::default()
            .with_name(kafka::topic("four"))
            .with_num_partitions(4)
            .with_replication_factor(1);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = cluster.call(controller, request).expect("it is answered");
        assert_eq!(answer.topics[0].error_code, 0, "{version}");
        let known = cluster.call(controller, kafka::metadata(&["four"], false)).expect("it is");
        let listed: Vec<_> =
            known.topics[0].partitions.iter().map(|one| one.partition_index).collect();
        assert_eq!(listed, order, "{version}");
    }
}

#[test]
fn a_setting_without_a_value_cannot_be_sent_up_to_0_10() {
    use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
    for (version, answered) in [("0.10", false), ("0.11", true)] {
        let mut cluster = Cluster::new(release(version), 3);
        let is_up = |cluster: &mut Cluster| cluster.controller().is_some();
        assert!(cluster.run_until(Duration::from_secs(30), is_up), "no controller");
        let setting = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("retention.ms"))
            .with_value(None);
        let topic = CreatableTopic::default()
            .with_name(kafka::topic("t"))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(vec![setting]);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000);
        let controller = cluster.controller().expect("it is up");
        let answer = cluster.call_in(controller, 1, request);
        let codes = answer.map(|answer| answer.topics[0].error_code);
        assert_eq!(codes, answered.then_some(-1), "{version}");
    }
}

#[test]
fn a_request_whose_answer_would_fill_the_memory_closes_its_connection() {
    let mut cluster = cluster("3.4");
    // Five bytes each in a request; an answer for all of them has eight million settings.
    let of = |count| {
        DescribeConfigsRequest::default().with_resources(vec![resource(BROKER, "1"); count])
    };
    let few = cluster.call(BrokerId(1), of(20)).expect("it is answered");
    assert!(few.results.iter().all(|result| result.configs.len() > 100));
    assert_eq!(cluster.call(BrokerId(1), of(30_000)), None);
    assert!(cluster.call(BrokerId(1), of(1)).is_some(), "the broker goes on");
}

#[test]
fn levels_of_loggers_are_set_one_by_one() {
    // Recorded: the step `config-loggers-alter` of Kafka's tools; `Log4jController`.
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    for version in ["2.4", "2.8", "3.9"] {
        let mut cluster = cluster(version);
        let mut alter = |name: &str, op, level: Option<&str>| {
            let config = incremental::AlterableConfig::default()
                .with_name(StrBytes::from_string(name.to_owned()))
                .with_config_operation(op)
                .with_value(level.map(|level| StrBytes::from_string(level.to_owned())));
            let altered = incremental::AlterConfigsResource::default()
                .with_resource_type(LOGGER)
                .with_resource_name(StrBytes::from_static_str("1"))
                .with_configs(vec![config]);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![altered]);
            let answer = cluster.call(BrokerId(1), request).expect("it is answered");
            let described = describe(&mut cluster, resource(LOGGER, "1"));
            let level = |name: &str| {
                let one = described.configs.iter().find(|one| &*one.name == name);
                one.and_then(|one| one.value.as_deref()).unwrap_or_default().to_owned()
            };
            let levels = (level("kafka.server.ReplicaManager"), level("kafka.server.KafkaApis"));
            (answer.responses[0].error_code, levels)
        };
        let levels = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let name = "kafka.server.ReplicaManager";
        assert_eq!(alter(name, SET, Some("WARN")), (0, levels("WARN", "INFO")), "{version}");
        assert_eq!(alter("root", SET, Some("DEBUG")), (0, levels("WARN", "DEBUG")), "{version}");
        assert_eq!(alter(name, DELETE, None), (0, levels("DEBUG", "DEBUG")), "{version}");
        assert_eq!(alter("root", DELETE, None).0, 42, "{version}");
        assert_ne!(alter("no.such", SET, Some("WARN")).0, 0, "{version}");
    }
}
