//! The shape of a property that is judged event by event: a rule looks at each event, with the model that has
//! it, and adds a case for each violation.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::checkers::{Case, Cases, Checker, Judged, Kind, NewChecker, Property, Verdict};
use crate::history::{
    BrokerObservation, ClientObservation, SessionObservation, ZooKeeperObservation,
};
use crate::model::{Model, Permission};
use crate::vocab::{NodeId, Time};

/// When and where the event at hand happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The model, with this event.
    pub model: &'a Model,
    /// When it happened.
    pub time: Time,
    /// The node that it happened on.
    pub node: NodeId,
}

impl Event<'_> {
    /// The name of the node.
    pub fn name(&self) -> Arc<str> {
        self.model.terms.name(self.node)
    }

    /// A case about this event's node, with the faults before it.
    pub fn case(&self, what: String) -> Case {
        self.case_about([self.node], what)
    }

    /// A case about some nodes, with the faults before it.
    pub fn case_about(&self, nodes: impl IntoIterator<Item = NodeId>, what: String) -> Case {
        let case = Case::of(self.time, what).about(&self.model.terms, nodes);
        case.after_faults(&self.model.faults)
    }

    /// A case about this event's node, which is the subject of `what`; the time is added.
    pub fn node_did(&self, what: impl fmt::Display) -> Case {
        self.case(format!("{} {what}, at {:.3}", self.name(), self.time))
    }

    /// The same of a client of ZooKeeper; the case is also about the server that it is connected to.
    pub fn client_did(&self, what: impl fmt::Display) -> Case {
        let nodes = self.model.sessions.pair(self.node);
        self.case_about(nodes, format!("{} {what}, at {:.3}", self.name(), self.time))
    }
}

/// The rule of a property. Each method sees the events of one kind, after the [`Model`].
pub trait Rule: fmt::Debug + 'static {
    /// The property.
    const PROPERTY: &'static Property;
    /// The kinds of events that it reads: those whose method it has.
    const READS: &'static [Kind] = &[];

    /// Looks at what a producer or consumer did.
    fn client(_: &Event<'_>, _: &ClientObservation, _found: &mut Cases) {}

    /// Looks at what a broker did.
    fn broker(_: &Event<'_>, _: &BrokerObservation, _found: &mut Cases) {}

    /// Looks at what a ZooKeeper server did.
    fn zookeeper(_: &Event<'_>, _: &ZooKeeperObservation, _found: &mut Cases) {}

    /// Looks at what a client of ZooKeeper saw of its session.
    fn session(_: &Event<'_>, _: &SessionObservation, _found: &mut Cases) {}

    /// The verdict when the run is over.
    fn verdict(found: &Cases, _: &Model, _end: Time) -> (Permission, Verdict) {
        found.verdict()
    }
}

/// Asks one rule about every event, and keeps the cases that it finds.
#[derive(Debug)]
struct RuleChecker<R> {
    found: Cases,
    rule: PhantomData<R>,
}

/// A row of the table of checkers.
pub(super) const fn by<R: Rule>() -> (&'static Property, NewChecker) {
    (R::PROPERTY, || Box::new(RuleChecker::<R> { found: Cases::default(), rule: PhantomData }))
}

impl<R: Rule> Checker for RuleChecker<R> {
    fn reads(&self) -> &'static [Kind] {
        R::READS
    }

    fn client(&mut self, model: &Model, time: Time, node: NodeId, did: &ClientObservation) {
        R::client(&Event { model, time, node }, did, &mut self.found);
    }

    fn broker(&mut self, model: &Model, time: Time, node: NodeId, did: &BrokerObservation) {
        R::broker(&Event { model, time, node }, did, &mut self.found);
    }

    fn zookeeper(&mut self, model: &Model, time: Time, node: NodeId, did: &ZooKeeperObservation) {
        R::zookeeper(&Event { model, time, node }, did, &mut self.found);
    }

    fn session(&mut self, model: &Model, time: Time, node: NodeId, did: &SessionObservation) {
        R::session(&Event { model, time, node }, did, &mut self.found);
    }

    fn judge(&self, model: &Model, end: Time) -> Judged {
        R::PROPERTY.given(R::verdict(&self.found, model, end))
    }
}
