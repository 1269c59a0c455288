//! The keys of a fault besides its name: what each holds and how it is printed.

use std::time::Duration;

use super::super::quantity::{Latency, show};
use super::target::{Target, list};

/// A key of a `[[fault]]`, with its value in one fault.
pub struct Field<'a> {
    /// The key in a scenario.
    pub key: &'static str,
    /// What it is, in a few words; for help.
    pub about: &'static str,
    /// A value as TOML has it, for help and for the message that the key is missing.
    pub example: &'static str,
    /// What precedes the value in the fault's line.
    pub before: &'static str,
    /// Whether a scenario must have it.
    pub need: Need,
    /// The value.
    pub value: FieldValue<'a>,
}

/// Whether a scenario must have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Must,
    /// It need not.
    May,
    /// It must have this one or another one of the same kind of fault that is marked so.
    OneOf,
}

/// Where a field's value is, by its type.
pub enum FieldValue<'a> {
    /// One target or a list of them.
    Targets(Binding<'a, Vec<Target>>),
    /// A duration.
    Duration(Binding<'a, Duration>),
    /// A duration, or a range from which each one is drawn.
    Range(Binding<'a, Latency>),
    /// A signed duration, in milliseconds.
    Millis(Binding<'a, i64>),
    /// One of some words.
    Keyword(&'a mut dyn Keyword),
}

/// Where a value is, and whether it can be left out.
pub enum Binding<'a, T> {
    /// It is always there; what it holds before it is read means nothing.
    Always(&'a mut T),
    /// It is `None` when the key is left out.
    Maybe(&'a mut Option<T>),
}

impl<T> Binding<'_, T> {
    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Always(value) => Some(value),
            Self::Maybe(value) => value.as_ref(),
        }
    }

    /// Fills it.
    pub fn set(&mut self, new: T) {
        match self {
            Self::Always(value) => **value = new,
            Self::Maybe(value) => **value = Some(new),
        }
    }
}

/// A value that is one of some words; the default when the key is left out.
pub trait Keyword {
    /// All words.
    fn words(&self) -> &'static [&'static str];
    /// The one that it is.
    fn word(&self) -> &'static str;
    /// Makes it another of [`Keyword::words`].
    fn set(&mut self, word: &str);
    /// How the fault's line says it; `None` when it goes without saying.
    fn printed(&self) -> Option<&'static str>;
}

impl Field<'_> {
    /// The targets that it names, if it names any.
    pub fn targets(&self) -> &[Target] {
        match &self.value {
            FieldValue::Targets(place) => place.get().map_or(&[], Vec::as_slice),
            FieldValue::Duration(_)
            | FieldValue::Range(_)
            | FieldValue::Millis(_)
            | FieldValue::Keyword(_) => &[],
        }
    }

    /// Its part of the fault's line, if it has one.
    pub fn printed(&self) -> Option<String> {
        let value = match &self.value {
            FieldValue::Targets(place) => place.get().map(|targets| list(targets)),
            FieldValue::Duration(place) => place.get().map(|span| show(*span).to_string()),
            FieldValue::Range(place) => place.get().map(ToString::to_string),
            FieldValue::Millis(place) => place.get().map(|millis| format!("{millis:+}ms")),
            FieldValue::Keyword(word) => word.printed().map(str::to_owned),
        };
        value.map(|value| format!("{}{value}", self.before))
    }
}
