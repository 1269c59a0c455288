//! A follower: how it joins a leader, and how it applies what the leader commits.

use bytes::Bytes;

use super::ending::Ending;
use super::epochs::Which;
use super::learner::{
    Attaching, Awaited, Awaits, FollowerStage, Learner, Proposed, RETRY_DELAY, TRIES,
};
use super::peer::Member;
use crate::history::ZooKeeperObservation;
use crate::nodes::zookeeper::apply::Applier;
use crate::nodes::zookeeper::clients::Attach;
use crate::nodes::zookeeper::database::{Applied, Database};
use crate::nodes::zookeeper::service::{Service, Serving};
use crate::nodes::zookeeper::step::Step;
use crate::nodes::zookeeper::tree::Changes;
use crate::vocab::{ConnId, Mutant, Zxid};
use crate::wire::zookeeper::ensemble::Packet;

const OUT_OF_TURN: &str = "the leader sent a packet out of turn";
const HOLE: &str = "the leader's history has a hole";

/// What a follower does.
pub(super) struct Following<'a> {
    pub(super) service: &'a mut Service,
    pub(super) member: &'a mut Member,
    pub(super) learner: &'a mut Learner,
}

/// What came of reading one packet of the leader.
pub(super) enum Read {
    /// No whole packet has arrived.
    Nothing,
    /// One was processed.
    Packet,
    /// The same, and this client's session was confirmed: what the client has sent meanwhile is read now.
    Confirmed(ConnId),
}

impl Following<'_> {
    /// The leader is connected.
    pub(super) fn reached(&mut self, step: &mut Step<'_>) {
        let (from, accepted_epoch) = (self.member.me, self.member.epochs.accepted());
        self.learner.stage = FollowerStage::Registering;
        self.learner.heard_until = step.clock.now + step.config.ticks(step.config.init_limit);
        self.learner.queue(&Packet::FollowerInfo { from, accepted_epoch });
    }

    /// The leader closed the connection, or was never reached.
    pub(super) fn hung_up(&mut self, step: &mut Step<'_>) -> Result<(), Ending> {
        let learner = &mut *self.learner;
        learner.conn = None;
        learner.out.clear();
        let early = matches!(learner.stage, FollowerStage::Connecting | FollowerStage::Registering);
        if !early || learner.tries >= TRIES {
            return Err(Ending::Stop("the leader hung up"));
        }
        // It may not know yet that it leads.
        learner.stage = FollowerStage::Retrying(step.clock.now + RETRY_DELAY);
        Ok(())
    }

    /// The timer fired: the leader is silent, or has to be tried again.
    pub(super) fn timer(&mut self, step: &mut Step<'_>) -> Result<(), Ending> {
        match self.learner.stage {
            _ if step.clock.now >= self.learner.heard_until => {
                return Err(Ending::Stop("the leader is silent"));
            }
            FollowerStage::Retrying(due) if step.clock.now >= due => self.learner.connect(step),
            _ => {}
        }
        Ok(())
    }

    /// Processes the next packet that has arrived.
    pub(super) fn read(&mut self, step: &mut Step<'_>) -> Result<Read, Ending> {
        let learner = &mut *self.learner;
        let packet = match learner.frames.pop() {
            Ok(None) => return Ok(Read::Nothing),
            Ok(Some(payload)) => Packet::decode(payload).ok(),
            Err(_) => None,
        };
        let limit = match learner.stage {
            FollowerStage::TakenOver | FollowerStage::Serving => step.config.sync_limit,
            _ => step.config.init_limit,
        };
        learner.heard_until = step.clock.now + step.config.ticks(limit);
        match packet {
            Some(packet) if learner.stage == FollowerStage::Serving => self.serving(step, packet),
            Some(packet) => self.joining(step, packet).map(|()| Read::Packet),
            None => Err(Ending::Stop("the leader sent what does not decode")),
        }
    }

    /// A packet that arrives before this server serves.
    fn joining(&mut self, step: &mut Step<'_>, packet: Packet) -> Result<(), Ending> {
        use FollowerStage::{Agreed, Logging, Receiving, Registering, TakenOver, TakingOver};
        let learner = &mut *self.learner;
        match (learner.stage, packet) {
            (Registering, Packet::LeaderInfo { epoch }) => self.register(step, epoch),
            (Agreed, Packet::Diff { .. }) => {
                learner.stage = Receiving;
                Ok(())
            }
            (Agreed, Packet::Trunc { zxid }) => self.truncate(step, zxid),
            (Agreed, Packet::Snap { zxid, state }) => self.install(step, zxid, state),
            (Receiving | Logging | TakingOver | TakenOver, Packet::Proposal { zxid, txn }) => {
                learner.receive(zxid, txn).ok_or(Ending::Stop(HOLE))
            }
            (Receiving | Logging | TakingOver | TakenOver, Packet::Commit { zxid }) => {
                learner.committed.push_back(zxid);
                Ok(())
            }
            (Receiving, Packet::NewLeader { epoch }) if epoch == learner.epoch => {
                learner.stage = Logging;
                learner.inherited = learner.committed.len();
                self.catch_up(step)
            }
            (TakenOver, Packet::UpToDate) => self.start_serving(step),
            // A follower that does not serve does not answer, as in ZooKeeper.
            (_, Packet::Ping { .. }) => Ok(()),
            (stage, packet) => {
                tracing::warn!(?stage, ?packet, "out of turn");
                Err(Ending::Stop(OUT_OF_TURN))
            }
        }
    }

    fn register(&mut self, step: &mut Step<'_>, epoch: u32) -> Result<(), Ending> {
        let accepted = self.member.epochs.accepted();
        if epoch < accepted {
            return Err(Ending::Stop("the leader's epoch is older than one that was accepted"));
        }
        self.learner.epoch = epoch;
        self.learner.counts = epoch > accepted;
        if self.learner.counts {
            self.learner.stage = FollowerStage::Accepting;
            self.member.epochs.write(Which::Accepted, epoch, step.fx);
        } else {
            self.acknowledge_epoch();
        }
        Ok(())
    }

    /// An epoch is accepted, durably.
    pub(super) fn accepted(&mut self, epoch: u32) {
        // An epoch of an earlier leader may become durable only now.
        if self.learner.stage == FollowerStage::Accepting && self.learner.epoch == epoch {
            self.acknowledge_epoch();
        }
    }

    fn acknowledge_epoch(&mut self) {
        let last_zxid = self.service.storage.last_zxid();
        let (current, needs_snapshot) = (self.member.epochs.current(), self.member.needs_snapshot);
        let current_epoch = self.learner.counts.then_some(current);
        self.learner.stage = FollowerStage::Agreed;
        self.learner.queue(&Packet::AckEpoch { current_epoch, last_zxid, needs_snapshot });
    }

    /// The end of this server's log is not part of the leader's history.
    fn truncate(&mut self, step: &mut Step<'_>, zxid: Zxid) -> Result<(), Ending> {
        let storage = &mut self.service.storage;
        if !storage.history().can_truncate(zxid) {
            // Its snapshot came from a leader that never led. Only another snapshot replaces it.
            self.member.needs_snapshot = true;
            return Err(Ending::Stop("its snapshot has more than the leader's history"));
        }
        storage.truncate(step, zxid).map_err(Ending::Halt)?;
        self.learner.stage = FollowerStage::Receiving;
        step.observe(ZooKeeperObservation::Truncated { to: zxid });
        storage.observe_loaded(step);
        Ok(())
    }

    /// The leader's state replaces this server's.
    fn install(&mut self, step: &mut Step<'_>, zxid: Zxid, bytes: Bytes) -> Result<(), Ending> {
        let Ok(mut db) = Database::decode(bytes) else {
            return Err(Ending::Stop("the leader's snapshot does not decode"));
        };
        db.last_zxid = zxid;
        let storage = &mut self.service.storage;
        storage.install(step, db);
        self.learner.stage = FollowerStage::Receiving;
        step.observe(ZooKeeperObservation::Installed { zxid });
        storage.observe_loaded(step);
        Ok(())
    }

    /// Takes over the leader's history, one durable step after the other: first what was truncated or replaced,
    /// then the committed transactions, then the epoch.
    pub(super) fn catch_up(&mut self, step: &mut Step<'_>) -> Result<(), Ending> {
        let Self { service, member, learner } = self;
        let storage = &mut service.storage;
        if !storage.log.is_idle() || learner.stage != FollowerStage::Logging {
            return Ok(());
        }
        let epochs = &mut member.epochs;
        if step.config.is(Mutant::EpochBeforeLog) && epochs.current() != learner.epoch {
            if epochs.is_idle() {
                epochs.write(Which::Current, learner.epoch, step.fx);
            }
            return Ok(());
        }
        let mut brought_up = false;
        while learner.inherited > 0
            && let Some(next) = learner.next_committed()
        {
            learner.inherited -= 1;
            let Ok(Proposed { txn, bytes }) = next else {
                return Err(Ending::Stop("the leader committed what it did not send"));
            };
            storage.log.append(txn.zxid, &bytes);
            storage.history().push(txn.zxid, bytes);
            storage.history().commit(txn.zxid);
            storage.db.apply(&txn, &mut Changes::new());
            brought_up = true;
        }
        if brought_up {
            storage.observe_loaded(step);
        }
        storage.log.flush(step.fx);
        if storage.log.is_idle() {
            learner.stage = FollowerStage::TakingOver;
            epochs.write(Which::Current, learner.epoch, step.fx);
        }
        Ok(())
    }

    /// An epoch is the current one, durably.
    pub(super) fn took_over(&mut self, step: &mut Step<'_>, epoch: u32) -> Result<(), Ending> {
        let learner = &mut *self.learner;
        if learner.stage != FollowerStage::TakingOver || learner.epoch != epoch {
            // An epoch that was written for an earlier leader may have delayed this one's history.
            return self.catch_up(step);
        }
        learner.stage = FollowerStage::TakenOver;
        learner.heard_until = step.clock.now + step.config.ticks(step.config.sync_limit);
        learner.queue(&Packet::Ack { zxid: Zxid::new(epoch, 0) });
        Ok(())
    }

    /// The leader has a majority: this server serves, and goes on with what arrived meanwhile.
    fn start_serving(&mut self, step: &mut Step<'_>) -> Result<(), Ending> {
        let Self { service, member, learner } = self;
        service.begin_role(step.clock.now);
        let zxid = service.storage.last_zxid();
        let digest = service.storage.db.digest();
        learner.stage = FollowerStage::Serving;
        let (epoch, leader) = (learner.epoch, learner.leader);
        learner.queue(&Packet::Ack { zxid: Zxid::new(epoch, 0) });
        member.election.established(epoch);
        member.needs_snapshot = false;
        tracing::info!(epoch, leader, %zxid, "follows");
        step.observe(ZooKeeperObservation::Following { epoch, leader, zxid, digest });
        while let Some(proposed) = self.learner.queued.pop_front() {
            self.log(proposed);
        }
        while let Some(zxid) = self.learner.committed.pop_front() {
            self.commit(step, zxid)?;
        }
        Ok(())
    }

    fn log(&mut self, proposed: Proposed) {
        let (zxid, bytes) = (proposed.txn.zxid, proposed.bytes.clone());
        let storage = &mut self.service.storage;
        storage.log.append(zxid, &bytes);
        storage.history().push(zxid, bytes);
        self.learner.pending.push_back(proposed);
        self.learner.unacked.push_back(zxid);
    }

    fn commit(&mut self, step: &mut Step<'_>, zxid: Zxid) -> Result<(), Ending> {
        let Self { service, learner, .. } = self;
        let Some(next) = learner.pending.pop_front_if(|next| next.txn.zxid == zxid) else {
            return Err(Ending::Halt(format!("{zxid} was committed out of order")));
        };
        let awaited = learner.awaited.pop_front_if(|awaited| awaited.became(&next.txn));
        service.storage.commit(step, zxid);
        let mut applier = Applier { service, serving: Serving::Follower };
        let applied = applier.apply(step, &next.txn);
        if let Some(Awaited { conn, shape, what, .. }) = awaited {
            let applied = match (what, applied) {
                (Awaits::Refusal(code), Applied::Failed(_)) => Applied::Failed(code),
                (_, applied) => applied,
            };
            service.replies().answer_proposal(step, conn, shape, applied);
        }
        Ok(())
    }

    /// A packet that arrives while this server serves.
    fn serving(&mut self, step: &mut Step<'_>, packet: Packet) -> Result<Read, Ending> {
        let Self { service, learner, .. } = self;
        match packet {
            Packet::Proposal { zxid, txn } => {
                learner.receive(zxid, txn).ok_or(Ending::Stop(HOLE))?;
                let proposed = learner.queued.pop_front().expect("it was just received");
                self.log(proposed);
            }
            Packet::Commit { zxid } => self.commit(step, zxid)?,
            Packet::Ping { zxid, .. } => {
                let sessions = &service.storage.db.sessions;
                let timeout = |id: i64| (id, sessions.get(id).map_or(0, |s| s.timeout_ms));
                let touched = std::mem::take(&mut learner.touched).into_iter().map(timeout);
                let touched = touched.collect();
                learner.queue(&Packet::Ping { zxid, touched });
            }
            Packet::Revalidated { session, valid } => {
                return Ok(self.revalidated(step, session, valid));
            }
            Packet::Sync => {
                let front = learner.awaited.pop_front_if(|awaited| awaited.is_sync());
                if let Some(Awaited { conn, shape, what: Awaits::Sync(path), .. }) = front {
                    let done = Applied::Created { path, stat: Default::default() };
                    service.replies().answer_proposal(step, conn, shape, done);
                }
            }
            other => {
                tracing::warn!(packet = ?other, "out of turn");
                return Err(Ending::Stop(OUT_OF_TURN));
            }
        }
        Ok(Read::Packet)
    }

    /// The leader says whether a session is alive to which a client wants to attach.
    fn revalidated(&mut self, step: &mut Step<'_>, session: i64, valid: bool) -> Read {
        let Service { sessions, clients, .. } = &mut *self.service;
        // Two clients may have asked for the same session; the later one replaced the earlier one.
        let Some(asked) = self.learner.attaching.remove(&session) else { return Read::Packet };
        let Attaching { conn, timeout_ms, password, read_only } = asked;
        // The client may have gone meanwhile.
        let Some(connection) = clients.get_mut(conn) else { return Read::Packet };
        connection.greeting = false;
        if valid {
            let is_local = sessions.local.has(session);
            let attach = Attach { session, timeout_ms, password, read_only, is_local };
            clients.attach_again(step, conn, attach);
            Read::Confirmed(conn)
        } else {
            clients.refuse_session(step, conn, session, read_only);
            Read::Packet
        }
    }

    /// Everything up to `zxid` is durable here, which is acknowledged.
    pub(super) fn logged(&mut self, step: &mut Step<'_>, zxid: Zxid) -> Result<(), Ending> {
        self.catch_up(step)?;
        self.learner.acknowledge(zxid);
        self.service.storage.observe_logged(step, zxid);
        Ok(())
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
