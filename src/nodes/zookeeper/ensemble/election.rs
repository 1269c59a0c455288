//! Fast leader election (`FastLeaderElection`): which server should lead.
//!
//! Every server votes for the best server that it knows of, and sends its vote to all others whenever it
//! changes. The best is the one with the highest (`currentEpoch`, last zxid, id), in that order. A vote counts
//! in its round only: a server that receives a vote of a later round joins that round. When a majority agrees, a server
//! waits a little longer for a better vote, and then leads, or follows. The result is a hint: the steps
//! that follow ([`super::leading`]) make sure that no two servers lead in one epoch, and that nothing committed is
//! lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::vocab::{Time, Zxid};
use crate::wire::zookeeper::ensemble::{Notification, ServerId, ServerState};

/// How long a server waits for a better vote once a majority agrees (`finalizeWait`).
const FINALIZE_WAIT: Duration = Duration::from_millis(200);
/// How long a server waits for votes at first (`minNotificationInterval`); doubled each time.
const WAIT_MIN: Duration = FINALIZE_WAIT;
/// How long it waits at most (`maxNotificationInterval`).
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What a server has, by which votes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Its `currentEpoch`.
    pub epoch: u32,
    /// Its last transaction, decided or not.
    pub zxid: Zxid,
    /// Its id.
    pub id: ServerId,
}

/// A vote as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The server that it is for.
    pub candidate: Candidate,
    /// In which round.
    pub round: i64,
    /// What the voter was doing.
    pub state: ServerState,
}

impl Vote {
    /// Whether two votes are for the same server. Servers that already follow or lead may send different rounds and
    /// zxids of the same leader (`Vote.equals`).
    fn agrees(&self, other: &Self) -> bool {
        if self.state == ServerState::Looking || other.state == ServerState::Looking {
            return self.candidate == other.candidate && self.round == other.round;
        }
        self.candidate.id == other.candidate.id && self.candidate.epoch == other.candidate.epoch
    }
}

/// A vote to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteTo {
    /// All other servers.
    All(Notification),
    /// One of them.
    One(ServerId, Notification),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No election: it leads or follows, or has not begun.
    Idle,
    /// Until then it waits for votes.
    Gathering(Time),
    /// A majority agrees; until then it waits for a better vote.
    Finalizing(Time),
}

/// One server's part in elections.
#[derive(Debug)]
pub struct Election {
    me: ServerId,
    members: Vec<ServerId>,
    own: Candidate,
    proposed: Candidate,
    /// `logicalclock`.
    round: i64,
    phase: Phase,
    wait: Duration,
    /// Votes of this round (`recvset`).
    votes: BTreeMap<ServerId, Vote>,
    /// Votes of servers that follow or lead (`outofelection`).
    settled: BTreeMap<ServerId, Vote>,
    inbox: VecDeque<(ServerId, Notification)>,
    /// The vote for servers that look for a leader while this server does not (`currentVote`).
    current: Vote,
}

impl Election {
    /// A server that has not begun to look.
    pub fn new(me: ServerId, members: Vec<ServerId>) -> Self {
        let own = Candidate { epoch: 0, zxid: Zxid(0), id: me };
        Self {
            me,
            members,
            own,
            proposed: own,
            round: 0,
            phase: Phase::Idle,
            wait: WAIT_MIN,
            votes: BTreeMap::new(),
            settled: BTreeMap::new(),
            inbox: VecDeque::new(),
            current: Vote { candidate: own, round: 0, state: ServerState::Looking },
        }
    }

    /// The round.
    pub fn round(&self) -> i64 {
        self.round
    }

    /// When [`Election::on_timer`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Idle => None,
            Phase::Gathering(until) | Phase::Finalizing(until) => Some(until),
        }
    }

    /// Begins a new round; this server has `epoch` and `zxid`.
    pub fn begin(
        &mut self,
        now: Time,
        epoch: u32,
        zxid: Zxid,
        votes: &mut Vec<VoteTo>,
    ) -> Option<Vote> {
        self.own = Candidate { epoch, zxid, id: self.me };
        self.proposed = self.own;
        self.round += 1;
        self.votes.clear();
        self.settled.clear();
        self.wait = WAIT_MIN;
        self.phase = Phase::Gathering(now + self.wait);
        self.announce(votes);
        self.read_inbox(now, votes)
    }

    /// The leader has begun its epoch, which votes contain from now on (`updateElectionVote`).
    pub fn established(&mut self, epoch: u32) {
        self.current.candidate.epoch = epoch;
    }

    /// The server has stopped following or leading and will begin to look: votes that arrive until then wait.
    pub fn lost_leader(&mut self) {
        self.current.state = ServerState::Looking;
    }

    /// A vote arrived. Returns the result of the election, if it is decided now.
    pub fn on_notification(
        &mut self,
        now: Time,
        from: ServerId,
        notification: Notification,
        votes: &mut Vec<VoteTo>,
    ) -> Option<Vote> {
        let is_looking = self.current.state == ServerState::Looking;
        let asks = notification.state == ServerState::Looking;
        if !is_looking {
            if asks {
                votes.push(VoteTo::One(from, notification_of(&self.current)));
            }
            return None;
        }
        if self.phase != Phase::Idle && asks && notification.round < self.round {
            votes.push(VoteTo::One(from, self.proposal()));
        }
        self.inbox.push_back((from, notification));
        if self.phase == Phase::Idle { None } else { self.read_inbox(now, votes) }
    }

    /// [`Election::deadline`] has passed. Returns the result of the election, if it is decided now.
    pub fn on_timer(&mut self, now: Time, votes: &mut Vec<VoteTo>) -> Option<Vote> {
        match self.phase {
            Phase::Gathering(until) if now >= until => {
                self.wait = (self.wait * 2).min(WAIT_MAX);
                self.phase = Phase::Gathering(now + self.wait);
                self.announce(votes);
                self.read_inbox(now, votes)
            }
            Phase::Finalizing(until) if now >= until => {
                Some(self.end(Vote { candidate: self.proposed, ..self.own_vote() }))
            }
            _ => None,
        }
    }

    fn own_vote(&self) -> Vote {
        Vote { candidate: self.proposed, round: self.round, state: ServerState::Looking }
    }

    fn proposal(&self) -> Notification {
        notification_of(&self.own_vote())
    }

    /// Sends the vote to all servers, itself included.
    fn announce(&mut self, votes: &mut Vec<VoteTo>) {
        let notification = self.proposal();
        votes.push(VoteTo::All(notification));
        self.inbox.push_back((self.me, notification));
    }

    fn end(&mut self, decided: Vote) -> Vote {
        self.phase = Phase::Idle;
        self.inbox.clear();
        let leads = decided.candidate.id == self.me;
        let state = if leads { ServerState::Leading } else { ServerState::Following };
        self.current = Vote { state, ..decided };
        decided
    }

    fn read_inbox(&mut self, now: Time, votes: &mut Vec<VoteTo>) -> Option<Vote> {
        while let Some((from, heard)) = self.inbox.pop_front() {
            let known = |id: ServerId| self.members.contains(&id);
            if !known(from) || !known(heard.leader) {
                continue;
            }
            let vote = vote_of(&heard);
            if matches!(self.phase, Phase::Finalizing(_)) && vote.candidate <= self.proposed {
                self.phase = Phase::Finalizing(now + FINALIZE_WAIT);
                continue;
            }
            self.phase = Phase::Gathering(now + self.wait);
            let decided = match heard.state {
                ServerState::Looking => {
                    self.count(now, from, vote, votes);
                    None
                }
                ServerState::Following | ServerState::Leading => self.join(from, vote),
            };
            if let Some(decided) = decided {
                return Some(self.end(decided));
            }
        }
        None
    }

    /// The vote of a server that looks for a leader, too.
    fn count(&mut self, now: Time, from: ServerId, vote: Vote, votes: &mut Vec<VoteTo>) {
        if vote.round > self.round {
            self.round = vote.round;
            self.votes.clear();
            self.proposed = self.own.max(vote.candidate);
            self.announce(votes);
        } else if vote.round < self.round {
            // It was sent before its server joined this round.
            return;
        } else if vote.candidate > self.proposed {
            self.proposed = vote.candidate;
            self.announce(votes);
        }
        self.votes.insert(from, vote);
        if self.is_quorum(&self.votes, &self.own_vote()) {
            self.phase = Phase::Finalizing(now + FINALIZE_WAIT);
        }
    }

    /// The word of a server that has a leader: a majority that agrees, with the leader's own word, is joined.
    fn join(&mut self, from: ServerId, vote: Vote) -> Option<Vote> {
        let leader = vote.candidate.id;
        if vote.round == self.round {
            self.votes.insert(from, vote);
            if self.is_quorum(&self.votes, &vote) && self.leads(&self.votes, leader, vote.round) {
                return Some(vote);
            }
        }
        self.settled.insert(from, vote);
        if self.is_quorum(&self.settled, &vote) && self.leads(&self.settled, leader, vote.round) {
            self.round = vote.round;
            return Some(vote);
        }
        None
    }

    fn is_quorum(&self, votes: &BTreeMap<ServerId, Vote>, vote: &Vote) -> bool {
        votes.values().filter(|other| vote.agrees(other)).count() > self.members.len() / 2
    }

    /// Whether that one says itself that it leads (`checkLeader`).
    fn leads(&self, votes: &BTreeMap<ServerId, Vote>, leader: ServerId, round: i64) -> bool {
        if leader == self.me {
            return self.round == round;
        }
        votes.get(&leader).is_some_and(|vote| vote.state == ServerState::Leading)
    }
}

fn notification_of(vote: &Vote) -> Notification {
    let Candidate { epoch, zxid, id } = vote.candidate;
    Notification { state: vote.state, leader: id, zxid, round: vote.round, peer_epoch: epoch }
}

fn vote_of(heard: &Notification) -> Vote {
    let candidate = Candidate { epoch: heard.peer_epoch, zxid: heard.zxid, id: heard.leader };
    Vote { candidate, round: heard.round, state: heard.state }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers whose messages arrive when the test says so.
    struct Servers {
        elections: Vec<Election>,
        sent: VecDeque<(ServerId, ServerId, Notification)>,
        decided: BTreeMap<ServerId, ServerId>,
        now: Time,
        down: Vec<ServerId>,
    }

    impl Servers {
        fn new(count: u8) -> Self {
            let members: Vec<ServerId> = (1..=count).collect();
            let elections = members.iter().map(|&id| Election::new(id, members.clone())).collect();
            let (sent, decided) = (VecDeque::new(), BTreeMap::new());
            Self { elections, sent, decided, now: Time::ZERO, down: Vec::new() }
        }

        fn act(
            &mut self,
            id: ServerId,
            act: impl FnOnce(&mut Election, Time, &mut Vec<VoteTo>) -> Option<Vote>,
        ) {
            let mut votes = Vec::new();
            let decided = act(&mut self.elections[usize::from(id) - 1], self.now, &mut votes);
            for vote in votes {
                match vote {
                    VoteTo::All(vote) => {
                        let others = (1..=self.elections.len() as u8).filter(|&to| to != id);
                        self.sent.extend(others.map(|to| (id, to, vote)));
                    }
                    VoteTo::One(to, vote) => self.sent.push_back((id, to, vote)),
                }
            }
            if let Some(vote) = decided {
                self.decided.insert(id, vote.candidate.id);
            }
        }

        fn begin(&mut self, id: ServerId, epoch: u32, zxid: i64) {
            self.act(id, |election, now, votes| election.begin(now, epoch, Zxid(zxid), votes));
        }

        fn deliver(&mut self) {
            while let Some((from, to, vote)) = self.sent.pop_front() {
                if !self.down.contains(&to) && !self.down.contains(&from) {
                    self.act(to, |e, now, votes| e.on_notification(now, from, vote, votes));
                }
            }
        }

        /// Lets time pass until nothing is due before `ms`.
        fn pass(&mut self, ms: u64) {
            let end = self.now + Duration::from_millis(ms);
            self.deliver();
            loop {
                let due = self.elections.iter().filter(|e| !self.down.contains(&e.me));
                let due = due.filter_map(|e| Some((e.deadline()?, e.me))).min();
                let Some((at, id)) = due.filter(|(at, _)| *at <= end) else { break };
                self.now = at;
                self.act(id, |election, now, votes| election.on_timer(now, votes));
                self.deliver();
            }
            self.now = end;
        }
    }

    #[test]
    fn the_order_of_votes_is_epoch_then_zxid_then_id() {
        for (logs, winner) in [
            ([(1, 5), (1, 5), (1, 5)], 3),
            ([(1, 5), (1, 6), (1, 5)], 2),
            ([(2, 1), (1, 6), (1, 5)], 1),
        ] {
            let mut servers = Servers::new(3);
            for (id, (epoch, zxid)) in (1..).zip(logs) {
                servers.begin(id, epoch, zxid);
            }
            servers.pass(1_000);
            assert_eq!(servers.decided, BTreeMap::from([(1, winner), (2, winner), (3, winner)]));
        }
    }

    #[test]
    fn a_majority_waits_200_ms_for_a_better_vote_and_takes_it() {
        let mut servers = Servers::new(3);
        servers.begin(1, 1, 5);
        servers.begin(2, 1, 5);
        servers.pass(199);
        assert!(servers.decided.is_empty());
        servers.begin(3, 1, 9);
        servers.pass(199);
        assert!(servers.decided.is_empty());
        servers.pass(201);
        assert_eq!(servers.decided, BTreeMap::from([(1, 3), (2, 3), (3, 3)]));
    }

    #[test]
    fn without_a_majority_no_server_leads_and_votes_are_repeated_ever_more_slowly() {
        let mut servers = Servers::new(5);
        servers.down = vec![3, 4, 5];
        servers.begin(1, 1, 5);
        servers.begin(2, 1, 5);
        servers.pass(300_000);
        assert!(servers.decided.is_empty());
        assert_eq!(servers.elections[0].wait, WAIT_MAX);
    }

    #[test]
    fn a_server_that_comes_late_joins_the_leader_that_leads() {
        let mut servers = Servers::new(3);
        servers.begin(1, 1, 5);
        servers.begin(2, 1, 5);
        servers.pass(1_000);
        assert_eq!(servers.decided, BTreeMap::from([(1, 2), (2, 2)]));
        servers.elections.iter_mut().for_each(|election| election.established(2));
        // It has a later zxid and a higher id, and has to follow all the same.
        servers.begin(3, 1, 9);
        servers.pass(1_000);
        assert_eq!(servers.decided.get(&3), Some(&2));
        assert_eq!(servers.elections[2].round(), servers.elections[1].round());
    }

    #[test]
    fn the_word_of_followers_alone_makes_no_leader() {
        let mut servers = Servers::new(3);
        servers.begin(1, 1, 5);
        servers.begin(2, 1, 5);
        servers.pass(1_000);
        servers.down = vec![2];
        servers.begin(3, 1, 5);
        servers.pass(60_000);
        assert_eq!(servers.decided.get(&3), None);
    }

    #[test]
    fn a_vote_of_an_earlier_round_is_answered_with_the_later_one() {
        let mut servers = Servers::new(3);
        servers.down = vec![3];
        for _ in 0..3 {
            servers.begin(1, 1, 5);
        }
        servers.begin(2, 1, 5);
        servers.pass(2_000);
        assert_eq!(servers.decided, BTreeMap::from([(1, 2), (2, 2)]));
        assert_eq!(servers.elections[1].round(), 3);
    }
}
