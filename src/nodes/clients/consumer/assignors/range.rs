//! `RangeAssignor`: of each topic, a run of partitions to each member.
//!
//! From 3.5 on (KIP-881) members first get partitions that have a replica in their rack, where racks differ between
//! partitions; no member gets more partitions for it. Topics with as many partitions and the same members stay
//! side by side: partition 3 of all of them goes to one member.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::java_map::JavaMap;
use super::members::{Assigned, Member, Members, Topic, add, nothing, wanted};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;

/// Assigns the partitions of `topics`.
pub(super) fn assign(kafka: KafkaVersion, topics: &[Topic], members: &Members<'_>) -> Assigned {
    let mut subscribers: JavaMap<Arc<str>, Vec<&Member>> = JavaMap::default();
    for member in members.values() {
        for topic in &member.subscription.topics {
            add(kafka, &mut subscribers, topic, *member);
        }
    }
    for (_, members) in subscribers.iter_mut() {
        match kafka.has(Change::StaticMembersFirst) {
            true => members.sort_by(|a, b| a.by_instance().cmp(&b.by_instance())),
            false => members.sort_by(|a, b| a.id.cmp(&b.id)),
        }
    }
    let topics = wanted(topics, members);
    let by_rack = kafka.has(Change::RackAwareAssignors);
    let order: Vec<&Arc<str>> = match by_rack {
        true => topics.keys().collect(),
        false => subscribers.keys().filter(|name| topics.contains(name)).collect(),
    };
    let mut ranges: Vec<Ranges<'_>> = order
        .into_iter()
        .filter_map(|name| Some(Ranges::of(topics.get(name)?, subscribers.get(name)?, by_rack)))
        .collect();
    let mut assigned = nothing(members);
    let racks_differ = ranges.iter().any(|topic| topic.racks_differ);
    if racks_differ {
        assign_by_rack(&mut ranges, &mut assigned);
    }
    for topic in &mut ranges {
        topic.assign_runs(|_, _| true, &mut assigned);
    }
    if racks_differ {
        assigned.iter_mut().for_each(|(_, partitions)| partitions.sort());
    }
    assigned
}

/// Each set of topics with the same members and as many partitions together.
fn assign_by_rack(topics: &mut [Ranges<'_>], assigned: &mut Assigned) {
    let mut alike: BTreeMap<(Vec<&Arc<str>>, usize), Vec<&mut Ranges<'_>>> = BTreeMap::new();
    for topic in topics {
        let mut members: Vec<_> = topic.members.iter().map(|member| &member.id).collect();
        members.sort();
        // A topic whose members have no rack knows nothing of the racks of its partitions.
        let partitions = if topic.has_racks { topic.topic.racks.len() } else { 0 };
        alike.entry((members, partitions)).or_default().push(topic);
    }
    for ((_, partitions), mut topics) in alike {
        match topics.as_mut_slice() {
            [topic] if topic.racks_differ => {
                let rack_matches = |member: &Member, racks: &[Arc<str>]| matches(member, racks);
                topic.assign_runs(rack_matches, assigned);
            }
            [_] => {}
            topics => assign_side_by_side(topics, partitions, assigned),
        }
    }
}

/// Gives each partition, of all topics, to the first member whose rack has a replica of all of them.
fn assign_side_by_side(topics: &mut [&mut Ranges<'_>], partitions: usize, assigned: &mut Assigned) {
    let mut remaining: Vec<usize> = (0..topics[0].members.len()).collect();
    for partition in 0..partitions {
        let fits = |&member: &usize| {
            topics.iter().all(|topic| {
                matches(topic.members[member], &topic.topic.racks[partition])
                    && topic.assignable(member) > 0
            })
        };
        let Some(member) = remaining.iter().copied().find(fits) else { continue };
        for topic in topics.iter_mut() {
            topic.give(member, vec![partition], assigned);
        }
        if topics.iter().all(|topic| topic.assignable(member) == 0) {
            remaining.retain(|&other| other != member);
        }
        if remaining.is_empty() {
            break;
        }
    }
}

/// Whether a member has no rack, or one of `racks`.
fn matches(member: &Member, racks: &[Arc<str>]) -> bool {
    rack(member).is_none_or(|rack| racks.contains(rack))
}

fn rack(member: &Member) -> Option<&Arc<str>> {
    member.subscription.rack.as_ref().filter(|rack| !rack.is_empty())
}

/// A topic while its partitions are given away.
struct Ranges<'a> {
    topic: &'a Topic,
    members: &'a [&'a Member],
    /// Whether a member has a rack.
    has_racks: bool,
    /// Whether it matters to the members' racks which partition they get.
    racks_differ: bool,
    unassigned: Vec<usize>,
    /// How many partitions each member has.
    has: Vec<usize>,
    /// How many partitions each member gets at least.
    each: usize,
    /// How many members can still get one more.
    extra: usize,
}

impl<'a> Ranges<'a> {
    fn of(topic: &'a Topic, members: &'a [&'a Member], by_rack: bool) -> Self {
        let of_members: BTreeSet<_> = members.iter().filter_map(|member| rack(member)).collect();
        let of_topic: BTreeSet<_> = topic.racks.iter().flatten().collect();
        let is_everywhere = |racks: &Vec<_>| racks.iter().collect::<BTreeSet<_>>() == of_topic;
        let has_racks = by_rack && !of_members.is_empty();
        Self {
            racks_differ: has_racks
                && !of_members.is_disjoint(&of_topic)
                && !topic.racks.iter().all(is_everywhere),
            has_racks,
            unassigned: (0..topic.racks.len()).collect(),
            has: vec![0; members.len()],
            each: topic.racks.len() / members.len(),
            extra: topic.racks.len() % members.len(),
            topic,
            members,
        }
    }

    /// How many more partitions a member can get.
    fn assignable(&self, member: usize) -> usize {
        (self.each + usize::from(self.extra > 0)).saturating_sub(self.has[member])
    }

    /// Gives each member in turn as many of the first partitions that fit as it can get.
    fn assign_runs(
        &mut self,
        fits: impl Fn(&Member, &[Arc<str>]) -> bool,
        assigned: &mut Assigned,
    ) {
        for member in 0..self.members.len() {
            let fitting = self.unassigned.iter().copied();
            let fitting = fitting.filter(|&at| fits(self.members[member], &self.topic.racks[at]));
            let run: Vec<usize> = fitting.take(self.assignable(member)).collect();
            if !run.is_empty() {
                self.give(member, run, assigned);
            }
        }
    }

    fn give(&mut self, member: usize, partitions: Vec<usize>, assigned: &mut Assigned) {
        self.has[member] += partitions.len();
        if self.has[member] > self.each {
            self.extra -= 1;
        }
        self.unassigned.retain(|at| !partitions.contains(at));
        let name = &self.topic.name;
        let given = partitions.into_iter().map(|at| TopicPartition::new(name.clone(), at as i32));
        assigned.get_mut(&self.members[member].id).expect("it is a member").extend(given);
    }
}
