//! The replicas on this broker: each has a slot, and is found by topic and partition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;

use super::partition::{FetchTime, FetchTimes, PartitionReplica};
use super::settings::TopicSettings;
use crate::nodes::broker::{Config, TopicOverrides};
use crate::releases::{Change, IsrPath, KafkaVersion};
use crate::vocab::TopicPartition;

/// The place of a replica in the list of slots; never used again for another.
pub type Slot = usize;

/// Changes of replicas are counted, so that who has looked at one knows whether it may look different by now.
pub type ChangeNumber = u64;

#[derive(Debug)]
struct Topic {
    name: TopicName,
    settings: TopicSettings,
    partitions: BTreeMap<i32, Slot>,
}

/// Whether there is a partition in the cluster, as far as the broker heard.
pub type Knows<'a> = &'a dyn Fn(&str, i32) -> bool;

/// The error for a partition that has no replica here: since 2.0 another one than for a partition that does not exist.
pub fn not_here(
    version: KafkaVersion,
    topic: &str,
    partition: i32,
    knows: Knows<'_>,
) -> ResponseError {
    match version.has(Change::KnownPartitionIsElsewhere) && knows(topic, partition) {
        true => ResponseError::NotLeaderOrFollower,
        false => ResponseError::UnknownTopicOrPartition,
    }
}

/// Partitions that the cluster has and that have no replica here, of those that a request names.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(BTreeSet<(String, i32)>);

impl Elsewhere {
    /// Whether it is one of them.
    pub fn has(&self, topic: &str, partition: i32) -> bool {
        !self.0.is_empty() && self.0.contains(&(topic.to_owned(), partition))
    }
}

/// The last change of each replica, in their order: a list whose links are kept by slot.
#[derive(Debug, Default)]
struct Changes {
    /// The last change of any replica.
    last: ChangeNumber,
    /// The replica that changed last.
    newest: Option<Slot>,
    by_slot: Vec<Changed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Changed {
    number: ChangeNumber,
    newer: Option<Slot>,
    older: Option<Slot>,
}

impl Changes {
    /// There is one more slot. It has changed never.
    fn add(&mut self) {
        self.by_slot.push(Changed::default());
    }

    #[inline]
    fn note(&mut self, slot: Slot) {
        self.last += 1;
        if self.newest != Some(slot) {
            let Changed { newer, older, .. } = self.by_slot[slot];
            if let Some(newer) = newer {
                self.by_slot[newer].older = older;
            }
            if let Some(older) = older {
                self.by_slot[older].newer = newer;
            }
            if let Some(newest) = self.newest {
                self.by_slot[newest].newer = Some(slot);
            }
            let older = self.newest.replace(slot);
            self.by_slot[slot] = Changed { number: self.last, newer: None, older };
        }
        self.by_slot[slot].number = self.last;
    }

    /// Those that have changed since, the newest first.
    fn since(&self, change: ChangeNumber) -> impl Iterator<Item = Slot> {
        let is_later = move |slot: &Slot| self.by_slot[*slot].number > change;
        std::iter::successors(self.newest, |slot| self.by_slot[*slot].older).take_while(is_later)
    }
}

/// Owns all replicas of a broker, their logs included, and the settings of their topics.
#[derive(Debug)]
pub struct Replicas {
    config: Arc<Config>,
    topics: BTreeMap<Arc<str>, Topic>,
    /// `None` when deleted.
    slots: Vec<Option<PartitionReplica>>,
    /// Which change of a replica was the last.
    changes: Changes,
    /// The last change of all replicas.
    all_changed: ChangeNumber,
    /// The last replica that came or went.
    last_member: ChangeNumber,
    /// Whether ISRs are written by their leaders, under the partition's lock (up to 2.6).
    is_locking: bool,
    /// Those whose ISR this broker is writing to ZooKeeper.
    isr_writes: BTreeSet<Slot>,
    /// When followers fetched last.
    times: FetchTimes,
    overrides: BTreeMap<Arc<str>, TopicOverrides>,
}

impl Replicas {
    /// No replicas; topics without settings of their own take those of `config`.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            is_locking: config.version.isr_path() == IsrPath::ZooKeeper,
            config,
            topics: BTreeMap::new(),
            slots: Vec::new(),
            changes: Changes::default(),
            all_changed: 0,
            last_member: 0,
            isr_writes: BTreeSet::new(),
            times: FetchTimes::default(),
            overrides: BTreeMap::new(),
        }
    }

    /// Whether ISRs are written under the partition's lock (up to 2.6).
    pub fn is_locking(&self) -> bool {
        self.is_locking
    }

    /// Whether any ISR is being written under its partition's lock.
    pub fn any_isr_write(&self) -> bool {
        !self.isr_writes.is_empty()
    }

    /// Whether the ISR of a replica is being written under its lock.
    pub fn writes_isr(&self, slot: Slot) -> bool {
        !self.isr_writes.is_empty() && self.isr_writes.contains(&slot)
    }

    /// The ISR of a replica is being written under its lock from now on.
    pub fn isr_write_begins(&mut self, slot: Slot) {
        self.isr_writes.insert(slot);
    }

    /// The lock is free again. Returns whether it was held.
    pub fn isr_write_ended(&mut self, slot: Slot) -> bool {
        self.isr_writes.remove(&slot)
    }

    /// Whether threads that look at fetches may be blocked: an ISR is being written, and since 2.1 reads wait for
    /// that.
    pub fn reads_wait(&self) -> bool {
        self.any_isr_write() && self.config.version.has(Change::ReadsUnderPartitionLock)
    }

    /// The replicas whose ISR is being written.
    pub fn isr_writes(&self) -> impl Iterator<Item = Slot> {
        self.isr_writes.iter().copied()
    }

    /// When followers fetched last.
    pub fn times(&self) -> &FetchTimes {
        &self.times
    }

    /// A follower fetches in this session.
    pub fn session_fetched(&mut self, session: i32, at: FetchTime) {
        self.times.fetched(session, at);
    }

    /// A session has ended; its followers are settled.
    pub fn session_ended(&mut self, session: i32) {
        self.times.end(session);
    }

    /// The follower that rests in a session fetches otherwise from now on, or from another end of the log.
    pub fn settle(&mut self, slot: Slot, session: i32) {
        let last = self.times.last(session);
        let leader = self.slots[slot].as_mut().and_then(PartitionReplica::leader_mut);
        // It may have been deleted, or lead no longer.
        let (Some(leader), Some(last)) = (leader, last) else { return };
        leader.followers.iter_mut().for_each(|(_, state)| state.settle(session, last));
    }

    /// All slots in the order in which Kafka walks its partitions: that of a ConcurrentHashMap, by buckets.
    pub fn in_order_of_pool(&self) -> VecDeque<Slot> {
        let mut slots: Vec<Slot> = (0..self.slots.len()).collect();
        slots.retain(|slot| self.slots[*slot].is_some());
        // It starts with 16 buckets, and doubles them when three quarters are taken.
        let buckets = (slots.len() * 4 / 3 + 1).next_power_of_two().max(16) as u32;
        slots.sort_by_key(|slot| {
            let hash = java_hash(&self.at(*slot).at);
            (hash ^ (hash >> 16)) & (buckets - 1)
        });
        slots.into()
    }

    /// Slots are below this.
    pub fn end(&self) -> Slot {
        self.slots.len()
    }

    /// The replica in a slot, for changes of what no fetch reads, and when followers fetched last; `None` when it was
    /// deleted.
    pub fn beside_times(&mut self, slot: Slot) -> Option<(&mut PartitionReplica, &FetchTimes)> {
        Some((self.slots[slot].as_mut()?, &self.times))
    }

    /// The replica in a slot.
    ///
    /// # Panics
    /// When it was deleted: every part that refers to a slot has to forget it before.
    #[inline]
    pub fn at(&self, slot: Slot) -> &PartitionReplica {
        self.slots[slot].as_ref().expect("the replica was not deleted")
    }

    /// The replica in a slot.
    ///
    /// # Panics
    /// When it was deleted.
    #[inline]
    pub fn at_mut(&mut self, slot: Slot) -> &mut PartitionReplica {
        self.note_change(slot);
        self.at_mut_beside(slot)
    }

    /// The replica in a slot, for changes of what no fetch reads: where its followers are, and which requests wait.
    ///
    /// # Panics
    /// When it was deleted.
    #[inline]
    pub fn at_mut_beside(&mut self, slot: Slot) -> &mut PartitionReplica {
        self.slots[slot].as_mut().expect("the replica was not deleted")
    }

    #[inline]
    fn note_change(&mut self, slot: Slot) {
        self.changes.note(slot);
    }

    /// The number of the last change: what is looked at now is as it is after it.
    #[inline]
    pub fn last_change(&self) -> ChangeNumber {
        self.changes.last
    }

    /// Whether each replica may have changed since this change.
    pub fn all_changed_since(&self, change: ChangeNumber) -> bool {
        self.all_changed > change
    }

    /// The replicas that have changed since this change, each once.
    pub fn changed_since(&self, change: ChangeNumber) -> impl Iterator<Item = Slot> {
        self.changes.since(change)
    }

    /// Whether all replicas that were here after this change are here, and no others.
    pub fn has_same_members(&self, change: ChangeNumber) -> bool {
        self.last_member <= change
    }

    /// The replica in a slot; `None` when it was deleted.
    pub fn get(&self, slot: Slot) -> Option<&PartitionReplica> {
        self.slots[slot].as_ref()
    }

    /// How many slots there are, those of deleted replicas among them.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// All replicas, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &PartitionReplica> {
        self.slots.iter().flatten()
    }

    /// All replicas, in the order in which they came.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut PartitionReplica> {
        self.changes.last += 1;
        self.all_changed = self.changes.last;
        self.slots.iter_mut().flatten()
    }

    /// The slot of a partition's replica, if it is here.
    pub fn find(&self, topic: &str, partition: i32) -> Option<Slot> {
        self.topics.get(topic)?.partitions.get(&partition).copied()
    }

    /// The slots of replicas of one topic, of each that is here.
    pub fn find_each(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
    ) -> impl Iterator<Item = Option<Slot>> {
        let topic = self.topics.get(topic);
        partitions.map(move |partition| topic?.partitions.get(&partition).copied())
    }

    /// The slot of a partition's replica, if it is here.
    pub fn find_at(&self, at: &TopicPartition) -> Option<Slot> {
        self.find(&at.topic, at.partition)
    }

    /// The replica of the partition that a client asks for.
    ///
    /// # Errors
    /// See [`not_here`].
    pub fn wanted(
        &self,
        version: KafkaVersion,
        topic: &str,
        partition: i32,
        knows: Knows<'_>,
    ) -> Result<&PartitionReplica, ResponseError> {
        let slot = self.find(topic, partition);
        slot.map(|slot| self.at(slot)).ok_or_else(|| not_here(version, topic, partition, knows))
    }

    /// Those of the named partitions that have no replica here and are known all the same.
    pub fn elsewhere<'a>(
        &self,
        named: impl Iterator<Item = (&'a str, i32)>,
        knows: Knows<'_>,
    ) -> Elsewhere {
        let missing = named.filter(|(topic, n)| self.find(topic, *n).is_none() && knows(topic, *n));
        Elsewhere(missing.map(|(topic, n)| (topic.to_owned(), n)).collect())
    }

    /// Gives a new replica its slot.
    pub fn insert(
        &mut self,
        at: TopicPartition,
        make: impl FnOnce(Slot, (TopicName, TopicSettings)) -> PartitionReplica,
    ) -> Slot {
        let slot = self.slots.len();
        let none = TopicOverrides::new();
        let topic = self.topics.entry(at.topic.clone()).or_insert_with(|| Topic {
            name: TopicName(StrBytes::from_string(at.topic.to_string())),
            settings: TopicSettings::new(
                &self.config,
                self.overrides.get(&at.topic).unwrap_or(&none),
            ),
            partitions: BTreeMap::new(),
        });
        topic.partitions.insert(at.partition, slot);
        let of_topic = (topic.name.clone(), topic.settings);
        self.slots.push(Some(make(slot, of_topic)));
        self.changes.add();
        self.note_member(slot);
        slot
    }

    /// Takes a replica out; its slot stays empty.
    pub fn remove(&mut self, slot: Slot) -> PartitionReplica {
        self.note_member(slot);
        let replica = self.slots[slot].take().expect("a replica is deleted once");
        let topic = self.topics.get_mut(&replica.at.topic).expect("its topic is known");
        topic.partitions.remove(&replica.at.partition);
        if topic.partitions.is_empty() {
            self.topics.remove(&replica.at.topic);
        }
        replica
    }

    fn note_member(&mut self, slot: Slot) {
        self.note_change(slot);
        self.last_member = self.changes.last;
    }

    /// Takes other settings of the broker. Returns all replicas.
    pub fn set_config(&mut self, config: Arc<Config>) -> Vec<Slot> {
        self.config = config;
        let topics: Vec<_> = self.topics.keys().cloned().collect();
        let none = TopicOverrides::new();
        let mut slots = Vec::new();
        for topic in topics {
            let overrides = self.overrides.get(&topic).unwrap_or(&none);
            let settings = TopicSettings::new(&self.config, overrides);
            slots.extend(self.set_settings(&topic, settings));
        }
        slots
    }

    /// Takes a topic's own settings, now and for replicas to come. Returns the topic's replicas.
    pub fn set_overrides(&mut self, topic: &str, overrides: &TopicOverrides) -> Vec<Slot> {
        self.overrides.insert(topic.into(), overrides.clone());
        let settings = TopicSettings::new(&self.config, overrides);
        self.set_settings(topic, settings)
    }

    fn set_settings(&mut self, topic: &str, settings: TopicSettings) -> Vec<Slot> {
        // Settings can be read before the topic's first LeaderAndIsr, which waits for them.
        let Some(known) = self.topics.get_mut(topic) else { return Vec::new() };
        known.settings = settings;
        let slots: Vec<Slot> = known.partitions.values().copied().collect();
        for slot in &slots {
            self.at_mut(*slot).settings = settings;
        }
        slots
    }
}

/// `TopicPartition.hashCode`.
fn java_hash(at: &TopicPartition) -> u32 {
    let add = |hash: u32, n: u32| hash.wrapping_mul(31).wrapping_add(n);
    let topic = at.topic.encode_utf16().fold(0, |hash, unit| add(hash, unit.into()));
    add(add(1, at.partition.cast_unsigned()), topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_since_is_known_in_order() {
        let mut changes = Changes::default();
        (0..4).for_each(|_| changes.add());
        [0, 1, 2, 1, 3, 3, 0].into_iter().for_each(|slot| changes.note(slot));
        let since = |change| changes.since(change).collect::<Vec<_>>();
        assert_eq!(since(0), [0, 3, 1, 2]);
        assert_eq!(since(3), [0, 3, 1], "2 changed third");
        assert_eq!(since(6), [0]);
        assert!(since(7).is_empty());
    }

    #[test]
    fn partitions_are_hashed_as_java_hashes_them() {
        // 31 * (31 + partition) + "hello".hashCode(), which is 99,162,322.
        assert_eq!(java_hash(&TopicPartition::new("hello", 2)), 31 * 33 + 99_162_322);
    }
}
