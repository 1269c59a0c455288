//! Transactions of producers: as their applications know them, as their coordinators decide, and as the logs hold
//! them. Those of ZooKeeper are in [`super::transactions`].

pub mod clients;
pub mod coordinators;
pub mod logs;

use self::clients::{Clients, Contradiction};
use self::coordinators::Coordinators;
use self::logs::{Appended, Logs};
use super::replicas::Replicas;
use crate::history::{BrokerObservation, ClientObservation, Life, Outcome, TransactionObservation};
use crate::vocab::{BrokerId, NodeId, Time};

/// All transactions.
#[derive(Clone, Debug, Default)]
pub struct Transactional {
    /// As applications know them.
    pub clients: Clients,
    /// As coordinators know them.
    pub coordinators: Coordinators,
    /// As logs hold them.
    pub logs: Logs,
    /// Of the event at hand: what it contradicts.
    contradiction: Option<Contradiction>,
}

impl Transactional {
    /// Whether there was a transaction.
    pub fn has_any(&self) -> bool {
        self.clients.has_any() || self.coordinators.has_any()
    }

    /// What the event at hand contradicts: an application was told something else of its transaction, or another
    /// partition has another marker.
    pub fn contradiction(&self) -> Option<&Contradiction> {
        self.contradiction.as_ref()
    }

    /// Folds in what a broker did, after its logs.
    pub fn broker(
        &mut self,
        replicas: &Replicas,
        (time, broker): (Time, BrokerId),
        did: &BrokerObservation,
    ) {
        self.contradiction = None;
        self.logs.broker(replicas, (time, broker), did);
        let BrokerObservation::Transaction(did) = did else { return };
        self.coordinators.broker(time, did);
        if let (TransactionObservation::MarkerAppended { at, .. }, Some(ended)) =
            (did, self.logs.latest().and_then(Appended::ended))
        {
            self.contradiction = self.clients.ended_in(at, ended);
        }
    }

    /// Folds in what a client did.
    pub fn client(&mut self, node: NodeId, did: &ClientObservation) {
        self.contradiction = None;
        match did {
            ClientObservation::Transactional(did) => {
                self.contradiction = self.clients.transactional(node, did);
            }
            ClientObservation::IsolationChanged { read_committed } => {
                self.clients.isolation_changed(node, *read_committed);
            }
            ClientObservation::Invoked { op, .. } => self.clients.invoked(node, *op),
            ClientObservation::Completed { op, outcome: Outcome::Produced { at, offset } } => {
                let Some(producer) = self.clients.producer_of(node, *op) else { return };
                self.contradiction = match self.logs.ended_at(at, producer, *offset) {
                    Some(ended) => self.clients.is_in(node, *op, at, ended.commit),
                    None => {
                        self.clients.acknowledged(node, *op, at, *offset);
                        None
                    }
                };
            }
            _ => {}
        }
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        self.contradiction = None;
        if matches!(life, Life::Crashed | Life::PowerLost | Life::Exited) {
            self.clients.gone(node);
        }
    }
}
