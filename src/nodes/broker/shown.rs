//! Settings as clients see them: DescribeConfigs, and CreateTopics about a topic that it made.

use std::collections::BTreeMap;

use super::config::{Config, PORT, TopicOverrides};
use crate::releases::settings::{self, Setting, check, of_brokers, of_topics, synonyms};

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic.
    Topic = 1,
    /// The broker, while it runs.
    DynamicBroker = 2,
    /// All brokers, while they run.
    DynamicDefault = 3,
    /// The broker's `server.properties`.
    File = 4,
    /// Kafka's default.
    Default = 5,
    /// The broker's loggers.
    Logger = 6,
}

/// A name by which a value was found, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
}

/// A setting with its value.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its value; nothing also where it is secret.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Its row; nothing for a name that the release does not know.
    pub setting: Option<&'static Setting>,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// Under which names it was looked for, the one in force first.
    pub synonyms: Vec<Synonym>,
}

/// What is set, the level that counts most first, with where that is.
fn levels(config: &Config) -> [(BTreeMap<String, String>, Source); 3] {
    [
        (config.dynamic.of_broker.clone(), Source::DynamicBroker),
        (config.dynamic.of_all.clone(), Source::DynamicDefault),
        (set_by_file(config), Source::File),
    ]
}

/// The names in the order in which they count: what is set before defaults; nothing before the first name has a value
/// (`ConfigHelper.configSynonyms`).
fn found(config: &Config, names: &[&'static Setting]) -> Vec<Synonym> {
    let mut all = Vec::new();
    for (set, source) in levels(config) {
        all.extend(names.iter().filter_map(|setting| {
            let value = set.get(setting.name)?.clone();
            Some(Synonym { name: setting.name, value, source })
        }));
    }
    all.extend(names.iter().filter_map(|setting| {
        let value = setting.default_in(config.version)??.to_owned();
        Some(Synonym { name: setting.name, value, source: Source::Default })
    }));
    let Some(first) = names.first().map(|setting| setting.name) else { return Vec::new() };
    all.into_iter().skip_while(|synonym| synonym.name != first).collect()
}

/// The lines of `server.properties`.
fn set_by_file(config: &Config) -> BTreeMap<String, String> {
    let mut set = config.server_properties.clone();
    let mut add = |name: &str, value: String| {
        set.entry(name.to_owned()).or_insert(value);
    };
    add("broker.id", config.id.to_string());
    // Kafka fills it in from broker.id.
    add("node.id", config.id.to_string());
    add("listeners", format!("PLAINTEXT://{}:{PORT}", config.host));
    let (host, port) = match &config.external {
        Some(external) => (&external.advertised.host, external.advertised.port),
        None => (&config.host, PORT),
    };
    add("advertised.listeners", format!("PLAINTEXT://{host}:{port}"));
    let zookeepers: Vec<_> = (1..=config.zookeepers.len()).map(|n| format!("z{n}:2181")).collect();
    add("zookeeper.connect", zookeepers.join(","));
    set
}

/// A broker's settings, by name.
pub fn of_broker(config: &Config) -> Vec<Shown> {
    let levels = levels(config);
    let mut shown: Vec<_> = of_brokers(config.version)
        .map(|setting| {
            let own = levels.iter().find_map(|(set, source)| {
                let value = set.get(setting.name)?.clone();
                Some((value, *source))
            });
            let source = own.as_ref().map_or(Source::Default, |(_, source)| *source);
            let default = setting.default_in(config.version).flatten().map(str::to_owned);
            let own = own.map(|(value, _)| value);
            Shown {
                name: setting.name.to_owned(),
                value: own.or(default).filter(|_| !setting.is_sensitive()),
                source,
                setting: Some(setting),
                read_only: !setting.is_dynamic(config.version),
                synonyms: found(config, &synonyms(setting, config.version)),
            }
        })
        .collect();
    shown.sort_by(|one, two| one.name.cmp(&two.name));
    shown
}

/// What is set for all brokers while they run, by name.
pub fn of_all_brokers(config: &Config) -> Vec<Shown> {
    let shown = config.dynamic.of_all.iter().map(|(name, value)| {
        let setting = settings::of_broker(name, config.version);
        let is_secret = setting.is_none_or(Setting::is_sensitive);
        let own = setting.map(|setting| Synonym {
            name: setting.name,
            value: value.clone(),
            source: Source::DynamicDefault,
        });
        Shown {
            name: name.clone(),
            value: (!is_secret).then(|| value.clone()),
            source: Source::DynamicDefault,
            setting,
            read_only: setting.is_some_and(|setting| !setting.is_dynamic(config.version)),
            synonyms: own.into_iter().collect(),
        }
    });
    shown.collect()
}

/// What a topic has where it sets nothing: its broker's value in the unit of the topic's, or the default.
fn inherited(config: &Config, setting: &'static Setting) -> Option<String> {
    let of_broker = synonyms(setting, config.version).split_off(1);
    for (set, _) in levels(config) {
        for broker in &of_broker {
            let Some(value) = set.get(broker.name) else { continue };
            let factor = match broker.name.rsplit('.').next() {
                Some("hours") => 3_600_000,
                Some("minutes") => 60_000,
                _ => return Some(value.clone()),
            };
            return value.parse::<i64>().ok().map(|number| (number * factor).to_string());
        }
    }
    setting.default_in(config.version).flatten().map(str::to_owned)
}

/// What holds for a topic that sets `overrides`, as Kafka reads it; a value that cannot be read stays as it is.
pub fn topic_value(
    config: &Config,
    overrides: &TopicOverrides,
    setting: &'static Setting,
) -> Option<String> {
    match overrides.get(setting.name) {
        Some(own) => Some(check(setting, own, config.version).unwrap_or_else(|_| own.clone())),
        None => inherited(config, setting),
    }
}

/// A topic's settings, by name.
pub fn of_topic(config: &Config, overrides: &TopicOverrides) -> Vec<Shown> {
    let version = config.version;
    let mut shown: Vec<_> = of_topics(version)
        .map(|setting| {
            let value = topic_value(config, overrides, setting);
            let of_broker = synonyms(setting, version).split_off(1);
            let mut synonyms = found(config, &of_broker);
            if overrides.contains_key(setting.name) {
                let value = value.clone().unwrap_or_default();
                let own = Synonym { name: setting.name, value, source: Source::Topic };
                synonyms.insert(0, own);
            }
            let source = synonyms.first().map_or(Source::Default, |synonym| synonym.source);
            let name = setting.name.to_owned();
            Shown { name, value, source, setting: Some(setting), read_only: false, synonyms }
        })
        .collect();
    let strange = overrides.iter().filter(|(name, _)| settings::of_topic(name, version).is_none());
    shown.extend(strange.map(|(name, value)| Shown {
        name: name.clone(),
        value: Some(value.clone()),
        source: Source::Topic,
        setting: None,
        read_only: false,
        synonyms: Vec::new(),
    }));
    shown.sort_by(|one, two| one.name.cmp(&two.name));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::settings::broker;
    use crate::releases::KafkaVersion;

    fn one<'a>(shown: &'a [Shown], name: &str) -> &'a Shown {
        shown.iter().find(|one| one.name == name).expect("it is listed")
    }

    #[test]
    fn a_topic_takes_its_brokers_settings_under_other_names_and_units() {
        let mut config = broker(1, KafkaVersion::new(2, 8), Vec::new());
        for (name, value) in [("log.retention.hours", "2"), ("log.segment.bytes", "1024")] {
            config.server_properties.insert(name.to_owned(), value.to_owned());
        }
        let shown = of_topic(&config, &TopicOverrides::new());
        let segment = one(&shown, "segment.bytes");
        assert_eq!((segment.value.as_deref(), segment.source), (Some("1024"), Source::File));
        let sources: Vec<_> = segment.synonyms.iter().map(|one| (one.name, one.source)).collect();
        let name = "log.segment.bytes";
        assert_eq!(sources, [(name, Source::File), (name, Source::Default)]);
        // Kafka says default: log.retention.ms itself is not set.
        let retention = one(&shown, "retention.ms");
        assert_eq!(retention.value.as_deref(), Some("7200000"));
        assert_eq!((retention.source, retention.synonyms.len()), (Source::Default, 0));
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut config = broker(1, KafkaVersion::new(2, 8), Vec::new());
        config.server_properties.insert("ssl.key.password".to_owned(), "secret".to_owned());
        let shown = of_broker(&config);
        assert_eq!(one(&shown, "ssl.key.password").value, None);
        assert_eq!(one(&shown, "broker.id").source, Source::File);
        assert!(
            one(&shown, "broker.id").read_only && !one(&shown, "log.cleaner.threads").read_only
        );
    }
}
