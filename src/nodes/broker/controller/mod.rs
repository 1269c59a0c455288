//! The controller: elects leaders, and tells every broker what follows
//! (`kafka/controller/KafkaController.scala`).
//!
//! Every broker has one; it is active on the broker that was elected through `/controller`. What Kafka does
//! in one thread with synchronous calls of ZooKeeper is an [`EventManager`](event_manager::EventManager) here:
//! one event at a time, in steps that wait for answers. Control requests leave over real connections to all brokers, the
//! controller's own among them.

mod assignment;
mod batch;
mod brokers;
mod calls;
mod channels;
mod context;
mod controller_election;
mod create;
mod delete;
mod election;
mod event_manager;
mod failover;
mod isr;
mod partitions;
mod preferred;
mod replicas;
mod shutdown;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AlterPartitionRequest, ControlledShutdownRequest, CreateTopicsRequest, ElectLeadersRequest,
    ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use self::batch::{Batch, Sender};
use self::calls::{Answer, Call};
use self::channels::{Alarm, Control, Peers};
use self::context::ControllerContext;
use self::controller_election::Term;
use self::create::Creation;
pub use self::create::is_valid_topic;
use self::event_manager::{Event, EventManager, Progress, Step};
use super::config::Config;
use super::context::{Context, Part, ReplyTo};
use super::znodes::paths;
use crate::nodes::session::Session;
use crate::releases::Change;
use crate::vocab::{BrokerId, ConnId, ControllerEpoch, Mutant, Roster, Stream};
use crate::wire::zookeeper::{Code, EventKind, Reply, WatchedEvent};

/// Pause before what was lost with ZooKeeper's connection is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    /// Ask ZooKeeper again.
    Retry,
    /// Look whether leaders are the preferred ones.
    Rebalance,
    /// A control request: its pause is over, or its response overdue.
    Control { broker: BrokerId, attempt: u64 },
    /// A CreateTopics has waited long enough.
    Creation(u64),
}

/// The controller of one broker, active or not.
#[derive(Debug)]
pub struct Controller {
    config: Arc<Config>,
    roster: Arc<Roster>,
    stream: Stream,
    /// Topic ids come from here.
    topic_ids: Stream,
    event_manager: EventManager,
    /// The request that is worked on; answered even if the work is given up.
    answering: Option<Event>,
    controller_id: Option<BrokerId>,
    term: Option<Term>,
    known: ControllerContext,
    batch: Batch,
    peers: Peers,
    creations: BTreeMap<u64, Creation>,
    next_creation: u64,
    timers: BTreeMap<u64, Tick>,
    next_timer: u64,
}

impl Controller {
    /// A controller that is not elected. `stream` decides on the assignment of new topics, and a stream
    /// below it on their ids.
    pub fn new(config: Arc<Config>, roster: Arc<Roster>, stream: Stream) -> Self {
        let client_id = StrBytes::from_string(config.id.to_string());
        let peers = Peers::new(client_id, config.controller_socket_timeout);
        Self {
            config,
            roster,
            topic_ids: stream.below_name("topic-ids"),
            stream,
            event_manager: EventManager::default(),
            answering: None,
            controller_id: None,
            term: None,
            known: ControllerContext::default(),
            batch: Batch::default(),
            peers,
            creations: BTreeMap::new(),
            next_creation: 0,
            timers: BTreeMap::new(),
            next_timer: 0,
        }
    }

    /// Whether this broker is the controller, as far as it knows.
    pub fn is_active(&self) -> bool {
        self.term.is_some()
    }

    /// The controller as `/controller` named it when it was last read.
    pub fn controller_id(&self) -> Option<BrokerId> {
        self.controller_id
    }

    /// The controller epoch of this broker's term.
    fn epoch(&self) -> ControllerEpoch {
        self.term.map_or(0, |term| term.epoch)
    }

    /// Whether it does everything that its release does to write nothing once it was replaced.
    fn minds_successors(&self) -> bool {
        !self.config.is(Mutant::WriteAsZombie)
    }

    /// On what writes are fenced: nothing before 2.1.
    fn fence(&self) -> Option<i32> {
        let fences =
            self.config.version.has(Change::ControllerFencedByEpoch) && self.minds_successors();
        self.term.filter(|_| fences).map(|term| term.epoch_version)
    }

    /// Asks ZooKeeper, and goes on with all answers; at once if there is nothing to ask.
    fn ask(
        &mut self,
        cx: &mut Context<'_>,
        calls: Vec<Call>,
        then: impl FnOnce(&mut Self, &mut Context<'_>, Vec<Answer>) + Send + 'static,
    ) {
        if calls.is_empty() {
            then(self, cx, Vec::new());
        } else {
            self.event_manager.ask(calls, self.fence(), Box::new(then));
        }
    }

    fn set_timer(&mut self, cx: &mut Context<'_>, after: Duration, tick: Tick) {
        let number = self.next_timer;
        self.next_timer += 1;
        self.timers.insert(number, tick);
        cx.timer(Part::Controller, cx.clock.now + after, number);
    }

    fn set_alarm(&mut self, cx: &mut Context<'_>, alarm: Option<Alarm>) {
        if let Some(Alarm { broker, attempt, after }) = alarm {
            self.set_timer(cx, after, Tick::Control { broker, attempt });
        }
    }

    fn forget_timers_of_the_term(&mut self) {
        self.timers.retain(|_, tick| matches!(tick, Tick::Retry | Tick::Creation(_)));
    }

    /// Sends what was queued.
    fn flush(&mut self, cx: &mut Context<'_>) {
        let sender =
            Sender { id: self.config.id, epoch: self.epoch(), version: self.config.version };
        for (to, control) in self.batch.take(&self.known, sender) {
            tracing::debug!(broker = %to, api = ?control.api, "a control request is queued");
            let alarm = self.peers.send(cx, to, control);
            self.set_alarm(cx, alarm);
        }
        self.finish_creations(cx);
    }

    /// Works on the event_manager until it has to wait for ZooKeeper, or nothing is left.
    fn work(&mut self, cx: &mut Context<'_>) {
        while let Some(next) = self.event_manager.next() {
            match next {
                Ok(step) => self.take_step(cx, step),
                Err(event) => {
                    self.answering = event.is_request().then(|| event.clone());
                    self.begin(cx, event);
                }
            }
        }
        if !self.event_manager.is_waiting() {
            self.answering = None;
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>, event: Event) {
        match event {
            Event::Reelect => self.read_controller(cx, true),
            Event::ControllerChange => self.read_controller(cx, false),
            other if !self.is_active() => refuse(cx, &other),
            Event::BrokerChange => self.broker_change(cx),
            Event::TopicChange => self.topic_change(cx),
            Event::PartitionChange(topic) => self.partition_change(cx, topic),
            Event::IsrChange => self.isr_change(cx),
            Event::PreferredElection => self.preferred_election(cx),
            Event::TopicDeletion => self.topic_deletion(cx),
            Event::ReplicasDeleted(broker, partitions) => {
                self.replicas_deleted(cx, broker, partitions);
            }
            Event::AutoRebalance => self.auto_rebalance(cx),
            Event::CreateTopics(to, request) => self.process_create_topics(cx, to, request),
            Event::AlterPartition(to, request) => self.process_alter_partition(cx, to, &request),
            Event::ControlledShutdown(to, request) => {
                self.process_controlled_shutdown(cx, to, &request);
            }
            Event::ElectLeaders(to, request) => self.process_elect_leaders(cx, to, &request),
        }
    }

    fn take_step(&mut self, cx: &mut Context<'_>, step: Step) {
        match step {
            Step::ReadController { elect } => self.read_controller(cx, elect),
            Step::TakeOffice => self.take_office(cx),
            Step::FailoverFeatures => self.failover_features(cx),
            Step::FailoverWatch => self.failover_watch(cx),
            Step::FailoverBrokers => self.failover_brokers(cx),
            Step::FailoverTopics => self.failover_topics(cx),
            Step::FailoverStart => self.failover_start(cx),
            Step::Forget(ids) => {
                self.known.brokers.retain(|id, _| !ids.contains(id));
                self.tell_brokers(cx);
            }
            Step::Admit(brokers) => {
                self.known.brokers.extend(brokers);
                self.tell_brokers(cx);
            }
            Step::BrokerStartup(ids) => self.broker_startup(ids),
            Step::BrokerFailure(ids) => self.broker_failure(&ids),
            Step::UpdateMetadata(to, partitions) => self.batch.update_metadata(to, partitions),
            Step::TriggerOnline => self.trigger_online(),
            Step::Initialize(partitions) => self.initialize(cx, partitions),
            Step::Elect(partitions, strategy) => self.elect(cx, partitions, strategy),
            Step::ReplicasOnline(replicas) => self.replicas_online(&replicas),
            Step::ReplicasOffline(replicas) => self.replicas_offline(replicas),
            Step::RemoveFromIsr(broker, partitions) => self.remove_from_isr(cx, broker, partitions),
            Step::Flush => self.flush(cx),
            Step::ElectPreferred(partitions) => self.elect_preferred(partitions),
            Step::ClearPreferredElection => self.clear_preferred_election(cx),
            Step::ResumeDeletions => self.resume_deletions(cx),
            Step::AnswerControlledShutdown(to, id) => self.answer_controlled_shutdown(cx, to, id),
            Step::AnswerElectLeaders(to, partitions) => {
                self.answer_elect_leaders(cx, to, &partitions);
            }
        }
    }

    fn happened(&mut self, cx: &mut Context<'_>, event: Event) {
        self.event_manager.add(event);
        self.work(cx);
    }

    /// A request: refused at once by who is not the controller, else its turn will come.
    fn requested(&mut self, cx: &mut Context<'_>, event: Event) {
        if self.is_active() {
            self.happened(cx, event);
        } else {
            refuse(cx, &event);
        }
    }

    fn replied(&mut self, cx: &mut Context<'_>, number: u64, result: Result<Reply, Code>) {
        match self.event_manager.replied(number, result) {
            Progress::Stale | Progress::Waiting => {}
            Progress::Lost => self.set_timer(cx, RETRY_PAUSE, Tick::Retry),
            Progress::Moved => {
                tracing::info!("a write was fenced: the controller moved");
                self.event_manager.abandon();
                self.refuse_current(cx);
                self.event_manager.first([Step::ReadController { elect: false }]);
                self.work(cx);
            }
            Progress::Complete => {
                let (then, answers) = self.event_manager.complete();
                then(self, cx, answers);
                self.work(cx);
            }
        }
    }

    fn expired(&mut self, cx: &mut Context<'_>) {
        if !self.config.version.has(Change::ControllerEndsWithSession) || !self.minds_successors() {
            // Up to 1.0 the controller learns of it by an event behind all others (KAFKA-6082): it goes on
            // as a zombie until the new session stands.
            return;
        }
        self.stop(cx);
    }

    /// Gives up all work, and the office.
    fn stop(&mut self, cx: &mut Context<'_>) {
        let events = self.event_manager.clear();
        self.refuse_current(cx);
        for event in events {
            refuse(cx, &event);
        }
        self.controller_id = None;
        self.resign(cx);
    }

    /// Answers the request whose work was given up. No request waits for ZooKeeper once it is
    /// answered, so none is answered twice.
    fn refuse_current(&mut self, cx: &mut Context<'_>) {
        if let Some(event) = self.answering.take() {
            refuse(cx, &event);
        }
    }

    fn watched(&mut self, cx: &mut Context<'_>, event: &WatchedEvent) {
        let path = &*event.path;
        let is_topic = path.strip_prefix(paths::TOPICS).and_then(|rest| rest.strip_prefix('/'));
        let event = match (path, event.kind) {
            (paths::CONTROLLER, EventKind::Deleted) => Event::Reelect,
            (paths::CONTROLLER, EventKind::Created | EventKind::DataChanged) => {
                Event::ControllerChange
            }
            (paths::BROKER_IDS, EventKind::ChildrenChanged) => Event::BrokerChange,
            (paths::TOPICS, EventKind::ChildrenChanged) => Event::TopicChange,
            (paths::ISR_CHANGE_NOTIFICATION, EventKind::ChildrenChanged) => Event::IsrChange,
            (paths::DELETE_TOPICS, EventKind::ChildrenChanged) => Event::TopicDeletion,
            (paths::PREFERRED_REPLICA_ELECTION, EventKind::Created) => Event::PreferredElection,
            (_, EventKind::DataChanged) => match is_topic {
                Some(topic) if !topic.contains('/') => Event::PartitionChange(topic.into()),
                _ => return,
            },
            _ => return,
        };
        self.happened(cx, event);
    }

    fn ticked(&mut self, cx: &mut Context<'_>, number: u64) {
        match self.timers.remove(&number) {
            None => {}
            Some(Tick::Retry) => self.event_manager.resend(self.fence()),
            Some(Tick::Rebalance) => self.happened(cx, Event::AutoRebalance),
            Some(Tick::Control { broker, attempt }) => {
                let alarm = self.peers.due(cx, broker, attempt);
                self.set_alarm(cx, alarm);
            }
            Some(Tick::Creation(creation)) => self.end_creation(cx, creation),
        }
    }

    fn answered(&mut self, broker: BrokerId, control: Control, response: &ResponseKind) {
        log_errors(broker, response);
        if !control.deletes.is_empty() {
            let failed = |index: i32, topic: &str| match response {
                ResponseKind::StopReplica(stop) => stop.partition_errors.iter().any(|one| {
                    let is_it = one.partition_index == index && *one.topic_name.0 == *topic;
                    is_it && one.error_code != 0
                }),
                _ => true,
            };
            let mut deleted = control.deletes;
            deleted.retain(|at| !failed(at.partition, &at.topic));
            self.event_manager.add(Event::ReplicasDeleted(broker, deleted));
        }
    }

    fn bytes_received(&mut self, cx: &mut Context<'_>, broker: BrokerId, bytes: Bytes) {
        let (answered, alarm) = self.peers.received(cx, broker, bytes);
        self.set_alarm(cx, alarm);
        for (control, response) in answered {
            self.answered(broker, control, &response);
        }
        self.work(cx);
    }
}

/// What the broker's server calls. Whatever the work asks of ZooKeeper goes out before the call ends.
impl Controller {
    fn forward(&mut self, cx: &mut Context<'_>, zk: &mut Session) {
        for (number, request) in self.event_manager.outgoing() {
            zk.request(cx.clock, cx.effects, request, Part::Controller.mark(number));
        }
    }

    /// The broker registered, in a new session: sees who is the controller, or becomes it, and watches.
    pub fn session_ready(&mut self, cx: &mut Context<'_>, zk: &mut Session) {
        self.happened(cx, Event::Reelect);
        self.forward(cx, zk);
    }

    /// The session expired: resigns (up to 1.0: only once the new session stands).
    pub fn session_expired(&mut self, cx: &mut Context<'_>) {
        self.expired(cx);
    }

    /// The broker shuts down: resigns, in every version.
    pub fn shutdown(&mut self, cx: &mut Context<'_>) {
        self.stop(cx);
    }

    /// A reply of ZooKeeper to request `number`, without the part's mark.
    pub fn on_reply(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        number: u64,
        result: Result<Reply, Code>,
    ) {
        self.replied(cx, number, result);
        self.forward(cx, zk);
    }

    /// A watch fired; those of others are ignored.
    pub fn on_watch(&mut self, cx: &mut Context<'_>, zk: &mut Session, event: &WatchedEvent) {
        self.watched(cx, event);
        self.forward(cx, zk);
    }

    /// A timer is due; `number` is without the part's mark.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, zk: &mut Session, number: u64) {
        self.ticked(cx, number);
        self.forward(cx, zk);
    }

    /// The connection to a broker is open.
    pub fn opened(&mut self, cx: &mut Context<'_>, broker: BrokerId, conn: ConnId) {
        self.peers.opened(cx, broker, conn);
    }

    /// The connection to a broker is gone.
    pub fn closed(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let alarm = self.peers.closed(broker);
        self.set_alarm(cx, alarm);
    }

    /// Bytes of a broker arrived.
    pub fn received(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        broker: BrokerId,
        bytes: Bytes,
    ) {
        self.bytes_received(cx, broker, bytes);
        self.forward(cx, zk);
    }

    /// CreateTopics; answered when the topics have leaders, or at the request's timeout.
    pub fn create_topics(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        to: ReplyTo,
        request: CreateTopicsRequest,
    ) {
        self.requested(cx, Event::CreateTopics(to, request));
        self.forward(cx, zk);
    }

    /// AlterPartition.
    pub fn alter_partition(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        to: ReplyTo,
        request: AlterPartitionRequest,
    ) {
        self.requested(cx, Event::AlterPartition(to, request));
        self.forward(cx, zk);
    }

    /// ControlledShutdown.
    pub fn controlled_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        to: ReplyTo,
        request: ControlledShutdownRequest,
    ) {
        self.requested(cx, Event::ControlledShutdown(to, request));
        self.forward(cx, zk);
    }

    /// ElectLeaders, of preferred leaders.
    pub fn elect_leaders(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        to: ReplyTo,
        request: ElectLeadersRequest,
    ) {
        self.requested(cx, Event::ElectLeaders(to, request));
        self.forward(cx, zk);
    }
}

/// Answers a request that came to who is not the controller (any more); other events are dropped.
fn refuse(cx: &mut Context<'_>, event: &Event) {
    match event {
        Event::CreateTopics(to, request) => create::refuse_all(cx, *to, request),
        Event::AlterPartition(to, _) => isr::refuse(cx, *to, ResponseError::NotController),
        // Kafka's ControllerMovedException has this code.
        Event::ControlledShutdown(to, _) => {
            shutdown::refuse(cx, *to, ResponseError::StaleControllerEpoch);
        }
        Event::ElectLeaders(to, _) => preferred::refuse(cx, *to, ResponseError::NotController),
        _ => {}
    }
}

/// Errors of control requests are logged, as in Kafka; a stale controller epoch means that somebody newer
/// exists, which the watch on `/controller` will tell.
fn log_errors(broker: BrokerId, response: &ResponseKind) {
    let (error, in_partitions) = match response {
        ResponseKind::LeaderAndIsr(response) => {
            let flat = response.partition_errors.iter();
            let nested = response.topics.iter().flat_map(|topic| &topic.partition_errors);
            let errors = flat.chain(nested).filter(|one| one.error_code != 0).count();
            (response.error_code, errors)
        }
        ResponseKind::UpdateMetadata(response) => (response.error_code, 0),
        ResponseKind::StopReplica(response) => {
            let errors = response.partition_errors.iter().filter(|one| one.error_code != 0).count();
            (response.error_code, errors)
        }
        _ => return,
    };
    if error == ResponseError::StaleControllerEpoch.code() {
        tracing::warn!(%broker, "knows a later controller");
    } else if error != 0 {
        tracing::warn!(%broker, error, "refused a control request");
    } else if in_partitions != 0 {
        // Mostly a state that the broker has already: it is told again when an election and the end of a
        // replica concern the same partition.
        tracing::debug!(%broker, in_partitions, "refused a part of a control request");
    }
}

/// Takes the requests to ZooKeeper; for tests that play it.
#[cfg(test)]
impl Controller {
    fn outgoing(&mut self) -> Vec<(u64, crate::wire::zookeeper::Request)> {
        self.event_manager.outgoing()
    }
}
