//! A consumer does not come back to an offset by itself.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ClientObservation;
use crate::model::Model;
use crate::model::client_observations::By;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "polls-go-forward",
    statement: "the offsets that a consumer is handed of a partition rise, from one setting of \
                its position to the next",
    source: "Jepsen's Kafka checker: nonmonotonic-poll, int-nonmonotonic-poll",
    leaves_out: "what comes after the position was set anew: at the start, by the reset policy, \
                 after a truncation; that is counted as position-reset",
    class: Class::Safety,
};

/// The first poll that broke it, and how many did.
#[derive(Clone, Debug, Default)]
pub struct PollsGoForward(FirstCase);

impl Checker for PollsGoForward {
    fn client(&mut self, model: &Model, time: Time, node: NodeId, _: &ClientObservation) {
        let Some(sighting) = model.client_observations.latest() else { return };
        let By::Poll(Some(after)) = sighting.by else { return };
        if sighting.offset <= after {
            self.0.found(|| {
                let (at, offset) = (model.client_observations.at(sighting.place), sighting.offset);
                let consumer = model.terms.name(node);
                let what =
                    format!("{consumer} polled {at}@{offset} at {time:.3}, after offset {after}");
                let case = Case::new(at, time, what).from_offset(offset);
                case.about(&model.terms, [node]).after_faults(&model.faults)
            });
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.0.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn a_position_that_was_set_may_be_anywhere() {
        let mut story = Story::default();
        story.consumed(0, 0).consumed(5, 5).position_reset(0).consumed(0, 0).consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn an_offset_polled_again_or_before_is_rejected() {
        let mut story = Story::default();
        story.consumed(4, 4).at(1_500).consumed(4, 4).consumed(3, 3);
        let evidence = rejects(&story, &PROPERTY);
        let text = "c0 polled orders-0@4 at 1.500s, after offset 4";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
    }
}
