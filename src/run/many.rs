//! Many runs on all cores. Outcomes come in the order of the plans.

use std::collections::BTreeMap;
use std::iter::Fuse;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::single::{STACK_BYTES, caught};
use super::{Panicked, Ran, RunOptions, Stop};
use crate::scenario::Plan;

/// How many runs per job may be running or waiting for an earlier one: a run that takes longer than so many others
/// holds them up.
const WINDOW_PER_JOB: usize = 8;

/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How many runs are running at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs(pub NonZeroUsize);

impl Default for Jobs {
    /// One for each core that this process may use.
    fn default() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// Plays `plans`, `jobs` at a time, and calls `each` with every outcome, in the order of the plans, until it breaks,
/// or until it is asked to stop: then also with those that ended before an earlier one.
///
/// Each run has a thread of its own, as in [`play`](super::play). Plans are drawn when they are needed, and only a
/// few outcomes per job are held. `each` is called in this thread. A run that panics is an outcome, too; the
/// message of its panic is also on stderr. Runs that have not ended when `each` breaks, or when it is time to stop,
/// are not waited for: their threads end by themselves, or with the process.
pub fn many(
    plans: impl IntoIterator<Item = Plan>,
    jobs: Jobs,
    stop: &Stop,
    each: impl FnMut(Ran) -> ControlFlow<()>,
) {
    let (sender, ended) = mpsc::channel();
    let pool = Pool {
        plans: plans.into_iter().fuse(),
        jobs: jobs.0.get(),
        started: 0,
        running: 0,
        handed: 0,
        waiting: BTreeMap::new(),
        sender,
        ended,
    };
    pool.play(stop, each);
}

/// Runs that are running, and those that ended before an earlier one.
struct Pool<I> {
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

impl<I: Iterator<Item = Plan>> Pool<I> {
    fn play(mut self, stop: &Stop, mut each: impl FnMut(Ran) -> ControlFlow<()>) {
        while !stop.is_asked() {
            self.start_some();
            if self.running == 0 {
                return;
            }
            match self.ended.recv_timeout(LOOK) {
                Ok(ended) => self.ended(ended),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => unreachable!("the pool holds a sender"),
            }
            while let Some(ran) = self.waiting.remove(&self.handed) {
                self.handed += 1;
                if each(ran).is_break() {
                    return;
                }
            }
        }
        while let Ok(ended) = self.ended.try_recv() {
            self.ended(ended);
        }
        // One that takes long, perhaps for ever, does not hide what came after it.
        let _: ControlFlow<()> = self.waiting.into_values().try_for_each(each);
    }

    fn ended(&mut self, (place, ran): (usize, Ran)) {
        self.running -= 1;
        self.waiting.insert(place, ran);
    }

    fn start_some(&mut self) {
        while self.running < self.jobs && self.started - self.handed < self.jobs * WINDOW_PER_JOB {
            let Some(plan) = self.plans.next() else { return };
            let (place, sender) = (self.started, self.sender.clone());
            std::thread::Builder::new()
                .name(format!("seed {}", plan.seed.0))
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    let ran = caught(plan.clone(), RunOptions::default());
                    // One run that does not end must not end all: it failed, as one that panicked.
                    let ran = ran.unwrap_or_else(|error| Ran {
                        plan,
                        outcome: Err(Panicked { message: error.to_string() }),
                    });
                    // The receiver is gone when `each` has broken, or it was time to stop.
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
            many(
                (1..=20).map(|seed| scenario.plan(Seed(seed))),
                jobs(count),
                &Stop::default(),
                |ran| {
                    outcomes.push(ran.outcome.expect("no run panics"));
                    ControlFlow::Continue(())
                },
            );
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
        many((1..=5).map(plan), jobs(2), &Stop::default(), |ran| {
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
        many(plans, jobs(2), &Stop::default(), |ran| match ran.plan.seed.0 {
            10 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert!((10..=9 + 2 * WINDOW_PER_JOB).contains(&drawn), "{drawn} plans were drawn");
    }

    #[test]
    fn nothing_to_play_is_no_run() {
        let each = |_| panic!("there is nothing to hand over");
        many([], Jobs::default(), &Stop::default(), each);
    }

    #[test]
    fn when_it_is_time_to_stop_what_is_known_is_handed_over() {
        let (scenario, stop) = (scenario(), Stop::default());
        let mut ended = Vec::new();
        many((1..).map(|seed| scenario.plan(Seed(seed))), jobs(2), &stop, |ran| {
            ended.push(ran.plan.seed.0);
            if ran.plan.seed.0 == 5 {
                stop.ask();
            }
            ControlFlow::Continue(())
        });
        assert!(ended.len() >= 5 && ended.is_sorted(), "{ended:?}");
        let mut none = 0;
        many((1..).map(|seed| scenario.plan(Seed(seed))), jobs(2), &stop, |_| {
            none += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(none, 0);
    }

    #[test]
    fn a_run_that_takes_long_does_not_hide_those_after_it() {
        let (short, stop) = (scenario(), Stop::default());
        let long = "kafka = \"2.8\"\nduration = \"600s\"\n[cluster]\nbrokers = 1\n\
                    [[topic]]\nname = \"t\"\n\
                    [[producer]]\nname = \"p0\"\ntopic = \"t\"\nrate = \"100/s\"\n";
        let long = scenario::parse("long.toml", long).unwrap_or_else(|wrong| panic!("{wrong}"));
        let asks = stop.clone();
        let plans = (1..=9).map(|seed| match seed {
            1 => long.plan(Seed(1)),
            9 => {
                asks.ask();
                short.plan(Seed(9))
            }
            _ => short.plan(Seed(seed)),
        });
        let mut ended = Vec::new();
        many(plans, jobs(2), &stop, |ran| {
            ended.push(ran.plan.seed.0);
            ControlFlow::Continue(())
        });
        assert!(ended.starts_with(&[2, 3, 4, 5, 6, 7]) && ended.is_sorted(), "{ended:?}");
    }
}
