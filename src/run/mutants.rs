//! Mutants against checkers: which checker finds which planted bug, on the runs that are said to show it.

use std::ops::ControlFlow;
use std::path::Path;

use super::{Jobs, RunError, load, many};
use crate::checkers::{PROPERTIES, RunOutcome, Status};
use crate::scenario::Plan;
use crate::vocab::{Mutant, Seed};

/// Where a mutant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The planted bug.
    pub mutant: Mutant,
    /// The scenario's file name, without `.toml`.
    pub scenario: &'static str,
    /// The first seed by which it is found.
    pub seed: Seed,
}

impl Hunt {
    /// The command that shows it.
    pub fn command(&self) -> String {
        let Self { mutant, scenario, seed } = self;
        format!("sim run scenarios/{scenario}.toml --seed {} --mutant {mutant}", seed.0)
    }
}

const fn hunt(mutant: Mutant, scenario: &'static str, seed: u64) -> Hunt {
    Hunt { mutant, scenario, seed: Seed(seed) }
}

/// Runs that find each mutant, in the order of [`Mutant::ALL`].
pub const HUNTS: &[Hunt] = &[
    hunt(Mutant::TruncateToOwnHighWatermark, "fast_elections", 1),
    hunt(Mutant::AcknowledgeAlone, "fast_elections", 1),
    hunt(Mutant::IgnoreMinInsyncReplicas, "lone_leader", 1),
    hunt(Mutant::JoinBelowEpochStart, "behind_the_epoch_start", 4),
    hunt(Mutant::CommitOverPendingShrink, "fast_elections", 1),
    hunt(Mutant::CommitBelowMinInsyncReplicas, "lone_leader_3_7", 1),
    hunt(Mutant::StallAfterShrink, "follower_gone_for_good", 1),
    hunt(Mutant::ForgetUnansweredIsrChange, "isr_change_without_controller", 4),
    hunt(Mutant::ReadAboveHighWatermark, "fast_elections", 1),
    hunt(Mutant::OutOfRangeAboveHighWatermark, "fast_elections", 2),
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
    hunt(Mutant::ApplyBeforeFsync, "coordinator_power_loss", 7),
    hunt(Mutant::CreateInClosingSession, "late_registrations", 23),
    hunt(Mutant::LeaveEphemerals, "fast_elections", 2),
    hunt(Mutant::TellNobodyOfSessionEnd, "leader_gone_for_good", 1),
    hunt(Mutant::RoundSessionsDown, "session_expiry", 1),
    hunt(Mutant::DiffInsteadOfTrunc, "ensemble_faults", 3),
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
pub struct Catch {
    /// The mutant, and where it was looked for.
    pub hunt: Hunt,
    /// How many seeds were run, from the hunt's on.
    pub seeds: u64,
    /// In how many of them the run failed: something forbidden happened, or it did not converge.
    pub found: u64,
    /// In how many seeds each of [`PROPERTIES`] failed the run.
    pub by: Vec<u64>,
}

/// Runs every hunt, with `seeds` seeds each, on the scenarios in `folder`.
///
/// # Errors
/// When a scenario cannot be read, or is wrong.
///
/// # Panics
/// Passes on a panic of the simulation: a mutant is a bug of what is simulated, not of the simulator.
pub fn catch_all(folder: &Path, seeds: u64) -> Result<Vec<Catch>, RunError> {
    let mut plans = Vec::new();
    for hunt in HUNTS {
        let scenario = load(&folder.join(hunt.scenario).with_extension("toml"))?;
        let numbers = hunt.seed.0..hunt.seed.0 + seeds;
        plans.extend(numbers.map(|seed| {
            let mutant = Some(hunt.mutant);
            Plan { mutant, ..scenario.plan(Seed(seed)) }
        }));
    }
    let mut outcomes = Vec::new();
    many(plans, Jobs::default(), |ran| {
        let outcome = ran.outcome.unwrap_or_else(|panicked| panic!("{panicked}"));
        outcomes.push(outcome);
        ControlFlow::Continue(())
    });
    let per_hunt = usize::try_from(seeds).expect("few seeds");
    let caught = HUNTS.iter().zip(outcomes.chunks(per_hunt));
    Ok(caught.map(|(hunt, outcomes)| catch(*hunt, outcomes)).collect())
}

fn fails(status: Status) -> bool {
    matches!(status, Status::Violated | Status::NotConverged)
}

fn catch(hunt: Hunt, outcomes: &[RunOutcome]) -> Catch {
    let count = |is_it: &dyn Fn(&RunOutcome) -> bool| -> u64 {
        outcomes.iter().map(|outcome| u64::from(is_it(outcome))).sum()
    };
    let by = PROPERTIES.iter().map(|property| {
        count(&|outcome| {
            outcome.judgement.find(property).is_some_and(|judged| fails(judged.status()))
        })
    });
    Catch {
        hunt,
        seeds: outcomes.len() as u64,
        found: count(&|outcome| fails(outcome.judgement.status())),
        by: by.collect(),
    }
}
