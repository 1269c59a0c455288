//! Mutants against checkers: which checker finds which planted bug, on the runs that are said to show it.

use std::ops::ControlFlow;
use std::path::Path;

use super::{Jobs, RunError, load, many};
use crate::checkers::{Judged, PROPERTIES, Property, RunOutcome, Status};
use crate::scenario::Plan;
use crate::vocab::{Mutant, Seed};

/// Where a mutant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutantCase {
    /// The planted bug.
    pub mutant: Mutant,
    /// The scenario's file name, without `.toml`.
    pub scenario: &'static str,
    /// The first seed by which it is found.
    pub seed: Seed,
}

impl MutantCase {
    /// The command that shows it.
    pub fn command(&self) -> String {
        let Self { mutant, scenario, seed } = self;
        format!("sim run scenarios/{scenario}.toml --seed {} --mutant {mutant}", seed.0)
    }
}

const fn hunt(mutant: Mutant, scenario: &'static str, seed: u64) -> MutantCase {
    MutantCase { mutant, scenario, seed: Seed(seed) }
}

/// Runs that find each mutant, in the order of [`Mutant::ALL`].
pub const MUTANT_CASES: &[MutantCase] = &[
    hunt(Mutant::TruncateToOwnHighWatermark, "fast_elections", 1),
    hunt(Mutant::AcknowledgeAlone, "fast_elections", 1),
    hunt(Mutant::IgnoreMinInsyncReplicas, "lone_leader", 1),
    hunt(Mutant::JoinBelowEpochStart, "behind_the_epoch_start", 4),
    hunt(Mutant::CommitOverPendingShrink, "fast_elections", 1),
    hunt(Mutant::CommitBelowMinInsyncReplicas, "lone_leader_3_7", 1),
    hunt(Mutant::LowerHighWatermark, "crash_after_clean_shutdown", 1),
    hunt(Mutant::TakeHighWatermarkBeyondEnd, "stale_follower", 1),
    hunt(Mutant::StallAfterShrink, "follower_gone_for_good", 1),
    hunt(Mutant::ForgetUnansweredIsrChange, "isr_change_without_controller", 4),
    hunt(Mutant::ReadAboveHighWatermark, "fast_elections", 1),
    hunt(Mutant::OutOfRangeAboveHighWatermark, "fast_elections", 14),
    hunt(Mutant::CompareOffsetsOnly, "fast_elections", 2),
    hunt(Mutant::TruncateByOneAnswer, "fast_elections_2_4", 22),
    hunt(Mutant::ForgetEpochOfElection, "fast_elections_2_4", 4),
    hunt(Mutant::FetchUnfenced, "stale_follower", 4),
    hunt(Mutant::LeadInOldEpoch, "fast_elections", 1),
    hunt(Mutant::KeepCleanShutdownMarker, "crash_after_clean_shutdown", 8),
    hunt(Mutant::AcknowledgeBeforeFlush, "fsync_before_answer", 1),
    hunt(Mutant::ElectOutsideIsr, "fast_elections", 1),
    hunt(Mutant::ElectWithoutJoining, "fast_elections", 1),
    hunt(Mutant::ReuseLeaderEpoch, "fast_elections", 2),
    hunt(Mutant::MissBouncedBrokers, "broker_bounces", 1),
    hunt(Mutant::ReuseControllerEpoch, "controller_crash", 1),
    hunt(Mutant::WriteAsZombie, "zombie_controller", 3),
    hunt(Mutant::ApplyBeforeFsync, "zookeeper_power_loss", 7),
    hunt(Mutant::CreateInClosingSession, "late_registrations", 48),
    hunt(Mutant::LeaveEphemerals, "fast_elections", 2),
    hunt(Mutant::TellNobodyOfSessionEnd, "leader_gone_for_good", 1),
    hunt(Mutant::RoundSessionsDown, "session_expiry", 1),
    hunt(Mutant::EpochBeforeLog, "zookeeper_late_follower", 14),
    hunt(Mutant::DiffInsteadOfTrunc, "ensemble_faults", 3),
    hunt(Mutant::ServeWhoHasSeenMore, "zookeeper_clients", 9),
    hunt(Mutant::ArmWatchesFromNow, "zookeeper_clients", 1),
    hunt(Mutant::TellWatchesLate, "zookeeper_clients", 1),
    hunt(Mutant::WriteForMovedSession, "zookeeper_clients", 1),
    hunt(Mutant::RetryBehindOthers, "fast_elections", 6),
    hunt(Mutant::FailUnanswered, "delivery_timeouts", 1),
    hunt(Mutant::EndTwice, "delivery_timeouts", 1),
    hunt(Mutant::WaitForMetadataAge, "preferred_leader_returns", 1),
    hunt(Mutant::ResumeAtLastRecord, "fast_elections", 1),
    hunt(Mutant::GoOnFromEpochEnd, "fast_elections", 1),
    hunt(Mutant::KeepFormerLeader, "fast_elections", 1),
];

/// What the checkers made of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantResult {
    /// The mutant, and where it was looked for.
    pub hunt: MutantCase,
    /// How many seeds were run, from the hunt's on.
    pub seeds: u64,
    /// In how many of them some property failed the run, and does not fail it without the mutant.
    pub found: u64,
    /// In how many seeds each of [`PROPERTIES`] failed the run, and does not without the mutant.
    pub by: Vec<u64>,
}

/// Runs every hunt, with `seeds` seeds each, on the scenarios in `folder`, and the same without the mutants: what
/// fails anyway finds nothing.
///
/// # Errors
/// When a scenario cannot be read, or is wrong.
///
/// # Panics
/// Passes on a panic of the simulation: a mutant is a bug of what is simulated, not of the simulator.
pub fn catch_all(folder: &Path, seeds: u64) -> Result<Vec<MutantResult>, RunError> {
    let mut plans = Vec::new();
    for hunt in MUTANT_CASES {
        let scenario = load(&folder.join(hunt.scenario).with_extension("toml"))?;
        let numbers = hunt.seed.0..hunt.seed.0 + seeds;
        plans.extend(numbers.flat_map(|seed| {
            [Some(hunt.mutant), None].map(|mutant| Plan { mutant, ..scenario.plan(Seed(seed)) })
        }));
    }
    let mut failing: Vec<Vec<bool>> = Vec::new();
    many(plans, Jobs::default(), |ran| {
        let outcome = ran.outcome.unwrap_or_else(|panicked| panic!("{panicked}"));
        failing.push(PROPERTIES.iter().map(|property| fails(&outcome, property)).collect());
        ControlFlow::Continue(())
    });
    let per_hunt = 2 * usize::try_from(seeds).expect("few seeds");
    let caught = MUTANT_CASES.iter().zip(failing.chunks(per_hunt));
    Ok(caught.map(|(hunt, failing)| catch(*hunt, failing)).collect())
}

fn fails(outcome: &RunOutcome, property: &Property) -> bool {
    let status = outcome.judgement.find(property).map(Judged::status);
    matches!(status, Some(Status::Violated | Status::NotConverged))
}

/// Of runs with the mutant, each followed by the same without, which of [`PROPERTIES`] fail each.
fn catch(hunt: MutantCase, failing: &[Vec<bool>]) -> MutantResult {
    let mut catch = MutantResult { hunt, seeds: 0, found: 0, by: vec![0; PROPERTIES.len()] };
    for pair in failing.chunks(2) {
        let shown: Vec<_> =
            pair[0].iter().zip(&pair[1]).map(|(with, bare)| *with && !bare).collect();
        catch.seeds += 1;
        catch.found += u64::from(shown.contains(&true));
        catch.by.iter_mut().zip(&shown).for_each(|(count, shown)| *count += u64::from(*shown));
    }
    catch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_without_the_mutant_too_finds_nothing() {
        let none = vec![false; PROPERTIES.len()];
        let first = PROPERTIES.iter().enumerate().map(|(index, _)| index == 0).collect::<Vec<_>>();
        let runs = [first.clone(), none.clone(), first.clone(), first, none.clone(), none];
        let catch = catch(MUTANT_CASES[0], &runs);
        assert_eq!((catch.seeds, catch.found, catch.by[0]), (3, 1, 1));
    }
}
