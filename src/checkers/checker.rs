//! What a checker is to the judge: it reads every event with the model, and gives one verdict.

use std::fmt;

use super::{Judged, Property, Verdict};
use crate::history::{
    BrokerObservation, ClientObservation, SessionObservation, ZooKeeperObservation,
};
use crate::model::{Model, Permission, Terms};
use crate::vocab::{NodeId, Time};

/// A kind of observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of producers and consumers.
    Client,
    /// Of brokers.
    Broker,
    /// Of ZooKeeper servers.
    ZooKeeper,
    /// Of clients of ZooKeeper, about their sessions.
    Session,
}

/// Judges one property. Every method but [`Checker::judge`] is called once per event, after the [`Model`] has it.
pub trait Checker: fmt::Debug {
    /// The kinds of events that it reads; of others it gets none.
    fn reads(&self) -> &'static [Kind] {
        &[]
    }

    /// Looks at what a producer or consumer did.
    fn client(&mut self, _: &Model, _: Time, _: NodeId, _: &ClientObservation) {}

    /// Looks at what a broker did.
    fn broker(&mut self, _: &Model, _: Time, _: NodeId, _: &BrokerObservation) {}

    /// Looks at what a ZooKeeper server did.
    fn zookeeper(&mut self, _: &Model, _: Time, _: NodeId, _: &ZooKeeperObservation) {}

    /// Looks at what a client of ZooKeeper saw of its session.
    fn session(&mut self, _: &Model, _: Time, _: NodeId, _: &SessionObservation) {}

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
        Judged { property: self, permission, verdict, nothing_to_judge: None }
    }
}

/// Makes a checker that has seen nothing yet.
pub type NewChecker = fn() -> Box<dyn Checker>;
