//! In the end, every partition has a leader and all of its replicas in sync, as far as their brokers run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Books, Checker, Class, Evidence, Judged, Property, Terms, Verdict};
use crate::history::{BrokerObservation, Life};
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, PartitionEpoch, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "replicas-converge",
    statement: "when a run ends, every partition has a leader and all of its replicas whose \
                brokers run are in sync",
    source: "kafka-specification: StrongIsr in the end; TigerBeetle's VOPR: heal, then converge",
    leaves_out: "topics that were not created during the run; how long it took; partitions whose \
                 in-sync replicas were all stopped for good",
    class: Class::Liveness,
};

/// A partition's state as last written to the coordinator.
#[derive(Clone, Debug, Default)]
struct State {
    replicas: Vec<BrokerId>,
    leader: Option<BrokerId>,
    isr: Vec<BrokerId>,
    /// The epoch of the newest election that was told.
    leader_epoch: LeaderEpoch,
    /// dataVersion of this state; −1 when it was not told.
    partition_epoch: PartitionEpoch,
}

impl State {
    fn elected(&mut self, leader: Option<BrokerId>, leader_epoch: LeaderEpoch, isr: &[BrokerId]) {
        self.leader = leader;
        self.leader_epoch = leader_epoch;
        self.in_sync(isr, -1);
    }

    fn in_sync(&mut self, isr: &[BrokerId], partition_epoch: PartitionEpoch) {
        self.isr = isr.to_vec();
        self.partition_epoch = partition_epoch;
    }

    fn has_converged(&self, runs: impl Fn(&BrokerId) -> bool) -> bool {
        let in_sync = |replica: &BrokerId| !runs(replica) || self.isr.contains(replica);
        let led = || match self.leader {
            Some(leader) => runs(&leader) && self.replicas.iter().all(in_sync),
            // Nobody may lead while all that could are stopped for good.
            None => !self.isr.is_empty() && !self.isr.iter().any(&runs),
        };
        self.replicas.is_empty() || led()
    }
}

/// The state of every partition of the topics that were created.
#[derive(Clone, Debug, Default)]
pub struct ReplicasConverge {
    partitions: BTreeMap<TopicPartition, State>,
    /// Nodes whose process ended.
    stopped: BTreeSet<NodeId>,
}

impl Checker for ReplicasConverge {
    fn life(&mut self, _: &Books, _: Time, node: NodeId, life: Life) {
        match life {
            Life::Crashed | Life::PowerLost | Life::Exited => {
                self.stopped.insert(node);
            }
            Life::Started => {
                self.stopped.remove(&node);
            }
            _ => {}
        }
    }

    fn broker(&mut self, _: &Books, _: Time, _: NodeId, told: &BrokerObservation) {
        match told {
            BrokerObservation::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let at = TopicPartition::new(topic.clone(), partition);
                    self.partitions.entry(at).or_default().replicas.clone_from(replicas);
                }
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
            // What was read may be older than what its writer told meanwhile.
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                let state = self.state(at);
                if *leader_epoch >= state.leader_epoch && *partition_epoch >= state.partition_epoch
                {
                    state.elected(*leader, *leader_epoch, isr);
                    state.partition_epoch = *partition_epoch;
                }
            }
            _ => {}
        }
    }

    fn judge(&self, books: &Books, _: Time) -> Judged {
        PROPERTY.forbidden(self.verdict(&books.terms))
    }
}

impl ReplicasConverge {
    fn state(&mut self, at: &TopicPartition) -> &mut State {
        self.partitions.entry(at.clone()).or_default()
    }

    /// The partitions that have not converged.
    fn not_converged<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = &'a TopicPartition> {
        let runs = |broker: &BrokerId| {
            let node = terms.brokers.iter().find(|(id, _)| id == broker);
            node.is_none_or(|(_, node)| !self.stopped.contains(node))
        };
        let open = self.partitions.iter().filter(move |(_, state)| !state.has_converged(runs));
        open.map(|(at, _)| at)
    }

    /// Judges all partitions.
    fn verdict(&self, terms: &Terms) -> Verdict {
        let count = self.not_converged(terms).count() as u64;
        let evidence = self.not_converged(terms).next().map(|at| {
            let State { replicas, leader, isr, .. } = &self.partitions[at];
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

    #[test]
    fn a_broker_that_was_stopped_for_good_is_not_waited_for() {
        let mut story = Story::default();
        story.created(&[1, 2, 3]).elected(1, 0, &[1, 2], Election::New);
        assert!(evidence(&story).is_some(), "b3 runs, and is not in sync");
        story.life(3, Life::Crashed);
        assert_eq!(evidence(&story), None);
        story.life(1, Life::PowerLost);
        assert!(evidence(&story).is_some(), "b2 could lead");
        story.leader_lost(1, &[2]).life(2, Life::Exited);
        assert_eq!(evidence(&story), None, "b2 alone may lead, and is gone");
        story.life(2, Life::Started);
        assert!(evidence(&story).is_some(), "b2 is back");
    }

    #[test]
    fn an_election_that_only_the_next_controller_could_tell_of_counts() {
        // Scenario soup 2.8, seed 13: the controller dies between its write and the answer.
        let mut story = Story::default();
        story.created(&[1, 2, 3]).state_found(2, 0, &[1, 2, 3], 0);
        assert_eq!(evidence(&story), None);
        story.isr_changed(&[1, 2, 3], &[1, 2]).state_found(2, 0, &[1, 2, 3], 0);
        assert!(evidence(&story).is_some(), "what was found was read before it changed");
    }
}
