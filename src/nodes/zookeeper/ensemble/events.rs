//! What happens to a server of an ensemble, and which part deals with it.

use bytes::Bytes;

use super::election::Vote;
use super::ending::Ending;
use super::epochs::Which;
use super::following::{Following, Read};
use super::leader::Leader;
use super::leading::Leading;
use super::learner::Learner;
use super::peer::{Peer, PeerRole, Quorum};
use crate::history::ZooKeeperObservation;
use crate::nodes::zookeeper::requests::Requests;
use crate::nodes::zookeeper::service::Service;
use crate::nodes::zookeeper::step::{Route, Step};
use crate::vocab::{ConnId, DiskOpId, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::ensemble::{Hello, MAX_ENSEMBLE_FRAME, Packet, ServerId};

/// A server of an ensemble.
pub(in super::super) struct EnsembleEvents<'a> {
    pub(in super::super) service: &'a mut Service,
    pub(in super::super) quorum: &'a mut Quorum,
}

impl EnsembleEvents<'_> {
    fn peer(&mut self) -> &mut Peer {
        self.quorum.peer.as_deref_mut().expect("a standalone server has no peer")
    }

    fn leading(&mut self) -> Option<Leading<'_>> {
        let Peer { member, role, .. } = self.quorum.peer.as_deref_mut()?;
        let PeerRole::Leader(leader) = role else { return None };
        Some(Leading { service: self.service, member, leader })
    }

    fn following(&mut self) -> Option<Following<'_>> {
        let Peer { member, role, .. } = self.quorum.peer.as_deref_mut()?;
        let PeerRole::Learner(learner) = role else { return None };
        Some(Following { service: self.service, member, learner })
    }

    /// Ends the server's role, if it has to end.
    fn end_role(&mut self, step: &mut Step<'_>, outcome: Result<(), Ending>) {
        match outcome {
            Ok(()) => {}
            Err(Ending::Stop(why)) => self.stop(step, why),
            Err(Ending::Halt(why)) => step.halt(&why),
        }
    }

    /// The server stops leading or following: clients are disconnected, and it looks for a leader again once
    /// its disk is at rest.
    fn stop(&mut self, step: &mut Step<'_>, why: &str) {
        tracing::info!(why, "looks for a leader");
        let peer = self.peer();
        match std::mem::replace(&mut peer.role, PeerRole::Settling) {
            PeerRole::Leader(leader) => leader.handlers.keys().for_each(|conn| step.close(*conn)),
            PeerRole::Learner(learner) => {
                learner.conn.into_iter().for_each(|conn| step.close(conn));
            }
            PeerRole::Settling | PeerRole::Looking(_) => {}
        }
        peer.member.election.lost_leader();
        self.service.stop(step);
    }

    /// Another server connected.
    pub(in super::super) fn accepted(&mut self, step: &mut Step<'_>, conn: ConnId) {
        step.routes.insert(conn, Route::NewServer);
        self.peer().new_servers.insert(conn, Frames::new(MAX_ENSEMBLE_FRAME));
    }

    /// Bytes arrived from a server whose first message is not complete yet.
    pub(in super::super) fn new_server_sent(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        bytes: Bytes,
    ) {
        let new_servers = &mut self.peer().new_servers;
        let frames = new_servers.get_mut(&conn).expect("routes lead to open connections");
        frames.push(bytes);
        let payload = match frames.pop() {
            Ok(None) => return,
            Ok(Some(payload)) => payload,
            Err(_) => {
                new_servers.remove(&conn);
                return step.close(conn);
            }
        };
        let frames = new_servers.remove(&conn).expect("it was just read");
        if Hello::is_in(&payload) {
            match Hello::decode(payload) {
                Ok(hello) => {
                    self.peer().member.links.greeted(step, conn, hello, frames);
                    self.read_votes(step, hello.from);
                }
                Err(_) => step.close(conn),
            }
            return;
        }
        match (Packet::decode(payload), self.leading()) {
            (Ok(Packet::FollowerInfo { from, accepted_epoch }), Some(mut leading)) => {
                leading.learner_came(step, conn, frames, from, accepted_epoch);
            }
            // Not a learner, or this server does not lead: the learner tries again later.
            _ => step.close(conn),
        }
    }

    /// Bytes arrived on an election connection.
    pub(in super::super) fn votes_arrived(
        &mut self,
        step: &mut Step<'_>,
        from: ServerId,
        bytes: Bytes,
    ) {
        self.peer().member.links.received(from, bytes);
        self.read_votes(step, from);
    }

    fn read_votes(&mut self, step: &mut Step<'_>, from: ServerId) {
        let mut votes_to = Vec::new();
        while let Some(vote) = self.peer().member.links.next(step, from) {
            let member = &mut self.peer().member;
            let decided =
                member.election.on_notification(step.clock.now, from, vote, &mut votes_to);
            member.send_votes(step, std::mem::take(&mut votes_to));
            if let Some(decided) = decided {
                self.decided(step, decided);
            }
        }
    }

    fn decided(&mut self, step: &mut Step<'_>, vote: Vote) {
        let leader = vote.candidate.id;
        tracing::info!(leader, round = vote.round, "the election is over");
        if self.quorum.is_read_only(step.clock.now, step.config) {
            self.service.disconnect_all(step);
        }
        if leader == self.peer().member.me {
            self.lead(step);
        } else {
            self.follow(step, leader);
        }
    }

    /// The election made this server the leader.
    pub(super) fn lead(&mut self, step: &mut Step<'_>) {
        let last = self.service.storage.last_zxid();
        self.service.sessions.lead();
        let Peer { member, role, .. } = self.peer();
        let me = (member.me, member.bit(member.me));
        let summary = (member.epochs.current(), last);
        let until = step.clock.now + step.config.ticks(step.config.init_limit);
        let leader = Leader::new(me, member.epochs.accepted(), summary, until);
        *role = PeerRole::Leader(Box::new(leader));
        self.leading().expect("it leads now").choose_epoch(step);
    }

    /// The election made another server the leader.
    pub(super) fn follow(&mut self, step: &mut Step<'_>, leader: ServerId) {
        let Peer { member, role, .. } = self.peer();
        let node = *member.servers.get(&leader).expect("only members are elected");
        let until = step.clock.now + step.config.ticks(step.config.init_limit);
        let mut learner = Learner::new(leader, node, until);
        learner.connect(step);
        *role = PeerRole::Learner(Box::new(learner));
    }

    /// A connection to another server that was asked for is open.
    pub(in super::super) fn opened(&mut self, step: &mut Step<'_>, conn: ConnId, route: Route) {
        match route {
            Route::Election(id) => self.peer().member.links.opened(step, id, conn),
            Route::Leader => self.following().expect("it connects to its leader").reached(step),
            other => panic!("a server does not connect to {other:?}"),
        }
    }

    /// Bytes of a learner arrived.
    pub(in super::super) fn learner_sent(
        &mut self,
        step: &mut Step<'_>,
        conn: ConnId,
        bytes: Bytes,
    ) {
        self.leading().expect("only a leader has learners").received(step, conn, bytes);
    }

    /// Bytes of the leader arrived.
    pub(in super::super) fn leader_sent(&mut self, step: &mut Step<'_>, bytes: Bytes) {
        let following = self.following().expect("only a learner has a leader");
        following.learner.frames.push(bytes);
        // Until the learner stops following, or everything is read.
        while let Some(mut following) = self.following() {
            match following.read(step) {
                Ok(Read::Nothing) => return,
                Ok(Read::Packet) => {}
                Ok(Read::Confirmed(client)) => self.requests().read_frames(step, client),
                Err(ending) => return self.end_role(step, Err(ending)),
            }
        }
    }

    fn requests(&mut self) -> Requests<'_> {
        Requests { service: self.service, quorum: self.quorum }
    }

    /// A connection to or from another server ended.
    pub(in super::super) fn closed(&mut self, step: &mut Step<'_>, conn: ConnId, route: Route) {
        match route {
            Route::Client => panic!("a client is no server of the ensemble"),
            Route::NewServer => {
                self.peer().new_servers.remove(&conn);
            }
            Route::Election(id) => self.peer().member.links.closed(id),
            Route::Learner => {
                self.leading().expect("only a leader has learners").leader.forget(conn)
            }
            Route::Leader => {
                let outcome = self.following().expect("only a learner has a leader").hung_up(step);
                self.end_role(step, outcome);
            }
        }
    }

    /// The timer of the ensemble fired.
    pub(in super::super) fn timer(&mut self, step: &mut Step<'_>, id: TimerId) {
        let peer = self.peer();
        // Another one was set, and this one fired before it could be cancelled.
        if !peer.fired(id) {
            return;
        }
        match &mut peer.role {
            PeerRole::Settling => {}
            PeerRole::Looking(_) => {
                let mut votes_to = Vec::new();
                let decided = peer.member.election.on_timer(step.clock.now, &mut votes_to);
                peer.member.send_votes(step, votes_to);
                if let Some(decided) = decided {
                    self.decided(step, decided);
                }
            }
            PeerRole::Learner(_) => {
                let outcome = self.following().map_or(Ok(()), |mut it| it.timer(step));
                self.end_role(step, outcome);
            }
            PeerRole::Leader(_) => {
                let outcome = self.leading().map_or(Ok(()), |mut it| it.timer(step));
                self.end_role(step, outcome);
            }
        }
    }

    /// Everything up to `zxid` is durable here.
    pub(in super::super) fn logged(&mut self, step: &mut Step<'_>, zxid: Zxid) {
        if let Some(mut leading) = self.leading() {
            leading.logged(step, zxid);
        } else if let Some(mut following) = self.following() {
            let outcome = following.logged(step, zxid);
            self.end_role(step, outcome);
        } else {
            self.service.storage.observe_logged(step, zxid);
        }
    }

    /// As a mutant: what is not durable is acknowledged as if it were.
    pub(in super::super) fn acknowledge_unlogged(&mut self, step: &mut Step<'_>) {
        if let Some(mut leading) = self.leading() {
            leading.leader.acknowledge(Zxid(i64::MAX));
            leading.commit(step);
        } else if let Some(following) = self.following() {
            following.learner.acknowledge(Zxid(i64::MAX));
        }
    }

    /// The log was truncated or replaced, durably.
    pub(in super::super) fn tidied(&mut self, step: &mut Step<'_>) {
        if let Some(mut following) = self.following() {
            let outcome = following.catch_up(step);
            self.end_role(step, outcome);
        }
    }

    /// An fsync of an epoch's file ended.
    pub(in super::super) fn epoch_synced(&mut self, step: &mut Step<'_>, op: DiskOpId) {
        let epochs = &mut self.peer().member.epochs;
        // The content is durable, but not yet the name.
        let Some((which, epoch)) = epochs.synced(op, step.fx) else { return };
        let (accepted, current) = (epochs.accepted(), epochs.current());
        step.observe(ZooKeeperObservation::EpochsWritten { accepted, current });
        if let Some(mut leading) = self.leading() {
            // An epoch of an earlier role may become durable only now.
            match which {
                _ if leading.leader.epoch != epoch => {}
                Which::Accepted => leading.epoch_accepted(step),
                Which::Current => leading.epoch_taken(step),
            }
        } else if let Some(mut following) = self.following() {
            let outcome = match which {
                Which::Accepted => {
                    following.accepted(epoch);
                    Ok(())
                }
                Which::Current => following.took_over(step, epoch),
            };
            self.end_role(step, outcome);
        }
    }

    /// The end of every step: what is queued is sent, and the timer is set.
    pub(in super::super) fn settle(&mut self, step: &mut Step<'_>) {
        self.look_if_settled(step);
        let peer = self.peer();
        peer.flush(step);
        peer.arm(step);
    }

    /// Begins to look for a leader, once the disk is at rest. What is logged is applied before, committed or not:
    /// the end of the log counts in the election, and becomes part of the history if this server leads.
    fn look_if_settled(&mut self, step: &mut Step<'_>) {
        let is_idle = self.service.storage.log.is_idle();
        let peer = self.peer();
        let is_settling = matches!(peer.role, PeerRole::Settling);
        if !is_settling || !is_idle || !peer.member.epochs.is_idle() {
            return;
        }
        if let Err(why) = self.service.storage.bring_up(step) {
            return step.halt(&why);
        }
        let zxid = self.service.storage.last_zxid();
        let Peer { member, role, .. } = self.peer();
        *role = PeerRole::Looking(step.clock.now);
        let mut votes_to = Vec::new();
        let epoch = member.epochs.current();
        let decided = member.election.begin(step.clock.now, epoch, zxid, &mut votes_to);
        member.send_votes(step, votes_to);
        let round = member.election.round();
        step.observe(ZooKeeperObservation::Looking { round, zxid });
        if let Some(decided) = decided {
            self.decided(step, decided);
        }
    }
}
