//! The settings of a broker unless its test says otherwise: the defaults of its release.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::nodes::broker::{Config, DynamicSettings, GroupSettings, TransactionSettings};
use crate::releases::KafkaVersion;
use crate::releases::defaults::{BROKER, millis};
use crate::vocab::{BrokerId, NodeId};

const ABORT_INTERVAL: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms";

fn transactions(version: KafkaVersion) -> TransactionSettings {
    let ms = Duration::from_millis;
    TransactionSettings {
        topic_num_partitions: 50,
        topic_replication_factor: 3,
        topic_min_isr: 2,
        topic_segment_bytes: 100 << 20,
        max_timeout_ms: 900_000,
        abort_interval: millis(BROKER, ABORT_INTERVAL, version).unwrap_or_default(),
        id_expiration: ms(604_800_000),
        expiry_interval: ms(3_600_000),
    }
}

/// Broker `id`, which is `b<id>`, as release `version` sets it up by default.
pub fn broker(id: i32, version: KafkaVersion, zookeepers: Vec<NodeId>) -> Config {
    let ms = Duration::from_millis;
    let default = |name| millis(BROKER, name, version).expect("every release has it");
    Config {
        id: BrokerId(id),
        host: format!("b{id}"),
        external: None,
        version,
        mutant: None,
        zookeepers,
        session_timeout: default("zookeeper.session.timeout.ms"),
        replica_lag_time_max: default("replica.lag.time.max.ms"),
        replica_fetch_wait_max: ms(500),
        replica_fetch_min_bytes: 1,
        replica_fetch_max_bytes: 1 << 20,
        replica_fetch_response_max_bytes: 10 << 20,
        replica_fetch_backoff: ms(1_000),
        replica_socket_timeout: ms(30_000),
        high_watermark_checkpoint_interval: ms(5_000),
        recovery_point_checkpoint_interval: ms(60_000),
        log_flush_interval_messages: i64::MAX,
        supervisor: Some(Duration::from_secs(1)),
        start_up: Duration::ZERO..=Duration::ZERO,
        was_up: false,
        answer_delay: Duration::ZERO..=Duration::ZERO,
        log_flush_interval: None,
        log_flush_scheduler_interval: Duration::from_millis(i64::MAX as u64),
        num_io_threads: 8,
        log_segment_bytes: 1 << 30,
        message_max_bytes: 1_000_012,
        fetch_max_bytes: None,
        max_fetch_sessions: 1_000,
        socket_request_max_bytes: 100 << 20,
        min_insync_replicas: 1,
        unclean_leader_election: false,
        num_partitions: 1,
        default_replication_factor: 3,
        offsets_topic_num_partitions: 50,
        offsets_topic_replication_factor: 3,
        offsets_topic_segment_bytes: 100 << 20,
        groups: GroupSettings {
            min_session_timeout: ms(6_000),
            max_session_timeout: default("group.max.session.timeout.ms"),
            initial_rebalance_delay: ms(3_000),
            max_size: None,
            offset_metadata_max_bytes: 4_096,
            offsets_commit_timeout: ms(5_000),
            offsets_retention: ms(86_400_000),
            offsets_retention_check_interval: ms(600_000),
        },
        transactions: transactions(version),
        producer_id_expiration: ms(86_400_000),
        auto_create_topics: true,
        auto_leader_rebalance: true,
        leader_imbalance_check_interval: ms(300_000),
        leader_imbalance_per_broker_percentage: 10,
        controlled_shutdown: true,
        controlled_shutdown_max_retries: 3,
        controlled_shutdown_retry_backoff: ms(5_000),
        controller_socket_timeout: ms(30_000),
        request_timeout: ms(30_000),
        server_properties: BTreeMap::new(),
        dynamic: DynamicSettings::default(),
    }
}
