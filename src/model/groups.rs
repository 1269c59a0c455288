//! Consumer groups: as each coordinator knows them, as their members know them, and what is committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::committed::Committed;
use crate::history::{
    BrokerObservation, ClientObservation, CommittedOffset, GroupObservation, GroupSnapshot,
    GroupState, Life, MemberEvent, MemberObservation, Removal,
};
use crate::vocab::{NodeId, Offset, Time, TopicPartition};

/// Generations that are kept of each group.
const GENERATIONS_MAX: usize = 16;
/// Former coordinators that are kept of each group.
const FORMER_MAX: usize = 8;

/// A member, as a coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// When its session began last.
    pub heard: Time,
    /// How long it may be silent; −1 when it is not in a generation yet.
    pub timeout_ms: i32,
}

/// A group, as a coordinator knows it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// State, generation and assignment.
    pub now: GroupSnapshot,
    /// Since when it is in this state.
    pub since: Time,
    /// Since when the coordinator knows it.
    pub known_since: Time,
    /// Its members.
    pub members: BTreeMap<Arc<str>, MemberView>,
    /// What the coordinator answers to OffsetFetch.
    pub offsets: BTreeMap<TopicPartition, Offset>,
}

impl GroupView {
    fn new(now: GroupSnapshot, time: Time) -> Self {
        let (members, offsets) = (BTreeMap::new(), BTreeMap::new());
        Self { now, since: time, known_since: time, members, offsets }
    }

    /// The group changed; `renews` says whether the sessions of all members begin again.
    fn change(&mut self, now: &GroupSnapshot, time: Time, renews: bool) {
        let mut before = std::mem::take(&mut self.members);
        for member in &now.members {
            let known = before.remove(&member.id).filter(|_| !renews);
            let heard = known.map_or(time, |known| known.heard);
            let view = MemberView { heard, timeout_ms: member.session_timeout_ms };
            self.members.insert(member.id.clone(), view);
        }
        self.now = now.clone();
        self.since = time;
    }
}

/// What a broker answered to OffsetFetch until it was a group's coordinator no longer.
#[derive(Clone, Debug)]
struct FormerView {
    until: Time,
    offsets: BTreeMap<TopicPartition, Offset>,
}

/// What is known of one group.
#[derive(Clone, Debug, Default)]
pub struct GroupAccount {
    views: BTreeMap<NodeId, GroupView>,
    /// Generations whose assignment was written, and when; the oldest first.
    stable: VecDeque<(i32, Time)>,
    /// By partition.
    committed: BTreeMap<TopicPartition, Committed>,
    /// What brokers knew that are its coordinators no longer, the oldest first.
    former: VecDeque<FormerView>,
    /// Owners of the last generations, as members say.
    owners: BTreeMap<i32, BTreeMap<TopicPartition, (NodeId, Arc<str>)>>,
}

impl GroupAccount {
    /// The group as a broker knows it.
    pub fn view(&self, coordinator: NodeId) -> Option<&GroupView> {
        self.views.get(&coordinator)
    }

    /// The group as the broker knows it that took it over last, and that broker.
    pub fn latest_view(&self) -> Option<(NodeId, &GroupView)> {
        let latest = self.views.iter().max_by_key(|(_, view)| view.known_since);
        latest.map(|(node, view)| (*node, view))
    }

    /// The newest generation whose assignment was written, and since when.
    pub fn newest_stable(&self) -> Option<(i32, Time)> {
        self.stable.iter().max().copied()
    }

    /// The first generation later than `generation` that was stable before `time`.
    pub fn stable_after(&self, generation: i32, time: Time) -> Option<(i32, Time)> {
        let later = |(other, since): &&(i32, Time)| *other > generation && *since < time;
        self.stable.iter().find(later).copied()
    }

    /// What is committed, by partition.
    pub fn committed(&self) -> &BTreeMap<TopicPartition, Committed> {
        &self.committed
    }

    /// Whether a broker other than the one that took the group over last had this offset at some time since `since`:
    /// one that was replaced without knowing it answers what it has, and its answer may come when it knows.
    pub fn is_known_elsewhere(
        &self,
        at: &TopicPartition,
        offset: Option<Offset>,
        since: Time,
    ) -> bool {
        let newest = self.latest_view().map(|(node, _)| node);
        let others = self.views.iter().filter(|(node, _)| Some(**node) != newest);
        let former = self.former.iter().filter(|former| former.until >= since);
        let known = others.map(|(_, view)| &view.offsets).chain(former.map(|one| &one.offsets));
        known.into_iter().any(|offsets| offsets.get(at).copied() == offset)
    }

    /// A broker is its coordinator no longer.
    fn forget_view(&mut self, time: Time, node: NodeId) {
        let Some(view) = self.views.remove(&node) else { return };
        if self.former.len() == FORMER_MAX {
            self.former.pop_front();
        }
        self.former.push_back(FormerView { until: time, offsets: view.offsets });
    }
}

/// A partition that a member got, and that another one has in the same generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedPartition {
    /// The partition.
    pub at: TopicPartition,
    /// The other member.
    pub other: Arc<str>,
}

/// An OffsetCommit of a member that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCommit {
    /// When it was sent.
    pub sent: Time,
    /// The generation of the member then.
    pub generation: i32,
    /// The offsets.
    pub offsets: Vec<CommittedOffset>,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    by_name: BTreeMap<Arc<str>, GroupAccount>,
    /// By client and number of the request.
    sent: BTreeMap<(NodeId, u64), SentCommit>,
    /// The lowest position of each member in each partition since it owns it.
    lowest: BTreeMap<(NodeId, TopicPartition), Offset>,
    /// What each member has, from its first assignment on.
    has: BTreeMap<NodeId, BTreeSet<TopicPartition>>,
    /// Of the event at hand: the member that it removed.
    removed: Option<MemberView>,
    /// Of the event at hand: the request that it answers.
    answered: Option<SentCommit>,
    /// Of the event at hand: what two members own.
    shared: Option<SharedPartition>,
    /// Of the event at hand: the generation that the coordinator knew before.
    generation_before: Option<i32>,
}

impl Groups {
    /// Whether there was a group.
    pub fn has_any(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// All groups.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, &GroupAccount)> {
        self.by_name.iter()
    }

    /// A group.
    pub fn find(&self, group: &str) -> Option<&GroupAccount> {
        self.by_name.get(group)
    }

    /// The member that the event at hand removed.
    pub fn removed(&self) -> Option<&MemberView> {
        self.removed.as_ref()
    }

    /// The OffsetCommit that the event at hand answers.
    pub fn answered(&self) -> Option<&SentCommit> {
        self.answered.as_ref()
    }

    /// What the member of the event at hand and another one own in the same generation.
    pub fn shared(&self) -> Option<&SharedPartition> {
        self.shared.as_ref()
    }

    /// The generation that the coordinator of the event at hand knew before.
    pub fn generation_before(&self) -> Option<i32> {
        self.generation_before
    }

    /// The lowest position of a member in a partition since it owns it.
    pub fn lowest_position(&self, node: NodeId, at: &TopicPartition) -> Option<Offset> {
        self.lowest.get(&(node, at.clone())).copied()
    }

    /// Whether a member has a partition; `None` for one that has got no assignment in this life.
    pub fn has(&self, node: NodeId, at: &TopicPartition) -> Option<bool> {
        self.has.get(&node).map(|has| has.contains(at))
    }

    fn account(&mut self, group: &Arc<str>) -> &mut GroupAccount {
        self.by_name.entry(group.clone()).or_default()
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, (time, node): (Time, NodeId), life: Life) {
        if matches!(life, Life::Crashed | Life::PowerLost | Life::Exited) {
            self.by_name.values_mut().for_each(|group| group.forget_view(time, node));
            self.has.remove(&node);
            self.sent.retain(|(client, _), _| *client != node);
            self.lowest.retain(|(client, _), _| *client != node);
        }
    }

    /// Folds in what a broker did.
    pub fn broker(&mut self, (time, node): (Time, NodeId), did: &BrokerObservation) {
        (self.removed, self.generation_before) = (None, None);
        let BrokerObservation::Group(did) = did else { return };
        match did {
            GroupObservation::StateChanged { group, now } => {
                self.state_changed((time, node), group, now);
            }
            GroupObservation::MemberJoined { group, member, .. } => {
                if let Some(view) = self.account(group).views.get_mut(&node) {
                    let view = &mut view.members;
                    view.insert(member.clone(), MemberView { heard: time, timeout_ms: -1 });
                }
            }
            GroupObservation::MemberRemoved { group, member, why } => {
                let view = self.account(group).views.get_mut(&node);
                let removed = view.and_then(|view| {
                    let removed = view.members.remove(member)?;
                    if let Removal::Replaced { by } = why {
                        let now = MemberView { heard: time, ..removed.clone() };
                        view.members.insert(by.clone(), now);
                        let known = view.now.members.iter_mut().find(|one| one.id == *member);
                        known.into_iter().for_each(|one| one.id = by.clone());
                    }
                    Some(removed)
                });
                self.removed = removed;
            }
            GroupObservation::MemberHeard { group, member } => {
                self.heard((time, node), group, member);
            }
            GroupObservation::CommitAccepted { group, member, offsets, .. } => {
                self.heard((time, node), group, member);
                self.accepted(node, group, offsets);
            }
            GroupObservation::CommitAcceptedInTransaction { group, offsets, .. } => {
                self.accepted(node, group, offsets);
            }
            GroupObservation::OffsetsCommitted { group, offsets, log_offset, .. } => {
                let account = self.account(group);
                for one in offsets {
                    let of_partition = account.committed.entry(one.at.clone()).or_default();
                    of_partition.written(time, node, one.offset, *log_offset);
                    if let Some(view) = account.views.get_mut(&node) {
                        view.offsets.insert(one.at.clone(), one.offset);
                    }
                }
            }
            GroupObservation::OffsetsForgotten { group, partitions } => {
                let account = self.account(group);
                for at in partitions {
                    account.committed.entry(at.clone()).or_default().forgotten();
                    account.views.values_mut().for_each(|view| _ = view.offsets.remove(at));
                }
            }
            GroupObservation::Loaded { group, now, offsets } => {
                let mut view = GroupView::new(now.clone(), time);
                view.change(now, time, true);
                view.offsets = offsets.iter().map(|one| (one.at.clone(), one.offset)).collect();
                self.account(group).views.insert(node, view);
            }
            GroupObservation::CoordinatorElected { .. } => {}
            GroupObservation::CoordinatorResigned { groups, .. } => {
                for group in groups {
                    self.account(group).forget_view(time, node);
                }
            }
        }
    }

    /// A coordinator has offsets written.
    fn accepted(&mut self, node: NodeId, group: &Arc<str>, offsets: &[CommittedOffset]) {
        let committed = &mut self.account(group).committed;
        for one in offsets {
            committed.entry(one.at.clone()).or_default().accepted(node, one.offset);
        }
    }

    fn state_changed(
        &mut self,
        (time, node): (Time, NodeId),
        group: &Arc<str>,
        now: &GroupSnapshot,
    ) {
        let account = self.account(group);
        let known = account.views.get(&node).map(|view| view.now.generation);
        if now.state == GroupState::Dead {
            // A group of this name begins again at generation 1. A broker that was replaced may still know it.
            account.views.remove(&node);
            let (views, former) =
                (std::mem::take(&mut account.views), std::mem::take(&mut account.former));
            *account = GroupAccount { views, former, ..GroupAccount::default() };
        } else {
            let view =
                account.views.entry(node).or_insert_with(|| GroupView::new(now.clone(), time));
            let renews = matches!(now.state, GroupState::CompletingRebalance | GroupState::Stable);
            view.change(now, time, renews);
            if now.state == GroupState::Stable {
                account.stable.push_back((now.generation, time));
                if account.stable.len() > GENERATIONS_MAX {
                    account.stable.pop_front();
                }
            }
        }
        self.generation_before = known;
    }

    fn heard(&mut self, (time, node): (Time, NodeId), group: &Arc<str>, member: &Arc<str>) {
        let view = self.account(group).views.get_mut(&node);
        if let Some(member) = view.and_then(|view| view.members.get_mut(member)) {
            member.heard = time;
        }
    }

    /// Folds in what a client did.
    pub fn client(&mut self, (time, node): (Time, NodeId), did: &ClientObservation) {
        (self.answered, self.shared) = (None, None);
        match did {
            ClientObservation::Member(member) => self.member((time, node), member),
            ClientObservation::PositionReset { at, to, .. } => {
                if let Some(lowest) = self.lowest.get_mut(&(node, at.clone())) {
                    *lowest = (*to).min(*lowest);
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, (time, node): (Time, NodeId), did: &MemberObservation) {
        let MemberObservation { group, member, generation, what } = did;
        match what {
            MemberEvent::Assigned { owned, .. } => {
                self.has.insert(node, owned.iter().cloned().collect());
                let owners = self.account(group).owners.entry(*generation).or_default();
                let mut shared = None;
                for at in owned {
                    match owners.get(at) {
                        // A static member that comes back has another id.
                        Some((by, other)) if *by != node && other != member => {
                            let other = other.clone();
                            shared.get_or_insert(SharedPartition { at: at.clone(), other });
                        }
                        _ => _ = owners.insert(at.clone(), (node, member.clone())),
                    }
                }
                let owners = &mut self.account(group).owners;
                if owners.len() > GENERATIONS_MAX {
                    owners.pop_first();
                }
                self.shared = shared;
            }
            MemberEvent::Revoked { partitions } | MemberEvent::Lost { partitions } => {
                for at in partitions {
                    self.lowest.remove(&(node, at.clone()));
                    self.has.get_mut(&node).into_iter().for_each(|has| _ = has.remove(at));
                }
            }
            MemberEvent::CommitSent { number, offsets } => {
                let (generation, offsets) = (*generation, offsets.clone());
                let sent = SentCommit { sent: time, generation, offsets };
                self.sent.insert((node, *number), sent);
            }
            MemberEvent::CommitAnswered { number, .. } => {
                self.answered = self.sent.remove(&(node, *number));
            }
            MemberEvent::PositionBegun { at, offset, .. } => {
                self.lowest.insert((node, at.clone()), *offset);
            }
            MemberEvent::Joined { .. }
            | MemberEvent::Heartbeat { .. }
            | MemberEvent::CommittedFetched { .. }
            | MemberEvent::LeaveSent => {}
        }
    }
}
