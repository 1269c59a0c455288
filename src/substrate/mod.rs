//! The simulated world.
mod disk;
mod id_map;
mod queue;
mod rope;
