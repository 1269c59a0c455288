//! What a report says besides the outcome.

use std::path::PathBuf;

use crate::run::{BUILD, Build};

/// Which code a report is of, and where to look further.
///
/// Only here does the commit come into a report: a test that compares reports hands in a build that is made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The code.
    pub build: Build,
    /// The command that runs it again, when it is not the scenario's with its seed.
    pub replay: Option<String>,
    /// The failure file, if one was written.
    pub file: Option<PathBuf>,
}

impl Default for Provenance {
    /// This code, and nothing else to look at.
    fn default() -> Self {
        Self { build: BUILD, replay: None, file: None }
    }
}
