//! The state of each partition as controllers and leaders reported it when they had written it.
//!
//! [`super::replicas`] knows what ZooKeeper holds, a little earlier. This is what brokers act on, and what a fault's
//! `leader(orders-0)` resolves to.

use std::collections::BTreeMap;

use crate::history::BrokerObservation;
use crate::vocab::{BrokerId, LeaderEpoch, PartitionEpoch, Time, TopicPartition};

/// A partition's state as last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedState {
    /// The assignment; empty when no creation was reported.
    pub assignment: Vec<BrokerId>,
    /// The leader.
    pub leader: Option<BrokerId>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The epoch of the newest election.
    pub leader_epoch: LeaderEpoch,
    /// dataVersion of this state; −1 when it was not reported.
    partition_epoch: PartitionEpoch,
    /// Since when the leader waits for the answer to a change that was written and then denied.
    denied: Option<Time>,
}

impl ReportedState {
    /// Since when, if at all, the leader waits for the answer to a change of the in-sync replicas that was written,
    /// and that its controller denied. Kafka's leader gives up, and changes nothing until the next election
    /// (`handleAlterPartitionError` of `Partition`, 2.7 to 3.9).
    pub fn denied(&self) -> Option<Time> {
        self.denied
    }

    /// Whether there are in-sync replicas, and none of them runs.
    pub fn is_isr_down(&self, runs: impl Fn(BrokerId) -> bool) -> bool {
        !self.isr.is_empty() && !self.isr.iter().any(|id| runs(*id))
    }

    /// An election, unless a newer one is known.
    fn elected(&mut self, leader: Option<BrokerId>, leader_epoch: LeaderEpoch, isr: &[BrokerId]) {
        if leader_epoch < self.leader_epoch {
            return;
        }
        if leader_epoch > self.leader_epoch {
            self.denied = None;
        }
        self.leader = leader;
        self.leader_epoch = leader_epoch;
        self.in_sync(isr, -1);
    }

    fn in_sync(&mut self, isr: &[BrokerId], partition_epoch: PartitionEpoch) {
        self.isr = isr.to_vec();
        self.partition_epoch = partition_epoch;
    }
}

/// All partitions.
#[derive(Clone, Debug, Default)]
pub struct ReportedStates {
    partitions: BTreeMap<TopicPartition, ReportedState>,
}

impl ReportedStates {
    /// One partition, if anything was reported of it.
    pub fn of(&self, at: &TopicPartition) -> Option<&ReportedState> {
        self.partitions.get(at)
    }

    /// The partitions of topics that were created during the run.
    pub fn created(&self) -> impl Iterator<Item = (&TopicPartition, &ReportedState)> {
        self.partitions.iter().filter(|(_, state)| !state.assignment.is_empty())
    }

    /// Folds in what a broker reported.
    pub fn broker(&mut self, time: Time, observation: &BrokerObservation) {
        match observation {
            BrokerObservation::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let at = TopicPartition::new(topic.clone(), partition);
                    self.state(&at).assignment.clone_from(replicas);
                }
            }
            BrokerObservation::PartitionReassigned { at, replicas } => {
                self.state(at).assignment.clone_from(replicas);
            }
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                self.state(at).elected(Some(*leader), *leader_epoch, isr);
            }
            BrokerObservation::LeaderLost { at, leader_epoch, isr } => {
                self.state(at).elected(None, *leader_epoch, isr);
            }
            BrokerObservation::IsrChanged { at, to, partition_epoch, .. } => {
                self.state(at).in_sync(to, *partition_epoch);
            }
            // The leader learned of the change after all.
            BrokerObservation::IsrKnown { at, committed, .. } => {
                if let Some(state) = self.partitions.get_mut(at)
                    && state.isr == *committed
                {
                    state.denied = None;
                }
            }
            BrokerObservation::IsrChangeDenied { at, .. } => self.state(at).denied = Some(time),
            // What was read may be older than what its writer reported meanwhile.
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                let state = self.state(at);
                if *partition_epoch >= state.partition_epoch && *leader_epoch >= state.leader_epoch
                {
                    state.elected(*leader, *leader_epoch, isr);
                    state.partition_epoch = *partition_epoch;
                }
            }
            _ => {}
        }
    }

    fn state(&mut self, at: &TopicPartition) -> &mut ReportedState {
        if !self.partitions.contains_key(at) {
            self.partitions.insert(at.clone(), ReportedState::default());
        }
        self.partitions.get_mut(at).expect("it was just inserted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Election;

    fn at() -> TopicPartition {
        TopicPartition::new("t", 0)
    }

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn elected(leader: i32, leader_epoch: i32) -> BrokerObservation {
        let (at, isr, election) = (at(), ids(&[leader]), Election::Offline);
        let leader = BrokerId(leader);
        BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, election }
    }

    fn fold(states: &mut ReportedStates, observation: &BrokerObservation) {
        states.broker(Time(7), observation);
    }

    fn leader(states: &ReportedStates) -> Option<i32> {
        states.of(&at())?.leader.map(|id| id.0)
    }

    #[test]
    fn an_older_election_that_is_reported_late_changes_nothing() {
        let mut states = ReportedStates::default();
        fold(&mut states, &elected(2, 5));
        fold(&mut states, &elected(1, 4));
        let state = states.of(&at()).expect("it was elected");
        assert_eq!((state.leader, &state.isr), (Some(BrokerId(2)), &ids(&[2])));
        fold(
            &mut states,
            &BrokerObservation::LeaderLost { at: at(), leader_epoch: 6, isr: vec![] },
        );
        assert_eq!(leader(&states), None);
    }

    #[test]
    fn a_state_that_a_new_controller_found_counts_unless_a_newer_one_was_reported() {
        let found = |leader: i32, leader_epoch, isr: &[i32], partition_epoch| {
            let (at, leader, isr) = (at(), Some(BrokerId(leader)), ids(isr));
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch }
        };
        let mut states = ReportedStates::default();
        // The controller that elected 2 died before it learned that it had.
        fold(&mut states, &found(2, 0, &[2, 3], 0));
        assert_eq!(leader(&states), Some(2));
        let (from, to) = (ids(&[2, 3]), ids(&[2, 3, 1]));
        fold(
            &mut states,
            &BrokerObservation::IsrChanged { at: at(), from, to, partition_epoch: 1 },
        );
        fold(&mut states, &found(2, 0, &[2, 3], 0));
        let isr = |states: &ReportedStates| states.of(&at()).map(|state| state.isr.len());
        assert_eq!(isr(&states), Some(3), "read before it was written");
        fold(&mut states, &elected(3, 2));
        fold(&mut states, &found(2, 1, &[2, 3], 9));
        assert_eq!(leader(&states), Some(3));
    }

    #[test]
    fn a_denied_change_is_waited_for_until_the_next_epoch() {
        let mut states = ReportedStates::default();
        let denied = |states: &ReportedStates| states.of(&at()).and_then(ReportedState::denied);
        fold(&mut states, &elected(2, 5));
        let partition_epoch = 3;
        fold(&mut states, &BrokerObservation::IsrChangeDenied { at: at(), partition_epoch });
        fold(&mut states, &elected(2, 5));
        assert_eq!(denied(&states), Some(Time(7)), "the leader heard of no new epoch");
        fold(&mut states, &elected(2, 6));
        assert_eq!(denied(&states), None);
        fold(&mut states, &BrokerObservation::IsrChangeDenied { at: at(), partition_epoch });
        let known = |ids: &[i32]| {
            let (at, committed, maximal, min) = (at(), self::ids(ids), self::ids(ids), 1);
            BrokerObservation::IsrKnown { at, committed, maximal, min }
        };
        fold(&mut states, &known(&[2, 3]));
        assert_eq!(denied(&states), Some(Time(7)), "it knows only what it had before");
        fold(&mut states, &known(&[2]));
        assert_eq!(denied(&states), None, "it learned of what was written");
    }
}
