//! Settings of a topic, as its replicas need them: the broker's, overridden by `/config/topics/T`.

use std::str::FromStr;
use std::time::Duration;

use crate::nodes::broker::log::{LogSettings, Retention};
use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::Change;
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
    /// `cleanup.policy` has `compact`: records need a key.
    pub compacted: bool,
    /// `cleanup.policy` has `delete`.
    pub deletes: bool,
    /// `compression.type`; `None` keeps the producer's.
    pub codec: Option<u8>,
    /// `message.timestamp.type` is `LogAppendTime`.
    pub append_time: bool,
    /// `message.timestamp.before.max.ms`, before 3.6 `message.timestamp.difference.max.ms`
    pub time_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`, before 3.6 `message.timestamp.difference.max.ms`
    pub time_after_max_ms: i64,
    /// The format in which clients are to find records: 0, 1 or 2 (`message.format.version`).
    pub magic: i8,
    /// `flush.ms`
    pub flush_interval: Duration,
    /// What is deleted of its log; nothing where `cleanup.policy` is `compact` alone.
    pub retention: Option<Retention>,
    /// What appends obey.
    pub log: LogSettings,
}

/// A topic's own setting, or its broker's; nothing where neither is set.
fn own<'a>(
    config: &'a Config,
    overrides: &'a TopicOverrides,
    name: &str,
    of_broker: &str,
) -> Option<&'a str> {
    overrides.get(name).map(String::as_str).or_else(|| config.set(of_broker))
}

fn codec(name: Option<&str>) -> Option<u8> {
    let codecs = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];
    let found = codecs.iter().position(|codec| Some(*codec) == name)?;
    u8::try_from(found).ok()
}

/// How far a record's time may be behind, and ahead.
fn time_bounds(config: &Config, overrides: &TopicOverrides) -> (i64, i64) {
    let bound = |kind: &str| {
        let name = format!("message.timestamp.{kind}.max.ms");
        let text = own(config, overrides, &name, &format!("log.{name}"));
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(i64::MAX)
    };
    // The older setting counts where the newer ones are not set.
    let difference: i64 = bound("difference");
    let or_old = |kind| match bound(kind) {
        i64::MAX => difference,
        bound => bound,
    };
    (or_old("before"), or_old("after"))
}

fn magic(config: &Config, overrides: &TopicOverrides) -> i8 {
    let name = "message.format.version";
    let set = own(config, overrides, name, "log.message.format.version");
    if !config.version.has(Change::BatchesOfFormat2) {
        return set.map_or(1, magic_of).min(1);
    }
    match set {
        Some(text) if !config.version.has(Change::MessageFormatIgnored) => magic_of(text),
        _ => 2,
    }
}

/// The format of a release: 0 up to 0.9, 1 of 0.10, and 2 since.
fn magic_of(release: &str) -> i8 {
    match release.trim() {
        old if old.starts_with("0.8") || old.starts_with("0.9") => 0,
        old if old.starts_with("0.10") => 1,
        _ => 2,
    }
}

/// A time of the broker in milliseconds, which may be set in minutes or hours instead: a week, where it is not set.
fn of_hours(config: &Config, name: &str) -> i64 {
    const MINUTE: i64 = 60_000;
    let units = [("ms", 1), ("minutes", MINUTE), ("hours", 60 * MINUTE)];
    let set = units.iter().find_map(|(unit, ms)| {
        let number: i64 = config.set(&format!("{name}.{unit}"))?.trim().parse().ok()?;
        Some(if number < 0 { -1 } else { number.saturating_mul(*ms) })
    });
    set.unwrap_or(7 * 24 * 60 * MINUTE)
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
            segment_ms: overridden(overrides, "segment.ms", of_hours(config, "log.roll")),
            flush_messages: overridden(
                overrides,
                "flush.messages",
                config.log_flush_interval_messages,
            ),
        };
        let flush_ms = overridden(
            overrides,
            "flush.ms",
            u64::try_from(config.flush_interval().as_millis()).unwrap_or(u64::MAX),
        );
        let min_insync_replicas =
            overridden(overrides, "min.insync.replicas", config.min_insync_replicas);
        let (time_before_max_ms, time_after_max_ms) = time_bounds(config, overrides);
        let cleanup = own(config, overrides, "cleanup.policy", "log.cleanup.policy");
        let time = own(config, overrides, "message.timestamp.type", "log.message.timestamp.type");
        let deletes = cleanup.is_none_or(|policy| policy.contains("delete"));
        let bytes = config.set("log.retention.bytes");
        let bytes = bytes.and_then(|text| text.trim().parse().ok()).unwrap_or(-1);
        let retention = Retention {
            bytes: overridden(overrides, "retention.bytes", bytes),
            ms: overridden(overrides, "retention.ms", of_hours(config, "log.retention")),
        };
        Self {
            compacted: cleanup.is_some_and(|policy| policy.contains("compact")),
            deletes,
            retention: deletes.then_some(retention),
            codec: codec(own(config, overrides, "compression.type", "compression.type")),
            append_time: time == Some("LogAppendTime"),
            time_before_max_ms,
            time_after_max_ms,
            magic: magic(config, overrides),
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
            flush_interval: Duration::from_millis(flush_ms),
            log,
        }
    }
}
