//! The handshake, the headers and the records that several operations share.

use std::sync::Arc;

use bytes::Bytes;

use super::code::Code;
use crate::vocab::Zxid;
use crate::wire::jute::{JuteError, Reader, Writer};

/// Numbers of the operations (`ZooDefs.OpCode`).
#[expect(missing_docs, reason = "ZooKeeper's own names of its operations")]
pub mod op {
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
    pub const ERROR: i32 = -1;
}

/// Numbers of requests that mean something else than "the next".
pub mod xid {
    /// A watch event; only from server to client.
    pub const EVENT: i32 = -1;
    /// A ping.
    pub const PING: i32 = -2;
    /// Credentials.
    pub const AUTH: i32 = -4;
    /// Watches armed again after a reconnect.
    pub const SET_WATCHES: i32 = -8;
}

/// Flags of a create (`CreateMode`).
pub mod create_flags {
    /// Stays until it is deleted.
    pub const PERSISTENT: i32 = 0;
    /// Ends with the session.
    pub const EPHEMERAL: i32 = 1;
    /// Stays, and gets a number behind its name.
    pub const PERSISTENT_SEQUENTIAL: i32 = 2;
    /// Ends with the session, and gets a number behind its name.
    pub const EPHEMERAL_SEQUENTIAL: i32 = 3;
    /// Removed some time after its last child.
    pub const CONTAINER: i32 = 4;
    /// Removed when it was childless and unchanged for its time to live.
    pub const PERSISTENT_WITH_TTL: i32 = 5;
    /// The same, with a number behind its name.
    pub const PERSISTENT_SEQUENTIAL_WITH_TTL: i32 = 6;
}

/// First message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0.
    pub protocol_version: i32,
    /// The last zxid that the client saw; a server that is behind it refuses.
    pub last_zxid_seen: Zxid,
    /// The session timeout that the client wants, in milliseconds.
    pub timeout_ms: i32,
    /// The session to attach to again; 0 for a new one.
    pub session: i64,
    /// The session's password.
    pub password: Option<Bytes>,
    /// Whether a server without a quorum would do; clients before 3.4 do not say.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// The whole frame.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::framed();
        to.int(self.protocol_version);
        to.long(self.last_zxid_seen.0);
        to.int(self.timeout_ms);
        to.long(self.session);
        to.buffer(self.password.as_deref());
        self.read_only.into_iter().for_each(|read_only| to.bool(read_only));
        to.frame()
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn decode(payload: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(payload);
        Ok(Self {
            protocol_version: from.int()?,
            last_zxid_seen: Zxid(from.long()?),
            timeout_ms: from.int()?,
            session: from.long()?,
            password: from.buffer()?,
            read_only: if from.remaining() > 0 { Some(from.bool()?) } else { None },
        })
    }
}

/// First message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout, in milliseconds; 0 when the session is gone.
    pub timeout_ms: i32,
    /// The session; 0 when it is gone.
    pub session: i64,
    /// Its password.
    pub password: Option<Bytes>,
    /// Whether the server has no quorum; sent only to clients that sent theirs.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// The whole frame.
    pub fn encode(&self) -> Bytes {
        let mut to = Writer::framed();
        to.int(self.protocol_version);
        to.int(self.timeout_ms);
        to.long(self.session);
        to.buffer(self.password.as_deref());
        self.read_only.into_iter().for_each(|read_only| to.bool(read_only));
        to.frame()
    }

    /// Reads a frame's payload.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn decode(payload: Bytes) -> Result<Self, JuteError> {
        let mut from = Reader::new(payload);
        Ok(Self {
            protocol_version: from.int()?,
            timeout_ms: from.int()?,
            session: from.long()?,
            password: from.buffer()?,
            read_only: if from.remaining() > 0 { Some(from.bool()?) } else { None },
        })
    }
}

/// In front of every request but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number of the request, or one of [`xid`].
    pub xid: i32,
    /// The operation, one of [`op`].
    pub op: i32,
}

impl RequestHeader {
    /// Reads it off the front of a payload.
    ///
    /// # Errors
    /// When the bytes end before it does.
    pub fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self { xid: from.int()?, op: from.int()? })
    }
}

/// In front of everything a server sends but its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's number, or [`xid::EVENT`].
    pub xid: i32,
    /// The last transaction that the server had applied; −1 for events, as 3.8 sends them.
    pub zxid: Zxid,
    /// How the request ended. A body follows only behind [`Code::OK`].
    pub code: Code,
}

impl ReplyHeader {
    pub(super) fn encode(&self, to: &mut Writer) {
        to.int(self.xid);
        to.long(self.zxid.0);
        to.int(self.code.0);
    }

    /// Reads it off the front of a payload.
    ///
    /// # Errors
    /// When the bytes end before it does.
    pub fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self { xid: from.int()?, zxid: Zxid(from.long()?), code: Code(from.int()?) })
    }
}

/// What is known about a znode besides its data. Times are of the server's wall clock, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// When it was created.
    pub ctime: i64,
    /// When its data changed last.
    pub mtime: i64,
    /// How often its data changed.
    pub version: i32,
    /// How often a child was created or deleted.
    pub cversion: i32,
    /// How often its access control list changed.
    pub aversion: i32,
    /// The session that it ends with; 0 when it does not.
    pub ephemeral_owner: i64,
    /// Bytes of its data.
    pub data_length: i32,
    /// How many children it has.
    pub num_children: i32,
    /// The transaction that last created or deleted a child; at first its own.
    pub pzxid: Zxid,
}

impl Stat {
    pub(super) fn encode(&self, to: &mut Writer) {
        to.long(self.czxid.0);
        to.long(self.mzxid.0);
        to.long(self.ctime);
        to.long(self.mtime);
        to.int(self.version);
        to.int(self.cversion);
        to.int(self.aversion);
        to.long(self.ephemeral_owner);
        to.int(self.data_length);
        to.int(self.num_children);
        to.long(self.pzxid.0);
    }

    pub(super) fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        Ok(Self {
            czxid: Zxid(from.long()?),
            mzxid: Zxid(from.long()?),
            ctime: from.long()?,
            mtime: from.long()?,
            version: from.int()?,
            cversion: from.int()?,
            aversion: from.int()?,
            ephemeral_owner: from.long()?,
            data_length: from.int()?,
            num_children: from.int()?,
            pzxid: Zxid(from.long()?),
        })
    }
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Bits of what is allowed, of the constants here.
    pub perms: i32,
    /// `world`, `auth`, `digest` or `ip`.
    pub scheme: Arc<str>,
    /// The identity, in the scheme's own form.
    pub id: Arc<str>,
}

impl Acl {
    /// Data and children may be read.
    pub const READ: i32 = 1;
    /// Data may be set.
    pub const WRITE: i32 = 2;
    /// Children may be created.
    pub const CREATE: i32 = 4;
    /// Children may be deleted.
    pub const DELETE: i32 = 8;
    /// The list may be set.
    pub const ADMIN: i32 = 16;
    /// Everything.
    pub const ALL: i32 = 31;

    /// The list that permits everything to every client (`OPEN_ACL_UNSAFE`).
    pub fn open() -> Vec<Self> {
        vec![Self { perms: Self::ALL, scheme: "world".into(), id: "anyone".into() }]
    }

    /// Adds a list to a record.
    pub fn encode_list(list: &[Self], to: &mut Writer) {
        to.count(list.len());
        for acl in list {
            to.int(acl.perms);
            to.string(&acl.scheme);
            to.string(&acl.id);
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    /// When the bytes are no list.
    pub fn decode_list(from: &mut Reader) -> Result<Vec<Self>, JuteError> {
        let decode = |from: &mut Reader| {
            let perms = from.int()?;
            Ok(Self { perms, scheme: from.string_or_empty()?, id: from.string_or_empty()? })
        };
        (0..from.count()?).map(|_| decode(from)).collect()
    }
}

/// An identity of a connection (whoAmI).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The scheme.
    pub scheme: Arc<str>,
    /// The name, without secrets.
    pub user: Arc<str>,
}

/// What happened to a znode that was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// It was created.
    Created = 1,
    /// It was deleted.
    Deleted = 2,
    /// Its data was set.
    DataChanged = 3,
    /// A child was created or deleted.
    ChildrenChanged = 4,
}

/// What a session is, in an event (`KeeperState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeeperState(pub i32);

impl KeeperState {
    /// The only one that servers send.
    pub const SYNC_CONNECTED: Self = Self(3);
}

/// The news of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedEvent {
    /// What happened.
    pub kind: EventKind,
    /// The state of the session.
    pub state: KeeperState,
    /// To which znode.
    pub path: Arc<str>,
}

impl WatchedEvent {
    /// Reads the body behind a header with [`xid::EVENT`].
    ///
    /// # Errors
    /// When the bytes are no event.
    pub fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        let kind = match from.int()? {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::DataChanged,
            4 => EventKind::ChildrenChanged,
            other => return Err(JuteError::Unknown(other)),
        };
        Ok(Self { kind, state: KeeperState(from.int()?), path: from.string()? })
    }
}

/// The whole frame of the event `kind` at `path`. The header's zxid is −1, as up to 3.8.
pub fn encode_event(kind: EventKind, path: &str) -> Bytes {
    let mut to = Writer::framed();
    ReplyHeader { xid: xid::EVENT, zxid: Zxid(-1), code: Code::OK }.encode(&mut to);
    to.int(kind as i32);
    to.int(KeeperState::SYNC_CONNECTED.0);
    to.string(path);
    to.frame()
}
