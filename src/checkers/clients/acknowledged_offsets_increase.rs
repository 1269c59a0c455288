//! A producer's later records are acknowledged at higher offsets.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::Permission;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-offsets-increase",
    statement: "within a partition, a producer's record is acknowledged above the highest earlier \
                one and below the highest later one",
    source: "Jepsen's Kafka checker: nonmonotonic-send, int-nonmonotonic-send; \
             max.in.flight.requests.per.connection",
    leaves_out: "records that were not acknowledged; their order in the final log, see order; \
                 comparisons other than with the highest record so far",
    looks_at: Subject::Acknowledgements,
    class: Class::Safety,
};

/// Looks at acknowledgements.
#[derive(Debug)]
pub struct AcknowledgedOffsetsIncrease;

impl Rule for AcknowledgedOffsetsIncrease {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, _: &ClientObservation, found: &mut Cases) {
        let (model, seen) = (event.model, &event.model.client_observations);
        let Some((other, other_offset)) = model.acknowledged_order.contradicted() else { return };
        let Some(sighting) = seen.latest() else { return };
        let Some(value) = sighting.value else { return };
        // A truncation makes room for later records at lower offsets.
        let ordered = model.ledger.accounts()[value.producer].terms.ordered;
        let loss = model.terms.acknowledged_loss;
        found.found(if ordered { loss } else { Permission::Permitted }, || {
            let (at, offset) = (seen.at(sighting.place), sighting.offset);
            let (record, time) = (model.record(value), event.time);
            let what = format!(
                "{record} was acknowledged at {at}@{offset} at {time:.3}, but record {other} at \
                 offset {other_offset}"
            );
            event.case(what).in_partition(at).from_offset(offset)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::checkers::{Status, Verdict};

    #[test]
    fn increasing_offsets_are_accepted_in_any_order_of_arrival() {
        let mut story = Story::idempotent();
        story.acknowledged(0, 3).acknowledged(2, 9).acknowledged(1, 4).acknowledged(5, 10);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn decreasing_offsets_are_rejected_where_order_is_promised() {
        let tell = |mut story: Story| {
            story.acknowledged(0, 3).at(1_000).acknowledged(1, 2);
            story
        };
        let story = tell(Story::idempotent());
        let evidence = rejects(&story, &PROPERTY);
        let text =
            "record 1 of p0 was acknowledged at orders-0@2 at 1.000s, but record 0 at offset 3";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::Violated);
        let judgement = tell(Story::default()).judgement();
        assert_eq!(judgement.judged(&PROPERTY).status(), Status::Held, "several in flight may");
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)), "it is shown");
    }
}
