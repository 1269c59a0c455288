//! Nobody reads on beyond an acknowledged record that nobody was handed.

use crate::checkers::{Case, Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::Model;
use crate::model::client_observations::Missing;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "no-lost-writes",
    statement: "every record that was acknowledged at an offset below the highest one that was \
                polled of its partition was polled by somebody",
    source: "Jepsen's Kafka checker: lost-write",
    leaves_out: "records above the highest polled offset, see acknowledged-is-seen; topics that \
                 nobody reads from the beginning: what nobody was to read holds trivially; \
                 retention and compaction",
    class: Class::Safety,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct NoLostWrites;

impl Checker for NoLostWrites {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (below, _) = model.client_observations.missing(&model.terms, &model.ledger);
        let evidence = below.first.map(|Missing { value, at }| {
            let (record, producer) = (model.record(value), model.producer(value));
            let case = match at {
                None => Case::of(end, format!("{record}, acknowledged long ago, was never polled")),
                Some((place, offset)) => {
                    let at = model.client_observations.at(place);
                    let mut what =
                        format!("{record}, acknowledged at {at}@{offset}, was never polled");
                    if let Some((highest, consumer)) = model.client_observations.highest(place) {
                        let consumer = model.terms.name(consumer);
                        what += &format!(", though {consumer} came to {highest}");
                    }
                    Case::new(at, end, what).from_offset(offset)
                }
            };
            Evidence::Case(Case { count: below.count, ..case.about(&model.terms, [producer]) })
        });
        PROPERTY.loss(&model.terms, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Status;
    use crate::checkers::testing::{Story, rejects};
    use crate::model::Permission;

    #[test]
    fn what_somebody_polled_is_not_lost_nor_what_lies_beyond_all_polls() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(0, 0).sent(2).unknown(2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn an_acknowledged_record_that_the_polls_went_past_is_lost() {
        let mut story = Story::default();
        for record in 0..4 {
            story.acknowledged(record, record as i64);
        }
        story.consumed(0, 0).consumed(3, 3);
        let evidence = rejects(&story, &PROPERTY);
        let text = "record 1 of p0, acknowledged at orders-0@1, was never polled, though c0 came \
                    to 3";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
        story.terms.acknowledged_loss = Permission::Permitted;
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::Held, "acks=1 may");
    }

    #[test]
    fn a_record_whose_offset_holds_another_one_is_lost_all_the_same() {
        let mut story = Story::default();
        story.sent(0).consumed(0, 0).acknowledged(1, 0);
        assert_eq!(rejects(&story, &PROPERTY).count(), 1);
    }

    #[test]
    fn one_who_reads_from_the_end_shows_nothing_lost() {
        let mut story = Story::default();
        story.terms.consumers[0].from_beginning = false;
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
