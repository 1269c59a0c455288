//! A static member that came back: it gets a new id, and with it the place of its last life (KIP-345).

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::answers::{self, Joined};
use super::appends::Written;
use super::coordinator::Work;
use super::facts;
use super::join::Join;
use super::state::State;
use super::stored::group_record;
use crate::history::Removal;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;

/// The first version of JoinGroup whose answer can say that there is nothing to assign (KIP-814).
const WITH_SKIP_ASSIGNMENT: i16 = 9;

impl Work<'_> {
    /// The member `old` is `new` from now on. Requests of the old one that wait are refused.
    fn rename(&mut self, cx: &mut Context<'_>, old: &StrBytes, new: &StrBytes) {
        let mut member = self.group.members.remove(old).expect("a static member is a member");
        self.observe_removed(cx, old, Removal::Replaced { by: facts::text(new) });
        if let Some(session) = member.session.take() {
            self.alarm.clear(session);
        }
        let fenced = ResponseError::FencedInstanceId;
        if let Some(to) = member.joining.take() {
            answers::join_refused(cx, self.version(), to, old.clone(), fenced);
        }
        if let Some(to) = member.syncing.take() {
            answers::sync_refused(cx, to, fenced);
        }
        if self.group.is_led_by(old) {
            self.group.leader = Some(new.clone());
        }
        if let Some(instance) = &member.instance {
            self.group.static_members.insert(instance.clone(), new.clone());
        }
        if self.group.unsynced.remove(old) {
            self.group.unsynced.insert(new.clone());
        }
        member.id = new.clone();
        self.group.members.insert(new.clone(), member);
    }

    /// A static member without an id came back.
    pub fn replace_static(
        &mut self,
        cx: &mut Context<'_>,
        old: StrBytes,
        new: StrBytes,
        join: Join,
    ) {
        let leader = self.group.leader.clone().unwrap_or_default();
        self.rename(cx, &old, &new);
        self.keep_alive(cx, &new);
        let to = join.to;
        self.update(&new, &join);
        let persists = self.version().has(Change::StaticMembersPersisted);
        match self.group.state {
            State::Stable if persists && self.group.vote() == self.group.protocol => {
                let members = self.group.members.values();
                let assignment: BTreeMap<_, _> =
                    members.map(|one| (one.id.clone(), one.assignment.clone())).collect();
                let record = group_record(self.version(), self.group, &assignment);
                let whose = (self.group.partition, self.group.id.clone());
                let what = Written::StaticMember { old, new, leader };
                self.appends.append(cx, whose, vec![record], what);
            }
            State::Stable if persists => self.maybe_rebalance(cx),
            // The assignment that is on its way may name its old id.
            State::Completing if self.version().has(Change::RejoinDuringSyncRebalances) => {
                self.rebalance(cx);
            }
            State::Stable | State::Completing => {
                self.answer_replaced(cx, to, &new, leader, None);
            }
            State::Preparing => {}
            State::Empty => unreachable!("a group with a member is not empty"),
        }
    }

    fn answer_replaced(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        id: &StrBytes,
        leader: StrBytes,
        error: Option<ResponseError>,
    ) {
        if let Some(member) = self.group.members.get_mut(id) {
            member.joining = None;
        }
        // With the id of its last life as leader, a leader that came back does not assign: a group that is stable
        // would not hand it on.
        let knows = to.version >= WITH_SKIP_ASSIGNMENT && error.is_none();
        let leads = self.group.is_led_by(id);
        let how = Joined {
            member: if error.is_some() { StrBytes::default() } else { id.clone() },
            leader: if knows { self.group.leader.clone().unwrap_or_default() } else { leader },
            lists_members: knows && leads,
            skips_assignment: knows && leads,
            error,
        };
        answers::joined(cx, to, self.group, how);
    }

    /// The new id of a static member is written, or is not: then it has its old one again.
    pub fn static_member_written(
        &mut self,
        cx: &mut Context<'_>,
        (old, new): (StrBytes, StrBytes),
        leader: StrBytes,
        error: Option<ResponseError>,
    ) {
        // A later rebalance or another life of it has answered.
        let waiting = self.group.members.get(&new).and_then(|member| member.joining);
        let Some(to) = waiting.filter(|_| self.group.state == State::Stable) else { return };
        if let Some(error) = error {
            if let Some(member) = self.group.members.get_mut(&new) {
                member.joining = None;
            }
            self.rename(cx, &new, &old);
            self.keep_alive(cx, &old);
            let error = Some(answers::store_error(error));
            self.answer_replaced(cx, to, &old, leader, error);
        } else {
            self.answer_replaced(cx, to, &new, leader, None);
        }
    }
}
