//! How long producers were without an acknowledgement.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::availability::longer;
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "availability",
    statement: "no producer is without an acknowledgement for longer than the scenario allows, \
                from its first record until its last one has ended",
    source: "the scenario: there is no limit unless it sets one",
    leaves_out: "whether a producer had nothing to send in the meantime or could not send",
    looks_at: Subject::Operations,
    class: Class::Liveness,
};

/// Compares the longest gap with the scenario's limit.
#[derive(Debug)]
pub struct Availability;

impl Rule for Availability {
    const PROPERTY: &'static Property = &PROPERTY;

    fn verdict(_: &Cases, model: &Model, end: Time) -> (Permission, Verdict) {
        let Model { availability, terms, ledger, .. } = model;
        let Some(limit) = terms.unavailability_max else {
            return (Permission::Forbidden, Verdict::Holds);
        };
        let gaps = (0..ledger.accounts().len())
            .filter_map(|producer| Some((producer, availability.longest(ledger, producer, end)?)));
        let longest = gaps.reduce(|a, b| if longer(a.1, b.1) == a.1 { a } else { b });
        let beyond = longest.filter(|(_, gap)| gap.to.since(gap.from) > limit);
        let evidence = beyond.map(|(producer, gap)| Evidence::Unavailable {
            producer: ledger.accounts()[producer].name.clone(),
            from: gap.from,
            to: gap.to,
            limit: Time::ZERO + limit,
        });
        // That no gap was too long shows nothing when there was none to see, or when a fault missed its target.
        let nothing = || Subject::Operations.missing(model).or_else(|| model.idle_fault());
        if evidence.is_none()
            && let Some(why) = nothing()
        {
            return (Permission::Forbidden, Verdict::Inconclusive(why));
        }
        (Permission::Forbidden, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checkers::testing::Story;
    use crate::model::availability::Gap;

    fn story() -> Story {
        let mut story = Story::default();
        story.at(1_000).sent(0).at(1_010).acknowledged(0, 0).at(7_010).acknowledged(1, 1);
        story.at(7_020).acknowledged(2, 2).final_log(0..3).at(60_000);
        story
    }

    fn gap(from: u64, to: u64) -> Gap {
        Gap { from: Time::from_millis(from), to: Time::from_millis(to) }
    }

    #[test]
    fn the_longest_gap_lies_between_two_acknowledgements() {
        let judgement = story().judgement();
        assert_eq!(judgement.producers[0].longest_gap, Some(gap(1_010, 7_010)));
        assert_eq!(judgement.verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_gap_beyond_the_limit_is_rejected_and_one_at_the_limit_is_not() {
        let mut story = story();
        story.terms.unavailability_max = Some(Duration::from_secs(6));
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.terms.unavailability_max = Some(Duration::from_millis(5_999));
        let judgement = story.judgement();
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)));
    }

    #[test]
    fn an_operation_under_way_at_the_end_extends_the_gap_to_the_end() {
        let mut story = story();
        story.at(8_000).sent(3).at(60_000);
        assert_eq!(story.judgement().producers[0].longest_gap, Some(gap(7_020, 60_000)));
    }

    #[test]
    fn without_an_acknowledgement_all_is_gap() {
        let mut story = Story::default();
        story.at(1_000).sent(0).at(3_000).unknown(0).at(9_000);
        assert_eq!(story.judgement().producers[0].longest_gap, Some(gap(1_000, 3_000)));
    }
}
