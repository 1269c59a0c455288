//! The runs of one cell, counted.

use std::time::Duration;

use super::{Agreement, Cell, Count, Measurement, Unanswered};
use crate::checkers::RunOutcome;
use crate::run::{Ran, Worst};

/// A cell under way.
#[derive(Clone, Debug, Default)]
pub(super) struct CellTally {
    ran: u64,
    acknowledged: u64,
    lost: Count,
    duplicated: Count,
    /// The longest time without an answer of each seed.
    unanswered: Vec<Duration>,
    /// The worst run that failed for another reason, and how many did.
    failed: Option<(Worst, u64)>,
}

impl CellTally {
    /// How many runs were counted.
    pub(super) fn ran(&self) -> u64 {
        self.ran
    }

    /// Counts one more run.
    pub(super) fn add(&mut self, ran: &Ran) {
        self.ran += 1;
        let worst = match &ran.outcome {
            Err(_) => Some(Worst::Panicked),
            Ok(outcome) => {
                self.count(outcome);
                Worst::of(outcome.judgement.status())
            }
        };
        if let Some(worst) = worst {
            let (before, count) = self.failed.unwrap_or((worst, 0));
            self.failed = Some((before.max(worst), count + 1));
        }
    }

    /// With `acks=0` there is no acknowledgement; records sent count instead. Without a final log nothing is
    /// certainly lost, and the run does not hold.
    fn count(&mut self, outcome: &RunOutcome) {
        let producers = &outcome.judgement.producers;
        let sent = producers.iter().map(|producer| producer.acknowledged + producer.unconfirmed);
        self.acknowledged += sent.sum::<u64>();
        let unconfirmed = producers.iter().filter_map(|producer| producer.lost_unconfirmed);
        self.lost.add(outcome.lost() + unconfirmed.sum::<u64>());
        self.duplicated.add(producers.iter().map(|producer| producer.duplicated).sum());
        let gaps = producers.iter().filter_map(|producer| producer.longest_gap);
        self.unanswered.extend(gaps.map(|gap| gap.to.since(gap.from)).max());
    }

    /// The sum.
    pub(super) fn finish(mut self, cell: Cell) -> Measurement {
        self.unanswered.sort_unstable();
        let middle = self.unanswered.len().saturating_sub(1) / 2;
        let golden = cell.golden();
        Measurement {
            cell,
            golden,
            ran: self.ran,
            acknowledged: self.acknowledged,
            lost: self.lost,
            duplicated: self.duplicated,
            unanswered: Unanswered {
                median: self.unanswered.get(middle).copied().unwrap_or_default(),
                max: self.unanswered.last().copied().unwrap_or_default(),
            },
            loss: Agreement::of(golden.loss, self.lost),
            duplicates: Agreement::of(golden.duplicates, self.duplicated),
            failed: self.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::matrix::MatrixFault;
    use crate::run::{Panicked, RunOptions, play};
    use crate::vocab::{Acks, Seed};

    fn cell(acks: Acks) -> Cell {
        Cell { fault: MatrixFault::LeaderPowerLoss, acks }
    }

    fn ran(acks: Acks) -> Ran {
        let cell = cell(acks);
        play(cell.plan(&cell.fault.scenario(), Seed(3)), RunOptions::default()).expect("no files")
    }

    #[test]
    fn what_is_sent_with_acks_0_counts_as_what_is_acknowledged_does() {
        for acks in [Acks::None, Acks::Leader] {
            let mut tally = CellTally::default();
            tally.add(&ran(acks));
            let measured = tally.finish(cell(acks));
            assert_eq!((measured.ran, measured.lost.seeds), (1, 1), "{acks}");
            assert!(measured.lost.records < measured.acknowledged, "{acks}");
            assert_eq!(measured.failed, None, "{acks}");
        }
    }

    #[test]
    fn the_median_is_of_the_seed_in_the_middle() {
        let unanswered = [9, 1, 5, 4].map(Duration::from_secs).to_vec();
        let tally = CellTally { unanswered, ..CellTally::default() };
        let measured = tally.finish(cell(Acks::All)).unanswered;
        assert_eq!((measured.median.as_secs(), measured.max.as_secs()), (4, 9));
    }

    #[test]
    fn a_panic_is_the_worst_of_a_cell() {
        let mut tally = CellTally::default();
        let held = ran(Acks::All);
        let message = "made up".to_owned();
        tally.add(&Ran { outcome: Err(Panicked { message }), ..held.clone() });
        tally.add(&held);
        let measured = tally.finish(cell(Acks::All));
        assert_eq!((measured.ran, measured.failed), (2, Some((Worst::Panicked, 1))));
        assert_eq!(measured.worst(), Some(Worst::Panicked));
    }
}
