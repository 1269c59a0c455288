//! What a failure file has besides a scenario: `schema`, `scenario`, `seed` and `[failure]`.

use super::super::failure::{Found, FoundViolation, SCHEMA};
use super::super::renamed::renamed;
use super::super::walk::{Item, Section};
use crate::vocab::Seed;

/// The keys at the top of a failure file that a scenario does not have.
pub(super) const TOP: &[&str] = &["schema", "scenario", "seed", "failure"];

/// What the file has besides the plan.
pub(super) struct Frame {
    pub scenario: String,
    pub seed: Seed,
    pub found: Found,
}

/// Reads the frame; `None`, and reported, when something in it is wrong.
pub(super) fn read(top: &Section<'_, '_>) -> Option<Frame> {
    let schema = top.need("schema", "1").and_then(|item| item.integer(SCHEMA..=SCHEMA));
    let scenario = top.need("scenario", "\"scenarios/leader_crash.toml\"");
    let scenario = scenario.and_then(|item| item.text().map(str::to_owned));
    let seed = top.need("seed", "42").and_then(|item| seed(&item));
    let found = match top.table("failure", "[failure]") {
        Some(section) => found(&section),
        None => {
            if top.take("failure").is_none() {
                let hint = "a scenario has none: `sim run` runs it";
                top.sink.error_with(&top.span, "[failure] is missing", hint);
            }
            None
        }
    };
    schema?;
    Some(Frame { scenario: scenario?, seed: seed?, found: found? })
}

/// Reports, in a scenario, what only a failure file has.
pub(super) fn refuse(top: &Section<'_, '_>) {
    let Some(item) = top.take("failure") else { return };
    let hint = "`sim replay` runs it";
    top.sink.error_with(&item.key_span, "this is a failure file, not a scenario", hint);
    for key in TOP {
        top.take(key);
    }
}

/// An integer, or a string with a decimal or, after `0x`, a hexadecimal number.
fn seed(item: &Item<'_, '_>) -> Option<Seed> {
    if item.number_text().is_some() {
        let number = item.integer(0..=i64::MAX)?;
        return u64::try_from(number).ok().map(Seed);
    }
    let wrong = "a seed is a number from 0 to 18446744073709551615, above 2^63 in quotes";
    item.text()?.parse().ok().or_else(|| item.error("this is not a seed", wrong))
}

fn found(section: &Section<'_, '_>) -> Option<Found> {
    let text = |key: &str, example: &str| {
        let item = section.need(key, example)?;
        item.text().map(str::to_owned)
    };
    let version = text("version", "\"0.1.0\"");
    let commit = text("commit", "\"9e1c2ab\"");
    let fingerprint = section.take("fingerprint").map(|item| fingerprint(&item));
    let panicked = section.take("panicked").map(|item| item.text().map(str::to_owned));
    let tables = section.tables("violated", "[[failure.violated]]");
    let violations: Vec<_> = tables.iter().map(violation).collect();
    let keys = ["version", "commit", "fingerprint", "panicked", "violated"];
    section.close(&keys, &[]);
    if violations.is_empty() && panicked.is_none() && section.take("violated").is_none() {
        let hint = "for example: [[failure.violated]] with `property` and `sentence`";
        section.sink.error_with(&section.span, "[failure] does not say what was violated", hint);
    }
    Some(Found {
        version: version?,
        commit: commit?,
        fingerprint: fingerprint.map_or(Some(None), |found| found.map(Some))?,
        panicked: panicked.map_or(Some(None), |found| found.map(Some))?,
        violations: violations.into_iter().collect::<Option<_>>()?,
    })
}

fn fingerprint(item: &Item<'_, '_>) -> Option<u64> {
    let text = item.text()?;
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    number.or_else(|| item.error("this is not a fingerprint", "16 hexadecimal digits"))
}

fn violation(section: &Section<'_, '_>) -> Option<FoundViolation> {
    let property = section.need("property", "\"no-duplicates\"");
    let sentence = section.need("sentence", "\"what was seen\"");
    section.close(&["property", "sentence"], &[]);
    let property = property.and_then(|item| match renamed(item.text()?) {
        Some(new) => item.error(new.message(), new.hint()),
        None => item.text().map(str::to_owned),
    });
    let sentence = sentence.and_then(|item| item.text().map(str::to_owned));
    Some(FoundViolation { property: property?, sentence: sentence? })
}
