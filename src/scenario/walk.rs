//! Reading a TOML document key by key: what no reader took is reported. By hand, as serde stops at the first
//! mistake and does not say where a value of the wrong kind is used.
//!
//! Nothing here stops at the first mistake: a reader that fails reports it, gives `None`, and lets
//! the caller go on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostics::{Sink, Span, did_you_mean};
use super::properties::{Kind, NOT_SIMULATED, Property, Unit, Value};
use super::quantity::{self, DurationRange, QuantityError};
use super::renamed::renamed;
use crate::releases::KafkaVersion;
use crate::releases::settings;

/// Where a scenario configures a client.
const CLIENTS: [&str; 2] = ["[[producer]]", "[[consumer]]"];

/// One table of the file, while it is read.
pub(super) struct Section<'s, 'i> {
    /// Where mistakes go.
    pub sink: &'s Sink,
    /// What it is called in messages: `[cluster]`; empty for the outermost table.
    pub title: &'static str,
    /// Its header; the start of the file for the outermost table.
    pub span: Span,
    entries: Vec<Entry<'s, 'i>>,
}

struct Entry<'s, 'i> {
    item: Item<'s, 'i>,
    taken: Cell<bool>,
}

/// A key with its value; also an element of an array, under the array's key.
#[derive(Clone)]
pub(super) struct Item<'s, 'i> {
    sink: &'s Sink,
    /// The key as written.
    pub key: &'s str,
    /// Where the key is.
    pub key_span: Span,
    /// Where the value is.
    pub span: Span,
    value: &'s DeValue<'i>,
}

impl<'s, 'i> Section<'s, 'i> {
    pub fn new(sink: &'s Sink, title: &'static str, span: Span, table: &'s DeTable<'i>) -> Self {
        let mut entries = Vec::new();
        for (key, value) in table.iter() {
            let item = Item {
                sink,
                key: key.get_ref().as_ref(),
                key_span: key.span(),
                span: value.span(),
                value: value.get_ref(),
            };
            entries.push(Entry { item, taken: Cell::new(false) });
        }
        Self { sink, title, span, entries }
    }

    /// The value of `key`, if it is there.
    pub fn take(&self, key: &str) -> Option<Item<'s, 'i>> {
        let entry = self.entries.iter().find(|entry| entry.item.key == key)?;
        entry.taken.set(true);
        Some(entry.item.clone())
    }

    /// The value of `key`, reported when it is missing.
    pub fn need(&self, key: &str, example: &str) -> Option<Item<'s, 'i>> {
        let found = self.take(key);
        if found.is_none() {
            let message = match self.title {
                "" => format!("`{key}` is missing at the top of the file"),
                title => format!("`{key}` is missing in {title}"),
            };
            self.sink.error_with(&self.span, message, format!("for example: {key} = {example}"));
        }
        found
    }

    /// The table under `key`.
    pub fn table(&self, key: &str, title: &'static str) -> Option<Section<'s, 'i>> {
        let item = self.take(key)?;
        match item.value {
            DeValue::Table(table) => Some(Section::new(self.sink, title, item.span, table)),
            _ => item.wrong_type(&format!("a table, {title}")),
        }
    }

    /// The tables under `key`, an array of them.
    pub fn tables(&self, key: &str, title: &'static str) -> Vec<Section<'s, 'i>> {
        let Some(item) = self.take(key) else { return Vec::new() };
        if let DeValue::Table(_) = item.value {
            let message = format!("there can be several: a `{key}` is written {title}");
            self.sink.error(&item.key_span, message);
            return Vec::new();
        }
        let elements = item.elements(&format!("tables, each written {title}"));
        let mut sections = Vec::new();
        for element in elements.unwrap_or_default() {
            match element.value {
                DeValue::Table(table) => {
                    sections.push(Section::new(self.sink, title, element.span, table));
                }
                _ => {
                    let _: Option<()> = element.wrong_type(&format!("a table, {title}"));
                }
            }
        }
        sections
    }

    /// Takes the properties of `table`; reports those that `version` lacks and values out of range.
    pub fn properties(&self, table: &[Property], version: KafkaVersion) -> BTreeMap<String, Value> {
        let mut set = BTreeMap::new();
        for property in table {
            let Some(item) = self.take(property.name) else { continue };
            if property.default_in(version).is_none() {
                let since = property.defaults[0].0;
                let message = format!("Kafka {version} has no `{}`", property.name);
                self.sink.error_with(&item.key_span, message, format!("it came in Kafka {since}"));
            } else if let Some(value) = item.property(property, self.title, version) {
                set.insert(property.name.to_owned(), value);
            }
        }
        set
    }

    /// Keys that no reader has taken.
    pub fn untaken(&self) -> impl Iterator<Item = &Item<'s, 'i>> {
        self.entries.iter().filter(|entry| !entry.taken.get()).map(|entry| &entry.item)
    }

    /// Reports every key that no reader took; `keys` and the names of `properties` are the valid ones.
    pub fn close(&self, keys: &[&str], properties: &[&str]) {
        for item in self.untaken() {
            self.unknown(item, keys, properties);
        }
    }

    fn unknown(&self, item: &Item<'_, '_>, keys: &[&str], properties: &[&str]) {
        // `replica.lag.time.max.ms = 1` without quotes is a table `replica` to TOML.
        if item.is_table() && !properties.is_empty() && renamed(item.key).is_none() {
            let mut leaves = Vec::new();
            item.leaves(item.key, &mut leaves);
            for (name, span) in leaves {
                self.unknown_name(&name, &span, keys, properties);
            }
        } else {
            self.unknown_name(item.key, &item.key_span, keys, properties);
        }
    }

    fn unknown_name(&self, name: &str, span: &Span, keys: &[&str], properties: &[&str]) {
        if properties.contains(&name) {
            let message = format!("`{name}` must be in quotes: TOML reads its dots as tables");
            return self.sink.error_with(span, message, format!("write \"{name}\" = …"));
        }
        if let Some(new) = renamed(name) {
            return self.sink.error_with(span, new.message(), new.hint());
        }
        let is_of_servers = settings::is_known(name) && !settings::is_obeyed(name);
        // A name of both, such as `compression.type`, is asked for where it is written.
        let is_of_clients = settings::clients::is_not_obeyed(name)
            && (CLIENTS.contains(&self.title) || !settings::is_obeyed(name));
        if NOT_SIMULATED.contains(&name) || is_of_servers || is_of_clients {
            let message = format!("`{name}` is not simulated");
            let hint = "it would have no effect, so a scenario cannot set it";
            return self.sink.error_with(span, message, hint);
        }
        let kind = if name.contains('.') { "property" } else { "key" };
        let place = match self.title {
            "" => "at the top of the file".to_owned(),
            title => format!("in {title}"),
        };
        let valid = keys.iter().chain(properties).copied();
        let hint = did_you_mean(name, "valid here", valid);
        self.sink.error_with(span, format!("unknown {kind} `{name}` {place}"), hint);
    }
}

impl<'s, 'i> Item<'s, 'i> {
    /// Reports the value's mistake.
    pub fn error<T>(&self, message: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        self.sink.error_with(&self.span, message, hint);
        None
    }

    /// Reports that the value is not what it must be: `wanted`, with its article.
    pub fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.sink.error(&self.span, format!("`{}` must be {wanted}, not {found}", self.key));
        None
    }

    /// The text of a number without quotes.
    pub fn number_text(&self) -> Option<String> {
        match self.value {
            DeValue::Integer(integer) => Some(integer.to_string()),
            DeValue::Float(float) => Some(float.to_string()),
            _ => None,
        }
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// As a table, if it is one.
    pub fn as_table(&self, title: &'static str) -> Option<Section<'s, 'i>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(self.sink, title, self.span.clone(), table)),
            _ => None,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// A string.
    pub fn text(&self) -> Option<&'s str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            _ => self.wrong_type("a string"),
        }
    }

    /// A boolean.
    pub fn flag(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.wrong_type("true or false"),
        }
    }

    /// An integer of `range`.
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        self.integer_or(range, || None)
    }

    /// An integer of `range`; another one is reported with a hint.
    fn integer_or(
        &self,
        range: RangeInclusive<i64>,
        hint: impl FnOnce() -> Option<String>,
    ) -> Option<i64> {
        let DeValue::Integer(integer) = self.value else {
            return self.wrong_type("an integer");
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let found = number.filter(|number| range.contains(number));
        if found.is_none() {
            // What does not fit into 64 bits is too large, or with its sign too small.
            let small = number.map_or(integer.as_str().starts_with('-'), |n| n < *range.start());
            let limit = match small {
                true => format!("at least {}", range.start()),
                false => format!("at most {}", range.end()),
            };
            let message = format!("`{}` must be {limit}, not {integer}", self.key);
            self.sink.push(&self.span, message, hint());
        }
        found
    }

    /// A duration above zero.
    pub fn positive_duration(&self, hint: &str) -> Option<Duration> {
        let found = self.quantity(quantity::duration)?;
        match found.is_zero() {
            true => self.error(format!("`{}` must be above 0", self.key), hint),
            false => Some(found),
        }
    }

    /// A string, read by one of [`quantity`]'s functions.
    pub fn quantity<T>(&self, read: impl Fn(&str) -> Result<T, QuantityError>) -> Option<T> {
        match read(self.text()?) {
            Ok(value) => Some(value),
            Err(wrong) => self.error(wrong.to_string(), wrong.hint()),
        }
    }

    /// A duration or a range of durations.
    pub fn duration_range(&self) -> Option<DurationRange> {
        self.quantity(quantity::duration_range)
    }

    /// A number of bytes: an integer, or a string with a unit; of `range`.
    pub fn size(&self, range: RangeInclusive<i64>) -> Option<u64> {
        if self.value.is_integer() {
            return self.integer(range).and_then(|n| u64::try_from(n).ok());
        }
        let size = self.quantity(quantity::size)?;
        let fits = i64::try_from(size).is_ok_and(|size| range.contains(&size));
        if fits {
            return Some(size);
        }
        let (low, high) = (range.start(), range.end());
        let message = format!("`{}` must be from {low} to {high} bytes, not {size}", self.key);
        self.error(message, QuantityError::Size(String::new()).hint())
    }

    /// A list: its elements, each under this key.
    pub fn elements(&self, wanted: &str) -> Option<Vec<Item<'s, 'i>>> {
        let DeValue::Array(array) = self.value else {
            return self.wrong_type(&format!("a list of {wanted}"));
        };
        let element = |value: &'s Spanned<DeValue<'i>>| Item {
            span: value.span(),
            value: value.get_ref(),
            ..self.clone()
        };
        Some(array.iter().map(element).collect())
    }

    /// One string or a list of strings, each as an item of its own; not empty.
    pub fn one_or_more(&self, wanted: &str) -> Option<Vec<Item<'s, 'i>>> {
        if self.value.is_str() {
            return Some(vec![self.clone()]);
        }
        let elements = self.elements(wanted)?;
        if elements.is_empty() {
            self.sink.error(&self.span, format!("`{}` is an empty list", self.key));
            return None;
        }
        Some(elements)
    }

    /// One of some words.
    pub fn word<T: Copy>(&self, things: &str, words: &[(&str, T)]) -> Option<T> {
        self.word_of(self.text()?, things, words)
    }

    /// One of some words, of which this was written.
    pub fn word_of<T: Copy>(&self, text: &str, things: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            if let Some(new) = renamed(text) {
                return self.error(new.message(), new.hint());
            }
            let hint = did_you_mean(text, things, words.iter().map(|(word, _)| *word));
            return self.error(format!("`{}` cannot be `{text}`", self.key), hint);
        }
        found
    }

    fn property(&self, of: &Property, table: &str, version: KafkaVersion) -> Option<Value> {
        match of.kind {
            Kind::Flag => self.flag().map(Value::Flag),
            Kind::Choice(words) => {
                let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
                self.word("values", &words).map(|word| Value::Text(word.to_owned()))
            }
            Kind::Number { unit, .. } => {
                if let (Unit::Milliseconds, DeValue::String(text)) = (unit, self.value)
                    && let Ok(span) = quantity::duration(text)
                {
                    let message = format!("`{}` is a number of milliseconds", self.key);
                    return self.error(message, format!("write {}", span.as_millis()));
                }
                let range = of.range_in(table, version).expect("it is a number");
                let hint = || Some(of.source_of_range(table, version));
                self.integer_or(range, hint).map(Value::Number)
            }
        }
    }

    /// The dotted names below this key, each with the place of its last part.
    fn leaves(&self, name: &str, into: &mut Vec<(String, Span)>) {
        let DeValue::Table(table) = self.value else {
            return into.push((name.to_owned(), self.key_span.clone()));
        };
        for (key, value) in table.iter() {
            let name = format!("{name}.{}", key.get_ref());
            // A key's place is that of its last part; the whole name ends there.
            let end = key.span().end;
            let key_span = end.saturating_sub(name.len())..end;
            let inner = Item { key_span, value: value.get_ref(), ..self.clone() };
            inner.leaves(&name, into);
        }
    }
}
