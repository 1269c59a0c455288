//! `clock`.

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undone};

/// The wall clock is stepped; monotonic clocks and timers go on as before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockStep {
    /// How far, in milliseconds; negative is back.
    pub step_ms: i64,
}

impl Describe for ClockStep {
    const KIND: FaultKind = FaultKind {
        name: "clock",
        does: "the wall clock is stepped; timers do not notice",
        allowed: Allowed::Any,
        undone: Undone::Never(
            "stepping it back would be a second fault; nothing waits for a wall clock",
        ),
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
