//! The logs of one partition's replicas, side by side: what they share is kept once.
//!
//! Logs that agree are one branch and differ only in how far along it they are; where a log parts from it, a
//! branch begins. So two logs are compared by comparing two [`Point`]s, however long they are. What is
//! committed and lies far back is folded away: memory does not grow with the length of a run.

use std::collections::VecDeque;

use crate::history::AppendedBatch;
use crate::vocab::{LeaderEpoch, Offset};

/// Committed batches that are kept; what lies further back is only known by its offset.
const COMMITTED_KEPT: u64 = 8_192;
/// Number of branches from which on those without a log are dropped.
const BRANCHES_MAX: usize = 16;

/// A record batch as the history has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// First offset.
    pub base: Offset,
    /// Last offset.
    pub last: Offset,
    /// Leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C.
    pub checksum: u32,
}

/// A log, as far as its content goes: so many batches along a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    branch: usize,
    /// Batches up to here, from the beginning of all logs.
    count: u64,
    /// The offset behind the last of them.
    pub end: Offset,
}

#[derive(Clone, Debug, Default)]
struct Branch {
    /// Where it parts from another; the first branch, and orphans, part from none.
    parent: Option<Point>,
    /// Batches before the first one kept here.
    first: u64,
    batches: VecDeque<Batch>,
}

/// All that is known of the content of a partition's logs.
#[derive(Clone, Debug)]
pub struct LogTree {
    branches: Vec<Option<Branch>>,
    root: usize,
    /// Batches that are folded away, and the offset behind them.
    folded: (u64, Offset),
}

impl Default for LogTree {
    fn default() -> Self {
        Self { branches: vec![Some(Branch::default())], root: 0, folded: (0, 0) }
    }
}

impl LogTree {
    fn branch(&self, point: Point) -> &Branch {
        self.branches[point.branch].as_ref().expect("a log is on it")
    }

    /// Whether a log is so short that its content is folded away, and cannot be compared any more.
    pub fn is_folded(&self, log: Point) -> bool {
        log.count < self.folded.0
    }

    /// Whether no log ever parted from another, as far as is known.
    pub fn is_one(&self) -> bool {
        self.branches.len() == 1
    }

    /// The last batch of a log, unless it is empty or folded.
    pub fn last(&self, log: Point) -> Option<Batch> {
        self.batch(log, log.count.checked_sub(1)?)
    }

    /// The first batch of a log behind what it begins with, if there is one and it is kept.
    pub fn after(&self, log: Point, beginning: Point) -> Option<Batch> {
        self.batch(log, beginning.count)
    }

    /// Batch number `index` of a log, counted from 0, if it is kept.
    fn batch(&self, log: Point, index: u64) -> Option<Batch> {
        if index >= log.count {
            return None;
        }
        let mut branch = self.branch(log);
        while index < branch.first {
            branch = self.branch(branch.parent?);
        }
        let at = usize::try_from(index - branch.first).expect("a deque's length fits");
        branch.batches.get(at).copied()
    }

    /// A log with one batch more. A log that is folded is to be followed with [`LogTree::refetched`].
    pub fn append(&mut self, log: Point, batch: Batch) -> Point {
        let next = Point { count: log.count + 1, end: batch.last + 1, ..log };
        let branch = self.branches[log.branch].as_mut().expect("a log is on it");
        let at = usize::try_from(log.count - branch.first).expect("a deque's length fits");
        if branch.batches.get(at) == Some(&batch) {
            return next;
        }
        let is_end = at == branch.batches.len();
        if is_end && self.branches.len() == 1 {
            self.branches[log.branch].as_mut().expect("just looked at").batches.push_back(batch);
            return next;
        }
        let same = self.branches.iter().enumerate().find_map(|(index, branch)| {
            let branch = branch.as_ref()?;
            let parts_here = branch.parent.is_some_and(|parent| parent.is_same(log));
            (parts_here && branch.batches.front() == Some(&batch)).then_some(index)
        });
        if let Some(branch) = same {
            return Point { branch, ..next };
        }
        if is_end {
            self.branches[log.branch].as_mut().expect("just looked at").batches.push_back(batch);
            return next;
        }
        let branch = Branch { parent: Some(log), first: log.count, batches: [batch].into() };
        Point { branch: self.add(branch), ..next }
    }

    fn add(&mut self, branch: Branch) -> usize {
        let free = self.branches.iter().position(Option::is_none);
        let index = free.unwrap_or(self.branches.len());
        if free.is_none() {
            self.branches.push(None);
        }
        self.branches[index] = Some(branch);
        index
    }

    /// A log that is folded, when the batch up to `last` came back to it: its content is known again from
    /// where the fold ends.
    pub fn refetched(&self, log: Point, last: Offset) -> Option<Point> {
        let (count, end) = self.folded;
        if last + 1 == end {
            return Some(Point { branch: self.root, count, end });
        }
        (last + 1 < end).then_some(Point { end: last + 1, ..log })
    }

    /// The beginning of all logs.
    pub fn empty(&self) -> Point {
        Point { branch: self.root, count: 0, end: 0 }
    }

    /// What is left of a log when everything from `to` on is cut; a batch that holds `to` goes whole.
    pub fn cut(&self, log: Point, to: Offset) -> Point {
        if to >= log.end {
            return log;
        }
        let mut log = log;
        loop {
            let branch = self.branch(log);
            let kept = branch.batches.partition_point(|batch| batch.last < to) as u64;
            let count = (branch.first + kept).min(log.count);
            let index = usize::try_from(count.saturating_sub(branch.first)).unwrap_or(0);
            if let Some(last) = index.checked_sub(1).and_then(|last| branch.batches.get(last)) {
                return Point { branch: log.branch, count, end: last.last + 1 };
            }
            match branch.parent {
                Some(parent) if to < parent.end => log = parent,
                Some(parent) => return parent,
                None if log.branch == self.root && to >= self.folded.1 => {
                    let (count, end) = self.folded;
                    return Point { branch: self.root, count, end };
                }
                // Folded: where the batches ended is not known any more; nothing is compared there.
                None => return Point { branch: self.root, count: 0, end: to.max(0) },
            }
        }
    }

    /// Whether `log` begins with all of `prefix`.
    pub fn holds(&self, log: Point, prefix: Point) -> bool {
        if log.branch == prefix.branch || prefix.count <= self.folded.0 {
            return log.count >= prefix.count;
        }
        self.common(log, prefix).count >= prefix.count
    }

    /// What two logs begin with in common.
    pub fn common(&self, a: Point, b: Point) -> Point {
        let mut a = a;
        loop {
            let mut other = b;
            loop {
                if other.branch == a.branch {
                    return if a.count <= other.count { a } else { other };
                }
                match self.branch(other).parent {
                    Some(parent) => other = parent,
                    None => break,
                }
            }
            match self.branch(a).parent {
                Some(parent) => a = parent,
                None => {
                    let (count, end) = self.folded;
                    return Point { branch: self.root, count, end };
                }
            }
        }
    }

    /// The batch of a log that holds `offset`, and the log up to and with it; `None` when it is not kept.
    pub fn holding(&self, log: Point, offset: Offset) -> Option<(Batch, Point)> {
        let before = self.cut(log, offset);
        if self.is_folded(before) || before.end > offset {
            return None;
        }
        let batch = self.batch(log, before.count)?;
        let up_to = self.cut(log, batch.last + 1);
        (batch.base <= offset).then_some((batch, up_to))
    }

    /// The part of a log below `offset`, known that `from` is a part of it: walks forward from there.
    pub fn up_to(&self, log: Point, from: Point, offset: Offset) -> Point {
        if log.end <= offset {
            return log;
        }
        let branch = self.branch(log);
        if from.branch != log.branch || from.count < branch.first {
            return self.cut(log, offset);
        }
        let (mut count, mut end) = (from.count, from.end);
        while count < log.count {
            let at = usize::try_from(count - branch.first).expect("a deque's length fits");
            match branch.batches.get(at) {
                Some(batch) if batch.last < offset => end = batch.last + 1,
                _ => break,
            }
            count += 1;
        }
        if count == from.count { from } else { Point { branch: log.branch, count, end } }
    }

    /// Whether there is something to fold, or to sweep.
    pub fn is_long(&self, committed: Point) -> bool {
        committed.count.saturating_sub(self.folded.0) > COMMITTED_KEPT
            || self.branches.len() > BRANCHES_MAX
    }

    /// Folds what is committed and far back; `users` are all points that are still asked about.
    pub fn fold(&mut self, committed: Point, users: impl Iterator<Item = Point> + Clone) {
        while committed.count.saturating_sub(self.folded.0) > COMMITTED_KEPT {
            // Where the committed log leaves the first branch.
            let mut leaves = committed;
            let mut next = None;
            while leaves.branch != self.root {
                let Some(parent) = self.branch(leaves).parent else { return };
                next = Some(leaves.branch);
                leaves = parent;
            }
            let root = self.branches[self.root].as_mut().expect("the first branch is there");
            if root.first < leaves.count
                && let Some(batch) = root.batches.pop_front()
            {
                root.first += 1;
                self.folded = (root.first, batch.last + 1);
            } else if let Some(next) = next {
                self.root = next;
                self.branches[next].as_mut().expect("just walked over").parent = None;
            } else {
                return;
            }
        }
        self.sweep(users);
    }

    /// Drops branches without a log, when there are many.
    fn sweep(&mut self, users: impl Iterator<Item = Point> + Clone) {
        if self.branches.len() <= BRANCHES_MAX {
            return;
        }
        let mut used = vec![false; self.branches.len()];
        used[self.root] = true;
        for user in users {
            let mut point = Some(user);
            while let Some(at) = point.filter(|at| !std::mem::replace(&mut used[at.branch], true)) {
                point = self.branch(at).parent;
            }
        }
        for (branch, used) in self.branches.iter_mut().zip(used) {
            if !used {
                *branch = None;
            }
        }
        while self.branches.last().is_some_and(Option::is_none) {
            self.branches.pop();
        }
    }

    /// How many batches are kept.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.branches.iter().flatten().map(|branch| branch.batches.len()).sum()
    }
}

impl From<&AppendedBatch> for Batch {
    fn from(batch: &AppendedBatch) -> Self {
        let AppendedBatch { base, last, leader_epoch, checksum } = *batch;
        Self { base, last, leader_epoch, checksum }
    }
}

impl Point {
    /// Whether two logs are the same, up to an end that lies on two branches.
    fn is_same(self, other: Self) -> bool {
        self.branch == other.branch && self.count == other.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: Offset, leader_epoch: LeaderEpoch) -> Batch {
        Batch { base, last: base + 1, leader_epoch, checksum: base as u32 }
    }

    fn log(branches: &mut LogTree, from: Point, epoch: LeaderEpoch, batches: i64) -> Point {
        (0..batches).fold(from, |log, _| branches.append(log, batch(log.end, epoch)))
    }

    #[test]
    fn logs_that_agree_are_one_branch() {
        let mut branches = LogTree::default();
        let empty = branches.empty();
        let a = log(&mut branches, empty, 0, 5);
        let b = log(&mut branches, empty, 0, 3);
        assert!(branches.is_one());
        assert!(branches.holds(a, b) && !branches.holds(b, a));
        assert_eq!(branches.common(a, b), b);
        assert_eq!((a.end, branches.last(b)), (10, Some(batch(4, 0))));
    }

    #[test]
    fn a_log_that_parts_shares_what_is_before_and_comes_back_by_truncation() {
        let mut branches = LogTree::default();
        let empty = branches.empty();
        let a = log(&mut branches, empty, 0, 5);
        let b = log(&mut branches, empty, 0, 3);
        let b = log(&mut branches, b, 1, 4);
        assert!(!branches.is_one());
        assert_eq!((branches.common(a, b).end, branches.holds(b, a)), (6, false));
        assert_eq!(branches.holding(b, 7).map(|(batch, _)| batch.leader_epoch), Some(1));
        let a = branches.cut(a, 7);
        assert_eq!(a.end, 6, "a batch that holds the target goes whole");
        let a = log(&mut branches, a, 1, 4);
        assert_eq!(a, b);
        assert_eq!(branches.cut(a, 2), branches.cut(b, 3));
    }

    #[test]
    fn what_is_below_an_offset_is_found_from_a_known_part() {
        let mut branches = LogTree::default();
        let empty = branches.empty();
        let a = log(&mut branches, empty, 0, 8);
        let known = branches.up_to(a, empty, 5);
        assert_eq!(known.end, 4);
        assert_eq!(branches.up_to(a, known, 12).end, 12);
        assert_eq!(branches.up_to(a, known, 99), a);
        let b = log(&mut branches, known, 1, 1);
        assert_eq!(branches.up_to(b, known, 6).end, 6);
    }

    #[test]
    fn a_log_ten_times_as_long_takes_no_more_memory() {
        let mut branches = LogTree::default();
        let mut log = branches.empty();
        let short = log;
        let mut kept = Vec::new();
        for round in 1..=11 {
            while log.end < round * 2 * COMMITTED_KEPT as i64 {
                log = branches.append(log, batch(log.end, 0));
                branches.fold(log, [log, short].into_iter());
            }
            kept.push(branches.kept());
        }
        assert_eq!(kept[1], kept[10]);
        assert!(branches.is_folded(short) && !branches.is_folded(log));
        let back = branches.refetched(short, log.end - 2 * COMMITTED_KEPT as i64 - 1);
        assert!(branches.holds(log, back.expect("it ends where the fold ends")));
    }

    #[test]
    fn a_committed_log_on_another_branch_becomes_the_first() {
        let mut branches = LogTree::default();
        let empty = branches.empty();
        let lost = log(&mut branches, empty, 0, 5);
        let mut kept = log(&mut branches, empty, 0, 3);
        for _ in 0..3 * COMMITTED_KEPT {
            kept = branches.append(kept, batch(kept.end, 1));
            branches.fold(kept, [kept, lost].into_iter());
        }
        assert!(branches.kept() as u64 <= COMMITTED_KEPT + 5);
        assert!(!branches.holds(lost, kept) && branches.is_folded(lost));
    }
}
