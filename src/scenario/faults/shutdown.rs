//! `shutdown`.

use serde::{Deserialize, Serialize};

use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};

/// The process is asked to end, and ends in an orderly way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CleanShutdown;

impl Describe for CleanShutdown {
    const KIND: FaultKind = FaultKind {
        name: "shutdown",
        does: "the process ends in an orderly way",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Restart),
        example: "shutdown = \"b1\"",
    };
}
