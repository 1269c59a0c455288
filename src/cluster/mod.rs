//! The joints: nodes from a plan, put into the world; the faults of the plan played; the end looked at.
//!
//! A run has two phases. Until the plan's `duration` anything goes. Then clients stop, whatever a fault still
//! holds up is healed, and the cluster must converge within the plan's budget: leaders and full in-sync
//! replicas everywhere, nothing in flight, every consumer at the end of the log. Brokers that a fault stopped
//! for good stay stopped.

mod accounts;
mod build;
mod changed;
mod config;
mod convergence;
mod conversation;
mod external_clients;
mod facts;
mod faults;
mod heal;
mod live;
mod role;
mod terms;
mod timeline;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::history::Recorder;
use crate::model::{Missing, Model, Modelled, Reader};
use crate::scenario::Plan;
use crate::substrate::World;
use crate::vocab::{NodeId, Time};
use changed::Changed;
pub use config::Names;
pub use external_clients::{Inbound, News, Visitor};
pub use live::{ExternalListener, Live, Outside};
use role::Role;
pub use terms::terms;
use timeline::{Due, Timeline};

/// Time between two checks of whether the topics are ready, and of whether the cluster has converged.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is left of a run.
pub struct Played<R> {
    /// The recorder, with the model of everything that happened.
    pub recorder: Recorder<Modelled<R>>,
    /// What kept the cluster from converging, if it did not.
    pub unconverged: Option<Missing>,
    /// When the cluster had converged, or was given up.
    pub ended: Time,
    /// How many events the world processed.
    pub world_events: u64,
}

/// A cluster that is being played.
struct Cluster<'p, R: Reader> {
    plan: &'p Plan,
    names: Names,
    world: World<Role, Recorder<Modelled<R>>>,
    timeline: Timeline,
    /// What faults changed and nothing has undone.
    outstanding: BTreeSet<Changed>,
    /// How far faults have stepped wall clocks.
    wall_offsets_ms: BTreeMap<NodeId, i64>,
    /// Whether the topics exist and the clients are on the timeline.
    is_ready: bool,
}

impl<R: Reader> Cluster<'_, R> {
    /// The state of the cluster, as the history shows it.
    fn model(&self) -> &Model {
        &self.world.observer().subscriber().model
    }

    /// The second phase, and the look at what is left.
    fn finish(mut self) -> Played<R> {
        self.heal();
        let unconverged = self.converge();
        self.tell_facts(unconverged.as_ref());
        Played {
            unconverged,
            ended: self.world.now(),
            world_events: self.world.events(),
            recorder: self.world.into_observer(),
        }
    }

    fn start_servers(&mut self) {
        let servers = self.names.zookeepers.iter().chain(&self.names.brokers).copied();
        let others = std::iter::once(self.names.admin).chain(self.names.outside);
        for node in servers.chain(others).collect::<Vec<NodeId>>() {
            self.world.start(node);
        }
        for (index, fault) in self.plan.faults.iter().enumerate() {
            self.timeline.add(fault.at, Due::Fire(index));
        }
        for (&node, command) in self.names.commands.iter().zip(&self.plan.commands) {
            self.timeline.add(command.at, Due::Start(node));
        }
    }

    /// Lets time pass up to `until`, with what is due on the way.
    fn advance(&mut self, until: Time) {
        while let Some((at, due)) = self.timeline.pop(until) {
            self.world.run_until(at);
            match due {
                Due::Start(node) => {
                    self.world.start(node);
                }
                Due::Fire(fault) => self.fire(fault),
                Due::Undo(done) => self.undo(done),
            }
        }
        self.world.run_until(until);
    }

    /// Clients begin when the topics are created, or at their own start, whichever is later.
    fn start_clients_once_topics_stand(&mut self) {
        if self.is_ready || self.world.is_running(self.names.admin) {
            return;
        }
        self.is_ready = true;
        let now = self.world.now();
        let producers =
            self.names.producers.iter().zip(self.plan.producers.iter().map(|p| p.start));
        let consumers =
            self.names.consumers.iter().zip(self.plan.consumers.iter().map(|c| c.start));
        let others = self.plan.zookeeper_clients.iter().map(|c| c.start);
        let others = self.names.zookeeper_clients.iter().zip(others);
        for (&node, start) in consumers.chain(producers).chain(others) {
            self.timeline.add(start.max(now), Due::Start(node));
        }
    }
}
