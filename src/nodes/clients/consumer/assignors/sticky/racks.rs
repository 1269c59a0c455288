//! The racks of a group's members and of the partitions' replicas (`RackInfo`, KIP-881).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::{Members, Topic};
use crate::vocab::TopicPartition;

/// The racks, if they make a difference.
#[derive(Debug, Default)]
pub(super) struct Racks {
    members: BTreeMap<Arc<str>, Arc<str>>,
    partitions: BTreeMap<TopicPartition, BTreeSet<Arc<str>>>,
    /// For each partition, how many members are in one of its racks; empty when no member has a rack.
    near: BTreeMap<TopicPartition, usize>,
}

impl Racks {
    /// The racks of `members` and of their `topics`.
    pub(super) fn of(topics: &JavaMap<Arc<str>, &Topic>, members: &Members<'_>) -> Self {
        let mut of_members = BTreeMap::new();
        let mut crowd: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in members.values() {
            let rack = member.subscription.rack.as_ref().filter(|rack| !rack.is_empty());
            if let Some(rack) = rack {
                of_members.insert(member.id.clone(), rack.clone());
                *crowd.entry(rack).or_default() += 1;
            }
        }
        if of_members.is_empty() {
            return Self::default();
        }
        let mut partitions: BTreeMap<TopicPartition, BTreeSet<Arc<str>>> = BTreeMap::new();
        for topic in topics.values() {
            for (index, racks) in topic.racks.iter().enumerate() {
                let at = TopicPartition::new(topic.name.clone(), index as i32);
                partitions.insert(at, racks.iter().cloned().collect());
            }
        }
        let crowd_of = |racks: &BTreeSet<Arc<str>>| {
            racks.iter().filter_map(|rack| crowd.get(rack)).sum::<usize>()
        };
        let near = partitions.iter().map(|(at, racks)| (at.clone(), crowd_of(racks))).collect();
        let all: BTreeSet<Arc<str>> = partitions.values().flatten().cloned().collect();
        let is_met = crowd.keys().any(|rack| all.contains(*rack));
        if !is_met || partitions.values().all(|racks| *racks == all) {
            return Self { near, ..Self::default() };
        }
        Self { members: of_members, partitions, near }
    }

    /// Whether racks count.
    pub(super) fn count(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether the member has a rack, and none of the partition's replicas is in it.
    pub(super) fn differ(&self, member: &Arc<str>, at: &TopicPartition) -> bool {
        self.members.get(member).is_some_and(|rack| !self.has_replica(at, rack))
    }

    /// The partitions, those near the fewest members first.
    pub(super) fn sort(&self, partitions: &mut [TopicPartition]) {
        if !self.near.is_empty() {
            partitions.sort_by_key(|at| self.near.get(at).copied().unwrap_or(0));
        }
    }

    /// The place of the next member in a rack of the partition, from the place `first` on, around the end.
    pub(super) fn next(
        &self,
        at: &TopicPartition,
        members: &[Arc<str>],
        first: usize,
    ) -> Option<usize> {
        let places = (0..members.len()).map(|step| (first + step) % members.len());
        let is_near = |place: &usize| {
            self.members.get(&members[*place]).is_some_and(|rack| self.has_replica(at, rack))
        };
        places.into_iter().find(is_near)
    }

    fn has_replica(&self, at: &TopicPartition, rack: &Arc<str>) -> bool {
        self.partitions.get(at).is_some_and(|racks| racks.contains(rack))
    }
}
