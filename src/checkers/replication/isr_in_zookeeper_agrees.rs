//! What a leader takes for committed is on every replica that may be elected after it.

use crate::checkers::replication::isr_of_leader_agrees::{comparable, disagreement};
use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::replicas::{Partition, Replica};
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "isr-in-zookeeper-agrees",
    statement: "below the high watermark of a broker that believes to lead, every replica that \
                stands in ZooKeeper as in sync has the same records",
    source: "kafka-specification: StrongIsr; KIP-497: a high watermark over the maximal in-sync \
             replicas",
    leaves_out: "replicas whose disk lost records that they had, until they have them again; \
                 leaders from before an unclean election or a loss; before 2.1 (KIP-320), and \
                 before 2.7 (KIP-497) of a leader that was never told that a replica joined, it \
                 is counted but permitted; records longer ago than the last thousands of committed \
                 batches",
    class: Class::Safety,
};

/// The disagreements with a leader.
#[derive(Clone, Debug, Default)]
pub struct IsrInZooKeeperAgrees {
    cases: Cases,
}

impl IsrInZooKeeperAgrees {
    fn compare(&mut self, model: &Model, time: Time, partition: &Partition, replica: &Replica) {
        let Some((leader, _, log)) = comparable(partition, replica) else { return };
        let Some(state) = &partition.state else { return };
        if let Some((lacking, same)) = partition.lacking(&state.isr, log) {
            let missed = partition.missed_a_join(model.terms.kafka, replica.leader_epoch);
            let permission =
                if missed { Permission::Permitted } else { model.terms.disagreement() };
            self.cases.found(permission, || {
                let isr = model.terms.broker_names(&state.isr).join(" ");
                let stands = format!("{isr} stand in sync since {:.3}", state.time);
                let compared = (leader, lacking, same);
                let case: Case = disagreement(model, time, partition, compared, "as it stands");
                case.because([stands])
            });
        }
    }

    fn compare_all(&mut self, model: &Model, time: Time) {
        let Some(partition) = model.replicas.current() else { return };
        for replica in &partition.replicas {
            self.compare(model, time, partition, replica);
        }
    }
}

impl Checker for IsrInZooKeeperAgrees {
    fn broker(&mut self, model: &Model, time: Time, _: NodeId, told: &BrokerObservation) {
        match told {
            BrokerObservation::HighWatermark { .. } => {
                let Some((partition, replica, _)) = model.replicas.replica() else { return };
                self.compare(model, time, partition, replica);
            }
            BrokerObservation::Truncated { .. } => self.compare_all(model, time),
            _ => {}
        }
    }

    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, _: &ZooKeeperObservation) {
        self.compare_all(model, time);
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::checkers::{Status, Verdict};
    use crate::releases::KafkaVersion;

    #[test]
    fn replicas_that_may_be_elected_with_what_is_committed_are_accepted() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).stored(Some(1), 0, &[1], 1);
        story.isr_known(1, &[1], 1).appended(1, 1, 0).high_watermark(1, 2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_high_watermark_over_a_shrink_that_does_not_stand_is_rejected() {
        let mut story = Story::replicated();
        story.isr_known(1, &[1], 1).appended(1, 0, 0).at(900).high_watermark(1, 1);
        let evidence = story.violation(&PROPERTY).expect("b2 may be elected");
        assert_eq!(
            evidence,
            "b2, in sync as it stands, lacks orders-0@0, which b1 has below its high watermark 1 \
             at 0.900s"
        );
    }

    #[test]
    fn before_2_7_a_leader_that_was_never_told_of_a_join_may_go_on_without() {
        // fast_elections_2_4, seed 394.
        for (kafka, status) in [((2, 4), Status::Held), ((2, 7), Status::Violated)] {
            let mut story = Story::replicated();
            story.terms.kafka = KafkaVersion::new(kafka.0, kafka.1);
            story.stored(Some(1), 0, &[1], 1).isr_known(1, &[1], 1).isr_wanted(1, &[1], &[1, 2], 1);
            story.stored(Some(1), 0, &[1, 2], 1).isr_known(1, &[1], 1);
            story.appended(1, 0, 0).high_watermark(1, 1);
            assert!(story.violation(&PROPERTY).is_some(), "{kafka:?}");
            assert_eq!(story.judgement().judged(&PROPERTY).status(), status, "{kafka:?}");
        }
    }

    #[test]
    fn a_replica_that_joins_without_what_is_committed_is_rejected() {
        let mut story = Story::replicated();
        story.stored(Some(1), 0, &[1], 1).isr_known(1, &[1], 1);
        story.appended(1, 0, 0).high_watermark(1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.stored(Some(1), 0, &[1, 2], 1);
        assert!(story.violation(&PROPERTY).is_some());
    }
}
