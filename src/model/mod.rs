//! History → the state of the cluster at a moment: one fold, which everything that judges or shows a run reads.
//!
//! | about | files |
//! |---|---|
//! | clients | [`ledger`], [`ack_window`], [`reading`], [`client_observations`], [`order`], [`availability`] |
//! | replication | [`log_tree`], [`replicas`], [`partition_state`] |
//! | ZooKeeper | [`znodes`], [`sessions`], [`zookeeper_epochs`] |
//! | the end of a run | [`ending`], [`known_limits`] |
//! | the run | [`terms`], [`faults`], [`happened`], [`timeline`] |
//!
//! The model decides nothing. It knows no node: what it says comes from the history, so that a checker cannot share
//! a bug with what it judges, and a stored history can be judged without a cluster.

pub mod ack_window;
pub mod availability;
pub mod client_observations;
pub mod ending;
pub mod faults;
pub mod happened;
pub mod interval;
pub mod known_limits;
pub mod ledger;
pub mod log_tree;
pub mod offset_map;
pub mod order;
pub mod partition_state;
pub mod reading;
pub mod replicas;
pub mod sessions;
pub mod terms;
pub mod timeline;
pub mod znodes;
pub mod zookeeper_epochs;

pub use ack_window::{AckWindow, Reign};
use availability::Availability;
use client_observations::ClientObservations;
use ending::Ending;
pub use faults::Fired;
use known_limits::KnownLimits;
use ledger::{FinalRecord, Ledger};
use offset_map::Value;
use order::Order;
use reading::Reading;
use replicas::Replicas;
use sessions::Sessions;
pub use terms::{ConsumerTerms, Permission, ProducerTerms, Terms, TopicTerms};
pub use timeline::{Entry, Timeline, Turn};
use znodes::Znodes;

use crate::history::{BrokerObservation, ClientObservation, Fact, Outcome, ZooKeeperObservation};
use crate::vocab::{NodeId, Time};

/// What several checkers and the report go by. It decides nothing.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who takes part, and what was promised.
    pub terms: Terms,
    /// What producers sent and were told.
    pub ledger: Ledger,
    /// When and where they were told it.
    pub window: AckWindow,
    /// What readers were handed.
    pub reading: Reading,
    /// What clients saw stand where.
    pub client_observations: ClientObservations,
    /// How the run ended.
    pub ending: Ending,
    /// What cannot come about in the end, and why.
    pub known_limits: KnownLimits,
    /// In which order records stand in the final logs.
    pub order: Order,
    /// When producers were without an acknowledgement.
    pub availability: Availability,
    /// The partitions, as nobody in the cluster sees them.
    pub replicas: Replicas,
    /// The znodes, as transactions make them.
    pub znodes: Znodes,
    /// What clients of ZooKeeper wait for.
    pub sessions: Sessions,
    /// The faults so far, as many as are kept.
    pub faults: Vec<Fired>,
}

impl Model {
    /// Empty model.
    pub fn new(terms: Terms) -> Self {
        let ledger = Ledger::new(&terms);
        Self {
            window: AckWindow::default(),
            reading: Reading::new(&terms),
            client_observations: ClientObservations::new(&terms),
            ending: Ending::default(),
            known_limits: KnownLimits::default(),
            order: Order::default(),
            availability: Availability::new(&ledger),
            replicas: Replicas::default(),
            znodes: Znodes::default(),
            sessions: Sessions::default(),
            faults: Vec::new(),
            ledger,
            terms,
        }
    }

    /// Folds in what a client told.
    pub fn client(&mut self, time: Time, node: NodeId, observation: &ClientObservation) {
        if let Some(producer) = self.ledger.at_node(node) {
            match observation {
                ClientObservation::Invoked { .. } => self.availability.invoked(time, producer),
                ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } } => {
                    self.availability.acknowledged(time, producer);
                    if *offset >= 0 {
                        self.window.acknowledged(time, producer, *op, at, *offset);
                    }
                }
                _ => {}
            }
            self.ledger.observe(time, node, observation);
        }
        if let ClientObservation::BrokersLearned { nodes } = observation {
            self.known_limits.learned(node, nodes);
        }
        self.reading.observe(&self.ledger, node, observation);
        self.client_observations.observe(&self.ledger, node, observation);
    }

    /// A record in words.
    pub fn record(&self, value: Value) -> String {
        format!("record {} of {}", value.record, self.ledger.accounts()[value.producer].name)
    }

    /// The node that wrote a record.
    pub fn producer(&self, value: Value) -> NodeId {
        self.ledger.accounts()[value.producer].terms.node
    }

    /// Folds in what a broker told.
    pub fn broker(&mut self, time: Time, node: NodeId, observation: &BrokerObservation) {
        if let Some(broker) = self.terms.broker_at(node) {
            self.replicas.broker(time, (broker, node), observation);
        }
        if let BrokerObservation::BecameLeader { at, leader_epoch, start, .. } = observation {
            let (leader_epoch, start) = (*leader_epoch, *start);
            let reign = Reign { time, leader: node, leader_epoch, start };
            self.window.became_leader(at, reign);
        }
        self.ending.broker(time, node, observation);
        self.known_limits.broker(&self.terms, &self.replicas, (time, node), observation);
    }

    /// Folds in what a ZooKeeper server told.
    pub fn zookeeper(&mut self, time: Time, node: NodeId, observation: &ZooKeeperObservation) {
        self.replicas.zookeeper(time, observation);
        self.znodes.zookeeper(observation);
        self.sessions.zookeeper(node, observation);
        self.ending.server(node);
    }

    /// Folds in what was read off the cluster; records of final logs are booked as such.
    pub fn fact(&mut self, fact: &Fact) {
        if let Fact::FinalLog { at, leader, .. } = fact {
            self.ledger.final_log(at, *leader);
        }
        self.ending.fact(fact);
    }

    /// Folds in a judged producer's record in a final log; whether it is the first copy.
    pub fn final_record(&mut self, record: &FinalRecord<'_>) -> bool {
        self.reading.final_record(&self.ledger, record);
        let first = self.ledger.final_record(record.at, record.producer, record.record);
        if first {
            self.order.first_copy(&self.ledger, record);
        }
        first
    }
}
