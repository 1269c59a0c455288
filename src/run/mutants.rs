//! Mutants against checkers: which checker finds which planted bug, on runs that are known to show it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::{Fewer, Jobs, RunError, Stop, estimate, load, many};
use crate::checkers::{Judged, PROPERTIES, Property, RunOutcome, Status};
use crate::scenario::{Plan, Scenario};
use crate::vocab::{Mutant, Seed, run_command};

/// A run that shows a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutantCase {
    /// The planted bug.
    pub mutant: Mutant,
    /// The scenario's file name, without `.toml`.
    pub scenario: &'static str,
    /// The first seed with which a checker finds it.
    pub seed: Seed,
}

impl MutantCase {
    /// The command that shows it.
    pub fn command(&self) -> String {
        let Self { mutant, scenario, seed } = self;
        run_command(&format!("scenarios/{scenario}.toml"), *seed, Some(*mutant))
    }
}

const fn case(mutant: Mutant, scenario: &'static str, seed: u64) -> MutantCase {
    MutantCase { mutant, scenario, seed: Seed(seed) }
}

/// Runs that find each mutant, in the order of [`Mutant::ALL`].
pub const MUTANT_CASES: &[MutantCase] = &[
    case(Mutant::CanaryAcknowledgeWithoutAppend, "leader_crash", 1),
    case(Mutant::TruncateToOwnHighWatermark, "fast_elections", 1),
    case(Mutant::AcknowledgeAlone, "fast_elections", 1),
    case(Mutant::IgnoreMinInsyncReplicas, "lone_leader_3_7", 1),
    case(Mutant::JoinBelowEpochStart, "behind_the_epoch_start", 4),
    case(Mutant::CommitOverPendingShrink, "fast_elections", 2),
    case(Mutant::CommitBelowMinInsyncReplicas, "lone_leader_3_7", 1),
    case(Mutant::LowerHighWatermark, "crash_after_clean_shutdown", 6),
    case(Mutant::TakeHighWatermarkBeyondEnd, "stale_follower", 1),
    case(Mutant::StallAfterShrink, "follower_gone_for_good", 1),
    case(Mutant::ForgetUnansweredIsrChange, "isr_change_without_controller", 4),
    case(Mutant::ReadAboveHighWatermark, "fast_elections", 1),
    case(Mutant::OutOfRangeAboveHighWatermark, "fast_elections", 11),
    case(Mutant::CompareOffsetsOnly, "fast_elections", 2),
    case(Mutant::TruncateByOneAnswer, "fast_elections_2_4", 99),
    case(Mutant::ForgetEpochOfElection, "fast_elections_2_4", 3),
    case(Mutant::FetchUnfenced, "stale_follower", 15),
    case(Mutant::LeadInOldEpoch, "fast_elections", 1),
    case(Mutant::KeepCleanShutdownMarker, "crash_after_clean_shutdown", 19),
    case(Mutant::AcknowledgeBeforeFlush, "fsync_before_answer", 1),
    case(Mutant::ElectOutsideIsr, "fast_elections", 1),
    case(Mutant::ElectWithoutJoining, "fast_elections", 1),
    case(Mutant::ReuseLeaderEpoch, "fast_elections", 2),
    case(Mutant::MissBouncedBrokers, "broker_bounces", 13),
    case(Mutant::ReuseControllerEpoch, "controller_crash", 1),
    case(Mutant::WriteAsZombie, "zombie_controller", 1),
    case(Mutant::ApplyBeforeFsync, "zookeeper_power_loss", 2),
    case(Mutant::CreateInClosingSession, "late_registrations", 25),
    case(Mutant::LeaveEphemerals, "fast_elections", 2),
    case(Mutant::NoWatchEventForSessionEnd, "leader_gone_for_good", 1),
    case(Mutant::RoundSessionsDown, "session_expiry", 1),
    case(Mutant::EpochBeforeLog, "zookeeper_late_follower", 14),
    case(Mutant::DiffInsteadOfTrunc, "ensemble_faults", 3),
    case(Mutant::ServeClientWithNewerZxid, "zookeeper_clients", 16),
    case(Mutant::ArmWatchesFromNow, "zookeeper_clients", 1),
    case(Mutant::FireWatchesLate, "zookeeper_clients", 1),
    case(Mutant::WriteForMovedSession, "zookeeper_clients", 1),
    case(Mutant::AppendRepeatedBatches, "idempotent_producer", 1),
    case(Mutant::RememberOneBatch, "idempotent_producer", 2),
    case(Mutant::LeadWithoutSequences, "idempotent_producer", 1),
    case(Mutant::ForgetQuietProducers, "idempotent_producer", 1),
    case(Mutant::KeepTruncatedSequences, "idempotent_elections", 28),
    case(Mutant::ReadOpenTransactions, "exactly_once", 1),
    case(Mutant::NameNoAbortedTransactions, "exactly_once", 1),
    case(Mutant::AbortPreparedCommits, "exactly_once_coordinator", 10),
    case(Mutant::CommitUnfenced, "zombie_member", 1),
    case(Mutant::AnswerCommitsEarly, "queue", 1),
    case(Mutant::StopLoadingEarly, "group_coordinator_crash", 1),
    case(Mutant::LoadFirstOffsets, "group_coordinator_crash", 1),
    case(Mutant::IgnoreSignsOfLife, "queue", 1),
    case(Mutant::KeepSilentMembers, "queue", 1),
    case(Mutant::AssignToAll, "queue", 1),
    case(Mutant::ReuseGeneration, "queue", 1),
    case(Mutant::CommitBeforeProcessed, "commit_after_processing", 1),
    case(Mutant::CommitFetched, "commit_after_processing", 1),
    case(Mutant::HeartbeatInPollOnly, "slow_application", 1),
    case(Mutant::ReadRevoked, "cooperative_rebalance", 1),
    case(Mutant::ShareMovedPartitions, "cooperative_rebalance", 1),
    case(Mutant::RetryBehindOthers, "fast_elections", 6),
    case(Mutant::FailUnanswered, "delivery_timeouts", 1),
    case(Mutant::EndTwice, "delivery_timeouts", 1),
    case(Mutant::WaitForMetadataAge, "preferred_leader_returns", 1),
    case(Mutant::ResumeAtLastRecord, "fast_elections", 1),
    case(Mutant::GoOnFromEpochEnd, "fast_elections", 1),
    case(Mutant::KeepFormerLeader, "fast_elections", 1),
];

/// Which checkers found a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantResult {
    /// The mutant, and the run.
    pub case: MutantCase,
    /// How many seeds were run, from the seed of the case.
    pub seeds: u64,
    /// In how many of them some property failed the run, and does not fail it without the mutant.
    pub found: u64,
    /// In how many seeds each of [`PROPERTIES`] failed the run, and does not without the mutant.
    pub by: Vec<u64>,
}

/// The cases, run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The result of each case, in the order of [`MUTANT_CASES`].
    pub results: Vec<MutantResult>,
    /// How many runs there were.
    pub ran: u64,
    /// How many runs are missing, because it was stopped.
    pub not_run: u64,
    /// Fewer runs at a time than there are cores.
    pub fewer: Option<Fewer>,
}

/// A run: its scenario, seed and mutant. Cases share those without a mutant.
type Key = (&'static str, u64, Option<Mutant>);

/// Runs every case with `seeds` seeds, on the scenarios in `folder`, each with and without its mutant: a property
/// that fails without the mutant, too, does not count. Asked to `stop`, it has the results of the runs that ended.
///
/// # Errors
/// When a scenario cannot be read, or is wrong.
///
/// # Panics
/// Passes on a panic of the simulation: a mutant is a bug of what is simulated, not of the simulator.
pub fn run_cases(folder: &Path, seeds: u64, stop: &Stop) -> Result<Hunt, RunError> {
    let numbers = |case: &MutantCase| case.seed.0..case.seed.0 + seeds;
    let mut scenarios: BTreeMap<&'static str, Scenario> = BTreeMap::new();
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    for case in MUTANT_CASES {
        let path = folder.join(case.scenario).with_extension("toml");
        scenarios.insert(case.scenario, load(&path)?);
        let mutants = [Some(case.mutant), None];
        keys.extend(
            mutants
                .iter()
                .flat_map(|mutant| numbers(case).map(move |seed| (case.scenario, seed, *mutant))),
        );
    }
    let (jobs, fewer) = jobs(scenarios.values());
    let mut failing: BTreeMap<Key, Vec<bool>> = BTreeMap::new();
    let plans = keys.iter().map(|&(name, seed, mutant)| Plan {
        mutant,
        scenario: name.into(),
        ..scenarios[name].plan(Seed(seed))
    });
    many(plans, jobs, stop, |ran| {
        let outcome = ran.outcome.unwrap_or_else(|panicked| panic!("{panicked}"));
        let Plan { seed, mutant, .. } = ran.plan;
        let (&name, _) = scenarios.get_key_value(&*ran.plan.scenario).expect("it was given one");
        let key = (name, seed.0, mutant);
        let fails = PROPERTIES.iter().map(|property| fails(&outcome, property)).collect();
        failing.insert(key, fails);
        ControlFlow::Continue(())
    });
    let result_of = |case: &MutantCase| {
        let pair = |seed| {
            let run = |mutant| failing.get(&(case.scenario, seed, mutant)).cloned();
            Some([run(Some(case.mutant))?, run(None)?])
        };
        result(*case, numbers(case).filter_map(pair))
    };
    let (results, ran) = (MUTANT_CASES.iter().map(result_of).collect(), failing.len() as u64);
    Ok(Hunt { results, ran, not_run: keys.len() as u64 - ran, fewer })
}

/// One job for each core, if there is memory for the largest of these scenarios.
fn jobs<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> (Jobs, Option<Fewer>) {
    let largest = scenarios.max_by_key(|scenario| estimate(scenario)).expect("there are cases");
    match Jobs::default().within_memory(largest) {
        Ok(jobs) => (jobs, None),
        Err(fewer) => (fewer.jobs, Some(fewer)),
    }
}

fn fails(outcome: &RunOutcome, property: &Property) -> bool {
    let status = outcome.judgement.find(property).map(Judged::status);
    matches!(status, Some(Status::Violated | Status::NotConverged))
}

/// Counts runs with the mutant, each beside the same run without it, by which of [`PROPERTIES`] fail.
fn result(case: MutantCase, failing: impl Iterator<Item = [Vec<bool>; 2]>) -> MutantResult {
    let mut result = MutantResult { case, seeds: 0, found: 0, by: vec![0; PROPERTIES.len()] };
    for pair in failing {
        let shown: Vec<_> =
            pair[0].iter().zip(&pair[1]).map(|(with, bare)| *with && !bare).collect();
        result.seeds += 1;
        result.found += u64::from(shown.contains(&true));
        result.by.iter_mut().zip(&shown).for_each(|(count, shown)| *count += u64::from(*shown));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_without_the_mutant_too_finds_nothing() {
        let none = vec![false; PROPERTIES.len()];
        let first = PROPERTIES.iter().enumerate().map(|(index, _)| index == 0).collect::<Vec<_>>();
        let runs = [[first.clone(), none.clone()], [first.clone(), first], [none.clone(), none]];
        let result = result(MUTANT_CASES[0], runs.into_iter());
        assert_eq!((result.seeds, result.found, result.by[0]), (3, 1, 1));
    }
}
