//! Members that subscribe to the same topics, since 3.0 (`ConstrainedAssignmentBuilder`, KAFKA-12464).
//!
//! Each member gets a share of at least `least` partitions; so many members as the division leaves over get one more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::{Assigned, AssignorError, Topic};
use super::alike::Transfers;
use super::claims::Claims;
use super::partitions::{all_partitions, without};
use super::racks::Racks;
use super::user_data::Sticky;
use crate::releases::Change;
use crate::vocab::TopicPartition;

struct Shares {
    sticky: Sticky,
    racks: Racks,
    assigned: Assigned,
    transfers: Transfers,
    /// What was disputed.
    disputed: BTreeSet<TopicPartition>,
    /// What members had to give up.
    revoked: BTreeMap<TopicPartition, Arc<str>>,
    least: usize,
    most: usize,
    /// How many members get more than the least, and how many have it.
    with_more: usize,
    have_more: usize,
    /// The members that have less than the least, and those that have the least and may get one more.
    below: Vec<Arc<str>>,
    at_least: Vec<Arc<str>>,
}

/// Members keep what they had up to their share; the rest is given out in turn.
pub(super) fn assign(
    sticky: Sticky,
    topics: &JavaMap<Arc<str>, &Topic>,
    claims: Claims,
    racks: Racks,
) -> Result<(Assigned, Transfers), AssignorError> {
    let members = claims.kept.keys().count();
    let partitions: Vec<TopicPartition> = {
        let sorted: BTreeSet<TopicPartition> = all_partitions(topics).collect();
        sorted.into_iter().collect()
    };
    let empty: Assigned = claims.kept.keys().map(|id| (id.clone(), Vec::new())).collect();
    let mut shares = Shares {
        sticky,
        racks,
        assigned: empty.copied(),
        transfers: Transfers::new(),
        disputed: claims.disputed,
        revoked: BTreeMap::new(),
        least: partitions.len() / members,
        most: partitions.len().div_ceil(members),
        with_more: partitions.len() % members,
        have_more: 0,
        below: Vec::new(),
        at_least: Vec::new(),
    };
    let mut kept = Vec::new();
    for (member, had) in claims.kept.iter() {
        kept.extend(shares.keep(member, had));
    }
    kept.sort();
    let mut unassigned = without(partitions, &kept);
    shares.below.sort();
    shares.at_least.sort();
    shares.racks.sort(&mut unassigned);
    let unassigned = shares.give_by_rack(unassigned);
    shares.give_in_turn(unassigned)?;
    shares.verify()?;
    Ok((shares.assigned, shares.transfers))
}

impl Shares {
    /// The partitions that a member keeps.
    fn keep(&mut self, member: &Arc<str>, had: &[TopicPartition]) -> Vec<TopicPartition> {
        let mut had = had.to_vec();
        let kafka = self.sticky.kafka;
        let (elsewhere, mut near): (Vec<_>, Vec<_>) =
            had.drain(..).partition(|at| self.racks.differ(member, at));
        if kafka.has(Change::StickySortsOwned) {
            self.revoked.extend(elsewhere.into_iter().map(|at| (at, member.clone())));
            near.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
        }
        near.retain(|at| !self.disputed.contains(at));
        let mut kept = near;
        if kept.len() < self.least {
            self.below.push(member.clone());
        } else if kept.len() >= self.most && self.have_more < self.with_more {
            self.have_more += 1;
            if self.have_more == self.with_more {
                self.at_least.clear();
            }
            self.revoke(member, kept.split_off(self.most));
        } else {
            self.revoke(member, kept.split_off(self.least));
            if self.have_more < self.with_more {
                self.at_least.push(member.clone());
            }
        }
        self.assigned.get_mut(member).expect("it is a member").extend(kept.iter().cloned());
        kept
    }

    fn revoke(&mut self, member: &Arc<str>, partitions: Vec<TopicPartition>) {
        self.revoked.extend(partitions.into_iter().map(|at| (at, member.clone())));
    }

    fn count(&self, member: &Arc<str>) -> usize {
        self.assigned.get(member).expect("it is a member").len()
    }

    /// Gives partitions to members in their racks, and returns the others.
    fn give_by_rack(&mut self, unassigned: Vec<TopicPartition>) -> Vec<TopicPartition> {
        if !self.racks.count() {
            return unassigned;
        }
        let mut rest = Vec::new();
        let mut turn = 0;
        for at in unassigned {
            let member = match self.racks.next(&at, &self.below, turn) {
                Some(place) => Some(self.take_below(place, &mut turn)),
                None => self.take_least(&at),
            };
            match member {
                Some(member) => _ = self.give(&member, at),
                None => rest.push(at),
            }
        }
        rest
    }

    /// The member at `place` of those below the least, which gets one more; then it is the turn of the next.
    fn take_below(&mut self, place: usize, turn: &mut usize) -> Arc<str> {
        let member = self.below[place].clone();
        let count = self.count(&member) + 1;
        let mut next = place;
        if count >= self.least {
            self.below.remove(place);
            let is_open =
                self.have_more < self.with_more || !self.sticky.kafka.has(Change::StickySortsOwned);
            if count < self.most && is_open {
                self.at_least.push(member.clone());
            }
        } else {
            next += 1;
        }
        *turn = if self.below.is_empty() { 0 } else { next % self.below.len() };
        member
    }

    /// The first member that has the least and is in a rack of `at`, which gets one more.
    fn take_least(&mut self, at: &TopicPartition) -> Option<Arc<str>> {
        let place = self.racks.next(at, &self.at_least, 0)?;
        let member = self.at_least[place].clone();
        if self.count(&member) + 1 == self.most {
            self.at_least.remove(place);
            if self.sticky.kafka.has(Change::StickySortsOwned) {
                self.have_more += 1;
                if self.have_more == self.with_more {
                    self.at_least.clear();
                }
            }
        }
        Some(member)
    }

    /// One to each member below the least in turn, then one to each that has the least.
    fn give_in_turn(&mut self, unassigned: Vec<TopicPartition>) -> Result<(), AssignorError> {
        let mut turn = 0;
        for at in unassigned {
            if turn >= self.below.len() {
                turn = 0;
            }
            let from_below = !self.below.is_empty();
            let member = match from_below {
                true => self.below[turn].clone(),
                false if self.at_least.is_empty() => return Err(AssignorError::IllegalState),
                false => self.at_least.remove(0),
            };
            let count = self.give(&member, at);
            turn += usize::from(from_below);
            if count == self.least {
                if !from_below {
                    return Err(AssignorError::IllegalState);
                }
                turn -= 1;
                self.below.remove(turn);
                self.at_least.push(member);
            } else if count == self.most {
                self.have_more += 1;
            }
        }
        Ok(())
    }

    fn give(&mut self, member: &Arc<str>, at: TopicPartition) -> usize {
        let is_from_another = self
            .revoked
            .get(&at)
            .is_some_and(|from| from != member || !self.sticky.kafka.has(Change::StickySortsOwned));
        if is_from_another || self.disputed.contains(&at) {
            self.transfers.insert(at.clone(), member.clone());
        }
        let assigned = self.assigned.get_mut(member).expect("it is a member");
        assigned.push(at);
        assigned.len()
    }

    fn verify(&self) -> Result<(), AssignorError> {
        let is_right = self.below.is_empty()
            || self.have_more == self.with_more
                && self.below.iter().all(|member| self.count(member) == self.least);
        is_right.then_some(()).ok_or(AssignorError::IllegalState)
    }
}
