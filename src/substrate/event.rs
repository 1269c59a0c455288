//! Events that the world gives to its observer.

use bytes::Bytes;

use crate::vocab::step::{Closed, DiskRequest};
use crate::vocab::{ConnId, DiskOpId, NodeId, Time};

/// Watches a world. `O` is what its nodes observe about themselves.
///
/// Calls are static: what an observer does not look at costs nothing.
pub trait Observer<O> {
    /// Something happened. The process it happened to has not been stepped with it yet.
    fn event(&mut self, event: &WorldEvent<'_, O>);
}

/// Looks at nothing.
impl<O> Observer<O> for () {
    fn event(&mut self, _event: &WorldEvent<'_, O>) {}
}

/// One thing that happened to one node.
#[derive(Clone, Copy, Debug)]
pub struct WorldEvent<'a, O> {
    /// When.
    pub time: Time,
    /// The node.
    pub node: NodeId,
    /// What.
    pub what: What<'a, O>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum What<'a, O> {
    /// Its process began.
    Started,
    /// Its process died.
    Crashed,
    /// Its host lost power, and with it the process if there was one.
    PowerLost,
    /// Its process is paused from now on.
    Paused,
    /// Its process runs again.
    Resumed,
    /// Its process was asked to end.
    ShutdownAsked,
    /// Its process ended of its own will.
    Exited,
    /// It asked for a connection.
    Connecting {
        /// Which.
        conn: ConnId,
        /// The node.
        to: NodeId,
    },
    /// The connection that it asked for is open.
    Opened {
        /// Which.
        conn: ConnId,
        /// The node at the other end.
        peer: NodeId,
    },
    /// It was connected to.
    Accepted {
        /// Which.
        conn: ConnId,
        /// The node that connected.
        peer: NodeId,
    },
    /// It closed a connection.
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
    /// Bytes arrived.
    Delivered {
        /// Where.
        conn: ConnId,
        /// The node that sent them.
        from: NodeId,
        /// What.
        bytes: &'a Bytes,
    },
    /// A timer was due.
    TimerFired {
        /// What the node said when it set the timer.
        token: u64,
    },
    /// It used its disk.
    Disk {
        /// The operation.
        op: DiskOpId,
        /// What it does.
        request: &'a DiskRequest,
    },
    /// An fsync ended.
    DiskDone {
        /// The operation.
        op: DiskOpId,
    },
    /// It observed something about itself.
    Observed(&'a O),
}
