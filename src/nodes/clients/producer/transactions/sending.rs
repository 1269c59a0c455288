//! How requests to coordinators are sent: one at a time, and no batch meanwhile (`Sender`).

use kafka_protocol::messages::RequestKind;

use super::manager::{Call, Coordinator, Current, Request, State, Transactions};
use crate::nodes::Effects;
use crate::nodes::clients::connections::{Connections, Readiness};
use crate::nodes::clients::metadata::Metadata;
use crate::vocab::{NodeId, Time};

/// The tag of requests to coordinators; no other request of a producer has it.
pub const TRANSACTION_TAG: u64 = u64::MAX - 2;

/// Whether batches can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// They can.
    Free,
    /// A request goes first; it goes on by an input, or at this moment.
    Busy(Option<Time>),
}

impl Transactions {
    /// Goes on with the requests to coordinators. `has_incomplete`: whether batches have not ended.
    pub fn drive(
        &mut self,
        now: Time,
        has_incomplete: bool,
        (metadata, net): (&mut Metadata, &mut Connections),
        effects: &mut Effects,
    ) -> Progress {
        loop {
            if self.in_flight.is_some() {
                return Progress::Busy(None);
            }
            if self.state == State::FatalError {
                self.current = None;
            }
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.next_request(has_incomplete) {
                    Some(request) => Current { request, node: None, sleeps_until: None },
                    None => return Progress::Free,
                },
            };
            if current.node.is_none() {
                current.node = match current.request.call.coordinator() {
                    Some(Coordinator::Transaction) => self.coordinator,
                    Some(Coordinator::Group) => self.group_coordinator,
                    None => net.least_loaded(now, metadata.nodes()),
                };
            }
            let Some(node) = current.node else {
                match current.request.call.coordinator() {
                    Some(coordinator) => {
                        self.look_up(coordinator, None);
                        self.retry(current.request);
                        continue;
                    }
                    None => {
                        self.current = Some(current);
                        return Progress::Busy(net.backoff_ends(now, metadata.nodes()));
                    }
                }
            };
            match net.prepare(now, node, effects) {
                Readiness::Ready => match self.wait_or_send(now, node, current, net, effects) {
                    Some(until) => return Progress::Busy(Some(until)),
                    None => return Progress::Busy(None),
                },
                Readiness::Wait => {
                    self.current = Some(current);
                    return Progress::Busy(None);
                }
                Readiness::Backoff(_) => self.unreachable(current.request, metadata),
            }
        }
    }

    /// Sends the request on an open connection, or says until when it waits.
    fn wait_or_send(
        &mut self,
        now: Time,
        node: NodeId,
        mut current: Current,
        net: &mut Connections,
        effects: &mut Effects,
    ) -> Option<Time> {
        if let Some(backoff) = current.request.backoff {
            let until = *current.sleeps_until.get_or_insert(now + backoff);
            if until > now {
                self.current = Some(current);
                return Some(until);
            }
        }
        let (api, version, body) = self.body(&current.request.call);
        if let Call::End { commit: true } = current.request.call {
            self.may_be_committed = true;
        }
        net.send(now, node, effects, (api, version, &body), TRANSACTION_TAG);
        self.in_flight = Some(current.request);
        None
    }

    fn body(&self, call: &Call) -> (kafka_protocol::messages::ApiKey, i16, RequestKind) {
        let requests = self.requests();
        let offsets = self.offsets.as_ref();
        match call {
            Call::Find(Coordinator::Transaction) => requests.find(None),
            Call::Find(Coordinator::Group) => {
                requests.find(Some(offsets.map_or("", |offsets| &*offsets.group.group)))
            }
            Call::Initialize { bump } => requests.initialize(*bump),
            Call::AddPartitions(slots) => {
                let partitions = slots.iter().filter_map(|slot| self.partition(*slot));
                requests.add_partitions(partitions.cloned())
            }
            Call::AddOffsets => {
                requests.add_offsets(offsets.map_or("", |offsets| &*offsets.group.group))
            }
            Call::CommitOffsets => {
                let offsets = offsets.expect("they are sent while they are wanted");
                requests.commit_offsets(&offsets.group, offsets.left.iter().cloned())
            }
            Call::End { commit } => requests.end(*commit),
        }
    }

    /// The broker of a request cannot be connected to.
    fn unreachable(&mut self, request: Request, metadata: &mut Metadata) {
        match request.call.coordinator() {
            // Kafka's producer looks again at once, as often as answers come; this waits in between.
            Some(coordinator) => self.look_up(coordinator, Some(self.retry_backoff)),
            None => metadata.request_update(),
        }
        self.retry(request);
    }

    /// The request in flight will not be answered.
    pub fn lost(&mut self) {
        let Some(request) = self.in_flight.take() else { return };
        if let Some(coordinator) = request.call.coordinator() {
            self.look_up(coordinator, None);
        }
        self.retry(request);
    }
}
