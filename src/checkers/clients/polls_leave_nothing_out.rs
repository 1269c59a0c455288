//! A consumer does not go past an offset at which others see a record.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::ClientObservation;
use crate::model::Model;
use crate::model::client_observations::{By, Place};
use crate::vocab::{NodeId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "polls-leave-nothing-out",
    statement: "no client ever saw a record at an offset between two that a consumer polled one \
                after the other, without its position being set in between",
    source: "Jepsen's Kafka checker: poll-skip, int-poll-skip",
    leaves_out: "offsets that nobody saw a record at, as markers of transactions take; compacted \
                 topics; offsets longer ago than the last 65,536 lines of numbers of a partition",
    class: Class::Safety,
};

/// Leaps that are kept, to be looked into in the end.
const LEAPS_MAX: usize = 4_096;

/// A consumer went past offsets.
#[derive(Clone, Copy, Debug)]
struct Leap {
    time: Time,
    consumer: NodeId,
    place: Place,
    after: Offset,
    to: Offset,
}

/// The leaps of all consumers; what lay in between may be told of later.
#[derive(Clone, Debug, Default)]
pub struct PollsLeaveNothingOut(Vec<Leap>);

impl Checker for PollsLeaveNothingOut {
    fn client(&mut self, model: &Model, time: Time, consumer: NodeId, _: &ClientObservation) {
        let Some(sighting) = model.client_observations.latest() else { return };
        let By::Poll(Some(after)) = sighting.by else { return };
        let (place, to) = (sighting.place, sighting.offset);
        if to > after.saturating_add(1) && self.0.len() < LEAPS_MAX {
            self.0.push(Leap { time, consumer, place, after, to });
        }
    }

    fn judge(&self, model: &Model, _: Time) -> Judged {
        let past = |leap: &Leap| {
            let (offset, value) =
                model.client_observations.first_from(leap.place, leap.after + 1)?;
            (offset < leap.to).then_some((*leap, offset, value))
        };
        let mut cases = FirstCase::default();
        for (leap, left_out, value) in self.0.iter().filter_map(past) {
            cases.found(|| {
                let Leap { time, after, to, .. } = leap;
                let at = model.client_observations.at(leap.place);
                let (consumer, record) = (model.terms.name(leap.consumer), model.record(value));
                let what = format!(
                    "{consumer} polled {at}@{to} right after offset {after} at {time:.3}, \
                     without {record} at {left_out}"
                );
                let case = Case::new(at, time, what).from_offset(left_out);
                case.about(&model.terms, [leap.consumer]).after_faults(&model.faults)
            });
        }
        PROPERTY.forbidden(Verdict::from_evidence(cases.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};

    #[test]
    fn a_hole_that_nobody_saw_a_record_in_is_accepted_and_so_is_a_set_position() {
        let mut story = Story::default();
        story.consumed(0, 0).consumed(2, 1).acknowledged(2, 5).position_reset(6).consumed(6, 3);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_record_that_was_left_out_is_rejected_however_late_it_is_told_of() {
        let mut story = Story::default();
        story.consumed(0, 0).at(2_500).consumed(3, 3).at(4_000).acknowledged(2, 2);
        let evidence = rejects(&story, &PROPERTY);
        let text = "c0 polled orders-0@3 right after offset 0 at 2.500s, without record 2 of p0 \
                    at 2";
        assert_eq!((evidence.to_string().as_str(), evidence.count()), (text, 1));
    }
}
