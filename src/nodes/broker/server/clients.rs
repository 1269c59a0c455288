//! Connections that others made to this broker.
//!
//! A broker takes one request per connection at a time; what arrives behind it waits in the socket. So
//! responses leave in the order of the requests without further ado (`SocketServer` mutes the channel).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::metadata::Listener;
use crate::vocab::ConnId;
use crate::wire::frames::{FrameError, Frames};
use crate::wire::kafka::MAX_FRAME_BYTES;

#[derive(Debug)]
struct Client {
    listener: Listener,
    frames: Frames,
    busy: bool,
}

/// All connections of clients, other brokers among them.
#[derive(Debug, Default)]
pub struct Clients {
    by_conn: BTreeMap<ConnId, Client>,
}

impl Clients {
    /// A peer connected.
    pub fn accepted(&mut self, conn: ConnId, listener: Listener) {
        let frames = Frames::new(MAX_FRAME_BYTES);
        self.by_conn.insert(conn, Client { listener, frames, busy: false });
    }

    /// The listener by which a connection came in.
    pub fn listener(&self, conn: ConnId) -> Listener {
        self.by_conn.get(&conn).map_or(Listener::Internal, |client| client.listener)
    }

    /// Takes bytes; gives them back when it is no client's connection.
    pub fn received(&mut self, conn: ConnId, bytes: Bytes) -> Option<Bytes> {
        let Some(client) = self.by_conn.get_mut(&conn) else { return Some(bytes) };
        client.frames.push(bytes);
        None
    }

    /// The next request's payload, if no other is being worked on; the connection is busy from then on.
    ///
    /// # Errors
    /// When the peer sent a frame of impossible length.
    pub fn next(&mut self, conn: ConnId) -> Result<Option<Bytes>, FrameError> {
        let Some(client) = self.by_conn.get_mut(&conn) else { return Ok(None) };
        if client.busy {
            return Ok(None);
        }
        let payload = client.frames.pop()?;
        client.busy = payload.is_some();
        Ok(payload)
    }

    /// How many bytes a real broker would have left in the socket: all that came while a request of the connection
    /// is worked on, or while no requests are taken. What is there of a request that is not whole yet a broker has
    /// read.
    pub fn left_in_socket(&self, conn: ConnId, accepting: bool) -> usize {
        let client = self.by_conn.get(&conn).filter(|client| client.busy || !accepting);
        client.map_or(0, |client| client.frames.size_bytes())
    }

    /// The request that was worked on is done. Returns whether the connection still stands.
    pub fn done(&mut self, conn: ConnId) -> bool {
        let Some(client) = self.by_conn.get_mut(&conn) else { return false };
        client.busy = false;
        true
    }

    /// The connection is gone; returns whether it was a client's.
    pub fn remove(&mut self, conn: ConnId) -> bool {
        self.by_conn.remove(&conn).is_some()
    }

    /// All connections, oldest first.
    pub fn conns(&self) -> Vec<ConnId> {
        self.by_conn.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_at_a_time_is_handed_out() {
        let (mut clients, conn) = (Clients::default(), ConnId(1));
        clients.accepted(conn, Listener::Internal);
        let pieces = Bytes::from_static(&[0, 0, 0, 1, 7, 0, 0, 0, 1, 8]);
        assert_eq!(clients.received(conn, pieces.clone()), None);
        assert_eq!(clients.next(conn).unwrap().as_deref(), Some(&[7][..]));
        assert_eq!(clients.next(conn).unwrap(), None);
        assert_eq!(clients.left_in_socket(conn, true), 5, "the second request");
        assert!(clients.done(conn));
        assert_eq!(clients.next(conn).unwrap().as_deref(), Some(&[8][..]));
        assert!(clients.remove(conn));
        assert!(!clients.done(conn));
        assert_eq!(clients.next(conn), Ok(None));
        assert_eq!(clients.received(conn, pieces.clone()), Some(pieces));
    }
}
