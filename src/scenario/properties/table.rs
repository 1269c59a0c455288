//! The properties that a scenario may set, with each version's defaults.
//!
//! Source: `KafkaConfig`, `ProducerConfig` and `ConsumerConfig` at the tags 0.10.2.0 … 3.9.0-rc3,
//! and `zoo.cfg` as ZooKeeper reads it. A version before a row's first default does not have it.
//!
//! **A property stands here only if the simulation obeys it.** What is Kafka's but not obeyed
//! stands in [`NOT_SIMULATED`] and is an error: a setting that silently does nothing is worse than
//! none.

use super::DefaultValue::{Is, Off, On, Text, Unset};
use super::{DefaultValue, Kind, Property, Unit};
use crate::vocab::KafkaVersion;

/// Defaults, each from a version on.
type Since = &'static [(KafkaVersion, DefaultValue)];

const V0_10: KafkaVersion = KafkaVersion::new(0, 10);
const V0_11: KafkaVersion = KafkaVersion::new(0, 11);
const V2_0: KafkaVersion = KafkaVersion::new(2, 0);
const V2_1: KafkaVersion = KafkaVersion::new(2, 1);
const V2_5: KafkaVersion = KafkaVersion::new(2, 5);
const V3_0: KafkaVersion = KafkaVersion::new(3, 0);
const V3_7: KafkaVersion = KafkaVersion::new(3, 7);

const INT: i64 = i32::MAX as i64;
const SHORT: i64 = i16::MAX as i64;
const LONG: i64 = i64::MAX;
const MIB: i64 = 1 << 20;

const fn number(name: &'static str, unit: Unit, min: i64, max: i64, defaults: Since) -> Property {
    Property { name, kind: Kind::Number { unit, min, max }, defaults }
}

const fn ms(name: &'static str, min: i64, max: i64, defaults: Since) -> Property {
    number(name, Unit::Milliseconds, min, max, defaults)
}

const fn bytes(name: &'static str, min: i64, defaults: Since) -> Property {
    number(name, Unit::Bytes, min, INT, defaults)
}

const fn count(name: &'static str, min: i64, max: i64, defaults: Since) -> Property {
    number(name, Unit::Count, min, max, defaults)
}

const fn flag(name: &'static str, defaults: Since) -> Property {
    Property { name, kind: Kind::Flag, defaults }
}

/// `[broker]`: properties of every broker; its `Config` has a field for each.
pub const BROKER: &[Property] = &[
    // The session at ZooKeeper.
    ms("zookeeper.session.timeout.ms", 1, INT, &[(V0_10, Is(6_000)), (V2_5, Is(18_000))]),
    // Replication.
    ms("replica.lag.time.max.ms", 1, LONG, &[(V0_10, Is(10_000)), (V2_5, Is(30_000))]),
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
    ms("log.flush.interval.ms", 0, LONG, &[(V0_10, Unset)]),
    ms("log.flush.offset.checkpoint.interval.ms", 0, INT, &[(V0_10, Is(60_000))]),
    bytes("log.segment.bytes", 14, &[(V0_10, Is(1_024 * MIB))]),
    bytes("message.max.bytes", 0, &[(V0_10, Is(1_000_012)), (V2_5, Is(MIB + 12))]),
    // Topics.
    flag("auto.create.topics.enable", &[(V0_10, On)]),
    count("default.replication.factor", 1, INT, &[(V0_10, Is(1))]),
    count("num.partitions", 1, INT, &[(V0_10, Is(1))]),
    count("offsets.topic.num.partitions", 1, INT, &[(V0_10, Is(50))]),
    count("offsets.topic.replication.factor", 1, SHORT, &[(V0_10, Is(3))]),
    bytes("offsets.topic.segment.bytes", 1, &[(V0_10, Is(100 * MIB))]),
    // The controller.
    flag("auto.leader.rebalance.enable", &[(V0_10, On)]),
    number("leader.imbalance.check.interval.seconds", Unit::Seconds, 1, INT, &[(V0_10, Is(300))]),
    number("leader.imbalance.per.broker.percentage", Unit::Percent, 0, INT, &[(V0_10, Is(10))]),
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
    ("max.message.bytes", "message.max.bytes"),
];

/// `[[producer]]`: properties of the producer client. `acks` is a key of its own, and
/// `enable.idempotence` is off whatever the version's default: idempotence is not simulated yet.
pub const PRODUCER: &[Property] = &[
    count("retries", 0, INT, &[(V0_10, Is(0)), (V2_1, Is(INT))]),
    ms("delivery.timeout.ms", 0, INT, &[(V2_1, Is(120_000))]),
    ms("request.timeout.ms", 1, INT, &[(V0_10, Is(30_000))]),
    ms("linger.ms", 0, INT, &[(V0_10, Is(0))]),
    bytes("batch.size", 0, &[(V0_10, Is(16_384))]),
    count("max.in.flight.requests.per.connection", 1, INT, &[(V0_10, Is(5))]),
    ms("retry.backoff.ms", 0, LONG, &[(V0_10, Is(100))]),
    ms("retry.backoff.max.ms", 0, LONG, &[(V3_7, Is(1_000))]),
    ms("reconnect.backoff.ms", 0, LONG, &[(V0_10, Is(50))]),
    ms("reconnect.backoff.max.ms", 0, LONG, &[(V0_11, Is(1_000))]),
    ms("metadata.max.age.ms", 0, LONG, &[(V0_10, Is(300_000))]),
    ms("max.block.ms", 0, LONG, &[(V0_10, Is(60_000))]),
    number("buffer.memory", Unit::Bytes, 0, LONG, &[(V0_10, Is(32 * MIB))]),
    bytes("max.request.size", 0, &[(V0_10, Is(MIB))]),
];

/// The producer's default `acks` as Kafka writes it.
pub const ACKS: &[(KafkaVersion, &str)] = &[(V0_10, "1"), (V3_0, "all")];

/// `[[consumer]]`: properties of the consumer client.
pub const CONSUMER: &[Property] = &[
    bytes("fetch.min.bytes", 0, &[(V0_10, Is(1))]),
    ms("fetch.max.wait.ms", 0, INT, &[(V0_10, Is(500))]),
    bytes("fetch.max.bytes", 0, &[(V0_10, Is(50 * MIB))]),
    bytes("max.partition.fetch.bytes", 0, &[(V0_10, Is(MIB))]),
    ms("request.timeout.ms", 1, INT, &[(V0_10, Is(305_000)), (V2_0, Is(30_000))]),
    ms("retry.backoff.ms", 0, LONG, &[(V0_10, Is(100))]),
    ms("reconnect.backoff.ms", 0, LONG, &[(V0_10, Is(50))]),
    ms("reconnect.backoff.max.ms", 0, LONG, &[(V0_11, Is(1_000))]),
    ms("metadata.max.age.ms", 0, LONG, &[(V0_10, Is(300_000))]),
    Property {
        name: "auto.offset.reset",
        kind: Kind::Choice(&["latest", "earliest", "none"]),
        defaults: &[(V0_10, Text("latest"))],
    },
];

/// `[zookeeper]`: properties of every ZooKeeper server, as in `zoo.cfg`, or, where a name has a dot, as the
/// Java system property that ZooKeeper reads. Sessions expire on a tick, and `zookeeper.session.timeout.ms` is
/// brought between the two limits: 2 and 20 ticks where they are unset.
pub const COORDINATOR: &[Property] = &[
    ms("tickTime", 1, INT, &[(V0_10, Is(3_000))]),
    ms("minSessionTimeout", 1, INT, &[(V0_10, Unset)]),
    ms("maxSessionTimeout", 1, INT, &[(V0_10, Unset)]),
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

/// Properties of Kafka and ZooKeeper that people set often and that the simulation does not obey.
pub const NOT_SIMULATED: &[&str] = &[
    // Brokers and topics.
    "broker.id",
    "broker.rack",
    "cleanup.policy",
    "compression.type",
    "connections.max.idle.ms",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.min.session.timeout.ms",
    "delete.topic.enable",
    "inter.broker.protocol.version",
    "listeners",
    "log.cleaner.enable",
    "log.cleanup.policy",
    "log.dir",
    "log.dirs",
    "log.flush.scheduler.interval.ms",
    "log.message.format.version",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.hours",
    "log.roll.ms",
    "message.format.version",
    "message.timestamp.type",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "queued.max.requests",
    "replica.selector.class",
    "retention.bytes",
    "retention.ms",
    "segment.ms",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
    "zookeeper.connect",
    "zookeeper.connection.timeout.ms",
    // Clients.
    "auto.commit.interval.ms",
    "bootstrap.servers",
    "client.id",
    "client.rack",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "group.id",
    "group.instance.id",
    "heartbeat.interval.ms",
    "isolation.level",
    "max.poll.interval.ms",
    "max.poll.records",
    "partition.assignment.strategy",
    "partitioner.class",
    "session.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
    // ZooKeeper.
    "forceSync",
    "maxClientCnxns",
    "preAllocSize",
];
