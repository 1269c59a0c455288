//! A producer's settings, under Kafka's names.

use std::sync::Arc;
use std::time::Duration;

use super::transactions::TransactionConfig;
use crate::nodes::clients::connections::ConnectionConfig;
use crate::nodes::clients::defaults::Defaults;
use crate::releases::KafkaVersion;
use crate::releases::defaults::{ACKS, PRODUCER, in_force};
use crate::vocab::{Acks, Mutant, NodeId, Time};

/// Where a producer learns the leaders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discover {
    /// From any broker, with Metadata: what Kafka's producer does.
    Metadata,
    /// From ZooKeeper, by the znodes `/brokers/topics/T/partitions/P/state` and `/brokers/ids/N`: what
    /// textbooks say of Kafka, and no release since 0.8 does.
    ZooKeeper {
        /// `zookeeper.connect`
        servers: Vec<NodeId>,
        /// `zookeeper.session.timeout.ms`
        session_timeout: Duration,
    },
}

/// What a producer is given to send, by an application of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The topics; records go to them in turn.
    pub topics: Vec<Arc<str>>,
    /// Between two bursts. A late application does not catch up.
    pub interval: Duration,
    /// Records handed over at once, every interval.
    pub burst: u32,
    /// When the first is due, on the node's monotonic clock.
    pub start: Time,
    /// None is begun at or after this moment; what was begun is still tried to its end.
    pub stop: Option<Time>,
    /// Size of a record's value, in bytes.
    pub record_bytes: usize,
    /// Records have one of so many keys, drawn; 0 for no key.
    pub keys: u32,
    /// Number of the first record; a producer that starts again must not use its numbers again.
    pub first_record: u64,
}

/// The properties of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerConfig {
    /// `client.id`; also its name in the values of its records
    pub name: Arc<str>,
    /// The release it behaves like.
    pub version: KafkaVersion,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// `bootstrap.servers`
    pub bootstrap: Vec<NodeId>,
    /// Where it learns the leaders.
    pub discover: Discover,
    /// What it sends.
    pub workload: Workload,
    /// `acks`
    pub acks: Acks,
    /// `enable.idempotence`
    pub idempotence: bool,
    /// Its transactions, if it has a `transactional.id`; then it is idempotent.
    pub transactions: Option<TransactionConfig>,
    /// `retries`, per batch
    pub retries: u32,
    /// `retry.backoff.ms`
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms` (3.7+: doubles from attempt to attempt; before, equal to `retry.backoff.ms`)
    pub retry_backoff_max: Duration,
    /// `delivery.timeout.ms`; `None` before 2.1, where `request.timeout.ms` limits the wait in the accumulator
    pub delivery_timeout: Option<Duration>,
    /// `linger.ms`
    pub linger: Duration,
    /// `batch.size`, in bytes
    pub batch_size: usize,
    /// `max.request.size`, in bytes
    pub max_request_size: usize,
    /// `buffer.memory`, in bytes
    pub buffer_memory: usize,
    /// `max.block.ms`: how long a record waits for metadata of its topic or for room
    pub max_block: Duration,
    /// `metadata.max.age.ms`
    pub metadata_max_age: Duration,
    /// `request.timeout.ms`, `reconnect.backoff.ms`, `max.in.flight.requests.per.connection` …
    pub connection: ConnectionConfig,
}

impl ProducerConfig {
    /// Whether this bug is planted.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The defaults of release `version`, except that it is not idempotent.
    pub fn new(
        name: impl Into<Arc<str>>,
        version: KafkaVersion,
        bootstrap: Vec<NodeId>,
        workload: Workload,
    ) -> Self {
        let defaults = Defaults { properties: PRODUCER, version };
        let retry_backoff = defaults.millis("retry.backoff.ms");
        let retry_backoff_max = defaults.optional_millis("retry.backoff.max.ms");
        Self {
            name: name.into(),
            version,
            mutant: None,
            bootstrap,
            discover: Discover::Metadata,
            workload,
            acks: match in_force(ACKS, version) {
                Some("all") => Acks::All,
                _ => Acks::Leader,
            },
            idempotence: false,
            transactions: None,
            retries: defaults.number("retries"),
            retry_backoff,
            retry_backoff_max: retry_backoff_max.unwrap_or(retry_backoff),
            delivery_timeout: defaults.optional_millis("delivery.timeout.ms"),
            linger: defaults.millis("linger.ms"),
            batch_size: defaults.number("batch.size"),
            max_request_size: defaults.number("max.request.size"),
            buffer_memory: defaults.number("buffer.memory"),
            max_block: defaults.millis("max.block.ms"),
            metadata_max_age: defaults.millis("metadata.max.age.ms"),
            connection: ConnectionConfig {
                max_in_flight: defaults.number("max.in.flight.requests.per.connection"),
                ..defaults.connection()
            },
        }
    }

    /// How long a batch waits before its next attempt, after `attempts` of them.
    pub fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self.retry_backoff.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        doubled.min(self.retry_backoff_max.max(self.retry_backoff))
    }
}
