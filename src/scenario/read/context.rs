//! What the readers of a file's parts know of each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::diagnostics::{Sink, Span};
use super::super::draw::{ClientSpec, TopicSpec};
use super::super::plan::{ConsumerPlan, ProducerPlan};
use crate::releases::KafkaVersion;

/// What is known while a file is read.
pub(super) struct Context<'s> {
    /// Where mistakes go.
    pub sink: &'s Sink,
    /// The newest release when the file's is wrong: it has every property.
    pub version: KafkaVersion,
    /// `None` when the file's is wrong.
    pub duration: Option<Duration>,
    /// `None` when the file's is wrong.
    pub broker_count: Option<usize>,
    /// All nodes by name.
    pub nodes: BTreeMap<String, NodeKind>,
    /// All topics that are right.
    pub topics: Vec<TopicSpec>,
    /// Names of topics that are there, but wrong: what refers to them is not judged.
    pub broken_topics: Vec<String>,
    /// Names of the groups that consumers are in.
    pub groups: Vec<String>,
    /// Transactional ids of producers.
    pub transactional_ids: Vec<String>,
    /// Whether times are drawn already: then a fault may have come out too late to do anything.
    pub is_drawn: bool,
}

/// Which kind of node has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Broker,
    ZooKeeper,
    Client,
}

/// Most nodes of a run. Each is known to each, so that memory grows with the square of them.
const NODES_MAX: usize = 10_000;

impl Context<'_> {
    /// These are all producers and consumers: the brokers that coordinate them have roles.
    pub fn coordinated_are(
        &mut self,
        producers: &[ClientSpec<ProducerPlan>],
        consumers: &[ClientSpec<ConsumerPlan>],
    ) {
        let transactions = producers.iter().filter_map(|spec| spec.plan.transactions.as_ref());
        self.transactional_ids = transactions.map(|of| of.id.clone()).collect();
        let groups = consumers.iter().filter_map(|spec| spec.plan.group.as_ref());
        self.groups = groups.map(|group| group.id.clone()).collect();
    }

    /// Whether there may be `more` nodes; reports that there are too many.
    pub fn has_room_for(&self, more: usize, span: &Span) -> bool {
        let all = self.nodes.len() + more;
        if all > NODES_MAX {
            let message = format!("these are {all} nodes, and a run has at most {NODES_MAX}");
            self.sink.error_with(span, message, "clients and commands are nodes too");
        }
        all <= NODES_MAX
    }

    /// Adds a node; reports a name that is taken, and then gives false.
    pub fn add_node(&mut self, name: String, kind: NodeKind, span: &Span) -> bool {
        if self.nodes.contains_key(&name) {
            let message = format!("there are two nodes named `{name}`");
            let hint = "brokers are b1, b2, …, ZooKeeper servers z1, z2, …; choose another name";
            self.sink.error_with(span, message, hint);
            return false;
        }
        self.nodes.insert(name, kind);
        true
    }
}
