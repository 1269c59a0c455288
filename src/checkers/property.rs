//! What a property is, and the verdicts on it.

use serde::Serialize;

use crate::checkers::{Evidence, Subject};

/// Which kind of promise a property is.
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
    /// Which document says so: Kafka documentation, a KIP, a specification, an issue.
    pub source: &'static str,
    /// What is deliberately not checked.
    pub leaves_out: &'static str,
    /// What it looks at.
    pub looks_at: Subject,
    /// Safety or liveness.
    pub class: Class,
}

/// The verdict on one property after one run.
///
/// Where nothing of the kind happened, a property *holds*, as long as nothing of it was required: without readers,
/// none reads out of order. Where something was required and did not happen, the property that requires it is
/// violated (a reader that never read is behind). A property is *inconclusive* when something happened that cannot
/// be judged: the log to compare with was not read, or the partition has no leader whose log would count; or when the
/// run was made to have something that it looks at, and had none ([`Subject::due_but_missing`]). One inconclusive
/// property makes the run inconclusive, so what merely did not happen must not: the report says so, and a scenario
/// requires it with `[expect]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "evidence", rename_all = "kebab-case")]
pub enum Verdict {
    /// It was true.
    Holds,
    /// It was not, and this shows it.
    Violated(Evidence),
    /// It cannot be judged, for this reason.
    Inconclusive(String),
}

impl Verdict {
    /// `Violated` when there is evidence, else `Holds`.
    pub fn from_evidence(evidence: Option<Evidence>) -> Self {
        evidence.map_or(Self::Holds, Self::Violated)
    }
}
