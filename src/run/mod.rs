//! One seed and many: options of a run, its errors, and everything that runs more than one.

mod build;
mod error;
mod failure;
pub mod files;
mod library;
mod many;
pub mod matrix;
mod memory;
pub mod mutants;
#[cfg(test)]
mod old_consumer_tests;
mod options;
mod ran;
mod replay;
mod sealed;
mod single;
mod stop;
mod sweep;

pub use build::{BUILD, Build};
pub use error::RunError;
pub use failure::{
    Integrity, REPORTS, Unwritable, failure, failure_name, read_failure, write_failure,
};
pub use library::{seed, seeds};
pub use many::{Jobs, many};
pub use memory::{Fewer, estimate};
pub use options::{Listeners, RunOptions, Watcher};
pub use ran::{Panicked, Ran};
pub use replay::{Comparison, Replayed, replay};
pub use sealed::Damage;
pub use single::{DEFAULT_SEED, load, now, play, run_live, run_plan};
pub use stop::Stop;
pub use sweep::{Group, PermittedLoss, Sweep, Tally, Worst};
