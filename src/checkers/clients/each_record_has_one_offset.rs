//! All clients see a record at the same offset.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::Permission;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "each-record-has-one-offset",
    statement: "clients saw each record at one offset of one partition",
    source: "Jepsen's Kafka checker: duplicate; KIP-98: idempotent producer; without one, retries \
             may write a record again",
    leaves_out: "copies that no client saw, see no-duplicates; offsets before the last 65,536 runs \
                 of record numbers of a partition",
    looks_at: Subject::Offsets,
    class: Class::Safety,
};

/// Looks at acknowledgements and polls.
#[derive(Debug)]
pub struct EachRecordHasOneOffset;

impl Rule for EachRecordHasOneOffset {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, _: &ClientObservation, found: &mut Cases) {
        let (model, seen) = (event.model, &event.model.client_observations);
        let Some(sighting) = seen.latest().filter(|sighting| sighting.elsewhere) else { return };
        let Some(value) = sighting.value else { return };
        // A retry may write again what was read and then truncated.
        let idempotent = model.ledger.accounts()[value.producer].terms.idempotent;
        let loss = model.terms.acknowledged_loss;
        found.found(if idempotent { loss } else { Permission::Permitted }, || {
            let (at, offset) = (seen.at(sighting.place), sighting.offset);
            let (client, record, time) = (event.name(), model.record(value), event.time);
            let before = match seen.find_elsewhere(sighting) {
                Some((place, offset)) => format!("at {}@{offset}", seen.at(place)),
                None => "elsewhere".into(),
            };
            let what = format!(
                "{client} saw {record} at {at}@{offset} at {time:.3}; it was seen {before} before"
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
    fn a_record_read_again_at_its_offset_is_accepted() {
        let mut story = Story::idempotent();
        story.consumed(0, 0).acknowledged(0, 0).position_reset(0).consumed(0, 0).consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_copy_below_the_one_that_was_acknowledged_is_reported_with_it() {
        // leader_crash, seed 42: the first copy's answer was lost with the leader, the retry's was not.
        let mut story = Story::default();
        story.acknowledged(7, 8).at(3_000).consumed(7, 7);
        let text =
            "c0 saw record 7 of p0 at orders-0@7 at 3.000s; it was seen at orders-0@8 before";
        assert_eq!(rejects(&story, &PROPERTY).to_string(), text);
    }

    #[test]
    fn a_second_copy_is_forbidden_to_an_idempotent_producer_only() {
        let tell = |mut story: Story| {
            story.acknowledged(0, 0).consumed(0, 0).at(3_000).consumed(1, 0);
            story
        };
        let story = tell(Story::idempotent());
        let evidence = rejects(&story, &PROPERTY);
        let text =
            "c0 saw record 0 of p0 at orders-0@1 at 3.000s; it was seen at orders-0@0 before";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Forbidden);
        let judgement = tell(Story::default()).judgement();
        assert_eq!(judgement.judged(&PROPERTY).status(), Status::Held);
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)), "it is shown");
    }
}
