//! The one queue of the world.
//!
//! A binary heap of small entries; their content is in a slab, so that a sift moves 24
//! bytes. The order is (time, tie, sequence): ties of one moment are broken by the stream `sched`,
//! so that a run does not depend on the order in which code happened to schedule things, and other
//! seeds try other orders.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::vocab::{Seed, Stream, Time};

/// Below this length a heap is not worth compacting.
const COMPACTION_LEN_MIN: usize = 64;

/// What was scheduled, until it happens or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    time: Time,
    /// A number drawn from `sched`, then the low half of the sequence, which decides between equal
    /// draws.
    tie: u64,
    key: Key,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    item: Option<T>,
}

/// A queue of `T`s, each due at a time.
///
/// Cancelling is lazy: the entry stays in the heap, dead, until it comes up or until more than half
/// of the heap is dead, when all the dead ones go. A node that sets and cancels a timer per request
/// therefore holds no more than twice the memory of its live timers.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    ties: Stream,
    sequence: u32,
}

impl<T> Queue<T> {
    /// An empty queue, its ties broken by the stream `sched` of `seed`.
    pub fn new(seed: Seed) -> Self {
        Self {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            ties: seed.stream("sched"),
            sequence: 0,
        }
    }

    /// Schedules `item` at `time`.
    ///
    /// # Panics
    /// When four thousand million things are scheduled at once.
    pub fn push(&mut self, time: Time, item: T) -> Key {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize].item = Some(item);
                slot
            }
            None => {
                self.slots.push(Slot { generation: 0, item: Some(item) });
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 scheduled things")
            }
        };
        let key = Key { slot, generation: self.slots[slot as usize].generation };
        let tie = u64::from(self.ties.bits32()) << 32 | u64::from(self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        self.heap.push(Reverse(Entry { time, tie, key }));
        key
    }

    /// Takes back what was scheduled under `key`; `None` when it happened or was cancelled already.
    pub fn cancel(&mut self, key: Key) -> Option<T> {
        let item = self.take(key)?;
        if self.heap.len() > COMPACTION_LEN_MIN && self.live_len() < self.heap.len() / 2 {
            let slots = &self.slots;
            self.heap.retain(|Reverse(entry)| is_live(slots, entry.key));
        }
        Some(item)
    }

    /// Cancels everything that `doomed` picks; looks at each scheduled thing.
    pub fn cancel_all(&mut self, mut doomed: impl FnMut(&T) -> bool) {
        for slot in 0..self.slots.len() {
            let Slot { generation, item: Some(item) } = &self.slots[slot] else { continue };
            if doomed(item) {
                let key = Key { slot: slot as u32, generation: *generation };
                self.take(key);
            }
        }
        let slots = &self.slots;
        self.heap.retain(|Reverse(entry)| is_live(slots, entry.key));
    }

    /// Takes out everything that `picks` picks, with its time, in no order; looks at each scheduled thing.
    pub fn take_all(&mut self, mut picks: impl FnMut(&T) -> bool) -> Vec<(Time, T)> {
        let slots = &self.slots;
        let mut picked: Vec<(Time, Key)> = Vec::new();
        self.heap.retain(|Reverse(Entry { time, key, .. })| {
            let slot = &slots[key.slot as usize];
            let item = slot.item.as_ref().filter(|_| slot.generation == key.generation);
            let is_picked = item.is_some_and(&mut picks);
            if is_picked {
                picked.push((*time, *key));
            }
            item.is_some() && !is_picked
        });
        let mut take = |(time, key)| Some((time, self.take(key)?));
        picked.into_iter().filter_map(&mut take).collect()
    }

    /// When the next thing is due.
    pub fn next_at(&mut self) -> Option<Time> {
        loop {
            let Reverse(entry) = self.heap.peek()?;
            if is_live(&self.slots, entry.key) {
                return Some(entry.time);
            }
            self.heap.pop();
        }
    }

    /// Takes the next thing that is due at `until` or before.
    pub fn pop(&mut self, until: Time) -> Option<(Time, T)> {
        loop {
            if self.heap.peek()?.0.time > until {
                return None;
            }
            let Reverse(entry) = self.heap.pop()?;
            if let Some(item) = self.take(entry.key) {
                return Some((entry.time, item));
            }
        }
    }

    /// How many things are scheduled.
    pub fn live_len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Entries that the heap holds, the cancelled ones too.
    pub fn heap_len(&self) -> usize {
        self.heap.len()
    }

    fn take(&mut self, key: Key) -> Option<T> {
        let slot = &mut self.slots[key.slot as usize];
        if slot.generation != key.generation {
            return None;
        }
        let item = slot.item.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(item)
    }
}

fn is_live<T>(slots: &[Slot<T>], key: Key) -> bool {
    let slot = &slots[key.slot as usize];
    slot.generation == key.generation && slot.item.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_in_the_order_of_their_times() {
        let mut queue = Queue::new(Seed(1));
        for time in [5, 3, 9, 1, 7] {
            queue.push(Time(time), time);
        }
        let mut order = Vec::new();
        while let Some((time, item)) = queue.pop(Time(7)) {
            assert_eq!(time, Time(item));
            order.push(item);
        }
        assert_eq!(order, [1, 3, 5, 7]);
        assert_eq!(queue.next_at(), Some(Time(9)), "what is due later stays");
    }

    #[test]
    fn ties_are_broken_by_the_seed() {
        let order = |seed| {
            let mut queue = Queue::new(Seed(seed));
            (0..20).for_each(|item| _ = queue.push(Time(1), item));
            std::iter::from_fn(|| queue.pop(Time::MAX)).map(|(_, item)| item).collect::<Vec<i32>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn a_cancelled_thing_does_not_happen_and_its_key_is_dead() {
        let mut queue = Queue::new(Seed(1));
        let first = queue.push(Time(1), "first");
        queue.push(Time(2), "second");
        assert_eq!(queue.cancel(first), Some("first"));
        assert_eq!(queue.cancel(first), None);
        let reused = queue.push(Time(3), "third");
        assert_eq!(reused.slot, first.slot, "the slot is used again");
        assert_eq!(queue.cancel(first), None, "an old key does not reach the new thing");
        assert_eq!(queue.next_at(), Some(Time(2)));
        assert_eq!(queue.pop(Time::MAX), Some((Time(2), "second")));
        assert_eq!(queue.pop(Time::MAX), Some((Time(3), "third")));
        assert_eq!(queue.live_len(), 0);
    }

    #[test]
    fn a_million_cancelled_timers_leave_nothing_behind() {
        let mut queue = Queue::new(Seed(1));
        let live: Vec<Key> = (0..100).map(|n| queue.push(Time(1 << 40), n)).collect();
        for n in 0..1_000_000 {
            let key = queue.push(Time(1 << 41), n);
            queue.cancel(key);
            assert!(queue.heap_len() <= 2 * live.len() + 2, "{}", queue.heap_len());
        }
        assert_eq!(queue.live_len(), live.len());
        assert_eq!(queue.slots.len(), live.len() + 1);
    }
}
