//! A leader: from its election to the epoch that it begins, and what it commits in it.
//!
//! A new epoch is higher than any that a majority has accepted; the majority acknowledges it, and the leader closes
//! the connection of a learner that has more than it has itself. Each learner then gets what it lacks of the
//! leader's history ([`super::sync`]) and acknowledges that. With a majority that has it the leader serves: the
//! history is committed, all of it. From then on each transaction is sent to all learners that have the history,
//! and is committed when a majority has fsynced it, in order. A leader that does not hear from a majority for
//! `syncLimit` gives up.

use super::ending::Ending;
use super::epochs::Which;
use super::leader::{Leader, LeaderPhase, LearnerStage, Outstanding};
use super::peer::Member;
use super::sync::{self, Opening};
use crate::history::ZooKeeperObservation;
use crate::nodes::zookeeper::acl::AuthId;
use crate::nodes::zookeeper::apply::Applier;
use crate::nodes::zookeeper::prepare::Write;
use crate::nodes::zookeeper::propose::Proposer;
use crate::nodes::zookeeper::service::{Service, Serving};
use crate::nodes::zookeeper::step::{Route, Step};
use crate::nodes::zookeeper::txn::decode_password;
use crate::nodes::zookeeper::writes::{Kind, kind_of, refused_write};
use crate::vocab::{ConnId, Mutant, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::ensemble::{Forwarded, Packet, ServerId};
use crate::wire::zookeeper::{Identity, Request, RequestHeader, op};

/// What a leader does.
pub(super) struct Leading<'a> {
    pub(super) service: &'a mut Service,
    pub(super) member: &'a mut Member,
    pub(super) leader: &'a mut Leader,
}

impl Leading<'_> {
    /// A learner connected, and said which epoch it accepted last.
    pub(super) fn learner_came(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        frames: Frames,
        id: ServerId,
        accepted_epoch: u32,
    ) {
        let bit = self.member.bit(id);
        if bit == 0 || id == self.member.me {
            return step.close(conn);
        }
        step.routes.insert(conn, Route::Learner);
        self.leader.accept(step, conn, frames, (id, bit));
        if self.leader.phase == LeaderPhase::Discovery {
            self.leader.epoch = self.leader.epoch.max(accepted_epoch.saturating_add(1));
            self.leader.connecting.insert(id);
        }
        self.choose_epoch(step);
    }

    /// With a majority the epoch is chosen; it is sent to the learners once it is durable.
    pub(super) fn choose_epoch(&mut self, step: &mut Step<'_>) {
        let Self { member, leader, .. } = self;
        match leader.phase {
            LeaderPhase::Discovery if leader.connecting.len() > member.half() => {
                leader.phase = LeaderPhase::Accepting;
                leader.until = step.clock.now + step.config.ticks(step.config.init_limit);
                member.epochs.write(Which::Accepted, leader.epoch, step.fx);
            }
            LeaderPhase::Discovery | LeaderPhase::Accepting => {}
            _ => self.send_epoch(),
        }
    }

    fn send_epoch(&mut self) {
        let packet = Packet::LeaderInfo { epoch: self.leader.epoch };
        for conn in self.leader.at_stage(|stage| stage == LearnerStage::Waiting) {
            self.leader.queue(conn, &packet);
            self.set_stage(conn, LearnerStage::Informed);
        }
    }

    fn set_stage(&mut self, conn: ConnId, stage: LearnerStage) {
        let learner = self.leader.handlers.get_mut(&conn);
        learner.expect("only connected learners have a stage").stage = stage;
    }

    /// The new epoch is durable here.
    pub(super) fn epoch_accepted(&mut self, step: &mut Step<'_>) {
        self.leader.phase = LeaderPhase::Gathering;
        self.leader.electing.insert(self.member.me);
        self.send_epoch();
        self.take_epoch_if_agreed(step);
    }

    fn take_epoch_if_agreed(&mut self, step: &mut Step<'_>) {
        let Self { member, leader, .. } = self;
        match leader.phase {
            LeaderPhase::Gathering if leader.electing.len() > member.half() => {
                leader.phase = LeaderPhase::Taking;
                leader.until = step.clock.now + step.config.ticks(step.config.init_limit);
                member.epochs.write(Which::Current, leader.epoch, step.fx);
            }
            LeaderPhase::Synchronizing | LeaderPhase::Serving => self.bring_up_learners(step),
            _ => {}
        }
    }

    /// The new epoch is the current one, durably.
    pub(super) fn epoch_taken(&mut self, step: &mut Step<'_>) {
        self.leader.phase = LeaderPhase::Synchronizing;
        self.leader.synced.insert(self.member.me);
        self.bring_up_learners(step);
        self.serve_if_synced(step);
    }

    fn bring_up_learners(&mut self, step: &mut Step<'_>) {
        for conn in self.leader.at_stage(|stage| matches!(stage, LearnerStage::Agreed { .. })) {
            self.bring_up(step, conn);
        }
    }

    /// Sends a learner what it lacks of the history, and the proposals that are not committed.
    fn bring_up(&mut self, step: &mut Step<'_>, conn: ConnId) {
        let Self { service, leader, .. } = self;
        let last_processed = service.storage.last_zxid();
        let learner = leader.handlers.get_mut(&conn).expect("it is at a stage");
        let LearnerStage::Agreed { last_zxid, needs_snapshot } = learner.stage else {
            panic!("it has agreed on the epoch: {:?}", learner.stage)
        };
        let history = service.storage.history.as_ref().expect("a leader has a history");
        let mut plan = sync::plan(history, last_processed, last_zxid);
        if needs_snapshot {
            plan = sync::SyncPlan::snap(last_processed);
        }
        if let (Opening::Trunc(to), true) =
            (plan.opening, step.config.is(Mutant::DiffInsteadOfTrunc))
        {
            plan.opening = Opening::Diff(to);
        }
        tracing::info!(learner = learner.id, %last_zxid, opening = ?plan.opening, "brings up");
        learner.queue(&match plan.opening {
            Opening::Diff(zxid) => Packet::Diff { zxid },
            Opening::Trunc(zxid) => Packet::Trunc { zxid },
            Opening::Snap => {
                Packet::Snap { zxid: last_processed, state: service.storage.db.encode() }
            }
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
        (learner.stage, learner.forwarding) = (LearnerStage::Syncing, true);
        learner.heard_until = step.clock.now + step.config.ticks(step.config.init_limit);
        leader.has_output = true;
    }

    fn serve_if_synced(&mut self, step: &mut Step<'_>) {
        let Self { service, member, leader } = self;
        if leader.phase == LeaderPhase::Synchronizing && leader.synced.len() > member.half() {
            leader.phase = LeaderPhase::Serving;
            leader.until = step.clock.now + Leader::half_tick(step.config);
            let (epoch, zxid) = (leader.epoch, service.storage.last_zxid());
            member.election.established(epoch);
            member.needs_snapshot = false;
            tracing::info!(epoch, last = %zxid, "leads");
            let digest = service.storage.db.digest();
            step.observe(ZooKeeperObservation::Leading { epoch, zxid, digest });
            service.begin_epoch(step, Zxid::new(epoch, 0));
        }
        if !self.leader.serves() {
            return;
        }
        for conn in self.leader.at_stage(|stage| stage == LearnerStage::Synced) {
            self.leader.queue(conn, &Packet::UpToDate);
            self.set_stage(conn, LearnerStage::Serving);
        }
    }

    /// Bytes of a learner arrived.
    pub(super) fn received(&mut self, step: &mut Step<'_>, conn: ConnId, bytes: bytes::Bytes) {
        let learner = self.leader.handlers.get_mut(&conn).expect("routes lead to open connections");
        learner.frames.push(bytes);
        self.read(step, conn);
    }

    /// Reads what a learner has sent, until its connection is closed.
    fn read(&mut self, step: &mut Step<'_>, conn: ConnId) {
        while let Some(learner) = self.leader.handlers.get_mut(&conn) {
            let packet = match learner.frames.pop() {
                Ok(None) => return,
                Ok(Some(payload)) => Packet::decode(payload).ok(),
                Err(_) => None,
            };
            let Some(packet) = packet else {
                tracing::warn!(learner = learner.id, "a learner sent what does not decode");
                return self.leader.drop_learner(step, conn);
            };
            self.leader.heard(step, conn);
            self.said(step, conn, packet);
        }
    }

    fn said(&mut self, step: &mut Step<'_>, conn: ConnId, packet: Packet) {
        let Self { leader, .. } = self;
        let learner = leader.handlers.get_mut(&conn).expect("it has just sent a packet");
        match (learner.stage, packet) {
            (
                LearnerStage::Informed,
                Packet::AckEpoch { current_epoch, last_zxid, needs_snapshot },
            ) => {
                let is_open = leader.phase == LeaderPhase::Gathering;
                let more = current_epoch.is_some_and(|epoch| (epoch, last_zxid) > leader.summary);
                if is_open && more {
                    tracing::warn!(learner = learner.id, "a learner has more than its leader");
                    return leader.drop_learner(step, conn);
                }
                learner.stage = LearnerStage::Agreed { last_zxid, needs_snapshot };
                if current_epoch.is_some() {
                    leader.electing.insert(learner.id);
                }
                self.take_epoch_if_agreed(step);
            }
            (LearnerStage::Syncing, Packet::Ack { zxid }) => {
                learner.stage = LearnerStage::Synced;
                if zxid == Zxid::new(leader.epoch, 0) {
                    leader.synced.insert(learner.id);
                }
                self.serve_if_synced(step);
            }
            (LearnerStage::Serving, Packet::Ack { zxid }) => {
                if leader.acknowledged(conn, zxid) {
                    self.commit(step);
                }
            }
            (LearnerStage::Serving, Packet::Ping { touched, .. }) => {
                for (session, _) in touched {
                    self.service.sessions.expiry.touch(step.clock.now, session);
                }
            }
            (LearnerStage::Serving, Packet::Revalidate { session, timeout_ms, password }) => {
                self.revalidate(step, conn, session, timeout_ms, password.as_deref());
            }
            (LearnerStage::Serving, Packet::Request(request)) => {
                self.forwarded(step, conn, &request);
            }
            (stage, packet) => {
                tracing::warn!(learner = learner.id, ?stage, ?packet, "out of turn");
                leader.drop_learner(step, conn);
            }
        }
    }

    fn revalidate(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        session: i64,
        timeout_ms: i32,
        password: Option<&[u8]>,
    ) {
        let Service { storage, pipeline, sessions, clients, .. } = &mut *self.service;
        let known = storage.db.sessions.get(session);
        let valid = known.is_some_and(|known| password == Some(&known.password[..]))
            && pipeline.preparer.is_live(&storage.db, session);
        if valid {
            sessions.expiry.track(step.clock.now, session, timeout_ms);
            if let Some(here) = clients.attached(session) {
                clients.end(step, here);
            }
            sessions.claim(session, Some(conn));
        }
        self.leader.queue(conn, &Packet::Revalidated { session, valid });
    }

    /// A client's request, forwarded by a learner.
    fn forwarded(&mut self, step: &mut Step<'_>, conn: ConnId, request: &Forwarded) {
        let mut proposer = Proposer { service: self.service, leader: Some(&mut *self.leader) };
        if request.op == op::SYNC {
            return proposer.propose_learner_sync(step, conn);
        }
        let Some(write) = write_from(request) else {
            tracing::warn!(op = request.op, "a learner forwarded what does not decode");
            return self.leader.drop_learner(step, conn);
        };
        let id = |id: &Identity| AuthId { scheme: id.scheme.clone(), id: id.user.clone() };
        let ids: Vec<AuthId> = request.ids.iter().map(id).collect();
        proposer.propose_forwarded(step, conn, request.session, request.cxid, &ids, write);
    }

    /// The leader has everything up to `zxid` durable: its own acknowledgement counts.
    pub(super) fn logged(&mut self, step: &mut Step<'_>, zxid: Zxid) {
        self.leader.acknowledge(zxid);
        self.service.storage.observe_logged(step, zxid);
        self.commit(step);
    }

    /// Commits, in order, what a majority has.
    pub(super) fn commit(&mut self, step: &mut Step<'_>) {
        let half = self.member.half();
        while let Some(zxid) = self.leader.pop_committed(half) {
            self.leader.queue_all(&Packet::Commit { zxid });
            self.service.storage.commit(step, zxid);
            let mut applier = Applier { service: self.service, serving: Serving::Leader };
            for learner in applier.commit(step, zxid) {
                self.leader.answer_sync(learner);
            }
        }
    }

    /// The timer fired: the leader gives up, or looks after its learners.
    pub(super) fn timer(&mut self, step: &mut Step<'_>) -> Result<(), Ending> {
        let now = step.clock.now;
        let Self { service, member, leader } = self;
        if now < leader.until {
            return Ok(());
        }
        if leader.phase != LeaderPhase::Serving {
            return Err(Ending::Stop("no majority in time"));
        }
        if !leader.pass_half_tick(member.half()) {
            return Err(Ending::Stop("a majority is silent"));
        }
        leader.until = now + Leader::half_tick(step.config);
        for conn in leader.late(now, step.config.ticks(step.config.sync_limit)) {
            leader.drop_learner(step, conn);
        }
        let zxid = service.pipeline.preparer.last_zxid();
        leader.queue_all(&Packet::Ping { zxid, touched: Vec::new() });
        Ok(())
    }
}

/// The write that a learner forwarded; `None` when it is not one.
fn write_from(request: &Forwarded) -> Option<Write> {
    let mut body = Reader::new(request.body.clone());
    match request.op {
        op::CREATE_SESSION => {
            let timeout_ms = body.int().ok()?;
            Some(Write::CreateSession { timeout_ms, password: decode_password(&mut body).ok()? })
        }
        number => {
            let header = RequestHeader { xid: request.cxid, op: number };
            match Request::decode(header, &mut body).map(kind_of) {
                Ok(Kind::Write(write)) => Some(write),
                Ok(Kind::Other(_)) => None,
                Err(error) => refused_write(number, error),
            }
        }
    }
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
