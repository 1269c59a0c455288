//! What kept a run from holding, in words: what failure files keep, sweeps count and suites print.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use crate::checkers::{Evidence, Expectation, Judgement, RunOutcome, Status, Verdict};
use crate::model::Permission;

/// Something that kept a run from holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// What it alone makes of the run; never [`Status::Held`].
    pub status: Status,
    /// The property's name; `never truncated`, `missing truncated`, `too few truncated` and `too many truncated` for
    /// what was expected otherwise.
    pub name: Cow<'static, str>,
    /// What was found, in one sentence without a full stop.
    pub sentence: String,
    /// The evidence, when a property was violated.
    pub evidence: Option<&'a Evidence>,
}

impl Finding<'_> {
    /// Whether it fails the run, rather than leaves it open.
    pub fn is_violation(&self) -> bool {
        self.status >= Status::NotConverged
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.sentence)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::Inconclusive => "inconclusive",
            Self::NotConverged => "not converged",
            Self::Violated => "violated",
        })
    }
}

impl Judgement {
    /// Everything that kept the run from holding, the worst first and otherwise in the order of judging.
    pub fn findings(&self) -> Vec<Finding<'_>> {
        let judged = self.verdicts.iter().filter_map(|judged| {
            let (sentence, evidence) = match &judged.verdict {
                Verdict::Violated(evidence) => (evidence.to_string(), Some(evidence)),
                Verdict::Inconclusive(why) => (why.clone(), None),
                Verdict::Holds => return None,
            };
            let name = Cow::Borrowed(judged.property.name);
            Some(Finding { status: judged.status(), name, sentence, evidence })
        });
        let mut all: Vec<_> = judged.chain(self.expectations.iter().map(unmet)).collect();
        all.retain(|finding| finding.status != Status::Held);
        all.sort_by_key(|finding| Reverse(finding.status));
        all
    }

    /// What fails the run, the worst first.
    pub fn violations(&self) -> Vec<Finding<'_>> {
        let mut findings = self.findings();
        findings.retain(Finding::is_violation);
        findings
    }
}

fn unmet(expectation: &Expectation) -> Finding<'_> {
    let name = expectation.happening.name();
    let count = expectation.seen.map_or(0, |seen| seen.count);
    let (name, sentence) = match (&expectation.wanted, expectation.seen) {
        (Some(wanted), _) if expectation.nothing_to_judge.is_none() => {
            let few = count < wanted.least;
            let name = format!("{} {name}", if few { "too few" } else { "too many" });
            (name, format!("it happened {count} times, expected {wanted}"))
        }
        (_, Some(seen)) => {
            let first = seen.first;
            let sentence = match seen.count {
                1 => format!("it happened once, at {first:.3}"),
                count => format!("it happened {count} times, first at {first:.3}"),
            };
            (format!("never {name}"), sentence)
        }
        (_, None) => match &expectation.nothing_to_judge {
            Some(why) => (format!("never {name}"), format!("it did not happen, but {why}")),
            None => (format!("missing {name}"), "it was expected and did not happen".to_owned()),
        },
    };
    Finding { status: expectation.status(), name: name.into(), sentence, evidence: None }
}

impl RunOutcome {
    /// Whether everything held, and what was expected happened.
    pub fn held(&self) -> bool {
        self.judgement.status() == Status::Held
    }

    /// What fails the run, the worst first.
    pub fn violations(&self) -> Vec<Finding<'_>> {
        self.judgement.violations()
    }

    /// Whether the property of that name is violated where it is forbidden to be.
    pub fn violates(&self, property: &str) -> bool {
        self.violations().iter().any(|violation| violation.name == property)
    }

    /// How many acknowledged records the final log lacks, permitted or not.
    pub fn lost(&self) -> u64 {
        self.judgement.producers.iter().filter_map(|producer| producer.lost).sum()
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.judgement.producers.iter().map(|producer| producer.acknowledged).sum()
    }

    /// How many acknowledged records the final log lacks and may lack.
    pub fn lost_as_permitted(&self) -> u64 {
        let property = &crate::checkers::clients::acknowledged_is_in_the_final_log::PROPERTY;
        let judged = self.judgement.find(property);
        match judged.map(|judged| judged.permission) {
            Some(Permission::Permitted) => self.lost(),
            Some(Permission::Forbidden) | None => 0,
        }
    }
}

impl fmt::Display for RunOutcome {
    /// One line for the messages of assertions: how to run it again, and what it came to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.replay())?;
        match self.judgement.findings().first() {
            None => f.write_str("held"),
            Some(finding) => write!(f, "{}: {finding}", finding.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::vocab::Happening;

    #[test]
    fn the_worst_comes_first_and_what_is_permitted_not_at_all() {
        let mut story = Story::default();
        story.terms.expected = vec![Happening::UncleanLeaderElected];
        story.terms.never = vec![Happening::RecordLost];
        story.at(1_000).sent(1).acknowledged(0, 0).at(2_000).final_log(0..0);
        let judgement = story.judgement();
        let names: Vec<_> = judgement.findings().into_iter().map(|found| found.name).collect();
        assert_eq!(names[..2], ["acknowledged-is-in-the-final-log", "never record-lost"]);
        assert_eq!(names.last().map(|name| &**name), Some("missing unclean-leader-elected"));
        assert!(names.contains(&"workload-completes".into()), "{names:?}");
        assert!(judgement.violations().iter().all(Finding::is_violation));
        assert_eq!(judgement.violations().len(), names.len() - 1);

        story.terms.acknowledged_loss = Permission::Permitted;
        let judgement = story.judgement();
        let names: Vec<_> = judgement.findings().into_iter().map(|found| found.name).collect();
        assert_eq!(names[0], "never record-lost", "{names:?}");
    }

    #[test]
    fn a_run_that_held_has_no_findings() {
        let mut story = Story::default();
        story.acknowledged(0, 0).consumed(0, 0).final_log(0..1);
        assert_eq!(story.judgement().findings(), []);
    }
}
