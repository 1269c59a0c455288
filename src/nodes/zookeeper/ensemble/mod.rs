//! A server's part in an ensemble (ZAB, as ZooKeeper builds it).
//!
//! A server looks for a leader ([`election`]), and then leads ([`leader`]) or follows ([`learner`]) until that
//! fails; then it looks again. When it stops, its clients are disconnected, and what it has logged is applied,
//! decided or not: the end of the log counts in the next election, and becomes part of the history if this
//! server leads, or is cut off if another one does that has never seen it ([`sync`]).
//!
//! What has to be durable before what: a transaction before its acknowledgement; `acceptedEpoch` before the
//! epoch is acknowledged; the leader's history before `currentEpoch`, and that before NEWLEADER is acknowledged
//! ([`epochs`]). The last is the order of ZooKeeper 3.9.5; before it, a server could claim an epoch without its
//! history, and decided transactions were lost (ZOOKEEPER-4643, 4646, 4785).
//!
//! In the simulated network a host has no ports: a connection from another server is one of elections or a
//! learner's, which its first message tells; every other one is a client's.

mod election;
mod epochs;
pub(super) mod history;
mod leader;
mod learner;
mod links;
mod sync;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::connection::Connection;
use super::prepare::{Preparer, Write};
use super::sessions::Expiry;
use super::snapshot::Snapshot;
use super::state::State;
use super::stats::Stats;
use super::{Config, PEER_TIMER, Running, Step, halt, telling};
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::step::DiskImage;
use crate::vocab::{ConnId, DiskOpId, NodeId, Time, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::Code;
use crate::wire::zookeeper::ensemble::{Hello, MAX_ENSEMBLE_FRAME, Packet, ServerId};

use election::{Election, Tell, Vote};
use epochs::{EpochError, Epochs, Which};
use history::{Entry, History};
use leader::Leader;
pub(super) use learner::Awaits;
use learner::Learner;
use links::Links;

/// What a server is doing.
#[derive(Debug)]
enum Role {
    /// It has stopped, or not begun, and waits for its disk before it looks for a leader.
    Settling,
    /// It looks for a leader.
    Looking,
    /// It follows, or tries to.
    Learner(Box<Learner>),
    /// It leads, or tries to.
    Leader(Box<Leader>),
}

/// A server of an ensemble.
#[derive(Debug)]
pub(super) struct Peer {
    me: ServerId,
    members: BTreeMap<ServerId, NodeId>,
    election: Election,
    links: Links,
    epochs: Epochs,
    pub(super) history: History,
    /// Connections of servers that have not said what they are for.
    strangers: BTreeMap<ConnId, Frames>,
    role: Role,
    /// When it began to look for a leader, if it does.
    looking_since: Time,
    /// Whether it holds a snapshot that a leader would have it cut back: it needs another one.
    needs_snapshot: bool,
    /// What is durable of the log, as far as it was told.
    logged: Zxid,
    timer: Option<(Time, TimerId)>,
}

impl Peer {
    /// The part of a server that has read its log; `None` for a server that is alone.
    pub(super) fn recover(
        config: &Config,
        image: &DiskImage,
        state: &State,
        base: Option<Snapshot>,
        entries: Vec<Entry>,
    ) -> Result<Option<Self>, EpochError> {
        if config.ensemble.is_empty() {
            return Ok(None);
        }
        let (me, members) = (config.server_id, config.ensemble.clone());
        let others = members.iter().filter(|(id, _)| **id != me).map(|(id, node)| (*id, *node));
        Ok(Some(Self {
            me,
            election: Election::new(me, members.keys().copied().collect()),
            links: Links::new(me, others),
            epochs: Epochs::recover(image, state.last_zxid)?,
            history: History::new(base, entries),
            strangers: BTreeMap::new(),
            role: Role::Settling,
            looking_since: Time::ZERO,
            needs_snapshot: false,
            logged: state.last_zxid,
            timer: None,
            members,
        }))
    }

    /// Everything up to `zxid` is durable here.
    fn observe_logged(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        for entry in self.history.after(self.logged).take_while(|entry| entry.zxid <= zxid) {
            let (zxid, hash) = (entry.zxid, hash(entry));
            observe(at, ZooKeeperObservation::Logged { zxid, hash });
        }
        self.logged = zxid;
    }

    fn leader(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    fn learner(&mut self) -> Option<&mut Learner> {
        match &mut self.role {
            Role::Learner(learner) => Some(learner),
            _ => None,
        }
    }

    fn tell(&mut self, at: &mut Step<'_>, tell: Vec<Tell>) {
        for told in tell {
            match told {
                Tell::All(told) => self.links.send_all(at.clock.now, &told, at.fx),
                Tell::One(to, told) => self.links.send(at.clock.now, to, &told, at.fx),
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        match &self.role {
            Role::Settling => None,
            Role::Looking => self.election.deadline(),
            Role::Learner(learner) => Some(learner.deadline()),
            Role::Leader(leader) => Some(leader.deadline()),
        }
    }
}

fn ticks(config: &Config, count: u32) -> Duration {
    Duration::from_millis(u64::from(config.tick_ms) * u64::from(count))
}

fn observe(at: &mut Step<'_>, observation: ZooKeeperObservation) {
    at.fx.observe(Observation::ZooKeeper(observation));
}

fn hash(entry: &Entry) -> u64 {
    xxh3_64(&entry.bytes)
}

/// A transaction is decided, and applied here.
fn observe_committed(at: &mut Step<'_>, zxid: Zxid, entry: Option<&Entry>) {
    let hash = entry.map_or(0, hash);
    observe(at, ZooKeeperObservation::Committed { zxid, hash });
}

impl Running {
    /// Whether clients are served.
    pub(super) fn serves(&self) -> bool {
        match self.peer.as_ref().map(|peer| &peer.role) {
            None => true,
            Some(Role::Leader(leader)) => leader.serves(),
            Some(Role::Learner(learner)) => learner.serves(),
            Some(Role::Settling | Role::Looking) => false,
        }
    }

    /// Whether it decides when sessions and znodes end.
    pub(super) fn leads(&self) -> bool {
        match self.peer.as_ref().map(|peer| &peer.role) {
            None => true,
            Some(Role::Leader(leader)) => leader.serves(),
            Some(_) => false,
        }
    }

    /// Whether it forwards writes.
    pub(super) fn follows(&self) -> bool {
        matches!(self.peer.as_ref().map(|peer| &peer.role), Some(Role::Learner(_)))
    }

    /// What the server calls itself (`QuorumStats`).
    pub(super) fn mode(&self) -> &'static str {
        match (self.peer.is_some(), self.follows()) {
            (false, _) => "standalone",
            (true, true) => "follower",
            (true, false) => "leader",
        }
    }

    /// Since when it has looked for a leader, if it does.
    pub(super) fn looking_since(&self) -> Option<Time> {
        let peer = self.peer.as_ref()?;
        matches!(peer.role, Role::Looking).then_some(peer.looking_since)
    }

    /// The same in more words, of a server of an ensemble that serves (`QuorumPeer.getDetailedPeerState`).
    pub(super) fn peer_state(&self) -> Option<&'static str> {
        let is_follower = self.peer.as_ref().map(|_| self.follows())?;
        Some(if is_follower { "following - broadcast" } else { "leading - broadcast" })
    }

    /// How many servers the ensemble has.
    pub(super) fn quorum_size(&self) -> Option<usize> {
        self.peer.as_ref().map(|peer| peer.members.len())
    }

    /// How many learners a leader has, and how many of them are sent proposals.
    pub(super) fn learners(&self) -> Option<(usize, usize)> {
        match &self.peer.as_ref()?.role {
            Role::Leader(leader) => Some((leader.learners.len(), leader.forwarding())),
            _ => None,
        }
    }

    /// Whether what clients send is looked at: a server that is alone lets it wait until what it read from its
    /// disk is durable, one of an ensemble hangs up until it has a leader.
    pub(super) fn can_read(&self) -> bool {
        self.peer.is_some() || self.log.is_ready()
    }

    /// Whether the node is another server of the ensemble.
    pub(super) fn is_server(&self, node: NodeId) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.members.values().any(|member| *member == node))
    }

    /// Another server connected.
    pub(super) fn greet(&mut self, conn: ConnId) {
        if let Some(peer) = &mut self.peer {
            peer.strangers.insert(conn, Frames::new(MAX_ENSEMBLE_FRAME));
        }
    }

    /// The session was heard of.
    pub(super) fn touch(&mut self, now: Time, session: i64) {
        if self.local.touch(now, session) {
            return;
        }
        match self.peer.as_mut().and_then(|peer| peer.learner()) {
            Some(learner) => learner.touch(session),
            None => self.expiry.touch(now, session),
        }
    }

    /// The session is over.
    pub(super) fn forget_session(&mut self, session: i64) {
        self.expiry.forget(session);
        if let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) {
            leader.owners.remove(&session);
        }
    }

    /// Lets a session's writes through only from where it is attached: `owner` is the learner that the write
    /// came through, `None` for a client of this server (`SessionTracker.checkSession`), unless a
    /// bug ignores that it has moved.
    pub(super) fn check_owner(
        &mut self,
        session: i64,
        owner: Option<ConnId>,
        write: Write,
        ignores_moves: bool,
    ) -> Write {
        let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) else { return write };
        match write {
            Write::CreateSession { .. } => {
                leader.owners.insert(session, owner);
                write
            }
            Write::CloseSession | Write::DeletePerished { .. } => write,
            _ if *leader.owners.entry(session).or_insert(owner) != owner && !ignores_moves => {
                Write::Refused(Code::SESSION_MOVED)
            }
            _ => write,
        }
    }

    /// The session is attached to this server from now on.
    pub(super) fn claim(&mut self, session: i64) {
        if let Some(leader) = self.peer.as_mut().and_then(|peer| peer.leader()) {
            leader.owners.insert(session, None);
        }
    }

    /// Bytes of another server arrived.
    pub(super) fn peer_received(&mut self, at: &mut Step<'_>, conn: ConnId, bytes: Bytes) {
        let Some(peer) = &mut self.peer else { return };
        if let Some(frames) = peer.strangers.get_mut(&conn) {
            frames.push(bytes);
            return self.stranger_spoke(at, conn);
        }
        match &mut peer.role {
            Role::Leader(leader) if leader.learners.contains_key(&conn) => {
                return self.learner_spoke(at, conn, bytes);
            }
            Role::Learner(learner) if learner.conn() == Some(conn) => {
                return self.leader_spoke(at, conn, bytes);
            }
            _ => {}
        }
        if let Some(from) = peer.links.received(conn, bytes) {
            self.read_votes(at, from);
        }
    }

    /// The first message of a connection tells what it is for.
    fn stranger_spoke(&mut self, at: &mut Step<'_>, conn: ConnId) {
        let Some(peer) = &mut self.peer else { return };
        let payload = match peer.strangers.get_mut(&conn).map(Frames::pop) {
            Some(Ok(Some(payload))) => payload,
            Some(Err(_)) => {
                peer.strangers.remove(&conn);
                return at.fx.close(conn);
            }
            _ => return,
        };
        let Some(frames) = peer.strangers.remove(&conn) else { return };
        if Hello::stands_in(&payload) {
            return match Hello::decode(payload) {
                Ok(hello) => {
                    peer.links.greeted(at.clock.now, conn, hello, frames, at.fx);
                    self.read_votes(at, hello.from);
                }
                Err(_) => at.fx.close(conn),
            };
        }
        match Packet::decode(payload) {
            Ok(Packet::FollowerInfo { from, accepted_epoch }) => {
                self.learner_came(at, conn, frames, from, accepted_epoch);
            }
            _ => at.fx.close(conn),
        }
    }

    fn read_votes(&mut self, at: &mut Step<'_>, from: ServerId) {
        let mut tell = Vec::new();
        while let Some(peer) = &mut self.peer
            && let Some(vote) = peer.links.next(from, at.fx)
        {
            let decided = peer.election.on_notification(at.clock.now, from, vote, &mut tell);
            peer.tell(at, std::mem::take(&mut tell));
            if let Some(decided) = decided {
                self.decided(at, decided);
            }
        }
    }

    fn decided(&mut self, at: &mut Step<'_>, vote: Vote) {
        let Some(peer) = &mut self.peer else { return };
        let leader = vote.candidate.id;
        tracing::info!(leader, round = vote.round, "the election is over");
        let is_leader = leader == peer.me;
        if self.is_read_only(at.clock.now, at.config) {
            self.disconnect_all(at);
        }
        if is_leader {
            self.lead(at);
        } else {
            self.follow(at, leader);
        }
    }

    /// A connection that was asked for stands.
    pub(super) fn peer_opened(&mut self, at: &mut Step<'_>, conn: ConnId) {
        let Some(peer) = &mut self.peer else { return };
        if !peer.links.opened(conn, at.fx) {
            self.leader_reached(at, conn);
        }
    }

    /// A connection to or from another server ended.
    pub(super) fn peer_closed(&mut self, at: &mut Step<'_>, conn: ConnId) {
        let Some(peer) = &mut self.peer else { return };
        if peer.strangers.remove(&conn).is_some() || peer.links.closed(conn) {
            return;
        }
        match &mut peer.role {
            Role::Leader(leader) => leader.forget(conn),
            Role::Learner(learner) if learner.conn() == Some(conn) => self.leader_hung_up(at),
            _ => {}
        }
    }

    /// Something of the ensemble may be due.
    pub(super) fn peer_timer(&mut self, at: &mut Step<'_>, id: TimerId) {
        let Some(peer) = &mut self.peer else { return };
        if peer.timer.is_none_or(|(_, current)| current != id) {
            return;
        }
        peer.timer = None;
        match &peer.role {
            Role::Settling => {}
            Role::Looking => {
                let mut tell = Vec::new();
                let decided = peer.election.on_timer(at.clock.now, &mut tell);
                peer.tell(at, tell);
                if let Some(decided) = decided {
                    self.decided(at, decided);
                }
            }
            Role::Learner(_) => self.learner_timer(at),
            Role::Leader(_) => self.leader_timer(at),
        }
    }

    /// Everything up to `zxid` is durable here.
    pub(super) fn logged(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        match self.peer.as_ref().map(|peer| &peer.role) {
            Some(Role::Leader(_)) => self.leader_logged(at, zxid),
            Some(Role::Learner(_)) => self.learner_logged(at, zxid),
            _ => {
                if let Some(peer) = &mut self.peer {
                    peer.observe_logged(at, zxid);
                }
            }
        }
    }

    /// As a bug: what is not durable is acknowledged as if it were.
    pub(super) fn acknowledge_unlogged(&mut self, at: &mut Step<'_>) {
        match self.peer.as_mut().map(|peer| &mut peer.role) {
            None => self.commit(at, self.preparer.last_zxid()),
            Some(Role::Leader(leader)) => {
                leader.acknowledge(Zxid(i64::MAX));
                self.decide(at);
            }
            Some(Role::Learner(learner)) => learner.acknowledge(Zxid(i64::MAX)),
            Some(_) => {}
        }
    }

    /// The log was cut, or replaced.
    pub(super) fn tidied(&mut self, at: &mut Step<'_>) {
        if self.follows() {
            self.catch_up(at);
        }
    }

    /// An fsync ended that was none of the log's.
    pub(super) fn epoch_synced(&mut self, at: &mut Step<'_>, op: DiskOpId) {
        let Some(peer) = &mut self.peer else { return };
        let Some((which, epoch)) = peer.epochs.synced(op, at.fx) else { return };
        let (accepted, current) = (peer.epochs.accepted(), peer.epochs.current());
        observe(at, ZooKeeperObservation::EpochsWritten { accepted, current });
        match (&peer.role, which) {
            (Role::Leader(leader), _) if leader.epoch != epoch => {}
            (Role::Leader(_), Which::Accepted) => self.epoch_accepted(at),
            (Role::Leader(_), Which::Current) => self.epoch_taken(at),
            (Role::Learner(_), Which::Accepted) => self.learner_accepted(epoch),
            (Role::Learner(_), Which::Current) => self.learner_took_over(at, epoch),
            _ => {}
        }
    }

    /// The server stops leading or following: clients are disconnected, and it looks for a leader again once
    /// its disk is at rest.
    fn stop(&mut self, at: &mut Step<'_>, why: &str) {
        let Some(peer) = &mut self.peer else { return };
        tracing::info!(why, "looks for a leader");
        match std::mem::replace(&mut peer.role, Role::Settling) {
            Role::Leader(leader) => leader.learners.keys().for_each(|conn| at.fx.close(*conn)),
            Role::Learner(learner) => learner.conn().into_iter().for_each(|conn| at.fx.close(conn)),
            Role::Settling | Role::Looking => {}
        }
        // What is logged will be applied, decided or not.
        self.log.abandon_snapshot(at.fx);
        peer.election.lost_leader();
        self.disconnect_all(at);
        self.proposals.clear();
        self.expiry = Expiry::new(at.config.tick_ms, at.config.mutant);
        if let Some((_, timer)) = self.expiry_timer.take() {
            at.fx.cancel(timer);
        }
    }

    /// The end of every step: what is to be sent leaves, and the timer stands where it must.
    pub(super) fn settle_peer(&mut self, at: &mut Step<'_>) {
        self.look_if_settled(at);
        let Some(peer) = &mut self.peer else { return };
        match &mut peer.role {
            Role::Leader(leader) => leader.flush(at.fx),
            Role::Learner(learner) => learner.flush(at.fx),
            Role::Settling | Role::Looking => {}
        }
        let Some(next) = peer.deadline() else { return };
        // Deadlines mostly move back, so an early timer is kept and looks again when it fires.
        if peer.timer.is_none_or(|(due, _)| next < due) {
            if let Some((_, id)) = peer.timer {
                at.fx.cancel(id);
            }
            peer.timer = Some((next, at.fx.timer(next, PEER_TIMER)));
        }
    }

    fn look_if_settled(&mut self, at: &mut Step<'_>) {
        let is_idle = self.log.is_idle();
        let Some(peer) = &mut self.peer else { return };
        if !matches!(peer.role, Role::Settling) || !is_idle || !peer.epochs.is_idle() {
            return;
        }
        let before = self.state.last_zxid;
        if let Err(error) = peer.history.bring_up(&mut self.state) {
            return halt(at.fx, &error.to_string());
        }
        if self.state.last_zxid != before {
            observe(at, telling::loaded(&self.state));
        }
        peer.history.commit_all();
        peer.role = Role::Looking;
        peer.looking_since = at.clock.now;
        let mut tell = Vec::new();
        let (epoch, zxid) = (peer.epochs.current(), self.state.last_zxid);
        let decided = peer.election.begin(at.clock.now, epoch, zxid, &mut tell);
        peer.tell(at, tell);
        observe(at, ZooKeeperObservation::Looking { round: peer.election.round(), zxid });
        if let Some(decided) = decided {
            self.decided(at, decided);
        }
    }

    /// The server begins to serve as what it is now: it counts from here on.
    fn takes_role(&mut self, now: Time) {
        self.role_since = now;
        self.stats = Stats::default();
    }

    /// A leader begins to serve: transactions of its epoch follow on `zxid`, sessions have all their time.
    fn begin_epoch(&mut self, at: &mut Step<'_>, zxid: Zxid) {
        self.state.last_zxid = zxid;
        self.preparer = Preparer::new(zxid, at.config);
        self.takes_role(at.clock.now);
        if let Some(timer) = self.sweep_timer.take() {
            at.fx.cancel(timer);
        }
        for (id, session) in self.state.sessions.iter() {
            self.expiry.track(at.clock.now, id, session.timeout_ms);
        }
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(&conn)
    }
}
