//! A replay → text and JSON: the run's own report, and how it compares with the recorded failure.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::json::{document, of_outcome};
use super::provenance::Provenance;
use super::style::{Paint, Style, page};
use super::text::text;
use crate::run::{Comparison, Replayed};
use crate::vocab::foreign::Foreign;

/// The replay as text, ended with a newline.
pub fn replay_text(replayed: &Replayed, about: &Provenance, style: Style) -> String {
    let run = match &replayed.ran.outcome {
        Ok(outcome) => text(outcome, about, style) + "\n",
        Err(_) => String::new(),
    };
    run + &page(style, |out, style| compare(out, replayed, about, style))
}

/// The replay as a JSON document, ended with a newline.
pub fn replay_json(replayed: &Replayed, about: &Provenance) -> String {
    let found = &replayed.found;
    let violations: Vec<_> = found
        .violations
        .iter()
        .map(|one| json!({ "property": one.property, "sentence": one.sentence }))
        .collect();
    let recorded = json!({
        "sim": { "version": found.version, "commit": found.commit },
        "fingerprint": found.fingerprint.map(|fingerprint| format!("{fingerprint:016x}")),
        "panicked": found.panicked,
        "violations": violations,
    });
    let comparison = serde_json::to_value(replayed.comparison).expect("a name");
    let around = [("recorded", recorded), ("comparison", comparison)];
    match &replayed.ran.outcome {
        Ok(outcome) => document(outcome, of_outcome(outcome, about).into_iter().chain(around)),
        Err(panic) => {
            let panicked = [("panicked", Value::from(panic.message.clone()))];
            document(&json!({}), panicked.into_iter().chain(around))
        }
    }
}

/// The recorded failure, and the new run.
fn compare(
    out: &mut dyn Write,
    replayed: &Replayed,
    about: &Provenance,
    style: Style,
) -> fmt::Result {
    let Replayed { ran, found, comparison } = replayed;
    let panic = found.panicked.iter().map(|message| format!("panic   {message}"));
    let violations = found.violations.iter();
    let violations =
        violations.map(|one| format!("{}   {}", Foreign(&one.property), Foreign(&one.sentence)));
    let build = format!("sim {}, {}", Foreign(&found.version), Foreign(&found.commit));
    for what in panic.chain(violations) {
        writeln!(out, "recorded  {what}")?;
    }
    match found.fingerprint {
        Some(fingerprint) => writeln!(out, "      by  {build}, fingerprint {fingerprint:016x}")?,
        None => writeln!(out, "      by  {build}")?,
    }
    let (words, paint) = match comparison {
        Comparison::SameRun => ("the same violation, the same run", Paint::Bad),
        Comparison::OtherPath => ("the same violation, on another path", Paint::Bad),
        Comparison::Gone if ran.has_failed() => {
            ("gone, but the run fails in another way", Paint::Bad)
        }
        Comparison::Gone => ("gone", Paint::Good),
    };
    let words =
        if found.panicked.is_some() { words.replace("violation", "panic") } else { words.into() };
    writeln!(out, "replayed  {}", style.paint(paint, words))?;
    match &ran.outcome {
        Ok(outcome) => {
            writeln!(out, "      by  {}, fingerprint {}", about.build, outcome.fingerprint)
        }
        Err(panic) => writeln!(out, "      by  {}, which {panic}", about.build),
    }
}
