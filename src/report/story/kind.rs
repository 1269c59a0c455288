//! The kinds of moments.

use std::fmt;
use std::str::FromStr;

/// The kind of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A fault was injected or undone.
    Fault,
    /// A process began, ended, stopped running, recovered its disk, or halted.
    Process,
    /// ZooKeeper sessions, and the registration of brokers.
    Session,
    /// A broker became controller or resigned; topics that it created; states that it read.
    Controller,
    /// A leader was elected, or a partition has none.
    Election,
    /// The in-sync replicas changed.
    Isr,
    /// A replica became leader or follower.
    Role,
    /// A log was truncated.
    Truncation,
    /// A response that no leader may send, a position that was reset, a follower that stopped fetching.
    Error,
    /// A group rebalanced, or its members, their partitions or its coordinator changed.
    Group,
    /// A producer with a transactional id came or was fenced, or its coordinator changed.
    Transaction,
    /// A client learned a leader.
    Metadata,
    /// A command of an operator, and its output.
    Command,
    /// A client asked for metadata.
    Request,
    /// A producer queued a record.
    Queue,
    /// A producer sent a batch.
    Send,
    /// A batch was appended to a log.
    Append,
    /// A follower fetched records, or confirmed them by its next fetch.
    Fetch,
    /// A high watermark moved; a group committed offsets; a transaction began, went on or ended.
    Commit,
    /// A leader acknowledged records, or an operation of a producer ended.
    Ack,
    /// A consumer read a record.
    Read,
    /// The state of the cluster at the end of the run.
    Final,
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
        Self::Error,
        Self::Group,
        Self::Transaction,
        Self::Metadata,
        Self::Command,
        Self::Request,
        Self::Queue,
        Self::Send,
        Self::Append,
        Self::Fetch,
        Self::Commit,
        Self::Ack,
        Self::Read,
        Self::Final,
    ];

    /// Its name on the command line.
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
            Self::Error => "error",
            Self::Group => "group",
            Self::Transaction => "transaction",
            Self::Metadata => "metadata",
            Self::Command => "command",
            Self::Request => "request",
            Self::Queue => "queue",
            Self::Send => "send",
            Self::Append => "append",
            Self::Fetch => "fetch",
            Self::Commit => "commit",
            Self::Ack => "ack",
            Self::Read => "read",
            Self::Final => "final",
        }
    }

    /// Whether there is about one for each record or request: shown only on demand.
    pub const fn is_of_records(self) -> bool {
        matches!(
            self,
            Self::Request
                | Self::Queue
                | Self::Send
                | Self::Append
                | Self::Fetch
                | Self::Commit
                | Self::Ack
                | Self::Read
                | Self::Final
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is not a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of event; the kinds are {}", names())]
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
