//! A controller epoch has one controller, and who was replaced writes nothing more.

use std::collections::BTreeMap;

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::partition_state::CONTROLLER_EPOCH;
use crate::model::{Model, Permission};
use crate::releases::Change;
use crate::vocab::{ControllerEpoch, NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-controller-per-epoch",
    statement: "no two brokers are the controller of one controller epoch, and none elects leaders \
                when a later epoch stands in ZooKeeper",
    source: "KafkaController.elect; KAFKA-6082: every write of a controller is conditioned on the \
             version of /controller_epoch",
    leaves_out: "what a controller writes beside partition states; what leaders write themselves \
                 (before 2.7); before 2.1 (KAFKA-6082) a late write is counted but permitted",
    class: Class::Safety,
};

/// Controllers, and the cases against them.
#[derive(Clone, Debug, Default)]
pub struct OneControllerPerEpoch {
    controllers: BTreeMap<ControllerEpoch, NodeId>,
    /// The epoch that stands in ZooKeeper, and since when.
    stands: Option<(ControllerEpoch, Time)>,
    cases: Cases,
}

/// Controller epochs that are remembered.
const EPOCHS_MAX: usize = 512;

impl Checker for OneControllerPerEpoch {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let BrokerObservation::ControllerElected { epoch } = told else { return };
        if self.controllers.len() == EPOCHS_MAX {
            self.controllers.pop_first();
        }
        let first = *self.controllers.entry(*epoch).or_insert(node);
        if first == node {
            return;
        }
        self.cases.found(Permission::Forbidden, || {
            let (second, had) = (model.terms.name(node), model.terms.name(first));
            let what =
                format!("{second} became controller of epoch {epoch} at {time:.3}, as {had} had");
            let case = Case::of(time, what);
            case.about(&model.terms, [first, node]).after_faults(&model.faults)
        });
    }

    fn zookeeper(&mut self, model: &Model, time: Time, _: NodeId, told: &ZooKeeperObservation) {
        if let ZooKeeperObservation::Stored { path, data, .. } = told
            && &**path == CONTROLLER_EPOCH
            && let Ok(epoch) = data.parse()
            && self.stands.is_none_or(|(stands, _)| stands < epoch)
        {
            self.stands = Some((epoch, time));
        }
        let Some(partition) = model.replicas.current() else { return };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let Some((stands, since)) = self.stands else { return };
        if new.leader_epoch == old.leader_epoch || new.controller_epoch >= stands {
            return;
        }
        let permission = match model.terms.kafka.has(Change::ControllerFencedByEpoch) {
            true => Permission::Forbidden,
            false => Permission::Permitted,
        };
        self.cases.found(permission, || {
            let (at, epoch) = (&partition.at, new.controller_epoch);
            let what = format!(
                "the controller of epoch {epoch} wrote leader epoch {} of {at} at {time:.3}, when \
                 epoch {stands} stood since {since:.3}",
                new.leader_epoch
            );
            let writer = self.controllers.get(&epoch).copied();
            Case::new(at, time, what).about(&model.terms, writer).after_faults(&model.faults)
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
    use crate::releases::KafkaVersion;

    #[test]
    fn a_controller_after_another_is_accepted() {
        let mut story = Story::replicated();
        story.controller_epoch(1).controller(1, 1).stored(None, 1, &[1], 1);
        story.controller_epoch(2).controller(2, 2).stored(Some(1), 2, &[1], 2);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn two_controllers_of_an_epoch_are_rejected() {
        let mut story = Story::replicated();
        story.controller(1, 3).at(100).controller(2, 3);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b2 became controller of epoch 3 at 0.100s, as b1 had")
        );
    }

    #[test]
    fn a_write_of_a_controller_that_was_replaced_is_rejected_and_permitted_to_old_releases() {
        let mut story = Story::replicated();
        story.at(1_000).controller_epoch(2).at(2_000).stored(None, 1, &[1], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some(
                "the controller of epoch 1 wrote leader epoch 1 of orders-0 at 2.000s, when epoch \
                 2 stood since 1.000s"
            )
        );
        story.terms.kafka = KafkaVersion::new(2, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
        let mut leader = Story::replicated();
        leader.controller_epoch(2).stored(Some(1), 0, &[1], 1);
        assert_eq!(leader.violation(&PROPERTY), None, "a leader writes with the epoch it was told");
    }
}
