//! History → verdict. One property, one file; each says where it comes from, what it states in one
//! sentence, and what it leaves out, and has a history that it accepts and one that it rejects.
//!
//! Checkers see the history and nothing else, so that they cannot share a bug with what they judge. The
//! [`Judge`] listens to a run as it happens and keeps no history: its memory depends on what went wrong,
//! not on how long the run was.
//!
//! | folder | properties about |
//! |---|---|
//! | [`clients`] | what producers and consumers were promised and saw |
//! | [`replication`] | replicas, in-sync replicas, high watermarks, leader epochs |
//! | [`controller`] | elections and the controller itself |
//! | [`zookeeper`] | the ensemble, its sessions, znodes and watches |
//! | [`liveness`] | what must come about once all faults are over |
//!
//! A new property is a file in one of these folders and a row in `CHECKERS` below.

mod case;
mod checker;
pub mod clients;
pub mod controller;
mod evidence;
mod expectation;
mod finding;
mod judge;
mod judgement;
pub mod liveness;
mod property;
pub mod replication;
#[cfg(test)]
pub(crate) mod testing;
pub mod zookeeper;

pub use case::{Case, Cases, FirstCase};
use checker::Checker;
pub use evidence::{Acknowledged, Evidence, Gone};
pub use expectation::{Expectation, Expected};
pub use finding::Finding;
pub use judge::Judge;
pub use judgement::{ConsumerSummary, Judged, Judgement, ProducerSummary, RunOutcome, Status};
pub use property::{Class, Property, Verdict};

/// A checker that has seen nothing yet.
type NewChecker = fn() -> Box<dyn Checker>;

/// Every property, in the order in which they are judged and shown, with who judges it.
const CHECKERS: &[(&Property, NewChecker)] = &[
    (&clients::acknowledged_is_in_the_final_log::PROPERTY, || {
        Box::new(clients::acknowledged_is_in_the_final_log::AcknowledgedIsInTheFinalLog)
    }),
    (&clients::acknowledged_is_read::PROPERTY, || {
        Box::new(clients::acknowledged_is_read::AcknowledgedIsRead)
    }),
    (&clients::read_is_in_the_final_log::PROPERTY, || {
        Box::new(clients::read_is_in_the_final_log::ReadIsInTheFinalLog)
    }),
    (&clients::answers_are_sound::PROPERTY, || {
        Box::<clients::answers_are_sound::AnswersAreSound>::default()
    }),
    (&clients::no_duplicates::PROPERTY, || Box::<clients::no_duplicates::NoDuplicates>::default()),
    (&clients::order::PROPERTY, || Box::new(clients::order::OrderIsKept)),
    (&clients::no_lost_writes::PROPERTY, || Box::new(clients::no_lost_writes::NoLostWrites)),
    (&clients::each_offset_holds_one_record::PROPERTY, || {
        Box::<clients::each_offset_holds_one_record::EachOffsetHoldsOneRecord>::default()
    }),
    (&clients::each_record_has_one_offset::PROPERTY, || {
        Box::<clients::each_record_has_one_offset::EachRecordHasOneOffset>::default()
    }),
    (&clients::failed_is_not_read::PROPERTY, || {
        Box::new(clients::failed_is_not_read::FailedIsNotRead)
    }),
    (&clients::sends_go_forward::PROPERTY, || {
        Box::<clients::sends_go_forward::SendsGoForward>::default()
    }),
    (&clients::polls_go_forward::PROPERTY, || {
        Box::<clients::polls_go_forward::PollsGoForward>::default()
    }),
    (&clients::polls_leave_nothing_out::PROPERTY, || {
        Box::<clients::polls_leave_nothing_out::PollsLeaveNothingOut>::default()
    }),
    (&replication::one_leader_per_epoch::PROPERTY, || {
        Box::<replication::one_leader_per_epoch::OneLeaderPerEpoch>::default()
    }),
    (&replication::leader_in_isr::PROPERTY, || {
        Box::<replication::leader_in_isr::LeaderInIsr>::default()
    }),
    (&replication::isr_of_leader_agrees::PROPERTY, || {
        Box::<replication::isr_of_leader_agrees::IsrOfLeaderAgrees>::default()
    }),
    (&replication::isr_in_zookeeper_agrees::PROPERTY, || {
        Box::<replication::isr_in_zookeeper_agrees::IsrInZooKeeperAgrees>::default()
    }),
    (&replication::logs_are_whole::PROPERTY, || {
        Box::<replication::logs_are_whole::LogsAreWhole>::default()
    }),
    (&replication::logs_match::PROPERTY, || Box::<replication::logs_match::LogsMatch>::default()),
    (&replication::committed_is_durable::PROPERTY, || {
        Box::<replication::committed_is_durable::CommittedIsDurable>::default()
    }),
    (&replication::committed_is_not_truncated::PROPERTY, || {
        Box::<replication::committed_is_not_truncated::CommittedIsNotTruncated>::default()
    }),
    (&replication::epochs_only_grow::PROPERTY, || {
        Box::<replication::epochs_only_grow::EpochsOnlyGrow>::default()
    }),
    (&replication::high_watermark_only_grows::PROPERTY, || {
        Box::<replication::high_watermark_only_grows::HighWatermarkOnlyGrows>::default()
    }),
    (&replication::reads_are_committed::PROPERTY, || {
        Box::<replication::reads_are_committed::ReadsAreCommitted>::default()
    }),
    (&replication::acknowledged_is_replicated::PROPERTY, || {
        Box::<replication::acknowledged_is_replicated::AcknowledgedIsReplicated>::default()
    }),
    (&replication::joins_isr_caught_up::PROPERTY, || {
        Box::<replication::joins_isr_caught_up::JoinsIsrCaughtUp>::default()
    }),
    (&controller::elections_are_clean::PROPERTY, || {
        Box::<controller::elections_are_clean::ElectionsAreClean>::default()
    }),
    (&controller::one_controller_per_epoch::PROPERTY, || {
        Box::<controller::one_controller_per_epoch::OneControllerPerEpoch>::default()
    }),
    (&zookeeper::ephemerals_have_owners::PROPERTY, || {
        Box::<zookeeper::ephemerals_have_owners::EphemeralsHaveOwners>::default()
    }),
    (&zookeeper::sessions_end_rightly::PROPERTY, || {
        Box::<zookeeper::sessions_end_rightly::SessionsEndRightly>::default()
    }),
    (&zookeeper::sessions_are_served_in_order::PROPERTY, || {
        Box::<zookeeper::sessions_are_served_in_order::SessionsAreServedInOrder>::default()
    }),
    (&zookeeper::znodes_are_consistent::PROPERTY, || {
        Box::<zookeeper::znodes_are_consistent::ZnodesAreConsistent>::default()
    }),
    (&zookeeper::watches_are_told::PROPERTY, || {
        Box::<zookeeper::watches_are_told::WatchesAreTold>::default()
    }),
    (&zookeeper::one_zookeeper_leader_per_epoch::PROPERTY, || {
        Box::<zookeeper::one_zookeeper_leader_per_epoch::OneZooKeeperLeaderPerEpoch>::default()
    }),
    (&zookeeper::zookeeper_histories_agree::PROPERTY, || {
        Box::<zookeeper::zookeeper_histories_agree::ZooKeeperHistoriesAgree>::default()
    }),
    (&zookeeper::decided_transactions_stay::PROPERTY, || {
        Box::<zookeeper::decided_transactions_stay::DecidedTransactionsStay>::default()
    }),
    (&clients::ends_once::PROPERTY, || Box::new(clients::ends_once::EndsOnce)),
    (&liveness::workload_completes::PROPERTY, || {
        Box::new(liveness::workload_completes::WorkloadCompletes)
    }),
    (&liveness::converges::PROPERTY, || Box::new(liveness::converges::Converges)),
    (&liveness::brokers_register_again::PROPERTY, || {
        Box::new(liveness::brokers_register_again::BrokersRegisterAgain)
    }),
    (&liveness::partitions_are_led::PROPERTY, || {
        Box::new(liveness::partitions_are_led::PartitionsAreLed)
    }),
    (&liveness::replicas_converge::PROPERTY, || {
        Box::new(liveness::replicas_converge::ReplicasConverge)
    }),
    (&liveness::high_watermark_reaches_the_end::PROPERTY, || {
        Box::new(liveness::high_watermark_reaches_the_end::HighWatermarkReachesTheEnd)
    }),
    (&liveness::final_logs_agree::PROPERTY, || {
        Box::new(liveness::final_logs_agree::FinalLogsAgree)
    }),
    (&liveness::consumers_catch_up::PROPERTY, || {
        Box::new(liveness::consumers_catch_up::ConsumersCatchUp)
    }),
    (&liveness::acknowledged_is_seen::PROPERTY, || {
        Box::new(liveness::acknowledged_is_seen::AcknowledgedIsSeen)
    }),
    (&clients::availability::PROPERTY, || Box::new(clients::availability::IsAvailable)),
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
