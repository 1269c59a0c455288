//! What a node of a simulated cluster can be.

use super::external_clients::ExternalClients;
use crate::history::Observation;
use crate::nodes::Effects;
use crate::nodes::broker::Broker;
use crate::nodes::clients::{Admin, Consumer, Producer, Topics, Znodes, ZookeeperConsumer};
use crate::nodes::zookeeper::ZooKeeperServer;
use crate::substrate::Process;
use crate::vocab::Clock;
use crate::vocab::step::Input;

/// A node's process.
pub enum Role {
    /// A server of the ZooKeeper ensemble.
    ZooKeeper(Box<ZooKeeperServer>),
    /// A broker.
    Broker(Box<Broker>),
    /// A producer.
    Producer(Box<Producer>),
    /// A consumer.
    Consumer(Box<Consumer>),
    /// An old consumer.
    ZookeeperConsumer(Box<ZookeeperConsumer>),
    /// What creates the scenario's topics, as `kafka-topics --create` does.
    Admin(Box<Admin>),
    /// What an operator runs.
    Topics(Box<Topics>),
    /// A client of ZooKeeper.
    Znodes(Box<Znodes>),
    /// Through which clients from outside come in.
    ExternalClients(Box<ExternalClients>),
}

impl Process for Role {
    type Observation = Observation;

    fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match self {
            Self::ZooKeeper(role) => role.step(clock, input, effects),
            Self::Broker(role) => role.step(clock, input, effects),
            Self::Producer(role) => role.step(clock, input, effects),
            Self::Consumer(role) => role.step(clock, input, effects),
            Self::ZookeeperConsumer(role) => role.step(clock, input, effects),
            Self::Admin(role) => role.step(clock, input, effects),
            Self::Topics(role) => role.step(clock, input, effects),
            Self::Znodes(role) => role.step(clock, input, effects),
            Self::ExternalClients(role) => role.step(input, effects),
        }
    }

    fn awaits_appends(&self) -> bool {
        matches!(self, Self::Broker(_))
    }
}
