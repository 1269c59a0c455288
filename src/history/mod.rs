//! What happened: observations of nodes, events of the world, their stable encoding and the fingerprint.
//!
//! A checker knows of a run only what is in its history. Client operations end `ok`, `failed`
//! (it certainly did not happen) or `unknown` (a timeout, a lost connection, "not leader"), never two of them.
//!
//! A history is a stream: the [`Recorder`] hands every event on and keeps none, so that a run ten times as
//! long takes no more memory.

mod describe;
mod event;
mod event_log;
mod fact;
pub mod fingerprint;
mod group;
mod observation;
mod recorder;
mod session;
mod transaction;

pub use event::{DiskOp, Event, EventKind, Life};
pub use event_log::EventLog;
pub use fact::{Fact, Follower, Leading, Replica};
pub use fingerprint::Fingerprint;
pub use group::{
    CommittedOffset, GroupMember, GroupObservation, GroupSnapshot, GroupState, MemberEvent,
    MemberObservation, Removal,
};
pub use observation::{
    AppendedBatch, BrokerObservation, Call, ClientObservation, Election, ExternalObservation,
    Observation, Outcome, ProducerBatch, ZooKeeperObservation,
};
pub use recorder::{Recorded, Recorder, Subscriber};
pub use session::{SessionAnswer, SessionCall, SessionObservation, WatchKind};
pub use transaction::{
    TransactionEvent, TransactionObservation, TransactionOutcome, TransactionSnapshot,
    TransactionState, TransactionalObservation,
};
