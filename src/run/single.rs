//! One scenario, one seed, one outcome.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{RunError, RunOptions};
use crate::checkers::{ConsumerTerms, Judge, Permission, ProducerTerms, RunOutcome, Terms};
use crate::cluster::{self, Names};
use crate::history::Recorder;
use crate::scenario::{self, Plan, ReadFrom, Scenario};
use crate::substrate;
use crate::vocab::{Roster, Seed, Time};

/// The seed of a run that is given none.
pub const DEFAULT_SEED: Seed = Seed(0);

/// The stack of a run's thread, in bytes; more than the deepest decoder needs.
pub(super) const STACK_BYTES: usize = 8 << 20;

thread_local! {
    /// The names of the cluster that this thread simulates, for log lines.
    static NAMES: RefCell<Arc<Roster>> = RefCell::default();
}

/// Virtual time and the name of the node that this thread's world steps; for log lines.
pub fn now() -> (Time, String) {
    let moment = substrate::moment();
    let name = moment.node.map(|node| NAMES.with_borrow(|names| names.name(node).to_string()));
    (moment.time, name.unwrap_or_else(|| "-".to_owned()))
}

/// Reads the scenario at `path`.
///
/// # Errors
/// [`RunError::Unreadable`], or [`RunError::Scenario`] with all that is wrong in it.
#[expect(clippy::disallowed_methods, reason = "`run` is where scenarios are read")]
pub fn load(path: &Path) -> Result<Scenario, RunError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| RunError::Unreadable { path: name.clone(), source })?;
    scenario::parse(&name, &text).map_err(|wrong| RunError::Scenario(wrong.render()))
}

/// Reads the scenario at `path` and runs nothing.
///
/// # Errors
/// See [`load`].
pub fn check(path: &Path) -> Result<(), RunError> {
    load(path).map(drop)
}

/// Runs the scenario at `path` with `seed`, or [`DEFAULT_SEED`].
///
/// # Errors
/// See [`load`]; [`RunError::Events`] when the event log cannot be written.
pub fn run_one(
    path: &Path,
    seed: Option<Seed>,
    options: RunOptions,
) -> Result<RunOutcome, RunError> {
    let mut plan = load(path)?.plan(seed.unwrap_or(DEFAULT_SEED));
    plan.mutant = options.mutant.or(plan.mutant);
    run_plan(plan, options)
}

/// Runs a plan, in a fresh thread: thread-locals of dependencies outlive a runtime, and must not reach from
/// one seed into the next.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written.
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn run_plan(plan: Plan, options: RunOptions) -> Result<RunOutcome, RunError> {
    let thread = std::thread::Builder::new()
        .name(format!("seed {}", plan.seed.0))
        .stack_size(STACK_BYTES)
        .spawn(move || played(&plan, options))
        .expect("the machine has room for one more thread");
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Plays a plan in this thread, which must be a fresh one.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written.
pub(super) fn played(plan: &Plan, options: RunOptions) -> Result<RunOutcome, RunError> {
    substrate::simulate(plan.seed, || simulated(plan, options))
}

fn simulated(plan: &Plan, options: RunOptions) -> Result<RunOutcome, RunError> {
    let names = Names::of(plan);
    NAMES.set(names.roster.clone());
    let terms = terms(plan, &names);
    let watcher = options.watcher.map(|watcher| watcher(&terms));
    let mut recorder = Recorder::new((Judge::new(terms), watcher));
    if let Some(events) = options.events {
        recorder = recorder.with_event_log(events, (*names.roster).clone());
    }
    let played = cluster::play(plan, recorder);
    let recorded = played.recorder.finish().map_err(RunError::Events)?;
    let path = Path::new(&plan.scenario);
    Ok(RunOutcome {
        scenario: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        path: plan.scenario.clone(),
        seed: plan.seed,
        kafka: plan.kafka,
        mutant: plan.mutant,
        simulated: played.ended,
        world_events: played.world_events,
        events: recorded.events,
        fingerprint: recorded.fingerprint,
        judgement: recorded.subscriber.0.finish(played.ended),
    })
}

/// What a plan promises, as the judges go by it.
fn terms(plan: &Plan, names: &Names) -> Terms {
    let producer = |(plan, &node): (&scenario::ProducerPlan, _)| ProducerTerms {
        node,
        acks: plan.acks,
        idempotent: false,
        ordered: plan.properties.int("max.in.flight.requests.per.connection") == 1
            || plan.properties.int("retries") == 0,
    };
    let consumer = |(plan, &node): (&scenario::ConsumerPlan, _)| ConsumerTerms {
        node,
        group: None,
        topics: plan.topics.iter().map(|topic| topic.as_str().into()).collect(),
        from_beginning: plan.from == ReadFrom::Beginning,
    };
    Terms {
        roster: (*names.roster).clone(),
        brokers: plan.brokers.iter().map(|b| b.id).zip(names.brokers.iter().copied()).collect(),
        producers: plan.producers.iter().zip(&names.producers).map(producer).collect(),
        consumers: plan.consumers.iter().zip(&names.consumers).map(consumer).collect(),
        acknowledged_loss: if plan.expect.acknowledged_loss_permitted {
            Permission::Permitted
        } else {
            Permission::Forbidden
        },
        unavailability_max: None,
        expected: plan.expect.happened.clone(),
        never: plan.expect.never.clone(),
    }
}
