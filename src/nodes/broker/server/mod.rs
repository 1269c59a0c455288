//! A broker as a whole: it owns the session at ZooKeeper, the replicas and the controller, tells each
//! what is for it, and does everything that is neither: registration, client connections, metadata,
//! settings, having in-sync replicas changed, shutting down.
//!
//! What is told (a connection's bytes, a timer, an end of an fsync) has one owner, found by connection id or
//! by the mark in a timer's number. After each part's turn the asks that it left are carried out, until
//! none is left.

mod clients;
mod control;
mod controller_channel;
mod describe;
mod find_coordinator;
mod isr;
mod metadata;
mod registration;
mod requests;
mod shutdown;
#[cfg(test)]
mod tests;
mod zk_requests;

use std::sync::Arc;

use kafka_protocol::messages::ResponseKind;
use tracing::{error, info};

use self::clients::Clients;
use self::control::Control;
use self::controller_channel::ControllerChannel;
use self::isr::IsrChanges;
use self::metadata::{Listener, MetadataCache};
use self::registration::Registration;
use self::shutdown::Shutdown;
use self::zk_requests::{Op, ZkRequests};
use super::Config;
use super::context::{Ask, Context, Outbox, Part, ReplyTo};
use super::controller::Controller;
use super::replica::ReplicaManager;
use super::versions::Versions;
use super::znodes::{paths, payload};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::vocab::step::{Closed, Input};
use crate::vocab::{Clock, ConnId, Roster, Stream, TimerId};
use crate::wire::kafka::encode_response;

/// The port of every broker's only listener.
pub const PORT: i32 = 9092;

/// Stands for a connection in requests that the server makes of its own controller.
const OWN: ConnId = ConnId(u64::MAX);

/// What the server's timers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum TimerFor {
    Registration = 1,
    IsrNotification = 2,
    AlterPartition = 3,
    ShutdownRetry = 4,
    /// The number of the call is added.
    Call = 16,
}

/// A broker.
#[derive(Debug)]
pub struct Broker {
    config: Arc<Config>,
    roster: Arc<Roster>,
    session: Session,
    /// There from the first input on.
    replicas: Option<ReplicaManager>,
    controller: Controller,
    outbox: Outbox,
    versions: Versions,
    clients: Clients,
    /// Whether requests are taken; what comes before waits in the connections.
    accepting: bool,
    metadata: MetadataCache,
    zk_requests: ZkRequests,
    registration: Registration,
    control: Control,
    isr: IsrChanges,
    controller_channel: ControllerChannel,
    shutdown: Shutdown,
}

impl Broker {
    /// A broker whose process is about to start. `stream` feeds the cluster's id, should this broker be the
    /// first of its cluster, and the controller's assignments.
    pub fn new(config: Config, roster: Arc<Roster>, mut stream: Stream) -> Self {
        let config = Arc::new(config);
        let cluster_id = payload::random_uuid(&mut stream);
        let timeout_ms = i32::try_from(config.session_timeout.as_millis()).unwrap_or(i32::MAX);
        let servers = config.zookeepers.clone();
        let session = Session::new(
            SessionConfig::new(servers, timeout_ms, Part::Session.mark(0)),
            stream.below_name("session"),
        );
        Self {
            session,
            replicas: None,
            controller: Controller::new(config.clone(), roster.clone(), stream),
            outbox: Outbox::default(),
            versions: Versions::of(config.version),
            clients: Clients::default(),
            accepting: false,
            metadata: MetadataCache::default(),
            zk_requests: ZkRequests::default(),
            registration: Registration::new(cluster_id),
            control: Control::default(),
            isr: IsrChanges::default(),
            controller_channel: ControllerChannel::default(),
            shutdown: Shutdown::default(),
            config,
            roster,
        }
    }

    /// Takes one input; what it leads to is added to `effects`.
    ///
    /// # Panics
    /// When the first input is not [`Input::Start`].
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let mut outbox = std::mem::take(&mut self.outbox);
        let mut cx = Context { clock, effects, outbox: &mut outbox };
        self.take(&mut cx, input);
        self.settle(&mut cx);
        self.outbox = outbox;
    }

    /// The replicas, to look at.
    ///
    /// # Panics
    /// When the process has not started.
    pub fn replicas(&self) -> &ReplicaManager {
        self.replicas.as_ref().expect("the process has started")
    }

    /// How many bytes of a client's connection it has not read yet, as a real broker would leave them in the socket.
    pub fn left_in_socket(&self, conn: ConnId) -> usize {
        self.clients.left_in_socket(conn, self.accepting)
    }

    /// Whether it is the active controller.
    pub fn is_controller(&self) -> bool {
        self.controller.is_active()
    }

    fn replicas_mut(&mut self) -> &mut ReplicaManager {
        self.replicas.as_mut().expect("the process has started")
    }

    fn take(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::Start(image) => {
                let replicas =
                    ReplicaManager::load(self.config.clone(), self.roster.clone(), image, cx);
                self.replicas = Some(replicas);
                self.isr = IsrChanges::starting(cx.clock.now);
                self.session.start(cx.clock, cx.effects);
            }
            Input::Accepted { conn, peer } => {
                if self.shutdown.has_closed_sockets() {
                    cx.effects.close(conn);
                } else {
                    let external = self.config.external.as_ref();
                    let from_outside = external.is_some_and(|listener| listener.peer == peer);
                    let listener =
                        if from_outside { Listener::External } else { Listener::Internal };
                    self.clients.accepted(conn, listener);
                }
            }
            Input::Opened(conn) => self.opened(cx, conn),
            Input::Received { conn, bytes } => {
                // Most bytes come from clients and followers: they are looked for first.
                let Some(bytes) = self.clients.received(conn, bytes) else {
                    self.serve(cx, conn);
                    return;
                };
                if self.replicas_mut().owns(conn) {
                    self.replicas_mut().received(cx, conn, bytes);
                } else if self.session.owns(conn) {
                    self.session.on_received(cx.clock, cx.effects, conn, bytes);
                } else if self.controller.owns(conn) {
                    self.controller.received(cx, &mut self.session, conn, bytes);
                } else {
                    self.call_received(cx, conn, bytes);
                }
            }
            Input::Closed { conn, why } => self.closed(cx, conn, why),
            Input::Timer { id, token } => self.timer(cx, id, token),
            Input::DiskDone(op) => self.replicas_mut().on_disk_done(cx, op),
            Input::Shutdown => self.begin_shutdown(cx),
        }
    }

    fn opened(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if self.replicas_mut().owns(conn) {
            self.replicas_mut().opened(cx, conn);
        } else if self.session.owns(conn) {
            self.session.on_opened(cx.clock, cx.effects, conn);
        } else if self.controller.owns(conn) {
            self.controller.opened(cx, conn);
        } else {
            self.controller_channel.opened(cx, conn);
        }
    }

    fn closed(&mut self, cx: &mut Context<'_>, conn: ConnId, why: Closed) {
        if self.clients.remove(conn) {
            self.replicas_mut().client_gone(conn);
        } else if self.replicas_mut().owns(conn) {
            self.replicas_mut().closed(cx, conn);
        } else if self.session.owns(conn) {
            self.session.on_closed(cx.clock, cx.effects, conn, why);
        } else if self.controller.owns(conn) {
            self.controller.closed(cx, conn);
        } else {
            self.call_closed(cx, conn);
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, id: TimerId, token: u64) {
        let (part, number) = Part::of(token);
        match part {
            Part::Replicas => self.replicas_mut().on_timer(cx, number),
            Part::Controller => self.controller.on_timer(cx, &mut self.session, number),
            Part::Session => self.session.on_timer(cx.clock, cx.effects, id),
            Part::Shell => self.own_timer(cx, number),
        }
    }

    fn own_timer(&mut self, cx: &mut Context<'_>, number: u64) {
        const REGISTRATION: u64 = TimerFor::Registration as u64;
        const NOTIFICATION: u64 = TimerFor::IsrNotification as u64;
        const ALTER_PARTITION: u64 = TimerFor::AlterPartition as u64;
        const SHUTDOWN: u64 = TimerFor::ShutdownRetry as u64;
        match number {
            REGISTRATION => self.register_again(cx),
            NOTIFICATION => self.notify_isr_changes(cx),
            ALTER_PARTITION => self.alter_partitions_again(cx),
            SHUTDOWN => self.retry_controlled_shutdown(cx),
            number => self.call_timed_out(cx, number - TimerFor::Call as u64),
        }
    }

    /// Carries out what the parts asked for, and tells what the session has, until neither is left.
    fn settle(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(ask) = cx.outbox.asks.pop_front() {
                self.carry_out(cx, ask);
            } else if let Some(event) = self.session.poll() {
                self.session_event(cx, event);
            } else if self.shutdown.waits_for_flush() && self.replicas().is_shut_down() {
                self.leave(cx);
            } else {
                return;
            }
        }
    }

    fn carry_out(&mut self, cx: &mut Context<'_>, ask: Ask) {
        match ask {
            Ask::Reply { to, body } if to.conn == OWN => self.own_reply(cx, to, *body),
            Ask::Reply { to, body } => self.reply(cx, to, &body),
            Ask::NoReply(to) => {
                if self.clients.done(to.conn) {
                    self.serve(cx, to.conn);
                }
            }
            Ask::Close(conn) => self.drop_client(cx, conn),
            Ask::ChangeIsr(change) => self.change_isr(cx, change),
            Ask::Halt(why) => {
                error!(broker = %self.config.id, why, "halts");
                let why = why.into();
                cx.effects.observe(Observation::Broker(BrokerObservation::Halted { why }));
                cx.effects.exit();
            }
        }
    }

    fn reply(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: &ResponseKind) {
        if !self.clients.done(to.conn) {
            return;
        }
        let frame = encode_response(to.api, to.version, to.correlation_id, body);
        cx.effects.send(to.conn, frame);
        self.serve(cx, to.conn);
    }

    /// Takes the connection's next request, if it may be taken now.
    fn serve(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if !self.accepting {
            return;
        }
        match self.clients.next(conn) {
            Ok(Some(payload)) => self.request(cx, conn, payload),
            Ok(None) => {}
            Err(why) => {
                info!(broker = %self.config.id, %why, "closes a connection");
                self.drop_client(cx, conn);
            }
        }
    }

    /// Takes requests from now on, those that waited first.
    fn accept_requests(&mut self, cx: &mut Context<'_>) {
        self.accepting = true;
        for conn in self.clients.conns() {
            self.serve(cx, conn);
        }
    }

    fn drop_client(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if self.clients.remove(conn) {
            cx.effects.close(conn);
            self.replicas_mut().client_gone(conn);
        }
    }

    fn session_event(&mut self, cx: &mut Context<'_>, event: SessionEvent) {
        match event {
            SessionEvent::Connected => {
                info!(broker = %self.config.id, "session at ZooKeeper stands");
                self.session_connected(cx);
            }
            SessionEvent::Disconnected => self.zk_requests.disconnected(),
            SessionEvent::Expired => self.session_expired(cx),
            SessionEvent::Closed => self.session_closed(cx),
            SessionEvent::Watch(event) => {
                if &*event.path == paths::CONFIG_CHANGES {
                    self.ask_zookeeper(cx, Op::ListConfigChanges);
                } else {
                    self.controller.on_watch(cx, &mut self.session, &event);
                }
            }
            SessionEvent::Reply { tag, result, zxid: _ } => match Part::of(tag) {
                (Part::Shell, number) => self.zookeeper_replied(cx, number, result),
                (_, number) => {
                    self.controller.on_reply(cx, &mut self.session, number, result);
                }
            },
        }
    }
}
