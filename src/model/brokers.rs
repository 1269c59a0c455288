//! The brokers: who is registered at ZooKeeper, who is the controller, and which registrations it knows.

use std::collections::BTreeMap;

use crate::history::{BrokerObservation, Life};
use crate::vocab::{BrokerEpoch, BrokerId, ControllerEpoch, NodeId, Time};

/// A broker that runs and is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unregistered {
    /// Since when: its process began, or it learned that its session expired.
    pub since: Time,
    /// The session whose registration is in the way, if it reported one.
    pub blocked_by: Option<i64>,
}

/// All brokers.
#[derive(Clone, Debug, Default)]
pub struct Brokers {
    controller: Option<(NodeId, ControllerEpoch)>,
    unregistered: BTreeMap<NodeId, Unregistered>,
    /// czxid of each broker's last registration.
    registrations: BTreeMap<NodeId, BrokerEpoch>,
    /// The registrations as the newest controller knows them, and its epoch.
    known: (ControllerEpoch, BTreeMap<BrokerId, BrokerEpoch>),
}

impl Brokers {
    /// The broker that was elected controller in the newest epoch.
    pub fn controller(&self) -> Option<NodeId> {
        self.controller.map(|(node, _)| node)
    }

    /// The brokers that run and are not registered.
    pub fn unregistered(&self) -> impl Iterator<Item = (NodeId, Unregistered)> {
        self.unregistered.iter().map(|(node, unregistered)| (*node, *unregistered))
    }

    /// Where the newest controller knows an older registration of a broker than its last: czxid of both.
    pub fn missed_registration(
        &self,
        node: NodeId,
        id: BrokerId,
    ) -> Option<(BrokerEpoch, BrokerEpoch)> {
        let (known, own) = (*self.known.1.get(&id)?, *self.registrations.get(&node)?);
        (own > known).then_some((known, own))
    }

    /// Folds in a turn in the life of a broker's process.
    pub fn life(&mut self, time: Time, node: NodeId, life: Life) {
        match life {
            Life::Started => self.unregistered_since(time, node),
            // Its start failed, and its supervisor starts it again: it is still to register.
            Life::Exited
                if self.unregistered.get(&node).is_some_and(|it| it.blocked_by.is_some()) => {}
            Life::Crashed | Life::PowerLost | Life::Exited => {
                self.unregistered.remove(&node);
            }
            Life::ShutdownAsked | Life::Paused | Life::Resumed => {}
        }
    }

    fn unregistered_since(&mut self, since: Time, node: NodeId) {
        self.unregistered.insert(node, Unregistered { since, blocked_by: None });
    }

    /// Folds in what a broker reported.
    pub fn broker(&mut self, time: Time, node: NodeId, observation: &BrokerObservation) {
        match observation {
            BrokerObservation::Registered { epoch } => {
                self.unregistered.remove(&node);
                self.registrations.insert(node, *epoch);
            }
            BrokerObservation::SessionExpired { .. } => self.unregistered_since(time, node),
            BrokerObservation::RegistrationBlocked { session } => {
                if let Some(unregistered) = self.unregistered.get_mut(&node) {
                    unregistered.blocked_by = Some(*session);
                }
            }
            BrokerObservation::BrokersKnown { epoch, brokers } if *epoch >= self.known.0 => {
                self.known = (*epoch, brokers.iter().copied().collect());
            }
            BrokerObservation::ControllerElected { epoch }
                if self.controller.is_none_or(|(_, known)| *epoch > known) =>
            {
                self.controller = Some((node, *epoch));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deposed_controller_does_not_count_again() {
        let mut brokers = Brokers::default();
        for (node, epoch) in [(1, 1), (2, 2), (1, 1)] {
            let elected = BrokerObservation::ControllerElected { epoch };
            brokers.broker(Time::ZERO, NodeId(node), &elected);
        }
        assert_eq!(brokers.controller(), Some(NodeId(2)));
    }

    #[test]
    fn a_broker_is_unregistered_from_its_start_or_the_end_of_its_session() {
        let (b1, registered) = (NodeId(1), BrokerObservation::Registered { epoch: 7 });
        let mut brokers = Brokers::default();
        let since = |brokers: &Brokers| brokers.unregistered().next().map(|(_, it)| it.since);
        brokers.life(Time(1), b1, Life::Started);
        assert_eq!(since(&brokers), Some(Time(1)));
        brokers.broker(Time(2), b1, &registered);
        assert_eq!(since(&brokers), None);
        brokers.broker(Time(3), b1, &BrokerObservation::SessionExpired { session: 1 });
        brokers.broker(Time(4), b1, &BrokerObservation::RegistrationBlocked { session: 1 });
        let expected = Unregistered { since: Time(3), blocked_by: Some(1) };
        assert_eq!(brokers.unregistered().next(), Some((b1, expected)));
        brokers.life(Time(5), b1, Life::PowerLost);
        assert_eq!(since(&brokers), None, "a broker that is down cannot register");
    }
}
