//! Nothing that was ever committed is missing from the log of a leader that was elected cleanly.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::BrokerObservation;
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-is-durable",
    statement: "whoever is elected from the in-sync replicas has every record that was ever below \
                the high watermark of the leader that ZooKeeper named",
    source: "Kafka documentation, 4.7 Replication: a new leader has all committed messages; \
             KIP-101, KIP-966",
    leaves_out: "what an unclean election loses, which is counted but permitted; records longer \
                 ago than the last thousands of committed batches; what is gone by retention",
    class: Class::Safety,
};

/// The leaders that lack something.
#[derive(Clone, Debug, Default)]
pub struct CommittedIsDurable {
    cases: Cases,
}

impl Checker for CommittedIsDurable {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::BecameLeader { at, leader_epoch, start, .. } = told else { return };
        let Some(lost) = model.replicas.lost() else { return };
        let terms = &model.terms;
        let permission = if lost.unclean { Permission::Permitted } else { terms.acknowledged_loss };
        self.cases.found(permission, || {
            let leader = terms.name(node);
            let (from, last) = (lost.from, lost.to - 1);
            let what = format!(
                "{at}@{from} to {last} was committed, and {leader}, which leads epoch \
                 {leader_epoch} from {time:.3}, has it not"
            );
            let elected = if lost.unclean { "uncleanly " } else { "" };
            let mut because =
                vec![format!("{leader} was {elected}elected with a log that ends at {start}")];
            if let Some(lost_at) = lost.lost_at {
                because.insert(0, format!("the disk of {leader} had lost records at {lost_at:.3}"));
            }
            let case = Case::new(at, time, what).from_offset(from).about(terms, [node]);
            case.because(because).after_faults(&model.faults)
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

    /// b1 has led, and one of two records is committed.
    fn committed() -> Story {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).appended(1, 1, 0);
        story
    }

    #[test]
    fn a_leader_without_what_was_not_committed_is_accepted() {
        let mut story = committed();
        story.stored(Some(2), 1, &[2], 1).became_leader(2, 1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_leader_without_a_committed_record_is_rejected_once() {
        let mut story = committed();
        story.at(4_000).stored(Some(3), 1, &[3, 2], 1);
        story.at(5_000).became_leader(3, 1, 0);
        // b3 was not in sync: counted only.
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
        let mut story = committed();
        story.stored(Some(1), 0, &[1, 2, 3], 1).at(5_000).stored(Some(3), 1, &[3, 2], 1);
        story.became_leader(3, 1, 0).truncated(2, 1, 0).became_leader(3, 1, 0);
        let evidence = story.violation(&PROPERTY).expect("it had one record");
        assert_eq!(
            evidence,
            "orders-0@0 to 0 was committed, and b3, which leads epoch 1 from 5.000s, has it not"
        );
    }

    #[test]
    fn what_a_disk_lost_is_told_with_the_time() {
        let mut story = committed();
        story.stored(Some(1), 0, &[1], 1).at(2_000).loaded(1, 0);
        story.stored(Some(1), 1, &[1], 1).became_leader(1, 1, 0);
        let judgement = story.judgement();
        let crate::checkers::Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("the only copy in sync is gone");
        };
        assert_eq!(evidence.because()[0], "the disk of b1 had lost records at 2.000s");
        assert_eq!(judgement.judged(&PROPERTY).permission, Permission::Forbidden);
    }
}
