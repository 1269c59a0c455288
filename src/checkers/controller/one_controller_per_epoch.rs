//! A controller epoch has one controller, and a controller that was replaced writes nothing more.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Permission;
use crate::releases::Change;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-controller-per-epoch",
    statement: "no two brokers are controller in one controller epoch, and no controller elects \
                leaders when a later epoch is in ZooKeeper",
    source: "KafkaController.elect; KAFKA-6082: every write of a controller is conditioned on the \
             version of /controller_epoch",
    leaves_out: "what a controller writes besides partition states; what leaders write themselves \
                 (before 2.7); before 2.1 (KAFKA-6082) a late write is counted but permitted",
    looks_at: Subject::Controllers,
    class: Class::Safety,
};

/// Looks at new controllers, and at partition states in ZooKeeper.
#[derive(Debug)]
pub struct OneControllerPerEpoch;

impl Rule for OneControllerPerEpoch {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::ControllerElected { epoch } = did else { return };
        let Some(first) = event.model.epoch_holders.earlier() else { return };
        if first.node == event.node {
            return;
        }
        found.forbidden(|| {
            let (second, time) = (event.name(), event.time);
            let had = event.model.terms.name(first.node);
            let what = format!(
                "{second} became controller of epoch {epoch} at {time:.3}; {had} already was \
                 controller of that epoch"
            );
            event.case_about([first.node, event.node], what)
        });
    }

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        let (Some(partition), model) = (event.model.replicas.current(), event.model) else {
            return;
        };
        let (Some(old), Some(new)) = (&partition.before_state, &partition.state) else { return };
        let Some((newest, since)) = model.epoch_holders.controller_epoch() else { return };
        if new.leader_epoch == old.leader_epoch || new.controller_epoch >= newest {
            return;
        }
        let fenced = model.terms.kafka.has(Change::ControllerFencedByEpoch);
        found.found(if fenced { Permission::Forbidden } else { Permission::Permitted }, || {
            let (at, epoch, leader_epoch) = (&partition.at, new.controller_epoch, new.leader_epoch);
            let what = format!(
                "the controller of epoch {epoch} wrote leader epoch {leader_epoch} of {at} at \
                 {:.3}, but controller epoch {newest} was in ZooKeeper since {since:.3}",
                event.time
            );
            let writer = model.epoch_holders.controller(epoch).map(|writer| writer.node);
            event.case_about(writer, what).in_partition(at)
        });
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
            Some(
                "b2 became controller of epoch 3 at 0.100s; b1 already was controller of that epoch"
            )
        );
    }

    #[test]
    fn a_write_of_a_controller_that_was_replaced_is_rejected_and_permitted_to_old_releases() {
        let mut story = Story::replicated();
        story.at(1_000).controller_epoch(2).at(2_000).stored(None, 1, &[1], 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some(
                "the controller of epoch 1 wrote leader epoch 1 of orders-0 at 2.000s, but \
                 controller epoch 2 was in ZooKeeper since 1.000s"
            )
        );
        story.terms.kafka = KafkaVersion::new(2, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
        let mut leader = Story::replicated();
        leader.controller_epoch(2).stored(Some(1), 0, &[1], 1);
        assert_eq!(
            leader.violation(&PROPERTY),
            None,
            "a leader writes with the controller epoch that it knows"
        );
    }
}
