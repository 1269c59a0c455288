//! A map from the ids of a run to small values.

#[expect(
    clippy::disallowed_types,
    reason = "this map cannot be iterated, so its order cannot be seen; its hasher is fixed"
)]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Values under ids that [`Effects`](crate::vocab::step::Effects) gave out: unique numbers that
/// grow.
///
/// Connections live long beside timers that live a millisecond, so a slab with a sliding window of
/// ids would hold on to all that lies between; a hash map does not. Never give this type a way to
/// iterate: the order of a run must not come from it.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub struct IdMap<V>(HashMap<u64, V, BuildHasherDefault<IdHasher>>);

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<V: Copy> IdMap<V> {
    /// Puts `value` under `id`.
    ///
    /// # Panics
    /// When the id was used before.
    pub fn insert(&mut self, id: u64, value: V) {
        assert!(self.0.insert(id, value).is_none(), "id {id} was given out twice");
    }

    /// Puts `value` under `id`, which is there already.
    ///
    /// # Panics
    /// When the id is not there.
    pub fn replace(&mut self, id: u64, value: V) {
        *self.0.get_mut(&id).expect("only what is there is replaced") = value;
    }

    /// What lies under `id`.
    pub fn get(&self, id: u64) -> Option<V> {
        self.0.get(&id).copied()
    }

    /// Takes out what lies under `id`.
    pub fn remove(&mut self, id: u64) -> Option<V> {
        self.0.remove(&id)
    }

    /// How many ids there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// One multiplication. Ids count up, so their low bits spread over the buckets by themselves; the
/// product's high bits are what the map's tags are made of.
#[derive(Clone, Copy, Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("ids are u64");
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        let mut map = IdMap::default();
        (0..1_000u64).for_each(|id| map.insert(id * 7, id));
        map.replace(70, 11);
        assert_eq!(map.get(70), Some(11));
        assert_eq!(map.get(71), None);
        assert_eq!(map.remove(70), Some(11));
        assert_eq!(map.remove(70), None);
        assert_eq!(map.count(), 999);
    }

    #[test]
    #[should_panic(expected = "given out twice")]
    fn an_id_cannot_be_used_twice() {
        let mut map = IdMap::default();
        map.insert(1, ());
        map.insert(1, ());
    }
}
