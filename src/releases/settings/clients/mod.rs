//! Settings of producers, consumers and admin clients.
//!
//! Source: `ProducerConfig.CONFIG`, `ConsumerConfig.CONFIG` and `AdminClientConfig.CONFIG`, printed from the jars of
//! kafka-clients 0.10.2.2 to 3.9.1, the newest of every line. The sentences are ours.

mod admin;
mod common;
mod consumer;
mod producer;

use super::{Setting, shared::SHARED};
use crate::releases::KafkaVersion;
use crate::releases::defaults;

/// Keys that a scenario's client has for a setting, beside the properties of its kind.
const KEYS: [(Client, &str); 6] = [
    (Client::Producer, "acks"),
    (Client::Producer, "enable.idempotence"),
    (Client::Producer, "transactional.id"),
    (Client::Consumer, "group.id"),
    (Client::Consumer, "group.instance.id"),
    (Client::Consumer, "partition.assignment.strategy"),
];

/// A kind of Kafka's Java clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `KafkaProducer`.
    Producer,
    /// `KafkaConsumer`.
    Consumer,
    /// `AdminClient`, since 0.11.
    Admin,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Producer, Self::Consumer, Self::Admin];

    /// Its settings of all releases, in no order.
    pub fn settings(self) -> impl Iterator<Item = &'static Setting> {
        let own = match self {
            Self::Producer => producer::PRODUCER,
            Self::Consumer => consumer::CONSUMER,
            Self::Admin => admin::ADMIN,
        };
        own.iter().chain(common::COMMON).chain(SHARED)
    }

    /// The first line of Kafka that has it.
    fn first(self) -> KafkaVersion {
        match self {
            Self::Producer | Self::Consumer => crate::releases::first::V0_10,
            Self::Admin => crate::releases::first::V0_11,
        }
    }

    /// What it may set in `version`, in no order.
    pub fn settings_in(self, version: KafkaVersion) -> impl Iterator<Item = &'static Setting> {
        let is_there = version.at_least(self.first());
        self.settings().filter(move |setting| is_there && setting.default_in(version).is_some())
    }

    /// Whether a scenario can set it for this kind of client, because the simulation obeys it.
    pub fn obeys(self, name: &str) -> bool {
        let properties: &[&[defaults::Property]] = match self {
            Self::Producer => &[defaults::PRODUCER, defaults::TRANSACTIONAL],
            Self::Consumer => &[defaults::CONSUMER, defaults::MEMBER],
            Self::Admin => &[],
        };
        let mut properties = properties.iter().copied().flatten();
        KEYS.contains(&(self, name)) || properties.any(|property| property.name == name)
    }
}

/// Whether a client of any release has a setting of this name that no client of a scenario obeys.
pub fn is_not_obeyed(name: &str) -> bool {
    let has = |client: Client| client.settings().any(|setting| setting.name == name);
    Client::ALL.into_iter().any(has) && !Client::ALL.into_iter().any(|client| client.obeys(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::releases::defaults::{
        ACKS, CONSUMER, DefaultValue, MEMBER, PRODUCER, TRANSACTIONAL,
    };

    #[test]
    fn there_are_as_many_settings_as_the_jars_have() {
        // Printed from the jar of the newest release of each line.
        for (version, producer, consumer, admin) in [
            ("0.10", 51, 55, 0),
            ("0.11", 53, 57, 38),
            ("1.1", 53, 57, 38),
            ("2.0", 60, 65, 45),
            ("2.8", 71, 77, 54),
            ("3.3", 87, 91, 68),
            ("3.9", 95, 98, 74),
        ] {
            let version = version.parse().unwrap();
            let counts = Client::ALL.map(|client| client.settings_in(version).count());
            assert_eq!(counts, [producer, consumer, admin], "{version}");
        }
    }

    #[test]
    fn a_release_has_each_name_once_in_a_client() {
        for client in Client::ALL {
            for &version in KafkaVersion::ALL {
                let all: Vec<_> = client.settings_in(version).map(|setting| setting.name).collect();
                let names: BTreeSet<_> = all.iter().collect();
                assert_eq!(names.len(), all.len(), "{client:?} of {version}");
            }
            for setting in client.settings() {
                assert!(setting.documentation.ends_with('.'), "{}", setting.name);
                assert!(
                    setting.history().is_sorted_by_key(|(since, _)| *since),
                    "{}",
                    setting.name
                );
            }
        }
    }

    #[test]
    fn what_clients_of_a_scenario_obey_has_the_default_of_the_table() {
        use Client::{Consumer, Producer};
        for (client, properties) in [
            (Producer, PRODUCER),
            (Producer, TRANSACTIONAL),
            (Consumer, CONSUMER),
            (Consumer, MEMBER),
        ] {
            for property in properties {
                for &version in KafkaVersion::ALL {
                    let mut settings = client.settings_in(version);
                    let setting = settings.find(|setting| setting.name == property.name);
                    let default = setting.and_then(|setting| setting.default_in(version));
                    let text = property.default_in(version).map(|default| match default {
                        DefaultValue::Unset => None,
                        set => Some(set.to_string()),
                    });
                    let expected = default.map(|text| text.map(str::to_owned));
                    assert_eq!(text, expected, "{} in {version}", property.name);
                }
            }
        }
        for &version in KafkaVersion::ALL {
            let mut settings = Producer.settings_in(version);
            let acks = settings.find(|setting| setting.name == "acks").unwrap();
            assert_eq!(acks.default_in(version).unwrap(), defaults::in_force(ACKS, version));
        }
    }

    #[test]
    fn defaults_follow_the_release() {
        let default = |client: Client, name, version: &str| {
            let version = version.parse().unwrap();
            let setting = client.settings_in(version).find(|setting| setting.name == name);
            setting.map(|setting| setting.default_in(version).unwrap())
        };
        use Client::{Admin, Consumer, Producer};
        assert_eq!(default(Producer, "enable.idempotence", "2.8"), Some(Some("false")));
        assert_eq!(default(Producer, "enable.idempotence", "3.0"), Some(Some("true")));
        assert_eq!(default(Consumer, "session.timeout.ms", "2.8"), Some(Some("10000")));
        assert_eq!(default(Consumer, "session.timeout.ms", "3.0"), Some(Some("45000")));
        assert_eq!(default(Consumer, "request.timeout.ms", "1.1"), Some(Some("305000")));
        assert_eq!(default(Consumer, "request.timeout.ms", "2.0"), Some(Some("30000")));
        assert_eq!(default(Admin, "retries", "2.4"), Some(Some("5")));
        assert_eq!(default(Producer, "timeout.ms", "0.11"), None);
    }
}
