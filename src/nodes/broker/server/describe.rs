//! DescribeConfigs: all settings of topics and brokers, from the table of settings (`AdminManager.describeConfigs`,
//! later `ConfigHelper`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::metadata::MetadataCache;
use super::topic_configs::TopicConfigs;
use crate::nodes::broker::answer_room::AnswerRoom;
use crate::nodes::broker::controller::name_refusal;
use crate::nodes::broker::shown::{self, Shown, Source};
use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::loggers::loggers;
use crate::releases::texts::{Text, say};
use crate::releases::{Change, KafkaVersion};

/// `Log4jController.ROOT_LOGGER`
pub const ROOT_LOGGER: &str = "root";
/// `ConfigResource.Type.TOPIC`
pub const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`
pub const BROKER: i8 = 4;
/// `ConfigResource.Type.BROKER_LOGGER`
pub const LOGGER: i8 = 8;

/// Kafka's error, and a text if there is one.
type Refusal = (ResponseError, Option<String>);

/// The parts that DescribeConfigs is answered from.
#[derive(Clone, Copy, Debug)]
pub struct ConfigDescriber<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// Which topics there are.
    pub metadata: &'a MetadataCache,
    /// Their own settings.
    pub topic_configs: &'a TopicConfigs,
    /// Levels of loggers that were set.
    pub log_levels: &'a BTreeMap<String, String>,
}

/// The type of a resource as Kafka prints it; `None` for one that can be described.
pub fn other_type(version: KafkaVersion, kind: i8) -> Option<&'static str> {
    match kind {
        TOPIC | BROKER => None,
        LOGGER if version.has(Change::ConfigsOfLoggers) => None,
        // An enumeration of its own, up to 1.1.
        1 if version.has(Change::UnknownTopicHasConfigs) => Some("ANY"),
        3 if version.has(Change::UnknownTopicHasConfigs) => Some("GROUP"),
        _ => Some("UNKNOWN"),
    }
}

/// The text of an answer that has nothing to say.
fn nothing_said(release: KafkaVersion) -> Option<StrBytes> {
    release.has(Change::ConfigErrorsNeverNull).then(StrBytes::default)
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

    /// The answer, from the settings that were read last; `None` when it gets too large.
    pub fn describe(
        self,
        request: &DescribeConfigsRequest,
        version: i16,
    ) -> Option<DescribeConfigsResponse> {
        // A resource of another type refuses the whole request.
        let strange = request.resources.iter().find_map(|resource| {
            let kind = other_type(self.config.version, resource.resource_type)?;
            let names = [kind, &*resource.resource_name];
            Some(say(Text::ResourceType, self.config.version, &names))
        });
        let mut room = AnswerRoom::default();
        let results = request.resources.iter().map(|resource| {
            let found = match &strange {
                Some(why) => Err((ResponseError::InvalidRequest, Some(why.clone()))),
                None => self.resource(resource),
            };
            // All settings, though the answer may leave most out: they are made for each resource.
            room.take(1 + found.as_ref().map_or(0, Vec::len), 0)?;
            Some(self.result(request, resource, found, version))
        });
        let results: Option<Vec<_>> = results.collect();
        Some(DescribeConfigsResponse::default().with_results(results?))
    }

    fn result(
        self,
        request: &DescribeConfigsRequest,
        resource: &DescribeConfigsResource,
        found: Result<Vec<Shown>, Refusal>,
        version: i16,
    ) -> DescribeConfigsResult {
        let release = self.config.version;
        let kind = match other_type(release, resource.resource_type) {
            Some("UNKNOWN") if !release.has(Change::ResourceTypeKept) => 0,
            _ => resource.resource_type,
        };
        let result = DescribeConfigsResult::default()
            .with_resource_type(kind)
            .with_resource_name(resource.resource_name.clone())
            .with_error_message(nothing_said(release));
        let settings = match found {
            Ok(settings) => settings,
            Err((error, why)) => {
                return result.with_error_code(error.code()).with_error_message(
                    why.map(StrBytes::from_string).or_else(|| nothing_said(release)),
                );
            }
        };
        let keys = resource.configuration_keys.as_ref();
        let keys =
            keys.filter(|keys| !keys.is_empty() || !release.has(Change::NoConfigNamesAreAll));
        let keys: Option<BTreeSet<&str>> =
            keys.map(|keys| keys.iter().map(StrBytes::as_str).collect());
        let wanted = |name: &str| keys.as_ref().is_none_or(|keys| keys.contains(name));
        let chosen = settings.into_iter().filter(|setting| wanted(&setting.name));
        result.with_configs(chosen.map(|setting| entry(request, setting, version)).collect())
    }

    fn resource(self, resource: &DescribeConfigsResource) -> Result<Vec<Shown>, Refusal> {
        let (config, name) = (self.config, &*resource.resource_name);
        let id = config.id.to_string();
        match resource.resource_type {
            TOPIC => self.topic(name),
            BROKER if name.is_empty() && config.version.has(Change::ConfigsOfAllBrokers) => {
                Ok(shown::of_all_brokers(config))
            }
            LOGGER if name.is_empty() => {
                let why = "Broker id must not be empty".to_owned();
                Err((ResponseError::InvalidRequest, Some(why)))
            }
            _ if name.parse::<i32>().is_err() => {
                let why = format!("Broker id must be an integer, but it is: {name}");
                Err((ResponseError::InvalidRequest, Some(why)))
            }
            BROKER if name == id => Ok(shown::of_broker(config)),
            BROKER => {
                let why = say(Text::OtherBroker, config.version, &[&id, name]);
                Err((ResponseError::InvalidRequest, Some(why)))
            }
            _ if name == id => Ok(self.loggers()),
            _ => {
                let why = format!("Unexpected broker id, expected {id} but received {name}");
                Err((ResponseError::InvalidRequest, Some(why)))
            }
        }
    }

    /// All loggers; one without a level of its own has the root's (`Log4jController.loggers`).
    fn loggers(self) -> Vec<Shown> {
        let root = self.log_levels.get(ROOT_LOGGER).map_or("INFO", String::as_str);
        let shown = |name: &str| Shown {
            name: name.to_owned(),
            value: Some(self.log_levels.get(name).map_or(root, String::as_str).to_owned()),
            source: Source::Logger,
            setting: None,
            read_only: false,
            synonyms: Vec::new(),
        };
        loggers(self.config.version).map(shown).collect()
    }

    fn topic(self, topic: &str) -> Result<Vec<Shown>, Refusal> {
        if let Some((error, why)) = name_refusal(topic, self.config.version) {
            return Err((error, Some(why)));
        }
        let is_there = self.metadata.has_topic(topic);
        if !is_there && !self.config.version.has(Change::UnknownTopicHasConfigs) {
            return Err((ResponseError::UnknownTopicOrPartition, None));
        }
        let none = TopicOverrides::new();
        Ok(shown::of_topic(self.config, self.topic_configs.overrides(topic).unwrap_or(&none)))
    }
}

fn entry(
    request: &DescribeConfigsRequest,
    shown: Shown,
    version: i16,
) -> DescribeConfigsResourceResult {
    let result = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(shown.name))
        .with_value(shown.value.map(StrBytes::from_string))
        .with_read_only(shown.read_only)
        .with_is_sensitive(shown.setting.is_some_and(|setting| setting.is_sensitive()));
    if version == 0 {
        return result.with_is_default(shown.source == Source::Default);
    }
    let mut result = result.with_config_source(shown.source as i8);
    let is_secret = result.is_sensitive;
    if request.include_synonyms {
        let synonyms = shown.synonyms.into_iter().map(|synonym| {
            let value = (!is_secret).then(|| StrBytes::from_string(synonym.value));
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_static_str(synonym.name))
                .with_value(value)
                .with_source(synonym.source as i8)
        });
        result = result.with_synonyms(synonyms.collect());
    }
    let Some(setting) = shown.setting.filter(|_| version >= 3) else { return result };
    let documentation = request.include_documentation.then_some(setting.documentation);
    result
        .with_config_type(setting.kind as i8)
        .with_documentation(documentation.map(StrBytes::from_static_str))
}
