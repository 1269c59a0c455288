//! `group` in a `[[consumer]]`, and what only a member of a group may set.

use std::time::Duration;

use super::super::plan::{Commit, GroupPlan, OldConsumerPlan, ReadFrom};
use super::super::properties::{
    ASSIGNMENT, ASSIGNORS, MEMBER, OLD_CONSUMER, Properties, Value, in_force,
};
use super::super::quantity;
use super::super::walk::{Item, Section};
use crate::releases::{Change, KafkaVersion};

pub(super) const NEEDS_GROUP: &str =
    "it is of members of a group: write `group = \"billing\"`, too";
/// What a member has and a consumer without a group has not, besides properties.
const OWN: &[&str] = &["commit", "processing", INSTANCE, STRATEGY];
pub(super) const INSTANCE: &str = "group.instance.id";
pub(super) const STRATEGY: &str = "partition.assignment.strategy";

/// Where a member begins in a partition of which its group has committed nothing.
pub(super) fn begins(properties: &Properties) -> ReadFrom {
    match properties.text("auto.offset.reset") {
        "earliest" => ReadFrom::Beginning,
        _ => ReadFrom::End,
    }
}

/// The group of a consumer with `api = "zookeeper"`.
pub(super) fn old(version: KafkaVersion, section: &Section<'_, '_>) -> Option<OldConsumerPlan> {
    let item = section.take("api")?;
    if !item.word("ways", &[("kafka", false), ("zookeeper", true)])? {
        return None;
    }
    if !version.has(Change::OldConsumer) {
        let message = format!("Kafka {version} has no consumer that uses ZooKeeper");
        let _: Option<()> = item.error(message, "Kafka had it up to 1.1; leave `api` out");
    }
    if let Some(from) = section.take("from") {
        let hint = "leave it out: `auto.offset.reset` decides where nothing is committed";
        let _: Option<()> = from.error("a member begins where its group has committed", hint);
    }
    let group = section.need("group", "\"billing\"");
    let set = section.properties(OLD_CONSUMER, version);
    Some(OldConsumerPlan {
        group: group.and_then(|item| item.text().map(str::to_owned)).unwrap_or_default(),
        properties: Properties::resolve(OLD_CONSUMER, version, &set),
    })
}

/// The group of a consumer, if it has one.
pub(super) fn group(version: KafkaVersion, section: &Section<'_, '_>) -> Option<GroupPlan> {
    if let Some(item) = section.take("group.id") {
        let _: Option<()> = item.error("`group.id` is written as `group`", "write group = \"…\"");
    }
    let id = section.take("group");
    let mut set = section.properties(MEMBER, version);
    let Some(id) = id else {
        let names = MEMBER.iter().map(|property| property.name).chain(OWN.iter().copied());
        for item in names.filter_map(|name| section.take(name)) {
            let _: Option<()> = item.error(format!("`{}` needs a group", item.key), NEEDS_GROUP);
        }
        return None;
    };
    if let Some(item) = section.take("from") {
        let hint = "leave it out: `auto.offset.reset` decides where nothing is committed";
        let _: Option<()> = item.error("a member begins where its group has committed", hint);
    }
    let commit = commit(section);
    if commit != Commit::ByClient {
        set.insert("enable.auto.commit".to_owned(), Value::Flag(false));
    }
    let properties = Properties::resolve(MEMBER, version, &set);
    let (beat, session) = ("heartbeat.interval.ms", "session.timeout.ms");
    if properties.int(beat) >= properties.int(session) {
        let message = format!("`{beat}` must be below `{session}`");
        let _: Option<()> = id.error(message, "Kafka refuses to start");
    }
    let name = id.text().unwrap_or_default().to_owned();
    if name.is_empty() {
        let _: Option<()> = id.error("a group has a name", "leave `group` out to read alone");
    }
    let processing = section.take("processing");
    let processing = processing.and_then(|item| item.quantity(quantity::duration));
    Some(GroupPlan {
        id: name,
        instance: instance(version, section),
        strategies: strategies(version, section),
        commit,
        processing: processing.unwrap_or(Duration::ZERO),
        properties,
    })
}

fn instance(version: KafkaVersion, section: &Section<'_, '_>) -> Option<String> {
    let item = section.take(INSTANCE)?;
    if !version.has(Change::StaticMembers) {
        return item
            .error(format!("Kafka {version} has no `group.instance.id`"), "it came in Kafka 2.3");
    }
    let text = item.text()?;
    match text.is_empty() {
        true => item.error("`group.instance.id` is empty", "leave it out for a dynamic member"),
        false => Some(text.to_owned()),
    }
}

fn commit(section: &Section<'_, '_>) -> Commit {
    let words = [
        ("before-processing", Commit::BeforeProcessing),
        ("after-processing", Commit::AfterProcessing),
    ];
    let Some(item) = section.take("commit") else { return Commit::ByClient };
    if let Some(auto) = section.take("enable.auto.commit")
        && auto.flag() == Some(true)
    {
        let hint = "leave one of them out";
        let _: Option<()> =
            auto.error("`commit` and `enable.auto.commit` exclude each other", hint);
    }
    item.word("ways to commit", &words).unwrap_or(Commit::ByClient)
}

fn strategies(version: KafkaVersion, section: &Section<'_, '_>) -> Vec<String> {
    let default = in_force(ASSIGNMENT, version).expect("every version has a default");
    let default = || default.split(',').map(str::to_owned).collect();
    let Some(item) = section.take(STRATEGY) else { return default() };
    let known: Vec<(&str, &str)> = ASSIGNORS
        .iter()
        .filter(|(_, since)| version >= *since)
        .map(|(name, _)| (*name, *name))
        .collect();
    let one = |item: &Item<'_, '_>| item.word("assignors", &known).map(str::to_owned);
    let items = item.one_or_more("names of assignors");
    let read = items.and_then(|items| items.iter().map(one).collect::<Option<Vec<_>>>());
    read.unwrap_or_else(default)
}
