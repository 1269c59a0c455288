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
//! | bookkeeping | [`interval`], `ledger`, `ack_window`, `reading`, `offset_map`, `client_observations`, `ending`, `ensemble`, `sessions`, `znodes` |
//! | what else is shown | [`happened`], `timeline` |
//! | the whole | `terms` in, [`Judge`], [`Judgement`] out |

mod ack_window;
pub mod acknowledged_is_in_the_final_log;
pub mod acknowledged_is_read;
pub mod acknowledged_is_replicated;
pub mod acknowledged_is_seen;
pub mod answers_are_sound;
pub mod availability;
pub mod brokers_register_again;
mod case;
mod checker;
mod client_observations;
pub mod committed_is_durable;
pub mod committed_is_not_truncated;
pub mod consumers_catch_up;
pub mod converges;
pub mod decided_transactions_stay;
pub mod each_offset_holds_one_record;
pub mod each_record_has_one_offset;
pub mod elections_are_clean;
mod ending;
pub mod ends_once;
mod ensemble;
pub mod ephemerals_have_owners;
pub mod epochs_only_grow;
mod evidence;
pub mod failed_is_not_read;
pub mod final_logs_agree;
mod finding;
pub mod happened;
pub mod high_watermark_only_grows;
pub mod high_watermark_reaches_the_end;
pub mod interval;
pub mod isr_in_zookeeper_agrees;
pub mod isr_of_leader_agrees;
pub mod joins_isr_caught_up;
mod judge;
mod judgement;
mod known_limits;
pub mod leader_in_isr;
mod ledger;
mod log_tree;
pub mod logs_are_whole;
pub mod logs_match;
pub mod no_duplicates;
pub mod no_lost_writes;
mod offset_map;
pub mod one_controller_per_epoch;
pub mod one_leader_per_epoch;
pub mod one_zookeeper_leader_per_epoch;
pub mod order;
pub mod partitions_are_led;
pub mod polls_go_forward;
pub mod polls_leave_nothing_out;
mod property;
pub mod read_is_in_the_final_log;
mod reading;
pub mod reads_are_committed;
mod replicas;
pub mod replicas_converge;
pub mod sends_go_forward;
mod sessions;
pub mod sessions_are_served_in_order;
pub mod sessions_end_rightly;
mod stored;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
pub mod watches_are_told;
pub mod workload_completes;
mod znodes;
pub mod znodes_are_consistent;
pub mod zookeeper_histories_agree;

use ack_window::{AckWindow, Reign};
pub use case::{Case, Cases, FirstCase};
use checker::{Checker, Model};
pub use evidence::{Acknowledged, Evidence, Fired, Gone};
pub use finding::Finding;
pub use judge::Judge;
pub use judgement::{
    CommandSummary, ConsumerSummary, Judged, Judgement, ProducerSummary, RunOutcome, Status,
};
pub use property::{Class, Permission, Property, Verdict};
pub use terms::{ConsumerTerms, ProducerTerms, Terms, TopicTerms};
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
    (&no_lost_writes::PROPERTY, || Box::new(no_lost_writes::NoLostWrites)),
    (&each_offset_holds_one_record::PROPERTY, || {
        Box::<each_offset_holds_one_record::EachOffsetHoldsOneRecord>::default()
    }),
    (&each_record_has_one_offset::PROPERTY, || {
        Box::<each_record_has_one_offset::EachRecordHasOneOffset>::default()
    }),
    (&failed_is_not_read::PROPERTY, || Box::new(failed_is_not_read::FailedIsNotRead)),
    (&sends_go_forward::PROPERTY, || Box::<sends_go_forward::SendsGoForward>::default()),
    (&polls_go_forward::PROPERTY, || Box::<polls_go_forward::PollsGoForward>::default()),
    (&polls_leave_nothing_out::PROPERTY, || {
        Box::<polls_leave_nothing_out::PollsLeaveNothingOut>::default()
    }),
    (&one_leader_per_epoch::PROPERTY, || Box::<one_leader_per_epoch::OneLeaderPerEpoch>::default()),
    (&leader_in_isr::PROPERTY, || Box::<leader_in_isr::LeaderInIsr>::default()),
    (&isr_of_leader_agrees::PROPERTY, || Box::<isr_of_leader_agrees::IsrOfLeaderAgrees>::default()),
    (&isr_in_zookeeper_agrees::PROPERTY, || {
        Box::<isr_in_zookeeper_agrees::IsrInZooKeeperAgrees>::default()
    }),
    (&logs_are_whole::PROPERTY, || Box::<logs_are_whole::LogsAreWhole>::default()),
    (&logs_match::PROPERTY, || Box::<logs_match::LogsMatch>::default()),
    (&committed_is_durable::PROPERTY, || {
        Box::<committed_is_durable::CommittedIsDurable>::default()
    }),
    (&committed_is_not_truncated::PROPERTY, || {
        Box::<committed_is_not_truncated::CommittedIsNotTruncated>::default()
    }),
    (&epochs_only_grow::PROPERTY, || Box::<epochs_only_grow::EpochsOnlyGrow>::default()),
    (&high_watermark_only_grows::PROPERTY, || {
        Box::<high_watermark_only_grows::HighWatermarkOnlyGrows>::default()
    }),
    (&reads_are_committed::PROPERTY, || Box::<reads_are_committed::ReadsAreCommitted>::default()),
    (&acknowledged_is_replicated::PROPERTY, || {
        Box::<acknowledged_is_replicated::AcknowledgedIsReplicated>::default()
    }),
    (&joins_isr_caught_up::PROPERTY, || Box::<joins_isr_caught_up::JoinsIsrCaughtUp>::default()),
    (&elections_are_clean::PROPERTY, || Box::<elections_are_clean::ElectionsAreClean>::default()),
    (&one_controller_per_epoch::PROPERTY, || {
        Box::<one_controller_per_epoch::OneControllerPerEpoch>::default()
    }),
    (&ephemerals_have_owners::PROPERTY, || {
        Box::<ephemerals_have_owners::EphemeralsHaveOwners>::default()
    }),
    (&sessions_end_rightly::PROPERTY, || {
        Box::<sessions_end_rightly::SessionsEndRightly>::default()
    }),
    (&sessions_are_served_in_order::PROPERTY, || {
        Box::<sessions_are_served_in_order::SessionsAreServedInOrder>::default()
    }),
    (&znodes_are_consistent::PROPERTY, || {
        Box::<znodes_are_consistent::ZnodesAreConsistent>::default()
    }),
    (&watches_are_told::PROPERTY, || Box::<watches_are_told::WatchesAreTold>::default()),
    (&one_zookeeper_leader_per_epoch::PROPERTY, || {
        Box::<one_zookeeper_leader_per_epoch::OneZooKeeperLeaderPerEpoch>::default()
    }),
    (&zookeeper_histories_agree::PROPERTY, || {
        Box::<zookeeper_histories_agree::ZooKeeperHistoriesAgree>::default()
    }),
    (&decided_transactions_stay::PROPERTY, || {
        Box::<decided_transactions_stay::DecidedTransactionsStay>::default()
    }),
    (&ends_once::PROPERTY, || Box::new(ends_once::EndsOnce)),
    (&workload_completes::PROPERTY, || Box::new(workload_completes::WorkloadCompletes)),
    (&converges::PROPERTY, || Box::new(converges::Converges)),
    (&brokers_register_again::PROPERTY, || Box::new(brokers_register_again::BrokersRegisterAgain)),
    (&partitions_are_led::PROPERTY, || Box::new(partitions_are_led::PartitionsAreLed)),
    (&replicas_converge::PROPERTY, || Box::new(replicas_converge::ReplicasConverge)),
    (&high_watermark_reaches_the_end::PROPERTY, || {
        Box::new(high_watermark_reaches_the_end::HighWatermarkReachesTheEnd)
    }),
    (&final_logs_agree::PROPERTY, || Box::new(final_logs_agree::FinalLogsAgree)),
    (&consumers_catch_up::PROPERTY, || Box::new(consumers_catch_up::ConsumersCatchUp)),
    (&acknowledged_is_seen::PROPERTY, || Box::new(acknowledged_is_seen::AcknowledgedIsSeen)),
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
