//! How long producers and partitions were without an acknowledgement, and how long acknowledgements took.

use std::time::Duration;

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::availability::{Gap, longer};
use crate::model::{Model, Permission, Terms};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "availability",
    statement: "no producer is without an acknowledgement for longer than the scenario allows, \
                from its first record until its last one has ended, and no partition while a \
                record that was sent to it waits; and none takes longer than allowed",
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
        let Terms { unavailability_max, latency_max, .. } = &model.terms;
        if unavailability_max.is_none() && latency_max.is_empty() {
            return (Permission::Forbidden, Verdict::Holds);
        }
        let unavailable = unavailability_max.and_then(|limit| unavailable(model, limit, end));
        let evidence = unavailable.or_else(|| slow(model));
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

/// The longest time without an acknowledgement, if it is longer than `limit`.
fn unavailable(model: &Model, limit: Duration, end: Time) -> Option<Evidence> {
    let Model { availability, waits, ledger, .. } = model;
    let accounts = ledger.accounts().iter().enumerate();
    let gaps = accounts.filter_map(|(producer, account)| {
        let gap = match account.terms.is_external {
            true => waits.longest(producer, end),
            false => availability.longest(ledger, producer, end),
        };
        Some((&account.name, gap?))
    });
    let limit_at = Time::ZERO + limit;
    let gaps = gaps.map(|(name, Gap { from, to })| {
        let producer = name.clone();
        (Gap { from, to }, Evidence::Unavailable { producer, from, to, limit: limit_at })
    });
    let partitions = waits.partitions(end).map(|(at, _, Gap { from, to })| {
        let at = at.clone();
        (Gap { from, to }, Evidence::PartitionUnavailable { at, from, to, limit: limit_at })
    });
    let longest = gaps.chain(partitions).reduce(|a, b| if longer(a.0, b.0) == a.0 { a } else { b });
    let beyond = longest.filter(|(gap, _)| gap.to.since(gap.from) > limit);
    beyond.map(|(_, evidence)| evidence)
}

/// The first producer whose acknowledgements took longer than they may.
fn slow(model: &Model) -> Option<Evidence> {
    let Model { terms, waits, ledger, .. } = model;
    let limits = terms.latency_max.iter();
    let limits =
        limits.flat_map(|limit| ledger.accounts().iter().enumerate().map(move |it| (limit, it)));
    let mut slow = limits.filter_map(|(&(share, limit), (producer, account))| {
        let (took, limit) = (waits.latencies(producer)?.quantile(share)?, Time::ZERO + limit);
        let producer = account.name.clone();
        (took > limit).then_some(Evidence::Slow { producer, share, took, limit })
    });
    slow.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

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
    fn a_slow_acknowledgement_is_rejected_by_its_share() {
        let mut story = story();
        let judged = |story: &Story| story.judgement().verdict(&PROPERTY).clone();
        for (share, ms, text) in [
            (500, 10, ""),
            (1_000, 6_000, ""),
            (1_000, 9, "an acknowledgement of p0 took 0.010s, longer than 0.009s"),
            (500, 9, ""),
            (990, 9, "one of 100 acknowledgements of p0 took 0.010s, longer than 0.009s"),
        ] {
            story.terms.latency_max = vec![(share, Duration::from_millis(ms))];
            match judged(&story) {
                Verdict::Violated(evidence) => assert_eq!(evidence.to_string(), text),
                other => assert_eq!((other, text), (Verdict::Holds, "")),
            }
        }
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
