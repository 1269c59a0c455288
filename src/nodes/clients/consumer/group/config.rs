//! The settings of a member of a group, under Kafka's names.

use std::sync::Arc;
use std::time::Duration;

use super::super::assignors::Strategy;

/// When the application commits its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitPolicy {
    /// `enable.auto.commit`: the client commits in `poll`, this long after the last time; also before it gives up
    /// partitions, and when it closes.
    Auto(Duration),
    /// The application commits what it polled before it processes it: at most once.
    BeforeProcessing,
    /// The application commits what it polled after it has processed it: at least once.
    AfterProcessing,
    /// Nothing is committed.
    Never,
}

/// The settings of a member of a group, and how its application works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.id`
    pub id: Arc<str>,
    /// `group.instance.id` of a static member (2.3+)
    pub instance: Option<Arc<str>>,
    /// `partition.assignment.strategy`, the preferred first
    pub strategies: Vec<Strategy>,
    /// `session.timeout.ms`
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`
    pub max_poll_interval: Duration,
    /// `max.poll.records`
    pub max_poll_records: usize,
    /// `default.api.timeout.ms`: how long the application's commits are tried (2.0+; before, without end).
    pub api_timeout: Option<Duration>,
    /// When positions are committed.
    pub commit: CommitPolicy,
    /// How long the application takes for a record.
    pub processing: Duration,
}
