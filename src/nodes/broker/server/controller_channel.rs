//! Requests to the controller: AlterPartition, CreateTopics, ControlledShutdown, AllocateProducerIds.
//!
//! Each purpose has a channel of its own and one request in flight (`BrokerToControllerChannelManager`). A
//! broker that is the controller itself asks it without a network in between. A channel keeps to the controller that it
//! found first, until a request is lost or answered with NOT_CONTROLLER: when the controller's host is silent, the next
//! request still goes there, and is lost after `controller.socket.timeout.ms`.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use super::metadata::MetadataCache;
use super::timers::TimerFor;
use super::zk_requests::ZkRequests;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{ConnOwner, Context, OWN, Part, Purpose, ReplyTo};
use crate::nodes::broker::controller::{Controller, ControllerRequest};
use crate::nodes::channel::Channel;
use crate::releases::Change;
use crate::vocab::{ConnId, NodeId, Roster, Time, TimerId};

/// A call ended, with an answer or without one.
pub type CallEnd = Option<ResponseKind>;

/// Where a request to the controller goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    /// To this broker's own controller.
    Own,
    Node(NodeId),
}

#[derive(Debug, Default)]
struct Call {
    channel: Option<Channel>,
    /// Where the last request went: the next one goes there too, until one is lost or refused
    /// (`BrokerToControllerRequestThread.activeController`).
    controller: Option<Destination>,
    /// Counts the requests: a late answer has an earlier number.
    number: u64,
    timeout: Option<TimerId>,
    /// When it is without an answer for too long, by the wall clock (`NetworkClient`).
    times_out_at: Time,
}

/// Owns the channels to the controller, and the requests that are in flight.
#[derive(Debug, Default)]
pub struct ControllerChannel {
    by_purpose: [Call; Purpose::ALL.len()],
}

impl ControllerChannel {
    fn channel(&mut self, purpose: Purpose) -> &mut Channel {
        let channel = self.by_purpose[purpose as usize].channel.as_mut();
        channel.expect("it owns the connection")
    }

    /// Whether a request for `purpose` is in flight.
    pub fn is_busy(&self, purpose: Purpose) -> bool {
        self.by_purpose[purpose as usize].timeout.is_some()
    }

    /// The connection for `purpose` is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, purpose: Purpose, conn: ConnId) {
        self.channel(purpose).opened(cx.effects, conn);
    }

    /// Bytes of the channel for `purpose`. Returns how its request ended, if it did.
    pub fn received(
        &mut self,
        cx: &mut Context<'_>,
        purpose: Purpose,
        bytes: Bytes,
    ) -> Option<CallEnd> {
        let channel = self.channel(purpose);
        let mut responses = Vec::new();
        if let Err(why) = channel.received(bytes, &mut responses) {
            debug!(%why, "closes its connection to the controller");
            cx.disconnect(channel);
            return Some(self.end(cx, purpose, None));
        }
        let current = self.by_purpose[purpose as usize].number;
        let answer = responses.into_iter().find(|(number, _)| *number == current);
        answer.map(|(_, body)| self.end(cx, purpose, Some(body)))
    }

    /// The connection for `purpose` is gone. Returns how its request ended, if one was in flight.
    pub fn closed(&mut self, cx: &mut Context<'_>, purpose: Purpose) -> Option<CallEnd> {
        let had_request = !self.channel(purpose).closed().is_empty();
        had_request.then(|| self.end(cx, purpose, None))
    }

    /// No answer came for `controller.socket.timeout.ms`, unless the wall clock was set back. Returns how the request
    /// ended, if it did.
    pub fn timed_out(&mut self, cx: &mut Context<'_>, purpose: Purpose) -> Option<CallEnd> {
        let call = &mut self.by_purpose[purpose as usize];
        assert!(call.timeout.is_some(), "the timer of a call ends with it");
        if cx.clock.by_wall() < call.times_out_at {
            let at = cx.clock.wakes_at(call.times_out_at);
            call.timeout = Some(cx.timer(Part::Server, at, TimerFor::Call(purpose).number()));
            return None;
        }
        if let Some(channel) = &mut call.channel {
            cx.disconnect(channel);
        }
        Some(self.end(cx, purpose, None))
    }

    /// The own controller answered. `None` when the request was given up meanwhile.
    pub fn own_reply(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        body: ResponseKind,
    ) -> Option<(Purpose, CallEnd)> {
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.api() == to.api);
        let purpose = purpose.expect("it answers a request of the server");
        let call = &self.by_purpose[purpose as usize];
        let is_current =
            call.timeout.is_some() && u64::try_from(to.correlation_id) == Ok(call.number);
        is_current.then(|| (purpose, self.end(cx, purpose, Some(body))))
    }

    fn end(&mut self, cx: &mut Context<'_>, purpose: Purpose, answer: CallEnd) -> CallEnd {
        let call = &mut self.by_purpose[purpose as usize];
        if let Some(timer) = call.timeout.take() {
            cx.effects.cancel(timer);
        }
        if answer.as_ref().is_none_or(is_from_no_controller) {
            call.controller = None;
        }
        answer
    }
}

/// Whether an answer says that its broker is not the controller, for the request or for one of its partitions.
fn is_from_no_controller(answer: &ResponseKind) -> bool {
    let refuses = |code: i16| code == ResponseError::NotController.code();
    match answer {
        ResponseKind::AlterPartition(response) => {
            let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            refuses(response.error_code) || partitions.any(|one| refuses(one.error_code))
        }
        ResponseKind::CreateTopics(response) => {
            response.topics.iter().any(|topic| refuses(topic.error_code))
        }
        ResponseKind::ControlledShutdown(response) => refuses(response.error_code),
        ResponseKind::AllocateProducerIds(response) => refuses(response.error_code),
        other => unreachable!("no purpose asks for {other:?}"),
    }
}

/// There is no controller to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoController;

/// The parts that a request to the controller works with.
#[derive(Debug)]
pub struct ControllerClient<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// Nodes by host name.
    pub roster: &'a Roster,
    /// What this broker knows of the cluster.
    pub metadata: &'a MetadataCache,
    /// The channels.
    pub channel: &'a mut ControllerChannel,
    /// The own controller.
    pub controller: &'a mut Controller,
    /// The own controller's way to ZooKeeper.
    pub zk: &'a mut ZkRequests,
}

impl ControllerClient<'_> {
    /// The controller's node, as the controller itself said with its last UpdateMetadata.
    pub fn controller_node(&self) -> Option<NodeId> {
        let controller = self.metadata.controller()?;
        self.roster.find(&self.metadata.broker(controller)?.internal.host)
    }

    /// Sends a request to the controller at `to`, or to this broker's own when it is active. Its end comes from
    /// the [`ControllerChannel`].
    ///
    /// # Errors
    /// When there is no controller to ask: the request has ended.
    pub fn call(
        &mut self,
        cx: &mut Context<'_>,
        purpose: Purpose,
        to: Option<NodeId>,
        version: i16,
        body: RequestKind,
    ) -> Result<(), NoController> {
        let found = match self.controller.is_active() {
            true => Some(Destination::Own),
            false => to.map(Destination::Node),
        };
        // A shutdown looks for the controller before each request, with a client of its own.
        let keeps = purpose != Purpose::ControlledShutdown
            && self.config.version.has(Change::ControllerAddressKept);
        let call = &mut self.channel.by_purpose[purpose as usize];
        call.number += 1;
        let destination = call.controller.filter(|_| keeps).or(found);
        call.controller = destination;
        let api = purpose.api();
        let timeout = self.config.controller_socket_timeout;
        call.times_out_at = cx.clock.by_wall() + timeout;
        let at = cx.clock.now + timeout;
        call.timeout = Some(cx.timer(Part::Server, at, TimerFor::Call(purpose).number()));
        if destination == Some(Destination::Own) {
            let correlation_id = i32::try_from(call.number).expect("fewer than 2³¹ calls");
            let to = ReplyTo { conn: OWN, api, version, correlation_id };
            self.ask_own(cx, to, body);
            return Ok(());
        }
        let Some(Destination::Node(to)) = destination else {
            // No UpdateMetadata came yet, or the controller is not among the live brokers.
            self.channel.end(cx, purpose, None);
            return Err(NoController);
        };
        if call.channel.as_ref().is_none_or(|channel| channel.to() != to) {
            if let Some(mut old) = call.channel.take() {
                cx.disconnect(&mut old);
            }
            let name = StrBytes::from_string(self.config.id.to_string());
            call.channel = Some(Channel::new(to, name));
        }
        let channel = call.channel.as_mut().expect("it was just made");
        let owner = ConnOwner::Controller(purpose);
        cx.send(owner, channel, (api, version), &body, call.number);
        Ok(())
    }

    fn ask_own(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        let request = match body {
            RequestKind::AlterPartition(request) => ControllerRequest::AlterPartition(request),
            RequestKind::CreateTopics(request) => {
                ControllerRequest::CreateTopics(StrBytes::default(), request)
            }
            RequestKind::ControlledShutdown(request) => {
                ControllerRequest::ControlledShutdown(request)
            }
            RequestKind::AllocateProducerIds(request) => {
                ControllerRequest::AllocateProducerIds(request)
            }
            other => unreachable!("no purpose sends {other:?}"),
        };
        self.controller.request(cx, &mut self.zk.session, to, request);
    }
}
