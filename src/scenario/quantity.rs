//! Quantities as people write them: `250ms`, `6s..10s`, `200/s`, `1/1000`, `100MiB/s`.
//!
//! Everything is integer arithmetic: a quantity is exact, or it is an error.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::vocab::{Ratio, Stream};

/// A duration that is fixed, or drawn once from the seed, all microseconds of the range equally
/// likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationRange {
    /// The shortest.
    pub low: Duration,
    /// The longest; equal to `low` when there is nothing to draw.
    pub high: Duration,
}

impl DurationRange {
    /// The range that holds one duration.
    pub const fn fixed(duration: Duration) -> Self {
        Self { low: duration, high: duration }
    }

    /// Draws a duration, in whole microseconds.
    pub fn draw(self, stream: &mut Stream) -> Duration {
        Duration::from_micros(stream.within(micros(self.low)..=micros(self.high)))
    }
}

/// How long something takes each time: drawn for each message or disk operation, uniformly.
pub type Latency = DurationRange;

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros())
        .expect("a duration was read from at most 64 bits of microseconds")
}

/// How often something is done: `count` times in each `per`, evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u64,
    /// In which time; not zero.
    pub per: Duration,
}

impl Rate {
    /// From one to the next, rounded down to nanoseconds.
    pub fn interval(self) -> Duration {
        let nanos = self.per.as_nanos() / u128::from(self.count);
        Duration::from_nanos(u64::try_from(nanos).expect("a rate's time is at most a year"))
    }
}

/// Why a quantity cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a duration.
    #[error("`{0}` is not a duration")]
    Duration(String),
    /// Not a duration or a range of two.
    #[error("`{0}` is not a duration or a range of durations")]
    Range(String),
    /// A range whose end is before its start.
    #[error("the range `{0}` ends before it starts")]
    Reversed(String),
    /// Not a rate.
    #[error("`{0}` is not a rate")]
    Rate(String),
    /// Not a probability.
    #[error("`{0}` is not a ratio between 0 and 1")]
    Ratio(String),
    /// Not a number of bytes.
    #[error("`{0}` is not a size")]
    Size(String),
    /// Not a number of bytes per second.
    #[error("`{0}` is not a bandwidth")]
    Bandwidth(String),
    /// Not a signed duration.
    #[error("`{0}` is not a signed duration")]
    Signed(String),
}

impl QuantityError {
    /// What it should look like.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Duration(_) => {
                "a whole or decimal number and a unit (us, ms, s, m, h), as in \"250ms\""
            }
            Self::Range(_) | Self::Reversed(_) => {
                "one duration, as in \"5s\", or a range, as in \"6s..10s\"; units: us, ms, s, m, h"
            }
            Self::Rate(_) => "records per duration, as in \"200/s\" or \"1/2s\"",
            Self::Ratio(_) => "a numerator and a denominator, as in \"1/1000\"; \"0\" for never",
            Self::Size(_) => {
                "bytes as an integer, or with a unit (B, KB, MB, GB, KiB, MiB, GiB), as in \"1KiB\""
            }
            Self::Bandwidth(_) => "a size per second, as in \"100MiB/s\"",
            Self::Signed(_) => "a duration with its sign, as in \"+5s\" or \"-250ms\"",
        }
    }
}

const TIME_UNITS: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `12.5ms` and the like in the smallest unit; `None` unless it comes out whole.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits_end);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let parts = u64::checked_pow(10, u32::try_from(fraction.len()).ok()?)?;
    let fraction = fraction.parse::<u64>().ok()?.checked_mul(*scale)?;
    if fraction % parts != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(*scale)?.checked_add(fraction / parts)
}

/// Longest duration that can be written; sums of a few stay far below the 584 years of a `Time`.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Reads `250ms`.
///
/// # Errors
/// When it is not a duration, or longer than a year.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    let read = scaled(text.trim(), &TIME_UNITS).map(Duration::from_micros);
    read.filter(|d| *d <= LONGEST).ok_or_else(|| QuantityError::Duration(text.to_owned()))
}

/// Reads `5s` or `6s..10s`.
///
/// # Errors
/// When it is neither, or ends before it starts.
pub fn duration_range(text: &str) -> Result<DurationRange, QuantityError> {
    let wrong = |_| QuantityError::Range(text.to_owned());
    let Some((low, high)) = text.split_once("..") else {
        return duration(text).map(DurationRange::fixed).map_err(wrong);
    };
    let range = DurationRange {
        low: duration(low).map_err(wrong)?,
        high: duration(high.strip_prefix('=').unwrap_or(high)).map_err(wrong)?,
    };
    if range.high < range.low {
        return Err(QuantityError::Reversed(text.to_owned()));
    }
    Ok(range)
}

/// Reads `+5s` or `-250ms`, in milliseconds: wall clocks show no less.
///
/// # Errors
/// When it is not such a duration, has no sign, or is no whole number of milliseconds.
pub fn signed_millis(text: &str) -> Result<i64, QuantityError> {
    let read = || {
        let (sign, rest) = match text.trim().split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let span = duration(rest).ok().filter(|d| d.subsec_micros() % 1_000 == 0)?;
        Some(sign * i64::try_from(span.as_millis()).ok()?)
    };
    read().ok_or_else(|| QuantityError::Signed(text.to_owned()))
}

/// Reads `200/s` or `1/2s`.
///
/// # Errors
/// When it is not a rate, or more often than once a microsecond.
pub fn rate(text: &str) -> Result<Rate, QuantityError> {
    let read = || {
        let (count, per) = text.split_once('/')?;
        let count: u64 = count.trim().parse().ok()?;
        let per = per.trim();
        let unit_alone = per.starts_with(|c: char| c.is_ascii_alphabetic());
        let per = duration(&if unit_alone { format!("1{per}") } else { per.to_owned() }).ok()?;
        (count > 0 && u128::from(count) <= per.as_micros()).then_some(Rate { count, per })
    };
    read().ok_or_else(|| QuantityError::Rate(text.to_owned()))
}

/// Reads `1/1000` or `0`.
///
/// # Errors
/// When it is not a ratio between 0 and 1.
pub fn ratio(text: &str) -> Result<Ratio, QuantityError> {
    let read = || {
        if text.trim() == "0" {
            return Some(Ratio::ZERO);
        }
        let (numerator, denominator) = text.split_once('/')?;
        Ratio::new(numerator.trim().parse().ok()?, denominator.trim().parse().ok()?)
    };
    read().ok_or_else(|| QuantityError::Ratio(text.to_owned()))
}

/// Reads `1KiB`, in bytes.
///
/// # Errors
/// When it is not a size.
pub fn size(text: &str) -> Result<u64, QuantityError> {
    scaled(text.trim(), &SIZE_UNITS).ok_or_else(|| QuantityError::Size(text.to_owned()))
}

/// Reads `100MiB/s`, in bytes per second.
///
/// # Errors
/// When it is not a bandwidth, or none at all.
pub fn bandwidth(text: &str) -> Result<u64, QuantityError> {
    let bytes = text.trim().strip_suffix("/s").and_then(|bytes| size(bytes).ok());
    bytes.filter(|b| *b > 0).ok_or_else(|| QuantityError::Bandwidth(text.to_owned()))
}

/// A duration in the largest unit that shows it exactly: `5s`, `1500ms`, `2m`.
pub fn show(span: Duration) -> impl fmt::Display {
    let micros = micros(span);
    let fits = |(_, scale): &&(&str, u64)| micros > 0 && micros.is_multiple_of(*scale);
    match TIME_UNITS.iter().rev().find(fits) {
        Some((unit, scale)) => format!("{}{unit}", micros / scale),
        None => "0s".to_owned(),
    }
}

impl fmt::Display for DurationRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            return show(self.low).fmt(f);
        }
        write!(f, "{}..{}", show(self.low), show(self.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Seed;

    #[test]
    fn durations_are_read_exactly() {
        for (text, micros) in [
            ("250ms", 250_000),
            ("5s", 5_000_000),
            ("2m", 120_000_000),
            ("300us", 300),
            ("1.5ms", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in
            ["", "5", "s", "-5s", "5 parsecs", "1.0000001s", "1.s", "1..2s", "99999999h", "é"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_must_run_forward() {
        let range = duration_range("6s..10s").unwrap();
        assert_eq!((range.low.as_secs(), range.high.as_secs()), (6, 10));
        assert!(matches!(duration_range("10s..6s"), Err(QuantityError::Reversed(_))));
        assert!(matches!(duration_range("6s..x"), Err(QuantityError::Range(_))));
    }

    #[test]
    fn a_draw_stays_within_its_range_and_reaches_its_ends() {
        let range = DurationRange { low: Duration::from_micros(3), high: Duration::from_micros(5) };
        let mut stream = Seed(1).stream("test");
        let drawn: std::collections::BTreeSet<_> =
            (0..200).map(|_| range.draw(&mut stream).as_micros()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn rates_are_evenly_spaced() {
        assert_eq!(rate("200/s").map(Rate::interval), Ok(Duration::from_millis(5)));
        assert_eq!(rate("1/2s").map(Rate::interval), Ok(Duration::from_secs(2)));
        assert_eq!(rate("3/s").map(Rate::interval), Ok(Duration::from_nanos(333_333_333)));
        for text in ["0/s", "200", "/s", "200/", "1/0s", "2000001/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_quantities() {
        assert_eq!(ratio("1/1000").ok(), Ratio::new(1, 1_000));
        assert!(ratio("2/1").is_err() && ratio("1").is_err() && ratio("1/0").is_err());
        assert_eq!(bandwidth("1.5KiB/s"), Ok(1_536));
        assert!(bandwidth("0B/s").is_err() && bandwidth("5MiB").is_err());
        assert_eq!(signed_millis("-250ms"), Ok(-250));
        assert!(signed_millis("5s").is_err() && signed_millis("+5us").is_err());
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["5s", "1500ms", "2m", "300us", "0s", "6s..10s"] {
            assert_eq!(duration_range(text).unwrap().to_string(), text);
        }
    }
}
