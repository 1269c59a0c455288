//! A failure as it is stored: the drawn plan, and what was found when it ran.

use super::plan::Plan;

/// Version of the file's shape; changes when a reader of the old one would go wrong.
pub const SCHEMA: i64 = 1;

/// A plan that failed, and how. [`write`](super::write) makes a file of it that
/// [`parse_failure`](super::parse_failure) reads back, equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What ran.
    pub plan: Plan,
    /// What was found.
    pub found: Found,
}

/// What was found when a plan ran, in words: it outlives the code that found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The code that ran it: `0.1.0`.
    pub version: String,
    /// Its commit: `9e1c2ab`, `9e1c2ab-dirty` or `unknown`.
    pub commit: String,
    /// The hash over all events of the run; `None` when it panicked.
    pub fingerprint: Option<u64>,
    /// What the panic said, if the run ended so.
    pub panicked: Option<String>,
    /// What was violated, the worst first; nothing only when it panicked.
    pub violations: Vec<FoundViolation>,
}

/// A property that was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundViolation {
    /// The property's name.
    pub property: String,
    /// The evidence in a sentence.
    pub sentence: String,
}
