//! Nobody sees a record at another offset than anybody saw it at before.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::ClientObservation;
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "each-record-has-one-offset",
    statement: "clients saw each record at one offset of one partition",
    source: "Jepsen's Kafka checker: duplicate; KIP-98: idempotent producer; without one, retries \
             may write a record again",
    leaves_out: "copies that no client saw, see no-duplicates; offsets longer ago than the last \
                 65,536 lines of numbers of a partition",
    class: Class::Safety,
};

/// The first record that broke it, and how many did.
#[derive(Clone, Debug, Default)]
pub struct EachRecordHasOneOffset(Cases);

impl Checker for EachRecordHasOneOffset {
    fn client(&mut self, model: &Model, time: Time, node: NodeId, _: &ClientObservation) {
        let Some(sighting) =
            model.client_observations.latest().filter(|sighting| sighting.elsewhere)
        else {
            return;
        };
        let Some(value) = sighting.value else { return };
        // What was read and then cut off may be written again by the retry that was on its way.
        let idempotent = model.ledger.accounts()[value.producer].terms.idempotent;
        let permission =
            if idempotent { model.terms.acknowledged_loss } else { Permission::Permitted };
        self.0.found(permission, || {
            let (at, offset) = (model.client_observations.at(sighting.place), sighting.offset);
            let (client, record) = (model.terms.name(node), model.record(value));
            let before = match model.client_observations.find_elsewhere(sighting) {
                Some((place, offset)) => {
                    format!("at {}@{offset}", model.client_observations.at(place))
                }
                None => "elsewhere".into(),
            };
            let what = format!(
                "{client} saw {record} at {at}@{offset} at {time:.3}; it had been seen {before}"
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

    #[test]
    fn a_record_read_again_at_its_offset_is_accepted() {
        let mut story = Story::idempotent();
        story.consumed(0, 0).acknowledged(0, 0).position_reset(0).consumed(0, 0).consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_copy_below_the_one_that_was_acknowledged_is_told_with_it() {
        // leader_crash, seed 42: the first copy's answer was lost with the leader, the retry's was not.
        let mut story = Story::default();
        story.acknowledged(7, 8).at(3_000).consumed(7, 7);
        let text = "c0 saw record 7 of p0 at orders-0@7 at 3.000s; it had been seen at orders-0@8";
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
        let text = "c0 saw record 0 of p0 at orders-0@1 at 3.000s; it had been seen at orders-0@0";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Forbidden);
        let judgement = tell(Story::default()).judgement();
        assert_eq!(judgement.judged(&PROPERTY).status(), Status::Held);
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)), "it is shown");
    }
}
