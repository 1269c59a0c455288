//! The faults of a run, as they were injected and undone.

use std::sync::Arc;

use serde::Serialize;

use crate::vocab::Time;

/// Faults that are kept: more than a person plans, and a bound for what is drawn.
pub const FAULTS_MAX: usize = 10_000;

/// A fault as it fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// When.
    #[serde(rename = "time_ns")]
    pub time: Time,
    /// What, with every role resolved to a node.
    pub text: Arc<str>,
    /// Whether it is the end of an earlier fault: a heal, a resume, a restart.
    pub undoes: bool,
    /// Why it had no effect, if so: in a clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_effect: Option<Arc<str>>,
}

/// Faults that are shown with a violation: the last ones before it.
const FAULTS_SHOWN: usize = 3;

impl Fired {
    /// A fault with an effect, as far as is known.
    pub fn new(time: Time, text: &str, undoes: bool, has_targets: bool) -> Self {
        // The history has this word where no node is meant, and so have stored fingerprints; a reader gets another.
        let text = match has_targets {
            true => text.replace(" = nobody", " = no node"),
            false => text.replace(" nobody", " no node"),
        };
        Self { time, text: text.into(), undoes, no_effect: None }
    }

    /// The last faults until `time`, oldest first; ends of faults are left out.
    pub fn last_until(faults: &[Self], time: Time) -> Vec<Self> {
        let before = faults.iter().filter(|fault| fault.time <= time && !fault.undoes);
        let mut last: Vec<_> = before.rev().take(FAULTS_SHOWN).cloned().collect();
        last.reverse();
        last
    }
}
