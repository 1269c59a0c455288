//! The interface of a node: its inputs and its effects.
//!
//! A node is a pure state machine. It gets one [`Input`] at a time, together with the time of its clocks,
//! and answers by filling [`Effects`]. It does not know what drives it. The types are in this folder because
//! both sides use them: the roles in `nodes`, and the world in `substrate`.
//!
//! **Effects are ordered.** An effect behind a disk write leaves the node only when that write is done, so
//! "append, then answer" is written as just that. Only an end that takes long (an fsync) is an [`Input`] of
//! its own: [`Input::DiskDone`]. A process of many threads, of which only the writing one is blocked, asks for
//! the ends of its appends too ([`Effects::appends_take_time`]); then nothing waits that it does not hold itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::page::{Pages, Piece};
use super::{ConnId, DiskOpId, NodeId, Rope, Time, TimerId};

/// A file's name on a node's disk, with `/` between folders.
pub type FileName = Arc<str>;

/// What a disk holds when a process starts: each file's content, in pieces.
///
/// A process gets its files once, here; from then on it only writes, and reads from the pieces that it got
/// and wrote. They are its page cache: shared with the disk, not copied.
pub type DiskImage = BTreeMap<FileName, Rope>;

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nothing listens at the host.
    Refused,
    /// The peer closed it.
    Eof,
    /// The peer's process ended, or a fault reset the connection.
    Reset,
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process begins, with what the disk kept. Always the first input.
    Start(DiskImage),
    /// A connection that this node asked for is open.
    Opened(ConnId),
    /// A peer connected.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// The node that connected.
        peer: NodeId,
    },
    /// Bytes arrived. A connection is a stream: pieces are in order, but are not messages.
    Received {
        /// Where.
        conn: ConnId,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// A connection ended. The node's own [`Effects::close`] is not reported back.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        why: Closed,
    },
    /// A timer is due.
    Timer {
        /// Which.
        id: TimerId,
        /// What the node said when it set the timer.
        token: u64,
    },
    /// An fsync ended, or an append that took time.
    DiskDone(DiskOpId),
    /// The process is asked to end in an orderly way (SIGTERM); it answers with [`Effect::Exit`].
    Shutdown,
}

/// What a node can ask of its disk. Files and folders appear when first written.
#[derive(Clone, Debug)]
pub enum DiskRequest {
    /// Adds bytes at the end of a file, in the page cache.
    Append {
        /// The file.
        file: FileName,
        /// What is added; the disk keeps the piece.
        bytes: Piece,
    },
    /// Makes `bytes` the whole content of a file, in the page cache.
    Write {
        /// The file.
        file: FileName,
        /// The new content.
        bytes: Bytes,
    },
    /// Cuts a file to `len` bytes, in the page cache.
    Truncate {
        /// The file.
        file: FileName,
        /// Bytes that stay.
        len: u64,
    },
    /// Renames a file, replacing what had the name; atomic, durable after [`DiskRequest::FsyncDirectory`].
    Rename {
        /// The old name.
        from: FileName,
        /// The new name.
        to: FileName,
    },
    /// Removes a file; durable after [`DiskRequest::FsyncDirectory`].
    Delete {
        /// The file.
        file: FileName,
    },
    /// Brings a file's content, as it is now, to the platter.
    Fsync {
        /// The file.
        file: FileName,
    },
    /// Brings names (created, renamed, deleted files) to the platter.
    FsyncDirectory,
}

/// What a node asks for. `O` is what it can observe about itself.
#[derive(Clone, Debug)]
pub enum Effect<O> {
    /// Connect to a node; answered by [`Input::Opened`], [`Input::Closed`] or silence.
    Connect {
        /// The connection that this becomes.
        conn: ConnId,
        /// The node to reach.
        to: NodeId,
    },
    /// Send bytes. Lost without a word when the connection is gone.
    Send {
        /// Where.
        conn: ConnId,
        /// What.
        bytes: Bytes,
    },
    /// Send bytes when the process has worked on them for a while: lost, as if never sent, when it dies before.
    SendAfter {
        /// Where.
        conn: ConnId,
        /// What.
        bytes: Bytes,
        /// Counted from now.
        after: Duration,
    },
    /// Close a connection; what was sent before still arrives.
    Close(ConnId),
    /// Refuse connections from now on. A process that has started takes them.
    StopListening,
    /// Set a timer.
    SetTimer {
        /// Its id, for cancelling.
        id: TimerId,
        /// When it is due.
        at: Time,
        /// Given back with [`Input::Timer`].
        token: u64,
    },
    /// Forget a timer; nothing happens when it fired already.
    CancelTimer(TimerId),
    /// Use the disk.
    Disk {
        /// The operation; its end is reported for `Fsync` and `FsyncDirectory`, and for an `Append` that takes time.
        op: DiskOpId,
        /// What to do.
        request: DiskRequest,
    },
    /// Add an observation to the history.
    Observe(O),
    /// The process exits (a clean shutdown, or a fatal error that it observed before).
    Exit {
        /// When its supervisor starts it again, counted from the exit.
        start_after: Option<Duration>,
    },
}

/// The effects of one step, in order, and the ids they use.
///
/// One `Effects` serves a whole run: ids never repeat, and the list's memory is used again.
#[derive(Debug)]
pub struct Effects<O> {
    list: Vec<Effect<O>>,
    next_id: u64,
    pages: Pages,
    appends_take_time: bool,
}

impl<O> Default for Effects<O> {
    fn default() -> Self {
        Self { list: Vec::new(), next_id: 1, pages: Pages::default(), appends_take_time: false }
    }
}

impl<O> Effects<O> {
    fn id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Connects to `to`.
    pub fn connect(&mut self, to: NodeId) -> ConnId {
        let conn = ConnId(self.id());
        self.list.push(Effect::Connect { conn, to });
        conn
    }

    /// Sends `bytes` on `conn`.
    pub fn send(&mut self, conn: ConnId, bytes: Bytes) {
        self.list.push(Effect::Send { conn, bytes });
    }

    /// Sends `bytes` on `conn` after a while, if the process is still alive then.
    pub fn send_after(&mut self, conn: ConnId, bytes: Bytes, after: Duration) {
        self.list.push(Effect::SendAfter { conn, bytes, after });
    }

    /// Refuses connections from now on.
    pub fn stop_listening(&mut self) {
        self.list.push(Effect::StopListening);
    }

    /// Closes `conn`.
    pub fn close(&mut self, conn: ConnId) {
        self.list.push(Effect::Close(conn));
    }

    /// Sets a timer that is due at `at`.
    pub fn timer(&mut self, at: Time, token: u64) -> TimerId {
        let id = TimerId(self.id());
        self.list.push(Effect::SetTimer { id, at, token });
        id
    }

    /// Forgets a timer.
    pub fn cancel(&mut self, id: TimerId) {
        self.list.push(Effect::CancelTimer(id));
    }

    /// Uses the disk.
    pub fn disk(&mut self, request: DiskRequest) -> DiskOpId {
        let op = DiskOpId(self.id());
        self.list.push(Effect::Disk { op, request });
        op
    }

    /// Whether appends take time now: each is over with its [`Input::DiskDone`]. Otherwise they are over at once.
    pub fn appends_take_time(&self) -> bool {
        self.appends_take_time
    }

    /// Says whether appends take time, in the step that follows.
    pub fn set_appends_take_time(&mut self, do_so: bool) {
        self.appends_take_time = do_so;
    }

    /// Where memory for what is written to files, and kept, comes from.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Adds an observation to the history.
    pub fn observe(&mut self, observation: O) {
        self.list.push(Effect::Observe(observation));
    }

    /// Ends the process.
    pub fn exit(&mut self) {
        self.list.push(Effect::Exit { start_after: None });
    }

    /// Ends the process, whose supervisor starts it again after a while.
    pub fn exit_and_start_after(&mut self, pause: Duration) {
        self.list.push(Effect::Exit { start_after: Some(pause) });
    }

    /// Takes the effects out, in order, keeping the memory.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect<O>> {
        self.list.drain(..)
    }

    /// The effects so far.
    pub fn as_slice(&self) -> &[Effect<O>] {
        &self.list
    }
}
