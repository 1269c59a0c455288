//! Responses, as each version of them and each release has them.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, ResponseKind, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::state::Group;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::{Change, KafkaVersion};

/// The first version of JoinGroup whose answer can have no protocol.
const JOIN_WITHOUT_PROTOCOL: i16 = 7;

fn join(cx: &mut Context<'_>, to: ReplyTo, mut response: JoinGroupResponse) {
    if to.version < JOIN_WITHOUT_PROTOCOL {
        response.protocol_name.get_or_insert_default();
    }
    cx.reply(to, ResponseKind::JoinGroup(response));
}

/// Refuses a JoinGroup; `member` is the id that the answer names.
pub fn join_refused(
    cx: &mut Context<'_>,
    version: KafkaVersion,
    to: ReplyTo,
    member: StrBytes,
    error: ResponseError,
) {
    let generation = if version.has(Change::NoGenerationInJoinErrors) { -1 } else { 0 };
    let response = JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(generation)
        .with_protocol_name(None)
        .with_member_id(member);
    join(cx, to, response);
}

/// Answers a JoinGroup for which the coordinator failed.
pub fn join_failed(cx: &mut Context<'_>, to: ReplyTo) {
    let response = JoinGroupResponse::default()
        .with_error_code(ResponseError::UnknownServerError.code())
        .with_generation_id(-1)
        .with_protocol_name(None);
    join(cx, to, response);
}

/// How a JoinGroup is answered that is not refused.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The member.
    pub member: StrBytes,
    /// The leader, as the answer names it.
    pub leader: StrBytes,
    /// Whether it gets the list of members.
    pub lists_members: bool,
    /// Whether a leader has nothing to assign (KIP-814).
    pub skips_assignment: bool,
    /// Why it failed all the same.
    pub error: Option<ResponseError>,
}

/// Lets a member into the group's generation.
pub fn joined(cx: &mut Context<'_>, to: ReplyTo, group: &Group, how: Joined) {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members.values().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(member.id.clone())
            .with_group_instance_id(member.instance.clone())
            .with_metadata(member.metadata(&protocol))
    });
    let response = JoinGroupResponse::default()
        .with_error_code(how.error.map_or(0, |error| error.code()))
        .with_generation_id(group.generation)
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_name(group.protocol.clone())
        .with_leader(how.leader)
        .with_skip_assignment(how.skips_assignment)
        .with_member_id(how.member)
        .with_members(if how.lists_members { members.collect() } else { Vec::new() });
    join(cx, to, response);
}

/// Refuses a SyncGroup.
pub fn sync_refused(cx: &mut Context<'_>, to: ReplyTo, error: ResponseError) {
    let response = SyncGroupResponse::default().with_error_code(error.code());
    cx.reply(to, ResponseKind::SyncGroup(response));
}

/// Gives a member its assignment.
pub fn synced(cx: &mut Context<'_>, to: ReplyTo, group: &Group, assignment: Bytes) {
    let response = SyncGroupResponse::default()
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_name(group.protocol.clone())
        .with_assignment(assignment);
    cx.reply(to, ResponseKind::SyncGroup(response));
}

/// What the error of an append of a group's record means to its members (`GroupMetadataManager.storeGroup`).
pub fn store_error(error: ResponseError) -> ResponseError {
    use ResponseError as E;
    match error {
        E::UnknownTopicOrPartition | E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => {
            E::CoordinatorNotAvailable
        }
        E::NotLeaderOrFollower | E::KafkaStorageError => E::NotCoordinator,
        E::RequestTimedOut => E::RebalanceInProgress,
        E::MessageTooLarge | E::RecordListTooLarge | E::InvalidFetchSize => E::UnknownServerError,
        other => other,
    }
}

/// What the error of an append of offsets means to who commits them (`GroupMetadataManager.storeOffsets`).
pub fn commit_error(error: ResponseError) -> ResponseError {
    use ResponseError as E;
    match error {
        E::UnknownTopicOrPartition | E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend => {
            E::CoordinatorNotAvailable
        }
        E::NotLeaderOrFollower | E::KafkaStorageError => E::NotCoordinator,
        E::MessageTooLarge | E::RecordListTooLarge | E::InvalidFetchSize => {
            E::InvalidCommitOffsetSize
        }
        other => other,
    }
}
