//! Why a run has no outcome.

use std::io;

/// Why a run has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file, as it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The scenario is wrong. Holds the rendered diagnostics.
    #[error("{0}")]
    Scenario(String),
    /// The events cannot be written.
    #[error("cannot write events: {0}")]
    Events(#[source] io::Error),
    /// Nodes work without end at one virtual moment. Says when, and which.
    #[error("{0}")]
    StandsStill(String),
}
