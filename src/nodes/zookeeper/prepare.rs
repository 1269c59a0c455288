//! From a request to a transaction: every check, and every decision that is made once.
//!
//! A request is validated against the tree *and* what is proposed but not applied yet, so that any number
//! of transactions can be under way. A request that fails becomes a transaction too: it takes a zxid.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::acl::{AuthId, allows, fix_up};
use super::config::Config;
use super::database::Database;
use super::path::{self, SPECIAL};
use super::sessions::giver;
use super::tree::Znode;
use super::txn::{Lifetime, PASSWORD, Record, Txn};
use crate::vocab::{Mutant, Zxid};
use crate::wire::zookeeper::{
    Acl, Code, Create, Delete, MultiOp, SetData, VersionCheck, create_flags, op,
};

/// The longest time to live, in milliseconds (`EphemeralType.TTL.maxValue`).
const MAX_TTL_MS: i64 = (1 << 40) - 1;

/// The origin of a write.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The session.
    pub session: i64,
    /// Its number of the request.
    pub cxid: i32,
    /// The identities of its connection.
    pub ids: &'a [AuthId],
    /// The wall clock, in milliseconds since 1970.
    pub time_ms: i64,
    /// Whether the session is a local one of this server.
    pub is_local: bool,
}

/// A request that needs a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// create, create2, createContainer, createTTL.
    Create(Create),
    /// delete.
    Delete(Delete),
    /// setData.
    SetData(SetData),
    /// setACL.
    SetAcl {
        /// The znode.
        path: Arc<str>,
        /// The new list.
        acl: Vec<Acl>,
        /// The version that it must have; −1 for any.
        aversion: i32,
    },
    /// multi.
    Multi(Vec<MultiOp>),
    /// A new session.
    CreateSession {
        /// Its negotiated timeout, in milliseconds.
        timeout_ms: i32,
        /// Its password.
        password: [u8; PASSWORD],
    },
    /// closeSession, from the client or because the session expired.
    CloseSession,
    /// A write that is refused without a look at the tree; it takes a zxid too.
    Refused(Code),
    /// Removal of a container or of a znode whose time to live is over, if it is still childless.
    DeletePerished {
        /// The znode.
        path: Arc<str>,
    },
}

/// What the checks need to know of a znode.
#[derive(Clone, Debug)]
struct View {
    acl: Arc<[Acl]>,
    lifetime: Lifetime,
    version: i32,
    aversion: i32,
    creates: i32,
    children: usize,
}

impl View {
    fn of(znode: &Znode) -> Self {
        Self {
            acl: znode.acl.clone(),
            lifetime: znode.lifetime,
            version: znode.version,
            aversion: znode.aversion,
            creates: znode.creates,
            children: znode.children.len(),
        }
    }
}

/// A znode as the last proposed transaction leaves it; `None` when that deletes it.
#[derive(Clone, Debug)]
struct Change {
    zxid: Zxid,
    znode: Option<View>,
}

/// Makes transactions, and remembers what they will change until they are applied.
#[derive(Debug, Default)]
pub struct Preparer {
    last: Zxid,
    /// Times to live are allowed (`zookeeper.extendedTypesEnabled`).
    extended_types: bool,
    /// This server's id, if there are local sessions.
    local_sessions_of: Option<u8>,
    mutant: Option<Mutant>,
    outstanding: BTreeMap<Arc<str>, Change>,
    /// Which paths each proposed transaction touched, oldest first.
    touched: VecDeque<(Zxid, Arc<str>)>,
    /// What the write under way replaced, for a multi that fails.
    undo: Vec<(Arc<str>, Option<Change>)>,
    opening: BTreeSet<i64>,
    closing: BTreeSet<i64>,
}

impl Preparer {
    /// Goes on behind `last`.
    pub fn new(last: Zxid, config: &Config) -> Self {
        let (extended_types, mutant) = (config.extended_types, config.mutant);
        let local_sessions_of = config.local_sessions.then_some(config.server_id);
        Self { last, extended_types, local_sessions_of, mutant, ..Self::default() }
    }

    /// The last zxid that was assigned.
    pub fn last_zxid(&self) -> Zxid {
        self.last
    }

    /// Whether the session is there, or about to be, and not about to go.
    pub fn is_live(&self, state: &Database, session: i64) -> bool {
        let known = state.sessions.get(session).is_some() || self.opening.contains(&session);
        known && !self.closing.contains(&session)
    }

    /// Makes the transaction of a write; of a write that fails, an error.
    pub fn write(&mut self, state: &Database, by: Requester<'_>, write: Write) -> Txn {
        self.last = self.last.next();
        self.undo.clear();
        let record = Attempt { state, by, zxid: self.last, to: self }
            .write(write)
            .unwrap_or_else(Record::Error);
        let Requester { session, cxid, time_ms, .. } = by;
        Txn { session, cxid, zxid: self.last, time_ms, record }
    }

    /// Forgets what was outstanding only until this transaction: the tree has it now.
    pub fn applied(&mut self, txn: &Txn) {
        while let Some((zxid, path)) = self.touched.pop_front_if(|(zxid, _)| *zxid <= txn.zxid) {
            if self.outstanding.get(&path).is_some_and(|change| change.zxid == zxid) {
                self.outstanding.remove(&path);
            }
        }
        match txn.record {
            Record::CreateSession { .. } => self.opening.remove(&txn.session),
            Record::CloseSession { .. } => self.closing.remove(&txn.session),
            _ => false,
        };
    }

    /// How many znodes the proposed transactions change.
    #[cfg(test)]
    fn outstanding(&self) -> usize {
        self.outstanding.len()
    }
}

/// One write being validated.
struct Attempt<'a> {
    state: &'a Database,
    by: Requester<'a>,
    zxid: Zxid,
    to: &'a mut Preparer,
}

impl Attempt<'_> {
    fn write(&mut self, write: Write) -> Result<Record, Code> {
        match write {
            Write::CreateSession { timeout_ms, password } => {
                self.to.opening.insert(self.by.session);
                return Ok(Record::CreateSession { timeout_ms, password });
            }
            Write::DeletePerished { path } => return self.delete_perished(path),
            _ => {}
        }
        let is_closing = self.to.closing.contains(&self.by.session);
        let is_let_in = is_closing && self.to.mutant == Some(Mutant::CreateInClosingSession);
        if !self.to.is_live(self.state, self.by.session) && !is_let_in && !self.may_be_local() {
            return Err(Code::SESSION_EXPIRED);
        }
        match write {
            Write::Create(create) => self.create(create),
            Write::Delete(delete) => self.delete(delete),
            Write::SetData(set) => self.set_data(set),
            Write::SetAcl { path, acl, aversion } => self.set_acl(path, &acl, aversion),
            Write::Multi(ops) => Ok(self.multi(ops)),
            Write::CloseSession => Ok(self.close_session()),
            Write::Refused(code) => Err(code),
            Write::CreateSession { .. } | Write::DeletePerished { .. } => Err(Code::SYSTEM_ERROR),
        }
    }

    /// Whether the session may be a local one: of this server, or of another one
    /// (`LeaderSessionTracker.checkSession`).
    fn may_be_local(&self) -> bool {
        // There are no local sessions.
        let Some(me) = self.to.local_sessions_of else { return false };
        let session = self.by.session;
        let is_known = self.state.sessions.get(session).is_some()
            || self.to.opening.contains(&session)
            || self.to.closing.contains(&session);
        !is_known && (self.by.is_local || giver(session) != me)
    }

    fn view(&self, path: &str) -> Result<View, Code> {
        let view = match self.to.outstanding.get(path) {
            Some(change) => change.znode.clone(),
            None => self.state.tree.get(path).map(View::of),
        };
        view.ok_or(Code::NO_NODE)
    }

    fn change(&mut self, path: &Arc<str>, znode: Option<View>) {
        let change = Change { zxid: self.zxid, znode };
        let before = self.to.outstanding.insert(path.clone(), change);
        self.to.touched.push_back((self.zxid, path.clone()));
        self.to.undo.push((path.clone(), before));
    }

    fn allowed(&self, acl: &[Acl], perm: i32) -> Result<(), Code> {
        if allows(acl, perm, self.by.ids) { Ok(()) } else { Err(Code::NO_AUTH) }
    }

    fn lifetime(&self, create: &Create) -> Result<Lifetime, Code> {
        let with_ttl = matches!(
            create.flags,
            create_flags::PERSISTENT_WITH_TTL | create_flags::PERSISTENT_SEQUENTIAL_WITH_TTL
        );
        if !(create_flags::PERSISTENT..=create_flags::PERSISTENT_SEQUENTIAL_WITH_TTL)
            .contains(&create.flags)
        {
            return Err(Code::BAD_ARGUMENTS);
        }
        if with_ttl && !self.to.extended_types {
            return Err(Code::UNIMPLEMENTED);
        }
        let valid_ttl = (1..=MAX_TTL_MS).contains(&create.ttl_ms);
        if with_ttl != (create.op == op::CREATE_TTL) || (with_ttl && !valid_ttl) {
            return Err(Code::BAD_ARGUMENTS);
        }
        Ok(match (create.op, create.flags) {
            (op::CREATE_TTL, _) => Lifetime::Ttl { ms: create.ttl_ms },
            (op::CREATE_CONTAINER, _) => Lifetime::Container,
            (_, create_flags::EPHEMERAL | create_flags::EPHEMERAL_SEQUENTIAL) => {
                Lifetime::Ephemeral { owner: self.by.session }
            }
            // The flag of a container sent with another operation makes a plain znode, as measured.
            _ => Lifetime::Persistent,
        })
    }

    fn create(&mut self, create: Create) -> Result<Record, Code> {
        let lifetime = self.lifetime(&create)?;
        if matches!(lifetime, Lifetime::Ephemeral { .. }) && self.may_be_local() {
            let is_own = self.by.is_local;
            return Err(if is_own {
                Code::EPHEMERAL_ON_LOCAL_SESSION
            } else {
                Code::SESSION_EXPIRED
            });
        }
        if !create.path.contains('/') || create.path.contains('\0') {
            return Err(Code::BAD_ARGUMENTS);
        }
        let acl = fix_up(&create.acl, self.by.ids).ok_or(Code::INVALID_ACL)?;
        let above: Arc<str> = path::parent(&create.path).into();
        let mut parent = self.view(&above)?;
        self.allowed(&parent.acl, Acl::CREATE)?;
        let sequential = matches!(
            create.flags,
            create_flags::PERSISTENT_SEQUENTIAL
                | create_flags::EPHEMERAL_SEQUENTIAL
                | create_flags::PERSISTENT_SEQUENTIAL_WITH_TTL
        );
        let path = match sequential {
            true => path::sequential(&create.path, parent.creates),
            false => create.path,
        };
        if !path::is_valid(&path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        if self.view(&path).is_ok() {
            return Err(Code::NODE_EXISTS);
        }
        if matches!(parent.lifetime, Lifetime::Ephemeral { .. }) {
            return Err(Code::NO_CHILDREN_FOR_EPHEMERALS);
        }
        parent.creates = parent.creates.wrapping_add(1);
        parent.children += 1;
        let parent_creates = parent.creates;
        self.change(&above, Some(parent));
        let view = View {
            acl: acl.as_slice().into(),
            lifetime,
            version: 0,
            aversion: 0,
            creates: 0,
            children: 0,
        };
        self.change(&path, Some(view));
        Ok(Record::Create { path, data: create.data, acl, lifetime, parent_creates })
    }

    fn delete(&mut self, delete: Delete) -> Result<Record, Code> {
        let path = delete.path;
        if !path.contains('/') || SPECIAL.contains(&&*path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        let parent = self.view(path::parent(&path))?;
        self.allowed(&parent.acl, Acl::DELETE)?;
        let znode = self.view(&path)?;
        check_version(delete.version, znode.version)?;
        if znode.children > 0 {
            return Err(Code::NOT_EMPTY);
        }
        self.remove(&path);
        Ok(Record::Delete { path })
    }

    fn remove(&mut self, path: &Arc<str>) {
        let above: Arc<str> = path::parent(path).into();
        if let Ok(mut parent) = self.view(&above) {
            parent.children = parent.children.saturating_sub(1);
            self.change(&above, Some(parent));
        }
        self.change(path, None);
    }

    fn delete_perished(&mut self, path: Arc<str>) -> Result<Record, Code> {
        let znode = self.view(&path)?;
        if znode.children > 0 {
            return Err(Code::NOT_EMPTY);
        }
        if !matches!(znode.lifetime, Lifetime::Container | Lifetime::Ttl { .. }) {
            return Err(Code::BAD_VERSION);
        }
        self.remove(&path);
        Ok(Record::Delete { path })
    }

    fn set_data(&mut self, set: SetData) -> Result<Record, Code> {
        if !path::is_valid(&set.path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        let mut znode = self.view(&set.path)?;
        self.allowed(&znode.acl, Acl::WRITE)?;
        znode.version = next_version(set.version, znode.version)?;
        let version = znode.version;
        self.change(&set.path, Some(znode));
        Ok(Record::SetData { path: set.path, data: set.data, version })
    }

    fn set_acl(&mut self, path: Arc<str>, acl: &[Acl], aversion: i32) -> Result<Record, Code> {
        if !path::is_valid(&path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        let acl = fix_up(acl, self.by.ids).ok_or(Code::INVALID_ACL)?;
        let mut znode = self.view(&path)?;
        self.allowed(&znode.acl, Acl::ADMIN)?;
        znode.aversion = next_version(aversion, znode.aversion)?;
        znode.acl = acl.as_slice().into();
        let aversion = znode.aversion;
        self.change(&path, Some(znode));
        Ok(Record::SetAcl { path, acl, aversion })
    }

    fn check(&self, check: VersionCheck) -> Result<Record, Code> {
        if !path::is_valid(&check.path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        let znode = self.view(&check.path)?;
        self.allowed(&znode.acl, Acl::READ)?;
        check_version(check.version, znode.version)?;
        Ok(Record::Check { path: check.path, version: znode.version })
    }

    fn multi(&mut self, ops: Vec<MultiOp>) -> Record {
        let count = ops.len();
        let mut records = Vec::with_capacity(count);
        for op in ops {
            let record = match op {
                MultiOp::Create(create) => self.create(create),
                MultiOp::Delete(delete) => self.delete(delete),
                MultiOp::SetData(set) => self.set_data(set),
                MultiOp::Check(check) => self.check(check),
            };
            match record {
                Ok(record) => records.push(record),
                Err(code) => {
                    self.roll_back();
                    let failed = records.len();
                    let outcome = |at: usize| match at.cmp(&failed) {
                        std::cmp::Ordering::Less => Code::OK,
                        std::cmp::Ordering::Equal => code,
                        std::cmp::Ordering::Greater => Code::RUNTIME_INCONSISTENCY,
                    };
                    return Record::Multi(
                        (0..count).map(|at| Record::Error(outcome(at))).collect(),
                    );
                }
            }
        }
        Record::Multi(records)
    }

    fn roll_back(&mut self) {
        while let Some((path, before)) = self.to.undo.pop() {
            match before {
                Some(change) => self.to.outstanding.insert(path, change),
                None => self.to.outstanding.remove(&path),
            };
        }
    }

    fn close_session(&mut self) -> Record {
        let session = self.by.session;
        let mut ephemerals: BTreeSet<Arc<str>> =
            self.state.tree.ephemerals(session).cloned().collect();
        for (path, change) in &self.to.outstanding {
            let owner = change.znode.as_ref().map(|znode| znode.lifetime);
            if owner == Some(Lifetime::Ephemeral { owner: session }) {
                ephemerals.insert(path.clone());
            } else {
                ephemerals.remove(path);
            }
        }
        if self.to.mutant == Some(Mutant::LeaveEphemerals) {
            ephemerals.clear();
        }
        ephemerals.iter().for_each(|path| self.remove(path));
        self.to.closing.insert(session);
        Record::CloseSession { ephemerals: ephemerals.into_iter().collect() }
    }
}

fn check_version(expected: i32, version: i32) -> Result<(), Code> {
    if expected == -1 || expected == version { Ok(()) } else { Err(Code::BAD_VERSION) }
}

/// The version after this one; −1 is skipped, as it means "any".
fn next_version(expected: i32, version: i32) -> Result<i32, Code> {
    check_version(expected, version)?;
    Ok(match version.wrapping_add(1) {
        -1 => 0,
        next => next,
    })
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
