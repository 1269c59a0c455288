//! The code that a report is from, and its files.

use std::path::PathBuf;

use crate::run::{BUILD, Build};

/// The code that a report is from, and where to look further.
///
/// Only here the commit enters a report: tests that compare reports give a made-up build.
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
