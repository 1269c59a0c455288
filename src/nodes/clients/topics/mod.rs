//! An operator's `kafka-topics`: asks brokers or reads ZooKeeper, and prints what that release prints.
//!
//! One process is one call of the command. It tells the history when it begins, and every line that it has
//! printed when it ends ([`TopicsCommand`]'s options decide which).

mod brokers;
mod java;
mod picture;
mod print;
#[cfg(test)]
mod tests;
mod znodes;

use std::sync::Arc;

use brokers::Brokers;
use znodes::Znodes;

use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::releases::KafkaVersion;
use crate::vocab::step::Input;
use crate::vocab::{Clock, NodeId, Roster, Stream, TopicsCommand, Via};

/// One call of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// The node's name.
    pub name: Arc<str>,
    /// The release of the tool.
    pub version: KafkaVersion,
    /// The command line, as it was written.
    pub line: Arc<str>,
    /// The command line, read.
    pub command: TopicsCommand,
    /// Whom it is told to connect to: brokers, or servers of ZooKeeper.
    pub servers: Vec<NodeId>,
}

#[derive(Debug)]
enum Asked {
    Brokers(Box<Brokers>),
    Znodes(Box<Znodes>),
}

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// It goes on.
    Waits,
    /// It has printed everything; the connection is still to be closed.
    Printed(Vec<String>),
    /// The process ends.
    Ends,
}

/// A call of `kafka-topics`.
#[derive(Debug)]
pub struct Topics {
    line: Arc<str>,
    asked: Asked,
}

impl Topics {
    /// A call that begins at [`Input::Start`] and ends its process when everything is printed. `roster` is
    /// its DNS.
    pub fn new(config: TopicsConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let line = config.line.clone();
        let asked = match config.command.via {
            Via::Brokers => Asked::Brokers(Box::new(Brokers::new(config, roster, stream))),
            Via::ZooKeeper => Asked::Znodes(Box::new(Znodes::new(config, stream))),
        };
        Self { line, asked }
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        let observe = |effects: &mut Effects, told| effects.observe(Observation::Client(told));
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
        let progress = match &mut self.asked {
            Asked::Brokers(brokers) => brokers.step(clock, input, effects),
            Asked::Znodes(znodes) => znodes.step(clock, input, effects),
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

    /// Ends what has to be ended in good order; whether that is done already.
    fn close(&mut self, clock: Clock, effects: &mut Effects) -> bool {
        match &mut self.asked {
            Asked::Brokers(_) => true,
            Asked::Znodes(znodes) => znodes.close(clock, effects),
        }
    }
}
