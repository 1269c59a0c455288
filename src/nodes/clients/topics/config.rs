//! What one call of `kafka-topics` is given, and what it answers after each step.

use std::sync::Arc;

use crate::releases::KafkaVersion;
use crate::vocab::{NodeId, TopicsCommand};

/// One call of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// The node's name.
    pub name: Arc<str>,
    /// The release of the tool.
    pub version: KafkaVersion,
    /// The command line as text.
    pub line: Arc<str>,
    /// The same, parsed.
    pub command: TopicsCommand,
    /// The servers of its command line: brokers, or servers of ZooKeeper.
    pub servers: Vec<NodeId>,
}

/// How far a call has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for answers.
    Waits,
    /// It has printed everything; the connection is still to be closed.
    Printed(Vec<String>),
    /// The process ends.
    Ends,
}
