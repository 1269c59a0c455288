//! A replica joins the in-sync replicas only when it has what is committed.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Permission;
use crate::model::replicas::{PartitionReplicas, Replica};
use crate::vocab::BrokerId;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "replicas-join-isr-caught-up",
    statement: "a replica is proposed for the ISR, and written to it in ZooKeeper, only when its \
                log reaches its leader's high watermark and, since 2.1, the start offset of its \
                leader's epoch",
    source: "Partition.maybeExpandIsr; KAFKA-7128; KIP-903",
    leaves_out: "a replica whose disk lost records after it had caught up, which is counted but \
                 permitted: with ZooKeeper, broker epochs are not compared (KIP-903); ISRs written \
                 by elections; leaders of another epoch than the state's",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at proposed and written ISRs.
#[derive(Debug)]
pub struct ReplicasJoinIsrCaughtUp;

/// Looks at replicas that join the ISR of `leader`, or are proposed to.
fn join(
    event: &Event<'_>,
    (partition, leader): (&PartitionReplicas, &Replica),
    (joined, how): (impl Iterator<Item = BrokerId>, &str),
    found: &mut Cases,
) {
    let (Some(lead), terms) = (leader.lead(), &event.model.terms) else { return };
    for (replica, end, needed) in partition.not_caught_up(terms, leader, joined) {
        let lost = replica.lost_at.is_some();
        found.found(if lost { Permission::Permitted } else { Permission::Forbidden }, || {
            let (joins, leads) = (terms.name(replica.node), terms.name(leader.node));
            let (at, time) = (&partition.at, event.time);
            let what = format!(
                "{joins} {how} the ISR of {at} at {time:.3} with log end offset {end}, below \
                 {needed}"
            );
            let because = format!(
                "{leads} leads epoch {} from offset {} with high watermark {}",
                leader.leader_epoch, lead.start, leader.high_watermark
            );
            let case = event.case_about([replica.node, leader.node], what).because([because]);
            case.in_partition(at).from_offset(end)
        });
    }
}

impl Rule for ReplicasJoinIsrCaughtUp {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    /// A leader decides when it proposes; the replica may have caught up by the time the change is written.
    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::IsrKnown { committed, maximal, .. } = did else { return };
        let Some((partition, leader, _)) = event.model.replicas.replica() else { return };
        if maximal.len() > committed.len() && partition.is_legitimate(leader) {
            let proposed = maximal.iter().copied().filter(|id| !committed.contains(id));
            join(event, (partition, leader), (proposed, "was proposed for"), found);
        }
    }

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        let Some(partition) = event.model.replicas.current() else { return };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let Some(leader) = new.leader.and_then(|leader| partition.replica(leader)) else { return };
        let goes_on = new.version == old.version + 1 && new.leader_epoch == old.leader_epoch;
        if goes_on && leader.lead().is_some() && leader.leader_epoch == new.leader_epoch {
            let joined = new.isr.iter().copied().filter(|id| !old.isr.contains(id));
            join(event, (partition, leader), (joined, "joined"), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    /// b3 is out of sync, b1 has two committed records.
    fn behind() -> Story {
        let mut story = Story::replicated();
        for offset in 0..2 {
            story.appended(1, offset, 0).appended(2, offset, 0);
        }
        story.appended(3, 0, 0).high_watermark(1, 2);
        story
    }

    #[test]
    fn a_replica_that_has_what_is_committed_may_join() {
        let mut story = behind();
        story.appended(3, 1, 0).stored(Some(1), 0, &[1, 2, 3], 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_replica_that_catches_up_between_proposal_and_writing_is_rejected_all_the_same() {
        let proposed = |story: &mut Story| {
            let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
            let at = crate::vocab::TopicPartition::new("orders", 0);
            let (committed, maximal) = (ids(&[1, 2]), ids(&[1, 2, 3]));
            story.told_by(1, BrokerObservation::IsrKnown { at, committed, maximal, min: 2 });
        };
        let mut early = behind();
        proposed(early.at(700));
        early.appended(3, 1, 0).stored(Some(1), 0, &[1, 2, 3], 1);
        assert_eq!(
            early.violation(&PROPERTY).as_deref(),
            Some(
                "b3 was proposed for the ISR of orders-0 at 0.700s with log end offset 1, below 2"
            )
        );
        let mut late = behind();
        proposed(late.appended(3, 1, 0));
        assert_eq!(late.violation(&PROPERTY), None);
        let mut deposed = behind();
        proposed(deposed.stored(Some(2), 1, &[1, 2], 1));
        assert_eq!(deposed.violation(&PROPERTY), None, "another leads: it cannot be written");
    }

    #[test]
    fn a_replica_that_lacks_it_is_rejected() {
        let mut story = behind();
        story.at(800).stored(Some(1), 0, &[1, 2, 3], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b3 joined the ISR of orders-0 at 0.800s with log end offset 1, below 2")
        );
    }

    #[test]
    fn a_replica_whose_disk_lost_it_on_the_way_is_only_counted() {
        let mut story = behind();
        story.appended(3, 1, 0).loaded(3, 0).stored(Some(1), 0, &[1, 2, 3], 1);
        assert!(story.violation(&PROPERTY).is_some());
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
