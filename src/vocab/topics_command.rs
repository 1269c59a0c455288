//! `kafka-topics`, as far as an operator of a simulated cluster can run it.

use serde::{Deserialize, Serialize};

/// One call of `kafka-topics`, read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicsCommand {
    /// What is printed.
    pub action: TopicsAction,
    /// `--topic`: the topics that it is about; all of them without.
    pub topics: Option<String>,
    /// What it reads.
    pub via: Via,
    /// The nodes that it connects to; empty for all nodes of the cluster.
    pub hosts: Vec<String>,
}

/// What `kafka-topics` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TopicsAction {
    /// `--list`: the names.
    List,
    /// `--describe`: partitions, leaders, replicas.
    Describe(Shown),
}

/// What `--describe` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    /// Every topic with its settings, and every partition.
    Everything,
    /// `--under-replicated-partitions`: partitions with fewer in-sync replicas than replicas.
    UnderReplicated,
    /// `--unavailable-partitions`: partitions without a leader that lives.
    Unavailable,
    /// `--topics-with-overrides`: topics that have settings of their own, without their partitions.
    Overridden,
}

/// What `kafka-topics` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// `--bootstrap-server` (KIP-377, 2.2+): brokers.
    Brokers,
    /// `--zookeeper` (until 2.8; KIP-500 took it away): the znodes of ZooKeeper.
    ZooKeeper,
}

impl TopicsCommand {
    /// Whether `--topic` names this topic: a pattern, of which alternatives and the dot are understood.
    pub fn names(&self, topic: &str) -> bool {
        let Some(pattern) = &self.topics else { return true };
        let alike = |(pattern, byte): (u8, u8)| pattern == byte || pattern == b'.';
        let mut alternatives = pattern.split([',', '|']).map(str::trim);
        alternatives
            .any(|one| one.len() == topic.len() && one.bytes().zip(topic.bytes()).all(alike))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_by_a_pattern() {
        let named = |pattern: Option<&str>, topic| {
            let topics = pattern.map(str::to_owned);
            let action = TopicsAction::List;
            TopicsCommand { action, topics, via: Via::Brokers, hosts: Vec::new() }.names(topic)
        };
        for (pattern, topic, expected) in [
            (None, "orders", true),
            (Some("orders"), "orders", true),
            (Some("orders"), "orders-2", false),
            (Some("bills,orders"), "orders", true),
            (Some("bills|orders"), "orders", true),
            (Some("a.b"), "a.b", true),
            (Some("a.b"), "a-b", true),
        ] {
            assert_eq!(named(pattern, topic), expected, "{pattern:?} {topic}");
        }
    }
}
