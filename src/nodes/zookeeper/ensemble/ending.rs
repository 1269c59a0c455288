//! Why a server stops leading or following.

/// How its time as a leader or learner ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// For this reason it stops, and looks for a leader again.
    Stop(&'static str),
    /// For this reason it must not go on at all: the process exits.
    Halt(String),
}
