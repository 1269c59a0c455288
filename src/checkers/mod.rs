//! History → verdict. One property, one file; each says where it comes from, what it states in one
//! sentence, and what it leaves out, and has a history that it accepts and one that it rejects.
//!
//! Checkers see the history and nothing else, so that they cannot share a bug with what they judge. The
//! [`Judge`] listens to a run as it happens and keeps no history: its memory depends on what went wrong,
//! not on how long the run was.
//!
//! | kind | files |
//! |---|---|
//! | properties | [`PROPERTIES`], a file each; a new one is added to `CHECKERS` below |
//! | bookkeeping | [`interval`], `ledger`, `ack_window`, `reading` |
//! | what else is shown | [`happened`], `timeline` |
//! | the whole | `terms` in, [`Judge`], [`Judgement`] out |

mod ack_window;
pub mod acknowledged_is_in_the_final_log;
pub mod acknowledged_is_read;
pub mod answers_are_sound;
pub mod availability;
mod case;
mod checker;
pub mod consumers_catch_up;
pub mod ends_once;
mod evidence;
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
pub use case::{Case, FirstCase};
use checker::{Books, Checker};
pub use evidence::{Acknowledged, Evidence, Fired, Gone};
pub use judge::Judge;
pub use judgement::{ConsumerSummary, Judged, Judgement, ProducerSummary, RunOutcome, Status};
pub use property::{Class, Permission, Property, Verdict};
pub use terms::{ConsumerTerms, ProducerTerms, Terms};
pub use timeline::{Entry, Timeline, Turn};

/// A checker that has seen nothing yet.
type NewChecker = fn() -> Box<dyn Checker>;

/// Every property, in the order in which they are judged and shown, with who judges it.
const CHECKERS: &[(&Property, NewChecker)] = &[
    (&acknowledged_is_in_the_final_log::PROPERTY, || {
        Box::new(acknowledged_is_in_the_final_log::AcknowledgedIsInTheFinalLog)
    }),
    (&acknowledged_is_read::PROPERTY, || Box::new(acknowledged_is_read::AcknowledgedIsRead)),
    (&read_is_in_the_final_log::PROPERTY, || {
        Box::new(read_is_in_the_final_log::ReadIsInTheFinalLog)
    }),
    (&answers_are_sound::PROPERTY, || Box::<answers_are_sound::AnswersAreSound>::default()),
    (&no_duplicates::PROPERTY, || Box::<no_duplicates::NoDuplicates>::default()),
    (&order::PROPERTY, || Box::new(order::OrderIsKept)),
    (&one_leader_per_epoch::PROPERTY, || Box::<one_leader_per_epoch::OneLeaderPerEpoch>::default()),
    (&leader_in_isr::PROPERTY, || Box::<leader_in_isr::LeaderInIsr>::default()),
    (&ends_once::PROPERTY, || Box::new(ends_once::EndsOnce)),
    (&workload_completes::PROPERTY, || Box::new(workload_completes::WorkloadCompletes)),
    (&replicas_converge::PROPERTY, || Box::<replicas_converge::ReplicasConverge>::default()),
    (&consumers_catch_up::PROPERTY, || Box::new(consumers_catch_up::ConsumersCatchUp)),
    (&availability::PROPERTY, || Box::new(availability::IsAvailable)),
];

/// Every property, in the order in which they are judged and shown.
pub const PROPERTIES: [&Property; CHECKERS.len()] = {
    let mut properties = [CHECKERS[0].0; CHECKERS.len()];
    let mut index = 0;
    while index < CHECKERS.len() {
        properties[index] = CHECKERS[index].0;
        index += 1;
    }
    properties
};
