//! In the end, every partition has a leader and all of its replicas in sync.

use std::collections::BTreeMap;

use super::{Class, Evidence, Property, Terms, Verdict};
use crate::history::BrokerObservation;
use crate::vocab::{BrokerId, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "replicas-converge",
    statement: "when a run ends, every partition has a leader and all of its replicas are in sync",
    source: "kafka-specification: StrongIsr in the end; TigerBeetle's VOPR: heal, then converge",
    leaves_out: "topics that were not created during the run; how long it took",
    class: Class::Liveness,
};

/// A partition's state as last written to the coordinator.
#[derive(Clone, Debug, Default)]
struct State {
    replicas: Vec<BrokerId>,
    leader: Option<BrokerId>,
    isr: Vec<BrokerId>,
}

impl State {
    fn has_converged(&self) -> bool {
        let in_sync = || self.replicas.iter().all(|replica| self.isr.contains(replica));
        self.replicas.is_empty() || (self.leader.is_some() && in_sync())
    }
}

/// The state of every partition of the topics that were created.
#[derive(Clone, Debug, Default)]
pub struct ReplicasConverge {
    partitions: BTreeMap<TopicPartition, State>,
}

impl ReplicasConverge {
    /// Books what a broker told.
    pub fn observe(&mut self, observation: &BrokerObservation) {
        match observation {
            BrokerObservation::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let at = TopicPartition::new(topic.clone(), partition);
                    self.partitions.entry(at).or_default().replicas.clone_from(replicas);
                }
            }
            BrokerObservation::LeaderElected { at, leader, isr, .. } => {
                let state = self.partitions.entry(at.clone()).or_default();
                state.leader = Some(*leader);
                state.isr.clone_from(isr);
            }
            BrokerObservation::LeaderLost { at, isr, .. } => {
                let state = self.partitions.entry(at.clone()).or_default();
                state.leader = None;
                state.isr.clone_from(isr);
            }
            BrokerObservation::IsrChanged { at, to, .. } => {
                self.partitions.entry(at.clone()).or_default().isr.clone_from(to);
            }
            _ => {}
        }
    }

    /// The first partition that has no leader or not all replicas in sync.
    pub fn first_not_converged(&self) -> Option<&TopicPartition> {
        self.partitions.iter().find(|(_, state)| !state.has_converged()).map(|(at, _)| at)
    }

    /// Judges all partitions.
    pub fn judge(&self, terms: &Terms) -> Verdict {
        let count = self.partitions.values().filter(|state| !state.has_converged()).count() as u64;
        let evidence = self.first_not_converged().map(|at| {
            let State { replicas, leader, isr } = &self.partitions[at];
            Evidence::NotInSync {
                at: at.clone(),
                leader: leader.map(|leader| terms.broker(leader)),
                replicas: terms.broker_names(replicas),
                isr: terms.broker_names(isr),
                count,
            }
        });
        Verdict::from_evidence(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::Election;

    fn evidence(story: &Story) -> Option<String> {
        match story.judgement().verdict(&PROPERTY) {
            Verdict::Violated(evidence) => Some(evidence.to_string()),
            verdict => {
                assert_eq!(verdict, &Verdict::Holds);
                None
            }
        }
    }

    #[test]
    fn only_a_led_partition_with_all_replicas_in_sync_is_accepted() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]);
        let leaderless = "orders-0 has no leader at the end";
        assert_eq!(evidence(&story).as_deref(), Some(leaderless));
        story.elected(1, 0, &[1, 2, 3], Election::New);
        assert_eq!(evidence(&story), None);
        story.isr_changed(&[1, 2, 3], &[1, 2]);
        let lagging = "orders-0, led by b1, has b1 b2 in sync at the end, not b1 b2 b3";
        assert_eq!(evidence(&story).as_deref(), Some(lagging));
        story.leader_lost(1, &[1, 2]);
        assert_eq!(evidence(&story).as_deref(), Some(leaderless));
        story.elected(2, 2, &[2, 1, 3], Election::Offline);
        assert_eq!(evidence(&story), None);
    }
}
