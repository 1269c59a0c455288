//! Whether a setting may have a value, in Kafka's words (`ConfigDef.parseType`, its validators).

use super::{Allowed, Setting, Type};
use crate::releases::KafkaVersion;

/// Releases that `message.format.version` may name, as far as they are not newer than the broker's line.
const FORMATS: [&str; 29] = [
    "0.8.0", "0.8.1", "0.8.2", "0.9.0", "0.10.0", "0.10.1", "0.10.2", "0.11.0", "1.0", "1.1",
    "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "3.0", "3.1", "3.2", "3.3",
    "3.4", "3.5", "3.6", "3.7", "3.8", "3.9",
];

fn refused(setting: &Setting, value: &str, why: &str) -> String {
    format!("Invalid value {value} for configuration {}: {why}", setting.name)
}

/// The value as Kafka understands and shows it.
///
/// # Errors
/// When it cannot be this value in `version`: what Kafka says then.
pub fn check(setting: &Setting, value: &str, version: KafkaVersion) -> Result<String, String> {
    let parsed = parse(setting, value)?;
    let allowed = setting.allowed_in(version);
    match allowed {
        Allowed::Any => {}
        Allowed::AtLeast(min) => range(setting, &parsed, min, i64::MAX)?,
        Allowed::Between(min, max) => range(setting, &parsed, min, max)?,
        Allowed::Gzip if parsed == "-1" => {}
        Allowed::Gzip => range(setting, &parsed, 1, 9)?,
        Allowed::NonEmpty if parsed.is_empty() => {
            return Err(refused(setting, &parsed, "String must be non-empty"));
        }
        Allowed::NonEmpty => {}
        Allowed::OneOf(words) => {
            let is_list = setting.kind == Type::List;
            let mut given =
                parsed.split(',').filter(|word| !is_list || !parsed.is_empty() || !word.is_empty());
            if let Some(wrong) = given.find(|word| !words.contains(word)) {
                let why = format!("String must be one of: {}", words.join(", "));
                return Err(refused(setting, wrong, &why));
            }
        }
        Allowed::Release => release(setting, &parsed, version)?,
        Allowed::Throttled => throttled(setting, &parsed, version)?,
        Allowed::Within(min, max) => fraction(setting, &parsed, min, max)?,
    }
    Ok(parsed)
}

fn parse(setting: &Setting, value: &str) -> Result<String, String> {
    let trimmed = value.trim();
    let number = |is_one: bool, name: &str| {
        let why = format!("Not a number of type {name}");
        is_one.then_some(()).ok_or_else(|| refused(setting, value, &why))
    };
    match setting.kind {
        Type::Boolean => match trimmed.to_ascii_lowercase() {
            flag if flag == "true" || flag == "false" => Ok(flag),
            _ => Err(refused(setting, value, "Expected value to be either true or false")),
        },
        Type::Int => {
            number(trimmed.parse::<i32>().is_ok(), "INT")?;
            Ok(plain(trimmed))
        }
        Type::Short => {
            number(trimmed.parse::<i16>().is_ok(), "SHORT")?;
            Ok(plain(trimmed))
        }
        Type::Long => {
            number(trimmed.parse::<i64>().is_ok(), "LONG")?;
            Ok(plain(trimmed))
        }
        Type::Double => {
            number(trimmed.parse::<f64>().is_ok(), "DOUBLE")?;
            Ok(trimmed.parse::<f64>().map_or_else(|_| trimmed.to_owned(), |n| format!("{n:?}")))
        }
        Type::List => {
            let words: Vec<&str> = trimmed.split(',').map(str::trim).collect();
            Ok(words.join(","))
        }
        Type::String | Type::Class | Type::Password => Ok(trimmed.to_owned()),
    }
}

/// Without a sign of plus and without leading zeros.
fn plain(number: &str) -> String {
    number.parse::<i64>().map_or_else(|_| number.to_owned(), |number| number.to_string())
}

fn range(setting: &Setting, value: &str, min: i64, max: i64) -> Result<(), String> {
    let (is_below, is_above) = match setting.kind {
        Type::Double => {
            let number = value.parse::<f64>().unwrap_or(f64::NAN);
            (number < min as f64, number > max as f64)
        }
        _ => {
            let number = value.parse::<i64>().unwrap_or(0);
            (number < min, number > max)
        }
    };
    if is_below {
        Err(refused(setting, value, &format!("Value must be at least {min}")))
    } else if is_above {
        Err(refused(setting, value, &format!("Value must be no more than {max}")))
    } else {
        Ok(())
    }
}

fn fraction(setting: &Setting, value: &str, min: &str, max: &str) -> Result<(), String> {
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    if number(value) < number(min) {
        Err(refused(setting, value, &format!("Value must be at least {min}")))
    } else if number(value) > number(max) {
        Err(refused(setting, value, &format!("Value must be no more than {max}")))
    } else {
        Ok(())
    }
}

/// The line of a release or of a version between releases (`2.8-IV1`, `2.8.2`).
pub(super) fn line_of(text: &str) -> String {
    let front = text.split('-').next().unwrap_or_default();
    let parts = if front.starts_with("0.") { 3 } else { 2 };
    front.split('.').take(parts).collect::<Vec<_>>().join(".")
}

fn release(setting: &Setting, value: &str, version: KafkaVersion) -> Result<(), String> {
    let newest = line_of(&version.to_string());
    let last = FORMATS.iter().position(|line| **line == newest).unwrap_or(FORMATS.len() - 1);
    let line = line_of(value);
    if FORMATS[..=last].contains(&line.as_str()) {
        return Ok(());
    }
    Err(refused(setting, value, &format!("Version `{value}` is not a valid version")))
}

fn throttled(setting: &Setting, value: &str, version: KafkaVersion) -> Result<(), String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_pair = |pair: &str| {
        let parts = pair.split_once(':');
        pair.is_empty() || parts.is_some_and(|(one, two)| is_number(one) && is_number(two))
    };
    if value == "*" || value.split(',').map(str::trim).all(is_pair) {
        return Ok(());
    }
    let name = setting.name;
    let (old, new) = (super::super::first::V0_11, super::super::first::V2_3);
    let why = if version.at_least(new) {
        format!(
            "{name} must be the literal '*' or a list of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],..."
        )
    } else if version.at_least(old) {
        format!(
            "{name} must be the literal '*' or a list of replicas in the following format: \
             [partitionId],[brokerId]:[partitionId],[brokerId]:..."
        )
    } else {
        format!(
            "{name}  must match for format \
             [partitionId],[brokerId]:[partitionId],[brokerId]:[partitionId],[brokerId] etc"
        )
    };
    Err(refused(setting, &format!("[{}]", value.replace(',', ", ")), &why))
}

/// What is wrong with a topic's settings together, whose values `value` gives, as far as it is anything
/// (`LogConfig.validateValues`, since 2.3).
pub fn conflict(value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let lag = |name| value(name).and_then(|text| text.parse::<i64>().ok());
    let (min, max) = (lag("min.compaction.lag.ms")?, lag("max.compaction.lag.ms")?);
    (min > max).then(|| {
        format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms \
             ({max})"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::of_topic;
    use super::*;

    fn checked(name: &str, value: &str, version: &str) -> Result<String, String> {
        let version = version.parse().unwrap();
        check(of_topic(name, version).expect("a setting of topics"), value, version)
    }

    #[test]
    fn values_are_refused_in_kafkas_words() {
        // As real brokers answered CreateTopics, from 0.10.2 to 3.9.
        for (name, value, why) in [
            ("retention.ms", "soon", "Not a number of type LONG"),
            ("preallocate", "maybe", "Expected value to be either true or false"),
            ("min.insync.replicas", "0", "Value must be at least 1"),
            ("cleanup.policy", "shred", "String must be one of: compact, delete"),
        ] {
            let expected = format!("Invalid value {value} for configuration {name}: {why}");
            for version in ["0.10", "2.8", "3.9"] {
                assert_eq!(checked(name, value, version), Err(expected.clone()), "{version}");
            }
        }
        let wrong = checked("cleanup.policy", "compact,shred", "2.8").unwrap_err();
        assert!(wrong.starts_with("Invalid value shred for"), "{wrong}");
    }

    #[test]
    fn values_are_shown_as_kafka_reads_them() {
        for (name, value, shown) in [
            ("retention.ms", " 5000 ", "5000"),
            ("preallocate", "TRUE", "true"),
            ("cleanup.policy", "compact, delete", "compact,delete"),
            ("cleanup.policy", "", ""),
            ("min.cleanable.dirty.ratio", "1", "1.0"),
            ("message.format.version", "0.10.2", "0.10.2"),
            ("leader.replication.throttled.replicas", "0:1,1:2", "0:1,1:2"),
        ] {
            assert_eq!(checked(name, value, "2.8").as_deref(), Ok(shown), "{name}");
        }
        assert!(checked("compression.type", "zstd", "2.0").is_err());
        assert!(checked("compression.type", "zstd", "2.1").is_ok());
        assert!(checked("message.format.version", "3.0", "2.8").is_err());
        assert!(checked("compression.gzip.level", "-1", "3.9").is_ok());
        assert!(checked("compression.gzip.level", "0", "3.9").is_err());
        assert!(checked("leader.replication.throttled.replicas", "0", "2.8").is_err());
    }

    #[test]
    fn the_lags_of_compaction_may_not_conflict() {
        let lags = |min: &'static str, max: &'static str| {
            conflict(move |name| Some(if name.starts_with("min") { min } else { max }.to_owned()))
        };
        assert_eq!(lags("1", "1"), None);
        assert!(lags("2", "1").expect("a conflict").ends_with("max.compaction.lag.ms (1)"));
    }
}
