//! The leader that stands in ZooKeeper is among the in-sync replicas that stand with it.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::partition_state::State;
use crate::model::{Model, Permission};
use crate::releases::Change;
use crate::vocab::{BrokerId, NodeId, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "leader-in-isr",
    statement: "whoever leads a partition is one of the in-sync replicas written with it, of which \
                there are always some, and all of them assigned",
    source: "kafka-specification: LeaderInIsr, where nobody leading is right as well; \
             ReplicaStateMachine: the last member of the in-sync replicas stays (KAFKA-708)",
    leaves_out: "reassignments, which are not simulated; before 1.1 none in sync, where unclean \
                 elections are allowed, is counted but permitted",
    class: Class::Safety,
};

/// The states that broke it.
#[derive(Clone, Debug, Default)]
pub struct LeaderInIsr {
    cases: Cases,
}

/// What is wrong with a state, if anything.
fn wrong(
    model: &Model,
    (leader, isr): (Option<BrokerId>, &[BrokerId]),
    assignment: &[BrokerId],
) -> Option<String> {
    let in_sync = || model.terms.broker_names(isr).join(" ");
    if let Some(leader) = leader.filter(|leader| !isr.contains(leader)) {
        return Some(format!("is led by {}, in sync: {}", model.terms.broker(leader), in_sync()));
    }
    if isr.is_empty() {
        return Some("has no in-sync replica".into());
    }
    let outside = |broker: &&BrokerId| !assignment.is_empty() && !assignment.contains(broker);
    let stranger = isr.iter().find(outside)?;
    Some(format!("has {} in sync, which is no replica of it", model.terms.broker(*stranger)))
}

impl LeaderInIsr {
    fn state(&mut self, model: &Model, time: Time, at: &TopicPartition, state: &State) {
        let assignment = model.replicas.find(at).map_or(&[][..], |known| &known.assignment);
        let Some(wrong) = wrong(model, (state.leader, &state.isr), assignment) else { return };
        let may_be_empty =
            state.isr.is_empty() && !model.terms.kafka.has(Change::LastIsrMemberStays);
        let permission = if may_be_empty { Permission::Permitted } else { Permission::Forbidden };
        self.cases.found(permission, || {
            let what = format!("{at} {wrong}, in epoch {} at {time:.3}", state.leader_epoch);
            Case::new(at, time, what).after_faults(&model.faults)
        });
    }
}

impl Checker for LeaderInIsr {
    fn broker(&mut self, model: &Model, time: Time, _: NodeId, told: &BrokerObservation) {
        let (at, leader, leader_epoch, isr) = match told {
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                (at, Some(*leader), leader_epoch, isr)
            }
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, .. } => {
                (at, *leader, leader_epoch, isr)
            }
            _ => return,
        };
        let (leader_epoch, isr) = (*leader_epoch, isr.clone());
        let state = State { leader, leader_epoch, isr, time, version: -1, controller_epoch: -1 };
        self.state(model, time, at, &state);
    }

    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, _: &ZooKeeperObservation) {
        let Some(partition) = model.replicas.current() else { return };
        if let Some(state) = &partition.state {
            self.state(model, time, &partition.at, state);
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
    use crate::history::Election;
    use crate::releases::KafkaVersion;

    #[test]
    fn a_leader_within_is_accepted_and_one_outside_is_rejected() {
        let mut story = Story::default();
        story.elected(1, 0, &[2, 1], Election::Offline);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.at(500).elected(2, 1, &[1, 3], Election::Offline);
        let evidence = story.violation(&PROPERTY).expect("b2 is not in sync");
        assert_eq!(evidence, "orders-0 is led by b2, in sync: b1 b3, in epoch 1 at 0.500s");
    }

    #[test]
    fn a_state_without_a_leader_is_accepted_and_one_without_anybody_in_sync_is_rejected() {
        let mut story = Story::default();
        story.created(&[1, 2]).stored(Some(1), 0, &[1, 2], 1).stored(None, 1, &[1], 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.stored(None, 2, &[], 1);
        let evidence = story.violation(&PROPERTY).expect("nobody is in sync");
        assert_eq!(evidence, "orders-0 has no in-sync replica, in epoch 2 at 0.000s");
        story.terms.kafka = KafkaVersion::new(1, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }

    #[test]
    fn a_stranger_among_the_in_sync_replicas_is_rejected() {
        let mut story = Story::default();
        story.created(&[1, 2]).stored(Some(1), 0, &[1, 3], 1);
        let evidence = story.violation(&PROPERTY).expect("b3 is no replica");
        assert!(evidence.contains("b3 in sync, which is no replica"), "{evidence}");
    }
}
