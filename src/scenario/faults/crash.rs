//! `crash`.

use serde::{Deserialize, Serialize};

use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};

/// The process dies. What it wrote stays in the page cache, and its peers see a reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Crash;

impl Describe for Crash {
    const KIND: FaultKind = FaultKind {
        name: "crash",
        does: "the process dies; peers see a reset; the page cache stays",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Restart),
        example: "crash = \"leader(orders-0)\"",
    };
}
