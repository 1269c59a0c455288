//! A group: its state, its members, its offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;

use super::deadlines::Deadline;
use super::member::{Member, Protocols, span};
use crate::wire::group_records::OffsetValue;

/// The protocol type of consumers.
pub const CONSUMER: &str = "consumer";

/// Where a group is (`GroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no members.
    Empty,
    /// It waits for its members to join.
    Preparing,
    /// It waits for its leader's assignment.
    Completing,
    /// Its members have their assignments.
    Stable,
}

/// A partition whose offset is committed: topic and partition.
pub type Place = (StrBytes, i32);

/// A committed offset, and where it is in `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The base offset of its batch there.
    pub at: i64,
    /// What was committed.
    pub value: OffsetValue,
}

/// An offset that counts when its transaction is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncommitted {
    /// It is being written; the number of the append.
    Writing(u64),
    /// It is written.
    Written(Committed),
}

/// The end of a rebalance's first part, when not all members have joined before.
#[derive(Clone, Copy, Debug)]
pub struct JoinDeadline {
    /// When.
    pub at: Deadline,
    /// Of a group that was empty: how much longer it may be put off for members to come
    /// (`group.initial.rebalance.delay.ms`). Such a rebalance ends only then.
    pub initial: Option<Duration>,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// `group.id`
    pub id: StrBytes,
    /// The partition of `__consumer_offsets` that it is stored in.
    pub partition: i32,
    /// Where it is.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// `consumer`, or that of another program, such as `connect`. There as soon as it had a member.
    pub protocol_type: Option<StrBytes>,
    /// How often it has rebalanced.
    pub generation: i32,
    /// The protocol of this generation.
    pub protocol: Option<StrBytes>,
    /// The member that assigns.
    pub leader: Option<StrBytes>,
    /// By id.
    pub members: BTreeMap<StrBytes, Member>,
    /// Ids of static members, by `group.instance.id`.
    pub static_members: BTreeMap<StrBytes, StrBytes>,
    /// Ids that were given to clients which have to join with them, until when.
    pub pending: BTreeMap<StrBytes, Deadline>,
    /// Members of this generation that did not ask for their assignment yet.
    pub unsynced: BTreeSet<StrBytes>,
    /// Until when they may.
    pub sync_deadline: Option<Deadline>,
    /// Whether a member came while the first rebalance waited.
    pub member_came: bool,
    /// Until when members may join.
    pub join_deadline: Option<JoinDeadline>,
    /// What was committed.
    pub offsets: BTreeMap<Place, Committed>,
    /// Commits that are being written, by the number of the append.
    pub committing: BTreeMap<Place, u64>,
    /// What open transactions committed, by producer id.
    pub uncommitted: BTreeMap<i64, BTreeMap<Place, Uncommitted>>,
}

impl Group {
    /// A group without members.
    pub fn new(id: StrBytes, partition: i32) -> Self {
        Self {
            id,
            partition,
            state: State::Empty,
            since_ms: None,
            protocol_type: None,
            generation: 0,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            sync_deadline: None,
            member_came: false,
            join_deadline: None,
            offsets: BTreeMap::new(),
            committing: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
        }
    }

    /// Moves on.
    pub fn enter(&mut self, state: State, wall_ms: i64) {
        self.state = state;
        self.since_ms = Some(wall_ms);
    }

    /// Whether a rebalance can begin.
    pub fn can_rebalance(&self) -> bool {
        matches!(self.state, State::Empty | State::Stable | State::Completing)
    }

    /// Whether it is one of consumers.
    pub fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// How many members wait for the generation to begin.
    pub fn joined(&self) -> usize {
        self.members.values().filter(|member| member.joining.is_some()).count()
    }

    /// Whether it waits for no member.
    pub fn have_all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// The longest time that a member wants to have for joining.
    pub fn rebalance_timeout(&self) -> Duration {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        span(longest.unwrap_or(0))
    }

    /// Whether all members support a protocol.
    pub fn all_support(&self, protocol: &StrBytes) -> bool {
        self.members.values().all(|member| member.supports(protocol))
    }

    /// Whether a member with this type and these protocols can join.
    pub fn accepts(&self, kind: &StrBytes, protocols: &Protocols) -> bool {
        if self.state == State::Empty {
            return !kind.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(kind)
            && protocols.names().any(|name| self.all_support(name))
    }

    /// Each member votes for the first of its protocols that all support; the one with most votes. Kafka breaks ties
    /// by the order of a hash map; here the first in the alphabet wins.
    pub fn vote(&self) -> Option<StrBytes> {
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = member.protocols.names().find(|name| self.all_support(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    /// Adds a member; the first one is the leader.
    pub fn add(&mut self, member: Member, kind: StrBytes) {
        if self.members.is_empty() {
            self.protocol_type = Some(kind);
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out. If it led, another leads.
    pub fn remove(&mut self, id: &StrBytes) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.instance
            && self.static_members.get(instance) == Some(id)
        {
            self.static_members.remove(instance);
        }
        self.unsynced.remove(id);
        if self.leader.as_ref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Whether a member leads.
    pub fn is_led_by(&self, id: &StrBytes) -> bool {
        self.leader.as_ref() == Some(id)
    }

    /// The id of a static member.
    pub fn static_id(&self, instance: Option<&StrBytes>) -> Option<&StrBytes> {
        self.static_members.get(instance?)
    }

    /// Whether another member has taken a static member's place.
    pub fn is_fenced(&self, id: &StrBytes, instance: Option<&StrBytes>) -> bool {
        self.static_id(instance).is_some_and(|current| current != id)
    }

    /// Whether it has offsets, or will have some (`GroupMetadata.hasOffsets`).
    pub fn has_offsets(&self) -> bool {
        !(self.offsets.is_empty() && self.committing.is_empty() && self.uncommitted.is_empty())
    }

    /// Whether the offset of a partition may change soon (`hasPendingOffsetCommitsForTopicPartition`).
    pub fn is_unstable(&self, place: &Place) -> bool {
        self.committing.contains_key(place)
            || self.uncommitted.values().any(|of_producer| of_producer.contains_key(place))
    }

    /// An offset is written. One that is older than what is known does not count.
    pub fn commit(&mut self, place: Place, commit: Committed) {
        if self.offsets.get(&place).is_none_or(|known| known.at < commit.at) {
            self.offsets.insert(place, commit);
        }
    }

    /// The topics that its members subscribe to; `None` when it cannot be known, as they are no consumers.
    pub fn subscribed(&self) -> Option<BTreeSet<StrBytes>> {
        if !self.is_of_consumers() {
            return None;
        }
        let Some(protocol) = &self.protocol else { return Some(BTreeSet::new()) };
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(topics_of(member.metadata(protocol))?);
        }
        Some(topics)
    }
}

/// The topics of a `ConsumerProtocol` subscription: an i16 version, then names.
pub fn topics_of(mut subscription: Bytes) -> Option<Vec<StrBytes>> {
    subscription.try_get_i16().ok()?;
    let count = subscription.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(subscription.try_get_i16().ok()?).ok()?;
        if length > subscription.len() {
            return None;
        }
        topics.push(StrBytes::from_utf8(subscription.split_to(length)).ok()?);
    }
    Some(topics)
}
