//! `--seeds`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::vocab::{NotASeed, Seed};

/// `1..1000`, both included, or one seed alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub RangeInclusive<u64>);

/// Why a text is not a range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSeeds {
    /// An end is not a seed.
    #[error("{0}; a range is written 1..1000 and includes both")]
    Seed(#[from] NotASeed),
    /// It ends before it starts.
    #[error("the range ends before it starts")]
    Reversed,
}

impl FromStr for Seeds {
    type Err = NotSeeds;

    fn from_str(text: &str) -> Result<Self, NotSeeds> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let first: Seed = first.parse()?;
        let last: Seed = last.strip_prefix('=').unwrap_or(last).parse()?;
        if last < first {
            return Err(NotSeeds::Reversed);
        }
        Ok(Self(first.0..=last.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_includes_both_ends() {
        for (text, seeds) in
            [("1..1000", 1..=1_000), ("7", 7..=7), ("0x10..=0x20", 16..=32), ("5..5", 5..=5)]
        {
            assert_eq!(text.parse(), Ok(Seeds(seeds)), "{text}");
        }
        assert_eq!("2..1".parse::<Seeds>(), Err(NotSeeds::Reversed));
        for text in ["", "..", "1..", "..2", "1...2", "1..2..3", "-1..2", "a..b"] {
            assert_eq!(text.parse::<Seeds>(), Err(NotSeeds::Seed(NotASeed)), "{text}");
        }
    }
}
