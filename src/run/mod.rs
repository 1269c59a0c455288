//! One seed and many: what a run is asked for, and how it can fail to be one.

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
use crate::history::Subscriber;
use crate::model::Terms;

pub use build::{BUILD, Build};
pub use failure::{REPORTS, Unwritable, failure, failure_name, read_failure, write_failure};
pub use library::{seed, seeds};
pub use many::{Jobs, many};
pub use ran::{Panicked, Ran};
pub use replay::{Comparison, Replayed, replay};
pub use single::{DEFAULT_SEED, load, now, play, run_live, run_plan};
pub use sweep::{Group, PermittedLoss, Sweep, Tally, Worst};

/// Makes a subscriber that is told what the judge is told; it is made in the run's own thread.
pub type Watcher = Box<dyn FnOnce(&Terms) -> Box<dyn Subscriber> + Send>;

/// Who is told what happens in a run: the judge, and who watches beside it, if anybody does.
pub type Listeners = (Judge, Option<Box<dyn Subscriber>>);

/// What is asked of a run, besides its scenario and seed.
#[derive(Default)]
pub struct RunOptions {
    /// Where every event is written as a line, if anywhere. Should be buffered.
    pub events: Option<Box<dyn Write + Send>>,
    /// Who watches beside the judge, if anybody does.
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

/// Why there is no outcome.
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
    /// The scenario is wrong. Holds what is wrong, rendered for a person.
    #[error("{0}")]
    Scenario(String),
    /// The events cannot be written.
    #[error("cannot write events: {0}")]
    Events(#[source] io::Error),
}
