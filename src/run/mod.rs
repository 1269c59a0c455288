//! One seed and many: options of a run, its errors, and everything that runs more than one.

mod build;
mod failure;
mod library;
mod many;
pub mod matrix;
pub mod mutants;
mod ran;
mod replay;
mod single;
mod sweep;

use std::fmt;
use std::io::{self, Write};

use crate::checkers::Judge;
use crate::model::{Reader, Terms};

pub use build::{BUILD, Build};
pub use failure::{REPORTS, Unwritable, failure, failure_name, read_failure, write_failure};
pub use library::{seed, seeds};
pub use many::{Jobs, many};
pub use ran::{Panicked, Ran};
pub use replay::{Comparison, Replayed, replay};
pub use single::{DEFAULT_SEED, load, now, play, run_live, run_plan};
pub use sweep::{Group, PermittedLoss, Sweep, Tally, Worst};

/// Makes a reader of the run beside the judge; it is made in the run's own thread.
pub type Watcher = Box<dyn FnOnce(&Terms) -> Box<dyn Reader> + Send>;

/// The readers of a run: the judge, and one beside it if the options ask for it.
pub type Listeners = (Judge, Option<Box<dyn Reader>>);

/// Options of a run, besides its scenario and seed.
#[derive(Default)]
pub struct RunOptions {
    /// Every event is written here as a line. Should be buffered.
    pub events: Option<Box<dyn Write + Send>>,
    /// A subscriber besides the judge.
    pub watcher: Option<Watcher>,
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("events", &self.events.is_some())
            .field("watcher", &self.watcher.is_some())
            .finish()
    }
}

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
}
