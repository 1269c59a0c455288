//! The znodes, as transactions make them: when each was created, set and deleted, and when its children changed.
//!
//! Servers report the transactions that they apply ([`ZooKeeperObservation::Stored`] and
//! [`ZooKeeperObservation::Removed`]); the first report counts. Some are never reported: a server's log may hold
//! transactions when it begins to serve that no server had applied, and they become part of the history. Those
//! ranges are quiet: what happened in them is not known.
//!
//! Memory is bounded: the last changes of each znode are kept, and the znodes that were deleted last. Up to where
//! something was forgotten is kept too, so that nothing is concluded from what is not there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::history::ZooKeeperObservation;
use crate::vocab::Zxid;

/// Changes that are remembered of each znode.
const CHANGES: usize = 128;
/// Znodes that are remembered when they are gone.
const GONE: usize = 4_096;
/// Quiet ranges that are kept; when there are more, the oldest two become one.
const QUIET: usize = 64;

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// The znode was created.
    Created,
    /// Its data was set.
    Set,
    /// It was deleted.
    Deleted,
}

/// A change that was not reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The transaction.
    pub zxid: Zxid,
    /// What it did.
    pub did: Did,
}

/// What watches can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Data and existence (getData, exists).
    Data,
    /// Children and deletion (getChildren).
    Child,
}

/// The last changes, oldest first; everything before the oldest is not known.
#[derive(Clone, Debug, Default)]
struct Changes<T> {
    known: VecDeque<(Zxid, T)>,
    /// Up to here some were forgotten.
    forgotten: Zxid,
}

impl<T> Changes<T> {
    /// Adds a change behind all others; whether it is new.
    fn push(&mut self, zxid: Zxid, what: T) -> bool {
        if self.known.back().is_some_and(|(last, _)| *last >= zxid) || self.forgotten >= zxid {
            return false;
        }
        if self.known.len() == CHANGES
            && let Some((oldest, _)) = self.known.pop_front()
        {
            self.forgotten = oldest;
        }
        self.known.push_back((zxid, what));
        true
    }

    /// The first one behind `zxid`.
    fn after(&self, zxid: Zxid) -> Option<&(Zxid, T)> {
        self.known.get(self.known.partition_point(|(known, _)| *known <= zxid))
    }

    /// The last one that is not behind `zxid`.
    fn upto(&self, zxid: Zxid) -> Option<&(Zxid, T)> {
        let behind = self.known.partition_point(|(known, _)| *known <= zxid);
        self.known.get(behind.checked_sub(1)?)
    }
}

#[derive(Clone, Debug, Default)]
struct Znode {
    /// The version of its data, or `None` when it was deleted.
    data: Changes<Option<i32>>,
    children: Changes<()>,
    /// The last transaction that did, or may have done, anything to it or its children.
    touched: Zxid,
}

impl Znode {
    /// A znode whose changes up to `forgotten` are not known.
    fn new(forgotten: Zxid) -> Self {
        let data = Changes { known: VecDeque::new(), forgotten };
        let children = Changes { known: VecDeque::new(), forgotten };
        Self { data, children, touched: forgotten }
    }
}

/// What is known of a znode at a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was created or set then, and has this version.
    There(Zxid, i32),
    /// It was deleted.
    Gone,
    /// It was not reported, or is forgotten.
    Nothing,
}

/// The first change behind a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstChange {
    /// There is none so far.
    None,
    /// This one.
    At(Zxid),
    /// Some are forgotten, so it is not known.
    Forgotten,
}

/// All znodes.
#[derive(Clone, Debug, Default)]
pub struct Znodes {
    paths: BTreeMap<Arc<str>, Znode>,
    /// Deletions, in their order.
    gone: VecDeque<(Zxid, Arc<str>)>,
    /// The last change of any znode that was forgotten.
    forgotten: Zxid,
    quiet: VecDeque<(Zxid, Zxid)>,
    last: Zxid,
    has_led: bool,
    fresh: Option<Change>,
}

/// The znode above.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

fn is_quiet(quiet: &VecDeque<(Zxid, Zxid)>, from: Zxid, to: Zxid) -> bool {
    quiet.iter().any(|(begin, end)| *begin < to && *end > from)
}

impl Znodes {
    /// The last transaction that was reported.
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// The change of the present observation, if it was not reported before.
    pub fn fresh(&self) -> Option<Change> {
        self.fresh
    }

    /// Folds in an event of a server.
    pub fn zookeeper(&mut self, did: &ZooKeeperObservation) {
        self.fresh = None;
        match did {
            ZooKeeperObservation::Stored { zxid, path, version, .. } => {
                self.changed(*zxid, path, Some(*version));
            }
            ZooKeeperObservation::Removed { zxid, path } => self.changed(*zxid, path, None),
            ZooKeeperObservation::Committed { zxid, .. }
            | ZooKeeperObservation::Written { zxid, .. } => self.last = self.last.max(*zxid),
            ZooKeeperObservation::Leading { zxid, .. } => {
                self.has_led = true;
                self.begins(*zxid);
            }
            ZooKeeperObservation::Recovered { zxid } if !self.has_led => self.begins(*zxid),
            _ => {}
        }
    }

    /// A history begins to be served that ends with `zxid`. The beginning of an epoch that came to nothing is no
    /// transaction; who follows then may never learn of it.
    fn begins(&mut self, zxid: Zxid) {
        let is_transaction = zxid.0 & 0xffff_ffff != 0;
        if zxid > self.last && is_transaction {
            self.quiet.push_back((self.last, zxid));
            if self.quiet.len() > QUIET
                && let Some((from, _)) = self.quiet.pop_front()
                && let Some(oldest) = self.quiet.front_mut()
            {
                oldest.0 = from;
            }
            self.last = zxid;
        }
    }

    fn changed(&mut self, zxid: Zxid, path: &Arc<str>, version: Option<i32>) {
        self.last = self.last.max(zxid);
        if !self.paths.contains_key(path) {
            if zxid <= self.forgotten {
                return;
            }
            self.paths.insert(path.clone(), Znode::new(self.forgotten));
        }
        let znode = self.paths.get_mut(path).expect("just inserted");
        if let Some((last, known)) = znode.data.known.back_mut()
            && *last == zxid
        {
            // A multi sets again what it has created or set; each server reports both.
            *known = (*known).max(version);
            return;
        }
        let before = znode.data.known.back().copied();
        if !znode.data.push(zxid, version) {
            return;
        }
        znode.touched = zxid;
        let did = match (version, before) {
            (None, _) => Did::Deleted,
            (Some(0), _) => Did::Created,
            // It was created and set by one transaction, unless its creation was not reported.
            (_, Some((since, None))) if !is_quiet(&self.quiet, since, zxid) => Did::Created,
            _ => Did::Set,
        };
        if did == Did::Deleted {
            znode.children.push(zxid, ());
            self.gone.push_back((zxid, path.clone()));
        }
        self.fresh = Some(Change { zxid, did });
        // What is set may have been created by the same transaction, unless it is known to have been there.
        let was_there = |(since, version): (Zxid, Option<i32>)| {
            version.is_some() && !is_quiet(&self.quiet, since, zxid)
        };
        if did != Did::Set || !before.is_some_and(was_there) {
            self.touch_parent(zxid, path, did != Did::Set);
        }
        self.forget_gone();
    }

    fn touch_parent(&mut self, zxid: Zxid, path: &str, is_certain: bool) {
        let above = parent(path);
        let znode = match self.paths.get_mut(above) {
            Some(znode) => znode,
            None => self.paths.entry(above.into()).or_insert_with(|| Znode::new(self.forgotten)),
        };
        znode.touched = znode.touched.max(zxid);
        if is_certain {
            znode.children.push(zxid, ());
        }
    }

    fn forget_gone(&mut self) {
        while self.gone.len() > GONE
            && let Some((zxid, path)) = self.gone.pop_front()
        {
            // It may have been created since, and deleted again: the last deletion counts.
            let last = self.paths.get(&path).and_then(|znode| znode.data.known.back());
            if last == Some(&(zxid, None))
                && let Some(znode) = self.paths.remove(&path)
            {
                self.forgotten = self.forgotten.max(znode.touched);
            }
        }
    }

    /// Whether something may have happened behind `from` and up to `to` that was not reported.
    pub fn is_quiet(&self, from: Zxid, to: Zxid) -> bool {
        is_quiet(&self.quiet, from, to)
    }

    /// What is known of a znode as of `zxid`.
    pub fn at(&self, path: &str, zxid: Zxid) -> Known {
        match self.paths.get(path).and_then(|znode| znode.data.upto(zxid)) {
            Some((since, _)) if self.is_quiet(*since, zxid) => Known::Nothing,
            Some((since, Some(version))) => Known::There(*since, *version),
            Some((_, None)) => Known::Gone,
            None => Known::Nothing,
        }
    }

    /// The first change behind `zxid` for which the watches of a table fire.
    pub fn first_change(&self, table: Table, path: &str, zxid: Zxid) -> FirstChange {
        let first = match (self.paths.get(path), table) {
            (None, _) => (None, self.forgotten),
            (Some(znode), Table::Data) => {
                (znode.data.after(zxid).map(|(zxid, _)| *zxid), znode.data.forgotten)
            }
            (Some(znode), Table::Child) => {
                (znode.children.after(zxid).map(|(zxid, ())| *zxid), znode.children.forgotten)
            }
        };
        match first {
            (_, forgotten) if forgotten > zxid => FirstChange::Forgotten,
            (Some(first), _) => FirstChange::At(first),
            (None, _) => FirstChange::None,
        }
    }

    /// The last transaction that did, or may have done, anything to a znode or its children.
    pub fn touched(&self, path: &str) -> Zxid {
        self.paths.get(path).map_or(self.forgotten, |znode| znode.touched)
    }

    /// Whether all changes of a znode behind `zxid` are known.
    pub fn remembers(&self, path: &str, zxid: Zxid) -> bool {
        let forgotten = self.paths.get(path).map_or(self.forgotten, |znode| znode.data.forgotten);
        forgotten <= zxid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(znodes: &mut Znodes, zxid: i64, path: &str, version: i32) -> Option<Did> {
        let (path, data) = (path.into(), "".into());
        let zxid = Zxid(zxid);
        znodes.zookeeper(&ZooKeeperObservation::Stored { zxid, path, version, data });
        znodes.fresh().map(|change| change.did)
    }

    fn removed(znodes: &mut Znodes, zxid: i64, path: &str) -> Option<Did> {
        let (zxid, path) = (Zxid(zxid), path.into());
        znodes.zookeeper(&ZooKeeperObservation::Removed { zxid, path });
        znodes.fresh().map(|change| change.did)
    }

    #[test]
    fn the_first_report_counts_and_all_changes_are_found_again() {
        let mut znodes = Znodes::default();
        assert_eq!(stored(&mut znodes, 1, "/a/b", 0), Some(Did::Created));
        assert_eq!(stored(&mut znodes, 1, "/a/b", 0), None);
        assert_eq!(stored(&mut znodes, 3, "/a/b", 1), Some(Did::Set));
        assert_eq!(removed(&mut znodes, 5, "/a/b"), Some(Did::Deleted));
        assert_eq!(znodes.at("/a/b", Zxid(0)), Known::Nothing);
        assert_eq!(znodes.at("/a/b", Zxid(2)), Known::There(Zxid(1), 0));
        assert_eq!(znodes.at("/a/b", Zxid(4)), Known::There(Zxid(3), 1));
        assert_eq!(znodes.at("/a/b", Zxid(9)), Known::Gone);
        let first = |table, path, zxid| znodes.first_change(table, path, Zxid(zxid));
        let at = |zxid| FirstChange::At(Zxid(zxid));
        assert_eq!(first(Table::Data, "/a/b", 1), at(3));
        assert_eq!(first(Table::Child, "/a/b", 1), at(5), "a deletion ends the watch");
        assert_eq!(first(Table::Child, "/a", 1), at(5), "data of a child does not count");
        assert_eq!(first(Table::Data, "/a", 0), FirstChange::None);
        assert_eq!(znodes.touched("/a"), Zxid(5));
    }

    #[test]
    fn a_multi_that_creates_and_sets_leaves_the_last_version() {
        let mut znodes = Znodes::default();
        assert_eq!(stored(&mut znodes, 1, "/a/b", 0), Some(Did::Created));
        stored(&mut znodes, 1, "/a/b", 1);
        // Another server reports the same transaction.
        stored(&mut znodes, 1, "/a/b", 0);
        stored(&mut znodes, 1, "/a/b", 1);
        assert_eq!(znodes.at("/a/b", Zxid(2)), Known::There(Zxid(1), 1));
        assert_eq!(stored(&mut znodes, 3, "/a/b", 2), Some(Did::Set));
    }

    #[test]
    fn what_a_new_leader_brings_is_not_known() {
        let mut znodes = Znodes::default();
        stored(&mut znodes, 1, "/a", 0);
        znodes.zookeeper(&ZooKeeperObservation::Leading { epoch: 2, zxid: Zxid(4), digest: 0 });
        assert_eq!(znodes.at("/a", Zxid(1)), Known::There(Zxid(1), 0));
        assert_eq!(znodes.at("/a", Zxid(4)), Known::Nothing, "it may have been deleted");
        assert!(znodes.is_quiet(Zxid(1), Zxid(2)) && !znodes.is_quiet(Zxid(4), Zxid(9)));
    }

    #[test]
    fn what_may_have_been_created_in_a_quiet_range_is_set_and_not_created() {
        for (quiet, did) in [(false, Did::Created), (true, Did::Set)] {
            let mut znodes = Znodes::default();
            stored(&mut znodes, 1, "/a/b", 0);
            removed(&mut znodes, 2, "/a/b");
            if quiet {
                let leading = ZooKeeperObservation::Leading { epoch: 2, zxid: Zxid(4), digest: 0 };
                znodes.zookeeper(&leading);
            }
            assert_eq!(stored(&mut znodes, 5, "/a/b", 1), Some(did));
            assert_eq!(znodes.touched("/a"), Zxid(5));
        }
    }

    #[test]
    fn the_beginning_of_an_epoch_is_nothing_to_know() {
        let mut znodes = Znodes::default();
        stored(&mut znodes, 1, "/a", 0);
        let zxid = Zxid::new(2, 0);
        znodes.zookeeper(&ZooKeeperObservation::Leading { epoch: 3, zxid, digest: 0 });
        assert_eq!((znodes.last(), znodes.is_quiet(Zxid(1), zxid)), (Zxid(1), false));
    }

    #[test]
    fn memory_is_bounded() {
        let mut znodes = Znodes::default();
        for number in 0..20_000 {
            let path = format!("/q/{number}");
            stored(&mut znodes, 2 * number + 1, &path, 0);
            removed(&mut znodes, 2 * number + 2, &path);
        }
        assert!(znodes.paths.len() <= GONE + 2, "{}", znodes.paths.len());
        assert_eq!(znodes.paths["/q"].children.known.len(), CHANGES);
        assert_eq!(znodes.first_change(Table::Child, "/q", Zxid(7)), FirstChange::Forgotten);
        assert_eq!(znodes.at("/q/19999", Zxid(50_000)), Known::Gone);
        assert!(!znodes.remembers("/q/3", Zxid(0)) && znodes.touched("/q/3") >= Zxid(8));
        assert_eq!(znodes.first_change(Table::Data, "/q/3", Zxid(8)), FirstChange::Forgotten);
        assert_eq!(stored(&mut znodes, 9, "/q/4", 0), None, "a late report of what is forgotten");
    }

    #[test]
    fn znodes_that_are_created_again_are_not_forgotten() {
        let mut znodes = Znodes::default();
        for round in 0..3 * GONE as i64 {
            stored(&mut znodes, 2 * round + 1, "/a", 0);
            removed(&mut znodes, 2 * round + 2, "/a");
            assert_eq!(znodes.touched("/a"), Zxid(2 * round + 2));
        }
        assert!(znodes.gone.len() <= GONE);
        assert_eq!(znodes.at("/a", Zxid(6 * GONE as i64)), Known::Gone);
        assert_eq!(znodes.forgotten, Zxid(0));
    }

    #[test]
    fn many_quiet_ranges_become_fewer_and_stay_quiet() {
        let mut znodes = Znodes::default();
        for round in 1..=2 * QUIET as i64 {
            stored(&mut znodes, 10 * round, "/a", 0);
            let zxid = Zxid(10 * round + 3);
            znodes.zookeeper(&ZooKeeperObservation::Leading { epoch: 2, zxid, digest: 0 });
        }
        assert_eq!(znodes.quiet.len(), QUIET);
        assert!(
            (1..=2 * QUIET as i64)
                .all(|round| { znodes.is_quiet(Zxid(10 * round), Zxid(10 * round + 3)) })
        );
    }
}
