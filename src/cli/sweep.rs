//! `sim run --seeds`.

use std::ops::{ControlFlow, RangeInclusive};
use std::str::FromStr;

use super::progress::Progress;
use super::run::{Args, Format};
use super::{Engine, Exit, Failure, Streams};
use crate::report::{self, Files, Style};
use crate::run::{BUILD, Jobs, Ran, Tally, Worst};
use crate::scenario::Plan;
use crate::vocab::{NotASeed, Seed};

/// How many failures a sweep writes: those of the first seeds that fail.
const FILES_MAX: usize = 20;

/// `1..1000`, both included, or one seed alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub RangeInclusive<u64>);

/// Why a text is no range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSeeds {
    /// An end is no seed.
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

pub(super) fn sweep(
    args: &Args,
    Seeds(seeds): &Seeds,
    style: Style,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let scenario = (engine.load)(&args.chosen.scenario)?;
    let jobs = args.jobs.map_or_else(Jobs::default, Jobs);
    let mut tally = Tally::new(scenario.file_name(), seeds);
    let mut files = Files::default();
    let mut progress = Progress::new(seeds, streams.err_is_terminal);
    let each = &mut |ran: Ran| {
        tally.add(&ran);
        if ran.has_failed() && !args.reports.no_report {
            match files.written.len() {
                FILES_MAX => files.left_out += 1,
                _ => files.written.extend(args.reports.write(&ran, streams)),
            }
        }
        progress.show(&ran, tally.so_far(), streams.err);
        ControlFlow::Continue(())
    };
    let plan = |seed| {
        let plan = scenario.plan(Seed(seed));
        Plan { mutant: args.chosen.mutant.or(plan.mutant), ..plan }
    };
    (engine.many)(&mut seeds.clone().map(plan), jobs, each);
    progress.clear(streams.err);
    let sweep = tally.finish();
    let report = match args.format {
        Format::Text => report::sweep_text(&sweep, &files, BUILD, style),
        Format::Json => report::sweep_json(&sweep, &files, BUILD),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(sweep.worst().into())
}

impl From<Option<Worst>> for Exit {
    fn from(worst: Option<Worst>) -> Self {
        match worst {
            None => Self::Held,
            Some(Worst::Inconclusive) => Self::Inconclusive,
            Some(Worst::NotConverged) => Self::NotConverged,
            Some(Worst::Violated) => Self::Violated,
            Some(Worst::Panicked) => Self::Bug,
        }
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
