//! Reads: answered from the applied state, and the watches that they set.

use std::sync::Arc;

use bytes::Bytes;

use super::acl::{AuthId, allows, masked};
use super::clients::Clients;
use super::database::Database;
use super::step::Step;
use super::tree::Znode;
use super::watches::Table;
use crate::vocab::{ConnId, Mutant};
use crate::wire::zookeeper::{
    Acl, Code, EventKind, MultiRead, MultiResult, Reply, Request, SetWatches, encode_event,
};

/// What one answer to a multiRead has at most, in bytes: it can name the same large znode thousands of times, and
/// ZooKeeper runs out of memory.
const MULTI_READ_BYTES_MAX: usize = 64 << 20;

/// Answers the reads of one connection.
pub(super) struct Reads<'a> {
    pub(super) db: &'a Database,
    pub(super) clients: &'a mut Clients,
    pub(super) conn: ConnId,
}

impl Reads<'_> {
    /// Answers a read.
    pub(super) fn read(&mut self, step: &mut Step<'_>, xid: i32, request: Request) {
        let result = self.read_result(step, request);
        self.clients.reply(step, self.conn, xid, self.db.last_zxid, result);
    }

    fn read_result(&mut self, step: &mut Step<'_>, request: Request) -> Result<Reply, Code> {
        match request {
            Request::Exists { path, watch } => self.exists(&path, watch),
            Request::GetData { path, watch } => {
                let znode = self.readable(&path)?;
                let reply = Reply::Data { data: znode.data.clone(), stat: znode.stat() };
                self.watch_if(watch, Table::Data, &path);
                Ok(reply)
            }
            Request::GetChildren { path, watch } => {
                let children = self.readable(&path)?.children.iter().cloned().collect();
                self.watch_if(watch, Table::Child, &path);
                Ok(Reply::Children(children))
            }
            Request::GetChildren2 { path, watch } => {
                let znode = self.readable(&path)?;
                let (children, stat) = (znode.children.iter().cloned().collect(), znode.stat());
                self.watch_if(watch, Table::Child, &path);
                Ok(Reply::Children2 { children, stat })
            }
            Request::GetAcl { path } => self.get_acl(&path),
            Request::MultiRead(reads) => {
                let mut room = MULTI_READ_BYTES_MAX;
                let result =
                    |read| self.multi_read(read, &mut room).unwrap_or_else(MultiResult::Error);
                Ok(Reply::Multi(reads.into_iter().map(result).collect()))
            }
            Request::GetEphemerals { prefix } => {
                let session = self.clients.session(self.conn);
                let all = matches!(prefix.trim(), "" | "/");
                let below = |path: &&Arc<str>| all || path.starts_with(&*prefix);
                Ok(Reply::Children(
                    self.db.tree.ephemerals(session).filter(below).cloned().collect(),
                ))
            }
            Request::GetAllChildrenNumber { path } => {
                self.readable(&path)?;
                let below = self.db.tree.descendants(&path);
                Ok(Reply::Count(i32::try_from(below).unwrap_or(i32::MAX)))
            }
            Request::WhoAmI => {
                Ok(Reply::Identities(self.ids().iter().map(AuthId::identity).collect()))
            }
            Request::AddWatch { path, mode } => {
                self.watch(mode.into(), &path);
                Ok(Reply::WatchAdded(Code::OK))
            }
            Request::CheckWatches { path, watcher } => {
                found_watch(self.clients.watches.has(&path, self.conn, watcher))
            }
            Request::RemoveWatches { path, watcher } => {
                found_watch(self.clients.watches.remove(&path, self.conn, watcher))
            }
            Request::SetWatches(set) => {
                self.set_watches(step, &set);
                Ok(Reply::Empty)
            }
            Request::Ping => Ok(Reply::Empty),
            _ => Err(Code::UNIMPLEMENTED),
        }
    }

    /// Needs no permission to read (until 3.8.3), and can watch for a znode that does not exist.
    fn exists(&mut self, path: &Arc<str>, watch: bool) -> Result<Reply, Code> {
        if path.contains('\0') {
            return Err(Code::BAD_ARGUMENTS);
        }
        self.watch_if(watch, Table::Data, path);
        let found = self.db.tree.get(path).map(Znode::stat);
        found.map(Reply::Stat).ok_or(Code::NO_NODE)
    }

    fn ids(&self) -> &[AuthId] {
        self.clients.ids(self.conn)
    }

    fn readable(&self, path: &str) -> Result<&Znode, Code> {
        let znode = self.db.tree.get(path).ok_or(Code::NO_NODE)?;
        if allows(&znode.acl, Acl::READ, self.ids()) { Ok(znode) } else { Err(Code::NO_AUTH) }
    }

    fn watch_if(&mut self, watch: bool, table: Table, path: &Arc<str>) {
        if watch {
            self.watch(table, path);
        }
    }

    fn watch(&mut self, table: Table, path: &Arc<str>) {
        self.clients.watches.add(table, path, self.conn);
    }

    fn get_acl(&self, path: &str) -> Result<Reply, Code> {
        let znode = self.db.tree.get(path).ok_or(Code::NO_NODE)?;
        let ids = self.ids();
        if !allows(&znode.acl, Acl::READ | Acl::ADMIN, ids) {
            return Err(Code::NO_AUTH);
        }
        let acl = match allows(&znode.acl, Acl::ADMIN, ids) {
            true => znode.acl.to_vec(),
            false => masked(&znode.acl),
        };
        Ok(Reply::Acl { acl, stat: znode.stat() })
    }

    /// One of the reads of a request. What has no room in the answer is an error.
    fn multi_read(&self, read: MultiRead, room: &mut usize) -> Result<MultiResult, Code> {
        let mut take = |bytes: usize| {
            *room = room.checked_sub(bytes).ok_or(Code::MARSHALLING_ERROR)?;
            Ok(())
        };
        match read {
            MultiRead::GetData { path, .. } => {
                let znode = self.readable(&path)?;
                take(znode.data.as_ref().map_or(0, Bytes::len))?;
                Ok(MultiResult::GetData { data: znode.data.clone(), stat: znode.stat() })
            }
            MultiRead::GetChildren { path, .. } => {
                let children = &self.readable(&path)?.children;
                // As pointers and in the answer.
                take(children.iter().map(|name| 24 + name.len()).sum())?;
                let children = children.iter().cloned().collect();
                Ok(MultiResult::GetChildren(children))
            }
        }
    }

    /// Sets the watches of a client that reconnected, and sends at once the events that it missed since its last
    /// zxid.
    fn set_watches(&mut self, step: &mut Step<'_>, set: &SetWatches) {
        let mut since = set.relative_zxid;
        if step.config.is(Mutant::ArmWatchesFromNow) {
            since = self.db.last_zxid;
        }
        for path in &set.data {
            let missed = match self.db.tree.get(path) {
                None => Some(EventKind::Deleted),
                Some(znode) => (znode.mzxid > since).then_some(EventKind::DataChanged),
            };
            self.send_or_watch(step, missed, Table::Data, path);
        }
        for path in &set.exist {
            let missed = self.db.tree.get(path).map(|_| EventKind::Created);
            self.send_or_watch(step, missed, Table::Data, path);
        }
        for path in &set.child {
            let missed = match self.db.tree.get(path) {
                None => Some(EventKind::Deleted),
                Some(znode) => (znode.pzxid > since).then_some(EventKind::ChildrenChanged),
            };
            self.send_or_watch(step, missed, Table::Child, path);
        }
        if let Some(persistent) = &set.persistent {
            for path in &persistent.single {
                self.watch(Table::Persistent, path);
            }
            for path in &persistent.recursive {
                self.watch(Table::Recursive, path);
            }
        }
    }

    fn send_or_watch(
        &mut self,
        step: &mut Step<'_>,
        missed: Option<EventKind>,
        table: Table,
        path: &Arc<str>,
    ) {
        match missed {
            Some(kind) => self.clients.send(step, self.conn, encode_event(kind, path)),
            None => self.watch(table, path),
        }
    }
}

fn found_watch(found: bool) -> Result<Reply, Code> {
    if found { Ok(Reply::Empty) } else { Err(Code::NO_WATCHER) }
}
