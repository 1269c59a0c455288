//! History → verdict. One property, one file; each says where it comes from, what it states in one
//! sentence, and what it leaves out, and has a history that it accepts and one that it rejects.
//!
//! Checkers see the history and nothing else, so that they cannot share a bug with what they judge. The
//! [`Judge`] listens to a run as it happens and keeps no history: its memory depends on what went wrong,
//! not on how long the run was.
//!
//! | kind | files |
//! |---|---|
//! | properties | [`PROPERTIES`], a file each |
//! | bookkeeping | [`interval`], `ledger`, `ack_window`, `reading` |
//! | what else is shown | [`happened`], `timeline` |
//! | the whole | `terms` in, [`Judge`], [`Judgement`] out |

mod ack_window;
pub mod acknowledged_is_in_the_final_log;
pub mod acknowledged_is_read;
pub mod answers_are_sound;
pub mod availability;
pub mod consumers_catch_up;
pub mod ends_once;
mod evidence;
mod finding;
pub mod happened;
pub mod interval;
mod judge;
mod judgement;
pub mod leader_in_isr;
mod ledger;
pub mod no_duplicates;
pub mod one_leader_per_epoch;
pub mod order;
mod property;
pub mod read_is_in_the_final_log;
mod reading;
pub mod replicas_converge;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
pub mod workload_completes;

use ack_window::{AckWindow, Reign};
pub use evidence::{Acknowledged, Evidence, Fired, Gone};
pub use finding::Finding;
pub use judge::Judge;
pub use judgement::{ConsumerSummary, Judged, Judgement, ProducerSummary, RunOutcome, Status};
pub use property::{Class, Permission, Property, Verdict};
pub use terms::{ConsumerTerms, ProducerTerms, Terms};
pub use timeline::{Entry, Timeline, Turn};

/// Every property, in the order in which they are judged and shown.
pub const PROPERTIES: &[&Property] = &[
    &acknowledged_is_in_the_final_log::PROPERTY,
    &acknowledged_is_read::PROPERTY,
    &read_is_in_the_final_log::PROPERTY,
    &answers_are_sound::PROPERTY,
    &no_duplicates::PROPERTY,
    &order::PROPERTY,
    &one_leader_per_epoch::PROPERTY,
    &leader_in_isr::PROPERTY,
    &ends_once::PROPERTY,
    &workload_completes::PROPERTY,
    &replicas_converge::PROPERTY,
    &consumers_catch_up::PROPERTY,
    &availability::PROPERTY,
];
