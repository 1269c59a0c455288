//! A map that is walked in the order of Java's `HashMap`.
//!
//! The Java client's assignors walk hash maps, and what they find first gets a partition first. The order is no
//! accident of a run: the hash of a text is part of Java's specification, and `java.util.HashMap` has had the same
//! table since Java 8. Not modelled: a bin of more than eight keys becomes a tree once the table has 64 bins.

use std::sync::Arc;

use crate::vocab::TopicPartition;

/// The bins of a table without a size of its own (`DEFAULT_INITIAL_CAPACITY`).
const CAPACITY: usize = 16;
/// A table with fewer bins grows when a bin gets long (`MIN_TREEIFY_CAPACITY`).
const LONG_BINS_FROM: usize = 64;
/// The keys of a long bin (`TREEIFY_THRESHOLD`).
const LONG_BIN: usize = 8;

/// What has a `hashCode`.
pub(super) trait JavaHash: Eq {
    /// Its `hashCode`.
    fn java_hash(&self) -> i32;
}

impl JavaHash for Arc<str> {
    fn java_hash(&self) -> i32 {
        self.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
    }
}

impl JavaHash for TopicPartition {
    fn java_hash(&self) -> i32 {
        combine(31i32.wrapping_add(self.partition), self.topic.java_hash())
    }
}

impl JavaHash for (Arc<str>, Arc<str>) {
    fn java_hash(&self) -> i32 {
        combine(combine(1, self.0.java_hash()), self.1.java_hash())
    }
}

/// One step of the usual `hashCode` of an object with several fields.
fn combine(before: i32, field: i32) -> i32 {
    before.wrapping_mul(31).wrapping_add(field)
}

/// A key's hash as the table uses it (`HashMap.hash`).
fn spread(key: &impl JavaHash) -> usize {
    let hash = key.java_hash() as u32;
    (hash ^ (hash >> 16)) as usize
}

#[derive(Clone, Debug)]
struct Entry<K, V> {
    hash: usize,
    key: K,
    value: V,
}

/// The map.
#[derive(Clone, Debug)]
pub(super) struct JavaMap<K, V> {
    bins: Vec<Vec<Entry<K, V>>>,
    capacity: usize,
    len: usize,
}

impl<K, V> Default for JavaMap<K, V> {
    fn default() -> Self {
        Self { bins: Vec::new(), capacity: CAPACITY, len: 0 }
    }
}

impl<K: JavaHash, V> JavaMap<K, V> {
    /// An empty map with room for `capacity` keys (`new HashMap<>(capacity)`).
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bins: Vec::new(), capacity: capacity.max(1).next_power_of_two(), len: 0 }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, in Java's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.bins.iter().flatten().map(|entry| (&entry.key, &entry.value))
    }

    /// The keys, in Java's order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in Java's order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries, in Java's order, to change their values.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.bins.iter_mut().flatten().map(|entry| (&entry.key, &mut entry.value))
    }

    /// The entries, in Java's order.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        self.bins.into_iter().flatten().map(|entry| (entry.key, entry.value))
    }

    /// Whether `key` is there.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let hash = spread(key);
        let bin = self.bins.get(self.bin(hash))?;
        bin.iter().find(|entry| entry.hash == hash && entry.key == *key).map(|entry| &entry.value)
    }

    /// The value of `key`, to change it.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = spread(key);
        let bin = self.bin(hash);
        let mut entries = self.bins.get_mut(bin)?.iter_mut();
        let found = entries.find(|entry| entry.hash == hash && entry.key == *key);
        found.map(|entry| &mut entry.value)
    }

    /// Sets the value of `key` (`put`, `putIfAbsent` of a new key): a new key is the last of its bin.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<V> {
        if let Some(old) = self.get_mut(&key) {
            return Some(std::mem::replace(old, value));
        }
        if self.bins.is_empty() {
            self.grow();
        }
        let hash = spread(&key);
        let at = self.bin(hash);
        self.bins[at].push(Entry { hash, key, value });
        self.grow_if_long(at, LONG_BIN + 1);
        self.len += 1;
        if self.len > self.bins.len() * 3 / 4 {
            self.grow();
        }
        None
    }

    /// The value of `key`; a new key is the first of its bin (`computeIfAbsent`).
    pub(super) fn or_default(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        // It looks whether the table is full before a key is added, `put` afterwards.
        if self.len > self.bins.len() * 3 / 4 || self.bins.is_empty() {
            self.grow();
        }
        if !self.contains(key) {
            let hash = spread(key);
            let at = self.bin(hash);
            self.bins[at].insert(0, Entry { hash, key: key.clone(), value: V::default() });
            self.grow_if_long(at, LONG_BIN);
            self.len += 1;
        }
        self.get_mut(key).expect("it is there now")
    }

    /// The value of `key`; a new key is the last of its bin (`get`, then `put`).
    pub(super) fn or_put_default(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        if !self.contains(key) {
            self.put(key.clone(), V::default());
        }
        self.get_mut(key).expect("it is there now")
    }

    /// Takes `key` out.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let hash = spread(key);
        let at = self.bin(hash);
        let bin = self.bins.get_mut(at)?;
        let place = bin.iter().position(|entry| entry.hash == hash && entry.key == *key)?;
        self.len -= 1;
        Some(bin.remove(place).value)
    }

    /// Empties the map, which keeps its bins, and puts all of `other` into it.
    pub(super) fn refill(&mut self, other: Self) {
        self.bins.iter_mut().for_each(Vec::clear);
        self.len = 0;
        for (key, value) in other.into_entries() {
            self.put(key, value);
        }
    }

    /// The same entries in a map of their own (`new HashMap<>(map)`), which has as many bins as they need.
    pub(super) fn copied(self) -> Self {
        let mut copy = Self::with_capacity(self.len * 4 / 3 + 1);
        copy.refill(self);
        copy
    }

    fn bin(&self, hash: usize) -> usize {
        hash & self.bins.len().saturating_sub(1)
    }

    fn grow_if_long(&mut self, at: usize, length: usize) {
        if self.bins[at].len() >= length && self.bins.len() < LONG_BINS_FROM {
            self.grow();
        }
    }

    /// Twice the bins; the keys of a bin keep their order.
    fn grow(&mut self) {
        let bins = if self.bins.is_empty() { self.capacity } else { self.bins.len() * 2 };
        let mut grown: Vec<Vec<Entry<K, V>>> = (0..bins).map(|_| Vec::new()).collect();
        for entry in std::mem::take(&mut self.bins).into_iter().flatten() {
            grown[entry.hash & (bins - 1)].push(entry);
        }
        self.bins = grown;
    }
}

impl<K: JavaHash, V> FromIterator<(K, V)> for JavaMap<K, V> {
    /// Puts all into a new map, one after the other.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.put(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Java 17 printed these: `"orders".hashCode()` and so on.
    #[test]
    fn texts_and_partitions_hash_as_in_java() {
        assert_eq!(Arc::<str>::from("orders").java_hash(), -1_008_770_331);
        assert_eq!(Arc::<str>::from("").java_hash(), 0);
        assert_eq!(TopicPartition::new("orders", 7).java_hash(), -1_008_769_153);
        let pair = (Arc::<str>::from("a"), Arc::<str>::from("b"));
        assert_eq!(pair.java_hash(), 4066);
    }
}
