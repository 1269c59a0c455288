//! `clock`.

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undone};

/// The wall clock is stepped; monotonic clocks and timers go on as before. What a release measures by the wall clock
/// jumps with it: how far followers lag, timeouts of clients and between brokers, the age of logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockStep {
    /// How far, in milliseconds; negative is back.
    pub step_ms: i64,
}

impl Describe for ClockStep {
    const KIND: FaultKind = FaultKind {
        name: "clock",
        does: "the wall clock is stepped; what is measured by it jumps",
        allowed: Allowed::Any,
        undone: Undone::Never("stepping it back would be a second fault"),
        example: "clock = \"b1\"\nstep = \"-5s\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field {
            key: "step",
            about: "how far, with its sign",
            example: "\"-5s\"",
            before: " by ",
            need: Need::Must,
            value: FieldValue::Millis(Binding::Always(&mut self.step_ms)),
        }]
    }
}
