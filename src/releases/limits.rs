//! Which numbers a property may be: what a release allows where releases differ, and why the range of
//! [`defaults`](super::defaults) is narrower than Kafka's own.
//!
//! Source: the validators of `KafkaConfig`, `LogConfig`, `ProducerConfig` and `ConsumerConfig` (`atLeast`,
//! `between`) at the tags 0.10.2.0 … 3.9.0-rc3, and `QuorumPeerConfig` of ZooKeeper 3.6.

use std::ops::RangeInclusive;

use super::KafkaVersion;
use super::defaults::{Kind, Property};
use super::first::{V2_1, V2_3, V3_3};

/// Which class of Kafka reads a table of properties, by the table's title in a scenario.
const READERS: &[(&str, &str)] = &[
    ("[broker]", "KafkaConfig"),
    ("[[topic]]", "LogConfig"),
    ("[[producer]]", "ProducerConfig"),
    ("[[consumer]]", "ConsumerConfig"),
    ("group", "ConsumerConfig"),
    ("[zookeeper]", "QuorumPeerConfig"),
];

const INT: i64 = i32::MAX as i64;

/// A range that only some releases have: from the first named one up to, but without, the second.
struct InSome {
    table: &'static str,
    name: &'static str,
    from: Option<KafkaVersion>,
    before: Option<KafkaVersion>,
    min: i64,
    max: i64,
}

const IN_SOME: &[InSome] = &[
    // A LONG; the two releases after KIP-91 made it an INT.
    InSome {
        table: "[[producer]]",
        name: "linger.ms",
        from: Some(V2_1),
        before: Some(V2_3),
        min: 0,
        max: INT,
    },
    // Not the period of a task, as the broker's is.
    InSome {
        table: "[[topic]]",
        name: "flush.ms",
        from: None,
        before: None,
        min: 0,
        max: i64::MAX,
    },
    // Each append is flushed with 1, and was with 0.
    InSome {
        table: "[[topic]]",
        name: "flush.messages",
        from: None,
        before: Some(V3_3),
        min: 0,
        max: i64::MAX,
    },
];

const SCHEDULED: &str = "it is the period of a scheduled task; Kafka's scheduler refuses 0 (up to \
                         3.4) or does the task once";
const UNCHECKED: &str = "Kafka does not check it, but a smaller one has no meaning";

/// Ranges that are narrower than Kafka's, and why.
const NARROWER: &[(&str, &str, &str)] = &[
    ("[broker]", "replica.high.watermark.checkpoint.interval.ms", SCHEDULED),
    ("[broker]", "log.flush.offset.checkpoint.interval.ms", SCHEDULED),
    ("[broker]", "log.flush.interval.ms", SCHEDULED),
    (
        "[broker]",
        "replica.lag.time.max.ms",
        "half of it is the period of a scheduled task; Kafka's scheduler refuses 0 (up to 3.4) or \
         does the task once",
    ),
    (
        "[broker]",
        "default.replication.factor",
        "Kafka does not check it, but cuts it to 16 bits when it creates a topic",
    ),
    ("[broker]", "zookeeper.session.timeout.ms", UNCHECKED),
    ("[broker]", "replica.fetch.wait.max.ms", UNCHECKED),
    ("[broker]", "replica.fetch.min.bytes", UNCHECKED),
    ("[broker]", "replica.socket.timeout.ms", UNCHECKED),
    ("[broker]", "leader.imbalance.check.interval.seconds", UNCHECKED),
    ("[broker]", "leader.imbalance.per.broker.percentage", UNCHECKED),
    ("[broker]", "controller.socket.timeout.ms", UNCHECKED),
    ("[broker]", "controlled.shutdown.max.retries", UNCHECKED),
    ("[broker]", "controlled.shutdown.retry.backoff.ms", UNCHECKED),
    ("[broker]", "request.timeout.ms", UNCHECKED),
    (
        "[zookeeper]",
        "tickTime",
        "the longest session is 20 ticks, which ZooKeeper keeps in 32 bits",
    ),
    ("[zookeeper]", "snapCount", "ZooKeeper takes 2 for anything less"),
];

impl Property {
    /// The numbers that it may be in `version`, in the table that scenarios call `table`; `None` when it is no number.
    pub fn range_in(&self, table: &str, version: KafkaVersion) -> Option<RangeInclusive<i64>> {
        let Kind::Number { min, max, .. } = self.kind else { return None };
        let in_force = |row: &&InSome| {
            let is_over = row.before.is_some_and(|before| version.at_least(before));
            let has_begun = row.from.is_none_or(|from| version.at_least(from));
            (row.table, row.name) == (table, self.name) && has_begun && !is_over
        };
        let row = IN_SOME.iter().find(in_force);
        Some(row.map_or(min..=max, |row| row.min..=row.max))
    }

    /// Where its range in `version` comes from: a sentence for a hint.
    pub fn source_of_range(&self, table: &str, version: KafkaVersion) -> String {
        let row = NARROWER.iter().find(|(of, name, _)| (*of, *name) == (table, self.name));
        if let Some((_, _, why)) = row {
            return (*why).to_owned();
        }
        let reader = READERS.iter().find(|(of, _)| *of == table).map_or("Kafka", |(_, name)| *name);
        let range = self.range_in(table, version).unwrap_or(0..=0);
        let (min, max) = range.into_inner();
        match table {
            "[zookeeper]" => format!("ZooKeeper's {reader} allows {min} to {max}"),
            _ => format!("Kafka {version}'s {reader} allows {min} to {max}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::defaults::{BROKER, CONSUMER, PRODUCER, TOPIC, ZOOKEEPER};

    fn find(table: &str, name: &str) -> Option<&'static Property> {
        let of = |properties: &'static [Property], name: &str| {
            properties.iter().find(|property| property.name == name)
        };
        match table {
            "[broker]" => of(BROKER, name),
            "[[topic]]" => of(BROKER, TOPIC.iter().find(|(own, _)| *own == name)?.1),
            "[[producer]]" => of(PRODUCER, name),
            "[[consumer]]" => of(CONSUMER, name),
            "[zookeeper]" => of(ZOOKEEPER, name),
            _ => None,
        }
    }

    #[test]
    fn every_row_is_of_a_property_of_its_table() {
        let narrower = NARROWER.iter().map(|(table, name, _)| (*table, *name));
        for (table, name) in narrower.chain(IN_SOME.iter().map(|row| (row.table, row.name))) {
            let property = find(table, name).unwrap_or_else(|| panic!("{table} has no {name}"));
            assert!(matches!(property.kind, Kind::Number { .. }), "{table} {name}");
        }
    }

    #[test]
    fn a_range_is_that_of_the_release() {
        let linger = find("[[producer]]", "linger.ms").unwrap();
        let longest = ["2.0", "2.1", "2.2", "2.3", "3.9"].map(|of| {
            *linger.range_in("[[producer]]", of.parse().unwrap()).expect("a number").end()
        });
        assert_eq!(longest, [i64::MAX, INT, INT, i64::MAX, i64::MAX]);
        let flush =
            Property { name: "flush.messages", ..*find("[[topic]]", "flush.messages").unwrap() };
        let least = ["2.8", "3.2", "3.3"]
            .map(|of| *flush.range_in("[[topic]]", of.parse().unwrap()).expect("a number").start());
        assert_eq!(least, [0, 0, 1]);
    }
}
