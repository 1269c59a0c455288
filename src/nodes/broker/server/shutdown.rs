//! Ending in an orderly way (`KafkaServer.shutdown`).
//!
//! First the controller is asked to move this broker's leaderships away, up to
//! `controlled.shutdown.max.retries` times with a pause of `controlled.shutdown.retry.backoff.ms`; requests
//! are served meanwhile. Then the sockets close, the logs are flushed, and the session at ZooKeeper
//! ends, and with it the registration.

use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, ControlledShutdownRequest, RequestKind, ResponseKind,
};
use tracing::{info, warn};

use super::controller_channel::Purpose;
use super::zk_requests::{Op, data};
use super::{Broker, TimerFor};
use crate::nodes::broker::context::{Context, Part};
use crate::nodes::broker::znodes::payload;
use crate::releases::apis::highest;
use crate::vocab::BrokerId;
use crate::wire::zookeeper::{Code, Reply};

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// Nobody asked for it.
    #[default]
    No,
    /// Asks the controller, and may so many times more.
    ZkRequests(u32),
    /// The sockets are closed; the logs are being flushed.
    Flushing,
    /// The session is being closed.
    Leaving,
    /// The process has ended.
    Gone,
}

impl Shutdown {
    /// Whether no connection is taken any more.
    pub fn has_closed_sockets(self) -> bool {
        matches!(self, Self::Flushing | Self::Leaving | Self::Gone)
    }

    /// Whether only the logs are in the way.
    pub fn waits_for_flush(self) -> bool {
        self == Self::Flushing
    }
}

impl Broker {
    pub(super) fn begin_shutdown(&mut self, cx: &mut Context<'_>) {
        if self.shutdown != Shutdown::No {
            return;
        }
        info!(broker = %self.config.id, "shuts down");
        if self.config.controlled_shutdown && self.registration.epoch().is_some() {
            self.shutdown = Shutdown::ZkRequests(self.config.controlled_shutdown_max_retries);
            self.ask_for_shutdown(cx);
        } else {
            self.close_sockets(cx);
        }
    }

    fn ask_for_shutdown(&mut self, cx: &mut Context<'_>) {
        let Shutdown::ZkRequests(left) = self.shutdown else { return };
        if left == 0 {
            warn!(broker = %self.config.id, "all attempts at a controlled shutdown failed");
            self.close_sockets(cx);
            return;
        }
        self.shutdown = Shutdown::ZkRequests(left - 1);
        self.ask_zookeeper(cx, Op::FindController);
    }

    pub(super) fn retry_controlled_shutdown(&mut self, cx: &mut Context<'_>) {
        self.ask_for_shutdown(cx);
    }

    fn ask_later(&mut self, cx: &mut Context<'_>) {
        if matches!(self.shutdown, Shutdown::ZkRequests(_)) {
            let at = cx.clock.now + self.config.controlled_shutdown_retry_backoff;
            cx.timer(Part::Shell, at, TimerFor::ShutdownRetry as u64);
        }
    }

    pub(super) fn controller_found(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) {
        match data(result).map(|data| payload::Controller::decode(&data)) {
            Some(Ok(controller)) => {
                self.ask_zookeeper(cx, Op::FindControllerHost(controller.broker));
            }
            _ => self.ask_later(cx),
        }
    }

    pub(super) fn controller_host_found(
        &mut self,
        cx: &mut Context<'_>,
        controller: BrokerId,
        result: &Result<Reply, Code>,
    ) {
        let host = data(result).map(|data| payload::BrokerRegistration::decode(&data));
        let Some(Ok(host)) = host else {
            info!(broker = %self.config.id, %controller, "the controller is not registered");
            self.ask_later(cx);
            return;
        };
        let request = ControlledShutdownRequest::default()
            .with_broker_id(WireBrokerId(self.config.id.0))
            .with_broker_epoch(self.registration.epoch().unwrap_or(-1));
        let version = highest(self.config.version, ApiKey::ControlledShutdown).unwrap_or(0);
        let body = RequestKind::ControlledShutdown(request);
        let to = self.roster.find(&host.host);
        self.call_controller(cx, Purpose::ControlledShutdown, to, version, body);
    }

    pub(super) fn controlled_shutdown_answered(
        &mut self,
        cx: &mut Context<'_>,
        answer: Option<ResponseKind>,
    ) {
        if !matches!(self.shutdown, Shutdown::ZkRequests(_)) {
            return;
        }
        match answer {
            Some(ResponseKind::ControlledShutdown(response))
                if response.error_code == 0 && response.remaining_partitions.is_empty() =>
            {
                info!(broker = %self.config.id, "controlled shutdown succeeded");
                self.close_sockets(cx);
            }
            other => {
                info!(broker = %self.config.id, answer = ?other, "controlled shutdown is not done");
                self.ask_later(cx);
            }
        }
    }

    fn close_sockets(&mut self, cx: &mut Context<'_>) {
        self.shutdown = Shutdown::Flushing;
        self.accepting = false;
        for conn in self.clients.conns() {
            self.drop_client(cx, conn);
        }
        self.controller.shutdown(cx);
        self.replicas_mut().begin_shutdown(cx);
    }

    /// The logs are flushed: the registration goes, with the session.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>) {
        self.shutdown = Shutdown::Leaving;
        self.session.close(cx.clock, cx.effects);
    }

    /// The session is closed, or could not be reached to be closed.
    pub(super) fn session_closed(&mut self, cx: &mut Context<'_>) {
        if self.shutdown == Shutdown::Leaving {
            self.shutdown = Shutdown::Gone;
            info!(broker = %self.config.id, "ends");
            cx.effects.exit();
        }
    }
}
