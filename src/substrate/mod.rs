//! The simulated world: virtual time, links, disks, clocks and the life of processes.
//!
//! The only folder that names madsim, and it needs little of it: a runtime that makes libc's clocks
//! and randomness deterministic for dependencies, and a clock to move. Of that runtime the world is
//! the one task. It takes the next event from one queue, moves the clock to it, steps the process
//! that it is for, and applies the effects. A process does not know what drives it
//! ([`crate::vocab::step`]), and the world never sees what a process is: it is generic over
//! [`Process`] and over the [`Observer`] that watches.
//!
//! | file | what |
//! |---|---|
//! | `world.rs` | [`World`]: the interface; steps processes; injects faults |
//! | `kernel.rs` | what is due, and what effects do; knows no processes |
//! | `queue.rs` | the one queue |
//! | `network.rs`, `link.rs` | connections over directed links; what of TCP is modelled |
//! | `host.rs` | power, pause, wall clock, disk speed |
//! | `disk.rs` | page cache and platter |
//! | `watchdog.rs` | ends a run in which time does not move |
//! | `event.rs` | what an observer gets |
//! | `floor.rs` | a world that does nothing, for measuring |
//!
//! Randomness comes from the streams `sched` (ties of the queue), `net/link/<from>-<to>` and
//! `disk/<name>`.
//!
//! Disk writes are seen by the page cache at once. With a slow disk ([`World::slow_disk`])
//! everything that leaves the node behind a write (connects, sends, closes, the end of the process)
//! waits until it is done, in order; timers and observations do not wait, as they do not leave.

mod disk;
mod event;
mod floor;
mod host;
mod id_map;
mod kernel;
mod link;
mod network;
mod queue;
mod watchdog;
mod world;

#[cfg(test)]
mod tests;

pub use disk::{Disk, SECTOR_BYTES};
pub use event::{Observer, What, WorldEvent};
pub use floor::floor;
pub use host::DiskConfig;
pub use link::NetworkConfig;
pub use watchdog::StandsStill;
pub use world::{Moment, Process, World, WorldConfig, moment, simulate};
