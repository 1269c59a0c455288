//! A group as it is stored, in the formats of each release.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::appends::Record;
use super::member::Member;
use super::state::{Group, Place, State};
use crate::releases::{Change, KafkaVersion};
use crate::wire::group_records::{GroupKey, GroupValue, MemberValue, OffsetValue};

/// The format of groups that a release writes (`inter.broker.protocol.version` follows it).
fn group_format(version: KafkaVersion) -> i16 {
    if version.has(Change::StaticMembers) {
        3
    } else if version.has(Change::OffsetsExpireWithGroup) {
        2
    } else {
        1
    }
}

/// The format of an offset: the time of expiry has a place in format 1 alone.
fn offset_format(version: KafkaVersion, value: &OffsetValue) -> i16 {
    if version.has(Change::OffsetsExpireWithGroup) && value.expire_ms.is_none() { 3 } else { 1 }
}

/// The record of a committed offset.
pub fn offset_record(
    version: KafkaVersion,
    group: &StrBytes,
    (topic, partition): &Place,
    value: &OffsetValue,
) -> Record {
    let value = value.encode(offset_format(version, value));
    (offset_key(group, topic, *partition), Some(value))
}

/// The key of a committed offset.
pub fn offset_key(group: &StrBytes, topic: &StrBytes, partition: i32) -> Bytes {
    let (group, topic) = (group.clone(), topic.clone());
    GroupKey::Offset { group, topic, partition }.encode()
}

/// The record of a group with these assignments.
pub fn group_record(
    version: KafkaVersion,
    group: &Group,
    assignment: &BTreeMap<StrBytes, Bytes>,
) -> Record {
    let protocol = group.protocol.as_ref();
    let members = group.members.values().map(|member| MemberValue {
        id: member.id.clone(),
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout_ms,
        subscription: protocol.map(|name| member.metadata(name)).unwrap_or_default(),
        assignment: assignment.get(&member.id).cloned().unwrap_or_default(),
    });
    let value = GroupValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        protocol: group.protocol.clone(),
        leader: group.leader.clone(),
        state_since_ms: group.since_ms,
        members: members.collect(),
    };
    let key = GroupKey::Group(group.id.clone()).encode();
    (key, Some(value.encode(group_format(version))))
}

/// A group as it was stored, without sessions.
pub fn restored(id: StrBytes, partition: i32, value: GroupValue) -> Group {
    let mut group = Group::new(id, partition);
    group.state = if value.members.is_empty() { State::Empty } else { State::Stable };
    group.since_ms = value.state_since_ms;
    group.generation = value.generation;
    group.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
    group.protocol = value.protocol;
    group.leader = value.leader;
    let kind = group.protocol_type.clone().unwrap_or_default();
    for member in value.members {
        let protocol = (group.protocol.clone().unwrap_or_default(), member.subscription);
        let member = Member {
            id: member.id,
            instance: member.instance,
            client_id: member.client_id,
            client_host: member.client_host,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            protocols: [protocol].into_iter().collect(),
            assignment: member.assignment,
            joining: None,
            syncing: None,
            is_new: false,
            session: None,
        };
        group.add(member, kind.clone());
    }
    group
}
