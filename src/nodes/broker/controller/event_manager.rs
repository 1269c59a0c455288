//! The event manager: what Kafka's controller does in one thread that waits for ZooKeeper at every read and
//! write (`kafka/controller/ControllerEventManager.scala`), done by a state machine that cannot wait.
//!
//! One [`ControllerEvent`] is handled at a time, as a list of [`Step`]s. A step works in memory and ends, or sends
//! ZooKeeper a batch of calls and goes on with all answers; it may put further steps at the front.
//! Requests that were lost with a connection are sent again until they are answered, as Kafka's client does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AlterPartitionReassignmentsRequest, AlterPartitionRequest,
    ControlledShutdownRequest, CreateTopicsRequest, ElectLeadersRequest,
    ListPartitionReassignmentsRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::calls::{Answer, Call};
use super::context::{RegisteredBroker, Replica};
use super::election::Strategy;
use super::reassign_steps::{Reassign, Reassigned};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::{BrokerId, TopicPartition};
use crate::wire::zookeeper::{Code, Reply, Request};

/// Codes that leave open how a request ended, or mean that it was not processed.
const UNDECIDED: [Code; 5] = [
    Code::CONNECTION_LOSS,
    Code::SESSION_EXPIRED,
    Code::SESSION_MOVED,
    Code::REQUEST_TIMEOUT,
    Code::THROTTLED,
];

/// What the controller reacts to.
#[derive(Clone, Debug)]
pub enum ControllerEvent {
    /// There is a new session, or `/controller` was deleted: see which broker is the controller, or become it.
    Reelect,
    /// `/controller` changed: see which broker is the controller.
    ControllerChange,
    /// A broker registered, or its registration ended.
    BrokerChange,
    /// A topic was created or deleted.
    TopicChange,
    /// The assignment of a topic changed.
    PartitionChange(Arc<str>),
    /// A leader changed in-sync replicas itself (up to 2.6).
    IsrChange,
    /// `/admin/preferred_replica_election` appeared.
    PreferredElection,
    /// It may be there since before this controller.
    PendingPreferredElection,
    /// A topic is to be deleted.
    TopicDeletion,
    /// A broker answered StopReplica with `delete`.
    ReplicasDeleted(BrokerId, Vec<TopicPartition>),
    /// A topic allows unclean elections from now on.
    UncleanTopic(Arc<str>),
    /// `/admin/reassign_partitions` appeared, or may be there since before this controller.
    ReassignmentByZnode,
    /// The ISR of a partition that is reassigned may have changed.
    IsrOfReassigned(TopicPartition),
    /// Time to see whether leaders are where they should be.
    AutoRebalance,
    /// A request, for which a client waits.
    Request(ReplyTo, ControllerRequest),
}

/// A request that the controller answers.
#[derive(Clone, Debug)]
pub enum ControllerRequest {
    /// Of a client that has this name; answered when the topics have leaders, or at the request's timeout.
    CreateTopics(StrBytes, CreateTopicsRequest),
    /// A leader wants other in-sync replicas (2.7+).
    AlterPartition(AlterPartitionRequest),
    /// A broker wants to stop.
    ControlledShutdown(ControlledShutdownRequest),
    /// Of preferred leaders, or unclean.
    ElectLeaders(ElectLeadersRequest),
    /// A broker needs producer ids (3.0+).
    AllocateProducerIds(AllocateProducerIdsRequest),
    /// Partitions are to have other replicas (2.4+).
    Reassign(AlterPartitionReassignmentsRequest),
    /// What is being reassigned (2.4+).
    ListReassignments(ListPartitionReassignmentsRequest),
}

/// A part of the work on an event.
#[derive(Debug)]
pub enum Step {
    /// Reads `/controller`; resigns when it names another broker, and tries to be elected if asked to and it is
    /// not there.
    ReadController {
        /// Whether to try to be elected.
        elect: bool,
    },
    /// Raises the controller epoch, and becomes the controller (up to 2.0).
    CountEpoch,
    /// Makes sure of `/feature`.
    FailoverFeatures,
    /// Watches what a controller watches, and removes old notifications.
    FailoverWatch,
    /// Reads the registered brokers.
    FailoverBrokers,
    /// Reads topics, assignments and states.
    FailoverTopics,
    /// Sends the live brokers to all brokers, and starts all state machines.
    FailoverStart,
    /// These brokers are not live any more.
    Forget(Vec<BrokerId>),
    /// These brokers are live.
    Admit(BTreeMap<BrokerId, RegisteredBroker>),
    /// What follows from new brokers.
    BrokerStartup(Vec<BrokerId>),
    /// What follows from dead brokers.
    BrokerFailure(Vec<BrokerId>),
    /// Queues UpdateMetadata.
    UpdateMetadata(Vec<BrokerId>, Vec<TopicPartition>),
    /// Brings partitions without a leader online, where possible.
    TriggerOnline,
    /// First leaders for new partitions.
    Initialize(Vec<TopicPartition>),
    /// Other leaders.
    Elect(Vec<TopicPartition>, Strategy),
    /// Sends replicas LeaderAndIsr.
    ReplicasOnline(Vec<Replica>),
    /// Sends replicas StopReplica, and takes them out of the ISR.
    ReplicasOffline(Vec<Replica>),
    /// A broker's replicas leave the in-sync replicas.
    RemoveFromIsr(BrokerId, Vec<TopicPartition>),
    /// Sends what was queued.
    Flush,
    /// Elects preferred leaders where they do not lead.
    ElectPreferred(Vec<TopicPartition>),
    /// Removes `/admin/preferred_replica_election` and watches for the next.
    ClearPreferredElection,
    /// Deletes topics, as far as it can be done now.
    ResumeDeletions,
    /// Sends replicas StopReplica, with which they delete their logs.
    DeleteReplicas(Vec<Replica>),
    /// Answers a ControlledShutdown with the partitions that the broker leads still.
    AnswerControlledShutdown(ReplyTo, BrokerId),
    /// Answers an ElectLeaders.
    AnswerElectLeaders(ReplyTo, Elections),
    /// A part of a reassignment.
    Reassign(Reassign),
    /// Goes on with the reassignments whose new replicas are on these brokers, or with all.
    ResumeReassignments(Option<Vec<BrokerId>>),
    /// Answers an AlterPartitionReassignments.
    AnswerReassignments(ReplyTo, Reassigned),
}

/// What an ElectLeaders asks for, and what is known before the elections.
#[derive(Clone, Debug)]
pub struct Elections {
    /// Whether the preferred replica is to lead; else any, where there is no leader.
    pub preferred: bool,
    /// Whether all partitions are asked for: then those without an election are not answered.
    pub all: bool,
    /// The partitions, and whether an election is held.
    pub partitions: Vec<(TopicPartition, bool)>,
}

/// What goes on with the answers; `C` is the controller.
pub type Then<C> = Box<dyn FnOnce(&mut C, &mut Context<'_>, Vec<Answer>) + Send>;

struct Waiting<C> {
    calls: Vec<Call>,
    answers: Vec<Option<Answer>>,
    then: Then<C>,
}

impl<C> fmt::Debug for Waiting<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("calls", &self.calls).finish_non_exhaustive()
    }
}

/// What is to be done, what is being done, and what that waits for.
#[derive(Debug)]
pub struct EventManager<C> {
    events: VecDeque<ControllerEvent>,
    steps: VecDeque<Step>,
    waiting: Option<Waiting<C>>,
    in_flight: BTreeMap<u64, usize>,
    lost: Vec<usize>,
    /// The calls of the batch that were sent more than once.
    repeated: BTreeSet<usize>,
    next_number: u64,
    outgoing: Vec<(u64, Request)>,
}

/// What a reply of ZooKeeper led to.
#[derive(Debug)]
pub enum Progress {
    /// Nothing: its event was abandoned.
    Stale,
    /// More answers are due.
    Waiting,
    /// It was lost with the connection or the session; [`EventManager::resend`] after a pause.
    Lost,
    /// Another controller was elected.
    Moved,
    /// All answers are there.
    Complete,
}

impl<C> Default for EventManager<C> {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            steps: VecDeque::new(),
            waiting: None,
            in_flight: BTreeMap::new(),
            lost: Vec::new(),
            repeated: BTreeSet::new(),
            next_number: 0,
            outgoing: Vec::new(),
        }
    }
}

impl<C> EventManager<C> {
    /// Puts an event at the end, unless an equal one waits already.
    pub fn add(&mut self, event: ControllerEvent) {
        let is_same = |other: &ControllerEvent| match (&event, other) {
            (ControllerEvent::BrokerChange, ControllerEvent::BrokerChange)
            | (ControllerEvent::TopicChange, ControllerEvent::TopicChange)
            | (ControllerEvent::IsrChange, ControllerEvent::IsrChange) => true,
            (ControllerEvent::PartitionChange(one), ControllerEvent::PartitionChange(other)) => {
                one == other
            }
            _ => false,
        };
        if !self.events.iter().any(is_same) {
            self.events.push_back(event);
        }
    }

    /// Puts steps before those that are left of the event.
    pub fn first(&mut self, steps: impl IntoIterator<Item = Step, IntoIter: DoubleEndedIterator>) {
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    /// The next step of the event, or else the next event; nothing while answers are waited for.
    pub fn next(&mut self) -> Option<Result<Step, ControllerEvent>> {
        if self.waiting.is_some() {
            return None;
        }
        match self.steps.pop_front() {
            Some(step) => Some(Ok(step)),
            None => self.events.pop_front().map(Err),
        }
    }

    /// Whether answers of ZooKeeper are waited for.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Gives up the event that is worked on.
    pub fn abandon(&mut self) {
        self.steps.clear();
        self.waiting = None;
        self.in_flight.clear();
        self.lost.clear();
        self.outgoing.clear();
    }

    /// Gives up everything; returns the events that were not begun.
    pub fn clear(&mut self) -> VecDeque<ControllerEvent> {
        self.abandon();
        std::mem::take(&mut self.events)
    }

    fn send(&mut self, index: usize, request: Request) {
        let number = self.next_number;
        self.next_number += 1;
        self.in_flight.insert(number, index);
        self.outgoing.push((number, request));
    }

    /// Asks ZooKeeper; goes on with `then` when all answers are there.
    ///
    /// # Panics
    /// When answers are waited for already: a step may ask once.
    pub fn ask(&mut self, calls: Vec<Call>, fence: Option<i32>, then: Then<C>) {
        assert!(self.waiting.is_none(), "a step asked ZooKeeper twice");
        self.repeated.clear();
        for (index, call) in calls.iter().enumerate() {
            self.send(index, call.request(fence));
        }
        let answers = vec![None; calls.len()];
        self.waiting = Some(Waiting { calls, answers, then });
    }

    /// Sends again what was lost.
    pub fn resend(&mut self, fence: Option<i32>) {
        // The event was abandoned during the pause.
        let Some(waiting) = &self.waiting else { return };
        let lost = std::mem::take(&mut self.lost);
        let again: Vec<_> =
            lost.into_iter().map(|index| (index, waiting.calls[index].request(fence))).collect();
        for (index, request) in again {
            self.repeated.insert(index);
            self.send(index, request);
        }
    }

    /// Takes a reply.
    pub fn replied(&mut self, number: u64, result: Result<Reply, Code>) -> Progress {
        // Its event was abandoned.
        let Some(index) = self.in_flight.remove(&number) else { return Progress::Stale };
        let waiting = self.waiting.as_mut().expect("calls are in flight only while it waits");
        if result.as_ref().is_err_and(|code| UNDECIDED.contains(code)) {
            let is_first = self.lost.is_empty();
            self.lost.push(index);
            return if is_first { Progress::Lost } else { Progress::Waiting };
        }
        let answer = waiting.calls[index].answer(result);
        if answer == Answer::Moved {
            return Progress::Moved;
        }
        waiting.answers[index] = Some(answer);
        let is_complete = self.in_flight.is_empty() && self.lost.is_empty();
        if is_complete { Progress::Complete } else { Progress::Waiting }
    }

    /// Takes the answers and what goes on with them.
    ///
    /// # Panics
    /// When an answer is missing.
    pub fn complete(&mut self) -> (Then<C>, Vec<Answer>) {
        let Waiting { answers, then, .. } = self.waiting.take().expect("answers were waited for");
        (then, answers.into_iter().map(|answer| answer.expect("all answers are there")).collect())
    }

    /// Whether a call of the batch that was answered last had been sent before, and had got no answer: it may
    /// have taken effect the first time.
    pub fn was_repeated(&self, index: usize) -> bool {
        self.repeated.contains(&index)
    }

    /// Takes the requests that have to go out, with their numbers.
    pub fn outgoing(&mut self) -> Vec<(u64, Request)> {
        std::mem::take(&mut self.outgoing)
    }
}
