//! The second phase: whether the healed cluster has converged.

use std::fmt;
use std::sync::Arc;

use super::role::Role;
use super::{Cluster, LOOK_EVERY};
use crate::model::Reader;
use crate::nodes::broker::replica::{PartitionStatus, ReplicaManager};
use crate::releases::{Change, unnoted};
use crate::scenario::ProducerPlan;
use crate::vocab::{Acks, BrokerId, NodeId, Offset, TopicPartition};

/// What keeps a cluster from having converged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconverged {
    /// The topics were never created.
    NoTopics,
    /// A server of the ZooKeeper ensemble that runs serves nobody.
    NotServing(String),
    /// A broker that runs is not registered.
    NotRegistered(BrokerId),
    /// Nobody that runs leads a partition.
    NoLeader(TopicPartition),
    /// Another broker than the one that leads was made leader, or nobody.
    AnotherLeader(TopicPartition, BrokerId),
    /// An in-sync replica's log ends below the high watermark.
    Short(TopicPartition, BrokerId, Offset, Offset),
    /// An in-sync replica's log is not its leader's, from this offset on.
    Differs(TopicPartition, BrokerId, Offset),
    /// A replica that runs is not in sync.
    NotInSync(TopicPartition, BrokerId),
    /// A leader's log goes on beyond its high watermark.
    Uncommitted(TopicPartition, Offset, Offset),
    /// A producer has operations that have not ended.
    InFlight(String),
    /// A consumer has not read a partition to its end.
    Unread(String, TopicPartition, Option<Offset>, Offset),
}

impl fmt::Display for Unconverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTopics => write!(f, "the topics were never created"),
            Self::NotServing(server) => write!(f, "{server} has found no leader"),
            Self::NotRegistered(id) => write!(f, "broker {id} is not registered"),
            Self::NoLeader(at) => write!(f, "{at} has no leader"),
            Self::AnotherLeader(at, id) => {
                write!(f, "broker {id} leads {at}, but is not its leader as written")
            }
            Self::Short(at, id, log_end, high_watermark) => {
                write!(f, "{at} ends at {log_end} on broker {id}, committed up to {high_watermark}")
            }
            Self::Differs(at, id, offset) => {
                write!(f, "{at}@{offset} is not the same on broker {id} as on its leader")
            }
            Self::NotInSync(at, id) => write!(f, "broker {id} is not in sync for {at}"),
            Self::Uncommitted(at, high_watermark, end) => {
                write!(f, "{at} is committed up to {high_watermark} of {end}")
            }
            Self::InFlight(producer) => write!(f, "{producer} waits for acknowledgements"),
            Self::Unread(consumer, at, Some(position), end) => {
                write!(f, "{consumer} waits for {at}@{position} of {end}")
            }
            Self::Unread(consumer, at, None, end) => {
                write!(f, "{consumer} waits for a position in {at}, of {end}")
            }
        }
    }
}

impl<R: Reader> Cluster<'_, R> {
    /// Lets time pass until the cluster has converged or the budget is used up; in that case says what is
    /// missing. Nobody is waited for who was stopped for good, nor who can do nothing without him.
    pub fn converge(&mut self) -> Option<Unconverged> {
        let deadline = self.world.now() + self.plan.expect.converge_within;
        loop {
            let missing = unnoted(|| self.missing())?;
            if self.world.now() >= deadline {
                return Some(missing);
            }
            self.advance(deadline.min(self.world.now() + LOOK_EVERY));
        }
    }

    fn missing(&self) -> Option<Unconverged> {
        if self.world.is_running(self.names.admin) {
            return Some(Unconverged::NoTopics);
        }
        let names = &self.names;
        if let Some(server) = self.not_serving() {
            return Some(Unconverged::NotServing(names.roster.name(server).to_string()));
        }
        if let Some(id) = self.unregistered() {
            return Some(Unconverged::NotRegistered(id));
        }
        for (&node, plan) in names.producers.iter().zip(&self.plan.producers) {
            if let Some(Role::Producer(producer)) = self.world.process(node)
                && !producer.is_idle()
                && !self.never_ends(plan, producer.asks())
            {
                return Some(Unconverged::InFlight(names.roster.name(node).to_string()));
            }
        }
        let mut partitions = self.partitions();
        let open = partitions.find_map(|(at, assignment)| self.missing_of(&at, assignment));
        // Where logs may be lost, some never agree again: a leader that lost its own and leads on in its epoch.
        let may_differ = self.plan.expect.acknowledged_loss_permitted;
        open.or_else(|| if may_differ { None } else { self.differing() })
    }

    /// What is missing of one partition.
    fn missing_of(&self, at: &TopicPartition, assignment: &[BrokerId]) -> Option<Unconverged> {
        // In the leader's eyes and as it was last written: each may be ahead of the other.
        let written = self.model().reported.of(at);
        if written.is_some_and(|written| written.leader.is_some_and(|id| self.is_unnoticed(id))) {
            return None;
        }
        let Some((leader, status)) = self.leader(at) else {
            let nobody_may = written.is_some_and(|written| {
                written.leader.is_none() && written.is_isr_down(|id| self.runs(id))
            });
            return (!nobody_may).then(|| Unconverged::NoLeader(at.clone()));
        };
        if written.is_none_or(|written| written.leader != Some(leader)) {
            return Some(Unconverged::AnotherLeader(at.clone(), leader));
        }
        let is_in_sync = |id: &BrokerId| {
            status.isr.contains(id) && written.is_some_and(|written| written.isr.contains(id))
        };
        // Who was denied a change of the in-sync replicas changes nothing any more, in Kafka as here.
        let is_stuck =
            status.is_isr_pending && written.is_some_and(|written| written.denied().is_some());
        let missing = |id: &BrokerId| !is_in_sync(id) && !self.stays_out(at, *id);
        if let Some(id) = assignment.iter().find(|id| missing(id)).filter(|_| !is_stuck) {
            return Some(Unconverged::NotInSync(at.clone(), *id));
        }
        let (high_watermark, end) = (status.high_watermark, status.log_end_offset);
        if high_watermark < end && !status.is_held_below_min_isr {
            return Some(Unconverged::Uncommitted(at.clone(), high_watermark, end));
        }
        for &id in assignment {
            // One that lost its log's end, and came back before anybody noticed, is still in sync.
            let Some(replica) = self.replicas_of(id).and_then(|replicas| replicas.status(at))
            else {
                continue;
            };
            if !is_in_sync(&id) {
                continue;
            }
            if replica.log_end_offset < high_watermark {
                let log_end = replica.log_end_offset;
                return Some(Unconverged::Short(at.clone(), id, log_end, high_watermark));
            }
        }
        let (consumer, position) = self.lagging(at, high_watermark)?;
        let consumer = self.names.roster.name(consumer).to_string();
        Some(Unconverged::Unread(consumer, at.clone(), position, high_watermark))
    }

    /// A replica whose log is not its leader's below the high watermark. Reads whole logs.
    fn differing(&self) -> Option<Unconverged> {
        self.partitions().find_map(|(at, assignment)| {
            let (leader, status) = self.leader(&at)?;
            assignment.iter().find_map(|&id| {
                let offset = self.first_difference(leader, id, &at)?;
                (offset < status.high_watermark)
                    .then(|| Unconverged::Differs(at.clone(), id, offset))
            })
        })
    }

    /// The replicas of a broker that runs.
    pub(super) fn replicas_of(&self, id: BrokerId) -> Option<&ReplicaManager> {
        match self.world.process(self.broker_node(id)?)? {
            Role::Broker(broker) => Some(broker.replicas()),
            _ => None,
        }
    }

    fn runs(&self, id: BrokerId) -> bool {
        self.broker_node(id).is_some_and(|node| self.world.is_running(node))
    }

    /// Whether a majority of the ZooKeeper servers runs.
    fn can_be_coordinated(&self) -> bool {
        let servers = &self.names.zookeepers;
        2 * servers.iter().filter(|&&node| self.world.is_running(node)).count() > servers.len()
    }

    /// A server of ZooKeeper that runs and does not serve, though it could.
    fn not_serving(&self) -> Option<NodeId> {
        let idle = |node: &&NodeId| match self.world.process(**node) {
            Some(Role::ZooKeeper(server)) => !server.serves(),
            _ => false,
        };
        self.names.zookeepers.iter().find(idle).copied().filter(|_| self.can_be_coordinated())
    }

    /// A broker that runs and is not registered, if ZooKeeper can register anybody.
    fn unregistered(&self) -> Option<BrokerId> {
        let mut open = self.model().unregistered();
        open.find_map(|(node, _)| self.model().terms.broker_at(node))
    }

    /// A consumer of the partition's topic that has not read up to `end`, and where it is.
    fn lagging(&self, at: &TopicPartition, end: Offset) -> Option<(NodeId, Option<Offset>)> {
        let consumers = self.names.consumers.iter().zip(&self.plan.consumers);
        let mut reading = consumers
            .filter(|(_, plan)| plan.topics.iter().any(|topic| **topic == *at.topic))
            .filter_map(|(&node, _)| match self.world.process(node) {
                Some(Role::Consumer(consumer)) if !self.asks_nobody(consumer.asks()) => {
                    Some((node, consumer.position(at)))
                }
                _ => None,
            });
        reading.find(|(_, position)| position.is_none_or(|position| position < end))
    }

    /// Whether the controller does not know that a broker began anew, and before 2.2 (KIP-380) never will.
    fn is_unnoticed(&self, id: BrokerId) -> bool {
        let node = self.broker_node(id).filter(|_| !self.plan.kafka.has(Change::BrokerEpochs));
        node.is_some_and(|node| self.model().brokers.missed_registration(node, id).is_some())
    }

    /// Whether a replica does not come to be in sync any more, unless the partition's leader epoch changes: its
    /// broker was stopped or not noticed, or it has other records than its leader under the same epoch.
    fn stays_out(&self, at: &TopicPartition, id: BrokerId) -> bool {
        let status = self.replicas_of(id).and_then(|replicas| replicas.status(at));
        !self.runs(id) || self.is_unnoticed(id) || status.is_some_and(|status| status.has_failed)
    }

    /// Whether nobody runs whom a client asks, so that it never hears of another (KIP-899).
    fn asks_nobody(&self, nodes: &[NodeId]) -> bool {
        !nodes.is_empty() && !nodes.iter().any(|&node| self.world.is_running(node))
    }

    /// Whether a partition takes no record of a producer any more: nobody may lead it, or too few replicas are
    /// in sync and nobody can join them.
    fn takes_nothing(&self, at: &TopicPartition, assignment: &[BrokerId], least: usize) -> bool {
        let Some(written) = self.model().reported.of(at) else { return false };
        let mut missing = assignment.iter().filter(|id| !written.isr.contains(id));
        written.is_isr_down(|id| self.runs(id)) && written.leader.is_none()
            || written.leader.is_some_and(|id| self.is_unnoticed(id))
            || written.isr.len() < least && missing.all(|id| self.stays_out(at, *id))
    }

    /// Whether a producer has operations that nothing ends: before 2.1 it tries as often as it may, however long
    /// that takes (KIP-91).
    fn never_ends(&self, plan: &ProducerPlan, asks: &[NodeId]) -> bool {
        if self.plan.kafka.has(Change::DeliveryTimeout) {
            return false;
        }
        let topic = self.plan.topics.iter().find(|topic| topic.name == plan.topic);
        let least = topic.map_or(0, |topic| topic.properties.int("min.insync.replicas"));
        let least = if plan.acks == Acks::All { usize::try_from(least).unwrap_or(0) } else { 0 };
        let mut partitions = self.partitions().filter(|(at, _)| *at.topic == *plan.topic);
        partitions.any(|(at, replicas)| self.takes_nothing(&at, replicas, least))
            || self.asks_nobody(asks)
    }

    /// Every partition of the plan with its replicas.
    pub(super) fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &Vec<BrokerId>)> {
        self.plan.topics.iter().flat_map(|topic| {
            let name: Arc<str> = topic.name.as_str().into();
            (0..)
                .zip(&topic.assignment)
                .map(move |(index, replicas)| (TopicPartition::new(name.clone(), index), replicas))
        })
    }

    /// Who leads a partition, by what the running brokers say themselves: of several that think so, the one
    /// of the newest epoch.
    pub(super) fn leader(&self, at: &TopicPartition) -> Option<(BrokerId, PartitionStatus)> {
        let statuses = self.plan.brokers.iter().zip(&self.names.brokers).filter_map(
            |(plan, &node)| match self.world.process(node) {
                Some(Role::Broker(broker)) => Some((plan.id, broker.replicas().status(at)?)),
                _ => None,
            },
        );
        statuses
            .filter(|(_, status)| status.is_leader)
            .max_by_key(|(_, status)| status.leader_epoch)
    }
}
