//! DescribeClientQuotas and AlterClientQuotas (KIP-546): quotas of users, clients and addresses are kept in
//! `/config/users`, `/config/clients` and `/config/ips`, and told on request (`AdminManager`). No request is throttled
//! by them.

use std::net::IpAddr;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_client_quotas_request::{
    EntityData, EntryData as AlteredEntry, OpData,
};
use kafka_protocol::messages::alter_client_quotas_response as altered;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response as described;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::admin_calls::{children, get};
use super::admin_work::Answer;
use super::broker::Broker;
use super::quota_names::{CLIENT, Entity, IP, Name, USER, desanitized, sanitized};
use super::quota_work::QuotaWork;
use super::zk_requests::data;
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::{Change, KafkaVersion};
use crate::wire::zookeeper::Reply;

/// Kafka's error, and a text or an empty one.
type Refusal = (ResponseError, String);

/// How far a number may be from a whole one.
const EPSILON: f64 = 1e-6;

fn invalid(why: impl Into<String>) -> Refusal {
    (ResponseError::InvalidRequest, why.into())
}

/// The entity that a request names (`parseAndSanitizeQuotaEntity`).
fn entity_of(version: KafkaVersion, named: &[EntityData]) -> Result<Entity, Refusal> {
    if named.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    let mut entity = Entity::default();
    for one in named {
        let name: Name = one.entity_name.as_ref().map(ToString::to_string);
        let is_empty = name.as_deref() == Some("");
        match &*one.entity_type {
            USER => entity.user = Some(name),
            CLIENT => entity.client = Some(name),
            IP if version.has(Change::ConfigZnodeOfIps) => entity.ip = Some(name),
            other => {
                return Err(invalid(format!("Unhandled client quota entity type: {other}")));
            }
        }
        if is_empty {
            return Err(invalid(format!("Empty {} not supported", one.entity_type)));
        }
    }
    match &entity.ip {
        Some(_) if entity.user.is_some() || entity.client.is_some() => Err(invalid(
            "Invalid quota entity combination, IP entity should not be used with user/client ID \
             entity.",
        )),
        Some(Some(ip)) if ip != "localhost" && ip.parse::<IpAddr>().is_err() => {
            Err(invalid(format!("{ip} is not a valid IP or resolvable host.")))
        }
        _ => Ok(entity),
    }
}

/// What a quota's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Long,
    Int,
    Double,
}

fn kind_of(version: KafkaVersion, entity: &Entity, key: &str) -> Option<Kind> {
    match (key, entity.ip.is_some()) {
        ("connection_creation_rate", true) => Some(Kind::Int),
        ("producer_byte_rate" | "consumer_byte_rate", false) => Some(Kind::Long),
        ("request_percentage", false) => Some(Kind::Double),
        ("controller_mutation_rate", false) => {
            version.has(Change::ControllerMutationQuota).then_some(Kind::Double)
        }
        _ => None,
    }
}

/// Applies what is asked for to the quotas that are there.
fn apply(
    version: KafkaVersion,
    entity: &Entity,
    ops: &[OpData],
    set: &mut TopicOverrides,
) -> Result<(), Refusal> {
    for op in ops {
        let key = op.key.to_string();
        if op.remove {
            set.remove(&key);
            continue;
        }
        let Some(kind) = kind_of(version, entity, &key) else {
            return Err(invalid(format!("Invalid configuration key {key}")));
        };
        let value = match kind {
            Kind::Double => format!("{:?}", op.value),
            Kind::Long | Kind::Int => {
                let whole = (op.value + EPSILON).trunc();
                if (whole - op.value).abs() > EPSILON {
                    let name = match (kind, version.has(Change::ConfigZnodeOfIps)) {
                        (_, false) => "Long",
                        (Kind::Long, true) => "LONG",
                        (_, true) => "INT",
                    };
                    return Err(invalid(format!("Configuration {key} must be a {name} value")));
                }
                format!("{}", whole as i64)
            }
        };
        set.insert(key, value);
    }
    Ok(())
}

/// What a request asks about one type of entity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// This one, or the default.
    Exactly(Name),
    /// Any that has one.
    Any,
}

/// What a DescribeClientQuotas asks for.
#[derive(Clone, Debug, Default)]
struct Filter {
    user: Option<Wanted>,
    client: Option<Wanted>,
    ip: Option<Wanted>,
    strict: bool,
}

impl Filter {
    fn of(version: KafkaVersion, request: &DescribeClientQuotasRequest) -> Result<Self, Refusal> {
        let mut filter = Self { strict: request.strict, ..Self::default() };
        for component in &request.components {
            let kind = &*component.entity_type;
            let (place, said) = match kind {
                USER => (&mut filter.user, "user"),
                CLIENT => (&mut filter.client, "client"),
                IP if version.has(Change::ConfigZnodeOfIps) => (&mut filter.ip, "ip"),
                "" => return Err(invalid("Unexpected empty filter component entity type")),
                _ => {
                    let why = format!("Custom entity type '{kind}' not supported");
                    return Err((ResponseError::UnsupportedVersion, why));
                }
            };
            if place.is_some() {
                return Err(invalid(format!("Duplicate {said} filter component entity type")));
            }
            *place = Some(wanted(component)?);
        }
        if filter.ip.is_some() && (filter.user.is_some() || filter.client.is_some()) {
            return Err(invalid(
                "Invalid entity filter component combination, IP filter component should not be \
                 used with user or clientId filter component.",
            ));
        }
        Ok(filter)
    }

    fn takes_one(&self, wanted: Option<&Wanted>, name: Option<&Name>) -> bool {
        match wanted {
            Some(Wanted::Exactly(wanted)) => name == Some(wanted),
            Some(Wanted::Any) => name.is_some(),
            None => name.is_none() || !self.strict,
        }
    }

    fn takes(&self, entity: &Entity) -> bool {
        let of_ip = self.ip.is_some();
        match &entity.ip {
            Some(ip) => {
                self.user.is_none()
                    && self.client.is_none()
                    && self.takes_one(self.ip.as_ref(), Some(ip))
            }
            None => {
                !of_ip
                    && self.takes_one(self.user.as_ref(), entity.user.as_ref())
                    && self.takes_one(self.client.as_ref(), entity.client.as_ref())
            }
        }
    }
}

fn wanted(component: &ComponentData) -> Result<Wanted, Refusal> {
    match component.match_type {
        0 => Ok(Wanted::Exactly(component._match.as_ref().map(ToString::to_string))),
        1 => Ok(Wanted::Exactly(None)),
        2 => Ok(Wanted::Any),
        other => {
            let why = format!("Unexpected match type: {other}");
            Err((ResponseError::UnknownServerError, why))
        }
    }
}

/// The names of the children that were read.
fn names(answer: Option<&Answer>) -> Vec<Name> {
    match answer {
        Some(Ok(Reply::Children(names) | Reply::Children2 { children: names, .. })) => {
            names.iter().map(|name| desanitized(name)).collect()
        }
        _ => Vec::new(),
    }
}

impl Broker {
    /// AlterClientQuotas.
    pub(super) fn alter_client_quotas(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AlterClientQuotasRequest,
    ) {
        let (validate_only, left) = (request.validate_only, request.entries.into());
        self.alter_next_quota(cx, QuotaWork { to, validate_only, left, done: Vec::new() });
    }

    fn alter_next_quota(&mut self, cx: &mut Context<'_>, work: QuotaWork) {
        if self.altered_quotas.add(work) {
            while let Some(work) = self.altered_quotas.next() {
                self.alter_quota(cx, work);
            }
        }
    }

    fn alter_quota(&mut self, cx: &mut Context<'_>, mut work: QuotaWork) {
        let Some(entry) = work.left.pop_front() else {
            let response = AlterClientQuotasResponse::default().with_entries(work.done);
            return cx.reply(work.to, ResponseKind::AlterClientQuotas(response));
        };
        let version = self.config.version;
        let entity = match entity_of(version, &entry.entity) {
            Ok(entity) => entity,
            Err(refusal) => return self.quota_altered(cx, work, entry, Some(refusal)),
        };
        let path = entity.path();
        let read = get(paths::entity_config(&path));
        self.ask_zookeeper_once(cx, read, move |this, cx, answer| {
            let old = data(&answer).and_then(|data| payload::decode_config(&data).ok());
            let mut set = old.unwrap_or_default();
            if let Err(refusal) = apply(version, &entity, &entry.ops, &mut set) {
                return this.quota_altered(cx, work, entry, Some(refusal));
            }
            if work.validate_only {
                return this.quota_altered(cx, work, entry, None);
            }
            let data = payload::encode_config(&set);
            this.write_entity_config(cx, &path, data, move |this, cx, written| {
                let failed = |_| (ResponseError::UnknownServerError, String::new());
                this.quota_altered(cx, work, entry, written.err().map(failed));
            });
        });
    }

    fn quota_altered(
        &mut self,
        cx: &mut Context<'_>,
        mut work: QuotaWork,
        entry: AlteredEntry,
        refusal: Option<Refusal>,
    ) {
        let entity = entry.entity.into_iter().map(|one| {
            altered::EntityData::default()
                .with_entity_type(one.entity_type)
                .with_entity_name(one.entity_name)
        });
        let (error, why) = match refusal {
            Some((error, why)) => (error.code(), Some(why).filter(|why| !why.is_empty())),
            None => (0, None),
        };
        let done = altered::EntryData::default()
            .with_error_code(error)
            .with_error_message(why.map(StrBytes::from_string))
            .with_entity(entity.collect());
        work.done.push(done);
        self.alter_next_quota(cx, work);
    }

    /// DescribeClientQuotas: all that is kept is read, and what is asked for is answered.
    pub(super) fn describe_client_quotas(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DescribeClientQuotasRequest,
    ) {
        let version = self.config.version;
        let filter = match Filter::of(version, request) {
            Ok(filter) => filter,
            Err((error, why)) => {
                let response = DescribeClientQuotasResponse::default()
                    .with_error_code(error.code())
                    .with_error_message(Some(StrBytes::from_string(why)))
                    .with_entries(None);
                return cx.reply(to, ResponseKind::DescribeClientQuotas(response));
            }
        };
        let parents = ["/config/users", "/config/clients", "/config/ips"];
        let reads = parents.iter().map(|path| children(*path)).collect();
        self.ask_zookeeper(cx, reads, move |this, cx, answers| {
            let users = names(answers.first());
            let one = |user: Option<Name>, client, ip| Entity { user, client, ip };
            let mut all: Vec<_> =
                users.iter().map(|user| one(Some(user.clone()), None, None)).collect();
            let clients = names(answers.get(1)).into_iter();
            all.extend(clients.map(|client| one(None, Some(client), None)));
            let ips = names(answers.get(2)).into_iter();
            all.extend(ips.map(|ip| one(None, None, Some(ip))));
            let below =
                |user: &Name| children(format!("/config/users/{}/clients", sanitized(user)));
            let reads = users.iter().map(below).collect();
            this.ask_zookeeper(cx, reads, move |this, cx, answers| {
                for (user, answer) in users.into_iter().zip(&answers) {
                    let both = names(Some(answer)).into_iter();
                    all.extend(both.map(|client| one(Some(user.clone()), Some(client), None)));
                }
                all.retain(|entity| filter.takes(entity));
                this.read_quotas(cx, to, all);
            });
        });
    }

    fn read_quotas(&mut self, cx: &mut Context<'_>, to: ReplyTo, entities: Vec<Entity>) {
        let read = |entity: &Entity| get(paths::entity_config(&entity.path()));
        let reads = entities.iter().map(read).collect();
        self.ask_zookeeper(cx, reads, move |this, cx, answers| {
            let version = this.config.version;
            let mut entries = Vec::new();
            for (entity, answer) in entities.into_iter().zip(&answers) {
                let set = data(answer).and_then(|data| payload::decode_config(&data).ok());
                let values = set.unwrap_or_default().into_iter().filter_map(|(key, value)| {
                    kind_of(version, &entity, &key)?;
                    let value = described::ValueData::default()
                        .with_key(StrBytes::from_string(key))
                        .with_value(value.parse().ok()?);
                    Some(value)
                });
                let values: Vec<_> = values.collect();
                if values.is_empty() {
                    continue;
                }
                let parts = entity.parts().map(|(kind, name)| {
                    described::EntityData::default()
                        .with_entity_type(StrBytes::from_static_str(kind))
                        .with_entity_name(name.map(StrBytes::from_string))
                });
                let entry = described::EntryData::default().with_entity(parts.collect());
                entries.push(entry.with_values(values));
            }
            let response = DescribeClientQuotasResponse::default()
                .with_error_message(None)
                .with_entries(Some(entries));
            cx.reply(to, ResponseKind::DescribeClientQuotas(response));
        });
    }
}
