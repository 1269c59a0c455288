//! Exit codes.

use crate::checkers::Status;
use crate::run::Worst;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything held.
    Held = 0,
    /// A safety property was violated.
    Violated = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The cluster or a client did not converge.
    NotConverged = 3,
    /// Something expected did not happen, or something could not be judged.
    Inconclusive = 4,
    /// Two runs of one scenario and seed were not the same.
    NotDeterministic = 5,
    /// A scenario or report file is wrong.
    BadFile = 6,
    /// A bug in `sim` itself (`EX_SOFTWARE` of sysexits.h).
    Bug = 70,
    /// The answer or a file could not be written: a full disk (`EX_IOERR`).
    Unwritten = 74,
    /// SIGINT or SIGTERM stopped many runs, as shells report it.
    Stopped = 130,
}

impl Exit {
    /// Every exit code.
    pub const ALL: &'static [Self] = &[
        Self::Held,
        Self::Violated,
        Self::Usage,
        Self::NotConverged,
        Self::Inconclusive,
        Self::NotDeterministic,
        Self::BadFile,
        Self::Bug,
        Self::Unwritten,
        Self::Stopped,
    ];

    /// Its meaning, as `sim --help` prints it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Held => "all held",
            Self::Violated => "a safety property was violated",
            Self::Usage => "the command line is wrong",
            Self::NotConverged => "did not converge",
            Self::Inconclusive => "inconclusive: something expected did not happen",
            Self::NotDeterministic => "not deterministic",
            Self::BadFile => "a scenario or report file is wrong",
            Self::Bug => "a bug in sim itself",
            Self::Unwritten => "the answer or a file could not be written",
            Self::Stopped => "stopped by a signal before all seeds had run",
        }
    }
}

impl From<Option<Worst>> for Exit {
    fn from(worst: Option<Worst>) -> Self {
        match worst {
            None => Self::Held,
            Some(Worst::Inconclusive) => Self::Inconclusive,
            Some(Worst::NotConverged) => Self::NotConverged,
            Some(Worst::Violated) => Self::Violated,
            Some(Worst::Panicked) => Self::Bug,
        }
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Held => Self::Held,
            Status::Inconclusive => Self::Inconclusive,
            Status::NotConverged => Self::NotConverged,
            Status::Violated => Self::Violated,
        }
    }
}
