//! Which node held an epoch first: leaders of partitions, controllers, leaders of the ZooKeeper ensemble.

use std::collections::BTreeMap;

use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::partition_state::CONTROLLER_EPOCH;
use crate::vocab::{ControllerEpoch, LeaderEpoch, NodeId, Time, TopicPartition};

/// Epochs that are kept of each partition, of the controllers and of the ensemble.
const EPOCHS_MAX: usize = 512;

/// The node that held an epoch first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub node: NodeId,
    /// Since when.
    pub since: Time,
}

/// The first holders of the last epochs. Nothing is known of older ones.
#[derive(Clone, Debug, Default)]
struct Holders<E> {
    known: BTreeMap<E, Holder>,
    forgotten: Option<E>,
}

impl<E: Ord + Copy> Holders<E> {
    /// Adds a holder; the one that held the epoch before, if any and if it is known.
    fn hold(&mut self, epoch: E, holder: Holder) -> Option<Holder> {
        if self.forgotten.is_some_and(|forgotten| epoch <= forgotten) {
            return None;
        }
        let earlier = self.known.get(&epoch).copied();
        if earlier.is_none() {
            self.known.insert(epoch, holder);
            if self.known.len() > EPOCHS_MAX {
                self.forgotten = self.known.pop_first().map(|(oldest, _)| oldest);
            }
        }
        earlier
    }
}

/// The holders of all epochs, and the epochs that ZooKeeper stores.
#[derive(Clone, Debug, Default)]
pub struct EpochHolders {
    leaders: BTreeMap<TopicPartition, Holders<LeaderEpoch>>,
    controllers: Holders<ControllerEpoch>,
    ensemble: Holders<u32>,
    earlier: Option<Holder>,
    /// The newest epoch in `/controller_epoch`, and since when.
    controller_epoch: Option<(ControllerEpoch, Time)>,
    /// `acceptedEpoch` and `currentEpoch` on the disk of each ZooKeeper server.
    written: BTreeMap<NodeId, (u32, u32)>,
    written_before: (u32, u32),
}

impl EpochHolders {
    /// The node that already held the epoch which the event at hand begins; it may be the same node.
    pub fn earlier(&self) -> Option<Holder> {
        self.earlier
    }

    /// Whether a partition ever had a leader.
    pub fn has_leaders(&self) -> bool {
        !self.leaders.is_empty()
    }

    /// Whether there ever was a controller.
    pub fn has_controllers(&self) -> bool {
        !self.controllers.known.is_empty()
    }

    /// Whether a ZooKeeper server ever led others.
    pub fn has_ensemble(&self) -> bool {
        !self.ensemble.known.is_empty()
    }

    /// The controller of an epoch.
    pub fn controller(&self, epoch: ControllerEpoch) -> Option<Holder> {
        self.controllers.known.get(&epoch).copied()
    }

    /// The newest controller epoch in ZooKeeper, and since when.
    pub fn controller_epoch(&self) -> Option<(ControllerEpoch, Time)> {
        self.controller_epoch
    }

    /// `acceptedEpoch` and `currentEpoch` on the server's disk before the event at hand; 0 when not known.
    pub fn written_before(&self) -> (u32, u32) {
        self.written_before
    }

    /// Folds in an event of a broker.
    pub fn broker(&mut self, since: Time, node: NodeId, did: &BrokerObservation) {
        let holder = Holder { node, since };
        self.earlier = match did {
            BrokerObservation::BecameLeader { at, leader_epoch, .. } => {
                let leaders = self.leaders.entry(at.clone()).or_default();
                leaders.hold(*leader_epoch, holder)
            }
            BrokerObservation::ControllerElected { epoch } => self.controllers.hold(*epoch, holder),
            _ => None,
        };
    }

    /// Folds in an event of a ZooKeeper server.
    pub fn zookeeper(&mut self, since: Time, node: NodeId, did: &ZooKeeperObservation) {
        self.earlier = None;
        match did {
            ZooKeeperObservation::Leading { epoch, .. } => {
                self.earlier = self.ensemble.hold(*epoch, Holder { node, since });
            }
            ZooKeeperObservation::EpochsWritten { accepted, current } => {
                let before = self.written.insert(node, (*accepted, *current));
                self.written_before = before.unwrap_or_default();
            }
            ZooKeeperObservation::Stored { path, data, .. } if &**path == CONTROLLER_EPOCH => {
                if let Ok(epoch) = data.parse()
                    && self.controller_epoch.is_none_or(|(newest, _)| newest < epoch)
                {
                    self.controller_epoch = Some((epoch, since));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_holder_is_kept_and_memory_is_bounded() {
        let mut holders = Holders::default();
        let holder = |node: u16| Holder { node: NodeId(node), since: Time(u64::from(node)) };
        assert_eq!(holders.hold(1, holder(1)), None);
        assert_eq!(holders.hold(1, holder(2)), Some(holder(1)));
        assert_eq!(holders.hold(1, holder(3)), Some(holder(1)));
        for epoch in 2..2_000 {
            assert_eq!(holders.hold(epoch, holder(1)), None);
        }
        assert_eq!(holders.known.len(), EPOCHS_MAX);
        // The holder of a forgotten epoch may be any node, also after another one held it.
        assert_eq!((holders.hold(1, holder(2)), holders.hold(1, holder(3))), (None, None));
    }
}
