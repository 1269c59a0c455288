//! Leader epochs grow with every leader, and nobody acts on an older one than he knows.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "epochs-only-grow",
    statement: "a partition's leader epoch grows whenever its leader changes and never falls, no \
                broker goes back to an older one, and a leader appends in its own",
    source: "KIP-101; Partition.makeLeader and makeFollower: stale requests are ignored; the \
             state's dataVersion in ZooKeeper",
    leaves_out: "a process that began anew, which knows no epoch; states whose storing no server \
                 of ZooKeeper told of, as it ended in the meantime",
    class: Class::Safety,
};

/// The first epoch that did not grow.
#[derive(Clone, Debug, Default)]
pub struct EpochsOnlyGrow {
    first: FirstCase,
}

impl EpochsOnlyGrow {
    fn found(&mut self, model: &Model, time: Time, node: Option<NodeId>, wrong: String) {
        let Some(partition) = model.replicas.current() else { return };
        self.first.found(|| {
            let what = format!("{wrong}, of {} at {time:.3}", partition.at);
            let case = Case::new(&partition.at, time, what).about(&model.terms, node);
            case.after_faults(&model.faults)
        });
    }
}

impl Checker for EpochsOnlyGrow {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let (epoch, is_append) = match told {
            BrokerObservation::BecameLeader { leader_epoch, .. }
            | BrokerObservation::BecameFollower { leader_epoch, .. } => (*leader_epoch, false),
            BrokerObservation::Appended { leader_epoch, .. } => (*leader_epoch, true),
            _ => return,
        };
        let Some((_, replica, before)) = model.replicas.replica() else { return };
        let name = || model.terms.name(node);
        if is_append {
            let own = replica.leader_epoch;
            if replica.lead().is_some() && epoch != own {
                let wrong = format!("{} leads epoch {own} and appended in epoch {epoch}", name());
                self.found(model, time, Some(node), wrong);
            }
        } else if epoch < before.leader_epoch {
            let wrong = format!("{} went from epoch {} to {epoch}", name(), before.leader_epoch);
            self.found(model, time, Some(node), wrong);
        }
    }

    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, _: &ZooKeeperObservation) {
        let Some(partition) = model.replicas.current() else { return };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        if new.leader_epoch < old.leader_epoch {
            let wrong = format!("epoch {} follows epoch {}", new.leader_epoch, old.leader_epoch);
            self.found(model, time, None, wrong);
        } else if new.leader_epoch == old.leader_epoch && new.leader != old.leader {
            let name = |leader: Option<_>| {
                leader.map_or_else(|| "nobody".into(), |leader| model.terms.broker(leader))
            };
            let (from, to, epoch) = (name(old.leader), name(new.leader), new.leader_epoch);
            let wrong = format!("the leader changed from {from} to {to} within epoch {epoch}");
            self.found(model, time, None, wrong);
        }
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Life;

    #[test]
    fn epochs_that_grow_and_processes_that_begin_anew_are_accepted() {
        let mut story = Story::replicated();
        story.stored(None, 1, &[1], 1).stored(Some(2), 2, &[2], 1).became_leader(2, 2, 0);
        story.appended(2, 0, 2).life(2, Life::Started).became_leader(2, 1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn an_epoch_that_stays_or_falls_is_rejected() {
        let mut story = Story::replicated();
        story.at(1_000).stored(Some(2), 0, &[2], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("the leader changed from b1 to b2 within epoch 0, of orders-0 at 1.000s")
        );
        let mut story = Story::replicated();
        story.became_leader(2, 4, 0).became_leader(2, 3, 0);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b2 went from epoch 4 to 3, of orders-0 at 0.000s")
        );
        let mut story = Story::replicated();
        story.appended(1, 0, 7);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b1 leads epoch 0 and appended in epoch 7, of orders-0 at 0.000s")
        );
    }
}
