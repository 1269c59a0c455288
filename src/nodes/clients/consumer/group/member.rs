//! The member itself: what it does in `poll`, and what its heartbeat thread does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::FindCoordinatorResponse;
use tracing::{info, warn};

use super::super::assignment::{Assignment, observe};
use super::super::assignors::{Assignor, Member as Peer, RebalanceProtocol};
use super::super::config::ConsumerConfig;
use super::commits::Commits;
use super::config::GroupConfig;
use super::link::{Asked, Link};
use super::requests::GroupRequests;
use super::standing::{Heartbeats, Identity, Stage};
use super::subscribed::Subscribed;
use crate::history::{ClientObservation, MemberEvent, MemberObservation};
use crate::nodes::Effects;
use crate::nodes::clients::connections::Connections;
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::error_name;
use crate::nodes::clients::wake::earlier;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::step::Input;
use crate::vocab::{Stream, Time};

/// The parts of the consumer that a member works with.
pub struct Client<'a> {
    /// The consumer's settings.
    pub config: &'a ConsumerConfig,
    /// What it knows of the cluster.
    pub metadata: &'a mut Metadata,
    /// The partitions.
    pub assignment: &'a mut Assignment,
    /// Its connections to brokers, but for the one to the coordinator.
    pub net: &'a mut Connections,
    /// Whether positions can be validated (KIP-320).
    pub can_validate: bool,
}

/// What the leader watches, and how many partitions each topic had when it assigned them.
pub(super) type Watched = Vec<(Arc<str>, usize)>;

/// A member of a group.
#[derive(Debug)]
pub struct Member {
    pub(super) config: GroupConfig,
    pub(super) release: KafkaVersion,
    pub(super) retry_backoff: Duration,
    pub(super) subscribed: Subscribed,
    pub(super) assignors: Vec<Assignor>,
    pub(super) protocol: RebalanceProtocol,
    pub(super) link: Link,
    pub(super) stage: Stage,
    pub(super) identity: Identity,
    /// Whether it has to join, for the first time or again.
    pub(super) needs_join: bool,
    /// Whether it has committed and given up what it has to before it joins.
    pub(super) is_prepared: bool,
    /// JoinGroup is not sent before.
    pub(super) join_from: Time,
    /// As leader: the members whose partitions are to be assigned.
    pub(super) to_assign: Option<Vec<Peer>>,
    /// As leader: how many answers metadata has had when it assigns.
    pub(super) assigns_from: u64,
    /// As leader of the last generation.
    pub(super) watched: Option<Watched>,
    /// An assignment that `poll` has not taken over yet.
    pub(super) received: Option<Bytes>,
    pub(super) beats: Heartbeats,
    pub(super) commits: Commits,
    /// OffsetFetch is not sent before.
    pub(super) fetch_from: Time,
    /// The application got an exception that it does not handle.
    pub(super) failed: bool,
    pub(super) closes_at: Option<Time>,
}

impl Member {
    /// A member that has not joined yet.
    pub fn new(consumer: &ConsumerConfig, config: GroupConfig, stream: Stream) -> Self {
        let release = consumer.version;
        let (name, connection) = (&consumer.name, consumer.connection.clone());
        let link = Link::new(release, name, connection, consumer.retry_backoff, stream);
        let all = [RebalanceProtocol::Eager, RebalanceProtocol::Cooperative];
        let supports = |protocol: &RebalanceProtocol| {
            config.strategies.iter().all(|strategy| strategy.protocols().contains(protocol))
        };
        let protocol = all.into_iter().filter(supports).max();
        Self {
            release,
            retry_backoff: consumer.retry_backoff,
            subscribed: Subscribed::new(consumer),
            assignors: config
                .strategies
                .iter()
                .map(|one| Assignor::new(release, *one).with_mutant(consumer.mutant))
                .collect(),
            protocol: protocol.unwrap_or(RebalanceProtocol::Eager),
            link,
            stage: Stage::Unjoined,
            identity: Identity::none(),
            needs_join: true,
            is_prepared: false,
            join_from: Time::ZERO,
            to_assign: None,
            assigns_from: 0,
            watched: None,
            received: None,
            beats: Heartbeats::default(),
            commits: Commits::new(config.commit),
            fetch_from: Time::ZERO,
            failed: false,
            closes_at: None,
            config,
        }
    }

    /// Whether the application got an exception that ends it.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether `poll` waits for a commit, before partitions are given up.
    pub fn is_giving_up(&self) -> bool {
        self.commits.is_awaited()
    }

    /// Whether an input is of its connection to the coordinator.
    pub fn owns(&self, input: &Input) -> bool {
        self.link.owns(input)
    }

    /// What the monotonic clock shows: what it observes has times of that clock.
    pub fn set_monotonic(&mut self, now: Time) {
        self.link.monotonic = now;
    }

    /// Takes an input of its connection to the coordinator.
    pub fn handle(&mut self, now: Time, input: Input, effects: &mut Effects) {
        self.link.handle(now, input, effects);
    }

    /// A broker answered which the coordinator is.
    pub fn found(
        &mut self,
        now: Time,
        body: &FindCoordinatorResponse,
        metadata: &Metadata,
        effects: &mut Effects,
    ) {
        if self.link.found(now, body, metadata, effects) {
            self.beats.heard(now, &self.config);
        }
    }

    /// A broker will not answer which the coordinator is.
    pub fn find_lost(&mut self, now: Time) {
        self.link.find_lost(now);
    }

    /// What the client does while the application is in `poll`. Returns when to come back.
    pub fn poll(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        self.beats.poll_end = now + self.config.max_poll_interval;
        let found = self.find(now, client, effects);
        let joins = self.join(now, client, effects);
        let commits = self.auto_commit(now, client, effects);
        let fetches = self.fetch_offsets(now, client, effects);
        [found, joins, commits, fetches].into_iter().fold(None, earlier)
    }

    /// What the client does while the application waits for a commit. Returns when to come back.
    pub fn wait_for_commit(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        let found = self.find(now, client, effects);
        earlier(found, self.drive_commit(now, effects))
    }

    /// Asks for the coordinator if it is not known.
    pub(super) fn find(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        let brokers = (&mut *client.metadata, &mut *client.net);
        self.link.find(now, &self.config.id, brokers, effects)
    }

    /// What the heartbeat thread does. Returns when to come back.
    pub fn beat(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        let is_syncing =
            self.stage == Stage::Syncing && self.release.has(Change::HeartbeatsWhileSyncing);
        if self.stage != Stage::Stable && !is_syncing {
            return None;
        }
        if !self.link.is_known() {
            return self.find(now, client, effects);
        }
        if self.beats.session_end <= now {
            info!(group = &*self.config.id, "no heartbeat was answered for a session's length");
            self.link.forget(now, effects);
            return self.find(now, client, effects);
        }
        if self.beats.poll_end <= now {
            warn!(group = &*self.config.id, "max.poll.interval.ms has passed without a poll");
            self.leave(now, effects);
            return None;
        }
        if self.beats.next <= now {
            self.beats.sent(now, &self.config);
            let request = self.requests().heartbeat();
            let asked = (Asked::Heartbeat, &self.identity);
            self.link.send(now, asked, request, Duration::ZERO, effects);
        }
        Some(self.beats.due())
    }

    pub(super) fn requests(&self) -> GroupRequests<'_> {
        GroupRequests { config: &self.config, release: self.release, identity: &self.identity }
    }

    /// LeaveGroup, which only dynamic members send; then it is a member no longer.
    pub(super) fn leave(&mut self, now: Time, effects: &mut Effects) {
        let is_member = self.stage != Stage::Unjoined && !self.identity.member.is_empty();
        if self.config.instance.is_none() && is_member {
            let request = self.requests().leave();
            let asked = (Asked::Leave, &self.identity);
            if self.link.send(now, asked, request, Duration::ZERO, effects) {
                self.observe(effects, MemberEvent::LeaveSent);
            }
        }
        self.reset();
    }

    /// It is a member no longer, and has to join as a new one.
    pub(super) fn reset(&mut self) {
        self.stage = Stage::Unjoined;
        self.identity = Identity::none();
        self.needs_join = true;
        self.is_prepared = false;
        (self.to_assign, self.received) = (None, None);
    }

    /// Its generation is over, but the coordinator may still know it by its member id.
    pub(super) fn forget_generation(&mut self) {
        let member = self.identity.member.clone();
        self.reset();
        self.identity.member = member;
    }

    /// The application gets an exception that it does not handle.
    pub(super) fn fail(&mut self, error: i16) {
        let error = error_name(self.release, error);
        warn!(group = &*self.config.id, error, "the consumer fails");
        self.failed = true;
    }

    pub(super) fn observe(&self, effects: &mut Effects, what: MemberEvent) {
        let Identity { generation, member, .. } = &self.identity;
        self.observe_as(effects, (member.as_str(), *generation), what);
    }

    pub(super) fn observe_as(
        &self,
        effects: &mut Effects,
        (member, generation): (&str, i32),
        what: MemberEvent,
    ) {
        let (group, member) = (self.config.id.clone(), member.into());
        let observation = MemberObservation { group, member, generation, what };
        observe(effects, ClientObservation::Member(observation));
    }
}
