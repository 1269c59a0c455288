//! SyncGroup: the leader's assignment is written, and each member gets its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, SyncGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::answers;
use super::appends::Written;
use super::coordinator::{GroupCoordinator, Work};
use super::state::State;
use super::stored::group_record;
use crate::history::Removal;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::Mutant;

impl GroupCoordinator {
    /// SyncGroup; answered when the leader's assignment is written.
    pub fn sync_group(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: SyncGroupRequest) {
        let group = request.group_id.0.clone();
        let error = match self.refusal(&group, ApiKey::SyncGroup) {
            // The rebalance is lost; and old clients do not expect that a coordinator loads.
            Some(ResponseError::CoordinatorLoadInProgress) => ResponseError::RebalanceInProgress,
            Some(error) => error,
            None => match self.work(&group) {
                None => ResponseError::UnknownMemberId,
                Some(mut work) => match work.sync(cx, to, request) {
                    Ok(()) => return,
                    Err(error) => error,
                },
            },
        };
        answers::sync_refused(cx, to, error);
    }
}

impl Work<'_> {
    fn sync(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: SyncGroupRequest,
    ) -> Result<(), ResponseError> {
        let id = request.member_id;
        self.check_member(&id, request.group_instance_id.as_ref())?;
        if request.generation_id != self.group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs =
            |said: Option<&StrBytes>, known: Option<&StrBytes>| said.is_some() && said != known;
        if differs(request.protocol_type.as_ref(), self.group.protocol_type.as_ref())
            || differs(request.protocol_name.as_ref(), self.group.protocol.as_ref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.group.state {
            State::Empty => return Err(ResponseError::UnknownMemberId),
            State::Preparing => return Err(ResponseError::RebalanceInProgress),
            State::Completing => {
                self.has_synced(&id);
                let member = self.group.members.get_mut(&id).expect("it was just checked");
                member.syncing = Some(to);
                if self.group.is_led_by(&id) {
                    let assigned = request.assignments.into_iter();
                    let assigned = assigned.map(|one| (one.member_id, one.assignment));
                    self.write_assignment(cx, assigned.collect());
                }
            }
            State::Stable => {
                self.has_synced(&id);
                let assignment = self.group.members[&id].assignment.clone();
                answers::synced(cx, to, self.group, assignment);
                self.observe_heard(cx, &id);
                self.keep_alive(cx, &id);
            }
        }
        Ok(())
    }

    /// A member asked for its assignment; when all have, none is waited for.
    fn has_synced(&mut self, id: &StrBytes) {
        self.group.unsynced.remove(id);
        if self.group.unsynced.is_empty()
            && let Some(deadline) = self.group.sync_deadline.take()
        {
            self.alarm.clear(deadline);
        }
    }

    /// The leader's assignment is written; members that it left out get nothing.
    fn write_assignment(&mut self, cx: &mut Context<'_>, mut given: BTreeMap<StrBytes, Bytes>) {
        if self.config.is(Mutant::AssignToAll)
            && let Some(first) = given.values().find(|assignment| !assignment.is_empty()).cloned()
        {
            given.values_mut().for_each(|assignment| assignment.clone_from(&first));
        }
        let members = self.group.members.keys().cloned();
        let assignment = members.map(|id| (id.clone(), given.remove(&id).unwrap_or_default()));
        let assignment: BTreeMap<StrBytes, Bytes> = assignment.collect();
        let record = group_record(self.version(), self.group, &assignment);
        let whose = (self.group.partition, self.group.id.clone());
        let what = Written::Assignment { generation: self.group.generation, assignment };
        self.appends.append(cx, whose, vec![record], what);
    }

    /// The assignment is written, or is not.
    pub fn assignment_written(
        &mut self,
        cx: &mut Context<'_>,
        generation: i32,
        mut assignment: BTreeMap<StrBytes, Bytes>,
        error: Option<ResponseError>,
    ) {
        if self.group.state != State::Completing || self.group.generation != generation {
            // Another rebalance has begun.
            return;
        }
        if let Some(error) = error {
            self.fail_syncs(cx, answers::store_error(error));
            self.maybe_rebalance(cx);
            return;
        }
        let ids: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        for id in ids {
            let member = self.group.members.get_mut(&id).expect("it was just listed");
            member.assignment = assignment.remove(&id).unwrap_or_default();
            let (waiting, assignment) = (member.syncing.take(), member.assignment.clone());
            if let Some(to) = waiting {
                answers::synced(cx, to, self.group, assignment);
            }
            // A session that ended while the member's request waited was not looked at.
            self.keep_alive(cx, &id);
        }
        self.enter(cx, State::Stable);
    }

    /// Refuses every SyncGroup that waits; the generation has no assignment.
    pub fn fail_syncs(&mut self, cx: &mut Context<'_>, error: ResponseError) {
        let ids: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        for id in ids {
            let member = self.group.members.get_mut(&id).expect("it was just listed");
            member.assignment = Bytes::new();
            if let Some(to) = member.syncing.take() {
                answers::sync_refused(cx, to, error);
                self.keep_alive(cx, &id);
            }
        }
    }

    /// Members of the generation that did not ask for their assignments are removed.
    pub fn sync_time_over(&mut self, cx: &mut Context<'_>) {
        self.group.sync_deadline = None;
        if !matches!(self.group.state, State::Completing | State::Stable)
            || self.group.unsynced.is_empty()
        {
            return;
        }
        for id in std::mem::take(&mut self.group.unsynced) {
            tracing::info!(group = %self.group.id, member = %id, "did not sync: removed");
            self.forget(cx, &id, Removal::NotSynced);
        }
        self.rebalance(cx);
    }
}
