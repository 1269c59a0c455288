//! Requests that the server makes of the controller: AlterPartition, CreateTopics, ControlledShutdown.
//!
//! Each purpose has a channel of its own and one request in flight (`BrokerToControllerChannelManager`). A
//! broker that is the controller itself asks it without a network in between.

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use super::{Broker, OWN, TimerFor};
use crate::nodes::broker::context::{Context, Part, ReplyTo};
use crate::nodes::channel::Channel;
use crate::vocab::{ConnId, NodeId, TimerId};

/// What a request to the controller is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Have in-sync replicas changed.
    AlterPartition,
    /// Create topics that clients asked Metadata for.
    CreateTopics,
    /// Shut down in an orderly way.
    ControlledShutdown,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::AlterPartition, Self::CreateTopics, Self::ControlledShutdown];
}

#[derive(Debug, Default)]
struct Call {
    channel: Option<Channel>,
    /// Counts the requests, to tell late answers apart.
    number: u64,
    timeout: Option<TimerId>,
}

/// The requests to the controller that are in flight.
#[derive(Debug, Default)]
pub struct ControllerChannel {
    by_purpose: [Call; Purpose::ALL.len()],
}

impl ControllerChannel {
    fn of(&mut self, conn: ConnId) -> Option<(Purpose, &mut Channel)> {
        let channels = Purpose::ALL.into_iter().zip(&mut self.by_purpose);
        let mut channels =
            channels.filter_map(|(purpose, call)| Some((purpose, call.channel.as_mut()?)));
        channels.find(|(_, channel)| channel.conn() == Some(conn))
    }

    /// Whether a request for `purpose` is in flight.
    pub fn is_busy(&self, purpose: Purpose) -> bool {
        self.by_purpose[purpose as usize].timeout.is_some()
    }

    /// A connection stands.
    pub fn opened(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some((_, channel)) = self.of(conn) {
            channel.opened(cx.effects, conn);
        }
    }
}

impl Broker {
    /// Where the controller is, as the controller itself told with its last UpdateMetadata.
    pub(super) fn controller_node(&self) -> Option<NodeId> {
        let controller = self.metadata.controller()?;
        self.roster.find(&self.metadata.broker(controller)?.internal.host)
    }

    /// Sends a request to the controller at `to`, or to this broker's own when it is active. The answer, or
    /// that there is none, comes as [`Broker::call_ended`].
    pub(super) fn call_controller(
        &mut self,
        cx: &mut Context<'_>,
        purpose: Purpose,
        to: Option<NodeId>,
        version: i16,
        body: RequestKind,
    ) {
        let call = &mut self.controller_channel.by_purpose[purpose as usize];
        call.number += 1;
        let api = match purpose {
            Purpose::AlterPartition => ApiKey::AlterPartition,
            Purpose::CreateTopics => ApiKey::CreateTopics,
            Purpose::ControlledShutdown => ApiKey::ControlledShutdown,
        };
        let at = cx.clock.now + self.config.controller_socket_timeout;
        let timer = TimerFor::Call as u64 + purpose as u64;
        call.timeout = Some(cx.timer(Part::Shell, at, timer));
        if self.controller.is_active() {
            let correlation_id = i32::try_from(call.number).expect("fewer than 2³¹ calls");
            let to = ReplyTo { conn: OWN, api, version, correlation_id };
            self.ask_own_controller(cx, to, body);
            return;
        }
        let Some(to) = to else {
            self.end_call(cx, purpose, None);
            return;
        };
        if call.channel.as_ref().is_none_or(|channel| channel.to() != to) {
            if let Some(mut old) = call.channel.take() {
                old.disconnect(cx.effects);
            }
            let name = StrBytes::from_string(self.config.id.to_string());
            call.channel = Some(Channel::new(to, name));
        }
        let channel = call.channel.as_mut().expect("it was just made");
        channel.send(cx.effects, api, version, &body, call.number);
    }

    fn ask_own_controller(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: RequestKind) {
        let (controller, session) = (&mut self.controller, &mut self.session);
        match body {
            RequestKind::AlterPartition(request) => {
                controller.alter_partition(cx, session, to, request);
            }
            RequestKind::CreateTopics(request) => {
                controller.create_topics(cx, session, to, request);
            }
            RequestKind::ControlledShutdown(request) => {
                controller.controlled_shutdown(cx, session, to, request);
            }
            other => unreachable!("no purpose sends {other:?}"),
        }
    }

    /// The own controller answered.
    pub(super) fn own_reply(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: ResponseKind) {
        let purpose = match to.api {
            ApiKey::AlterPartition => Purpose::AlterPartition,
            ApiKey::CreateTopics => Purpose::CreateTopics,
            _ => Purpose::ControlledShutdown,
        };
        let call = &self.controller_channel.by_purpose[purpose as usize];
        if call.timeout.is_some() && u64::try_from(to.correlation_id) == Ok(call.number) {
            self.end_call(cx, purpose, Some(body));
        }
    }

    /// Bytes of a channel to the controller, or of a connection that nobody wants any more.
    pub(super) fn call_received(&mut self, cx: &mut Context<'_>, conn: ConnId, bytes: Bytes) {
        let Some((purpose, channel)) = self.controller_channel.of(conn) else { return };
        let mut responses = Vec::new();
        if let Err(why) = channel.received(bytes, &mut responses) {
            debug!(broker = %self.config.id, %why, "closes its connection to the controller");
            channel.disconnect(cx.effects);
            self.end_call(cx, purpose, None);
            return;
        }
        for (number, body) in responses {
            if self.controller_channel.by_purpose[purpose as usize].number == number {
                self.end_call(cx, purpose, Some(body));
            }
        }
    }

    /// A connection is gone that is neither a client's nor another part's.
    pub(super) fn call_closed(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some((purpose, channel)) = self.controller_channel.of(conn) else { return };
        if !channel.closed().is_empty() {
            self.end_call(cx, purpose, None);
        }
    }

    /// No answer came for `controller.socket.timeout.ms`.
    pub(super) fn call_timed_out(&mut self, cx: &mut Context<'_>, purpose: u64) {
        let Some(purpose) = Purpose::ALL.into_iter().find(|known| *known as u64 == purpose) else {
            return;
        };
        let call = &mut self.controller_channel.by_purpose[purpose as usize];
        if let Some(channel) = &mut call.channel {
            channel.disconnect(cx.effects);
        }
        if call.timeout.is_some() {
            self.end_call(cx, purpose, None);
        }
    }

    fn end_call(&mut self, cx: &mut Context<'_>, purpose: Purpose, answer: Option<ResponseKind>) {
        if let Some(timer) = self.controller_channel.by_purpose[purpose as usize].timeout.take() {
            cx.effects.cancel(timer);
        }
        match purpose {
            Purpose::AlterPartition => self.partitions_altered(cx, answer),
            Purpose::CreateTopics => self.topics_created(answer.as_ref()),
            Purpose::ControlledShutdown => self.controlled_shutdown_answered(cx, answer),
        }
    }
}
