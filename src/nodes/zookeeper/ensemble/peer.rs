//! A server's place in its ensemble: who the members are, what it remembers of epochs, and its role.

use std::collections::BTreeMap;
use std::time::Duration;

use super::election::{Election, VoteTo};
use super::epochs::{EpochError, Epochs};
use super::leader::Leader;
use super::learner::Learner;
use super::links::Links;
use crate::nodes::zookeeper::config::Config;
use crate::nodes::zookeeper::service::Serving;
use crate::nodes::zookeeper::step::Step;
use crate::vocab::step::DiskImage;
use crate::vocab::{ConnId, NodeId, Time, TimerId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::zookeeper::ensemble::ServerId;

/// The timer of elections, leader and learner.
pub(in super::super) const PEER_TIMER: u64 = 3;

/// How long a server has looked for a leader, at least, when it begins to serve reads without one.
const READ_ONLY_AFTER: Duration = Duration::from_secs(2);

/// What a server is doing (`QuorumPeer.ServerState`).
#[derive(Debug)]
pub(in super::super) enum PeerRole {
    /// It has stopped, or not begun, and waits for its disk before it looks for a leader.
    Settling,
    /// It has looked for a leader since then.
    Looking(Time),
    /// It follows, or tries to.
    Learner(Box<Learner>),
    /// It leads, or tries to.
    Leader(Box<Leader>),
}

/// What a server is and remembers as a member of an ensemble, whatever its role.
#[derive(Debug)]
pub(in super::super) struct Member {
    pub(super) me: ServerId,
    pub(super) servers: BTreeMap<ServerId, NodeId>,
    pub(super) election: Election,
    pub(super) links: Links,
    pub(super) epochs: Epochs,
    /// Its snapshot holds what a leader wanted it to truncate: only another snapshot repairs that.
    pub(super) needs_snapshot: bool,
}

/// A server of an ensemble.
#[derive(Debug)]
pub(in super::super) struct Peer {
    pub(super) member: Member,
    pub(in super::super) role: PeerRole,
    /// Connections of servers that have not said what they are for.
    pub(super) new_servers: BTreeMap<ConnId, Frames>,
    timer: Option<(Time, TimerId)>,
}

/// The peer, or none on a standalone server.
#[derive(Debug)]
pub(in super::super) struct Quorum {
    pub(in super::super) peer: Option<Box<Peer>>,
}

impl Member {
    /// More servers than this are a majority.
    pub(super) fn half(&self) -> usize {
        self.servers.len() / 2
    }

    /// The bit of a server in a set of acknowledgements; 0 for one that is not a member.
    pub(super) fn bit(&self, id: ServerId) -> u16 {
        let index = self.servers.keys().position(|member| *member == id);
        index.map_or(0, |index| 1 << index)
    }

    /// Sends votes.
    pub(super) fn send_votes(&mut self, step: &mut Step<'_>, votes_to: Vec<VoteTo>) {
        for vote in votes_to {
            match vote {
                VoteTo::All(vote) => self.links.send_all(step, &vote),
                VoteTo::One(to, vote) => self.links.send(step, to, &vote),
            }
        }
    }
}

impl Peer {
    /// The peer of a server whose log ends at `last_zxid`.
    ///
    /// # Errors
    /// When its epochs are damaged, or contradict the log.
    pub(in super::super) fn recover(
        config: &Config,
        image: &DiskImage,
        last_zxid: Zxid,
    ) -> Result<Self, EpochError> {
        let (me, servers) = (config.server_id, config.ensemble.clone());
        let others = servers.iter().filter(|(id, _)| **id != me).map(|(id, node)| (*id, *node));
        let member = Member {
            me,
            election: Election::new(me, servers.keys().copied().collect()),
            links: Links::new(me, others),
            epochs: Epochs::recover(image, last_zxid)?,
            needs_snapshot: false,
            servers,
        };
        let (role, new_servers) = (PeerRole::Settling, BTreeMap::new());
        Ok(Self { member, role, new_servers, timer: None })
    }

    fn deadline(&self) -> Option<Time> {
        match &self.role {
            PeerRole::Settling => None,
            PeerRole::Looking(_) => self.member.election.deadline(),
            PeerRole::Learner(learner) => Some(learner.deadline()),
            PeerRole::Leader(leader) => Some(leader.deadline()),
        }
    }

    /// Sets the timer. Deadlines mostly move back, so an early timer is kept and looks again when it fires.
    pub(super) fn arm(&mut self, step: &mut Step<'_>) {
        let Some(next) = self.deadline() else { return };
        if self.timer.is_none_or(|(due, _)| next < due) {
            if let Some((_, id)) = self.timer {
                step.fx.cancel(id);
            }
            self.timer = Some((next, step.fx.timer(next, PEER_TIMER)));
        }
    }

    /// Whether this is the timer; it has fired then.
    pub(super) fn fired(&mut self, id: TimerId) -> bool {
        self.timer.take_if(|(_, current)| *current == id).is_some()
    }

    /// Sends what leader or learner has queued.
    pub(super) fn flush(&mut self, step: &mut Step<'_>) {
        match &mut self.role {
            PeerRole::Leader(leader) => leader.flush(step.fx),
            PeerRole::Learner(learner) => learner.flush(step.fx),
            PeerRole::Settling | PeerRole::Looking(_) => {}
        }
    }
}

impl Quorum {
    /// Whether the server is alone.
    pub(in super::super) fn is_standalone(&self) -> bool {
        self.peer.is_none()
    }

    /// Whether clients are served, and as what.
    pub(in super::super) fn serving(&self) -> Serving {
        match self.peer.as_ref().map(|peer| &peer.role) {
            None => Serving::Leader,
            Some(PeerRole::Leader(leader)) if leader.serves() => Serving::Leader,
            Some(PeerRole::Learner(learner)) if learner.serves() => Serving::Follower,
            Some(_) => Serving::Nobody,
        }
    }

    /// The leader, if this server leads or tries to.
    pub(in super::super) fn leader(&mut self) -> Option<&mut Leader> {
        match &mut self.peer.as_mut()?.role {
            PeerRole::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// The learner, if this server follows or tries to.
    pub(in super::super) fn learner(&mut self) -> Option<&mut Learner> {
        match &mut self.peer.as_mut()?.role {
            PeerRole::Learner(learner) => Some(learner),
            _ => None,
        }
    }

    /// Whether it forwards writes.
    pub(in super::super) fn follows(&self) -> bool {
        matches!(self.peer.as_ref().map(|peer| &peer.role), Some(PeerRole::Learner(_)))
    }

    /// Whether only reads are served: by a server that has looked for a leader for a while
    /// (`readonlymode.enabled`, `ReadOnlyZooKeeperServer`).
    pub(in super::super) fn is_read_only(&self, now: Time, config: &Config) -> bool {
        match self.peer.as_ref().map(|peer| &peer.role) {
            Some(PeerRole::Looking(since)) => {
                config.read_only_mode && now.since(*since) >= READ_ONLY_AFTER.max(config.ticks(1))
            }
            _ => false,
        }
    }

    /// The node is another server of the ensemble.
    pub(in super::super) fn is_server(&self, node: NodeId) -> bool {
        let servers = self.peer.as_ref().map(|peer| &peer.member.servers);
        servers.is_some_and(|servers| servers.values().any(|member| *member == node))
    }

    /// The server's role in ZooKeeper's words (`QuorumStats`).
    pub(in super::super) fn mode(&self) -> &'static str {
        match (self.is_standalone(), self.follows()) {
            (true, _) => "standalone",
            (false, true) => "follower",
            (false, false) => "leader",
        }
    }

    /// The same in more words, of a server of an ensemble that serves (`QuorumPeer.getDetailedPeerState`).
    pub(in super::super) fn peer_state(&self) -> Option<&'static str> {
        let is_follower = self.peer.as_ref().map(|_| self.follows())?;
        Some(if is_follower { "following - broadcast" } else { "leading - broadcast" })
    }

    /// How many servers the ensemble has.
    pub(in super::super) fn size(&self) -> Option<usize> {
        self.peer.as_ref().map(|peer| peer.member.servers.len())
    }

    /// How many learners a leader has, and how many of them are sent proposals.
    pub(in super::super) fn learners(&self) -> Option<(usize, usize)> {
        match &self.peer.as_ref()?.role {
            PeerRole::Leader(leader) => Some(leader.learners()),
            _ => None,
        }
    }
}
