//! JoinGroup: a client becomes a member, or a member joins the next generation.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, JoinGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::answers::{self, Joined};
use super::coordinator::{Client, GroupCoordinator, Work};
use super::deadlines::Due;
use super::member::{Member, Protocols, span};
use super::state::State;
use crate::history::Removal;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::payload::random_uuid;
use crate::releases::Change;
use crate::wire::kafka::TEXT_MAX;

/// The first version of JoinGroup with a rebalance timeout of its own.
const WITH_REBALANCE_TIMEOUT: i16 = 1;
/// The first version whose clients join with an id that they were given (KIP-394).
const WITH_KNOWN_ID: i16 = 4;
/// How long a new member's first JoinGroup may wait (`GroupCoordinator.NewMemberJoinTimeoutMs`).
pub const NEW_MEMBER_TIMEOUT: Duration = Duration::from_mins(5);

/// A JoinGroup.
#[derive(Clone, Debug)]
pub struct Join {
    /// Where its answer goes.
    pub to: ReplyTo,
    /// The member's id; empty when it has none.
    pub member: StrBytes,
    /// `group.instance.id`
    pub instance: Option<StrBytes>,
    /// Who asks.
    pub client: Client,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Of consumers `consumer`.
    pub kind: StrBytes,
    /// What it supports.
    pub protocols: Protocols,
}

impl Join {
    fn of(to: ReplyTo, client: Client, request: JoinGroupRequest) -> Self {
        let rebalance_timeout_ms = match to.version {
            WITH_REBALANCE_TIMEOUT.. => request.rebalance_timeout_ms,
            _ => request.session_timeout_ms,
        };
        let protocols = request.protocols.into_iter().map(|one| (one.name, one.metadata));
        Self {
            to,
            member: request.member_id,
            instance: request.group_instance_id,
            client,
            rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            kind: request.protocol_type,
            protocols: protocols.collect(),
        }
    }
}

impl GroupCoordinator {
    /// JoinGroup; answered when the generation begins.
    pub fn join_group(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        client: Client,
        request: JoinGroupRequest,
    ) {
        let version = self.config.version;
        let group = request.group_id.0.clone();
        let join = Join::of(to, client, request);
        let session = span(join.session_timeout_ms);
        let longest = self.config.groups.max_session_timeout;
        let refusal = self.refusal(&group, ApiKey::JoinGroup).or_else(|| {
            let fits = (self.config.groups.min_session_timeout..=longest).contains(&session);
            let unknown = !join.member.is_empty() && !self.groups.contains_key(&group);
            match (fits, unknown) {
                (false, _) => Some(ResponseError::InvalidSessionTimeout),
                (true, true) => Some(ResponseError::UnknownMemberId),
                (true, false) => None,
            }
        });
        match refusal {
            Some(error) => answers::join_refused(cx, version, to, join.member, error),
            None => self.work_or_create(&group).join(cx, join),
        }
    }
}

impl Work<'_> {
    fn join(&mut self, cx: &mut Context<'_>, join: Join) {
        if !self.has_room_for(&join.member) {
            self.forget(cx, &join.member, Removal::GroupFull);
            let error = ResponseError::GroupMaxSizeReached;
            answers::join_refused(cx, self.version(), join.to, StrBytes::default(), error);
        } else if self.group.state == State::Empty
            && !self.version().has(Change::GroupsNeedProtocols)
        {
            self.join_as_known_or_new(cx, join);
        } else if !self.group.accepts(&join.kind, &join.protocols) {
            let error = ResponseError::InconsistentGroupProtocol;
            answers::join_refused(cx, self.version(), join.to, join.member, error);
        } else {
            self.join_as_known_or_new(cx, join);
        }
        self.maybe_complete_join(cx);
    }

    /// Whether the group may have one more member (`group.max.size`).
    fn has_room_for(&self, id: &StrBytes) -> bool {
        let Some(most) = self.config.groups.max_size else { return true };
        let known = self.group.members.get(id);
        let waits = known.is_some_and(|member| member.joining.is_some());
        if !self.version().has(Change::FullGroupsKeepMembers) {
            return match known {
                None => self.group.members.len() < most,
                Some(_) => waits || self.group.members.len() <= most,
            };
        }
        match self.group.state {
            State::Empty => true,
            State::Preparing => waits || self.group.joined() < most,
            State::Completing | State::Stable => known.is_some() || self.group.members.len() < most,
        }
    }

    fn join_as_known_or_new(&mut self, cx: &mut Context<'_>, join: Join) {
        if join.member.is_empty() {
            self.join_as_new(cx, join);
        } else if self.group.pending.contains_key(&join.member) {
            let id = join.member.clone();
            self.add_member(cx, id, join);
        } else {
            self.join_again(cx, join);
        }
    }

    /// A client without an id.
    fn join_as_new(&mut self, cx: &mut Context<'_>, join: Join) {
        let prefix = join.instance.as_ref().unwrap_or(&join.client.id);
        let id = StrBytes::from_string(format!("{prefix}-{}", random_uuid(self.ids).hyphenated()));
        if id.len() > TEXT_MAX {
            // No answer can name it, as real brokers find when they write one.
            answers::join_failed(cx, join.to);
        } else if let Some(old) = self.group.static_id(join.instance.as_ref()) {
            let old = old.clone();
            self.replace_static(cx, old, id, join);
        } else if join.instance.is_none() && join.to.version >= WITH_KNOWN_ID {
            let due = Due::Pending(self.group.id.clone(), id.clone());
            let until = self.alarm.set_after(cx, span(join.session_timeout_ms), due);
            self.group.pending.insert(id.clone(), until);
            let error = ResponseError::MemberIdRequired;
            answers::join_refused(cx, self.version(), join.to, id, error);
        } else {
            self.add_member(cx, id, join);
        }
    }

    fn add_member(&mut self, cx: &mut Context<'_>, id: StrBytes, join: Join) {
        if self.group.state == State::Preparing && self.group.generation == 0 {
            self.group.member_came = true;
        }
        if let Some(deadline) = self.group.pending.remove(&id) {
            self.alarm.clear(deadline);
        }
        let expires = self.version().has(Change::NewMembersExpire);
        let member = Member {
            id: id.clone(),
            instance: join.instance,
            client_id: join.client.id,
            client_host: join.client.host,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: bytes::Bytes::new(),
            joining: Some(join.to),
            syncing: None,
            is_new: expires,
            session: None,
        };
        self.observe_joined(cx, &member);
        self.group.add(member, join.kind);
        if expires {
            self.keep_alive_for(cx, &id, NEW_MEMBER_TIMEOUT);
        }
        self.maybe_rebalance(cx);
    }

    /// A client with an id that is not pending.
    fn join_again(&mut self, cx: &mut Context<'_>, join: Join) {
        let (id, instance) = (join.member.clone(), join.instance.as_ref());
        let version = self.version();
        let known = self.check_member(&id, instance).and_then(|()| {
            let lost = instance.is_some() && self.group.static_id(instance).is_none();
            if lost { Err(ResponseError::UnknownMemberId) } else { Ok(()) }
        });
        if let Err(error) = known {
            answers::join_refused(cx, version, join.to, id, error);
            return;
        }
        let same = self.group.members[&id].protocols == join.protocols;
        let leads = self.group.is_led_by(&id);
        let current = match self.group.state {
            State::Empty => {
                let error = ResponseError::UnknownMemberId;
                answers::join_refused(cx, version, join.to, id, error);
                return;
            }
            State::Preparing => false,
            State::Completing => same,
            State::Stable => same && !leads,
        };
        if current {
            // Its answer was lost, or it missed nothing.
            let lists_members = leads && self.group.state == State::Completing;
            let leader = self.group.leader.clone().unwrap_or_default();
            let how =
                Joined { member: id, leader, lists_members, skips_assignment: false, error: None };
            answers::joined(cx, join.to, self.group, how);
        } else {
            self.update(&id, &join);
            self.maybe_rebalance(cx);
        }
    }

    /// A member's JoinGroup waits from now on, with what it says of the member.
    pub fn update(&mut self, id: &StrBytes, join: &Join) {
        let keeps_timeouts = !self.version().has(Change::JoinRenewsTimeouts);
        let member = self.group.members.get_mut(id).expect("a known member");
        member.protocols.clone_from(&join.protocols);
        member.joining = Some(join.to);
        if !keeps_timeouts {
            member.rebalance_timeout_ms = join.rebalance_timeout_ms;
            member.session_timeout_ms = join.session_timeout_ms;
        }
    }
}
