//! A consumer's settings, under Kafka's names.

use std::sync::Arc;
use std::time::Duration;

use super::group::GroupConfig;
use crate::nodes::clients::connections::ConnectionConfig;
use crate::nodes::clients::defaults::Defaults;
use crate::releases::KafkaVersion;
use crate::releases::defaults::CONSUMER;
use crate::vocab::{Mutant, NodeId, Time, TopicPattern};

/// Where a consumer begins in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// At the log's first offset (`--from-beginning`).
    Beginning,
    /// At the high watermark.
    End,
}

/// `auto.offset.reset`: where a consumer goes on when its position is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPolicy {
    /// `earliest`: at the log's first offset.
    Earliest,
    /// `latest`: at the high watermark.
    Latest,
    /// `none`: the application gets an exception; here, the partition is read no further.
    None,
}

/// The properties of one consumer. Without a group it reads all partitions of its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// `client.id`
    pub name: Arc<str>,
    /// The release it behaves like.
    pub version: KafkaVersion,
    /// The bug that is planted in it, if any.
    pub mutant: Option<Mutant>,
    /// `bootstrap.servers`
    pub bootstrap: Vec<NodeId>,
    /// The topics that it reads.
    pub topics: Vec<Arc<str>>,
    /// A pattern of the topics that it reads, as a member of a group and instead of `topics`.
    pub matching: Option<TopicPattern>,
    /// It does nothing before this moment of the node's monotonic clock.
    pub start: Time,
    /// Where it begins, without a group.
    pub from: StartFrom,
    /// Its group, if it is in one.
    pub group: Option<GroupConfig>,
    /// `auto.offset.reset`
    pub auto_offset_reset: ResetPolicy,
    /// `isolation.level=read_committed`: it reads up to the last stable offset, and no records of aborted transactions.
    pub read_committed: bool,
    /// `fetch.min.bytes`
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes`
    pub fetch_max_bytes: i32,
    /// `max.partition.fetch.bytes`
    pub max_partition_fetch_bytes: i32,
    /// `retry.backoff.ms`
    pub retry_backoff: Duration,
    /// `metadata.max.age.ms`
    pub metadata_max_age: Duration,
    /// `allow.auto.create.topics` (2.3+; before, always)
    pub allow_auto_create: bool,
    /// `request.timeout.ms`, `reconnect.backoff.ms` …
    pub connection: ConnectionConfig,
}

impl ConsumerConfig {
    /// Whether this bug is planted.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The defaults of release `version`, except that it begins at the beginning.
    pub fn new(
        name: impl Into<Arc<str>>,
        version: KafkaVersion,
        bootstrap: Vec<NodeId>,
        topics: Vec<Arc<str>>,
    ) -> Self {
        let defaults = Defaults { properties: CONSUMER, version };
        Self {
            name: name.into(),
            version,
            mutant: None,
            bootstrap,
            topics,
            matching: None,
            start: Time::ZERO,
            from: StartFrom::Beginning,
            group: None,
            auto_offset_reset: ResetPolicy::Latest,
            read_committed: false,
            fetch_min_bytes: defaults.number("fetch.min.bytes"),
            fetch_max_wait: defaults.millis("fetch.max.wait.ms"),
            fetch_max_bytes: defaults.number("fetch.max.bytes"),
            max_partition_fetch_bytes: defaults.number("max.partition.fetch.bytes"),
            retry_backoff: defaults.millis("retry.backoff.ms"),
            metadata_max_age: defaults.millis("metadata.max.age.ms"),
            allow_auto_create: true,
            connection: defaults.connection(),
        }
    }
}
