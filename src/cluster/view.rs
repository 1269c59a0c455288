//! Who leads and who controls, as the history tells it: what a fault's role resolves to when it fires.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{BrokerObservation, Observation, ZooKeeperObservation};
use crate::vocab::{
    BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, NodeId, PartitionEpoch, TopicPartition,
};

/// One partition, as its controllers last wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionView {
    /// Its replicas, in assignment order.
    pub assignment: Vec<BrokerId>,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// The epoch of the newest election that was seen.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// dataVersion of the state that `isr` was last seen in; −1 when that was not told.
    partition_epoch: PartitionEpoch,
    /// Whether its leader waits for ever for a change of the in-sync replicas, which its controller denied.
    pub is_denied: bool,
}

impl PartitionView {
    /// Whether nobody may lead it, as none of its in-sync replicas runs.
    pub fn may_not_be_led(&self, runs: impl Fn(&BrokerId) -> bool) -> bool {
        self.leader.is_none() && !self.isr.is_empty() && !self.isr.iter().any(runs)
    }
}

/// The cluster as its observations show it.
#[derive(Debug, Default)]
pub struct View {
    controller: Option<(NodeId, i32)>,
    zookeeper: Option<(NodeId, u32)>,
    partitions: BTreeMap<TopicPartition, PartitionView>,
    registered: BTreeSet<NodeId>,
    /// czxid of each broker's last registration, and of the one by which the newest controller knows it.
    registrations: BTreeMap<NodeId, BrokerEpoch>,
    known: (ControllerEpoch, BTreeMap<BrokerId, BrokerEpoch>),
}

impl View {
    /// The broker that was elected controller last.
    pub fn controller(&self) -> Option<NodeId> {
        self.controller.map(|(node, _)| node)
    }

    /// The server of ZooKeeper that began the newest epoch.
    pub fn zookeeper(&self) -> Option<NodeId> {
        self.zookeeper.map(|(node, _)| node)
    }

    /// One partition.
    pub fn partition(&self, at: &TopicPartition) -> Option<&PartitionView> {
        self.partitions.get(at)
    }

    /// Whether a broker registered, since its process began and since its session expired last.
    pub fn is_registered(&self, node: NodeId) -> bool {
        self.registered.contains(&node)
    }

    /// Whether the controller knows a broker by an older registration than its last.
    pub fn goes_unnoticed(&self, node: NodeId, id: BrokerId) -> bool {
        let known = self.known.1.get(&id);
        known.is_some_and(|known| self.registrations.get(&node).is_some_and(|own| own > known))
    }

    /// Takes in what `node` observed.
    pub fn observe(&mut self, node: NodeId, observation: &Observation) {
        if let Observation::ZooKeeper(ZooKeeperObservation::Leading { epoch, .. }) = observation
            && self.zookeeper.is_none_or(|(_, known)| *epoch > known)
        {
            self.zookeeper = Some((node, *epoch));
        }
        let Observation::Broker(observation) = observation else { return };
        match observation {
            BrokerObservation::Registered { epoch } => {
                self.registered.insert(node);
                self.registrations.insert(node, *epoch);
            }
            BrokerObservation::BrokersKnown { epoch, brokers } if *epoch >= self.known.0 => {
                self.known = (*epoch, brokers.iter().copied().collect());
            }
            BrokerObservation::SessionExpired { .. } | BrokerObservation::Recovered { .. } => {
                self.registered.remove(&node);
            }
            BrokerObservation::ControllerElected { epoch }
                if self.controller.is_none_or(|(_, known)| *epoch > known) =>
            {
                self.controller = Some((node, *epoch));
            }
            BrokerObservation::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let at = TopicPartition::new(topic.clone(), partition);
                    self.partitions.entry(at).or_default().assignment.clone_from(replicas);
                }
            }
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                self.led(at, Some(*leader), *leader_epoch);
                self.in_sync(at, isr, -1);
            }
            BrokerObservation::LeaderLost { at, leader_epoch, isr } => {
                self.led(at, None, *leader_epoch);
                self.in_sync(at, isr, -1);
            }
            BrokerObservation::IsrChanged { at, to, partition_epoch, .. } => {
                self.in_sync(at, to, *partition_epoch);
            }
            BrokerObservation::IsrChangeDenied { at, .. } => {
                if let Some(view) = self.partitions.get_mut(at) {
                    view.is_denied = true;
                }
            }
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                self.found(at, *leader, *leader_epoch, isr, *partition_epoch);
            }
            _ => {}
        }
    }

    /// A state that a new controller read: no news if somebody wrote, and told, a newer one meanwhile.
    fn found(
        &mut self,
        at: &TopicPartition,
        leader: Option<BrokerId>,
        leader_epoch: LeaderEpoch,
        isr: &[BrokerId],
        partition_epoch: PartitionEpoch,
    ) {
        let known = self.partitions.get(at);
        let is_news = known.is_none_or(|known| {
            leader_epoch >= known.leader_epoch && partition_epoch >= known.partition_epoch
        });
        if is_news {
            self.led(at, leader, leader_epoch);
            self.in_sync(at, isr, partition_epoch);
        }
    }

    fn in_sync(&mut self, at: &TopicPartition, isr: &[BrokerId], partition_epoch: PartitionEpoch) {
        if let Some(view) = self.partitions.get_mut(at) {
            view.isr = isr.to_vec();
            view.partition_epoch = partition_epoch;
        }
    }

    fn led(&mut self, at: &TopicPartition, leader: Option<BrokerId>, epoch: LeaderEpoch) {
        if !self.partitions.contains_key(at) {
            self.partitions.insert(at.clone(), PartitionView::default());
        }
        let view = self.partitions.get_mut(at).expect("it was just made sure of");
        if epoch >= view.leader_epoch {
            view.is_denied &= epoch == view.leader_epoch;
            view.leader = leader;
            view.leader_epoch = epoch;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Election;

    fn elected(leader: i32, leader_epoch: i32) -> Observation {
        Observation::Broker(BrokerObservation::LeaderElected {
            at: TopicPartition::new("t", 0),
            leader: BrokerId(leader),
            leader_epoch,
            isr: vec![BrokerId(leader)],
            election: Election::Offline,
        })
    }

    #[test]
    fn an_older_election_heard_of_late_changes_nothing() {
        let mut view = View::default();
        view.observe(NodeId(1), &elected(2, 5));
        view.observe(NodeId(0), &elected(1, 4));
        let at = TopicPartition::new("t", 0);
        assert_eq!(view.partition(&at).unwrap().leader, Some(BrokerId(2)));
        let lost = BrokerObservation::LeaderLost { at: at.clone(), leader_epoch: 6, isr: vec![] };
        view.observe(NodeId(1), &Observation::Broker(lost));
        assert_eq!(view.partition(&at).unwrap().leader, None);
    }

    #[test]
    fn a_state_that_a_new_controller_found_counts_unless_a_newer_one_was_told() {
        let at = TopicPartition::new("t", 0);
        let found = |leader: i32, leader_epoch, isr: &[i32], partition_epoch| {
            Observation::Broker(BrokerObservation::StateFound {
                at: TopicPartition::new("t", 0),
                leader: Some(BrokerId(leader)),
                leader_epoch,
                isr: isr.iter().copied().map(BrokerId).collect(),
                partition_epoch,
            })
        };
        let mut view = View::default();
        // The controller that elected 2 died before it heard that it had.
        view.observe(NodeId(1), &found(2, 0, &[2, 3], 0));
        assert_eq!(view.partition(&at).unwrap().leader, Some(BrokerId(2)));
        let grown = BrokerObservation::IsrChanged {
            at: at.clone(),
            from: vec![BrokerId(2), BrokerId(3)],
            to: vec![BrokerId(2), BrokerId(3), BrokerId(1)],
            partition_epoch: 1,
        };
        view.observe(NodeId(2), &Observation::Broker(grown));
        view.observe(NodeId(1), &found(2, 0, &[2, 3], 0));
        assert_eq!(view.partition(&at).unwrap().isr.len(), 3, "read before it was written");
        view.observe(NodeId(1), &elected(3, 2));
        view.observe(NodeId(1), &found(2, 1, &[2, 3], 9));
        assert_eq!(view.partition(&at).unwrap().leader, Some(BrokerId(3)));
    }

    #[test]
    fn a_deposed_controller_does_not_count_again() {
        let mut view = View::default();
        let elected = |epoch| Observation::Broker(BrokerObservation::ControllerElected { epoch });
        view.observe(NodeId(1), &elected(1));
        view.observe(NodeId(2), &elected(2));
        view.observe(NodeId(1), &elected(1));
        assert_eq!(view.controller(), Some(NodeId(2)));
    }
}
