//! The leader that is written to the coordinator is among the in-sync replicas written with it.

use super::{Books, Checker, Class, Evidence, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "leader-in-isr",
    statement: "whoever is made leader of a partition is one of the in-sync replicas written with \
                it",
    source: "kafka-specification: LeaderInIsr",
    leaves_out: "what happens to the in-sync replicas between elections",
    class: Class::Safety,
};

/// The first election that broke it.
#[derive(Clone, Debug, Default)]
pub struct LeaderInIsr {
    first: Option<Evidence>,
}

impl Checker for LeaderInIsr {
    fn broker(&mut self, books: &Books, time: Time, _: NodeId, told: &BrokerObservation) {
        let BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } = told else {
            return;
        };
        let (terms, leader, leader_epoch) = (&books.terms, *leader, *leader_epoch);
        if isr.contains(&leader) {
            return;
        }
        self.first.get_or_insert_with(|| Evidence::LeaderOutsideIsr {
            at: at.clone(),
            leader: terms.broker(leader),
            leader_epoch,
            isr: terms.broker_names(isr),
            time,
        });
    }

    fn judge(&self, _: &Books, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Election;

    #[test]
    fn a_leader_within_is_accepted_and_one_outside_is_rejected() {
        let mut story = Story::default();
        story.elected(1, 0, &[2, 1], Election::Offline);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.at(500).elected(2, 1, &[1, 3], Election::Offline);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("b2 is not in sync");
        };
        assert_eq!(
            evidence.to_string(),
            "b2 was made leader of orders-0 in epoch 1 at 0.500s, in sync: b1 b3"
        );
    }
}
