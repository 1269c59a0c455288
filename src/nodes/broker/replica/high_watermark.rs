//! The high watermark: how far a partition is committed, as its leader decides it.

use super::partition::{FetchTimes, PartitionReplica};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;
use crate::releases::Change;
use crate::vocab::{Clock, Mutant, Offset};

/// Where the high watermark of a leader moves to, if it moves: the least log end offset among itself, the
/// maximal ISR, and followers that are caught up though not in the ISR (they are about to join it).
pub fn advanced(
    partition: &PartitionReplica,
    times: &FetchTimes,
    config: &Config,
    clock: Clock,
) -> Option<Offset> {
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
        if counted.contains(id) || follower.is_caught_up(lag_max, clock, times) {
            // A follower that did not fetch yet holds the high watermark where it is.
            least = least.min(follower.end?);
        }
    }
    let moves = least > partition.high_watermark || config.is(Mutant::LowerHighWatermark);
    moves.then_some(least)
}

/// Moves the high watermark that a replica knows, and observes it.
pub fn set_high_watermark(cx: &mut Context<'_>, replica: &mut PartitionReplica, to: Offset) {
    if to == replica.high_watermark {
        return;
    }
    replica.high_watermark = to;
    replica.log.replicated(to);
    cx.effects.observe(Observation::Broker(BrokerObservation::HighWatermark {
        at: replica.at.clone(),
        offset: to,
    }));
}
