//! The servers of ZooKeeper: in which epoch each serves, and which one leads.

use std::collections::{BTreeMap, BTreeSet};

use super::lives::Lives;
use crate::history::{Life, ZooKeeperObservation};
use crate::vocab::NodeId;

/// All servers.
#[derive(Clone, Debug, Default)]
pub struct Ensemble {
    /// The servers that ever reported anything.
    servers: BTreeSet<NodeId>,
    /// The epoch that each server leads or follows in; a single server has none.
    epochs: BTreeMap<NodeId, u32>,
    /// The newest epoch that ever began, and who began it.
    newest: Option<(u32, NodeId)>,
}

impl Ensemble {
    /// The server that leads the newest epoch; a single server leads itself.
    pub fn leader(&self) -> Option<NodeId> {
        match self.servers.len() {
            1 => self.servers.first().copied(),
            _ => self.newest.map(|(_, node)| node),
        }
    }

    /// Whether a server is of the newest epoch. A deposed leader that has not let go is not (ZOOKEEPER-1675).
    pub fn is_of_newest_epoch(&self, server: NodeId) -> bool {
        self.epochs.get(&server).copied() == self.newest.map(|(epoch, _)| epoch)
    }

    /// Whether there is only one server.
    pub fn is_one(&self) -> bool {
        self.servers.len() == 1
    }

    /// Whether a majority of the servers runs.
    pub fn has_quorum(&self, lives: &Lives) -> bool {
        let running = self.servers.iter().filter(|node| lives.runs(**node)).count();
        2 * running > self.servers.len()
    }

    /// The servers that run and have found no leader.
    pub fn not_serving(&self, lives: &Lives) -> impl Iterator<Item = NodeId> {
        let is_ensemble = self.servers.len() > 1;
        let idle = move |node: &NodeId| {
            is_ensemble && lives.runs(*node) && !self.epochs.contains_key(node)
        };
        self.servers.iter().copied().filter(idle)
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        if life == Life::Started {
            self.epochs.remove(&node);
        }
    }

    /// Folds in what a server reported.
    pub fn zookeeper(&mut self, node: NodeId, observation: &ZooKeeperObservation) {
        self.servers.insert(node);
        match observation {
            ZooKeeperObservation::Leading { epoch, .. } => {
                self.epochs.insert(node, *epoch);
                if self.newest.is_none_or(|(newest, _)| *epoch > newest) {
                    self.newest = Some((*epoch, node));
                }
            }
            ZooKeeperObservation::Following { epoch, .. } => {
                self.epochs.insert(node, *epoch);
            }
            ZooKeeperObservation::Looking { .. } | ZooKeeperObservation::Recovered { .. } => {
                self.epochs.remove(&node);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Zxid;

    const SERVERS: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    fn ensemble() -> Ensemble {
        let mut ensemble = Ensemble::default();
        for server in SERVERS {
            ensemble.zookeeper(server, &ZooKeeperObservation::Recovered { zxid: Zxid(0) });
        }
        ensemble
    }

    fn leading(epoch: u32) -> ZooKeeperObservation {
        ZooKeeperObservation::Leading { epoch, zxid: Zxid(0), digest: 0 }
    }

    #[test]
    fn a_server_alone_serves_and_leads_from_the_start() {
        let (mut ensemble, lives) = (Ensemble::default(), Lives::default());
        ensemble.zookeeper(SERVERS[0], &ZooKeeperObservation::Recovered { zxid: Zxid(0) });
        assert_eq!(ensemble.leader(), Some(SERVERS[0]));
        assert_eq!(ensemble.not_serving(&lives).next(), None);
        assert!(ensemble.is_of_newest_epoch(SERVERS[0]));
    }

    #[test]
    fn the_newest_epoch_has_the_leader_whatever_a_deposed_one_believes() {
        let (mut ensemble, mut lives) = (ensemble(), Lives::default());
        assert_eq!(ensemble.leader(), None);
        assert_eq!(ensemble.not_serving(&lives).count(), 3);
        ensemble.zookeeper(SERVERS[1], &leading(1));
        ensemble.zookeeper(SERVERS[2], &leading(2));
        ensemble.zookeeper(SERVERS[1], &leading(1));
        assert_eq!(ensemble.leader(), Some(SERVERS[2]));
        assert!(!ensemble.is_of_newest_epoch(SERVERS[1]));
        assert_eq!(ensemble.not_serving(&lives).collect::<Vec<_>>(), [SERVERS[0]]);
        lives.life(SERVERS[0], Life::Crashed);
        assert_eq!((ensemble.not_serving(&lives).count(), ensemble.has_quorum(&lives)), (0, true));
        lives.life(SERVERS[1], Life::Crashed);
        assert!(!ensemble.has_quorum(&lives));
        let (zxid, round) = (Zxid(0), 1);
        ensemble.zookeeper(SERVERS[2], &ZooKeeperObservation::Looking { round, zxid });
        assert_eq!(ensemble.not_serving(&lives).collect::<Vec<_>>(), [SERVERS[2]]);
    }
}
