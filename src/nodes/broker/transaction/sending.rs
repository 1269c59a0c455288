//! The connections to the leaders that write markers.

use bytes::Bytes;
use kafka_protocol::messages::{ResponseKind, WriteTxnMarkersResponse};

use super::coordinator::TransactionCoordinator;
use super::deadlines::Due;
use super::senders::BACKOFF;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::{BrokerId, ConnId};

impl TransactionCoordinator {
    /// The connection to a broker is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, broker: BrokerId, conn: ConnId) {
        self.senders.get(broker).channel.opened(cx.effects, conn);
    }

    /// Bytes of a broker.
    pub fn received(&mut self, cx: &mut Context<'_>, broker: BrokerId, bytes: Bytes) {
        let sender = self.senders.get(broker);
        let mut responses = Vec::new();
        if let Err(why) = sender.channel.received(bytes, &mut responses) {
            tracing::debug!(%why, %broker, "closes the connection for markers");
            cx.disconnect(&mut sender.channel);
            self.connection_lost(cx, broker);
        }
        for (number, body) in responses {
            if let ResponseKind::WriteTxnMarkers(response) = body {
                self.answered(cx, broker, number, &response);
            }
        }
    }

    /// This broker's own leaders answered.
    pub fn own_reply(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        response: &WriteTxnMarkersResponse,
    ) {
        let number = u64::try_from(to.correlation_id).expect("numbers of requests are positive");
        self.answered(cx, self.config.id, number, response);
    }

    fn answered(
        &mut self,
        cx: &mut Context<'_>,
        broker: BrokerId,
        number: u64,
        response: &WriteTxnMarkersResponse,
    ) {
        let markers = self.senders.ended(&mut self.alarm, broker, Some(number));
        self.markers_ended(cx, markers, Some(response));
        self.woken(cx);
    }

    /// The connection to a broker is gone, or was refused.
    pub fn closed(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        self.senders.get(broker).channel.closed();
        self.connection_lost(cx, broker);
    }

    /// A request has been without an answer for `request.timeout.ms`.
    pub(super) fn markers_timed_out(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let sender = self.senders.get(broker);
        cx.disconnect(&mut sender.channel);
        self.connection_lost(cx, broker);
    }

    fn connection_lost(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let markers = self.senders.ended(&mut self.alarm, broker, None);
        if !std::mem::replace(&mut self.senders.get(broker).backs_off, true) {
            self.alarm.set_after(cx, BACKOFF, Due::Reconnect(broker));
        }
        self.markers_ended(cx, markers, None);
        self.woken(cx);
    }

    /// A connection may be tried again.
    pub(super) fn reconnect(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        self.senders.get(broker).backs_off = false;
        self.woken(cx);
    }

    /// The sender is awake: it sends what waits, and tries again to write what could not be written.
    fn woken(&mut self, cx: &mut Context<'_>) {
        self.complete_again(cx);
        self.senders.drive_all(cx, &mut self.alarm);
    }
}
