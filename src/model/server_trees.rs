//! The sessions and ephemeral znodes in each ZooKeeper server's tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::ZooKeeperObservation;
use crate::model::interval::IntervalSet;
use crate::vocab::NodeId;

/// One server's tree, as far as sessions go.
#[derive(Clone, Debug, Default)]
struct Tree {
    sessions: BTreeSet<i64>,
    /// Sessions that this server ever opened.
    opened: IntervalSet,
    /// Sessions whose end this server ever applied.
    ended: IntervalSet,
    /// The owners of ephemeral znodes, by path.
    owners: BTreeMap<Arc<str>, i64>,
}

/// The trees of all servers.
#[derive(Clone, Debug, Default)]
pub struct ServerTrees {
    trees: BTreeMap<NodeId, Tree>,
    /// The shortest timeout that was negotiated for each session, in milliseconds.
    timeouts: BTreeMap<i64, i32>,
    /// Sessions that some server had in its tree. All others are local, or were never committed.
    replicated: IntervalSet,
    /// Sessions that some server expired or ended.
    ended: IntervalSet,
    had_session: bool,
    had_opened: bool,
    had_ended: bool,
}

impl ServerTrees {
    /// Whether a server's tree has a session.
    pub fn has_session(&self, server: NodeId, session: i64) -> bool {
        self.trees.get(&server).is_some_and(|tree| tree.sessions.contains(&session))
    }

    /// The first ephemeral znode of a session in a server's tree.
    pub fn ephemeral_of(&self, server: NodeId, session: i64) -> Option<&Arc<str>> {
        let mut owners = self.trees.get(&server)?.owners.iter();
        owners.find(|(_, owner)| **owner == session).map(|(path, _)| path)
    }

    /// Whether some server ever had any session in its tree.
    pub fn has_sessions(&self) -> bool {
        !self.replicated.is_empty()
    }

    /// Whether some server ever had a session in its tree.
    pub fn is_replicated(&self, session: i64) -> bool {
        self.replicated.contains(session as u64)
    }

    /// Whether some server expired or ended a session.
    pub fn has_ended(&self, session: i64) -> bool {
        self.ended.contains(session as u64)
    }

    /// The shortest timeout that was negotiated for a session, in milliseconds; 0 when there is none.
    pub fn timeout_ms(&self, session: i64) -> u64 {
        let timeout_ms = self.timeouts.get(&session).copied().unwrap_or(0);
        u64::try_from(timeout_ms).unwrap_or(0)
    }

    /// Whether the server had the session that the event at hand ends.
    pub fn had_session(&self) -> bool {
        self.had_session
    }

    /// Whether the server had opened the session that the event at hand opens.
    pub fn had_opened(&self) -> bool {
        self.had_opened
    }

    /// Whether the server had applied the end of the session that the event at hand ends.
    pub fn had_ended(&self) -> bool {
        self.had_ended
    }

    fn negotiated(&mut self, session: i64, timeout_ms: i32) {
        let shortest = self.timeouts.entry(session).or_insert(timeout_ms);
        *shortest = timeout_ms.min(*shortest);
    }

    /// Folds in an event of a server.
    pub fn zookeeper(&mut self, server: NodeId, did: &ZooKeeperObservation) {
        let tree = self.trees.entry(server).or_default();
        match did {
            ZooKeeperObservation::TreeLoaded { sessions, ephemerals } => {
                tree.sessions = sessions.iter().map(|(session, _)| *session).collect();
                tree.owners = ephemerals.iter().cloned().collect();
                for &(session, timeout_ms) in sessions {
                    self.replicated.insert(session as u64);
                    self.negotiated(session, timeout_ms);
                }
            }
            ZooKeeperObservation::SessionOpened { session, timeout_ms } => {
                tree.sessions.insert(*session);
                self.had_opened = !tree.opened.insert(*session as u64);
                self.replicated.insert(*session as u64);
                self.negotiated(*session, *timeout_ms);
            }
            ZooKeeperObservation::SessionAttached { session, timeout_ms } => {
                self.negotiated(*session, *timeout_ms);
            }
            ZooKeeperObservation::SessionExpired { session, .. } => {
                self.had_session = tree.sessions.contains(session);
                self.had_ended = tree.ended.contains(*session as u64);
                self.ended.insert(*session as u64);
            }
            ZooKeeperObservation::SessionEnded { session } => {
                self.had_session = tree.sessions.remove(session);
                self.had_ended = !tree.ended.insert(*session as u64);
                self.ended.insert(*session as u64);
            }
            ZooKeeperObservation::EphemeralCreated { path, session } => {
                tree.owners.insert(path.clone(), *session);
            }
            ZooKeeperObservation::EphemeralDeleted { path, .. } => {
                tree.owners.remove(path);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_tree_replaces_the_one_before_and_keeps_the_shortest_timeout() {
        let mut trees = ServerTrees::default();
        let server = NodeId(0);
        trees.zookeeper(
            server,
            &ZooKeeperObservation::SessionOpened { session: 1, timeout_ms: 4_000 },
        );
        let (path, session): (Arc<str>, _) = ("/controller".into(), 1);
        trees.zookeeper(server, &ZooKeeperObservation::EphemeralCreated { path, session });
        assert!(trees.ephemeral_of(server, 1).is_some());
        let sessions = vec![(1, 6_000), (2, 6_000)];
        trees.zookeeper(server, &ZooKeeperObservation::TreeLoaded { sessions, ephemerals: vec![] });
        assert_eq!(trees.ephemeral_of(server, 1), None);
        assert_eq!(
            (trees.timeout_ms(1), trees.timeout_ms(2), trees.timeout_ms(3)),
            (4_000, 6_000, 0)
        );
        assert!(trees.has_session(server, 2) && !trees.has_session(NodeId(1), 2));
    }
}
