//! Watches: which connection wants events of which znode. They end with their connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::path;
use crate::vocab::ConnId;
use crate::wire::zookeeper::{AddWatchMode, EventKind, WatcherType};

/// The events that a watch gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Once, of data and existence (getData, exists).
    Data,
    /// Once, of children and deletion (getChildren).
    Child,
    /// Always, of one znode (addWatch).
    Persistent,
    /// Always, of data and existence of a znode and all below it (addWatch).
    Recursive,
}

impl From<AddWatchMode> for Table {
    fn from(mode: AddWatchMode) -> Self {
        match mode {
            AddWatchMode::Persistent => Self::Persistent,
            AddWatchMode::PersistentRecursive => Self::Recursive,
        }
    }
}

type Watchers = BTreeMap<Arc<str>, BTreeSet<ConnId>>;

/// All watches of a server.
#[derive(Debug, Default)]
pub struct Watches {
    data: Watchers,
    child: Watchers,
    persistent: Watchers,
    recursive: Watchers,
    by_conn: BTreeMap<ConnId, BTreeSet<(Table, Arc<str>)>>,
}

impl Watches {
    fn table(&mut self, table: Table) -> &mut Watchers {
        match table {
            Table::Data => &mut self.data,
            Table::Child => &mut self.child,
            Table::Persistent => &mut self.persistent,
            Table::Recursive => &mut self.recursive,
        }
    }

    /// Sets a watch; setting it twice is setting it once.
    pub fn add(&mut self, table: Table, path: &Arc<str>, conn: ConnId) {
        if self.by_conn.entry(conn).or_default().insert((table, path.clone())) {
            self.table(table).entry(path.clone()).or_default().insert(conn);
        }
    }

    /// How many watches are set.
    pub fn len(&self) -> usize {
        self.by_conn.values().map(BTreeSet::len).sum()
    }

    /// The paths that each connection watches for data or, since 3.6, for all below.
    pub fn data_by_conn(&self) -> BTreeMap<ConnId, BTreeSet<&Arc<str>>> {
        let mut all: BTreeMap<ConnId, BTreeSet<&Arc<str>>> = BTreeMap::new();
        for (conn, watches) in &self.by_conn {
            for (_, path) in watches.iter().filter(|(table, _)| *table != Table::Child) {
                all.entry(*conn).or_default().insert(path);
            }
        }
        all
    }

    /// Whether none is set.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.by_conn.is_empty()
    }

    /// Whether a watch is set.
    pub fn has(&self, path: &Arc<str>, conn: ConnId, watcher: WatcherType) -> bool {
        let Some(set) = self.by_conn.get(&conn) else { return false };
        meant(watcher).iter().any(|table| set.contains(&(*table, path.clone())))
    }

    /// Removes watches; says whether there were any.
    pub fn remove(&mut self, path: &Arc<str>, conn: ConnId, watcher: WatcherType) -> bool {
        let mut removed = false;
        for table in meant(watcher) {
            removed |= self.remove_one(*table, path, conn);
        }
        removed
    }

    fn remove_one(&mut self, table: Table, path: &Arc<str>, conn: ConnId) -> bool {
        let Some(set) = self.by_conn.get_mut(&conn) else { return false };
        if !set.remove(&(table, path.clone())) {
            return false;
        }
        if set.is_empty() {
            self.by_conn.remove(&conn);
        }
        let watchers = self.table(table);
        if let Some(conns) = watchers.get_mut(path) {
            conns.remove(&conn);
            if conns.is_empty() {
                watchers.remove(path);
            }
        }
        true
    }

    /// The connection is gone, and its watches.
    pub fn forget(&mut self, conn: ConnId) {
        for (table, path) in self.by_conn.get(&conn).cloned().unwrap_or_default() {
            self.remove_one(table, &path, conn);
        }
    }

    /// The connections that get this event, each once; one-shot watches are used up.
    pub fn trigger(&mut self, kind: EventKind, path: &Arc<str>) -> BTreeSet<ConnId> {
        let mut watchers = BTreeSet::new();
        if kind != EventKind::ChildrenChanged {
            watchers.extend(self.take(Table::Data, path));
            self.add_recursive(path, &mut watchers);
        }
        if matches!(kind, EventKind::ChildrenChanged | EventKind::Deleted) {
            watchers.extend(self.take(Table::Child, path));
        }
        watchers.extend(self.persistent.get(path).into_iter().flatten());
        watchers
    }

    fn take(&mut self, table: Table, path: &Arc<str>) -> BTreeSet<ConnId> {
        let conns = self.table(table).remove(path).unwrap_or_default();
        for conn in &conns {
            if let Some(set) = self.by_conn.get_mut(conn) {
                set.remove(&(table, path.clone()));
                if set.is_empty() {
                    self.by_conn.remove(conn);
                }
            }
        }
        conns
    }

    fn add_recursive(&self, path: &str, watchers: &mut BTreeSet<ConnId>) {
        if self.recursive.is_empty() {
            return;
        }
        let mut at = path;
        loop {
            watchers.extend(self.recursive.get(at).into_iter().flatten());
            if at == path::ROOT {
                return;
            }
            at = path::parent(at);
        }
    }
}

fn meant(watcher: WatcherType) -> &'static [Table] {
    match watcher {
        WatcherType::Children => &[Table::Child],
        WatcherType::Data => &[Table::Data],
        WatcherType::Any => &[Table::Data, Table::Child, Table::Persistent, Table::Recursive],
        WatcherType::Persistent => &[Table::Persistent],
        WatcherType::PersistentRecursive => &[Table::Recursive],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: ConnId = ConnId(1);

    fn fired(watches: &mut Watches, kind: EventKind, path: &str) -> usize {
        watches.trigger(kind, &path.into()).len()
    }

    #[test]
    fn a_watch_fires_once_however_often_it_was_set() {
        let mut watches = Watches::default();
        watches.add(Table::Data, &"/a".into(), ME);
        watches.add(Table::Data, &"/a".into(), ME);
        watches.add(Table::Data, &"/a".into(), ConnId(2));
        assert_eq!(fired(&mut watches, EventKind::ChildrenChanged, "/a"), 0);
        assert_eq!(fired(&mut watches, EventKind::DataChanged, "/a"), 2);
        assert_eq!(fired(&mut watches, EventKind::DataChanged, "/a"), 0);
        assert!(watches.is_empty());
    }

    #[test]
    fn a_deletion_is_one_event_for_a_client_that_watches_data_and_children() {
        let mut watches = Watches::default();
        watches.add(Table::Data, &"/a".into(), ME);
        watches.add(Table::Child, &"/a".into(), ME);
        assert_eq!(fired(&mut watches, EventKind::Deleted, "/a"), 1);
        assert!(watches.is_empty());
    }

    #[test]
    fn persistent_watches_stay_and_recursive_ones_cover_the_subtree_but_no_child_lists() {
        let mut watches = Watches::default();
        watches.add(Table::Persistent, &"/a".into(), ME);
        watches.add(Table::Recursive, &"/b".into(), ME);
        for _ in 0..2 {
            assert_eq!(fired(&mut watches, EventKind::ChildrenChanged, "/a"), 1);
            assert_eq!(fired(&mut watches, EventKind::DataChanged, "/a"), 1);
            assert_eq!(fired(&mut watches, EventKind::DataChanged, "/a/c"), 0);
            assert_eq!(fired(&mut watches, EventKind::Created, "/b/c/d"), 1);
            assert_eq!(fired(&mut watches, EventKind::ChildrenChanged, "/b"), 0);
            assert_eq!(fired(&mut watches, EventKind::DataChanged, "/bc"), 0);
        }
    }

    #[test]
    fn watches_are_removed_by_kind_and_with_their_connection() {
        let mut watches = Watches::default();
        let path: Arc<str> = "/a".into();
        watches.add(Table::Data, &path, ME);
        assert!(!watches.has(&path, ME, WatcherType::Children));
        assert!(watches.has(&path, ME, WatcherType::Any));
        assert!(!watches.remove(&path, ConnId(2), WatcherType::Any));
        assert!(watches.remove(&path, ME, WatcherType::Data));
        assert!(!watches.remove(&path, ME, WatcherType::Data));
        watches.add(Table::Child, &path, ME);
        watches.forget(ME);
        assert!(watches.is_empty());
        assert_eq!(fired(&mut watches, EventKind::ChildrenChanged, "/a"), 0);
    }
}
