//! Drawing a plan from a scenario and a seed.
//!
//! Each thing that is drawn has a stream of its own (`plan/fault/0`, `plan/producer/p0`,
//! `plan/topic/orders`), so that one more fault, client or topic moves none of the others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults::{Action, Fault, Target};
use super::plan::{
    BrokerPlan, CommandPlan, ConsumerPlan, DiskPlan, Expect, NetworkPlan, Plan, ProducerPlan,
    TopicPlan, ZooKeeperClientPlan, ZooKeeperPlan,
};
use super::properties::{Properties, Value};
use super::quantity::{DurationRange, Latency};
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerId, Mutant, Seed, Stream, Time, TopicsCommand};

/// What a scenario file says, checked, with its ranges still open.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub(super) file_name: String,
    pub(super) about: String,
    pub(super) kafka: KafkaVersion,
    pub(super) mutant: Option<Mutant>,
    pub(super) duration: Duration,
    pub(super) brokers: usize,
    pub(super) zookeepers: usize,
    pub(super) supervisor: Option<Duration>,
    pub(super) start_up: Latency,
    pub(super) broker_properties: Properties,
    pub(super) zookeeper_properties: Properties,
    pub(super) topics: Vec<TopicSpec>,
    pub(super) producers: Vec<ClientSpec<ProducerPlan>>,
    pub(super) consumers: Vec<ClientSpec<ConsumerPlan>>,
    pub(super) network: NetworkPlan,
    pub(super) disk: DiskPlan,
    pub(super) faults: Vec<FaultSpec>,
    pub(super) commands: Vec<CommandSpec>,
    pub(super) zookeeper_clients: Vec<ClientSpec<ZooKeeperClientPlan>>,
    pub(super) expect: Expect,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TopicSpec {
    pub name: String,
    pub partitions: usize,
    pub replication_factor: usize,
    /// `None` is drawn by Kafka's rule.
    pub assignment: Option<Vec<Vec<BrokerId>>>,
    pub set: BTreeMap<String, Value>,
}

/// A client whose times are not drawn yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClientSpec<P> {
    pub plan: P,
    pub start: DurationRange,
    pub stop: DurationRange,
}

/// When something happens, not drawn yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    /// The first time, since the start of the run.
    pub at: DurationRange,
    /// How often.
    pub times: u32,
    /// Between two of the `times`; there if there are two.
    pub every: Option<DurationRange>,
}

impl Schedule {
    /// The latest moment of its last time.
    pub fn last(&self) -> Duration {
        self.every.map_or(self.at.high, |every| self.at.high + every.high * (self.times - 1))
    }

    fn draw(&self, stream: &mut Stream) -> Vec<Time> {
        let mut at = Time::ZERO + self.at.draw(stream);
        let mut all = vec![at];
        if let Some(every) = self.every {
            for _ in 1..self.times {
                at += every.draw(stream);
                all.push(at);
            }
        }
        all
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct FaultSpec {
    pub schedule: Schedule,
    pub action: Action,
    pub targets: Vec<Target>,
    pub undo_after: Option<DurationRange>,
}

/// A command whose times are not drawn yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CommandSpec {
    pub schedule: Schedule,
    pub run: String,
    pub command: TopicsCommand,
}

/// The node of the command of that number, from 1.
pub(super) fn shell(number: usize) -> String {
    format!("shell-{number}")
}

impl Scenario {
    /// The file's name, as it was given to [`parse`](super::parse).
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The comment at the start of the file: what the scenario shows, in prose.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Draws everything that is left to chance.
    pub fn plan(&self, seed: Seed) -> Plan {
        let zookeeper = |id| ZooKeeperPlan {
            name: format!("z{id}"),
            properties: self.zookeeper_properties.clone(),
        };
        let broker = |id: BrokerId| BrokerPlan {
            name: format!("b{id}"),
            id,
            properties: self.broker_properties.clone(),
        };
        let producer = |spec: &ClientSpec<ProducerPlan>| {
            let mut stream = seed.stream(&format!("plan/producer/{}", spec.plan.name));
            let start = Time::ZERO + spec.start.draw(&mut stream);
            let stop = Time::ZERO + spec.stop.draw(&mut stream);
            ProducerPlan { start, stop, ..spec.plan.clone() }
        };
        let consumer = |spec: &ClientSpec<ConsumerPlan>| {
            let mut stream = seed.stream(&format!("plan/consumer/{}", spec.plan.name));
            ConsumerPlan { start: Time::ZERO + spec.start.draw(&mut stream), ..spec.plan.clone() }
        };
        let zookeeper_client = |spec: &ClientSpec<ZooKeeperClientPlan>| {
            let name = &spec.plan.name;
            // The stream keeps its first name: another would move every stored seed.
            let mut stream = seed.stream(&format!("plan/coordinator-client/{name}"));
            let start = Time::ZERO + spec.start.draw(&mut stream);
            let stop = Time::ZERO + spec.stop.draw(&mut stream);
            ZooKeeperClientPlan { start, stop, ..spec.plan.clone() }
        };
        let zookeeper_clients = self.zookeeper_clients.iter().map(zookeeper_client);
        Plan {
            scenario: self.file_name.clone(),
            seed,
            kafka: self.kafka,
            mutant: self.mutant,
            duration: self.duration,
            supervisor: self.supervisor,
            start_up: self.start_up,
            zookeepers: (1..=self.zookeepers).map(zookeeper).collect(),
            brokers: self.broker_ids().into_iter().map(broker).collect(),
            topics: self.topics.iter().map(|topic| self.topic(seed, topic)).collect(),
            producers: self.producers.iter().map(producer).collect(),
            consumers: self.consumers.iter().map(consumer).collect(),
            network: self.network.clone(),
            disk: self.disk.clone(),
            faults: self.draw_faults(seed),
            commands: self.draw_commands(seed),
            zookeeper_clients: zookeeper_clients.collect(),
            expect: self.expect.clone(),
        }
    }

    fn broker_ids(&self) -> Vec<BrokerId> {
        let last = i32::try_from(self.brokers).expect("the number of brokers is limited");
        (1..=last).map(BrokerId).collect()
    }

    fn topic(&self, seed: Seed, spec: &TopicSpec) -> TopicPlan {
        let assignment = spec.assignment.clone().unwrap_or_else(|| {
            let mut stream = seed.stream(&format!("plan/topic/{}", spec.name));
            assign(&self.broker_ids(), spec.partitions, spec.replication_factor, &mut stream)
        });
        let text = |(name, value): (&String, &Value)| (name.clone(), value.to_string());
        TopicPlan {
            name: spec.name.clone(),
            assignment,
            overrides: spec.set.iter().map(text).collect(),
            properties: Properties::of_topic(&self.broker_properties, &spec.set),
        }
    }

    fn draw_faults(&self, seed: Seed) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, spec) in self.faults.iter().enumerate() {
            let stream = |what| seed.stream(&format!("plan/fault/{index}/{what}"));
            let (mut at_stream, mut undo_stream) = (stream("at"), stream("undo"));
            for at in spec.schedule.draw(&mut at_stream) {
                faults.push(Fault {
                    at,
                    action: spec.action.clone(),
                    targets: spec.targets.clone(),
                    undo_after: spec.undo_after.map(|after| after.draw(&mut undo_stream)),
                });
            }
        }
        // Stable: faults of one moment stay in the order of the file.
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    fn draw_commands(&self, seed: Seed) -> Vec<CommandPlan> {
        let mut commands = Vec::new();
        for (index, spec) in self.commands.iter().enumerate() {
            let mut stream = seed.stream(&format!("plan/command/{index}/at"));
            for at in spec.schedule.draw(&mut stream) {
                let name = shell(commands.len() + 1);
                let (run, command) = (spec.run.clone(), spec.command.clone());
                commands.push(CommandPlan { name, at, run, command });
            }
        }
        commands
    }
}

/// Kafka's rack-unaware assignment (`AdminUtils.assignReplicasToBrokers`): the first replicas go
/// round the brokers, the others follow at a distance that grows with each round.
fn assign(
    brokers: &[BrokerId],
    partitions: usize,
    replication_factor: usize,
    stream: &mut Stream,
) -> Vec<Vec<BrokerId>> {
    let n = brokers.len();
    assert!(n > 0 && replication_factor <= n, "the scenario was checked for this");
    let mut below_n = || usize::try_from(stream.below(n as u64)).expect("below a usize");
    let (start, mut shift) = (below_n(), below_n());
    let mut all = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        if partition > 0 && partition % n == 0 {
            shift += 1;
        }
        let first = (partition + start) % n;
        let mut replicas = vec![brokers[first]];
        for j in 0..replication_factor - 1 {
            replicas.push(brokers[(first + 1 + (shift + j) % (n - 1)) % n]);
        }
        all.push(replicas);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_distinct_and_leaders_are_spread() {
        let brokers: Vec<BrokerId> = (1..=4).map(BrokerId).collect();
        for seed in 0..50 {
            let mut stream = Seed(seed).stream("test");
            let all = assign(&brokers, 12, 3, &mut stream);
            for replicas in &all {
                let distinct: std::collections::BTreeSet<_> = replicas.iter().collect();
                assert_eq!((replicas.len(), distinct.len()), (3, 3));
            }
            for broker in &brokers {
                assert_eq!(all.iter().filter(|replicas| replicas[0] == *broker).count(), 3);
            }
        }
    }

    #[test]
    fn a_single_broker_holds_everything() {
        let mut stream = Seed(1).stream("test");
        let all = assign(&[BrokerId(1)], 2, 1, &mut stream);
        assert_eq!(all, [[BrokerId(1)], [BrokerId(1)]]);
    }
}
