//! The version, the mutant, the duration, `[cluster]`, `[broker]`, `[zookeeper]`, `[network]` and `[disk]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::plan::{DiskPlan, NetworkPlan, START_UP, SUPERVISOR};
use super::super::properties::{BROKER, Properties, ZOOKEEPER};
use super::super::quantity::{self, Latency};
use super::super::walk::Section;
use super::context::{Context, NodeKind};
use crate::releases::{KafkaVersion, UnknownVersion};
use crate::vocab::{Mutant, Ratio};

/// Most brokers of a cluster.
const BROKERS_MAX: i64 = 100;
/// How many servers an ensemble can have; an even number survives no more failures than the odd one below.
const ENSEMBLES: [i64; 3] = [1, 3, 5];
/// Longest run; virtual time is cheap, but not free.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(24 * 3_600);

pub(super) const CLUSTER_KEYS: &[&str] = &["brokers", "zookeepers", "supervisor", "start-up"];
pub(super) const NETWORK_KEYS: &[&str] = &["latency", "loss", "bandwidth"];
pub(super) const DISK_KEYS: &[&str] = &["write", "fsync"];

pub(super) fn version(top: &Section<'_, '_>) -> Option<KafkaVersion> {
    let item = top.need("kafka", "\"2.8\"")?;
    if let Some(number) = item.number_text() {
        return item.error("`kafka` must be a string", format!("write kafka = \"{number}\""));
    }
    let text = item.text()?;
    match text.parse() {
        Ok(version) => Some(version),
        Err(UnknownVersion { text, releases }) => {
            let hint = match &*releases {
                [] => {
                    let lines = KafkaVersion::lines();
                    did_you_mean(&text, "versions", lines.iter().map(String::as_str))
                }
                releases => {
                    let releases: Vec<_> = releases.iter().map(ToString::to_string).collect();
                    format!("releases of that line: {}", releases.join(", "))
                }
            };
            item.error(format!("there is no simulated Kafka version `{text}`"), hint)
        }
    }
}

/// Reads `mutant`: the bug that is planted.
pub(super) fn mutant(top: &Section<'_, '_>) -> Option<Mutant> {
    let item = top.take("mutant")?;
    let all: Vec<(&str, Mutant)> = Mutant::ALL.iter().map(|m| (m.name(), *m)).collect();
    item.word("mutants", &all)
}

pub(super) fn duration(top: &Section<'_, '_>) -> Option<Duration> {
    let item = top.need("duration", "\"30s\"")?;
    let duration = item.quantity(quantity::duration)?;
    if duration.is_zero() || duration > DURATION_MAX {
        let longest = quantity::show(DURATION_MAX);
        return item.error(format!("`duration` must be above 0 and at most {longest}"), "\"30s\"");
    }
    Some(duration)
}

/// What `[cluster]` says.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    pub brokers: usize,
    pub zookeepers: usize,
    /// After how long a broker whose start failed is started again; `None` is never.
    pub supervisor: Option<Duration>,
    /// How long a broker that starts again takes to come up.
    pub start_up: Latency,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { brokers: 0, zookeepers: 0, supervisor: Some(SUPERVISOR), start_up: START_UP }
    }
}

/// Reads `supervisor`.
fn supervisor(cluster: &Section<'_, '_>) -> Option<Duration> {
    let Some(item) = cluster.take("supervisor") else { return Some(SUPERVISOR) };
    match item.text()? {
        "never" => None,
        _ => item.quantity(quantity::duration),
    }
}

/// Reads `[cluster]`: how many brokers and ZooKeeper servers there are.
pub(super) fn nodes(context: &mut Context<'_>, top: &Section<'_, '_>) -> Nodes {
    let Some(cluster) = top.table("cluster", "[cluster]") else {
        if top.take("cluster").is_none() {
            let hint = "for example: [cluster] and on the next line brokers = 3";
            context.sink.error_with(&top.span, "[cluster] is missing", hint);
        }
        return Nodes::default();
    };
    let brokers = cluster.need("brokers", "3").and_then(|item| item.integer(1..=BROKERS_MAX));
    let zookeepers = match cluster.take("zookeepers") {
        None => Some(1),
        Some(item) => item.integer(1..=BROKERS_MAX).and_then(|count| {
            if !ENSEMBLES.contains(&count) {
                let message = format!("ZooKeeper has 1, 3 or 5 servers, not {count}");
                return item.error(message, "write zookeepers = 3");
            }
            Some(count)
        }),
    };
    let supervisor = supervisor(&cluster);
    let start_up = cluster.take("start-up").and_then(|item| item.duration_range());
    let start_up = start_up.unwrap_or(START_UP);
    cluster.close(CLUSTER_KEYS, &[]);
    let count = |found: Option<i64>| found.and_then(|count| usize::try_from(count).ok());
    context.broker_count = count(brokers);
    let (brokers, zookeepers) = (count(brokers).unwrap_or(0), count(zookeepers).unwrap_or(0));
    for id in 1..=brokers {
        _ = context.add_node(format!("b{id}"), NodeKind::Broker, &cluster.span);
    }
    for id in 1..=zookeepers {
        _ = context.add_node(format!("z{id}"), NodeKind::ZooKeeper, &cluster.span);
    }
    Nodes { brokers, zookeepers, supervisor, start_up }
}

/// Reads `[broker]`.
pub(super) fn broker_properties(context: &Context<'_>, top: &Section<'_, '_>) -> Properties {
    let section = top.table("broker", "[broker]");
    let set = section.as_ref().map(|s| s.properties(BROKER, context.version)).unwrap_or_default();
    let properties = Properties::resolve(BROKER, context.version, &set);
    let Some(section) = section else { return properties };
    let names: Vec<&str> = BROKER.iter().map(|property| property.name).collect();
    section.close(&[], &names);
    // Two of KafkaConfig.validateValues.
    for above in ["replica.socket.timeout.ms", "replica.lag.time.max.ms"] {
        let below = "replica.fetch.wait.max.ms";
        let (low, high) = (properties.int(below), properties.int(above));
        if low > high {
            let item = section.take(above).or_else(|| section.take(below));
            let item = item.expect("the defaults of Kafka are in order");
            let message = format!("`{below}` ({low}) must not be above `{above}` ({high})");
            let _: Option<()> = item.error(message, "Kafka does not start with such a pair");
        }
    }
    properties
}

/// Reads `[zookeeper]`.
pub(super) fn zookeeper_properties(context: &Context<'_>, top: &Section<'_, '_>) -> Properties {
    let section = top.table("zookeeper", "[zookeeper]");
    let set =
        section.as_ref().map(|s| s.properties(ZOOKEEPER, context.version)).unwrap_or_default();
    let properties = Properties::resolve(ZOOKEEPER, context.version, &set);
    let Some(section) = section else { return properties };
    let names: Vec<&str> = ZOOKEEPER.iter().map(|property| property.name).collect();
    section.close(&[], &names);
    session_limits(&section, &properties);
    properties
}

/// `QuorumPeerConfig`: the shortest session must not be longer than the longest one.
fn session_limits(section: &Section<'_, '_>, properties: &Properties) {
    let (shortest, longest) = ("minSessionTimeout", "maxSessionTimeout");
    let ticks = |count: i64| properties.int("tickTime").saturating_mul(count);
    let low = properties.optional_int(shortest).unwrap_or_else(|| ticks(2));
    let high = properties.optional_int(longest).unwrap_or_else(|| ticks(20));
    if low > high {
        let item = section.take(shortest).or_else(|| section.take(longest));
        let item = item.expect("2 ticks are not above 20 ticks");
        let message = format!("`{shortest}` ({low}) must not be above `{longest}` ({high})");
        let hint =
            "without them they are 2 and 20 ticks; ZooKeeper does not start with such a pair";
        let _: Option<()> = item.error(message, hint);
    }
}

/// Reads `[network]`.
pub(super) fn network(top: &Section<'_, '_>) -> NetworkPlan {
    let mut network = NetworkPlan {
        latency: Latency { low: Duration::from_micros(200), high: Duration::from_micros(900) },
        loss: Ratio::ZERO,
        bandwidth: None,
    };
    let Some(section) = top.table("network", "[network]") else { return network };
    if let Some(latency) = section.take("latency").and_then(|item| item.duration_range()) {
        network.latency = latency;
    }
    if let Some(loss) = section.take("loss").and_then(|item| item.quantity(quantity::ratio)) {
        network.loss = loss;
    }
    if let Some(item) = section.take("bandwidth") {
        network.bandwidth = item.quantity(quantity::bandwidth);
    }
    section.close(NETWORK_KEYS, &[]);
    network
}

/// Reads `[disk]`.
pub(super) fn disk(top: &Section<'_, '_>) -> DiskPlan {
    let mut disk = DiskPlan {
        write: Duration::ZERO,
        fsync: Latency { low: Duration::from_micros(500), high: Duration::from_millis(4) },
    };
    let Some(section) = top.table("disk", "[disk]") else { return disk };
    if let Some(write) = section.take("write").and_then(|item| item.quantity(quantity::duration)) {
        disk.write = write;
    }
    if let Some(fsync) = section.take("fsync").and_then(|item| item.duration_range()) {
        disk.fsync = fsync;
    }
    section.close(DISK_KEYS, &[]);
    disk
}
