//! `[[fault]]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::draw::FaultSpec;
use super::super::fault::{Action, Direction, Target};
use super::super::quantity::{self, DurationRange, show};
use super::super::walk::{Item, Section};
use super::{Context, NodeKind};
use crate::vocab::TopicPartition;

/// Every fault's key, and the keys that may stand beside it.
const FAULTS: &[(&str, &[&str])] = &[
    ("crash", &["restart-after"]),
    ("power-loss", &["restart-after"]),
    ("shutdown", &["restart-after"]),
    ("restart", &[]),
    ("pause", &["resume-after"]),
    ("partition", &["from", "direction", "heal-after"]),
    ("cut", &["to", "heal-after"]),
    ("slow", &["to", "latency", "heal-after"]),
    ("reset", &["to"]),
    ("slow-disk", &["write", "fsync", "heal-after"]),
    ("clock", &["step"]),
];
pub(super) const COMMON: &[&str] = &["at", "times", "every"];
const TIMES_MAX: i64 = 1_000;

/// Reads all faults, in the order of the file.
pub(super) fn read(context: &Context<'_>, top: &Section<'_, '_>) -> Vec<FaultSpec> {
    let sections = top.tables("fault", "[[fault]]");
    let read = |section| Some((fault(context, section)?, section));
    let faults: Vec<_> = sections.iter().filter_map(read).collect();
    for (restart, section) in &faults {
        let ends = |other: &FaultSpec| {
            matches!(other.action, Action::Crash | Action::PowerLoss | Action::Shutdown)
                && other.at.low < restart.at.high
        };
        let is_restart = restart.action == Action::Restart && !context.is_drawn;
        if is_restart && !faults.iter().any(|(other, _)| ends(other)) {
            let item = section.take("restart").expect("it was read from there");
            let hint = "crash, power-loss and shutdown end processes";
            let _: Option<()> = item.error("no earlier fault ends a process to restart", hint);
        }
    }
    faults.into_iter().map(|(fault, _)| fault).collect()
}

fn fault(context: &Context<'_>, section: &Section<'_, '_>) -> Option<FaultSpec> {
    let mut kinds = FAULTS.iter().filter_map(|(name, keys)| Some((section.take(name)?, *keys)));
    let Some((item, keys)) = kinds.next() else {
        unknown_fault(section);
        return None;
    };
    if let Some((second, _)) = kinds.next() {
        let message =
            format!("a fault does one thing, not both `{}` and `{}`", item.key, second.key);
        section.sink.error_with(&second.key_span, message, "write a second [[fault]] table");
        return None;
    }
    let moment = moment(context, section);
    let targets = targets(context, &item);
    let action = action(context, section, &item, targets.as_deref());
    let undo_key = keys.iter().find(|key| key.ends_with("-after"));
    let undo = undo_key.and_then(|key| section.take(key));
    let undo_after = undo.as_ref().map(Item::duration_range);
    let valid: Vec<&str> = COMMON.iter().chain([&item.key]).chain(keys).copied().collect();
    section.close(&valid, &[]);

    let (at, times, every) = moment?;
    let (undo_after, action) = match undo_after {
        None => (None, action?),
        Some(range) => (Some(range?), action?),
    };
    let last = every.map_or(at.high, |every| at.high + every.high * (times - 1));
    if let (Some(end), Some(after), Some(undo)) = (context.duration, undo_after, undo)
        && last + after.high > end
    {
        let (name, then) = (action.undone_by().unwrap_or("end"), show(last + after.high));
        let message =
            format!("the {name} can come as late as {then}, past the end at {}", show(end));
        return undo.error(
            message,
            format!("what is not undone by the end is healed then; leave `{}` out", undo.key),
        );
    }
    Some(FaultSpec { at, times, every, action, targets: targets?, undo_after })
}

/// A fault's table without a fault: most likely its name is mistyped.
fn unknown_fault(section: &Section<'_, '_>) {
    let names = || FAULTS.iter().map(|(name, _)| *name);
    let all_keys: Vec<&str> = FAULTS.iter().flat_map(|(_, keys)| *keys).copied().collect();
    let mut found = false;
    for item in section.untaken() {
        if COMMON.contains(&item.key) || all_keys.contains(&item.key) {
            continue;
        }
        found = true;
        let hint = did_you_mean(item.key, "faults", names());
        let message = format!("unknown fault `{}`", item.key);
        section.sink.error_with(&item.key_span, message, hint);
    }
    if !found {
        let hint = format!("faults: {}", names().collect::<Vec<_>>().join(", "));
        section.sink.error_with(&section.span, "this [[fault]] does not say what happens", hint);
    }
}

pub(super) type Moment = (DurationRange, u32, Option<DurationRange>);

/// When it happens, how often, and how long between two times.
pub(super) fn moment(context: &Context<'_>, section: &Section<'_, '_>) -> Option<Moment> {
    let at_item = section.need("at", "\"8s\"");
    let times_item = section.take("times");
    let every_item = section.take("every");
    let times = times_item.as_ref().map_or(Some(1), |item| item.integer(1..=TIMES_MAX));
    let every = every_item.as_ref().map(Item::duration_range);
    let at = at_item.as_ref().and_then(Item::duration_range);
    if let (Some(item), None) = (&times_item, &every_item) {
        return item.error("`times` needs `every`", "for example: every = \"5s\"");
    }
    if let (None, Some(item)) = (&times_item, &every_item) {
        return item.error("`every` needs `times`", "for example: times = 3");
    }
    let (at, times) = (at?, u32::try_from(times?).ok()?);
    let every = match every {
        None => None,
        Some(every) => Some(every?),
    };
    if let Some(end) = context.duration {
        let last = every.map_or(at.high, |every| at.high + every.high * (times - 1));
        let item = if at.high >= end { at_item? } else { every_item.or(at_item)? };
        if last >= end {
            let what = section.title.trim_matches(['[', ']']);
            let (last, end) = (show(last), show(end));
            let message =
                format!("the {what} can come as late as {last}, but the run ends at {end}");
            return item.error(message, format!("raise `duration` or move the {what}"));
        }
    }
    Some((at, times, every))
}

/// What is done, from the fault's own keys.
fn action(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    item: &Item<'_, '_>,
    targets_read: Option<&[Target]>,
) -> Option<Action> {
    let others = |key: &str| match section.take(key) {
        None => Some(None),
        Some(other) => {
            let others = targets(context, &other)?;
            let own = targets_read.unwrap_or_default();
            if let Some(both) = others.iter().find(|target| own.contains(target)) {
                let message = format!("`{both}` is on both sides of the `{}`", item.key);
                return other.error(message, "a node is always connected to itself");
            }
            Some(Some(others))
        }
    };
    Some(match item.key {
        "crash" => Action::Crash,
        "power-loss" => Action::PowerLoss,
        "shutdown" => Action::Shutdown,
        "pause" => Action::Pause,
        "restart" => {
            if let Some(role) = targets_read?.iter().find(|target| !target.is_fixed()) {
                let hint = "name the node, or use `restart-after` beside the fault that ends it";
                return item
                    .error(format!("`{role}` runs: a node with a role cannot be restarted"), hint);
            }
            Action::Restart
        }
        "partition" => {
            let ways = [("both", Direction::Both), ("in", Direction::In), ("out", Direction::Out)];
            let direction = match section.take("direction") {
                None => Some(Direction::Both),
                Some(item) => item.word("directions", &ways),
            };
            Action::Partition { from: others("from")?, direction: direction? }
        }
        "cut" => {
            section.need("to", "\"b2\"")?;
            Action::Cut { to: others("to")?? }
        }
        "slow" => {
            let latency = section.need("latency", "\"200ms\"");
            let latency = latency.and_then(|item| item.quantity(quantity::duration));
            Action::Slow { to: others("to")?, latency: latency? }
        }
        "reset" => Action::Reset { to: others("to")? },
        "slow-disk" => slow_disk(context, section, item, targets_read)?,
        "clock" => {
            let step = section.need("step", "\"-5s\"")?;
            Action::Clock { step_ms: step.quantity(quantity::signed_millis)? }
        }
        other => unreachable!("`{other}` is listed as a fault but not read"),
    })
}

fn slow_disk(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    item: &Item<'_, '_>,
    targets: Option<&[Target]>,
) -> Option<Action> {
    let write = section.take("write").map(|item| item.quantity(quantity::duration));
    let fsync = section.take("fsync").map(|item| item.duration_range());
    if write.is_none() && fsync.is_none() {
        let hint = "for example: write = \"20ms\" or fsync = \"50ms..100ms\"";
        return item.error("`slow-disk` needs `write` or `fsync`", hint);
    }
    let diskless = |target: &&Target| match target {
        Target::Node(name) => context.nodes.get(name) == Some(&NodeKind::Client),
        _ => false,
    };
    if let Some(client) = targets?.iter().find(diskless) {
        return item.error(format!("`{client}` has no disk"), "clients keep nothing");
    }
    let write: Option<Duration> = write.map_or(Some(None), |read| read.map(Some))?;
    Some(Action::SlowDisk { write, fsync: fsync.map_or(Some(None), |read| read.map(Some))? })
}

fn targets(context: &Context<'_>, item: &Item<'_, '_>) -> Option<Vec<Target>> {
    // Every element is read before the first failure counts, so that each is reported.
    let read: Vec<_> =
        item.one_or_more("nodes or roles")?.iter().map(|one| target(context, one)).collect();
    let targets: Vec<Target> = read.into_iter().collect::<Option<_>>()?;
    for (index, target) in targets.iter().enumerate() {
        if targets[..index].contains(target) {
            return item.error(format!("`{target}` is listed twice"), "once is enough");
        }
    }
    Some(targets)
}

fn target(context: &Context<'_>, item: &Item<'_, '_>) -> Option<Target> {
    let text = item.text()?.trim();
    match text {
        "controller" => return Some(Target::Controller),
        "brokers" => return Some(Target::Brokers),
        "zookeepers" => return Some(Target::ZooKeepers),
        _ => {}
    }
    let Some((role, rest)) = text.split_once('(') else { return node(context, item, text) };
    let Some(arguments) = rest.strip_suffix(')') else {
        return item.error(format!("`{text}` has no closing `)`"), ROLES);
    };
    let (of, k) = match arguments.split_once(',') {
        None => (arguments.trim(), None),
        Some((of, k)) => (of.trim(), Some(k.trim())),
    };
    match (role.trim(), k) {
        ("leader", None) if of == COORDINATOR => Some(Target::ZooKeeperLeader),
        ("follower", Some(k)) if of == COORDINATOR => zookeeper_follower(context, item, k),
        ("leader", None) => Some(Target::Leader(partition(context, item, of)?.0)),
        ("follower", Some(k)) => follower(context, item, of, k),
        ("leader", Some(_)) => item.error("a partition has but one leader", ROLES),
        ("follower", None) => item.error(format!("`{text}` does not say which follower"), ROLES),
        (role, _) => {
            let hint = did_you_mean(role, "roles", ["leader", "follower", "controller"]);
            item.error(format!("there is no role `{role}`"), hint)
        }
    }
}

/// What stands where a partition's name would, for ZooKeeper's own servers.
const COORDINATOR: &str = "zookeeper";

fn zookeeper_follower(context: &Context<'_>, item: &Item<'_, '_>, k: &str) -> Option<Target> {
    let servers = context.nodes.values().filter(|kind| **kind == NodeKind::ZooKeeper).count();
    match k.parse::<usize>() {
        Ok(k) if (1..servers).contains(&k) => Some(Target::ZooKeeperFollower(k)),
        Ok(k) => {
            let hint = match servers.saturating_sub(1) {
                0 => "it has one server; write zookeepers = 3 in [cluster]".to_owned(),
                followers => format!("followers are counted from 1 to {followers}"),
            };
            item.error(format!("ZooKeeper has no follower {k}"), hint)
        }
        Err(_) => item.error(format!("`{k}` is not the number of a follower"), ROLES),
    }
}

const ROLES: &str = "roles: leader(orders-0), follower(orders-0, 1), controller";

fn node(context: &Context<'_>, item: &Item<'_, '_>, name: &str) -> Option<Target> {
    if context.nodes.contains_key(name) || context.broker_count.is_none() {
        return Some(Target::Node(name.to_owned()));
    }
    if ["leader", "follower"].contains(&name) {
        return item.error(format!("`{name}` does not say of which partition"), ROLES);
    }
    let groups = ["brokers", "zookeepers", "controller"];
    let nodes = context.nodes.keys().map(String::as_str).chain(groups);
    let hint = did_you_mean(name, "nodes", nodes);
    item.error(format!("there is no node `{name}`"), format!("{hint}; {ROLES}"))
}

/// The partition, and how many replicas it has; `None` when its topic is broken.
fn partition(
    context: &Context<'_>,
    item: &Item<'_, '_>,
    text: &str,
) -> Option<(TopicPartition, Option<usize>)> {
    let Ok(partition) = text.parse::<TopicPartition>() else {
        let hint = "a partition is its topic, `-` and its number, as in orders-0";
        return item.error(format!("`{text}` is not a partition"), hint);
    };
    let (topic, index) = (&*partition.topic, partition.partition);
    if context.broken_topics.iter().any(|broken| broken == topic) {
        return Some((partition, None));
    }
    let Some(spec) = context.topics.iter().find(|spec| spec.name == topic) else {
        let hint = did_you_mean(topic, "topics", context.topics.iter().map(|t| t.name.as_str()));
        return item.error(format!("there is no topic `{topic}`"), hint);
    };
    if usize::try_from(index).map_or(true, |index| index >= spec.partitions) {
        let last = spec.partitions - 1;
        let hint = match last {
            0 => format!("`{topic}` has one partition, {topic}-0"),
            _ => format!("`{topic}` has the partitions {topic}-0 to {topic}-{last}"),
        };
        return item.error(format!("there is no partition `{text}`"), hint);
    }
    Some((partition, Some(spec.replication_factor)))
}

fn follower(context: &Context<'_>, item: &Item<'_, '_>, of: &str, k: &str) -> Option<Target> {
    let (partition, replicas) = partition(context, item, of)?;
    let Ok(k) = k.parse::<usize>() else {
        return item.error(format!("`{k}` is not the number of a follower"), ROLES);
    };
    let followers = replicas.map_or(usize::MAX, |replicas| replicas - 1);
    if !(1..=followers).contains(&k) {
        let message = format!("`{partition}` has no follower {k}");
        let hint = match followers {
            0 => "it has one replica, which leads".to_owned(),
            _ => format!("followers are counted from 1 to {followers}, in assignment order"),
        };
        return item.error(message, hint);
    }
    Some(Target::Follower(partition, k))
}
