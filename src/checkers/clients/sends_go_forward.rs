//! A producer's later records are acknowledged at higher offsets.

use std::collections::BTreeMap;

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::ClientObservation;
use crate::model::client_observations::{By, Place};
use crate::model::ledger::Producer;
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "sends-go-forward",
    statement: "within a partition, a producer's record is acknowledged above the highest earlier \
                one and below the highest later one",
    source: "Jepsen's Kafka checker: nonmonotonic-send, int-nonmonotonic-send; \
             max.in.flight.requests.per.connection",
    leaves_out: "records that were not acknowledged; what the final log holds of them, see order; \
                 comparisons but with the highest record so far",
    class: Class::Safety,
};

/// The highest record that was acknowledged, with its offset, by partition and producer.
#[derive(Clone, Debug, Default)]
pub struct SendsGoForward {
    highest: BTreeMap<(Place, Producer), (u64, Offset)>,
    cases: Cases,
}

impl Checker for SendsGoForward {
    fn client(&mut self, model: &Model, time: Time, node: NodeId, _: &ClientObservation) {
        let Some(sighting) = model.client_observations.latest() else { return };
        let (By::Acknowledgement, Some(value)) = (sighting.by, sighting.value) else { return };
        let (place, offset, record) = (sighting.place, sighting.offset, value.record);
        let highest = self.highest.entry((place, value.producer)).or_insert((record, offset));
        let (other, other_offset) = *highest;
        if record >= other {
            *highest = (record, offset);
        }
        if record == other || (record > other) == (offset > other_offset) {
            return;
        }
        // What was cut off makes room for later records at lower offsets.
        let ordered = model.ledger.accounts()[value.producer].terms.ordered;
        let permission =
            if ordered { model.terms.acknowledged_loss } else { Permission::Permitted };
        self.cases.found(permission, || {
            let (at, record) = (model.client_observations.at(place), model.record(value));
            let what = format!(
                "{record} was acknowledged at {at}@{offset} at {time:.3}, \
                 and record {other} at {other_offset}"
            );
            let case = Case::new(at, time, what).from_offset(offset);
            case.about(&model.terms, [node]).after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::checkers::{Status, Verdict};

    #[test]
    fn rising_offsets_are_accepted_in_whatever_order_they_are_told() {
        let mut story = Story::idempotent();
        story.acknowledged(0, 3).acknowledged(2, 9).acknowledged(1, 4).acknowledged(5, 10);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn falling_offsets_are_rejected_where_order_is_promised() {
        let tell = |mut story: Story| {
            story.acknowledged(0, 3).at(1_000).acknowledged(1, 2);
            story
        };
        let story = tell(Story::idempotent());
        let evidence = rejects(&story, &PROPERTY);
        let text = "record 1 of p0 was acknowledged at orders-0@2 at 1.000s, and record 0 at 3";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::Violated);
        let judgement = tell(Story::default()).judgement();
        assert_eq!(judgement.judged(&PROPERTY).status(), Status::Held, "several in flight may");
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)), "it is shown");
    }
}
