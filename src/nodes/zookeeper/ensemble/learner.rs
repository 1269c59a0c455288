//! A follower: how it joins a leader, and how it serves clients with what the leader decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::connection::Arrived;
use super::super::snapshot::Snapshot;
use super::super::state::{Applied, State};
use super::super::tree::Changes;
use super::super::txn::{PASSWORD, Record, Txn};
use super::super::writes::Shape;
use super::super::{Effects, Running, Step, halt, telling};
use super::{Role, Which, observe, observe_committed, ticks};
use crate::history::ZooKeeperObservation;
use crate::vocab::{ConnId, Mutant, NodeId, Time, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Writer;
use crate::wire::zookeeper::ensemble::{Forwarded, MAX_ENSEMBLE_FRAME, Packet, ServerId};
use crate::wire::zookeeper::{Code, ConnectRequest, Identity, RequestHeader, op};

/// How long before a leader that was not reached is tried again (`leaderConnectDelayDuringRetryMs`).
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// How often it is tried (`Learner.connectToLeader`).
const TRIES: u32 = 5;

/// How far a follower has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The leader is tried again then.
    Retrying(Time),
    /// The connection is asked for.
    Connecting,
    /// The leader has to tell the epoch.
    Registering,
    /// The epoch is on its way to the disk.
    Accepting,
    /// The leader has to say how it brings this server up.
    Agreed,
    /// The history arrives.
    Receiving,
    /// The history is there, and becomes durable.
    Logging,
    /// It is, and the epoch becomes the current one.
    TakingOver,
    /// That was acknowledged; the leader has to say that it serves.
    TakenOver,
    /// Clients are served.
    Serving,
}

/// A transaction that the leader sent.
#[derive(Debug)]
struct Proposed {
    txn: Txn,
    bytes: Bytes,
}

/// A request of a client that was forwarded.
#[derive(Debug)]
struct Awaited {
    session: i64,
    cxid: i32,
    conn: ConnId,
    shape: Shape,
    what: Awaits,
}

/// What is awaited for a request that was forwarded.
#[derive(Debug)]
pub(in super::super) enum Awaits {
    /// A transaction.
    Txn,
    /// A transaction that fails; its client is told this instead of the leader's reason.
    Refusal(Code),
    /// That everything proposed before was decided; with the path to be answered.
    Sync(Arc<str>),
}

impl Awaited {
    fn is_sync(&self) -> bool {
        matches!(self.what, Awaits::Sync(_))
    }

    /// Whether `txn` is what became of it.
    fn became(&self, txn: &Txn) -> bool {
        let opens = matches!(self.shape, Shape::Connect { .. });
        let opened = matches!(txn.record, Record::CreateSession { .. });
        !self.is_sync() && (self.session, self.cxid) == (txn.session, txn.cxid) && (opens == opened)
    }
}

/// A client that wants to attach to a session, of which the leader was asked.
#[derive(Debug)]
struct Attaching {
    conn: ConnId,
    timeout_ms: i32,
    password: Option<Bytes>,
    read_only: Option<bool>,
}

/// A server that follows, or wants to.
#[derive(Debug)]
pub(super) struct Learner {
    leader: ServerId,
    node: NodeId,
    conn: Option<ConnId>,
    frames: Frames,
    stage: Stage,
    tries: u32,
    /// It is given up when nothing was heard until then.
    heard_until: Time,
    epoch: u32,
    /// What is to be acknowledged with the epoch: nothing when it had been accepted before.
    counts: bool,
    last_queued: Zxid,
    /// Transactions that are not in the log yet, and which of them are decided.
    queued: VecDeque<Proposed>,
    decided: VecDeque<Zxid>,
    /// How many of those are the history that the epoch begins with.
    inherited: usize,
    /// Transactions in the log that are not decided.
    pending: VecDeque<Proposed>,
    unacked: VecDeque<Zxid>,
    awaited: VecDeque<Awaited>,
    attaching: BTreeMap<i64, Attaching>,
    touched: BTreeSet<i64>,
    out: Vec<u8>,
}

impl Learner {
    /// Whether clients are served.
    pub(super) fn serves(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// The connection to the leader.
    pub(super) fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// When [`Running::learner_timer`] has something to do.
    pub(super) fn deadline(&self) -> Time {
        match self.stage {
            Stage::Retrying(at) => at.min(self.heard_until),
            _ => self.heard_until,
        }
    }

    /// The session was heard of; the leader hears of it with the next ping.
    pub(super) fn touch(&mut self, session: i64) {
        self.touched.insert(session);
    }

    fn queue(&mut self, packet: &Packet) {
        self.out.extend_from_slice(&packet.encode());
    }

    /// Sends what is queued.
    pub(super) fn flush(&mut self, fx: &mut Effects) {
        if let Some(conn) = self.conn
            && !self.out.is_empty()
        {
            fx.send(conn, std::mem::take(&mut self.out).into());
        }
    }

    /// Tells the leader that everything up to `zxid` is durable here.
    pub(super) fn acknowledge(&mut self, zxid: Zxid) {
        while let Some(zxid) = self.unacked.pop_front_if(|next| *next <= zxid) {
            self.queue(&Packet::Ack { zxid });
        }
    }

    fn connect(&mut self, fx: &mut Effects) {
        self.tries += 1;
        self.conn = Some(fx.connect(self.node));
        self.frames = Frames::new(MAX_ENSEMBLE_FRAME);
        self.stage = Stage::Connecting;
    }

    /// Takes a transaction of the leader; `None` when it is not one that can come now.
    fn receive(&mut self, zxid: Zxid, bytes: Bytes) -> Option<()> {
        let txn = Txn::decode(bytes.clone()).ok().filter(|txn| txn.zxid == zxid)?;
        let follows = self.last_queued == Zxid(0)
            || zxid.0 == self.last_queued.0 + 1
            || zxid.0 >> 32 > self.last_queued.0 >> 32;
        self.last_queued = zxid;
        follows.then(|| self.queued.push_back(Proposed { txn, bytes }))
    }

    /// The oldest queued transaction, which has to be the next decided one.
    fn next_decided(&mut self) -> Option<Result<Proposed, Zxid>> {
        let zxid = self.decided.pop_front()?;
        let next = self.queued.pop_front_if(|next| next.txn.zxid == zxid);
        Some(next.ok_or(zxid))
    }
}

impl Running {
    /// The election made another server the leader.
    pub(super) fn follow(&mut self, at: &mut Step<'_>, leader: ServerId) {
        let Some(peer) = &mut self.peer else { return };
        let Some(&node) = peer.members.get(&leader) else { return };
        let mut learner = Learner {
            leader,
            node,
            conn: None,
            frames: Frames::new(MAX_ENSEMBLE_FRAME),
            stage: Stage::Connecting,
            tries: 0,
            heard_until: at.clock.now + ticks(at.config, at.config.init_limit),
            epoch: 0,
            counts: false,
            last_queued: Zxid(0),
            queued: VecDeque::new(),
            decided: VecDeque::new(),
            inherited: 0,
            pending: VecDeque::new(),
            unacked: VecDeque::new(),
            awaited: VecDeque::new(),
            attaching: BTreeMap::new(),
            touched: BTreeSet::new(),
            out: Vec::new(),
        };
        learner.connect(at.fx);
        peer.role = Role::Learner(Box::new(learner));
    }

    /// A connection stands that is none of the elections'.
    pub(super) fn leader_reached(&mut self, at: &mut Step<'_>, conn: ConnId) {
        let Some(peer) = &mut self.peer else { return };
        let info = Packet::FollowerInfo { from: peer.me, accepted_epoch: peer.epochs.accepted() };
        let Some(learner) = peer.learner().filter(|learner| learner.conn == Some(conn)) else {
            return;
        };
        learner.stage = Stage::Registering;
        learner.heard_until = at.clock.now + ticks(at.config, at.config.init_limit);
        learner.queue(&info);
    }

    /// The leader closed the connection, or was never reached.
    pub(super) fn leader_hung_up(&mut self, at: &mut Step<'_>) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        learner.conn = None;
        learner.out.clear();
        let early = matches!(learner.stage, Stage::Connecting | Stage::Registering);
        if early && learner.tries < TRIES {
            // It may not know yet that it leads.
            learner.stage = Stage::Retrying(at.clock.now + RETRY_DELAY);
        } else {
            self.stop(at, "the leader hung up");
        }
    }

    /// The leader is silent, or has to be tried again.
    pub(super) fn learner_timer(&mut self, at: &mut Step<'_>) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        match learner.stage {
            _ if at.clock.now >= learner.heard_until => self.stop(at, "the leader is silent"),
            Stage::Retrying(due) if at.clock.now >= due => learner.connect(at.fx),
            _ => {}
        }
    }

    /// Bytes of the leader arrived.
    pub(super) fn leader_spoke(&mut self, at: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        let current = |running: &Self| match running.peer.as_ref().map(|peer| &peer.role) {
            Some(Role::Learner(learner)) => learner.conn == Some(conn),
            _ => false,
        };
        if let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) {
            learner.frames.push(bytes);
        }
        while current(self)
            && let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner())
        {
            let packet = match learner.frames.pop() {
                Ok(None) => return,
                Ok(Some(payload)) => Packet::decode(payload).ok(),
                Err(_) => None,
            };
            let limit = match learner.stage {
                Stage::TakenOver | Stage::Serving => at.config.sync_limit,
                _ => at.config.init_limit,
            };
            learner.heard_until = at.clock.now + ticks(at.config, limit);
            match packet {
                Some(packet) if learner.stage == Stage::Serving => self.serving(at, packet),
                Some(packet) => self.joining(at, packet),
                None => self.stop(at, "the leader sent what does not decode"),
            }
        }
    }

    /// What the leader says until this server serves.
    fn joining(&mut self, at: &mut Step<'_>, packet: Packet) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        match (learner.stage, packet) {
            (Stage::Registering, Packet::LeaderInfo { epoch }) => self.register(at, epoch),
            (Stage::Agreed, Packet::Diff { .. }) => learner.stage = Stage::Receiving,
            (Stage::Agreed, Packet::Trunc { zxid }) => self.truncate(at, zxid),
            (Stage::Agreed, Packet::Snap { zxid, state }) => self.install(at, zxid, state),
            (
                Stage::Receiving | Stage::Logging | Stage::TakingOver | Stage::TakenOver,
                Packet::Proposal { zxid, txn },
            ) => {
                if learner.receive(zxid, txn).is_none() {
                    self.stop(at, "the leader's history has a hole");
                }
            }
            (
                Stage::Receiving | Stage::Logging | Stage::TakingOver | Stage::TakenOver,
                Packet::Commit { zxid },
            ) => learner.decided.push_back(zxid),
            (Stage::Receiving, Packet::NewLeader { epoch }) if epoch == learner.epoch => {
                learner.stage = Stage::Logging;
                learner.inherited = learner.decided.len();
                self.catch_up(at);
            }
            (Stage::TakenOver, Packet::UpToDate) => self.start_serving(at),
            // Answered only by one who serves, as in ZooKeeper.
            (_, Packet::Ping { .. }) => {}
            (stage, packet) => {
                tracing::warn!(?stage, ?packet, "out of turn");
                self.stop(at, "the leader said what it cannot say now");
            }
        }
    }

    fn register(&mut self, at: &mut Step<'_>, epoch: u32) {
        let Some(peer) = &mut self.peer else { return };
        let accepted = peer.epochs.accepted();
        let Role::Learner(learner) = &mut peer.role else { return };
        if epoch < accepted {
            return self.stop(at, "the leader's epoch is older than one that was accepted");
        }
        learner.epoch = epoch;
        learner.counts = epoch > accepted;
        if learner.counts {
            learner.stage = Stage::Accepting;
            peer.epochs.write(Which::Accepted, epoch, at.fx);
        } else {
            self.acknowledge_epoch();
        }
    }

    /// The leader's epoch is accepted, durably.
    pub(super) fn learner_accepted(&mut self, epoch: u32) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        if learner.stage == Stage::Accepting && learner.epoch == epoch {
            self.acknowledge_epoch();
        }
    }

    fn acknowledge_epoch(&mut self) {
        let last_zxid = self.state.last_zxid;
        let Some(peer) = &mut self.peer else { return };
        let (current, needs_snapshot) = (peer.epochs.current(), peer.needs_snapshot);
        let Role::Learner(learner) = &mut peer.role else { return };
        let current_epoch = learner.counts.then_some(current);
        learner.stage = Stage::Agreed;
        learner.queue(&Packet::AckEpoch { current_epoch, last_zxid, needs_snapshot });
    }

    /// The end of this server's log is not part of the history.
    fn truncate(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        let Some(peer) = &mut self.peer else { return };
        if !peer.history.can_truncate(zxid) {
            // Its snapshot came from a leader that never led. Only another one replaces it.
            peer.needs_snapshot = true;
            return self.stop(at, "its snapshot has more than the leader's history");
        }
        tracing::info!(from = %self.state.last_zxid, to = %zxid, "cuts its log");
        self.log.truncate(zxid, &peer.history, at.fx);
        peer.history.truncate(zxid);
        peer.logged = peer.logged.min(zxid);
        match peer.history.state() {
            Ok(state) => self.state = state,
            Err(error) => return halt(at.fx, &error.to_string()),
        }
        if let Some(learner) = peer.learner() {
            learner.stage = Stage::Receiving;
        }
        observe(at, ZooKeeperObservation::Truncated { to: zxid });
        observe(at, telling::loaded(&self.state));
    }

    /// The leader's state replaces this server's.
    fn install(&mut self, at: &mut Step<'_>, zxid: Zxid, bytes: Bytes) {
        let Ok(mut state) = State::decode(bytes) else {
            return self.stop(at, "the leader's snapshot does not decode");
        };
        state.last_zxid = zxid;
        let Some(peer) = &mut self.peer else { return };
        let snapshot = Snapshot::of(&state);
        self.log.install(&snapshot, at.fx);
        peer.history.install(snapshot);
        peer.logged = zxid;
        self.state = state;
        if let Some(learner) = peer.learner() {
            learner.stage = Stage::Receiving;
        }
        observe(at, ZooKeeperObservation::Installed { zxid });
        observe(at, telling::loaded(&self.state));
    }

    /// Takes over the leader's history, one durable step after the other: what was cut or replaced, then the
    /// decided transactions, then the epoch.
    pub(super) fn catch_up(&mut self, at: &mut Step<'_>) {
        if !self.log.is_idle() {
            return;
        }
        let Some(peer) = &mut self.peer else { return };
        let Role::Learner(learner) = &mut peer.role else { return };
        if learner.stage != Stage::Logging {
            return;
        }
        if at.config.is(Mutant::EpochBeforeLog) && peer.epochs.current() != learner.epoch {
            if peer.epochs.is_idle() {
                peer.epochs.write(Which::Current, learner.epoch, at.fx);
            }
            return;
        }
        let mut brought_up = false;
        while learner.inherited > 0
            && let Some(next) = learner.next_decided()
        {
            learner.inherited -= 1;
            let Ok(Proposed { txn, bytes }) = next else {
                return self.stop(at, "the leader decided what it did not send");
            };
            self.log.append(txn.zxid, &bytes);
            peer.history.push(txn.zxid, bytes.clone());
            peer.history.commit(txn.zxid);
            self.state.apply(&txn, &mut Changes::new());
            brought_up = true;
        }
        if brought_up {
            observe(at, telling::loaded(&self.state));
        }
        self.log.flush(at.fx);
        if self.log.is_idle() {
            learner.stage = Stage::TakingOver;
            peer.epochs.write(Which::Current, learner.epoch, at.fx);
        }
    }

    /// The history is durable, and the epoch is the current one.
    pub(super) fn learner_took_over(&mut self, at: &mut Step<'_>, epoch: u32) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        if learner.stage == Stage::TakingOver && learner.epoch == epoch {
            learner.stage = Stage::TakenOver;
            learner.heard_until = at.clock.now + ticks(at.config, at.config.sync_limit);
            learner.queue(&Packet::Ack { zxid: Zxid::new(epoch, 0) });
        } else {
            // An epoch that was written for another leader may have held this one's up.
            self.catch_up(at);
        }
    }

    /// The leader has a majority: this server serves, and goes on with what came meanwhile.
    fn start_serving(&mut self, at: &mut Step<'_>) {
        self.takes_role(at.clock.now);
        let zxid = self.state.last_zxid;
        let digest = self.state.digest();
        let Some(peer) = &mut self.peer else { return };
        let Role::Learner(learner) = &mut peer.role else { return };
        learner.stage = Stage::Serving;
        let (epoch, leader) = (learner.epoch, learner.leader);
        learner.queue(&Packet::Ack { zxid: Zxid::new(epoch, 0) });
        peer.election.established(epoch);
        peer.needs_snapshot = false;
        tracing::info!(epoch, leader, %zxid, "follows");
        observe(at, ZooKeeperObservation::Following { epoch, leader, zxid, digest });
        while let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner())
            && let Some(proposed) = learner.queued.pop_front()
        {
            self.take_proposal(proposed);
        }
        while let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner())
            && let Some(zxid) = learner.decided.pop_front()
        {
            self.take_decision(at, zxid);
        }
    }

    fn take_proposal(&mut self, proposed: Proposed) {
        let (zxid, bytes) = (proposed.txn.zxid, proposed.bytes.clone());
        self.log.append(zxid, &bytes);
        let Some(peer) = &mut self.peer else { return };
        peer.history.push(zxid, bytes);
        if let Some(learner) = peer.learner() {
            learner.pending.push_back(proposed);
            learner.unacked.push_back(zxid);
        }
    }

    fn take_decision(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        let Some(peer) = &mut self.peer else { return };
        let Role::Learner(learner) = &mut peer.role else { return };
        let Some(next) = learner.pending.pop_front_if(|next| next.txn.zxid == zxid) else {
            return halt(at.fx, &format!("{zxid} was decided out of order"));
        };
        peer.history.commit(zxid);
        let answers = learner.awaited.pop_front_if(|awaited| awaited.became(&next.txn));
        observe_committed(at, zxid, peer.history.entry(zxid));
        let applied = self.apply(at, &next.txn);
        if let Some(Awaited { conn, shape, what, .. }) = answers {
            let applied = match (what, applied) {
                (Awaits::Refusal(code), Applied::Failed(_)) => Applied::Failed(code),
                (_, applied) => applied,
            };
            self.answer_proposal(at, conn, shape, applied);
        }
    }

    /// What the leader says while this server serves.
    fn serving(&mut self, at: &mut Step<'_>, packet: Packet) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        match packet {
            Packet::Proposal { zxid, txn } => {
                if learner.receive(zxid, txn).is_none() {
                    return self.stop(at, "the leader's history has a hole");
                }
                if let Some(proposed) = learner.queued.pop_front() {
                    self.take_proposal(proposed);
                }
            }
            Packet::Commit { zxid } => self.take_decision(at, zxid),
            Packet::Ping { zxid, .. } => {
                let touched = std::mem::take(&mut learner.touched);
                let timeout = |id: i64| {
                    let timeout_ms = self.state.sessions.get(id).map_or(0, |s| s.timeout_ms);
                    (id, timeout_ms)
                };
                let touched = touched.into_iter().map(timeout).collect();
                if let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) {
                    learner.queue(&Packet::Ping { zxid, touched });
                }
            }
            Packet::Revalidated { session, valid } => self.attach_asked(at, session, valid),
            Packet::Sync => {
                let front = learner.awaited.pop_front_if(|awaited| awaited.is_sync());
                if let Some(Awaited { conn, shape, what: Awaits::Sync(path), .. }) = front {
                    let stat = Default::default();
                    self.answer_proposal(at, conn, shape, Applied::Created { path, stat });
                }
            }
            other => {
                tracing::warn!(packet = ?other, "out of turn");
                self.stop(at, "the leader said what it cannot say now");
            }
        }
    }

    /// Everything up to `zxid` is durable here: the leader hears of it.
    pub(super) fn learner_logged(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        self.catch_up(at);
        let Some(peer) = &mut self.peer else { return };
        let Role::Learner(learner) = &mut peer.role else { return };
        learner.acknowledge(zxid);
        peer.observe_logged(at, zxid);
    }

    /// Forwards a client's request to the leader; its answer comes with what the leader decides.
    pub(in super::super) fn forward(&mut self, arrived: Arrived, shape: Shape, what: Awaits) {
        let Arrived { conn, session, header, body } = arrived;
        let Some(connection) = self.connection(conn) else { return };
        connection.wait(super::super::connection::Waiting::Proposal);
        let identity = |id: &super::super::acl::AuthId| Identity {
            scheme: id.scheme.clone(),
            user: id.id.clone(),
        };
        let ids = connection.ids.iter().map(identity).collect();
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        let (cxid, op) = (header.xid, header.op);
        learner.awaited.push_back(Awaited { session, cxid, conn, shape, what });
        learner.queue(&Packet::Request(Forwarded { session, cxid, op, body, ids }));
    }

    /// Forwards the wish for a new session.
    pub(in super::super) fn forward_session(
        &mut self,
        conn: ConnId,
        shape: Shape,
        session: i64,
        timeout_ms: i32,
        password: &[u8; PASSWORD],
    ) {
        let header = RequestHeader { xid: 0, op: op::CREATE_SESSION };
        let body = body_of_session(timeout_ms, password);
        self.forward(Arrived { conn, session, header, body }, shape, Awaits::Txn);
    }

    /// The same for a session that is known here only; nobody waits for an answer.
    pub(in super::super) fn forward_upgrade(
        &mut self,
        session: i64,
        timeout_ms: i32,
        password: &[u8; PASSWORD],
    ) {
        let body = body_of_session(timeout_ms, password);
        let (cxid, op, ids) = (0, op::CREATE_SESSION, Vec::new());
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        learner.queue(&Packet::Request(Forwarded { session, cxid, op, body, ids }));
    }

    /// A client wants to attach to a session, which only the leader knows to be alive.
    pub(in super::super) fn ask_leader_for_session(
        &mut self,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
    ) {
        if let Some(connection) = self.connection(conn) {
            connection.greeting = true;
        }
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        let (session, password) = (request.session, request.password.clone());
        let read_only = request.read_only.map(|_| false);
        let attaching = Attaching { conn, timeout_ms, password: password.clone(), read_only };
        learner.attaching.insert(session, attaching);
        learner.queue(&Packet::Revalidate { session, timeout_ms, password });
    }

    fn attach_asked(&mut self, at: &mut Step<'_>, session: i64, valid: bool) {
        let Some(learner) = self.peer.as_mut().and_then(|peer| peer.learner()) else { return };
        let Some(asked) = learner.attaching.remove(&session) else { return };
        let conn = asked.conn;
        let Some(connection) = self.connection(conn) else { return };
        connection.greeting = false;
        if valid {
            let Attaching { timeout_ms, password, read_only, .. } = asked;
            self.attach_again(at, conn, session, timeout_ms, password, read_only);
            self.read_frames(at, conn);
        } else {
            self.refuse_session(at, conn, session, asked.read_only);
        }
    }
}

fn body_of_session(timeout_ms: i32, password: &[u8; PASSWORD]) -> Bytes {
    let mut body = Writer::new();
    body.int(timeout_ms);
    body.raw(password);
    body.finish()
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
