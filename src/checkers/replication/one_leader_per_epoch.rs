//! A partition has at most one leader in each leader epoch.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-leader-per-epoch",
    statement: "no two brokers become leader of a partition in the same leader epoch",
    source: "KIP-101: the leader epoch is increased at every election; kafka-specification: \
             leader and epoch are written together",
    leaves_out: "leaders of different epochs at one time, which are fenced; epochs before the \
                 last few hundred of a partition; topics that were deleted and created again",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at new leaders.
#[derive(Debug)]
pub struct OneLeaderPerEpoch;

impl Rule for OneLeaderPerEpoch {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::BecameLeader { at, leader_epoch, .. } = did else { return };
        let Some(first) = event.model.epoch_holders.earlier() else { return };
        // A topic that is created again begins with epoch 0.
        let is_new = event.model.replicas.find(at).is_some_and(|partition| partition.deleted);
        if first.node == event.node || is_new {
            return;
        }
        found.forbidden(|| {
            let (second, time) = (event.name(), event.time);
            let had = event.model.terms.name(first.node);
            let what = format!(
                "{second} became leader of {at} in epoch {leader_epoch} at {time:.3}; {had} \
                 already was leader of that epoch"
            );
            event.case_about([first.node, event.node], what).in_partition(at)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::Story;

    #[test]
    fn a_topic_that_is_created_again_begins_with_epoch_0_again() {
        let story = |again: bool| {
            let mut story = Story::default();
            story.stored(Some(1), 0, &[1, 2], 1).became_leader(1, 0, 0);
            if again {
                story.topic_deleted();
            }
            story.stored(Some(2), 0, &[2, 1], 1).became_leader(2, 0, 0);
            story.violation(&PROPERTY).is_some()
        };
        assert!(story(false) && !story(true));
    }

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
        assert_eq!(
            evidence.to_string(),
            "b1 became leader of orders-0 in epoch 1 at 2.000s; b2 already was leader of that epoch"
        );
    }
}
