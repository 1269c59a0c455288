//! Following leaders: one fetcher for each broker that this one follows, one request in flight each.
//!
//! The source is `AbstractFetcherThread` with `num.replica.fetchers=1`.

mod requests;
mod responses;

use std::collections::BTreeSet;

use bytes::Bytes;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::protocol::StrBytes;

use super::alarm::Deadline;
use super::durability::Shutdown;
use super::partition::{Follower, Partition, Role, Stage};
use super::truncation::{begins_at_high_watermark, first_stage};
use super::{Due, ReplicaManager, Slot};
use crate::nodes::broker::context::Context;
use crate::nodes::channel::Channel;
use crate::vocab::{BrokerId, ConnId, LeaderEpoch, Mutant, NodeId, Offset, Time, TopicPartition};

/// What was asked about one partition.
#[derive(Clone, Copy, Debug)]
struct Question<T> {
    slot: Slot,
    /// The leader epoch under which it was asked.
    current: LeaderEpoch,
    what: T,
}

/// The request in flight.
#[derive(Debug)]
enum Asked {
    /// Records from these offsets on.
    Fetch(Vec<Question<Offset>>),
    /// Where these epochs end.
    Epochs(Vec<Question<LeaderEpoch>>),
    /// Where the leader's log ends, or starts.
    Offsets(Vec<Question<Stage>>),
}

/// Follows one broker.
#[derive(Debug)]
pub(super) struct Fetcher {
    channel: Channel,
    slots: BTreeSet<Slot>,
    asked: Option<Asked>,
    /// When the request in flight is unanswered for too long (`replica.socket.timeout.ms`).
    deadline: Option<Deadline>,
    /// When to look again for something to ask.
    resume: Option<Deadline>,
    /// After a broken connection, nothing is asked before.
    paused_until: Time,
    /// The partition that is named first in the next fetch, so that all get their share of a response.
    first: Slot,
    /// The partition whose records ended it, for good and for all its partitions (before 2.3).
    ended_by: Option<TopicPartition>,
}

/// Whether a partition's question may be asked now, and which.
fn stage_now(partition: &Partition, now: Time) -> Result<Stage, Option<Time>> {
    let Role::Follower(Follower { stage, delayed_until, .. }) = partition.role else {
        return Err(None);
    };
    if matches!(stage, Stage::Parked | Stage::Failed) {
        return Err(None);
    }
    if delayed_until > now { Err(Some(delayed_until)) } else { Ok(stage) }
}

impl ReplicaManager {
    /// Begins to follow `leader`.
    pub(super) fn follow(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        leader: BrokerId,
        host: NodeId,
    ) {
        let protocol = self.config.version.truncation();
        let partition = self.at_mut(slot);
        let has_epoch = partition.log.epochs().latest().is_some();
        let stage = first_stage(protocol, has_epoch);
        let follower = Follower { leader: Some(leader), stage, delayed_until: Time::ZERO };
        partition.role = Role::Follower(follower);
        let high_watermark = partition.high_watermark;
        if begins_at_high_watermark(protocol, has_epoch)
            || self.config.is(Mutant::TruncateToOwnHighWatermark)
        {
            self.truncate(cx, slot, high_watermark);
        }
        if self.fetchers.get(&leader).is_some_and(|fetcher| fetcher.channel.to() != host) {
            let slots = self.drop_fetcher(cx, leader);
            self.add_fetcher(leader, host).slots = slots;
        }
        let fetcher = self.add_fetcher(leader, host);
        fetcher.slots.insert(slot);
        if let Some(refused) = fetcher.ended_by.clone() {
            self.tell_failed(cx, slot, leader, refused);
        }
    }

    fn add_fetcher(&mut self, leader: BrokerId, host: NodeId) -> &mut Fetcher {
        let me = self.me();
        self.fetchers.entry(leader).or_insert_with(|| {
            let client_id = StrBytes::from_string(format!("broker-{me}-fetcher-0"));
            Fetcher {
                channel: Channel::new(host, client_id),
                slots: BTreeSet::new(),
                asked: None,
                deadline: None,
                resume: None,
                paused_until: Time::ZERO,
                first: 0,
                ended_by: None,
            }
        })
    }

    /// Takes a partition from whatever fetcher has it; an answer that is under way is passed over.
    pub(super) fn stop_following(&mut self, slot: Slot) {
        if let Role::Follower(Follower { leader: Some(leader), .. }) = self.at(slot).role
            && let Some(fetcher) = self.fetchers.get_mut(&leader)
        {
            fetcher.slots.remove(&slot);
        }
    }

    fn drop_fetcher(&mut self, cx: &mut Context<'_>, leader: BrokerId) -> BTreeSet<Slot> {
        let Some(mut fetcher) = self.fetchers.remove(&leader) else { return BTreeSet::new() };
        if let Some(conn) = fetcher.channel.conn() {
            self.fetcher_conns.remove(&conn);
        }
        fetcher.channel.disconnect(cx.effects);
        for deadline in [fetcher.deadline, fetcher.resume].into_iter().flatten() {
            self.alarm.clear(deadline);
        }
        fetcher.slots
    }

    /// Ends the fetchers that have nothing left to fetch.
    pub(super) fn drop_idle_fetchers(&mut self, cx: &mut Context<'_>) {
        let idle = self.fetchers.iter().filter(|(_, fetcher)| fetcher.slots.is_empty());
        let idle: Vec<BrokerId> = idle.map(|(leader, _)| *leader).collect();
        for leader in idle {
            self.drop_fetcher(cx, leader);
        }
    }

    /// Ends all fetchers, for good.
    pub(super) fn stop_fetchers(&mut self, cx: &mut Context<'_>) {
        let all: Vec<BrokerId> = self.fetchers.keys().copied().collect();
        for leader in all {
            self.drop_fetcher(cx, leader);
        }
    }

    pub(super) fn drive_all(&mut self, cx: &mut Context<'_>) {
        let all: Vec<BrokerId> = self.fetchers.keys().copied().collect();
        for leader in all {
            self.drive(cx, leader);
        }
    }

    /// Sends the next request to `leader`, if none is in flight and there is something to ask.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let now = cx.clock.now;
        let Some(fetcher) = self.fetchers.get(&leader) else { return };
        if fetcher.asked.is_some() || fetcher.ended_by.is_some() || self.shutdown != Shutdown::No {
            return;
        }
        if fetcher.paused_until > now {
            let until = fetcher.paused_until;
            self.resume_at(cx, leader, until);
            return;
        }
        let (request, delayed_until) = self.next_question(fetcher, now);
        let Some((api, version, body, asked)) = request else {
            if let Some(until) = delayed_until {
                self.resume_at(cx, leader, until);
            }
            return;
        };
        let timeout = Self::later(cx, self.config.replica_socket_timeout);
        let deadline = self.alarm.set(cx, timeout, Due::SocketTimeout(leader));
        let fetcher = self.fetchers.get_mut(&leader).expect("it was just looked at");
        fetcher.asked = Some(asked);
        fetcher.deadline = Some(deadline);
        let before = fetcher.channel.conn();
        fetcher.channel.send(cx.effects, api, version, &body, 0);
        let conn = fetcher.channel.conn();
        if let (None, Some(conn)) = (before, conn) {
            self.fetcher_conns.insert(conn, leader);
        }
    }

    fn resume_at(&mut self, cx: &mut Context<'_>, leader: BrokerId, at: Time) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if let Some(resume) = fetcher.resume {
            if resume.0 <= at {
                return;
            }
            self.alarm.clear(resume);
        }
        fetcher.resume = Some(self.alarm.set(cx, at, Due::Resume(leader)));
    }

    pub(super) fn resume_fetcher(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.resume = None;
        }
        self.drive(cx, leader);
    }

    /// No answer within `replica.socket.timeout.ms`.
    pub(super) fn fetcher_timed_out(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        tracing::warn!(%leader, "fetcher: no answer in time");
        self.break_fetcher(cx, leader);
    }

    /// Closes a fetcher's connection and pauses it for `replica.fetch.backoff.ms`.
    fn break_fetcher(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if let Some(conn) = fetcher.channel.conn() {
            self.fetcher_conns.remove(&conn);
        }
        fetcher.channel.disconnect(cx.effects);
        self.pause(cx, leader);
    }

    fn pause(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        let until = Self::later(cx, self.config.replica_fetch_backoff);
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        fetcher.asked = None;
        if let Some(deadline) = fetcher.deadline.take() {
            self.alarm.clear(deadline);
        }
        fetcher.paused_until = until;
        self.drive(cx, leader);
    }

    /// Whether a partition is fetched no more: what its leader sent of it, or before 2.3 of any partition, does
    /// not follow on the own log.
    pub(super) fn has_failed(&self, partition: &Partition) -> bool {
        let Role::Follower(Follower { leader, stage, .. }) = &partition.role else { return false };
        let fetcher = leader.and_then(|leader| self.fetchers.get(&leader));
        *stage == Stage::Failed || fetcher.is_some_and(|fetcher| fetcher.ended_by.is_some())
    }

    /// Whether a connection is one of the fetchers'.
    pub fn owns(&self, conn: ConnId) -> bool {
        self.fetcher_conns.contains_key(&conn)
    }

    /// A fetcher's connection stands.
    pub fn opened(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(leader) = self.fetcher_conns.get(&conn)
            && let Some(fetcher) = self.fetchers.get_mut(leader)
        {
            fetcher.channel.opened(cx.effects, conn);
        }
    }

    /// A fetcher's connection is gone, or was refused.
    pub fn closed(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some(leader) = self.fetcher_conns.remove(&conn) else { return };
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            tracing::debug!(%leader, "fetcher: connection lost");
            fetcher.channel.closed();
            self.pause(cx, leader);
        }
    }

    /// Bytes of a leader arrived.
    pub fn received(&mut self, cx: &mut Context<'_>, conn: ConnId, bytes: Bytes) {
        let Some(leader) = self.fetcher_conns.get(&conn).copied() else { return };
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let mut responses = Vec::new();
        let result = fetcher.channel.received(bytes, &mut responses);
        for (_, response) in responses {
            self.answered(cx, leader, response);
        }
        if let Err(why) = result {
            tracing::warn!(%leader, %why, "fetcher: the leader broke the protocol");
            self.break_fetcher(cx, leader);
        }
    }

    fn answered(&mut self, cx: &mut Context<'_>, leader: BrokerId, response: ResponseKind) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if let Some(deadline) = fetcher.deadline.take() {
            self.alarm.clear(deadline);
        }
        match (fetcher.asked.take(), response) {
            (Some(Asked::Fetch(asked)), ResponseKind::Fetch(response)) => {
                self.fetched(cx, leader, &asked, response);
            }
            (Some(Asked::Epochs(asked)), ResponseKind::OffsetForLeaderEpoch(response)) => {
                self.told_epochs(cx, leader, &asked, response);
            }
            (Some(Asked::Offsets(asked)), ResponseKind::ListOffsets(response)) => {
                self.told_offsets(cx, leader, &asked, response);
            }
            _ => tracing::warn!(%leader, "fetcher: an answer to nothing"),
        }
        self.drive(cx, leader);
    }
}
