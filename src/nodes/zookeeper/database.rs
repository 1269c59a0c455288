//! The replicated state: the tree and the sessions, and how a transaction changes them.
//!
//! Two servers that have applied the same transactions have the same state, to the byte of its snapshot.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::sessions::{Session, SessionTable};
use super::tree::{Changes, NewZnode, Tree};
use super::txn::{Record, Txn};
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};
use crate::wire::zookeeper::{Code, Stat};

/// The result of applying a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A znode was created.
    Created {
        /// Its path.
        path: Arc<str>,
        /// Its `Stat` right after.
        stat: Stat,
    },
    /// A znode was deleted.
    Deleted,
    /// Data was set.
    DataSet(Stat),
    /// An access control list was set.
    AclSet(Stat),
    /// A version was checked.
    Checked,
    /// A session was opened.
    SessionOpened,
    /// A session was closed.
    SessionClosed,
    /// All of these.
    Multi(Vec<Applied>),
    /// The request had failed.
    Failed(Code),
}

/// Tree and sessions as of one zxid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// The znodes.
    pub tree: Tree,
    /// The sessions.
    pub sessions: SessionTable,
    /// The last transaction that was applied.
    pub last_zxid: Zxid,
}

impl Database {
    /// Applies the next transaction; `changes` collects the events that watches may get.
    ///
    /// Applying a transaction that the state contains already is harmless, so that replay over a later state
    /// converges.
    pub fn apply(&mut self, txn: &Txn, changes: &mut Changes) -> Applied {
        self.last_zxid = self.last_zxid.max(txn.zxid);
        self.apply_record(txn, &txn.record, changes)
    }

    fn apply_record(&mut self, txn: &Txn, record: &Record, changes: &mut Changes) -> Applied {
        let (zxid, time_ms) = (txn.zxid, txn.time_ms);
        let tree = &mut self.tree;
        let applied = match record {
            Record::Create { path, data, acl, lifetime, parent_creates } => {
                let new = NewZnode {
                    data: data.clone(),
                    acl: acl.clone(),
                    lifetime: *lifetime,
                    parent_creates: *parent_creates,
                };
                tree.create(zxid, time_ms, path, &new, changes)
                    .map(|stat| Applied::Created { path: path.clone(), stat })
            }
            Record::Delete { path } => tree.delete(zxid, path, changes).map(|()| Applied::Deleted),
            Record::SetData { path, data, version } => tree
                .set_data(zxid, time_ms, path, data.clone(), *version, changes)
                .map(Applied::DataSet),
            Record::SetAcl { path, acl, aversion } => {
                tree.set_acl(path, acl, *aversion).map(Applied::AclSet)
            }
            Record::Check { .. } => Ok(Applied::Checked),
            Record::CreateSession { timeout_ms, password } => {
                let session = Session { timeout_ms: *timeout_ms, password: *password };
                self.sessions.open(txn.session, session);
                Ok(Applied::SessionOpened)
            }
            Record::CloseSession { ephemerals } => {
                for path in ephemerals {
                    // Gone already only when the log is replayed over a later state.
                    let _ = tree.delete(zxid, path, changes);
                }
                self.sessions.close(txn.session);
                Ok(Applied::SessionClosed)
            }
            Record::Error(code) => Err(*code),
            Record::Multi(records) => {
                let apply = |record| self.apply_record(txn, record, changes);
                Ok(Applied::Multi(records.iter().map(apply).collect()))
            }
        };
        applied.unwrap_or_else(Applied::Failed)
    }

    /// The bytes of a snapshot.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::new();
        to.long(self.last_zxid.0);
        self.sessions.encode(&mut to);
        self.tree.encode(&mut to);
        to.finish()
    }

    /// Reads the bytes of a snapshot.
    ///
    /// # Errors
    /// When they are no snapshot.
    pub fn decode(bytes: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(bytes);
        let last_zxid = Zxid(from.long()?);
        let sessions = SessionTable::decode(&mut from)?;
        Ok(Self { tree: Tree::decode(&mut from)?, sessions, last_zxid })
    }

    /// A hash over everything in it: equal for equal states, on every server and in every build.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.encode())
    }
}
