//! What can be asked of a run besides its scenario and seed.

use std::fmt;
use std::io::Write;

use crate::checkers::Judge;
use crate::model::{Reader, Terms};

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
