//! What a checker is to the judge: it reads every event with the model, and gives one verdict.

use std::fmt;

use super::{Judged, Property, Verdict};
use crate::history::{
    BrokerObservation, ClientObservation, Life, SessionObservation, ZooKeeperObservation,
};
use crate::model::ledger::FinalRecord;
use crate::model::{Fired, Model, Permission, Terms};
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

/// Makes a checker that has seen nothing yet.
pub type NewChecker = fn() -> Box<dyn Checker>;
