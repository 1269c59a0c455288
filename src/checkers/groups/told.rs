//! Histories of groups for tests: group `g` of members m1, m2 …, which are clients on c0.

use std::sync::Arc;

use crate::checkers::testing::{Story, orders};
use crate::history::{
    BrokerObservation, ClientObservation, CommittedOffset, GroupMember, GroupObservation,
    GroupSnapshot, GroupState, MemberEvent, MemberObservation, Observation,
};
use crate::vocab::{NodeId, Offset, TopicPartition};

pub fn group() -> Arc<str> {
    "g".into()
}

/// The first partition, at an offset.
pub fn at(offset: Offset) -> Vec<CommittedOffset> {
    vec![CommittedOffset { at: orders(), offset, leader_epoch: 0 }]
}

/// A group whose members have these partitions of `orders`, and sessions of ten seconds.
pub fn snapshot(state: GroupState, generation: i32, members: &[(&str, &[i32])]) -> GroupSnapshot {
    let member = |(id, partitions): &(&str, &[i32])| GroupMember {
        id: (*id).into(),
        instance: None,
        session_timeout_ms: 10_000,
        topics: Some(vec!["orders".into()]),
        partitions: Some(partitions.iter().map(|n| TopicPartition::new("orders", *n)).collect()),
    };
    GroupSnapshot {
        state,
        generation,
        protocol: Some("range".into()),
        leader: None,
        members: members.iter().map(member).collect(),
    }
}

pub fn coordinator(story: &mut Story, broker: i32, did: GroupObservation) {
    story.broker(broker, BrokerObservation::Group(did));
}

/// A coordinator has the group in this state.
pub fn becomes(
    story: &mut Story,
    broker: i32,
    state: GroupState,
    generation: i32,
    members: &[(&str, &[i32])],
) {
    let now = snapshot(state, generation, members);
    coordinator(story, broker, GroupObservation::StateChanged { group: group(), now });
}

/// A broker takes the group over, as stable.
pub fn loads(story: &mut Story, broker: i32, generation: i32, offset: Option<Offset>) {
    let now = snapshot(GroupState::Stable, generation, &[("m1", &[0])]);
    let offsets = offset.map(at).unwrap_or_default();
    coordinator(story, broker, GroupObservation::Loaded { group: group(), now, offsets });
}

/// A coordinator accepts a commit.
pub fn accepts(story: &mut Story, broker: i32, member: &str, generation: i32, offset: Offset) {
    let (group, member, offsets) = (group(), member.into(), at(offset));
    let instance = None;
    let did = GroupObservation::CommitAccepted { group, member, instance, generation, offsets };
    coordinator(story, broker, did);
}

/// A coordinator has written a commit.
pub fn commits(story: &mut Story, broker: i32, offset: Offset, log_offset: Offset) {
    let (group, member, offsets) = (group(), "m1".into(), at(offset));
    let did =
        GroupObservation::OffsetsCommitted { group, member, generation: 1, offsets, log_offset };
    coordinator(story, broker, did);
}

/// A member on c0 did something.
pub fn member(story: &mut Story, id: &str, generation: i32, what: MemberEvent) {
    member_at(story, Story::C0, id, generation, what);
}

/// A member that runs on `node` does something.
pub fn member_at(story: &mut Story, node: NodeId, id: &str, generation: i32, what: MemberEvent) {
    let did = MemberObservation { group: group(), member: id.into(), generation, what };
    let did = Observation::Client(ClientObservation::Member(did));
    story.told_at(node, did);
}
