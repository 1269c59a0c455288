//! What a consumer sends: for each leader one request of a kind, with the partitions that need it (`Fetcher`).

use std::collections::BTreeMap;

use kafka_protocol::messages::FetchResponse;

use super::assignment::{Assignment, FetchPhase};
use super::config::ConsumerConfig;
use super::requests::{Purpose, Requests};
use crate::nodes::Effects;
use crate::nodes::clients::connections::{Connections, Readiness};
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::ApiVersions;
use crate::nodes::clients::wake::earlier;
use crate::nodes::fetch_session::FetchSession;
use crate::vocab::{Clock, LeaderEpoch, NodeId, Offset, Time};

/// A request in flight.
#[derive(Debug)]
pub(super) struct Sent {
    node: NodeId,
    purpose: Purpose,
    /// The partitions in it.
    pub(super) slots: Vec<usize>,
}

/// What a Fetch request asks of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetching {
    /// The leader epoch that the leader must have; −1 where it is not sent.
    pub(super) epoch: LeaderEpoch,
    pub(super) offset: Offset,
}

/// The requests that wait for an answer, and the sessions that they are part of.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// By their tags.
    sent: BTreeMap<u64, Sent>,
    next_tag: u64,
    sessions: BTreeMap<NodeId, FetchSession<Fetching>>,
}

impl InFlight {
    fn is_fetching(&self, node: NodeId) -> bool {
        self.sent.values().any(|sent| sent.purpose == Purpose::Fetch && sent.node == node)
    }

    /// The request was answered or is lost: its partitions can be in another one.
    pub(super) fn end(&mut self, tag: u64, assignment: &mut Assignment) -> Sent {
        let mut sent = self.sent.remove(&tag).expect("each request ends once");
        sent.slots.retain(|&slot| {
            let assigned = &mut assignment.partitions[slot];
            assigned.busy = false;
            !std::mem::take(&mut assigned.is_stale)
        });
        sent
    }

    /// The request is lost.
    pub(super) fn lost(&mut self, tag: u64, assignment: &mut Assignment) {
        let sent = self.end(tag, assignment);
        if sent.purpose == Purpose::Fetch
            && let Some(session) = self.sessions.get_mut(&sent.node)
        {
            session.lost();
        }
    }

    /// A fetch was answered; whether there is something in the answer.
    pub(super) fn answered(&mut self, sent: &Sent, body: &FetchResponse) -> bool {
        let session = self.sessions.get_mut(&sent.node).expect("a fetch was sent there");
        session.answered(body)
    }
}

/// The parts that sending works with.
pub(super) struct Fetcher<'a> {
    pub(super) config: &'a ConsumerConfig,
    pub(super) versions: &'a ApiVersions,
    pub(super) metadata: &'a mut Metadata,
    pub(super) assignment: &'a mut Assignment,
    pub(super) in_flight: &'a mut InFlight,
    pub(super) net: &'a mut Connections,
}

impl Fetcher<'_> {
    /// Sends the requests that partitions need; returns when to come back.
    pub(super) fn send_ready(mut self, clock: Clock, effects: &mut Effects) -> Option<Time> {
        let mut next = None;
        let mut groups: Vec<(NodeId, Purpose, Vec<usize>)> = Vec::new();
        let can_be_validated = self.versions.offset_for_leader_epoch.is_some();
        for (slot, assigned) in self.assignment.partitions.iter_mut().enumerate() {
            if assigned.busy || assigned.fetched.is_some() || !assigned.phase.asks_leader() {
                continue;
            }
            if assigned.not_before > clock.now {
                next = earlier(next, Some(assigned.not_before));
                continue;
            }
            let leader = assigned.follow_leader(self.metadata, can_be_validated, self.config);
            let Some(leader) = leader else {
                self.metadata.request_update();
                continue;
            };
            let purpose = match assigned.phase {
                FetchPhase::Unpositioned(_) => Purpose::ListOffsets,
                FetchPhase::Unvalidated => Purpose::Validate,
                _ => Purpose::Fetch,
            };
            match groups.iter_mut().find(|group| (group.0, group.1) == (leader.node, purpose)) {
                Some(group) => group.2.push(slot),
                None => groups.push((leader.node, purpose, vec![slot])),
            }
        }
        for (node, purpose, slots) in groups {
            if purpose == Purpose::Fetch && self.in_flight.is_fetching(node) {
                continue;
            }
            match self.net.prepare(clock.now, node, effects) {
                Readiness::Ready => self.send(clock, Sent { node, purpose, slots }, effects),
                Readiness::Wait => {}
                Readiness::Backoff(until) => next = earlier(next, Some(until)),
            }
        }
        next
    }

    fn send(&mut self, clock: Clock, request: Sent, effects: &mut Effects) {
        let requests = Requests {
            config: self.config,
            versions: self.versions,
            metadata: self.metadata,
            assigned: &self.assignment.partitions,
        };
        let session = self.in_flight.sessions.entry(request.node);
        let session = session.or_insert_with(|| FetchSession::new(self.config.version));
        let (api, version, body) = requests.of(request.purpose, &request.slots, session);
        let tag = self.in_flight.next_tag;
        self.in_flight.next_tag += 1;
        self.net.send(clock.now, request.node, effects, (api, version, &body), tag);
        for &slot in &request.slots {
            self.assignment.partitions[slot].busy = true;
        }
        self.in_flight.sent.insert(tag, request);
    }
}
