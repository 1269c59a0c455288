//! The data tree: znodes by path, and what a transaction does to them.
//!
//! # Replay
//!
//! A fuzzy snapshot ([`super::snapshot`]) holds each znode as of its own moment. Applying all transactions since the
//! snapshot began gives the same tree as if each had been applied once, in order:
//!
//! - A znode that is there is not created again, and one that is not there is neither deleted nor set; both are no
//!   error but `Failed`, which goes to no client.
//! - A znode's data and access control list are those of the last transaction that set them, so passing through
//!   earlier ones does no harm.
//! - pzxid, and the number of creates that cversion is made of, only move forward, and together: a znode is written
//!   whole, so its pzxid says which creates are counted. They also move when the child exists
//!   already, or is gone: it may be so only in the snapshot, which read it later than its parent (ZOOKEEPER-3125).
//! - A znode that is deleted takes with it what is below: in the order of the log there is nothing; in replay there
//!   may be what a later znode of the same name has, and all that is created again further on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::path::{self, ROOT, SPECIAL};
use super::txn::Lifetime;
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};
use crate::wire::zookeeper::{Acl, Code, EventKind, Stat};

/// The events that watches may get, in the order in which they happened.
pub type Changes = Vec<(EventKind, Arc<str>)>;

/// One znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    /// Its data.
    pub data: Option<Bytes>,
    /// The access control list.
    pub acl: Arc<[Acl]>,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last set its data.
    pub mzxid: Zxid,
    /// The transaction that last changed its children.
    pub pzxid: Zxid,
    /// When it was created, in milliseconds since 1970.
    pub ctime: i64,
    /// When its data was last set, in milliseconds since 1970.
    pub mtime: i64,
    /// Version of the data.
    pub version: i32,
    /// Version of the access control list.
    pub aversion: i32,
    /// How many children were created so far (the stored cversion); numbers sequential children.
    pub creates: i32,
    /// Names of its children.
    pub children: BTreeSet<Arc<str>>,
}

impl Znode {
    fn new(
        zxid: Zxid,
        time_ms: i64,
        lifetime: Lifetime,
        data: Option<Bytes>,
        acl: Arc<[Acl]>,
    ) -> Self {
        Self {
            data,
            acl,
            lifetime,
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            version: 0,
            aversion: 0,
            creates: 0,
            children: BTreeSet::new(),
        }
    }

    /// What clients see. A create and a delete of a child each add 1 to cversion, made of the creates and
    /// of the children that are left.
    pub fn stat(&self) -> Stat {
        let num_children = count(self.children.len());
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: self.lifetime.owner(),
            data_length: count(self.data.as_ref().map_or(0, Bytes::len)),
            num_children,
            pzxid: self.pzxid,
        }
    }

    fn encode(&self, to: &mut Writer) {
        to.buffer(self.data.as_deref());
        Acl::encode_list(&self.acl, to);
        self.lifetime.encode(to);
        [self.czxid, self.mzxid, self.pzxid].iter().for_each(|zxid| to.long(zxid.0));
        to.long(self.ctime);
        to.long(self.mtime);
        [self.version, self.aversion, self.creates].iter().for_each(|version| to.int(*version));
    }

    fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self {
            data: from.buffer()?,
            acl: Acl::decode_list(from)?.into(),
            lifetime: Lifetime::decode(from)?,
            czxid: Zxid(from.long()?),
            mzxid: Zxid(from.long()?),
            pzxid: Zxid(from.long()?),
            ctime: from.long()?,
            mtime: from.long()?,
            version: from.int()?,
            aversion: from.int()?,
            creates: from.int()?,
            children: BTreeSet::new(),
        })
    }
}

fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// A znode to be created.
#[derive(Clone, Debug)]
pub struct NewZnode {
    /// Its data.
    pub data: Option<Bytes>,
    /// The access control list.
    pub acl: Vec<Acl>,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// How many children the parent has had, this one included.
    pub parent_creates: i32,
}

/// All znodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    znodes: BTreeMap<Arc<str>, Znode>,
    ephemerals: BTreeMap<i64, BTreeSet<Arc<str>>>,
    /// Paths of containers and of znodes with a time to live.
    perishable: BTreeSet<Arc<str>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The tree of a new ensemble: the root and what ZooKeeper keeps for itself. Those do not count as
    /// created, so that a new root has cversion −1.
    pub fn new() -> Self {
        let mut tree = Self::empty();
        let open: Arc<[Acl]> = Acl::open().into();
        for path in SPECIAL {
            tree.insert(
                path.into(),
                Znode::new(Zxid(0), 0, Lifetime::Persistent, None, open.clone()),
            );
        }
        if let Some(root) = tree.znodes.get_mut(ROOT) {
            root.data = Some(Bytes::new());
        }
        tree
    }

    fn empty() -> Self {
        let (znodes, ephemerals) = (BTreeMap::new(), BTreeMap::new());
        Self { znodes, ephemerals, perishable: BTreeSet::new() }
    }

    /// The znode at `path`.
    pub fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)
    }

    /// How many znodes there are.
    pub fn len(&self) -> usize {
        self.znodes.len()
    }

    /// Never: the root is always there.
    pub fn is_empty(&self) -> bool {
        self.znodes.is_empty()
    }

    /// How much there is, in bytes of paths and data (`DataTree.approximateDataSize`).
    pub fn size_bytes(&self) -> usize {
        let size = |(path, znode): (&Arc<str>, &Znode)| {
            path.len() + znode.data.as_ref().map_or(0, Bytes::len)
        };
        self.znodes.iter().map(size).sum()
    }

    /// How many sessions' ephemeral znodes there are.
    pub fn ephemeral_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The ephemeral znodes of a session, in order of their paths.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = &Arc<str>> {
        self.ephemerals.get(&session).into_iter().flatten()
    }

    /// Every ephemeral znode with its owner, by owner and path.
    pub fn all_ephemerals(&self) -> Vec<(Arc<str>, i64)> {
        let owners = self.ephemerals.iter();
        owners.flat_map(|(&owner, paths)| paths.iter().map(move |p| (p.clone(), owner))).collect()
    }

    /// The containers and the znodes with a time to live.
    pub fn perishable(&self) -> impl Iterator<Item = (&Arc<str>, &Znode)> {
        self.perishable.iter().filter_map(|path| self.znodes.get_key_value(path))
    }

    /// How many znodes are below `path`.
    pub fn descendants(&self, path: &str) -> usize {
        if path == ROOT {
            return self.znodes.len() - 1;
        }
        let below = format!("{path}/");
        let range = (Bound::Included(below.as_str()), Bound::Unbounded);
        self.znodes.range::<str, _>(range).take_while(|(path, _)| path.starts_with(&below)).count()
    }

    fn insert(&mut self, path: Arc<str>, znode: Znode) {
        match znode.lifetime {
            Lifetime::Ephemeral { owner } => {
                self.ephemerals.entry(owner).or_default().insert(path.clone());
            }
            Lifetime::Container | Lifetime::Ttl { .. } => {
                self.perishable.insert(path.clone());
            }
            Lifetime::Persistent => {}
        }
        if &*path != ROOT
            && let Some(parent) = self.znodes.get_mut(path::parent(&path))
        {
            parent.children.insert(path::name(&path).into());
        }
        self.znodes.insert(path, znode);
    }

    /// Creates a znode.
    ///
    /// # Errors
    /// When it is there already or its parent is not: not in the order of the log, but when the log is
    /// replayed over a later snapshot.
    pub fn create(
        &mut self,
        zxid: Zxid,
        time_ms: i64,
        path: &Arc<str>,
        new: &NewZnode,
        changes: &mut Changes,
    ) -> Result<Stat, Code> {
        let exists = self.znodes.contains_key(path);
        let above = path::parent(path);
        let parent = self.znodes.get_mut(above).ok_or(Code::NO_NODE)?;
        if zxid >= parent.pzxid {
            (parent.pzxid, parent.creates) = (zxid, new.parent_creates);
        }
        if exists {
            return Err(Code::NODE_EXISTS);
        }
        let acl = if parent.acl[..] == new.acl[..] {
            parent.acl.clone() // most lists are the same one
        } else {
            new.acl.as_slice().into()
        };
        let znode = Znode::new(zxid, time_ms, new.lifetime, new.data.clone(), acl);
        let stat = znode.stat();
        self.insert(path.clone(), znode);
        changes.push((EventKind::Created, path.clone()));
        changes.push((EventKind::ChildrenChanged, above.into()));
        Ok(stat)
    }

    /// Deletes a znode.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete(
        &mut self,
        zxid: Zxid,
        path: &Arc<str>,
        changes: &mut Changes,
    ) -> Result<(), Code> {
        let above = path::parent(path);
        if let Some(parent) = self.znodes.get_mut(above) {
            parent.children.remove(path::name(path));
            parent.pzxid = parent.pzxid.max(zxid);
        }
        self.remove(path).ok_or(Code::NO_NODE)?;
        changes.push((EventKind::Deleted, path.clone()));
        changes.push((EventKind::ChildrenChanged, above.into()));
        Ok(())
    }

    /// Forgets a znode and what is below it, which is nothing but in replay.
    fn remove(&mut self, path: &str) -> Option<()> {
        let znode = self.znodes.remove(path)?;
        match znode.lifetime {
            Lifetime::Ephemeral { owner } => {
                if let Some(owned) = self.ephemerals.get_mut(&owner) {
                    owned.remove(path);
                    if owned.is_empty() {
                        self.ephemerals.remove(&owner);
                    }
                }
            }
            Lifetime::Container | Lifetime::Ttl { .. } => {
                self.perishable.remove(path);
            }
            Lifetime::Persistent => {}
        }
        for name in &znode.children {
            let _ = self.remove(&path::child(path, name));
        }
        Some(())
    }

    /// Sets a znode's data.
    ///
    /// # Errors
    /// When there is none.
    pub fn set_data(
        &mut self,
        zxid: Zxid,
        time_ms: i64,
        path: &Arc<str>,
        data: Option<Bytes>,
        version: i32,
        changes: &mut Changes,
    ) -> Result<Stat, Code> {
        let znode = self.znodes.get_mut(path).ok_or(Code::NO_NODE)?;
        (znode.data, znode.version, znode.mzxid, znode.mtime) = (data, version, zxid, time_ms);
        changes.push((EventKind::DataChanged, path.clone()));
        Ok(znode.stat())
    }

    /// Sets a znode's access control list, which triggers no watch.
    ///
    /// # Errors
    /// When there is none.
    pub fn set_acl(&mut self, path: &str, acl: &[Acl], aversion: i32) -> Result<Stat, Code> {
        let znode = self.znodes.get_mut(path).ok_or(Code::NO_NODE)?;
        (znode.acl, znode.aversion) = (acl.into(), aversion);
        Ok(znode.stat())
    }

    /// Adds every znode to a snapshot; parents come before their children.
    pub fn encode(&self, to: &mut Writer) {
        to.count(self.znodes.len());
        self.znodes.iter().for_each(|(path, znode)| Self::encode_znode(path, znode, to));
    }

    /// Adds one znode.
    pub fn encode_znode(path: &str, znode: &Znode, to: &mut Writer) {
        to.string(path);
        znode.encode(to);
    }

    /// Reads what [`Tree::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are no tree.
    pub fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        let count = from.count()?;
        Self::decode_znodes(from, count)
    }

    /// Reads so many znodes; parents come before their children.
    ///
    /// # Errors
    /// When the bytes are no tree.
    pub fn decode_znodes(from: &mut Reader, count: usize) -> Result<Self, JuteError> {
        let mut tree = Self::empty();
        for _ in 0..count {
            let path = from.string()?;
            tree.insert(path, Znode::decode(from)?);
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(parent_creates: i32, lifetime: Lifetime) -> NewZnode {
        NewZnode { data: None, acl: Acl::open(), lifetime, parent_creates }
    }

    fn create(tree: &mut Tree, zxid: i64, path: &str, creates: i32) -> Changes {
        let mut changes = Changes::new();
        let znode = new(creates, Lifetime::Persistent);
        tree.create(Zxid(zxid), 100 + zxid, &path.into(), &znode, &mut changes).unwrap();
        changes
    }

    #[test]
    fn a_fresh_root_is_as_in_zookeeper() {
        let tree = Tree::new();
        let stat = tree.get("/").unwrap().stat();
        assert_eq!((stat.cversion, stat.num_children, stat.data_length), (-1, 1, 0));
        assert_eq!(tree.get("/zookeeper").unwrap().stat().cversion, -2);
        assert_eq!(tree.descendants("/"), 3);
        assert_eq!(tree.descendants("/zookeeper"), 2);
    }

    #[test]
    fn counters_of_a_parent_move_with_its_children_only() {
        let mut tree = Tree::new();
        create(&mut tree, 1, "/a", 1);
        create(&mut tree, 2, "/a/b", 1);
        tree.delete(Zxid(3), &"/a/b".into(), &mut Changes::new()).unwrap();
        tree.set_data(Zxid(4), 9, &"/a".into(), None, 1, &mut Changes::new()).unwrap();
        tree.set_acl("/a", &Acl::open(), 1).unwrap();
        let stat = tree.get("/a").unwrap().stat();
        let expected = Stat {
            czxid: Zxid(1),
            mzxid: Zxid(4),
            pzxid: Zxid(3),
            ctime: 101,
            mtime: 9,
            version: 1,
            cversion: 2,
            aversion: 1,
            ..Stat::default()
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn changes_are_reported_in_the_order_of_zookeeper() {
        let mut tree = Tree::new();
        let made = create(&mut tree, 1, "/a", 1);
        assert_eq!(
            made,
            [(EventKind::Created, "/a".into()), (EventKind::ChildrenChanged, "/".into())]
        );
        let mut gone = Changes::new();
        tree.delete(Zxid(2), &"/a".into(), &mut gone).unwrap();
        assert_eq!(
            gone,
            [(EventKind::Deleted, "/a".into()), (EventKind::ChildrenChanged, "/".into())]
        );
    }

    #[test]
    fn ephemerals_are_known_by_their_session() {
        let mut tree = Tree::new();
        let znode = new(1, Lifetime::Ephemeral { owner: 5 });
        tree.create(Zxid(1), 0, &"/e".into(), &znode, &mut Changes::new()).unwrap();
        assert_eq!(tree.ephemerals(5).map(|path| &**path).collect::<Vec<_>>(), ["/e"]);
        assert_eq!(tree.get("/e").unwrap().stat().ephemeral_owner, 5);
        tree.delete(Zxid(2), &"/e".into(), &mut Changes::new()).unwrap();
        assert_eq!(tree.ephemeral_count(), 0);
    }

    #[test]
    fn replaying_what_a_later_state_contains_changes_nothing() {
        let mut tree = Tree::new();
        create(&mut tree, 1, "/a", 1);
        create(&mut tree, 2, "/b", 2);
        let before = tree.clone();
        let again = tree.create(
            Zxid(1),
            101,
            &"/a".into(),
            &new(1, Lifetime::Persistent),
            &mut Changes::new(),
        );
        assert_eq!((again, &tree), (Err(Code::NODE_EXISTS), &before));
    }

    #[test]
    fn a_tree_survives_its_bytes() {
        let mut tree = Tree::new();
        create(&mut tree, 1, "/a", 1);
        create(&mut tree, 2, "/a/b", 1);
        let znode = new(2, Lifetime::Ephemeral { owner: 5 });
        tree.create(Zxid(3), 0, &"/e".into(), &znode, &mut Changes::new()).unwrap();
        let znode = new(3, Lifetime::Container);
        tree.create(Zxid(4), 0, &"/c".into(), &znode, &mut Changes::new()).unwrap();
        let mut to = Writer::new();
        tree.encode(&mut to);
        assert_eq!(Tree::decode(&mut Reader::new(to.finish())), Ok(tree));
    }
}
