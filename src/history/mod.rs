//! What happened: observations of nodes, events of the world, their stable encoding and the fingerprint.
//!
//! Everything that a judge may know of a run stands in its history. Client operations end `ok`, `failed`
//! (it certainly did not happen) or `unknown` (a timeout, a lost connection, "not leader"), never two of them.

mod observation;

pub use observation::{
    BrokerObservation, Call, ClientObservation, CoordinatorObservation, Election, Observation,
    Outcome,
};
