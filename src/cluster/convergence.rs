//! The second phase: whether the healed cluster has converged, and what its logs hold in the end.

use std::fmt;
use std::sync::Arc;

use super::role::Role;
use super::{Cluster, LOOK_EVERY};
use crate::history::Subscriber;
use crate::nodes::broker::replica::PartitionStatus;
use crate::vocab::{BrokerId, NodeId, TopicPartition};
use crate::wire::workload;

/// What keeps a cluster from having converged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconverged {
    /// The topics were never created.
    NoTopics,
    /// Nobody that runs leads a partition.
    NoLeader(TopicPartition),
    /// A replica that runs is not in sync.
    NotInSync(TopicPartition, BrokerId),
    /// A leader has records that are not committed.
    Uncommitted(TopicPartition),
    /// A producer has operations that have not ended.
    InFlight(String),
    /// A consumer has not read a partition to its end.
    Unread(String, TopicPartition),
}

impl fmt::Display for Unconverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTopics => write!(f, "the topics were never created"),
            Self::NoLeader(at) => write!(f, "{at} has no leader"),
            Self::NotInSync(at, id) => write!(f, "broker {id} is not in sync for {at}"),
            Self::Uncommitted(at) => write!(f, "{at} has records that are not committed"),
            Self::InFlight(producer) => write!(f, "{producer} waits for acknowledgements"),
            Self::Unread(consumer, at) => write!(f, "{consumer} has not read all of {at}"),
        }
    }
}

impl<S: Subscriber> Cluster<'_, S> {
    /// Lets time pass until the cluster has converged or the budget is used up; in that case says what is
    /// missing.
    pub fn converge(&mut self) -> Option<Unconverged> {
        let deadline = self.world.now() + self.plan.expect.converge_within;
        loop {
            let missing = self.missing()?;
            if self.world.now() >= deadline {
                return Some(missing);
            }
            self.advance(deadline.min(self.world.now() + LOOK_EVERY));
        }
    }

    fn missing(&self) -> Option<Unconverged> {
        if !self.is_ready {
            return Some(Unconverged::NoTopics);
        }
        let names = &self.names;
        for &node in &names.producers {
            if let Some(Role::Producer(producer)) = self.world.process(node)
                && !producer.is_idle()
            {
                return Some(Unconverged::InFlight(names.roster.name(node).to_string()));
            }
        }
        for (at, assignment) in self.partitions() {
            let Some((_, status)) = self.leader(&at) else {
                return Some(Unconverged::NoLeader(at));
            };
            let runs = |id: &BrokerId| {
                self.broker_node(*id).is_some_and(|node| self.world.is_running(node))
            };
            if let Some(id) = assignment.iter().find(|id| runs(id) && !status.isr.contains(id)) {
                return Some(Unconverged::NotInSync(at, *id));
            }
            if status.hw < status.leo {
                return Some(Unconverged::Uncommitted(at));
            }
            if let Some(consumer) = self.lagging(&at, status.hw) {
                return Some(Unconverged::Unread(names.roster.name(consumer).to_string(), at));
            }
        }
        None
    }

    /// A consumer of the partition's topic that has not read up to `end`.
    fn lagging(&self, at: &TopicPartition, end: i64) -> Option<NodeId> {
        let consumers = self.names.consumers.iter().zip(&self.plan.consumers);
        consumers
            .filter(|(_, plan)| plan.topics.iter().any(|topic| **topic == *at.topic))
            .find(|&(&node, _)| match self.world.process(node) {
                Some(Role::Consumer(consumer)) => {
                    consumer.position(at).is_none_or(|position| position < end)
                }
                _ => false,
            })
            .map(|(&node, _)| node)
    }

    fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &Vec<BrokerId>)> {
        self.plan.topics.iter().flat_map(|topic| {
            let name: Arc<str> = topic.name.as_str().into();
            (0..)
                .zip(&topic.assignment)
                .map(move |(index, replicas)| (TopicPartition::new(name.clone(), index), replicas))
        })
    }

    /// Who leads a partition, by what the running brokers say themselves: of several that think so, the one
    /// of the newest epoch.
    fn leader(&self, at: &TopicPartition) -> Option<(BrokerId, PartitionStatus)> {
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

    /// Tells the recorder what the final leaders' logs hold.
    pub fn read_final_logs(&mut self) {
        let now = self.world.now();
        let partitions: Vec<TopicPartition> = self.partitions().map(|(at, _)| at).collect();
        for at in partitions {
            let leader = self.leader(&at);
            let end = leader.as_ref().map_or(0, |(_, status)| status.leo);
            let id = leader.map(|(id, _)| id);
            self.world.observer_mut().recorder.final_log(now, &at, id, end);
            if let Some(node) = id.and_then(|id| self.broker_node(id)) {
                self.read_final_records(node, &at);
            }
        }
    }

    fn read_final_records(&mut self, node: NodeId, at: &TopicPartition) {
        let now = self.world.now();
        let (role, observer) = self.world.process_and_observer(node);
        let Some(Role::Broker(broker)) = role else { return };
        let mut last: Arc<str> = "".into();
        for batch in broker.replicas().records(at) {
            // A batch that does not decode holds no record that a client could be handed.
            for record in batch.records().unwrap_or_default() {
                let Some(value) = &record.value else { continue };
                let Some((producer, number)) = workload::decode(value) else { continue };
                if *last != *producer {
                    last = producer.into();
                }
                observer.recorder.final_record(now, at, record.offset, &last, number);
            }
        }
    }
}
