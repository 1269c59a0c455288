//! Requests: what a client asks of a server.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::types::{Acl, RequestHeader, create_flags, op};
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};

/// A request that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// No such operation; the server answers `Unimplemented` and closes.
    #[error("there is no operation {0}")]
    UnknownOp(i32),
    /// The body does not decode; the server answers `MarshallingError`, and the connection lives.
    #[error("the request does not decode: {0}")]
    Body(#[from] JuteError),
}

/// Creates a znode: create, create2, createContainer and createTTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// One of [`op::CREATE`], [`op::CREATE2`], [`op::CREATE_CONTAINER`], [`op::CREATE_TTL`].
    pub op: i32,
    /// The path; a number is put behind it when the flags ask for one.
    pub path: Arc<str>,
    /// The data, which may be null.
    pub data: Option<Bytes>,
    /// The access control list.
    pub acl: Vec<Acl>,
    /// One of [`create_flags`].
    pub flags: i32,
    /// Time to live in milliseconds, sent with [`op::CREATE_TTL`] only.
    pub ttl_ms: i64,
}

impl Create {
    /// A create2 without access control, whose reply holds the znode's `Stat`.
    pub fn new(path: impl Into<Arc<str>>, data: Option<Bytes>, flags: i32) -> Self {
        let acl = Acl::open();
        Self { op: op::CREATE2, path: path.into(), data, acl, flags, ttl_ms: -1 }
    }

    /// The same as a persistent znode.
    pub fn persistent(path: impl Into<Arc<str>>, data: Option<Bytes>) -> Self {
        Self::new(path, data, create_flags::PERSISTENT)
    }

    /// The same as a znode that ends with the session.
    pub fn ephemeral(path: impl Into<Arc<str>>, data: Option<Bytes>) -> Self {
        Self::new(path, data, create_flags::EPHEMERAL)
    }

    fn encode(&self, to: &mut Writer) {
        to.string(&self.path);
        to.buffer(self.data.as_deref());
        Acl::encode_list(&self.acl, to);
        to.int(self.flags);
        if self.op == op::CREATE_TTL {
            to.long(self.ttl_ms);
        }
    }

    fn decode(op: i32, from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self {
            op,
            path: from.string()?,
            data: from.buffer()?,
            acl: Acl::decode_list(from)?,
            flags: from.int()?,
            ttl_ms: if op == op::CREATE_TTL { from.long()? } else { -1 },
        })
    }
}

/// Deletes a znode without children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Which.
    pub path: Arc<str>,
    /// The version that it must have; −1 for any.
    pub version: i32,
}

impl Delete {
    fn encode(&self, to: &mut Writer) {
        to.string(&self.path);
        to.int(self.version);
    }

    fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self { path: from.string()?, version: from.int()? })
    }
}

/// Sets a znode's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetData {
    /// Which.
    pub path: Arc<str>,
    /// The new data.
    pub data: Option<Bytes>,
    /// The version that it must have; −1 for any.
    pub version: i32,
}

impl SetData {
    fn encode(&self, to: &mut Writer) {
        to.string(&self.path);
        to.buffer(self.data.as_deref());
        to.int(self.version);
    }

    fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self { path: from.string()?, data: from.buffer()?, version: from.int()? })
    }
}

/// Checks a znode's version, inside a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionCheck {
    /// Which.
    pub path: Arc<str>,
    /// The version that it must have; −1 for any.
    pub version: i32,
}

impl VersionCheck {
    fn encode(&self, to: &mut Writer) {
        to.string(&self.path);
        to.int(self.version);
    }

    fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self { path: from.string()?, version: from.int()? })
    }
}

/// One operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiOp {
    /// Create a znode.
    Create(Create),
    /// Delete a znode.
    Delete(Delete),
    /// Set a znode's data.
    SetData(SetData),
    /// Check a znode's version.
    Check(VersionCheck),
}

impl MultiOp {
    fn encode(&self, to: &mut Writer) {
        match self {
            Self::Create(create) => {
                multi_header(create.op, to);
                create.encode(to);
            }
            Self::Delete(delete) => {
                multi_header(op::DELETE, to);
                delete.encode(to);
            }
            Self::SetData(set) => {
                multi_header(op::SET_DATA, to);
                set.encode(to);
            }
            Self::Check(check) => {
                multi_header(op::CHECK, to);
                check.encode(to);
            }
        }
    }

    fn decode(number: i32, from: &mut Reader) -> Result<Self, JuteError> {
        Ok(match number {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                Self::Create(Create::decode(number, from)?)
            }
            op::DELETE => Self::Delete(Delete::decode(from)?),
            op::SET_DATA => Self::SetData(SetData::decode(from)?),
            op::CHECK => Self::Check(VersionCheck::decode(from)?),
            other => return Err(JuteError::Unknown(other)),
        })
    }
}

/// One operation of a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiRead {
    /// A znode's data and `Stat`.
    GetData {
        /// Which.
        path: Arc<str>,
        /// Whether to watch; servers ignore it here.
        watch: bool,
    },
    /// The names of a znode's children.
    GetChildren {
        /// Which.
        path: Arc<str>,
        /// Whether to watch; servers ignore it here.
        watch: bool,
    },
}

impl MultiRead {
    fn encode(&self, to: &mut Writer) {
        let (number, path, watch) = match self {
            Self::GetData { path, watch } => (op::GET_DATA, path, watch),
            Self::GetChildren { path, watch } => (op::GET_CHILDREN, path, watch),
        };
        multi_header(number, to);
        to.string(path);
        to.bool(*watch);
    }

    fn decode(number: i32, from: &mut Reader) -> Result<Self, JuteError> {
        if number != op::GET_DATA && number != op::GET_CHILDREN {
            return Err(JuteError::Unknown(number));
        }
        let (path, watch) = (from.string()?, from.bool()?);
        Ok(match number {
            op::GET_DATA => Self::GetData { path, watch },
            _ => Self::GetChildren { path, watch },
        })
    }
}

fn multi_header(number: i32, to: &mut Writer) {
    to.int(number);
    to.bool(false);
    to.int(-1);
}

fn multi_end(to: &mut Writer) {
    to.int(-1);
    to.bool(true);
    to.int(-1);
}

fn decode_multi<T>(
    from: &mut Reader,
    decode: fn(i32, &mut Reader) -> Result<T, JuteError>,
) -> Result<Vec<T>, JuteError> {
    let mut items = Vec::new();
    loop {
        let (number, done, _) = (from.int()?, from.bool()?, from.int()?);
        if done {
            return Ok(items);
        }
        items.push(decode(number, from)?);
    }
}

/// Which watches checkWatches and removeWatches mean (`WatcherType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherType {
    /// One-shot, of the children.
    Children = 1,
    /// One-shot, of the data or the existence.
    Data = 2,
    /// Every kind.
    Any = 3,
    /// Persistent (newer than 3.8).
    Persistent = 4,
    /// Persistent and recursive (newer than 3.8).
    PersistentRecursive = 5,
}

impl WatcherType {
    fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(match from.int()? {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::PersistentRecursive,
            other => return Err(JuteError::Unknown(other)),
        })
    }
}

/// How an added watch works (`AddWatchMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddWatchMode {
    /// Data, existence and children of one znode, again and again.
    Persistent = 0,
    /// Data and existence of a znode and all below it, again and again.
    PersistentRecursive = 1,
}

/// The watches that a client arms again after a reconnect (setWatches, setWatches2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetWatches {
    /// The last zxid that the client saw; events since then are sent at once.
    pub relative_zxid: Zxid,
    /// Watches set by getData, or by exists on what existed.
    pub data: Vec<Arc<str>>,
    /// Watches set by exists on what did not exist.
    pub exist: Vec<Arc<str>>,
    /// Watches set by getChildren.
    pub child: Vec<Arc<str>>,
    /// Persistent ones; setWatches2 when there is this field.
    pub persistent: Option<PersistentWatches>,
}

/// Watches that are never used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistentWatches {
    /// Of one znode and its children.
    pub single: Vec<Arc<str>>,
    /// Of a znode and all below it.
    pub recursive: Vec<Arc<str>>,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have ZooKeeper's names; watch sets a one-shot watch")]
pub enum Request {
    /// create, create2, createContainer, createTTL.
    Create(Create),
    /// delete.
    Delete(Delete),
    /// exists.
    Exists { path: Arc<str>, watch: bool },
    /// getData.
    GetData { path: Arc<str>, watch: bool },
    /// setData.
    SetData(SetData),
    /// getACL.
    GetAcl { path: Arc<str> },
    /// setACL.
    SetAcl { path: Arc<str>, acl: Vec<Acl>, aversion: i32 },
    /// getChildren.
    GetChildren { path: Arc<str>, watch: bool },
    /// getChildren2: with the znode's `Stat`.
    GetChildren2 { path: Arc<str>, watch: bool },
    /// sync.
    Sync { path: Arc<str> },
    /// ping.
    Ping,
    /// check; servers take it inside a multi only.
    Check(VersionCheck),
    /// multi: all or nothing.
    Multi(Vec<MultiOp>),
    /// multiRead: each for itself.
    MultiRead(Vec<MultiRead>),
    /// reconfig.
    Reconfig { joining: Arc<str>, leaving: Arc<str>, members: Arc<str>, config: i64 },
    /// checkWatches.
    CheckWatches { path: Arc<str>, watcher: WatcherType },
    /// removeWatches.
    RemoveWatches { path: Arc<str>, watcher: WatcherType },
    /// auth.
    Auth { scheme: Arc<str>, credentials: Option<Bytes> },
    /// setWatches, setWatches2.
    SetWatches(SetWatches),
    /// sasl.
    Sasl { token: Option<Bytes> },
    /// getEphemerals of the own session.
    GetEphemerals { prefix: Arc<str> },
    /// getAllChildrenNumber: how many znodes are below.
    GetAllChildrenNumber { path: Arc<str> },
    /// addWatch.
    AddWatch { path: Arc<str>, mode: AddWatchMode },
    /// whoAmI.
    WhoAmI,
    /// closeSession.
    CloseSession,
}

impl Request {
    /// The operation's number.
    pub fn op(&self) -> i32 {
        match self {
            Self::Create(create) => create.op,
            Self::Delete(_) => op::DELETE,
            Self::Exists { .. } => op::EXISTS,
            Self::GetData { .. } => op::GET_DATA,
            Self::SetData(_) => op::SET_DATA,
            Self::GetAcl { .. } => op::GET_ACL,
            Self::SetAcl { .. } => op::SET_ACL,
            Self::GetChildren { .. } => op::GET_CHILDREN,
            Self::GetChildren2 { .. } => op::GET_CHILDREN2,
            Self::Sync { .. } => op::SYNC,
            Self::Ping => op::PING,
            Self::Check(_) => op::CHECK,
            Self::Multi(_) => op::MULTI,
            Self::MultiRead(_) => op::MULTI_READ,
            Self::Reconfig { .. } => op::RECONFIG,
            Self::CheckWatches { .. } => op::CHECK_WATCHES,
            Self::RemoveWatches { .. } => op::REMOVE_WATCHES,
            Self::Auth { .. } => op::AUTH,
            Self::SetWatches(set) if set.persistent.is_some() => op::SET_WATCHES2,
            Self::SetWatches(_) => op::SET_WATCHES,
            Self::Sasl { .. } => op::SASL,
            Self::GetEphemerals { .. } => op::GET_EPHEMERALS,
            Self::GetAllChildrenNumber { .. } => op::GET_ALL_CHILDREN_NUMBER,
            Self::AddWatch { .. } => op::ADD_WATCH,
            Self::WhoAmI => op::WHO_AM_I,
            Self::CloseSession => op::CLOSE_SESSION,
        }
    }

    /// The whole frame of this request with number `xid`.
    pub fn encode(&self, xid: i32) -> Bytes {
        let mut to = Writer::framed();
        to.int(xid);
        to.int(self.op());
        self.encode_body(&mut to);
        to.frame()
    }

    fn encode_body(&self, to: &mut Writer) {
        match self {
            Self::Create(create) => create.encode(to),
            Self::Delete(delete) => delete.encode(to),
            Self::SetData(set) => set.encode(to),
            Self::Check(check) => check.encode(to),
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch }
            | Self::GetChildren2 { path, watch } => {
                to.string(path);
                to.bool(*watch);
            }
            Self::GetAcl { path } | Self::Sync { path } | Self::GetAllChildrenNumber { path } => {
                to.string(path);
            }
            Self::GetEphemerals { prefix } => to.string(prefix),
            Self::SetAcl { path, acl, aversion } => {
                to.string(path);
                Acl::encode_list(acl, to);
                to.int(*aversion);
            }
            Self::Multi(ops) => {
                ops.iter().for_each(|op| op.encode(to));
                multi_end(to);
            }
            Self::MultiRead(ops) => {
                ops.iter().for_each(|op| op.encode(to));
                multi_end(to);
            }
            Self::Reconfig { joining, leaving, members, config } => {
                [joining, leaving, members].into_iter().for_each(|servers| to.string(servers));
                to.long(*config);
            }
            Self::CheckWatches { path, watcher } | Self::RemoveWatches { path, watcher } => {
                to.string(path);
                to.int(*watcher as i32);
            }
            Self::AddWatch { path, mode } => {
                to.string(path);
                to.int(*mode as i32);
            }
            Self::Auth { scheme, credentials } => {
                to.int(0);
                to.string(scheme);
                to.buffer(credentials.as_deref());
            }
            Self::SetWatches(set) => {
                to.long(set.relative_zxid.0);
                [&set.data, &set.exist, &set.child].into_iter().for_each(|paths| to.strings(paths));
                if let Some(persistent) = &set.persistent {
                    to.strings(&persistent.single);
                    to.strings(&persistent.recursive);
                }
            }
            Self::Sasl { token } => to.buffer(token.as_deref()),
            Self::Ping | Self::WhoAmI | Self::CloseSession => {}
        }
    }

    /// Reads the body behind `header`.
    ///
    /// # Errors
    /// When there is no such operation, or the body does not decode.
    pub fn decode(header: RequestHeader, from: &mut Reader) -> Result<Self, RequestError> {
        Ok(match header.op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                Self::Create(Create::decode(header.op, from)?)
            }
            op::DELETE => Self::Delete(Delete::decode(from)?),
            op::SET_DATA => Self::SetData(SetData::decode(from)?),
            op::CHECK => Self::Check(VersionCheck::decode(from)?),
            op::EXISTS => Self::Exists { path: from.string()?, watch: from.bool()? },
            op::GET_DATA => Self::GetData { path: from.string()?, watch: from.bool()? },
            op::GET_CHILDREN => Self::GetChildren { path: from.string()?, watch: from.bool()? },
            op::GET_CHILDREN2 => Self::GetChildren2 { path: from.string()?, watch: from.bool()? },
            op::GET_ACL => Self::GetAcl { path: from.string()? },
            op::SYNC => Self::Sync { path: from.string()? },
            op::GET_ALL_CHILDREN_NUMBER => Self::GetAllChildrenNumber { path: from.string()? },
            op::GET_EPHEMERALS => Self::GetEphemerals { prefix: from.string_or_empty()? },
            op::SET_ACL => Self::SetAcl {
                path: from.string()?,
                acl: Acl::decode_list(from)?,
                aversion: from.int()?,
            },
            op::MULTI => Self::Multi(decode_multi(from, MultiOp::decode)?),
            op::MULTI_READ => Self::MultiRead(decode_multi(from, MultiRead::decode)?),
            op::RECONFIG => Self::Reconfig {
                joining: from.string_or_empty()?,
                leaving: from.string_or_empty()?,
                members: from.string_or_empty()?,
                config: from.long()?,
            },
            op::CHECK_WATCHES => {
                Self::CheckWatches { path: from.string()?, watcher: WatcherType::decode(from)? }
            }
            op::REMOVE_WATCHES => {
                Self::RemoveWatches { path: from.string()?, watcher: WatcherType::decode(from)? }
            }
            op::ADD_WATCH => {
                let path = from.string()?;
                let mode = match from.int()? {
                    0 => AddWatchMode::Persistent,
                    1 => AddWatchMode::PersistentRecursive,
                    other => return Err(JuteError::Unknown(other).into()),
                };
                Self::AddWatch { path, mode }
            }
            op::AUTH => {
                from.int()?;
                Self::Auth { scheme: from.string_or_empty()?, credentials: from.buffer()? }
            }
            op::SET_WATCHES | op::SET_WATCHES2 => Self::SetWatches(SetWatches {
                relative_zxid: Zxid(from.long()?),
                data: from.strings()?,
                exist: from.strings()?,
                child: from.strings()?,
                persistent: match header.op {
                    op::SET_WATCHES2 => {
                        let single = from.strings()?;
                        Some(PersistentWatches { single, recursive: from.strings()? })
                    }
                    _ => None,
                },
            }),
            op::SASL => Self::Sasl { token: from.buffer()? },
            op::PING => Self::Ping,
            op::WHO_AM_I => Self::WhoAmI,
            op::CLOSE_SESSION => Self::CloseSession,
            other => return Err(RequestError::UnknownOp(other)),
        })
    }
}
