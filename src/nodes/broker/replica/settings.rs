//! Settings of a topic, as its replicas need them: the broker's, overridden by `/config/topics/T`.

use std::str::FromStr;

use crate::nodes::broker::log::LogSettings;
use crate::nodes::broker::{Config, TopicOverrides};
use crate::vocab::Mutant;

/// Settings of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// `min.insync.replicas`
    pub min_insync_replicas: i32,
    /// `max.message.bytes`
    pub max_message_bytes: i32,
    /// `unclean.leader.election.enable`
    pub unclean_leader_election: bool,
    /// What appends obey.
    pub log: LogSettings,
}

fn overridden<T: FromStr>(overrides: &TopicOverrides, name: &str, default: T) -> T {
    let Some(text) = overrides.get(name) else { return default };
    text.parse().unwrap_or_else(|_| {
        tracing::warn!("topic setting {name}={text} cannot be read; the broker's stays");
        default
    })
}

impl TopicSettings {
    /// The broker's settings where the topic has none of its own.
    pub fn new(config: &Config, overrides: &TopicOverrides) -> Self {
        let log = LogSettings {
            segment_bytes: overridden(overrides, "segment.bytes", config.log_segment_bytes),
            flush_messages: overridden(
                overrides,
                "flush.messages",
                config.log_flush_interval_messages,
            ),
        };
        let min_insync_replicas =
            overridden(overrides, "min.insync.replicas", config.min_insync_replicas);
        Self {
            min_insync_replicas: match config.is(Mutant::IgnoreMinInsyncReplicas) {
                true => 1,
                false => min_insync_replicas,
            },
            max_message_bytes: overridden(overrides, "max.message.bytes", config.message_max_bytes),
            unclean_leader_election: overridden(
                overrides,
                "unclean.leader.election.enable",
                config.unclean_leader_election,
            ),
            log,
        }
    }
}
