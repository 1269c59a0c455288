//! The targets of a `[[fault]]`: nodes by name, groups of nodes, and roles.

use super::super::diagnostics::did_you_mean;
use super::super::faults::Target;
use super::super::renamed::renamed;
use super::super::walk::Item;
use super::context::{Context, NodeKind};
use crate::vocab::TopicPartition;

const ROLES: &str = "roles: leader(orders-0), follower(orders-0, 1), controller, \
                     coordinator(group), transaction-coordinator(id)";
/// What a role of ZooKeeper's own servers has where others have a partition.
const ZOOKEEPER: &str = "zookeeper";

/// One target or a list of them; each at most once.
pub(super) fn targets(context: &Context<'_>, item: &Item<'_, '_>) -> Option<Vec<Target>> {
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
    if let Some(new) = renamed(of) {
        return item.error(new.message(), new.hint());
    }
    match (role.trim(), k) {
        ("leader", None) if of == ZOOKEEPER => Some(Target::ZooKeeperLeader),
        ("follower", Some(k)) if of == ZOOKEEPER => zookeeper_follower(context, item, k),
        ("leader", None) => Some(Target::Leader(partition(context, item, of)?.0)),
        ("follower", Some(k)) => follower(context, item, of, k),
        ("transaction-coordinator", _) => transaction_coordinator(context, item, arguments.trim()),
        ("coordinator", _) => coordinator(context, item, arguments.trim()),
        ("leader", Some(_)) => item.error("a partition has only one leader", ROLES),
        ("follower", None) => item.error(format!("`{text}` does not say which follower"), ROLES),
        (role, _) => {
            let roles =
                ["leader", "follower", "controller", "coordinator", "transaction-coordinator"];
            let hint = did_you_mean(role, "roles", roles);
            item.error(format!("there is no role `{role}`"), hint)
        }
    }
}

fn coordinator(context: &Context<'_>, item: &Item<'_, '_>, group: &str) -> Option<Target> {
    if !context.groups.iter().any(|known| known == group) {
        let hint = did_you_mean(group, "groups", context.groups.iter().map(String::as_str));
        return item.error(format!("no consumer is in a group `{group}`"), hint);
    }
    Some(Target::Coordinator(group.to_owned()))
}

fn transaction_coordinator(context: &Context<'_>, item: &Item<'_, '_>, id: &str) -> Option<Target> {
    if !context.transactional_ids.iter().any(|known| known == id) {
        let known = context.transactional_ids.iter().map(String::as_str);
        let hint = did_you_mean(id, "transactional ids", known);
        return item.error(format!("no producer has the transactional id `{id}`"), hint);
    }
    Some(Target::TransactionCoordinator(id.to_owned()))
}

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

fn node(context: &Context<'_>, item: &Item<'_, '_>, name: &str) -> Option<Target> {
    if context.nodes.contains_key(name) || context.broker_count.is_none() {
        return Some(Target::Node(name.to_owned()));
    }
    if let Some(new) = renamed(name) {
        return item.error(new.message(), new.hint());
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
