//! Controlled shutdown (`KafkaServer.shutdown`).
//!
//! First the controller is asked to move this broker's leaderships away, up to
//! `controlled.shutdown.max.retries` times with a pause of `controlled.shutdown.retry.backoff.ms`; requests
//! are served meanwhile. Then the sockets close, the logs are flushed, and the session at ZooKeeper
//! ends, and with it the registration.

use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, ControlledShutdownRequest, RequestKind, ResponseKind,
};
use tracing::{info, warn};

use super::connections::Connections;
use super::controller_channel::{CallEnd, ControllerClient};
use super::timers::TimerFor;
use super::zk_requests::{Op, data};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, Part, Purpose};
use crate::nodes::broker::replica::ReplicaManager;
use crate::nodes::broker::znodes::payload;
use crate::releases::Change;
use crate::releases::apis::highest;
use crate::vocab::{BrokerEpoch, BrokerId, NodeId};
use crate::wire::zookeeper::{Code, Reply};

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// It did not begin.
    #[default]
    No,
    /// Asks the controller, and has so many tries left.
    Asking(u32),
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

    /// Whether it waits only for the logs.
    pub fn waits_for_flush(self) -> bool {
        self == Self::Flushing
    }
}

/// The parts that a shutdown works with.
#[derive(Debug)]
pub struct ShutdownHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// How far it is.
    pub shutdown: &'a mut Shutdown,
    /// Of the last registration.
    pub broker_epoch: Option<BrokerEpoch>,
    /// The connections of clients.
    pub connections: &'a mut Connections,
    /// The replicas.
    pub replicas: &'a mut ReplicaManager,
    /// The way to the controller, and to ZooKeeper.
    pub client: ControllerClient<'a>,
}

impl ShutdownHandler<'_> {
    /// Begins.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        if *self.shutdown != Shutdown::No {
            // The operator asked for it twice.
            return;
        }
        info!(broker = %self.config.id, "shuts down");
        if self.config.controlled_shutdown && self.broker_epoch.is_some() {
            *self.shutdown = Shutdown::Asking(self.config.controlled_shutdown_max_retries);
            self.ask(cx);
        } else {
            self.close_sockets(cx);
        }
    }

    /// Asks the controller, or gives up after the last try.
    pub fn ask(&mut self, cx: &mut Context<'_>) {
        let Shutdown::Asking(left) = *self.shutdown else {
            unreachable!("a shutdown asks until the sockets are closed");
        };
        if left == 0 {
            warn!(broker = %self.config.id, "all attempts at a controlled shutdown failed");
            self.close_sockets(cx);
            return;
        }
        *self.shutdown = Shutdown::Asking(left - 1);
        if !self.config.version.has(Change::ShutdownAsksKnownController) {
            self.client.zk.ask(cx, Op::FindController);
        } else if let Some(node) = self.client.controller_node() {
            self.ask_controller(cx, Some(node));
        } else {
            self.ask_later(cx);
        }
    }

    fn ask_later(&mut self, cx: &mut Context<'_>) {
        if *self.shutdown == Shutdown::Asking(0)
            && self.config.version.has(Change::ShutdownEndsWithLastTry)
        {
            self.ask(cx);
            return;
        }
        let at = cx.clock.now + self.config.controlled_shutdown_retry_backoff;
        cx.timer(Part::Server, at, TimerFor::ShutdownRetry.number());
    }

    /// `/controller` was read.
    pub fn controller_found(&mut self, cx: &mut Context<'_>, result: &Result<Reply, Code>) {
        match data(result).map(|data| payload::Controller::decode(&data)) {
            Some(Ok(controller)) => {
                self.client.zk.ask(cx, Op::FindControllerHost(controller.broker));
            }
            _ => self.ask_later(cx),
        }
    }

    /// The controller's registration was read.
    pub fn controller_host_found(
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
        let to = self.client.roster.find(&host.host);
        self.ask_controller(cx, to);
    }

    fn ask_controller(&mut self, cx: &mut Context<'_>, to: Option<NodeId>) {
        let request = ControlledShutdownRequest::default()
            .with_broker_id(WireBrokerId(self.config.id.0))
            .with_broker_epoch(self.broker_epoch.unwrap_or(-1));
        let version = highest(self.config.version, ApiKey::ControlledShutdown).unwrap_or(0);
        let body = RequestKind::ControlledShutdown(request);
        if self.client.call(cx, Purpose::ControlledShutdown, to, version, body).is_err() {
            self.answered(cx, None);
        }
    }

    /// The controller answered, or cannot be reached.
    pub fn answered(&mut self, cx: &mut Context<'_>, answer: CallEnd) {
        assert!(matches!(self.shutdown, Shutdown::Asking(_)), "one request at a time");
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
        *self.shutdown = Shutdown::Flushing;
        self.connections.set_accepting(false);
        for conn in self.connections.clients() {
            self.connections.close(cx, self.replicas, conn);
        }
        self.client.controller.shutdown(cx);
        self.replicas.begin_shutdown(cx);
    }

    /// The logs are flushed: the registration goes, with the session.
    pub fn leave(&mut self, cx: &mut Context<'_>) {
        *self.shutdown = Shutdown::Leaving;
        self.client.zk.session.close(cx.clock, cx.effects);
    }

    /// The session is closed, or could not be reached to be closed.
    pub fn session_closed(&mut self, cx: &mut Context<'_>) {
        if *self.shutdown == Shutdown::Leaving {
            *self.shutdown = Shutdown::Gone;
            info!(broker = %self.config.id, "ends");
            cx.effects.exit();
        }
    }
}
