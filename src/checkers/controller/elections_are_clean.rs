//! Leaders are chosen from the in-sync replicas, unless the topic says otherwise.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::ZooKeeperObservation;
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "elections-are-clean",
    statement: "a new leader is one of the in-sync replicas that stood in ZooKeeper before, \
                unless unclean.leader.election.enable is set",
    source: "Kafka documentation, unclean.leader.election.enable; KAFKA-4623",
    leaves_out: "where it is set, an unclean election is counted but permitted; topics that are \
                 not of the scenario; a state whose predecessor no server of the ensemble told \
                 of, as it ended in the meantime",
    class: Class::Safety,
};

/// The unclean elections.
#[derive(Clone, Debug, Default)]
pub struct ElectionsAreClean {
    cases: Cases,
}

impl Checker for ElectionsAreClean {
    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, _: &ZooKeeperObservation) {
        let Some(partition) = model.replicas.current() else { return };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let Some(leader) = new.leader.filter(|leader| !old.isr.contains(leader)) else { return };
        if new.version != old.version + 1 || new.leader == old.leader {
            return;
        }
        let at = &partition.at;
        let Some(topic) = model.terms.topic(&at.topic) else { return };
        let permission = match topic.unclean_leader_election {
            true => Permission::Permitted,
            false => Permission::Forbidden,
        };
        self.cases.found(permission, || {
            let terms = &model.terms;
            let (leads, isr) = (terms.broker(leader), terms.broker_names(&old.isr).join(" "));
            let what = format!(
                "{leads} was elected leader of {at} in epoch {} at {time:.3}, when in sync: {isr}",
                new.leader_epoch
            );
            let stood = format!("{isr} stood in sync since {:.3}", old.time);
            let node = partition.replica(leader).map(|replica| replica.node);
            let case = Case::new(at, time, what).about(terms, node).because([stood]);
            case.after_faults(&model.faults)
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
            Some("b3 was elected leader of orders-0 in epoch 2 at 14.500s, when in sync: b2")
        );
        story.terms.topics[0].unclean_leader_election = true;
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
