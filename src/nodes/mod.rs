//! Pure state machines: brokers, ZooKeeper servers, clients.
//!
//! A role does not know that it is simulated. It has `step(&mut self, clock, input, effects)` and nothing
//! else: no I/O, no async, no randomness but the streams that it was given. How a role is driven is defined
//! in [`crate::vocab::step`].

pub mod broker;
pub mod channel;
pub mod clients;
mod fetch_session;
pub mod session;
#[cfg(test)]
pub(crate) mod testing;
pub mod zookeeper;

use crate::history::Observation;

/// The effects of a role's step.
pub type Effects = crate::vocab::step::Effects<Observation>;
