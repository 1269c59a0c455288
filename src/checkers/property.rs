//! What a property is, and what can be said of it.

use serde::Serialize;

use crate::checkers::Evidence;

/// Which promise a property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Something bad never happens.
    Safety,
    /// Something good happens in the end.
    Liveness,
}

/// Something that should be true of every run.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// The name that reports use.
    pub name: &'static str,
    /// What is true, in one sentence.
    pub statement: &'static str,
    /// Who says that it should be.
    pub source: &'static str,
    /// What is deliberately not checked.
    pub leaves_out: &'static str,
    /// Which promise it belongs to.
    pub class: Class,
}

/// What is to be said of one property after one run.
///
/// A property speaks of everything of a kind. Where nothing of the kind happened it *holds*, as long as nothing
/// of it was to happen: nobody reads out of order where nobody was to read. Where something was to happen and did
/// not, that is a violation of the property that says it must (a reader that never read is behind). It is
/// *inconclusive* where something did happen that cannot be judged: the log to compare with was not read, or
/// nobody leads whose log would count. A run with one inconclusive property is inconclusive, so what merely did
/// not happen must not be: a scenario says what has to happen by `[expect]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "evidence", rename_all = "kebab-case")]
pub enum Verdict {
    /// It was true.
    Holds,
    /// It was not, and this shows it.
    Violated(Evidence),
    /// Nothing can be said, for this reason.
    Inconclusive(String),
}

impl Verdict {
    /// `Violated` when there is evidence, else `Holds`.
    pub fn from_evidence(evidence: Option<Evidence>) -> Self {
        evidence.map_or(Self::Holds, Self::Violated)
    }
}
