//! What was read off the cluster when a run ended: how far replicas and consumers are, as the nodes themselves know
//! it. Checkers compare it with what the history shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{Fact, Leading, Replica};
use crate::vocab::{BrokerId, TopicPartition};

/// The end of a run.
#[derive(Clone, Debug, Default)]
pub struct End {
    replicas: BTreeMap<TopicPartition, BTreeMap<BrokerId, Option<Replica>>>,
    unconverged: Option<Arc<str>>,
}

impl End {
    /// Folds in what was read off the cluster.
    pub fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::FinalReplica { at, broker, replica } => {
                let replicas = self.replicas.entry(at.clone()).or_default();
                replicas.insert(*broker, replica.clone());
            }
            Fact::Unconverged { why } => self.unconverged = Some(why.clone()),
            // A position is in the history already.
            // Positions are judged by what consumers read, poll by poll; this one is for a person who reads a trace.
            Fact::FinalPosition { .. } | Fact::FinalLog { .. } | Fact::FinalRecord { .. } => {}
        }
    }

    /// What was missing when the budget for converging was used up, if it was.
    pub fn unconverged(&self) -> Option<&str> {
        self.unconverged.as_deref()
    }

    /// The replica of a broker that runs and has one.
    pub fn replica(&self, at: &TopicPartition, broker: BrokerId) -> Option<&Replica> {
        self.replicas.get(at)?.get(&broker)?.as_ref()
    }

    /// The broker that believes it leads a partition, of several the one with the newest epoch.
    pub fn leader(&self, at: &TopicPartition) -> Option<(BrokerId, &Replica, &Leading)> {
        let replicas = self.replicas.get(at)?.iter();
        let leaders = replicas.filter_map(|(broker, replica)| {
            let replica = replica.as_ref()?;
            Some((*broker, replica, replica.leading.as_ref()?))
        });
        leaders.max_by_key(|(_, replica, _)| replica.leader_epoch)
    }

    /// The partitions that anything was read off.
    pub fn read(&self) -> impl Iterator<Item = &TopicPartition> {
        self.replicas.keys()
    }
}
