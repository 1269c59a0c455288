//! One partition on one broker: its log, its role, and the requests that wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use uuid::Uuid;

use super::isr::Isr;
use super::settings::TopicSettings;
use crate::nodes::broker::log::Log;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{
    BrokerId, Clock, ControllerEpoch, LeaderEpoch, Offset, PartitionEpoch, Time, TopicPartition,
};

/// When a follower fetches, by both clocks: the same for all partitions of its fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchTime {
    now: Time,
    by_wall: Time,
}

impl FetchTime {
    /// What a clock shows.
    pub fn of(clock: Clock) -> Self {
        Self { now: clock.now, by_wall: clock.by_wall() }
    }
}

/// When each follower that has a fetch session used it last.
///
/// A session's fetch asks for all its partitions again, and in nearly all of them nothing has happened. What it says of
/// those is noted here once, and not in each of them.
#[derive(Debug, Default)]
pub struct FetchTimes {
    by_session: BTreeMap<i32, FetchTime>,
}

impl FetchTimes {
    /// When a session was used last by its follower.
    pub fn last(&self, session: i32) -> Option<FetchTime> {
        self.by_session.get(&session).copied()
    }

    /// Whether the wall clock was set back since its last fetch.
    pub fn was_later(&self, session: i32, at: FetchTime) -> bool {
        self.last(session).is_some_and(|before| before.by_wall > at.by_wall)
    }

    /// Its follower fetches.
    pub fn fetched(&mut self, session: i32, at: FetchTime) {
        self.by_session.insert(session, at);
    }

    /// The session has ended.
    pub fn end(&mut self, session: i32) {
        self.by_session.remove(&session);
    }
}

/// What a leader knows of a follower.
#[derive(Clone, Copy, Debug)]
pub struct RemoteReplica {
    /// Its log end offset: where it fetched last. `None` until it fetched in this leadership.
    pub end: Option<Offset>,
    /// Where its log starts, as its last fetch said; −1 is unknown.
    pub log_start: Offset,
    /// When it had last fetched everything there was; `None` is "never".
    last_caught_up: Option<Time>,
    /// The leader's log end offset when it fetched last, and when that was. `None` at the beginning of a
    /// leadership: what a follower did under another leader says nothing of how far it is with this one.
    last_fetch: Option<(Offset, Time)>,
    /// When it fetched last, on the monotonic clock; all other times are the wall clock's, as in Kafka.
    heard: Option<Time>,
    /// Since then it has fetched from the same offset, the end of the leader's log, whenever it used this session.
    rests_in: Option<i32>,
}

impl RemoteReplica {
    /// At the beginning of a leadership: nothing is known, but in-sync replicas are granted that they are
    /// caught up now.
    pub fn unknown(in_sync: bool, clock: Clock) -> Self {
        let last_caught_up = in_sync.then_some(clock.by_wall());
        Self {
            end: None,
            log_start: -1,
            last_caught_up,
            last_fetch: None,
            heard: None,
            rests_in: None,
        }
    }

    /// At the beginning of another leader epoch of a leadership that goes on: where the follower is stays
    /// known, and it counts as if it had fetched just now.
    pub fn in_next_epoch(&self, in_sync: bool, leader_end: Offset, clock: Clock) -> Self {
        let now = clock.by_wall();
        Self {
            end: self.end,
            log_start: self.log_start,
            last_caught_up: in_sync.then_some(now),
            last_fetch: Some((leader_end, now)),
            heard: Some(clock.now),
            rests_in: None,
        }
    }

    /// It fetched from `offset`, when the leader's log ended at `leader_end`. A follower that reaches the
    /// end as of its previous fetch was caught up then, though the log has grown since.
    #[inline]
    pub fn fetched(&mut self, offset: Offset, leader_end: Offset, at: FetchTime) {
        let now = at.by_wall;
        if offset >= leader_end {
            self.last_caught_up = self.last_caught_up.max(Some(now));
        } else if let Some((end_then, then)) = self.last_fetch
            && offset >= end_then
        {
            self.last_caught_up = self.last_caught_up.max(Some(then));
        }
        self.end = Some(offset);
        self.last_fetch = Some((leader_end, now));
        self.heard = Some(at.now);
        self.rests_in = None;
    }

    /// It was just recorded that it has reached the leader's log end: until [`Self::settle`] it does so again with
    /// each fetch of this session.
    pub fn rest(&mut self, session: i32) {
        self.rests_in = Some(session);
    }

    /// It does so no longer, or not at the same end: notes the last fetch of the session.
    pub fn settle(&mut self, session: i32, last: FetchTime) {
        if self.rests_in == Some(session)
            && let Some((end, _)) = self.last_fetch
        {
            self.fetched(end, end, last);
        }
    }

    /// As it is with the last fetch of the session in which it rests.
    fn as_of(&self, times: &FetchTimes) -> Self {
        let mut state = *self;
        if let Some(session) = self.rests_in
            && let Some(last) = times.last(session)
        {
            state.settle(session, last);
        }
        state
    }

    /// When it fetched last in this leadership.
    pub fn last_fetched_at(&self, times: &FetchTimes) -> Option<Time> {
        self.end?;
        self.as_of(times).heard
    }

    /// Whether it was caught up within the last `lag_max`. When the wall clock is set back it is, for as long.
    pub fn is_caught_up(&self, lag_max: Duration, clock: Clock, times: &FetchTimes) -> bool {
        let last = self.as_of(times).last_caught_up;
        last.is_some_and(|then| clock.by_wall().since(then) <= lag_max)
    }
}

/// What only a leader has.
#[derive(Clone, Debug)]
pub struct Leader {
    /// The log end offset at its election.
    pub epoch_start: Offset,
    /// In-sync replicas.
    pub isr: Isr,
    /// The other assigned replicas.
    pub followers: Vec<(BrokerId, RemoteReplica)>,
}

impl Leader {
    /// What is known of a follower.
    pub fn follower(&self, broker: BrokerId) -> Option<&RemoteReplica> {
        self.followers.iter().find(|(id, _)| *id == broker).map(|(_, state)| state)
    }
}

/// How far a follower is with its new leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchState {
    /// It has to ask where its log parts from the leader's.
    Truncating,
    /// It fetches.
    Fetching,
    /// Its fetch was out of the leader's range: it has to ask where the leader's log ends.
    AskingEnd,
    /// And, as its own log is no longer than that, where it starts.
    AskingStart,
    /// It waits for a new LeaderAndIsr request.
    Parked,
    /// So it does, as what its leader sent does not follow on its log.
    Failed,
}

/// What only a follower has.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    /// The leader that it follows, if there is one.
    pub leader: Option<BrokerId>,
    /// How far it is.
    pub state: FetchState,
    /// After an error, nothing is asked for it before, by the wall clock (`DelayedItem`).
    pub delayed_until: Time,
}

/// What a broker is to a partition.
#[derive(Clone, Debug)]
pub enum ReplicaRole {
    /// Nothing: no LeaderAndIsr request came since the process began, or the replica was stopped.
    Offline,
    /// It takes writes.
    Leader(Leader),
    /// It copies.
    Follower(Follower),
}

/// A fetch that waits for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingFetch {
    /// Its number.
    pub number: u64,
    /// The partition's place in it.
    pub place: usize,
}

/// One partition on one broker.
#[derive(Debug)]
pub struct PartitionReplica {
    /// Which.
    pub at: TopicPartition,
    /// Its topic's name, as messages want it.
    pub topic: TopicName,
    /// Its topic's id, as LeaderAndIsr said; nil when it has none.
    pub topic_id: Uuid,
    /// Its log.
    pub log: Log,
    /// First offset that is not known to be committed.
    pub high_watermark: Offset,
    /// Of the last LeaderAndIsr request that was carried out; −1 before the first.
    pub leader_epoch: LeaderEpoch,
    /// The epoch of the controller that decided it.
    pub controller_epoch: ControllerEpoch,
    /// dataVersion of the state znode, as far as known.
    pub partition_epoch: PartitionEpoch,
    /// The assignment.
    pub replicas: Vec<BrokerId>,
    /// Settings of its topic.
    pub settings: TopicSettings,
    /// What the broker is to it.
    pub role: ReplicaRole,
    /// Fetches that wait for more data.
    pub waiting_fetches: Vec<WaitingFetch>,
    /// Produce requests that wait for the high watermark to reach an offset; offsets rise.
    pub waiting_commits: VecDeque<(Offset, u64)>,
    /// Produce requests (`acks=1`) that wait for an fsync up to an offset; offsets rise.
    pub waiting_flushes: VecDeque<(Offset, u64)>,
    /// The last stable offset, as the history has it, while it is not the high watermark.
    pub stable: Option<Offset>,
}

impl PartitionReplica {
    /// A partition that is nothing yet, with a log.
    pub fn new(
        at: TopicPartition,
        log: Log,
        high_watermark: Offset,
        (topic, settings): (TopicName, TopicSettings),
    ) -> Self {
        let high_watermark = high_watermark.clamp(log.start(), log.end());
        let mut log = log;
        log.replicated(high_watermark);
        Self {
            at,
            topic,
            topic_id: Uuid::nil(),
            log,
            high_watermark,
            leader_epoch: -1,
            controller_epoch: -1,
            partition_epoch: -1,
            replicas: Vec::new(),
            settings,
            role: ReplicaRole::Offline,
            waiting_fetches: Vec::new(),
            waiting_commits: VecDeque::new(),
            waiting_flushes: VecDeque::new(),
            stable: None,
        }
    }

    /// Whether its topic has another id than this one, which came with a request: a topic of the same name was deleted.
    pub fn is_of_another_topic(&self, id: Uuid) -> bool {
        !id.is_nil() && !self.topic_id.is_nil() && id != self.topic_id
    }

    /// The end of what a consumer with `isolation.level=read_committed` may read.
    pub fn last_stable_offset(&self) -> Offset {
        self.log.last_stable_offset(self.high_watermark)
    }

    /// What it has as a leader.
    pub fn leader(&self) -> Option<&Leader> {
        match &self.role {
            ReplicaRole::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// What it has as a leader.
    pub fn leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            ReplicaRole::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// What it has as a follower.
    pub fn follower_mut(&mut self) -> Option<&mut Follower> {
        match &mut self.role {
            ReplicaRole::Follower(follower) => Some(follower),
            _ => None,
        }
    }

    /// The least number of in-sync replicas for `acks=all`. Before 3.7 a setting above the replication
    /// factor is taken literally.
    pub fn min_isr(&self, version: KafkaVersion) -> usize {
        let min = usize::try_from(self.settings.min_insync_replicas).unwrap_or(0);
        if version.has(Change::HighWatermarkHeldBelowMinIsr) {
            min.min(self.replicas.len())
        } else {
            min
        }
    }

    /// Whether `current_leader_epoch` (KIP-320; −1 is "unknown") is the one of this replica.
    fn check_epoch(&self, current_leader_epoch: LeaderEpoch) -> Result<(), ResponseError> {
        if current_leader_epoch >= 0 && !matches!(self.role, ReplicaRole::Offline) {
            if current_leader_epoch < self.leader_epoch {
                return Err(ResponseError::FencedLeaderEpoch);
            }
            if current_leader_epoch > self.leader_epoch {
                return Err(ResponseError::UnknownLeaderEpoch);
            }
        }
        Ok(())
    }

    /// The leader's part, if `current_leader_epoch` (KIP-320; −1 is "unknown") agrees and this leads.
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER.
    pub fn leader_at(&self, current_leader_epoch: LeaderEpoch) -> Result<&Leader, ResponseError> {
        self.check_epoch(current_leader_epoch)?;
        self.leader().ok_or(ResponseError::NotLeaderOrFollower)
    }

    /// Whether consumers may read from it, as leader or follower (KIP-392), if `current_leader_epoch` agrees.
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER.
    pub fn replica_at(&self, current_leader_epoch: LeaderEpoch) -> Result<(), ResponseError> {
        self.check_epoch(current_leader_epoch)?;
        match self.role {
            ReplicaRole::Leader(_) | ReplicaRole::Follower(_) => Ok(()),
            ReplicaRole::Offline => Err(ResponseError::NotLeaderOrFollower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_millis(1_000);

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn clock(ms: u64) -> Clock {
        Clock { now: at(ms), wall_ms: ms as i64 }
    }

    fn none() -> FetchTimes {
        FetchTimes::default()
    }

    #[test]
    fn a_follower_that_rests_is_caught_up_by_each_fetch_of_its_session() {
        let mut times = FetchTimes::default();
        let mut follower = RemoteReplica::unknown(false, clock(0));
        times.fetched(7, FetchTime::of(clock(100)));
        follower.fetched(30, 30, FetchTime::of(clock(100)));
        follower.rest(7);
        times.fetched(7, FetchTime::of(clock(900)));
        assert_eq!(follower.last_fetched_at(&times), Some(at(900)));
        assert!(follower.is_caught_up(LAG, clock(1_900), &times));
        assert!(!follower.is_caught_up(LAG, clock(1_901), &times));
        // The log grows after that: what counts is the last fetch of what it was.
        follower.settle(7, times.last(7).unwrap());
        times.fetched(7, FetchTime::of(clock(1_500)));
        assert!(!follower.is_caught_up(LAG, clock(1_901), &times));
        follower.fetched(30, 40, FetchTime::of(clock(1_500)));
        assert!(follower.is_caught_up(LAG, clock(1_900), &times), "the end as of 900");
        assert!(times.was_later(7, FetchTime::of(clock(1_400))), "set back");
        assert!(!times.was_later(7, FetchTime::of(clock(1_500))));
    }

    #[test]
    fn a_follower_is_caught_up_by_what_the_log_was_at_its_previous_fetch() {
        let mut follower = RemoteReplica::unknown(false, clock(0));
        assert!(
            !follower.is_caught_up(LAG, clock(0), &none()),
            "never caught up, however early it is"
        );
        follower.fetched(5, 10, FetchTime::of(clock(100)));
        assert_eq!(follower.last_caught_up, None);
        follower.fetched(9, 20, FetchTime::of(clock(200)));
        assert_eq!(follower.last_caught_up, None, "the log ended at 10 at its previous fetch");
        follower.fetched(20, 30, FetchTime::of(clock(300)));
        assert_eq!(follower.last_caught_up, Some(at(200)));
        follower.fetched(30, 30, FetchTime::of(clock(400)));
        assert_eq!(follower.last_caught_up, Some(at(400)));
        assert!(follower.is_caught_up(LAG, clock(1_400), &none()));
        assert!(!follower.is_caught_up(LAG, clock(1_401), &none()));
    }

    #[test]
    fn the_first_fetch_of_a_leadership_says_nothing_of_the_time_before() {
        let mut follower = RemoteReplica::unknown(false, clock(0));
        follower.fetched(10, 20, FetchTime::of(clock(100)));
        assert_eq!(follower.last_caught_up, None, "there was no previous fetch");
        let mut follower = follower.in_next_epoch(false, 20, clock(200));
        assert_eq!((follower.end, follower.last_caught_up), (Some(10), None));
        follower.fetched(20, 30, FetchTime::of(clock(300)));
        assert_eq!(follower.last_caught_up, Some(at(200)), "the epoch began with a log of 20");
    }

    #[test]
    fn a_follower_is_caught_up_for_as_long_as_the_wall_clock_is_set_back() {
        let mut follower = RemoteReplica::unknown(false, clock(0));
        follower.fetched(30, 30, FetchTime::of(clock(100_000)));
        let set_back = |ms: u64| Clock { now: at(ms), wall_ms: ms as i64 - 60_000 };
        assert!(follower.is_caught_up(LAG, set_back(160_000), &none()));
        follower.fetched(40, 40, FetchTime::of(set_back(160_500)));
        assert_eq!(follower.last_fetched_at(&none()), Some(at(160_500)));
        assert!(follower.is_caught_up(LAG, set_back(161_500), &none()));
        assert!(!follower.is_caught_up(LAG, set_back(161_501), &none()));
    }
}
