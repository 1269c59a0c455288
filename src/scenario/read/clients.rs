//! `[[producer]]`, `[[consumer]]` and `[[zookeeper-client]]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::draw::ClientSpec;
use super::super::plan::{ConsumerPlan, Discovery, ProducerPlan, ReadFrom, ZooKeeperClientPlan};
use super::super::properties::{
    ACKS, CONSUMER, MEMBER, OLD_CONSUMER, PRODUCER, Properties, Property, TRANSACTIONAL, in_force,
};
use super::super::quantity::{self, DurationRange, Rate};
use super::super::walk::{Item, Section};
use super::context::{Context, NodeKind};
use super::members::{self, INSTANCE, NEEDS_GROUP, STRATEGY};
use super::transactions::{self, TRANSACTIONAL_ID};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Acks, Time, TopicPattern};

pub(super) const PRODUCER_KEYS: &[&str] = &[
    "name",
    "count",
    "topic",
    "acks",
    "rate",
    "record-size",
    "start",
    "stop",
    "discover",
    TRANSACTIONAL_ID,
    "commit-every",
    "abort-rate",
    "restart-when-fenced",
];
pub(super) const ZOOKEEPER_CLIENT_KEYS: &[&str] =
    &["name", "count", "rate", "znodes", "move-every", "start", "stop"];
/// Znodes that clients of ZooKeeper work on unless the scenario says otherwise.
const ZNODES: i64 = 8;
const ZNODES_MAX: i64 = 10_000;
const MATCHING: &str = "topics-matching";
const NEVER_MOVES: &str = "leave it out for a client that never moves";
pub(super) const CONSUMER_KEYS: &[&str] = &[
    "name",
    "count",
    "topics",
    MATCHING,
    "api",
    "from",
    "start",
    "group",
    "commit",
    "processing",
    INSTANCE,
    STRATEGY,
];
/// The node that every cluster has besides those of its plan.
const ADMIN: &str = "admin";
const COUNT_MAX: i64 = 1_000;
/// Bytes of a record's value unless the scenario says otherwise.
const RECORD_SIZE: u64 = 100;
const RECORD_SIZE_MAX: i64 = 64 << 20;
const ACKS_WORDS: [(&str, Acks); 4] =
    [("all", Acks::All), ("1", Acks::Leader), ("0", Acks::None), ("-1", Acks::All)];

/// Reads all producers.
pub(super) fn producers(
    context: &mut Context<'_>,
    top: &Section<'_, '_>,
) -> Vec<ClientSpec<ProducerPlan>> {
    let mut all = Vec::new();
    for section in top.tables("producer", "[[producer]]") {
        let names = names(context, &section, "p0");
        let topic = section.need("topic", "\"orders\"").and_then(|item| topic(context, &item));
        let acks = section.take("acks").map(|item| acks(&item));
        let rate = section.need("rate", "\"200/s\"").and_then(|i| i.quantity(quantity::rate));
        let size = section.take("record-size").and_then(|item| item.size(0..=RECORD_SIZE_MAX));
        let discover = section.take("discover").and_then(|item| {
            let words = [("broker", Discovery::Broker), ("zookeeper", Discovery::ZooKeeper)];
            item.word("ways", &words)
        });
        let (start, stop) = times(context, &section);
        let mut properties = properties(context, &section, PRODUCER);
        let idempotence = idempotence(context, &section, acks.flatten(), &mut properties);
        let transactions = transactions::read(context.version, &section);
        let known = [PRODUCER, TRANSACTIONAL].map(property_names).concat();
        section.close(PRODUCER_KEYS, &known);
        delivery_timeout(&section, &mut properties);
        let plan = ProducerPlan {
            name: String::new(),
            topic: topic.unwrap_or_default(),
            acks: acks.flatten().unwrap_or_else(|| match idempotence {
                true => Acks::All,
                false => default_acks(context.version),
            }),
            rate: rate.unwrap_or(Rate { count: 1, per: Duration::from_secs(1) }),
            record_size: size.unwrap_or(RECORD_SIZE),
            start: Time::ZERO,
            stop: Time::ZERO,
            discover: discover.unwrap_or(Discovery::Broker),
            idempotence,
            transactions,
            properties,
        };
        let is_one = names.len() == 1;
        let one = |(index, name)| {
            let mut plan = ProducerPlan { name, ..plan.clone() };
            if let Some(transactions) = plan.transactions.as_mut().filter(|_| !is_one) {
                transactions.id = format!("{}-{index}", transactions.id);
            }
            ClientSpec { plan, start, stop }
        };
        all.extend(names.into_iter().enumerate().map(one));
    }
    all
}

/// Reads all consumers.
pub(super) fn consumers(
    context: &mut Context<'_>,
    top: &Section<'_, '_>,
) -> Vec<ClientSpec<ConsumerPlan>> {
    let mut all = Vec::new();
    for section in top.tables("consumer", "[[consumer]]") {
        let names = names(context, &section, "c0");
        let matching = section.take(MATCHING);
        let (topics, pattern) = match &matching {
            Some(item) => matching_topics(context, &section, item).unzip(),
            None => (topics(context, &section), None),
        };
        let old = members::old(context.version, &section);
        let from = section.take("from").and_then(|item| {
            let words = [("beginning", ReadFrom::Beginning), ("end", ReadFrom::End)];
            item.word("values", &words)
        });
        let (start, stop) = times(context, &section);
        let properties = properties(context, &section, CONSUMER);
        let group = match old {
            Some(_) => None,
            None => members::group(context.version, &section),
        };
        if let Some(item) = matching.filter(|_| group.is_none()) {
            let _: Option<()> = item.error(format!("`{MATCHING}` needs a group"), NEEDS_GROUP);
        }
        let tables = [CONSUMER, if old.is_some() { OLD_CONSUMER } else { MEMBER }];
        let known = tables.map(property_names).concat();
        section.close(CONSUMER_KEYS, &known);
        let plan = ConsumerPlan {
            name: String::new(),
            topics: topics.unwrap_or_default(),
            matching: pattern,
            from: match group.is_some() || old.is_some() {
                true => members::begins(&properties),
                false => from.unwrap_or(ReadFrom::Beginning),
            },
            group,
            old,
            start: Time::ZERO,
            properties,
        };
        let is_one = names.len() == 1;
        let one = |(index, name)| {
            let mut plan = ConsumerPlan { name, ..plan.clone() };
            let instance = plan.group.as_mut().and_then(|group| group.instance.as_mut());
            if let Some(instance) = instance.filter(|_| !is_one) {
                *instance = format!("{instance}-{index}");
            }
            ClientSpec { plan, start, stop }
        };
        all.extend(names.into_iter().enumerate().map(one));
    }
    all
}

/// How much longer than its `max.poll.interval.ms` a member waits for the answer to JoinGroup
/// (`AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_LAPSE: Duration = Duration::from_secs(5);

/// How long a consumer waits for a broker, or its group for it.
pub(super) fn waits(plan: &ConsumerPlan) -> Duration {
    let of_group = plan.group.as_ref().map(|group| {
        let of = |name| group.properties.ms(name);
        of("session.timeout.ms").max(of("max.poll.interval.ms").saturating_add(JOIN_LAPSE))
    });
    plan.properties.ms("request.timeout.ms").max(of_group.unwrap_or_default())
}

/// Reads all clients of ZooKeeper alone.
pub(super) fn of_zookeeper(
    context: &mut Context<'_>,
    top: &Section<'_, '_>,
) -> Vec<ClientSpec<ZooKeeperClientPlan>> {
    let mut all = Vec::new();
    for section in top.tables("zookeeper-client", "[[zookeeper-client]]") {
        let names = names(context, &section, "k0");
        let rate = section.need("rate", "\"50/s\"").and_then(|i| i.quantity(quantity::rate));
        let znodes = section.take("znodes").and_then(|item| item.integer(1..=ZNODES_MAX));
        let move_every =
            section.take("move-every").and_then(|item| item.positive_duration(NEVER_MOVES));
        let (start, stop) = times(context, &section);
        section.close(ZOOKEEPER_CLIENT_KEYS, &[]);
        let plan = ZooKeeperClientPlan {
            name: String::new(),
            rate: rate.unwrap_or(Rate { count: 1, per: Duration::from_secs(1) }),
            znodes: u64::try_from(znodes.unwrap_or(ZNODES)).unwrap_or(1),
            move_every,
            start: Time::ZERO,
            stop: Time::ZERO,
        };
        let one =
            |name| ClientSpec { plan: ZooKeeperClientPlan { name, ..plan.clone() }, start, stop };
        all.extend(names.into_iter().map(one));
    }
    all
}

fn property_names(table: &[Property]) -> Vec<&'static str> {
    table.iter().map(|property| property.name).collect()
}

fn properties(context: &Context<'_>, section: &Section<'_, '_>, table: &[Property]) -> Properties {
    let set = section.properties(table, context.version);
    Properties::resolve(table, context.version, &set)
}

/// The client's name, or with `count = 3` the three names `p0-0`, `p0-1`, `p0-2`.
fn names(context: &mut Context<'_>, section: &Section<'_, '_>, example: &str) -> Vec<String> {
    let item = section.need("name", &format!("\"{example}\""));
    let count = section.take("count").map(|count| count.integer(1..=COUNT_MAX));
    let Some((item, name)) = item.and_then(|item| Some((item.clone(), client_name(&item)?))) else {
        return Vec::new();
    };
    let more = match count {
        None => 1,
        Some(count) => usize::try_from(count.unwrap_or(0)).unwrap_or(0),
    };
    if !context.has_room_for(more, &item.span) {
        return Vec::new();
    }
    let names = match count {
        None => vec![name],
        Some(count) => (0..count.unwrap_or(0)).map(|index| format!("{name}-{index}")).collect(),
    };
    for name in &names {
        // Of many clients whose names are taken, one is reported.
        if !context.add_node(name.clone(), NodeKind::Client, &item.span) {
            return Vec::new();
        }
    }
    names
}

fn client_name(item: &Item<'_, '_>) -> Option<String> {
    let name = item.text()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        let hint = "letters, digits, `_` and `-` are allowed";
        return item.error(format!("`{name}` cannot be a client's name"), hint);
    }
    if ["brokers", "zookeepers", "controller", "leader", "follower"].contains(&name) {
        let hint = "in a fault this word means a role or a group of nodes";
        return item.error(format!("`{name}` cannot be a client's name"), hint);
    }
    if name == ADMIN {
        let hint = "the client that creates the topics has this name";
        return item.error(format!("`{name}` cannot be a client's name"), hint);
    }
    Some(name.to_owned())
}

fn topic(context: &Context<'_>, item: &Item<'_, '_>) -> Option<String> {
    let name = item.text()?;
    let known = context.topics.iter().map(|topic| topic.name.as_str());
    let broken = context.broken_topics.iter().map(String::as_str);
    if known.clone().chain(broken.clone()).any(|known| known == name) {
        return Some(name.to_owned());
    }
    let hint = did_you_mean(name, "topics", known.chain(broken));
    item.error(format!("there is no topic `{name}`"), hint)
}

/// `topics = [...]`: what a consumer reads.
fn topics(context: &Context<'_>, section: &Section<'_, '_>) -> Option<Vec<String>> {
    let item = section.need("topics", "[\"orders\"]")?;
    let items = item.one_or_more("names of topics")?;
    items.iter().map(|item| topic(context, item)).collect()
}

/// `topics-matching = "…"`: the topics of the scenario that match, and the pattern.
fn matching_topics(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    item: &Item<'_, '_>,
) -> Option<(Vec<String>, TopicPattern)> {
    if let Some(topics) = section.take("topics") {
        let message = format!("`topics` and `{MATCHING}` exclude each other");
        let _: Option<()> = topics.error(message, "leave one of them out");
    }
    let pattern = match TopicPattern::parse(item.text()?) {
        Ok(pattern) => pattern,
        Err(why) => {
            let hint = "a regular expression that whole names match, such as \"orders-.*\"";
            return item.error(format!("this is no pattern: {why}"), hint);
        }
    };
    let names = context.topics.iter().map(|topic| &topic.name);
    let found: Vec<String> = names.filter(|name| pattern.matches(name)).cloned().collect();
    if found.is_empty() && context.broken_topics.is_empty() {
        let hint = "whole names have to match: `orders-.*`, not `orders`";
        return item.error(format!("`{pattern}` matches no topic"), hint);
    }
    Some((found, pattern))
}

fn acks(item: &Item<'_, '_>) -> Option<Acks> {
    match item.number_text() {
        Some(number) => item.word_of(&number, "values", &ACKS_WORDS),
        None => item.word("values", &ACKS_WORDS),
    }
}

fn default_acks(version: KafkaVersion) -> Acks {
    let word = in_force(ACKS, version).expect("every version has a default");
    let found = ACKS_WORDS.iter().find(|(written, _)| *written == word);
    found.expect("a default can be written").1
}

/// When the client starts, and when it sends its last record or request.
fn times(context: &Context<'_>, section: &Section<'_, '_>) -> (DurationRange, DurationRange) {
    let end = context.duration.map(DurationRange::fixed);
    let start = section.take("start").and_then(|item| Some((item.duration_range()?, item)));
    let stop = match section.title {
        "[[producer]]" | "[[zookeeper-client]]" => section.take("stop"),
        _ => None,
    };
    let stop = stop.and_then(|item| Some((item.duration_range()?, item)));
    let zero = DurationRange::fixed(Duration::ZERO);
    let from = start.as_ref().map_or(zero, |(range, _)| *range);
    let until = stop.as_ref().map_or(end.unwrap_or(from), |(range, _)| *range);
    if let (Some(end), Some((_, item))) = (end, &start)
        && from.high >= end.low
    {
        let message = format!("a start at {from} is not before the end at {end}");
        let _: Option<()> = item.error(message, "raise `duration` or start earlier");
    } else if let (Some(end), Some((_, item))) = (end, &stop)
        && (until.high > end.high || until.low <= from.high)
    {
        let message = format!("a stop at {until} is not between the start at {from} and {end}");
        let _: Option<()> = item.error(message, "leave `stop` out to write until the end");
    }
    (from, until)
}

/// `enable.idempotence`: off unless it is set, also where Kafka's default is on (3.0+), or there is a
/// `transactional.id`. With it, as in `KafkaProducer`, `acks` has to be all, `retries` above 0 and at most 5 requests
/// in flight; what is not set follows.
fn idempotence(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    acks: Option<Acks>,
    properties: &mut Properties,
) -> bool {
    let id = section.take(TRANSACTIONAL_ID);
    let Some(item) = section.take("enable.idempotence").or_else(|| id.clone()) else {
        return false;
    };
    if item.key != TRANSACTIONAL_ID && item.flag() != Some(true) {
        if id.is_some() {
            let message = format!("a producer with a `{TRANSACTIONAL_ID}` is idempotent");
            let hint = "leave `enable.idempotence` out; Kafka refuses to start";
            let _: Option<()> = item.error(message, hint);
        }
        return false;
    }
    let refuse = |message: &str| {
        let hint = "leave it out, or set `enable.idempotence` to false; Kafka refuses to start";
        let _: Option<()> = item.error(message.to_owned(), hint);
    };
    if !context.version.has(Change::IdempotentProducers) {
        refuse("there are no idempotent producers before 0.11");
    }
    if acks.is_some_and(|acks| acks != Acks::All) {
        refuse("an idempotent producer needs `acks = \"all\"`");
    }
    let in_flight = "max.in.flight.requests.per.connection";
    // 0.11 remembers one batch of a producer (KAFKA-5494).
    let most = if context.version.has(Change::BatchesRemembered) { 5 } else { 1 };
    match section.take(in_flight) {
        Some(_) if properties.int(in_flight) > most => {
            refuse(&format!("an idempotent producer needs `{in_flight}` of at most {most}"));
        }
        Some(_) => {}
        None => properties.raise(in_flight, most),
    }
    match section.take("retries") {
        Some(_) if properties.int("retries") == 0 => {
            refuse("an idempotent producer needs `retries` above 0");
        }
        Some(_) => {}
        None => properties.raise("retries", i64::from(i32::MAX)),
    }
    true
}

/// `delivery.timeout.ms` is at least `linger.ms` + `request.timeout.ms`: an error when set
/// otherwise, else raised (`KafkaProducer.configureDeliveryTimeout`).
fn delivery_timeout(section: &Section<'_, '_>, properties: &mut Properties) {
    let name = "delivery.timeout.ms";
    let Some(timeout) = properties.optional_int(name) else { return };
    let least = properties.int("linger.ms").saturating_add(properties.int("request.timeout.ms"));
    let least = least.min(i64::from(i32::MAX));
    if timeout >= least {
        return;
    }
    match section.take(name) {
        None => properties.raise(name, least),
        Some(item) => {
            let message = format!("`{name}` must be at least {least}, not {timeout}");
            let hint = "it covers `linger.ms` and `request.timeout.ms`; Kafka refuses to start";
            let _: Option<()> = item.error(message, hint);
        }
    }
}
