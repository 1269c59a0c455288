//! `power-loss`.

use serde::{Deserialize, Serialize};

use super::kind::{Allowed, Describe, FaultKind, Undo, Undone};

/// The host loses power. What was not fsynced may be gone, and its peers see nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PowerLoss;

impl Describe for PowerLoss {
    const KIND: FaultKind = FaultKind {
        name: "power-loss",
        does: "the host loses power and goes silent; what was not fsynced may be lost",
        allowed: Allowed::Any,
        undone: Undone::By(Undo::Restart),
        example: "power-loss = \"b1\"",
    };
}
