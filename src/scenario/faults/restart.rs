//! `restart`.

use serde::{Deserialize, Serialize};

use super::kind::{Allowed, Describe, FaultKind, Undone};

/// A process that an earlier fault ended starts; nothing happens if it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restart;

impl Describe for Restart {
    const KIND: FaultKind = FaultKind {
        name: "restart",
        does: "starts a process that an earlier fault ended",
        allowed: Allowed::Ended,
        undone: Undone::Never("it undoes an earlier fault itself"),
        example: "restart = \"b1\"",
    };
}
