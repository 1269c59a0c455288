//! The seam between a history and whatever reads it: every event is folded into the [`Model`] once, and then goes
//! with the model to a [`Reader`].
//!
//! A live cluster, a stored history and a test all feed a [`Modelled`] through its [`Subscriber`] side. A judge, a
//! timeline or a picture is a [`Reader`]; none of them folds the history again. A cluster that nothing reads has a
//! `Modelled<()>`, because faults and convergence need the model.

use super::{Fired, Model, Terms};
use crate::history::{Fact, Life, Observation, Subscriber};
use crate::releases::unnoted;
use crate::vocab::{NodeId, Time};

/// Reads a history event by event. Each event comes after the model has folded it.
pub trait Reader {
    /// A node reported something about itself.
    fn observed(&mut self, model: &Model, time: Time, node: NodeId, observation: &Observation);
    /// A fault was injected into `targets`, or undone for them.
    fn fault(&mut self, model: &Model, fired: &Fired, targets: &[NodeId]);
    /// A process began, ended or stopped running.
    fn life(&mut self, model: &Model, time: Time, node: NodeId, life: Life);
    /// Something was read off the cluster after the run ended.
    fn fact(&mut self, model: &Model, time: Time, fact: &Fact);
}

/// For a run of which only the model is wanted.
impl Reader for () {
    fn observed(&mut self, _: &Model, _: Time, _: NodeId, _: &Observation) {}
    fn fault(&mut self, _: &Model, _: &Fired, _: &[NodeId]) {}
    fn life(&mut self, _: &Model, _: Time, _: NodeId, _: Life) {}
    fn fact(&mut self, _: &Model, _: Time, _: &Fact) {}
}

/// The first one reads each event first.
impl<A: Reader, B: Reader> Reader for (A, B) {
    fn observed(&mut self, model: &Model, time: Time, node: NodeId, observation: &Observation) {
        self.0.observed(model, time, node, observation);
        self.1.observed(model, time, node, observation);
    }
    fn fault(&mut self, model: &Model, fired: &Fired, targets: &[NodeId]) {
        self.0.fault(model, fired, targets);
        self.1.fault(model, fired, targets);
    }
    fn life(&mut self, model: &Model, time: Time, node: NodeId, life: Life) {
        self.0.life(model, time, node, life);
        self.1.life(model, time, node, life);
    }
    fn fact(&mut self, model: &Model, time: Time, fact: &Fact) {
        self.0.fact(model, time, fact);
        self.1.fact(model, time, fact);
    }
}

/// Reads if there is one.
impl Reader for Option<Box<dyn Reader>> {
    fn observed(&mut self, model: &Model, time: Time, node: NodeId, observation: &Observation) {
        if let Some(reader) = self {
            reader.observed(model, time, node, observation);
        }
    }
    fn fault(&mut self, model: &Model, fired: &Fired, targets: &[NodeId]) {
        if let Some(reader) = self {
            reader.fault(model, fired, targets);
        }
    }
    fn life(&mut self, model: &Model, time: Time, node: NodeId, life: Life) {
        if let Some(reader) = self {
            reader.life(model, time, node, life);
        }
    }
    fn fact(&mut self, model: &Model, time: Time, fact: &Fact) {
        if let Some(reader) = self {
            reader.fact(model, time, fact);
        }
    }
}

/// A model, and what reads the history with it.
#[derive(Clone, Debug)]
pub struct Modelled<R> {
    /// The state of the cluster after the last event.
    pub model: Model,
    /// What reads along.
    pub reader: R,
}

impl<R: Reader> Modelled<R> {
    /// The model of a run that has not begun.
    pub fn new(terms: Terms, reader: R) -> Self {
        Self { model: Model::new(terms), reader }
    }

    fn fired(&mut self, fired: Fired, targets: &[NodeId]) {
        unnoted(|| {
            self.model.fault(&fired);
            self.reader.fault(&self.model, &fired, targets);
        });
    }
}

/// What the model or a reader asks of a release is not what the run depended on, so it is not noted.
impl<R: Reader> Subscriber for Modelled<R> {
    fn observed(&mut self, time: Time, node: NodeId, observation: &Observation) {
        unnoted(|| {
            self.model.observed(time, node, observation);
            self.reader.observed(&self.model, time, node, observation);
        });
    }

    fn fault(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.fired(Fired::new(time, text, false, !targets.is_empty()), targets);
    }

    fn undone(&mut self, time: Time, text: &str, targets: &[NodeId]) {
        self.fired(Fired::new(time, text, true, !targets.is_empty()), targets);
    }

    fn effect(&mut self, fault: usize, none: Option<&str>) {
        self.model.effect(fault, none);
    }

    fn life(&mut self, time: Time, node: NodeId, life: Life) {
        unnoted(|| {
            self.model.life(time, node, life);
            self.reader.life(&self.model, time, node, life);
        });
    }

    fn fact(&mut self, time: Time, fact: &Fact) {
        unnoted(|| {
            self.model.fact(fact);
            self.reader.fact(&self.model, time, fact);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{BrokerObservation, Recorder};
    use crate::vocab::Roster;

    /// The controller in the model at each event.
    #[derive(Default)]
    struct Controllers(Vec<Option<NodeId>>);

    impl Reader for Controllers {
        fn observed(&mut self, model: &Model, _: Time, _: NodeId, _: &Observation) {
            self.0.push(model.brokers.controller());
        }
        fn fault(&mut self, model: &Model, fired: &Fired, _: &[NodeId]) {
            assert_eq!(model.faults.last(), Some(fired));
        }
        fn life(&mut self, model: &Model, _: Time, node: NodeId, life: Life) {
            assert_eq!(model.lives.runs(node), life == Life::Started);
        }
        fn fact(&mut self, _: &Model, _: Time, _: &Fact) {}
    }

    #[test]
    fn each_event_is_in_the_model_before_it_is_read() {
        let mut roster = Roster::default();
        let b1 = roster.add("b1");
        let terms = Terms { roster, ..Terms::default() };
        let mut recorder =
            Recorder::new(Modelled::new(terms, (Controllers::default(), Controllers::default())));
        recorder.life(Time::ZERO, b1, Life::Started);
        for epoch in [1, 2] {
            let elected = BrokerObservation::ControllerElected { epoch };
            recorder.observed(Time(1), b1, &Observation::Broker(elected));
        }
        recorder.fault(Time(2), "crash b1", &[b1]);
        recorder.life(Time(2), b1, Life::Crashed);
        let read = recorder.finish().expect("no event log is written").subscriber.reader;
        assert_eq!((read.0.0, read.1.0), (vec![Some(b1); 2], vec![Some(b1); 2]));
    }
}
