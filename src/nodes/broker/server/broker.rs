//! The broker: it owns the parts, and gives each input, answer and request to the part that it is for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ResponseKind};
use tracing::info;

use super::admin_work::{AdminWork, Turns};
use super::alter_configs;
use super::auto_creation::TopicCreator;
use super::connections::{Connections, Recipient};
use super::control::ControlHandler;
use super::controller_channel::{ControllerChannel, ControllerClient};
use super::deletions::Deletions;
use super::describe::ConfigDescriber;
use super::find_coordinator::CoordinatorHandler;
use super::growths::Growths;
use super::isr::{IsrChanges, IsrHandler};
use super::metadata::{Listener, MetadataCache};
use super::metadata_requests::MetadataHandler;
use super::producer_ids::{ProducerIdHandler, ProducerIds};
use super::quota_work::QuotaWork;
use super::registration::{Next, Registration, RegistrationHandler};
use super::shutdown::{Shutdown, ShutdownHandler};
use super::timers::TimerFor;
use super::topic_configs::TopicConfigs;
use super::unwritable;
use super::verifier::{Verifier, VerifierHandler};
use super::zk_requests::{Op, ZkRequests};
use crate::nodes::Effects;
use crate::nodes::broker::Config;
use crate::nodes::broker::config::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::nodes::broker::context::{ConnOwner, Context, IsrOutcome, Outbox, Part, ReplyTo};
use crate::nodes::broker::controller::Controller;
use crate::nodes::broker::group::GroupCoordinator;
use crate::nodes::broker::replica::ReplicaManager;
use crate::nodes::broker::transaction::TransactionCoordinator;
use crate::nodes::broker::versions::Versions;
use crate::nodes::broker::znodes::{paths, payload};
use crate::nodes::session::{Session, SessionConfig, SessionEvent};
use crate::releases::{Change, ZooKeeperChange, ZooKeeperVersion};
use crate::vocab::step::{Closed, Input};
use crate::vocab::{
    BrokerEpoch, Clock, ConnId, ControllerEpoch, Roster, Stream, TimerId, TopicPartition, nanos,
};
use crate::wire::kafka::encode_response;
use crate::wire::zookeeper::Code;

/// A broker serves one part of its start-up after it has registered: 0.8 s after a registration at 4.7 s (2.8.2).
const SERVING_SHARE: u32 = 6;

const STARTED: &str = "the first input starts the process";

/// A broker.
#[derive(Debug)]
pub struct Broker {
    pub(super) config: Arc<Config>,
    /// The settings of its start, without what was set since.
    pub(super) at_start: Arc<Config>,
    /// Levels of loggers that were set since the start.
    pub(super) log_levels: BTreeMap<String, String>,
    pub(super) roster: Arc<Roster>,
    pub(super) zk: ZkRequests,
    /// Ids of fetch sessions come from here.
    fetch_sessions: Stream,
    /// There from the first input on.
    pub(super) replicas: Option<ReplicaManager>,
    pub(super) controller: Controller,
    outbox: Outbox,
    pub(super) versions: Versions,
    pub(super) connections: Connections,
    pub(super) metadata: MetadataCache,
    registration: Registration,
    /// The highest of a control request so far.
    controller_epoch: ControllerEpoch,
    pub(super) topic_configs: TopicConfigs,
    pub(super) isr: IsrChanges,
    pub(super) controller_channel: ControllerChannel,
    shutdown: Shutdown,
    pub(super) groups: GroupCoordinator,
    pub(super) transactions: TransactionCoordinator,
    verifier: Verifier,
    producer_ids: ProducerIds,
    pub(super) deletions: Deletions,
    pub(super) growths: Growths,
    /// Work that waits for ZooKeeper.
    pub(super) admin: AdminWork<Self>,
    pub(super) altered_configs: Turns<alter_configs::Work>,
    pub(super) altered_quotas: Turns<QuotaWork>,
    /// Draws how long the steps of a start and of a shutdown take.
    step_stream: Stream,
    /// Draws how long appends are worked on.
    answer_stream: Stream,
    /// Whether it serves requests, or will when its processors have started.
    has_begun: bool,
}

/// What [`Broker::parts`] lends.
struct Parts<'a> {
    config: &'a Config,
    registration: &'a Registration,
    isr: &'a mut IsrChanges,
    shutdown: &'a mut Shutdown,
    step_stream: &'a mut Stream,
    connections: &'a mut Connections,
    replicas: &'a mut ReplicaManager,
    client: ControllerClient<'a>,
}

impl Broker {
    /// A broker whose process is about to start. `stream` feeds the cluster's id, should this broker be the
    /// first of its cluster, the controller's assignments, and the ids of fetch sessions.
    pub fn new(config: Config, roster: Arc<Roster>, mut stream: Stream) -> Self {
        let config = Arc::new(config);
        let cluster_id = payload::random_uuid(&mut stream);
        let step_stream = stream.below_name("shutdown");
        let answers = stream.below_name("answers");
        let timeout_ms = i32::try_from(config.session_timeout.as_millis()).unwrap_or(i32::MAX);
        let servers = config.zookeepers.clone();
        let groups = GroupCoordinator::new(config.clone(), stream.below_name("groups"));
        let transactions =
            TransactionCoordinator::new(config.clone(), stream.below_name("transactions"));
        let client = ZooKeeperVersion::shipped_with(config.version);
        let session = SessionConfig {
            by_wall: !client.has(ZooKeeperChange::MonotonicClock),
            was_up: config.was_up,
            ..SessionConfig::new(servers, timeout_ms, Part::Session.mark(0))
        };
        let session = Session::new(session, stream.below_name("session"));
        Self {
            zk: ZkRequests::new(config.clone(), session),
            fetch_sessions: stream.below_name("fetch-sessions"),
            replicas: None,
            controller: Controller::new(config.clone(), roster.clone(), stream),
            outbox: Outbox::default(),
            versions: Versions::of(config.version),
            connections: Connections::default(),
            metadata: MetadataCache::default(),
            registration: Registration::new(cluster_id),
            controller_epoch: ControllerEpoch::default(),
            topic_configs: TopicConfigs::default(),
            isr: IsrChanges::default(),
            controller_channel: ControllerChannel::default(),
            shutdown: Shutdown::default(),
            groups,
            transactions,
            verifier: Verifier::default(),
            producer_ids: ProducerIds::default(),
            deletions: Deletions::default(),
            growths: Growths::default(),
            admin: AdminWork::default(),
            altered_configs: Turns::default(),
            altered_quotas: Turns::default(),
            step_stream,
            answer_stream: answers,
            has_begun: false,
            at_start: config.clone(),
            log_levels: BTreeMap::new(),
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
        self.replicas.as_ref().expect(STARTED)
    }

    /// How many bytes of a client's connection it has not read yet, as a real broker would leave them in the socket.
    pub fn left_in_socket(&self, conn: ConnId) -> usize {
        self.connections.left_in_socket(conn)
    }

    /// Whether it works on a request of a client's connection.
    pub fn works_for(&self, conn: ConnId) -> bool {
        self.connections.is_busy(conn)
    }

    /// Whether it is the active controller.
    pub fn is_controller(&self) -> bool {
        self.controller.is_active()
    }

    pub(super) fn replicas_mut(&mut self) -> &mut ReplicaManager {
        self.replicas.as_mut().expect(STARTED)
    }

    /// The replicas, and what is known of those that are elsewhere.
    pub(super) fn replicas_and_metadata(&mut self) -> (&mut ReplicaManager, &MetadataCache) {
        (self.replicas.as_mut().expect(STARTED), &self.metadata)
    }

    fn broker_epoch(&self) -> BrokerEpoch {
        self.registration.epoch().unwrap_or(-1)
    }

    pub(super) fn registration(&mut self) -> RegistrationHandler<'_> {
        RegistrationHandler {
            config: &self.config,
            registration: &mut self.registration,
            zk: &mut self.zk,
            replicas: self.replicas.as_mut().expect(STARTED),
        }
    }

    pub(super) fn control(&mut self) -> ControlHandler<'_> {
        ControlHandler {
            broker_epoch: self.broker_epoch(),
            config: &self.config,
            controller_epoch: &mut self.controller_epoch,
            metadata: &mut self.metadata,
            topic_configs: &mut self.topic_configs,
            replicas: self.replicas.as_mut().expect(STARTED),
            zk: &mut self.zk,
        }
    }

    pub(super) fn verifier(&mut self) -> VerifierHandler<'_> {
        VerifierHandler {
            config: &self.config,
            roster: &self.roster,
            metadata: &self.metadata,
            verifier: &mut self.verifier,
            replicas: self.replicas.as_mut().expect(STARTED),
        }
    }

    pub(super) fn describer(&self) -> ConfigDescriber<'_> {
        ConfigDescriber {
            config: &self.config,
            metadata: &self.metadata,
            topic_configs: &self.topic_configs,
            log_levels: &self.log_levels,
        }
    }

    /// The parts that the handlers of requests to the controller divide among themselves.
    fn parts(&mut self) -> Parts<'_> {
        Parts {
            config: &self.config,
            registration: &self.registration,
            isr: &mut self.isr,
            shutdown: &mut self.shutdown,
            step_stream: &mut self.step_stream,
            connections: &mut self.connections,
            replicas: self.replicas.as_mut().expect(STARTED),
            client: ControllerClient {
                config: &self.config,
                roster: &self.roster,
                metadata: &self.metadata,
                channel: &mut self.controller_channel,
                controller: &mut self.controller,
                zk: &mut self.zk,
            },
        }
    }

    pub(super) fn isr(&mut self) -> IsrHandler<'_> {
        let Parts { config, registration, isr, replicas, client, .. } = self.parts();
        let broker_epoch = registration.epoch().unwrap_or(-1);
        IsrHandler { broker_epoch, config, isr, replicas, client }
    }

    pub(super) fn shutdown(&mut self) -> ShutdownHandler<'_> {
        let Parts {
            config,
            registration,
            shutdown,
            step_stream: stream,
            connections,
            replicas,
            client,
            ..
        } = self.parts();
        let broker_epoch = registration.epoch();
        let start_after = config.supervisor.filter(|_| registration.has_failed());
        ShutdownHandler {
            broker_epoch,
            start_after,
            stream,
            config,
            shutdown,
            connections,
            replicas,
            client,
        }
    }

    pub(super) fn producer_ids(&mut self) -> ProducerIdHandler<'_> {
        let broker_epoch = self.broker_epoch();
        let client = ControllerClient {
            config: &self.config,
            roster: &self.roster,
            metadata: &self.metadata,
            channel: &mut self.controller_channel,
            controller: &mut self.controller,
            zk: &mut self.zk,
        };
        ProducerIdHandler { broker_epoch, ids: &mut self.producer_ids, client }
    }

    pub(super) fn metadata_handler(&mut self, conn: ConnId) -> MetadataHandler<'_> {
        let listener = self.connections.listener(conn);
        let Parts { registration, client, .. } = self.parts();
        let creator = TopicCreator { client };
        MetadataHandler { listener, cluster_id: registration.cluster_id(), creator }
    }

    pub(super) fn coordinators(&mut self, client: ConnId) -> CoordinatorHandler<'_> {
        let MetadataHandler { creator, listener, .. } = self.metadata_handler(client);
        CoordinatorHandler { creator, listener }
    }

    fn take(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::Start(image) => {
                let (config, roster) = (self.config.clone(), self.roster.clone());
                let ids = self.fetch_sessions.clone();
                let replicas = ReplicaManager::load(config, roster, image, ids, cx);
                self.replicas = Some(replicas);
                let phases = self.config.was_up.then(|| self.fetch_sessions.below_name("isr"));
                self.isr = IsrChanges::starting(cx.clock, phases);
                self.transactions.start(cx.clock.now);
                self.zk.session.start(cx.clock, cx.effects);
            }
            Input::Accepted { conn, peer } => {
                if self.shutdown.has_closed_sockets() {
                    cx.effects.close(conn);
                } else {
                    let external = self.config.external.as_ref();
                    let is_external = external.is_some_and(|listener| listener.peer == peer);
                    let listener =
                        if is_external { Listener::External } else { Listener::Internal };
                    let most = self.config.socket_request_max_bytes;
                    self.connections.accepted(conn, peer, listener, most);
                }
            }
            Input::Opened(conn) => self.opened(cx, conn),
            Input::Received { conn, bytes } => self.received(cx, conn, bytes),
            Input::Closed { conn, why } => self.closed(cx, conn, why),
            Input::Timer { id, token } => self.timer(cx, id, token),
            Input::DiskDone(op) => self.replicas_mut().on_disk_done(cx, op),
            Input::Shutdown => self.shutdown().begin(cx),
        }
    }

    fn received(&mut self, cx: &mut Context<'_>, conn: ConnId, bytes: Bytes) {
        let (recipient, bytes) = match self.connections.received(conn, bytes) {
            Ok(()) => return self.serve(cx, conn),
            Err(other) => other,
        };
        match recipient {
            Recipient::Client => unreachable!("the bytes of clients are taken"),
            Recipient::Owner(ConnOwner::Fetcher(leader)) => {
                self.replicas_mut().received(cx, leader, bytes);
            }
            Recipient::Owner(ConnOwner::ControlledBroker(broker)) => {
                self.controller.received(cx, &mut self.zk.session, broker, bytes);
            }
            Recipient::Owner(ConnOwner::Controller(purpose)) => {
                if let Some(end) = self.controller_channel.received(cx, purpose, bytes) {
                    self.call_ended(cx, purpose, end);
                }
            }
            Recipient::Owner(ConnOwner::Markers(broker)) => {
                self.transactions.received(cx, broker, bytes);
            }
            Recipient::Owner(ConnOwner::Verifier(broker)) => {
                self.verifier().received(cx, broker, bytes);
            }
            Recipient::Session => self.zk.session.on_received(cx.clock, cx.effects, conn, bytes),
        }
    }

    fn opened(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        match self.connections.recipient(conn) {
            Recipient::Client => unreachable!("clients open their connections themselves"),
            Recipient::Owner(ConnOwner::Fetcher(leader)) => {
                self.replicas_mut().opened(cx, leader, conn);
            }
            Recipient::Owner(ConnOwner::ControlledBroker(broker)) => {
                self.controller.opened(cx, broker, conn);
            }
            Recipient::Owner(ConnOwner::Controller(purpose)) => {
                self.controller_channel.opened(cx, purpose, conn);
            }
            Recipient::Owner(ConnOwner::Markers(broker)) => {
                self.transactions.opened(cx, broker, conn);
            }
            Recipient::Owner(ConnOwner::Verifier(broker)) => {
                self.verifier().opened(cx, broker, conn);
            }
            Recipient::Session => self.zk.session.on_opened(cx.clock, cx.effects, conn),
        }
    }

    fn closed(&mut self, cx: &mut Context<'_>, conn: ConnId, why: Closed) {
        match self.connections.remove(conn) {
            Recipient::Client => self.replicas_mut().client_gone(conn),
            Recipient::Owner(ConnOwner::Fetcher(leader)) => self.replicas_mut().closed(cx, leader),
            Recipient::Owner(ConnOwner::ControlledBroker(broker)) => {
                self.controller.closed(cx, broker);
            }
            Recipient::Owner(ConnOwner::Controller(purpose)) => {
                if let Some(end) = self.controller_channel.closed(cx, purpose) {
                    self.call_ended(cx, purpose, end);
                }
            }
            Recipient::Owner(ConnOwner::Markers(broker)) => self.transactions.closed(cx, broker),
            Recipient::Owner(ConnOwner::Verifier(broker)) => self.verifier().closed(cx, broker),
            Recipient::Session => self.zk.session.on_closed(cx.clock, cx.effects, conn, why),
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, id: TimerId, token: u64) {
        let (part, number) = Part::of(token);
        match part {
            Part::Replicas => self.replicas_mut().on_timer(cx, number),
            Part::Controller => self.controller.on_timer(cx, &mut self.zk.session, number),
            Part::Session => self.zk.session.on_timer(cx.clock, cx.effects, id),
            Part::Groups => {
                if let Some(partition) = self.groups.on_timer(cx) {
                    let at = TopicPartition::new(OFFSETS_TOPIC, partition);
                    let replicas = self.replicas.as_ref().expect(STARTED);
                    self.groups.load(cx, replicas.records(&at));
                }
            }
            Part::Transactions => {
                if let Some(partition) = self.transactions.on_timer(cx) {
                    let at = TopicPartition::new(TRANSACTIONS_TOPIC, partition);
                    let replicas = self.replicas.as_ref().expect(STARTED);
                    self.transactions.load(cx, replicas.records(&at));
                }
            }
            Part::Server => match TimerFor::of(number) {
                TimerFor::Registration => self.registration().try_again(cx),
                TimerFor::IsrNotification => self.isr().notify(cx),
                TimerFor::AlterPartition => self.isr().alter_partitions_again(cx),
                TimerFor::ShutdownRetry => self.shutdown().ask(cx),
                TimerFor::ShutdownStep => self.shutdown().go_on(cx),
                TimerFor::Deletion(number) => self.end_deletion(cx, number),
                TimerFor::Growth(number) => self.end_growth(cx, number),
                TimerFor::Verification(broker) => self.verifier().timed_out(cx, broker),
                TimerFor::Serving => self.accept_requests(cx),
                TimerFor::Call(purpose) => {
                    let end = self.controller_channel.timed_out(cx, purpose);
                    end.into_iter().for_each(|end| self.call_ended(cx, purpose, end));
                }
            },
        }
    }

    /// Carries out what the parts asked for, and the session's events, until neither is left.
    fn settle(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(ask) = cx.outbox.asks.pop_front() {
                self.carry_out(cx, ask);
            } else if let Some(event) = self.zk.session.poll() {
                self.session_event(cx, event);
            } else if self.shutdown.waits_for_flush() && self.replicas().is_shut_down() {
                self.shutdown().flushed(cx);
            } else if self.transactions.has_unrouted() {
                self.route_markers(cx);
            } else if self.connections.has_queued() && self.has_free_handler() {
                let conn = self.connections.next_queued().expect("one is queued");
                self.serve(cx, conn);
            } else {
                return;
            }
        }
    }

    pub(super) fn reply(&mut self, cx: &mut Context<'_>, to: ReplyTo, body: &ResponseKind) {
        // The client closed its connection while its request waited.
        if !self.connections.done(to.conn) {
            return;
        }
        let instead = unwritable::instead(self.config.version, body);
        let body = instead.as_ref().unwrap_or(body);
        let frame = encode_response(to.api, to.version, to.correlation_id, body);
        if to.api == ApiKey::Produce && !self.config.answer_delay.end().is_zero() {
            let delay = &self.config.answer_delay;
            let nanos = self.answer_stream.within(nanos(*delay.start())..=nanos(*delay.end()));
            cx.effects.send_after(to.conn, frame, Duration::from_nanos(nanos));
        } else {
            cx.effects.send(to.conn, frame);
        }
        self.serve(cx, to.conn);
    }

    /// Takes the connection's next request, if it may be taken now.
    pub(super) fn serve(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if !self.has_free_handler() {
            self.connections.queue(conn);
            return;
        }
        let mut next = self.connections.next(conn);
        while matches!(&next, Ok(Some(payload)) if payload.len() < 2) && self.ignores_tiny_frames()
        {
            self.connections.done(conn);
            next = self.connections.next(conn);
        }
        match next {
            Ok(Some(payload)) => self.request(cx, conn, payload),
            Ok(None) => {}
            Err(why) => {
                info!(broker = %self.config.id, %why, "closes a connection");
                self.close_client(cx, conn);
            }
        }
    }

    /// Whether a frame without room for an API key is ignored.
    fn ignores_tiny_frames(&self) -> bool {
        !self.config.version.has(Change::TinyFramesClose)
    }

    fn has_free_handler(&self) -> bool {
        self.replicas().blocked_handlers() < self.config.num_io_threads
    }

    /// The broker is registered, or about to be: it serves requests when its processors have started.
    fn begin_serving(&mut self, cx: &mut Context<'_>) {
        if self.connections.is_accepting() || std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let start_up = &self.config.start_up;
        if self.config.was_up || start_up.end().is_zero() {
            return self.accept_requests(cx);
        }
        let share = |span: Duration| nanos(span / SERVING_SHARE);
        let after = self.step_stream.within(share(*start_up.start())..=share(*start_up.end()));
        let at = cx.clock.now.after_nanos(after);
        cx.timer(Part::Server, at, TimerFor::Serving.number());
    }

    /// Takes requests from now on, those that waited first.
    fn accept_requests(&mut self, cx: &mut Context<'_>) {
        if self.shutdown.has_closed_sockets() {
            return;
        }
        self.connections.set_accepting(true);
        for conn in self.connections.clients() {
            self.serve(cx, conn);
        }
    }

    pub(super) fn close_client(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let replicas = self.replicas.as_mut().expect(STARTED);
        self.connections.close(cx, replicas, conn);
    }

    fn session_event(&mut self, cx: &mut Context<'_>, event: SessionEvent) {
        match event {
            SessionEvent::Connected => {
                info!(broker = %self.config.id, "session at ZooKeeper is connected");
                let next = self.registration().session_connected(cx);
                self.go_on(cx, next);
            }
            SessionEvent::Disconnected => self.zk.disconnected(),
            SessionEvent::Expired => self.session_expired(cx),
            SessionEvent::Closed => self.shutdown().session_closed(cx),
            SessionEvent::Watch(event) => {
                if &*event.path == paths::CONFIG_CHANGES {
                    self.zk.ask(cx, Op::ListConfigChanges);
                } else {
                    self.controller.on_watch(cx, &mut self.zk.session, &event);
                }
            }
            SessionEvent::Reply { tag, result, zxid: _ } => match Part::of(tag) {
                (Part::Server, number) => {
                    if let Some(op) = self.zk.answered(number, &result) {
                        self.zk_answered(cx, op, result);
                    }
                }
                (Part::Controller, number) => {
                    self.controller.on_reply(cx, &mut self.zk.session, number, result);
                }
                (part, _) => unreachable!("{part:?} asks nothing of ZooKeeper"),
            },
        }
    }

    /// Since 1.1 a broker registers before its controller starts; up to 1.0 it was the other way round.
    fn registers_before_controller(&self) -> bool {
        self.config.version.has(Change::RegistersBeforeController)
    }

    pub(super) fn go_on(&mut self, cx: &mut Context<'_>, next: Next) {
        match next {
            Next::Wait => {}
            Next::GiveUp => self.shutdown().give_up(cx),
            Next::Register => {
                self.registration.begin();
                if !self.registers_before_controller() {
                    self.controller.session_ready(cx, &mut self.zk.session);
                    self.begin_serving(cx);
                }
                self.zk.ask(cx, Op::Register);
            }
            Next::Work => {
                if self.registers_before_controller() {
                    self.controller.session_ready(cx, &mut self.zk.session);
                }
                self.zk.ask(cx, Op::ListConfigChanges);
                self.begin_serving(cx);
            }
        }
    }

    fn session_expired(&mut self, cx: &mut Context<'_>) {
        self.registration().session_expired(cx);
        for op in self.zk.expired() {
            match op {
                Op::WriteIsr(change) | Op::RereadIsr(change) => {
                    self.replicas_mut().isr_change_done(cx, &change.at, IsrOutcome::Refused);
                }
                Op::NotifyIsrChanges(partitions) => self.isr.notification_failed(partitions),
                Op::MarkForDeletion(number, topic) => {
                    self.topic_marked(cx, number, &topic, &Err(Code::SESSION_EXPIRED));
                }
                Op::Admin { number, index, .. } => {
                    self.admin_answered(cx, (number, index), Err(Code::SESSION_EXPIRED));
                }
                other => unreachable!("{other:?} is not given up"),
            }
        }
        self.controller.session_expired(cx);
        self.zk.session.renew(cx.clock, cx.effects);
    }
}
