//! Virtual time, in nanoseconds since the start of a run.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment of a run, in nanoseconds since its start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The start of a run.
    pub const ZERO: Self = Self(0);
    /// Never: a moment that no run reaches. Every sum that would be later is this.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `ms` milliseconds after the start.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// The moment `nanos` nanoseconds later.
    pub const fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Whether it never comes.
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }

    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A span in nanoseconds. `Long.MAX_VALUE` milliseconds, with which Kafka says never, are more than 64 bits hold:
/// 584 years, the most that they hold, is never too.
pub const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

impl Add<Duration> for Time {
    type Output = Self;
    /// Saturates at [`Time::MAX`], never.
    fn add(self, span: Duration) -> Self {
        self.after_nanos(nanos(span))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;
    /// Saturates at the start of the run.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl fmt::Display for Time {
    /// Seconds with six decimals, `8.204113s`, or as many as asked for, up to nine: `{:.3}` is `8.204s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        match f.precision().unwrap_or(6).min(9) {
            0 => write!(f, "{seconds}s"),
            digits => {
                let fraction = nanos / 10u64.pow(9 - digits as u32);
                write!(f, "{seconds}.{fraction:0digits$}s")
            }
        }
    }
}

/// What a node's clocks show at one step.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The monotonic clock; timers are set on it.
    pub now: Time,
    /// The wall clock, in milliseconds since 1970; may be off, drift and step.
    pub wall_ms: i64,
}

impl Clock {
    /// What the wall clock shows, as a moment: counted from 1970, and as fine as the monotonic clock. For ages and
    /// timeouts that Kafka measures with `Time.milliseconds()`, which jump when the clock is stepped.
    pub fn by_wall(self) -> Time {
        let wall_ms = u64::try_from(self.wall_ms).unwrap_or(0);
        Time(Time::from_millis(wall_ms).0.saturating_add(self.now.0 % 1_000_000))
    }

    /// A clock whose `now` is the wall clock's.
    pub fn of_wall(self) -> Self {
        Self { now: self.by_wall(), wall_ms: self.wall_ms }
    }

    /// When the monotonic clock will be at a moment of the wall clock, if nothing steps it: when to wake up for it.
    pub fn wakes_at(self, by_wall: Time) -> Time {
        if by_wall.is_never() {
            return by_wall;
        }
        // What is over by the wall clock is over for as long here.
        self.now + by_wall.since(self.by_wall()) - self.by_wall().since(by_wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_the_decimals_asked_for() {
        let time = Time(8_204_113_999);
        let texts = [format!("{time}"), format!("{time:.3}"), format!("{time:.0}")];
        assert_eq!(texts, ["8.204113s", "8.204s", "8s"]);
        assert_eq!(format!("{:.12}", Time(1)), "0.000000001s");
    }

    #[test]
    fn a_wall_clock_is_as_fine_as_the_monotonic_one_and_may_step() {
        let at = |ns: u64, offset_ms: i64| {
            let wall_ms = 1_520_585_755_000 + offset_ms + (ns / 1_000_000) as i64;
            Clock { now: Time(ns), wall_ms }
        };
        let (before, after) = (at(5_000_001, 0), at(12_345_678, 0));
        assert_eq!(after.by_wall().since(before.by_wall()), Duration::from_nanos(7_345_677));
        let due = before.by_wall() + Duration::from_millis(30);
        assert_eq!(before.wakes_at(due), Time(35_000_001));
        let stepped = at(12_345_678, -60_000);
        assert_eq!(stepped.by_wall().since(before.by_wall()), Duration::ZERO);
        assert_eq!(stepped.wakes_at(due), Time(60_035_000_001));
        assert!(at(12_345_678, 60_000).wakes_at(due) < Time(12_345_678), "it is over");
        assert_eq!(at(40_000_000, 0).wakes_at(due), Time(35_000_001));
        assert!(before.wakes_at(Time::MAX).as_millis() > 500 * 366 * 86_400_000);
    }

    #[test]
    fn what_is_too_late_for_any_run_is_never() {
        let now = Time::from_millis(5);
        let long_max = Duration::from_millis(i64::MAX as u64);
        for span in [long_max, Duration::MAX, Duration::from_nanos(u64::MAX)] {
            assert!((now + span).is_never(), "{span:?}");
            assert!((Time::MAX + span).is_never(), "{span:?}");
            assert_eq!(now - span, Time::ZERO, "{span:?}");
        }
        assert!(Time::from_millis(i64::MAX as u64).is_never());
        assert_eq!(now + Duration::from_nanos(1), Time(5_000_001));
    }
}
