//! The whole model: every part, and which events each part folds.

use super::ack_window::{AckWindow, Reign};
use super::acknowledged_order::AcknowledgedOrder;
use super::availability::Availability;
use super::brokers::{Brokers, Unregistered};
use super::client_observations::ClientObservations;
use super::commands::Commands;
use super::copies::Copies;
use super::end::End;
use super::ensemble::Ensemble;
use super::epoch_holders::EpochHolders;
use super::faults::FAULTS_MAX;
use super::faults::Fired;
use super::groups::Groups;
use super::happened::Happened;
use super::known_limits::KnownLimits;
use super::ledger::{FinalRecord, Ledger};
use super::lives::Lives;
use super::offset_map::Value;
use super::order::Order;
use super::poll_gaps::PollGaps;
use super::producer_logs::ProducerLogs;
use super::reading::Reading;
use super::replicas::Replicas;
use super::reported::{ReportedState, ReportedStates};
use super::server_trees::ServerTrees;
use super::session_writes::SessionWrites;
use super::sessions::Sessions;
use super::terms::{ProducerTerms, Terms};
use super::timeline::{Timeline, Turn};
use super::transactional::Transactional;
use super::transactions::Transactions;
use super::waits::Waits;
use super::watches::Watches;
use super::znodes::Znodes;
use crate::history::{
    BrokerObservation, Call, ClientObservation, ExternalObservation, Fact, Life, MemberObservation,
    Observation, Outcome, SessionObservation, ZooKeeperObservation,
};
use crate::vocab::{BrokerId, NodeId, Offset, Time, TopicPartition};
use std::collections::BTreeMap;

/// The state of the cluster after the last event of its history. It decides nothing.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who takes part, and what was promised.
    pub terms: Terms,
    /// Which processes run.
    pub lives: Lives,
    /// What each producer sent, and how each operation ended.
    pub ledger: Ledger,
    /// The latest acknowledgements with their times and offsets.
    pub window: AckWindow,
    /// What each reader was handed.
    pub reading: Reading,
    /// Which record clients saw at which offset.
    pub client_observations: ClientObservations,
    /// In which order records are in the final logs.
    pub order: Order,
    /// When producers were without an acknowledgement.
    pub availability: Availability,
    /// How long operations waited for their acknowledgements.
    pub waits: Waits,
    /// All replicas' logs side by side, and the partition states in ZooKeeper.
    pub replicas: Replicas,
    /// The partition states as brokers reported them.
    pub reported: ReportedStates,
    /// Registrations and the controller.
    pub brokers: Brokers,
    /// The servers of ZooKeeper.
    pub ensemble: Ensemble,
    /// The znodes, as transactions make them.
    pub znodes: Znodes,
    /// What clients of ZooKeeper wait for.
    pub sessions: Sessions,
    /// What cannot happen in the end, and why.
    pub known_limits: KnownLimits,
    /// What was read off the cluster when the run ended.
    pub end: End,
    /// The highest records that producers got acknowledged.
    pub acknowledged_order: AcknowledgedOrder,
    /// Offsets between consecutive polls.
    pub poll_gaps: PollGaps,
    /// The batches of idempotent producers.
    pub producer_logs: ProducerLogs,
    /// Where the logs of brokers start whose beginnings were deleted.
    log_starts: BTreeMap<(TopicPartition, BrokerId), Offset>,
    /// Consumer groups.
    pub groups: Groups,
    /// Transactions of producers.
    pub transactional: Transactional,
    /// Second copies in the final logs.
    pub copies: Copies,
    /// Leaders and controllers of each epoch.
    pub epoch_holders: EpochHolders,
    /// Sessions and ephemeral znodes of each ZooKeeper server.
    pub server_trees: ServerTrees,
    /// The last write of each ZooKeeper session.
    pub session_writes: SessionWrites,
    /// The transactions of the ZooKeeper ensemble.
    pub transactions: Transactions,
    /// The watches of ZooKeeper's clients.
    pub watches: Watches,
    /// The faults so far, the first [`FAULTS_MAX`].
    pub faults: Vec<Fired>,
    /// Faults of the plan that had no effect so far, in words; those that had one are `None`.
    idle_faults: BTreeMap<usize, Option<String>>,
    /// What happened, and how often.
    pub happened: Happened,
    /// The turning points so far.
    pub timeline: Timeline,
    /// What operators ran.
    pub commands: Commands,
    /// Records of clients from outside that are in no account.
    pub not_followed: u64,
}

impl Model {
    /// The model of a run that has not begun.
    pub fn new(terms: Terms) -> Self {
        let ledger = Ledger::new(&terms);
        Self {
            lives: Lives::default(),
            window: AckWindow::default(),
            reading: Reading::new(&terms),
            client_observations: ClientObservations::new(&terms),
            order: Order::default(),
            availability: Availability::new(&ledger),
            waits: Waits::default(),
            replicas: Replicas::default(),
            reported: ReportedStates::default(),
            brokers: Brokers::default(),
            ensemble: Ensemble::default(),
            znodes: Znodes::default(),
            sessions: Sessions::default(),
            known_limits: KnownLimits::default(),
            end: End::default(),
            acknowledged_order: AcknowledgedOrder::default(),
            poll_gaps: PollGaps::default(),
            producer_logs: ProducerLogs::default(),
            log_starts: BTreeMap::new(),
            groups: Groups::default(),
            transactional: Transactional::default(),
            copies: Copies::default(),
            epoch_holders: EpochHolders::default(),
            server_trees: ServerTrees::default(),
            session_writes: SessionWrites::default(),
            transactions: Transactions::default(),
            watches: Watches::default(),
            faults: Vec::new(),
            idle_faults: BTreeMap::new(),
            happened: Happened::new(&terms.wanted),
            timeline: Timeline::default(),
            commands: Commands::default(),
            not_followed: 0,
            ledger,
            terms,
        }
    }

    /// Folds in what a node reported.
    pub fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        match observation {
            Observation::Client(client) => self.client(time, node, client),
            Observation::Broker(broker) => self.broker(time, node, broker),
            Observation::ZooKeeper(server) => self.zookeeper(time, node, server),
            Observation::Session(session) => self.session(time, node, session),
            Observation::External(external) => self.external(time, external),
        }
        self.happened.observe(time, node, observation);
        self.timeline.observe(&self.terms, time, node, observation);
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, time: Time, node: NodeId, life: Life) {
        self.lives.life(node, life);
        self.replicas.life(node, life);
        self.ensemble.life(node, life);
        self.known_limits.life(node, life);
        self.groups.life((time, node), life);
        self.transactional.life(node, life);
        if matches!(life, Life::Crashed | Life::PowerLost | Life::Exited)
            && let Some(producer) = self.ledger.at_node(node)
        {
            self.waits.gone(time, producer);
        }
        if life == Life::Started {
            self.client_observations.started(node);
            self.ledger.started(node);
        }
        if self.terms.broker_at(node).is_some() {
            self.brokers.life(time, node, life);
        }
        self.timeline.life(&self.terms, time, node, life);
    }

    /// Folds in that a fault was injected or undone.
    pub fn fault(&mut self, fired: &Fired) {
        self.timeline.push(fired.time, Turn::Fault { text: fired.text.clone() });
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fired.clone());
        }
    }

    /// Folds in whether the fault that was injected last had an effect, and else why not. `fault` is the same
    /// number for all faults of the plan that do the same to the same targets.
    pub fn effect(&mut self, fault: usize, none: Option<&str>) {
        let Some(why) = none else {
            self.idle_faults.insert(fault, None);
            return;
        };
        let Some(last) = self.faults.last_mut() else { return };
        last.no_effect = Some(why.into());
        let text = || format!("`{}` had no effect: {why}", last.text);
        self.idle_faults.entry(fault).or_insert_with(|| Some(text()));
    }

    /// A fault of the plan that never had an effect, in words.
    pub fn idle_fault(&self) -> Option<String> {
        self.idle_faults.values().flatten().next().cloned()
    }

    /// The partitions of the scenario's topics, whether they were created or not, and of others that were.
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        let planned = self.terms.topics.iter().flat_map(|topic| {
            let partitions = 0..topic.assignment.len() as i32;
            partitions.map(|index| TopicPartition::new(topic.name.clone(), index))
        });
        let others = self.reported.created().map(|(at, _)| at.clone());
        planned.chain(others.filter(|at| self.terms.assignment(at).is_empty()))
    }

    /// The replicas of a partition: as its controller reported them, or else as they are planned.
    pub fn assignment(&self, at: &TopicPartition) -> &[BrokerId] {
        self.assignment_of(at, self.reported.of(at))
    }

    /// The same, of a partition that is reported as `state`.
    pub(super) fn assignment_of<'a>(
        &'a self,
        at: &TopicPartition,
        state: Option<&'a ReportedState>,
    ) -> &'a [BrokerId] {
        let reported = state.map(|state| &state.assignment[..]);
        reported
            .filter(|replicas| !replicas.is_empty())
            .unwrap_or_else(|| self.terms.assignment(at))
    }

    /// Whether a broker runs; one that is not of the cluster does.
    pub fn runs(&self, broker: BrokerId) -> bool {
        self.terms.node_of(broker).is_none_or(|node| self.lives.runs(node))
    }

    /// The brokers that run and are not registered; none while ZooKeeper has no quorum to register them.
    pub fn unregistered(&self) -> impl Iterator<Item = (NodeId, Unregistered)> {
        let can_register = self.ensemble.has_quorum(&self.lives);
        self.brokers.unregistered().filter(move |_| can_register)
    }

    /// Folds in what a client from outside did: as if it were a node, under its name.
    fn external(&mut self, time: Time, external: &ExternalObservation) {
        let ExternalObservation { client, acks, observation } = external;
        let roster = &mut self.terms.roster;
        let node = roster.find(client).unwrap_or_else(|| roster.add(client));
        match acks {
            Some(_) if self.ledger.at_node(node).is_some() => {}
            Some(acks) => {
                let topic = match observation {
                    ClientObservation::Invoked { call: Call::Produce { topic }, .. } => {
                        topic.clone()
                    }
                    _ => "".into(),
                };
                let terms = ProducerTerms::external(node, topic, *acks);
                self.ledger.add(client.clone(), terms.clone());
                self.availability.add();
                self.client_observations.add_producer();
                self.terms.producers.push(terms);
            }
            None => {
                self.reading.add_external(node, client);
                self.client_observations.add_external(node);
            }
        }
        if let ClientObservation::NotFollowed { records } = observation {
            self.not_followed += records;
        }
        self.client(time, node, observation);
    }

    /// The node of clients from outside.
    pub fn external_node(&self, external: &ExternalObservation) -> NodeId {
        let node = self.terms.roster.find(&external.client);
        node.expect("the observation was folded in before it is judged")
    }

    fn client(&mut self, time: Time, node: NodeId, observation: &ClientObservation) {
        if self.commands.observe(&self.terms, time, node, observation) {
            return;
        }
        if let Some(producer) = self.ledger.at_node(node) {
            match observation {
                ClientObservation::Invoked { op, .. } => {
                    self.availability.invoked(time, producer);
                    self.waits.invoked(time, producer, *op);
                }
                ClientObservation::BatchSent { at, records, .. } => {
                    self.waits.sent(producer, at, records);
                }
                ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } } => {
                    self.availability.acknowledged(time, producer);
                    self.waits.ended(time, producer, *op, true);
                    if *offset >= 0 {
                        self.window.acknowledged(time, producer, *op, at, *offset);
                    }
                }
                ClientObservation::Completed { op, .. } => {
                    self.waits.ended(time, producer, *op, false);
                }
                _ => {}
            }
            self.ledger.observe(time, node, observation);
        }
        self.groups.client((time, node), observation);
        self.transactional.client(node, observation);
        if let ClientObservation::BrokersLearned { nodes } = observation {
            self.known_limits.learned(node, nodes);
        }
        if let ClientObservation::Member(MemberObservation { member, .. }) = observation {
            self.known_limits.member(node, member);
        }
        self.reading.observe(&self.ledger, node, observation);
        self.client_observations.observe(&self.ledger, node, observation);
        let seen = self.client_observations.latest();
        self.acknowledged_order.observe(seen);
        self.poll_gaps.observe(time, node, seen);
    }

    /// A record in words.
    pub fn record(&self, value: Value) -> String {
        format!("record {} of {}", value.record, self.ledger.accounts()[value.producer].name)
    }

    /// Whether a consumer, of the scenario or from outside, reads committed transactions alone.
    pub fn reads_committed(&self, consumer: NodeId) -> bool {
        self.terms.reads_committed(consumer) || self.transactional.clients.reads_committed(consumer)
    }

    /// Whether a consumer is not to see a record: it reads committed transactions alone, and the record's is not known
    /// to be committed.
    pub fn is_hidden_from(&self, consumer: NodeId, value: Value) -> bool {
        self.reads_committed(consumer)
            && self.transactional.clients.is_uncommitted(self.producer(value), value.record)
    }

    /// The node that wrote a record.
    pub fn producer(&self, value: Value) -> NodeId {
        self.ledger.accounts()[value.producer].terms.node
    }

    fn broker(&mut self, time: Time, node: NodeId, observation: &BrokerObservation) {
        if let Some(broker) = self.terms.broker_at(node) {
            self.replicas.broker(time, (broker, node), observation);
            self.producer_logs.broker(&self.replicas, broker, observation);
            self.transactional.broker(&self.replicas, (time, broker), observation);
            match observation {
                BrokerObservation::BeginningDeleted { at, start } => {
                    self.log_starts.insert((at.clone(), broker), *start);
                }
                BrokerObservation::TopicCreated { topic, .. } => {
                    self.log_starts.retain(|(at, _), _| at.topic != *topic);
                }
                _ => {}
            }
        }
        if let BrokerObservation::BecameLeader { at, leader_epoch, start, .. } = observation {
            let (leader_epoch, start) = (*leader_epoch, *start);
            let reign = Reign { time, leader: node, leader_epoch, start };
            self.window.became_leader(at, reign);
        }
        self.epoch_holders.broker(time, node, observation);
        self.reported.broker(time, observation);
        self.brokers.broker(time, node, observation);
        self.groups.broker((time, node), observation);
        self.known_limits.broker(&self.terms, &self.replicas, (time, node), observation);
    }

    fn zookeeper(&mut self, time: Time, node: NodeId, observation: &ZooKeeperObservation) {
        self.replicas.zookeeper(time, observation);
        self.znodes.zookeeper(observation);
        self.ensemble.zookeeper(node, observation);
        self.epoch_holders.zookeeper(time, node, observation);
        self.server_trees.zookeeper(node, observation);
        self.session_writes.zookeeper(observation);
        self.transactions.zookeeper(node, observation);
        self.watches.zookeeper(&self.znodes, observation);
    }

    fn session(&mut self, time: Time, node: NodeId, observation: &SessionObservation) {
        let last = self.znodes.last();
        self.sessions.observe((time, node), observation, last, &self.ensemble);
        self.session_writes.session(observation);
        self.watches.session((&self.znodes, &self.sessions), node, observation);
    }

    /// Folds in what was read off the cluster after the run ended. Records of no producer in the terms do not count.
    pub fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::FinalLog { at, leader, .. } => {
                self.ledger.final_log(at, *leader);
                self.beginning_deleted(at, *leader);
            }
            Fact::FinalRecord { .. } => {
                if let Some(record) = self.final_record_of(fact) {
                    self.final_record(&record);
                }
            }
            _ => self.end.fact(fact),
        }
    }

    /// What clients saw at offsets that the final log does not have any more is not lost.
    fn beginning_deleted(&mut self, at: &TopicPartition, leader: Option<BrokerId>) {
        let start = leader.and_then(|leader| self.log_starts.get(&(at.clone(), leader)));
        let Some(&start) = start else { return };
        for (producer, record) in self.client_observations.seen_below(at, start) {
            self.ledger.deleted(&at.topic, producer, record);
        }
    }

    /// The record of a producer in the terms that `fact` found in a final log, if it did.
    fn final_record_of<'f>(&self, fact: &'f Fact) -> Option<FinalRecord<'f>> {
        let Fact::FinalRecord { at, offset, producer, record } = fact else { return None };
        let producer = self.ledger.named(producer)?;
        Some(FinalRecord { at, offset: *offset, producer, record: *record })
    }

    fn final_record(&mut self, record: &FinalRecord<'_>) {
        let node = self.ledger.accounts()[record.producer].terms.node;
        let is_uncommitted = self.transactional.clients.is_uncommitted(node, record.record);
        self.reading.final_record(&self.ledger, record, is_uncommitted);
        if self.ledger.final_record(record.at, record.producer, record.record) {
            self.order.first_copy(&self.ledger, record);
        } else {
            self.copies.copied(&self.ledger, record);
        }
    }
}
