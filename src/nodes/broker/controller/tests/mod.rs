//! Controllers in a small world.

mod partitions;
mod requests;
mod terms;
mod world;
