//! A whole cluster: one ZooKeeper server, brokers, and one client.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};

use super::peer::Peer;
use super::rig::{Rig, steady};
use super::settings;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::{Broker, Config};
use crate::nodes::zookeeper::{self, Tree, ZooKeeperServer};
use crate::releases::KafkaVersion;
use crate::vocab::{BrokerId, NodeId, Roster, Seed, Time};

/// The node of the ZooKeeper server.
pub const ZOOKEEPER: NodeId = NodeId(0);

/// Brokers 1, 2, … on the nodes of these numbers, ZooKeeper before them and a client behind them.
pub struct Cluster {
    rig: Rig,
    pub version: KafkaVersion,
    brokers: i32,
    pub client: NodeId,
}

impl Deref for Cluster {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }
}

fn node(id: BrokerId) -> NodeId {
    NodeId(u16::try_from(id.0).expect("brokers are few"))
}

impl Cluster {
    /// Brokers 1 to `brokers`, started together with ZooKeeper.
    pub fn new(version: KafkaVersion, brokers: i32) -> Self {
        let mut cluster = Self::tuned(version, brokers, |_| {});
        (1..=brokers).for_each(|id| cluster.start(BrokerId(id)));
        cluster
    }

    /// The same with other settings, and only ZooKeeper started.
    pub fn tuned(version: KafkaVersion, brokers: i32, tune: fn(&mut Config)) -> Self {
        let mut roster = Roster::default();
        roster.add("zk1");
        (1..=brokers).for_each(|id| _ = roster.add(&format!("b{id}")));
        roster.add("client");
        let roster = Arc::new(roster);
        let mut rig = Rig::new(steady(Duration::from_micros(500)));
        rig.run("zk1", || {
            ZooKeeperServer::new(zookeeper::Config::default(), Seed(1).stream("zk1"))
        });
        for id in 1..=brokers {
            let roster = roster.clone();
            let boot = move || {
                let mut config = settings::broker(id, version, vec![ZOOKEEPER]);
                tune(&mut config);
                let stream = Seed(1).stream(&config.host);
                Broker::new(config, roster.clone(), stream)
            };
            assert_eq!(rig.add(&format!("b{id}"), boot), node(BrokerId(id)));
        }
        let client = rig.run("client", Peer::default);
        Self { rig, version, brokers, client }
    }

    /// Starts a broker's process on the disk that it left.
    pub fn start(&mut self, id: BrokerId) {
        assert!(self.rig.start(node(id)), "b{id} runs already");
    }

    /// Ends a broker's process; its page cache stays, and its peers see a reset.
    pub fn crash(&mut self, id: BrokerId) {
        assert!(self.rig.crash(node(id)), "b{id} does not run");
    }

    /// Asks a broker's process to end in an orderly way.
    pub fn shut_down(&mut self, id: BrokerId) {
        self.rig.shutdown(node(id));
    }

    /// Lets nothing through between a broker and ZooKeeper.
    pub fn cut_from_zookeeper(&mut self, id: BrokerId) {
        self.rig.separate(node(id), ZOOKEEPER);
    }

    /// Lets everything through between a broker and ZooKeeper again.
    pub fn heal_to_zookeeper(&mut self, id: BrokerId) {
        self.rig.reunite(node(id), ZOOKEEPER);
    }

    /// Lets nothing through between two brokers.
    pub fn cut(&mut self, one: BrokerId, other: BrokerId) {
        self.rig.separate(node(one), node(other));
    }

    /// Lets everything through between two brokers again.
    pub fn heal(&mut self, one: BrokerId, other: BrokerId) {
        self.rig.reunite(node(one), node(other));
    }

    /// Lets time pass until `is_done`, at most for `span`; returns whether it is done.
    pub fn run_until(
        &mut self,
        span: Duration,
        mut is_done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now() + span;
        while !is_done(self) {
            if !self.rig.advance(end) {
                return is_done(self);
            }
        }
        true
    }

    /// The broker, if its process runs.
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.rig.find(node(id))
    }

    /// ZooKeeper's znodes.
    pub fn tree(&self) -> &Tree {
        &self.rig.role::<ZooKeeperServer>(ZOOKEEPER).state().expect("it has started").tree
    }

    /// The brokers that are active as controller.
    pub fn controllers(&self) -> Vec<BrokerId> {
        let active = |id: &BrokerId| self.broker(*id).is_some_and(Broker::is_controller);
        (1..=self.brokers).map(BrokerId).filter(active).collect()
    }

    /// The active controller.
    pub fn controller(&self) -> Option<BrokerId> {
        self.controllers().first().copied()
    }

    /// What the brokers observed so far.
    pub fn observed(&self) -> impl Iterator<Item = (Time, BrokerId, &BrokerObservation)> {
        self.rig.observations().filter_map(|(at, node, observation)| match observation {
            Observation::Broker(observation) => {
                Some((at, BrokerId(i32::from(node.0)), observation))
            }
            _ => None,
        })
    }

    /// Sends a request of the client to a broker and waits for the response; `None` when the connection ends
    /// first or 90 seconds pass.
    pub fn call(
        &mut self,
        to: BrokerId,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Option<ResponseKind> {
        let request = self.rig.request(self.client, node(to), api, version, body);
        self.rig.await_response(request, Duration::from_secs(90))
    }

    /// As [`Cluster::call`], but gives the response's payload as it came.
    pub fn call_raw(
        &mut self,
        to: BrokerId,
        api: ApiKey,
        version: i16,
        body: &RequestKind,
    ) -> Option<Bytes> {
        let request = self.rig.request(self.client, node(to), api, version, body);
        self.rig.await_payload(request, Duration::from_secs(10))
    }
}
