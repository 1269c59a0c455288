//! Which partitions a member may keep, when all say what they had (`allSubscriptionsEqual`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::{Assigned, Member, Members, Topic};
use super::user_data::{NO_GENERATION, Sticky};
use crate::releases::Change;
use crate::vocab::TopicPartition;

/// What the members claim.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Whether all members subscribe to the same topics.
    pub(super) are_alike: bool,
    /// The partitions that each member had and may keep.
    pub(super) kept: Assigned,
    /// The partitions that two members of one generation had.
    pub(super) disputed: BTreeSet<TopicPartition>,
    /// The members whose user data was read.
    pub(super) read: BTreeSet<Arc<str>>,
    /// The topics of the first member.
    topics: Vec<Arc<str>>,
    /// The member that claims each partition.
    owners: BTreeMap<TopicPartition, Arc<str>>,
    /// The members of the newest generation so far, and those of older ones (2.5.1 to 2.8.0).
    newest: Vec<Arc<str>>,
    older: Vec<Arc<str>>,
}

impl Claims {
    /// Hears the members one after the other.
    pub(super) fn of(
        sticky: Sticky,
        topics: &JavaMap<Arc<str>, &Topic>,
        members: &Members<'_>,
        newest: &mut i32,
    ) -> Self {
        let mut claims = Self { are_alike: true, ..Self::default() };
        for member in members.values() {
            claims.compare_topics(&member.subscription.topics);
            // From 3.0 on members are heard to the end, and generations of earlier rebalances count, too.
            if !claims.are_alike && !sticky.kafka.has(Change::StickyQuotas) {
                return claims;
            }
            claims.read.insert(member.id.clone());
            claims.kept.put(member.id.clone(), Vec::new());
            match sticky.kafka.has(Change::StickyComparesGenerations) {
                true => claims.hear_each(sticky, topics, member, members, newest),
                false => claims.hear_newest(sticky, topics, member, newest),
            }
        }
        for member in std::mem::take(&mut claims.older) {
            claims.kept.get_mut(&member).expect("it was heard").clear();
        }
        claims
    }

    fn compare_topics(&mut self, topics: &[Arc<str>]) {
        if self.topics.is_empty() {
            self.topics = topics.to_vec();
            return;
        }
        let is_same = topics.len() == self.topics.len()
            && topics.iter().all(|topic| self.topics.contains(topic));
        self.are_alike &= is_same;
    }

    /// Only members of the newest generation keep what they had (to 3.4.0).
    fn hear_newest(
        &mut self,
        sticky: Sticky,
        topics: &JavaMap<Arc<str>, &Topic>,
        member: &Member,
        newest: &mut i32,
    ) {
        let had = sticky.had(member);
        match had.generation {
            Some(generation) if generation < *newest => return,
            None if *newest != NO_GENERATION => return,
            Some(generation) if generation > *newest => {
                self.drop_newest(sticky);
                *newest = generation;
            }
            _ => {}
        }
        self.newest.push(member.id.clone());
        for at in had.partitions.iter().filter(|at| topics.contains(&at.topic)) {
            if !sticky.kafka.has(Change::StickyChecksOwners) {
                self.keep(&member.id, at);
            } else if let Some(other) = self.owners.get(at).cloned() {
                self.give_up(&other, at);
                self.disputed.insert(at.clone());
            } else {
                self.owners.insert(at.clone(), member.id.clone());
                self.keep(&member.id, at);
            }
        }
    }

    fn drop_newest(&mut self, sticky: Sticky) {
        let dropped = std::mem::take(&mut self.newest);
        if !sticky.kafka.has(Change::StickyChecksOwners) {
            self.older.extend(dropped);
            return;
        }
        self.owners.clear();
        self.disputed.clear();
        for member in dropped {
            self.kept.get_mut(&member).expect("it was heard").clear();
        }
    }

    /// Of two members the one of the later generation keeps a partition.
    fn hear_each(
        &mut self,
        sticky: Sticky,
        topics: &JavaMap<Arc<str>, &Topic>,
        member: &Member,
        members: &Members<'_>,
        newest: &mut i32,
    ) {
        let had = sticky.had(member);
        let generation = had.generation.unwrap_or(NO_GENERATION);
        *newest = generation.max(*newest);
        for at in had.partitions.iter().filter(|at| topics.contains(&at.topic)) {
            let Some(other) = self.owners.get(at).cloned() else {
                self.owners.insert(at.clone(), member.id.clone());
                self.keep(&member.id, at);
                continue;
            };
            // The field of the other's JoinGroup, even where members say their generation in user data.
            let field = members.get(&other).and_then(|other| other.subscription.generation);
            let others = field.unwrap_or(NO_GENERATION);
            if generation >= others {
                self.give_up(&other, at);
            }
            if generation == others {
                self.disputed.insert(at.clone());
            } else if generation > others {
                self.keep(&member.id, at);
            }
            if generation >= others || !sticky.kafka.has(Change::StickyLeavesBalanced) {
                self.owners.insert(at.clone(), member.id.clone());
            }
        }
    }

    fn keep(&mut self, member: &Arc<str>, at: &TopicPartition) {
        self.kept.get_mut(member).expect("it is heard").push(at.clone());
    }

    fn give_up(&mut self, member: &Arc<str>, at: &TopicPartition) {
        let kept = self.kept.get_mut(member).expect("it was heard");
        if let Some(place) = kept.iter().position(|other| other == at) {
            kept.remove(place);
        }
    }
}
