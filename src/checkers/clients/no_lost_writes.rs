//! Consumers do not read past acknowledged records that none of them read.

use crate::checkers::{Case, Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::client_observations::Missing;
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "no-lost-writes",
    statement: "every record acknowledged at an offset below the highest polled offset of its \
                partition was polled by some consumer",
    source: "Jepsen's Kafka checker: lost-write",
    leaves_out: "records above the highest polled offset, see acknowledged-is-seen; topics that \
                 no consumer reads from the beginning; records whose offset is no longer kept, \
                 unless everything so old was polled past; records of transactions that are not \
                 committed, where all readers read committed ones alone; retention and compaction",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Compares acknowledgements with all polls.
#[derive(Debug)]
pub struct NoLostWrites;

impl Rule for NoLostWrites {
    const PROPERTY: &'static Property = &PROPERTY;

    fn verdict(_: &Cases, model: &Model, end: Time) -> (Permission, Verdict) {
        let seen = &model.client_observations;
        let clients = &model.transactional.clients;
        let (below, _) = seen.missing(&model.terms, &model.ledger, clients);
        let evidence = below.first.map(|Missing { value, at }| {
            let record = model.record(value);
            let case = match at {
                None => Case::of(end, format!("{record} was acknowledged but never polled")),
                Some((place, offset)) => {
                    let at = seen.at(place);
                    let highest = seen.highest(place).map(|(highest, consumer)| {
                        let consumer = model.terms.name(consumer);
                        format!("; {consumer} polled up to offset {highest}")
                    });
                    let what = format!(
                        "{record} was acknowledged at {at}@{offset} but never polled{}",
                        highest.unwrap_or_default()
                    );
                    Case::new(at, end, what).from_offset(offset)
                }
            };
            let case = case.about(&model.terms, [model.producer(value)]);
            Evidence::Case(Case { count: below.count, ..case })
        });
        (model.terms.acknowledged_loss, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Status;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn what_was_polled_is_not_lost_nor_what_is_beyond_all_polls() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(0, 0).sent(2).unknown(2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_record_that_names_no_producer_is_polled_at_its_offset() {
        let mut story = Story::default();
        story.consumed_unnamed(0).acknowledged(0, 0).acknowledged(1, 1).consumed(1, 1);
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
        let text = "record 1 of p0 was acknowledged at orders-0@1 but never polled; c0 polled up \
                    to offset 3";
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
