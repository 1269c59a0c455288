//! Faults: roles resolved, effects done to the world, and undone.

use super::Cluster;
use super::timeline::{self, Done, Due};
use crate::history::Subscriber;
use crate::scenario::{Action, Target};
use crate::vocab::{BrokerId, NodeId, Time};

impl<S: Subscriber> Cluster<'_, S> {
    /// Fires the plan's fault of that index.
    pub fn fire(&mut self, index: usize) {
        let fault = &self.plan.faults[index];
        let named =
            fault.targets.iter().chain(timeline::others(&fault.action).into_iter().flatten());
        let resolved: Vec<(Target, String)> =
            named.map(|target| (target.clone(), self.name_all(target))).collect();
        let nodes = self.resolve_all(&fault.targets);
        let others = match timeline::others(&fault.action) {
            Some(targets) => self.resolve_all(targets),
            None => self.names.roster.nodes().map(|(node, _)| node).collect(),
        };
        let others: Vec<NodeId> = others.into_iter().filter(|node| !nodes.contains(node)).collect();
        let text = timeline::describe(fault, &resolved);
        let now = self.world.now();
        self.world.observer_mut().recorder.fault(now, &text, &nodes);
        let links = timeline::links(&fault.action, &nodes, &others);
        self.inject(&fault.action, &nodes, &others, &links);
        if let Some(after) = fault.undo_after {
            let done = Done { fault: index, nodes, links };
            self.timeline.add(self.world.now() + after, Due::Undo(done));
        }
    }

    /// Undoes a fault for those that it was done to.
    pub fn undo(&mut self, done: Done) {
        let fault = &self.plan.faults[done.fault];
        let Some(verb) = fault.action.undone_by() else { return };
        let names = self.list(&done.nodes);
        let (now, text) = (self.world.now(), format!("{verb} {names}"));
        self.world.observer_mut().recorder.undone(now, &text, &done.nodes);
        for &(from, to) in &done.links {
            match fault.action {
                Action::Slow { .. } => self.world.slow(from, to, std::time::Duration::ZERO),
                _ => self.world.heal(from, to),
            }
        }
        for &node in &done.nodes {
            match fault.action {
                Action::Crash | Action::PowerLoss | Action::Shutdown => self.world.restart(node),
                Action::Pause => {
                    self.world.resume(node);
                }
                Action::SlowDisk { .. } => self.restore_disk(node),
                _ => {}
            }
        }
    }

    /// Undoes, at the end of the first phase, every fault that is still to be undone.
    pub fn heal(&mut self) {
        while let Some((_, due)) = self.timeline.pop(Time::MAX) {
            if let Due::Undo(done) = due {
                self.undo(done);
            }
        }
        let nodes: Vec<NodeId> = self.names.roster.nodes().map(|(node, _)| node).collect();
        for &node in &nodes {
            self.world.resume(node);
            for &other in nodes.iter().filter(|&&other| other != node) {
                self.world.heal(node, other);
                self.world.slow(node, other, std::time::Duration::ZERO);
            }
            self.restore_disk(node);
        }
    }

    fn restore_disk(&mut self, node: NodeId) {
        let disk = &self.plan.disk;
        self.world.slow_disk(node, disk.write);
        self.world.set_fsync(node, disk.fsync.low..=disk.fsync.high);
    }

    fn inject(
        &mut self,
        action: &Action,
        nodes: &[NodeId],
        others: &[NodeId],
        links: &[(NodeId, NodeId)],
    ) {
        if let Action::Clock { step_ms } = action {
            return self.step_clocks(nodes, *step_ms);
        }
        let world = &mut self.world;
        for &(from, to) in links {
            match action {
                Action::Slow { latency, .. } => world.slow(from, to, *latency),
                _ => world.cut(from, to),
            }
        }
        for &node in nodes {
            match action {
                Action::Crash => {
                    world.crash(node);
                }
                Action::PowerLoss => {
                    world.power_loss(node);
                }
                Action::Shutdown => {
                    world.shutdown(node);
                }
                Action::Restart if !world.is_running(node) => world.restart(node),
                Action::Pause => {
                    world.pause(node);
                }
                Action::Reset { .. } => {
                    for &other in others {
                        world.reset(node, other);
                    }
                }
                Action::SlowDisk { write, fsync } => {
                    if let Some(write) = write {
                        world.slow_disk(node, *write);
                    }
                    if let Some(fsync) = fsync {
                        world.set_fsync(node, fsync.low..=fsync.high);
                    }
                }
                Action::Restart
                | Action::Clock { .. }
                | Action::Partition { .. }
                | Action::Cut { .. }
                | Action::Slow { .. } => {}
            }
        }
    }

    /// Steps wall clocks from where they stand: steps add up.
    fn step_clocks(&mut self, nodes: &[NodeId], step_ms: i64) {
        for &node in nodes {
            let offset = self.wall_offsets_ms.entry(node).or_default();
            *offset = offset.saturating_add(step_ms);
            self.world.set_wall(node, *offset);
        }
    }

    fn list(&self, nodes: &[NodeId]) -> String {
        let names: Vec<&str> = nodes.iter().map(|&node| &**self.names.roster.name(node)).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
    }

    fn name_all(&self, target: &Target) -> String {
        self.list(&self.resolve(target))
    }

    fn resolve_all(&self, targets: &[Target]) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for node in targets.iter().flat_map(|target| self.resolve(target)) {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }

    /// The nodes that `target` names at this moment.
    fn resolve(&self, target: &Target) -> Vec<NodeId> {
        let view = &self.world.observer().view;
        match target {
            Target::Node(name) => self.names.roster.find(name).into_iter().collect(),
            Target::Brokers => self.names.brokers.clone(),
            Target::ZooKeepers => self.names.zookeepers.clone(),
            Target::ZooKeeperLeader => self.zookeeper_leader().into_iter().collect(),
            Target::ZooKeeperFollower(k) => {
                let leader = self.zookeeper_leader();
                let servers = self.names.zookeepers.iter();
                let mut followers = servers.filter(|&&node| Some(node) != leader);
                followers.nth(k.saturating_sub(1)).copied().into_iter().collect()
            }
            Target::Controller => view.controller().into_iter().collect(),
            Target::Leader(at) => {
                let leader = view.partition(at).and_then(|partition| partition.leader);
                leader.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
            Target::Follower(at, k) => {
                let follower = view.partition(at).and_then(|partition| {
                    let followers =
                        partition.assignment.iter().filter(|&&id| Some(id) != partition.leader);
                    followers.copied().nth(k.saturating_sub(1))
                });
                follower.and_then(|id| self.broker_node(id)).into_iter().collect()
            }
        }
    }

    /// The server that leads the ensemble, as far as the history tells.
    fn zookeeper_leader(&self) -> Option<NodeId> {
        match &self.names.zookeepers[..] {
            [only] => Some(*only),
            _ => self.world.observer().view.zookeeper(),
        }
    }

    /// The node of the broker with that id.
    pub fn broker_node(&self, id: BrokerId) -> Option<NodeId> {
        let index = self.plan.brokers.iter().position(|broker| broker.id == id)?;
        Some(self.names.brokers[index])
    }
}
