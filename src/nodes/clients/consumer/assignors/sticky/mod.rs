//! `StickyAssignor` and `CooperativeStickyAssignor` (KIP-54, KIP-429): balanced first, and then as much as possible
//! as it was.
//!
//! Their rules changed often; [`claims`] and [`balance`] have the releases' differences. Where all members subscribe to
//! the same topics, [`alike`] (2.5.1 to 2.8) and [`quotas`] (3.0+) assign in one pass, without [`balance`].

mod alike;
mod balance;
mod claims;
mod movements;
mod partitions;
mod quotas;
mod racks;
mod user_data;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::alike::Transfers;
use self::balance::Balance;
use self::claims::Claims;
use self::partitions::{all_partitions, without};
use self::racks::Racks;
use self::user_data::{Had, NO_GENERATION};
pub(super) use self::user_data::{Sticky, of_cooperative, of_sticky};
use super::java_map::JavaMap;
use super::members::{Assigned, AssignorError, Member, Members, Topic, wanted};
use crate::releases::Change;
use crate::vocab::TopicPartition;

/// The newest generation of a leader that has not assigned yet.
pub(super) const NO_NEWEST: i32 = NO_GENERATION;

/// Assigns the partitions of `topics`; `newest` is the newest generation that the leader has heard of.
pub(super) fn assign(
    sticky: Sticky,
    topics: &[Topic],
    members: &Members<'_>,
    newest: &mut i32,
) -> Result<Assigned, AssignorError> {
    let topics = wanted(topics, members);
    let (mut assigned, transfers) = if !sticky.kafka.has(Change::StickyAlike) {
        (assign_before_3_0(sticky, &topics, members, &BTreeSet::new())?, None)
    } else if !sticky.kafka.has(Change::StickyQuotas) {
        let mut of_this_rebalance = NO_GENERATION;
        let claims = Claims::of(sticky, &topics, members, &mut of_this_rebalance);
        if claims.are_alike {
            let (assigned, transfers) = alike::assign(&topics, claims)?;
            (assigned, Some(transfers))
        } else {
            (assign_before_3_0(sticky, &topics, members, &claims.read)?, None)
        }
    } else {
        let claims = Claims::of(sticky, &topics, members, newest);
        let racks = match sticky.kafka.has(Change::RackAwareAssignors) {
            true => Racks::of(&topics, members),
            false => Racks::default(),
        };
        if claims.are_alike {
            let (assigned, transfers) = quotas::assign(sticky, &topics, claims, racks)?;
            (assigned, Some(transfers))
        } else {
            (assign_since_3_0(sticky, &topics, members, claims, racks, *newest)?, None)
        }
    };
    if sticky.is_cooperative {
        // A member gets what another has only after that one has given it up.
        for (at, member) in transfers.unwrap_or_else(|| transfers_of(&assigned, members)) {
            if sticky.shares_moved {
                let has = |one: &&Member| one.subscription.owned.contains(&at);
                if let Some(owner) = members.values().copied().find(has) {
                    assigned.get_mut(&owner.id).expect("it is a member").push(at);
                }
                continue;
            }
            let partitions = assigned.get_mut(&member).expect("it is a member");
            if let Some(place) = partitions.iter().position(|other| *other == at) {
                partitions.remove(place);
            }
        }
    }
    Ok(assigned)
}

/// What members get that others have and do not get again.
fn transfers_of(assigned: &Assigned, members: &Members<'_>) -> Transfers {
    let (mut added, mut revoked) = (Transfers::new(), BTreeSet::new());
    for (id, gets) in assigned.iter() {
        let has = &members.get(id).expect("it is a member").subscription.owned;
        let (got, had) =
            (gets.iter().collect::<BTreeSet<_>>(), has.iter().collect::<BTreeSet<_>>());
        let news = gets.iter().filter(|at| !had.contains(at));
        added.extend(news.map(|at| (at.clone(), id.clone())));
        revoked.extend(has.iter().filter(|at| !got.contains(at)).cloned());
    }
    added.retain(|at, _| revoked.contains(at));
    added
}

/// Members with different topics, and before 2.5.1 all (`generalAssign`). The user data of the members in `read` was
/// read before, and nothing is left of it.
fn assign_before_3_0(
    sticky: Sticky,
    topics: &JavaMap<Arc<str>, &Topic>,
    members: &Members<'_>,
    read: &BTreeSet<Arc<str>>,
) -> Result<Assigned, AssignorError> {
    let kafka = sticky.kafka;
    let mut had = Vec::new();
    for member in members.values() {
        let knows = |topic: &Arc<str>| topics.contains(topic);
        let skips = kafka.has(Change::StickySkipsUnknownTopics);
        if !skips && !member.subscription.topics.iter().all(knows) {
            return Err(AssignorError::NullPointer);
        }
        had.push(match read.contains(&member.id) {
            true => (member.id.clone(), sticky.had_read_again(member)),
            false => (member.id.clone(), sticky.had(member)),
        });
    }
    let (current, before) = match kafka.has(Change::StickyGenerations) {
        true => by_generation(had),
        false => (as_said(had, members), JavaMap::default()),
    };
    let is_fresh = current.is_empty();
    let mut balance = Balance::new(sticky, topics, members, current);
    balance.before = before;
    let by_turns = !kafka.has(Change::StickyAlike) && !is_fresh;
    if by_turns && topics.is_empty() && !kafka.has(Change::StickySkipsUnknownTopics) {
        return Err(AssignorError::NoSuchElement);
    }
    let sorted = if by_turns && balance.all_want_the_same() {
        balance.by_turns(topics)
    } else {
        let mut sorted: Vec<TopicPartition> = all_partitions(topics).collect();
        sorted.sort_by_cached_key(|at| balance.rank(at));
        sorted
    };
    let is_revoked = balance.drop_unwanted(topics);
    let taken: BTreeSet<&TopicPartition> = balance.current.values().flatten().collect();
    let unassigned = sorted.iter().filter(|at| !taken.contains(at)).cloned().collect();
    balance.run(sorted, unassigned, is_revoked)
}

/// Each member with user data has what it says (before 2.3).
fn as_said(had: Vec<(Arc<str>, Had)>, members: &Members<'_>) -> Assigned {
    let says = |id: &Arc<str>| {
        let data = members.get(id).and_then(|member| member.subscription.user_data.as_ref());
        data.is_some_and(|data| !data.is_empty())
    };
    had.into_iter().filter(|(id, _)| says(id)).map(|(id, had)| (id, had.partitions)).collect()
}

/// Of the members that had a partition, the one of the newest generation has it; the next is the one before it.
fn by_generation(had: Vec<(Arc<str>, Had)>) -> (Assigned, JavaMap<TopicPartition, Arc<str>>) {
    let mut claims: JavaMap<TopicPartition, BTreeMap<i32, Arc<str>>> = JavaMap::default();
    for (id, had) in had {
        for at in had.partitions {
            let of = claims.or_put_default(&at);
            let generation = had.generation.unwrap_or(NO_GENERATION);
            let is_second = had.generation.is_some() && of.contains_key(&generation);
            if !is_second {
                of.insert(generation, id.clone());
            }
        }
    }
    let (mut current, mut before) = (Assigned::default(), JavaMap::default());
    for (at, of) in claims.into_entries() {
        let mut newest_first = of.into_values().rev();
        if let Some(newest) = newest_first.next() {
            current.or_default(&newest).push(at.clone());
        }
        if let Some(next) = newest_first.next() {
            before.put(at, next);
        }
    }
    (current, before)
}

/// Members with different topics, since 3.0 (`GeneralAssignmentBuilder`).
fn assign_since_3_0(
    sticky: Sticky,
    topics: &JavaMap<Arc<str>, &Topic>,
    members: &Members<'_>,
    claims: Claims,
    racks: Racks,
    newest: i32,
) -> Result<Assigned, AssignorError> {
    let mut before: BTreeMap<TopicPartition, (i32, Arc<str>)> = BTreeMap::new();
    for member in members.values() {
        let had = sticky.had(member);
        let generation = had.generation.unwrap_or(NO_GENERATION);
        if generation >= newest {
            continue;
        }
        for at in had.partitions {
            let known = before.get(&at).is_some_and(|(known, _)| *known >= generation);
            if !known {
                before.insert(at, (generation, member.id.clone()));
            }
        }
    }
    let mut balance = Balance::new(sticky, topics, members, claims.kept);
    balance.racks = racks;
    balance.before = before.into_iter().map(|(at, (_, member))| (at, member)).collect();
    let mut sorted: Vec<TopicPartition> = all_partitions(topics).collect();
    sorted.sort_by_cached_key(|at| balance.rank(at));
    let is_revoked = balance.drop_unwanted(topics);
    let mut taken: Vec<TopicPartition> = balance.current.values().flatten().cloned().collect();
    taken.sort_by_cached_key(|at| balance.rank(at));
    let unassigned = without(sorted.clone(), &taken);
    balance.run(sorted, unassigned, is_revoked)
}
