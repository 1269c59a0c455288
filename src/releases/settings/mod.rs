//! Every setting of topics, brokers and clients: name, type, default, what it may be, whether it changes without a
//! restart, and what it does.
//!
//! Source: Kafka's own tables (`LogConfig`, `KafkaConfig`, `DynamicBrokerConfig`), read from the jars of the newest
//! release of every line, and compared with what real brokers answer to DescribeConfigs. The sentences are ours.
//! DescribeConfigs, CreateTopics and scenarios read this table; [`is_obeyed`] tells what the simulation obeys.

mod broker;
mod check;
pub mod clients;
mod logs;
mod parts;
mod security;
mod shared;
mod topic;

use super::KafkaVersion;
use super::defaults;

pub use check::{check, conflict};

/// What a value is (`ConfigDef.Type`); the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Boolean = 1,
    /// A text.
    String = 2,
    /// A number of 32 bits.
    Int = 3,
    /// A number of 16 bits.
    Short = 4,
    /// A number of 64 bits.
    Long = 5,
    /// A number with a fraction.
    Double = 6,
    /// Texts with commas between them.
    List = 7,
    /// The name of a Java class.
    Class = 8,
    /// A text that is never shown.
    Password = 9,
}

/// The value of a setting that is not set, from a release on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultText {
    /// This one.
    Is(&'static str),
    /// Nothing.
    Null,
    /// It has to be set.
    Required,
    /// The release has no such setting any more.
    Gone,
}

/// What a value may be, beside being of its type (`ConfigDef.Validator`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// Anything.
    Any,
    /// This number or more.
    AtLeast(i64),
    /// A number from the first to the second.
    Between(i64, i64),
    /// 1 to 9, or −1 for gzip's own default.
    Gzip,
    /// Not empty.
    NonEmpty,
    /// One of these words; of a list, each.
    OneOf(&'static [&'static str]),
    /// A release that is not newer than the broker's.
    Release,
    /// `*`, or pairs of partition and broker.
    Throttled,
    /// A number with a fraction from the first to the second.
    Within(&'static str, &'static str),
}

/// Whether a setting of a broker can be changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// No.
    Never,
    /// Since this release (KIP-226).
    Since(KafkaVersion),
    /// No, but 1.1 to 2.3 said so, because another setting of the same meaning can.
    BySynonym,
}

/// A row: what one setting is, in the releases that have it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Type,
    /// The setting that is taken where this one is not set: of a topic, its broker's; empty when there is none.
    pub otherwise: &'static str,
    dynamic: Dynamic,
    defaults: &'static [(KafkaVersion, DefaultText)],
    allowed: &'static [(KafkaVersion, Allowed)],
    /// What it does, in a sentence.
    pub documentation: &'static str,
}

const ANY: &[(KafkaVersion, Allowed)] = &[(super::first::V0_10, Allowed::Any)];
const AT_LEAST_0: &[(KafkaVersion, Allowed)] = &[(super::first::V0_10, Allowed::AtLeast(0))];
const AT_LEAST_1: &[(KafkaVersion, Allowed)] = &[(super::first::V0_10, Allowed::AtLeast(1))];
/// The message format that a release stores by default.
const MESSAGE_FORMATS: &[(KafkaVersion, DefaultText)] = {
    use super::first::*;
    use DefaultText::Is;
    &[
        (V0_10, Is("0.10.2-IV0")),
        (V0_11, Is("0.11.0-IV2")),
        (V1_0, Is("1.0-IV0")),
        (V1_1, Is("1.1-IV0")),
        (V2_0, Is("2.0-IV1")),
        (V2_1, Is("2.1-IV2")),
        (V2_2, Is("2.2-IV1")),
        (V2_3, Is("2.3-IV1")),
        (V2_4, Is("2.4-IV1")),
        (V2_5, Is("2.5-IV0")),
        (V2_6, Is("2.6-IV0")),
        (V2_7, Is("2.7-IV2")),
        (V2_8, Is("2.8-IV1")),
        (V3_0, Is("3.0-IV1")),
    ]
};
/// Before zstd, and in Kafka's order.
const OLD_CODECS: &[&str] = &["uncompressed", "snappy", "lz4", "gzip", "producer"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

macro_rules! settings {
    ($table:ident; $(
        $name:literal: $kind:ident, $otherwise:literal, $dynamic:expr,
        $defaults:expr, $allowed:expr,
        $documentation:literal;
    )*) => {
        /// The rows.
        pub(super) const $table: &[Setting] = &[$(Setting {
            name: $name,
            kind: $crate::releases::settings::Type::$kind,
            otherwise: $otherwise,
            dynamic: $dynamic,
            defaults: $defaults,
            allowed: $allowed,
            documentation: $documentation,
        },)*];
    };
}
use settings;

const BROKER_TABLES: [&[Setting]; 5] =
    [broker::GENERAL, logs::LOGS, parts::PARTS, security::SECURITY, shared::SHARED];

impl Setting {
    /// What holds in `version` where it is not set; `None` when that release has no such setting. The outer option of
    /// the answer is that, the inner one the value, which may be nothing.
    pub fn default_in(&self, version: KafkaVersion) -> Option<Option<&'static str>> {
        match defaults::in_force(self.defaults, version)? {
            DefaultText::Is(text) => Some(Some(text)),
            DefaultText::Null | DefaultText::Required => Some(None),
            DefaultText::Gone => None,
        }
    }

    /// Its defaults, each from a release on, and so where it came and went.
    pub fn history(&self) -> &'static [(KafkaVersion, DefaultText)] {
        self.defaults
    }

    /// What it may be in `version`.
    pub fn allowed_in(&self, version: KafkaVersion) -> Allowed {
        defaults::in_force(self.allowed, version).unwrap_or(Allowed::Any)
    }

    /// Whether it is never shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Type::Password
    }

    /// Whether it can be changed while a broker of `version` runs.
    pub fn changes_while_running(&self, version: KafkaVersion) -> bool {
        matches!(self.dynamic, Dynamic::Since(first) if version.at_least(first))
    }

    /// Whether a broker of `version` says that it can be changed while it runs.
    pub fn is_dynamic(&self, version: KafkaVersion) -> bool {
        match self.dynamic {
            Dynamic::Never => false,
            Dynamic::Since(first) => version.at_least(first),
            Dynamic::BySynonym => {
                version.at_least(super::first::V1_1) && !version.at_least(super::first::V2_4)
            }
        }
    }
}

/// What a topic may set for itself in `version`, by name.
pub fn of_topics(version: KafkaVersion) -> impl Iterator<Item = &'static Setting> {
    topic::TOPIC.iter().filter(move |setting| setting.default_in(version).is_some())
}

/// What a broker may set in `version`, in no order.
pub fn of_brokers(version: KafkaVersion) -> impl Iterator<Item = &'static Setting> {
    let all = BROKER_TABLES.into_iter().flatten();
    all.filter(move |setting| setting.default_in(version).is_some())
}

/// A topic's setting.
pub fn of_topic(name: &str, version: KafkaVersion) -> Option<&'static Setting> {
    of_topics(version).find(|setting| setting.name == name)
}

/// A broker's setting.
pub fn of_broker(name: &str, version: KafkaVersion) -> Option<&'static Setting> {
    of_brokers(version).find(|setting| setting.name == name)
}

/// What topics may set, in any release.
pub fn all_of_topics() -> impl Iterator<Item = &'static Setting> {
    topic::TOPIC.iter()
}

/// What brokers may set, in any release.
pub fn all_of_brokers() -> impl Iterator<Item = &'static Setting> {
    BROKER_TABLES.into_iter().flatten()
}

/// Whether any release has a setting of topics or brokers of this name.
pub fn is_known(name: &str) -> bool {
    let all = BROKER_TABLES.into_iter().chain([topic::TOPIC]).flatten();
    all.into_iter().any(|setting| setting.name == name)
}

/// Whether a scenario can set it for brokers or topics, because the simulation obeys it.
pub fn is_obeyed(name: &str) -> bool {
    let of_topics = defaults::TOPIC.iter().any(|(own, _)| *own == name);
    of_topics || defaults::BROKER.iter().any(|property| property.name == name)
}

/// Where a setting that is not set finds its value: itself, and then what stands for it.
pub fn synonyms(setting: &'static Setting, version: KafkaVersion) -> Vec<&'static Setting> {
    let mut all = vec![setting];
    while let Some(next) = of_broker(all[all.len() - 1].otherwise, version) {
        all.push(next);
        if next.otherwise == next.name {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::releases::defaults::{BROKER, DefaultValue, TOPIC};

    fn all() -> impl Iterator<Item = &'static Setting> {
        BROKER_TABLES.into_iter().flatten()
    }

    #[test]
    fn there_are_as_many_settings_as_real_brokers_list() {
        // What DescribeConfigs of real brokers listed.
        for (version, topics, brokers) in [
            ("1.1", 24, 171),
            ("2.4", 26, 192),
            ("2.8", 26, 218),
            ("3.3", 26, 248),
            ("3.9", 36, 314),
        ] {
            let version = version.parse().unwrap();
            let counts = (of_topics(version).count(), of_brokers(version).count());
            assert_eq!(counts, (topics, brokers), "{version}");
        }
    }

    #[test]
    fn a_release_has_each_name_once() {
        for &version in KafkaVersion::ALL {
            let names: BTreeSet<_> = of_brokers(version).map(|setting| setting.name).collect();
            assert_eq!(names.len(), of_brokers(version).count(), "{version}");
        }
        for setting in all().chain(topic::TOPIC) {
            let name = setting.name;
            assert!(setting.defaults.is_sorted_by_key(|(since, _)| *since), "{name}");
            assert!(setting.documentation.ends_with('.'), "{name}");
            let other = setting.otherwise;
            assert!(other.is_empty() || all().any(|one| one.name == other), "{name}: {other}");
        }
    }

    #[test]
    fn what_the_simulation_obeys_has_the_default_of_the_table() {
        for &version in KafkaVersion::ALL {
            for property in BROKER {
                let setting = of_broker(property.name, version);
                let default = setting.and_then(|setting| setting.default_in(version));
                let text = property.default_in(version).map(|default| match default {
                    DefaultValue::Unset => None,
                    set => Some(set.to_string()),
                });
                let expected = default.map(|text| text.map(str::to_owned));
                assert_eq!(text, expected, "{} in {version}", property.name);
            }
        }
        for (own, of_broker) in TOPIC {
            let setting = of_topic(own, KafkaVersion::default()).expect("it is in the table");
            assert_eq!(setting.otherwise, *of_broker);
        }
    }

    #[test]
    fn defaults_and_dynamic_settings_follow_the_release() {
        let default = |name, version: &str| {
            let version = version.parse().unwrap();
            of_broker(name, version).map(|setting| setting.default_in(version).unwrap())
        };
        assert_eq!(default("delete.topic.enable", "0.11"), Some(Some("false")));
        assert_eq!(default("delete.topic.enable", "1.0"), Some(Some("true")));
        assert_eq!(default("advertised.host.name", "2.8"), Some(None));
        assert_eq!(default("advertised.host.name", "3.0"), None);
        let dynamic = |name, version: &str| {
            let version = version.parse().unwrap();
            of_broker(name, version).is_some_and(|setting| setting.is_dynamic(version))
        };
        assert!(!dynamic("log.cleaner.threads", "1.0") && dynamic("log.cleaner.threads", "1.1"));
        let hours = ["1.0", "1.1", "2.3", "2.4"].map(|of| dynamic("log.retention.hours", of));
        assert_eq!(hours, [false, true, true, false]);
    }

    #[test]
    fn retention_is_found_by_its_synonyms() {
        let version = KafkaVersion::new(2, 8);
        let setting = of_topic("retention.ms", version).unwrap();
        let names: Vec<_> = synonyms(setting, version).iter().map(|one| one.name).collect();
        let expected =
            ["retention.ms", "log.retention.ms", "log.retention.minutes", "log.retention.hours"];
        assert_eq!(names, expected);
        let own = of_topic("min.insync.replicas", version).unwrap();
        assert_eq!(synonyms(own, version).len(), 2);
    }
}
