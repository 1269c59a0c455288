//! Why a run has no outcome.

use std::io;
use std::path::PathBuf;

use super::sealed::Damage;
use crate::vocab::foreign::{Foreign, shell_path};

/// Why a run has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario cannot be read.
    #[error("cannot read {}: {source}", Foreign(path))]
    Unreadable {
        /// The file, as it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The scenario is wrong. Holds the rendered diagnostics.
    #[error("{0}")]
    Scenario(String),
    /// A failure file is not as it was written.
    #[error(
        "{} {damage}\n  to write it again    {again}\n  \
         if you changed it    sim replay --edited {}",
        Foreign(&path.display().to_string()),
        shell_path(path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
        /// The command that writes it again.
        again: String,
    },
    /// The events cannot be written.
    #[error("cannot write events: {0}")]
    Events(#[source] io::Error),
    /// Nodes work without end at one virtual moment. Says when, and which.
    #[error("{0}")]
    StandsStill(String),
}
