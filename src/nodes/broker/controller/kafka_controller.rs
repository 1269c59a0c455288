//! The controller: it owns what it knows and what it does, and hands each event to the file of its concern.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::protocol::StrBytes;

use super::batch::{Batch, Sender};
use super::calls::{Answer, Call};
use super::channels::{Alarm, Control, Peers};
use super::context::ControllerContext;
use super::control_answers::{deleted, log_errors};
use super::creation::Creations;
use super::event_manager::{ControllerEvent, ControllerRequest, EventManager, Progress, Step};
use super::reassign_answers::reply_reassigned;
use super::refusals::refuse;
use super::term::Term;
use super::timers::{Tick, Timers};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, Part, ReplyTo};
use crate::nodes::broker::znodes::paths;
use crate::nodes::session::Session;
use crate::releases::Change;
use crate::vocab::{BrokerId, ConnId, ControllerEpoch, Mutant, Roster, Stream};
use crate::wire::zookeeper::{Code, EventKind, Reply, WatchedEvent};

/// Pause before what was lost with ZooKeeper's connection is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The controller of one broker, active or not.
#[derive(Debug)]
pub struct Controller {
    pub(super) config: Arc<Config>,
    pub(super) roster: Arc<Roster>,
    pub(super) stream: Stream,
    /// Topic ids come from here.
    pub(super) topic_ids: Stream,
    pub(super) event_manager: EventManager<Self>,
    /// The request that is worked on; answered even if the work is given up.
    answering: Option<(ReplyTo, ControllerRequest)>,
    pub(super) controller_id: Option<BrokerId>,
    pub(super) term: Option<Term>,
    pub(super) known: ControllerContext,
    pub(super) batch: Batch,
    pub(super) peers: Peers,
    pub(super) creations: Creations,
    pub(super) timers: Timers,
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
            creations: Creations::default(),
            timers: Timers::default(),
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
    pub(super) fn epoch(&self) -> ControllerEpoch {
        self.term.map_or(0, |term| term.epoch)
    }

    /// Whether it does what its release does to write nothing after it was replaced.
    pub(super) fn minds_successors(&self) -> bool {
        !self.config.is(Mutant::WriteAsZombie)
    }

    /// On what writes are fenced: nothing before 2.1.
    pub(super) fn fence(&self) -> Option<i32> {
        let fences =
            self.config.version.has(Change::ControllerFencedByEpoch) && self.minds_successors();
        self.term.filter(|_| fences).map(|term| term.epoch_version)
    }

    /// Asks ZooKeeper, and goes on with all answers; at once if there is nothing to ask.
    pub(super) fn ask(
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

    pub(super) fn set_alarm(&mut self, cx: &mut Context<'_>, alarm: Option<Alarm>) {
        if let Some(Alarm { broker, attempt, after }) = alarm {
            self.timers.set(cx, after, Tick::Control { broker, attempt });
        }
    }

    /// Sends what was queued.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let sender =
            Sender { id: self.config.id, epoch: self.epoch(), version: self.config.version };
        for (to, control) in self.batch.take(&self.known, sender) {
            tracing::debug!(broker = %to, api = ?control.api, "a control request is queued");
            let alarm = self.peers.send(cx, to, control);
            self.set_alarm(cx, alarm);
        }
    }

    /// Works on events until it has to wait for ZooKeeper, or nothing is left.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        while let Some(next) = self.event_manager.next() {
            match next {
                Ok(step) => self.take_step(cx, step),
                Err(event) => {
                    self.answering = match &event {
                        ControllerEvent::Request(to, request) => Some((*to, request.clone())),
                        _ => None,
                    };
                    self.begin(cx, event);
                }
            }
        }
        if !self.event_manager.is_waiting() {
            self.answering = None;
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>, event: ControllerEvent) {
        match event {
            ControllerEvent::Reelect => self.read_controller(cx, true),
            ControllerEvent::ControllerChange => self.read_controller(cx, false),
            ControllerEvent::Request(to, request) if !self.is_active() => {
                refuse(cx, &self.config, to, &request);
            }
            _ if !self.is_active() => {}
            ControllerEvent::BrokerChange => self.broker_change(cx),
            ControllerEvent::TopicChange => self.topic_change(cx),
            ControllerEvent::PartitionChange(topic) => self.partition_change(cx, topic),
            ControllerEvent::IsrChange => self.isr_change(cx),
            ControllerEvent::PreferredElection => self.preferred_election(cx, false),
            ControllerEvent::PendingPreferredElection => self.preferred_election(cx, true),
            ControllerEvent::TopicDeletion => self.topic_deletion(cx),
            ControllerEvent::ReplicasDeleted(broker, partitions) => {
                self.replicas_deleted(cx, broker, partitions);
            }
            ControllerEvent::ReassignmentByZnode => self.reassignment_by_znode(cx),
            ControllerEvent::IsrOfReassigned(at) => self.isr_of_reassigned(at),
            ControllerEvent::AutoRebalance => self.auto_rebalance(cx),
            ControllerEvent::UncleanTopic(topic) => self.trigger_online_of(&topic),
            ControllerEvent::Request(to, request) => self.begin_request(cx, to, request),
        }
    }

    fn begin_request(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: ControllerRequest) {
        match request {
            ControllerRequest::CreateTopics(client, request) => {
                self.process_create_topics(cx, to, &client, request);
            }
            ControllerRequest::AlterPartition(request) => {
                self.process_alter_partition(cx, to, &request);
            }
            ControllerRequest::ControlledShutdown(request) => {
                self.process_controlled_shutdown(cx, to, &request);
            }
            ControllerRequest::ElectLeaders(request) => {
                self.process_elect_leaders(cx, to, &request);
            }
            ControllerRequest::AllocateProducerIds(request) => {
                self.process_allocate_producer_ids(cx, to, &request);
            }
            ControllerRequest::Reassign(request) => self.process_reassign(to, &request),
            ControllerRequest::ListReassignments(request) => {
                self.process_list_reassignments(cx, to, &request);
            }
        }
    }

    fn take_step(&mut self, cx: &mut Context<'_>, step: Step) {
        match step {
            Step::ReadController { elect } => self.read_controller(cx, elect),
            Step::CountEpoch => self.count_epoch(cx),
            Step::FailoverFeatures => self.failover_features(cx),
            Step::FailoverWatch => self.failover_watch(cx),
            Step::FailoverBrokers => self.failover_brokers(cx),
            Step::FailoverTopics => self.failover_topics(cx),
            Step::FailoverStart => self.failover_start(cx),
            Step::Forget(ids) => {
                self.known.brokers.retain(|id, _| !ids.contains(id));
                self.observe_brokers(cx);
            }
            Step::Admit(brokers) => {
                self.known.brokers.extend(brokers);
                self.observe_brokers(cx);
            }
            Step::BrokerStartup(ids) => self.broker_startup(ids),
            Step::BrokerFailure(ids) => self.broker_failure(&ids),
            Step::UpdateMetadata(to, partitions) => self.batch.update_metadata(to, partitions),
            Step::TriggerOnline => self.trigger_online(),
            Step::Initialize(partitions) => self.initialize(cx, partitions),
            Step::Elect(partitions, strategy) => self.elect(cx, partitions, strategy),
            Step::ReplicasOnline(replicas) => {
                self.batch.start_replicas(&mut self.known, &replicas);
            }
            Step::ReplicasOffline(replicas) => self.replicas_offline(replicas),
            Step::RemoveFromIsr(broker, partitions) => self.remove_from_isr(cx, broker, partitions),
            Step::Flush => self.flush(cx),
            Step::ElectPreferred(partitions) => self.elect_preferred(partitions),
            Step::ClearPreferredElection => self.clear_preferred_election(cx),
            Step::ResumeDeletions => self.resume_deletions(cx),
            Step::DeleteReplicas(replicas) => {
                self.batch.delete_replicas(&mut self.known, &replicas);
            }
            Step::AnswerControlledShutdown(to, id) => self.answer_controlled_shutdown(cx, to, id),
            Step::Reassign(step) => self.reassign(cx, step),
            Step::ResumeReassignments(of) => {
                let steps = self.known.resumed_reassignments(of.as_deref());
                self.event_manager.first(steps);
            }
            Step::AnswerReassignments(to, results) => reply_reassigned(cx, to, results),
            Step::AnswerElectLeaders(to, elections) => {
                self.answer_elect_leaders(cx, to, &elections);
            }
        }
    }

    pub(super) fn happened(&mut self, cx: &mut Context<'_>, event: ControllerEvent) {
        self.event_manager.add(event);
        self.work(cx);
    }

    /// A request: refused at once when this broker is not the controller; else it waits for its turn.
    pub(super) fn requested(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: ControllerRequest,
    ) {
        if self.is_active() {
            self.happened(cx, ControllerEvent::Request(to, request));
        } else {
            refuse(cx, &self.config, to, &request);
        }
    }

    pub(super) fn replied(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        result: Result<Reply, Code>,
    ) {
        match self.event_manager.replied(number, result) {
            Progress::Stale | Progress::Waiting => {}
            Progress::Lost => self.timers.set(cx, RETRY_PAUSE, Tick::Retry),
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

    pub(super) fn expired(&mut self, cx: &mut Context<'_>) {
        if !self.config.version.has(Change::ControllerEndsWithSession) || !self.minds_successors() {
            // Up to 1.0 the controller learns of it by an event behind all others (KAFKA-6082): it goes on
            // as a zombie until there is a new session.
            return;
        }
        self.stop(cx);
    }

    /// Gives up all work, and resigns.
    pub(super) fn stop(&mut self, cx: &mut Context<'_>) {
        let events = self.event_manager.clear();
        self.refuse_current(cx);
        for event in events {
            if let ControllerEvent::Request(to, request) = event {
                refuse(cx, &self.config, to, &request);
            }
        }
        self.controller_id = None;
        self.resign(cx);
    }

    /// Answers the request whose work was given up. No request waits for ZooKeeper once it is
    /// answered, so none is answered twice.
    fn refuse_current(&mut self, cx: &mut Context<'_>) {
        if let Some((to, request)) = self.answering.take() {
            refuse(cx, &self.config, to, &request);
        }
    }

    pub(super) fn watched(&mut self, cx: &mut Context<'_>, event: &WatchedEvent) {
        let path = &*event.path;
        let is_topic = path.strip_prefix(paths::TOPICS).and_then(|rest| rest.strip_prefix('/'));
        let event = match (path, event.kind) {
            (paths::CONTROLLER, EventKind::Deleted) => ControllerEvent::Reelect,
            (paths::CONTROLLER, EventKind::Created | EventKind::DataChanged) => {
                ControllerEvent::ControllerChange
            }
            (paths::BROKER_IDS, EventKind::ChildrenChanged) => ControllerEvent::BrokerChange,
            (paths::TOPICS, EventKind::ChildrenChanged) => ControllerEvent::TopicChange,
            (paths::ISR_CHANGE_NOTIFICATION, EventKind::ChildrenChanged) => {
                ControllerEvent::IsrChange
            }
            (paths::DELETE_TOPICS, EventKind::ChildrenChanged) => ControllerEvent::TopicDeletion,
            (paths::PREFERRED_REPLICA_ELECTION, EventKind::Created) => {
                ControllerEvent::PreferredElection
            }
            (paths::REASSIGN_PARTITIONS, EventKind::Created) => {
                ControllerEvent::ReassignmentByZnode
            }
            (_, EventKind::DataChanged) => match is_topic {
                Some(rest) if rest.ends_with("/state") => match paths::partition_of(path) {
                    Some(at) => ControllerEvent::IsrOfReassigned(at),
                    None => return,
                },
                Some(topic) if !topic.contains('/') => {
                    ControllerEvent::PartitionChange(topic.into())
                }
                _ => return,
            },
            _ => return,
        };
        self.happened(cx, event);
    }

    pub(super) fn ticked(&mut self, cx: &mut Context<'_>, number: u64) {
        match self.timers.take(number) {
            None => {}
            Some(Tick::Retry) => self.event_manager.resend(self.fence()),
            Some(Tick::Rebalance) => self.happened(cx, ControllerEvent::AutoRebalance),
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
            let deleted = deleted(control, response);
            self.event_manager.add(ControllerEvent::ReplicasDeleted(broker, deleted));
        }
    }

    pub(super) fn bytes_received(&mut self, cx: &mut Context<'_>, broker: BrokerId, bytes: Bytes) {
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

    /// The broker registered, in a new session: reads which broker is the controller, or becomes it, and watches.
    pub fn session_ready(&mut self, cx: &mut Context<'_>, zk: &mut Session) {
        self.happened(cx, ControllerEvent::Reelect);
        self.forward(cx, zk);
    }

    /// The session expired: resigns (up to 1.0: only when there is a new session).
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

    /// Takes other settings of the broker.
    pub fn set_config(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    /// A topic allows unclean elections from now on (2.1+).
    pub fn unclean_enabled(&mut self, cx: &mut Context<'_>, zk: &mut Session, topic: Arc<str>) {
        if self.is_active() {
            self.happened(cx, ControllerEvent::UncleanTopic(topic));
            self.forward(cx, zk);
        }
    }

    /// Whether it deletes the topic, or is to.
    pub fn is_to_be_deleted(&self, topic: &str) -> bool {
        self.known.to_be_deleted.contains(topic)
    }

    /// The registered brokers, by id.
    pub fn registered(&self) -> Vec<BrokerId> {
        self.known.registered()
    }

    /// A request that the controller answers; refused where this broker is not the controller.
    pub fn request(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut Session,
        to: ReplyTo,
        request: ControllerRequest,
    ) {
        self.requested(cx, to, request);
        self.forward(cx, zk);
    }
}

/// Takes the requests to ZooKeeper; for tests that play it.
#[cfg(test)]
impl Controller {
    pub(super) fn outgoing(&mut self) -> Vec<(u64, crate::wire::zookeeper::Request)> {
        self.event_manager.outgoing()
    }
}
