//! Kafka's own properties: which there are, what each version's default is, what a plan carries.

mod not_simulated;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use not_simulated::NOT_SIMULATED;

pub use crate::releases::defaults::{
    ACKS, ASSIGNMENT, ASSIGNORS, BROKER, CONSUMER, DefaultValue, Kind, MEMBER, OLD_CONSUMER,
    PRODUCER, Property, TOPIC, TRANSACTIONAL, Unit, ZOOKEEPER, in_force,
};

use crate::releases::KafkaVersion;

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A number, in the property's unit.
    Number(i64),
    /// A flag.
    Flag(bool),
    /// A word.
    Text(String),
    /// Nothing (Kafka's `null`).
    Unset,
}

impl std::fmt::Display for Value {
    /// As Kafka writes it in a configuration file or a znode.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Unset => "null".fmt(f),
        }
    }
}

/// Every property of one node or topic, set or by default: nothing is left open.
///
/// The getters are for names in the code: a name that is not a property of this kind of
/// node, or that has another type, is a mistake of the programmer and panics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties(BTreeMap<String, Value>);

impl Properties {
    /// All properties of `table` in `version`, with what is `set`.
    ///
    /// # Panics
    /// When something is set that the table does not have.
    pub fn resolve(
        table: &[Property],
        version: KafkaVersion,
        set: &BTreeMap<String, Value>,
    ) -> Self {
        let mut all = BTreeMap::new();
        for property in table {
            // A property that came later is there, but unset: code asks for it by the `optional_`
            // getters.
            let default = property.default_in(version).unwrap_or(DefaultValue::Unset);
            let value = set.get(property.name).cloned().unwrap_or_else(|| plain(default));
            all.insert(property.name.to_owned(), value);
        }
        let stray = set.keys().find(|name| !all.contains_key(*name));
        assert!(stray.is_none(), "`{stray:?}` is set but not in the table");
        Self(all)
    }

    /// The properties of a topic: what it sets itself, else its broker's.
    pub fn of_topic(broker: &Self, set: &BTreeMap<String, Value>) -> Self {
        let value = |(own, of_broker): &(&str, &str)| {
            let value = set.get(*own).unwrap_or_else(|| broker.get(of_broker));
            ((*own).to_owned(), value.clone())
        };
        Self(TOPIC.iter().map(value).collect())
    }

    /// The value of `name`.
    ///
    /// # Panics
    /// When there is no such property.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("no property `{name}` is in the table"))
    }

    /// A number, in the property's own unit.
    ///
    /// # Panics
    /// When there is no such property, it is no number or unset.
    pub fn int(&self, name: &str) -> i64 {
        self.optional_int(name).unwrap_or_else(|| panic!("the property `{name}` is unset"))
    }

    /// A number, in the property's own unit; `None` when unset or younger than the version.
    ///
    /// # Panics
    /// When there is no such property or it is no number.
    pub fn optional_int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Number(number) => Some(*number),
            Value::Unset => None,
            other => panic!("the property `{name}` is {other:?}, no number"),
        }
    }

    /// A number of milliseconds; `Long.MAX_VALUE` of them is never, as any sum of times that is beyond every run.
    ///
    /// # Panics
    /// When there is no such property, it is no number, negative or unset.
    pub fn ms(&self, name: &str) -> Duration {
        self.optional_ms(name).unwrap_or_else(|| panic!("the property `{name}` is unset"))
    }

    /// A number of milliseconds; `None` when unset or younger than the version.
    ///
    /// # Panics
    /// When there is no such property, it is no number, or negative.
    pub fn optional_ms(&self, name: &str) -> Option<Duration> {
        let number = self.optional_int(name)?;
        Some(Duration::from_millis(u64::try_from(number).expect("a duration is not negative")))
    }

    /// A flag.
    ///
    /// # Panics
    /// When there is no such property or it is no flag.
    pub fn bool(&self, name: &str) -> bool {
        match self.get(name) {
            Value::Flag(flag) => *flag,
            other => panic!("the property `{name}` is {other:?}, no flag"),
        }
    }

    /// A word.
    ///
    /// # Panics
    /// When there is no such property or it is no word.
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Value::Text(text) => text,
            other => panic!("the property `{name}` is {other:?}, no word"),
        }
    }

    /// A word; `None` when younger than the version.
    ///
    /// # Panics
    /// When there is no such property or it is no word.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Value::Unset => None,
            _ => Some(self.text(name)),
        }
    }

    /// What differs from the defaults of `table` in `version`, as Kafka writes it in a file.
    pub fn unlike(&self, table: &[Property], version: KafkaVersion) -> BTreeMap<String, String> {
        let is_other = |(name, value): &(&str, &Value)| {
            let property = table.iter().find(|property| property.name == *name);
            let default = property.and_then(|property| property.default_in(version));
            **value != default.map_or(Value::Unset, plain)
        };
        let other = self.iter().filter(is_other);
        other.map(|(name, value)| (name.to_owned(), value.to_string())).collect()
    }

    /// All properties, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn raise(&mut self, name: &str, least: i64) {
        let value = self.0.get_mut(name).expect("a property of the table");
        assert!(matches!(value, Value::Number(_)), "`{name}` is raised, but is no number");
        *value = Value::Number(least);
    }
}

fn plain(default: DefaultValue) -> Value {
    match default {
        DefaultValue::Is(number) => Value::Number(number),
        DefaultValue::On => Value::Flag(true),
        DefaultValue::Off => Value::Flag(false),
        DefaultValue::Text(text) => Value::Text(text.to_owned()),
        DefaultValue::Unset => Value::Unset,
    }
}

#[cfg(test)]
mod tests;
