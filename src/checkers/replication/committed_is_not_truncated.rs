//! No replica cuts off its log what was ever committed.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-is-not-truncated",
    statement: "a replica that has every record that was ever committed does not cut one of them \
                off its log",
    source: "KIP-101, KIP-279, KIP-320: truncation goes no further than where the logs part",
    leaves_out: "replicas that lacked some of it already; what is gone with the log of an unclean \
                 or torn leader, see committed-is-durable; before 2.1 (KIP-320) it is counted but \
                 permitted; records longer ago than the last thousands of committed batches",
    class: Class::Safety,
};

/// The cuts that went too far.
#[derive(Clone, Debug, Default)]
pub struct CommittedIsNotTruncated {
    cases: Cases,
}

impl Checker for CommittedIsNotTruncated {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::Truncated { at, from, to } = told else { return };
        let Some((partition, replica, before)) = model.replicas.replica() else { return };
        let committed = partition.committed;
        let had = before.log.is_some_and(|log| {
            !partition.logs.is_folded(log) && partition.logs.holds(log, committed)
        });
        if !had || *to >= committed.end {
            return;
        }
        self.cases.found(model.terms.disagreement(), || {
            let (terms, end) = (&model.terms, committed.end);
            let (name, last) = (terms.name(node), end - 1);
            let what = format!(
                "{name} cut {at}@{to} to {last} off its log at {time:.3}, which was committed"
            );
            let because = format!(
                "{name} goes by epoch {}, its log ended at {from} and its high watermark was {}",
                replica.leader_epoch, before.high_watermark
            );
            let case = Case::new(at, time, what).from_offset(*to).about(terms, [node]);
            case.because([because]).after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::model::Permission;
    use crate::releases::KafkaVersion;

    fn story() -> Story {
        let mut story = Story::replicated();
        for offset in 0..3 {
            story.appended(1, offset, 0).appended(2, offset, 0);
        }
        story.high_watermark(1, 2);
        story
    }

    #[test]
    fn a_cut_of_what_was_not_committed_is_accepted() {
        let mut story = story();
        story.truncated(2, 3, 2);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_cut_of_what_was_committed_is_rejected_and_permitted_to_old_releases() {
        let mut story = story();
        story.at(12_011).truncated(2, 3, 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b2 cut orders-0@1 to 1 off its log at 12.011s, which was committed")
        );
        story.terms.kafka = KafkaVersion::new(0, 10);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
