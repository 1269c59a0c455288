//! What the replicas in sync of a partition have, compared with what their leader counts as committed.

use super::Terms;
use super::log_tree::Point;
use super::replicas::{PartitionReplicas, Replica};
use crate::releases::Change;
use crate::vocab::{BrokerId, Offset};

impl PartitionReplicas {
    /// A leader's log below its high watermark, if replicas can be compared with it.
    pub fn comparable(&self, leader: &Replica) -> Option<Point> {
        leader.lead()?;
        let log = leader.log.filter(|log| !self.logs.is_folded(*log))?;
        let reached = leader.below_high_watermark;
        let known = reached.end <= log.end && leader.leader_epoch >= self.forgiven;
        known.then_some(reached)
    }

    /// Why `isr` replicas in sync are too few for a leader, if so: the least number of them. The scenario's
    /// min.insync.replicas counts, else the leader's; never more than there are replicas.
    pub fn least_if_too_few(&self, terms: &Terms, leader: &Replica, isr: usize) -> Option<usize> {
        let replicas = self.assignment.len();
        let topic = terms.topic(&self.at.topic).filter(|_| replicas > 0);
        let least = topic.map_or(leader.lead()?.min, |topic| topic.min_insync_replicas);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let least = if replicas > 0 { least.min(replicas) } else { least };
        (isr < least).then_some(least)
    }

    /// The replicas among `joined` whose logs do not reach what `leader` asks of one that joins the in-sync
    /// replicas, with their log end offsets and the one that is needed.
    pub fn not_caught_up(
        &self,
        terms: &Terms,
        leader: &Replica,
        joined: impl Iterator<Item = BrokerId>,
    ) -> Vec<(&Replica, Offset, Offset)> {
        let Some(lead) = leader.lead() else { return Vec::new() };
        let start = if terms.kafka.has(Change::IsrJoinNeedsEpochStart) { lead.start } else { 0 };
        let needed = leader.high_watermark.max(start);
        let replicas = joined.filter_map(|broker| self.replica(broker));
        let behind = replicas.filter_map(|replica| {
            let end = replica.log?.end;
            (end < needed).then_some((replica, end, needed))
        });
        behind.collect()
    }
}
