//! What can be the committed offset of a partition: the one that was written last, and those that are being written.

use std::collections::VecDeque;

use crate::vocab::{NodeId, Offset, Time};

/// Offsets that are kept after they were replaced.
const REPLACED_MAX: usize = 64;
/// Offsets that are being written. A coordinator whose writes fail may accept ever more.
const OPEN_MAX: usize = 256;

/// An offset that all in-sync replicas of `__consumer_offsets` have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Since when the coordinator knows that.
    pub since: Time,
    /// The committed offset.
    pub offset: Offset,
    /// Where it is in `__consumer_offsets`.
    log_offset: Offset,
}

/// An offset that was accepted, and may be written or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    by: NodeId,
    offset: Offset,
}

/// The committed offset of one partition.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    written: Option<Written>,
    open: VecDeque<Open>,
    /// Offsets that were written before, each with the time at which another one replaced it.
    replaced: VecDeque<(Time, Offset)>,
    /// When the last of those was replaced that are kept no longer.
    replaced_until: Option<Time>,
    /// Whether more are being written than are kept.
    has_more: bool,
    /// Whether it was forgotten after it was written. The coordinator does not wait until that is written, too.
    is_forgotten: bool,
}

impl Committed {
    /// The offset that was written last.
    pub fn written_last(&self) -> Option<Written> {
        self.written.filter(|_| !self.is_forgotten)
    }

    /// Whether a coordinator can have this offset, or none, at some time since `since`.
    pub fn can_be(&self, offset: Option<Offset>, since: Time) -> bool {
        let is_unknown = self.replaced_until.is_some_and(|until| until >= since);
        if self.is_forgotten || self.has_more || is_unknown {
            return true;
        }
        let Some(offset) = offset else {
            return self
                .written
                .is_none_or(|written| written.since >= since && self.replaced.is_empty());
        };
        self.written.is_some_and(|written| written.offset == offset)
            || self.open.iter().any(|open| open.offset == offset)
            || self.replaced.iter().any(|(until, old)| *until >= since && *old == offset)
    }

    /// Whether an offset was written at some time, as far as that is kept.
    pub fn was_written(&self, offset: Offset) -> bool {
        self.is_forgotten
            || self.replaced_until.is_some()
            || self.written.is_some_and(|written| written.offset == offset)
            || self.replaced.iter().any(|(_, old)| *old == offset)
    }

    /// A coordinator accepted an offset.
    pub fn accepted(&mut self, by: NodeId, offset: Offset) {
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
            self.has_more = true;
        }
        self.open.push_back(Open { by, offset });
    }

    /// An offset is written.
    pub fn written(&mut self, time: Time, by: NodeId, offset: Offset, log_offset: Offset) {
        match self.open.iter().position(|open| open.by == by && open.offset == offset) {
            // Those that were accepted before lie below it in the log.
            Some(place) => drop(self.open.drain(..=place)),
            // It was accepted before the offset was forgotten: the coordinator does not keep it.
            None if self.is_forgotten && !self.has_more => return,
            None => {}
        }
        let is_below = self.written.is_some_and(|written| written.log_offset > log_offset);
        let replaced = if is_below { Some(offset) } else { self.written.map(|old| old.offset) };
        if let Some(replaced) = replaced {
            if self.replaced.len() == REPLACED_MAX {
                self.replaced_until = self.replaced.pop_front().map(|(until, _)| until);
            }
            self.replaced.push_back((time, replaced));
        }
        if is_below {
            return;
        }
        self.written = Some(Written { since: time, offset, log_offset });
        (self.is_forgotten, self.has_more) = (false, false);
    }

    /// It expired, or was deleted.
    pub fn forgotten(&mut self) {
        self.is_forgotten = true;
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Time = Time::from_millis;
    const NODE: NodeId = NodeId(1);

    #[test]
    fn what_was_written_last_counts_and_what_is_being_written_may() {
        let mut committed = Committed::default();
        assert!(committed.can_be(None, AT(0)) && !committed.can_be(Some(5), AT(0)));
        committed.accepted(NODE, 5);
        assert!(committed.can_be(None, AT(1)) && committed.can_be(Some(5), AT(1)));
        committed.written(AT(2), NODE, 5, 0);
        assert!(committed.can_be(None, AT(1)), "an answer of before");
        assert!(!committed.can_be(None, AT(3)) && committed.can_be(Some(5), AT(3)));
        committed.accepted(NODE, 6);
        committed.accepted(NODE, 7);
        committed.written(AT(6), NODE, 7, 2);
        assert!(!committed.can_be(Some(6), AT(7)), "7 lies above it in the log");
        assert!(committed.can_be(Some(5), AT(5)) && !committed.can_be(Some(5), AT(7)));
        committed.written(AT(8), NODE, 6, 1);
        assert_eq!(committed.written_last().map(|written| written.offset), Some(7));
        // The end of the log was lost: what is written now lies below.
        assert!(committed.was_written(6));
    }

    #[test]
    fn what_is_forgotten_may_be_there_until_something_else_is_written() {
        let mut committed = Committed::default();
        committed.written(AT(1), NODE, 5, 0);
        committed.forgotten();
        assert_eq!(committed.written_last(), None);
        assert!(committed.can_be(None, AT(2)) && committed.can_be(Some(5), AT(2)));
        committed.written(AT(3), NODE, 8, 3);
        assert!(committed.can_be(None, AT(4)), "8 was being written when 5 was forgotten");
        committed.accepted(NODE, 9);
        committed.written(AT(5), NODE, 9, 4);
        assert!(!committed.can_be(None, AT(6)));
    }
}
