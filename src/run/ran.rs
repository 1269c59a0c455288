//! A run that has ended, by itself or not.

use std::any::Any;

use crate::checkers::{RunOutcome, Status};
use crate::scenario::Plan;

/// A run that did not end by itself: a bug in `sim`, not in what it simulates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {message}")]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl Panicked {
    pub(super) fn new(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: text.unwrap_or("a panic without words").to_owned() }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What was played.
    pub plan: Plan,
    /// What it came to.
    pub outcome: Result<RunOutcome, Panicked>,
}

impl Ran {
    /// Whether it shows something that should not be: a violation, a cluster that did not converge, a panic.
    /// An inconclusive run shows nothing.
    pub fn has_failed(&self) -> bool {
        match &self.outcome {
            Ok(outcome) => outcome.judgement.status() >= Status::NotConverged,
            Err(_) => true,
        }
    }
}
