//! A rebalance: from the first join of a generation until all members have joined, or had the time to.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::answers::{self, Joined};
use super::appends::Written;
use super::coordinator::Work;
use super::deadlines::Due;
use super::member::{Member, span};
use super::state::{JoinDeadline, State};
use super::stored::group_record;
use crate::history::Removal;
use crate::nodes::broker::context::Context;
use crate::releases::Change;
use crate::vocab::Mutant;

impl Work<'_> {
    /// Begins a rebalance, if one can begin.
    pub fn maybe_rebalance(&mut self, cx: &mut Context<'_>) {
        if self.group.can_rebalance() {
            self.rebalance(cx);
        }
    }

    /// Begins a rebalance.
    pub fn rebalance(&mut self, cx: &mut Context<'_>) {
        if self.group.state == State::Completing {
            self.fail_syncs(cx, ResponseError::RebalanceInProgress);
        }
        self.group.unsynced.clear();
        if let Some(deadline) = self.group.sync_deadline.take() {
            self.alarm.clear(deadline);
        }
        let whole = self.group.rebalance_timeout();
        let (after, initial) = match self.group.state {
            State::Empty => {
                let delay = self.config.groups.initial_rebalance_delay;
                (delay, Some(whole.saturating_sub(delay)))
            }
            _ => (whole, None),
        };
        tracing::info!(group = %self.group.id, generation = self.group.generation, "rebalances");
        self.enter(cx, State::Preparing);
        self.wait_for_joins(cx, after, initial);
        self.maybe_complete_join(cx);
    }

    fn wait_for_joins(&mut self, cx: &mut Context<'_>, after: Duration, initial: Option<Duration>) {
        if let Some(old) = self.group.join_deadline.take() {
            self.alarm.clear(old.at);
        }
        let at = self.alarm.set_after(cx, after, Due::Join(self.group.id.clone()));
        self.group.join_deadline = Some(JoinDeadline { at, initial });
    }

    /// Ends the waiting for members, if all have joined.
    pub fn maybe_complete_join(&mut self, cx: &mut Context<'_>) {
        // Without a deadline the group has failed to choose a protocol.
        let waits = self.group.join_deadline.is_some_and(|join| join.initial.is_none());
        if self.group.state == State::Preparing && waits && self.group.have_all_joined() {
            self.complete_join(cx);
        }
    }

    /// Members had the time to join. The first rebalance of a group goes on waiting while members come.
    pub fn join_time_over(&mut self, cx: &mut Context<'_>) {
        let initial = self.group.join_deadline.take().and_then(|join| join.initial);
        if let Some(left) = initial.filter(|left| self.group.member_came && !left.is_zero()) {
            self.group.member_came = false;
            let delay = self.config.groups.initial_rebalance_delay.min(left);
            self.wait_for_joins(cx, delay, Some(left.saturating_sub(delay)));
            return;
        }
        if self.group.state == State::Preparing {
            self.complete_join(cx);
        }
    }

    /// Whether the leader has joined; another member that has joined becomes leader if it has not.
    fn has_joined_leader(&mut self) -> bool {
        let joined = |member: &&Member| member.joining.is_some();
        let leader = self.group.leader.as_ref().and_then(|id| self.group.members.get(id));
        let Some(leader) = leader else { return false };
        if leader.joining.is_some() {
            return true;
        }
        let Some(other) = self.group.members.values().find(joined) else { return false };
        self.group.leader = Some(other.id.clone());
        true
    }

    /// The next generation begins with the members that have joined.
    fn complete_join(&mut self, cx: &mut Context<'_>) {
        if let Some(old) = self.group.join_deadline.take() {
            self.alarm.clear(old.at);
        }
        // Static members come back with their instance, and are waited for until their session ends.
        let keeps_static = self.version().has(Change::StaticMembers);
        let absent = |member: &&Member| {
            member.joining.is_none() && !(keeps_static && member.instance.is_some())
        };
        let absent = self.group.members.values().filter(absent);
        for id in absent.map(|member| member.id.clone()).collect::<Vec<_>>() {
            tracing::info!(group = %self.group.id, member = %id, "did not join again: removed");
            self.forget(cx, &id, Removal::NotRejoined);
        }
        if keeps_static && !self.has_joined_leader() && !self.group.members.is_empty() {
            let after = self.group.rebalance_timeout();
            self.wait_for_joins(cx, after, None);
            return;
        }
        let is_reused = self.config.is(Mutant::ReuseGeneration) && self.group.generation > 0;
        self.group.generation += if is_reused { 0 } else { 1 };
        if self.group.members.is_empty() {
            self.group.protocol = None;
            self.enter(cx, State::Empty);
            let record = group_record(self.version(), self.group, &Default::default());
            let whose = (self.group.partition, self.group.id.clone());
            self.appends.append(cx, whose, vec![record], Written::Empty);
            return;
        }
        let Some(protocol) = self.group.vote() else { return self.stay_without_protocol(cx) };
        self.group.protocol = Some(protocol);
        self.enter(cx, State::Completing);
        let ids: Vec<StrBytes> = self.group.members.keys().cloned().collect();
        for id in ids {
            self.let_in(cx, &id);
        }
        if self.version().has(Change::PendingSyncsExpire) {
            let after = self.group.rebalance_timeout();
            let due = Due::Sync(self.group.id.clone());
            self.group.sync_deadline = Some(self.alarm.set_after(cx, after, due));
        }
    }

    /// No protocol can be chosen, as members named none: before 1.0 an exception ended the rebalance, and the group's
    /// members wait until they give up.
    fn stay_without_protocol(&mut self, cx: &mut Context<'_>) {
        tracing::info!(group = %self.group.id, "no protocol: the rebalance does not end");
        if self.version().has(Change::FirstJoinWaits) {
            return;
        }
        for member in self.group.members.values_mut() {
            if let Some(to) = member.joining.take() {
                answers::join_failed(cx, to);
            }
        }
    }

    /// A member is of the new generation.
    fn let_in(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        let member = self.group.members.get_mut(id).expect("it was just listed");
        let (to, timeout) = (member.joining.take(), span(member.session_timeout_ms));
        member.is_new = false;
        if let Some(to) = to {
            let how = Joined {
                member: id.clone(),
                leader: self.group.leader.clone().unwrap_or_default(),
                lists_members: self.group.is_led_by(id),
                skips_assignment: false,
                error: None,
            };
            answers::joined(cx, to, self.group, how);
        }
        self.keep_alive_for(cx, id, timeout);
        self.group.unsynced.insert(id.clone());
    }
}
