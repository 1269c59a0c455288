//! The client protocol of ZooKeeper 3.8, both ways: a client encodes requests and decodes replies, a
//! server the reverse.
//!
//! A frame's payload is a [`ConnectRequest`] or [`ConnectResponse`] first; then a [`RequestHeader`] and the
//! body of a [`Request`] from the client, a [`ReplyHeader`] and the body of a [`Reply`] (or of a
//! [`WatchedEvent`], when the header's xid is [`xid::EVENT`]) from the server. Null and empty data are
//! different; a null path cannot be decoded, which a server answers with [`Code::MARSHALLING_ERROR`].
//!
//! Messages between the servers of an ensemble are in [`ensemble`].

mod code;
pub mod ensemble;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod types;

pub use code::Code;
pub use reply::{MultiResult, Reply};
pub use request::{
    AddWatchMode, Create, Delete, MultiOp, MultiRead, PersistentWatches, Request, RequestError,
    SetData, SetWatches, VersionCheck, WatcherType,
};
pub use types::{
    Acl, ConnectRequest, ConnectResponse, EventKind, Identity, KeeperState, ReplyHeader,
    RequestHeader, Stat, WatchedEvent, create_flags, encode_event, op, xid,
};

/// `jute.maxbuffer`: the largest payload that a server or a client takes, in bytes.
pub const MAX_FRAME: usize = 0xf_ffff;
