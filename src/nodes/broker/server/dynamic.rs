//! What can be set for brokers while they run, and to what (`DynamicBrokerConfig.validate`, KIP-226).

use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::settings;

/// Settings of pools of threads, which may at most be doubled or halved at a time (`DynamicThreadPool`).
const THREADS: [&str; 5] = [
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];
/// The pool of the log's cleaner, with words of its own.
const CLEANERS: &str = "log.cleaner.threads";
/// What can be set for one broker only, beside what begins with `ssl.` or `sasl.`.
const OF_ONE_BROKER: [&str; 4] = [
    "advertised.listeners",
    "listener.security.protocol.map",
    "listeners",
    "principal.builder.class",
];

/// A set as Scala prints it.
fn set_of(names: &[&str]) -> String {
    format!("Set({})", names.join(", "))
}

/// The name without the listener that it is meant for, and whether it had one.
fn of_listener(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base)
}

/// Why these cannot be set for one broker, or for all, if they cannot; in Kafka's words.
pub fn fault(config: &Config, set: &TopicOverrides, for_one: bool) -> Option<String> {
    let fault = unsettable(config, set, for_one);
    fault.or_else(|| set.iter().find_map(|(name, value)| threads_fault(config, name, value)))
}

/// The same, whatever the broker obeys now: a broker that starts takes what was set step by step.
pub fn unsettable(config: &Config, set: &TopicOverrides, for_one: bool) -> Option<String> {
    let version = config.version;
    let all = |which: &dyn Fn(&str) -> bool| -> Option<String> {
        let names: Vec<_> = set.keys().map(String::as_str).filter(|name| which(name)).collect();
        (!names.is_empty()).then(|| set_of(&names))
    };
    let is_static = |name: &str| {
        settings::of_broker(name, version).is_some_and(|one| !one.changes_while_running(version))
    };
    if let Some(names) = all(&is_static) {
        return Some(format!("Cannot update these configs dynamically: {names}"));
    }
    if let Some(names) = all(&|name| name.starts_with("ssl.")) {
        return Some(format!(
            "These security configs can be dynamically updated only per-listener using the \
             listener prefix: {names}"
        ));
    }
    let wrong = set.iter().find_map(|(name, value)| {
        let setting = settings::of_broker(of_listener(name).unwrap_or(name), version)?;
        settings::check(setting, value, version).err()
    });
    if wrong.is_some() {
        return wrong;
    }
    let is_of_one = |name: &str| {
        name.starts_with("sasl.") || OF_ONE_BROKER.contains(&name) || of_listener(name).is_some()
    };
    if !for_one && let Some(names) = all(&is_of_one) {
        return Some(format!(
            "Cannot update these configs at default cluster level, broker id must be specified: \
             {names}"
        ));
    }
    None
}

fn threads_fault(config: &Config, name: &str, value: &str) -> Option<String> {
    if !THREADS.contains(&name) && name != CLEANERS {
        return None;
    }
    let setting = settings::of_broker(name, config.version)?;
    let now = config.set(name).or_else(|| setting.default_in(config.version)?);
    let (new, now): (i64, i64) = (value.trim().parse().ok()?, now?.trim().parse().ok()?);
    if new == now {
        return None;
    }
    let why = if name == CLEANERS {
        if new < 1 {
            "Log cleaner threads should be at least 1".to_owned()
        } else if new < now / 2 {
            format!(
                "Log cleaner threads cannot be reduced to less than half the current value {now}"
            )
        } else if new > now * 2 {
            format!(
                "Log cleaner threads cannot be increased to more than double the current value \
                 {now}"
            )
        } else {
            return None;
        }
    } else {
        let failed = format!("Dynamic thread count update validation failed for {name}={new}");
        if new <= 0 {
            format!("{failed}, value should be at least 1")
        } else if new < now / 2 {
            format!("{failed}, value should be at least half the current value {now}")
        } else if new > now * 2 {
            format!("{failed}, value should not be greater than double the current value {now}")
        } else {
            return None;
        }
    };
    // The exception is made of a name and a value, and was given a message and its cause.
    Some(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration \
         Invalid dynamic configuration"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::settings::broker;

    fn told(version: &str, name: &str, value: &str, for_one: bool) -> Option<String> {
        let config = broker(1, version.parse().unwrap(), Vec::new());
        fault(&config, &TopicOverrides::from([(name.to_owned(), value.to_owned())]), for_one)
    }

    #[test]
    fn only_some_settings_of_brokers_change_while_they_run() {
        // Recorded: `configs.alter.broker-read-only`, `configs.alter.broker-dynamic`; the others are of the sources.
        let refused = Some("Cannot update these configs dynamically: Set(log.dirs)".to_owned());
        assert_eq!(told("2.8", "log.dirs", "2", true), refused);
        assert_eq!(told("2.8", "log.cleaner.threads", "2", true), None);
        assert_eq!(told("2.8", "log.retention.ms", "1000", false), None);
        assert_eq!(told("2.8", "unknown.to.kafka", "x", true), None);
        let wrong = told("2.8", "log.retention.ms", "soon", true).unwrap();
        assert!(wrong.starts_with("Invalid value soon for configuration log.retention.ms"));
        assert!(told("2.8", "listeners", "PLAINTEXT://:1", true).is_none());
        let all = told("2.8", "listeners", "PLAINTEXT://:1", false).unwrap();
        assert!(all.ends_with("broker id must be specified: Set(listeners)"), "{all}");
        // 1.1 to 2.3 show it as one that changes, because log.retention.ms does.
        assert!(told("2.0", "log.retention.hours", "1", true).is_some());
    }

    #[test]
    fn pools_of_threads_are_doubled_at_most() {
        for (value, is_allowed) in [("4", true), ("16", true), ("3", false), ("17", false)] {
            assert_eq!(told("3.9", "num.io.threads", value, true).is_none(), is_allowed, "{value}");
        }
        let why = told("3.9", "num.io.threads", "17", true).unwrap();
        assert!(why.contains("value should not be greater than double the current value 8"));
    }
}
