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
}

/// Faults that are told with a violation: the last ones before it.
const FAULTS_TOLD: usize = 3;

impl Fired {
    /// The last faults until `time`, oldest first; ends of faults are left out.
    pub fn last_until(faults: &[Self], time: Time) -> Vec<Self> {
        let before = faults.iter().filter(|fault| fault.time <= time && !fault.undoes);
        let mut last: Vec<_> = before.rev().take(FAULTS_TOLD).cloned().collect();
        last.reverse();
        last
    }
}
