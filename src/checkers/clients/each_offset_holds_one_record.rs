//! All clients see the same record at an offset.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::Permission;
use crate::model::offset_map::Novelty;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "each-offset-holds-one-record",
    statement: "whatever clients saw at an offset of a partition, in acknowledgements or in what \
                they read, was the same record",
    source: "Jepsen's Kafka checker: inconsistent-offsets",
    leaves_out: "before 2.7, partitions in which a leader got no response to its ISR expansion, \
                 which is counted but permitted, see zookeeper-isr-has-committed; records that are \
                 in no account; offsets before the last 65,536 runs of record numbers of a \
                 partition",
    looks_at: Subject::Offsets,
    class: Class::Safety,
};

/// Looks at acknowledgements and polls.
#[derive(Debug)]
pub struct EachOffsetHoldsOneRecord;

impl Rule for EachOffsetHoldsOneRecord {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, _: &ClientObservation, found: &mut Cases) {
        let model = event.model;
        let Some(sighting) = model.client_observations.latest() else { return };
        let (Novelty::Otherwise(before), Some(value)) = (sighting.novelty, sighting.value) else {
            return;
        };
        let (at, offset) = (model.client_observations.at(sighting.place), sighting.offset);
        let missed = model.replicas.find(at).is_some_and(|partition| {
            let mut epochs = partition.unheard_joins.iter();
            epochs.any(|epoch| partition.missed_a_join(model.terms.kafka, *epoch))
        });
        let loss = model.terms.acknowledged_loss;
        found.found(if missed { Permission::Permitted } else { loss }, || {
            let (client, time) = (event.name(), event.time);
            let (value, before) = (model.record(value), model.record(before));
            let case = event.case(format!(
                "{client} saw {value} at {at}@{offset} at {time:.3}, where {before} was seen before"
            ));
            case.in_partition(at).from_offset(offset)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::checkers::{Status, Verdict};

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
        let text = "c0 saw record 1 of p0 at orders-0@7 at 2.000s, where record 0 of p0 was \
                    seen before";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
        story.terms.acknowledged_loss = Permission::Permitted;
        assert_eq!(story.judgement().judged(&PROPERTY).status(), Status::Held, "acks=1 may");
    }
}
