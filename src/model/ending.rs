//! How a run ended: what stands written of each partition, who runs and is registered, how far replicas and
//! consumers are. Bookkeeping that liveness is judged by; it decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::{BrokerObservation, Fact, Leading, Life, Replica};
use crate::model::Terms;
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Offset, PartitionEpoch, Time, TopicPartition};

/// A partition's state as last written to ZooKeeper, as far as it was told.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The assignment; empty when the topic was not created during the run.
    pub replicas: Vec<BrokerId>,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The epoch of the newest election that was told.
    pub leader_epoch: LeaderEpoch,
    /// dataVersion of this state; −1 when it was not told.
    partition_epoch: PartitionEpoch,
    /// Since when the leader waits for a change that it will not hear of.
    denied: Option<Time>,
}

impl Written {
    fn elected(&mut self, leader: Option<BrokerId>, leader_epoch: LeaderEpoch, isr: &[BrokerId]) {
        self.leader = leader;
        self.leader_epoch = leader_epoch;
        self.denied = None;
        self.in_sync(isr, -1);
    }

    /// Since when, if at all, the leader waits for an answer to a change of the in-sync replicas that was written,
    /// and that its controller denied. Kafka's leader gives up, and changes nothing until the next election
    /// (`handleAlterPartitionError` of `Partition`, 2.7 to 3.9).
    pub fn denied(&self) -> Option<Time> {
        self.denied
    }

    fn in_sync(&mut self, isr: &[BrokerId], partition_epoch: PartitionEpoch) {
        self.isr = isr.to_vec();
        self.partition_epoch = partition_epoch;
    }
}

/// A broker that runs and is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unregistered {
    /// Since when: its process began, or it was told that its session expired.
    pub since: Time,
    /// The session whose registration stands in the way, if it told of one.
    pub blocked_by: Option<i64>,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    partitions: BTreeMap<TopicPartition, Written>,
    /// Nodes whose process ended.
    stopped: BTreeSet<NodeId>,
    unregistered: BTreeMap<NodeId, Unregistered>,
    /// Coordinator servers that ever told anything.
    servers: BTreeSet<NodeId>,
    replicas: BTreeMap<TopicPartition, BTreeMap<BrokerId, Option<Replica>>>,
    positions: Vec<(NodeId, TopicPartition, Option<Offset>)>,
    unconverged: Option<Arc<str>>,
}

impl Ending {
    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, terms: &Terms, time: Time, node: NodeId, life: Life) {
        match life {
            Life::Crashed | Life::PowerLost | Life::Exited => {
                self.stopped.insert(node);
                self.unregistered.remove(&node);
            }
            Life::Started => {
                self.stopped.remove(&node);
                if terms.brokers.iter().any(|(_, broker)| *broker == node) {
                    self.unregistered_since(time, node);
                }
            }
            _ => {}
        }
    }

    fn unregistered_since(&mut self, since: Time, node: NodeId) {
        self.unregistered.insert(node, Unregistered { since, blocked_by: None });
    }

    /// Folds in that a ZooKeeper server told something.
    pub fn server(&mut self, node: NodeId) {
        self.servers.insert(node);
    }

    /// Folds in what a broker told.
    pub fn broker(&mut self, time: Time, node: NodeId, told: &BrokerObservation) {
        match told {
            BrokerObservation::TopicCreated { topic, assignment } => {
                for (partition, replicas) in (0..).zip(assignment) {
                    let at = TopicPartition::new(topic.clone(), partition);
                    self.partitions.entry(at).or_default().replicas.clone_from(replicas);
                }
            }
            BrokerObservation::LeaderElected { at, leader, leader_epoch, isr, .. } => {
                self.written(at).elected(Some(*leader), *leader_epoch, isr);
            }
            BrokerObservation::LeaderLost { at, leader_epoch, isr } => {
                self.written(at).elected(None, *leader_epoch, isr);
            }
            BrokerObservation::IsrChanged { at, to, partition_epoch, .. } => {
                self.written(at).in_sync(to, *partition_epoch);
            }
            BrokerObservation::IsrChangeDenied { at, .. } => {
                self.written(at).denied = Some(time);
            }
            // What was read may be older than what its writer told meanwhile.
            BrokerObservation::StateFound { at, leader, leader_epoch, isr, partition_epoch } => {
                let written = self.written(at);
                if *leader_epoch >= written.leader_epoch
                    && *partition_epoch >= written.partition_epoch
                {
                    written.elected(*leader, *leader_epoch, isr);
                    written.partition_epoch = *partition_epoch;
                }
            }
            BrokerObservation::Registered { .. } => {
                self.unregistered.remove(&node);
            }
            BrokerObservation::SessionExpired { .. } => self.unregistered_since(time, node),
            BrokerObservation::RegistrationBlocked { session } => {
                if let Some(unregistered) = self.unregistered.get_mut(&node) {
                    unregistered.blocked_by = Some(*session);
                }
            }
            _ => {}
        }
    }

    fn written(&mut self, at: &TopicPartition) -> &mut Written {
        self.partitions.entry(at.clone()).or_default()
    }

    /// Folds in what was read off the cluster.
    pub fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::FinalReplica { at, broker, replica } => {
                let replicas = self.replicas.entry(at.clone()).or_default();
                replicas.insert(*broker, replica.clone());
            }
            Fact::FinalPosition { consumer, at, position } => {
                self.positions.push((*consumer, at.clone(), *position));
            }
            Fact::Unconverged { why } => self.unconverged = Some(why.clone()),
            Fact::FinalLog { .. } | Fact::FinalRecord { .. } => {}
        }
    }

    /// What was missing when the budget for converging was used up, if it was.
    pub fn unconverged(&self) -> Option<&str> {
        self.unconverged.as_deref()
    }

    /// The partitions of topics that were created during the run.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicPartition, &Written)> {
        self.partitions.iter().filter(|(_, written)| !written.replicas.is_empty())
    }

    /// Whether a broker runs at the end; one that is not of the cluster does.
    pub fn runs(&self, terms: &Terms, broker: BrokerId) -> bool {
        let node = terms.brokers.iter().find(|(id, _)| *id == broker);
        node.is_none_or(|(_, node)| !self.stopped.contains(node))
    }

    /// Whether a node's process runs at the end.
    pub fn node_runs(&self, node: NodeId) -> bool {
        !self.stopped.contains(&node)
    }

    /// A partition of a topic that was created during the run.
    pub fn written_of(&self, at: &TopicPartition) -> Option<&Written> {
        self.partitions.get(at).filter(|written| !written.replicas.is_empty())
    }

    /// The brokers that run and are not registered, unless ZooKeeper has no quorum to register them.
    pub fn unregistered(&self) -> impl Iterator<Item = (NodeId, Unregistered)> {
        let running = self.servers.difference(&self.stopped).count();
        let can_register = 2 * running > self.servers.len();
        let open = self.unregistered.iter().map(|(node, unregistered)| (*node, *unregistered));
        open.filter(move |_| can_register)
    }

    /// The replica of a broker that runs and has one.
    pub fn replica(&self, at: &TopicPartition, broker: BrokerId) -> Option<&Replica> {
        self.replicas.get(at)?.get(&broker)?.as_ref()
    }

    /// Who believes to lead a partition, in the newest epoch.
    pub fn leader(&self, at: &TopicPartition) -> Option<(BrokerId, &Replica, &Leading)> {
        let replicas = self.replicas.get(at)?.iter();
        let leaders = replicas.filter_map(|(broker, replica)| {
            let replica = replica.as_ref()?;
            Some((*broker, replica, replica.leading.as_ref()?))
        });
        leaders.max_by_key(|(_, replica, _)| replica.leader_epoch)
    }

    /// The partitions that anything was read off.
    pub fn read(&self) -> impl Iterator<Item = &TopicPartition> {
        self.replicas.keys()
    }

    /// The consumers' positions.
    pub fn positions(&self) -> impl Iterator<Item = (NodeId, &TopicPartition, Option<Offset>)> {
        self.positions.iter().map(|(consumer, at, position)| (*consumer, at, *position))
    }

    /// How far a follower is, in the eyes of its leader: half a sentence.
    pub fn progress(&self, terms: &Terms, at: &TopicPartition, follower: BrokerId) -> String {
        let name = terms.broker(follower);
        if !self.runs(terms, follower) {
            return format!("{name} is down");
        }
        let Some((leader, replica, leading)) = self.leader(at) else {
            return format!("{name} follows nobody");
        };
        let (leader, end) = (terms.broker(leader), replica.log_end);
        let known = leading.followers.iter().find(|known| known.broker == follower);
        match known.and_then(|known| Some((known.log_end?, known.fetched?))) {
            Some((at, time)) => {
                format!("{name}'s log is at {at} of {end}, fetched last at {time:.3}")
            }
            None => format!("{name} has not fetched from {leader} yet, whose log is at {end}"),
        }
    }
}
