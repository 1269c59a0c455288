//! Members that subscribe to the same topics, in releases before 3.0 (`constrainedAssign`, KAFKA-9987).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::super::java_map::JavaMap;
use super::super::members::{Assigned, AssignorError, Topic};
use super::claims::Claims;
use super::partitions::all_partitions;
use crate::vocab::TopicPartition;

/// Partitions that are taken from their members, with the members that get them.
pub(super) type Transfers = BTreeMap<TopicPartition, Arc<str>>;

struct Sharing {
    assigned: Assigned,
    unassigned: BTreeSet<TopicPartition>,
    /// What members had to give up, or was disputed.
    revoked: BTreeSet<TopicPartition>,
    transfers: Transfers,
    /// The members with fewer partitions than each gets.
    unfilled: Vec<Arc<str>>,
    /// The members with the fewest, and with the most, that one gets.
    at_least: VecDeque<Arc<str>>,
    at_most: VecDeque<Arc<str>>,
    least: usize,
}

/// Every member keeps what it had up to the most that one gets; the rest goes to members with fewer.
pub(super) fn assign(
    topics: &JavaMap<Arc<str>, &Topic>,
    claims: Claims,
) -> Result<(Assigned, Transfers), AssignorError> {
    let unassigned: BTreeSet<TopicPartition> = all_partitions(topics).collect();
    let members = claims.kept.keys().count();
    let empty: Assigned = claims.kept.keys().map(|id| (id.clone(), Vec::new())).collect();
    let mut sharing = Sharing {
        assigned: empty.copied(),
        revoked: claims.disputed.clone(),
        transfers: Transfers::new(),
        unfilled: Vec::new(),
        at_least: VecDeque::new(),
        at_most: VecDeque::new(),
        least: unassigned.len() / members,
        unassigned,
    };
    let most = sharing.unassigned.len().div_ceil(members);
    for (member, had) in claims.kept.iter() {
        let had = had.iter().filter(|at| !claims.disputed.contains(at)).cloned().collect();
        sharing.keep(member, had, most);
    }
    sharing.fill();
    sharing.steal()?;
    sharing.give_out_rest()?;
    Ok((sharing.assigned, sharing.transfers))
}

impl Sharing {
    fn keep(&mut self, member: &Arc<str>, had: Vec<TopicPartition>, most: usize) {
        let count = had.len();
        for (place, at) in had.into_iter().enumerate() {
            if place < most {
                self.unassigned.remove(&at);
                self.assigned.get_mut(member).expect("it is a member").push(at);
            } else {
                self.revoked.insert(at);
            }
        }
        if count < self.least {
            self.unfilled.push(member.clone());
            return;
        }
        if count.min(most) == self.least {
            self.at_least.push_back(member.clone());
        }
        if count.min(most) == most {
            self.at_most.push_back(member.clone());
        }
    }

    /// One to each unfilled member in turn, until each has the least that one gets.
    fn fill(&mut self) {
        self.unfilled.sort();
        while !self.unfilled.is_empty() && !self.unassigned.is_empty() {
            let mut place = 0;
            while place < self.unfilled.len() {
                let member = self.unfilled[place].clone();
                let Some(at) = self.unassigned.pop_first() else { break };
                if self.give(&member, at) == self.least {
                    self.at_least.push_back(member);
                    self.unfilled.remove(place);
                } else {
                    place += 1;
                }
            }
        }
    }

    /// Members with the most give their first partition to members that are still unfilled.
    fn steal(&mut self) -> Result<(), AssignorError> {
        for member in std::mem::take(&mut self.unfilled) {
            while self.assigned.get(&member).expect("it is a member").len() < self.least {
                let from = self.at_most.pop_front().ok_or(AssignorError::IllegalState)?;
                let at = self.assigned.get_mut(&from).expect("it is a member").remove(0);
                self.assigned.get_mut(&member).expect("it is a member").push(at.clone());
                self.transfers.insert(at, member.clone());
            }
            self.at_least.push_back(member);
        }
        Ok(())
    }

    fn give_out_rest(&mut self) -> Result<(), AssignorError> {
        while let Some(at) = self.unassigned.pop_first() {
            let member = self.at_least.pop_front().ok_or(AssignorError::IllegalState)?;
            self.give(&member, at);
        }
        Ok(())
    }

    fn give(&mut self, member: &Arc<str>, at: TopicPartition) -> usize {
        if self.revoked.contains(&at) {
            self.transfers.insert(at.clone(), member.clone());
        }
        let assigned = self.assigned.get_mut(member).expect("it is a member");
        assigned.push(at);
        assigned.len()
    }
}
