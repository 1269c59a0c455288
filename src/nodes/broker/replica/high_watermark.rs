//! Where the high watermark stands: the rules of leader and follower.

use super::ReplicaManager;
use super::partition::Partition;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;
use crate::releases::Change;
use crate::vocab::{Mutant, Offset, Time};

/// Where the high watermark of a leader moves to, if it moves: the least log end offset among itself, the
/// maximal ISR, and followers that are caught up though not in the ISR (they are about to join it).
pub fn advanced(partition: &Partition, config: &Config, now: Time) -> Option<Offset> {
    let lag_max = config.replica_lag_time_max;
    let leader = partition.leader()?;
    let committed = leader.isr.committed();
    let counted = match config.is(Mutant::CommitOverPendingShrink) {
        true => leader.isr.wanted(),
        false => leader.isr.maximal(),
    };
    let holds = config.version.has(Change::HighWatermarkHeldBelowMinIsr)
        && !config.is(Mutant::CommitBelowMinInsyncReplicas);
    if holds && committed.len() < partition.min_isr(config.version) {
        return None;
    }
    let mut least = partition.log.flushed_end();
    for (id, follower) in &leader.followers {
        if counted.contains(id) || follower.is_caught_up(lag_max, now) {
            // A follower that did not fetch yet holds the high watermark where it is.
            least = least.min(follower.end?);
        }
    }
    let moves = least > partition.high_watermark || config.is(Mutant::LowerHighWatermark);
    moves.then_some(least)
}

impl ReplicaManager {
    /// Moves the high watermark a replica knows and tells the history.
    pub(super) fn set_high_watermark(cx: &mut Context<'_>, partition: &mut Partition, to: Offset) {
        if to == partition.high_watermark {
            return;
        }
        partition.high_watermark = to;
        cx.effects.observe(Observation::Broker(BrokerObservation::HighWatermark {
            at: partition.at.clone(),
            offset: to,
        }));
    }

    /// As a leader: moves the high watermark if it can, and serves whom this was all about.
    pub(super) fn progress(&mut self, cx: &mut Context<'_>, slot: usize) {
        let partition = self.partitions[slot].as_mut().expect("the partition was not deleted");
        if let Some(to) = advanced(partition, &self.config, cx.clock.now) {
            Self::set_high_watermark(cx, partition, to);
        }
        self.complete_produces(cx, slot);
        self.wake_fetches(cx, slot);
    }
}
