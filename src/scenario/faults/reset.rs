//! `reset`.

use serde::{Deserialize, Serialize};

use super::field::{Binding, Field, FieldValue, Need};
use super::kind::{Allowed, Describe, FaultKind, Undone};
use super::target::Target;

/// The connections between the targets and others are reset, at both ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionReset {
    /// The others; `None` is every other node.
    pub to: Option<Vec<Target>>,
}

impl Describe for ConnectionReset {
    const KIND: FaultKind = FaultKind {
        name: "reset",
        does: "the connections between the targets and the others are reset",
        allowed: Allowed::Any,
        undone: Undone::Never("the nodes connect again themselves"),
        example: "reset = \"b1\"\nto = \"p0\"",
    };

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field {
            key: "to",
            about: "the others, or else every other node",
            example: "\"p0\"",
            before: " to ",
            need: Need::May,
            value: FieldValue::Targets(Binding::Maybe(&mut self.to)),
        }]
    }
}
