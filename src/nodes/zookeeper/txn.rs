//! Transactions: the content of the log, on which an ensemble agrees.
//!
//! A transaction contains results, not requests: the final path, the new version of the data. So applying it needs
//! no decision, every server gets the same tree, and applying it again changes nothing.

use std::sync::Arc;

use bytes::Bytes;

use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};
use crate::wire::zookeeper::{Acl, Code, op};

/// Bytes of a session's password.
pub const PASSWORD: usize = 16;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    /// The session that asked for it.
    pub session: i64,
    /// The session's number of the request.
    pub cxid: i32,
    /// Its place in the order of all transactions.
    pub zxid: Zxid,
    /// The wall clock of the server that made it, in milliseconds since 1970.
    pub time_ms: i64,
    /// What it does.
    pub record: Record,
}

/// How long a znode stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is deleted.
    Persistent,
    /// Until the session ends.
    Ephemeral {
        /// The session.
        owner: i64,
    },
    /// Until some time after its last child is deleted.
    Container,
    /// Until it was childless and unchanged for so many milliseconds.
    Ttl {
        /// Its time to live.
        ms: i64,
    },
}

impl Lifetime {
    /// What a `Stat` says: the session of an ephemeral znode, 0 for every other.
    pub fn owner(self) -> i64 {
        match self {
            Self::Ephemeral { owner } => owner,
            _ => 0,
        }
    }

    pub(super) fn encode(self, to: &mut Writer) {
        let (kind, value) = match self {
            Self::Persistent => (0, 0),
            Self::Ephemeral { owner } => (1, owner),
            Self::Container => (2, 0),
            Self::Ttl { ms } => (3, ms),
        };
        to.int(kind);
        to.long(value);
    }

    pub(super) fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        let (kind, value) = (from.int()?, from.long()?);
        Ok(match kind {
            0 => Self::Persistent,
            1 => Self::Ephemeral { owner: value },
            2 => Self::Container,
            3 => Self::Ttl { ms: value },
            other => return Err(JuteError::Unknown(other)),
        })
    }
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A znode is created.
    Create {
        /// Its final path.
        path: Arc<str>,
        /// Its data.
        data: Option<Bytes>,
        /// Its access control list.
        acl: Vec<Acl>,
        /// How long it stays.
        lifetime: Lifetime,
        /// How many children the parent has had, this one included.
        parent_creates: i32,
    },
    /// A znode is deleted.
    Delete {
        /// Its path.
        path: Arc<str>,
    },
    /// A znode's data is set.
    SetData {
        /// Its path.
        path: Arc<str>,
        /// The data.
        data: Option<Bytes>,
        /// The version that it has now.
        version: i32,
    },
    /// A znode's access control list is set.
    SetAcl {
        /// Its path.
        path: Arc<str>,
        /// The list.
        acl: Vec<Acl>,
        /// The version that it has now.
        aversion: i32,
    },
    /// A version was checked; nothing changes.
    Check {
        /// The znode's path.
        path: Arc<str>,
        /// Its version.
        version: i32,
    },
    /// A session is opened.
    CreateSession {
        /// Its timeout, in milliseconds.
        timeout_ms: i32,
        /// What proves that a connection may attach to it.
        password: [u8; PASSWORD],
    },
    /// A session is closed.
    CloseSession {
        /// Its ephemeral znodes, which are deleted with it.
        ephemerals: Vec<Arc<str>>,
    },
    /// The request failed: nothing changes, but it has a place in the order of requests.
    Error(Code),
    /// All of these; when one of them fails, all are errors.
    Multi(Vec<Record>),
}

impl Record {
    /// ZooKeeper's number of the operation.
    pub fn op(&self) -> i32 {
        match self {
            Self::Create { .. } => op::CREATE,
            Self::Delete { .. } => op::DELETE,
            Self::SetData { .. } => op::SET_DATA,
            Self::SetAcl { .. } => op::SET_ACL,
            Self::Check { .. } => op::CHECK,
            Self::CreateSession { .. } => op::CREATE_SESSION,
            Self::CloseSession { .. } => op::CLOSE_SESSION,
            Self::Error(_) => op::ERROR,
            Self::Multi(_) => op::MULTI,
        }
    }

    fn encode(&self, to: &mut Writer) {
        to.int(self.op());
        match self {
            Self::Create { path, data, acl, lifetime, parent_creates } => {
                to.string(path);
                to.buffer(data.as_deref());
                Acl::encode_list(acl, to);
                lifetime.encode(to);
                to.int(*parent_creates);
            }
            Self::Delete { path } => to.string(path),
            Self::SetData { path, data, version } => {
                to.string(path);
                to.buffer(data.as_deref());
                to.int(*version);
            }
            Self::SetAcl { path, acl, aversion } => {
                to.string(path);
                Acl::encode_list(acl, to);
                to.int(*aversion);
            }
            Self::Check { path, version } => {
                to.string(path);
                to.int(*version);
            }
            Self::CreateSession { timeout_ms, password } => {
                to.int(*timeout_ms);
                to.raw(password);
            }
            Self::CloseSession { ephemerals } => to.strings(ephemerals),
            Self::Error(code) => to.int(code.0),
            Self::Multi(records) => {
                to.count(records.len());
                records.iter().for_each(|record| record.encode(to));
            }
        }
    }

    fn decode(from: &mut Reader, nested: bool) -> Result<Self, JuteError> {
        Ok(match from.int()? {
            op::CREATE => Self::Create {
                path: from.string()?,
                data: from.buffer()?,
                acl: Acl::decode_list(from)?,
                lifetime: Lifetime::decode(from)?,
                parent_creates: from.int()?,
            },
            op::DELETE => Self::Delete { path: from.string()? },
            op::SET_DATA => {
                Self::SetData { path: from.string()?, data: from.buffer()?, version: from.int()? }
            }
            op::SET_ACL => Self::SetAcl {
                path: from.string()?,
                acl: Acl::decode_list(from)?,
                aversion: from.int()?,
            },
            op::CHECK => Self::Check { path: from.string()?, version: from.int()? },
            op::CREATE_SESSION => {
                let timeout_ms = from.int()?;
                Self::CreateSession { timeout_ms, password: decode_password(from)? }
            }
            op::CLOSE_SESSION => Self::CloseSession { ephemerals: from.strings()? },
            op::ERROR => Self::Error(Code(from.int()?)),
            // A multi inside a multi does not exist, and refusing it bounds the depth.
            op::MULTI if !nested => {
                let count = from.count()?;
                Self::Multi((0..count).map(|_| Self::decode(from, true)).collect::<Result<_, _>>()?)
            }
            other => return Err(JuteError::Unknown(other)),
        })
    }
}

pub(super) fn decode_password(from: &mut Reader) -> Result<[u8; PASSWORD], JuteError> {
    let bytes = from.raw(PASSWORD)?;
    bytes.as_ref().try_into().map_err(|_| JuteError::Short)
}

impl Txn {
    /// The transaction's bytes: the same on every server and in every build.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::new();
        to.long(self.session);
        to.int(self.cxid);
        to.long(self.zxid.0);
        to.long(self.time_ms);
        self.record.encode(&mut to);
        to.finish()
    }

    /// Reads the bytes of a transaction.
    ///
    /// # Errors
    /// When they are no transaction.
    pub fn decode(bytes: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(bytes);
        Ok(Self {
            session: from.long()?,
            cxid: from.int()?,
            zxid: Zxid(from.long()?),
            time_ms: from.long()?,
            record: Record::decode(&mut from, false)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_record() -> Vec<Record> {
        let path: Arc<str> = "/a".into();
        vec![
            Record::Create {
                path: path.clone(),
                data: None,
                acl: Acl::open(),
                lifetime: Lifetime::Ephemeral { owner: -7 },
                parent_creates: 3,
            },
            Record::Delete { path: path.clone() },
            Record::SetData {
                path: path.clone(),
                data: Some(Bytes::from_static(b"x")),
                version: 2,
            },
            Record::SetAcl { path: path.clone(), acl: Acl::open(), aversion: 1 },
            Record::Check { path: path.clone(), version: 2 },
            Record::CreateSession { timeout_ms: 6_000, password: [9; PASSWORD] },
            Record::CloseSession { ephemerals: vec![path] },
            Record::Error(Code::NO_NODE),
        ]
    }

    #[test]
    fn every_record_survives_its_bytes_and_no_cut_of_them_panics() {
        let mut records = every_record();
        records.push(Record::Multi(every_record()));
        for record in records {
            let txn = Txn { session: 1, cxid: 2, zxid: Zxid(3), time_ms: 4, record };
            let bytes = txn.encode();
            for len in 0..bytes.len() {
                assert!(Txn::decode(bytes.slice(..len)).is_err(), "{txn:?} {len}");
            }
            assert_eq!(Txn::decode(bytes), Ok(txn));
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let record = Record::Delete { path: "/a".into() };
        let txn = Txn { session: 1, cxid: 2, zxid: Zxid(3), time_ms: 4, record };
        let expected: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\
            \0\0\0\x02\0\0\0\x02/a";
        assert_eq!(txn.encode(), expected);
    }
}
