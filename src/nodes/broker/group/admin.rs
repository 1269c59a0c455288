//! DescribeGroups, ListGroups, DeleteGroups.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, GroupId, ListGroupsRequest, ListGroupsResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::coordinator::GroupCoordinator;
use super::state::{Group, Place, State};
use crate::nodes::broker::answer_room::AnswerRoom;
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::releases::{Change, KafkaVersion};

/// What a client without authorization may do to a group, as bits by `AclOperation`: READ, DELETE, DESCRIBE.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8;
/// The type of all groups here, as ListGroups names it since 3.8 (KIP-848).
const CLASSIC: &str = "classic";

/// A state's name.
fn name_of(state: State, version: KafkaVersion) -> StrBytes {
    StrBytes::from_static_str(match state {
        State::Empty => "Empty",
        State::Preparing => "PreparingRebalance",
        State::Completing if version.has(Change::CompletingRebalanceNamed) => "CompletingRebalance",
        State::Completing => "AwaitingSync",
        State::Stable => "Stable",
    })
}

fn described(group: &Group, version: KafkaVersion) -> DescribedGroup {
    // What members sent and got is described only when all have it.
    let protocol = group.protocol.clone().filter(|_| group.state == State::Stable);
    let members = group.members.values().map(|member| {
        let one = DescribedGroupMember::default()
            .with_member_id(member.id.clone())
            .with_group_instance_id(member.instance.clone())
            .with_client_id(member.client_id.clone())
            .with_client_host(member.client_host.clone());
        match &protocol {
            None => one,
            Some(name) => one
                .with_member_metadata(member.metadata(name))
                .with_member_assignment(member.assignment.clone()),
        }
    });
    DescribedGroup::default()
        .with_group_state(name_of(group.state, version))
        .with_protocol_type(group.protocol_type.clone().unwrap_or_default())
        .with_protocol_data(protocol.clone().unwrap_or_default())
        .with_members(members.collect())
}

impl GroupCoordinator {
    /// DescribeGroups; a group that there is not is "Dead".
    pub fn describe_groups(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DescribeGroupsRequest,
    ) {
        let mut response = DescribeGroupsResponse::default();
        let mut room = AnswerRoom::default();
        for id in &request.groups {
            let known = self.groups.get(&id.0);
            let mut group = match (self.refusal(id, ApiKey::DescribeGroups), known) {
                (Some(error), _) => DescribedGroup::default().with_error_code(error.code()),
                (None, Some(group)) => described(group, self.config.version),
                (None, None) => {
                    DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"))
                }
            };
            if request.include_authorized_operations && group.error_code == 0 {
                group.authorized_operations = ALL_OPERATIONS;
            }
            let texts = group
                .members
                .iter()
                .map(|member| member.member_metadata.len() + member.member_assignment.len());
            if room.take(1 + group.members.len(), texts.sum()).is_none() {
                return cx.ask(Ask::Close(to.conn));
            }
            response.groups.push(group.with_group_id(id.clone()));
        }
        cx.reply(to, ResponseKind::DescribeGroups(response));
    }

    /// ListGroups: the groups of this coordinator, while it loads those that it has so far.
    pub fn list_groups(&self, cx: &mut Context<'_>, to: ReplyTo, request: &ListGroupsRequest) {
        let loads = self.loads.is_any_loading(self.config.version);
        let error = loads.then_some(ResponseError::CoordinatorLoadInProgress);
        let lower = |filter: &[StrBytes]| -> BTreeSet<String> {
            filter.iter().map(|one| one.to_ascii_lowercase()).collect()
        };
        let (states, types) = (lower(&request.states_filter), lower(&request.types_filter));
        let wants = |filter: &BTreeSet<String>, name: &str| {
            filter.is_empty() || filter.contains(&name.to_ascii_lowercase())
        };
        let mut response =
            ListGroupsResponse::default().with_error_code(error.map_or(0, |error| error.code()));
        for group in self.groups.values() {
            let state = name_of(group.state, self.config.version);
            if wants(&states, &state) && wants(&types, CLASSIC) {
                let kind = group.protocol_type.clone().unwrap_or_default();
                response.groups.push(
                    ListedGroup::default()
                        .with_group_id(GroupId(group.id.clone()))
                        .with_protocol_type(kind)
                        .with_group_state(state)
                        .with_group_type(StrBytes::from_static_str(CLASSIC)),
                );
            }
        }
        cx.reply(to, ResponseKind::ListGroups(response));
    }

    /// DeleteGroups: those without members.
    pub fn delete_groups(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: DeleteGroupsRequest,
    ) {
        let mut response = DeleteGroupsResponse::default();
        for id in request.groups_names {
            let error = self.delete_group(cx, &id.0).err();
            let row = DeletableGroupResult::default().with_group_id(id);
            response.results.push(row.with_error_code(error.map_or(0, |error| error.code())));
        }
        cx.reply(to, ResponseKind::DeleteGroups(response));
    }

    fn delete_group(&mut self, cx: &mut Context<'_>, id: &StrBytes) -> Result<(), ResponseError> {
        if let Some(error) = self.refusal(id, ApiKey::DeleteGroups) {
            return Err(error);
        }
        let group = self.groups.get_mut(id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state != State::Empty {
            return Err(ResponseError::NonEmptyGroup);
        }
        group.committing.clear();
        group.uncommitted.clear();
        let places: Vec<Place> = group.offsets.keys().cloned().collect();
        self.forget_offsets(cx, id, &places);
        Ok(())
    }
}
