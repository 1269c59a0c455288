//! Partitions of `__consumer_offsets` that are being loaded.

use std::collections::{BTreeMap, VecDeque};

use crate::releases::{Change, KafkaVersion};
use crate::vocab::LeaderEpoch;

/// Partitions that wait to be loaded.
#[derive(Debug, Default)]
pub struct Loads {
    /// The first is being loaded.
    pub queue: VecDeque<i32>,
    /// The leader epoch that was heard of last, by partition.
    epochs: BTreeMap<i32, LeaderEpoch>,
}

impl Loads {
    /// Whether requests for groups of a partition are told to wait for it. Up to 1.0 they are told that the broker is
    /// not the coordinator; since 2.8.1 so are those for partitions that the thread has not begun with.
    pub fn is_loading(&self, partition: i32, version: KafkaVersion) -> bool {
        if !version.has(Change::LoadingErrorFirst) {
            return false;
        }
        if version.has(Change::CoordinatorEpochsCompared) {
            return self.queue.front() == Some(&partition);
        }
        self.queue.contains(&partition)
    }

    /// Whether any partition is being loaded.
    pub fn is_any_loading(&self, version: KafkaVersion) -> bool {
        self.queue.front().is_some_and(|first| self.is_loading(*first, version))
    }

    /// The first partition is read now.
    pub fn begin(&self) -> Option<i32> {
        self.queue.front().copied()
    }

    /// Whether something of this leader epoch or a later one was heard of a partition before; notes it if not.
    pub fn is_old(&mut self, partition: i32, epoch: LeaderEpoch, version: KafkaVersion) -> bool {
        if !version.has(Change::CoordinatorEpochsCompared) {
            return false;
        }
        let last = self.epochs.entry(partition).or_insert(-1);
        let is_old = epoch <= *last;
        *last = epoch.max(*last);
        is_old
    }
}
