//! The whole language, from the lists that the readers use: every table and what can be in it.

use super::super::faults::{Action, Undo};
use super::super::plan::QUANTILES;
use super::super::properties::{
    BROKER, CONSUMER, MEMBER, PRODUCER, Property, TRANSACTIONAL, ZOOKEEPER,
};
use super::{TOP, clients, cluster, commands, expect, schedule, topics};

/// A table of a scenario.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it is called in messages: `[cluster]`; empty for the outermost table.
    pub title: &'static str,
    /// Its own keys.
    pub keys: Vec<&'static str>,
    /// The properties of Kafka or ZooKeeper that it may set.
    pub properties: Vec<Property>,
}

/// Every table with every key. The options of command lines are a table of their own, `run`, and so are the properties
/// of members of groups, `group`, and of transactions, `transactional`.
pub fn language() -> Vec<Table> {
    let with = |title, keys: Vec<&'static str>, properties: &[Property]| Table {
        title,
        keys,
        properties: properties.to_vec(),
    };
    let table = |title, keys: &[&'static str]| with(title, keys.to_vec(), &[]);
    vec![
        table("", TOP),
        table("[cluster]", cluster::CLUSTER_KEYS),
        with("[broker]", Vec::new(), BROKER),
        with("[zookeeper]", Vec::new(), ZOOKEEPER),
        with("[[topic]]", topics::KEYS.to_vec(), &topics::table()),
        with("[[producer]]", clients::PRODUCER_KEYS.to_vec(), PRODUCER),
        with("transactional", Vec::new(), TRANSACTIONAL),
        with("[[consumer]]", clients::CONSUMER_KEYS.to_vec(), CONSUMER),
        with("group", Vec::new(), MEMBER),
        table("[[zookeeper-client]]", clients::ZOOKEEPER_CLIENT_KEYS),
        table("[network]", cluster::NETWORK_KEYS),
        table("[disk]", cluster::DISK_KEYS),
        with("[[fault]]", fault_keys(), &[]),
        table("[[command]]", &[schedule::KEYS, commands::KEYS].concat()),
        table("run", &commands::options()),
        table("[expect]", &expect::keys()),
        table("count", expect::COUNT_KEYS),
        table("latency-at-most", &QUANTILES.map(|(name, _)| name)),
    ]
}

/// The keys of every kind of fault; those that two kinds have are there once.
fn fault_keys() -> Vec<&'static str> {
    let mut keys = schedule::KEYS.to_vec();
    keys.extend(Undo::ALL.map(Undo::key));
    for mut action in Action::blanks() {
        keys.push(action.kind().name);
        keys.extend(action.fields().iter().map(|field| field.key));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
