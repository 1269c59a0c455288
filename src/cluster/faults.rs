//! Faults of the plan, played: roles become nodes, and the world changes.

use std::collections::BTreeSet;

use super::Cluster;
use super::changed::{Changed, ClusterWorld, Done};
use super::timeline::Due;
use crate::model::Reader;
use crate::nodes::broker::group::partition_of;
use crate::nodes::broker::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::scenario::faults::{
    ClockStep, ConnectionReset, Direction, NetworkPartition, OneWayCut, Slow, SlowDisk, Undo,
};
use crate::scenario::{Action, Fault, Target};
use crate::substrate::World;
use crate::vocab::{BrokerId, NodeId, TopicPartition};

/// How many groups' places there are.
const OFFSETS_PARTITIONS: &str = "offsets.topic.num.partitions";
const TRANSACTIONS_PARTITIONS: &str = "transaction.state.log.num.partitions";

impl<R: Reader> Cluster<'_, R> {
    /// Fires the plan's fault of that index.
    pub fn fire(&mut self, index: usize) {
        let fault = &self.plan.faults[index];
        let named = fault.targets.iter().cloned().chain(fault.action.others());
        let resolved: Vec<(Target, String)> =
            named.map(|target| (target.clone(), self.list(&self.resolve(&target)))).collect();
        let nodes = self.resolve_all(&fault.targets);
        let text = describe(fault, &resolved);
        let now = self.world.now();
        self.world.observer_mut().fault(now, &text, &nodes);
        let idle = self.finds_nothing(fault, &nodes);
        let changed = self.inject(&fault.action, &nodes);
        let same =
            |other: &Fault| (&other.action, &other.targets) == (&fault.action, &fault.targets);
        let number = self.plan.faults.iter().position(same).unwrap_or(index);
        self.world.observer_mut().effect(number, idle.as_deref());
        self.outstanding.extend(&changed);
        if let (Some(after), Some(undo)) = (fault.undo_after, fault.action.kind().undone.by()) {
            // A client that has not begun begins at its own time, and not because a fault is undone.
            let nodes = match undo {
                Undo::Restart => nodes.into_iter().filter(|&at| self.world.has_run(at)).collect(),
                Undo::Resume | Undo::Heal => nodes,
            };
            self.timeline.add(now + after, Due::Undo(Done { undo, nodes, changed }));
        }
    }

    /// Why a fault is to have no effect on `nodes` at this moment, if so: in a clause.
    fn finds_nothing(&self, fault: &Fault, nodes: &[NodeId]) -> Option<String> {
        let no_node = |targets: &[Target]| {
            let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
            (self.resolve_all(targets).is_empty() && !targets.is_empty())
                .then(|| format!("no node was {}", names.join(" or ")))
        };
        let world = &self.world;
        let all = |is: &dyn Fn(NodeId) -> bool, what: &str| {
            nodes.iter().all(|&node| is(node)).then(|| format!("{} {what}", self.list(nodes)))
        };
        let missing = no_node(&fault.targets).or_else(|| no_node(&fault.action.others()));
        missing.or_else(|| match &fault.action {
            Action::Crash(_) | Action::CleanShutdown(_) => {
                all(&|node| !world.is_running(node), "did not run")
            }
            Action::Pause(_) => {
                all(&|node| !world.is_running(node) || world.is_paused(node), "did not run")
            }
            Action::PowerLoss(_) => all(&|node| !world.has_power(node), "had no power"),
            Action::Restart(_) => all(&|node| world.is_running(node), "ran already"),
            Action::ConnectionReset(ConnectionReset { to }) => {
                let others = self.others(nodes, to.as_deref());
                all(
                    &|node| !others.iter().any(|&it| world.are_connected(node, it)),
                    "had no connection",
                )
            }
            Action::NetworkPartition(NetworkPartition { from, .. }) => {
                let others = self.others(nodes, from.as_deref());
                others.is_empty().then(|| "there was no other node".to_owned())
            }
            Action::OneWayCut(_) | Action::Slow(_) | Action::SlowDisk(_) | Action::ClockStep(_) => {
                None
            }
        })
    }

    /// Does what the fault says to `nodes`; returns what it changed in the world and does not end by itself.
    fn inject(&mut self, action: &Action, nodes: &[NodeId]) -> Vec<Changed> {
        let each = nodes.iter().copied();
        match action {
            Action::Crash(_) => self.stop(nodes, World::crash),
            Action::PowerLoss(_) => self.stop(nodes, World::power_loss),
            Action::CleanShutdown(_) => self.stop(nodes, World::shutdown),
            Action::Restart(_) => {
                for node in each {
                    if self.world.has_run(node) && !self.world.is_running(node) {
                        self.world.start(node);
                    }
                }
                Vec::new()
            }
            Action::Pause(_) => {
                let pause = |node| {
                    self.world.pause(node);
                    Changed::Paused(node)
                };
                each.map(pause).collect()
            }
            Action::NetworkPartition(NetworkPartition { from, direction }) => {
                let links = links(nodes, &self.others(nodes, from.as_deref()), *direction);
                self.cut(&links)
            }
            Action::OneWayCut(OneWayCut { to }) => {
                let links = links(nodes, &self.others(nodes, Some(to)), Direction::Out);
                self.cut(&links)
            }
            Action::Slow(Slow { to, latency }) => {
                let links = links(nodes, &self.others(nodes, to.as_deref()), Direction::Both);
                let slow = |(from, to)| {
                    self.world.slow(from, to, *latency);
                    Changed::Slowed(from, to)
                };
                links.into_iter().map(slow).collect()
            }
            Action::ConnectionReset(ConnectionReset { to }) => {
                let others = self.others(nodes, to.as_deref());
                for node in each {
                    others.iter().for_each(|&other| self.world.reset(node, other));
                }
                Vec::new()
            }
            Action::SlowDisk(disk) => each.map(|node| self.slow_disk(node, disk)).collect(),
            Action::ClockStep(ClockStep { step_ms }) => {
                each.for_each(|node| self.step_clock(node, *step_ms));
                Vec::new()
            }
        }
    }

    fn stop(
        &mut self,
        nodes: &[NodeId],
        stop: fn(&mut ClusterWorld<R>, NodeId) -> bool,
    ) -> Vec<Changed> {
        let nodes = nodes.iter().copied();
        let nodes: Vec<NodeId> = nodes.filter(|&node| self.world.has_run(node)).collect();
        nodes.iter().for_each(|&node| _ = stop(&mut self.world, node));
        nodes.into_iter().map(Changed::Stopped).collect()
    }

    fn cut(&mut self, links: &[(NodeId, NodeId)]) -> Vec<Changed> {
        let cut = |&(from, to)| {
            self.world.cut(from, to);
            Changed::Cut(from, to)
        };
        links.iter().map(cut).collect()
    }

    fn slow_disk(&mut self, node: NodeId, disk: &SlowDisk) -> Changed {
        if let Some(write) = disk.write {
            self.world.slow_disk(node, write);
        }
        if let Some(fsync) = disk.fsync {
            self.world.set_fsync(node, fsync.low..=fsync.high);
        }
        Changed::Disk(node)
    }

    /// Steps a wall clock from what it shows: steps add up.
    fn step_clock(&mut self, node: NodeId, step_ms: i64) {
        let offset = self.wall_offsets_ms.entry(node).or_default();
        *offset = offset.saturating_add(step_ms);
        self.world.set_wall(node, *offset);
    }

    /// The nodes that a fault has besides its own: those of `targets`, or else all.
    fn others(&self, nodes: &[NodeId], targets: Option<&[Target]>) -> Vec<NodeId> {
        let mut others = match targets {
            Some(targets) => self.resolve_all(targets),
            None => self.names.roster.nodes().map(|(node, _)| node).collect(),
        };
        let nodes: BTreeSet<NodeId> = nodes.iter().copied().collect();
        others.retain(|node| !nodes.contains(node));
        others
    }

    /// Names of nodes, for the history.
    pub fn list(&self, nodes: &[NodeId]) -> String {
        let names: Vec<&str> = nodes.iter().map(|&node| &**self.names.roster.name(node)).collect();
        // The history has this word, and so has its fingerprint: another would change stored ones.
        if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
    }

    fn resolve_all(&self, targets: &[Target]) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = targets.iter().flat_map(|at| self.resolve(at)).collect();
        let mut seen = BTreeSet::new();
        nodes.retain(|node| seen.insert(*node));
        nodes
    }

    /// The nodes that `target` names at this moment.
    fn resolve(&self, target: &Target) -> Vec<NodeId> {
        let model = self.model();
        match target {
            Target::Node(name) => self.names.roster.find(name).into_iter().collect(),
            Target::Brokers => self.names.brokers.clone(),
            Target::ZooKeepers => self.names.zookeepers.clone(),
            Target::ZooKeeperLeader => model.ensemble.leader().into_iter().collect(),
            Target::ZooKeeperFollower(k) => {
                let leader = model.ensemble.leader();
                let servers = self.names.zookeepers.iter();
                let mut followers = servers.filter(|&&node| Some(node) != leader);
                followers.nth(k.saturating_sub(1)).copied().into_iter().collect()
            }
            Target::Coordinator(group) => {
                let partitions = self.plan.brokers[0].properties.int(OFFSETS_PARTITIONS);
                let partitions = i32::try_from(partitions).expect("it is an int of Kafka's");
                let at = TopicPartition::new(OFFSETS_TOPIC, partition_of(group, partitions));
                let leader = model.reported.of(&at).and_then(|partition| partition.leader);
                leader.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
            Target::TransactionCoordinator(id) => {
                let partitions =
                    self.plan.brokers[0].properties.optional_int(TRANSACTIONS_PARTITIONS);
                let partitions = partitions.and_then(|count| i32::try_from(count).ok());
                let at = TopicPartition::new(
                    TRANSACTIONS_TOPIC,
                    partition_of(id, partitions.unwrap_or(1)),
                );
                let leader = model.reported.of(&at).and_then(|partition| partition.leader);
                leader.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
            Target::Controller => model.brokers.controller().into_iter().collect(),
            Target::Leader(at) => {
                let leader = model.reported.of(at).and_then(|partition| partition.leader);
                leader.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
            Target::Follower(at, k) => {
                let follower = model.reported.of(at).and_then(|partition| {
                    let followers =
                        partition.assignment.iter().filter(|&&id| Some(id) != partition.leader);
                    followers.copied().nth(k.saturating_sub(1))
                });
                follower.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
        }
    }

    /// The node of the broker with that id.
    pub fn broker_node(&self, id: BrokerId) -> Option<NodeId> {
        let index = self.plan.brokers.iter().position(|broker| broker.id == id)?;
        Some(self.names.brokers[index])
    }
}

/// Directed links, from sender to receiver, between two groups of nodes.
fn links(nodes: &[NodeId], others: &[NodeId], direction: Direction) -> Vec<(NodeId, NodeId)> {
    let (out, back) = match direction {
        Direction::Both => (true, true),
        Direction::In => (false, true),
        Direction::Out => (true, false),
    };
    let mut links = Vec::new();
    for &node in nodes {
        for &other in others.iter().filter(|&&other| other != node) {
            if out {
                links.push((node, other));
            }
            if back {
                links.push((other, node));
            }
        }
    }
    links
}

/// A fault in one line, with every role followed by the node that has it: `crash leader(orders-0) = b2`.
fn describe(fault: &Fault, resolved: &[(Target, String)]) -> String {
    let mut text = fault.to_string();
    for (target, names) in resolved.iter().filter(|(target, _)| !target.is_fixed()) {
        let role = target.to_string();
        text = text.replacen(&role, &format!("{role} = {names}"), 1);
    }
    text
}

#[cfg(test)]
mod tests;
