//! Members with different topics: how the sticky assignors fill and balance what each has (`balance`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::{Assigned, AssignorError, Members, Topic};
use super::movements::Movements;
use super::partitions::all_partitions;
use super::racks::Racks;
use super::user_data::Sticky;
use crate::releases::Change;
use crate::vocab::TopicPartition;

/// The members with what they have, while it changes.
#[derive(Debug)]
pub(super) struct Balance {
    sticky: Sticky,
    /// How many partitions each topic has.
    counts: BTreeMap<Arc<str>, usize>,
    /// How many members subscribe to each topic.
    subscribers: BTreeMap<Arc<str>, usize>,
    /// The topics of each member, without unknown ones.
    wanted: JavaMap<Arc<str>, Vec<Arc<str>>>,
    pub(super) current: Assigned,
    /// The member that each partition belongs to, or belonged to last.
    owners: BTreeMap<TopicPartition, Arc<str>>,
    /// The member before that, if a member of an older generation says so.
    pub(super) before: JavaMap<TopicPartition, Arc<str>>,
    /// The members that take part, by how many partitions they have.
    order: BTreeSet<(usize, Arc<str>)>,
    pub(super) racks: Racks,
    movements: Movements,
}

impl Balance {
    /// The members have what `current` says.
    pub(super) fn new(
        sticky: Sticky,
        topics: &JavaMap<Arc<str>, &Topic>,
        members: &Members<'_>,
        mut current: Assigned,
    ) -> Self {
        let mut wanted = match sticky.kafka.has(Change::StickyQuotas) {
            true => JavaMap::with_capacity(members.len()),
            false => JavaMap::default(),
        };
        let mut subscribers = BTreeMap::new();
        for member in members.values() {
            let known = |topic: &&Arc<str>| topics.contains(topic);
            let of: Vec<_> = member.subscription.topics.iter().filter(known).cloned().collect();
            for topic in &of {
                *subscribers.entry(topic.clone()).or_default() += 1;
            }
            wanted.put(member.id.clone(), of);
            if !current.contains(&member.id) {
                current.put(member.id.clone(), Vec::new());
            }
        }
        let pairs =
            current.iter().flat_map(|(id, of)| of.iter().map(|at| (at.clone(), id.clone())));
        Self {
            sticky,
            counts: topics.values().map(|of| (of.name.clone(), of.racks.len())).collect(),
            subscribers,
            wanted,
            owners: pairs.collect(),
            current,
            before: JavaMap::default(),
            order: BTreeSet::new(),
            racks: Racks::default(),
            movements: Movements::default(),
        }
    }

    /// What partitions are sorted by: those that the fewest members want come first.
    pub(super) fn rank(&self, at: &TopicPartition) -> (usize, TopicPartition) {
        (self.subscribers.get(&at.topic).copied().unwrap_or(0), at.clone())
    }

    /// Takes away what a member does not want, and what there is not; whether a member lost one that there is.
    pub(super) fn drop_unwanted(&mut self, topics: &JavaMap<Arc<str>, &Topic>) -> bool {
        let by_topic = self.sticky.kafka.has(Change::StickyQuotas);
        let mut is_revoked = false;
        for (member, partitions) in self.current.iter_mut() {
            let wanted = self.wanted.get(member).expect("it is a member");
            partitions.retain(|at| {
                let count = topics.get(&at.topic).map(|topic| topic.racks.len());
                let exists = count.is_some_and(|count| by_topic || (at.partition as usize) < count);
                if !exists {
                    self.owners.remove(at);
                    return false;
                }
                let stays = wanted.contains(&at.topic) && !self.racks.differ(member, at);
                is_revoked |= !stays;
                stays
            });
        }
        is_revoked
    }

    /// Gives out `unassigned`, and then moves partitions from members with more to members with fewer.
    pub(super) fn run(
        mut self,
        mut sorted: Vec<TopicPartition>,
        mut unassigned: Vec<TopicPartition>,
        is_revoked: bool,
    ) -> Result<Assigned, AssignorError> {
        self.order = self.current.iter().map(|(id, of)| (of.len(), id.clone())).collect();
        let is_new = self.order.last().is_none_or(|(count, _)| *count == 0);
        self.give_out(&unassigned);
        let can_move = |at: &TopicPartition| self.subscribers.get(&at.topic).copied() >= Some(2);
        sorted.retain(can_move);
        unassigned.retain(can_move);
        let fixed = self.take_fixed();
        let (current, owners) = (self.current.clone(), self.owners.clone());
        // Since 2.4 (KAFKA-8179) what was unassigned is moved first, and the rest only if that is not enough.
        if self.sticky.kafka.has(Change::CooperativeSticky) && !is_revoked {
            self.move_some(&unassigned)?;
        }
        let is_moved = self.move_some(&sorted)?;
        if !is_new && is_moved && score(&self.current) >= score(&current) {
            self.current.refill(current);
            self.owners = owners;
        }
        for (member, partitions) in fixed.into_entries() {
            self.current.put(member, partitions);
        }
        Ok(self.current)
    }

    fn give_out(&mut self, unassigned: &[TopicPartition]) {
        let mut rest = Vec::new();
        let by_rack = self.racks.count();
        for at in unassigned {
            let is_given = by_rack && self.give(at, true);
            if !is_given {
                rest.push(at);
            }
        }
        for at in rest {
            self.give(at, false);
        }
    }

    fn give(&mut self, at: &TopicPartition, by_rack: bool) -> bool {
        let takes = |(_, member): &&(usize, Arc<str>)| {
            let wanted = self.wanted.get(member).expect("it is a member");
            wanted.contains(&at.topic) && !(by_rack && self.racks.differ(member, at))
        };
        let Some((_, member)) = self.order.iter().find(takes).cloned() else { return false };
        self.change(&member, |partitions| partitions.push(at.clone()));
        self.owners.insert(at.clone(), member);
        true
    }

    /// Changes what a member has, and keeps the order.
    fn change(&mut self, member: &Arc<str>, change: impl FnOnce(&mut Vec<TopicPartition>)) {
        let partitions = self.current.get_mut(member).expect("it takes part");
        let before = partitions.len();
        change(partitions);
        let after = partitions.len();
        self.order.remove(&(before, member.clone()));
        self.order.insert((after, member.clone()));
    }

    /// Takes out the members that have all that they can have, and nothing that another could have.
    fn take_fixed(&mut self) -> Assigned {
        let mut fixed = Assigned::default();
        let members: Vec<Arc<str>> = self.wanted.keys().cloned().collect();
        for member in members {
            let has = self.current.get(&member).expect("it is a member");
            let can_move = |at: &TopicPartition| {
                self.subscribers.get(&at.topic).is_some_and(|count| *count >= 2)
            };
            if has.len() < self.most(&member) || has.iter().any(can_move) {
                continue;
            }
            self.order.remove(&(has.len(), member.clone()));
            let has = self.current.remove(&member).expect("it is a member");
            fixed.put(member, has);
        }
        fixed
    }

    /// How many partitions the topics of a member have.
    fn most(&self, member: &Arc<str>) -> usize {
        let wanted = self.wanted.get(member).expect("it is a member");
        wanted.iter().filter_map(|topic| self.counts.get(topic)).sum()
    }

    /// How many partitions a member has that takes part.
    fn count(&self, member: &Arc<str>) -> Result<usize, AssignorError> {
        self.current.get(member).map(Vec::len).ok_or(AssignorError::NullPointer)
    }

    /// Moves partitions, first to last, until it is balanced or none moves; whether one did.
    fn move_some(&mut self, partitions: &[TopicPartition]) -> Result<bool, AssignorError> {
        let mut is_moved = false;
        loop {
            let mut moves = false;
            for at in partitions {
                if self.is_balanced()? {
                    break;
                }
                if let Some(to) = self.better_owner(at)? {
                    self.move_to(at, &to);
                    moves = true;
                }
            }
            if !moves {
                return Ok(is_moved);
            }
            is_moved = true;
        }
    }

    /// The member that a partition moves to, if one has at least two fewer.
    fn better_owner(&self, at: &TopicPartition) -> Result<Option<Arc<str>>, AssignorError> {
        let owner = self.owners.get(at).ok_or(AssignorError::NullPointer)?;
        if let Some(before) = self.before.get(at)
            && self.count(owner)? > self.count(before)? + 1
        {
            return Ok(Some(before.clone()));
        }
        let wants = |member: &Arc<str>| {
            self.wanted.get(member).is_some_and(|wanted| wanted.contains(&at.topic))
        };
        let first = self.order.iter().find(|(_, member)| wants(member));
        let Some((fewest, member)) = first else { return Ok(None) };
        Ok((self.count(owner)? > fewest + 1).then(|| member.clone()))
    }

    fn move_to(&mut self, at: &TopicPartition, to: &Arc<str>) {
        let at = self.movements.instead(at, &self.owners[at], to);
        let from = self.owners[&at].clone();
        self.movements.add(&at, &from, to);
        self.change(&from, |partitions| {
            if let Some(place) = partitions.iter().position(|other| *other == at) {
                partitions.remove(place);
            }
        });
        self.change(to, |partitions| partitions.push(at.clone()));
        self.owners.insert(at, to.clone());
    }

    /// Whether no member with fewer partitions could have one of a member with more (`isBalanced`).
    fn is_balanced(&self) -> Result<bool, AssignorError> {
        let (Some((fewest, _)), Some((most, _))) = (self.order.first(), self.order.last()) else {
            return Ok(true);
        };
        if *fewest + 1 >= *most {
            return Ok(true);
        }
        let mut holders: BTreeMap<&TopicPartition, usize> = BTreeMap::new();
        for partitions in self.current.values() {
            holders.extend(partitions.iter().map(|at| (at, partitions.len())));
        }
        let slack = usize::from(self.sticky.kafka.has(Change::StickyLeavesBalanced));
        let mut largest: BTreeMap<&Arc<str>, Option<usize>> = BTreeMap::new();
        for (topic, count) in &self.counts {
            let mut of = (0..*count).map(|index| {
                holders.get(&TopicPartition::new(topic.clone(), index as i32)).copied()
            });
            largest.insert(topic, of.try_fold(0, |most, count| Some(count?.max(most))));
        }
        for (count, member) in &self.order {
            if *count == self.most(member) {
                continue;
            }
            for topic in self.wanted.get(member).expect("it is a member") {
                let is_fair = |most: usize| count + slack >= most;
                if !largest[topic].is_some_and(is_fair)
                    && !self.is_fair(member, topic, &holders, is_fair)?
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether that is so of each partition of one topic that the member does not have.
    fn is_fair(
        &self,
        member: &Arc<str>,
        topic: &Arc<str>,
        holders: &BTreeMap<&TopicPartition, usize>,
        is_fair: impl Fn(usize) -> bool,
    ) -> Result<bool, AssignorError> {
        let has = self.current.get(member).ok_or(AssignorError::NullPointer)?;
        for index in 0..self.counts[topic] {
            let at = TopicPartition::new(topic.clone(), index as i32);
            if has.contains(&at) {
                continue;
            }
            if !is_fair(*holders.get(&at).ok_or(AssignorError::NullPointer)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The partitions in the order in which the assignors before 2.5.1 try to move them, where all members want the
    /// same and have had partitions before: one of the member with the most, again and again.
    pub(super) fn by_turns(&self, topics: &JavaMap<Arc<str>, &Topic>) -> Vec<TopicPartition> {
        let all: JavaMap<TopicPartition, ()> = all_partitions(topics).map(|at| (at, ())).collect();
        let mut rest: BTreeMap<Arc<str>, Vec<TopicPartition>> = BTreeMap::new();
        for (member, has) in self.current.iter() {
            let known = has.iter().filter(|at| all.contains(at)).cloned();
            rest.insert(member.clone(), known.collect());
        }
        let mut order: BTreeSet<(usize, Arc<str>)> =
            rest.iter().map(|(id, of)| (of.len(), id.clone())).collect();
        let mut sorted = Vec::new();
        while let Some((_, member)) = order.pop_last() {
            let has = rest.get_mut(&member).expect("it is a member");
            if has.is_empty() {
                continue;
            }
            let moved = self.before.keys().find_map(|at| has.iter().position(|other| other == at));
            sorted.push(has.remove(moved.unwrap_or(0)));
            order.insert((has.len(), member));
        }
        let seen: BTreeSet<TopicPartition> = sorted.iter().cloned().collect();
        sorted.extend(all.keys().filter(|at| !seen.contains(at)).cloned());
        sorted
    }

    /// Whether all members want the same topics.
    pub(super) fn all_want_the_same(&self) -> bool {
        let sets = || self.wanted.values().map(|of| of.iter().collect::<BTreeSet<_>>());
        sets().zip(sets().skip(1)).all(|(one, next)| one == next)
    }
}

/// How unequal the members are: 0 when all have the same number (`getBalanceScore`).
fn score(assigned: &Assigned) -> usize {
    let counts: Vec<usize> = assigned.values().map(Vec::len).collect();
    let pairs = counts.iter().enumerate();
    pairs.map(|(at, one)| counts[at..].iter().map(|two| one.abs_diff(*two)).sum::<usize>()).sum()
}
