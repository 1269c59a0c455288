//! AlterConfigs and IncrementalAlterConfigs: the settings of topics, and what brokers obey while they run, are checked,
//! written to `/config` and notified, one resource after the other (`AdminManager.alterConfigs`, since 3.2 behind
//! `ConfigAdminManager.preprocess`). Every broker reads them when it sees the notification.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::incremental_alter_configs_response as incremental_response;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;
use tracing::info;

use super::admin_calls::{exists, get};
use super::broker::Broker;
use super::describe::{BROKER, LOGGER, ROOT_LOGGER, TOPIC, other_type};
use super::dynamic;
use super::incremental::{ConfigChange, OpType, Refusal, apply};
use super::zk_requests::{ALL_BROKERS, data};
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::controller::{ConfigFault, config_fault, name_refusal};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::loggers::loggers;
use crate::releases::{Change, settings};

/// Levels that a logger can have (`LogLevelConfig.VALID_LOG_LEVELS`).
const LEVELS: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// One resource of a request.
#[derive(Clone, Debug)]
struct Resource {
    kind: i8,
    name: StrBytes,
    changes: Vec<ConfigChange>,
}

/// How a resource ended.
#[derive(Debug)]
struct Done {
    kind: i8,
    name: StrBytes,
    refusal: Option<Refusal>,
}

/// What is left of a request.
#[derive(Debug)]
pub(super) struct Work {
    to: ReplyTo,
    incremental: bool,
    validate_only: bool,
    left: VecDeque<Resource>,
    done: Vec<Done>,
}

impl Resource {
    fn new(
        kind: i8,
        name: StrBytes,
        changes: impl Iterator<Item = (StrBytes, i8, Option<StrBytes>)>,
    ) -> Self {
        let change = |(name, op, value): (StrBytes, i8, Option<StrBytes>)| ConfigChange {
            name: name.to_string(),
            op,
            value: value.map(|value| value.to_string()),
        };
        Self { kind, name, changes: changes.map(change).collect() }
    }
}

impl Work {
    fn new(to: ReplyTo, incremental: bool, validate_only: bool, left: VecDeque<Resource>) -> Self {
        Self { to, incremental, validate_only, left, done: Vec::new() }
    }
}

fn invalid(why: String) -> Refusal {
    (ResponseError::InvalidRequest, why)
}

fn reply(cx: &mut Context<'_>, work: Work) {
    let rows = work.done.into_iter().map(|done| {
        let (error, why) =
            done.refusal.map_or((0, String::new()), |(error, why)| (error.code(), why));
        let why = (!why.is_empty()).then(|| StrBytes::from_string(why));
        (done.kind, done.name, error, why)
    });
    let response: ResponseKind = if work.incremental {
        let rows = rows.map(|(kind, name, error, why)| {
            incremental_response::AlterConfigsResourceResponse::default()
                .with_resource_type(kind)
                .with_resource_name(name)
                .with_error_code(error)
                .with_error_message(why)
        });
        IncrementalAlterConfigsResponse::default().with_responses(rows.collect()).into()
    } else {
        let rows = rows.map(|(kind, name, error, why)| {
            AlterConfigsResourceResponse::default()
                .with_resource_type(kind)
                .with_resource_name(name)
                .with_error_code(error)
                .with_error_message(why)
        });
        AlterConfigsResponse::default().with_responses(rows.collect()).into()
    };
    cx.reply(work.to, response);
}

impl Broker {
    /// AlterConfigs.
    pub(super) fn alter_configs(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AlterConfigsRequest,
    ) {
        let resources = request.resources.into_iter().map(|one| {
            let configs = one.configs.into_iter();
            let changes = configs.map(|config| (config.name, OpType::Set as i8, config.value));
            Resource::new(one.resource_type, one.resource_name, changes)
        });
        self.alter(cx, Work::new(to, false, request.validate_only, resources.collect()));
    }

    /// IncrementalAlterConfigs.
    pub(super) fn incremental_alter_configs(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: IncrementalAlterConfigsRequest,
    ) {
        let resources = request.resources.into_iter().map(|one| {
            let configs = one.configs.into_iter();
            let changes = configs.map(|one| (one.name, one.config_operation, one.value));
            Resource::new(one.resource_type, one.resource_name, changes)
        });
        self.alter(cx, Work::new(to, true, request.validate_only, resources.collect()));
    }

    fn alter(&mut self, cx: &mut Context<'_>, mut work: Work) {
        let version = self.config.version;
        let is_null = |change: &ConfigChange| change.value.is_none();
        let has_null = work.left.iter().flat_map(|one| &one.changes).any(is_null);
        if !work.incremental && has_null && version.has(Change::AlteredNullCloses) {
            info!(broker = %self.config.id, "a setting has no value: closes a connection");
            return self.close_client(cx, work.to.conn);
        }
        if version.has(Change::AlteredOneByOne) {
            self.refuse_twice(&mut work);
            return self.alter_next(cx, work);
        }
        if let Some(refusal) = self.whole_refusal(&work, has_null) {
            for resource in std::mem::take(&mut work.left) {
                let keeps = work.incremental || version.has(Change::AlteredTypeKept);
                let kind = match other_type(version, resource.kind) {
                    Some("UNKNOWN") if !keeps => 0,
                    _ => resource.kind,
                };
                let refusal = Some(refusal.clone());
                work.done.push(Done { kind, name: resource.name, refusal });
            }
            return reply(cx, work);
        }
        // Of a resource that is there twice, the last counts.
        let mut last: BTreeMap<(i8, StrBytes), usize> = BTreeMap::new();
        for (index, one) in work.left.iter().enumerate() {
            last.insert((one.kind, one.name.clone()), index);
        }
        let kept: BTreeSet<usize> = last.into_values().collect();
        let all = std::mem::take(&mut work.left).into_iter().enumerate();
        work.left = all.filter(|(index, _)| kept.contains(index)).map(|(_, one)| one).collect();
        self.alter_next(cx, work);
    }

    fn refuse_twice(&self, work: &mut Work) {
        let mut times: BTreeMap<(i8, StrBytes), usize> = BTreeMap::new();
        for one in &work.left {
            *times.entry((one.kind, one.name.clone())).or_default() += 1;
        }
        let all = std::mem::take(&mut work.left);
        for one in all {
            if times[&(one.kind, one.name.clone())] > 1 {
                let why = "Each resource must appear at most once.".to_owned();
                let refusal = Some(invalid(why));
                work.done.push(Done { kind: one.kind, name: one.name, refusal });
            } else {
                work.left.push_back(one);
            }
        }
    }

    /// What refuses a whole request, up to 3.1.
    fn whole_refusal(&self, work: &Work, has_null: bool) -> Option<Refusal> {
        let version = self.config.version;
        // Kafka fails as it reads the request.
        if !work.incremental && has_null && version.has(Change::AlteredTypeKept) {
            return Some((ResponseError::UnknownServerError, String::new()));
        }
        work.left.iter().find_map(|one| match other_type(version, one.kind) {
            Some(kind) => Some(invalid(format!("Unexpected resource type {kind}"))),
            None if one.kind == LOGGER && !work.incremental => {
                let why = "AlterConfigs is deprecated and does not support the resource type \
                           BROKER_LOGGER";
                Some(invalid(why.to_owned()))
            }
            None => None,
        })
    }

    /// How an exception is answered that is none of Kafka's own errors.
    fn unknown_error(&self, why: String) -> Refusal {
        let says = self.config.version.has(Change::ServerErrorsSaySomething);
        (ResponseError::UnknownServerError, if says { why } else { String::new() })
    }

    /// A value that a setting cannot have.
    fn bad_value(&self, resource: &Resource, why: &str) -> Refusal {
        let version = self.config.version;
        let kind = match resource.kind {
            TOPIC => "TOPIC",
            BROKER => "BROKER",
            _ => "BROKER_LOGGER",
        };
        let (class, end) = match version.has(Change::ConfigResourceNamed) {
            true => ("ConfigResource", ')'),
            false => ("Resource", '}'),
        };
        let name = &resource.name;
        let why = format!(
            "Invalid config value for resource {class}(type={kind}, name='{name}'{end}: {why}"
        );
        match version.has(Change::AlteredInvalidConfig) {
            true => (ResponseError::InvalidConfig, why),
            false => invalid(why),
        }
    }

    fn alter_next(&mut self, cx: &mut Context<'_>, work: Work) {
        if self.altered_configs.add(work) {
            while let Some(work) = self.altered_configs.next() {
                self.alter_one(cx, work);
            }
        }
    }

    fn alter_one(&mut self, cx: &mut Context<'_>, mut work: Work) {
        let Some(resource) = work.left.pop_front() else { return reply(cx, work) };
        if let Err(refusal) = self.check_changes(&resource, work.incremental) {
            return self.altered(cx, work, resource, Some(refusal));
        }
        match resource.kind {
            TOPIC => self.alter_topic(cx, work, resource),
            BROKER => self.alter_broker(cx, work, resource),
            _ => {
                let refusal = self.alter_logger(&resource, work.validate_only).err();
                self.altered(cx, work, resource, refusal);
            }
        }
    }

    fn altered(
        &mut self,
        cx: &mut Context<'_>,
        mut work: Work,
        resource: Resource,
        refusal: Option<Refusal>,
    ) {
        work.done.push(Done { kind: resource.kind, name: resource.name, refusal });
        self.alter_next(cx, work);
    }

    /// What is wrong with the changes themselves.
    fn check_changes(&self, resource: &Resource, incremental: bool) -> Result<(), Refusal> {
        let version = self.config.version;
        let one_by_one = version.has(Change::AlteredOneByOne);
        let mut seen = BTreeSet::new();
        let twice: Vec<&str> = resource
            .changes
            .iter()
            .map(|change| change.name.as_str())
            .filter(|name| !seen.insert(*name))
            .collect();
        if !twice.is_empty() && one_by_one {
            return Err(invalid("Error due to duplicate config keys".to_owned()));
        }
        if !twice.is_empty() && incremental {
            let names: BTreeSet<_> = twice.into_iter().collect();
            let names: Vec<_> = names.into_iter().collect();
            let why = format!("Error due to duplicate config keys : {}", names.join(","));
            return Err(invalid(why));
        }
        let is_null = |change: &&ConfigChange| {
            change.value.is_none() && OpType::of(change.op) != Some(OpType::Delete)
        };
        let nulls: Vec<_> = resource.changes.iter().filter(is_null).collect();
        if !nulls.is_empty() && one_by_one {
            let names: Vec<_> = nulls.iter().map(|change| change.name.as_str()).collect();
            let why = format!("Null value not supported for : {}", names.join(", "));
            return Err(invalid(why));
        }
        if !nulls.is_empty() && incremental && version.has(Change::IncrementalNullRefused) {
            let op = |op: i8| OpType::of(op).map_or("null", OpType::name);
            let names: Vec<_> =
                nulls.iter().map(|one| format!("{}:{}", op(one.op), one.name)).collect();
            let why = format!("Null value not supported for : {}", names.join(","));
            return Err(invalid(why));
        }
        if !nulls.is_empty() {
            return Err((ResponseError::UnknownServerError, String::new()));
        }
        let is_known =
            matches!(resource.kind, TOPIC | BROKER) || resource.kind == LOGGER && incremental;
        if one_by_one && !is_known {
            return Err(invalid(format!("Unknown resource type {}", resource.kind)));
        }
        Ok(())
    }

    fn alter_topic(&mut self, cx: &mut Context<'_>, work: Work, resource: Resource) {
        let topic = &*resource.name;
        let version = self.config.version;
        if version.has(Change::AlteredInvalidConfig) && topic.is_empty() {
            let why = "Default topic resources are not allowed.".to_owned();
            return self.altered(cx, work, resource, Some(invalid(why)));
        }
        if version.has(Change::AlteredTopicUnknown) && !self.metadata.has_topic(topic) {
            let why = format!("The topic '{topic}' does not exist.");
            let refusal = (ResponseError::UnknownTopicOrPartition, why);
            return self.altered(cx, work, resource, Some(refusal));
        }
        let mut reads = Vec::new();
        if !version.has(Change::AlteredTopicUnknown) {
            if let Some(refusal) = name_refusal(topic, version) {
                return self.altered(cx, work, resource, Some(refusal));
            }
            reads.push(exists(paths::topic(topic)));
        }
        if work.incremental {
            reads.push(get(paths::topic_config(topic)));
        }
        self.ask_zookeeper(cx, reads, move |this, cx, answers| {
            let looked = !this.config.version.has(Change::AlteredTopicUnknown);
            if looked && answers[0].is_err() {
                let why = format!("Topic \"{}\" does not exist.", resource.name);
                let refusal = Some(this.unknown_error(why));
                return this.altered(cx, work, resource, refusal);
            }
            let old = answers.last().filter(|_| work.incremental).and_then(data);
            let old = old.and_then(|data| payload::decode_config(&data).ok()).unwrap_or_default();
            match this.topic_settings(&resource, old) {
                Ok(set) => {
                    let entity = format!("topics/{}", resource.name);
                    this.write_settings(cx, work, resource, &entity, &set);
                }
                Err(refusal) => this.altered(cx, work, resource, Some(refusal)),
            }
        });
    }

    fn topic_settings(
        &self,
        resource: &Resource,
        mut set: TopicOverrides,
    ) -> Result<TopicOverrides, Refusal> {
        let version = self.config.version;
        let find = |name: &str| settings::of_topic(name, version);
        self.apply(resource, &mut set, find)?;
        match config_fault(&self.config, &set) {
            None => Ok(set),
            Some(ConfigFault::Value(why)) => Err(self.bad_value(resource, &why)),
            Some(ConfigFault::Unknown(why) | ConfigFault::Conflict(why)) => {
                Err((ResponseError::InvalidConfig, why))
            }
        }
    }

    fn apply(
        &self,
        resource: &Resource,
        set: &mut TopicOverrides,
        find: impl Fn(&str) -> Option<&'static settings::Setting>,
    ) -> Result<(), Refusal> {
        let applied = apply(self.config.version, &resource.changes, set, find);
        applied.map_err(|(error, why)| match error {
            ResponseError::UnknownServerError => self.unknown_error(why),
            _ => (error, why),
        })
    }

    /// The broker that is meant: this one, or all.
    fn broker_entity(&self, resource: &Resource) -> Result<String, Refusal> {
        let version = self.config.version;
        let (own, name) = (self.config.id.to_string(), &*resource.name);
        if name.is_empty() {
            return Ok(ALL_BROKERS.to_owned());
        }
        if name.parse::<i32>().is_err() {
            let who = if version.has(Change::AlteredOneByOne) { "Node" } else { "Broker" };
            return Err(invalid(format!("{who} id must be an integer, but it is: {name}")));
        }
        if name == own {
            return Ok(own);
        }
        let old = version.has(Change::AlteredBrokerPrinted);
        let name = match version.has(Change::ConfigResourceNamed) {
            _ if !old => name.to_owned(),
            true => format!("ConfigResource(type=BROKER, name='{name}').name"),
            false => format!("Resource(type=BROKER, name='{name}'}}.name"),
        };
        Err(invalid(format!("Unexpected broker id, expected {own}, but received {name}")))
    }

    fn alter_broker(&mut self, cx: &mut Context<'_>, work: Work, resource: Resource) {
        let version = self.config.version;
        if !version.has(Change::DynamicBrokerSettings) {
            let why = "AlterConfigs is only supported for topics, but resource type is BROKER";
            return self.altered(cx, work, resource, Some(invalid(why.to_owned())));
        }
        let broker = match self.broker_entity(&resource) {
            Ok(broker) => broker,
            Err(refusal) => return self.altered(cx, work, resource, Some(refusal)),
        };
        let reads = match work.incremental {
            true => vec![get(paths::broker_config(&broker))],
            false => Vec::new(),
        };
        self.ask_zookeeper(cx, reads, move |this, cx, answers| {
            let old = answers.first().and_then(data);
            let old = old.and_then(|data| payload::decode_config(&data).ok()).unwrap_or_default();
            match this.broker_settings(&resource, old, &broker) {
                Ok(set) => {
                    let entity = format!("brokers/{broker}");
                    this.write_settings(cx, work, resource, &entity, &set);
                }
                Err(refusal) => this.altered(cx, work, resource, Some(refusal)),
            }
        });
    }

    fn broker_settings(
        &self,
        resource: &Resource,
        mut set: TopicOverrides,
        broker: &str,
    ) -> Result<TopicOverrides, Refusal> {
        let version = self.config.version;
        let one_by_one = version.has(Change::AlteredOneByOne);
        let strange = resource.changes.iter().find(|change| OpType::of(change.op).is_none());
        if let Some(change) = strange.filter(|_| one_by_one) {
            return Err(invalid(format!("Unknown operations type {}", change.op)));
        }
        let find = |name: &str| settings::of_broker(name, version);
        self.apply(resource, &mut set, find)?;
        match dynamic::fault(&self.config, &set, broker != ALL_BROKERS) {
            None => Ok(set),
            Some(why) if one_by_one => Err(invalid(why)),
            Some(why) => Err(self.bad_value(resource, &why)),
        }
    }

    fn write_settings(
        &mut self,
        cx: &mut Context<'_>,
        work: Work,
        resource: Resource,
        entity: &str,
        set: &TopicOverrides,
    ) {
        if work.validate_only {
            return self.altered(cx, work, resource, None);
        }
        let data = payload::encode_config(set);
        self.write_entity_config(cx, entity, data, move |this, cx, written| {
            let refusal = written.err().map(|code| this.unknown_error(code.to_string()));
            this.altered(cx, work, resource, refusal);
        });
    }

    /// Levels of loggers are this broker's alone, and are lost when it ends.
    fn alter_logger(&mut self, resource: &Resource, validate_only: bool) -> Result<(), Refusal> {
        let broker = self.broker_entity(resource)?;
        if broker == ALL_BROKERS {
            return Err(invalid("Broker id must not be empty".to_owned()));
        }
        let mut levels = self.log_levels.clone();
        for ConfigChange { name, op, value } in &resource.changes {
            let op = OpType::of(*op);
            if let Some(op @ (OpType::Append | OpType::Subtract)) = op {
                let why = format!(
                    "{} operation is not allowed for the BROKER_LOGGER resource",
                    op.name()
                );
                return Err(invalid(why));
            }
            if !loggers(self.config.version).any(|known| known == name) {
                return Err(self.bad_value(resource, &format!("Logger {name} does not exist!")));
            }
            match op {
                Some(OpType::Set) => {
                    let level = value.as_deref().unwrap_or_default();
                    if !LEVELS.contains(&level) {
                        let why = format!(
                            "Cannot set the log level of {name} to {level} as it is not a \
                             supported log level. Valid log levels are {}",
                            LEVELS.join(", ")
                        );
                        return Err(self.bad_value(resource, &why));
                    }
                    levels.insert(name.clone(), level.to_owned());
                }
                _ if name != ROOT_LOGGER => {
                    levels.remove(name);
                }
                _ => {
                    let why = "Removing the log level of the root logger is not allowed";
                    return Err(invalid(why.to_owned()));
                }
            }
        }
        if !validate_only {
            self.log_levels = levels;
        }
        Ok(())
    }
}
