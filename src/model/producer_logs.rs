//! The batches of idempotent producers in the logs of leaders: which one came before another.

use std::collections::BTreeMap;

use super::replicas::Replicas;
use crate::history::{BrokerObservation, ProducerBatch};
use crate::vocab::{BrokerId, LeaderEpoch, Offset, TopicPartition};

/// Batches that are kept of each producer in a partition.
const BATCHES_MAX: usize = 64;

/// A batch that some leader appended.
#[derive(Clone, Copy, Debug)]
struct Known {
    base: Offset,
    leader_epoch: LeaderEpoch,
    batch: ProducerBatch,
}

/// The batch that was appended last, and what was there of its producer before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The batch before it in the leader's log, if it is known.
    pub before: Option<ProducerBatch>,
    /// The batch.
    pub batch: ProducerBatch,
}

/// The batches of idempotent producers.
#[derive(Clone, Debug, Default)]
pub struct ProducerLogs {
    /// By partition and producer, in the order in which they were appended. Any of them may be truncated on some
    /// brokers, and come back with others.
    batches: BTreeMap<TopicPartition, BTreeMap<i64, Vec<Known>>>,
    latest: Option<Appended>,
    /// Whether there was a batch of an idempotent producer.
    pub has_batches: bool,
}

/// The last of `known` that is in a broker's log below `end`, as far as the log is kept.
fn last_in_log(
    replicas: &Replicas,
    (broker, at): (BrokerId, &TopicPartition),
    known: &[Known],
    end: Offset,
) -> Option<ProducerBatch> {
    let partition = replicas.find(at)?;
    let log = partition.replica(broker)?.log?;
    for one in known.iter().rev().filter(|one| one.base < end) {
        let (batch, _) = partition.logs.holding(log, one.base)?;
        if (batch.base, batch.leader_epoch) == (one.base, one.leader_epoch) {
            return Some(one.batch);
        }
    }
    None
}

impl ProducerLogs {
    /// The batch that the event at hand appended.
    pub fn latest(&self) -> Option<&Appended> {
        self.latest.as_ref()
    }

    /// Folds in what a broker did, after its logs.
    pub fn broker(&mut self, replicas: &Replicas, broker: BrokerId, did: &BrokerObservation) {
        self.latest = None;
        match did {
            BrokerObservation::ProducerAppended { at, base, leader_epoch, batch } => {
                self.has_batches = true;
                let of_partition = self.batches.entry(at.clone()).or_default();
                let known = of_partition.entry(batch.producer).or_default();
                let before = last_in_log(replicas, (broker, at), known, *base);
                if known.len() == BATCHES_MAX {
                    known.remove(0);
                }
                let (base, leader_epoch, batch) = (*base, *leader_epoch, *batch);
                known.push(Known { base, leader_epoch, batch });
                self.latest = Some(Appended { before, batch });
            }
            BrokerObservation::ProducersExpired { at, producers } => {
                if let Some(of_partition) = self.batches.get_mut(at) {
                    producers.iter().for_each(|id| _ = of_partition.remove(id));
                }
            }
            _ => {}
        }
    }
}
