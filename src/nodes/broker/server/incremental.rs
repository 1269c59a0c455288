//! What IncrementalAlterConfigs makes of the settings that are there (`prepareIncrementalConfigs`).

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;

use crate::nodes::broker::TopicOverrides;
use crate::releases::settings::{Setting, Type};
use crate::releases::{Change, KafkaVersion};

/// Kafka's error, and a text or an empty one.
pub type Refusal = (ResponseError, String);

/// An operation (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpType {
    /// Sets a value.
    Set,
    /// Goes back to the default.
    Delete,
    /// Adds to a list.
    Append,
    /// Takes out of a list.
    Subtract,
}

impl OpType {
    /// The operation with this number.
    pub fn of(number: i8) -> Option<Self> {
        Some(match number {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            _ => return None,
        })
    }

    /// As Kafka prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One change of a setting.
#[derive(Clone, Debug)]
pub struct ConfigChange {
    /// The setting.
    pub name: String,
    /// What is done; AlterConfigs sets.
    pub op: i8,
    /// The value; a deletion needs none.
    pub value: Option<String>,
}

/// Applies changes to the settings that are there. `find` finds a setting's row by its name.
pub fn apply(
    version: KafkaVersion,
    changes: &[ConfigChange],
    set: &mut TopicOverrides,
    find: impl Fn(&str) -> Option<&'static Setting>,
) -> Result<(), Refusal> {
    for change in changes {
        let name = &change.name;
        let value = || change.value.clone().unwrap_or_default();
        let Some(op) = OpType::of(change.op) else {
            return Err((ResponseError::UnknownServerError, "null".to_owned()));
        };
        match op {
            OpType::Set if change.value.is_none() => {
                return Err((ResponseError::UnknownServerError, String::new()));
            }
            OpType::Set => _ = set.insert(name.clone(), value()),
            OpType::Delete => _ = set.remove(name),
            OpType::Append | OpType::Subtract => {
                let Some(setting) = find(name) else {
                    let why = format!("key not found: {name}");
                    return Err((ResponseError::UnknownServerError, why));
                };
                if setting.kind != Type::List {
                    let error = match version.has(Change::AlteredInvalidConfig) {
                        true => ResponseError::InvalidConfig,
                        false => ResponseError::InvalidRequest,
                    };
                    let verb = if op == OpType::Append { "append" } else { "subtract" };
                    let why = format!("Config value {verb} is not allowed for config key: {name}");
                    return Err((error, why));
                }
                let default = setting.default_in(version).flatten().unwrap_or_default();
                let old = set.get(name).map_or(default, String::as_str).to_owned();
                let list = match op {
                    OpType::Append => appended(version, &old, &value()),
                    _ => without(&old, &value()),
                };
                set.insert(name.clone(), list);
            }
        }
    }
    Ok(())
}

fn appended(version: KafkaVersion, old: &str, more: &str) -> String {
    let once = version.has(Change::AppendedOnce);
    let mut words: Vec<&str> = old.split(',').filter(|word| !once || !word.is_empty()).collect();
    let mut seen: BTreeSet<&str> = words.iter().copied().collect();
    for word in more.split(',') {
        if seen.insert(word) || !once {
            words.push(word);
        }
    }
    words.join(",")
}

/// The words without these, each taken out once.
fn without(old: &str, less: &str) -> String {
    let mut words: Vec<&str> = old.split(',').collect();
    for word in less.split(',') {
        if let Some(at) = words.iter().position(|one| *one == word) {
            words.remove(at);
        }
    }
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::settings::of_topic;

    fn altered(version: &str, set: &str, op: i8, value: &str) -> String {
        let version: KafkaVersion = version.parse().unwrap();
        let name = "cleanup.policy".to_owned();
        let mut all = TopicOverrides::from([(name.clone(), set.to_owned())]);
        let change = ConfigChange { name: name.clone(), op, value: Some(value.to_owned()) };
        apply(version, &[change], &mut all, |name| of_topic(name, version)).unwrap();
        all[&name].clone()
    }

    #[test]
    fn lists_are_appended_to_as_the_release_does() {
        // Recorded: `configs.incremental.append`; the others: `prepareIncrementalConfigs` at the tags.
        for (version, twice) in [("2.4", "compact,compact"), ("3.3", "compact")] {
            assert_eq!(altered(version, "compact", 2, "delete"), "compact,delete", "{version}");
            assert_eq!(altered(version, "compact", 2, "compact"), twice, "{version}");
            assert_eq!(altered(version, "compact,delete", 3, "compact"), "delete", "{version}");
        }
    }
}
