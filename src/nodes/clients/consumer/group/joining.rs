//! How a member joins: what it commits and gives up before, JoinGroup, as leader the assignment, SyncGroup, and what
//! it takes over after.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::protocol::StrBytes;
use tracing::{info, warn};

use super::super::assignment::Assignment;
use super::super::assignors::{
    Assignor, Member as Peer, RebalanceProtocol, Subscription, Topic, decode_assignment,
    encode_assignment, hash_order,
};
use super::super::config::ConsumerConfig;
use super::config::CommitPolicy;
use super::link::Asked;
use super::member::{Client, Member};
use super::standing::Stage;
use crate::history::MemberEvent;
use crate::nodes::Effects;
use crate::nodes::clients::metadata::Metadata;
use crate::releases::Change;
use crate::vocab::{Time, TopicPartition};

/// `JOIN_GROUP_TIMEOUT_LAPSE`: how much longer than the rebalance timeout JoinGroup is waited for.
const JOIN_LAPSE: Duration = Duration::from_secs(5);

impl Member {
    /// Joins if it has to. Returns when to come back.
    pub(super) fn join(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        self.watch(client.metadata);
        if self.subscribed.match_topics(client.metadata) && self.stage == Stage::Stable {
            info!(group = &*self.config.id, "other topics match now");
            self.needs_join = true;
        }
        self.take_over(now, client, effects);
        if self.to_assign.is_some() || self.link.awaits(|a| matches!(a, Asked::Join | Asked::Sync))
        {
            return None;
        }
        if !self.needs_join || !self.link.is_known() {
            return None;
        }
        if !self.subscribed.is_fresh(self.release, now, client.metadata) {
            return None;
        }
        if !self.is_prepared {
            let driven = self.prepare(now, client, effects);
            if !self.is_prepared {
                return driven;
            }
        }
        if self.join_from > now {
            return Some(self.join_from);
        }
        let owned = client.assignment.owned();
        let subscription = |assignor: &Assignor| {
            let subscription = Subscription {
                topics: hash_order(self.subscribed.topics()),
                user_data: assignor.user_data(),
                owned: owned.clone(),
                generation: Some(self.identity.generation),
                rack: None,
            };
            (assignor.strategy().name(), subscription.encode(self.release))
        };
        let request = self.requests().join(self.assignors.iter().map(subscription).collect());
        let timeout = self.config.max_poll_interval + JOIN_LAPSE;
        if self.link.send(now, (Asked::Join, &self.identity), request, timeout, effects) {
            self.stage = Stage::Joining;
            self.subscribed.join_sent();
        }
        None
    }

    /// As leader: new partitions of the group's topics have to be assigned.
    fn watch(&mut self, metadata: &Metadata) {
        let Some(watched) = &self.watched else { return };
        let is_other = watched.iter().any(|(name, count)| partitions(metadata, name) != *count);
        if is_other && self.stage == Stage::Stable && !self.needs_join {
            info!(group = &*self.config.id, "the topics have other partitions now");
            self.needs_join = true;
        }
    }

    /// Commits and gives up what has to be before joining (`onJoinPrepare`). Returns when to come back.
    fn prepare(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        if !self.commits.is_awaited()
            && self.stage == Stage::Stable
            && matches!(self.config.commit, CommitPolicy::Auto(_))
        {
            let until = Some(now + self.config.max_poll_interval);
            self.commits.begin(client.assignment.positions(client.config), until);
        }
        if self.commits.is_awaited() {
            let next = self.drive_commit(now, effects);
            if self.commits.take_outcome().is_none() {
                return next;
            }
        }
        let reads = (&mut *client.assignment, client.config);
        let owned = reads.0.owned();
        let is_lost = self.identity.generation < 0
            && (self.identity.member.is_empty()
                || self.release.has(Change::IllegalGenerationKeepsMember));
        if is_lost {
            if !owned.is_empty() {
                self.give_up(reads, &owned, true, effects);
            }
        } else {
            let is_eager = self.protocol == RebalanceProtocol::Eager;
            let goes =
                |at: &&TopicPartition| is_eager || !self.subscribed.topics().contains(&at.topic);
            let given: Vec<_> = owned.iter().filter(goes).cloned().collect();
            if is_eager || !given.is_empty() {
                self.give_up(reads, &given, false, effects);
            }
        }
        self.watched = None;
        self.is_prepared = true;
        None
    }

    /// Gives up partitions, by itself or because they were taken.
    pub(super) fn give_up(
        &self,
        (assignment, config): (&mut Assignment, &ConsumerConfig),
        partitions: &[TopicPartition],
        is_lost: bool,
        effects: &mut Effects,
    ) {
        for at in partitions {
            assignment.give_up(at, config);
        }
        let partitions = partitions.to_vec();
        let what = match is_lost {
            true => MemberEvent::Lost { partitions },
            false => MemberEvent::Revoked { partitions },
        };
        self.observe(effects, what);
    }

    /// JoinGroup was answered, and the member leads: it assigns once it knows the topics of all members.
    pub(super) fn lead(&mut self, members: Vec<JoinGroupResponseMember>, metadata: &mut Metadata) {
        let release = self.release;
        let peer = |member: JoinGroupResponseMember| {
            let subscription = Subscription::decode(release, member.metadata);
            Peer {
                id: member.member_id.as_str().into(),
                instance: member.group_instance_id.as_ref().map(|id| id.as_str().into()),
                subscription: subscription.unwrap_or_default(),
            }
        };
        let peers: Vec<Peer> = members.into_iter().map(peer).collect();
        let topics = peers.iter().flat_map(|peer| &peer.subscription.topics);
        topics.for_each(|topic| metadata.add_topic(topic));
        // An answer that names all topics is needed, and no more: what it does not know has no partitions yet
        // (`ConsumerCoordinator.ensureFreshMetadata`).
        self.assigns_from = metadata.updates() + u64::from(metadata.is_wanted());
        self.to_assign = Some(peers);
    }

    /// As leader: assigns, when metadata is up to date.
    pub(super) fn assign(&mut self, now: Time, client: &mut Client<'_>, effects: &mut Effects) {
        if client.metadata.updates() < self.assigns_from {
            return;
        }
        let Some(peers) = self.to_assign.take() else { return };
        let chosen = self.identity.protocol.clone().unwrap_or_default();
        let release = self.release;
        let mut names: Vec<Arc<str>> =
            peers.iter().flat_map(|peer| peer.subscription.topics.iter().cloned()).collect();
        names.sort();
        names.dedup();
        let counts: Vec<(Arc<str>, usize)> = names
            .into_iter()
            .map(|name| (name.clone(), partitions(client.metadata, &name)))
            .collect();
        let topics: Vec<Topic> =
            counts.iter().map(|(name, n)| Topic::without_racks(name.clone(), *n)).collect();
        self.watched = Some(counts);
        let assignor = self.assignors.iter_mut().find(|one| one.strategy().name() == &*chosen);
        let Some(assignor) = assignor else {
            warn!(chosen = chosen.as_str(), "the coordinator chose an assignor that it has not");
            self.failed = true;
            return;
        };
        let assigned = match assignor.assign(&topics, &peers) {
            Ok(assigned) => assigned,
            Err(why) => {
                warn!(%why, "an assignor fails");
                self.failed = true;
                return;
            }
        };
        let encoded = assigned.into_iter().map(|(member, partitions)| {
            let bytes = encode_assignment(release, &partitions);
            (StrBytes::from_string(member.to_string()), bytes)
        });
        self.sync(now, encoded.collect(), effects);
    }

    /// Asks for the assignment; the leader brings it.
    pub(super) fn sync(
        &mut self,
        now: Time,
        assignments: Vec<(StrBytes, Bytes)>,
        effects: &mut Effects,
    ) {
        let request = self.requests().sync(assignments);
        let asked = (Asked::Sync, &self.identity);
        self.link.send(now, asked, request, Duration::ZERO, effects);
    }

    /// Takes over an assignment (`onJoinComplete`).
    fn take_over(&mut self, now: Time, client: &mut Client<'_>, effects: &mut Effects) {
        let Some(bytes) = self.received.take() else { return };
        self.is_prepared = false;
        let partitions = match decode_assignment(self.release, bytes) {
            Ok(partitions) => partitions,
            Err(why) => {
                warn!(%why, "an assignment is not of consumers");
                self.failed = true;
                return;
            }
        };
        if !partitions.iter().all(|at| self.subscribed.covers(&at.topic)) {
            self.needs_join = true;
            return;
        }
        let owned = client.assignment.owned();
        let revoked: Vec<_> = owned.iter().filter(|at| !partitions.contains(at)).cloned().collect();
        if !revoked.is_empty() {
            self.give_up((client.assignment, client.config), &revoked, false, effects);
            self.needs_join = true;
        }
        self.subscribed.assigned(&partitions);
        let chosen = self.identity.protocol.clone().unwrap_or_default();
        let assignor = self.assignors.iter_mut().find(|one| one.strategy().name() == &*chosen);
        if let Some(assignor) = assignor {
            assignor.assigned(&partitions, self.identity.generation);
        }
        self.commits.restart(now);
        let added: Vec<_> = partitions.iter().filter(|at| !owned.contains(at)).cloned().collect();
        for at in &added {
            client.metadata.add_topic(&at.topic);
            let topic = client.metadata.topic(&at.topic).expect("it was just added");
            client.assignment.take(topic, at);
        }
        self.observe(effects, MemberEvent::Assigned { added, owned: partitions });
    }

    /// Asks for the committed offsets of new partitions. Returns when to come back.
    pub(super) fn fetch_offsets(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        if self.link.awaits(|asked| matches!(asked, Asked::Offsets)) {
            return None;
        }
        let partitions = client.assignment.uncommitted();
        if partitions.is_empty() || !self.link.is_known() {
            return None;
        }
        if self.fetch_from > now {
            return Some(self.fetch_from);
        }
        let request = self.requests().fetch_offsets(&partitions);
        let asked = (Asked::Offsets, &self.identity);
        self.link.send(now, asked, request, Duration::ZERO, effects);
        None
    }
}

fn partitions(metadata: &Metadata, name: &str) -> usize {
    metadata.topic(name).map_or(0, |topic| metadata.partitions(topic))
}
