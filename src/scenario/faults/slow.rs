//! `slow`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};
use super::target::Target;

/// Each message between the targets and others takes longer, both ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// The others; `None` is every other node.
    pub to: Option<Vec<Target>>,
    /// How much longer.
    pub latency: Duration,
}

impl Describe for Slow {
    const KIND: FaultKind = FaultKind {
        name: "slow",
        does: "messages between the targets and the others take `latency` longer, both ways",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Heal),
        example: "slow = \"b1\"\nlatency = \"200ms\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field {
                key: "to",
                about: "the others, or else every other node",
                example: "\"b2\"",
                before: " to ",
                need: Need::May,
                value: FieldValue::Targets(Binding::Maybe(&mut self.to)),
            },
            Field {
                key: "latency",
                about: "how much longer",
                example: "\"200ms\"",
                before: " by ",
                need: Need::Must,
                value: FieldValue::Duration(Binding::Always(&mut self.latency)),
            },
        ]
    }
}
