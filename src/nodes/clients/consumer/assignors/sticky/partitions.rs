//! Lists of partitions.

use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::Topic;
use crate::vocab::TopicPartition;

/// The partitions of all topics, the topics in Java's order.
pub(super) fn all_partitions(
    topics: &JavaMap<Arc<str>, &Topic>,
) -> impl Iterator<Item = TopicPartition> {
    topics.values().flat_map(|topic| {
        let indexes = 0..topic.racks.len();
        indexes.map(|index| TopicPartition::new(topic.name.clone(), index as i32))
    })
}

/// `all` without those `taken`; both are in one order.
///
/// A partition of `taken` that is not in `all` hides those after it, as in Java (`getUnassignedPartitions`).
pub(super) fn without(all: Vec<TopicPartition>, taken: &[TopicPartition]) -> Vec<TopicPartition> {
    let mut taken = taken.iter().peekable();
    all.into_iter().filter(|at| taken.next_if(|next| *next == at).is_none()).collect()
}
