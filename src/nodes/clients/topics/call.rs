//! One call of `kafka-topics`: a process that begins, prints and ends.

use std::sync::Arc;

use super::brokers::Brokers;
use super::config::{Progress, TopicsConfig};
use super::znodes::Znodes;
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::vocab::step::Input;
use crate::vocab::{Clock, Roster, Stream, Via};

/// Where the command reads.
#[derive(Debug)]
enum Source {
    Brokers(Box<Brokers>),
    Znodes(Box<Znodes>),
}

/// A call of `kafka-topics`.
#[derive(Debug)]
pub struct Topics {
    line: Arc<str>,
    source: Source,
}

impl Topics {
    /// A call that begins at [`Input::Start`] and ends its process when everything is printed. `roster` is
    /// its DNS.
    pub fn new(config: TopicsConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let line = config.line.clone();
        let source = match config.command.via {
            Via::Brokers => Source::Brokers(Box::new(Brokers::new(config, roster, stream))),
            Via::ZooKeeper => Source::Znodes(Box::new(Znodes::new(config, stream))),
        };
        Self { line, source }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let observe = |effects: &mut Effects, it| effects.observe(Observation::Client(it));
        match input {
            Input::Start(_) => {
                let command = self.line.clone();
                observe(effects, ClientObservation::CommandGiven { command });
            }
            Input::Shutdown => {
                effects.exit();
                return;
            }
            _ => {}
        }
        let progress = match &mut self.source {
            Source::Brokers(brokers) => brokers.step(clock, input, effects),
            Source::Znodes(znodes) => znodes.step(clock, input, effects),
        };
        match progress {
            Progress::Waits => {}
            Progress::Printed(lines) => {
                let lines = lines.into_iter().map(Arc::from).collect();
                observe(effects, ClientObservation::CommandPrinted { lines });
                if self.close(clock, effects) {
                    effects.exit();
                }
            }
            Progress::Ends => effects.exit(),
        }
    }

    /// Closes the session, if there is one; says whether that is done already.
    fn close(&mut self, clock: Clock, effects: &mut Effects) -> bool {
        match &mut self.source {
            Source::Brokers(_) => true,
            Source::Znodes(znodes) => znodes.close(clock, effects),
        }
    }
}
