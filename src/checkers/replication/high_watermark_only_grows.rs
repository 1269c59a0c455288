//! A leader's high watermark never falls.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "high-watermark-only-grows",
    statement: "while a broker leads, the high watermark that it knows does not fall",
    source: "Partition.maybeIncrementLeaderHW; kafka-specification: what is committed stays so",
    leaves_out: "followers, which take their leader's, and new leaders, whose own may be older \
                 than the last leader's",
    class: Class::Safety,
};

/// The first high watermark that fell.
#[derive(Clone, Debug, Default)]
pub struct HighWatermarkOnlyGrows {
    first: FirstCase,
}

impl Checker for HighWatermarkOnlyGrows {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::HighWatermark { at, offset } = told else { return };
        let Some((_, replica, before)) = model.replicas.replica() else { return };
        if !before.led || *offset >= before.high_watermark {
            return;
        }
        self.first.found(|| {
            let (leader, from) = (model.terms.name(node), before.high_watermark);
            let epoch = replica.leader_epoch;
            let what = format!(
                "{leader}, which leads {at} in epoch {epoch}, went back from high watermark \
                 {from} to {offset} at {time:.3}"
            );
            let case = Case::new(at, time, what).from_offset(*offset).about(&model.terms, [node]);
            case.after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
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
                "b1, which leads orders-0 in epoch 0, went back from high watermark 2 to 1 at \
                 0.600s"
            )
        );
    }
}
