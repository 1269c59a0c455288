//! How far many runs are: one line on stderr, on a terminal only.

use std::fmt;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::run::Ran;
use crate::vocab::foreign::ForeignLines;

/// A line such as `640/1000 seeds  12.5/s  29s left  3 failed`.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    failed: u64,
}

impl Progress {
    /// The line for `total` runs, which are called `unit`; nothing is ever written unless `is_shown`.
    pub fn new(total: u64, unit: &str, is_shown: bool) -> Self {
        let to = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self::on(total, unit, to)
    }

    fn on(total: u64, unit: &str, to: ProgressDrawTarget) -> Self {
        let style = format!("{{pos}}/{{len}} {unit}  {{rate}}  {{eta}} left  {{msg}} failed");
        let style = ProgressStyle::with_template(&style).expect("braces come in pairs");
        let bar = ProgressBar::with_draw_target(Some(total), to);
        bar.set_style(style.with_key("rate", rate));
        bar.set_message("0");
        Self { bar, failed: 0 }
    }

    /// Counts a run. The first failure is printed at once, above the line.
    pub fn show(&mut self, ran: &Ran) {
        if ran.has_failed() {
            self.failed += 1;
            self.bar.set_message(self.failed.to_string());
        }
        if ran.has_failed() && self.failed == 1 {
            self.bar.println(match &ran.outcome {
                Ok(outcome) => ForeignLines(&outcome.to_string()).to_string(),
                Err(panic) => {
                    ForeignLines(&format!("seed {} {panic}", ran.plan.seed.0)).to_string()
                }
            });
        }
        self.bar.inc(1);
    }

    /// Removes the line while `write` writes to stderr.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Removes the line.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Runs per second: indicatif's own key has four decimals.
fn rate(state: &ProgressState, to: &mut dyn fmt::Write) {
    // A line that cannot be written is no failure of the runs.
    let _: fmt::Result = write!(to, "{:.1}/s", state.per_sec());
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    /// What a terminal shows of a sweep of two seeds: when both have run, and when the line is gone.
    fn shown(scenario: &str) -> [String; 2] {
        let terminal = InMemoryTerm::new(10, 100);
        let to = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut progress = Progress::on(3, "seeds", to);
        for seed in 1..=2 {
            progress.show(&crate::cli::tests::ran(scenario, seed));
        }
        progress.bar.force_draw();
        let during = terminal.contents();
        progress.clear();
        [during, terminal.contents()]
    }

    #[test]
    fn the_line_shows_how_far_it_is_and_goes() {
        let [during, after] = shown("held.toml");
        assert!(during.starts_with("2/3 seeds  ") && during.ends_with("0 failed"), "{during:?}");
        assert_eq!(after, "");
    }

    #[test]
    fn the_first_failure_stays_and_all_are_counted() {
        let [during, after] = shown("violated.toml");
        assert!(during.ends_with("2 failed"), "{during:?}");
        assert!(after.contains("sim run violated.toml --seed 1 violated: "), "{after:?}");
        assert!(!after.contains("--seed 2") && !after.contains("failed"), "{after:?}");
    }
}
