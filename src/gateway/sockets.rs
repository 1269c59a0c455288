//! The thread with the sockets: accepts, reads, writes, and looks at the wall clock.
//!
//! One loop for all connections, so that ten thousand of them cost no threads. A connection costs memory only for
//! what it has sent and what it does not read: nothing is allocated by a length that somebody announces. Both are
//! bounded: a socket is not read while more than a window of what came from it was not read by its server, so that
//! the client's own TCP holds the rest, and is reset when its client leaves too much unread itself.

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

/// How often the cluster is told what time it is.
const TICK: Duration = Duration::from_millis(1);
/// Connections of one server at once; more are reset (`max.connections`).
const GUESTS_MAX: usize = 4_096;
/// Descriptors that are needed for other things than connections.
const DESCRIPTORS_KEPT: usize = 64;
/// What one connection may send in one round, in bytes; so that one does not keep the others waiting.
const READ_MAX: usize = 256 * 1024;
/// What one connection may leave unread, in bytes, before it is no longer listened to.
const UNREAD_MAX: usize = 1 << 20;
/// What one connection may leave unread before it is reset.
const UNREAD_LIMIT: usize = 256 << 20;
/// What all connections together may leave unread before those are reset that leave more than [`UNREAD_MAX`].
const UNREAD_TOTAL: usize = 1 << 30;
/// What one connection may have sent, in bytes, that its server has not read, as with socket buffers of that size:
/// the most, while there are few,
const WINDOW_MAX: usize = 256 * 1024;
/// the least,
const WINDOW_MIN: usize = 16 * 1024;
/// and what is shared by all in between.
const WINDOWS_TOTAL: usize = 256 << 20;
/// What may wait for the cluster's side, in pieces, before nobody is listened to.
const BACKLOG_MAX: usize = 4_096;
/// How long a client may take to hear that its connection is closed.
const CLOSING: Duration = Duration::from_secs(2);

/// A client's socket.
struct Guest {
    stream: TcpStream,
    door: usize,
    outgoing: VecDeque<Bytes>,
    unread: usize,
    /// Bytes that came from here and that the server has not read.
    in_flight: usize,
    can_read: bool,
    can_write: bool,
    /// It sends no more.
    is_silent: bool,
    /// The server closed: since when the client is being told.
    closing: Option<Duration>,
}

/// What became of a socket.
enum Fate {
    Stays,
    Ends,
}

/// All sockets.
pub struct Sockets {
    poll: Poll,
    doors: Vec<AcceptSocket>,
    /// Listeners have the tokens below this one, connections those from it on.
    first_guest: usize,
    /// Listeners with connections that were not accepted yet.
    knocking: BTreeSet<usize>,
    guests: BTreeMap<u64, Guest>,
    /// How many came in by each door, and how many may.
    guests_at: Vec<usize>,
    guests_max: usize,
    next_visitor: u64,
    /// What all leave unread, in bytes.
    unread: usize,
    /// A descriptor to give up when there are no more, so that a connection can be accepted and closed.
    spare: Option<UdpSocket>,
    arrived: Vec<(Visitor, Arrived)>,
    exchange: Arc<Exchange>,
}

impl Sockets {
    /// Sockets of which `listeners` are the doors, in order.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new(listeners: Vec<std::net::TcpListener>, exchange: Arc<Exchange>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut doors = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            doors.push(AcceptSocket::new(listener, Token(index), poll.registry())?);
        }
        Ok(Self {
            poll,
            first_guest: doors.len(),
            guests_at: vec![0; doors.len()],
            guests_max: share(doors.len()),
            doors,
            knocking: BTreeSet::new(),
            guests: BTreeMap::new(),
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
                self.obey(now, visitor, order);
            }
            self.turn_doors(now, &outbox.doors);
            self.work(now);
            if outbox.is_over && (self.guests.is_empty() || failed) {
                return;
            }
            if outbox.is_over {
                self.send_off(now);
            } else {
                self.accept_all();
            }
            let stop = failed || stop.load(Ordering::Relaxed);
            self.exchange.tell(started.elapsed(), &mut self.arrived, stop);
        }
    }

    fn mark(&mut self, events: &Events) {
        for event in events {
            let Token(token) = event.token();
            if token < self.first_guest {
                self.knocking.insert(token);
                continue;
            }
            let visitor = (token - self.first_guest) as u64;
            if let Some(guest) = self.guests.get_mut(&visitor) {
                guest.can_read |= event.is_readable() || event.is_error();
                guest.can_write |= event.is_writable();
            }
        }
    }

    /// Opens and shuts doors, and tries again those that could not be opened.
    fn turn_doors(&mut self, now: Duration, orders: &[(usize, bool)]) {
        for &(door, listens) in orders {
            if listens {
                self.doors[door].open(now, self.poll.registry());
                self.knocking.insert(door);
            } else {
                self.doors[door].shut();
            }
        }
        for door in &mut self.doors {
            door.try_again(now, self.poll.registry());
        }
    }

    /// Accepts who knocks. The same listener is looked at again next time, until nobody is left there.
    fn accept_all(&mut self) {
        for door in std::mem::take(&mut self.knocking) {
            for _ in 0..256 {
                match self.doors[door].accept() {
                    Ok(stream) => self.welcome(door, stream),
                    Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                    Err(why) => {
                        self.knocking.insert(door);
                        self.turn_away(door, &why);
                        break;
                    }
                }
                self.knocking.insert(door);
            }
        }
    }

    /// There are no descriptors left: accepts one connection with the spare one, and closes it, so that its
    /// client need not wait.
    fn turn_away(&mut self, door: usize, why: &io::Error) {
        warn!(%why, "cannot accept a connection");
        self.spare = None;
        if let Ok(stream) = self.doors[door].accept() {
            reset(stream);
        }
        self.spare = spare();
    }

    fn welcome(&mut self, door: usize, mut stream: TcpStream) {
        if self.guests_at[door] >= self.guests_max {
            info!(door, "resets a connection: there are {} already", self.guests_max);
            reset(stream);
            return;
        }
        let visitor = self.next_visitor;
        self.next_visitor += 1;
        let token = Token(self.first_guest + visitor as usize);
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| self.poll.registry().register(&mut stream, token, both));
        if let Err(why) = ready {
            info!(%why, "a connection is of no use");
            return;
        }
        let guest = Guest {
            stream,
            door,
            outgoing: VecDeque::new(),
            unread: 0,
            in_flight: 0,
            can_read: true,
            can_write: true,
            is_silent: false,
            closing: None,
        };
        self.guests.insert(visitor, guest);
        self.guests_at[door] += 1;
        self.arrived.push((Visitor(visitor), Arrived::Open(door)));
    }

    fn obey(&mut self, now: Duration, visitor: Visitor, order: Order) {
        // A client that went meanwhile needs no orders.
        let Some(guest) = self.guests.get_mut(&visitor.0) else { return };
        match order {
            Order::Send(bytes) => {
                guest.unread += bytes.len();
                self.unread += bytes.len();
                guest.outgoing.push_back(bytes);
                let is_crowded = self.unread > UNREAD_TOTAL && guest.unread > UNREAD_MAX;
                if guest.unread > UNREAD_LIMIT || is_crowded {
                    info!(visitor = visitor.0, "resets a client that reads nothing");
                    self.drop_guest(visitor.0, true);
                    self.arrived.push((visitor, Arrived::Gone));
                }
            }
            Order::Close => guest.closing = Some(now),
            Order::Reset => self.drop_guest(visitor.0, true),
            Order::Took(bytes) => guest.in_flight = guest.in_flight.saturating_sub(bytes),
        }
    }

    /// Reads and writes wherever something can be read or written.
    fn work(&mut self, now: Duration) {
        let listens = self.exchange.backlog() < BACKLOG_MAX;
        let window = (WINDOWS_TOTAL / self.guests.len().max(1)).clamp(WINDOW_MIN, WINDOW_MAX);
        let (mut ended, mut unread) = (Vec::new(), 0);
        for (&visitor, guest) in &mut self.guests {
            let mut fate = guest.write();
            unread += guest.unread;
            if matches!(fate, Fate::Stays) && listens && guest.can_read {
                fate = guest.read(window, |arrived| self.arrived.push((Visitor(visitor), arrived)));
            }
            let told = guest.closing.is_some_and(|since| {
                guest.outgoing.is_empty() && (guest.is_silent || now >= since + CLOSING)
            });
            if told || matches!(fate, Fate::Ends) {
                ended.push((visitor, guest.closing.is_none()));
            }
        }
        self.unread = unread;
        for (visitor, is_news) in ended {
            self.drop_guest(visitor, false);
            if is_news {
                self.arrived.push((Visitor(visitor), Arrived::Gone));
            }
        }
    }

    /// The cluster is gone, and so are its connections, as soon as their clients have what was sent.
    fn send_off(&mut self, now: Duration) {
        self.doors.clear();
        for guest in self.guests.values_mut() {
            guest.closing.get_or_insert(now);
        }
    }

    fn drop_guest(&mut self, visitor: u64, with_reset: bool) {
        let Some(mut guest) = self.guests.remove(&visitor) else { return };
        self.guests_at[guest.door] -= 1;
        self.unread -= guest.unread.min(self.unread);
        // Only a descriptor that is not registered fails here.
        let _: io::Result<()> = self.poll.registry().deregister(&mut guest.stream);
        if with_reset {
            reset(guest.stream);
        }
    }
}

/// When this thread ends, so does the serving, whatever the reason.
impl Drop for Sockets {
    fn drop(&mut self) {
        self.exchange.tell(Duration::ZERO, &mut self.arrived, true);
    }
}

impl Guest {
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

    /// Reads what is there, as far as the window lets it; a client that does not read is not listened to either.
    fn read(&mut self, window: usize, mut arrived: impl FnMut(Arrived)) -> Fate {
        if self.is_silent || self.unread > UNREAD_MAX {
            return Fate::Stays;
        }
        // What is thrown away takes no room.
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
                    self.is_silent = true;
                    if self.closing.is_none() {
                        arrived(Arrived::HalfClosed);
                    }
                    return Fate::Stays;
                }
                // What comes after the server has closed is thrown away.
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

/// Ends a connection as a process that died does: the client sees a reset.
fn reset(stream: TcpStream) {
    // Where this fails the client sees an end instead.
    let _: io::Result<()> = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// How many connections each of so many doors may have, so that a crowd at one of them leaves descriptors for the
/// others. Takes as many descriptors as the operating system allows.
fn share(doors: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    let descriptors =
        limit.current.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    (descriptors.saturating_sub(DESCRIPTORS_KEPT) / doors.max(1)).clamp(1, GUESTS_MAX)
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind(("127.0.0.1", 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sockets' side with one door, and a client that was accepted there as visitor 1.
    fn with_guest() -> (Sockets, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut sockets = Sockets::new(vec![listener], Arc::default()).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        while sockets.guests.is_empty() {
            sockets.knocking.insert(0);
            sockets.accept_all();
        }
        sockets.arrived.clear();
        (sockets, client)
    }

    /// Lets it work until `wanted` bytes have arrived, and then some.
    fn arrived(sockets: &mut Sockets, wanted: usize) -> usize {
        let mut size = 0;
        for turn in 0..10_000 {
            // No poll: what there is to be known is that the socket may be read.
            sockets.guests.values_mut().for_each(|guest| guest.can_read = true);
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
        let (mut sockets, mut client) = with_guest();
        // More than fits into the sockets' own buffers.
        let total = 32 << 20;
        client.set_nonblocking(true).unwrap();
        let (chunk, mut written) = (vec![7; 1 << 20], 0);
        while let Ok(size) = client.write(&chunk) {
            written += size;
            assert!(written < total, "nothing holds the client back");
        }
        assert_eq!(arrived(&mut sockets, WINDOW_MAX), WINDOW_MAX);
        assert_eq!(arrived(&mut sockets, 0), 0, "the server has read nothing");
        for size in [1, 1_000, WINDOW_MAX - 1_001] {
            sockets.obey(Duration::ZERO, Visitor(1), Order::Took(size));
            assert_eq!(arrived(&mut sockets, size), size);
        }
    }

    #[test]
    fn who_reads_nothing_is_first_not_listened_to_and_then_reset() {
        let (mut sockets, mut client) = with_guest();
        let answer = Bytes::from(vec![7; 1 << 20]);
        let enough = UNREAD_LIMIT / answer.len();
        client.write_all(b"request").unwrap();
        for sent in 0..enough {
            let order = Order::Send(answer.clone());
            sockets.obey(Duration::ZERO, Visitor(1), order);
            if sent == 30 {
                // More than the client's socket takes.
                assert_eq!(arrived(&mut sockets, 0), 0);
            }
        }
        assert_eq!(sockets.unread, sockets.guests[&1].unread);
        for _ in 0..40 {
            sockets.obey(Duration::ZERO, Visitor(1), Order::Send(answer.clone()));
        }
        assert_eq!((sockets.guests.len(), sockets.unread), (0, 0));
        assert_eq!(sockets.arrived, [(Visitor(1), Arrived::Gone)]);
        let end = client.read_to_end(&mut Vec::new()).expect_err("a reset");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    }
}
