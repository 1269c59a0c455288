//! Heartbeat and LeaveGroup, and the end of a membership.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    ApiKey, HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse,
    ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::answers;
use super::coordinator::{GroupCoordinator, Work};
use super::join::NEW_MEMBER_TIMEOUT;
use super::member::{Member, span};
use super::state::State;
use crate::history::Removal;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::Mutant;

/// The first version of LeaveGroup for many members.
const BATCHED: i16 = 3;

impl GroupCoordinator {
    /// Heartbeat. A coordinator that loads the group says that all is well.
    pub fn heartbeat(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: HeartbeatRequest) {
        let group = &request.group_id.0;
        let error = match self.refusal(group, ApiKey::Heartbeat) {
            Some(ResponseError::CoordinatorLoadInProgress) => None,
            Some(error) => Some(error),
            None => match self.work(group) {
                Some(mut work) => work.heartbeat(cx, &request),
                None => Some(ResponseError::UnknownMemberId),
            },
        };
        let code = error.map_or(0, |error| error.code());
        cx.reply(to, ResponseKind::Heartbeat(HeartbeatResponse::default().with_error_code(code)));
    }

    /// LeaveGroup. Up to version 2 the error of the one member is the request's.
    pub fn leave_group(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: LeaveGroupRequest) {
        let group = &request.group_id.0;
        let refusal = self.refusal(group, ApiKey::LeaveGroup);
        let members = match to.version {
            BATCHED.. => request.members,
            _ => vec![MemberIdentity::default().with_member_id(request.member_id)],
        };
        let mut response = LeaveGroupResponse::default();
        if let Some(error) = refusal {
            response.error_code = error.code();
        } else {
            for member in members {
                let error = match self.work(group) {
                    Some(mut work) => work.leave(cx, &member).err(),
                    None => Some(ResponseError::UnknownMemberId),
                };
                let code = error.map_or(0, |error| error.code());
                if to.version < BATCHED {
                    response.error_code = code;
                    continue;
                }
                let one = MemberResponse::default()
                    .with_member_id(member.member_id)
                    .with_group_instance_id(member.group_instance_id)
                    .with_error_code(code);
                response.members.push(one);
            }
        }
        cx.reply(to, ResponseKind::LeaveGroup(response));
    }
}

impl Work<'_> {
    /// Whether a request is of a member, and whose place no other has taken.
    ///
    /// # Errors
    /// FENCED_INSTANCE_ID, UNKNOWN_MEMBER_ID.
    pub fn check_member(
        &self,
        id: &StrBytes,
        instance: Option<&StrBytes>,
    ) -> Result<(), ResponseError> {
        if self.group.is_fenced(id, instance) {
            return Err(ResponseError::FencedInstanceId);
        }
        if !self.group.members.contains_key(id) {
            return Err(ResponseError::UnknownMemberId);
        }
        Ok(())
    }

    /// A member is there.
    pub fn keep_alive(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        let member = self.group.members.get(id);
        let ignores = self.config.is(Mutant::IgnoreSignsOfLife);
        let member = member.filter(|member| !ignores || member.session.is_none());
        if let Some(timeout) = member.map(|member| span(member.session_timeout_ms)) {
            self.keep_alive_for(cx, id, timeout);
        }
    }

    fn heartbeat(
        &mut self,
        cx: &mut Context<'_>,
        request: &HeartbeatRequest,
    ) -> Option<ResponseError> {
        let (id, version) = (&request.member_id, self.version());
        let member = self.check_member(id, request.group_instance_id.as_ref());
        let is_old = request.generation_id != self.group.generation;
        // Up to 2.2 the states were looked at first.
        let by_state = !version.has(Change::StaticMembers);
        match (self.group.state, member) {
            (State::Empty, Ok(())) => Some(ResponseError::UnknownMemberId),
            (_, Err(error)) => Some(error),
            (State::Completing, Ok(())) if by_state => Some(ResponseError::RebalanceInProgress),
            (_, Ok(())) if is_old => Some(ResponseError::IllegalGeneration),
            (State::Completing, Ok(())) if !version.has(Change::HeartbeatsBeforeSync) => {
                Some(ResponseError::RebalanceInProgress)
            }
            (state, Ok(())) => {
                self.observe_heard(cx, id);
                self.keep_alive(cx, id);
                (state == State::Preparing).then_some(ResponseError::RebalanceInProgress)
            }
        }
    }

    /// A member leaves, or is made to, by its id or by its instance.
    fn leave(&mut self, cx: &mut Context<'_>, who: &MemberIdentity) -> Result<(), ResponseError> {
        let instance = who.group_instance_id.as_ref();
        if who.member_id.is_empty() {
            let id = self.group.static_id(instance).cloned();
            let id = id.ok_or(ResponseError::UnknownMemberId)?;
            self.remove(cx, &id, Removal::Left);
        } else if self.group.pending.contains_key(&who.member_id) {
            self.drop_pending(cx, &who.member_id);
        } else {
            self.check_member(&who.member_id, instance)?;
            self.remove(cx, &who.member_id, Removal::Left);
        }
        Ok(())
    }

    /// An id that was given out is given up.
    pub fn drop_pending(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        if let Some(deadline) = self.group.pending.remove(id) {
            self.alarm.clear(deadline);
        }
        self.maybe_complete_join(cx);
    }

    /// Takes a member out, without what follows.
    pub fn forget(&mut self, cx: &mut Context<'_>, id: &StrBytes, why: Removal) -> Option<Member> {
        let member = self.group.remove(id)?;
        self.observe_removed(cx, id, why);
        if let Some(session) = member.session {
            self.alarm.clear(session);
        }
        Some(member)
    }

    /// A member is no longer one. Requests of it that wait are refused, so that it joins again if it is still there.
    pub fn remove(&mut self, cx: &mut Context<'_>, id: &StrBytes, why: Removal) {
        let Some(member) = self.forget(cx, id, why) else { return };
        let error = ResponseError::UnknownMemberId;
        if let Some(to) = member.joining {
            answers::join_refused(cx, self.version(), to, StrBytes::default(), error);
        }
        if let Some(to) = member.syncing {
            answers::sync_refused(cx, to, error);
        }
        match self.group.state {
            State::Empty => {}
            State::Stable | State::Completing => self.maybe_rebalance(cx),
            State::Preparing => self.maybe_complete_join(cx),
        }
    }

    /// A member was silent for its session timeout. One whose request waits is not silent, unless it is its first.
    pub fn session_over(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        let Some(member) = self.group.members.get_mut(id) else { return };
        member.session = None;
        let waits = member.joining.is_some() || member.syncing.is_some();
        if (waits && !member.is_new) || self.config.is(Mutant::KeepSilentMembers) {
            return;
        }
        let timeout =
            if member.is_new { NEW_MEMBER_TIMEOUT } else { span(member.session_timeout_ms) };
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(group = %self.group.id, member = %id, "its session is over");
        self.remove(cx, id, Removal::Expired { timeout_ms });
    }
}
