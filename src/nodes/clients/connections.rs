//! Connections of one client to the brokers: one each, with back-off before connecting again, a time limit for
//! making the connection and one for every request (what `NetworkClient` is in Java).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use super::wake::earlier;
use crate::nodes::Effects;
use crate::nodes::channel::Channel;
use crate::vocab::step::Input;
use crate::vocab::{ConnId, NodeId, Stream, Time};

/// How a client connects and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// `request.timeout.ms`: a request that is not answered in this time ends its connection.
    pub request_timeout: Duration,
    /// `reconnect.backoff.ms`
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms` (2.7+). Older clients leave the limit to the operating system,
    /// which on Linux gives up after some two minutes.
    pub connection_setup_timeout: Duration,
    /// `max.in.flight.requests.per.connection`
    pub max_in_flight: usize,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_millis(30_000),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_millis(1_000),
            connection_setup_timeout: Duration::from_millis(10_000),
            max_in_flight: 100,
        }
    }
}

/// Whether a broker can be sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Not before an answer comes in: the connection is being made, or all requests allowed are in flight.
    Wait,
    /// Not before this moment, when the back-off ends.
    Backoff(Time),
}

/// What one input brought.
#[derive(Debug, Default)]
pub struct Happenings {
    /// Answers, with the tags of their requests.
    pub responses: Vec<(u64, ResponseKind)>,
    /// Tags of requests that will have no answer.
    pub lost: Vec<u64>,
    /// Whether a connection ended or could not be made.
    pub disconnected: bool,
}

#[derive(Debug)]
struct Link {
    channel: Channel,
    /// The timeout of each request in flight, oldest first.
    deadlines: VecDeque<Time>,
    /// The timeout of the connection attempt.
    setup_deadline: Option<Time>,
    /// Connections that ended or were refused since the last one that was open.
    failures: u32,
    /// No new connection before this moment.
    blackout_until: Time,
    last_attempt: Time,
}

impl Link {
    fn deadline(&self) -> Option<Time> {
        self.setup_deadline.or_else(|| self.deadlines.iter().min().copied())
    }
}

/// All connections of one client.
#[derive(Debug)]
pub struct Connections {
    client_id: StrBytes,
    config: ConnectionConfig,
    stream: Stream,
    links: Vec<Link>,
}

impl Connections {
    /// No connection yet. `stream` draws the jitter of back-offs.
    pub fn new(client_id: &str, config: ConnectionConfig, stream: Stream) -> Self {
        let client_id = StrBytes::from_string(client_id.to_owned());
        Self { client_id, config, stream, links: Vec::new() }
    }

    /// The client's own randomness.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    fn find(&self, node: NodeId) -> Option<&Link> {
        self.links.iter().find(|link| link.channel.to() == node)
    }

    fn link(&mut self, node: NodeId) -> &mut Link {
        let at = self.links.iter().position(|link| link.channel.to() == node);
        let at = at.unwrap_or_else(|| {
            self.links.push(Link {
                channel: Channel::new(node, self.client_id.clone()),
                deadlines: VecDeque::new(),
                setup_deadline: None,
                failures: 0,
                blackout_until: Time::ZERO,
                last_attempt: Time::ZERO,
            });
            self.links.len() - 1
        });
        &mut self.links[at]
    }

    /// Whether a request can be sent to `node`; connects when there is no connection and back-off allows it.
    pub fn prepare(&mut self, now: Time, node: NodeId, effects: &mut Effects) -> Readiness {
        let ConnectionConfig { max_in_flight, connection_setup_timeout, .. } = self.config;
        let link = self.link(node);
        if link.channel.is_open() {
            let free = link.channel.in_flight() < max_in_flight;
            return if free { Readiness::Ready } else { Readiness::Wait };
        }
        if link.channel.conn().is_none() {
            if now < link.blackout_until {
                return Readiness::Backoff(link.blackout_until);
            }
            link.channel.connect(effects);
            link.last_attempt = now;
            link.setup_deadline = Some(now + connection_setup_timeout);
        }
        Readiness::Wait
    }

    /// Sends a request on an open connection. Its tag comes back in [`Happenings`].
    ///
    /// # Panics
    /// When [`Connections::prepare`] did not say [`Readiness::Ready`].
    pub fn send(
        &mut self,
        now: Time,
        node: NodeId,
        effects: &mut Effects,
        request: (ApiKey, i16, &RequestKind),
        tag: u64,
    ) {
        self.send_for(now, node, effects, request, (tag, Duration::ZERO));
    }

    /// Sends a request that may be answered later than others: it is waited for at least so long.
    ///
    /// # Panics
    /// As [`Connections::send`].
    pub fn send_for(
        &mut self,
        now: Time,
        node: NodeId,
        effects: &mut Effects,
        request: (ApiKey, i16, &RequestKind),
        (tag, timeout): (u64, Duration),
    ) {
        let deadline = now + self.config.request_timeout.max(timeout);
        let link = self.link(node);
        assert!(link.channel.is_open(), "a request needs an open connection");
        let (api, version, body) = request;
        link.channel.send(effects, api, version, body, tag);
        link.deadlines.push_back(deadline);
    }

    /// Closes the connection to `node`, if there is one: its requests are lost.
    pub fn disconnect(
        &mut self,
        now: Time,
        node: NodeId,
        effects: &mut Effects,
        happened: &mut Happenings,
    ) {
        let at = self.links.iter().position(|link| link.channel.to() == node);
        if let Some(at) = at.filter(|at| self.links[*at].channel.conn().is_some()) {
            let lost = self.links[at].channel.disconnect(effects);
            self.ended(now, at, lost, happened);
        }
    }

    /// Whether the connection is one of these.
    pub fn owns(&self, conn: ConnId) -> bool {
        self.of(conn).is_some()
    }

    /// Sends a request that has no answer, on an open connection.
    ///
    /// # Panics
    /// As [`Connections::send`].
    pub fn send_one_way(
        &mut self,
        node: NodeId,
        effects: &mut Effects,
        request: (ApiKey, i16, &RequestKind),
    ) {
        let link = self.link(node);
        assert!(link.channel.is_open(), "a request needs an open connection");
        let (api, version, body) = request;
        link.channel.send_one_way(effects, api, version, body);
    }

    /// Chooses one of `nodes` for a request that all can answer: of the connected ones the one with the fewest
    /// requests in flight, else one that is being connected, else the one that was tried the longest ago. The
    /// search starts at a random place (`NetworkClient.leastLoadedNode`).
    pub fn least_loaded(&mut self, now: Time, nodes: &[NodeId]) -> Option<NodeId> {
        if nodes.is_empty() {
            return None;
        }
        let start = self.stream.below(nodes.len() as u64) as usize;
        let mut open: Option<(usize, NodeId)> = None;
        let mut connecting = None;
        let mut closed: Option<(Time, NodeId)> = None;
        for at in 0..nodes.len() {
            let node = nodes[(start + at) % nodes.len()];
            // Never connected.
            let Some(link) = self.find(node) else {
                if closed.is_none_or(|(attempt, _)| attempt > Time::ZERO) {
                    closed = Some((Time::ZERO, node));
                }
                continue;
            };
            if link.channel.is_open() {
                let load = link.channel.in_flight();
                if load < self.config.max_in_flight && open.is_none_or(|(least, _)| load < least) {
                    open = Some((load, node));
                }
            } else if link.channel.conn().is_some() {
                connecting = Some(node);
            } else if link.blackout_until <= now
                && closed.is_none_or(|(attempt, _)| link.last_attempt < attempt)
            {
                closed = Some((link.last_attempt, node));
            }
        }
        open.map(|(_, node)| node).or(connecting).or(closed.map(|(_, node)| node))
    }

    /// The next end of a back-off among `nodes`.
    pub fn backoff_ends(&self, now: Time, nodes: &[NodeId]) -> Option<Time> {
        let ends = nodes.iter().filter_map(|&node| self.find(node)).map(|link| link.blackout_until);
        ends.filter(|&end| end > now).min()
    }

    /// Processes an input that concerns one of its connections.
    pub fn handle(
        &mut self,
        now: Time,
        input: Input,
        effects: &mut Effects,
        happened: &mut Happenings,
    ) {
        match input {
            Input::Opened(conn) => {
                // Another one belongs to a session of the client.
                if let Some(at) = self.of(conn) {
                    let link = &mut self.links[at];
                    link.channel.opened(effects, conn);
                    link.setup_deadline = None;
                    link.failures = 0;
                }
            }
            Input::Received { conn, bytes } => {
                if let Some(at) = self.of(conn) {
                    self.received(now, at, bytes, effects, happened);
                }
            }
            Input::Closed { conn, why } => {
                if let Some(at) = self.of(conn) {
                    debug!(?why, node = self.links[at].channel.to().0, "connection ended");
                    let lost = self.links[at].channel.closed();
                    self.ended(now, at, lost, happened);
                }
            }
            // Timers and the rest concern no connection.
            _ => {}
        }
    }

    fn of(&self, conn: ConnId) -> Option<usize> {
        self.links.iter().position(|link| link.channel.conn() == Some(conn))
    }

    fn received(
        &mut self,
        now: Time,
        at: usize,
        bytes: Bytes,
        effects: &mut Effects,
        happened: &mut Happenings,
    ) {
        let link = &mut self.links[at];
        let before = happened.responses.len();
        let outcome = link.channel.received(bytes, &mut happened.responses);
        let answered = happened.responses.len() - before;
        link.deadlines.drain(..answered);
        if let Err(why) = outcome {
            debug!(%why, node = link.channel.to().0, "the broker broke the protocol");
            let lost = link.channel.disconnect(effects);
            self.ended(now, at, lost, happened);
        }
    }

    fn ended(&mut self, now: Time, at: usize, lost: Vec<u64>, happened: &mut Happenings) {
        let ConnectionConfig { reconnect_backoff, reconnect_backoff_max, .. } = self.config;
        let link = &mut self.links[at];
        link.deadlines.clear();
        link.setup_deadline = None;
        let doubled = reconnect_backoff.saturating_mul(1 << link.failures.min(20));
        link.failures += 1;
        // ±20 %, so that clients that lost the same broker do not come back at the same moment.
        let percent = self.stream.within(80..=120) as u32;
        self.links[at].blackout_until = now + doubled.min(reconnect_backoff_max) * percent / 100;
        happened.lost.extend(lost);
        happened.disconnected = true;
    }

    /// Closes connections that did not open in time or did not answer in time.
    pub fn expire(&mut self, now: Time, effects: &mut Effects, happened: &mut Happenings) {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            if link.deadline().is_some_and(|deadline| deadline <= now) {
                debug!(node = link.channel.to().0, "no answer in time, disconnecting");
                let lost = link.channel.disconnect(effects);
                self.ended(now, at, lost, happened);
            }
        }
    }

    /// When [`Connections::expire`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        self.links.iter().map(Link::deadline).fold(None, earlier)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::MetadataRequest;

    use super::*;
    use crate::vocab::step::{Closed, Effect};
    use crate::vocab::{Roster, Seed};

    struct Rig {
        effects: Effects,
        net: Connections,
        nodes: Vec<NodeId>,
        happened: Happenings,
    }

    fn rig(brokers: usize) -> Rig {
        let mut roster = Roster::default();
        let nodes = (0..brokers).map(|n| roster.add(&format!("b{n}"))).collect();
        let net = Connections::new("c", ConnectionConfig::default(), Seed(1).stream("c"));
        Rig { effects: Effects::default(), net, nodes, happened: Happenings::default() }
    }

    impl Rig {
        fn connect(&mut self, now: Time, node: usize) -> Readiness {
            self.net.prepare(now, self.nodes[node], &mut self.effects)
        }

        fn conn(&self, node: usize) -> ConnId {
            self.net.find(self.nodes[node]).and_then(|link| link.channel.conn()).unwrap()
        }

        fn input(&mut self, now: Time, input: Input) {
            self.net.handle(now, input, &mut self.effects, &mut self.happened);
        }

        fn ask(&mut self, now: Time, node: usize, tag: u64) {
            let body = RequestKind::Metadata(MetadataRequest::default());
            let request = (ApiKey::Metadata, 4, &body);
            self.net.send(now, self.nodes[node], &mut self.effects, request, tag);
        }
    }

    #[test]
    fn back_off_doubles_up_to_a_second_and_starts_again_after_success() {
        let mut rig = rig(1);
        let mut now = Time::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(rig.connect(now, 0), Readiness::Wait);
            let conn = rig.conn(0);
            rig.input(now, Input::Closed { conn, why: Closed::Refused });
            let Readiness::Backoff(until) = rig.connect(now, 0) else { panic!("no back-off") };
            waits.push(until.since(now).as_millis());
            now = until;
        }
        for (n, wait) in waits.iter().enumerate() {
            let middle = (50 << n).min(1_000);
            assert!((middle * 4 / 5..=middle * 6 / 5).contains(wait), "wait {n} is {wait} ms");
        }
        rig.connect(now, 0);
        let conn = rig.conn(0);
        rig.input(now, Input::Opened(conn));
        rig.input(now, Input::Closed { conn, why: Closed::Eof });
        let Readiness::Backoff(until) = rig.connect(now, 0) else { panic!("no back-off") };
        assert!(until.since(now) <= Duration::from_millis(60));
    }

    #[test]
    fn a_request_without_an_answer_ends_its_connection_and_loses_all_its_requests() {
        let mut rig = rig(1);
        rig.connect(Time::ZERO, 0);
        let conn = rig.conn(0);
        rig.input(Time::ZERO, Input::Opened(conn));
        rig.ask(Time::from_millis(10), 0, 1);
        rig.ask(Time::from_millis(20), 0, 2);
        assert_eq!(rig.net.deadline(), Some(Time::from_millis(30_010)));
        rig.net.expire(Time::from_millis(30_009), &mut rig.effects, &mut rig.happened);
        assert!(rig.happened.lost.is_empty());
        rig.net.expire(Time::from_millis(30_010), &mut rig.effects, &mut rig.happened);
        assert_eq!(rig.happened.lost, [1, 2]);
        assert!(rig.effects.as_slice().iter().any(|e| matches!(e, Effect::Close(c) if *c == conn)));
    }

    #[test]
    fn a_connection_that_does_not_open_in_time_is_closed() {
        let mut rig = rig(1);
        rig.connect(Time::ZERO, 0);
        rig.net.expire(Time::from_millis(10_000), &mut rig.effects, &mut rig.happened);
        assert!(rig.happened.disconnected);
        assert!(matches!(rig.connect(Time::from_millis(10_000), 0), Readiness::Backoff(_)));
    }

    #[test]
    fn the_connected_node_with_the_fewest_requests_is_the_least_loaded() {
        let mut rig = rig(3);
        let now = Time::ZERO;
        for node in 0..2 {
            rig.connect(now, node);
            let conn = rig.conn(node);
            rig.input(now, Input::Opened(conn));
        }
        rig.ask(now, 0, 1);
        let nodes = rig.nodes.clone();
        for _ in 0..10 {
            assert_eq!(rig.net.least_loaded(now, &nodes), Some(nodes[1]));
        }
        let conn = rig.conn(1);
        rig.input(now, Input::Closed { conn, why: Closed::Reset });
        assert_eq!(rig.net.least_loaded(now, &nodes), Some(nodes[0]));
        let conn = rig.conn(0);
        rig.input(now, Input::Closed { conn, why: Closed::Reset });
        assert_eq!(rig.net.least_loaded(now, &nodes), Some(nodes[2]));
    }

    #[test]
    fn an_answer_without_a_request_ends_the_connection() {
        let mut rig = rig(1);
        rig.connect(Time::ZERO, 0);
        let conn = rig.conn(0);
        rig.input(Time::ZERO, Input::Opened(conn));
        let bytes = Bytes::from_static(&[0, 0, 0, 4, 0, 0, 0, 9]);
        rig.input(Time::ZERO, Input::Received { conn, bytes });
        assert!(rig.happened.disconnected);
    }
}
