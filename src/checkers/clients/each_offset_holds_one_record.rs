//! Nobody sees another record at an offset than anybody saw there before.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::ClientObservation;
use crate::model::offset_map::Told;
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "each-offset-holds-one-record",
    statement: "whatever clients saw at an offset of a partition, in acknowledgements or in what \
                they read, was the same record",
    source: "Jepsen's Kafka checker: inconsistent-offsets",
    leaves_out: "before 2.7, partitions in which a leader was never told that a replica joined, \
                 which is counted but permitted, see isr-in-zookeeper-agrees; records that no \
                 workload wrote; offsets longer ago than the last 65,536 lines of \
                 numbers of a partition",
    class: Class::Safety,
};

/// The first offset that broke it, and how many client_observations did.
#[derive(Clone, Debug, Default)]
pub struct EachOffsetHoldsOneRecord(Cases);

impl Checker for EachOffsetHoldsOneRecord {
    fn client(&mut self, model: &Model, time: Time, node: NodeId, _: &ClientObservation) {
        let Some(sighting) = model.client_observations.latest() else { return };
        let (Told::Otherwise(before), Some(value)) = (sighting.told, sighting.value) else {
            return;
        };
        let (at, offset) = (model.client_observations.at(sighting.place), sighting.offset);
        let missed = model.replicas.find(at).is_some_and(|partition| {
            let mut epochs = partition.unheard_joins.iter();
            epochs.any(|epoch| partition.missed_a_join(model.terms.kafka, *epoch))
        });
        let permission = if missed { Permission::Permitted } else { model.terms.acknowledged_loss };
        self.0.found(permission, || {
            let (client, value, before) =
                (model.terms.name(node), model.record(value), model.record(before));
            let what = format!(
                "{client} saw {value} at {at}@{offset} at {time:.3}, where {before} had been seen"
            );
            let case = Case::new(at, time, what).from_offset(offset);
            case.about(&model.terms, [node]).after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.0.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::checkers::{Status, Verdict};
    use crate::model::Permission;

    #[test]
    fn all_may_see_an_offset_often_as_long_as_they_see_the_same() {
        let mut story = Story::default();
        story.acknowledged(0, 0).consumed(0, 0).position_reset(0).consumed(0, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn an_offset_that_was_acknowledged_to_one_and_holds_another_is_rejected() {
        let mut story = Story::default();
        story.sent(1).at(1_000).acknowledged(0, 7).at(2_000).consumed(7, 1).consumed(7, 1);
        let evidence = rejects(&story, &PROPERTY);
        let text = "c0 saw record 1 of p0 at orders-0@7 at 2.000s, where record 0 of p0 had been \
                    seen";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
        story.terms.acknowledged_loss = Permission::Permitted;
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::Held, "acks=1 may");
    }
}
