//! A partition's log: record batches in segment files on the node's disk, and the same bytes in memory.
//!
//! Memory is the page cache of the process: every batch is copied once, into a page that it shares with its
//! neighbours ([`pages`]), and from there handed to the disk and to readers without a copy. Pages that are
//! far from the end rest ([`crate::vocab::page`]): a long run takes little more memory than a short one, and
//! appends and the readers at the end never touch what is cold. Steady state has no fsync
//! (`log.flush.interval.messages` is "never" by default); a segment that is full is flushed behind the back
//! of the writer.

pub mod checkpoint;
mod checkpoint_lines;
pub mod epochs;
mod pages;
mod partition_log;
pub mod producers;
mod recovery;
mod retention;
#[cfg(test)]
mod tests;
pub mod transactions;

pub use self::checkpoint::AtomicFiles;
pub use self::checkpoint_lines::CheckpointError;
pub use self::epochs::{EpochCache, EpochEnd};
pub use self::partition_log::{
    Disk, FirstBatch, Found, Log, LogSettings, directory_of, partition_of,
};
pub use self::recovery::{Known, Loaded};
pub use self::retention::Retention;
