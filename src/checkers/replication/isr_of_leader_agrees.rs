//! What a leader takes for committed is on every replica that it takes for in sync.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::model::log_tree::Point;
use crate::model::replicas::{Partition, Replica};
use crate::vocab::{BrokerId, NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "isr-of-leader-agrees",
    statement: "below the high watermark of a broker that believes to lead, every replica that it \
                believes to be in sync has the same records",
    source: "kafka-specification: WeakIsr",
    leaves_out: "replicas whose disk lost records that they had, until they have them again; \
                 leaders from before an unclean election or a loss; before 2.1 (KIP-320) it is \
                 counted but permitted; records longer ago than the last thousands of committed \
                 batches",
    class: Class::Safety,
};

/// The disagreements with a leader.
#[derive(Clone, Debug, Default)]
pub struct IsrOfLeaderAgrees {
    cases: Cases,
}

/// Tells that a replica in sync lacks what `leader` takes for committed.
pub(super) fn disagreement(
    model: &Model,
    time: Time,
    partition: &Partition,
    (leader, replica, same): (&Replica, &Replica, i64),
    in_whose: &str,
) -> Case {
    let terms = &model.terms;
    let (leads, lacks) = (terms.name(leader.node), terms.name(replica.node));
    let (at, high_watermark) = (&partition.at, leader.high_watermark);
    let what = format!(
        "{lacks}, in sync {in_whose}, lacks {at}@{same}, which {leads} has below its high \
         watermark {high_watermark} at {time:.3}"
    );
    let end = replica.log.map_or(0, |log| log.end);
    let because = [
        format!("{leads} leads epoch {}", leader.leader_epoch),
        format!("{lacks} goes by epoch {}, its log ends at {end}", replica.leader_epoch),
    ];
    let case = Case::new(at, time, what).from_offset(same).because(because);
    case.about(terms, [leader.node, replica.node]).after_faults(&model.faults)
}

/// A leader that may be compared with, and its log below its high watermark.
pub(super) fn comparable<'a>(
    partition: &'a Partition,
    replica: &'a Replica,
) -> Option<(&'a Replica, &'a [BrokerId], Point)> {
    let lead = replica.lead()?;
    let log = replica.log.filter(|log| !partition.logs.is_folded(*log))?;
    let reached = replica.below_high_watermark;
    let known = reached.end <= log.end && replica.leader_epoch >= partition.forgiven;
    known.then_some((replica, &lead.isr, reached))
}

impl IsrOfLeaderAgrees {
    fn compare(&mut self, model: &Model, time: Time, partition: &Partition, replica: &Replica) {
        let Some((leader, isr, log)) = comparable(partition, replica) else { return };
        if let Some((lacking, same)) = partition.lacking(isr, log) {
            self.cases.found(model.terms.disagreement(), || {
                let whose = format!("for {}", model.terms.name(leader.node));
                disagreement(model, time, partition, (leader, lacking, same), &whose)
            });
        }
    }
}

impl Checker for IsrOfLeaderAgrees {
    fn broker(&mut self, model: &Model, time: Time, _: NodeId, told: &BrokerObservation) {
        match told {
            BrokerObservation::HighWatermark { .. } | BrokerObservation::IsrKnown { .. } => {
                let Some((partition, replica, _)) = model.replicas.replica() else { return };
                self.compare(model, time, partition, replica);
            }
            BrokerObservation::Truncated { .. } => {
                let Some(partition) = model.replicas.current() else { return };
                for replica in &partition.replicas {
                    self.compare(model, time, partition, replica);
                }
            }
            _ => {}
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::Story;
    use crate::model::Permission;
    use crate::releases::KafkaVersion;

    #[test]
    fn followers_that_have_what_is_committed_are_accepted() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).appended(1, 1, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_follower_in_sync_without_a_committed_record_is_rejected() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).at(700).high_watermark(1, 1);
        let evidence = story.violation(&PROPERTY).expect("b2 has nothing");
        assert_eq!(
            evidence,
            "b2, in sync for b1, lacks orders-0@0, which b1 has below its high watermark 1 at \
             0.700s"
        );
        story.terms.kafka = KafkaVersion::new(2, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }

    #[test]
    fn a_follower_that_cuts_what_is_committed_is_rejected_and_one_whose_disk_lost_it_is_not() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1);
        let mut torn = story.clone();
        story.truncated(2, 1, 0);
        assert!(story.violation(&PROPERTY).is_some());
        torn.loaded(2, 0).high_watermark(1, 1).appended(1, 1, 0).isr_known(1, &[1, 2], 1);
        assert_eq!(torn.violation(&PROPERTY), None);
    }
}
