//! Which rows of the table a run asked for.
//!
//! A set for each thread, because a run has a thread of its own and `has` is called from pure functions that hold
//! nothing but a version. Nodes cannot read it, so it cannot change what they do.

use std::cell::Cell;

use super::{Change, TABLE};

thread_local! {
    static ASKED: Cell<Asked> = const { Cell::new(Asked(0)) };
}

/// A set of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(u128);

const _: () = assert!(TABLE.len() <= 128, "a change is a bit of the set");

impl Asked {
    /// The changes, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Change> {
        let changes = TABLE.iter().map(|row| row.change);
        changes.filter(move |change| self.0 & bit(*change) != 0)
    }
}

impl FromIterator<Change> for Asked {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self(changes.into_iter().fold(0, |set, change| set | bit(change)))
    }
}

const fn bit(change: Change) -> u128 {
    1 << change as u32
}

#[inline]
pub(super) fn note(change: Change) {
    ASKED.with(|asked| asked.set(Asked(asked.get().0 | bit(change))));
}

/// What this thread asked for since the last time, and starts over.
pub fn take_asked() -> Asked {
    ASKED.take()
}

/// Does what `work` says without noting what it asks for: looking at a run is not part of it.
pub fn unnoted<T>(work: impl FnOnce() -> T) -> T {
    let before = ASKED.get();
    let done = work();
    ASKED.set(before);
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
