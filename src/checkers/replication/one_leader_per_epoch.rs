//! A partition has at most one leader in each leader epoch.

use std::collections::{BTreeMap, VecDeque};

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::vocab::{LeaderEpoch, NodeId, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-leader-per-epoch",
    statement: "no two brokers take the lead of a partition in the same leader epoch",
    source: "KIP-101: the leader epoch is increased at every election; kafka-specification: \
             leader and epoch are written together",
    leaves_out: "leaders of different epochs at one time, which fencing has to handle; epochs \
                 longer ago than the last few hundred of a partition",
    class: Class::Safety,
};

/// Epochs that are remembered for each partition.
const EPOCHS_MAX: usize = 512;

/// Who led in which epoch.
#[derive(Clone, Debug, Default)]
pub struct OneLeaderPerEpoch {
    leaders: BTreeMap<TopicPartition, VecDeque<(LeaderEpoch, NodeId)>>,
    first: Option<Evidence>,
}

impl Checker for OneLeaderPerEpoch {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::BecameLeader { at, leader_epoch, .. } = told else { return };
        let (terms, leader_epoch) = (&model.terms, *leader_epoch);
        let leaders = self.leaders.entry(at.clone()).or_default();
        match leaders.iter().find(|(epoch, _)| *epoch == leader_epoch) {
            Some(&(_, leader)) if leader == node => {}
            Some(&(_, leader)) => {
                self.first.get_or_insert_with(|| Evidence::TwoLeaders {
                    at: at.clone(),
                    leader_epoch,
                    first: terms.name(leader),
                    second: terms.name(node),
                    time,
                });
            }
            None => {
                if leaders.len() == EPOCHS_MAX {
                    leaders.pop_front();
                }
                leaders.push_back((leader_epoch, node));
            }
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn leaders_of_different_epochs_are_accepted_and_two_of_one_are_rejected() {
        let mut story = Story::default();
        story.became_leader(1, 0, 0).became_leader(2, 1, 0).became_leader(2, 1, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.at(2_000).became_leader(1, 1, 0);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("b1 and b2 led in epoch 1");
        };
        assert_eq!(evidence.to_string(), "b1 led orders-0 in epoch 1 at 2.000s, as b2 had");
    }
}
