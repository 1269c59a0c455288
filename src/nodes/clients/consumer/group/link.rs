//! The coordinator of a group as a member sees it: which broker it is, a connection of its own to it, and the requests
//! that it has not answered.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::{FindCoordinatorResponse, ResponseKind};
use tracing::{debug, info};

use super::requests::{Versioned, find_coordinator};
use super::standing::Identity;
use crate::nodes::Effects;
use crate::nodes::clients::connections::{ConnectionConfig, Connections, Happenings, Readiness};
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::code;
use crate::releases::KafkaVersion;
use crate::vocab::step::Input;
use crate::vocab::{NodeId, Stream, Time};

/// The tag of FindCoordinator, which is sent to any broker; no other request of the client has it.
pub const COORDINATOR_TAG: u64 = u64::MAX - 1;

/// A commit, and who waits for it.
#[derive(Clone, Copy, Debug)]
pub struct CommitCall {
    /// Number of the request.
    pub number: u64,
    /// Whether the application, a rebalance or the end waits for it.
    pub is_awaited: bool,
}

/// What a request to the coordinator asks.
#[derive(Debug)]
pub enum Asked {
    /// JoinGroup
    Join,
    /// SyncGroup
    Sync,
    /// Heartbeat
    Heartbeat,
    /// LeaveGroup
    Leave,
    /// OffsetFetch
    Offsets,
    /// OffsetCommit
    Commit(CommitCall),
}

/// A request in flight.
#[derive(Debug)]
pub struct Sent {
    /// What it asks.
    pub asked: Asked,
    /// When.
    pub at: Time,
    /// Who asked.
    pub identity: Identity,
}

/// A request that has ended, with its answer if it got one.
pub type Ended = (Sent, Option<ResponseKind>);

#[derive(Clone, Copy, Debug)]
enum Place {
    /// It is looked for from then on.
    Unknown(Time),
    /// A broker was asked.
    Asked,
    /// It is at this node.
    Known(NodeId),
}

/// The coordinator.
#[derive(Debug)]
pub struct Link {
    release: KafkaVersion,
    retry_backoff: Duration,
    net: Connections,
    happened: Happenings,
    place: Place,
    sent: BTreeMap<u64, Sent>,
    next_tag: u64,
    /// What the monotonic clock shows.
    pub monotonic: Time,
}

impl Link {
    /// Not known yet.
    pub fn new(
        release: KafkaVersion,
        client: &str,
        config: ConnectionConfig,
        retry_backoff: Duration,
        stream: Stream,
    ) -> Self {
        Self {
            release,
            retry_backoff,
            net: Connections::new(client, config, stream),
            happened: Happenings::default(),
            place: Place::Unknown(Time::ZERO),
            sent: BTreeMap::new(),
            monotonic: Time::ZERO,
            next_tag: 0,
        }
    }

    /// Whether it is known.
    pub fn is_known(&self) -> bool {
        matches!(self.place, Place::Known(_))
    }

    /// Whether a request like this is in flight.
    pub fn awaits(&self, asked: impl Fn(&Asked) -> bool) -> bool {
        self.sent.values().any(|sent| asked(&sent.asked))
    }

    /// When its requests time out.
    pub fn deadline(&self) -> Option<Time> {
        self.net.deadline()
    }

    /// Asks a broker, if it is not known and time for that. Returns when to come back.
    pub fn find(
        &mut self,
        now: Time,
        group: &str,
        (metadata, net): (&mut Metadata, &mut Connections),
        effects: &mut Effects,
    ) -> Option<Time> {
        let Place::Unknown(from) = self.place else { return None };
        if from > now {
            return Some(from);
        }
        let Some(node) = net.least_loaded(now, metadata.nodes()) else {
            return net.backoff_ends(now, metadata.nodes());
        };
        match net.prepare(now, node, effects) {
            Readiness::Ready => {
                let (api, version, body) = find_coordinator(self.release, group);
                net.send(now, node, effects, (api, version, &body), COORDINATOR_TAG);
                self.place = Place::Asked;
                None
            }
            Readiness::Wait => None,
            Readiness::Backoff(until) => Some(until),
        }
    }

    /// A broker answered; whether it named the coordinator.
    pub fn found(
        &mut self,
        now: Time,
        body: &FindCoordinatorResponse,
        metadata: &Metadata,
        effects: &mut Effects,
    ) -> bool {
        let (error, host) = match body.coordinators.first() {
            Some(one) => (one.error_code, one.host.as_str()),
            None => (body.error_code, body.host.as_str()),
        };
        let node = (error == code::NONE).then(|| metadata.node_at(host)).flatten();
        let Some(node) = node else {
            debug!(error, "no coordinator yet");
            self.place = Place::Unknown(now + self.retry_backoff);
            return false;
        };
        info!(host, "found the coordinator");
        self.place = Place::Known(node);
        if let Readiness::Backoff(_) = self.net.prepare(now, node, effects) {
            self.place = Place::Unknown(now + self.retry_backoff);
        }
        self.is_known()
    }

    /// FindCoordinator will have no answer.
    pub fn find_lost(&mut self, now: Time) {
        self.place = Place::Unknown(now + self.retry_backoff);
    }

    /// The broker is the coordinator no longer, or cannot be reached: its requests are lost.
    pub fn forget(&mut self, now: Time, effects: &mut Effects) {
        if let Place::Known(node) = self.place {
            self.net.disconnect(now, node, effects, &mut self.happened);
            self.place = Place::Unknown(now + self.retry_backoff);
        }
    }

    /// Sends a request if the connection is open; whether it did. `timeout`: the least time that it is waited for.
    pub fn send(
        &mut self,
        now: Time,
        (asked, identity): (Asked, &Identity),
        (api, version, body): Versioned,
        timeout: Duration,
        effects: &mut Effects,
    ) -> bool {
        let Place::Known(node) = self.place else { return false };
        match self.net.prepare(now, node, effects) {
            Readiness::Ready => {}
            Readiness::Wait => return false,
            Readiness::Backoff(_) => {
                self.place = Place::Unknown(now + self.retry_backoff);
                return false;
            }
        }
        let tag = self.next_tag;
        self.next_tag += 1;
        self.net.send_for(now, node, effects, (api, version, &body), (tag, timeout));
        self.sent.insert(tag, Sent { asked, at: self.monotonic, identity: identity.clone() });
        true
    }

    /// Whether an input is of the connection to it.
    pub fn owns(&self, input: &Input) -> bool {
        match input {
            Input::Opened(conn) | Input::Received { conn, .. } | Input::Closed { conn, .. } => {
                self.net.owns(*conn)
            }
            _ => false,
        }
    }

    /// Takes an input of its connection.
    pub fn handle(&mut self, now: Time, input: Input, effects: &mut Effects) {
        self.net.handle(now, input, effects, &mut self.happened);
    }

    /// Gives up what was not answered in time.
    pub fn expire(&mut self, now: Time, effects: &mut Effects) {
        if self.net.deadline().is_some_and(|deadline| deadline <= now) {
            self.net.expire(now, effects, &mut self.happened);
        }
    }

    /// A request that has ended since the last time, in the order in which they did.
    pub fn next_ended(&mut self, now: Time) -> Option<Ended> {
        if std::mem::take(&mut self.happened.disconnected) && self.is_known() {
            self.place = Place::Unknown(now + self.retry_backoff);
        }
        let mut sent = |tag| self.sent.remove(&tag).expect("each request ends once");
        if !self.happened.responses.is_empty() {
            let (tag, body) = self.happened.responses.remove(0);
            return Some((sent(tag), Some(body)));
        }
        if !self.happened.lost.is_empty() {
            return Some((sent(self.happened.lost.remove(0)), None));
        }
        None
    }
}
