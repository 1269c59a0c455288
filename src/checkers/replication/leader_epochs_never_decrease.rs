//! Leader epochs increase with every leader, and no broker acts in an epoch older than the one that it knows.

use crate::checkers::{Case, Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "leader-epochs-never-decrease",
    statement: "a partition's leader epoch increases whenever its leader changes and never \
                decreases, no broker goes back to an older one, and a leader appends in its own",
    source: "KIP-101; Partition.makeLeader and makeFollower: stale requests are ignored; the \
             state's dataVersion in ZooKeeper",
    leaves_out: "restarted processes, which know no epoch; states that no ZooKeeper server \
                 reported before it stopped",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at epochs of brokers and in ZooKeeper.
#[derive(Debug)]
pub struct LeaderEpochsNeverDecrease;

impl Rule for LeaderEpochsNeverDecrease {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let Some((partition, replica, before)) = event.model.replicas.replica() else { return };
        let (at, time) = (&partition.at, event.time);
        let (own, old) = (replica.leader_epoch, before.leader_epoch);
        let case = |what: String| event.case(what).in_partition(at);
        match did {
            BrokerObservation::BecameLeader { leader_epoch: epoch, .. }
            | BrokerObservation::BecameFollower { leader_epoch: epoch, .. }
                if *epoch < old =>
            {
                let name = event.name();
                let what = format!("{name} went from epoch {old} to {epoch} on {at} at {time:.3}");
                found.forbidden(|| case(what));
            }
            BrokerObservation::Appended { leader_epoch: epoch, .. }
                if replica.lead().is_some() && *epoch != own =>
            {
                let name = event.name();
                let what = format!(
                    "{name}, leader of epoch {own}, appended in epoch {epoch} to {at} at {time:.3}"
                );
                found.forbidden(|| case(what));
            }
            _ => {}
        }
    }

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        let Some(partition) = event.model.replicas.current() else { return };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let (at, time, from, to) = (&partition.at, event.time, old.leader_epoch, new.leader_epoch);
        let case = |what: String| -> Case { event.case_about([], what).in_partition(at) };
        if to < from {
            let what = format!("the leader epoch of {at} went from {from} to {to} at {time:.3}");
            found.forbidden(|| case(what));
        } else if to == from && new.leader != old.leader {
            let name = |leader: Option<_>| {
                leader.map_or_else(|| "none".into(), |leader| event.model.terms.broker(leader))
            };
            let (from, leader) = (name(old.leader), name(new.leader));
            let what = format!(
                "the leader of {at} changed from {from} to {leader} within epoch {to} at {time:.3}"
            );
            found.forbidden(|| case(what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Life;

    #[test]
    fn epochs_that_increase_and_restarted_processes_are_accepted() {
        let mut story = Story::replicated();
        story.stored(None, 1, &[1], 1).stored(Some(2), 2, &[2], 1).became_leader(2, 2, 0);
        story.appended(2, 0, 2).life(2, Life::Started).became_leader(2, 1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn an_epoch_that_stays_or_decreases_is_rejected() {
        let mut story = Story::replicated();
        story.at(1_000).stored(Some(2), 0, &[2], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("the leader of orders-0 changed from b1 to b2 within epoch 0 at 1.000s")
        );
        let mut story = Story::replicated();
        story.became_leader(2, 4, 0).became_leader(2, 3, 0);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b2 went from epoch 4 to 3 on orders-0 at 0.000s")
        );
        let mut story = Story::replicated();
        story.appended(1, 0, 7);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b1, leader of epoch 0, appended in epoch 7 to orders-0 at 0.000s")
        );
    }
}
