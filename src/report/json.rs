//! Outcome → JSON: one document, keys sorted, times in nanoseconds of virtual time.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json as value};

use super::provenance::Provenance;
use crate::checkers::{Finding, RunOutcome};
use crate::vocab::foreign::is_unprintable_in_lines;

/// Version of the document's shape; it changes when a reader of the old one would misread the new one.
pub const SCHEMA: u64 = 1;

/// The outcome as a JSON document, ended with a newline.
pub fn json(outcome: &RunOutcome, about: &Provenance) -> String {
    document(outcome, of_outcome(outcome, about))
}

/// Keys beside the fields of an outcome.
pub(super) fn of_outcome(outcome: &RunOutcome, about: &Provenance) -> Vec<(&'static str, Value)> {
    let violations = outcome.violations();
    let violation = |found: &Finding<'_>| {
        value!({
            "property": found.name,
            "sentence": found.sentence,
            "status": found.status,
        })
    };
    let status = outcome.judgement.status();
    let replay = about.replay.clone().unwrap_or_else(|| outcome.replay());
    vec![
        ("replay", replay.into()),
        ("status", serde_json::to_value(status).expect("a name")),
        ("violations", violations.iter().map(violation).collect()),
        ("sim", serde_json::to_value(about.build).expect("a build is plain data")),
        ("report", about.file.as_ref().map(|file| file.display().to_string()).into()),
    ]
}

/// A document of the fields of `of` and of those `around` it.
pub(super) fn document<T: Serialize>(
    of: &T,
    around: impl IntoIterator<Item = (&'static str, Value)>,
) -> String {
    let value = serde_json::to_value(of).expect("a report is of plain data");
    let Value::Object(mut document) = value else { unreachable!("what is reported has fields") };
    document.insert("schema".into(), SCHEMA.into());
    for (key, value) in around {
        document.insert(key.into(), value);
    }
    // The map is ordered by its keys (serde_json without `preserve_order`).
    let document: Map<String, Value> = document;
    ascii_where_unprintable(format!("{:#}\n", Value::Object(document)))
}

/// The same document with `\u009b` for what a terminal would obey: JSON itself asks for that below U+0020 only.
fn ascii_where_unprintable(document: String) -> String {
    if !document.contains(is_unprintable_in_lines) {
        return document;
    }
    let mut out = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        match is_unprintable_in_lines(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(out, "\\u{unit:04x}").expect("a string takes everything");
            }),
            false => out.push(c),
        }
    }
    out
}
