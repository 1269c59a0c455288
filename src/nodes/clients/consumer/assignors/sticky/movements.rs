//! Which partitions were moved from which member to which, while a group is balanced (`PartitionMovements`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::java_map::JavaMap;
use crate::vocab::TopicPartition;

/// From one member to another.
type Pair = (Arc<str>, Arc<str>);

/// The moves so far; a partition that moves twice counts as moved once, from its first member to its last.
#[derive(Debug, Default)]
pub(super) struct Movements {
    of: BTreeMap<TopicPartition, Pair>,
    by_topic: BTreeMap<Arc<str>, BTreeMap<Pair, JavaMap<TopicPartition, ()>>>,
}

impl Movements {
    /// `at` moves from the member `from` to the member `to`.
    pub(super) fn add(&mut self, at: &TopicPartition, from: &Arc<str>, to: &Arc<str>) {
        let from = match self.of.remove(at) {
            None => from.clone(),
            Some(pair) => {
                self.forget(at, &pair);
                pair.0
            }
        };
        if from != *to {
            let pair = (from, to.clone());
            self.of.insert(at.clone(), pair.clone());
            let pairs = self.by_topic.entry(at.topic.clone()).or_default();
            pairs.entry(pair).or_default().put(at.clone(), ());
        }
    }

    /// What to move from `from` to `to` instead of `at`: a partition of its topic that came the other way.
    pub(super) fn instead(
        &self,
        at: &TopicPartition,
        from: &Arc<str>,
        to: &Arc<str>,
    ) -> TopicPartition {
        let from = self.of.get(at).map_or(from, |(first, _)| first);
        let back = (to.clone(), from.clone());
        let moved = self.by_topic.get(&at.topic).and_then(|pairs| pairs.get(&back));
        moved.and_then(|moved| moved.keys().next()).unwrap_or(at).clone()
    }

    fn forget(&mut self, at: &TopicPartition, pair: &Pair) {
        let Some(pairs) = self.by_topic.get_mut(&at.topic) else { return };
        if let Some(moved) = pairs.get_mut(pair) {
            moved.remove(at);
            if moved.is_empty() {
                pairs.remove(pair);
            }
        }
    }
}
