//! The sum of many seeds of one scenario.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;

use super::Ran;
use crate::checkers::Status;
use crate::vocab::Seed;

/// How many seeds of a group are listed.
const SEEDS_NAMED: usize = 5;

/// Why a seed did not hold, the worst last. A sweep exits with the code of the worst one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worst {
    /// Something expected did not happen, or something could not be judged.
    Inconclusive,
    /// The cluster did not converge, or a client operation did not end.
    NotConverged,
    /// A safety property was violated.
    Violated,
    /// The simulation panicked.
    Panicked,
}

impl Worst {
    /// The reason for a status; `None` when all held.
    pub(super) fn of(status: Status) -> Option<Self> {
        match status {
            Status::Held => None,
            Status::Inconclusive => Some(Self::Inconclusive),
            Status::NotConverged => Some(Self::NotConverged),
            Status::Violated => Some(Self::Violated),
        }
    }
}

/// Seeds with the same first finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Their status.
    pub status: Worst,
    /// The first finding of each: a property, or what was expected; `panic` when the simulation panicked.
    pub name: String,
    /// The finding in the first of them, as a sentence.
    pub sentence: String,
    /// How many seeds.
    pub count: u64,
    /// The first of them.
    pub seeds: Vec<Seed>,
    /// The command that runs the first again.
    pub replay: String,
}

/// Losses that a configuration permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PermittedLoss {
    /// How many seeds lost something.
    pub seeds: u64,
    /// How many acknowledged records they lost together.
    pub records: u64,
}

/// The sum of many seeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// The scenario's file, as it was given.
    pub path: String,
    /// The first seed.
    pub first: Seed,
    /// The last seed.
    pub last: Seed,
    /// How many seeds have run.
    pub ran: u64,
    /// In how many everything held.
    pub held: u64,
    /// In how many a safety property was violated.
    pub violated: u64,
    /// How many did not converge.
    pub not_converged: u64,
    /// How many were inconclusive.
    pub inconclusive: u64,
    /// How many ended in a panic of the simulation.
    pub panicked: u64,
    /// Losses that the configuration permits.
    pub permitted_loss: PermittedLoss,
    /// How many records were acknowledged, in all seeds together.
    pub acknowledged: u64,
    /// Groups of seeds that did not hold, the worst first, then the largest.
    pub groups: Vec<Group>,
}

/// Counts a sweep.
#[derive(Clone, Debug)]
pub struct Tally {
    sweep: Sweep,
    groups: BTreeMap<(Worst, String), Group>,
}

impl Tally {
    /// Counts `seeds` of the scenario at `path`.
    pub fn new(path: impl Into<String>, seeds: &RangeInclusive<u64>) -> Self {
        let sweep = Sweep {
            path: path.into(),
            first: Seed(*seeds.start()),
            last: Seed(*seeds.end()),
            ran: 0,
            held: 0,
            violated: 0,
            not_converged: 0,
            inconclusive: 0,
            panicked: 0,
            permitted_loss: PermittedLoss::default(),
            acknowledged: 0,
            groups: Vec::new(),
        };
        Self { sweep, groups: BTreeMap::new() }
    }

    /// Counts one more run.
    pub fn add(&mut self, ran: &Ran) {
        self.sweep.ran += 1;
        let (worst, name, sentence) = match &ran.outcome {
            Err(panic) => (Some(Worst::Panicked), "panic".to_owned(), panic.message.clone()),
            Ok(outcome) => {
                let lost = outcome.lost_as_permitted();
                self.sweep.permitted_loss.seeds += u64::from(lost > 0);
                self.sweep.permitted_loss.records += lost;
                self.sweep.acknowledged += outcome.acknowledged();
                let findings = outcome.judgement.findings();
                let first = findings.first();
                let name = first.map_or_else(|| "nothing was judged".into(), |f| f.name.clone());
                let sentence = first.map_or_else(String::new, |finding| finding.sentence.clone());
                (Worst::of(outcome.judgement.status()), name.into_owned(), sentence)
            }
        };
        let Some(status) = worst else {
            self.sweep.held += 1;
            return;
        };
        match status {
            Worst::Inconclusive => self.sweep.inconclusive += 1,
            Worst::NotConverged => self.sweep.not_converged += 1,
            Worst::Violated => self.sweep.violated += 1,
            Worst::Panicked => self.sweep.panicked += 1,
        }
        let group = self.groups.entry((status, name)).or_insert_with_key(|(_, name)| Group {
            status,
            name: name.clone(),
            sentence,
            count: 0,
            seeds: Vec::new(),
            replay: ran.plan.command(),
        });
        group.count += 1;
        if group.seeds.len() < SEEDS_NAMED {
            group.seeds.push(ran.plan.seed);
        }
    }

    /// The sum.
    pub fn finish(self) -> Sweep {
        let mut groups: Vec<_> = self.groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.status, group.count)));
        Sweep { groups, ..self.sweep }
    }
}

impl Sweep {
    /// How many seeds are missing, because it was stopped.
    pub fn not_run(&self) -> u64 {
        (self.last.0 - self.first.0).saturating_add(1).saturating_sub(self.ran)
    }

    /// The worst seed; `None` when all held.
    pub fn worst(&self) -> Option<Worst> {
        self.groups.iter().map(|group| group.status).max()
    }
}
