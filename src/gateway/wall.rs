//! The wall clock, and how fast virtual time follows it.

use std::time::{Duration, UNIX_EPOCH};

use crate::vocab::Time;

/// Measures real time. Only for use outside of a simulation: inside, the clock is the simulated one.
#[expect(clippy::disallowed_types, reason = "the gateway's sockets live in real time")]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Begins now.
    #[expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "the gateway's sockets live in real time"
    )]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The present, in milliseconds since 1970. The wall clocks of a served cluster begin there.
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the gateway's clients live in real time"
)]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

/// How far a simulation may lag behind the wall clock, in real time. Beyond that, a cluster that is too large for the
/// machine runs slower.
const BEHIND_MAX: Duration = Duration::from_millis(250);

/// Turns the wall clock's time into virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: u32,
    elapsed: Duration,
    target: Time,
}

impl Pace {
    /// `speed` virtual seconds for each second.
    pub fn new(speed: u32) -> Self {
        Self { speed, elapsed: Duration::ZERO, target: Time::ZERO }
    }

    /// How far virtual time, which is `now`, should be when `elapsed` has passed.
    pub fn target(&mut self, elapsed: Duration, now: Time) -> Time {
        let passed = elapsed.saturating_sub(self.elapsed);
        self.elapsed = elapsed;
        let latest = now + BEHIND_MAX * self.speed;
        self.target = (self.target + passed * self.speed).min(latest);
        self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn virtual_time_follows_the_wall_clock_at_its_speed() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.target(MS(5), Time::ZERO), Time::from_millis(50));
        assert_eq!(pace.target(MS(7), Time::from_millis(50)), Time::from_millis(70));
    }

    #[test]
    fn a_simulation_that_cannot_follow_runs_slower_and_does_not_hurry_later() {
        let mut pace = Pace::new(1);
        assert_eq!(pace.target(MS(10_000), Time::ZERO), Time::from_millis(250));
        assert_eq!(pace.target(MS(10_001), Time::from_millis(250)), Time::from_millis(251));
    }
}
