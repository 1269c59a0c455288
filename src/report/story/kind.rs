//! The kinds of moments.

use std::fmt;
use std::str::FromStr;

/// What sort of thing a moment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A fault was injected or undone.
    Fault,
    /// A process began, ended, stopped running, recovered its disk, or halted.
    Process,
    /// Sessions at ZooKeeper, and what brokers register with them.
    Session,
    /// A broker became the controller or resigned; topics that it created; states that it found.
    Controller,
    /// A leader was chosen, or a partition has none.
    Election,
    /// The in-sync replicas changed.
    Isr,
    /// A replica leads or follows from now on.
    Role,
    /// A log was cut.
    Truncation,
    /// Something that no leader may send, or a position that was reset.
    MatrixFault,
    /// A client learned who leads.
    Leader,
    /// A command of an operator, and what it printed.
    Command,
    /// A client asked who leads.
    Ask,
    /// A record was handed to a producer.
    Record,
    /// A producer sent a batch.
    Send,
    /// A batch was appended to a log.
    Append,
    /// A follower pulled, or acknowledged by its next fetch.
    Fetch,
    /// A high watermark moved.
    Commit,
    /// An operation of a client ended.
    Answer,
    /// A consumer was handed a record.
    Read,
    /// What was read off the cluster when all was over.
    Fact,
}

impl Kind {
    /// Every kind, in the order in which they are listed to a user.
    pub const ALL: &'static [Self] = &[
        Self::Fault,
        Self::Process,
        Self::Session,
        Self::Controller,
        Self::Election,
        Self::Isr,
        Self::Role,
        Self::Truncation,
        Self::MatrixFault,
        Self::Leader,
        Self::Command,
        Self::Ask,
        Self::Record,
        Self::Send,
        Self::Append,
        Self::Fetch,
        Self::Commit,
        Self::Answer,
        Self::Read,
        Self::Fact,
    ];

    /// The name that a user gives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Process => "process",
            Self::Session => "session",
            Self::Controller => "controller",
            Self::Election => "election",
            Self::Isr => "isr",
            Self::Role => "role",
            Self::Truncation => "truncation",
            Self::MatrixFault => "trouble",
            Self::Leader => "leader",
            Self::Command => "command",
            Self::Ask => "ask",
            Self::Record => "record",
            Self::Send => "send",
            Self::Append => "append",
            Self::Fetch => "fetch",
            Self::Commit => "commit",
            Self::Answer => "answer",
            Self::Read => "read",
            Self::Fact => "fact",
        }
    }

    /// Whether there are about as many of it as there are records, or questions: shown only when asked for.
    pub const fn is_of_records(self) -> bool {
        matches!(
            self,
            Self::Ask
                | Self::Record
                | Self::Send
                | Self::Append
                | Self::Fetch
                | Self::Commit
                | Self::Answer
                | Self::Read
                | Self::Fact
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no kind has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of event; there are {}", names())]
pub struct UnknownKind;

fn names() -> String {
    Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().find(|kind| kind.name() == text).copied().ok_or(UnknownKind)
    }
}
