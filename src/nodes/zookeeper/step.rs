//! What one step of a server works with: clock, configuration, randomness, effects, and the routes of its
//! connections.

use std::collections::BTreeMap;

use super::config::Config;
use crate::history::{Observation, ZooKeeperObservation};
use crate::vocab::step;
use crate::vocab::{Clock, ConnId, NodeId, Stream};
use crate::wire::zookeeper::ensemble::ServerId;

/// The effects of a server's step.
pub type Effects = step::Effects<Observation>;

/// What is at the other end of a connection, and so which part of the server its input goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A client.
    Client,
    /// Another server that has not sent its first message, which says what the connection is for.
    NewServer,
    /// The other server of an election connection.
    Election(ServerId),
    /// A learner of this leader.
    Learner,
    /// The leader that this server follows or wants to follow.
    Leader,
}

/// The route of every open connection.
pub(super) type Routes = BTreeMap<ConnId, Route>;

/// What every part of a server can use during one step.
pub(super) struct Step<'a> {
    pub(super) clock: Clock,
    pub(super) config: &'a Config,
    /// Where session passwords come from.
    pub(super) stream: &'a mut Stream,
    pub(super) fx: &'a mut Effects,
    pub(super) routes: &'a mut Routes,
}

impl Step<'_> {
    /// Connects to another server; what arrives on the connection goes to `route`.
    pub(super) fn connect(&mut self, to: NodeId, route: Route) -> ConnId {
        let conn = self.fx.connect(to);
        self.routes.insert(conn, route);
        conn
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, conn: ConnId) {
        self.routes.remove(&conn);
        self.fx.close(conn);
    }

    /// Adds an observation to the history.
    pub(super) fn observe(&mut self, observation: ZooKeeperObservation) {
        self.fx.observe(Observation::ZooKeeper(observation));
    }

    /// The process exits, because going on would break what it promises.
    pub(super) fn halt(&mut self, why: &str) {
        tracing::error!(why, "the server exits");
        self.observe(ZooKeeperObservation::Halted { why: why.into() });
        self.fx.exit();
    }
}
