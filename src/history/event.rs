//! Events: everything that happened to a node, in a form that borrows its content.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::fact::Fact;
use super::observation::Observation;
use crate::vocab::step::{Closed, DiskRequest};
use crate::vocab::{ConnId, DiskOpId, NodeId, Time};

/// What happened, when, and to which node.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When.
    pub time: Time,
    /// To which node; `None` for a fault of the network and for facts.
    pub node: Option<NodeId>,
    /// What.
    pub kind: EventKind<'a>,
}

/// The life of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It began.
    Started,
    /// It was asked to end in an orderly way (SIGTERM).
    ShutdownAsked,
    /// It ended of its own will.
    Exited,
    /// It was killed; the page cache stays.
    Crashed,
    /// Its host lost power; only the platter stays.
    PowerLost,
    /// It stopped running, as in a long collection of garbage.
    Paused,
    /// It runs again.
    Resumed,
}

/// What was asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOp<'a> {
    /// `len` bytes were added at the end.
    Append {
        /// The file.
        file: &'a str,
        /// Bytes added.
        len: u64,
    },
    /// The content became `len` other bytes.
    Write {
        /// The file.
        file: &'a str,
        /// Bytes it has now.
        len: u64,
    },
    /// The file was cut.
    Truncate {
        /// The file.
        file: &'a str,
        /// Bytes that stay.
        len: u64,
    },
    /// The file got another name.
    Rename {
        /// The old name.
        from: &'a str,
        /// The new name.
        to: &'a str,
    },
    /// The file was removed.
    Delete {
        /// The file.
        file: &'a str,
    },
    /// The content was to go to the platter.
    Fsync {
        /// The file.
        file: &'a str,
    },
    /// The names were to go to the platter.
    FsyncDirectory,
}

impl<'a> From<&'a DiskRequest> for DiskOp<'a> {
    fn from(request: &'a DiskRequest) -> Self {
        match request {
            DiskRequest::Append { file, bytes } => Self::Append { file, len: bytes.len() as u64 },
            DiskRequest::Write { file, bytes } => Self::Write { file, len: bytes.len() as u64 },
            DiskRequest::Truncate { file, len } => Self::Truncate { file, len: *len },
            DiskRequest::Rename { from, to } => Self::Rename { from, to },
            DiskRequest::Delete { file } => Self::Delete { file },
            DiskRequest::Fsync { file } => Self::Fsync { file },
            DiskRequest::FsyncDirectory => Self::FsyncDirectory,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum EventKind<'a> {
    /// A turn in the life of the process.
    Life(Life),
    /// A fault was injected or healed.
    Fault {
        /// What, with every role resolved to a node: `crash leader(orders-0) = b2`.
        text: &'a str,
        /// The nodes that it was aimed at.
        targets: &'a [NodeId],
    },
    /// The node asked for a connection.
    Connecting {
        /// Which.
        conn: ConnId,
        /// To which node.
        to: NodeId,
    },
    /// A connection that the node asked for is open.
    Opened {
        /// Which.
        conn: ConnId,
        /// The node at the other end.
        peer: NodeId,
    },
    /// A peer connected.
    Accepted {
        /// Which.
        conn: ConnId,
        /// The node that connected.
        peer: NodeId,
    },
    /// Bytes arrived.
    Delivered {
        /// Where.
        conn: ConnId,
        /// The node that sent them.
        from: NodeId,
        /// How many.
        len: u64,
        /// XXH3 of the bytes.
        bytes_hash: u64,
    },
    /// The node closed a connection.
    Closing {
        /// Which.
        conn: ConnId,
    },
    /// A connection ended.
    Closed {
        /// Which.
        conn: ConnId,
        /// The node at the other end.
        peer: NodeId,
        /// Why.
        why: Closed,
    },
    /// A timer was due.
    Timer {
        /// What the node said when it set the timer.
        token: u64,
    },
    /// The disk was used.
    Disk {
        /// The operation.
        op: DiskOpId,
        /// What was asked.
        request: DiskOp<'a>,
    },
    /// A disk operation ended.
    DiskDone {
        /// The operation.
        op: DiskOpId,
    },
    /// The node observed something about itself.
    Observed(&'a Observation),
    /// Something was read off the cluster after the run ended.
    Fact(&'a Fact),
}

impl<'a> EventKind<'a> {
    /// The arrival of `bytes`.
    pub fn delivered(conn: ConnId, from: NodeId, bytes: &[u8]) -> Self {
        Self::Delivered { conn, from, len: bytes.len() as u64, bytes_hash: xxh3_64(bytes) }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::ShutdownAsked => "is asked to shut down",
            Self::Exited => "exited",
            Self::Crashed => "crashed",
            Self::PowerLost => "lost power",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
        })
    }
}

impl fmt::Display for DiskOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { file, len } => write!(f, "append {len} bytes to {file}"),
            Self::Write { file, len } => write!(f, "write {file}, {len} bytes"),
            Self::Truncate { file, len } => write!(f, "truncate {file} to {len} bytes"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Delete { file } => write!(f, "delete {file}"),
            Self::Fsync { file } => write!(f, "fsync {file}"),
            Self::FsyncDirectory => f.write_str("fsync the directory"),
        }
    }
}
