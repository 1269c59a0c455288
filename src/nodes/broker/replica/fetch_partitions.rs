//! What a fetch asks for: the partitions that it names, or that its session remembers.

use std::collections::BTreeMap;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::partition::PartitionReplica;
use super::replicas::{ChangeNumber, Knows, Replicas, Slot};
use crate::vocab::{BrokerId, LeaderEpoch, Offset};
use crate::wire::message_set::Magic;

/// How the name begins under which a topic goes that was named by an id that is not known. No topic has such a name.
const UNKNOWN_ID: char = '\0';

/// The name under which a topic goes that was named by an id that is not known.
pub fn name_of_unknown(id: Uuid) -> TopicName {
    TopicName(StrBytes::from_string(format!("{UNKNOWN_ID}{id}")))
}

/// What a fetch asks as a whole.
#[derive(Clone, Copy, Debug)]
pub struct FetchParams {
    /// The follower that fetches; `None` for a consumer.
    pub follower: Option<BrokerId>,
    /// The longest wait, in milliseconds; none when it is 0 or negative.
    pub max_wait_ms: i32,
    /// Records that it waits for, in bytes.
    pub min_bytes: usize,
    /// Records that it takes, in bytes; may be negative.
    pub max_bytes: i32,
    /// Whether it asks for the last stable offset (`isolation.level=read_committed`).
    pub read_committed: bool,
    /// The version of the request.
    pub version: i16,
    /// Whether it comes from outside of the simulation. The nodes of the simulation know format 2 in every release.
    pub is_foreign: bool,
    /// The format that the fetcher knows, if it does not know batches of format 2.
    converts_to: Option<Magic>,
}

impl FetchParams {
    /// Those of a request.
    pub fn of(request: &FetchRequest, version: i16, is_foreign: bool) -> Self {
        let replica = request.replica_id.0;
        let converts_to = match version {
            _ if !is_foreign || replica >= 0 => None,
            ..=1 => Some(Magic::V0),
            2..=3 => Some(Magic::V1),
            _ => None,
        };
        Self {
            follower: (replica >= 0).then_some(BrokerId(replica)),
            max_wait_ms: request.max_wait_ms,
            min_bytes: size(request.min_bytes),
            max_bytes: request.max_bytes,
            read_committed: request.isolation_level == 1,
            version,
            is_foreign,
            converts_to,
        }
    }

    /// The format into which the records of a topic are put that is to have this `message.format.version`.
    pub fn converts_to(&self, topic: i8) -> Option<Magic> {
        let of_topic = match topic {
            0 if self.is_foreign => Some(Magic::V0),
            1 if self.is_foreign => Some(Magic::V1),
            _ => None,
        };
        match (self.converts_to, of_topic) {
            (Some(Magic::V0), _) | (_, Some(Magic::V0)) => Some(Magic::V0),
            (one, other) => one.or(other),
        }
    }

    /// Whether it comes from a replica that `partition` does not have.
    pub fn is_unassigned(&self, partition: &PartitionReplica) -> bool {
        // The brokers of the simulation fetch what they are assigned.
        self.is_foreign && self.follower.is_some_and(|id| !partition.replicas.contains(&id))
    }
}

/// A size in a request, in bytes; negative ones count as none.
fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// What a fetch asks of one partition, and what the fetcher was last answered of it in its session.
#[derive(Clone, Debug)]
pub struct AskedPartition {
    /// Its topic.
    pub topic: TopicName,
    /// The topic's id, by which it was named since Fetch v13.
    pub topic_id: Uuid,
    /// Its number.
    pub partition: i32,
    /// The replica, if it is here.
    pub slot: Option<Slot>,
    /// Whether it is not here, and the cluster has it.
    pub is_elsewhere: bool,
    /// The leader epoch that the fetcher knows (KIP-320); −1 is "unknown".
    pub current_leader_epoch: LeaderEpoch,
    /// Where to read from.
    pub offset: Offset,
    /// The epoch of the fetcher's last record (KIP-595); −1 is "unknown".
    pub last_fetched_epoch: LeaderEpoch,
    /// Where a follower's log starts, as its request said; −1 is unknown.
    pub fetcher_start: Offset,
    /// Records that it takes of the partition, in bytes; may be negative.
    pub max_bytes: i32,
    /// The high watermark in the last answer; −1 before the first, and after an error.
    pub high_watermark: Offset,
    /// The log's start in the last answer; −1 before the first.
    pub log_start: Offset,
    /// Whether the follower that fetches rests there: see [`RemoteReplica::rest`](super::partition::RemoteReplica).
    pub rests: bool,
    /// Those of a lower rank are read before it.
    rank: u64,
    /// Whether it is to be surveyed: there was something for the fetcher, or may be by now.
    is_loud: bool,
    /// Whether it is to be read: there may be something that the session's last answer did not say.
    has_news: bool,
}

impl AskedPartition {
    fn new(topic: &FetchTopic, asked: &FetchPartition, slot: Option<Slot>, rank: u64) -> Self {
        Self {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partition: asked.partition,
            slot,
            is_elsewhere: false,
            current_leader_epoch: asked.current_leader_epoch,
            offset: asked.fetch_offset,
            last_fetched_epoch: asked.last_fetched_epoch,
            fetcher_start: asked.log_start_offset,
            max_bytes: asked.partition_max_bytes,
            high_watermark: -1,
            log_start: -1,
            rests: false,
            rank,
            is_loud: false,
            has_news: false,
        }
    }

    /// Whether no topic has the id by which it was named.
    pub fn has_unknown_id(&self) -> bool {
        self.topic.starts_with(UNKNOWN_ID)
    }

    /// The fetcher asks for something else; what it was answered stays.
    fn update(&mut self, asked: &FetchPartition) {
        self.current_leader_epoch = asked.current_leader_epoch;
        self.offset = asked.fetch_offset;
        self.last_fetched_epoch = asked.last_fetched_epoch;
        self.fetcher_start = asked.log_start_offset;
        self.max_bytes = asked.partition_max_bytes;
    }
}

/// How a topic was named: by its id, which stays when it gets a name, or else by its name.
type Named = (Uuid, TopicName);

fn named(topic_id: Uuid, topic: &TopicName) -> Named {
    (topic_id, if topic_id.is_nil() { topic.clone() } else { TopicName::default() })
}

/// Places by topic and partition.
type Index = BTreeMap<Named, BTreeMap<i32, usize>>;

/// A place of a session got a replica, or another one, or none any more.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The place.
    pub place: usize,
    /// The replica that it had.
    pub from: Option<Slot>,
    /// The replica that it has.
    pub to: Option<Slot>,
    /// Whether a follower rests in the one that it had.
    pub rested: bool,
}

/// The partitions of a fetch, each at its place.
///
/// Nearly all partitions of a large session have nothing for their fetcher, nearly always: those are not looked at
/// until they change.
#[derive(Debug, Default)]
pub struct FetchPartitions {
    /// By place; `None` when the session has forgotten it.
    entries: Vec<Option<AskedPartition>>,
    /// Places that are free.
    free: Vec<usize>,
    /// How many are named.
    count: usize,
    /// The rank of the next that is to be read last.
    next_rank: u64,
    /// Whether the order of the places is that of their ranks.
    is_in_order: bool,
    /// The places that are loud, and perhaps others.
    loud: Vec<usize>,
    /// The places that have news, and perhaps others.
    news: Vec<usize>,
    /// Up to which change of the replicas their changes have been taken in.
    pub seen: ChangeNumber,
    /// What a session has to be told of.
    moves: Vec<Move>,
    /// After which change of the replicas all places had the replica that is theirs.
    resolved: Option<ChangeNumber>,
    /// Made when it is needed: a fetch without a session rarely does.
    index: Option<Index>,
    /// Whether topics are named by their ids.
    pub by_ids: bool,
}

impl FetchPartitions {
    /// Those that a request names. One that it names twice counts as it is named last.
    pub fn named(topics: &[FetchTopic], replicas: &Replicas) -> Self {
        let mut partitions = Self { is_in_order: true, ..Self::default() };
        let count = topics.iter().map(|topic| topic.partitions.len()).sum();
        partitions.entries.reserve_exact(count);
        let mut seen = vec![false; if count > 1 { replicas.slots() } else { 0 }];
        for topic in topics {
            let numbers = topic.partitions.iter().map(|asked| asked.partition);
            let slots = replicas.find_each(&topic.topic, numbers);
            for (asked, slot) in topic.partitions.iter().zip(slots) {
                let seen = slot.and_then(|slot| seen.get_mut(slot));
                if seen.is_some_and(|seen| std::mem::replace(seen, true)) {
                    let mut partitions = Self { is_in_order: true, ..Self::default() };
                    partitions.name(topics, replicas);
                    return partitions;
                }
                let rank = partitions.entries.len() as u64;
                let mut entry = AskedPartition::new(topic, asked, slot, rank);
                (entry.is_loud, entry.has_news) = (true, true);
                partitions.entries.push(Some(entry));
            }
        }
        partitions.count = partitions.entries.len();
        partitions.next_rank = partitions.count as u64;
        partitions.loud.extend(0..partitions.count);
        partitions.news.extend(0..partitions.count);
        partitions
    }

    fn index(entries: &[Option<AskedPartition>]) -> Index {
        let mut index = Index::new();
        for (place, entry) in entries.iter().enumerate() {
            let Some(AskedPartition { topic, topic_id, partition, .. }) = entry else { continue };
            index.entry(named(*topic_id, topic)).or_default().insert(*partition, place);
        }
        index
    }

    /// Adds those that a request names, or takes what it says of them now.
    pub fn name(&mut self, topics: &[FetchTopic], replicas: &Replicas) {
        if topics.is_empty() {
            return;
        }
        let mut index = self.index.take().unwrap_or_else(|| Self::index(&self.entries));
        for topic in topics {
            let numbers = topic.partitions.iter().map(|asked| asked.partition);
            let slots = replicas.find_each(&topic.topic, numbers);
            let places = index.entry(named(topic.topic_id, &topic.topic)).or_default();
            for (asked, slot) in topic.partitions.iter().zip(slots) {
                let place = match places.get(&asked.partition) {
                    Some(&place) => {
                        self.at_mut(place).update(asked);
                        place
                    }
                    None => {
                        let place = self.add(AskedPartition::new(topic, asked, slot, 0));
                        places.insert(asked.partition, place);
                        place
                    }
                };
                self.look_again_at(place);
            }
        }
        self.index = Some(index);
    }

    /// Adds one, which is read last.
    fn add(&mut self, mut entry: AskedPartition) -> usize {
        entry.rank = self.next_rank;
        self.next_rank += 1;
        self.count += 1;
        let to = entry.slot;
        if to.is_none() {
            self.resolved = None;
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.is_in_order = false;
                self.entries[place] = Some(entry);
                place
            }
            None => {
                self.entries.push(Some(entry));
                self.entries.len() - 1
            }
        };
        self.moves.push(Move { place, from: None, to, rested: false });
        place
    }

    /// Takes out those that a request names as forgotten.
    pub fn forget(&mut self, topics: &[ForgottenTopic]) {
        if topics.is_empty() {
            return;
        }
        let Self { entries, free, index, count, moves, .. } = self;
        let index = index.get_or_insert_with(|| Self::index(entries));
        for topic in topics {
            let name = named(topic.topic_id, &topic.topic);
            let Some(places) = index.get_mut(&name) else { continue };
            for partition in &topic.partitions {
                if let Some(place) = places.remove(partition) {
                    let entry = entries[place].take().expect("a place that is named");
                    let (from, rested) = (entry.slot, entry.rests);
                    moves.push(Move { place, from, to: None, rested });
                    free.push(place);
                    *count -= 1;
                }
            }
            if places.is_empty() {
                index.remove(&name);
            }
        }
    }

    /// Gives their names to topics whose ids have become known (`FetchSession.maybeResolveUnknownName`).
    pub fn name_unknown(&mut self, name_of: impl Fn(Uuid) -> Option<TopicName>) {
        // A topic that is not known has no replica here.
        if !self.by_ids || self.resolved.is_some() {
            return;
        }
        let unknown = self.entries.iter_mut().flatten().filter(|entry| entry.has_unknown_id());
        for entry in unknown {
            if let Some(name) = name_of(entry.topic_id) {
                entry.topic = name;
                self.resolved = None;
            }
        }
    }

    /// Looks again for the replicas that were not here, or were deleted since. `knows` says which partitions there are
    /// in the cluster.
    pub fn resolve(&mut self, replicas: &Replicas, knows: Knows<'_>) {
        if self.resolved.is_some_and(|change| replicas.has_same_members(change)) {
            return;
        }
        let mut all = true;
        for place in 0..self.entries.len() {
            let Some(entry) = &mut self.entries[place] else { continue };
            if entry.slot.and_then(|slot| replicas.get(slot)).is_some() {
                continue;
            }
            let from = entry.slot;
            entry.slot = replicas.find(&entry.topic, entry.partition);
            entry.is_elsewhere = entry.slot.is_none() && knows(&entry.topic, entry.partition);
            all &= entry.slot.is_some();
            if entry.slot != from {
                // What rested there was deleted.
                let rested = std::mem::take(&mut entry.rests);
                self.moves.push(Move { place, from, to: entry.slot, rested });
            }
            self.look_again_at(place);
        }
        self.resolved = all.then(|| replicas.last_change());
    }

    /// What the places have other than when this was asked last.
    pub fn take_moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves)
    }

    /// What was seen of a partition says nothing of what there is now.
    pub fn look_again_at(&mut self, place: usize) {
        self.make_loud(place);
        self.make_news(place);
    }

    /// What was seen of the partitions says nothing of what there is now, or was seen for another fetcher.
    pub fn look_again(&mut self) {
        for place in self.places() {
            self.look_again_at(place);
        }
    }

    /// The partition at a place is to be surveyed at the next request.
    pub fn make_loud(&mut self, place: usize) {
        let entry = self.entries[place].as_mut().expect("a place that is named");
        if !std::mem::replace(&mut entry.is_loud, true) {
            self.loud.push(place);
        }
    }

    /// The partition at a place is to be read at the next answer.
    pub fn make_news(&mut self, place: usize) {
        let entry = self.entries[place].as_mut().expect("a place that is named");
        if !std::mem::replace(&mut entry.has_news, true) {
            self.news.push(place);
        }
    }

    /// The places that are to be surveyed, in the order in which they are read. They are no longer, unless they are
    /// made loud again.
    pub fn take_loud(&mut self) -> Vec<usize> {
        let mut places = std::mem::take(&mut self.loud);
        self.put_in_order(&mut places);
        places.retain(|&place| std::mem::take(&mut self.at_mut(place).is_loud));
        places
    }

    /// The places that are to be surveyed, in no order.
    pub fn loud(&self) -> impl Iterator<Item = usize> {
        let is_named = |place: &&usize| self.entries[**place].is_some();
        self.loud.iter().filter(is_named).copied()
    }

    /// The places that are to be read, in the order in which they are read. They are no longer, unless they are made so
    /// again.
    pub fn take_news(&mut self) -> Vec<usize> {
        let mut places = std::mem::take(&mut self.news);
        self.put_in_order(&mut places);
        places.retain(|&place| std::mem::take(&mut self.at_mut(place).has_news));
        places
    }

    /// Sorts places, and takes out those that are not named.
    fn put_in_order(&self, places: &mut Vec<usize>) {
        places.retain(|&place| self.entries[place].is_some());
        if self.is_in_order {
            places.sort_unstable();
        } else {
            places.sort_unstable_by_key(|&place| self.rank(place));
        }
    }

    /// Partitions of a lower rank are read before those of a higher one.
    pub fn rank(&self, place: usize) -> u64 {
        self.at(place).rank
    }

    /// All places, in the order in which they are read.
    pub fn places(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.entries.len()).collect();
        self.put_in_order(&mut places);
        places
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The partition at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &AskedPartition {
        self.entries[place].as_ref().expect("a place that is named")
    }

    /// The partition at a place.
    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut AskedPartition {
        self.entries[place].as_mut().expect("a place that is named")
    }

    /// All of them, with their places, in the order in which they are read.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &AskedPartition)> {
        self.places().into_iter().map(|place| (place, self.at(place)))
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &AskedPartition> {
        self.entries.iter().flatten()
    }

    /// These places were answered and are read last from now on, so that all get their share of an answer.
    pub fn move_to_end(&mut self, answered: &[usize]) {
        for &place in answered {
            self.at_mut(place).rank = self.next_rank;
            self.next_rank += 1;
            self.is_in_order = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing;
    use crate::nodes::testing::kafka;
    use crate::releases::KafkaVersion;

    fn naming(numbers: &[(i32, Offset)]) -> Vec<FetchTopic> {
        let mut topics = kafka::fetch("orders", 0, 0).topics;
        let one = topics[0].partitions[0].clone();
        let asked =
            |&(number, offset)| one.clone().with_partition(number).with_fetch_offset(offset);
        topics[0].partitions = numbers.iter().map(asked).collect();
        topics
    }

    fn content(partitions: &FetchPartitions) -> Vec<(i32, Offset)> {
        partitions.iter().map(|(_, asked)| (asked.partition, asked.offset)).collect()
    }

    #[test]
    fn a_place_that_is_forgotten_is_taken_again() {
        let config = testing::settings::broker(1, KafkaVersion::new(2, 8), Vec::new());
        let replicas = Replicas::new(config.into());
        let mut partitions = FetchPartitions::named(&naming(&[(0, 5), (1, 6), (2, 7)]), &replicas);
        let forgotten = ForgottenTopic::default().with_topic(kafka::topic("orders"));
        partitions.forget(&[forgotten.with_partitions(vec![1, 9])]);
        assert_eq!(content(&partitions), [(0, 5), (2, 7)]);
        partitions.name(&naming(&[(3, 1), (2, 8)]), &replicas);
        assert_eq!(content(&partitions), [(0, 5), (2, 8), (3, 1)]);
        assert_eq!(partitions.entries.len(), 3);
        partitions.move_to_end(&[0]);
        assert_eq!(content(&partitions), [(2, 8), (3, 1), (0, 5)], "what was answered comes last");
    }

    #[test]
    fn a_topic_keeps_its_place_when_its_id_becomes_known() {
        let config = testing::settings::broker(1, KafkaVersion::new(3, 9), Vec::new());
        let replicas = Replicas::new(config.into());
        let id = Uuid::from_u128(7);
        let named = |topic, offset| {
            let mut topics = naming(&[(0, offset)]);
            (topics[0].topic, topics[0].topic_id) = (topic, id);
            topics
        };
        let mut partitions = FetchPartitions::named(&named(name_of_unknown(id), 5), &replicas);
        partitions.by_ids = true;
        partitions.name_unknown(|_| None);
        assert!(partitions.at(0).has_unknown_id());
        partitions.name_unknown(|asked| (asked == id).then(|| kafka::topic("orders")));
        assert_eq!(&*partitions.at(0).topic.0, "orders");
        partitions.name(&named(kafka::topic("orders"), 6), &replicas);
        assert_eq!(content(&partitions), [(0, 6)]);
        // Deleted since, so that its id has no name again.
        let forgotten = ForgottenTopic::default().with_topic(name_of_unknown(id));
        partitions.forget(&[forgotten.with_topic_id(id).with_partitions(vec![0])]);
        assert!(partitions.is_empty());
    }

    #[test]
    fn what_is_named_twice_counts_as_it_is_named_last() {
        let config = testing::settings::broker(1, KafkaVersion::new(2, 8), Vec::new());
        let replicas = Replicas::new(config.into());
        let mut twice = FetchPartitions::default();
        twice.name(&naming(&[(4, 1), (2, 2), (4, 3)]), &replicas);
        assert_eq!(content(&twice), [(4, 3), (2, 2)]);
    }
}
