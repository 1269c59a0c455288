//! Connections: ordered byte streams between hosts, over directed links.
//!
//! What is modelled is what programs see of TCP: the handshake takes a round trip, bytes arrive in
//! order, arrival times of one direction strictly increase, and bad news travels like bytes do. The
//! life of a connection has three kinds of end:
//!
//! - **Closed** in order: the peer sees [`Closed::Eof`] behind all that was sent before.
//! - **Reset**: the process died, its kernel says so ([`Closed::Reset`], one latency later); or
//!   a host got bytes for a connection that it has forgotten, and its answer arrives a round trip later.
//! - **Silence**: the way is cut, or the host has no power. Nothing is said. What is sent into a
//!   cut or was under way when it came is held, as TCP would send it again and again, and arrives,
//!   in order, a retransmission timeout after the heal. What was sent to a host without power is
//!   tried again when the host is back, and is answered by a reset.
//!
//! Left out: windows and acknowledgements (a sender that limits itself can ask how much
//! is [in flight](Network::in_flight)). A cut of one direction therefore never stops the other
//! direction, which real TCP would stop once its send window is full of bytes whose
//! acknowledgements do not come; a connection never ends by itself (`tcp_retries2`), and
//! senders never block.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::id_map::IdMap;
use super::link::{Link, NetworkConfig};
use crate::vocab::step::{Closed, Input};
use crate::vocab::{ConnId, NodeId, Seed, Time};

/// Marks the accepting end of a connection of a host to itself, whose two ends need two ids.
const LOOPBACK_BIT: u64 = 1 << 63;

/// The end that asked for the connection, and the end that accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Segment {
    /// The wish to connect.
    Syn,
    /// It was accepted.
    SynAck,
    /// Bytes of the stream.
    Data(Bytes),
    /// The end of the connection.
    End(Closed),
}

/// A segment that will arrive.
#[derive(Clone, Debug)]
pub struct Arrival {
    slot: u32,
    to: Side,
    id: u64,
    segment: Segment,
    /// When its sender's process lets go of it.
    departs: Time,
}

/// What arrives when.
pub type Due = (Time, Arrival);

/// What an arrival does.
#[derive(Debug, Default)]
pub struct Reaction {
    /// The input of the process, and the node at the other end.
    pub input: Option<(Input, NodeId)>,
    /// What the kernel of the host answers.
    pub reply: Option<Due>,
}

/// How a host takes what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A process listens.
    Listening,
    /// The host is there, the process is not.
    Refusing,
    /// The host has no power.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndState {
    /// A client that waits for the handshake.
    Connecting,
    /// A server that has not got the connection request.
    Unborn,
    /// Bytes can be sent.
    Open,
    /// Not any more.
    Gone,
}

/// One end of a connection, and the direction that leads away from it.
#[derive(Debug)]
struct End {
    node: NodeId,
    state: EndState,
    /// When the last segment that was sent arrives.
    last_arrival: Time,
    /// Whether the end of the stream was sent.
    ended: bool,
    /// Since when segments to this end are lost because its host has no power.
    unanswered_since: Option<Time>,
    /// Bytes that were sent from here and have not arrived at the host of the other end.
    in_flight: usize,
    /// When the process died: what was to be sent later is not sent.
    died_at: Option<Time>,
    /// Segments that wait for a cut to heal, in their order, and since when.
    held: VecDeque<Segment>,
    held_since: Time,
}

impl End {
    fn new(node: NodeId, state: EndState) -> Self {
        Self {
            node,
            state,
            last_arrival: Time::ZERO,
            ended: false,
            unanswered_since: None,
            in_flight: 0,
            died_at: None,
            held: VecDeque::new(),
            held_since: Time::ZERO,
        }
    }

    fn hold(&mut self, now: Time, segment: Segment) {
        if self.held.is_empty() {
            self.held_since = now;
        }
        self.held.push_back(segment);
    }
}

#[derive(Debug)]
struct Conn {
    /// 0 when the slot is free.
    id: u64,
    client: End,
    server: End,
    /// Whether the wish to connect is on its way.
    syn_travels: bool,
}

impl Conn {
    fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The connection's id as the process at `side` knows it.
    fn local_id(&self, side: Side) -> ConnId {
        let loopback = side == Side::Server && self.client.node == self.server.node;
        ConnId(if loopback { self.id | LOOPBACK_BIT } else { self.id })
    }
}

/// All links and connections.
#[derive(Debug)]
pub struct Network {
    seed: Seed,
    config: NetworkConfig,
    names: Vec<Arc<str>>,
    /// By the sending host, then by the receiving one; made when first used.
    links: Vec<Vec<Option<Box<Link>>>>,
    /// The ways that are cut, from one host to another. A fault between two groups cuts each pair of hosts, and most
    /// of them never had a link.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// What is added to each latency, in nanoseconds; never 0.
    extra_ns: BTreeMap<(NodeId, NodeId), u64>,
    conns: Vec<Conn>,
    /// By host: the slots of the connections that have an end there.
    slots_at: Vec<BTreeSet<u32>>,
    free: Vec<u32>,
    by_id: IdMap<u32>,
}

impl Network {
    /// A network without hosts.
    pub fn new(seed: Seed, config: NetworkConfig) -> Self {
        Self {
            seed,
            config,
            names: Vec::new(),
            links: Vec::new(),
            cuts: BTreeSet::new(),
            extra_ns: BTreeMap::new(),
            conns: Vec::new(),
            slots_at: Vec::new(),
            free: Vec::new(),
            by_id: IdMap::default(),
        }
    }

    /// Adds the next host.
    pub fn add_host(&mut self, name: Arc<str>) {
        self.names.push(name);
        self.links.push(Vec::new());
        self.slots_at.push(BTreeSet::new());
    }

    /// The link from one host to another.
    ///
    /// # Panics
    /// When one of them is not there.
    pub fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let (from, to) = (usize::from(from.0), usize::from(to.0));
        let row = &mut self.links[from];
        if row.len() <= to {
            assert!(to < self.names.len(), "there is no node {to}");
            row.resize_with(to + 1, || None);
        }
        row[to].get_or_insert_with(|| {
            Box::new(Link::new(self.seed, &self.config, &self.names[from], &self.names[to]))
        })
    }

    /// Cuts the way from one host to another. What is under way there is for [`Self::hold`].
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    /// Whether a segment is under way from one host to another.
    pub fn is_under_way(&self, arrival: &Arrival, from: NodeId, to: NodeId) -> bool {
        let conn = &self.conns[arrival.slot as usize];
        conn.end(arrival.to).node == to && conn.end(arrival.to.other()).node == from
    }

    /// The way of a segment was cut before it arrived: it is sent again after the heal. Those of a connection have to
    /// come in their order.
    pub fn hold(&mut self, now: Time, arrival: Arrival) {
        let Arrival { slot, to, id, segment, .. } = arrival;
        let conn = &mut self.conns[slot as usize];
        if conn.id != id {
            return;
        }
        conn.syn_travels &= !matches!(segment, Segment::Syn);
        conn.end_mut(to.other()).hold(now, segment);
        self.release(slot);
    }

    /// Whether nothing comes through from one host to another.
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// Adds `extra_ns` nanoseconds to each latency, in place of what was added before.
    pub fn slow(&mut self, from: NodeId, to: NodeId, extra_ns: u64) {
        if extra_ns == 0 {
            self.extra_ns.remove(&(from, to));
        } else {
            self.extra_ns.insert((from, to), extra_ns);
        }
    }

    /// What is added to each latency, in nanoseconds.
    pub fn slowed_by(&self, from: NodeId, to: NodeId) -> u64 {
        self.extra_ns.get(&(from, to)).copied().unwrap_or(0)
    }

    /// How many connections there are.
    pub fn conn_count(&self) -> usize {
        self.by_id.count()
    }

    /// Begins connection `id`.
    pub fn connect(&mut self, now: Time, id: ConnId, from: NodeId, to: NodeId) -> Option<Due> {
        let conn = Conn {
            id: id.0,
            client: End::new(from, EndState::Connecting),
            server: End::new(to, EndState::Unborn),
            syn_travels: false,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.conns[slot as usize] = conn;
                slot
            }
            None => {
                self.conns.push(conn);
                u32::try_from(self.conns.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        self.by_id.insert(id.0, slot);
        self.slots_at[usize::from(from.0)].insert(slot);
        self.slots_at[usize::from(to.0)].insert(slot);
        self.transmit(now, slot, Side::Client, Segment::Syn, 0)
    }

    /// Sends bytes from `node`, `after` nanoseconds from now if its process is alive then; nothing happens when there
    /// are none, or its end of the connection is gone.
    ///
    /// # Panics
    /// When the connection is another node's, or is not open yet.
    pub fn send(
        &mut self,
        now: Time,
        id: ConnId,
        node: NodeId,
        bytes: Bytes,
        after: u64,
    ) -> Option<Due> {
        let (slot, side) = self.locate(id, node)?;
        match self.conns[slot as usize].end(side).state {
            EndState::Open if bytes.is_empty() => None,
            EndState::Open => {
                self.conns[slot as usize].end_mut(side).in_flight += bytes.len();
                let (time, arrival) =
                    self.transmit(now, slot, side, Segment::Data(bytes), after)?;
                Some((time, Arrival { departs: now.after_nanos(after), ..arrival }))
            }
            EndState::Gone => None,
            EndState::Connecting | EndState::Unborn => {
                panic!("{} sends on {id:?} before it is opened", self.names[usize::from(node.0)])
            }
        }
    }

    /// Closes the end of `node`; nothing happens when it is gone.
    ///
    /// # Panics
    /// When the connection is another node's.
    pub fn close(&mut self, now: Time, id: ConnId, node: NodeId) -> Option<Due> {
        let (slot, side) = self.locate(id, node)?;
        self.finish(now, slot, side, Closed::Eof)
    }

    /// Bytes that `node` has sent on a connection and that have not arrived at the other end's host: what TCP would
    /// hold as not acknowledged. 0 when both ends have forgotten the connection.
    ///
    /// # Panics
    /// When the connection is another node's.
    pub fn in_flight(&self, id: ConnId, node: NodeId) -> usize {
        let place = self.locate(id, node);
        place.map_or(0, |(slot, side)| self.conns[slot as usize].end(side).in_flight)
    }

    /// Whether the receiving end still exists.
    pub fn is_awaited(&self, arrival: &Arrival) -> bool {
        let conn = &self.conns[arrival.slot as usize];
        conn.id == arrival.id
            && matches!(conn.end(arrival.to).state, EndState::Open | EndState::Connecting)
    }

    /// The host at which `arrival` arrives; `None` when both ends have forgotten the connection.
    pub fn target(&self, arrival: &Arrival) -> Option<NodeId> {
        let conn = &self.conns[arrival.slot as usize];
        (conn.id == arrival.id).then(|| conn.end(arrival.to).node)
    }

    /// Something arrives at a host that takes it as `reach` says.
    pub fn arrive(&mut self, now: Time, arrival: Arrival, reach: Reach) -> Reaction {
        let Arrival { slot, to, id, segment, departs } = arrival;
        let conn = &mut self.conns[slot as usize];
        if conn.id != id {
            return Reaction::default();
        }
        if matches!(segment, Segment::Syn) {
            conn.syn_travels = false;
        }
        if reach == Reach::Silent {
            conn.end_mut(to).unanswered_since.get_or_insert(now);
            self.release(slot);
            return Reaction::default();
        }
        let local = conn.local_id(to);
        let sender = conn.end_mut(to.other());
        if let Segment::Data(bytes) = &segment {
            sender.in_flight -= bytes.len();
            if sender.died_at.is_some_and(|died| died < departs) {
                return Reaction::default();
            }
        }
        let peer = sender.node;
        let end = conn.end_mut(to);
        let input = match (end.state, segment) {
            (EndState::Unborn, Segment::Syn) => return self.accept(now, slot, reach),
            (EndState::Connecting, Segment::SynAck) => {
                end.state = EndState::Open;
                Input::Opened(local)
            }
            (EndState::Open, Segment::Data(bytes)) => Input::Received { conn: local, bytes },
            (EndState::Open | EndState::Connecting, Segment::End(why)) => {
                end.state = EndState::Gone;
                end.held.clear();
                self.release(slot);
                Input::Closed { conn: local, why }
            }
            (_, Segment::End(_)) => return Reaction::default(),
            _ => return Reaction { input: None, reply: self.answer_stray(now, slot, to) },
        };
        Reaction { input: Some((input, peer)), reply: None }
    }

    fn accept(&mut self, now: Time, slot: u32, reach: Reach) -> Reaction {
        let conn = &mut self.conns[slot as usize];
        if reach == Reach::Refusing {
            conn.server.state = EndState::Gone;
            conn.server.ended = true;
            let refusal = Segment::End(Closed::Refused);
            let reply = self.transmit(now, slot, Side::Server, refusal, 0);
            self.release(slot);
            return Reaction { input: None, reply };
        }
        conn.server.state = EndState::Open;
        let peer = conn.client.node;
        let input = Input::Accepted { conn: conn.local_id(Side::Server), peer };
        let reply = self.transmit(now, slot, Side::Server, Segment::SynAck, 0);
        Reaction { input: Some((input, peer)), reply }
    }

    /// Something came for an end that its host does not know, or not any more.
    fn answer_stray(&mut self, now: Time, slot: u32, to: Side) -> Option<Due> {
        let conn = &mut self.conns[slot as usize];
        let sender_waits = conn.end(to.other()).state == EndState::Open;
        let end = conn.end_mut(to);
        if end.ended || !sender_waits {
            return None;
        }
        end.ended = true;
        self.transmit(now, slot, to, Segment::End(Closed::Reset), 0)
    }

    /// The process of `node` died: what it was to send later is not sent.
    pub fn process_died(&mut self, now: Time, node: NodeId) {
        for (slot, side) in self.live_ends(node) {
            self.conns[slot as usize].end_mut(side).died_at.get_or_insert(now);
        }
    }

    /// The process of `node` ended: each of its connections ends with `why`, in the order of their
    /// making.
    pub fn end_process(&mut self, now: Time, node: NodeId, why: Closed) -> Vec<Due> {
        let ends = self.live_ends(node);
        ends.into_iter().filter_map(|(slot, side)| self.finish(now, slot, side, why)).collect()
    }

    /// The host of `node` lost power: nothing is sent any more, not even what was held.
    pub fn lose_power(&mut self, now: Time, node: NodeId) {
        for slot in self.slots_at(node) {
            for side in [Side::Client, Side::Server] {
                let conn = &mut self.conns[slot as usize];
                if conn.id == 0 || conn.end(side).node != node {
                    continue;
                }
                let peer_asks = conn.end(side.other()).state == EndState::Connecting;
                let end = conn.end_mut(side);
                let first = end.held.front();
                let answer_lost = peer_asks
                    && matches!(first, Some(Segment::SynAck | Segment::End(Closed::Refused)));
                end.held.clear();
                end.ended = false;
                if answer_lost {
                    // The client has no answer yet, and will ask again.
                    end.state = EndState::Unborn;
                    end.unanswered_since = Some(now);
                } else if end.state != EndState::Unborn {
                    end.died_at.get_or_insert(now);
                    end.state = EndState::Gone;
                }
                self.release(slot);
            }
        }
    }

    /// The host of `node` has power again: what its peers could not deliver is tried again.
    pub fn regain_power(&mut self, now: Time, node: NodeId) -> Vec<Due> {
        let mut due = Vec::new();
        for slot in self.slots_at(node) {
            for side in [Side::Client, Side::Server] {
                let conn = &mut self.conns[slot as usize];
                if conn.id == 0 || conn.end(side).node != node {
                    continue;
                }
                let Some(since) = conn.end_mut(side).unanswered_since.take() else { continue };
                let peer = conn.end(side.other());
                let again = match peer.state {
                    EndState::Connecting => Segment::Syn,
                    EndState::Open => Segment::Data(Bytes::new()),
                    EndState::Unborn | EndState::Gone => continue,
                };
                let from = peer.node;
                let after = self.link(from, node).retry_after(since, now);
                due.extend(self.transmit(now, slot, side.other(), again, after));
            }
        }
        due
    }

    /// Opens the way from one host to another again, and sends on what was held there.
    pub fn heal(&mut self, now: Time, from: NodeId, to: NodeId) -> Vec<Due> {
        let mut due = Vec::new();
        self.cuts.remove(&(from, to));
        for slot in self.slots_between(from, to) {
            for side in [Side::Client, Side::Server] {
                let conn = &mut self.conns[slot as usize];
                let peer = conn.end(side.other()).node;
                let end = conn.end_mut(side);
                if end.node != from || peer != to || end.held.is_empty() {
                    continue;
                }
                let held = std::mem::take(&mut end.held);
                let since = end.held_since;
                let after = self.link(from, to).retry_after(since, now);
                for segment in held {
                    due.extend(self.transmit(now, slot, side, segment, after));
                }
            }
        }
        due
    }

    /// Whether there is a connection between two nodes that has not ended.
    pub fn are_connected(&self, one: NodeId, other: NodeId) -> bool {
        self.live_ends(one).into_iter().any(|(slot, side)| {
            let conn = &self.conns[slot as usize];
            conn.end(side.other()).node == other && !conn.end(side).ended
        })
    }

    /// Resets every connection between two hosts, at once and at both ends, whatever the links are
    /// like.
    pub fn reset(&mut self, now: Time, one: NodeId, other: NodeId) -> Vec<Due> {
        let mut due = Vec::new();
        let between = self.slots_between(one, other);
        for (slot, side) in self.live_ends_of(between, one) {
            let conn = &mut self.conns[slot as usize];
            if conn.end(side.other()).node != other || conn.end(side).ended {
                continue;
            }
            let id = conn.id;
            for to in [Side::Client, Side::Server] {
                let end = conn.end_mut(to);
                end.held.clear();
                end.ended = true;
                match end.state {
                    EndState::Connecting | EndState::Open => {
                        let segment = Segment::End(Closed::Reset);
                        due.push((now, Arrival { slot, to, id, segment, departs: now }));
                    }
                    EndState::Unborn => end.state = EndState::Gone,
                    EndState::Gone => {}
                }
            }
        }
        due
    }

    fn locate(&self, id: ConnId, node: NodeId) -> Option<(u32, Side)> {
        let slot = self.by_id.get(id.0 & !LOOPBACK_BIT)?;
        let conn = &self.conns[slot as usize];
        let side = if id.0 & LOOPBACK_BIT == 0 && conn.client.node == node {
            Side::Client
        } else {
            Side::Server
        };
        assert_eq!(conn.end(side).node, node, "a node uses a connection of another");
        Some((slot, side))
    }

    /// The slots of the connections that have an end at `node`, in their order.
    fn slots_at(&self, node: NodeId) -> Vec<u32> {
        self.slots_at[usize::from(node.0)].iter().copied().collect()
    }

    /// The slots of the connections between two hosts, in their order. Costs as much as the one with fewer
    /// connections has.
    fn slots_between(&self, one: NodeId, other: NodeId) -> Vec<u32> {
        let (one, other) =
            (&self.slots_at[usize::from(one.0)], &self.slots_at[usize::from(other.0)]);
        let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
        few.iter().copied().filter(|slot| many.contains(slot)).collect()
    }

    /// The live ends at `node`, oldest connection first: slots are used again, ids are not.
    fn live_ends(&self, node: NodeId) -> Vec<(u32, Side)> {
        self.live_ends_of(self.slots_at(node), node)
    }

    /// The live ends at `node` of the connections in `slots`, oldest connection first.
    fn live_ends_of(&self, slots: Vec<u32>, node: NodeId) -> Vec<(u32, Side)> {
        let mut ends = Vec::new();
        for slot in slots {
            let conn = &self.conns[slot as usize];
            for side in [Side::Client, Side::Server] {
                let end = conn.end(side);
                let is_live = matches!(end.state, EndState::Open | EndState::Connecting);
                if conn.id != 0 && end.node == node && is_live {
                    ends.push((slot, side));
                }
            }
        }
        ends.sort_by_key(|&(slot, _)| self.conns[slot as usize].id);
        ends
    }

    /// Ends one end, and sends the other a segment if it needs one.
    fn finish(&mut self, now: Time, slot: u32, side: Side, why: Closed) -> Option<Due> {
        let end = self.conns[slot as usize].end_mut(side);
        let was = std::mem::replace(&mut end.state, EndState::Gone);
        let due = match was {
            EndState::Open => {
                end.ended = true;
                self.transmit(now, slot, side, Segment::End(why), 0)
            }
            // The answer to the handshake will be reset.
            EndState::Connecting => None,
            EndState::Unborn | EndState::Gone => {
                end.state = was;
                None
            }
        };
        self.release(slot);
        due
    }

    /// Puts a segment on its way from `side`, `after` nanoseconds from now.
    fn transmit(
        &mut self,
        now: Time,
        slot: u32,
        side: Side,
        segment: Segment,
        after: u64,
    ) -> Option<Due> {
        let conn = &self.conns[slot as usize];
        let (from, to) = (conn.end(side).node, conn.end(side.other()).node);
        let len = match &segment {
            Segment::Data(bytes) => bytes.len(),
            _ => 0,
        };
        let extra = after.saturating_add(self.slowed_by(from, to));
        let is_open = !self.is_cut(from, to);
        let drawn = is_open.then(|| self.link(from, to).arrival(now, len).after_nanos(extra));
        let conn = &mut self.conns[slot as usize];
        conn.syn_travels |= drawn.is_some() && matches!(segment, Segment::Syn);
        let id = conn.id;
        let end = conn.end_mut(side);
        let Some(drawn) = drawn else {
            end.hold(now, segment);
            return None;
        };
        let arrival = drawn.max(end.last_arrival.after_nanos(1));
        end.last_arrival = arrival;
        Some((arrival, Arrival { slot, to: side.other(), id, segment, departs: now }))
    }

    /// Removes a connection that both ends have forgotten.
    fn release(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        // The client left before its request to connect arrived: the server never gets
        // it.
        let client_gone = conn.client.state == EndState::Gone;
        if client_gone && conn.server.state == EndState::Unborn && !conn.syn_travels {
            conn.server.state = EndState::Gone;
        }
        if conn.id != 0 && client_gone && conn.server.state == EndState::Gone {
            self.by_id.remove(conn.id);
            conn.id = 0;
            conn.client.held.clear();
            conn.server.held.clear();
            for node in [conn.client.node, conn.server.node] {
                self.slots_at[usize::from(node.0)].remove(&slot);
            }
            self.free.push(slot);
        }
    }
}
