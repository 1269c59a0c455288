//! All connections of this broker but the one of its session at ZooKeeper, each with its owner.
//!
//! A broker takes one request per connection of a client at a time; what arrives behind it waits in the socket. So
//! responses leave in the order of the requests (`SocketServer` mutes the channel).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::metadata::Listener;
use crate::nodes::broker::context::{ConnOwner, Context};
use crate::nodes::broker::replica::ReplicaManager;
use crate::vocab::{ConnId, NodeId};
use crate::wire::frames::{FrameError, Frames};

#[derive(Debug)]
struct Client {
    listener: Listener,
    peer: NodeId,
    frames: Frames,
    busy: bool,
    /// Whether its next request waits for a handler.
    is_queued: bool,
}

#[derive(Debug)]
enum Connection {
    /// Made by a client or another broker.
    Client(Client),
    /// Made by this broker.
    Own(ConnOwner),
}

/// The part that a connection's input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The server: a client made the connection.
    Client,
    /// The part that made it.
    Owner(ConnOwner),
    /// The session at ZooKeeper, which knows its connection; or none, if the connection was closed while the input
    /// was on its way.
    Session,
}

/// The owners of connections: input finds its part by one look-up.
#[derive(Debug, Default)]
pub struct Connections {
    by_conn: BTreeMap<ConnId, Connection>,
    /// Whether requests are taken; what comes before waits in the connections.
    accepting: bool,
    /// Connections whose next request waits for a handler, the first one first.
    queued: VecDeque<ConnId>,
}

impl Connections {
    fn client(&mut self, conn: ConnId) -> Option<&mut Client> {
        match self.by_conn.get_mut(&conn) {
            Some(Connection::Client(client)) => Some(client),
            Some(Connection::Own(_)) | None => None,
        }
    }

    /// A peer connected.
    ///
    /// A request of more than `max_bytes` will end the connection (`socket.request.max.bytes`).
    pub fn accepted(&mut self, conn: ConnId, peer: NodeId, listener: Listener, max_bytes: usize) {
        let frames = Frames::new(max_bytes);
        let client = Client { listener, peer, frames, busy: false, is_queued: false };
        self.by_conn.insert(conn, Connection::Client(client));
    }

    /// A part of this broker made a connection.
    pub fn own(&mut self, conn: ConnId, owner: ConnOwner) {
        self.by_conn.insert(conn, Connection::Own(owner));
    }

    /// The part that an input of a connection is for.
    pub fn recipient(&self, conn: ConnId) -> Recipient {
        match self.by_conn.get(&conn) {
            Some(Connection::Client(_)) => Recipient::Client,
            Some(Connection::Own(owner)) => Recipient::Owner(*owner),
            None => Recipient::Session,
        }
    }

    /// The listener by which a connection came in.
    pub fn listener(&self, conn: ConnId) -> Listener {
        match self.by_conn.get(&conn) {
            Some(Connection::Client(client)) => client.listener,
            // The client is gone while its request waited.
            Some(Connection::Own(_)) | None => Listener::Internal,
        }
    }

    /// The node that a client's connection comes from.
    pub fn peer(&self, conn: ConnId) -> Option<NodeId> {
        match self.by_conn.get(&conn) {
            Some(Connection::Client(client)) => Some(client.peer),
            Some(Connection::Own(_)) | None => None,
        }
    }

    /// Takes a client's bytes; gives them back with the part that they are for when they are no client's.
    pub fn received(&mut self, conn: ConnId, bytes: Bytes) -> Result<(), (Recipient, Bytes)> {
        match self.by_conn.get_mut(&conn) {
            Some(Connection::Client(client)) => {
                client.frames.push(bytes);
                Ok(())
            }
            Some(Connection::Own(owner)) => Err((Recipient::Owner(*owner), bytes)),
            None => Err((Recipient::Session, bytes)),
        }
    }

    /// Whether requests are taken.
    pub fn is_accepting(&self) -> bool {
        self.accepting
    }

    /// Takes requests from now on, or no more.
    pub fn set_accepting(&mut self, accepting: bool) {
        self.accepting = accepting;
    }

    /// The next request's payload, if no other is being worked on; the connection is busy from then on.
    ///
    /// # Errors
    /// When the peer sent a frame of impossible length.
    pub fn next(&mut self, conn: ConnId) -> Result<Option<Bytes>, FrameError> {
        if !self.accepting {
            return Ok(None);
        }
        let Some(client) = self.client(conn) else {
            // Closed by the request before.
            return Ok(None);
        };
        if client.busy {
            return Ok(None);
        }
        let payload = client.frames.pop()?;
        client.busy = payload.is_some();
        Ok(payload)
    }

    /// All request handlers are blocked: the connection's next request waits for one.
    pub fn queue(&mut self, conn: ConnId) {
        if let Some(client) = self.client(conn)
            && !std::mem::replace(&mut client.is_queued, true)
        {
            self.queued.push_back(conn);
        }
    }

    /// Whether a request waits for a handler.
    pub fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// The connection whose request has waited longest for a handler.
    pub fn next_queued(&mut self) -> Option<ConnId> {
        let conn = self.queued.pop_front()?;
        if let Some(client) = self.client(conn) {
            client.is_queued = false;
        }
        Some(conn)
    }

    /// How many bytes a real broker would have left in the socket: all that came while a request of the connection
    /// is worked on, or while no requests are taken. The part of a request that is not complete is not among them: a
    /// broker reads it.
    pub fn left_in_socket(&self, conn: ConnId) -> usize {
        match self.by_conn.get(&conn) {
            Some(Connection::Client(client)) if client.busy || !self.accepting => {
                client.frames.size_bytes()
            }
            _ => 0,
        }
    }

    /// Whether a request of the connection is worked on.
    pub fn is_busy(&self, conn: ConnId) -> bool {
        matches!(self.by_conn.get(&conn), Some(Connection::Client(client)) if client.busy)
    }

    /// How many connections came in by a listener.
    pub fn count(&self, listener: Listener) -> usize {
        let is_of = |one: &&Connection| match one {
            Connection::Client(client) => client.listener == listener,
            _ => false,
        };
        self.by_conn.values().filter(is_of).count()
    }

    /// The request that was worked on is done. Returns whether the connection is still open.
    pub fn done(&mut self, conn: ConnId) -> bool {
        let Some(client) = self.client(conn) else {
            // The client closed it while its request waited.
            return false;
        };
        client.busy = false;
        true
    }

    /// The connection is gone; returns the part that it was for.
    pub fn remove(&mut self, conn: ConnId) -> Recipient {
        match self.by_conn.remove(&conn) {
            Some(Connection::Client(_)) => Recipient::Client,
            Some(Connection::Own(owner)) => Recipient::Owner(owner),
            None => Recipient::Session,
        }
    }

    /// Closes a client's connection, unless the client has closed it.
    pub fn close(&mut self, cx: &mut Context<'_>, replicas: &mut ReplicaManager, conn: ConnId) {
        if self.remove(conn) == Recipient::Client {
            cx.effects.close(conn);
            replicas.client_gone(conn);
        }
    }

    /// The connections of clients, oldest first.
    pub fn clients(&self) -> Vec<ConnId> {
        let clients = self.by_conn.iter();
        let clients = clients.filter(|(_, one)| matches!(one, Connection::Client(_)));
        clients.map(|(conn, _)| *conn).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_at_a_time_is_handed_out() {
        let (mut clients, conn) = (Connections::default(), ConnId(1));
        clients.accepted(conn, NodeId(3), Listener::Internal, 100);
        assert_eq!(clients.peer(conn), Some(NodeId(3)));
        clients.set_accepting(true);
        let pieces = Bytes::from_static(&[0, 0, 0, 1, 7, 0, 0, 0, 1, 8]);
        assert_eq!(clients.received(conn, pieces.clone()), Ok(()));
        assert_eq!(clients.next(conn).unwrap().as_deref(), Some(&[7][..]));
        assert_eq!(clients.next(conn).unwrap(), None);
        assert_eq!(clients.left_in_socket(conn), 5, "the second request");
        assert!(clients.done(conn));
        assert_eq!(clients.next(conn).unwrap().as_deref(), Some(&[8][..]));
        assert_eq!(clients.remove(conn), Recipient::Client);
        assert!(!clients.done(conn));
        assert_eq!(clients.next(conn), Ok(None));
        let returned = clients.received(conn, pieces.clone());
        assert_eq!(returned, Err((Recipient::Session, pieces)));
    }
}
