//! The leader in ZooKeeper is one of the in-sync replicas written with it.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Permission;
use crate::releases::Change;
use crate::vocab::{BrokerId, LeaderEpoch, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "leader-in-isr",
    statement: "a partition's leader is one of the in-sync replicas written with it; the ISR is \
                never empty and has only assigned replicas",
    source: "kafka-specification: LeaderInIsr, where having no leader is also allowed; \
             ReplicaStateMachine: the last member of the ISR stays (KAFKA-708)",
    leaves_out: "reassignments, which are not simulated; before 1.1 an empty ISR, where unclean \
                 elections are allowed, is counted but permitted",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at the states that controllers choose and find, and at those in ZooKeeper.
#[derive(Debug)]
pub struct LeaderInIsr;

fn state(
    event: &Event<'_>,
    (at, leader_epoch): (&TopicPartition, LeaderEpoch),
    (leader, isr): (Option<BrokerId>, &[BrokerId]),
    found: &mut Cases,
) {
    let terms = &event.model.terms;
    let assigned = event.model.replicas.find(at).map_or(&[][..], |known| &known.assignment);
    let is_stranger = |id: &&BrokerId| !assigned.is_empty() && !assigned.contains(id);
    let wrong = if let Some(leader) = leader.filter(|leader| !isr.contains(leader)) {
        let isr = terms.broker_names(isr).join(" ");
        format!("has leader {} outside its ISR {isr}", terms.broker(leader))
    } else if isr.is_empty() {
        "has an empty ISR".to_owned()
    } else if let Some(stranger) = isr.iter().find(is_stranger) {
        format!("has {} in its ISR, which is not assigned", terms.broker(*stranger))
    } else {
        return;
    };
    let may_be_empty = isr.is_empty() && !terms.kafka.has(Change::LastIsrMemberStays);
    let permission = if may_be_empty { Permission::Permitted } else { Permission::Forbidden };
    found.found(permission, || {
        let what = format!("{at} {wrong}, in epoch {leader_epoch} at {:.3}", event.time);
        event.case_about([], what).in_partition(at)
    });
}

impl Rule for LeaderInIsr {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        match did {
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                state(event, (at, *leader_epoch), (Some(*leader), isr), found);
            }
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, .. } => {
                state(event, (at, *leader_epoch), (*leader, isr), found);
            }
            _ => {}
        }
    }

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        let Some(partition) = event.model.replicas.current() else { return };
        let Some(new) = &partition.state else { return };
        state(event, (&partition.at, new.leader_epoch), (new.leader, &new.isr), found);
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
        assert_eq!(evidence, "orders-0 has leader b2 outside its ISR b1 b3, in epoch 1 at 0.500s");
    }

    #[test]
    fn a_state_without_a_leader_is_accepted_and_one_with_an_empty_isr_is_rejected() {
        let mut story = Story::default();
        story.created(&[1, 2]).stored(Some(1), 0, &[1, 2], 1).stored(None, 1, &[1], 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.stored(None, 2, &[], 1);
        let evidence = story.violation(&PROPERTY).expect("its ISR is empty");
        assert_eq!(evidence, "orders-0 has an empty ISR, in epoch 2 at 0.000s");
        story.terms.kafka = KafkaVersion::new(1, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }

    #[test]
    fn a_stranger_among_the_in_sync_replicas_is_rejected() {
        let mut story = Story::default();
        story.created(&[1, 2]).stored(Some(1), 0, &[1, 3], 1);
        let evidence = story.violation(&PROPERTY).expect("b3 is no replica");
        assert!(evidence.contains("b3 in its ISR, which is not assigned"), "{evidence}");
    }
}
