//! `cut`.

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};
use super::target::Target;

/// What the targets send to others is lost, without a reset; the way back is open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OneWayCut {
    /// The receivers.
    pub to: Vec<Target>,
}

impl Describe for OneWayCut {
    const KIND: FaultKind = FaultKind {
        name: "cut",
        does: "what the targets send to `to` is lost, without a reset; the way back is open",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Heal),
        example: "cut = \"b1\"\nto = \"b2\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field {
            key: "to",
            about: "the receivers",
            example: "\"b2\"",
            before: " to ",
            need: Need::Must,
            value: FieldValue::Targets(Binding::Always(&mut self.to)),
        }]
    }
}
