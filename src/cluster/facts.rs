//! What is read off the cluster after a run ended, for the judges: whose logs count and what they hold, how far
//! every replica and every consumer is, and what kept the cluster from converging.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Cluster;
use super::conversation::of_workload;
use super::role::Role;
use crate::history::{Fact, Follower, Leading, Replica};
use crate::model::{Missing, Reader};
use crate::nodes::broker::replica::{PartitionStatus, ReplicaManager};
use crate::releases::unnoted;
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Offset, TopicPartition};
use crate::wire::records::{Batch, DECOMPRESSED_MAX};
use crate::wire::workload;

/// What distinguishes batches: first and last offset, leader epoch, checksum.
type BatchId = (Offset, Offset, LeaderEpoch, u32);

fn id(batch: &Batch) -> BatchId {
    (batch.base_offset, batch.last_offset, batch.leader_epoch, batch.checksum)
}

impl<R: Reader> Cluster<'_, R> {
    /// Tells the recorder everything.
    pub fn tell_facts(&mut self, unconverged: Option<&Missing>) {
        if let Some(unconverged) = unconverged {
            let why = unnoted(|| self.model().describe(unconverged)).into();
            self.tell(&Fact::Unconverged { why });
        }
        let mut partitions: Vec<(TopicPartition, Vec<BrokerId>)> =
            self.partitions().map(|(at, replicas)| (at, replicas.clone())).collect();
        if self.names.outside.is_some() {
            // Clients from outside write to topics that they, or brokers for them, created.
            let model = self.model();
            let all = model.partitions().map(|at| (model.assignment(&at).to_vec(), at));
            // Kafka's own topics hold no record of a client.
            let all = all.filter(|(_, at)| !at.topic.starts_with("__"));
            let others = all.filter(|(_, at)| self.terms_know_nothing_of(at));
            partitions.extend(others.map(|(replicas, at)| (at, replicas)).collect::<Vec<_>>());
        }
        for (at, replicas) in partitions {
            let leader = self.leader(&at);
            let end = leader.as_ref().map_or(0, |(_, status)| status.log_end_offset);
            let leader = leader.map(|(id, _)| id);
            let now = self.world.now();
            self.world.observer_mut().final_log(now, &at, leader, end);
            if let Some(node) = leader.and_then(|id| self.broker_node(id)) {
                self.tell_records(node, &at);
            }
            for broker in replicas {
                let replica = self.replica(broker, leader, &at);
                self.tell(&Fact::FinalReplica { at: at.clone(), broker, replica });
            }
        }
        self.tell_positions();
    }

    fn tell(&mut self, fact: &Fact) {
        let now = self.world.now();
        self.world.observer_mut().fact(now, fact);
    }

    fn terms_know_nothing_of(&self, at: &TopicPartition) -> bool {
        self.model().terms.assignment(at).is_empty()
    }

    fn tell_positions(&mut self) {
        let mut facts = Vec::new();
        for (at, _) in self.partitions() {
            for (&node, plan) in self.names.consumers.iter().zip(&self.plan.consumers) {
                if !plan.topics.iter().any(|topic| **topic == *at.topic) {
                    continue;
                }
                let position = match self.world.process(node) {
                    Some(Role::Consumer(consumer)) => consumer.position(&at),
                    Some(Role::ZookeeperConsumer(consumer)) => consumer.position(&at),
                    _ => continue,
                };
                facts.push(Fact::FinalPosition { consumer: node, at: at.clone(), position });
            }
        }
        facts.iter().for_each(|fact| self.tell(fact));
    }

    fn tell_records(&mut self, node: NodeId, at: &TopicPartition) {
        if self.names.outside.is_some() {
            return self.tell_records_of_all(node, at);
        }
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
                observer.final_record(now, at, record.offset, &last, number);
            }
        }
    }

    /// The same with the records of clients from outside, which only their accounts know.
    fn tell_records_of_all(&mut self, node: NodeId, at: &TopicPartition) {
        let outside = self.names.outside.and_then(|outside| self.world.process(outside));
        let Some(Role::ExternalClients(outside)) = outside else { return };
        let Some(Role::Broker(broker)) = self.world.process(node) else { return };
        let mut records = Vec::new();
        for batch in broker.replicas().records(at) {
            let mut known = of_workload(&batch).into_iter();
            // A batch that does not decode holds no record that a client could be handed.
            let _: Result<(), _> = batch.hashes(&mut { DECOMPRESSED_MAX }, |offset, content| {
                let (accounts, known) = (outside.accounts(), known.next().flatten());
                let record = accounts.identify(at, offset, content);
                let record = record.or(known.filter(|(name, _)| accounts.is_node(name)));
                records.extend(record.map(|(producer, number)| (offset, producer, number)));
            });
        }
        let now = self.world.now();
        for (offset, producer, number) in records {
            self.world.observer_mut().final_record(now, at, offset, &producer, number);
        }
    }

    fn replica(
        &self,
        broker: BrokerId,
        leader: Option<BrokerId>,
        at: &TopicPartition,
    ) -> Option<Replica> {
        let here = self.replicas_of(broker)?;
        let status = here.status(at)?;
        let log_hash = here.records(at).map(|batch| id(&batch)).fold(0, fold);
        let differs_at = leader.and_then(|leader| self.first_difference(leader, broker, at));
        Some(Replica {
            log_start: status.log_start_offset,
            log_end: status.log_end_offset,
            high_watermark: status.high_watermark,
            leader_epoch: status.leader_epoch,
            leading: status.is_leader.then(|| leading(status)),
            log_hash,
            differs_at,
        })
    }

    /// The replicas of a broker that runs.
    fn replicas_of(&self, id: BrokerId) -> Option<&ReplicaManager> {
        match self.world.process(self.broker_node(id)?)? {
            Role::Broker(broker) => Some(broker.replicas()),
            _ => None,
        }
    }

    /// Every partition of the plan with its replicas.
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

    /// The first offset at which two brokers' logs hold different batches, as far as both go.
    fn first_difference(
        &self,
        one: BrokerId,
        other: BrokerId,
        at: &TopicPartition,
    ) -> Option<Offset> {
        let (one, other) = (self.replicas_of(one)?, self.replicas_of(other)?);
        let start = one.status(at)?.log_start_offset.max(other.status(at)?.log_start_offset);
        first_difference(
            one.records(at).map(|batch| id(&batch)),
            other.records(at).map(|batch| id(&batch)),
            start,
        )
    }
}

fn leading(status: PartitionStatus) -> Leading {
    let follower = |(broker, log_end, fetched)| Follower { broker, log_end, fetched };
    Leading {
        isr: status.isr,
        is_isr_pending: status.is_isr_pending,
        is_held_below_min_isr: status.is_held_below_min_isr,
        followers: status.followers.into_iter().map(follower).collect(),
    }
}

fn fold(hash: u64, (base, last, leader_epoch, checksum): BatchId) -> u64 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&base.to_le_bytes());
    bytes[8..16].copy_from_slice(&last.to_le_bytes());
    bytes[16..20].copy_from_slice(&leader_epoch.to_le_bytes());
    bytes[20..].copy_from_slice(&checksum.to_le_bytes());
    xxh3_64_with_seed(&bytes, hash)
}

/// The first offset from `start` on where two logs hold different batches, as far as both go.
fn first_difference(
    one: impl Iterator<Item = BatchId>,
    other: impl Iterator<Item = BatchId>,
    start: Offset,
) -> Option<Offset> {
    // A batch that only one of them still has a part of was cut by its log's start.
    let whole = |batch: &BatchId| batch.0 >= start;
    let mut pairs = one.filter(whole).zip(other.filter(whole));
    pairs.find(|(one, other)| one != other).map(|(one, other)| one.0.min(other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(batches: &[(Offset, Offset, LeaderEpoch)]) -> Vec<BatchId> {
        batches.iter().map(|&(base, last, epoch)| (base, last, epoch, 7)).collect()
    }

    #[test]
    fn logs_are_compared_as_far_as_both_go() {
        let one = log(&[(0, 4, 0), (5, 5, 0), (6, 9, 1)]);
        let differs = |other: &[BatchId], start| {
            first_difference(one.iter().copied(), other.iter().copied(), start)
        };
        assert_eq!(differs(&one, 0), None);
        assert_eq!(differs(&one[..2], 0), None);
        assert_eq!(differs(&log(&[(5, 5, 0), (6, 9, 1)]), 5), None);
        assert_eq!(differs(&log(&[(0, 4, 0), (5, 5, 0), (6, 9, 2)]), 0), Some(6));
        assert_eq!(differs(&log(&[(0, 4, 0), (5, 9, 0)]), 0), Some(5));
        assert_eq!(differs(&log(&[(0, 4, 1), (5, 5, 0)]), 5), None, "below both starts");
    }

    #[test]
    fn the_hash_of_a_log_knows_every_field_and_the_order() {
        let (a, b) = ((0, 4, 0, 7), (5, 5, 0, 7));
        let hash = |batches: &[BatchId]| batches.iter().fold(0, |hash, &batch| fold(hash, batch));
        let all = [
            hash(&[a, b]),
            hash(&[b, a]),
            hash(&[a, (6, 6, 0, 7)]),
            hash(&[a, (5, 6, 0, 7)]),
            hash(&[a, (5, 5, 1, 7)]),
            hash(&[a, (5, 5, 0, 8)]),
        ];
        let different: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
