//! The watches that a session has set, to set them again at another server.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::vocab::Zxid;
use crate::wire::zookeeper::{
    AddWatchMode, Code, EventKind, Request, SetWatches, WatchedEvent, WatcherType,
};

/// The most paths' bytes in one setWatches (`ClientCnxn.SET_WATCHES_MAX_LENGTH`).
const MAX_SET_WATCHES: usize = 128 * 1_024;

/// What a request does to the watches when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Data(Arc<str>),
    Exists(Arc<str>),
    Child(Arc<str>),
    Add(Arc<str>, AddWatchMode),
    Remove(Arc<str>, WatcherType),
}

impl Wanted {
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request {
            Request::GetData { path, watch: true } => Some(Self::Data(path.clone())),
            Request::Exists { path, watch: true } => Some(Self::Exists(path.clone())),
            Request::GetChildren { path, watch: true }
            | Request::GetChildren2 { path, watch: true } => Some(Self::Child(path.clone())),
            Request::AddWatch { path, mode } => Some(Self::Add(path.clone(), *mode)),
            Request::RemoveWatches { path, watcher } => Some(Self::Remove(path.clone(), *watcher)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Data,
    Exist,
    Child,
    Persistent,
    Recursive,
}

/// The watches that the server has, as far as the client knows.
#[derive(Debug, Default)]
pub(super) struct ArmedWatches {
    armed: BTreeSet<(Table, Arc<str>)>,
}

impl ArmedWatches {
    /// The request was answered, with an error or without.
    pub(super) fn answered(&mut self, wanted: Wanted, error: Option<Code>) {
        let armed = &mut self.armed;
        match (wanted, error) {
            (Wanted::Data(path) | Wanted::Exists(path), None) => {
                armed.insert((Table::Data, path));
            }
            (Wanted::Exists(path), Some(Code::NO_NODE)) => {
                armed.insert((Table::Exist, path));
            }
            (Wanted::Child(path), None) => {
                armed.insert((Table::Child, path));
            }
            (Wanted::Add(path, AddWatchMode::Persistent), None) => {
                armed.insert((Table::Persistent, path));
            }
            (Wanted::Add(path, AddWatchMode::PersistentRecursive), None) => {
                armed.insert((Table::Recursive, path));
            }
            (Wanted::Remove(path, watcher), None) => {
                let tables: &[Table] = match watcher {
                    WatcherType::Children => &[Table::Child],
                    WatcherType::Data => &[Table::Data, Table::Exist],
                    WatcherType::Any => &[
                        Table::Data,
                        Table::Exist,
                        Table::Child,
                        Table::Persistent,
                        Table::Recursive,
                    ],
                    WatcherType::Persistent => &[Table::Persistent],
                    WatcherType::PersistentRecursive => &[Table::Recursive],
                };
                self.disarm(tables, &path);
            }
            (_, Some(_)) => {}
        }
    }

    /// An event arrived: one-shot watches are used up.
    pub(super) fn fired(&mut self, event: &WatchedEvent) {
        let tables: &[Table] = match event.kind {
            EventKind::Created | EventKind::DataChanged => &[Table::Data, Table::Exist],
            EventKind::Deleted => &[Table::Data, Table::Exist, Table::Child],
            EventKind::ChildrenChanged => &[Table::Child],
        };
        self.disarm(tables, &event.path);
    }

    fn disarm(&mut self, tables: &[Table], path: &Arc<str>) {
        for table in tables {
            self.armed.remove(&(*table, path.clone()));
        }
    }

    /// The setWatches requests for the next server, each small enough for a frame.
    pub(super) fn set_watches(&self, last_zxid: Zxid) -> Vec<SetWatches> {
        let mut pieces = Vec::new();
        let mut piece = SetWatches { relative_zxid: last_zxid, ..SetWatches::default() };
        let mut bytes = 0;
        for (table, path) in &self.armed {
            if bytes > 0 && bytes + path.len() > MAX_SET_WATCHES {
                let next = SetWatches { relative_zxid: last_zxid, ..SetWatches::default() };
                pieces.push(std::mem::replace(&mut piece, next));
                bytes = 0;
            }
            bytes += path.len() + 4;
            let path = path.clone();
            match table {
                Table::Data => piece.data.push(path),
                Table::Exist => piece.exist.push(path),
                Table::Child => piece.child.push(path),
                Table::Persistent => piece.persistent.get_or_insert_default().single.push(path),
                Table::Recursive => piece.persistent.get_or_insert_default().recursive.push(path),
            }
        }
        if bytes > 0 {
            pieces.push(piece);
        }
        pieces
    }
}
