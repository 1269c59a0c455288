//! A broker's settings, under Kafka's names.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::releases::{KafkaVersion, settings};
use crate::vocab::{BrokerId, Mutant, NodeId};

/// The port of every broker's listener for the cluster's own nodes.
pub const PORT: i32 = 9092;

/// A second listener, for clients from outside of the simulated network (`listeners=…,EXTERNAL://…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalListener {
    /// The node whose connections come in here.
    pub peer: NodeId,
    /// What `advertised.listeners` says of it.
    pub advertised: Endpoint,
}

/// A host, and a port there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address of the host.
    pub host: String,
    /// The port.
    pub port: i32,
}

/// What a broker's properties say of consumer groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`; before 0.11 a group did not wait
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`; `None` before 2.2
    pub max_size: Option<usize>,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `offsets.commit.timeout.ms`
    pub offsets_commit_timeout: Duration,
    /// `offsets.retention.minutes`
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval: Duration,
}

/// What a broker's properties say of transactions. Before 0.11, which has none, the numbers do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSettings {
    /// `transaction.state.log.num.partitions`
    pub topic_num_partitions: i32,
    /// `transaction.state.log.replication.factor`
    pub topic_replication_factor: i16,
    /// `transaction.state.log.min.isr`
    pub topic_min_isr: i32,
    /// `transaction.state.log.segment.bytes`
    pub topic_segment_bytes: i32,
    /// `transaction.max.timeout.ms`
    pub max_timeout_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval: Duration,
    /// `transactional.id.expiration.ms`
    pub id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval: Duration,
}

/// The `server.properties` of one broker, as far as the simulated broker reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `broker.id`
    pub id: BrokerId,
    /// The name under which others reach it (`listeners`); its port is 9092.
    pub host: String,
    /// The listener for clients from outside, if there are any.
    pub external: Option<ExternalListener>,
    /// The release it behaves like (`inter.broker.protocol.version` follows it).
    pub version: KafkaVersion,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// After how long its supervisor starts it again when its start has failed; `None` is never.
    pub supervisor: Option<Duration>,
    /// How long it takes to come up when it starts again; the last part is between its registration and its first
    /// answer.
    pub start_up: RangeInclusive<Duration>,
    /// Whether it stands for a broker that has been up for long when the run begins: its periodic tasks have any phase.
    pub was_up: bool,
    /// How long an append is worked on before its answer leaves.
    pub answer_delay: RangeInclusive<Duration>,
    /// `zookeeper.connect`
    pub zookeepers: Vec<NodeId>,
    /// `zookeeper.session.timeout.ms`
    pub session_timeout: Duration,
    /// `replica.lag.time.max.ms`
    pub replica_lag_time_max: Duration,
    /// `replica.fetch.wait.max.ms`
    pub replica_fetch_wait_max: Duration,
    /// `replica.fetch.min.bytes`
    pub replica_fetch_min_bytes: i32,
    /// `replica.fetch.max.bytes`, for one partition
    pub replica_fetch_max_bytes: i32,
    /// `replica.fetch.response.max.bytes`
    pub replica_fetch_response_max_bytes: i32,
    /// `replica.fetch.backoff.ms`
    pub replica_fetch_backoff: Duration,
    /// `replica.socket.timeout.ms`
    pub replica_socket_timeout: Duration,
    /// `replica.high.watermark.checkpoint.interval.ms`
    pub high_watermark_checkpoint_interval: Duration,
    /// `log.flush.offset.checkpoint.interval.ms`
    pub recovery_point_checkpoint_interval: Duration,
    /// `log.flush.interval.messages`
    pub log_flush_interval_messages: i64,
    /// `log.flush.interval.ms`; `None` is "never"
    pub log_flush_interval: Option<Duration>,
    /// `log.flush.scheduler.interval.ms`
    pub log_flush_scheduler_interval: Duration,
    /// `log.segment.bytes`
    pub log_segment_bytes: u64,
    /// `message.max.bytes`
    pub message_max_bytes: i32,
    /// `fetch.max.bytes`; `None` before 2.5
    pub fetch_max_bytes: Option<i32>,
    /// `max.incremental.fetch.session.cache.slots`; 0 before 1.1
    pub max_fetch_sessions: usize,
    /// `num.io.threads`
    pub num_io_threads: usize,
    /// `socket.request.max.bytes`
    pub socket_request_max_bytes: usize,
    /// `min.insync.replicas`
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`
    pub unclean_leader_election: bool,
    /// `num.partitions`
    pub num_partitions: i32,
    /// `default.replication.factor`
    pub default_replication_factor: i16,
    /// `offsets.topic.num.partitions`
    pub offsets_topic_num_partitions: i32,
    /// `offsets.topic.replication.factor`
    pub offsets_topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`
    pub offsets_topic_segment_bytes: i32,
    /// Groups.
    pub groups: GroupSettings,
    /// Transactions.
    pub transactions: TransactionSettings,
    /// `producer.id.expiration.ms`; before 3.4 `transactional.id.expiration.ms`
    pub producer_id_expiration: Duration,
    /// `auto.create.topics.enable`
    pub auto_create_topics: bool,
    /// `auto.leader.rebalance.enable`
    pub auto_leader_rebalance: bool,
    /// `leader.imbalance.check.interval.seconds`
    pub leader_imbalance_check_interval: Duration,
    /// `leader.imbalance.per.broker.percentage`
    pub leader_imbalance_per_broker_percentage: u32,
    /// `controlled.shutdown.enable`
    pub controlled_shutdown: bool,
    /// `controlled.shutdown.max.retries`
    pub controlled_shutdown_max_retries: u32,
    /// `controlled.shutdown.retry.backoff.ms`
    pub controlled_shutdown_retry_backoff: Duration,
    /// `controller.socket.timeout.ms`
    pub controller_socket_timeout: Duration,
    /// `request.timeout.ms`
    pub request_timeout: Duration,
    /// What its `server.properties` sets otherwise than the release, as it is written there.
    pub server_properties: BTreeMap<String, String>,
    /// What was set since, in ZooKeeper.
    pub dynamic: DynamicSettings,
}

/// What is set for brokers while they run (`/config/brokers`, KIP-226): Kafka's property name to value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicSettings {
    /// For one broker.
    pub of_broker: BTreeMap<String, String>,
    /// For all of them.
    pub of_all: BTreeMap<String, String>,
}

/// The topic whose partitions' leaders coordinate groups (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The topic whose partitions' leaders coordinate transactions (`Topic.TRANSACTION_STATE_TOPIC_NAME`).
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Names of the topics that Kafka keeps for itself (`Topic.INTERNAL_TOPICS`).
pub const INTERNAL_TOPICS: [&str; 2] = [OFFSETS_TOPIC, TRANSACTIONS_TOPIC];

impl Config {
    /// What is set under this name: for this broker, for all brokers, or in its `server.properties`.
    pub fn set(&self, name: &str) -> Option<&str> {
        let DynamicSettings { of_broker, of_all } = &self.dynamic;
        let all = [of_broker, of_all, &self.server_properties].into_iter();
        all.filter_map(|level| level.get(name)).map(String::as_str).next()
    }

    /// The settings of its start, with what was set since, as far as it is obeyed. Values that cannot be read are
    /// ignored.
    #[must_use]
    pub fn with_dynamic(&self, dynamic: DynamicSettings) -> Self {
        let mut config = Self { dynamic, ..self.clone() };
        let DynamicSettings { of_broker, of_all } = &config.dynamic;
        let number = |name: &str| -> Option<i64> {
            of_broker.get(name).or_else(|| of_all.get(name))?.trim().parse().ok()
        };
        let min_insync = number("min.insync.replicas").and_then(|n| n.try_into().ok());
        let message_max = number("message.max.bytes").and_then(|n| n.try_into().ok());
        let segment = number("log.segment.bytes").and_then(|n| n.try_into().ok());
        let threads = number("num.io.threads").and_then(|n| n.try_into().ok());
        let flush_messages = number("log.flush.interval.messages");
        let duration = |name: &str| {
            let ms = u64::try_from(number(name)?).ok()?;
            Some(Duration::from_millis(ms))
        };
        let (flush, expiration) =
            (duration("log.flush.interval.ms"), duration("producer.id.expiration.ms"));
        let name = "unclean.leader.election.enable";
        let unclean = of_broker.get(name).or_else(|| of_all.get(name));
        let unclean = unclean.map(|value| value.trim().eq_ignore_ascii_case("true"));
        config.min_insync_replicas = min_insync.unwrap_or(config.min_insync_replicas);
        config.message_max_bytes = message_max.unwrap_or(config.message_max_bytes);
        config.log_segment_bytes = segment.unwrap_or(config.log_segment_bytes);
        config.num_io_threads = threads.unwrap_or(config.num_io_threads);
        config.log_flush_interval_messages =
            flush_messages.unwrap_or(config.log_flush_interval_messages);
        config.log_flush_interval = flush.or(config.log_flush_interval);
        config.producer_id_expiration = expiration.unwrap_or(config.producer_id_expiration);
        config.unclean_leader_election = unclean.unwrap_or(config.unclean_leader_election);
        config
    }

    /// After how long a log is flushed when the scheduler looks at it: `flush.ms` of topics that set none.
    pub fn flush_interval(&self) -> Duration {
        self.log_flush_interval.unwrap_or(self.log_flush_scheduler_interval)
    }

    /// Whether topics can be deleted (`delete.topic.enable`).
    pub fn deletes_topics(&self) -> bool {
        let name = "delete.topic.enable";
        let set = self.server_properties.get(name).map(String::as_str);
        let default = || settings::of_broker(name, self.version)?.default_in(self.version)?;
        set.or_else(default) == Some("true")
    }

    /// Whether this bug is planted.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// What a topic sets otherwise than its brokers (`/config/topics/T`): Kafka's property name to value.
pub type TopicOverrides = BTreeMap<String, String>;
