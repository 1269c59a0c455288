//! DescribeConfigs: the settings that the simulated broker has, and no others.
//!
//! Values that a topic does not set count as defaults, whatever the scenario set for the broker, so that
//! `kafka-topics.sh --describe` lists only what the topic itself sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::metadata::MetadataCache;
use super::topic_configs::TopicConfigs;
use crate::nodes::broker::Config;

/// `ConfigResource.Type.TOPIC`
const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`
const BROKER: i8 = 4;
/// `ConfigSource.TOPIC_CONFIG`
const FROM_TOPIC: i8 = 1;
/// `ConfigSource.STATIC_BROKER_CONFIG`
const FROM_FILE: i8 = 4;
/// `ConfigSource.DEFAULT_CONFIG`
const FROM_DEFAULT: i8 = 5;

/// `DescribeConfigsResponse.ConfigType`
#[derive(Clone, Copy, Debug)]
enum Type {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
}

type Settings = BTreeMap<String, (String, Type, i8)>;

fn ms(span: Duration) -> String {
    span.as_millis().to_string()
}

fn never_or_ms(span: Option<Duration>) -> String {
    span.map_or_else(|| i64::MAX.to_string(), ms)
}

/// A topic's settings where it sets none itself.
fn topic_defaults(config: &Config) -> Settings {
    let all = [
        ("flush.messages", config.log_flush_interval_messages.to_string(), Type::Long),
        ("flush.ms", never_or_ms(config.log_flush_interval), Type::Long),
        ("max.message.bytes", config.message_max_bytes.to_string(), Type::Int),
        ("min.insync.replicas", config.min_insync_replicas.to_string(), Type::Int),
        ("segment.bytes", config.log_segment_bytes.to_string(), Type::Int),
        (
            "unclean.leader.election.enable",
            config.unclean_leader_election.to_string(),
            Type::Boolean,
        ),
    ];
    let named = all.map(|(name, value, kind)| (name.to_owned(), (value, kind, FROM_DEFAULT)));
    named.into()
}

fn broker_settings(config: &Config) -> Settings {
    let all = [
        ("auto.create.topics.enable", config.auto_create_topics.to_string(), Type::Boolean),
        ("auto.leader.rebalance.enable", config.auto_leader_rebalance.to_string(), Type::Boolean),
        ("broker.id", config.id.to_string(), Type::Int),
        ("controlled.shutdown.enable", config.controlled_shutdown.to_string(), Type::Boolean),
        ("default.replication.factor", config.default_replication_factor.to_string(), Type::Int),
        ("inter.broker.protocol.version", config.version.to_string(), Type::String),
        ("log.flush.interval.messages", config.log_flush_interval_messages.to_string(), Type::Long),
        ("log.segment.bytes", config.log_segment_bytes.to_string(), Type::Int),
        ("message.max.bytes", config.message_max_bytes.to_string(), Type::Int),
        ("min.insync.replicas", config.min_insync_replicas.to_string(), Type::Int),
        ("num.partitions", config.num_partitions.to_string(), Type::Int),
        (
            "offsets.topic.num.partitions",
            config.offsets_topic_num_partitions.to_string(),
            Type::Int,
        ),
        (
            "offsets.topic.replication.factor",
            config.offsets_topic_replication_factor.to_string(),
            Type::Short,
        ),
        ("offsets.topic.segment.bytes", config.offsets_topic_segment_bytes.to_string(), Type::Int),
        ("replica.lag.time.max.ms", ms(config.replica_lag_time_max), Type::Long),
        (
            "unclean.leader.election.enable",
            config.unclean_leader_election.to_string(),
            Type::Boolean,
        ),
        ("zookeeper.session.timeout.ms", ms(config.session_timeout), Type::Int),
    ];
    all.map(|(name, value, kind)| (name.to_owned(), (value, kind, FROM_FILE))).into()
}

/// The parts that DescribeConfigs is answered from.
#[derive(Clone, Copy, Debug)]
pub struct ConfigDescriber<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// Which topics there are.
    pub metadata: &'a MetadataCache,
    /// Their own settings.
    pub topic_configs: &'a TopicConfigs,
}

impl ConfigDescriber<'_> {
    /// The topics whose settings a request asks for: they are read again before it is answered.
    pub fn topics(self, request: &DescribeConfigsRequest) -> BTreeSet<Arc<str>> {
        request
            .resources
            .iter()
            .filter(|resource| resource.resource_type == TOPIC)
            .filter(|resource| self.metadata.has_topic(&resource.resource_name))
            .map(|resource| Arc::from(resource.resource_name.as_str()))
            .collect()
    }

    /// The answer, from the settings that were read last.
    pub fn describe(
        self,
        request: &DescribeConfigsRequest,
        version: i16,
    ) -> DescribeConfigsResponse {
        let results =
            request.resources.iter().map(|resource| self.describe_resource(resource, version));
        DescribeConfigsResponse::default().with_results(results.collect())
    }

    fn describe_resource(
        self,
        resource: &DescribeConfigsResource,
        version: i16,
    ) -> DescribeConfigsResult {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        let settings = match resource.resource_type {
            TOPIC => self.topic_settings(&resource.resource_name),
            // A broker describes itself only.
            BROKER if *resource.resource_name == *self.config.id.to_string() => {
                Ok(broker_settings(self.config))
            }
            _ => Err(ResponseError::InvalidRequest),
        };
        let settings = match settings {
            Ok(settings) => settings,
            Err(error) => return result.with_error_code(error.code()),
        };
        let wanted = |name: &str| {
            let keys = resource.configuration_keys.as_ref();
            keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
        };
        let chosen = settings.into_iter().filter(|(name, _)| wanted(name));
        result.with_configs(chosen.map(|setting| describe(setting, version)).collect())
    }

    fn topic_settings(self, topic: &str) -> Result<Settings, ResponseError> {
        if !self.metadata.has_topic(topic) {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let mut settings = topic_defaults(self.config);
        for (name, value) in self.topic_configs.overrides(topic).into_iter().flatten() {
            let kind = settings.get(name).map_or(Type::String, |(_, kind, _)| *kind);
            settings.insert(name.clone(), (value.clone(), kind, FROM_TOPIC));
        }
        Ok(settings)
    }
}

fn describe(
    (name, (value, kind, source)): (String, (String, Type, i8)),
    version: i16,
) -> DescribeConfigsResourceResult {
    let result = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(name))
        .with_value(Some(StrBytes::from_string(value)))
        .with_read_only(source == FROM_FILE);
    if version == 0 {
        return result.with_is_default(source == FROM_DEFAULT);
    }
    result.with_config_source(source).with_config_type(kind as i8)
}
