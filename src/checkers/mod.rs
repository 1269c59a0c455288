//! Model → verdict. One property, one file: its statement in one sentence, its source, what it leaves out, its
//! rule, a history that it accepts and one that it rejects.
//!
//! Checkers see the history and nothing else, so that they cannot share a bug with what they judge. The
//! [`Judge`] listens to a run as it happens and keeps no history: its memory depends on what went wrong,
//! not on how long the run was. A property is a [`Rule`] and keeps nothing but its [`Cases`]; what it needs to
//! know of earlier events is in the [model](crate::model).
//!
//! | folder | properties about |
//! |---|---|
//! | [`clients`] | what producers and consumers see |
//! | [`replication`] | replicas, in-sync replicas, high watermarks, leader epochs |
//! | [`controller`] | elections and the controller itself |
//! | [`groups`] | consumer groups, their members and their offsets |
//! | [`transactions`] | transactions of producers, their coordinators, what readers of them see |
//! | [`zookeeper`] | the ensemble, its sessions, znodes and watches |
//! | [`liveness`] | what must happen once all faults are over |
//!
//! A new property is a file in one of these folders and a row in `CHECKERS` below.

mod case;
mod checker;
pub mod clients;
pub mod controller;
mod evidence;
mod expectation;
mod finding;
pub mod groups;
mod judge;
mod judgement;
pub mod liveness;
mod property;
pub mod replication;
mod rule;
mod subject;
#[cfg(test)]
pub(crate) mod testing;
pub mod transactions;
pub mod zookeeper;

use case::offsets;
pub use case::{Case, Cases, FirstCase};
use checker::{Checker, Kind, NewChecker};
pub use evidence::{Acknowledged, Evidence, Gone};
pub use expectation::{Expectation, Occurrence};
pub use finding::Finding;
pub use judge::Judge;
pub use judgement::{
    ConsumerSummary, Judged, Judgement, Latency, PartitionSummary, ProducerSummary, RunOutcome,
    Status,
};
pub use property::{Class, Property, Verdict};
use rule::by;
pub use rule::{Event, Rule};
pub use subject::Subject;

/// Every property, in the order in which they are judged and shown, with its checker.
const CHECKERS: &[(&Property, NewChecker)] = &[
    by::<clients::acknowledged_is_in_the_final_log::AcknowledgedIsInTheFinalLog>(),
    by::<clients::acknowledged_is_read::AcknowledgedIsRead>(),
    by::<clients::read_is_in_the_final_log::ReadIsInTheFinalLog>(),
    by::<clients::fetch_responses_are_valid::FetchResponsesAreValid>(),
    by::<clients::no_duplicates::NoDuplicates>(),
    by::<clients::order::OrderIsKept>(),
    by::<clients::no_lost_writes::NoLostWrites>(),
    by::<clients::each_offset_holds_one_record::EachOffsetHoldsOneRecord>(),
    by::<clients::each_record_has_one_offset::EachRecordHasOneOffset>(),
    by::<clients::failed_is_not_read::FailedIsNotRead>(),
    by::<clients::acknowledged_offsets_increase::AcknowledgedOffsetsIncrease>(),
    by::<clients::polled_offsets_increase::PolledOffsetsIncrease>(),
    by::<clients::polls_skip_nothing::PollsSkipNothing>(),
    by::<replication::one_leader_per_epoch::OneLeaderPerEpoch>(),
    by::<replication::leader_in_isr::LeaderInIsr>(),
    by::<replication::leader_isr_has_committed::LeaderIsrHasCommitted>(),
    by::<replication::zookeeper_isr_has_committed::ZooKeeperIsrHasCommitted>(),
    by::<replication::log_offsets_are_sequential::LogOffsetsAreSequential>(),
    by::<replication::logs_match::LogsMatch>(),
    by::<replication::committed_is_durable::CommittedIsDurable>(),
    by::<replication::committed_is_not_truncated::CommittedIsNotTruncated>(),
    by::<replication::leader_epochs_never_decrease::LeaderEpochsNeverDecrease>(),
    by::<replication::high_watermark_never_decreases::HighWatermarkNeverDecreases>(),
    by::<replication::reads_are_committed::ReadsAreCommitted>(),
    by::<replication::acknowledged_is_replicated::AcknowledgedIsReplicated>(),
    by::<replication::replicas_join_isr_caught_up::ReplicasJoinIsrCaughtUp>(),
    by::<replication::producer_sequences_are_contiguous::ProducerSequencesAreContiguous>(),
    by::<controller::elections_are_clean::ElectionsAreClean>(),
    by::<controller::one_controller_per_epoch::OneControllerPerEpoch>(),
    by::<zookeeper::ephemerals_have_live_sessions::EphemeralsHaveLiveSessions>(),
    by::<zookeeper::sessions_expire_only_when_silent::SessionsExpireOnlyWhenSilent>(),
    by::<zookeeper::session_requests_are_in_order::SessionRequestsAreInOrder>(),
    by::<zookeeper::znodes_are_consistent::ZnodesAreConsistent>(),
    by::<zookeeper::watches_fire::WatchesFire>(),
    by::<zookeeper::one_zookeeper_leader_per_epoch::OneZooKeeperLeaderPerEpoch>(),
    by::<zookeeper::zookeeper_histories_agree::ZooKeeperHistoriesAgree>(),
    by::<zookeeper::committed_transactions_are_durable::CommittedTransactionsAreDurable>(),
    by::<groups::one_owner_per_partition::OneOwnerPerPartition>(),
    by::<groups::generations_increase::GenerationsIncrease>(),
    by::<groups::commits_are_fenced::CommitsAreFenced>(),
    by::<groups::committed_offsets_are_kept::CommittedOffsetsAreKept>(),
    by::<groups::commits_follow_positions::CommitsFollowPositions>(),
    by::<groups::members_expire_only_when_silent::MembersExpireOnlyWhenSilent>(),
    by::<transactions::aborted_is_not_read::AbortedIsNotRead>(),
    by::<transactions::open_is_not_read::OpenIsNotRead>(),
    by::<transactions::transactions_are_atomic::TransactionsAreAtomic>(),
    by::<transactions::fenced_producers_append_nothing::FencedProducersAppendNothing>(),
    by::<transactions::producer_epochs_are_unique::ProducerEpochsAreUnique>(),
    by::<transactions::coordinator_decisions_are_kept::CoordinatorDecisionsAreKept>(),
    by::<transactions::appends_are_of_open_transactions::AppendsAreOfOpenTransactions>(),
    by::<clients::operations_end_once::OperationsEndOnce>(),
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
    (&transactions::transactions_end::PROPERTY, || {
        Box::new(transactions::transactions_end::TransactionsEnd)
    }),
    (&groups::groups_settle::PROPERTY, || Box::new(groups::groups_settle::GroupsSettle)),
    (&liveness::consumers_catch_up::PROPERTY, || {
        Box::new(liveness::consumers_catch_up::ConsumersCatchUp)
    }),
    (&liveness::acknowledged_is_seen::PROPERTY, || {
        Box::new(liveness::acknowledged_is_seen::AcknowledgedIsSeen)
    }),
    by::<clients::availability::Availability>(),
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
