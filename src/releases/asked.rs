//! Which rows of the table a run asked for.
//!
//! A set for each thread, because a run has a thread of its own and `has` is called from pure functions that hold
//! nothing but a version. Nodes cannot read it, so it cannot change what they do.

use std::cell::Cell;

use super::{Change, TABLE};

/// Words of a set, of 64 changes each.
const WORDS: usize = 4;

thread_local! {
    static ASKED: [Cell<u64>; WORDS] = const { [const { Cell::new(0) }; WORDS] };
}

/// A set of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked([u64; WORDS]);

const _: () = assert!(TABLE.len() <= 64 * WORDS, "a change is a bit of the set");

/// The word of a change, and its bit there.
const fn place(change: Change) -> (usize, u64) {
    (change as usize / 64, 1 << (change as usize % 64))
}

impl Asked {
    /// The changes, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Change> {
        let changes = TABLE.iter().map(|row| row.change);
        changes.filter(move |change| {
            let (word, bit) = place(*change);
            self.0[word] & bit != 0
        })
    }
}

impl FromIterator<Change> for Asked {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        let mut set = Self::default();
        for change in changes {
            let (word, bit) = place(change);
            set.0[word] |= bit;
        }
        set
    }
}

#[inline]
pub(super) fn note(change: Change) {
    let (word, bit) = place(change);
    ASKED.with(|words| words[word].set(words[word].get() | bit));
}

fn get() -> Asked {
    ASKED.with(|words| Asked(words.each_ref().map(Cell::get)))
}

fn set(asked: Asked) {
    ASKED.with(|words| words.iter().zip(asked.0).for_each(|(word, to)| word.set(to)));
}

/// What this thread asked for since the last time, and starts over.
pub fn take_asked() -> Asked {
    let asked = get();
    set(Asked::default());
    asked
}

/// Does what `work` says without noting what it asks for: looking at a run is not part of it.
pub fn unnoted<T>(work: impl FnOnce() -> T) -> T {
    let before = get();
    let done = work();
    set(before);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::KafkaVersion;

    #[test]
    fn what_is_asked_for_is_noted_once_and_taken_once() {
        let kafka = KafkaVersion::new(2, 8);
        take_asked();
        assert!(kafka.has(Change::TopicIds) && kafka.has(Change::TopicIds));
        assert!(!kafka.has(Change::HaltOnShorterLeader));
        unnoted(|| kafka.has(Change::Zstd));
        let asked: Vec<_> = take_asked().iter().collect();
        assert_eq!(asked, [Change::HaltOnShorterLeader, Change::TopicIds]);
        assert_eq!(take_asked(), Asked::default());
        assert_eq!(Asked::from_iter(asked.clone()).iter().collect::<Vec<_>>(), asked);
    }
}
