//! What a leader knows: its epoch, its learners, and the proposals that are not committed yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::nodes::zookeeper::config::Config;
use crate::nodes::zookeeper::step::{Effects, Step};
use crate::vocab::{ConnId, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::ensemble::{Packet, ServerId};

/// How far a learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LearnerStage {
    /// It waits for the epoch.
    Waiting,
    /// The epoch was sent to it, and it has to acknowledge it.
    Informed,
    /// It has acknowledged the epoch, and waits for the history after its last transaction.
    Agreed { last_zxid: Zxid, needs_snapshot: bool },
    /// The history was sent to it, and it has to acknowledge it.
    Syncing,
    /// It has the history, and waits for the leader to serve.
    Synced,
    /// It serves.
    Serving,
}

/// A learner, as its leader knows it (`LearnerHandler`).
#[derive(Debug)]
pub(super) struct LearnerHandler {
    pub(super) id: ServerId,
    /// Its bit in [`Outstanding::acks`].
    bit: u16,
    pub(super) frames: Frames,
    pub(super) stage: LearnerStage,
    /// Whether proposals are sent to it.
    pub(super) forwarding: bool,
    /// Its connection is closed when nothing has arrived until then.
    pub(super) heard_until: Time,
    /// It counts as alive up to this tick of the leader.
    counts_until: u64,
    /// The oldest proposal that it has not acknowledged, and when it was sent.
    unacked: Option<(Zxid, Time)>,
    /// The latest one behind that, which takes its place.
    next_unacked: Option<(Zxid, Time)>,
    /// Bytes to send at the end of the step.
    out: Vec<u8>,
}

impl LearnerHandler {
    pub(super) fn queue(&mut self, packet: &Packet) {
        self.out.extend_from_slice(&packet.encode());
    }

    /// A proposal is sent (`SyncLimitCheck.updateProposal`).
    fn proposed(&mut self, now: Time, zxid: Zxid) {
        if self.unacked.is_none() {
            self.unacked = Some((zxid, now));
        } else {
            self.next_unacked = Some((zxid, now));
        }
    }

    fn acked(&mut self, zxid: Zxid) {
        if self.unacked.is_some_and(|(unacked, _)| unacked <= zxid) {
            self.unacked = self.next_unacked.take().filter(|(next, _)| *next > zxid);
        }
    }
}

/// A proposal that is not committed.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) zxid: Zxid,
    pub(super) bytes: Bytes,
    /// A bit for each server that has it durable.
    acks: u16,
}

/// How far a leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaderPhase {
    /// A majority has to say which epochs it accepted.
    Discovery,
    /// The new epoch is being written to the disk.
    Accepting,
    /// A majority has to acknowledge the epoch.
    Gathering,
    /// The epoch becomes the current one.
    Taking,
    /// A majority has to take over the history.
    Synchronizing,
    /// Clients are served.
    Serving,
}

/// A server that leads, or tries to.
#[derive(Debug)]
pub(in super::super) struct Leader {
    pub(super) phase: LeaderPhase,
    /// When it gives up, or looks after its learners next.
    pub(super) until: Time,
    pub(super) epoch: u32,
    /// Its epoch and last transaction when it was elected: a learner that has more must not lose that.
    pub(super) summary: (u32, Zxid),
    /// Its own bit in [`Outstanding::acks`].
    me: u16,
    /// Servers that said which epoch they accepted.
    pub(super) connecting: BTreeSet<ServerId>,
    /// Servers that accepted the new epoch.
    pub(super) electing: BTreeSet<ServerId>,
    /// Servers that have taken over the history.
    pub(super) synced: BTreeSet<ServerId>,
    pub(super) handlers: BTreeMap<ConnId, LearnerHandler>,
    pub(super) outstanding: VecDeque<Outstanding>,
    tick: u64,
    /// Ticks are counted every second half tick.
    skips_tick: bool,
    pub(super) has_output: bool,
}

impl Leader {
    /// The leader that the election chose. Its epoch is above `accepted`, at least.
    pub(super) fn new(
        me: (ServerId, u16),
        accepted: u32,
        summary: (u32, Zxid),
        until: Time,
    ) -> Self {
        let (id, bit) = me;
        Self {
            phase: LeaderPhase::Discovery,
            until,
            epoch: accepted.saturating_add(1),
            summary,
            me: bit,
            connecting: BTreeSet::from([id]),
            electing: BTreeSet::new(),
            synced: BTreeSet::new(),
            handlers: BTreeMap::new(),
            outstanding: VecDeque::new(),
            tick: 0,
            skips_tick: true,
            has_output: false,
        }
    }

    /// Whether clients are served.
    pub(super) fn serves(&self) -> bool {
        self.phase == LeaderPhase::Serving
    }

    /// How many learners there are, and how many of them are sent proposals.
    pub(super) fn learners(&self) -> (usize, usize) {
        let forwarding = self.handlers.values().filter(|learner| learner.forwarding).count();
        (self.handlers.len(), forwarding)
    }

    /// When it gives up, or looks after its learners next.
    pub(super) fn deadline(&self) -> Time {
        self.until
    }

    /// A learner connected, and said which epoch it accepted.
    pub(super) fn accept(
        &mut self,
        step: &Step<'_>,
        conn: ConnId,
        frames: Frames,
        (id, bit): (ServerId, u16),
    ) {
        let limits = step.config.init_limit + step.config.sync_limit;
        let handler = LearnerHandler {
            id,
            bit,
            frames,
            stage: LearnerStage::Waiting,
            forwarding: false,
            heard_until: step.clock.now + step.config.ticks(step.config.init_limit),
            counts_until: self.tick + u64::from(limits),
            unacked: None,
            next_unacked: None,
            out: Vec::new(),
        };
        self.handlers.insert(conn, handler);
    }

    /// A learner's connection has ended.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.handlers.remove(&conn);
    }

    /// Sends what is queued.
    pub(super) fn flush(&mut self, fx: &mut Effects) {
        if !std::mem::take(&mut self.has_output) {
            return;
        }
        for (conn, learner) in &mut self.handlers {
            if !learner.out.is_empty() {
                fx.send(*conn, std::mem::take(&mut learner.out).into());
            }
        }
    }

    /// Queues a packet for one learner, if it is still connected.
    pub(super) fn queue(&mut self, conn: ConnId, packet: &Packet) {
        if let Some(learner) = self.handlers.get_mut(&conn) {
            learner.queue(packet);
            self.has_output = true;
        }
    }

    /// Queues a packet for all learners that are sent proposals.
    pub(super) fn queue_all(&mut self, packet: &Packet) {
        let bytes = packet.encode();
        for learner in self.handlers.values_mut().filter(|learner| learner.forwarding) {
            learner.out.extend_from_slice(&bytes);
            self.has_output = true;
        }
    }

    /// Everything that a learner's client asked for before its sync was sent to the learner.
    pub(in super::super) fn answer_sync(&mut self, learner: ConnId) {
        self.queue(learner, &Packet::Sync);
    }

    /// A transaction was appended to the leader's log: learners get it too.
    pub(in super::super) fn propose(&mut self, now: Time, zxid: Zxid, bytes: Bytes) {
        self.queue_all(&Packet::Proposal { zxid, txn: bytes.clone() });
        let counts = |learner: &&mut LearnerHandler| {
            matches!(learner.stage, LearnerStage::Synced | LearnerStage::Serving)
        };
        for learner in self.handlers.values_mut().filter(counts) {
            learner.proposed(now, zxid);
        }
        self.outstanding.push_back(Outstanding { zxid, bytes, acks: 0 });
    }

    /// Closes a learner's connection.
    pub(super) fn drop_learner(&mut self, step: &mut Step<'_>, conn: ConnId) {
        if self.handlers.remove(&conn).is_some() {
            step.close(conn);
        }
    }

    /// This server's own acknowledgement of everything up to `zxid`.
    pub(super) fn acknowledge(&mut self, zxid: Zxid) {
        let me = self.me;
        let logged = self.outstanding.iter_mut().take_while(|next| next.zxid <= zxid);
        logged.for_each(|next| next.acks |= me);
    }

    /// A learner acknowledges one transaction; says whether that is new.
    pub(super) fn acknowledged(&mut self, conn: ConnId, zxid: Zxid) -> bool {
        let learner = self.handlers.get_mut(&conn).expect("it has just sent the acknowledgement");
        learner.acked(zxid);
        // Nothing new about the beginning of an epoch, and about what is committed.
        let Some(front) = self.outstanding.front() else { return false };
        let index = zxid.0.checked_sub(front.zxid.0).and_then(|index| usize::try_from(index).ok());
        let Some(outstanding) = index.and_then(|index| self.outstanding.get_mut(index)) else {
            return false;
        };
        outstanding.acks |= learner.bit;
        true
    }

    /// Takes the oldest proposal, if more than `half` of the servers have it durable.
    pub(super) fn pop_committed(&mut self, half: usize) -> Option<Zxid> {
        let has_it = |next: &mut Outstanding| next.acks.count_ones() as usize > half;
        self.outstanding.pop_front_if(has_it).map(|next| next.zxid)
    }

    /// A learner sent something: it is alive.
    pub(super) fn heard(&mut self, step: &Step<'_>, conn: ConnId) {
        let config = step.config;
        let learner = self.handlers.get_mut(&conn).expect("it has just sent a packet");
        let is_up = matches!(learner.stage, LearnerStage::Serving | LearnerStage::Synced);
        let limit = if is_up { config.sync_limit } else { config.init_limit };
        learner.heard_until = step.clock.now + config.ticks(limit);
        if learner.stage == LearnerStage::Serving {
            learner.counts_until = self.tick + u64::from(config.sync_limit);
        }
    }

    /// Half a tick is over. Says whether the leader goes on: at every second one, at least `half` of the servers
    /// have to be alive beside itself.
    pub(super) fn pass_half_tick(&mut self, half: usize) -> bool {
        if !self.skips_tick {
            self.tick += 1;
        }
        let alive = |learner: &&LearnerHandler| self.tick <= learner.counts_until;
        let alive: BTreeSet<ServerId> =
            self.handlers.values().filter(alive).map(|learner| learner.id).collect();
        if !self.skips_tick && alive.len() < half {
            return false;
        }
        self.skips_tick = !self.skips_tick;
        true
    }

    /// The learners that are silent, or acknowledge nothing, for too long.
    pub(super) fn late(&self, now: Time, patience: Duration) -> Vec<ConnId> {
        let is_late = |learner: &LearnerHandler| {
            let slow = learner.unacked.is_some_and(|(_, since)| now.since(since) >= patience);
            let silent = now >= learner.heard_until
                && !matches!(learner.stage, LearnerStage::Waiting | LearnerStage::Synced);
            silent || (slow && learner.stage == LearnerStage::Serving)
        };
        self.handlers.iter().filter(|(_, l)| is_late(l)).map(|(conn, _)| *conn).collect()
    }

    /// The learners at some stage.
    pub(super) fn at_stage(&self, wanted: impl Fn(LearnerStage) -> bool) -> Vec<ConnId> {
        let is_wanted = |(_, learner): &(&ConnId, &LearnerHandler)| wanted(learner.stage);
        self.handlers.iter().filter(is_wanted).map(|(conn, _)| *conn).collect()
    }

    /// How often a leader that serves looks after its learners.
    pub(super) fn half_tick(config: &Config) -> Duration {
        Duration::from_millis(u64::from(config.tick_ms)) / 2
    }
}
