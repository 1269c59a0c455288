//! The leader epoch cache (KIP-101): at which offset each leader epoch began, as far as a log holds it.

use super::checkpoint_lines::{CheckpointError, read_lines};
use crate::vocab::{LeaderEpoch, Offset};

/// "No such epoch" and "no such offset" in answers, as on the wire.
pub const UNDEFINED: i64 = -1;

/// An epoch and the offset behind its last record; both [`UNDEFINED`] when there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch, at most the one that was asked for.
    pub epoch: LeaderEpoch,
    /// First offset that is not of that epoch.
    pub end_offset: Offset,
}

impl EpochEnd {
    /// No answer.
    pub const UNDEFINED: Self = Self { epoch: UNDEFINED as LeaderEpoch, end_offset: UNDEFINED };
}

/// Leader epochs of one log with their start offsets, both rising; the file `leader-epoch-checkpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl EpochCache {
    /// The last epoch, if any record or election left one.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// Epochs and start offsets.
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// Notes that `epoch` starts at `start`, if it is newer than the last; entries that it contradicts (an
    /// epoch that starts no earlier) go. Returns whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch < 0 || start < 0 || self.latest().is_some_and(|latest| epoch <= latest) {
            return false;
        }
        while self.entries.last().is_some_and(|last| last.1 >= start) {
            self.entries.pop();
        }
        self.entries.push((epoch, start));
        true
    }

    /// Where `epoch` ends in a log that ends at `log_end`; the rule since 2.0 (KIP-279).
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> EpochEnd {
        if epoch < 0 {
            return EpochEnd::UNDEFINED;
        }
        let above = self.entries.partition_point(|entry| entry.0 <= epoch);
        match (above.checked_sub(1).map(|floor| self.entries[floor].0), self.entries.get(above)) {
            (Some(latest), None) if latest == epoch => EpochEnd { epoch, end_offset: log_end },
            (_, None) => EpochEnd::UNDEFINED,
            (floor, Some(higher)) => {
                EpochEnd { epoch: floor.unwrap_or(epoch), end_offset: higher.1 }
            }
        }
    }

    /// Where `epoch` ends, by the rule of 0.11–1.x (KIP-101): an offset alone, [`UNDEFINED`] for epochs
    /// before the first or behind the last entry.
    pub fn end_offset_for_kip101(&self, epoch: LeaderEpoch, log_end: Offset) -> Offset {
        if self.latest() == Some(epoch) {
            return log_end;
        }
        match self.entries.iter().find(|entry| entry.0 > epoch) {
            Some(higher) if epoch >= self.entries[0].0 => higher.1,
            _ => UNDEFINED,
        }
    }

    /// Drops the entries that start at `end` or behind it. Returns whether there were any.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.1 < end);
        self.entries.len() != before
    }

    /// Drops the entries below `start`, and moves the one that covers `start` there. Returns whether
    /// anything changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let covered = self.entries.partition_point(|entry| entry.1 <= start);
        if covered == 0 || self.entries[0].1 >= start {
            return false;
        }
        self.entries.drain(..covered - 1);
        self.entries[0].1 = start;
        true
    }

    /// Forgets everything. Returns whether there was anything.
    pub fn clear(&mut self) -> bool {
        let had = !self.entries.is_empty();
        self.entries.clear();
        had
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            text.push_str(&format!("{epoch} {start}\n"));
        }
        text
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is malformed, or its numbers do not rise.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let mut cache = Self::default();
        read_lines(text, |line, fields| {
            let error = CheckpointError { line };
            let [epoch, start] = fields else { return Err(error) };
            let epoch = epoch.parse().map_err(|_| error.clone())?;
            let start: Offset = start.parse().map_err(|_| error.clone())?;
            let rises = cache.entries.last().is_none_or(|last| last.0 < epoch && last.1 <= start);
            if !rises || epoch < 0 || start < 0 {
                return Err(error);
            }
            cache.entries.push((epoch, start));
            Ok(())
        })?;
        Ok(cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> EpochCache {
        let mut cache = EpochCache::default();
        for (epoch, start) in [(2, 5), (4, 10), (7, 20)] {
            assert!(cache.assign(epoch, start));
        }
        cache
    }

    #[test]
    fn the_end_of_an_epoch_follows_the_rule_since_2_0() {
        let cases = [
            (7, (7, 30)),
            (8, (-1, -1)),
            (-1, (-1, -1)),
            (6, (4, 20)),
            (4, (4, 20)),
            (3, (2, 10)),
            (2, (2, 10)),
            (1, (1, 5)),
            (0, (0, 5)),
        ];
        for (asked, (epoch, end_offset)) in cases {
            assert_eq!(
                cache().end_offset_for(asked, 30),
                EpochEnd { epoch, end_offset },
                "epoch {asked}"
            );
        }
        assert_eq!(EpochCache::default().end_offset_for(0, 30), EpochEnd::UNDEFINED);
    }

    #[test]
    fn the_end_of_an_epoch_follows_the_rule_of_kip_101() {
        let cases = [(7, 30), (8, -1), (6, 20), (4, 20), (3, 10), (2, 10), (1, -1), (-1, -1)];
        for (asked, end) in cases {
            assert_eq!(cache().end_offset_for_kip101(asked, 30), end, "epoch {asked}");
        }
        assert_eq!(EpochCache::default().end_offset_for_kip101(0, 30), -1);
    }

    #[test]
    fn only_newer_epochs_are_assigned_and_empty_ones_give_way() {
        let mut cache = cache();
        assert!(!cache.assign(7, 25));
        assert!(!cache.assign(3, 25));
        assert!(cache.assign(9, 20), "epoch 7 wrote nothing");
        assert_eq!(cache.entries(), [(2, 5), (4, 10), (9, 20)]);
    }

    #[test]
    fn truncation_trims_entries_from_either_end() {
        for (end, left) in [(21, 3), (20, 2), (11, 2), (10, 1), (5, 0), (0, 0)] {
            let mut cache = cache();
            cache.truncate_from_end(end);
            assert_eq!(cache.entries().len(), left, "end {end}");
        }
        for (start, first) in [(0, (2, 5)), (5, (2, 5)), (7, (2, 7)), (10, (4, 10)), (40, (7, 40))]
        {
            let mut cache = cache();
            cache.truncate_from_start(start);
            assert_eq!(cache.entries()[0], first, "start {start}");
        }
    }

    #[test]
    fn the_file_has_the_published_form() {
        let text = cache().to_text();
        assert_eq!(text, "0\n3\n2 5\n4 10\n7 20\n");
        assert_eq!(EpochCache::from_text(&text), Ok(cache()));
        let bad =
            ["", "1\n0\n", "0\n2\n1 1\n", "0\n1\n1\n", "0\n2\n2 5\n1 6\n", "0\n1\nx 1\n", "0\nx\n"];
        for text in bad {
            assert!(EpochCache::from_text(text).is_err(), "{text:?}");
        }
    }
}
