//! Who leads and who controls, as the history tells it: what a fault's role resolves to when it fires.

use std::collections::BTreeMap;

use crate::history::{BrokerObservation, Observation};
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, TopicPartition};

/// One partition, as its controllers last wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionView {
    /// Its replicas, in assignment order.
    pub assignment: Vec<BrokerId>,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// The epoch of the newest election that was seen.
    pub leader_epoch: LeaderEpoch,
}

/// The cluster as its observations show it.
#[derive(Debug, Default)]
pub struct View {
    controller: Option<(NodeId, i32)>,
    partitions: BTreeMap<TopicPartition, PartitionView>,
}

impl View {
    /// The broker that was elected controller last.
    pub fn controller(&self) -> Option<NodeId> {
        self.controller.map(|(node, _)| node)
    }

    /// One partition.
    pub fn partition(&self, at: &TopicPartition) -> Option<&PartitionView> {
        self.partitions.get(at)
    }

    /// Takes in what `node` observed.
    pub fn observe(&mut self, node: NodeId, observation: &Observation) {
        let Observation::Broker(observation) = observation else { return };
        match observation {
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
            BrokerObservation::LeaderElected { at, leader, leader_epoch, .. } => {
                self.led(at, Some(*leader), *leader_epoch);
            }
            BrokerObservation::LeaderLost { at, leader_epoch, .. } => {
                self.led(at, None, *leader_epoch);
            }
            _ => {}
        }
    }

    fn led(&mut self, at: &TopicPartition, leader: Option<BrokerId>, epoch: LeaderEpoch) {
        if !self.partitions.contains_key(at) {
            self.partitions.insert(at.clone(), PartitionView::default());
        }
        let view = self.partitions.get_mut(at).expect("it was just made sure of");
        if epoch >= view.leader_epoch {
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
    fn a_deposed_controller_does_not_count_again() {
        let mut view = View::default();
        let elected = |epoch| Observation::Broker(BrokerObservation::ControllerElected { epoch });
        view.observe(NodeId(1), &elected(1));
        view.observe(NodeId(2), &elected(2));
        view.observe(NodeId(1), &elected(1));
        assert_eq!(view.controller(), Some(NodeId(2)));
    }
}
