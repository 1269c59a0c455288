//! Each `acks` against each fault of a replica: which records are lost, which are written twice, how long producers
//! wait, and what [`golden`] expects.

mod cells;
pub mod golden;
mod measure;

use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Fewer, Jobs, Ran, Stop, Worst, many};
use crate::vocab::Seed;
use golden::{Expected, Golden};
use measure::CellTally;

pub use cells::{ALL_ACKS, Cell, MatrixFault};

/// Seeds or records, and in how many seeds they were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// In how many seeds there was any.
    pub seeds: u64,
    /// How many there were in all seeds together.
    pub records: u64,
}

impl Count {
    fn add(&mut self, records: u64) {
        self.seeds += u64::from(records > 0);
        self.records += records;
    }
}

/// How long the longest time without an answer was, over the seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// Of the seed in the middle; the shorter one of two.
    #[serde(rename = "median_ns", serialize_with = "as_nanos")]
    pub median: Duration,
    /// Of the worst seed.
    #[serde(rename = "max_ns", serialize_with = "as_nanos")]
    pub max: Duration,
}

fn as_nanos<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// What was seen, compared with what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// It was never seen where it must not be, or it was seen where it must be.
    Agrees,
    /// It was not seen, and it is known why these runs cannot show it.
    Explained,
    /// It was not seen, but must be in some seed: more seeds may help.
    Unseen,
    /// It was seen, but must never be.
    Forbidden,
}

impl Agreement {
    fn of(expected: Expected, seen: Count) -> Self {
        match (expected, seen.seeds) {
            (Expected::Never, 0) | (Expected::Sometimes, 1..) => Self::Agrees,
            (Expected::Unshown { .. }, 1..) => Self::Agrees,
            (Expected::Unshown { .. }, 0) => Self::Explained,
            (Expected::Sometimes, 0) => Self::Unseen,
            (Expected::Never, 1..) => Self::Forbidden,
        }
    }

    /// What it makes of the whole; `None` when nothing is wrong.
    fn worst(self) -> Option<Worst> {
        match self {
            Self::Agrees | Self::Explained => None,
            Self::Unseen => Some(Worst::Inconclusive),
            Self::Forbidden => Some(Worst::Violated),
        }
    }
}

/// The sum of many seeds of one cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measurement {
    /// Which cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was expected of it.
    pub golden: Golden,
    /// How many seeds have run.
    pub ran: u64,
    /// How many records were acknowledged, with `acks=0` handed to the network, in all seeds together.
    pub acknowledged: u64,
    /// How many of these the final log lacks.
    pub lost: Count,
    /// How many copies the final log holds beyond the first.
    pub duplicated: Count,
    /// How long the producer that waited longest was without an ack.
    pub unanswered: Unanswered,
    /// Whether what was lost agrees.
    pub loss: Agreement,
    /// Whether what was duplicated agrees.
    pub duplicates: Agreement,
    /// Runs that failed for another reason: the worst one, and how many seeds.
    #[serde(rename = "kept")] // Its name in schema 1.
    pub failed: Option<(Worst, u64)>,
}

impl Measurement {
    /// The worst of it; `None` when all agrees.
    pub fn worst(&self) -> Option<Worst> {
        let failed = self.failed.map(|(worst, _)| worst);
        failed.max(self.loss.worst()).max(self.duplicates.worst())
    }
}

/// All cells, measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The first seed.
    pub first: Seed,
    /// The last seed.
    pub last: Seed,
    /// How many runs are missing, because it was stopped.
    pub not_run: u64,
    /// Every cell, in the order of [`Cell::all`].
    pub cells: Vec<Measurement>,
}

impl Matrix {
    /// The worst cell; `None` when all agree.
    pub fn worst(&self) -> Option<Worst> {
        self.cells.iter().filter_map(Measurement::worst).max()
    }
}

/// As many of `jobs` as the machine's memory holds.
///
/// # Errors
/// [`Fewer`] when these are too many.
pub fn within_memory(jobs: Jobs) -> Result<Jobs, Fewer> {
    jobs.within_memory(&MatrixFault::LeaderCrash.scenario())
}

/// Runs every cell with every one of `seeds`, and shows each run to `each` as it ends, cell by cell, until it is asked
/// to `stop`: then the later cells have fewer runs, or none.
///
/// # Panics
/// When the range of seeds is empty.
pub fn matrix(
    seeds: RangeInclusive<u64>,
    jobs: Jobs,
    stop: &Stop,
    mut each: impl FnMut(&Ran),
) -> Matrix {
    assert!(!seeds.is_empty(), "a cell is measured with some seed");
    let cells: Vec<Cell> = Cell::all().collect();
    let plans = cells.iter().flat_map(|cell| {
        let scenario = cell.fault.scenario();
        seeds.clone().map(move |seed| cell.plan(&scenario, Seed(seed)))
    });
    let mut measured = vec![CellTally::default(); cells.len()];
    many(plans, jobs, stop, |ran| {
        let cell = cells.iter().position(|cell| cell.name() == ran.plan.scenario);
        measured[cell.expect("each run is of a cell")].add(&ran);
        each(&ran);
        ControlFlow::Continue(())
    });
    let ran = measured.iter().map(CellTally::ran).sum::<u64>();
    let cells = cells.into_iter().zip(measured).map(|(cell, tally)| tally.finish(cell)).collect();
    let not_run = runs((seeds.end() - seeds.start()).saturating_add(1)).saturating_sub(ran);
    Matrix { first: Seed(*seeds.start()), last: Seed(*seeds.end()), not_run, cells }
}

/// How many runs [`matrix`] makes with so many seeds.
pub fn runs(seeds: u64) -> u64 {
    seeds.saturating_mul((MatrixFault::ALL.len() * ALL_ACKS.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_compared_with_what_is_expected() {
        let seen = |seeds| Count { seeds, records: seeds };
        let unshown = Expected::Unshown { why: "here" };
        for (expected, seeds, agreement, worst) in [
            (Expected::Never, 0, Agreement::Agrees, None),
            (Expected::Never, 1, Agreement::Forbidden, Some(Worst::Violated)),
            (Expected::Sometimes, 0, Agreement::Unseen, Some(Worst::Inconclusive)),
            (Expected::Sometimes, 2, Agreement::Agrees, None),
            (unshown, 0, Agreement::Explained, None),
            (unshown, 1, Agreement::Agrees, None),
        ] {
            let found = Agreement::of(expected, seen(seeds));
            assert_eq!((found, found.worst()), (agreement, worst), "{expected:?} {seeds}");
        }
    }

    #[test]
    fn every_cell_is_measured_with_every_seed() {
        let mut runs_shown = 0;
        let matrix = matrix(1..=1, Jobs::default(), &Stop::default(), |_| runs_shown += 1);
        assert_eq!(runs_shown, runs(1));
        assert!(matrix.cells.iter().map(|result| result.cell).eq(Cell::all()));
        assert!(matrix.cells.iter().all(|result| result.ran == 1 && result.acknowledged > 0));
    }
}
