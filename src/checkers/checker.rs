//! What a checker is to the judge: it hears of everything that happened, and comes to one verdict.

use std::fmt;

use super::availability::Availability;
use super::client_observations::ClientObservations;
use super::ending::Ending;
use super::known_limits::KnownLimits;
use super::ledger::{FinalRecord, Ledger};
use super::offset_map::Value;
use super::order::Order;
use super::reading::Reading;
use super::replicas::Replicas;
use super::sessions::Sessions;
use super::znodes::Znodes;
use super::{AckWindow, Fired, Judged, Permission, Property, Reign, Terms, Verdict};
use crate::history::{
    BrokerObservation, ClientObservation, Fact, Life, Outcome, SessionObservation,
    ZooKeeperObservation,
};
use crate::vocab::{NodeId, Time};

/// Judges one property. Every method but [`Checker::judge`] is called once per event, after the [`Model`]
/// have it; what a checker does not need to hear of, it leaves out.
pub trait Checker: fmt::Debug {
    /// A producer or consumer told something.
    fn client(&mut self, _: &Model, _: Time, _: NodeId, _: &ClientObservation) {}

    /// A broker told something.
    fn broker(&mut self, _: &Model, _: Time, _: NodeId, _: &BrokerObservation) {}

    /// A ZooKeeper server told something.
    fn zookeeper(&mut self, _: &Model, _: Time, _: NodeId, _: &ZooKeeperObservation) {}

    /// A node told something of its session at ZooKeeper.
    fn session(&mut self, _: &Model, _: Time, _: NodeId, _: &SessionObservation) {}

    /// A process began, ended or stopped running.
    fn life(&mut self, _: &Model, _: Time, _: NodeId, _: Life) {}

    /// A fault was injected or undone.
    fn fault(&mut self, _: &Model, _: &Fired) {}

    /// The run is over, and this is a judged producer's record in a final log; whether it is the first copy.
    fn final_record(&mut self, _: &Model, _: &FinalRecord<'_>, _first: bool) {}

    /// The verdict on a run that ended at `end`.
    fn judge(&self, model: &Model, end: Time) -> Judged;
}

impl Property {
    /// A verdict on this property; a violation fails the run.
    pub fn forbidden(&'static self, verdict: Verdict) -> Judged {
        self.given((Permission::Forbidden, verdict))
    }

    /// A verdict on this property; a violation is permitted when acknowledged records may be lost.
    pub fn loss(&'static self, terms: &Terms, verdict: Verdict) -> Judged {
        self.given((terms.acknowledged_loss, verdict))
    }

    /// A verdict on this property, with whether a violation is permitted.
    pub fn given(&'static self, (permission, verdict): (Permission, Verdict)) -> Judged {
        Judged { property: self, permission, verdict }
    }
}

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
