//! Nobody is handed a record that its producer was told is not written.

use crate::checkers::{Case, Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::Model;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "failed-is-not-read",
    statement: "no consumer is handed a record whose operation had failed for certain",
    source: "Jepsen's Kafka checker: G1a, aborted read; KAFKA-13574: a timeout, a disconnection \
             and NOT_LEADER_OR_FOLLOWER are no certain failures",
    leaves_out: "operations that ended as unknown, which may have done something",
    class: Class::Safety,
};

/// Judges by what the model hold in the end: the failure may be told after the poll.
#[derive(Clone, Copy, Debug)]
pub struct FailedIsNotRead;

impl Checker for FailedIsNotRead {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let client_observations = &model.client_observations;
        let count = client_observations.failed_but_polled().map(|(_, _, count)| count).sum();
        let evidence = client_observations.failed_but_polled().next().map(|(topic, value, _)| {
            let (record, producer) = (model.record(value), model.producer(value));
            let case = match client_observations.find(topic, value).next() {
                None => Case::of(end, format!("{record} had failed and was polled")),
                Some((place, offset)) => {
                    let at = client_observations.at(place);
                    let what = format!("{record} had failed and was polled at {at}@{offset}");
                    Case::new(at, end, what).from_offset(offset)
                }
            };
            Evidence::Case(Case { count, ..case.about(&model.terms, [producer]) })
        });
        PROPERTY.forbidden(Verdict::from_evidence(evidence))
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
        let text = "record 1 of p0 had failed and was polled at orders-0@5";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
    }
}
