//! The recent transactions of a server of an ensemble: it sends them to learners that lack them, and rebuilds its
//! state from them when the end of its log has to be truncated.

use std::collections::VecDeque;

use bytes::Bytes;

use super::database::Database;
use super::snapshot::Snapshot;
use super::tree::Changes;
use super::txn::Txn;
use crate::vocab::Zxid;
use crate::wire::jute::JuteError;

/// How many committed transactions count as being in memory (`zookeeper.commitLogCount`).
const COMMITTED_LOG: usize = 500;

/// A transaction and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub zxid: Zxid,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The last snapshot, and the log since some time before it.
#[derive(Debug, Default)]
pub struct History {
    /// The last snapshot; nothing when there was none.
    base: Option<Snapshot>,
    entries: VecDeque<Entry>,
    /// Entries up to here may be from before a leader's snapshot; they are not sent to learners.
    floor: Zxid,
    /// How many of `entries`, from the first, are committed as far as this server knows.
    committed: usize,
}

impl History {
    /// What recovery found: the snapshot that it began with and the entries of the log.
    pub fn new(base: Option<Snapshot>, entries: Vec<Entry>) -> Self {
        let committed = entries.len();
        let floor = base.as_ref().map_or(Zxid(0), |base| base.zxid);
        Self { base, entries: entries.into(), floor, committed }
    }

    /// Adds what was appended to the log; it is not committed yet.
    pub fn push(&mut self, zxid: Zxid, bytes: Bytes) {
        self.entries.push_back(Entry { zxid, bytes });
    }

    /// Everything up to `zxid` is committed.
    pub fn commit(&mut self, zxid: Zxid) {
        while self.entries.get(self.committed).is_some_and(|entry| entry.zxid <= zxid) {
            self.committed += 1;
        }
    }

    /// Everything in the log counts as committed: it is the history that a leader begins its epoch with.
    pub fn commit_all(&mut self) {
        self.committed = self.entries.len();
    }

    /// The entry of `zxid`.
    pub fn entry(&self, zxid: Zxid) -> Option<&Entry> {
        let index = self.entries.partition_point(|entry| entry.zxid < zxid);
        self.entries.get(index).filter(|entry| entry.zxid == zxid)
    }

    /// The entries behind `zxid`.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.zxid <= zxid);
        self.entries.range(first..)
    }

    /// The committed entries that count as being in memory.
    pub fn committed_log(&self) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        self.entries.range(self.in_memory()..self.committed)
    }

    fn in_memory(&self) -> usize {
        let usable = self.entries.partition_point(|entry| entry.zxid <= self.floor);
        self.committed.saturating_sub(COMMITTED_LOG).max(usable).min(self.committed)
    }

    /// The committed entries that only the log on disk has, from the last one at or before `zxid` on, if they and
    /// all behind them are few enough to be read: a third of the last snapshot's size, as
    /// `zookeeper.snapshotSizeFactor` says.
    pub fn logged_since(&self, zxid: Zxid) -> Option<impl Iterator<Item = &Entry>> {
        let end = self.in_memory();
        let behind = self.entries.partition_point(|entry| entry.zxid <= zxid);
        let first = behind.checked_sub(1).filter(|first| *first < end)?;
        if self.entries.get(first)?.zxid <= self.floor {
            return None;
        }
        let limit = self.base.as_ref().map_or(0, Snapshot::len) / 3;
        let size: usize = self.entries.range(first..).map(|entry| entry.bytes.len()).sum();
        (size <= limit).then(|| self.entries.range(first..end))
    }

    /// The sizes of the entries from `first` to `last`, in bytes.
    pub fn sizes(&self, first: Zxid, last: Zxid) -> impl Iterator<Item = usize> {
        let in_range = move |entry: &&Entry| (first..=last).contains(&entry.zxid);
        self.entries.iter().filter(in_range).map(|entry| entry.bytes.len())
    }

    /// Whether the end behind `zxid` can be cut off: not when the snapshot holds something of it
    /// (ZOOKEEPER-4837).
    pub fn can_truncate(&self, zxid: Zxid) -> bool {
        self.base.as_ref().is_none_or(|base| base.contains <= zxid)
    }

    /// Cuts off the end behind `zxid`.
    pub fn truncate(&mut self, zxid: Zxid) {
        while self.entries.back().is_some_and(|entry| entry.zxid > zxid) {
            self.entries.pop_back();
        }
        self.committed = self.committed.min(self.entries.len());
    }

    /// The state that snapshot and log contain.
    ///
    /// # Errors
    /// When the bytes are damaged; they were read or written by this process, so they are not.
    pub fn state(&self) -> Result<Database, JuteError> {
        let mut state = match &self.base {
            Some(base) => base.state()?,
            None => Database::default(),
        };
        self.bring_up(&mut state)?;
        Ok(state)
    }

    /// Applies to `state` the entries behind it.
    ///
    /// # Errors
    /// See [`History::state`].
    pub fn bring_up(&self, state: &mut Database) -> Result<(), JuteError> {
        for entry in self.after(state.last_zxid) {
            state.apply(&Txn::decode(entry.bytes.clone())?, &mut Changes::new());
        }
        Ok(())
    }

    /// A snapshot was taken: entries that are not needed any more are dropped. `keep_from` is the first entry of
    /// the log file that continues behind the snapshot.
    pub fn snapshot(&mut self, snapshot: Snapshot, keep_from: Zxid) {
        let limit = snapshot.len() / 3;
        self.base = Some(snapshot);
        let mut size: usize = self.entries.iter().map(|entry| entry.bytes.len()).sum();
        while self.committed > COMMITTED_LOG
            && self.entries.front().is_some_and(|entry| entry.zxid < keep_from)
            && size > limit
            && let Some(oldest) = self.entries.pop_front()
        {
            size -= oldest.bytes.len();
            self.committed -= 1;
        }
    }

    /// A leader's snapshot replaces everything.
    pub fn install(&mut self, snapshot: Snapshot) {
        *self = Self::new(Some(snapshot), Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::super::txn::Record;
    use super::*;
    use crate::wire::zookeeper::Code;

    fn bytes(zxid: i64) -> Bytes {
        let record = Record::Error(Code::NO_NODE);
        Txn { session: 1, cxid: 1, zxid: Zxid(zxid), time_ms: 0, record }.encode()
    }

    fn history(zxids: std::ops::RangeInclusive<i64>) -> History {
        let entries =
            zxids.map(|zxid| Entry { zxid: Zxid(zxid), bytes: bytes(zxid) }).collect::<Vec<_>>();
        History::new(None, entries)
    }

    #[test]
    fn only_what_is_committed_and_recent_is_in_the_committed_log() {
        let mut history = history(1..=600);
        history.push(Zxid(601), bytes(601));
        let ends = |history: &History| {
            let mut log = history.committed_log();
            (log.next().map(|e| e.zxid.0), log.next_back().map(|e| e.zxid.0))
        };
        assert_eq!(ends(&history), (Some(101), Some(600)));
        history.commit(Zxid(601));
        assert_eq!(ends(&history), (Some(102), Some(601)));
    }

    #[test]
    fn a_cut_end_is_no_part_of_the_state() {
        let mut history = history(1..=3);
        assert_eq!(history.state().unwrap().last_zxid, Zxid(3));
        history.truncate(Zxid(2));
        assert_eq!(history.state().unwrap().last_zxid, Zxid(2));
        assert!(history.entry(Zxid(3)).is_none());
        let snapshot = Snapshot::of(&history.state().unwrap());
        history.snapshot(snapshot, Zxid(3));
        assert!(history.can_truncate(Zxid(2)) && !history.can_truncate(Zxid(1)));
    }

    #[test]
    fn the_log_on_disk_is_read_only_when_it_is_small_beside_the_snapshot() {
        let mut history = history(1..=510);
        assert!(history.logged_since(Zxid(5)).is_none(), "there is no snapshot");
        history.snapshot(Snapshot::of_len(Zxid(1), 100_000), Zxid(2));
        let since: Vec<i64> = history.logged_since(Zxid(5)).unwrap().map(|e| e.zxid.0).collect();
        assert_eq!(since, [5, 6, 7, 8, 9, 10]);
        history.snapshot(Snapshot::of_len(Zxid(1), 1_000), Zxid(2));
        assert!(history.logged_since(Zxid(5)).is_none());
    }

    #[test]
    fn a_snapshot_lets_go_what_is_old() {
        let mut history = history(1..=2_000);
        history.snapshot(Snapshot::of_len(Zxid(1_900), 300), Zxid(1_901));
        assert_eq!(history.entries.front().map(|e| e.zxid), Some(Zxid(1_501)));
        assert_eq!(history.committed_log().count(), COMMITTED_LOG);
    }
}
