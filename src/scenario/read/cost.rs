//! What a scenario takes: memory and events, estimated. What exceeds a machine is refused, with the estimate.

use std::time::Duration;

use super::super::draw::{ClientSpec, Scenario};
use super::super::plan::{ConsumerPlan, ProducerPlan, ZooKeeperClientPlan};
use super::super::properties::Properties;
use super::super::quantity::Rate;
use super::super::walk::Section;

/// Most memory that a run may take, in bytes.
const MEMORY_MAX: u128 = 16 << 30;
/// Most events of a run: a machine does half a million a second.
const EVENTS_MAX: u128 = 10_000_000_000;
/// Most events of a second of virtual time. With more, it hardly passes.
const EVENTS_PER_SECOND_MAX: u128 = 50_000_000;

/// Bytes that a replica takes, with what controllers and checkers know of it.
const REPLICA: u128 = 24 << 10;
/// Bytes that each broker keeps for each partition of the cluster.
const PARTITION_AT_BROKER: u128 = 512;
/// Bytes that a record takes besides its value: what is remembered of it until it is judged.
const RECORD: u128 = 300;
/// Bytes that a request to ZooKeeper leaves in its history.
const ZOOKEEPER_REQUEST: u128 = 500;
/// Bytes that a client takes, with its connections.
const CLIENT: u128 = 100 << 10;
/// Events of a record: to its leader, to followers, to consumers, and the answers. Batches make it fewer.
const EVENTS_PER_RECORD: u128 = 10;
/// Events of a request that is answered at once, or of a task that is done again and again.
const EVENTS_PER_REQUEST: u128 = 4;

/// A part of what a run takes.
struct Part {
    /// What it is for, with its number: "2000 records of `p0`".
    what: String,
    /// The table and the key that say so.
    at: (&'static str, Option<&'static str>),
    memory: u128,
    events: u128,
}

/// What a scenario takes, but for topics that clients from outside would create.
fn parts(scenario: &Scenario) -> Vec<Part> {
    let mut parts = topics(scenario);
    parts.extend(scenario.producers.iter().map(|spec| producer(scenario, spec)));
    parts.extend(scenario.zookeeper_clients.iter().map(zookeeper_client));
    parts.extend(tasks(scenario));
    parts.extend(fetches(scenario));
    parts
}

/// The memory that a run of a scenario may take, in bytes, besides what every run takes.
pub fn memory(scenario: &Scenario) -> u64 {
    let sum = parts(scenario).iter().map(|part| part.memory).fold(0, u128::saturating_add);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Reports a scenario that no machine can run, at what takes most of it.
pub(super) fn check(top: &Section<'_, '_>, scenario: &Scenario) {
    let mut parts = parts(scenario);
    parts.extend(properties_of_topics(top, scenario));
    let seconds = u128::from(scenario.duration.as_secs().max(1));
    let memory = |part: &Part| part.memory;
    let events = |part: &Part| part.events;
    let gib = |bytes: u128| format!("{} GiB of memory", bytes.div_ceil(1 << 30));
    let million = |events: u128| format!("{} million events", events.div_ceil(1_000_000));
    let each = |events: u128| format!("{} million events a second", events.div_ceil(1_000_000));
    let found = over(&parts, memory, 1, MEMORY_MAX, gib)
        .or_else(|| over(&parts, events, 1, EVENTS_MAX, million))
        .or_else(|| over(&parts, events, seconds, EVENTS_PER_SECOND_MAX, each));
    let Some((message, part)) = found else { return };
    let (table, key) = part.at;
    let section = key.and_then(|key| top.table(table, "")?.take(key));
    let span = section.map(|item| item.span).or_else(|| Some(top.take(table)?.key_span));
    let hint = match key {
        Some(key) => format!("change `{key}`"),
        None => "make it fewer, or slower, or `duration` shorter".to_owned(),
    };
    top.sink.error_with(&span.unwrap_or_else(|| top.span.clone()), message, hint);
}

/// The message when the sum of the parts, divided, is over the limit, with its largest part.
fn over(
    parts: &[Part],
    of: impl Fn(&Part) -> u128,
    divided: u128,
    limit: u128,
    show: impl Fn(u128) -> String,
) -> Option<(String, &Part)> {
    let sum = parts.iter().map(&of).fold(0, u128::saturating_add) / divided;
    let largest = parts.iter().max_by_key(|part| of(part)).filter(|_| sum > limit)?;
    let (needs, most) = (show(sum), show(limit));
    let message =
        format!("this takes about {needs}, most of it for {}; the limit is {most}", largest.what);
    Some((message, largest))
}

fn replicas(partitions: u128, factor: u128, brokers: u128) -> u128 {
    partitions.saturating_mul(factor * REPLICA + brokers * PARTITION_AT_BROKER)
}

fn topics(scenario: &Scenario) -> Vec<Part> {
    let of = |topic: &super::super::draw::TopicSpec| {
        let (partitions, factor) = (topic.partitions as u128, topic.replication_factor as u128);
        Part {
            what: format!("{partitions} partitions of `{}`, {factor} replicas each", topic.name),
            at: ("topic", None),
            memory: replicas(partitions, factor, scenario.brokers as u128),
            events: 0,
        }
    };
    scenario.topics.iter().map(of).collect()
}

/// Topics that brokers create by themselves when a client from outside asks for them.
fn properties_of_topics(top: &Section<'_, '_>, scenario: &Scenario) -> Vec<Part> {
    let mut parts = Vec::new();
    let Some(section) = top.table("broker", "[broker]") else { return parts };
    for (key, factor) in [
        ("num.partitions", "default.replication.factor"),
        ("offsets.topic.num.partitions", "offsets.topic.replication.factor"),
        ("transaction.state.log.num.partitions", "transaction.state.log.replication.factor"),
    ] {
        if section.take(key).is_none() {
            continue;
        }
        let number = |key| number(&scenario.broker_properties, key);
        let (partitions, brokers) = (number(key), scenario.brokers as u128);
        let factor = number(factor).min(brokers);
        parts.push(Part {
            what: format!("{partitions} partitions of a topic, {factor} replicas each"),
            at: ("broker", Some(key)),
            memory: replicas(partitions, factor, brokers),
            events: 0,
        });
    }
    parts
}

fn number(properties: &Properties, name: &str) -> u128 {
    properties.optional_int(name).and_then(|number| u128::try_from(number).ok()).unwrap_or(0)
}

/// How often something is done in `span`, every `every`; a nanosecond passes in between.
fn times(span: Duration, every: Duration) -> u128 {
    span.as_nanos() / every.as_nanos().max(1)
}

fn requests(rate: Rate, from: Duration, until: Duration) -> u128 {
    until.saturating_sub(from).as_nanos() * u128::from(rate.count) / rate.per.as_nanos().max(1)
}

fn producer(scenario: &Scenario, spec: &ClientSpec<ProducerPlan>) -> Part {
    let plan = &spec.plan;
    let records = requests(plan.rate, spec.start.low, spec.stop.high);
    let topic = scenario.topics.iter().find(|topic| topic.name == plan.topic);
    let copies = 1 + topic.map_or(1, |topic| topic.replication_factor as u128);
    let readers = scenario.consumers.iter().filter(|c| c.plan.topics.contains(&plan.topic)).count();
    let bytes = RECORD + copies * u128::from(plan.record_size);
    Part {
        what: format!("{records} records of `{}`", plan.name),
        at: ("producer", None),
        memory: CLIENT + records.saturating_mul(bytes),
        events: records.saturating_mul(EVENTS_PER_RECORD + readers as u128),
    }
}

fn zookeeper_client(spec: &ClientSpec<ZooKeeperClientPlan>) -> Part {
    let plan = &spec.plan;
    let asked = requests(plan.rate, spec.start.low, spec.stop.high);
    let span = spec.stop.high.saturating_sub(spec.start.low);
    let moves = plan.move_every.map_or(0, |every| times(span, every));
    let what = match moves > asked {
        true => format!("{moves} moves of `{}` to another server", plan.name),
        false => format!("{asked} requests of `{}`", plan.name),
    };
    Part {
        what,
        at: ("zookeeper-client", None),
        memory: CLIENT + asked.saturating_mul(ZOOKEEPER_REQUEST),
        events: (asked + moves).saturating_mul(2 * EVENTS_PER_REQUEST),
    }
}

/// What brokers and ZooKeeper servers do again and again.
fn tasks(scenario: &Scenario) -> Vec<Part> {
    let broker = &scenario.broker_properties;
    let zookeeper = &scenario.zookeeper_properties;
    let logs: usize = scenario.topics.iter().map(|t| t.partitions * t.replication_factor).sum();
    let servers = scenario.zookeepers;
    let part = |table, key, properties: &Properties, each: usize| {
        let every = properties.optional_ms(key)?;
        let done = times(scenario.duration, every).saturating_mul(each as u128);
        let what = format!("a task that is done {done} times");
        let events = done.saturating_mul(EVENTS_PER_REQUEST);
        Some(Part { what, at: (table, Some(key)), memory: 0, events })
    };
    let of_broker = |key, each| part("broker", key, broker, each);
    let of_zookeeper = |key, each| part("zookeeper", key, zookeeper, each);
    [
        of_broker("replica.high.watermark.checkpoint.interval.ms", scenario.brokers),
        of_broker("log.flush.offset.checkpoint.interval.ms", scenario.brokers),
        of_broker("log.flush.interval.ms", logs.max(1)),
        of_broker("log.retention.check.interval.ms", scenario.brokers),
        of_broker("replica.lag.time.max.ms", 2 * scenario.brokers),
        // Servers of an ensemble hear of each other twice a tick.
        of_zookeeper("tickTime", 2 * servers * servers),
        of_zookeeper("znode.container.checkIntervalMs", servers),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Fetches that find nothing: each waits at the leader, and is then sent again.
fn fetches(scenario: &Scenario) -> Vec<Part> {
    let there_and_back = scenario.network.latency.low + scenario.network.latency.high;
    let loops = |properties: &Properties, wait: &str, least: &str| {
        // A fetch that need not find anything does not wait.
        let waits = properties.int(least) > 0;
        let wait = if waits { properties.ms(wait) } else { Duration::ZERO };
        times(scenario.duration, wait.saturating_add(there_and_back))
            .saturating_mul(EVENTS_PER_REQUEST)
    };
    let mut parts = Vec::new();
    if scenario.topics.iter().any(|topic| topic.replication_factor > 1) {
        let (wait, least) = ("replica.fetch.wait.max.ms", "replica.fetch.min.bytes");
        let pairs = (scenario.brokers * scenario.brokers.saturating_sub(1)) as u128;
        parts.push(Part {
            what: format!("fetches of followers that wait up to `{wait}` and the latency"),
            at: ("broker", Some(wait)),
            memory: 0,
            events: loops(&scenario.broker_properties, wait, least).saturating_mul(pairs),
        });
    }
    let of = |spec: &ClientSpec<ConsumerPlan>| {
        let (wait, least) = ("fetch.max.wait.ms", "fetch.min.bytes");
        let events = loops(&spec.plan.properties, wait, least);
        Part {
            what: format!(
                "fetches of `{}` that wait up to `{wait}` and the latency",
                spec.plan.name
            ),
            at: ("consumer", None),
            memory: CLIENT,
            events: events.saturating_mul(scenario.brokers as u128),
        }
    };
    parts.extend(scenario.consumers.iter().map(of));
    parts
}
