//! What describes a kind of fault: one row of the table of faults.

use super::field::Field;

/// A row of [`KINDS`](super::KINDS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// The key in a scenario's `[[fault]]`, and the first word of the fault's line in a report.
    pub name: &'static str,
    /// What it does to the targets, in a few words.
    pub does: &'static str,
    /// Which targets it accepts.
    pub allowed: Allowed,
    /// What undoes it.
    pub undone: Undone,
    /// Lines of a `[[fault]]` that inject it, without `at`; for help and for tests.
    pub example: &'static str,
}

/// Which targets a kind of fault accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Any node, by name or by role.
    Any,
    /// Nodes with a disk: brokers and ZooKeeper servers.
    WithDisk,
    /// Nodes by name, and an earlier fault must have ended their process: a process with a role runs.
    Ended,
}

/// What undoes a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// This, after the time that the scenario gives.
    By(Undo),
    /// Nothing does, for this reason.
    Never(&'static str),
}

/// A way to undo a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The process starts. Without `restart-after` it stays stopped, also in the healed cluster.
    Restart,
    /// The process goes on. Happens at the end of `duration` at the latest.
    Resume,
    /// Links or disks are as the plan has them. Happens at the end of `duration` at the latest.
    Heal,
}

impl Undo {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Restart, Self::Resume, Self::Heal];

    /// What a report calls it.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Resume => "resume",
            Self::Heal => "heal",
        }
    }

    /// The key of the time after which it happens.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Restart => "restart-after",
            Self::Resume => "resume-after",
            Self::Heal => "heal-after",
        }
    }
}

impl Undone {
    /// How, if at all.
    pub const fn by(self) -> Option<Undo> {
        match self {
            Self::By(undo) => Some(undo),
            Self::Never(_) => None,
        }
    }
}

/// What each kind's file says of it. Reading, writing and printing follow from this alone.
pub trait Describe: Default {
    /// Its row in the table of faults.
    const KIND: FaultKind;

    /// Its keys, besides its name, in the order in which they are written and printed.
    fn fields(&mut self) -> Vec<Field<'_>> {
        Vec::new()
    }
}
