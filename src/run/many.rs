//! Many runs on all cores. Outcomes come in the order of the plans.

use std::collections::BTreeMap;
use std::iter::Fuse;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Scope;

use super::single::{STACK_BYTES, caught};
use super::{Panicked, Ran, RunOptions};
use crate::scenario::Plan;

/// How many runs per job may be running or waiting for an earlier one: a run that takes longer than so many others
/// holds them up.
const WINDOW_PER_JOB: usize = 8;

/// How many runs are running at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs(pub NonZeroUsize);

impl Default for Jobs {
    /// One for each core that this process may use.
    fn default() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// Plays `plans`, `jobs` at a time, and calls `each` with every outcome, in the order of the plans, until it breaks.
///
/// Each run has a thread of its own, as in [`play`](super::play). Plans are drawn when they are needed, and only a
/// few outcomes per job are held. `each` is called in this thread. A run that panics is an outcome, too; the
/// message of its panic is also on stderr.
pub fn many(
    plans: impl IntoIterator<Item = Plan>,
    jobs: Jobs,
    each: impl FnMut(Ran) -> ControlFlow<()>,
) {
    std::thread::scope(|scope| {
        let (sender, ended) = mpsc::channel();
        let pool = Pool {
            scope,
            plans: plans.into_iter().fuse(),
            jobs: jobs.0.get(),
            started: 0,
            running: 0,
            handed: 0,
            waiting: BTreeMap::new(),
            sender,
            ended,
        };
        pool.play(each);
    });
}

/// Runs that are running, and those that ended before an earlier one.
struct Pool<'scope, 'env, I> {
    scope: &'scope Scope<'scope, 'env>,
    plans: Fuse<I>,
    jobs: usize,
    started: usize,
    running: usize,
    handed: usize,
    /// Runs that ended before an earlier one did, by their place in the order.
    waiting: BTreeMap<usize, Ran>,
    sender: Sender<(usize, Ran)>,
    ended: Receiver<(usize, Ran)>,
}

impl<I: Iterator<Item = Plan>> Pool<'_, '_, I> {
    /// Returns when `each` breaks; the scope waits for runs that are still running.
    fn play(mut self, mut each: impl FnMut(Ran) -> ControlFlow<()>) {
        loop {
            self.start_some();
            if self.running == 0 {
                return;
            }
            let (place, ran) = self.ended.recv().expect("the pool itself holds a sender");
            self.running -= 1;
            self.waiting.insert(place, ran);
            while let Some(ran) = self.waiting.remove(&self.handed) {
                self.handed += 1;
                if each(ran).is_break() {
                    return;
                }
            }
        }
    }

    fn start_some(&mut self) {
        while self.running < self.jobs && self.started - self.handed < self.jobs * WINDOW_PER_JOB {
            let Some(plan) = self.plans.next() else { return };
            let (place, sender) = (self.started, self.sender.clone());
            std::thread::Builder::new()
                .name(format!("seed {}", plan.seed.0))
                .stack_size(STACK_BYTES)
                .spawn_scoped(self.scope, move || {
                    let ran = caught(plan.clone(), RunOptions::default());
                    // One run that does not end must not end all: it failed, as one that panicked.
                    let ran = ran.unwrap_or_else(|error| Ran {
                        plan,
                        outcome: Err(Panicked { message: error.to_string() }),
                    });
                    // The receiver is gone when `each` has broken.
                    let _: Result<(), _> = sender.send((place, ran));
                })
                .expect("the machine has room for one more thread");
            self.started += 1;
            self.running += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_plan;
    use crate::scenario::{self, Scenario};
    use crate::vocab::Seed;

    fn scenario() -> Scenario {
        let text = "kafka = \"2.8\"\nduration = \"1s\"\n[cluster]\nbrokers = 1\n\
                    [[topic]]\nname = \"t\"\n\
                    [[producer]]\nname = \"p0\"\ntopic = \"t\"\nrate = \"20/s\"\n";
        scenario::parse("tiny.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// Two nodes with one name: no scenario can say so, and the roster panics.
    fn impossible(mut plan: Plan) -> Plan {
        plan.producers[0].name = plan.brokers[0].name.clone();
        plan
    }

    fn jobs(jobs: usize) -> Jobs {
        Jobs(NonZeroUsize::new(jobs).expect("some jobs"))
    }

    #[test]
    fn outcomes_come_in_order_and_are_those_of_single_runs() {
        let scenario = scenario();
        let alone = |seed| run_plan(scenario.plan(Seed(seed)), RunOptions::default());
        let alone: Vec<_> = (1..=20).map(|seed| alone(seed).expect("no files")).collect();
        for count in [1, 3] {
            let mut outcomes = Vec::new();
            many((1..=20).map(|seed| scenario.plan(Seed(seed))), jobs(count), |ran| {
                outcomes.push(ran.outcome.expect("no run panics"));
                ControlFlow::Continue(())
            });
            assert_eq!(outcomes, alone, "{count} jobs");
        }
    }

    #[test]
    fn a_panic_is_the_outcome_of_its_own_seed_alone() {
        let scenario = scenario();
        let plan = |seed| match seed {
            3 => impossible(scenario.plan(Seed(seed))),
            _ => scenario.plan(Seed(seed)),
        };
        let mut panicked = Vec::new();
        many((1..=5).map(plan), jobs(2), |ran| {
            panicked.push((ran.plan.seed.0, ran.outcome.err().map(|panic| panic.message)));
            ControlFlow::Continue(())
        });
        let message = Some("two nodes named b1".to_owned());
        assert_eq!(panicked, [(1, None), (2, None), (3, message), (4, None), (5, None)]);
    }

    #[test]
    fn no_more_plans_are_drawn_than_the_window_holds() {
        let scenario = scenario();
        let mut drawn = 0;
        let plans = (1..).map(|seed| {
            drawn += 1;
            scenario.plan(Seed(seed))
        });
        many(plans, jobs(2), |ran| match ran.plan.seed.0 {
            10 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert!((10..=9 + 2 * WINDOW_PER_JOB).contains(&drawn), "{drawn} plans were drawn");
    }

    #[test]
    fn nothing_to_play_is_no_run() {
        many([], Jobs::default(), |_| panic!("there is nothing to hand over"));
    }
}
