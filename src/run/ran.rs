//! A run that has ended, with an outcome or a panic.

use std::any::Any;

use crate::checkers::{RunOutcome, Status};
use crate::scenario::Plan;

/// A run that panicked: a bug in `sim`, not in the simulated cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {message}")]
pub struct Panicked {
    /// The message of the panic.
    pub message: String,
}

impl Panicked {
    pub(super) fn new(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { message: text.unwrap_or("a panic without a message").to_owned() }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What was run.
    pub plan: Plan,
    /// Its outcome.
    pub outcome: Result<RunOutcome, Panicked>,
}

impl Ran {
    /// Whether it failed: a violation, a cluster that did not converge, or a panic. An inconclusive run did not fail.
    pub fn has_failed(&self) -> bool {
        match &self.outcome {
            Ok(outcome) => outcome.judgement.status() >= Status::NotConverged,
            Err(_) => true,
        }
    }
}
