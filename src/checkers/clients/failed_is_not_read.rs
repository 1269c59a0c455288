//! No consumer reads a record whose write failed.

use crate::checkers::{Case, Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "failed-is-not-read",
    statement: "no consumer reads a record whose operation certainly failed",
    source: "Jepsen's Kafka checker: G1a, aborted read; KAFKA-13574: a timeout, a disconnection \
             and NOT_LEADER_OR_FOLLOWER are no certain failures",
    leaves_out: "operations that ended as unknown, which may have written the record",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Judges at the end: an operation may fail after its record was polled.
#[derive(Debug)]
pub struct FailedIsNotRead;

impl Rule for FailedIsNotRead {
    const PROPERTY: &'static Property = &PROPERTY;

    fn verdict(_: &Cases, model: &Model, end: Time) -> (Permission, Verdict) {
        let seen = &model.client_observations;
        let evidence = seen.failed_but_polled().next().map(|(topic, value, _)| {
            let what = format!("{} failed but was polled", model.record(value));
            let case = match seen.find(topic, value).next() {
                None => Case::of(end, what),
                Some((place, offset)) => {
                    let at = seen.at(place);
                    Case::new(at, end, format!("{what} at {at}@{offset}")).from_offset(offset)
                }
            };
            let count = seen.failed_but_polled().map(|(_, _, count)| count).sum();
            let nodes = [model.producer(value)];
            Evidence::Case(Case { count, ..case.about(&model.terms, nodes) })
        });
        (Permission::Forbidden, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn an_unknown_record_may_be_read_and_a_failed_one_may_not() {
        let mut story = Story::default();
        story.sent(0).unknown(0).sent(1).failed(1).consumed(3, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.sent(2).consumed(4, 2).failed(2).consumed(5, 1);
        let evidence = rejects(&story, &PROPERTY);
        let text = "record 1 of p0 failed but was polled at orders-0@5";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
    }
}
