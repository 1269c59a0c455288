//! One seed, many streams: every source of randomness has a name and draws from a sequence of its own,
//! so that one more draw somewhere moves nothing elsewhere.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The number from which all randomness of a run comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream called `name`, from its beginning.
    ///
    /// The algorithm is part of a run's identity: ChaCha with 8 rounds, keyed by
    /// `SeedableRng::seed_from_u64` of the seed, its stream number the XXH3 hash of the name.
    pub fn stream(self, name: &str) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(xxh3_64(name.as_bytes()));
        Stream { rng }
    }
}

/// A text that is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 0 to 18446744073709551615, or 0x…")]
pub struct NotASeed;

impl FromStr for Seed {
    type Err = NotASeed;

    /// A seed as people write it: decimal, or hexadecimal behind `0x`.
    fn from_str(text: &str) -> Result<Self, NotASeed> {
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.map(Self).map_err(|_| NotASeed)
    }
}

/// A named sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// The stream called `name` below this one, from its beginning; draws nothing from this one.
    pub fn below_name(&self, name: &str) -> Self {
        let mut rng = self.rng.clone();
        let path = [&self.rng.get_stream().to_be_bytes()[..], name.as_bytes()].concat();
        rng.set_stream(xxh3_64(&path));
        rng.set_word_pos(0);
        Self { rng }
    }

    /// 32 random bits.
    pub fn bits32(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A number below `bound`, all equally likely (Lemire's multiplication, with rejection).
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a number below zero was asked for");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number of `range`, all equally likely; draws nothing when there is but one.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        assert!(low <= high, "an empty range was drawn from");
        match high - low {
            0 => low,
            u64::MAX => self.bits(),
            width => low + self.below(width + 1),
        }
    }

    /// Whether an event of probability `ratio` happens.
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        ratio.numerator > 0 && self.below(ratio.denominator) < ratio.numerator
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }
}

/// An exact probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator` in `denominator`; `None` unless it is between 0 and 1.
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || numerator > denominator {
            return None;
        }
        Some(Self { numerator, denominator })
    }
}

impl fmt::Display for Ratio {
    /// As scenarios write it: `1/1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        // A changed generator would silently change the meaning of every stored seed.
        let mut stream = Seed(42).stream("sched");
        let drawn: Vec<u64> = (0..3).map(|_| stream.bits()).collect();
        assert_eq!(
            drawn,
            [10_002_698_520_752_887_440, 15_169_297_043_352_622_732, 14_872_020_188_163_023_305]
        );
    }

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!("42".parse(), Ok(Seed(42)));
        assert_eq!("0xff".parse(), Ok(Seed(255)));
        for text in ["", "-1", "ff", "0x", "18446744073709551616"] {
            assert_eq!(text.parse::<Seed>(), Err(NotASeed), "{text:?}");
        }
    }

    #[test]
    fn streams_of_other_names_differ() {
        assert_ne!(Seed(1).stream("a").bits(), Seed(1).stream("b").bits());
    }

    #[test]
    fn a_stream_below_another_depends_on_its_name_and_on_nothing_that_was_drawn() {
        let mut above = Seed(1).stream("a");
        let first = above.below_name("b").bits();
        above.bits();
        assert_eq!(above.below_name("b").bits(), first);
        assert_ne!(above.below_name("c").bits(), first);
        assert_ne!(Seed(1).stream("x").below_name("b").bits(), first);
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut stream = Seed(7).stream("test");
        let mut seen = [0u32; 5];
        for _ in 0..1_000 {
            seen[stream.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
    }
}
