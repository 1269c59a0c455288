//! A leader: from its election to the epoch that it begins, and what it decides in it.
//!
//! A new epoch is higher than any that a majority has accepted; the majority acknowledges it, and the leader gives
//! up a learner that has more than it has itself. Each learner is then brought to the leader's history
//! ([`super::sync`]) and acknowledges that. With a majority that has it the leader serves: the history is decided,
//! all of it. From then on each transaction is sent to all learners that were brought up, and is decided when a
//! majority has fsynced it, in order. A leader that has not heard from a majority for a while gives up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::super::acl::AuthId;
use super::super::prepare::Write;
use super::super::txn::decode_password;
use super::super::writes::{Asked, refused_write, write_of};
use super::super::{Config, Effects, Running, Step};
use super::sync::{self, Opening};
use super::{Peer, Role, Which, observe, observe_committed, ticks};
use crate::history::ZooKeeperObservation;
use crate::vocab::{ConnId, Mutant, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::ensemble::{Forwarded, Packet, ServerId};
use crate::wire::zookeeper::{Request, RequestHeader, op};

/// How far a learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for the epoch.
    Waiting,
    /// It was told the epoch, and has to acknowledge it.
    Told,
    /// It has acknowledged, and waits to be brought up from there.
    Agreed { last_zxid: Zxid, needs_snapshot: bool },
    /// It was sent the history, and has to acknowledge it.
    Syncing,
    /// It has the history, and waits for the leader to serve.
    Synced,
    /// It serves.
    Serving,
}

/// A learner, as its leader knows it (`LearnerHandler`).
#[derive(Debug)]
pub(super) struct Handler {
    id: ServerId,
    /// Its bit in [`Outstanding::acks`].
    bit: u16,
    frames: Frames,
    stage: Stage,
    /// Whether it is sent proposals.
    forwarding: bool,
    /// It is given up when nothing was heard until then.
    heard_until: Time,
    /// It counts as being there up to this tick.
    counts_until: u64,
    /// Its oldest proposal that it has not acknowledged, and since when; and the next one that will be.
    unacked: Option<(Zxid, Time)>,
    next_unacked: Option<(Zxid, Time)>,
    out: Vec<u8>,
}

impl Handler {
    fn queue(&mut self, packet: &Packet) {
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

/// A proposal that is not decided.
#[derive(Debug)]
struct Outstanding {
    zxid: Zxid,
    bytes: Bytes,
    /// A bit for each server that has it durable.
    acks: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A majority has to tell which epochs it accepted.
    Discovery,
    /// The new epoch is on its way to the disk.
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

/// A server that leads, or wants to.
#[derive(Debug)]
pub(super) struct Leader {
    phase: Phase,
    /// When it gives up, or looks after its learners next.
    until: Time,
    pub(super) epoch: u32,
    /// What it stood for when it was elected.
    summary: (u32, Zxid),
    me: u16,
    connecting: BTreeSet<ServerId>,
    electing: BTreeSet<ServerId>,
    synced: BTreeSet<ServerId>,
    pub(super) learners: BTreeMap<ConnId, Handler>,
    outstanding: VecDeque<Outstanding>,
    /// Through which learner each session's writes come; `None` for this server itself.
    pub(super) owners: BTreeMap<i64, Option<ConnId>>,
    tick: u64,
    skips_tick: bool,
    has_output: bool,
}

impl Leader {
    /// Whether clients are served.
    pub(super) fn serves(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// How many learners are sent proposals.
    pub(super) fn forwarding(&self) -> usize {
        self.learners.values().filter(|learner| learner.forwarding).count()
    }

    /// When [`Running::leader_timer`] has something to do.
    pub(super) fn deadline(&self) -> Time {
        self.until
    }

    /// A learner's connection is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.learners.remove(&conn);
    }

    /// Sends what is queued.
    pub(super) fn flush(&mut self, fx: &mut Effects) {
        if !std::mem::take(&mut self.has_output) {
            return;
        }
        for (conn, learner) in &mut self.learners {
            if !learner.out.is_empty() {
                fx.send(*conn, std::mem::take(&mut learner.out).into());
            }
        }
    }

    fn queue(&mut self, conn: ConnId, packet: &Packet) {
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.queue(packet);
            self.has_output = true;
        }
    }

    fn queue_all(&mut self, packet: &Packet) {
        let bytes = packet.encode();
        for learner in self.learners.values_mut().filter(|learner| learner.forwarding) {
            learner.out.extend_from_slice(&bytes);
            self.has_output = true;
        }
    }

    fn drop_learner(&mut self, conn: ConnId, fx: &mut Effects) {
        if self.learners.remove(&conn).is_some() {
            fx.close(conn);
        }
    }

    /// This server's own vote for everything up to `zxid`.
    pub(super) fn acknowledge(&mut self, zxid: Zxid) {
        let me = self.me;
        let logged = self.outstanding.iter_mut().take_while(|next| next.zxid <= zxid);
        logged.for_each(|next| next.acks |= me);
    }

    fn at_stage(&self, wanted: impl Fn(Stage) -> bool) -> Vec<ConnId> {
        let is_wanted = |(_, learner): &(&ConnId, &Handler)| wanted(learner.stage);
        self.learners.iter().filter(is_wanted).map(|(conn, _)| *conn).collect()
    }

    fn half_tick(config: &Config) -> Duration {
        Duration::from_millis(u64::from(config.tick_ms)) / 2
    }
}

impl Peer {
    /// The bit of a server in [`Outstanding::acks`].
    fn bit(&self, id: ServerId) -> u16 {
        let index = self.members.keys().position(|member| *member == id);
        index.map_or(0, |index| 1 << index)
    }
}

impl Running {
    /// The election made this server the leader.
    pub(super) fn lead(&mut self, at: &mut Step<'_>) {
        let last = self.state.last_zxid;
        let Some(peer) = &mut self.peer else { return };
        let accepted = peer.epochs.accepted();
        let leader = Leader {
            phase: Phase::Discovery,
            until: at.clock.now + ticks(at.config, at.config.init_limit),
            epoch: accepted.saturating_add(1),
            summary: (peer.epochs.current(), last),
            me: peer.bit(peer.me),
            connecting: BTreeSet::from([peer.me]),
            electing: BTreeSet::new(),
            synced: BTreeSet::new(),
            learners: BTreeMap::new(),
            outstanding: VecDeque::new(),
            owners: BTreeMap::new(),
            tick: 0,
            skips_tick: true,
            has_output: false,
        };
        peer.role = Role::Leader(Box::new(leader));
        self.choose_epoch(at);
    }

    /// A learner connected and told which epoch it accepted last.
    pub(super) fn learner_came(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        frames: Frames,
        id: ServerId,
        accepted_epoch: u32,
    ) {
        let Some(peer) = &mut self.peer else { return };
        let bit = peer.bit(id);
        let Role::Leader(leader) = &mut peer.role else { return at.fx.close(conn) };
        if bit == 0 || id == peer.me {
            return at.fx.close(conn);
        }
        let limits = at.config.init_limit + at.config.sync_limit;
        let handler = Handler {
            id,
            bit,
            frames,
            stage: Stage::Waiting,
            forwarding: false,
            heard_until: at.clock.now + ticks(at.config, at.config.init_limit),
            counts_until: leader.tick + u64::from(limits),
            unacked: None,
            next_unacked: None,
            out: Vec::new(),
        };
        leader.learners.insert(conn, handler);
        if leader.phase == Phase::Discovery {
            leader.epoch = leader.epoch.max(accepted_epoch.saturating_add(1));
            leader.connecting.insert(id);
        }
        self.choose_epoch(at);
    }

    /// With a majority the epoch is chosen; whoever waits is told it once it is durable.
    fn choose_epoch(&mut self, at: &mut Step<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let quorum = peer.members.len() / 2;
        let Role::Leader(leader) = &mut peer.role else { return };
        match leader.phase {
            Phase::Discovery if leader.connecting.len() > quorum => {
                leader.phase = Phase::Accepting;
                leader.until = at.clock.now + ticks(at.config, at.config.init_limit);
                peer.epochs.write(Which::Accepted, leader.epoch, at.fx);
            }
            Phase::Discovery | Phase::Accepting => {}
            _ => self.tell_epoch(),
        }
    }

    fn tell_epoch(&mut self) {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        let packet = Packet::LeaderInfo { epoch: leader.epoch };
        for conn in leader.at_stage(|stage| stage == Stage::Waiting) {
            leader.queue(conn, &packet);
            if let Some(learner) = leader.learners.get_mut(&conn) {
                learner.stage = Stage::Told;
            }
        }
    }

    /// The new epoch is durable here.
    pub(super) fn epoch_accepted(&mut self, at: &mut Step<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let me = peer.me;
        let Some(leader) = peer.leader() else { return };
        leader.phase = Phase::Gathering;
        leader.electing.insert(me);
        self.tell_epoch();
        self.take_epoch_if_agreed(at);
    }

    fn take_epoch_if_agreed(&mut self, at: &mut Step<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let quorum = peer.members.len() / 2;
        let Role::Leader(leader) = &mut peer.role else { return };
        match leader.phase {
            Phase::Gathering if leader.electing.len() > quorum => {
                leader.phase = Phase::Taking;
                leader.until = at.clock.now + ticks(at.config, at.config.init_limit);
                peer.epochs.write(Which::Current, leader.epoch, at.fx);
            }
            Phase::Synchronizing | Phase::Serving => self.bring_up_learners(at),
            _ => {}
        }
    }

    /// The new epoch is the current one, durably.
    pub(super) fn epoch_taken(&mut self, at: &mut Step<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let me = peer.me;
        let Some(leader) = peer.leader() else { return };
        leader.phase = Phase::Synchronizing;
        leader.synced.insert(me);
        self.bring_up_learners(at);
        self.serve_if_synced(at);
    }

    fn bring_up_learners(&mut self, at: &mut Step<'_>) {
        let last_processed = self.state.last_zxid;
        let Some(peer) = &mut self.peer else { return };
        let Role::Leader(leader) = &mut peer.role else { return };
        let agreed = leader.at_stage(|stage| matches!(stage, Stage::Agreed { .. }));
        for conn in agreed {
            let Some(learner) = leader.learners.get_mut(&conn) else { continue };
            let Stage::Agreed { last_zxid, needs_snapshot } = learner.stage else { continue };
            let mut plan = sync::plan(&peer.history, last_processed, last_zxid);
            if needs_snapshot {
                plan = sync::Plan::snap(last_processed);
            }
            if let (Opening::Trunc(to), true) =
                (plan.opening, at.config.is(Mutant::DiffInsteadOfTrunc))
            {
                plan.opening = Opening::Diff(to);
            }
            tracing::info!(learner = learner.id, %last_zxid, opening = ?plan.opening, "brings up");
            learner.queue(&match plan.opening {
                Opening::Diff(zxid) => Packet::Diff { zxid },
                Opening::Trunc(zxid) => Packet::Trunc { zxid },
                Opening::Snap => Packet::Snap { zxid: last_processed, state: self.state.encode() },
            });
            for entry in plan.missing {
                let (zxid, txn) = (entry.zxid, entry.bytes.clone());
                learner.queue(&Packet::Proposal { zxid, txn });
                learner.queue(&Packet::Commit { zxid });
            }
            for Outstanding { zxid, bytes, .. } in &leader.outstanding {
                if *zxid > plan.upto {
                    learner.queue(&Packet::Proposal { zxid: *zxid, txn: bytes.clone() });
                }
            }
            learner.queue(&Packet::NewLeader { epoch: leader.epoch });
            (learner.stage, learner.forwarding) = (Stage::Syncing, true);
            learner.heard_until = at.clock.now + ticks(at.config, at.config.init_limit);
            leader.has_output = true;
        }
    }

    fn serve_if_synced(&mut self, at: &mut Step<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let quorum = peer.members.len() / 2;
        let Role::Leader(leader) = &mut peer.role else { return };
        if leader.phase == Phase::Synchronizing && leader.synced.len() > quorum {
            leader.phase = Phase::Serving;
            leader.until = at.clock.now + Leader::half_tick(at.config);
            let (epoch, last) = (leader.epoch, self.state.last_zxid);
            peer.election.established(epoch);
            peer.needs_snapshot = false;
            tracing::info!(epoch, %last, "leads");
            let digest = self.state.digest();
            observe(at, ZooKeeperObservation::Leading { epoch, zxid: last, digest });
            self.begin_epoch(at, Zxid::new(epoch, 0));
        }
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        if leader.phase != Phase::Serving {
            return;
        }
        for conn in leader.at_stage(|stage| stage == Stage::Synced) {
            leader.queue(conn, &Packet::UpToDate);
            if let Some(learner) = leader.learners.get_mut(&conn) {
                learner.stage = Stage::Serving;
            }
        }
    }

    /// Bytes of a learner arrived.
    pub(super) fn learner_spoke(&mut self, at: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        if let Some(learner) = leader.learners.get_mut(&conn) {
            learner.frames.push(bytes);
        }
        while let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader())
            && let Some(learner) = leader.learners.get_mut(&conn)
        {
            let packet = match learner.frames.pop() {
                Ok(None) => return,
                Ok(Some(payload)) => Packet::decode(payload).ok(),
                Err(_) => None,
            };
            let Some(packet) = packet else {
                tracing::warn!(learner = learner.id, "a learner sent what does not decode");
                return leader.drop_learner(conn, at.fx);
            };
            let limit = if learner.stage == Stage::Serving || learner.stage == Stage::Synced {
                at.config.sync_limit
            } else {
                at.config.init_limit
            };
            learner.heard_until = at.clock.now + ticks(at.config, limit);
            if learner.stage == Stage::Serving {
                learner.counts_until = leader.tick + u64::from(at.config.sync_limit);
            }
            self.learner_said(at, conn, packet);
        }
    }

    fn learner_said(&mut self, at: &mut Step<'_>, conn: ConnId, packet: Packet) {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        let Some(learner) = leader.learners.get_mut(&conn) else { return };
        match (learner.stage, packet) {
            (Stage::Told, Packet::AckEpoch { current_epoch, last_zxid, needs_snapshot }) => {
                let is_open = leader.phase == Phase::Gathering;
                let more = current_epoch.is_some_and(|epoch| (epoch, last_zxid) > leader.summary);
                if is_open && more {
                    tracing::warn!(learner = learner.id, "a learner has more than its leader");
                    return leader.drop_learner(conn, at.fx);
                }
                learner.stage = Stage::Agreed { last_zxid, needs_snapshot };
                if current_epoch.is_some() {
                    leader.electing.insert(learner.id);
                }
                self.take_epoch_if_agreed(at);
            }
            (Stage::Syncing, Packet::Ack { zxid }) => {
                learner.stage = Stage::Synced;
                if zxid == Zxid::new(leader.epoch, 0) {
                    leader.synced.insert(learner.id);
                }
                self.serve_if_synced(at);
            }
            (Stage::Serving, Packet::Ack { zxid }) => {
                learner.acked(zxid);
                let bit = learner.bit;
                self.acked(at, bit, zxid);
            }
            (Stage::Serving, Packet::Ping { touched, .. }) => {
                for (session, _) in touched {
                    self.expiry.touch(at.clock.now, session);
                }
            }
            (Stage::Serving, Packet::Revalidate { session, timeout_ms, password }) => {
                self.revalidate(at, conn, session, timeout_ms, password.as_deref());
            }
            (Stage::Serving, Packet::Request(request)) => self.forwarded(at, conn, &request),
            (stage, packet) => {
                tracing::warn!(learner = learner.id, ?stage, ?packet, "out of turn");
                leader.drop_learner(conn, at.fx);
            }
        }
    }

    fn revalidate(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        session: i64,
        timeout_ms: i32,
        password: Option<&[u8]>,
    ) {
        let known = self.state.sessions.get(session);
        let valid = known.is_some_and(|known| password == Some(&known.password[..]))
            && self.preparer.is_live(&self.state, session);
        if valid {
            self.expiry.track(at.clock.now, session, timeout_ms);
            if let Some(here) = self.attached.get(&session).copied() {
                self.end_connection(at, here);
            }
        }
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        if valid {
            leader.owners.insert(session, Some(conn));
        }
        leader.queue(conn, &Packet::Revalidated { session, valid });
    }

    /// A client's request, forwarded by a learner.
    fn forwarded(&mut self, at: &mut Step<'_>, conn: ConnId, request: &Forwarded) {
        if request.op == op::SYNC {
            return self.propose_learner_sync(at, conn);
        }
        let Some(write) = write_from(request) else {
            tracing::warn!(op = request.op, "a learner forwarded what does not decode");
            if let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) {
                leader.drop_learner(conn, at.fx);
            }
            return;
        };
        let id = |id: &crate::wire::zookeeper::Identity| AuthId {
            scheme: id.scheme.clone(),
            id: id.user.clone(),
        };
        let ids: Vec<AuthId> = request.ids.iter().map(id).collect();
        self.propose_forwarded(at, conn, request.session, request.cxid, &ids, write);
    }

    /// Everything that a learner's client asked for before its sync was sent to it.
    pub(in super::super) fn answer_sync(&mut self, learner: ConnId) {
        if let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) {
            leader.queue(learner, &Packet::Sync);
        }
    }

    /// A transaction was appended to the leader's log: learners get it too.
    pub(in super::super) fn propose_to_learners(&mut self, now: Time, zxid: Zxid, bytes: Bytes) {
        let Some(peer) = &mut self.peer else { return };
        peer.history.push(zxid, bytes.clone());
        let Role::Leader(leader) = &mut peer.role else { return };
        leader.queue_all(&Packet::Proposal { zxid, txn: bytes.clone() });
        let counts =
            |learner: &&mut Handler| matches!(learner.stage, Stage::Synced | Stage::Serving);
        for learner in leader.learners.values_mut().filter(counts) {
            learner.proposed(now, zxid);
        }
        leader.outstanding.push_back(Outstanding { zxid, bytes, acks: 0 });
    }

    /// The leader has everything up to `zxid` durable: its own vote counts.
    pub(super) fn leader_logged(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        leader.acknowledge(zxid);
        if let Some(peer) = &mut self.peer {
            peer.observe_logged(at, zxid);
        }
        self.decide(at);
    }

    fn acked(&mut self, at: &mut Step<'_>, bit: u16, zxid: Zxid) {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return };
        let Some(front) = leader.outstanding.front() else { return };
        // Acknowledgements of an epoch's beginning and of what is decided are nothing new.
        let index = zxid.0.checked_sub(front.zxid.0).and_then(|index| usize::try_from(index).ok());
        if let Some(outstanding) = index.and_then(|index| leader.outstanding.get_mut(index)) {
            outstanding.acks |= bit;
            self.decide(at);
        }
    }

    /// Decides, in order, what a majority has.
    pub(super) fn decide(&mut self, at: &mut Step<'_>) {
        while let Some(peer) = &mut self.peer {
            let quorum = peer.members.len() / 2;
            let Role::Leader(leader) = &mut peer.role else { return };
            let has_it = |next: &mut Outstanding| next.acks.count_ones() as usize > quorum;
            let Some(decided) = leader.outstanding.pop_front_if(has_it) else { return };
            let zxid = decided.zxid;
            leader.queue_all(&Packet::Commit { zxid });
            peer.history.commit(zxid);
            observe_committed(at, zxid, peer.history.entry(zxid));
            self.commit(at, zxid);
        }
    }

    /// The leader's time has come: to give up, or to look after its learners.
    pub(super) fn leader_timer(&mut self, at: &mut Step<'_>) {
        let now = at.clock.now;
        let Some(peer) = &mut self.peer else { return };
        let quorum = peer.members.len() / 2;
        let Role::Leader(leader) = &mut peer.role else { return };
        if now < leader.until {
            return;
        }
        if leader.phase != Phase::Serving {
            return self.stop(at, "no majority in time");
        }
        if !leader.skips_tick {
            leader.tick += 1;
        }
        let there = |learner: &&Handler| leader.tick <= learner.counts_until;
        let there: BTreeSet<ServerId> =
            leader.learners.values().filter(there).map(|learner| learner.id).collect();
        if !leader.skips_tick && there.len() < quorum {
            return self.stop(at, "a majority is silent");
        }
        leader.skips_tick = !leader.skips_tick;
        leader.until = now + Leader::half_tick(at.config);
        let patience = ticks(at.config, at.config.sync_limit);
        let is_late = |learner: &Handler| {
            let slow = learner.unacked.is_some_and(|(_, since)| now.since(since) >= patience);
            let silent = now >= learner.heard_until
                && !matches!(learner.stage, Stage::Waiting | Stage::Synced);
            silent || (slow && learner.stage == Stage::Serving)
        };
        let late: Vec<ConnId> =
            leader.learners.iter().filter(|(_, l)| is_late(l)).map(|(conn, _)| *conn).collect();
        for conn in late {
            leader.drop_learner(conn, at.fx);
        }
        let ping = Packet::Ping { zxid: self.preparer.last_zxid(), touched: Vec::new() };
        leader.queue_all(&ping);
    }
}

fn write_from(request: &Forwarded) -> Option<Write> {
    let mut body = Reader::new(request.body.clone());
    match request.op {
        op::CREATE_SESSION => {
            let timeout_ms = body.int().ok()?;
            Some(Write::CreateSession { timeout_ms, password: decode_password(&mut body).ok()? })
        }
        number => {
            let header = RequestHeader { xid: request.cxid, op: number };
            match Request::decode(header, &mut body).map(write_of) {
                Ok(Asked::Write(write)) => Some(write),
                Ok(Asked::Other(_)) => None,
                Err(error) => refused_write(number, error),
            }
        }
    }
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
