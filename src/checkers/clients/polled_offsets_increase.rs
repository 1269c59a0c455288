//! A consumer does not go back to an earlier offset by itself.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;
use crate::model::client_observations::By;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "polled-offsets-increase",
    statement: "the offsets that a consumer polls from a partition increase, as long as its \
                position is not set",
    source: "Jepsen's Kafka checker: nonmonotonic-poll, int-nonmonotonic-poll",
    leaves_out: "polls after the position was set: at the start, by auto.offset.reset, after a \
                 truncation; that is counted as position-reset",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Looks at polls.
#[derive(Debug)]
pub struct PolledOffsetsIncrease;

impl Rule for PolledOffsetsIncrease {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, _: &ClientObservation, found: &mut Cases) {
        let Some(sighting) = event.model.client_observations.latest() else { return };
        let By::Poll(Some(after)) = sighting.by else { return };
        if sighting.offset > after {
            return;
        }
        found.forbidden(|| {
            let at = event.model.client_observations.at(sighting.place);
            let (consumer, offset, time) = (event.name(), sighting.offset, event.time);
            let what = format!("{consumer} polled {at}@{offset} at {time:.3} after offset {after}");
            event.case(what).in_partition(at).from_offset(offset)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
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
        let text = "c0 polled orders-0@4 at 1.500s after offset 4";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 2));
    }
}
