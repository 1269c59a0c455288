//! A client's session at ZooKeeper, as a part of a broker or another client.
//!
//! Its owner sends it the inputs of its connections ([`Session::owns`]) and timers (by the token that the owner
//! chose), and takes out events with [`Session::poll`]. It behaves like ZooKeeper's Java client: requests are
//! pipelined; when a server is silent, the next one is tried with the same session; watches are set again there, and
//! missed events arrive; requests that were under way when a connection broke end with [`Code::CONNECTION_LOSS`],
//! and their outcome is unknown.

mod observations;
#[cfg(test)]
mod tests;
mod watches;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;

use crate::history::{Observation, SessionObservation};
use crate::vocab::step::{self, Closed};
use crate::vocab::{Clock, ConnId, NodeId, Stream, Time, TimerId, Zxid, nanos};
use crate::wire::frames::Frames;
use crate::wire::jute::{JuteError, Reader};
use crate::wire::zookeeper::{
    Code, ConnectRequest, ConnectResponse, MAX_FRAME, Reply, ReplyHeader, Request, WatchedEvent,
    op, xid,
};

use observations::observe;
use watches::{ArmedWatches, Wanted};

type Effects = step::Effects<Observation>;

/// The longest that a client stays silent (`ClientCnxn.MAX_SEND_PING_INTERVAL`).
const MAX_PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long a client waits when it has tried all of several servers (`StaticHostProvider.next`), in milliseconds.
const ROUND_PAUSE_MS: u64 = 1_000;

/// Each client tries the servers in a random order (`StaticHostProvider`), which spreads the clients.
fn shuffle(servers: &mut [NodeId], stream: &mut Stream) {
    for last in (1..servers.len()).rev() {
        let other = usize::try_from(stream.below(last as u64 + 1)).expect("below a usize");
        servers.swap(last, other);
    }
}

/// How a session is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The servers (`zookeeper.connect`).
    pub servers: Vec<NodeId>,
    /// The timeout that is requested, in milliseconds (`zookeeper.session.timeout.ms`).
    pub timeout_ms: i32,
    /// How long to wait before the next server is tried, in milliseconds; drawn each time.
    pub backoff_ms: RangeInclusive<u64>,
    /// The token of this session's timers, by which the owner knows them. One is set at a time.
    pub timer_token: u64,
    /// Whether it measures time on the wall clock, as clients before 3.4.11 do (ZOOKEEPER-1366).
    pub by_wall: bool,
    /// Whether it stands for a session that there has been for long: its first ping has any phase.
    pub was_up: bool,
}

impl SessionConfig {
    /// Servers and timeout, and up to a second between attempts, as `ClientCnxn` waits.
    pub fn new(servers: Vec<NodeId>, timeout_ms: i32, timer_token: u64) -> Self {
        Self {
            servers,
            timeout_ms,
            backoff_ms: 0..=999,
            timer_token,
            by_wall: false,
            was_up: false,
        }
    }
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A request ended.
    Reply {
        /// The owner's name for it.
        tag: u64,
        /// How. [`Code::CONNECTION_LOSS`] and [`Code::SESSION_EXPIRED`] may be the client's own.
        result: Result<Reply, Code>,
        /// The last transaction that the server had applied; 0 when the result is the client's own.
        zxid: Zxid,
    },
    /// A watch was triggered.
    Watch(WatchedEvent),
    /// It is attached to a server, for the first time or again.
    Connected,
    /// The connection broke; the session may live.
    Disconnected,
    /// The session has expired, and its ephemeral znodes are deleted. [`Session::renew`] begins another.
    Expired,
    /// [`Session::close`] is done.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// Until the next attempt.
    Backoff(Time),
    /// The connection is being opened, until this time at most.
    Connecting(ConnId, Time),
    /// The session is requested, until this time at most.
    Greeting(ConnId, Time),
    Up(ConnId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Alive,
    Closing,
    Expired,
    Closed,
}

#[derive(Debug)]
struct InFlight {
    xid: i32,
    op: i32,
    tag: u64,
    wanted: Option<Wanted>,
}

/// A session, or the pause between two.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    stream: Stream,
    life: Life,
    link: Link,
    server: usize,
    /// The server that it was connected to last: when all others were tried, there is a pause.
    round_began: usize,
    id: i64,
    password: Option<Bytes>,
    /// The negotiated one; until then the requested one.
    timeout: Duration,
    last_zxid: Zxid,
    next_xid: i32,
    frames: Frames,
    in_flight: VecDeque<InFlight>,
    queued: VecDeque<(Request, u64)>,
    armed: ArmedWatches,
    /// How many setWatches are not answered.
    arming: usize,
    last_sent: Time,
    last_received: Time,
    /// By how much the first ping is early.
    early: Duration,
    /// Of the present step.
    clock: Clock,
    timer: Option<(Time, TimerId)>,
    events: VecDeque<SessionEvent>,
}

impl Session {
    /// A session that is not started; `stream` draws its pauses, and the order in which servers are tried.
    ///
    /// # Panics
    /// Without a server.
    pub fn new(config: SessionConfig, stream: Stream) -> Self {
        assert!(!config.servers.is_empty(), "a session needs a server");
        let (mut config, mut stream) = (config, stream);
        shuffle(&mut config.servers, &mut stream);
        let timeout = Duration::from_millis(u64::try_from(config.timeout_ms).unwrap_or(0));
        Self {
            config,
            stream,
            life: Life::New,
            link: Link::Down,
            server: 0,
            round_began: 0,
            id: 0,
            password: None,
            timeout,
            last_zxid: Zxid(0),
            next_xid: 1,
            frames: Frames::new(MAX_FRAME),
            in_flight: VecDeque::new(),
            queued: VecDeque::new(),
            armed: ArmedWatches::default(),
            arming: 0,
            last_sent: Time::ZERO,
            last_received: Time::ZERO,
            early: Duration::ZERO,
            clock: Clock { now: Time::ZERO, wall_ms: 0 },
            timer: None,
            events: VecDeque::new(),
        }
    }

    /// Begins: connects to the first server.
    ///
    /// # Panics
    /// When it has begun already.
    pub fn start(&mut self, clock: Clock, fx: &mut Effects) {
        assert!(self.life == Life::New, "a session is started once");
        self.life = Life::Alive;
        let clock = self.by(clock);
        self.connect(clock, fx);
        self.arm(fx);
    }

    /// Begins a new session after [`SessionEvent::Expired`]; nothing of the old one is left.
    ///
    /// # Panics
    /// When the old one has not expired.
    pub fn renew(&mut self, clock: Clock, fx: &mut Effects) {
        assert!(self.life == Life::Expired, "only an expired session is renewed");
        (self.id, self.password, self.last_zxid) = (0, None, Zxid(0));
        self.armed = ArmedWatches::default();
        self.life = Life::New;
        self.start(clock, fx);
    }

    /// Ends the session, and its ephemeral znodes at once if there is a connection; otherwise it expires.
    /// [`SessionEvent::Closed`] follows.
    pub fn close(&mut self, clock: Clock, fx: &mut Effects) {
        let clock = self.by(clock);
        if let (Life::Alive, Link::Up(conn)) = (self.life, self.link) {
            self.life = Life::Closing;
            self.send(clock, fx, conn, Request::CloseSession, 0);
        } else if self.life != Life::Closed {
            self.drop_link(fx);
            self.link = Link::Down;
            self.closed();
        }
        self.arm(fx);
    }

    /// Moves to another server, the `server`-th of those that were given, in an order of the
    /// session's own; at once, with the same session. Nothing happens unless it is attached.
    pub fn move_to(&mut self, clock: Clock, fx: &mut Effects, server: usize) {
        if !self.is_connected() {
            return;
        }
        let clock = self.by(clock);
        self.drop_link(fx);
        self.server = server % self.config.servers.len();
        self.events.push_back(SessionEvent::Disconnected);
        self.connect(clock, fx);
        self.arm(fx);
    }

    /// Whether the connection belongs to the session.
    pub fn owns(&self, conn: ConnId) -> bool {
        self.conn() == Some(conn)
    }

    /// Whether it is attached to a server now.
    pub fn is_connected(&self) -> bool {
        self.life == Life::Alive && matches!(self.link, Link::Up(_))
    }

    /// The server that it is attached to now, if it is.
    pub fn server(&self) -> Option<NodeId> {
        self.is_connected().then(|| self.config.servers[self.server])
    }

    /// The session's id; 0 until the first [`SessionEvent::Connected`] and after an expiry.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The negotiated timeout.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The next event, oldest first. After every call of another method the owner polls until `None`.
    pub fn poll(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Sends a request, or keeps it for the connection that is being opened. Its end comes out of
    /// [`Session::poll`] under `tag`, in the order of requests.
    ///
    /// # Panics
    /// For what only the session itself sends: pings, credentials, setWatches, closeSession.
    pub fn request(&mut self, clock: Clock, fx: &mut Effects, request: Request, tag: u64) {
        let own = matches!(
            request,
            Request::Ping | Request::Auth { .. } | Request::SetWatches(_) | Request::CloseSession
        );
        assert!(!own, "{request:?} is the session's own");
        let clock = self.by(clock);
        match (self.life, self.link) {
            (Life::Alive, Link::Up(conn)) => self.send(clock, fx, conn, request, tag),
            (Life::Alive | Life::New, _) => self.queued.push_back((request, tag)),
            (Life::Expired | Life::Closing | Life::Closed, _) => {
                self.fail(tag, Code::SESSION_EXPIRED);
            }
        }
    }

    /// A connection is open.
    pub fn on_opened(&mut self, clock: Clock, fx: &mut Effects, conn: ConnId) {
        // Another one was given up while it opened.
        let Link::Connecting(current, deadline) = self.link else { return };
        if current != conn {
            return;
        }
        self.link = Link::Greeting(conn, deadline);
        let clock = self.by(clock);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.config.timeout_ms,
            session: self.id,
            password: Some(self.password.clone().unwrap_or_else(|| Bytes::from_static(&[0; 16]))),
            read_only: Some(false),
        };
        self.last_sent = clock.now;
        fx.send(conn, request.encode());
        self.arm(fx);
    }

    /// Bytes arrived.
    pub fn on_received(&mut self, clock: Clock, fx: &mut Effects, conn: ConnId, bytes: Bytes) {
        // Of a connection that the session has left.
        if !self.owns(conn) {
            return;
        }
        let clock = self.by(clock);
        self.last_received = clock.now;
        self.frames.push(bytes);
        if let Err(error) = self.read_frames(clock, fx, conn) {
            tracing::warn!(%error, "ZooKeeper sent what does not decode");
            if self.owns(conn) {
                self.disconnected(clock, fx);
            }
        }
        self.arm(fx);
    }

    fn read_frames(
        &mut self,
        clock: Clock,
        fx: &mut Effects,
        conn: ConnId,
    ) -> Result<(), JuteError> {
        while self.owns(conn) {
            let Some(payload) =
                self.frames.pop().map_err(|error| JuteError::Length(error.length))?
            else {
                break;
            };
            match self.link {
                Link::Up(_) => self.reply(clock, fx, payload)?,
                _ => self.greeted(clock, fx, conn, payload)?,
            }
        }
        Ok(())
    }

    /// A connection ended.
    pub fn on_closed(&mut self, clock: Clock, fx: &mut Effects, conn: ConnId, _why: Closed) {
        if self.owns(conn) {
            let clock = self.by(clock);
            self.disconnected(clock, fx);
            self.arm(fx);
        }
    }

    /// A timer with this session's token is due.
    pub fn on_timer(&mut self, clock: Clock, fx: &mut Effects, id: TimerId) {
        // Another one was set in the step in which this one fired.
        if self.timer.is_none_or(|(_, current)| current != id) {
            return;
        }
        self.timer = None;
        let clock = self.by(clock);
        let now = clock.now;
        match self.link {
            Link::Backoff(until) if now >= until => self.connect(clock, fx),
            Link::Connecting(_, deadline) | Link::Greeting(_, deadline) if now >= deadline => {
                self.disconnected(clock, fx);
            }
            Link::Up(conn) => {
                if now >= self.last_received + self.read_timeout() {
                    tracing::info!("the ZooKeeper server is silent, tries another one");
                    self.disconnected(clock, fx);
                } else if now >= self.next_ping() {
                    self.early = Duration::ZERO;
                    self.last_sent = now;
                    fx.send(conn, Request::Ping.encode(xid::PING));
                }
            }
            // The timer was early.
            _ => {}
        }
        self.arm(fx);
    }

    /// The clock that it goes by; its owner's is `clock`.
    fn by(&mut self, clock: Clock) -> Clock {
        self.clock = clock;
        if self.config.by_wall { clock.of_wall() } else { clock }
    }

    fn conn(&self) -> Option<ConnId> {
        match self.link {
            Link::Connecting(conn, _) | Link::Greeting(conn, _) | Link::Up(conn) => Some(conn),
            Link::Down | Link::Backoff(_) => None,
        }
    }

    fn read_timeout(&self) -> Duration {
        self.timeout * 2 / 3
    }

    fn ping_interval(&self) -> Duration {
        (self.timeout / 3).min(MAX_PING_INTERVAL)
    }

    fn next_ping(&self) -> Time {
        self.last_sent + self.ping_interval().saturating_sub(self.early)
    }

    fn connect(&mut self, clock: Clock, fx: &mut Effects) {
        let servers = u32::try_from(self.config.servers.len()).unwrap_or(u32::MAX);
        let conn = fx.connect(self.config.servers[self.server]);
        self.frames = Frames::new(MAX_FRAME);
        self.link = Link::Connecting(conn, clock.now + self.timeout / servers);
    }

    /// Closes the connection, if there is one; the outcome of requests that are under way is unknown.
    fn drop_link(&mut self, fx: &mut Effects) {
        if let Some(conn) = self.conn() {
            fx.close(conn);
        }
        if matches!(self.link, Link::Up(_)) {
            observe(fx, SessionObservation::Detached);
        }
        self.arming = 0;
        self.fail_all(Code::CONNECTION_LOSS);
    }

    fn disconnected(&mut self, clock: Clock, fx: &mut Effects) {
        let was_up = matches!(self.link, Link::Up(_));
        self.drop_link(fx);
        self.server = (self.server + 1) % self.config.servers.len();
        let mut pause_ms = self.stream.within(self.config.backoff_ms.clone());
        if self.server == self.round_began {
            pause_ms += ROUND_PAUSE_MS;
        }
        self.link = Link::Backoff(clock.now + Duration::from_millis(pause_ms));
        if self.life == Life::Closing {
            self.link = Link::Down;
            self.closed();
        } else if was_up {
            self.events.push_back(SessionEvent::Disconnected);
        }
    }

    fn closed(&mut self) {
        self.life = Life::Closed;
        self.events.push_back(SessionEvent::Closed);
    }

    fn fail(&mut self, tag: u64, code: Code) {
        self.events.push_back(SessionEvent::Reply { tag, result: Err(code), zxid: Zxid(0) });
    }

    fn fail_all(&mut self, code: Code) {
        while let Some(lost) = self.in_flight.pop_front() {
            if lost.op != op::CLOSE_SESSION {
                self.fail(lost.tag, code);
            }
        }
        while let Some((_, tag)) = self.queued.pop_front() {
            self.fail(tag, code);
        }
    }

    fn send(&mut self, clock: Clock, fx: &mut Effects, conn: ConnId, request: Request, tag: u64) {
        let number = self.next_xid;
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        self.last_sent = clock.now;
        observe(fx, SessionObservation::Asked { xid: number, call: observations::call(&request) });
        fx.send(conn, request.encode(number));
        let wanted = Wanted::of(&request);
        self.in_flight.push_back(InFlight { xid: number, op: request.op(), tag, wanted });
    }

    fn greeted(
        &mut self,
        clock: Clock,
        fx: &mut Effects,
        conn: ConnId,
        payload: Bytes,
    ) -> Result<(), JuteError> {
        let response = ConnectResponse::decode(payload)?;
        if response.timeout_ms <= 0 || response.session == 0 {
            tracing::info!(session = format!("{:#x}", self.id), "session expired");
            fx.close(conn);
            (self.link, self.life, self.id) = (Link::Down, Life::Expired, 0);
            self.fail_all(Code::SESSION_EXPIRED);
            observe(fx, SessionObservation::Expired);
            self.events.push_back(SessionEvent::Expired);
            return Ok(());
        }
        (self.id, self.password) = (response.session, response.password);
        self.timeout = Duration::from_millis(u64::try_from(response.timeout_ms).unwrap_or(0));
        if std::mem::take(&mut self.config.was_up) {
            let interval = nanos(self.ping_interval());
            let drawn = self.stream.below_name("phase").below(interval.max(1));
            self.early = Duration::from_nanos(drawn);
        }
        self.link = Link::Up(conn);
        self.round_began = self.server;
        self.events.push_back(SessionEvent::Connected);
        let (session, server) = (self.id, self.config.servers[self.server]);
        observe(fx, SessionObservation::Attached { session, server });
        for set in self.armed.set_watches(self.last_zxid) {
            self.last_sent = clock.now;
            self.arming += 1;
            fx.send(conn, Request::SetWatches(set).encode(xid::SET_WATCHES));
        }
        for (request, tag) in std::mem::take(&mut self.queued) {
            self.send(clock, fx, conn, request, tag);
        }
        Ok(())
    }

    fn reply(&mut self, clock: Clock, fx: &mut Effects, payload: Bytes) -> Result<(), JuteError> {
        let mut from = Reader::new(payload);
        let header = ReplyHeader::decode(&mut from)?;
        match header.xid {
            xid::EVENT => {
                let event = WatchedEvent::decode(&mut from)?;
                self.armed.fired(&event);
                let (kind, path) = (observations::news(event.kind), event.path.clone());
                observe(fx, SessionObservation::Notified { kind, path });
                self.events.push_back(SessionEvent::Watch(event));
                return Ok(());
            }
            xid::SET_WATCHES => {
                self.arming = self.arming.saturating_sub(1);
                if self.arming == 0 {
                    observe(fx, SessionObservation::Rearmed { zxid: header.zxid });
                }
                return Ok(());
            }
            xid::PING | xid::AUTH => return Ok(()),
            _ => {}
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
        let asked = self.in_flight.pop_front_if(|asked| asked.xid == header.xid);
        let asked = asked.ok_or(JuteError::Unknown(header.xid))?;
        if asked.op == op::CLOSE_SESSION {
            self.disconnected(clock, fx);
            return Ok(());
        }
        let result = match header.code {
            Code::OK => match Reply::decode(asked.op, &mut from) {
                Ok(reply) => Ok(reply),
                Err(error) => {
                    self.in_flight.push_front(asked);
                    return Err(error);
                }
            },
            code => Err(code),
        };
        let answer = observations::answer(&result);
        observe(fx, SessionObservation::Answered { xid: asked.xid, zxid: header.zxid, answer });
        if let Some(wanted) = asked.wanted {
            self.armed.answered(wanted, result.as_ref().err().copied());
        }
        self.events.push_back(SessionEvent::Reply { tag: asked.tag, result, zxid: header.zxid });
        Ok(())
    }

    /// Sets the one timer. An early timer is kept, and looks again when it fires.
    fn arm(&mut self, fx: &mut Effects) {
        let due = match self.link {
            Link::Down => None,
            Link::Backoff(at) | Link::Connecting(_, at) | Link::Greeting(_, at) => Some(at),
            Link::Up(_) => {
                let silent = self.last_received + self.read_timeout();
                Some(silent.min(self.next_ping()))
            }
        };
        match (self.timer, due) {
            (Some((set, _)), Some(due)) if set <= due => return,
            (Some((_, id)), _) => fx.cancel(id),
            (None, _) => {}
        }
        self.timer = due.map(|due| {
            let at = if self.config.by_wall { self.clock.wakes_at(due) } else { due };
            (due, fx.timer(at, self.config.timer_token))
        });
    }
}
