//! A cluster: one ZooKeeper server, brokers or what a test puts in their place, and one client.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::RequestKind;
use kafka_protocol::protocol::Request;

use super::peer::{Peer, Sent, api};
use super::rig::{Advance, Rig, Role, steady};
use super::settings;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::{Broker, Config};
use crate::nodes::zookeeper::{self, Tree, ZooKeeperServer};
use crate::releases::KafkaVersion;
use crate::releases::apis::highest_sent;
use crate::substrate::WorldConfig;
use crate::vocab::{BrokerId, NodeId, Roster, Seed, Time};

/// The node of the ZooKeeper server.
pub const ZOOKEEPER: NodeId = NodeId(0);

/// Brokers 1, 2, … on the nodes of these numbers, ZooKeeper before them and a client behind them.
pub struct Cluster<R = Broker> {
    rig: Rig,
    pub version: KafkaVersion,
    brokers: i32,
    pub client: NodeId,
    role: PhantomData<R>,
}

impl<R> Deref for Cluster<R> {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl<R> DerefMut for Cluster<R> {
    fn deref_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }
}

impl<R> Advance for Cluster<R> {
    fn advance(&mut self, end: Time) -> bool {
        self.rig.advance(end)
    }

    fn time(&self) -> Time {
        self.rig.now()
    }
}

/// The node of a broker.
pub fn node(id: i32) -> NodeId {
    NodeId(u16::try_from(id).expect("brokers are few"))
}

impl Cluster {
    /// Brokers 1 to `brokers`, started together with ZooKeeper.
    pub fn new(version: KafkaVersion, brokers: i32) -> Self {
        Self::tuned(version, brokers, |_| {})
    }

    /// As [`Cluster::new`], with other settings of all brokers.
    pub fn tuned(
        version: KafkaVersion,
        brokers: i32,
        tune: impl Fn(&mut Config) + Clone + 'static,
    ) -> Self {
        let boot = |config: Config, roster: Arc<Roster>| {
            let stream = Seed(1).stream(&config.host);
            Broker::new(config, roster, stream)
        };
        let world = steady(Duration::from_micros(500));
        let mut cluster = Self::of(version, brokers, world, tune, boot);
        cluster.rig.start(ZOOKEEPER);
        cluster.start_all();
        cluster
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
}

impl<R: Role> Cluster<R> {
    /// Brokers 1 to `brokers` and ZooKeeper, none of them started. `boot` makes a broker's role at each start.
    pub fn of(
        version: KafkaVersion,
        brokers: i32,
        world: WorldConfig,
        tune: impl Fn(&mut Config) + Clone + 'static,
        boot: impl Fn(Config, Arc<Roster>) -> R + Clone + 'static,
    ) -> Self {
        let mut roster = Roster::default();
        roster.add("zk1");
        (1..=brokers).for_each(|id| _ = roster.add(&format!("b{id}")));
        roster.add("client");
        let roster = Arc::new(roster);
        let mut rig = Rig::new(world);
        rig.add("zk1", || {
            ZooKeeperServer::new(zookeeper::Config::default(), Seed(1).stream("zk1"))
        });
        for id in 1..=brokers {
            let (roster, tune, boot) = (roster.clone(), tune.clone(), boot.clone());
            let boot = move || {
                let mut config = settings::broker(id, version, vec![ZOOKEEPER]);
                tune(&mut config);
                boot(config, roster.clone())
            };
            assert_eq!(rig.add(&format!("b{id}"), boot), node(id));
        }
        let client = rig.run("client", Peer::default);
        Self { rig, version, brokers, client, role: PhantomData }
    }

    /// Starts the processes of all brokers.
    pub fn start_all(&mut self) {
        (1..=self.brokers).for_each(|id| self.start(BrokerId(id)));
    }

    /// Starts a broker's process on the disk that it left.
    pub fn start(&mut self, id: BrokerId) {
        assert!(self.rig.start(node(id.0)), "b{id} runs already");
    }

    /// Ends a broker's process; its page cache stays, and its peers see a reset.
    pub fn crash(&mut self, id: BrokerId) {
        assert!(self.rig.crash(node(id.0)), "b{id} does not run");
    }

    /// Asks a broker's process to end in an orderly way.
    pub fn shut_down(&mut self, id: BrokerId) {
        self.rig.shutdown(node(id.0));
    }

    /// Lets nothing through between a broker and ZooKeeper.
    pub fn cut_from_zookeeper(&mut self, id: BrokerId) {
        self.rig.separate(node(id.0), ZOOKEEPER);
    }

    /// Lets everything through between a broker and ZooKeeper again.
    pub fn heal_to_zookeeper(&mut self, id: BrokerId) {
        self.rig.reunite(node(id.0), ZOOKEEPER);
    }

    /// Lets nothing through between two brokers.
    pub fn cut(&mut self, one: BrokerId, other: BrokerId) {
        self.rig.separate(node(one.0), node(other.0));
    }

    /// Lets everything through between two brokers again.
    pub fn heal(&mut self, one: BrokerId, other: BrokerId) {
        self.rig.reunite(node(one.0), node(other.0));
    }

    /// The broker, if its process runs.
    pub fn broker(&self, id: BrokerId) -> Option<&R> {
        self.rig.find(node(id.0))
    }

    /// The brokers whose processes run.
    pub fn running(&self) -> impl Iterator<Item = (BrokerId, &R)> {
        let ids = (1..=self.brokers).map(BrokerId);
        ids.filter_map(|id| Some((id, self.broker(id)?)))
    }

    /// ZooKeeper's znodes.
    pub fn tree(&self) -> &Tree {
        &self.rig.role::<ZooKeeperServer>(ZOOKEEPER).state().expect("it has started").tree
    }

    /// What the brokers observed so far.
    pub fn observed(
        &self,
    ) -> impl DoubleEndedIterator<Item = (Time, BrokerId, &BrokerObservation)> {
        self.rig.observations().filter_map(|(at, node, observation)| match observation {
            Observation::Broker(observation) => {
                Some((at, BrokerId(i32::from(node.0)), observation))
            }
            _ => None,
        })
    }

    /// Sends a request of the client to a broker.
    pub fn send_request<Q: Request + Into<RequestKind>>(
        &mut self,
        to: BrokerId,
        version: i16,
        body: Q,
    ) -> Sent<Q> {
        self.rig.request(self.client, node(to.0), version, body)
    }

    /// Sends a request and waits for the response; `None` when the connection ends first or 90 seconds pass.
    pub fn call_in<Q: Request + Into<RequestKind>>(
        &mut self,
        to: BrokerId,
        version: i16,
        body: Q,
    ) -> Option<Q::Response> {
        let request = self.send_request(to, version, body);
        self.rig.await_response(request, Duration::from_secs(90))
    }

    /// As [`Cluster::call_in`], in the highest version of the release.
    pub fn call<Q: Request + Into<RequestKind>>(
        &mut self,
        to: BrokerId,
        body: Q,
    ) -> Option<Q::Response> {
        let version = self.highest::<Q>();
        self.call_in(to, version, body)
    }

    /// The highest version of an API in the release.
    pub fn highest<Q: Request>(&self) -> i16 {
        highest_sent(self.version, api::<Q>()).expect("the release has the API")
    }

    /// As [`Cluster::call_in`], but gives the response's payload as it came.
    pub fn call_raw<Q: Request + Into<RequestKind>>(
        &mut self,
        to: BrokerId,
        version: i16,
        body: Q,
    ) -> Option<Bytes> {
        let request = self.send_request(to, version, body);
        self.rig.await_payload(request, Duration::from_secs(10))
    }
}
