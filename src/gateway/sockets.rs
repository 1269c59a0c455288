//! The thread with the sockets: accepts, reads, writes, and looks at the wall clock.
//!
//! One loop serves all connections, so that thousands of them need no threads. A connection uses memory only for
//! bytes that its server or its client has not read yet, never by a length that a client announces. Both are bounded:
//! a socket is not read while its server has a full window of unread bytes, or works on a request ([`Valve`]), so
//! that the client's own TCP holds the rest. Where clients together leave too much unread, or too many requests
//! unfinished, those with the most of it are reset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

use super::exchange::{Arrived, Exchange, Order};
use super::limits::Limits;
use super::listeners::AcceptSocket;
use super::valve::Valve;
use super::wall::Stopwatch;
use crate::cluster::Visitor;

/// How often the cluster learns the time.
const TICK: Duration = Duration::from_millis(1);
/// Descriptors that are needed for other things than connections.
const DESCRIPTORS_KEPT: usize = 64;
/// Bytes that are read from one connection in one round, so that the others need not wait.
const READ_MAX: usize = 256 * 1024;
/// Bytes that a client may leave unread before its connection is no longer read.
const UNREAD_MAX: usize = 1 << 20;
/// Bytes that a client may leave unread before it is reset.
const UNREAD_LIMIT: usize = 256 << 20;
/// Bytes that all clients together may leave unread before those with more than their share are reset.
const UNREAD_TOTAL: usize = 512 << 20;
/// Bytes of incomplete requests of all connections together before the largest of them is reset.
const UNFINISHED_TOTAL: usize = 256 << 20;
/// Bytes that are read ahead of what is let through.
const AHEAD_MAX: usize = 64 * 1024;
/// Bytes of a connection that its server has not read yet, as in a socket buffer: the most, with few connections,
const WINDOW_MAX: usize = 256 * 1024;
/// the least, with many,
const WINDOW_MIN: usize = 16 * 1024;
/// and the sum for all connections in between.
const WINDOWS_TOTAL: usize = 256 << 20;
/// Bytes that all connections together let through in one round, and that may wait for the cluster's side: it takes
/// them in some tens of milliseconds.
const ROUND_MAX: usize = 4 << 20;
/// What each connection may let through in a round, however many there are: room for the requests of most clients.
const ROUND_MIN: usize = 4 * 1024;
/// Events that may wait for the cluster's side before no connection is read.
const BACKLOG_MAX: usize = 4_096;
/// How long a client may take to read the rest of a closed connection.
const CLOSING: Duration = Duration::from_secs(2);

/// A client's socket.
struct Connection {
    stream: TcpStream,
    server: usize,
    address: IpAddr,
    valve: Valve,
    outgoing: VecDeque<Bytes>,
    /// Bytes of `outgoing`; an answer counts as a whole until all of it is written.
    unread: usize,
    /// The first of `outgoing`, as long as it was.
    writing: usize,
    /// Bytes from the client that the server has not read.
    in_flight: usize,
    can_read: bool,
    can_write: bool,
    /// The client sends no more.
    is_half_closed: bool,
    /// The cluster knows that.
    is_half_closed_there: bool,
    /// Bytes of the client up to which its requests are answered.
    answered: u64,
    /// When the server closed.
    closing: Option<Duration>,
}

/// What a connection may do in one round.
#[derive(Clone, Copy)]
struct Round {
    /// Bytes that its server may have unread.
    window: usize,
    /// Bytes that may be let through.
    most: usize,
    /// How many connections there are.
    connections: usize,
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
    /// What each server lets its clients have.
    limits: Vec<Limits>,
    /// Connections of each server, by address.
    connections_at: Vec<BTreeMap<IpAddr, usize>>,
    /// Descriptors that each server may use.
    share: usize,
    next_visitor: u64,
    /// Bytes that all clients have not read.
    unread: usize,
    /// A spare descriptor: freed when there are no others, so that a connection can be accepted and closed.
    spare: Option<UdpSocket>,
    arrived: Vec<(Visitor, Arrived)>,
    /// Where every connection is read into.
    buffer: Box<[u8]>,
    exchange: Arc<Exchange>,
}

impl Sockets {
    /// Sockets for `listeners`, which are in the order of the servers.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        limits: Vec<Limits>,
        exchange: Arc<Exchange>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut accept_sockets = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            accept_sockets.push(AcceptSocket::new(listener, Token(index), poll.registry())?);
        }
        Ok(Self {
            poll,
            first_connection: accept_sockets.len(),
            connections_at: vec![BTreeMap::new(); accept_sockets.len()],
            share: share(accept_sockets.len()),
            limits,
            accept_sockets,
            pending: BTreeSet::new(),
            connections: BTreeMap::new(),
            next_visitor: 1,
            unread: 0,
            spare: spare(),
            arrived: Vec::new(),
            buffer: vec![0; AHEAD_MAX].into(),
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
                if self.is_full(server) && self.limits[server].waits {
                    self.pending.insert(server);
                    break;
                }
                match self.accept_sockets[server].accept() {
                    Ok((stream, address)) => self.register(server, stream, address),
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

    /// Whether a server has all the connections that it may have.
    fn is_full(&self, server: usize) -> bool {
        let most = self.limits[server].connections.min(self.share);
        self.connections_at[server].values().sum::<usize>() >= most
    }

    /// No descriptors are left: accepts one connection with the spare one and resets it, so that its client does not
    /// wait.
    fn close_one(&mut self, server: usize, why: &io::Error) {
        warn!(%why, "cannot accept a connection");
        self.spare = None;
        if let Ok((stream, _)) = self.accept_sockets[server].accept() {
            reset(stream);
        }
        self.spare = spare();
    }

    fn register(&mut self, server: usize, mut stream: TcpStream, address: IpAddr) {
        let (limits, here) = (self.limits[server], &self.connections_at[server]);
        if self.is_full(server) {
            info!(server, "resets a connection: there are enough already");
            reset(stream);
            return;
        }
        if here.get(&address).is_some_and(|here| *here >= limits.connections_per_ip) {
            // Brokers and ZooKeeper servers close it.
            info!(server, %address, "closes a connection: its address has enough already");
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
            address,
            valve: Valve::new(limits.is_broker),
            outgoing: VecDeque::new(),
            unread: 0,
            writing: 0,
            in_flight: 0,
            can_read: true,
            can_write: true,
            is_half_closed: false,
            is_half_closed_there: false,
            answered: 0,
            closing: None,
        };
        self.connections.insert(visitor, connection);
        *self.connections_at[server].entry(address).or_default() += 1;
        self.arrived.push((Visitor(visitor), Arrived::Open(server)));
    }

    fn apply(&mut self, now: Duration, visitor: Visitor, order: Order) {
        // The client may be gone already.
        let share = UNREAD_TOTAL / self.connections.len().max(1);
        let Some(connection) = self.connections.get_mut(&visitor.0) else { return };
        match order {
            Order::Send(bytes) => {
                connection.unread += bytes.len();
                self.unread += bytes.len();
                if connection.outgoing.is_empty() {
                    connection.writing = bytes.len();
                }
                connection.outgoing.push_back(bytes);
                let is_crowded = self.unread > UNREAD_TOTAL && connection.unread > share;
                if connection.unread > UNREAD_LIMIT || is_crowded {
                    info!(visitor = visitor.0, "resets a client that does not read");
                    self.drop_connection(visitor.0, true);
                    self.arrived.push((visitor, Arrived::Gone));
                }
            }
            Order::Close => connection.closing = Some(now),
            Order::Reset => self.drop_connection(visitor.0, true),
            Order::Took(bytes) => connection.in_flight = connection.in_flight.saturating_sub(bytes),
            Order::Answered(upto) => connection.answered = upto,
        }
    }

    /// Reads and writes all connections that are ready.
    fn work(&mut self, now: Duration) {
        let (events, bytes) = self.exchange.backlog();
        let listens = events < BACKLOG_MAX && bytes < ROUND_MAX;
        let count = self.connections.len().max(1);
        let limits = Round {
            window: (WINDOWS_TOTAL / count).clamp(WINDOW_MIN, WINDOW_MAX),
            most: (ROUND_MAX / count).clamp(ROUND_MIN, READ_MAX),
            connections: count,
        };
        let (mut ended, mut unread, mut unfinished) = (Vec::new(), 0, 0);
        for (&visitor, connection) in &mut self.connections {
            let mut fate = connection.write();
            unread += connection.unread;
            if matches!(fate, Fate::Stays) && listens {
                let arrived = |arrived| self.arrived.push((Visitor(visitor), arrived));
                fate = connection.read(&mut self.buffer, limits, arrived);
            }
            unfinished += connection.valve.unfinished();
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
        if unfinished > UNFINISHED_TOTAL {
            self.end_unfinished(unfinished);
        }
    }

    /// Resets those that have sent the most of a request and not all of it, until they hold `UNFINISHED_TOTAL`
    /// together.
    fn end_unfinished(&mut self, mut unfinished: usize) {
        let all = self.connections.iter();
        let mut largest: Vec<_> =
            all.map(|(visitor, connection)| (connection.valve.unfinished(), *visitor)).collect();
        largest.sort_unstable();
        while let Some((size, visitor)) = largest.pop()
            && unfinished > UNFINISHED_TOTAL
        {
            info!(visitor, size, "resets a client whose request does not end");
            self.drop_connection(visitor, true);
            self.arrived.push((Visitor(visitor), Arrived::Gone));
            unfinished -= size;
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
        let here = &mut self.connections_at[connection.server];
        if let Some(count) = here.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                here.remove(&connection.address);
            }
        }
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
                    if bytes.is_empty() {
                        // Its memory is free only now.
                        self.unread -= self.writing;
                        self.outgoing.pop_front();
                        self.writing = self.outgoing.front().map_or(0, Bytes::len);
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

    /// Reads what is there, and lets through what may pass; a client that does not read its answers is not read either.
    fn read(&mut self, buffer: &mut [u8], round: Round, mut arrived: impl FnMut(Arrived)) -> Fate {
        let is_idle = self.answered == self.valve.total() && self.outgoing.is_empty();
        if is_idle {
            self.valve.answered();
        }
        if self.is_half_closed_there || self.unread > UNREAD_MAX {
            return Fate::Stays;
        }
        let (mut goes_on, mut most) = (true, round.most);
        for _ in 0..READ_MAX / buffer.len() {
            match self.read_ahead(buffer, round.window) {
                Ok(has_read) => goes_on = has_read,
                Err(_) => return Fate::Ends,
            }
            if self.closing.is_none()
                && let room = round.window.saturating_sub(self.in_flight).min(most)
                && let Some(bytes) = self.valve.take(room, round.connections)
            {
                most -= bytes.len();
                self.in_flight += bytes.len();
                arrived(Arrived::Bytes(bytes));
                goes_on = true;
            }
            if !goes_on {
                break;
            }
        }
        // What still does not pass when all is answered is the beginning of a request.
        let is_over = self.is_half_closed && (self.valve.held() == 0 || (is_idle && !goes_on));
        if is_over && self.closing.is_none() {
            self.is_half_closed_there = true;
            arrived(Arrived::HalfClosed);
        }
        Fate::Stays
    }

    /// Reads once, if there is room; whether there was something.
    fn read_ahead(&mut self, buffer: &mut [u8], window: usize) -> io::Result<bool> {
        // Bytes that are thrown away need no room.
        let room = match self.closing {
            None => AHEAD_MAX.min(window).saturating_sub(self.valve.held()).min(buffer.len()),
            Some(_) => buffer.len(),
        };
        if !self.can_read || self.is_half_closed || room == 0 {
            return Ok(false);
        }
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.is_half_closed = true,
            // Bytes after the server has closed are thrown away.
            Ok(_) if self.closing.is_some() => {}
            Ok(length) => self.valve.push(&buffer[..length]),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {
                self.can_read = false;
                return Ok(false);
            }
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
        Ok(true)
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
    (descriptors.saturating_sub(DESCRIPTORS_KEPT) / servers.max(1)).max(1)
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
        let limits = Limits {
            is_broker: false,
            connections: 10,
            connections_per_ip: 2,
            waits: false,
            idle: None,
            silent: None,
        };
        let mut sockets = Sockets::new(vec![listener], vec![limits], Arc::default()).unwrap();
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
    fn the_largest_request_that_does_not_end_is_reset() {
        let (mut sockets, mut large) = with_connection();
        let (address, piece) = (large.peer_addr().unwrap(), vec![0x7f; 1 << 20]);
        let mut small = std::net::TcpStream::connect(address).unwrap();
        while sockets.connections.len() < 2 {
            sockets.pending.insert(0);
            sockets.accept_all();
        }
        sockets.arrived.clear();
        for (visitor, pieces) in [(1, UNFINISHED_TOTAL >> 20), (2, 1)] {
            let valve = &mut sockets.connections.get_mut(&visitor).unwrap().valve;
            for _ in 0..pieces {
                assert_eq!(sockets.arrived.len(), 0);
                valve.push(&piece);
                assert_eq!(valve.take(usize::MAX, 2).unwrap().len(), piece.len());
            }
        }
        sockets.work(Duration::ZERO);
        assert_eq!(sockets.arrived, [(Visitor(1), Arrived::Gone)]);
        assert_eq!(sockets.connections.keys().collect::<Vec<_>>(), [&2]);
        let end = large.read_to_end(&mut Vec::new()).expect_err("a reset");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
        small.write_all(b"more").expect("it stays");
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
