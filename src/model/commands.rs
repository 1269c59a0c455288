//! What operators ran, and what it printed.

use std::sync::Arc;

use serde::Serialize;

use super::Terms;
use crate::history::ClientObservation;
use crate::vocab::{NodeId, Time};

/// A command that an operator ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandSummary {
    /// The node that it ran on.
    pub node: Arc<str>,
    /// When it was given.
    #[serde(rename = "time_ns")]
    pub time: Time,
    /// When it ended; `None` when it had not when the run was over.
    #[serde(rename = "ended_ns")]
    pub ended: Option<Time>,
    /// The command line.
    pub command: Arc<str>,
    /// What it printed, line by line.
    pub output: Vec<Arc<str>>,
}

/// All commands, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    given: Vec<CommandSummary>,
}

impl Commands {
    /// All of them.
    pub fn all(&self) -> &[CommandSummary] {
        &self.given
    }

    /// Folds in what a client reported; whether it was about a command.
    pub fn observe(
        &mut self,
        terms: &Terms,
        time: Time,
        node: NodeId,
        observation: &ClientObservation,
    ) -> bool {
        match observation {
            ClientObservation::CommandGiven { command } => {
                let (node, command) = (terms.name(node), command.clone());
                let output = Vec::new();
                self.given.push(CommandSummary { node, time, ended: None, command, output });
            }
            ClientObservation::CommandPrinted { lines } => {
                let node = terms.name(node);
                let mut given = self.given.iter_mut().rev();
                if let Some(given) = given.find(|given| given.node == node) {
                    (given.ended, given.output) = (Some(time), lines.clone());
                }
            }
            _ => return false,
        }
        true
    }
}
