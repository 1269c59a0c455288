//! `pause`.

use serde::{Deserialize, Serialize};

use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};

/// The process does not run for a while, as in a long garbage collection; its connections stay open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pause;

impl Describe for Pause {
    const KIND: FaultKind = FaultKind {
        name: "pause",
        does: "the process does not run, as in a long garbage collection; connections stay open",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Resume),
        example: "pause = \"b1\"",
    };
}
