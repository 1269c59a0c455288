//! A leader's high watermark never decreases.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "high-watermark-never-decreases",
    statement: "while a broker leads, its high watermark does not decrease",
    source: "Partition.maybeIncrementLeaderHW; kafka-specification: what is committed stays so",
    leaves_out: "followers, which take their leader's, and new leaders, whose own may be behind \
                 the previous leader's",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at high watermarks of leaders.
#[derive(Debug)]
pub struct HighWatermarkNeverDecreases;

impl Rule for HighWatermarkNeverDecreases {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::HighWatermark { at, offset } = did else { return };
        let Some((_, replica, before)) = event.model.replicas.replica() else { return };
        let from = before.high_watermark;
        if !before.led || *offset >= from {
            return;
        }
        found.forbidden(|| {
            let (leader, epoch, time) = (event.name(), replica.leader_epoch, event.time);
            let case = event.case(format!(
                "{leader}, leader of {at} in epoch {epoch}, moved its high watermark back from \
                 {from} to {offset} at {time:.3}"
            ));
            case.in_partition(at).from_offset(*offset)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn a_follower_may_go_back_and_a_leader_may_not() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(1, 1, 0).appended(2, 0, 0).appended(2, 1, 0);
        story.high_watermark(2, 2).high_watermark(2, 1).high_watermark(1, 2);
        assert_eq!(story.violation(&PROPERTY), None);
        story.at(600).high_watermark(1, 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some(
                "b1, leader of orders-0 in epoch 0, moved its high watermark back from 2 to 1 at \
                 0.600s"
            )
        );
    }
}
