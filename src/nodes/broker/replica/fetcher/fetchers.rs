//! What is kept for each leader that this broker follows.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;

use crate::nodes::broker::Config;
use crate::nodes::broker::replica::alarm::Deadline;
use crate::nodes::broker::replica::partition::{
    FetchState, Follower, PartitionReplica, ReplicaRole,
};
use crate::nodes::broker::replica::replicas::Slot;
use crate::nodes::channel::Channel;
use crate::nodes::fetch_session::FetchSession;
use crate::vocab::{BrokerId, LeaderEpoch, NodeId, Offset, Time, TopicPartition};

/// What was asked about one partition.
#[derive(Clone, Copy, Debug)]
pub struct Question<T> {
    /// The own replica.
    pub slot: Slot,
    /// The leader epoch under which it was asked.
    pub current: LeaderEpoch,
    /// What was asked.
    pub what: T,
}

/// The request in flight.
#[derive(Debug)]
pub enum Asked {
    /// Records, of the partitions in the fetch session.
    Fetch,
    /// Where these epochs end.
    Epochs(Vec<Question<LeaderEpoch>>),
    /// Where the leader's log ends, or starts.
    Offsets(Vec<Question<FetchState>>),
}

/// What a fetch asks of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// The leader epoch under which it was asked.
    pub current: LeaderEpoch,
    /// The offset from which records are wanted: the end of the own log.
    pub offset: Offset,
    /// The epoch of the last own record (KIP-595); −1 where it is not sent.
    pub last_fetched_epoch: LeaderEpoch,
    /// Where the own log starts.
    pub log_start: Offset,
}

impl Fetching {
    /// What a replica needs now; `sends_epoch` of its last record.
    pub fn of(replica: &PartitionReplica, sends_epoch: bool) -> Self {
        let last_epoch = if sends_epoch { replica.log.epochs().latest() } else { None };
        Self {
            current: replica.leader_epoch,
            offset: replica.log.end(),
            last_fetched_epoch: last_epoch.unwrap_or(-1),
            log_start: replica.log.start(),
        }
    }
}

/// Follows one broker.
#[derive(Debug)]
pub struct Fetcher {
    /// The connection to the leader.
    pub channel: Channel,
    /// The replicas that follow it.
    pub slots: BTreeSet<Slot>,
    /// Its session at the leader.
    pub session: FetchSession<Fetching>,
    /// The replicas that were answered since the last request. In a session that is all there is to look at, as long as
    /// nothing but fetching goes on.
    pub answered: Vec<Slot>,
    /// Something else went on: all replicas have to be looked at.
    pub looks_at_all: bool,
    /// The request in flight.
    pub asked: Option<Asked>,
    /// When to look whether the request in flight has been without an answer for `replica.socket.timeout.ms`.
    pub deadline: Option<Deadline>,
    /// When it has been, by the wall clock (`NetworkClient`).
    pub times_out_at: Time,
    /// When to look again for something to ask.
    pub resume: Option<Deadline>,
    /// After a broken connection, nothing is asked before.
    pub paused_until: Time,
    /// The replica that is named first in the next fetch, so that all get their share of a response.
    pub first: Slot,
    /// The partition whose records ended it, for good and for all its partitions (before 2.3).
    pub ended_by: Option<TopicPartition>,
}

/// Owns the fetchers, by leader.
#[derive(Debug, Default)]
pub struct Fetchers {
    by_leader: BTreeMap<BrokerId, Fetcher>,
}

impl Fetchers {
    /// The fetcher of a leader, if there is one.
    pub fn get(&self, leader: BrokerId) -> Option<&Fetcher> {
        self.by_leader.get(&leader)
    }

    /// The fetcher of a leader, if there is one.
    pub fn get_mut(&mut self, leader: BrokerId) -> Option<&mut Fetcher> {
        self.by_leader.get_mut(&leader)
    }

    /// The fetcher of `leader`; one is made when there is none.
    pub fn add(&mut self, config: &Config, leader: BrokerId, host: NodeId) -> &mut Fetcher {
        self.by_leader.entry(leader).or_insert_with(|| {
            let client_id = StrBytes::from_string(format!("broker-{}-fetcher-0", config.id));
            Fetcher {
                channel: Channel::new(host, client_id),
                slots: BTreeSet::new(),
                session: FetchSession::new(config.version),
                answered: Vec::new(),
                looks_at_all: true,
                asked: None,
                deadline: None,
                times_out_at: Time::ZERO,
                resume: None,
                paused_until: Time::ZERO,
                first: 0,
                ended_by: None,
            }
        })
    }

    /// Takes a fetcher out.
    pub fn remove(&mut self, leader: BrokerId) -> Fetcher {
        self.by_leader.remove(&leader).expect("the fetcher is there")
    }

    /// Something happened that can change what each of them asks.
    pub fn look_at_all(&mut self) {
        for fetcher in self.by_leader.values_mut() {
            fetcher.looks_at_all = true;
        }
    }

    /// The leaders that are followed.
    pub fn leaders(&self) -> Vec<BrokerId> {
        self.by_leader.keys().copied().collect()
    }

    /// The leaders that no replica follows any more.
    pub fn idle(&self) -> Vec<BrokerId> {
        let idle = self.by_leader.iter().filter(|(_, fetcher)| fetcher.slots.is_empty());
        idle.map(|(leader, _)| *leader).collect()
    }

    /// Takes a replica from the fetcher that has it, if one has. The answer in flight is ignored.
    pub fn stop_following(&mut self, slot: Slot, replica: &PartitionReplica) {
        if let ReplicaRole::Follower(Follower { leader: Some(leader), .. }) = replica.role
            && let Some(fetcher) = self.by_leader.get_mut(&leader)
        {
            fetcher.slots.remove(&slot);
            fetcher.looks_at_all = true;
        }
    }

    /// Whether a replica is fetched no more: records that its leader sent of it, or before 2.3 of any partition,
    /// do not follow on the own log.
    pub fn has_failed(&self, replica: &PartitionReplica) -> bool {
        let ReplicaRole::Follower(Follower { leader, state, .. }) = &replica.role else {
            return false;
        };
        let fetcher = leader.and_then(|leader| self.by_leader.get(&leader));
        *state == FetchState::Failed || fetcher.is_some_and(|fetcher| fetcher.ended_by.is_some())
    }
}
