//! The thread with the sockets: accepts, reads, writes, and looks at the wall clock.
//!
//! One loop serves all connections, so that ten thousand of them need no threads. A connection uses memory only for
//! bytes that its server or its client has not read yet, never by a length that a client announces. Both are bounded:
//! a socket is not read while its server has a full window of unread bytes, so that the client's own TCP holds the
//! rest; a client that leaves too much unread is reset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

use super::exchange::{Arrived, Exchange, Order};
use super::listeners::AcceptSocket;
use super::wall::Stopwatch;
use crate::cluster::Visitor;

/// How often the cluster learns the time.
const TICK: Duration = Duration::from_millis(1);
/// Connections of one server at once; more are reset (`max.connections`).
const CONNECTIONS_MAX: usize = 4_096;
/// Descriptors that are needed for other things than connections.
const DESCRIPTORS_KEPT: usize = 64;
/// Bytes that are read from one connection in one round, so that the others need not wait.
const READ_MAX: usize = 256 * 1024;
/// Bytes that a client may leave unread before its connection is no longer read.
const UNREAD_MAX: usize = 1 << 20;
/// Bytes that a client may leave unread before it is reset.
const UNREAD_LIMIT: usize = 256 << 20;
/// Bytes that all clients together may leave unread before those above [`UNREAD_MAX`] are reset.
const UNREAD_TOTAL: usize = 1 << 30;
/// Bytes of a connection that its server has not read yet, as in a socket buffer: the most, with few connections,
const WINDOW_MAX: usize = 256 * 1024;
/// the least, with many,
const WINDOW_MIN: usize = 16 * 1024;
/// and the sum for all connections in between.
const WINDOWS_TOTAL: usize = 256 << 20;
/// Events that may wait for the cluster's side before no connection is read.
const BACKLOG_MAX: usize = 4_096;
/// How long a client may take to read the rest of a closed connection.
const CLOSING: Duration = Duration::from_secs(2);

/// A client's socket.
struct Connection {
    stream: TcpStream,
    server: usize,
    outgoing: VecDeque<Bytes>,
    unread: usize,
    /// Bytes from the client that the server has not read.
    in_flight: usize,
    can_read: bool,
    can_write: bool,
    /// The client sends no more.
    is_half_closed: bool,
    /// When the server closed.
    closing: Option<Duration>,
}

/// Whether a connection stays open.
enum Fate {
    Stays,
    Ends,
}

/// All sockets.
pub struct Sockets {
    poll: Poll,
    accept_sockets: Vec<AcceptSocket>,
    /// Listeners have the tokens below this one, connections those from it on.
    first_connection: usize,
    /// Listeners with connections that were not accepted yet.
    pending: BTreeSet<usize>,
    connections: BTreeMap<u64, Connection>,
    /// Connections of each server.
    connections_at: Vec<usize>,
    connections_max: usize,
    next_visitor: u64,
    /// Bytes that all clients have not read.
    unread: usize,
    /// A spare descriptor: freed when there are no others, so that a connection can be accepted and closed.
    spare: Option<UdpSocket>,
    arrived: Vec<(Visitor, Arrived)>,
    exchange: Arc<Exchange>,
}

impl Sockets {
    /// Sockets for `listeners`, which are in the order of the servers.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(listeners: Vec<std::net::TcpListener>, exchange: Arc<Exchange>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut accept_sockets = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            accept_sockets.push(AcceptSocket::new(listener, Token(index), poll.registry())?);
        }
        Ok(Self {
            poll,
            first_connection: accept_sockets.len(),
            connections_at: vec![0; accept_sockets.len()],
            connections_max: share(accept_sockets.len()),
            accept_sockets,
            pending: BTreeSet::new(),
            connections: BTreeMap::new(),
            next_visitor: 1,
            unread: 0,
            spare: spare(),
            arrived: Vec::new(),
            exchange,
        })
    }

    /// Serves until the cluster's side has ended, or its own sockets fail; `stop` asks for an end.
    pub fn serve(mut self, stop: &AtomicBool) {
        let started = Stopwatch::start();
        let mut events = Events::with_capacity(1_024);
        loop {
            let polled = self.poll.poll(&mut events, Some(TICK));
            let failed = polled.is_err_and(|why| why.kind() != ErrorKind::Interrupted);
            self.mark(&events);
            let now = started.elapsed();
            let outbox = self.exchange.take_orders();
            for (visitor, order) in outbox.orders {
                self.apply(now, visitor, order);
            }
            self.set_listening(now, &outbox.listening);
            self.work(now);
            if outbox.is_over && (self.connections.is_empty() || failed) {
                return;
            }
            if outbox.is_over {
                self.close_all(now);
            } else {
                self.accept_all();
            }
            let stop = failed || stop.load(Ordering::Relaxed);
            self.exchange.deliver(started.elapsed(), &mut self.arrived, stop);
        }
    }

    fn mark(&mut self, events: &Events) {
        for event in events {
            let Token(token) = event.token();
            if token < self.first_connection {
                self.pending.insert(token);
                continue;
            }
            let visitor = (token - self.first_connection) as u64;
            if let Some(connection) = self.connections.get_mut(&visitor) {
                connection.can_read |= event.is_readable() || event.is_error();
                connection.can_write |= event.is_writable();
            }
        }
    }

    /// Opens and closes listeners, and retries those that could not be opened.
    fn set_listening(&mut self, now: Duration, orders: &[(usize, bool)]) {
        for &(server, listens) in orders {
            if listens {
                self.accept_sockets[server].open(now, self.poll.registry());
                self.pending.insert(server);
            } else {
                self.accept_sockets[server].close();
            }
        }
        for socket in &mut self.accept_sockets {
            socket.try_again(now, self.poll.registry());
        }
    }

    /// Accepts pending connections, some of each listener in each round.
    fn accept_all(&mut self) {
        for server in std::mem::take(&mut self.pending) {
            for _ in 0..256 {
                match self.accept_sockets[server].accept() {
                    Ok(stream) => self.register(server, stream),
                    Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                    Err(why) => {
                        self.pending.insert(server);
                        self.close_one(server, &why);
                        break;
                    }
                }
                self.pending.insert(server);
            }
        }
    }

    /// No descriptors are left: accepts one connection with the spare one and resets it, so that its client does not
    /// wait.
    fn close_one(&mut self, server: usize, why: &io::Error) {
        warn!(%why, "cannot accept a connection");
        self.spare = None;
        if let Ok(stream) = self.accept_sockets[server].accept() {
            reset(stream);
        }
        self.spare = spare();
    }

    fn register(&mut self, server: usize, mut stream: TcpStream) {
        if self.connections_at[server] >= self.connections_max {
            info!(server, "resets a connection: there are {} already", self.connections_max);
            reset(stream);
            return;
        }
        let visitor = self.next_visitor;
        self.next_visitor += 1;
        let token = Token(self.first_connection + visitor as usize);
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| self.poll.registry().register(&mut stream, token, both));
        if let Err(why) = ready {
            info!(%why, "a connection cannot be used");
            return;
        }
        let connection = Connection {
            stream,
            server,
            outgoing: VecDeque::new(),
            unread: 0,
            in_flight: 0,
            can_read: true,
            can_write: true,
            is_half_closed: false,
            closing: None,
        };
        self.connections.insert(visitor, connection);
        self.connections_at[server] += 1;
        self.arrived.push((Visitor(visitor), Arrived::Open(server)));
    }

    fn apply(&mut self, now: Duration, visitor: Visitor, order: Order) {
        // The client may be gone already.
        let Some(connection) = self.connections.get_mut(&visitor.0) else { return };
        match order {
            Order::Send(bytes) => {
                connection.unread += bytes.len();
                self.unread += bytes.len();
                connection.outgoing.push_back(bytes);
                let is_crowded = self.unread > UNREAD_TOTAL && connection.unread > UNREAD_MAX;
                if connection.unread > UNREAD_LIMIT || is_crowded {
                    info!(visitor = visitor.0, "resets a client that does not read");
                    self.drop_connection(visitor.0, true);
                    self.arrived.push((visitor, Arrived::Gone));
                }
            }
            Order::Close => connection.closing = Some(now),
            Order::Reset => self.drop_connection(visitor.0, true),
            Order::Took(bytes) => connection.in_flight = connection.in_flight.saturating_sub(bytes),
        }
    }

    /// Reads and writes all connections that are ready.
    fn work(&mut self, now: Duration) {
        let listens = self.exchange.backlog() < BACKLOG_MAX;
        let window = (WINDOWS_TOTAL / self.connections.len().max(1)).clamp(WINDOW_MIN, WINDOW_MAX);
        let (mut ended, mut unread) = (Vec::new(), 0);
        for (&visitor, connection) in &mut self.connections {
            let mut fate = connection.write();
            unread += connection.unread;
            if matches!(fate, Fate::Stays) && listens && connection.can_read {
                fate = connection
                    .read(window, |arrived| self.arrived.push((Visitor(visitor), arrived)));
            }
            let is_closed = connection.closing.is_some_and(|since| {
                connection.outgoing.is_empty()
                    && (connection.is_half_closed || now >= since + CLOSING)
            });
            if is_closed || matches!(fate, Fate::Ends) {
                ended.push((visitor, connection.closing.is_none()));
            }
        }
        self.unread = unread;
        for (visitor, is_news) in ended {
            self.drop_connection(visitor, false);
            if is_news {
                self.arrived.push((Visitor(visitor), Arrived::Gone));
            }
        }
    }

    /// The cluster has ended: connections close as soon as their clients have read everything.
    fn close_all(&mut self, now: Duration) {
        self.accept_sockets.clear();
        for connection in self.connections.values_mut() {
            connection.closing.get_or_insert(now);
        }
    }

    fn drop_connection(&mut self, visitor: u64, with_reset: bool) {
        let Some(mut connection) = self.connections.remove(&visitor) else { return };
        self.connections_at[connection.server] -= 1;
        self.unread -= connection.unread.min(self.unread);
        // Only a descriptor that is not registered fails here.
        let _: io::Result<()> = self.poll.registry().deregister(&mut connection.stream);
        if with_reset {
            reset(connection.stream);
        }
    }
}

/// Serving ends when this thread ends, for any reason.
impl Drop for Sockets {
    fn drop(&mut self) {
        self.exchange.deliver(Duration::ZERO, &mut self.arrived, true);
    }
}

impl Connection {
    fn write(&mut self) -> Fate {
        while self.can_write
            && let Some(bytes) = self.outgoing.front_mut()
        {
            match self.stream.write(bytes) {
                Ok(written) => {
                    bytes.advance(written);
                    self.unread -= written;
                    if bytes.is_empty() {
                        self.outgoing.pop_front();
                    }
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => self.can_write = false,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Fate::Ends,
            }
        }
        if self.closing.is_some() && self.outgoing.is_empty() {
            // Its client may have gone already.
            let _: io::Result<()> = self.stream.shutdown(Shutdown::Write);
        }
        Fate::Stays
    }

    /// Reads what is there, up to the window; a client that does not read its answers is not read either.
    fn read(&mut self, window: usize, mut arrived: impl FnMut(Arrived)) -> Fate {
        if self.is_half_closed || self.unread > UNREAD_MAX {
            return Fate::Stays;
        }
        // Bytes that are thrown away need no room.
        let window = if self.closing.is_some() { usize::MAX } else { window };
        let mut buffer = [0; 64 * 1024];
        for _ in 0..READ_MAX / buffer.len() {
            let room = window.saturating_sub(self.in_flight).min(buffer.len());
            if room == 0 {
                // Its server has to read first.
                return Fate::Stays;
            }
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => {
                    self.is_half_closed = true;
                    if self.closing.is_none() {
                        arrived(Arrived::HalfClosed);
                    }
                    return Fate::Stays;
                }
                // Bytes after the server has closed are thrown away.
                Ok(_) if self.closing.is_some() => {}
                Ok(length) => {
                    self.in_flight += length;
                    arrived(Arrived::Bytes(Bytes::copy_from_slice(&buffer[..length])));
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => {
                    self.can_read = false;
                    return Fate::Stays;
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Fate::Ends,
            }
        }
        Fate::Stays
    }
}

/// Resets a connection, as when the server's process dies.
fn reset(stream: TcpStream) {
    // If this fails the client sees an end of file instead.
    let _: io::Result<()> = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// How many connections each of so many servers may have, so that clients of one leave descriptors for the others.
/// Raises the limit of descriptors as far as the operating system allows.
fn share(servers: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    let descriptors =
        limit.current.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    (descriptors.saturating_sub(DESCRIPTORS_KEPT) / servers.max(1)).clamp(1, CONNECTIONS_MAX)
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind(("127.0.0.1", 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sockets' side with one server, and a client that was accepted as visitor 1.
    fn with_connection() -> (Sockets, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut sockets = Sockets::new(vec![listener], Arc::default()).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        while sockets.connections.is_empty() {
            sockets.pending.insert(0);
            sockets.accept_all();
        }
        sockets.arrived.clear();
        (sockets, client)
    }

    /// Works until `wanted` bytes have arrived, and some rounds longer.
    fn arrived(sockets: &mut Sockets, wanted: usize) -> usize {
        let mut size = 0;
        for turn in 0..10_000 {
            // Without a poll: the socket may be read.
            sockets.connections.values_mut().for_each(|connection| connection.can_read = true);
            sockets.work(Duration::ZERO);
            size += sockets
                .arrived
                .drain(..)
                .map(|(_, arrived)| match arrived {
                    Arrived::Bytes(bytes) => bytes.len(),
                    other => panic!("{other:?}"),
                })
                .sum::<usize>();
            if size >= wanted && turn > 100 {
                break;
            }
            std::thread::yield_now();
        }
        size
    }

    #[test]
    fn no_more_is_read_than_the_server_has_room_for() {
        let (mut sockets, mut client) = with_connection();
        // More than the sockets' own buffers hold.
        let total = 32 << 20;
        client.set_nonblocking(true).unwrap();
        let (chunk, mut written) = (vec![7; 1 << 20], 0);
        while let Ok(size) = client.write(&chunk) {
            written += size;
            assert!(written < total, "nothing slows the client down");
        }
        assert_eq!(arrived(&mut sockets, WINDOW_MAX), WINDOW_MAX);
        assert_eq!(arrived(&mut sockets, 0), 0, "the server has read nothing");
        for size in [1, 1_000, WINDOW_MAX - 1_001] {
            sockets.apply(Duration::ZERO, Visitor(1), Order::Took(size));
            assert_eq!(arrived(&mut sockets, size), size);
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_first_not_read_and_then_reset() {
        let (mut sockets, mut client) = with_connection();
        let answer = Bytes::from(vec![7; 1 << 20]);
        let enough = UNREAD_LIMIT / answer.len();
        client.write_all(b"request").unwrap();
        for sent in 0..enough {
            let order = Order::Send(answer.clone());
            sockets.apply(Duration::ZERO, Visitor(1), order);
            if sent == 30 {
                // More than the client's socket holds.
                assert_eq!(arrived(&mut sockets, 0), 0);
            }
        }
        assert_eq!(sockets.unread, sockets.connections[&1].unread);
        for _ in 0..40 {
            sockets.apply(Duration::ZERO, Visitor(1), Order::Send(answer.clone()));
        }
        assert_eq!((sockets.connections.len(), sockets.unread), (0, 0));
        assert_eq!(sockets.arrived, [(Visitor(1), Arrived::Gone)]);
        let end = client.read_to_end(&mut Vec::new()).expect_err("a reset");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    }
}
