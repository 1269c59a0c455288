//! A plan: a scenario with everything drawn except what each message and disk operation draws.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::Fault;
use super::properties::Properties;
use super::quantity::{Latency, Rate};
use crate::releases::KafkaVersion;
use crate::vocab::{
    Acks, BrokerId, Happening, Mutant, Ratio, Seed, Time, TopicPattern, TopicsCommand, Wanted,
    run_command,
};

/// After how long a broker whose start failed is started again, unless the scenario says otherwise.
pub const SUPERVISOR: Duration = Duration::from_secs(1);

/// How long a broker that starts again takes until it is registered, unless the scenario says otherwise. Measured: 1 to
/// 1.6 s on an idle machine, 4 to 12 s on a busy one.
pub const START_UP: Latency = Latency { low: Duration::from_secs(1), high: Duration::from_secs(4) };

/// Everything that a run needs besides the code: what the cluster is, what clients do, what goes
/// wrong when. Can be stored, edited, shrunk and replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's file name, as it was given.
    pub scenario: String,
    /// The seed that the plan was drawn from, and that the run draws the rest from.
    pub seed: Seed,
    /// The release that brokers and clients behave like.
    pub kafka: KafkaVersion,
    /// The bug that is planted in the nodes, if any.
    pub mutant: Option<Mutant>,
    /// How long clients write and faults happen. Healing, convergence and the final look come after
    /// it.
    pub duration: Duration,
    /// The ZooKeeper servers.
    pub zookeepers: Vec<ZooKeeperPlan>,
    /// After how long a broker whose start failed is started again; `None` is never.
    pub supervisor: Option<Duration>,
    /// How long a broker that starts again takes to come up.
    pub start_up: Latency,
    /// The brokers, by rising id.
    pub brokers: Vec<BrokerPlan>,
    /// The topics, created before any client starts.
    pub topics: Vec<TopicPlan>,
    /// The producers.
    pub producers: Vec<ProducerPlan>,
    /// The consumers.
    pub consumers: Vec<ConsumerPlan>,
    /// How links are unless a fault says otherwise.
    pub network: NetworkPlan,
    /// How disks are unless a fault says otherwise.
    pub disk: DiskPlan,
    /// What goes wrong, in the order of time.
    pub faults: Vec<Fault>,
    /// What an operator runs.
    pub commands: Vec<CommandPlan>,
    /// Clients of ZooKeeper alone.
    pub zookeeper_clients: Vec<ZooKeeperClientPlan>,
    /// What must, and what must not, have happened in the end.
    pub expect: Expect,
}

impl Plan {
    /// The command that draws this plan from its scenario and runs it.
    pub fn command(&self) -> String {
        run_command(&self.scenario, self.seed, self.mutant)
    }
}

/// A server of ZooKeeper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZooKeeperPlan {
    /// Its node's name: `z1`.
    pub name: String,
    /// The properties of [`ZOOKEEPER`](super::properties::ZOOKEEPER).
    pub properties: Properties,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrokerPlan {
    /// Its node's name: `b1`.
    pub name: String,
    /// `broker.id`: 1 for `b1`.
    pub id: BrokerId,
    /// The properties of [`BROKER`](super::properties::BROKER).
    pub properties: Properties,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// Replicas of each partition, preferred leader first; written in the scenario, or drawn from
    /// the seed by Kafka's own rule.
    pub assignment: Vec<Vec<BrokerId>>,
    /// What it sets itself, as `/config/topics/T` holds it: Kafka's property name to value.
    pub overrides: BTreeMap<String, String>,
    /// All properties of [`TOPIC`](super::properties::TOPIC): its own, or its brokers'.
    pub properties: Properties,
}

/// How a producer finds out who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Discovery {
    /// It asks a broker with a Metadata request, as every client since 0.8.
    Broker,
    /// It reads the partition's state at ZooKeeper.
    ZooKeeper,
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerPlan {
    /// Its node's name and its client id.
    pub name: String,
    /// Where it writes; partitions in turn.
    pub topic: String,
    /// `acks`.
    pub acks: Acks,
    /// How often the application sends a record, whatever happens to earlier ones.
    pub rate: Rate,
    /// Bytes of a record's value; a value that needs more to name its record is longer.
    pub record_size: u64,
    /// When it starts.
    pub start: Time,
    /// When the application sends its last record.
    pub stop: Time,
    /// How it finds the leaders.
    pub discover: Discovery,
    /// `enable.idempotence`
    pub idempotence: bool,
    /// Its transactions, if it has a `transactional.id`.
    pub transactions: Option<TransactionPlan>,
    /// The properties of [`PRODUCER`](super::properties::PRODUCER).
    pub properties: Properties,
}

/// When an application ends its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitEvery {
    /// After so many records.
    Records(u64),
    /// This long after it began.
    Span(Duration),
}

/// The transactions of a producer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionPlan {
    /// `transactional.id`
    pub id: String,
    /// When its application ends a transaction.
    pub commit_every: CommitEvery,
    /// How many transactions its application aborts.
    pub abort_rate: Ratio,
    /// Whether its application starts another producer when its own is fenced.
    pub restart_when_fenced: bool,
    /// The properties of [`TRANSACTIONAL`](super::properties::TRANSACTIONAL).
    pub properties: Properties,
}

/// Where a consumer begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadFrom {
    /// At each partition's first record.
    Beginning,
    /// At what is each partition's end when it starts.
    End,
}

/// When a member of a group commits how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commit {
    /// As `enable.auto.commit` says: from time to time, or never.
    ByClient,
    /// Before it processes what it polled.
    BeforeProcessing,
    /// After it has processed what it polled.
    AfterProcessing,
}

/// A consumer's place in a group, and what its application does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// `group.id`
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// `partition.assignment.strategy`: names of assignors, the preferred first.
    pub strategies: Vec<String>,
    /// When it commits.
    pub commit: Commit,
    /// How long its application takes for a record.
    pub processing: Duration,
    /// The properties of [`MEMBER`](super::properties::MEMBER).
    pub properties: Properties,
}

/// An old consumer's group, which is made of znodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OldConsumerPlan {
    /// `group.id`
    pub group: String,
    /// The properties of [`OLD_CONSUMER`](super::properties::OLD_CONSUMER).
    pub properties: Properties,
}

/// A consumer. Without a group it reads all partitions of its topics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerPlan {
    /// Its node's name and its client id.
    pub name: String,
    /// What it reads; with `matching`, the topics of the scenario that match.
    pub topics: Vec<String>,
    /// A pattern by which it subscribes.
    pub matching: Option<TopicPattern>,
    /// Where it begins; in a group, where nothing is committed.
    pub from: ReadFrom,
    /// Its group, if it is in one.
    pub group: Option<GroupPlan>,
    /// Its group, if it is an old consumer.
    pub old: Option<OldConsumerPlan>,
    /// When it starts.
    pub start: Time,
    /// The properties of [`CONSUMER`](super::properties::CONSUMER).
    pub properties: Properties,
}

/// A command that an operator runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandPlan {
    /// Its node's name: `shell-1`. Every command is a process of its own.
    pub name: String,
    /// When.
    pub at: Time,
    /// The command line, as it was written.
    pub run: String,
    /// The command line, read.
    pub command: TopicsCommand,
}

/// A client that works on znodes of ZooKeeper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZooKeeperClientPlan {
    /// Its node's name.
    pub name: String,
    /// How often it asks for something.
    pub rate: Rate,
    /// How many znodes it works on, together with the others.
    pub znodes: u64,
    /// How often it goes on at another server, on average; never without.
    pub move_every: Option<Duration>,
    /// When it starts.
    pub start: Time,
    /// When it asks for the last time.
    pub stop: Time,
}

/// How links are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// One-way latency, drawn for each message.
    pub latency: Latency,
    /// How likely a message is lost and sent again by TCP.
    pub loss: Ratio,
    /// Bytes per second of each link; `None` is no limit.
    pub bandwidth: Option<u64>,
}

/// How disks are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// How long a write to the page cache takes.
    pub write: Duration,
    /// How long an fsync takes, drawn each time.
    pub fsync: Latency,
}

/// The quantiles that can have a limit, with their share in thousandths.
pub(super) const QUANTILES: [(&str, u64); 3] = [("p50", 500), ("p99", 990), ("max", 1_000)];

/// What a run is compared with at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expect {
    /// What must have happened; a run without it is inconclusive.
    #[serde(with = "happenings")]
    pub happened: Vec<Happening>,
    /// What must not have happened; a run with it fails.
    #[serde(with = "happenings")]
    pub never: Vec<Happening>,
    /// Whether acknowledged records may be missing in the end: what this configuration allows is
    /// counted and shown, but fails no run.
    pub acknowledged_loss_permitted: bool,
    /// How long the healed cluster may take, after `duration`, to have leaders and full in-sync
    /// replicas everywhere.
    pub converge_within: Duration,
    /// The longest time that a producer, or a partition that something waits in, may be without an acknowledgement, if
    /// there is a limit.
    pub unavailable_at_most: Option<Duration>,
    /// How often what may happen, in which partition and when.
    pub wanted: Vec<Wanted>,
    /// The longest that acknowledgements may take, by the share of them in thousandths: 500, 990, 1000.
    pub latency_at_most: Vec<(u64, Duration)>,
}

/// Happenings by name, so that a stored plan does not depend on the order of the list.
mod happenings {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::vocab::Happening;

    pub fn serialize<S: Serializer>(list: &[Happening], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|happening| happening.name()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Happening>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}
