//! Leaders are elected from the in-sync replicas, unless the topic allows unclean elections.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ZooKeeperObservation;
use crate::model::Permission;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "elections-are-clean",
    statement: "a new leader is one of the in-sync replicas that were in ZooKeeper before, unless \
                unclean.leader.election.enable is set",
    source: "Kafka documentation, unclean.leader.election.enable; KAFKA-4623",
    leaves_out: "where it is set, an unclean election is counted but permitted; topics that are \
                 not in the scenario; a state whose predecessor no ZooKeeper server reported \
                 before it stopped",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at new leaders in ZooKeeper.
#[derive(Debug)]
pub struct ElectionsAreClean;

impl Rule for ElectionsAreClean {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::ZooKeeper];

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        let (Some(partition), terms) = (event.model.replicas.current(), &event.model.terms) else {
            return;
        };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let Some(leader) = new.leader.filter(|leader| !old.isr.contains(leader)) else { return };
        let Some(topic) = terms.topic(&partition.at.topic) else { return };
        if new.version != old.version + 1 || new.leader == old.leader {
            return;
        }
        let permitted = topic.unclean_leader_election;
        found.found(if permitted { Permission::Permitted } else { Permission::Forbidden }, || {
            let (leads, isr) = (terms.broker(leader), terms.broker_names(&old.isr).join(" "));
            let (at, epoch, time) = (&partition.at, new.leader_epoch, event.time);
            let what = format!(
                "{leads} was elected leader of {at} in epoch {epoch} at {time:.3}, but the ISR was \
                 {isr}"
            );
            let node = partition.replica(leader).map(|replica| replica.node);
            let since = format!("the ISR was {isr} since {:.3}", old.time);
            event.case_about(node, what).in_partition(at).because([since])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn a_leader_from_the_in_sync_replicas_is_accepted() {
        let mut story = Story::replicated();
        story.stored(None, 1, &[2], 1).stored(Some(2), 2, &[2], 1);
        story.stored(Some(2), 2, &[2, 3], 1).stored(Some(3), 3, &[3], 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_leader_from_outside_is_rejected_unless_the_topic_permits_it() {
        let mut story = Story::replicated();
        story.at(14_500).stored(None, 1, &[2], 1).stored(Some(3), 2, &[3], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b3 was elected leader of orders-0 in epoch 2 at 14.500s, but the ISR was b2")
        );
        story.terms.topics[0].unclean_leader_election = true;
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
