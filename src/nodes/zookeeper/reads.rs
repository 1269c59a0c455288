//! Reads: answered from the applied state, and the watches that they set.

use std::sync::Arc;

use super::acl::{AuthId, allows, masked};
use super::tree::Znode;
use super::watches::Table;
use super::{Running, Step};
use crate::vocab::{ConnId, Mutant};
use crate::wire::zookeeper::{
    Acl, Code, EventKind, MultiRead, MultiResult, Reply, Request, SetWatches, encode_event,
};

impl Running {
    pub(super) fn read(&mut self, at: &mut Step<'_>, conn: ConnId, xid: i32, request: Request) {
        let result = self.read_result(at, conn, request);
        self.reply(at, conn, xid, result);
    }

    fn read_result(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        request: Request,
    ) -> Result<Reply, Code> {
        match request {
            Request::Exists { path, watch } => self.exists(conn, &path, watch),
            Request::GetData { path, watch } => {
                let znode = self.readable(conn, &path)?;
                let reply = Reply::Data { data: znode.data.clone(), stat: znode.stat() };
                self.watch_if(watch, Table::Data, &path, conn);
                Ok(reply)
            }
            Request::GetChildren { path, watch } => {
                let children = self.readable(conn, &path)?.children.iter().cloned().collect();
                self.watch_if(watch, Table::Child, &path, conn);
                Ok(Reply::Children(children))
            }
            Request::GetChildren2 { path, watch } => {
                let znode = self.readable(conn, &path)?;
                let (children, stat) = (znode.children.iter().cloned().collect(), znode.stat());
                self.watch_if(watch, Table::Child, &path, conn);
                Ok(Reply::Children2 { children, stat })
            }
            Request::GetAcl { path } => self.get_acl(conn, &path),
            Request::MultiRead(reads) => {
                let result = |read| self.multi_read(conn, read).unwrap_or_else(MultiResult::Error);
                Ok(Reply::Multi(reads.into_iter().map(result).collect()))
            }
            Request::GetEphemerals { prefix } => {
                let session = self.session(conn);
                let all = matches!(prefix.trim(), "" | "/");
                let below = |path: &&Arc<str>| all || path.starts_with(&*prefix);
                Ok(Reply::Children(
                    self.state.tree.ephemerals(session).filter(below).cloned().collect(),
                ))
            }
            Request::GetAllChildrenNumber { path } => {
                self.readable(conn, &path)?;
                let below = self.state.tree.descendants(&path);
                Ok(Reply::Count(i32::try_from(below).unwrap_or(i32::MAX)))
            }
            Request::WhoAmI => {
                Ok(Reply::Identities(self.ids(conn).iter().map(AuthId::identity).collect()))
            }
            Request::AddWatch { path, mode } => {
                self.watches.add(mode.into(), &path, conn);
                Ok(Reply::WatchAdded(Code::OK))
            }
            Request::CheckWatches { path, watcher } => {
                self.found_watch(|running| running.watches.has(&path, conn, watcher))
            }
            Request::RemoveWatches { path, watcher } => {
                self.found_watch(|running| running.watches.remove(&path, conn, watcher))
            }
            Request::SetWatches(set) => {
                self.set_watches(at, conn, &set);
                Ok(Reply::Empty)
            }
            Request::Ping => Ok(Reply::Empty),
            _ => Err(Code::UNIMPLEMENTED),
        }
    }

    /// Everybody may ask, also for what may not be read (until 3.8.3), and watch what is not there.
    fn exists(&mut self, conn: ConnId, path: &Arc<str>, watch: bool) -> Result<Reply, Code> {
        if path.contains('\0') {
            return Err(Code::BAD_ARGUMENTS);
        }
        self.watch_if(watch, Table::Data, path, conn);
        let found = self.state.tree.get(path).map(Znode::stat);
        found.map(Reply::Stat).ok_or(Code::NO_NODE)
    }

    fn found_watch(&mut self, find: impl FnOnce(&mut Self) -> bool) -> Result<Reply, Code> {
        if find(self) { Ok(Reply::Empty) } else { Err(Code::NO_WATCHER) }
    }

    fn session(&self, conn: ConnId) -> i64 {
        self.connections.get(&conn).and_then(|connection| connection.session).unwrap_or(0)
    }

    fn ids(&self, conn: ConnId) -> &[AuthId] {
        self.connections.get(&conn).map_or(&[], |connection| &connection.ids)
    }

    fn readable(&self, conn: ConnId, path: &str) -> Result<&Znode, Code> {
        let znode = self.state.tree.get(path).ok_or(Code::NO_NODE)?;
        if allows(&znode.acl, Acl::READ, self.ids(conn)) { Ok(znode) } else { Err(Code::NO_AUTH) }
    }

    fn watch_if(&mut self, watch: bool, table: Table, path: &Arc<str>, conn: ConnId) {
        if watch {
            self.watches.add(table, path, conn);
        }
    }

    fn get_acl(&self, conn: ConnId, path: &str) -> Result<Reply, Code> {
        let znode = self.state.tree.get(path).ok_or(Code::NO_NODE)?;
        let ids = self.ids(conn);
        if !allows(&znode.acl, Acl::READ | Acl::ADMIN, ids) {
            return Err(Code::NO_AUTH);
        }
        let acl = match allows(&znode.acl, Acl::ADMIN, ids) {
            true => znode.acl.to_vec(),
            false => masked(&znode.acl),
        };
        Ok(Reply::Acl { acl, stat: znode.stat() })
    }

    fn multi_read(&self, conn: ConnId, read: MultiRead) -> Result<MultiResult, Code> {
        match read {
            MultiRead::GetData { path, .. } => {
                let znode = self.readable(conn, &path)?;
                Ok(MultiResult::GetData { data: znode.data.clone(), stat: znode.stat() })
            }
            MultiRead::GetChildren { path, .. } => {
                let children = self.readable(conn, &path)?.children.iter().cloned().collect();
                Ok(MultiResult::GetChildren(children))
            }
        }
    }

    /// Arms watches again, and tells at once of what happened since the client's last zxid.
    fn set_watches(&mut self, at: &mut Step<'_>, conn: ConnId, set: &SetWatches) {
        let mut since = set.relative_zxid;
        if at.config.is(Mutant::ArmWatchesFromNow) {
            since = self.last_zxid();
        }
        for path in &set.data {
            let missed = match self.state.tree.get(path) {
                None => Some(EventKind::Deleted),
                Some(znode) => (znode.mzxid > since).then_some(EventKind::DataChanged),
            };
            self.tell_or_arm(at, conn, missed, Table::Data, path);
        }
        for path in &set.exist {
            let missed = self.state.tree.get(path).map(|_| EventKind::Created);
            self.tell_or_arm(at, conn, missed, Table::Data, path);
        }
        for path in &set.child {
            let missed = match self.state.tree.get(path) {
                None => Some(EventKind::Deleted),
                Some(znode) => (znode.pzxid > since).then_some(EventKind::ChildrenChanged),
            };
            self.tell_or_arm(at, conn, missed, Table::Child, path);
        }
        if let Some(persistent) = &set.persistent {
            for path in &persistent.single {
                self.watches.add(Table::Persistent, path, conn);
            }
            for path in &persistent.recursive {
                self.watches.add(Table::Recursive, path, conn);
            }
        }
    }

    fn tell_or_arm(
        &mut self,
        at: &mut Step<'_>,
        conn: ConnId,
        missed: Option<EventKind>,
        table: Table,
        path: &Arc<str>,
    ) {
        match missed {
            Some(kind) => self.send(at, conn, encode_event(kind, path)),
            None => self.watches.add(table, path, conn),
        }
    }
}
