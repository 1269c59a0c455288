//! Transactions as the leaders' logs hold them: which are open, and with which markers others ended.
//!
//! What a leader appended may be truncated, and come back with another leader: what a new leader has is read from the
//! logs side by side.

use std::collections::{BTreeMap, VecDeque};

use crate::history::{BrokerObservation, TransactionObservation};
use crate::model::log_tree::Point;
use crate::model::replicas::{PartitionReplicas, Replicas};
use crate::vocab::{BrokerId, LeaderEpoch, Offset, Time, TopicPartition};

/// Batches and markers from which on those that are committed are folded away.
const ENTRIES_MAX: usize = 512;
/// Transactions that ended which are kept of each partition.
const ENDED_MAX: usize = 256;

/// A transaction that is open in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The id of its producer.
    pub producer: i64,
    /// The epoch of its producer.
    pub epoch: i16,
    /// The offset of its first record.
    pub first: Offset,
    /// Since when.
    pub since: Time,
}

/// A transaction that ended in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The id of its producer.
    pub producer: i64,
    /// The offset of its first record; the marker's when it had none.
    pub first: Offset,
    /// The offset of its marker.
    pub marker: Offset,
    /// Whether the marker commits it.
    pub commit: bool,
}

/// A batch of a transaction, or a marker.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Time,
    base: Offset,
    last: Offset,
    leader_epoch: LeaderEpoch,
    producer: i64,
    epoch: i16,
    /// Whether it commits, of a marker.
    marker: Option<bool>,
}

/// What the batch or marker was to the log that the event at hand appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// A batch that began a transaction here.
    Begins(Open),
    /// A batch of a transaction that was open.
    Continues,
    /// A batch of an epoch that ended: the newest epoch of its producer in the log is this one.
    Fenced(i16),
    /// A marker.
    Ends(Ended),
}

impl Appended {
    /// The transaction that ended.
    pub fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Ends(ended) => Some(ended),
            _ => None,
        }
    }
}

/// What is known of one producer in a log.
#[derive(Clone, Copy, Debug)]
struct Producer {
    epoch: i16,
    /// When its last marker was appended.
    marker: Option<Time>,
}

/// The transactions of one log.
#[derive(Clone, Debug, Default)]
struct State {
    open: BTreeMap<i64, Open>,
    producers: BTreeMap<i64, Producer>,
    ended: VecDeque<Ended>,
}

impl State {
    fn apply(&mut self, entry: &Entry) -> Appended {
        let Entry { time, base, producer, epoch, .. } = *entry;
        let new = Producer { epoch, marker: None };
        let known = self.producers.entry(producer).or_insert(new);
        if epoch < known.epoch {
            return Appended::Fenced(known.epoch);
        }
        known.epoch = epoch;
        let Some(commit) = entry.marker else {
            if self.open.contains_key(&producer) {
                return Appended::Continues;
            }
            let open = Open { producer, epoch, first: base, since: time };
            self.open.insert(producer, open);
            return Appended::Begins(open);
        };
        known.marker = Some(time);
        let first = self.open.remove(&producer).map_or(base, |open| open.first);
        let ended = Ended { producer, first, marker: base, commit };
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
        Appended::Ends(ended)
    }
}

/// What is known of a partition.
#[derive(Clone, Debug, Default)]
struct PartitionLog {
    /// The newest epoch of a leader.
    leader_epoch: LeaderEpoch,
    /// Batches and markers behind `folded`, in the order in which leaders appended them.
    entries: Vec<Entry>,
    /// The transactions of the log before those.
    folded: State,
    /// The transactions of the newest leader's log.
    now: State,
}

/// Whether a log has a batch, as far as it is kept; what is folded away is committed.
fn has(partition: &PartitionReplicas, log: Point, entry: &Entry) -> bool {
    match partition.logs.holding(log, entry.base) {
        Some((batch, _)) => (batch.base, batch.leader_epoch) == (entry.base, entry.leader_epoch),
        None => entry.last < log.end,
    }
}

impl PartitionLog {
    fn append(&mut self, partition: Option<&PartitionReplicas>, entry: Entry) -> Option<Appended> {
        if self.entries.len() >= ENTRIES_MAX
            && let Some(partition) = partition
        {
            self.fold(partition);
        }
        self.entries.push(entry);
        // A former leader's log is not the partition's.
        (entry.leader_epoch >= self.leader_epoch).then(|| {
            self.leader_epoch = entry.leader_epoch;
            self.now.apply(&entry)
        })
    }

    /// Folds what is committed, and forgets what other logs had there.
    fn fold(&mut self, partition: &PartitionReplicas) {
        let committed = partition.committed;
        let (mut below, above): (Vec<Entry>, Vec<Entry>) =
            self.entries.iter().partition(|entry| entry.last < committed.end);
        below.retain(|entry| has(partition, committed, entry));
        below.sort_by_key(|entry| entry.base);
        below.iter().for_each(|entry| _ = self.folded.apply(entry));
        self.entries = above;
    }

    /// A broker leads: its log counts.
    fn led_by(&mut self, partition: &PartitionReplicas, broker: BrokerId, epoch: LeaderEpoch) {
        if epoch <= self.leader_epoch {
            return;
        }
        self.leader_epoch = epoch;
        let Some(log) = partition.replica(broker).and_then(|replica| replica.log) else { return };
        let mut kept: Vec<&Entry> =
            self.entries.iter().filter(|entry| has(partition, log, entry)).collect();
        kept.sort_by_key(|entry| entry.base);
        self.now = self.folded.clone();
        kept.iter().for_each(|entry| _ = self.now.apply(entry));
    }
}

/// The transactions of all logs.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    partitions: BTreeMap<TopicPartition, PartitionLog>,
    latest: Option<Appended>,
}

impl Logs {
    /// What the event at hand appended, if it is part of a transaction or ends one.
    pub fn latest(&self) -> Option<&Appended> {
        self.latest.as_ref()
    }

    /// The transactions that are open in a partition, by the ids of their producers.
    pub fn open(&self, at: &TopicPartition) -> impl Iterator<Item = &Open> {
        self.partitions.get(at).into_iter().flat_map(|log| log.now.open.values())
    }

    /// When the last marker of a producer was appended to a partition.
    pub fn last_marker(&self, at: &TopicPartition, producer: i64) -> Option<Time> {
        self.partitions.get(at)?.now.producers.get(&producer)?.marker
    }

    /// The transaction of a producer that held an offset and ended.
    pub(super) fn ended_at(
        &self,
        at: &TopicPartition,
        producer: i64,
        offset: Offset,
    ) -> Option<&Ended> {
        let mut ended = self.partitions.get(at)?.now.ended.iter().rev();
        ended.find(|one| one.producer == producer && (one.first..one.marker).contains(&offset))
    }

    /// Folds in what a broker did, after its logs.
    pub(super) fn broker(
        &mut self,
        replicas: &Replicas,
        (time, broker): (Time, BrokerId),
        did: &BrokerObservation,
    ) {
        self.latest = None;
        match did {
            BrokerObservation::Transaction(did) => self.appended(replicas, time, did),
            BrokerObservation::BecameLeader { at, leader_epoch, .. } => {
                if let (Some(log), Some(partition)) =
                    (self.partitions.get_mut(at), replicas.find(at))
                {
                    log.led_by(partition, broker, *leader_epoch);
                }
            }
            BrokerObservation::ProducersExpired { at, producers } => {
                if let Some(log) = self.partitions.get_mut(at) {
                    producers.iter().for_each(|id| _ = log.now.producers.remove(id));
                }
            }
            _ => {}
        }
    }

    fn appended(&mut self, replicas: &Replicas, time: Time, did: &TransactionObservation) {
        let (at, entry) = match did {
            TransactionObservation::Appended { at, base, last, leader_epoch, producer, epoch } => {
                let (base, last, leader_epoch) = (*base, *last, *leader_epoch);
                let (producer, epoch, marker) = (*producer, *epoch, None);
                (at, Entry { time, base, last, leader_epoch, producer, epoch, marker })
            }
            TransactionObservation::MarkerAppended {
                at,
                offset,
                leader_epoch,
                producer,
                epoch,
                commit,
                ..
            } => {
                let (base, last, leader_epoch) = (*offset, *offset, *leader_epoch);
                let (producer, epoch, marker) = (*producer, *epoch, Some(*commit));
                (at, Entry { time, base, last, leader_epoch, producer, epoch, marker })
            }
            _ => return,
        };
        let partition = replicas.find(at);
        if partition.is_some_and(|partition| partition.deleted) {
            return;
        }
        let log = self.partitions.entry(at.clone()).or_default();
        self.latest = log.append(partition, entry);
    }
}
