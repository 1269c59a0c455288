//! Fetch sessions (KIP-227, since 1.1): a fetcher that has one names only what it asks otherwise than before, and is
//! only answered what is new.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fetch_partitions::{FetchPartitions, Move};
use super::partition::FetchTime;
use super::replicas::{Replicas, Slot};
use crate::vocab::{Stream, Time};

/// The session id of a request or an answer that has no session.
pub const NO_SESSION: i32 = 0;
/// The epoch of a request that asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants none; requests before v7 have it.
pub const FINAL_EPOCH: i32 = -1;

/// A session that was not used for so long may be evicted; one that is younger is not, unless for a follower
/// (`MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
const EVICTION: Duration = Duration::from_mins(2);

/// Partitions that the sessions of consumers may have together, some 150 bytes each. Kafka counts sessions only, which
/// a client can fill with as many partitions as a request has room for.
const CONSUMERS_PARTITIONS_MAX: usize = 2_000_000;
/// A session of no more partitions always has room, so that others are not counted for it. All that a broker may have
/// by default (`max.incremental.fetch.session.cache.slots`) come to the same number once more.
const FEW_PARTITIONS: usize = CONSUMERS_PARTITIONS_MAX / 1_000;

/// The epoch after `epoch`; after the largest comes 1.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// Where a fetch has its partitions.
#[derive(Debug)]
pub enum FetchSource {
    /// In the request itself.
    Named {
        /// Those that it names.
        partitions: FetchPartitions,
        /// Whether its answer opens a session.
        opens: bool,
    },
    /// In the session with this id.
    Session(i32),
}

impl FetchSource {
    /// The partitions.
    pub fn partitions<'a>(&'a self, sessions: &'a FetchSessions) -> &'a FetchPartitions {
        match self {
            Self::Named { partitions, .. } => partitions,
            Self::Session(id) => {
                &sessions.get(*id).expect("a session outlives its request").partitions
            }
        }
    }

    /// The partitions.
    pub fn partitions_mut<'a>(
        &'a mut self,
        sessions: &'a mut FetchSessions,
    ) -> &'a mut FetchPartitions {
        match self {
            Self::Named { partitions, .. } => partitions,
            Self::Session(id) => {
                let session = sessions.get_mut(*id);
                &mut session.expect("a session outlives its request").partitions
            }
        }
    }

    /// Its session, if it goes on with one.
    pub fn session(&self) -> Option<i32> {
        match self {
            Self::Named { .. } => None,
            Self::Session(id) => Some(*id),
        }
    }

    /// Whether it goes on with a session.
    pub fn has_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

/// The session of one fetcher.
#[derive(Debug)]
pub struct FetchSession {
    /// What it asks.
    pub partitions: FetchPartitions,
    /// The request of it that waits for data, by its number.
    pub waiting: Option<u64>,
    /// The epoch that its next request has to have.
    next_epoch: i32,
    of_follower: bool,
    created: Time,
    last_used: Time,
}

impl FetchSession {
    /// Whether a follower opened it.
    pub fn of_follower(&self) -> bool {
        self.of_follower
    }
}

/// Which sessions have a replica, and at which place of theirs.
#[derive(Debug, Default)]
struct Watchers {
    /// By slot: session and place, sorted.
    by_slot: Vec<Vec<(i32, usize)>>,
}

impl Watchers {
    fn of(&self, slot: Slot) -> &[(i32, usize)] {
        self.by_slot.get(slot).map_or(&[], Vec::as_slice)
    }

    /// The places of a replica in one session: one, but for a topic that was named by two ids.
    fn places(&self, slot: Slot, session: i32) -> impl Iterator<Item = usize> {
        let all = self.of(slot);
        let first = all.partition_point(|(other, _)| *other < session);
        let own = all[first..].iter().take_while(move |(other, _)| *other == session);
        own.map(|(_, place)| *place)
    }

    fn add(&mut self, slot: Slot, session: i32, place: usize) {
        if slot >= self.by_slot.len() {
            self.by_slot.resize_with(slot + 1, Vec::new);
        }
        let entry = (session, place);
        let n = self.by_slot[slot].partition_point(|other| *other < entry);
        self.by_slot[slot].insert(n, entry);
    }

    fn remove(&mut self, slot: Slot, session: i32, place: usize) {
        let n = self.by_slot[slot].binary_search(&(session, place));
        self.by_slot[slot].remove(n.expect("it was added"));
    }
}

/// Owns the sessions of all fetchers, by id.
#[derive(Debug)]
pub struct FetchSessions {
    sessions: BTreeMap<i32, FetchSession>,
    watchers: Watchers,
    /// `max.incremental.fetch.session.cache.slots`
    most: usize,
    /// Ids are random, so that those of a process that has ended are not known to the next.
    ids: Stream,
}

impl FetchSessions {
    /// No sessions, and at most `most` of them (`max.incremental.fetch.session.cache.slots`).
    pub fn new(most: usize, ids: Stream) -> Self {
        Self { sessions: BTreeMap::new(), watchers: Watchers::default(), most, ids }
    }

    /// A session, if there is one.
    pub fn get(&self, id: i32) -> Option<&FetchSession> {
        self.sessions.get(&id)
    }

    /// A session, if there is one.
    pub fn get_mut(&mut self, id: i32) -> Option<&mut FetchSession> {
        self.sessions.get_mut(&id)
    }

    /// Ends a session. The request of it that waits has to be answered before.
    pub fn close(&mut self, replicas: &mut Replicas, id: i32) {
        let Some(session) = self.sessions.remove(&id) else { return };
        for (place, asked) in session.partitions.iter() {
            let Some(slot) = asked.slot else { continue };
            self.watchers.remove(slot, id, place);
            if asked.rests {
                replicas.settle(slot, id);
            }
        }
        replicas.session_ended(id);
    }

    /// Has a request name other partitions of its session.
    pub fn rename(
        &mut self,
        replicas: &mut Replicas,
        id: i32,
        rename: impl FnOnce(&mut FetchPartitions, &Replicas),
    ) {
        let session = self.sessions.get_mut(&id).expect("it has a next epoch");
        rename(&mut session.partitions, replicas);
        for Move { place, from, to, rested } in session.partitions.take_moves() {
            if let Some(slot) = from {
                self.watchers.remove(slot, id, place);
                if rested {
                    replicas.settle(slot, id);
                }
            }
            if let Some(slot) = to {
                self.watchers.add(slot, id, place);
            }
        }
    }

    /// Takes in which replicas have changed since the last look, as far as the session has them.
    pub fn refresh(&mut self, replicas: &Replicas, id: i32) {
        let session = self.sessions.get_mut(&id).expect("a session outlives its request");
        let partitions = &mut session.partitions;
        if replicas.all_changed_since(partitions.seen) {
            partitions.look_again();
        } else {
            for slot in replicas.changed_since(partitions.seen) {
                for place in self.watchers.places(slot, id) {
                    partitions.look_again_at(place);
                }
            }
        }
        partitions.seen = replicas.last_change();
    }

    /// The follower of a session fetches, of which [`Self::refresh`] is done: until now it rested in what has changed
    /// since.
    pub fn follower_fetches(&mut self, replicas: &mut Replicas, id: i32, at: FetchTime) {
        let session = self.sessions.get_mut(&id).expect("a session outlives its request");
        let partitions = &mut session.partitions;
        if replicas.times().was_later(id, at) {
            // What counts is the latest that the clock has shown, as in Kafka.
            partitions.look_again();
        }
        let loud: Vec<usize> = partitions.loud().collect();
        for place in loud {
            let asked = partitions.at_mut(place);
            if std::mem::take(&mut asked.rests) {
                replicas.settle(asked.slot.expect("it rested in a replica"), id);
            }
        }
        replicas.session_fetched(id, at);
    }

    /// The requests of sessions that wait for a replica, and its place in them.
    pub fn waiting_at(&self, slot: Slot) -> impl Iterator<Item = (u64, usize)> {
        let waiting = |&(id, place): &(i32, usize)| Some((self.sessions[&id].waiting?, place));
        self.watchers.of(slot).iter().filter_map(waiting)
    }

    /// The first of these replicas that a session has, in the order in which it is read.
    pub fn first_of(&self, id: i32, slots: impl Iterator<Item = Slot>) -> Option<Slot> {
        let partitions = &self.sessions.get(&id)?.partitions;
        let places = slots.flat_map(|slot| {
            self.watchers.places(slot, id).map(move |place| (partitions.rank(place), slot))
        });
        places.min().map(|(_, slot)| slot)
    }

    /// The epoch that the next request of a session has to have.
    pub fn expects(&self, id: i32) -> Option<i32> {
        self.sessions.get(&id).map(|session| session.next_epoch)
    }

    /// The session is used for a request.
    pub fn touch(&mut self, id: i32, now: Time) {
        let session = self.sessions.get_mut(&id).expect("the session was just looked at");
        session.last_used = now;
        session.next_epoch = next_epoch(session.next_epoch);
    }

    /// Whether a consumer may ask for so many more partitions, in this session or a new one.
    pub fn has_room(&self, id: Option<i32>, more: usize) -> bool {
        let session = id.and_then(|id| self.sessions.get(&id));
        let own = session.map_or(0, |session| session.partitions.len());
        let of_consumers = self.sessions.values().filter(|session| !session.of_follower);
        own + more <= FEW_PARTITIONS
            || of_consumers.map(|session| session.partitions.len()).sum::<usize>() + more
                <= CONSUMERS_PARTITIONS_MAX
    }

    /// Opens a session with what was asked and answered. Returns its id, or [`NO_SESSION`] when there is no room.
    pub fn open(
        &mut self,
        replicas: &mut Replicas,
        mut partitions: FetchPartitions,
        of_follower: bool,
        now: Time,
    ) -> i32 {
        if !of_follower && !self.has_room(None, partitions.len()) {
            return NO_SESSION;
        }
        if self.sessions.len() >= self.most
            && !self.evict(replicas, of_follower, partitions.len(), now)
        {
            return NO_SESSION;
        }
        let id = loop {
            let id = i32::try_from(self.ids.below(i32::MAX as u64)).expect("below the bound");
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        partitions.take_moves();
        partitions.look_again();
        partitions.seen = replicas.last_change();
        for (place, asked) in partitions.iter() {
            if let Some(slot) = asked.slot {
                self.watchers.add(slot, id, place);
            }
        }
        let next_epoch = next_epoch(INITIAL_EPOCH);
        let (created, last_used) = (now, now);
        let session =
            FetchSession { partitions, waiting: None, next_epoch, of_follower, created, last_used };
        self.sessions.insert(id, session);
        id
    }

    /// Makes room for a session: of one that was not used for long, or else of the one that is worth least, if that is
    /// worth no more than the new one. Followers' sessions are worth more than consumers', large ones more than small.
    fn evict(
        &mut self,
        replicas: &mut Replicas,
        of_follower: bool,
        partitions: usize,
        now: Time,
    ) -> bool {
        let sessions = || self.sessions.iter().filter(|(_, session)| session.waiting.is_none());
        let stale = sessions().min_by_key(|(id, session)| (session.last_used, **id));
        if let Some((&id, session)) = stale
            && now.since(session.last_used) > EVICTION
        {
            self.close(replicas, id);
            return true;
        }
        let is_evictable = |session: &FetchSession| {
            session.last_used.since(session.created) > EVICTION
                || (of_follower && !session.of_follower)
        };
        let worth =
            |id: i32, session: &FetchSession| (session.of_follower, session.partitions.len(), id);
        let least = sessions()
            .filter(|(_, session)| is_evictable(session))
            .map(|(&id, session)| worth(id, session))
            .min();
        match least {
            Some(least) if least <= (of_follower, partitions, 0) => {
                self.close(replicas, least.2);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::broker::replica::replicas::Replicas;
    use crate::nodes::testing;
    use crate::nodes::testing::kafka;
    use crate::releases::KafkaVersion;
    use crate::vocab::Seed;

    fn none() -> Replicas {
        Replicas::new(testing::settings::broker(1, KafkaVersion::new(2, 8), Vec::new()).into())
    }

    const OF_FOLLOWER: bool = true;
    const OF_CONSUMER: bool = false;

    fn asking(partitions: i32) -> FetchPartitions {
        let mut fetch = kafka::fetch("orders", 0, 0);
        let one = fetch.topics[0].partitions[0].clone();
        fetch.topics[0].partitions =
            (0..partitions).map(|partition| one.clone().with_partition(partition)).collect();
        let replicas =
            Replicas::new(testing::settings::broker(1, KafkaVersion::new(2, 8), Vec::new()).into());
        FetchPartitions::named(&fetch.topics, &replicas)
    }

    /// Two sessions at most; a consumer's with two partitions is there since the beginning.
    fn one_of_two() -> (FetchSessions, i32) {
        let mut sessions = FetchSessions::new(2, Seed(1).stream("ids"));
        let id = sessions.open(&mut none(), asking(2), OF_CONSUMER, Time::ZERO);
        (sessions, id)
    }

    #[test]
    fn a_young_consumers_session_gives_way_to_a_follower_only() {
        let soon = Time::from_millis(100);
        let (mut sessions, consumer) = one_of_two();
        let follower = sessions.open(&mut none(), asking(1), OF_FOLLOWER, soon);
        assert_eq!(sessions.open(&mut none(), asking(9), OF_CONSUMER, soon), NO_SESSION);
        assert_ne!(sessions.open(&mut none(), asking(1), OF_FOLLOWER, soon), NO_SESSION);
        assert_eq!(sessions.expects(consumer), None);
        assert_eq!(sessions.expects(follower), Some(1));
        assert_eq!(
            sessions.open(&mut none(), asking(9), OF_FOLLOWER, soon),
            NO_SESSION,
            "both are young"
        );
    }

    #[test]
    fn a_session_that_is_used_for_long_gives_way_to_a_larger_one() {
        let (mut sessions, small) = one_of_two();
        let other = sessions.open(&mut none(), asking(5), OF_CONSUMER, Time::ZERO);
        let late = Time::from_millis(121_000);
        for id in [small, other] {
            sessions.touch(id, late);
        }
        assert_eq!(
            sessions.open(&mut none(), asking(2), OF_CONSUMER, late),
            NO_SESSION,
            "no larger"
        );
        assert_ne!(sessions.open(&mut none(), asking(3), OF_CONSUMER, late), NO_SESSION);
        assert_eq!((sessions.expects(small), sessions.expects(other)), (None, Some(2)));
    }

    #[test]
    fn consumers_sessions_have_two_million_partitions_at_most() {
        let mut sessions = FetchSessions::new(1_000, Seed(1).stream("ids"));
        for _ in 0..4 {
            assert_ne!(
                sessions.open(&mut none(), asking(400_000), OF_CONSUMER, Time::ZERO),
                NO_SESSION
            );
        }
        assert!(sessions.has_room(None, 400_000) && !sessions.has_room(None, 400_001));
        assert_eq!(
            sessions.open(&mut none(), asking(400_001), OF_CONSUMER, Time::ZERO),
            NO_SESSION
        );
        assert_ne!(
            sessions.open(&mut none(), asking(400_001), OF_FOLLOWER, Time::ZERO),
            NO_SESSION
        );
        assert_ne!(
            sessions.open(&mut none(), asking(400_000), OF_CONSUMER, Time::ZERO),
            NO_SESSION
        );
        let few = sessions.open(&mut none(), asking(1_999), OF_CONSUMER, Time::ZERO);
        assert_ne!(few, NO_SESSION, "a few");
        assert!(sessions.has_room(Some(few), 1));
        assert!(!sessions.has_room(Some(few), 2), "it does not grow bit by bit either");
    }

    #[test]
    fn an_unused_session_gives_way_to_any() {
        let (mut sessions, stale) = one_of_two();
        let fresh = sessions.open(&mut none(), asking(1), OF_CONSUMER, Time::from_millis(1));
        let late = Time::from_millis(120_001);
        assert_ne!(sessions.open(&mut none(), asking(1), OF_CONSUMER, late), NO_SESSION);
        assert_eq!((sessions.expects(stale), sessions.expects(fresh)), (None, Some(1)));
    }
}
