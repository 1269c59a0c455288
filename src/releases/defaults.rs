//! The properties of brokers, topics, clients and ZooKeeper servers, with the defaults of each release.
//!
//! Source: `KafkaConfig`, `ProducerConfig` and `ConsumerConfig` at the tags 0.10.2.0 … 3.9.0-rc3,
//! and `zoo.cfg` as ZooKeeper reads it. A version before a row's first default does not have it.
//!
//! **A property is here only if the simulation obeys it.** A scenario that sets another one is refused: a setting that
//! silently does nothing is worse than none.

use std::fmt;
use std::time::Duration;

use DefaultValue::{Is, Off, On, Text, Unset};

use super::KafkaVersion;
use super::first::*;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Bytes.
    Bytes,
    /// Per cent.
    Percent,
    /// Things.
    Count,
}

/// What a property's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer from `min` to `max`, which some release allows: [`Property::range_in`] says what one does.
    Number {
        /// What it counts.
        unit: Unit,
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
}

/// What a property is when it is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// A number.
    Is(i64),
    /// True.
    On,
    /// False.
    Off,
    /// A word.
    Text(&'static str),
    /// Nothing; Kafka's `null`.
    Unset,
}

/// A row of a property table.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Its defaults, oldest first, each from that version on; it does not exist before the first.
    pub defaults: &'static [(KafkaVersion, DefaultValue)],
}

impl Property {
    /// The default in `version`; `None` when that version has no such property.
    pub fn default_in(&self, version: KafkaVersion) -> Option<DefaultValue> {
        in_force(self.defaults, version)
    }
}

/// The entry of the newest version that is not newer than `version`.
pub fn in_force<T: Copy>(entries: &[(KafkaVersion, T)], version: KafkaVersion) -> Option<T> {
    entries.iter().rev().find(|(since, _)| *since <= version).map(|(_, entry)| *entry)
}

impl DefaultValue {
    /// The number, if it is one.
    pub fn number(self) -> Option<i64> {
        match self {
            Is(number) => Some(number),
            On | Off | Text(_) | Unset => None,
        }
    }
}

impl fmt::Display for DefaultValue {
    /// As Kafka writes it in a configuration file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Is(number) => number.fmt(f),
            On => "true".fmt(f),
            Off => "false".fmt(f),
            Text(text) => text.fmt(f),
            Unset => "null".fmt(f),
        }
    }
}

/// The default of a property that is a number; `None` when it is unset or `version` has no such property.
///
/// # Panics
/// When the table has no such property.
pub fn number(table: &[Property], name: &str, version: KafkaVersion) -> Option<i64> {
    let property = table.iter().find(|property| property.name == name);
    let property = property.unwrap_or_else(|| panic!("no property `{name}` is in the table"));
    property.default_in(version).and_then(DefaultValue::number)
}

/// The default of a property that is a number of milliseconds, as [`number`].
///
/// # Panics
/// When the table has no such property, or its default is negative.
pub fn millis(table: &[Property], name: &str, version: KafkaVersion) -> Option<Duration> {
    let millis = number(table, name, version)?;
    Some(Duration::from_millis(u64::try_from(millis).expect("a duration is not negative")))
}

/// Defaults, each from a version on.
type Since = &'static [(KafkaVersion, DefaultValue)];

const INT: i64 = i32::MAX as i64;
const SHORT: i64 = i16::MAX as i64;
const LONG: i64 = i64::MAX;
const MIB: i64 = 1 << 20;

const fn numeric(name: &'static str, unit: Unit, min: i64, max: i64, defaults: Since) -> Property {
    Property { name, kind: Kind::Number { unit, min, max }, defaults }
}

const fn ms(name: &'static str, min: i64, max: i64, defaults: Since) -> Property {
    numeric(name, Unit::Milliseconds, min, max, defaults)
}

const fn bytes(name: &'static str, min: i64, defaults: Since) -> Property {
    numeric(name, Unit::Bytes, min, INT, defaults)
}

const fn count(name: &'static str, min: i64, max: i64, defaults: Since) -> Property {
    numeric(name, Unit::Count, min, max, defaults)
}

const fn flag(name: &'static str, defaults: Since) -> Property {
    Property { name, kind: Kind::Flag, defaults }
}

/// `[broker]`: properties of every broker; its `Config` has a field for each.
pub const BROKER: &[Property] = &[
    // The session at ZooKeeper.
    ms("zookeeper.session.timeout.ms", 1, INT, &[(V0_10, Is(6_000)), (V2_5, Is(18_000))]),
    // Replication.
    ms("replica.lag.time.max.ms", 2, LONG, &[(V0_10, Is(10_000)), (V2_5, Is(30_000))]),
    ms("replica.fetch.wait.max.ms", 0, INT, &[(V0_10, Is(500))]),
    bytes("replica.fetch.min.bytes", 0, &[(V0_10, Is(1))]),
    bytes("replica.fetch.max.bytes", 0, &[(V0_10, Is(MIB))]),
    bytes("replica.fetch.response.max.bytes", 0, &[(V0_10, Is(10 * MIB))]),
    ms("replica.fetch.backoff.ms", 0, INT, &[(V0_10, Is(1_000))]),
    ms("replica.socket.timeout.ms", 1, INT, &[(V0_10, Is(30_000))]),
    ms("replica.high.watermark.checkpoint.interval.ms", 1, LONG, &[(V0_10, Is(5_000))]),
    count("min.insync.replicas", 1, INT, &[(V0_10, Is(1))]),
    flag("unclean.leader.election.enable", &[(V0_10, On), (V0_11, Off)]),
    // The log.
    count("log.flush.interval.messages", 1, LONG, &[(V0_10, Is(LONG))]),
    ms("log.flush.interval.ms", 1, LONG, &[(V0_10, Unset)]),
    ms("log.flush.scheduler.interval.ms", 1, LONG, &[(V0_10, Is(LONG))]),
    ms("log.flush.offset.checkpoint.interval.ms", 1, INT, &[(V0_10, Is(60_000))]),
    bytes("log.segment.bytes", 14, &[(V0_10, Is(1_024 * MIB))]),
    ms("log.roll.ms", 1, LONG, &[(V0_10, Unset)]),
    numeric("log.retention.bytes", Unit::Bytes, -1, LONG, &[(V0_10, Is(-1))]),
    ms("log.retention.ms", -1, LONG, &[(V0_10, Unset)]),
    ms("log.retention.check.interval.ms", 1, LONG, &[(V0_10, Is(300_000))]),
    bytes("message.max.bytes", 0, &[(V0_10, Is(1_000_012)), (V2_5, Is(MIB + 12))]),
    // Threads, connections, sessions of fetchers (KIP-227). The last three are of clients from outside (`sim serve`).
    count("num.io.threads", 1, INT, &[(V0_10, Is(8))]),
    bytes("socket.request.max.bytes", 1, &[(V0_10, Is(100 * MIB))]),
    bytes("fetch.max.bytes", 1_024, &[(V2_5, Is(55 * MIB))]),
    count("max.incremental.fetch.session.cache.slots", 0, INT, &[(V1_1, Is(1_000))]),
    count("max.connections", 0, INT, &[(V2_3, Is(INT))]),
    count("max.connections.per.ip", 0, INT, &[(V0_10, Is(INT))]),
    ms("connections.max.idle.ms", -1, LONG, &[(V0_10, Is(600_000))]),
    // Topics.
    flag("auto.create.topics.enable", &[(V0_10, On)]),
    count("default.replication.factor", 1, SHORT, &[(V0_10, Is(1))]),
    count("num.partitions", 1, INT, &[(V0_10, Is(1))]),
    count("offsets.topic.num.partitions", 1, INT, &[(V0_10, Is(50))]),
    count("offsets.topic.replication.factor", 1, SHORT, &[(V0_10, Is(3))]),
    bytes("offsets.topic.segment.bytes", 1, &[(V0_10, Is(100 * MIB))]),
    count("transaction.state.log.num.partitions", 1, INT, &[(V0_11, Is(50))]),
    count("transaction.state.log.replication.factor", 1, SHORT, &[(V0_11, Is(3))]),
    count("transaction.state.log.min.isr", 1, INT, &[(V0_11, Is(2))]),
    bytes("transaction.state.log.segment.bytes", 1, &[(V0_11, Is(100 * MIB))]),
    // Transactions and idempotent producers.
    ms("transaction.max.timeout.ms", 1, INT, &[(V0_11, Is(900_000))]),
    ms(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        1,
        INT,
        &[(V0_11, Is(60_000)), (V2_5, Is(10_000))],
    ),
    ms(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        1,
        INT,
        &[(V0_11, Is(3_600_000))],
    ),
    ms("transactional.id.expiration.ms", 1, INT, &[(V0_11, Is(604_800_000))]),
    ms("producer.id.expiration.ms", 1, INT, &[(V3_4, Is(86_400_000))]),
    // Groups.
    ms("group.min.session.timeout.ms", 0, INT, &[(V0_10, Is(6_000))]),
    ms("group.max.session.timeout.ms", 0, INT, &[(V0_10, Is(300_000)), (V2_3, Is(1_800_000))]),
    ms("group.initial.rebalance.delay.ms", 0, INT, &[(V0_11, Is(3_000))]),
    count("group.max.size", 1, INT, &[(V2_2, Is(INT))]),
    bytes("offset.metadata.max.bytes", 0, &[(V0_10, Is(4_096))]),
    ms("offsets.commit.timeout.ms", 1, INT, &[(V0_10, Is(5_000))]),
    numeric(
        "offsets.retention.minutes",
        Unit::Minutes,
        1,
        INT,
        &[(V0_10, Is(1_440)), (V2_0, Is(10_080))],
    ),
    ms("offsets.retention.check.interval.ms", 1, LONG, &[(V0_10, Is(600_000))]),
    // The controller.
    flag("auto.leader.rebalance.enable", &[(V0_10, On)]),
    numeric("leader.imbalance.check.interval.seconds", Unit::Seconds, 1, LONG, &[(V0_10, Is(300))]),
    numeric("leader.imbalance.per.broker.percentage", Unit::Percent, 0, INT, &[(V0_10, Is(10))]),
    ms("controller.socket.timeout.ms", 1, INT, &[(V0_10, Is(30_000))]),
    flag("controlled.shutdown.enable", &[(V0_10, On)]),
    count("controlled.shutdown.max.retries", 0, INT, &[(V0_10, Is(3))]),
    ms("controlled.shutdown.retry.backoff.ms", 0, LONG, &[(V0_10, Is(5_000))]),
    ms("request.timeout.ms", 1, INT, &[(V0_10, Is(30_000))]),
];

/// `[[topic]]`: what one topic may set for itself, and the broker's property that is its default.
pub const TOPIC: &[(&str, &str)] = &[
    ("min.insync.replicas", "min.insync.replicas"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.ms", "log.roll.ms"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("max.message.bytes", "message.max.bytes"),
];

/// `[[producer]]`: properties of the producer client. `acks` and `enable.idempotence` are keys of their own; the second
/// is off unless it is set, whatever the version's default.
pub const PRODUCER: &[Property] = &[
    count("retries", 0, INT, &[(V0_10, Is(0)), (V2_1, Is(INT))]),
    ms("delivery.timeout.ms", 0, INT, &[(V2_1, Is(120_000))]),
    ms("request.timeout.ms", 0, INT, &[(V0_10, Is(30_000))]),
    ms("linger.ms", 0, LONG, &[(V0_10, Is(0))]),
    bytes("batch.size", 0, &[(V0_10, Is(16_384))]),
    count("max.in.flight.requests.per.connection", 1, INT, &[(V0_10, Is(5))]),
    ms("retry.backoff.ms", 0, LONG, &[(V0_10, Is(100))]),
    ms("retry.backoff.max.ms", 0, LONG, &[(V3_7, Is(1_000))]),
    ms("reconnect.backoff.ms", 0, LONG, &[(V0_10, Is(50))]),
    ms("reconnect.backoff.max.ms", 0, LONG, &[(V0_11, Is(1_000))]),
    ms("metadata.max.age.ms", 0, LONG, &[(V0_10, Is(300_000))]),
    ms("max.block.ms", 0, LONG, &[(V0_10, Is(60_000))]),
    numeric("buffer.memory", Unit::Bytes, 0, LONG, &[(V0_10, Is(32 * MIB))]),
    bytes("max.request.size", 0, &[(V0_10, Is(MIB))]),
];

/// `[[producer]]` with a `transactional.id`: properties of its transactions, besides [`PRODUCER`].
pub const TRANSACTIONAL: &[Property] =
    &[ms("transaction.timeout.ms", 1, INT, &[(V0_11, Is(60_000))])];

/// The producer's default `acks` as Kafka writes it.
pub const ACKS: &[(KafkaVersion, &str)] = &[(V0_10, "1"), (V3_0, "all")];

/// The default of `enable.idempotence`, which no simulated producer obeys yet (KIP-679).
pub const IDEMPOTENCE: &[(KafkaVersion, bool)] = &[(V0_10, false), (V3_0, true)];

/// `[[consumer]]`: properties of the consumer client.
pub const CONSUMER: &[Property] = &[
    bytes("fetch.min.bytes", 0, &[(V0_10, Is(1))]),
    ms("fetch.max.wait.ms", 0, INT, &[(V0_10, Is(500))]),
    bytes("fetch.max.bytes", 0, &[(V0_10, Is(50 * MIB))]),
    bytes("max.partition.fetch.bytes", 0, &[(V0_10, Is(MIB))]),
    ms("request.timeout.ms", 0, INT, &[(V0_10, Is(305_000)), (V2_0, Is(30_000))]),
    ms("retry.backoff.ms", 0, LONG, &[(V0_10, Is(100))]),
    ms("reconnect.backoff.ms", 0, LONG, &[(V0_10, Is(50))]),
    ms("reconnect.backoff.max.ms", 0, LONG, &[(V0_11, Is(1_000))]),
    ms("metadata.max.age.ms", 0, LONG, &[(V0_10, Is(300_000))]),
    Property {
        name: "auto.offset.reset",
        kind: Kind::Choice(&["latest", "earliest", "none"]),
        defaults: &[(V0_10, Text("latest"))],
    },
    Property {
        name: "isolation.level",
        kind: Kind::Choice(&["read_uncommitted", "read_committed"]),
        defaults: &[(V0_11, Text("read_uncommitted"))],
    },
];

/// `[[consumer]]` with a `group`: properties of a member, besides [`CONSUMER`].
pub const MEMBER: &[Property] = &[
    // The second has to be below the first.
    ms("session.timeout.ms", 2, INT, &[(V0_10, Is(10_000)), (V3_0, Is(45_000))]),
    ms("heartbeat.interval.ms", 1, INT - 1, &[(V0_10, Is(3_000))]),
    ms("max.poll.interval.ms", 1, INT, &[(V0_10, Is(300_000))]),
    count("max.poll.records", 1, INT, &[(V0_10, Is(500))]),
    flag("enable.auto.commit", &[(V0_10, On)]),
    ms("auto.commit.interval.ms", 0, INT, &[(V0_10, Is(5_000))]),
    ms("default.api.timeout.ms", 0, INT, &[(V2_0, Is(60_000))]),
];

/// `[[consumer]]` with `api = "zookeeper"`: properties of the old consumer, besides [`CONSUMER`].
pub const OLD_CONSUMER: &[Property] = &[
    flag("auto.commit.enable", &[(V0_10, On)]),
    ms("auto.commit.interval.ms", 1, INT, &[(V0_10, Is(60_000))]),
    ms("zookeeper.session.timeout.ms", 1, INT, &[(V0_10, Is(6_000))]),
    count("rebalance.max.retries", 1, INT, &[(V0_10, Is(4))]),
    ms("rebalance.backoff.ms", 0, INT, &[(V0_10, Is(2_000))]),
    ms("refresh.leader.backoff.ms", 0, INT, &[(V0_10, Is(200))]),
    ms("fetch.wait.max.ms", 0, INT, &[(V0_10, Is(100))]),
    bytes("fetch.message.max.bytes", 0, &[(V0_10, Is(1 << 20))]),
];

/// The assignors of the consumer client, each from a version on: `partition.assignment.strategy`.
pub const ASSIGNORS: &[(&str, KafkaVersion)] =
    &[("range", V0_10), ("roundrobin", V0_10), ("sticky", V0_11), ("cooperative-sticky", V2_4)];

/// The default of `partition.assignment.strategy`: names of assignors, with commas.
pub const ASSIGNMENT: &[(KafkaVersion, &str)] =
    &[(V0_10, "range"), (V3_0, "range,cooperative-sticky")];

/// `[zookeeper]`: properties of every ZooKeeper server, as in `zoo.cfg`, or, where a name has a dot, as the
/// Java system property that ZooKeeper reads. Sessions expire on a tick, and `zookeeper.session.timeout.ms` is
/// brought between the two limits: 2 and 20 ticks where they are unset.
pub const ZOOKEEPER: &[Property] = &[
    // Of ZooKeeper itself; no property of it.
    Property {
        name: "version",
        kind: Kind::Choice(super::zookeeper::NAMES),
        defaults: super::zookeeper::SHIPPED,
    },
    ms("tickTime", 1, INT / 20, &[(V0_10, Is(3_000))]),
    ms("minSessionTimeout", 1, INT, &[(V0_10, Unset)]),
    ms("maxSessionTimeout", 1, INT, &[(V0_10, Unset)]),
    // Connections of one address, of clients from outside (`sim serve`); 0 is any number.
    count("maxClientCnxns", 0, INT, &[(V0_10, Is(60))]),
    count("snapCount", 2, INT, &[(V0_10, Is(100_000))]),
    // Of an ensemble, in ticks; those of ZooKeeper's sample configuration, as it has no defaults.
    count("initLimit", 1, INT, &[(V0_10, Is(10))]),
    count("syncLimit", 1, INT, &[(V0_10, Is(5))]),
    // Znodes with a time to live; without it their creation is refused as unimplemented.
    flag("zookeeper.extendedTypesEnabled", &[(V0_10, Off)]),
    // Sessions that only one server of an ensemble knows, until they want an ephemeral znode; and servers without
    // a leader that serve reads.
    flag("localSessionsEnabled", &[(V0_10, Off)]),
    flag("localSessionsUpgradingEnabled", &[(V0_10, Off)]),
    flag("readonlymode.enabled", &[(V0_10, Off)]),
    // How often the leader looks for containers and znodes that have to go, and how long (0: for ever) a
    // container stays that never had a child.
    ms("znode.container.checkIntervalMs", 1, INT, &[(V0_10, Is(60_000))]),
    ms("znode.container.maxNeverUsedIntervalMs", 0, INT, &[(V0_10, Is(0))]),
];

/// Properties of the admin client, which `kafka-topics --bootstrap-server` uses. Scenarios cannot set them.
pub const ADMIN: &[Property] = &[
    ms("request.timeout.ms", 0, INT, &[(V0_11, Is(120_000)), (V2_5, Is(30_000))]),
    ms("default.api.timeout.ms", 0, INT, &[(V2_5, Is(60_000))]),
];
