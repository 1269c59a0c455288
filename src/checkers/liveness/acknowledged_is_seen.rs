//! In the end, every acknowledged record was read by some consumer.

use crate::checkers::{Case, Checker, Class, Evidence, Judged, Property, Subject, Verdict};
use crate::model::client_observations::Missing;
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-seen",
    statement: "when a run ends, no acknowledged record is left above the highest offset that \
                was polled of its partition",
    source: "Jepsen's Kafka checker: unseen, after the final polls",
    leaves_out: "records below, see no-lost-writes; topics that no consumer reads from the \
                 beginning: what no consumer was to read holds trivially; what no consumer reads \
                 any more by a limit of the release (see consumers-catch-up) is counted but \
                 permitted",
    looks_at: Subject::Reads,
    class: Class::Liveness,
};

/// Judges by what the model hold in the end.
#[derive(Clone, Copy, Debug)]
pub struct AcknowledgedIsSeen;

impl Checker for AcknowledgedIsSeen {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let (seen, clients) = (&model.client_observations, &model.transactional.clients);
        let (_, above) = seen.missing(&model.terms, &model.ledger, clients);
        let mut limit = None;
        let evidence = above.first.map(|Missing { value, at }| {
            let (record, producer) = (model.record(value), model.producer(value));
            let case = match at {
                None => Case::of(end, format!("{record} was acknowledged and never polled")),
                Some((place, offset)) => {
                    let at = model.client_observations.at(place);
                    let what = format!(
                        "{record}, acknowledged at {at}@{offset}, was not polled by the end"
                    );
                    Case::new(at, end, what).from_offset(offset)
                }
            };
            limit = model.is_read_no_more(&model.ledger.accounts()[value.producer].terms.topic);
            let case = case.because(limit.clone());
            Evidence::Case(Case { count: above.count, ..case.about(&model.terms, [producer]) })
        });
        let verdict = Verdict::from_evidence(evidence);
        match limit {
            Some(_) => PROPERTY.given((Permission::Permitted, verdict)),
            None => PROPERTY.loss(&model.terms, verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Status;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn everything_polled_is_accepted_and_a_tail_that_was_not_polled_is_rejected() {
        let mut story = Story::default();
        story.acknowledged(0, 0).consumed(0, 0).sent(1).unknown(1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.acknowledged(2, 2).acknowledged(3, 3);
        let evidence = rejects(&story, &PROPERTY);
        let text = "record 2 of p0, acknowledged at orders-0@2, was not polled by the end";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::NotConverged);
    }

    #[test]
    fn without_a_reader_there_is_nothing_to_see() {
        let mut story = Story::default();
        story.terms.consumers.clear();
        story.acknowledged(0, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
