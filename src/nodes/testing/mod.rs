//! The rig of the unit tests: roles and scripts in the substrate's own world.
//!
//! A test puts real roles (a broker, a ZooKeeper server, a producer) and scripted ones (a [`Peer`] that sends and
//! keeps bytes) into a [`Rig`], lets time pass, crashes, cuts and heals, and looks into the roles and at what they
//! observed. Only tests are compiled with it; only test files of `nodes` may import `substrate`
//! (`src/tests/layers.rs`).

mod cluster;
pub mod kafka;
mod peer;
mod rig;
pub mod settings;
mod zk;

pub use cluster::{Cluster, ZOOKEEPER, node};
pub use peer::{Peer, Sent};
pub use rig::{Advance, Entry, Rig, Role, steady};

use super::Effects;
use super::broker::Broker;
use super::clients::{Admin, Consumer, Producer, Topics, ZookeeperConsumer};
use super::zookeeper::ZooKeeperServer;
use crate::vocab::Clock;
use crate::vocab::step::Input;

macro_rules! roles {
    ($($role:ty),*) => {$(
        impl Role for $role {
            fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
                Self::step(self, clock, input, effects);
            }
        }
    )*};
}

roles!(Broker, ZooKeeperServer, Producer, Consumer, Topics, Admin, ZookeeperConsumer);
