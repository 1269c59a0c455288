//! What the history gets to know of groups.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;

use super::appends::{Commit, Committer};
use super::coordinator::Work;
use super::member::Member;
use super::state::{Committed, Group, Place, State, topics_of};
use crate::history::{
    BrokerObservation, CommittedOffset, GroupMember, GroupObservation, GroupSnapshot, GroupState,
    Observation, Removal,
};
use crate::nodes::broker::context::Context;
use crate::vocab::{Offset, TopicPartition};
use crate::wire::topic_partitions::read_partitions;

/// Records what a coordinator did.
pub fn observe(cx: &mut Context<'_>, observation: GroupObservation) {
    cx.effects.observe(Observation::Broker(BrokerObservation::Group(observation)));
}

/// A text of a request, as histories have it.
pub fn text(text: &StrBytes) -> Arc<str> {
    Arc::from(&**text)
}

pub fn partition((topic, partition): &Place) -> TopicPartition {
    TopicPartition::new(text(topic), *partition)
}

/// The partitions of a `ConsumerProtocol` assignment: an i16 version, then topics with partitions. Nothing is an
/// assignment of none.
pub fn partitions_of(mut assignment: Bytes) -> Option<Vec<TopicPartition>> {
    if assignment.is_empty() {
        return Some(Vec::new());
    }
    assignment.try_get_i16().ok()?;
    read_partitions(&mut assignment)
}

fn member(group: &Group, member: &Member) -> GroupMember {
    let is_consumer = group.is_of_consumers();
    let of_protocol = |protocol: &StrBytes| topics_of(member.metadata(protocol));
    let topics = group.protocol.as_ref().filter(|_| is_consumer).and_then(of_protocol);
    let partitions = is_consumer.then(|| partitions_of(member.assignment.clone())).flatten();
    GroupMember {
        id: text(&member.id),
        instance: member.instance.as_ref().map(text),
        session_timeout_ms: member.session_timeout_ms,
        topics: topics.map(|topics| topics.iter().map(text).collect()),
        partitions,
    }
}

fn state(state: State) -> GroupState {
    match state {
        State::Empty => GroupState::Empty,
        State::Preparing => GroupState::PreparingRebalance,
        State::Completing => GroupState::CompletingRebalance,
        State::Stable => GroupState::Stable,
    }
}

fn snapshot(group: &Group) -> GroupSnapshot {
    GroupSnapshot {
        state: state(group.state),
        generation: group.generation,
        protocol: group.protocol.as_ref().map(text),
        leader: group.leader.as_ref().map(text),
        members: group.members.values().map(|one| member(group, one)).collect(),
    }
}

/// A group is forgotten.
pub fn observe_dead(cx: &mut Context<'_>, group: &StrBytes, generation: i32) {
    let now = GroupSnapshot {
        state: GroupState::Dead,
        generation,
        protocol: None,
        leader: None,
        members: Vec::new(),
    };
    observe(cx, GroupObservation::StateChanged { group: text(group), now });
}

/// Offsets of an OffsetCommit.
pub fn offsets(commits: &[Commit]) -> Vec<CommittedOffset> {
    let one = |commit: &Commit| CommittedOffset {
        at: partition(&commit.of),
        offset: commit.value.offset,
        leader_epoch: commit.value.leader_epoch,
    };
    commits.iter().map(one).collect()
}

/// The offsets of an OffsetCommit are written.
pub fn observe_committed(
    cx: &mut Context<'_>,
    group: &StrBytes,
    by: &Committer,
    offsets: Vec<CommittedOffset>,
    log_offset: Offset,
) {
    let observation = GroupObservation::OffsetsCommitted {
        group: text(group),
        member: text(&by.member),
        generation: by.generation,
        offsets,
        log_offset,
    };
    observe(cx, observation);
}

/// An offset counts from now on: its transaction is committed.
pub fn observe_in_transaction(
    cx: &mut Context<'_>,
    group: &StrBytes,
    place: &Place,
    offset: &Committed,
) {
    let one = CommittedOffset {
        at: partition(place),
        offset: offset.value.offset,
        leader_epoch: offset.value.leader_epoch,
    };
    let by = Committer { member: StrBytes::default(), instance: None, generation: -1 };
    observe_committed(cx, group, &by, vec![one], offset.at);
}

impl Work<'_> {
    fn group_name(&self) -> Arc<str> {
        text(&self.group.id)
    }

    /// The group moves on.
    pub fn enter(&mut self, cx: &mut Context<'_>, state: State) {
        self.group.enter(state, cx.clock.wall_ms);
        let (group, now) = (self.group_name(), snapshot(self.group));
        observe(cx, GroupObservation::StateChanged { group, now });
    }

    pub fn observe_joined(&self, cx: &mut Context<'_>, member: &Member) {
        let observation = GroupObservation::MemberJoined {
            group: self.group_name(),
            member: text(&member.id),
            instance: member.instance.as_ref().map(text),
            client: text(&member.client_id),
        };
        observe(cx, observation);
    }

    pub fn observe_removed(&self, cx: &mut Context<'_>, member: &StrBytes, why: Removal) {
        let (group, member) = (self.group_name(), text(member));
        observe(cx, GroupObservation::MemberRemoved { group, member, why });
    }

    pub fn observe_heard(&self, cx: &mut Context<'_>, member: &StrBytes) {
        let (group, member) = (self.group_name(), text(member));
        observe(cx, GroupObservation::MemberHeard { group, member });
    }

    pub fn observe_accepted(&self, cx: &mut Context<'_>, by: &Committer, commits: &[Commit]) {
        let observation = GroupObservation::CommitAccepted {
            group: self.group_name(),
            member: text(&by.member),
            instance: by.instance.as_ref().map(text),
            generation: by.generation,
            offsets: offsets(commits),
        };
        observe(cx, observation);
    }

    pub fn observe_loaded(&self, cx: &mut Context<'_>) {
        let one = |(place, known): (&Place, &Committed)| CommittedOffset {
            at: partition(place),
            offset: known.value.offset,
            leader_epoch: known.value.leader_epoch,
        };
        let offsets = self.group.offsets.iter().map(one).collect();
        let (group, now) = (self.group_name(), snapshot(self.group));
        observe(cx, GroupObservation::Loaded { group, now, offsets });
    }
}
