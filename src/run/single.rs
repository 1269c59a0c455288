//! One scenario, one seed, one outcome.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::files::read_text;
use super::{Listeners, Panicked, Ran, RunError, RunOptions};
use crate::checkers::{Judge, RunOutcome};
use crate::cluster::{self, Live, Names, Outside, Played};
use crate::history::Recorder;
use crate::model::Modelled;
use crate::releases;
use crate::scenario::{self, Diagnostics, Plan, Scenario};
use crate::substrate;
use crate::vocab::foreign::ForeignLines;
use crate::vocab::{Roster, Seed, Time};

/// The default seed.
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

/// The name and the text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<(String, String), RunError> {
    let name = path.display().to_string();
    match read_text(path) {
        Ok(text) => Ok((name, text)),
        Err(source) => Err(RunError::Unreadable { path: name, source }),
    }
}

/// What is wrong with a file, for people: a text in lines, in which no escape sequence is ours.
pub(super) fn wrong(found: Diagnostics) -> RunError {
    RunError::Scenario(ForeignLines(&found.render()).to_string())
}

/// Reads the scenario at `path`.
///
/// # Errors
/// [`RunError::Unreadable`], or [`RunError::Scenario`] with all that is wrong in it.
pub fn load(path: &Path) -> Result<Scenario, RunError> {
    if path.to_str().is_none() {
        // Reports name it, and the command that runs it again.
        let why = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        let path = path.display().to_string();
        return Err(RunError::Unreadable { path, source: why });
    }
    let (name, text) = read(path)?;
    scenario::parse(&name, &text).map_err(wrong)
}

/// Runs a plan, as [`play`] does.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written, [`RunError::StandsStill`] when time does not pass.
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn run_plan(plan: Plan, options: RunOptions) -> Result<RunOutcome, RunError> {
    let seed = plan.seed.0;
    play(plan, options).map(|ran| ran.outcome.unwrap_or_else(|panic| panic!("seed {seed} {panic}")))
}

/// Runs a plan in a fresh thread: thread-locals of dependencies outlive a runtime, and must not leak from one seed
/// into the next. A panic of the simulation is an outcome; its message is also on stderr.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written, [`RunError::StandsStill`] when time does not pass.
pub fn play(plan: Plan, options: RunOptions) -> Result<Ran, RunError> {
    let thread = std::thread::Builder::new()
        .name(format!("seed {}", plan.seed.0))
        .stack_size(STACK_BYTES)
        .spawn(move || caught(plan, options))
        .expect("the machine has room for one more thread");
    match thread.join() {
        Ok(ran) => ran,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Plays a plan in this thread, which must be a fresh one: after a panic, it must play no other.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written, [`RunError::StandsStill`] when time does not pass.
pub(super) fn caught(plan: Plan, options: RunOptions) -> Result<Ran, RunError> {
    let play = |live: Live<'_, Listeners>| (live.finish(), ());
    let run = || substrate::simulate(plan.seed, || simulated(&plan, options, None, play));
    let outcome = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => Ok(outcome?.0),
        Err(payload) => Err(ended_by(&*payload)?),
    };
    Ok(Ran { plan, outcome })
}

/// What a run that unwound its stack ended by: a panic, unless the watchdog did it.
fn ended_by(payload: &(dyn std::any::Any + Send)) -> Result<Panicked, RunError> {
    match payload.downcast_ref::<substrate::StandsStill>() {
        Some(stuck) => Err(RunError::StandsStill(stuck.to_string())),
        None => Ok(Panicked::new(payload)),
    }
}

/// Runs a plan with external clients, in a fresh thread; `play` advances time, lets clients in, and may return a value.
///
/// # Errors
/// [`RunError::Events`] when the event log cannot be written, [`RunError::StandsStill`] when time does not pass.
///
/// # Panics
/// Passes on a panic of the simulation.
pub fn run_live<T: Send + 'static>(
    plan: Plan,
    options: RunOptions,
    outside: impl Into<Outside>,
    play: impl FnOnce(Live<'_, Listeners>) -> (Played<Listeners>, T) + Send + 'static,
) -> Result<(RunOutcome, T), RunError> {
    let (seed, outside) = (plan.seed, outside.into());
    let run = move || simulated(&plan, options, Some(&outside), play);
    let thread = std::thread::Builder::new()
        .name(format!("seed {}", seed.0))
        .stack_size(STACK_BYTES)
        .spawn(move || substrate::simulate(seed, run))
        .expect("the machine has room for one more thread");
    match thread.join() {
        Ok(outcome) => outcome,
        Err(panic) => {
            ended_by(&*panic)?;
            std::panic::resume_unwind(panic)
        }
    }
}

fn simulated<T>(
    plan: &Plan,
    options: RunOptions,
    outside: Option<&Outside>,
    play: impl FnOnce(Live<'_, Listeners>) -> (Played<Listeners>, T),
) -> Result<(RunOutcome, T), RunError> {
    let names = if outside.is_some() { Names::with_outside(plan) } else { Names::of(plan) };
    NAMES.set(names.roster.clone());
    let terms = cluster::terms(plan, &names);
    let watcher = options.watcher.map(|watcher| watcher(&terms));
    let mut recorder = Recorder::new(Modelled::new(terms, (Judge::default(), watcher)));
    if let Some(events) = options.events {
        recorder = recorder.with_event_log(events, (*names.roster).clone());
    }
    // What the plan was read and drawn with is not part of the run.
    releases::take_asked();
    let (played, brought) = play(Live::new(plan, recorder, outside));
    let asked = releases::take_asked();
    let recorded = played.recorder.finish().map_err(RunError::Events)?;
    let Modelled { model, reader: (judge, _) } = recorded.subscriber;
    let path = Path::new(&plan.scenario);
    let outcome = RunOutcome {
        scenario: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        path: plan.scenario.clone(),
        seed: plan.seed,
        kafka: plan.kafka,
        mutant: plan.mutant,
        simulated: played.ended,
        world_events: played.world_events,
        asked,
        events: recorded.events,
        fingerprint: recorded.fingerprint,
        judgement: judge.finish(model, played.ended),
    };
    Ok((outcome, brought))
}
