//! `[[topic]]`.

use std::collections::BTreeMap;

use super::super::diagnostics::Span;
use super::super::draw::TopicSpec;
use super::super::properties::{BROKER, Properties, Property, TOPIC};
use super::super::walk::{Item, Section};
use super::context::Context;
use crate::vocab::BrokerId;

pub(super) const KEYS: &[&str] = &["name", "partitions", "replication-factor", "assignment"];
const PARTITIONS_MAX: i64 = 10_000;

/// The properties of a topic as a table of their own; a default is its broker's.
pub(super) fn table() -> Vec<Property> {
    let row = |(name, of_broker): &(&'static str, &str)| {
        let broker = BROKER.iter().find(|property| property.name == *of_broker);
        Property { name, ..*broker.expect("a topic's property is one of the broker's") }
    };
    TOPIC.iter().map(row).collect()
}

/// Reads all topics.
pub(super) fn read(context: &mut Context<'_>, top: &Section<'_, '_>, broker: &Properties) {
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    for section in top.tables("topic", "[[topic]]") {
        let name = section.need("name", "\"orders\"").and_then(|item| {
            let name = valid_name(&item)?;
            if names.insert(name.clone(), item.span.clone()).is_some() {
                let hint = "each [[topic]] has a name of its own";
                return item.error(format!("there are two topics named `{name}`"), hint);
            }
            Some(name)
        });
        let spec = topic(context, &section, broker, name.clone().unwrap_or_default());
        match (name, spec) {
            (Some(_), Some(spec)) => context.topics.push(spec),
            (Some(name), None) => context.broken_topics.push(name),
            (None, _) => {}
        }
    }
}

/// Kafka's rule for a topic's name (`Topic.validate`).
fn valid_name(item: &Item<'_, '_>) -> Option<String> {
    let name = item.text()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || matches!(name, "." | "..") {
        return item.error(format!("`{name}` cannot be a topic's name"), "1 to 249 characters");
    }
    match name.chars().find(|c| !legal(*c)) {
        None => Some(name.to_owned()),
        Some(c) => {
            let hint = "letters, digits, `.`, `_` and `-` are allowed";
            item.error(format!("a topic's name cannot have `{c}` in it"), hint)
        }
    }
}

fn topic(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    broker: &Properties,
    name: String,
) -> Option<TopicSpec> {
    let count = |key: &str, default: &str, max: i64| match section.take(key) {
        None => Some(broker.int(default)),
        Some(item) => item.integer(1..=max),
    };
    let partitions = count("partitions", "num.partitions", PARTITIONS_MAX);
    let factor = count("replication-factor", "default.replication.factor", i64::from(i16::MAX));
    let assignment = section.take("assignment").map(|item| assignment(context, section, &item));
    let table = table();
    let set = section.properties(&table, context.version);
    let names: Vec<&str> = table.iter().map(|property| property.name).collect();
    section.close(KEYS, &names);

    let (partitions, replication_factor, assignment) = match assignment {
        Some(None) => return None,
        Some(Some(written)) => (written.len(), written[0].len(), Some(written)),
        None => (usize::try_from(partitions?).ok()?, usize::try_from(factor?).ok()?, None),
    };
    let brokers = context.broker_count.unwrap_or(usize::MAX);
    if replication_factor > brokers {
        let item = section.take("replication-factor").or_else(|| section.take("assignment"));
        let span = item.map_or(section.span.clone(), |item| item.span);
        let message =
            format!("{replication_factor} replicas need as many brokers, but there are {brokers}");
        let hint = "raise `brokers` in [cluster] or lower the topic's `replication-factor`";
        context.sink.error_with(&span, message, hint);
        return None;
    }
    Some(TopicSpec { name, partitions, replication_factor, assignment, set })
}

/// Replicas of each partition, written out.
fn assignment(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    item: &Item<'_, '_>,
) -> Option<Vec<Vec<BrokerId>>> {
    let brokers = context.broker_count.and_then(|count| i64::try_from(count).ok());
    let mut all: Vec<Vec<BrokerId>> = Vec::new();
    for partition in item.one_or_more("lists of broker ids, one per partition")? {
        let mut replicas = Vec::new();
        for replica in partition.elements("broker ids")? {
            let id = replica.integer(1..=brokers.unwrap_or(i64::from(i32::MAX)))?;
            let id = BrokerId(i32::try_from(id).ok()?);
            if replicas.contains(&id) {
                let message = format!("broker {id} is listed twice for one partition");
                return replica.error(message, "a broker holds a partition once");
            }
            replicas.push(id);
        }
        if replicas.is_empty() || all.first().is_some_and(|first| first.len() != replicas.len()) {
            let hint = "every partition has the same number of replicas, at least one";
            return partition.error("the partitions have unequal numbers of replicas", hint);
        }
        all.push(replicas);
    }
    for (key, written) in [("partitions", all.len()), ("replication-factor", all[0].len())] {
        let Some(stated) = section.take(key) else { continue };
        let number = stated.integer(1..=i64::from(i32::MAX))?;
        if usize::try_from(number) != Ok(written) {
            let message = format!("`{key}` is {number}, but the `assignment` says {written}");
            return stated.error(message, format!("leave `{key}` out if there is an `assignment`"));
        }
    }
    Some(all)
}
