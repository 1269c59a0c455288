//! A cluster that runs piece by piece, and that clients from outside can be let into.

use std::sync::Arc;
use std::time::Duration;

use super::external_clients::{Inbound, News, Visitor};
use super::role::Role;
use super::{Cluster, LOOK_EVERY, Played};
use crate::history::Recorder;
use crate::model::{Modelled, Reader};
use crate::scenario::Plan;
use crate::vocab::{NodeId, Roster, Time};

/// Where one server can be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalListener {
    /// The server's name: `b1`, `z1`.
    pub server: String,
    /// What it advertises to external clients: a host,
    pub host: String,
    /// and a port there.
    pub port: u16,
}

/// How the cluster meets clients from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Where its servers can be reached.
    pub listeners: Vec<ExternalListener>,
    /// What wall clocks show at time zero, in milliseconds since 1970: clients from outside stamp their records with
    /// the present, and compare what brokers say with it. `None` is the moment at which every run begins.
    pub wall_epoch_ms: Option<i64>,
}

impl From<Vec<ExternalListener>> for Outside {
    fn from(listeners: Vec<ExternalListener>) -> Self {
        Self { listeners, wall_epoch_ms: None }
    }
}

/// A cluster that runs.
///
/// What happens depends on the plan and on when what is let in, and not on how the time in between is cut into
/// pieces.
pub struct Live<'p, R: Reader> {
    cluster: Cluster<'p, R>,
    next_look: Time,
}

impl<'p, R: Reader> Live<'p, R> {
    /// The cluster of `plan` at time zero, its servers just started. With an outside, external clients can connect, and
    /// servers advertise its addresses.
    pub fn new(plan: &'p Plan, recorder: Recorder<Modelled<R>>, outside: Option<&Outside>) -> Self {
        let mut cluster = Cluster::new(plan, recorder, outside);
        cluster.start_servers();
        Self { cluster, next_look: Time::ZERO + LOOK_EVERY }
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.cluster.world.now()
    }

    /// How long clients write and faults happen.
    pub fn duration(&self) -> Duration {
        self.cluster.plan.duration
    }

    /// Whether the topics exist and the scenario's clients are on the timeline.
    pub fn is_ready(&self) -> bool {
        self.cluster.is_ready
    }

    /// The names of the nodes.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.cluster.names.roster
    }

    /// Lets time pass up to `until`, with what is due on the way.
    pub fn run_until(&mut self, until: Time) {
        while self.now() < until {
            let waits = !self.cluster.is_ready;
            let next = if waits { until.min(self.next_look) } else { until };
            self.cluster.advance(next);
            if next == self.next_look {
                self.cluster.start_clients_once_topics_stand();
                self.next_look = next + LOOK_EVERY;
            }
        }
    }

    /// Lets something in, now.
    ///
    /// # Panics
    /// When the cluster has no external listeners.
    pub fn let_in(&mut self, inbound: Inbound) {
        let outside = self.outside();
        self.cluster.world.drive(outside, |role, _, effects| match role {
            Role::ExternalClients(outside) => outside.let_in(inbound, effects),
            _ => unreachable!("the node of that name is the outside"),
        });
    }

    /// Moves what is to go out behind `news`.
    ///
    /// # Panics
    /// When the cluster has no external listeners.
    pub fn take_news(&mut self, news: &mut Vec<(Visitor, News)>) {
        let outside = self.outside();
        self.cluster.world.drive(outside, |role, _, _| match role {
            Role::ExternalClients(outside) => outside.take_news(news),
            _ => unreachable!("the node of that name is the outside"),
        });
    }

    /// How many bytes of what `visitor` sent its server has not read: they are on their way, wait for a cut to heal
    /// or for a paused process, or for a broker that works on an earlier request. 0 when either end is gone.
    ///
    /// # Panics
    /// When the cluster has no external listeners.
    pub fn unread(&self, visitor: Visitor) -> usize {
        let (world, outside) = (&self.cluster.world, self.outside());
        let Some(Role::ExternalClients(role)) = world.process(outside) else { return 0 };
        let Some((conn, server, waiting)) = role.visit(visitor) else { return 0 };
        let left = match world.process(server) {
            Some(Role::Broker(broker)) => broker.left_in_socket(conn),
            _ => 0,
        };
        waiting + world.in_flight(conn, outside) + left
    }

    /// Whether all that `visitor` sent is read, and what it asked for is answered: nothing is on its way to the client
    /// either. True when either end is gone. The beginning of a request asks for nothing yet.
    ///
    /// # Panics
    /// When the cluster has no external listeners.
    pub fn is_answered(&self, visitor: Visitor) -> bool {
        let (world, outside) = (&self.cluster.world, self.outside());
        let Some(Role::ExternalClients(role)) = world.process(outside) else { return true };
        let Some((conn, server, waiting)) = role.visit(visitor) else { return true };
        let works = match world.process(server) {
            Some(Role::Broker(broker)) => broker.left_in_socket(conn) > 0 || broker.works_for(conn),
            Some(Role::ZooKeeper(zookeeper)) => zookeeper.works_for(conn),
            _ => false,
        };
        let travels = world.in_flight(conn, outside) + world.in_flight(conn, server);
        !works && waiting + travels == 0
    }

    /// Whether a client of `server` is refused: its host has power, and its process does not run.
    pub fn refuses(&self, server: NodeId) -> bool {
        self.cluster.world.refuses(server)
    }

    fn outside(&self) -> NodeId {
        self.cluster.names.outside.expect("a cluster with external listeners")
    }

    /// Plays the rest of the plan, if there is any, and the second phase.
    pub fn finish(mut self) -> Played<R> {
        let end = Time::ZERO + self.cluster.plan.duration;
        if self.now() < end {
            self.run_until(end);
        }
        self.cluster.start_clients_once_topics_stand();
        if let Some(outside) = self.cluster.names.outside {
            self.cluster.world.drive(outside, |role, _, effects| match role {
                Role::ExternalClients(outside) => outside.end(effects),
                _ => unreachable!("the node of that name is the outside"),
            });
        }
        self.cluster.finish()
    }
}
