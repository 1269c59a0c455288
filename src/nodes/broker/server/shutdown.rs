//! Controlled shutdown (`KafkaServer.shutdown`).
//!
//! First the controller is asked to move this broker's leaderships away, up to
//! `controlled.shutdown.max.retries` times with a pause of `controlled.shutdown.retry.backoff.ms`; requests
//! are served meanwhile. Then the sockets close, the logs are flushed, and the session at ZooKeeper
//! ends, and with it the registration; last, the process.
//!
//! Between these steps threads are waited for, one after the other: handlers before the sockets are closed, the
//! purgatories' before the session ends, the quotas' before the process does. How long was measured on real brokers
//! ([`Pauses`]).

use std::ops::RangeInclusive;
use std::time::Duration;

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
use crate::releases::apis::highest;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerEpoch, BrokerId, NodeId, Stream};
use crate::wire::zookeeper::{Code, Reply};

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// It did not begin.
    #[default]
    No,
    /// Asks the controller, and has so many tries left.
    Asking(u32),
    /// Waits for the handlers; requests are still served.
    Stopping,
    /// The sockets are closed; the logs are being flushed.
    Flushing,
    /// The logs are flushed; waits for the threads of purgatories.
    Flushed,
    /// The session is being closed.
    Leaving,
    /// The session is closed; waits for the threads of quotas.
    Left,
    /// The process has ended.
    Gone,
}

/// How long a broker waits for its threads between the steps of its end, in milliseconds. Each time is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pauses {
    /// From the end of the last attempt until the sockets are closed.
    handlers: RangeInclusive<u64>,
    /// From then until the session is closed.
    purgatories: RangeInclusive<u64>,
    /// From then until the process ends.
    quotas: RangeInclusive<u64>,
}

impl Pauses {
    /// Those of a release. 1.1.1 and 2.8.2: sockets 0.15 and 0.12 s after the leaders had moved, registration 1.35 and
    /// 1.8 s after those, process 2.8 and 1.3 s after that. 3.9.1: 1.0 s from the sockets to the end.
    fn of(version: KafkaVersion) -> Self {
        match version.has(Change::ShutdownWakesThreads) {
            false => Self { handlers: 80..=160, purgatories: 1_000..=1_900, quotas: 1_000..=2_900 },
            true => Self { handlers: 80..=160, purgatories: 400..=700, quotas: 200..=400 },
        }
    }
}

impl Shutdown {
    /// Whether no connection is taken any more.
    pub fn has_closed_sockets(self) -> bool {
        matches!(self, Self::Flushing | Self::Flushed | Self::Leaving | Self::Left | Self::Gone)
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
    /// When its supervisor starts it again, counted from its end.
    pub start_after: Option<Duration>,
    /// Draws how long it waits between its steps.
    pub stream: &'a mut Stream,
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
        self.replicas.shutdown_begins();
        if self.config.controlled_shutdown && self.broker_epoch.is_some() {
            *self.shutdown = Shutdown::Asking(self.config.controlled_shutdown_max_retries);
            self.ask(cx);
        } else {
            self.stop(cx);
        }
    }

    fn pause(&mut self, cx: &mut Context<'_>, next: Shutdown, range: RangeInclusive<u64>) {
        *self.shutdown = next;
        let at = cx.clock.now + Duration::from_millis(self.stream.within(range));
        cx.timer(Part::Server, at, TimerFor::ShutdownStep.number());
    }

    /// The leaderships have moved, or not: the handlers end.
    fn stop(&mut self, cx: &mut Context<'_>) {
        let pauses = Pauses::of(self.config.version);
        self.pause(cx, Shutdown::Stopping, pauses.handlers);
    }

    /// A pause is over.
    pub fn go_on(&mut self, cx: &mut Context<'_>) {
        match *self.shutdown {
            Shutdown::Stopping => self.close_sockets(cx),
            Shutdown::Flushed => self.leave(cx),
            Shutdown::Left => self.end(cx),
            other => unreachable!("no pause of a shutdown ends while it is {other:?}"),
        }
    }

    /// The start has failed: what was loaded is flushed, and the process ends (`KafkaServer.startup`).
    pub fn give_up(&mut self, cx: &mut Context<'_>) {
        if *self.shutdown == Shutdown::No {
            self.stop(cx);
        }
    }

    /// Asks the controller, or gives up after the last try.
    pub fn ask(&mut self, cx: &mut Context<'_>) {
        let Shutdown::Asking(left) = *self.shutdown else {
            unreachable!("a shutdown asks until the sockets are closed");
        };
        if left == 0 {
            warn!(broker = %self.config.id, "all attempts at a controlled shutdown failed");
            self.stop(cx);
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
                self.stop(cx);
            }
            other => {
                info!(broker = %self.config.id, answer = ?other, "controlled shutdown is not done");
                self.ask_later(cx);
            }
        }
    }

    fn close_sockets(&mut self, cx: &mut Context<'_>) {
        *self.shutdown = Shutdown::Flushing;
        cx.effects.stop_listening();
        self.connections.set_accepting(false);
        for conn in self.connections.clients() {
            self.connections.close(cx, self.replicas, conn);
        }
        self.replicas.begin_shutdown(cx);
    }

    /// The logs are flushed.
    pub fn flushed(&mut self, cx: &mut Context<'_>) {
        let pauses = Pauses::of(self.config.version);
        self.pause(cx, Shutdown::Flushed, pauses.purgatories);
    }

    /// The registration goes, with the session.
    fn leave(&mut self, cx: &mut Context<'_>) {
        *self.shutdown = Shutdown::Leaving;
        self.client.controller.shutdown(cx);
        self.client.zk.session.close(cx.clock, cx.effects);
    }

    /// The session is closed, or could not be reached to be closed.
    pub fn session_closed(&mut self, cx: &mut Context<'_>) {
        if *self.shutdown == Shutdown::Leaving {
            let pauses = Pauses::of(self.config.version);
            self.pause(cx, Shutdown::Left, pauses.quotas);
        }
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        *self.shutdown = Shutdown::Gone;
        info!(broker = %self.config.id, "ends");
        match self.start_after {
            Some(pause) => cx.effects.exit_and_start_after(pause),
            None => cx.effects.exit(),
        }
    }
}
