//! Nobody joins the in-sync replicas before it has what is committed.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::replicas::{Partition, Replica};
use crate::model::{Model, Permission};
use crate::releases::Change;
use crate::vocab::{BrokerId, NodeId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "joins-isr-caught-up",
    statement: "a replica is proposed for the in-sync replicas, and stands in ZooKeeper as \
                one of them, only when its log reaches its leader's high watermark and, since \
                2.1, the start of its leader's epoch",
    source: "Partition.maybeExpandIsr; KAFKA-7128; KIP-903",
    leaves_out: "a replica whose disk lost records after it had caught up, which is counted but \
                 permitted: with ZooKeeper nobody compares broker epochs (KIP-903); what elections \
                 write; leaders of another epoch than the state's",
    class: Class::Safety,
};

/// The replicas that joined too early.
#[derive(Clone, Debug, Default)]
pub struct JoinsIsrCaughtUp {
    cases: Cases,
}

/// Who joined with the state that was just stored, and the leader that wanted it.
fn joined(partition: &Partition) -> Option<(&Replica, Vec<BrokerId>)> {
    let (old, new) = (partition.before_state.as_ref()?, partition.state.as_ref()?);
    let goes_on = new.version == old.version + 1 && new.leader_epoch == old.leader_epoch;
    let leader = partition.replica(new.leader.filter(|_| goes_on)?)?;
    let leads = leader.lead().is_some() && leader.leader_epoch == new.leader_epoch;
    let joined = new.isr.iter().copied().filter(|broker| !old.isr.contains(broker));
    leads.then(|| (leader, joined.collect()))
}

impl JoinsIsrCaughtUp {
    /// Judges those who join the in-sync replicas of `leader`, or are proposed to.
    fn judge_joined(
        &mut self,
        (model, time): (&Model, Time),
        (partition, leader): (&Partition, &Replica),
        (joined, how): (&[BrokerId], &str),
    ) {
        let Some(lead) = leader.lead() else { return };
        let needs_start = model.terms.kafka.has(Change::IsrJoinNeedsEpochStart);
        let start = if needs_start { lead.start } else { 0 };
        let needed: Offset = leader.high_watermark.max(start);
        for replica in joined.iter().filter_map(|&broker| partition.replica(broker)) {
            let Some(log) = replica.log.filter(|log| log.end < needed) else { continue };
            let permission = match replica.lost_at {
                Some(_) => Permission::Permitted,
                None => Permission::Forbidden,
            };
            self.cases.found(permission, || {
                let terms = &model.terms;
                let (joins, leads) = (terms.name(replica.node), terms.name(leader.node));
                let what = format!(
                    "{joins} {how} the in-sync replicas of {} at {time:.3} with a log that ends \
                     at {}, before {needed}",
                    partition.at, log.end
                );
                let because = format!(
                    "{leads} leads epoch {} from offset {}, with high watermark {}",
                    leader.leader_epoch, lead.start, leader.high_watermark
                );
                let case = Case::new(&partition.at, time, what).from_offset(log.end);
                let case = case.about(terms, [replica.node, leader.node]).because([because]);
                case.after_faults(&model.faults)
            });
        }
    }
}

impl Checker for JoinsIsrCaughtUp {
    /// A leader decides when it proposes; until the change is written, who came too early may have caught up.
    fn broker(&mut self, model: &Model, time: Time, _: NodeId, told: &BrokerObservation) {
        let BrokerObservation::IsrKnown { committed, maximal, .. } = told else { return };
        if maximal.len() <= committed.len() {
            return;
        }
        let Some((partition, leader, _)) = model.replicas.replica() else { return };
        if !partition.is_legitimate(leader) {
            return;
        }
        let proposed = maximal.iter().copied().filter(|id| !committed.contains(id));
        let proposed: Vec<_> = proposed.collect();
        let how = "was proposed for";
        self.judge_joined((model, time), (partition, leader), (&proposed, how));
    }

    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, _: &ZooKeeperObservation) {
        let Some(partition) = model.replicas.current() else { return };
        let Some((leader, joined)) = joined(partition) else { return };
        self.judge_joined((model, time), (partition, leader), (&joined, "joined"));
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
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
                "b3 was proposed for the in-sync replicas of orders-0 at 0.700s with a log that \
                 ends at 1, before 2"
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
            Some(
                "b3 joined the in-sync replicas of orders-0 at 0.800s with a log that ends at 1, \
                 before 2"
            )
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
