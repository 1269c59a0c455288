//! How far a sweep is: one line on stderr, on a terminal only.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a rate is of the wall clock, and nothing but this line depends on it"
)]

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::run::{Ran, Sweep};

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);
/// To the start of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// The line.
#[derive(Debug)]
pub struct Progress {
    total: u64,
    is_shown: bool,
    started: Instant,
    written: Option<Instant>,
    has_failed: bool,
}

impl Progress {
    /// The line for so many seeds; nothing is ever written unless `is_shown`.
    pub fn new(seeds: &RangeInclusive<u64>, is_shown: bool) -> Self {
        let total = (seeds.end() - seeds.start()).saturating_add(1);
        Self { total, is_shown, started: Instant::now(), written: None, has_failed: false }
    }

    /// Writes the line, if it is time to. The first failure is told at once, above it.
    pub fn show(&mut self, ran: &Ran, so_far: &Sweep, err: &mut dyn Write) {
        if !self.is_shown {
            return;
        }
        if ran.has_failed() && !self.has_failed {
            self.has_failed = true;
            let what = match &ran.outcome {
                Ok(outcome) => outcome.to_string(),
                Err(panic) => format!("seed {} {panic}", ran.plan.seed.0),
            };
            say(err, &format!("{CLEAR}{what}\n"));
        }
        let now = Instant::now();
        if self.written.is_none_or(|written| now - written >= EVERY) {
            self.written = Some(now);
            say(err, &(CLEAR.to_owned() + &line(so_far, self.total, now - self.started)));
        }
    }

    /// Takes the line away.
    pub fn clear(&self, err: &mut dyn Write) {
        if self.is_shown {
            say(err, CLEAR);
        }
    }
}

/// Nobody needs to know when nobody looks.
fn say(err: &mut dyn Write, text: &str) {
    let _: io::Result<()> = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn line(so_far: &Sweep, total: u64, elapsed: Duration) -> String {
    let (ran, failed) = (so_far.ran, so_far.failed());
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = ran as f64 / seconds;
    let left = (total - ran) as f64 / rate.max(f64::MIN_POSITIVE);
    let left = if left < 1e6 { format!("{left:.0}s left") } else { "long to go".to_owned() };
    format!("{ran}/{total} seeds  {rate:.1}/s  {left}  {failed} failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Tally;

    #[test]
    fn the_line_tells_how_far_it_is() {
        let mut tally = Tally::new("x.toml", &(1..=100));
        let empty = line(tally.so_far(), 100, Duration::ZERO);
        assert_eq!(empty, "0/100 seeds  0.0/s  long to go  0 failed");
        for seed in 1..=20 {
            tally.add(&crate::cli::tests::ran("violated.toml", seed));
        }
        let line = line(tally.so_far(), 100, Duration::from_secs(4));
        assert_eq!(line, "20/100 seeds  5.0/s  16s left  20 failed");
    }

    #[test]
    fn only_a_terminal_sees_it_and_the_first_failure_stays() {
        let mut tally = Tally::new("x.toml", &(1..=2));
        let said = |is_shown: bool, tally: &mut Tally| {
            let (mut err, mut progress) = (Vec::new(), Progress::new(&(1..=2), is_shown));
            for seed in 1..=2 {
                let ran = crate::cli::tests::ran("violated.toml", seed);
                tally.add(&ran);
                progress.show(&ran, tally.so_far(), &mut err);
                tally.so_far();
            }
            progress.clear(&mut err);
            String::from_utf8(err).expect("text")
        };
        assert_eq!(said(false, &mut tally.clone()), "");
        let shown = said(true, &mut tally);
        assert_eq!(shown.matches("sim run violated.toml --seed 1 violated: ").count(), 1);
        assert!(!shown.contains("--seed 2"), "{shown:?}");
        assert!(shown.ends_with(CLEAR), "{shown:?}");
    }
}
