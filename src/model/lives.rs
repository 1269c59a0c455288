//! Which processes run.

use std::collections::BTreeSet;

use crate::history::Life;
use crate::vocab::NodeId;

/// The processes that were started, and those that ended since. A paused process runs.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    started: BTreeSet<NodeId>,
    ended: BTreeSet<NodeId>,
}

impl Lives {
    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        match life {
            Life::Crashed | Life::PowerLost | Life::Exited => {
                self.ended.insert(node);
            }
            Life::Started => {
                self.started.insert(node);
                self.ended.remove(&node);
            }
            Life::ShutdownAsked | Life::Paused | Life::Resumed => {}
        }
    }

    /// Whether a node has not ended, be it that its start was not reported.
    pub fn runs(&self, node: NodeId) -> bool {
        !self.ended.contains(&node)
    }

    /// Whether a node was started and has not ended since.
    pub fn has_started(&self, node: NodeId) -> bool {
        self.started.contains(&node) && self.runs(node)
    }
}
