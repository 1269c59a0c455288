//! What versions of which API a client of a Kafka release speaks, and what Kafka's error codes mean to it.

use kafka_protocol::messages::{ApiKey, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::releases::apis::{highest, highest_sent};
use crate::releases::{Change, KafkaVersion};

/// The error codes that clients act upon, under Kafka's names (`org.apache.kafka.common.protocol.Errors`).
pub mod code {
    /// Success.
    pub const NONE: i16 = 0;
    /// OFFSET_OUT_OF_RANGE
    pub const OFFSET_OUT_OF_RANGE: i16 = 1;
    /// CORRUPT_MESSAGE
    pub const CORRUPT_MESSAGE: i16 = 2;
    /// UNKNOWN_TOPIC_OR_PARTITION
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    /// LEADER_NOT_AVAILABLE
    pub const LEADER_NOT_AVAILABLE: i16 = 5;
    /// NOT_LEADER_OR_FOLLOWER; NOT_LEADER_FOR_PARTITION before 2.6
    pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    /// REQUEST_TIMED_OUT
    pub const REQUEST_TIMED_OUT: i16 = 7;
    /// MESSAGE_TOO_LARGE
    pub const MESSAGE_TOO_LARGE: i16 = 10;
    /// NETWORK_EXCEPTION: what the Java client says of a lost connection and of a request without an answer
    pub const NETWORK_EXCEPTION: i16 = 13;
    /// COORDINATOR_LOAD_IN_PROGRESS
    pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    /// COORDINATOR_NOT_AVAILABLE
    pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    /// NOT_COORDINATOR
    pub const NOT_COORDINATOR: i16 = 16;
    /// INVALID_TOPIC_EXCEPTION
    pub const INVALID_TOPIC_EXCEPTION: i16 = 17;
    /// RECORD_LIST_TOO_LARGE
    pub const RECORD_LIST_TOO_LARGE: i16 = 18;
    /// NOT_ENOUGH_REPLICAS
    pub const NOT_ENOUGH_REPLICAS: i16 = 19;
    /// NOT_ENOUGH_REPLICAS_AFTER_APPEND
    pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
    /// INVALID_REQUIRED_ACKS
    pub const INVALID_REQUIRED_ACKS: i16 = 21;
    /// ILLEGAL_GENERATION
    pub const ILLEGAL_GENERATION: i16 = 22;
    /// UNKNOWN_MEMBER_ID
    pub const UNKNOWN_MEMBER_ID: i16 = 25;
    /// REBALANCE_IN_PROGRESS
    pub const REBALANCE_IN_PROGRESS: i16 = 27;
    /// TOPIC_AUTHORIZATION_FAILED
    pub const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    /// INVALID_TIMESTAMP
    pub const INVALID_TIMESTAMP: i16 = 32;
    /// TOPIC_ALREADY_EXISTS
    pub const TOPIC_ALREADY_EXISTS: i16 = 36;
    /// NOT_CONTROLLER
    pub const NOT_CONTROLLER: i16 = 41;
    /// INVALID_REQUEST
    pub const INVALID_REQUEST: i16 = 42;
    /// UNSUPPORTED_FOR_MESSAGE_FORMAT
    pub const UNSUPPORTED_FOR_MESSAGE_FORMAT: i16 = 43;
    /// OUT_OF_ORDER_SEQUENCE_NUMBER
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
    /// DUPLICATE_SEQUENCE_NUMBER
    pub const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
    /// INVALID_PRODUCER_EPOCH
    pub const INVALID_PRODUCER_EPOCH: i16 = 47;
    /// INVALID_TXN_STATE
    pub const INVALID_TXN_STATE: i16 = 48;
    /// INVALID_PRODUCER_ID_MAPPING
    pub const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
    /// CONCURRENT_TRANSACTIONS
    pub const CONCURRENT_TRANSACTIONS: i16 = 51;
    /// TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    /// OPERATION_NOT_ATTEMPTED
    pub const OPERATION_NOT_ATTEMPTED: i16 = 55;
    /// KAFKA_STORAGE_ERROR
    pub const KAFKA_STORAGE_ERROR: i16 = 56;
    /// UNKNOWN_PRODUCER_ID
    pub const UNKNOWN_PRODUCER_ID: i16 = 59;
    /// FENCED_LEADER_EPOCH
    pub const FENCED_LEADER_EPOCH: i16 = 74;
    /// UNKNOWN_LEADER_EPOCH
    pub const UNKNOWN_LEADER_EPOCH: i16 = 75;
    /// OFFSET_NOT_AVAILABLE
    pub const OFFSET_NOT_AVAILABLE: i16 = 78;
    /// MEMBER_ID_REQUIRED
    pub const MEMBER_ID_REQUIRED: i16 = 79;
    /// FENCED_INSTANCE_ID
    pub const FENCED_INSTANCE_ID: i16 = 82;
    /// INVALID_RECORD
    pub const INVALID_RECORD: i16 = 87;
    /// UNSTABLE_OFFSET_COMMIT
    pub const UNSTABLE_OFFSET_COMMIT: i16 = 88;
    /// PRODUCER_FENCED
    pub const PRODUCER_FENCED: i16 = 90;
    /// TRANSACTION_ABORTABLE
    pub const TRANSACTION_ABORTABLE: i16 = 120;
}

use code::*;

/// Kafka's name of an error code in a release.
pub fn error_name(version: KafkaVersion, error: i16) -> &'static str {
    match error {
        NONE => "NONE",
        OFFSET_OUT_OF_RANGE => "OFFSET_OUT_OF_RANGE",
        CORRUPT_MESSAGE => "CORRUPT_MESSAGE",
        UNKNOWN_TOPIC_OR_PARTITION => "UNKNOWN_TOPIC_OR_PARTITION",
        LEADER_NOT_AVAILABLE => "LEADER_NOT_AVAILABLE",
        NOT_LEADER_OR_FOLLOWER if version.has(Change::NotLeaderOrFollower) => {
            "NOT_LEADER_OR_FOLLOWER"
        }
        NOT_LEADER_OR_FOLLOWER => "NOT_LEADER_FOR_PARTITION",
        REQUEST_TIMED_OUT => "REQUEST_TIMED_OUT",
        MESSAGE_TOO_LARGE => "MESSAGE_TOO_LARGE",
        NETWORK_EXCEPTION => "NETWORK_EXCEPTION",
        COORDINATOR_LOAD_IN_PROGRESS => "COORDINATOR_LOAD_IN_PROGRESS",
        COORDINATOR_NOT_AVAILABLE => "COORDINATOR_NOT_AVAILABLE",
        NOT_COORDINATOR => "NOT_COORDINATOR",
        INVALID_TOPIC_EXCEPTION => "INVALID_TOPIC_EXCEPTION",
        RECORD_LIST_TOO_LARGE => "RECORD_LIST_TOO_LARGE",
        NOT_ENOUGH_REPLICAS => "NOT_ENOUGH_REPLICAS",
        NOT_ENOUGH_REPLICAS_AFTER_APPEND => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        INVALID_REQUIRED_ACKS => "INVALID_REQUIRED_ACKS",
        ILLEGAL_GENERATION => "ILLEGAL_GENERATION",
        23 => "INCONSISTENT_GROUP_PROTOCOL",
        24 => "INVALID_GROUP_ID",
        UNKNOWN_MEMBER_ID => "UNKNOWN_MEMBER_ID",
        26 => "INVALID_SESSION_TIMEOUT",
        REBALANCE_IN_PROGRESS => "REBALANCE_IN_PROGRESS",
        TOPIC_AUTHORIZATION_FAILED => "TOPIC_AUTHORIZATION_FAILED",
        INVALID_TIMESTAMP => "INVALID_TIMESTAMP",
        33 => "UNSUPPORTED_SASL_MECHANISM",
        35 => "UNSUPPORTED_VERSION",
        TOPIC_ALREADY_EXISTS => "TOPIC_ALREADY_EXISTS",
        37 => "INVALID_PARTITIONS",
        38 => "INVALID_REPLICATION_FACTOR",
        39 => "INVALID_REPLICA_ASSIGNMENT",
        40 => "INVALID_CONFIG",
        NOT_CONTROLLER => "NOT_CONTROLLER",
        INVALID_REQUEST => "INVALID_REQUEST",
        UNSUPPORTED_FOR_MESSAGE_FORMAT => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        44 => "POLICY_VIOLATION",
        OUT_OF_ORDER_SEQUENCE_NUMBER => "OUT_OF_ORDER_SEQUENCE_NUMBER",
        DUPLICATE_SEQUENCE_NUMBER => "DUPLICATE_SEQUENCE_NUMBER",
        INVALID_PRODUCER_EPOCH => "INVALID_PRODUCER_EPOCH",
        INVALID_TXN_STATE => "INVALID_TXN_STATE",
        INVALID_PRODUCER_ID_MAPPING => "INVALID_PRODUCER_ID_MAPPING",
        50 => "INVALID_TRANSACTION_TIMEOUT",
        CONCURRENT_TRANSACTIONS => "CONCURRENT_TRANSACTIONS",
        TRANSACTIONAL_ID_AUTHORIZATION_FAILED => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        OPERATION_NOT_ATTEMPTED => "OPERATION_NOT_ATTEMPTED",
        KAFKA_STORAGE_ERROR => "KAFKA_STORAGE_ERROR",
        UNKNOWN_PRODUCER_ID => "UNKNOWN_PRODUCER_ID",
        FENCED_LEADER_EPOCH => "FENCED_LEADER_EPOCH",
        UNKNOWN_LEADER_EPOCH => "UNKNOWN_LEADER_EPOCH",
        OFFSET_NOT_AVAILABLE => "OFFSET_NOT_AVAILABLE",
        MEMBER_ID_REQUIRED => "MEMBER_ID_REQUIRED",
        81 => "GROUP_MAX_SIZE_REACHED",
        FENCED_INSTANCE_ID => "FENCED_INSTANCE_ID",
        INVALID_RECORD => "INVALID_RECORD",
        UNSTABLE_OFFSET_COMMIT => "UNSTABLE_OFFSET_COMMIT",
        PRODUCER_FENCED => "PRODUCER_FENCED",
        TRANSACTION_ABORTABLE => "TRANSACTION_ABORTABLE",
        _ => "UNKNOWN_SERVER_ERROR",
    }
}

/// Whether the error says that the client's picture of the cluster is wrong (`InvalidMetadataException`).
pub fn is_metadata_error(error: i16) -> bool {
    matches!(
        error,
        UNKNOWN_TOPIC_OR_PARTITION
            | LEADER_NOT_AVAILABLE
            | NOT_LEADER_OR_FOLLOWER
            | NETWORK_EXCEPTION
            | KAFKA_STORAGE_ERROR
            | FENCED_LEADER_EPOCH
    )
}

/// Whether a leader says that a batch of an idempotent producer does not follow on what it knows of the producer.
pub fn is_out_of_order(error: i16) -> bool {
    matches!(error, OUT_OF_ORDER_SEQUENCE_NUMBER | UNKNOWN_PRODUCER_ID)
}

/// Whether a producer tries again after this answer (`RetriableException`).
pub fn is_retriable(error: i16) -> bool {
    is_metadata_error(error)
        || matches!(
            error,
            CORRUPT_MESSAGE
                | REQUEST_TIMED_OUT
                | NOT_ENOUGH_REPLICAS
                | NOT_ENOUGH_REPLICAS_AFTER_APPEND
                | UNKNOWN_LEADER_EPOCH
        )
}

/// Whether a leader that answers Produce with this error has certainly not appended the batch.
///
/// Only errors that a leader finds before it appends. "Not leader" and "unknown partition" are none: a leader
/// that loses the partition while it waits for followers (acks=all) says the same.
pub fn certainly_not_written(error: i16) -> bool {
    matches!(
        error,
        CORRUPT_MESSAGE
            | MESSAGE_TOO_LARGE
            | INVALID_TOPIC_EXCEPTION
            | RECORD_LIST_TOO_LARGE
            | NOT_ENOUGH_REPLICAS
            | INVALID_REQUIRED_ACKS
            | TOPIC_AUTHORIZATION_FAILED
            | INVALID_TIMESTAMP
            | INVALID_REQUEST
            | UNSUPPORTED_FOR_MESSAGE_FORMAT
            | INVALID_RECORD
    )
}

/// The API versions that the Java client of a release uses towards brokers of the same release.
///
/// Where the simulation has no older form (record batches before v2, message sets), 0.10 speaks as 0.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersions {
    /// Produce
    pub produce: i16,
    /// Fetch; never 13 or above, which need topic ids
    pub fetch: i16,
    /// ListOffsets
    pub list_offsets: i16,
    /// Metadata
    pub metadata: i16,
    /// OffsetForLeaderEpoch; `None` before 2.3 (KAFKA-7747), where consumers neither ask for the end of an
    /// epoch nor send the one they know
    pub offset_for_leader_epoch: Option<i16>,
    /// CreateTopics
    pub create_topics: i16,
    /// DescribeConfigs
    pub describe_configs: i16,
    /// InitProducerId; `None` before 0.11
    pub init_producer_id: Option<i16>,
}

impl ApiVersions {
    /// Those of release `version`.
    pub fn of(version: KafkaVersion) -> Self {
        let of = |api| highest_sent(version, api).expect("every release speaks it");
        let asks_for_epochs = version.has(Change::ConsumerChecksEpochEnd);
        Self {
            produce: of(ApiKey::Produce),
            fetch: of(ApiKey::Fetch),
            list_offsets: of(ApiKey::ListOffsets),
            metadata: of(ApiKey::Metadata),
            offset_for_leader_epoch: asks_for_epochs.then(|| of(ApiKey::OffsetForLeaderEpoch)),
            // 0.10 does not know it, and its brokers are not asked.
            describe_configs: highest(version, ApiKey::DescribeConfigs).unwrap_or(0),
            create_topics: of(ApiKey::CreateTopics),
            init_producer_id: highest(version, ApiKey::InitProducerId),
        }
    }
}

/// A string as messages hold it.
pub fn text(from: &str) -> StrBytes {
    StrBytes::from_string(from.to_owned())
}

/// A topic's name as messages hold it.
pub fn topic_name(from: &str) -> TopicName {
    TopicName(text(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_speaks_versions_that_grow_with_it() {
        let mut before = ApiVersions::of(KafkaVersion::ALL[0]);
        for version in KafkaVersion::ALL {
            let now = ApiVersions::of(*version);
            assert!(now.produce >= before.produce && now.fetch >= before.fetch, "{version}");
            assert!(now.metadata >= before.metadata && now.fetch <= 12, "{version}");
            before = now;
        }
        let of = |major, minor| ApiVersions::of(KafkaVersion::new(major, minor));
        assert_eq!((of(1, 0).produce, of(2, 1).produce, of(3, 9).produce), (5, 7, 11));
        assert_eq!(
            (of(1, 0).fetch, of(2, 0).fetch, of(2, 1).fetch, of(2, 8).fetch),
            (6, 8, 10, 12)
        );
        assert_eq!(of(2, 2).offset_for_leader_epoch, None);
        assert_eq!(of(2, 3).offset_for_leader_epoch, Some(3));
        // What a 0.10.2 broker serves; one version more, and it closes the connection.
        let oldest = of(0, 10);
        assert_eq!((oldest.produce, oldest.fetch, oldest.list_offsets), (2, 3, 1));
        assert_eq!((oldest.metadata, oldest.create_topics), (2, 1));
    }

    #[test]
    fn the_name_of_error_6_changed_in_2_6() {
        assert_eq!(error_name(KafkaVersion::new(2, 5), 6), "NOT_LEADER_FOR_PARTITION");
        assert_eq!(error_name(KafkaVersion::new(2, 6), 6), "NOT_LEADER_OR_FOLLOWER");
    }

    #[test]
    fn what_may_have_been_written_is_never_called_certain() {
        for error in [-1, 3, 5, 6, 7, 13, 20, 56] {
            assert!(!certainly_not_written(error), "{error}");
        }
        for error in [2, 10, 19, 21] {
            assert!(certainly_not_written(error), "{error}");
        }
    }
}
