//! The terms of a run: who takes part, what they were configured to promise, and what may happen.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::releases::{KafkaVersion, Truncation};
use crate::vocab::{Acks, BrokerId, Happening, NodeId, Roster, TopicPartition, Wanted};

/// Whether the configuration of a run allows a property to be violated. What is permitted is counted and
/// shown, but fails no run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// A violation fails the run.
    #[default]
    Forbidden,
    /// A violation is only counted.
    Permitted,
}

/// A producer that is judged.
#[derive(Clone, Debug)]
pub struct ProducerTerms {
    /// Its node; the node's name is in its records.
    pub node: NodeId,
    /// The topic that it writes to.
    pub topic: Arc<str>,
    /// Its `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: its records may not be in a log twice.
    pub idempotent: bool,
    /// Whether its records may not change places in a partition: `enable.idempotence`, or
    /// `max.in.flight.requests.per.connection=1`, or no retries.
    pub ordered: bool,
    /// Whether it is a client from outside: nothing but its requests is known of it.
    pub is_external: bool,
}

impl ProducerTerms {
    /// Those of a client from outside: what it sends in which order, and how often, is its own affair.
    pub fn external(node: NodeId, topic: Arc<str>, acks: Acks) -> Self {
        Self { node, topic, acks, idempotent: false, ordered: false, is_external: true }
    }
}

/// A consumer that is judged.
#[derive(Clone, Debug)]
pub struct ConsumerTerms {
    /// Its node.
    pub node: NodeId,
    /// Its `group.id`; consumers of a group are judged as one reader.
    pub group: Option<Arc<str>>,
    /// The topics that it reads.
    pub topics: Vec<Arc<str>>,
    /// Whether it reads from the beginning (`auto.offset.reset=earliest`); one that does not is not
    /// expected to be handed every record.
    pub from_beginning: bool,
    /// `isolation.level=read_committed`: it is to see no record of a transaction that is not committed.
    pub read_committed: bool,
    /// `max.poll.interval.ms`: how long it may take to join its group again.
    pub max_poll_interval: Duration,
    /// `metadata.max.age.ms`: after how long it sees new partitions at the latest.
    pub metadata_max_age: Duration,
}

impl ConsumerTerms {
    /// A consumer of a group or alone that reads all of `topics`, with the defaults of Kafka's.
    pub fn new(node: NodeId, group: Option<Arc<str>>, topics: Vec<Arc<str>>) -> Self {
        let default = Duration::from_mins(5);
        Self {
            node,
            group,
            topics,
            from_beginning: true,
            read_committed: false,
            max_poll_interval: default,
            metadata_max_age: default,
        }
    }
}

/// What a topic was configured to promise.
#[derive(Clone, Debug)]
pub struct TopicTerms {
    /// Its name.
    pub name: Arc<str>,
    /// `min.insync.replicas`
    pub min_insync_replicas: u32,
    /// `unclean.leader.election.enable`
    pub unclean_leader_election: bool,
    /// The replicas of each partition; empty when they are not planned.
    pub assignment: Vec<Vec<BrokerId>>,
}

/// Who takes part in a run, and what was promised.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The names of nodes.
    pub roster: Roster,
    /// Which node is which broker.
    pub brokers: Vec<(BrokerId, NodeId)>,
    /// The release that is simulated.
    pub kafka: KafkaVersion,
    /// The topics of the scenario.
    pub topics: Vec<TopicTerms>,
    /// The producers.
    pub producers: Vec<ProducerTerms>,
    /// The consumers.
    pub consumers: Vec<ConsumerTerms>,
    /// The node that creates the scenario's topics, and exits when they exist.
    pub admin: Option<NodeId>,
    /// The nodes on which an operator runs commands.
    pub commands: Vec<NodeId>,
    /// `localSessionsEnabled`: ZooKeeper servers may have sessions of their own, which are in no tree.
    pub local_sessions: bool,
    /// Whether acknowledged records may be lost (with it: be skipped by readers, be gone after reading).
    pub acknowledged_loss: Permission,
    /// The longest time that a producer, or a partition that something waits in, may be without an acknowledgement, if
    /// there is a limit.
    pub unavailability_max: Option<Duration>,
    /// What must have happened for the run to say anything.
    pub expected: Vec<Happening>,
    /// What must not have happened.
    pub never: Vec<Happening>,
    /// How often what may happen, in which partition and when.
    pub wanted: Vec<Wanted>,
    /// The longest that acknowledgements may take, by the share of them in thousandths.
    pub latency_max: Vec<(u64, Duration)>,
}

impl Terms {
    /// What a topic was configured to promise, if the scenario says so.
    pub fn topic(&self, name: &str) -> Option<&TopicTerms> {
        self.topics.iter().find(|topic| &*topic.name == name)
    }

    /// The replicas that are planned for a partition; none for one that is not of the scenario.
    pub fn assignment(&self, at: &TopicPartition) -> &[BrokerId] {
        let topic = self.topic(&at.topic).map_or(&[][..], |topic| &topic.assignment);
        let index = usize::try_from(at.partition).ok();
        index.and_then(|index| topic.get(index)).map_or(&[], |replicas| replicas)
    }

    /// The broker that runs on a node.
    pub fn broker_at(&self, node: NodeId) -> Option<BrokerId> {
        self.brokers.iter().find(|(_, at)| *at == node).map(|&(id, _)| id)
    }

    /// The node that a broker runs on; `None` for one that is not of the cluster.
    pub fn node_of(&self, broker: BrokerId) -> Option<NodeId> {
        self.brokers.iter().find(|(id, _)| *id == broker).map(|&(_, node)| node)
    }

    /// Whether logs in sync may disagree, and be cut where they agree. Before 2.1 (KIP-320) the release's own
    /// protocol lets them: followers cut to their high watermark (before 0.11), or ask leaders of other epochs
    /// than they think. What is lost by it is reported as lost; the way there is only counted.
    pub fn disagreement(&self) -> Permission {
        if self.kafka.truncation() < Truncation::Kip320 {
            Permission::Permitted
        } else {
            self.acknowledged_loss
        }
    }

    /// Whether the consumer on a node reads with `isolation.level=read_committed`.
    pub fn reads_committed(&self, node: NodeId) -> bool {
        self.consumers.iter().any(|consumer| consumer.node == node && consumer.read_committed)
    }

    /// The name of a node.
    pub fn name(&self, node: NodeId) -> Arc<str> {
        self.roster.name(node).clone()
    }

    /// The name of a broker's node; `broker 7` for one that is not of the cluster.
    pub fn broker(&self, broker: BrokerId) -> Arc<str> {
        let node = self.node_of(broker);
        node.map_or_else(|| format!("broker {broker}").into(), |node| self.name(node))
    }

    /// The names of brokers.
    pub fn broker_names(&self, brokers: &[BrokerId]) -> Vec<Arc<str>> {
        brokers.iter().map(|&broker| self.broker(broker)).collect()
    }
}
