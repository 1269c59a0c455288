//! Observations of ZooKeeper's clients about their sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocab::{NodeId, Zxid};

/// What a client asked ZooKeeper for, as far as it can be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionCall {
    /// exists.
    Exists {
        /// The znode.
        path: Arc<str>,
        /// Whether a watch is to be set, also when there is no such znode.
        watch: bool,
    },
    /// getData.
    GetData {
        /// The znode.
        path: Arc<str>,
        /// Whether a watch is to be set.
        watch: bool,
    },
    /// getChildren, getChildren2.
    GetChildren {
        /// The znode.
        path: Arc<str>,
        /// Whether a watch is to be set.
        watch: bool,
    },
    /// create and its kin.
    Create {
        /// The znode; a number may be put behind it.
        path: Arc<str>,
    },
    /// setData.
    SetData {
        /// The znode.
        path: Arc<str>,
        /// The dataVersion that it must have; −1 for any.
        version: i32,
    },
    /// delete.
    Delete {
        /// The znode.
        path: Arc<str>,
    },
    /// sync.
    Sync,
    /// Another write: multi, setACL.
    Write,
    /// Anything else.
    Other,
}

impl SessionCall {
    /// Whether it becomes a transaction.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Create { .. } | Self::SetData { .. } | Self::Delete { .. } | Self::Write => true,
            Self::Exists { .. }
            | Self::GetData { .. }
            | Self::GetChildren { .. }
            | Self::Sync
            | Self::Other => false,
        }
    }
}

/// What a client was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionAnswer {
    /// A znode was created.
    Created {
        /// Its path.
        path: Arc<str>,
        /// The transaction, if the answer had it (create2).
        czxid: Option<Zxid>,
    },
    /// The `Stat` of a znode.
    Stat {
        /// The transaction that created it, or set its data last.
        mzxid: Zxid,
        /// Its dataVersion.
        version: i32,
    },
    /// It is done, and no checker needs more.
    Done,
    /// It failed.
    Failed {
        /// ZooKeeper's number for the error: −101 is `NoNode`.
        code: i32,
    },
}

/// The kind of a watch's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WatchKind {
    /// The znode was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was set.
    DataChanged,
    /// A child was created or deleted.
    ChildrenChanged,
}

/// Something about a client's session at ZooKeeper. A node has one session at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionObservation {
    /// The session is attached to a server, for the first time or again.
    Attached {
        /// The session.
        session: i64,
        /// The server.
        server: NodeId,
    },
    /// The client sent a request.
    Asked {
        /// The number that the answer will have; it rises within a session, also from server to server.
        xid: i32,
        /// What it asked for.
        call: SessionCall,
    },
    /// The answer came.
    Answered {
        /// The number of the request.
        xid: i32,
        /// The last transaction that the server had applied; of a write, the write itself.
        zxid: Zxid,
        /// How it ended.
        answer: SessionAnswer,
    },
    /// The server that the session is attached to now has its watches; missed events were sent before.
    Rearmed {
        /// The last transaction that the server had applied.
        zxid: Zxid,
    },
    /// A watch has news.
    Notified {
        /// What happened.
        kind: WatchKind,
        /// The znode.
        path: Arc<str>,
    },
    /// The connection is gone. What was asked through it and not answered may happen yet, or not.
    Detached,
    /// ZooKeeper gave the session up.
    Expired,
}
