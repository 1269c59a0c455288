//! Partitions of `__transaction_state` that are being loaded.

use std::collections::{BTreeSet, VecDeque};

use crate::vocab::LeaderEpoch;

/// Partitions that are being loaded, each with the leader epoch.
#[derive(Debug, Default)]
pub struct Loads {
    /// What the thread has to do; the first is being loaded.
    pub jobs: VecDeque<(i32, LeaderEpoch)>,
    /// What is still wanted.
    pub loading: BTreeSet<(i32, LeaderEpoch)>,
}

impl Loads {
    /// Whether requests for the transactional ids of a partition have to wait for it.
    pub fn is_loading(&self, partition: i32) -> bool {
        self.loading.range((partition, LeaderEpoch::MIN)..=(partition, LeaderEpoch::MAX)).count()
            > 0
    }

    /// Whether any partition is being loaded.
    pub fn is_any_loading(&self) -> bool {
        !self.loading.is_empty()
    }

    /// The partition that is loaded now.
    pub fn first(&self) -> Option<i32> {
        self.jobs.front().map(|(partition, _)| *partition)
    }
}
