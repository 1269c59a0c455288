//! What a scenario expects to happen (`[expect] happened` and `never`), and whether it did.
//!
//! A run in which the expected did not happen says nothing about what it was made for; it is inconclusive,
//! however well everything else held.

use serde::Serialize;

use crate::checkers::{Status, Subject};
use crate::model::Model;
use crate::model::happened::Seen;
use crate::vocab::{Happening, Wanted};

/// What a scenario expects of something that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occurrence {
    /// It happens; a run without it is inconclusive.
    Happens,
    /// It does not; a run with it fails.
    NeverHappens,
    /// It happens so often: a run with too few is inconclusive, one with too many fails.
    Counted,
}

/// Something that a scenario expected, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// What it is about.
    pub happening: Happening,
    /// What was expected of it.
    pub expected: Occurrence,
    /// What of it counts, and how often that may be, if it is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// Whether and when it happened.
    pub seen: Option<Seen>,
    /// Why its absence shows nothing, if so: in a clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_to_judge: Option<String>,
}

impl Expectation {
    /// What came of an expectation in a run that ended with this model; `seen` says what happened.
    pub fn judge(
        model: &Model,
        happening: Happening,
        expected: Occurrence,
        seen: Option<Seen>,
    ) -> Self {
        let is_absent = expected == Occurrence::NeverHappens && seen.is_none();
        let nothing_to_judge = is_absent
            .then(|| Subject::of(happening).missing(model).or_else(|| model.idle_fault()))
            .flatten();
        Self { happening, expected, wanted: None, seen, nothing_to_judge }
    }

    /// What came of a number that a scenario limits.
    pub fn counted(model: &Model, wanted: &Wanted, seen: Option<Seen>) -> Self {
        let is_absent = wanted.most.is_some() && wanted.least == 0 && seen.is_none();
        let happening = wanted.happening;
        let nothing_to_judge = is_absent
            .then(|| Subject::of(happening).missing(model).or_else(|| model.idle_fault()))
            .flatten();
        let (expected, wanted) = (Occurrence::Counted, Some(wanted.clone()));
        Self { happening, expected, wanted, seen, nothing_to_judge }
    }

    /// What this expectation alone makes of the run.
    pub fn status(&self) -> Status {
        if let Some(wanted) = &self.wanted {
            let count = self.seen.map_or(0, |seen| seen.count);
            return match () {
                () if wanted.most.is_some_and(|most| count > most) => Status::Violated,
                () if count < wanted.least || self.nothing_to_judge.is_some() => {
                    Status::Inconclusive
                }
                () => Status::Held,
            };
        }
        match (self.expected, self.seen) {
            (Occurrence::NeverHappens, None) if self.nothing_to_judge.is_some() => {
                Status::Inconclusive
            }
            (Occurrence::Happens | Occurrence::Counted, Some(_))
            | (Occurrence::NeverHappens, None) => Status::Held,
            (Occurrence::Happens | Occurrence::Counted, None) => Status::Inconclusive,
            (Occurrence::NeverHappens, Some(_)) => Status::Violated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Election;
    use crate::vocab::{Time, TopicPartition};

    fn names(story: &Story) -> Vec<&'static str> {
        story.judgement().happened.keys().map(|happening| happening.name()).collect()
    }

    #[test]
    fn the_start_of_a_cluster_is_not_an_election() {
        let mut story = Story::default();
        story.controller(1, 1).registered(1, 10).elected(1, 0, &[1, 2], Election::New);
        assert!(names(&story).is_empty(), "{:?}", names(&story));
        story.controller(2, 2).registered(1, 20).elected(2, 1, &[2], Election::Unclean);
        assert_eq!(
            names(&story),
            [
                "leader-elected",
                "unclean-leader-elected",
                "isr-shrunk",
                "controller-elected",
                "broker-registered-again"
            ]
        );
    }

    #[test]
    fn a_swap_in_the_isr_is_both_a_shrink_and_an_expansion() {
        let mut story = Story::default();
        story.isr_changed(&[1, 2], &[1, 2, 3]);
        assert_eq!(names(&story), ["isr-expanded"]);
        story.isr_changed(&[1, 2], &[1, 3]);
        assert_eq!(names(&story), ["isr-shrunk", "isr-expanded"]);
    }

    #[test]
    fn the_final_log_shows_loss_copies_and_order() {
        let mut story = Story::default();
        story.acknowledged(9, 9).final_log(1..3).final_record(3, 0).final_record(4, 1);
        assert_eq!(names(&story), ["record-lost", "record-duplicated", "record-reordered"]);
    }

    #[test]
    fn an_expectation_that_did_not_happen_makes_a_run_inconclusive() {
        let mut story = Story::default();
        story.terms.expected = vec![Happening::IsrShrunk, Happening::OperationUnknown];
        story.acknowledged(0, 0).consumed(0, 0).final_log(0..1).at(4_000).sent(1).unknown(1);
        let judgement = story.judgement();
        let [shrunk, unknown] = &judgement.expectations[..] else { panic!("two expectations") };
        assert_eq!(shrunk.seen, None);
        let seen = Seen { count: 1, first: Time::from_millis(4_000) };
        assert_eq!(unknown.seen, Some(seen));
        assert_eq!(judgement.status(), Status::Inconclusive);
        story.isr_changed(&[1, 2], &[1]);
        assert_eq!(story.judgement().status(), Status::Held);
    }

    #[test]
    fn a_number_is_held_to_its_limits_in_its_partition_and_time() {
        let mut story = Story::default();
        let wanted = |least, most, before: u64| Wanted {
            happening: Happening::IsrShrunk,
            least,
            most,
            partition: Some(TopicPartition::new("orders", 0)),
            after: None,
            before: Some(Time::from_millis(before)),
        };
        let elsewhere =
            Wanted { partition: Some(TopicPartition::new("orders", 1)), ..wanted(1, None, 9_000) };
        story.terms.wanted = vec![
            wanted(1, Some(3), 9_000),
            wanted(3, None, 9_000),
            wanted(0, Some(1), 9_000),
            wanted(2, Some(2), 2_000),
            elsewhere,
        ];
        story.became_leader(1, 0, 0).isr_known(1, &[1, 2, 3], 1);
        story.at(1_000).isr_changed(&[1, 2, 3], &[1, 2]).at(3_000).isr_changed(&[1, 2], &[1]);
        let states: Vec<_> =
            story.judgement().expectations.iter().map(Expectation::status).collect();
        let (held, few, many) = (Status::Held, Status::Inconclusive, Status::Violated);
        assert_eq!(states, [held, few, many, few, few]);
    }

    #[test]
    fn what_must_never_happen_fails_the_run_when_it_does() {
        let mut story = Story::default();
        story.terms.never = vec![Happening::Truncated, Happening::UncleanLeaderElected];
        let states = |story: &Story| -> Vec<_> {
            story.judgement().expectations.iter().map(Expectation::status).collect()
        };
        // Without a leader there is nothing to truncate, and nothing to elect.
        assert_eq!(states(&story), [Status::Inconclusive; 2]);
        assert_eq!(story.judgement().status(), Status::Inconclusive);
        story.became_leader(1, 0, 0);
        assert_eq!(states(&story), [Status::Held; 2]);
        story.elected(2, 1, &[2], Election::Unclean);
        assert_eq!(states(&story), [Status::Held, Status::Violated]);
        assert_eq!(story.judgement().status(), Status::Violated);
    }
}
