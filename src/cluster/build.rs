//! Puts the nodes of a plan into a world.

use std::sync::Arc;

use super::accounts::Accounts;
use super::config::{self, Names};
use super::external_clients::ExternalClients;
use super::role::Role;
use super::timeline::Timeline;
use super::{Cluster, ExternalListener, Outside};
use crate::history::Recorder;
use crate::model::{Modelled, Reader};
use crate::nodes::broker::Broker;
use crate::nodes::clients::{Admin, Consumer, Producer, Topics, Znodes, ZookeeperConsumer};
use crate::nodes::zookeeper::ZooKeeperServer;
use crate::scenario::Plan;
use crate::substrate::World;
use crate::vocab::Stream;

/// Record numbers of each life of a producer: no number is used twice, so a record is one operation. More than a
/// simulated life can send.
const RECORDS_PER_LIFE: u64 = 1_000_000_000;

/// Adds the ZooKeeper servers and the brokers.
fn add_servers<R: Reader>(
    world: &mut World<Role, Recorder<Modelled<R>>>,
    plan: &Plan,
    names: &Names,
    listeners: Option<&[ExternalListener]>,
) {
    for (index, server) in plan.zookeepers.iter().enumerate() {
        let config = config::zookeeper(plan, index, names);
        // The stream keeps its first name: another would move every stored seed.
        let mut streams = Lives::new(plan, "coordinator", &server.name);
        let boot = move || {
            let stream = streams.next();
            let mut config = config.clone();
            config.tick_phase_ms = stream.below_name("ticks").below(config.tick_ms.into());
            ZooKeeperServer::new(config, stream)
        };
        add(world, &server.name, boot, |role| Role::ZooKeeper(Box::new(role)));
    }
    for broker in &plan.brokers {
        let listener =
            listeners.and_then(|listeners| listeners.iter().find(|l| l.server == broker.name));
        let config = config::broker(plan, broker, names, listener);
        let roster = names.roster.clone();
        let mut streams = Lives::new(plan, "broker", &broker.name);
        let boot = move || {
            let mut config = config.clone();
            config.was_up = streams.lives == 0;
            Broker::new(config, roster.clone(), streams.next())
        };
        add(world, &broker.name, boot, |role| Role::Broker(Box::new(role)));
    }
    let start_up = plan.start_up.low..=plan.start_up.high;
    names.brokers.iter().for_each(|broker| world.set_start_up(*broker, &start_up));
}

impl<'p, R: Reader> Cluster<'p, R> {
    /// The cluster of `plan`, with nothing started, and with external clients when there is an outside.
    pub fn new(plan: &'p Plan, recorder: Recorder<Modelled<R>>, outside: Option<&Outside>) -> Self {
        let names = if outside.is_some() { Names::with_outside(plan) } else { Names::of(plan) };
        let wall_epoch_ms = outside.and_then(|outside| outside.wall_epoch_ms);
        let mut world = World::new(plan.seed, config::world(plan, wall_epoch_ms), recorder);
        add_servers(&mut world, plan, &names, outside.map(|outside| &*outside.listeners));
        let (config, roster) = (config::admin(plan, &names), names.roster.clone());
        let mut streams = Lives::new(plan, "client", "admin");
        let boot = move || Admin::new(config.clone(), roster.clone(), streams.next());
        add(&mut world, "admin", boot, |role| Role::Admin(Box::new(role)));
        for producer in &plan.producers {
            let config = config::producer(plan, producer, &names);
            let roster = names.roster.clone();
            let mut streams = Lives::new(plan, "workload", &producer.name);
            let boot = move || {
                let mut config = config.clone();
                config.workload.first_record += u64::from(streams.lives) * RECORDS_PER_LIFE;
                Producer::new(config, roster.clone(), streams.next())
            };
            add(&mut world, &producer.name, boot, |role| Role::Producer(Box::new(role)));
        }
        for consumer in &plan.consumers {
            let config = config::consumer(plan, consumer, &names);
            let roster = names.roster.clone();
            let mut streams = Lives::new(plan, "workload", &consumer.name);
            if let Some(old) = &consumer.old {
                let config = config::zookeeper_consumer(config, old, &names);
                let boot =
                    move || ZookeeperConsumer::new(config.clone(), roster.clone(), streams.next());
                let role = |role| Role::ZookeeperConsumer(Box::new(role));
                add(&mut world, &consumer.name, boot, role);
                continue;
            }
            let boot = move || Consumer::new(config.clone(), roster.clone(), streams.next());
            add(&mut world, &consumer.name, boot, |role| Role::Consumer(Box::new(role)));
        }
        for command in &plan.commands {
            let config = config::command(plan, command, &names);
            let roster = names.roster.clone();
            let mut streams = Lives::new(plan, "command", &command.name);
            let boot = move || Topics::new(config.clone(), roster.clone(), streams.next());
            add(&mut world, &command.name, boot, |role| Role::Topics(Box::new(role)));
        }
        for client in &plan.zookeeper_clients {
            let config = config::zookeeper_client(plan, client, &names);
            let mut streams = Lives::new(plan, "workload", &client.name);
            let boot = move || Znodes::new(config.clone(), streams.next());
            add(&mut world, &client.name, boot, |role| Role::Znodes(Box::new(role)));
        }
        if let Some(outside) = names.outside {
            let name = names.roster.name(outside);
            let (brokers, roster) = (names.brokers.clone(), names.roster.clone());
            let kafka = plan.kafka;
            let boot =
                move || ExternalClients::new(brokers.clone(), Accounts::new(roster.clone(), kafka));
            add(&mut world, name, boot, |role| Role::ExternalClients(Box::new(role)));
        }
        Self {
            plan,
            names,
            world,
            timeline: Timeline::default(),
            outstanding: std::collections::BTreeSet::new(),
            wall_offsets_ms: std::collections::BTreeMap::new(),
            is_ready: false,
        }
    }
}

/// The streams of one node's lives: each life has one of its own, so that how much an earlier one drew moves
/// nothing in a later one.
struct Lives {
    seed: crate::vocab::Seed,
    name: Arc<str>,
    lives: u32,
}

impl Lives {
    fn new(plan: &Plan, kind: &str, node: &str) -> Self {
        Self { seed: plan.seed, name: format!("{kind}/{node}").into(), lives: 0 }
    }

    fn next(&mut self) -> Stream {
        self.lives += 1;
        self.seed.stream(&format!("{}/{}", self.name, self.lives))
    }
}

fn add<T, R: Reader>(
    world: &mut World<Role, Recorder<Modelled<R>>>,
    name: &str,
    mut boot: impl FnMut() -> T + 'static,
    wrap: impl Fn(T) -> Role + 'static,
) {
    world.add_node(name, Box::new(move || wrap(boot())));
}
