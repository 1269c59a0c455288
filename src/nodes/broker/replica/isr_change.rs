//! Changes of the ISR that a leader proposes: shrinking and expanding it (`Partition.maybeShrinkIsr`,
//! `maybeExpandIsr`).

use std::collections::BTreeSet;

use super::isr::Isr;
use super::partition::{FetchTimes, PartitionReplica};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Ask, Context, IsrChange, IsrOutcome};
use crate::releases::{Change, IsrPath, KafkaVersion};
use crate::vocab::{BrokerId, Mutant};

/// Observes the in-sync replicas that a leader knows; a follower knows none.
pub fn observe_isr(cx: &mut Context<'_>, version: KafkaVersion, replica: &PartitionReplica) {
    // A topic's settings change for followers, too.
    let Some(leader) = replica.leader() else { return };
    cx.effects.observe(Observation::Broker(BrokerObservation::IsrKnown {
        at: replica.at.clone(),
        committed: leader.isr.committed().to_vec(),
        maximal: leader.isr.maximal().to_vec(),
        min: u32::try_from(replica.min_isr(version)).unwrap_or(u32::MAX),
    }));
}

fn propose(
    cx: &mut Context<'_>,
    version: KafkaVersion,
    replica: &PartitionReplica,
    isr: Vec<BrokerId>,
) {
    observe_isr(cx, version, replica);
    tracing::info!(at = %replica.at, ?isr, "ISR change proposed");
    cx.ask(Ask::ChangeIsr(IsrChange {
        at: replica.at.clone(),
        topic_id: replica.topic_id,
        leader_epoch: replica.leader_epoch,
        controller_epoch: replica.controller_epoch,
        isr,
        partition_epoch: replica.partition_epoch,
    }));
}

/// As a leader: proposes to drop the followers that lag. Returns whether it does.
///
/// Since 2.1 a follower that has everything is in sync however silent it is; before, even that one had to
/// fetch now and then.
pub fn maybe_shrink(
    cx: &mut Context<'_>,
    config: &Config,
    replica: &mut PartitionReplica,
    times: &FetchTimes,
) -> bool {
    let (me, lag_max, clock) = (config.id, config.replica_lag_time_max, cx.clock);
    let spares_complete = config.version.has(Change::SilentFollowerAtEndStays);
    let leader_end = replica.log.flushed_end();
    // The periodic task looks at all replicas.
    let Some(leader) = replica.leader_mut() else { return false };
    if leader.isr.is_pending() {
        return false;
    }
    let followers = &leader.followers;
    let in_sync = |id: BrokerId| {
        let state = followers.iter().find(|(other, _)| *other == id).map(|(_, state)| state);
        // An id outside the assignment stays: only the controller removes it.
        id == me
            || state.is_none_or(|state| {
                let is_complete = spares_complete && state.end == Some(leader_end);
                is_complete || state.is_caught_up(lag_max, clock, times)
            })
    };
    let Some(isr) = leader.isr.propose_only(in_sync) else { return false };
    propose(cx, config.version, replica, isr);
    true
}

/// As a leader: proposes to admit `follower`, if it has reached the high watermark, and (KAFKA-7128) the start
/// of the leader's epoch: below that it may lack records that the previous leader committed.
pub fn maybe_expand(
    cx: &mut Context<'_>,
    config: &Config,
    live: Option<&BTreeSet<BrokerId>>,
    replica: &mut PartitionReplica,
    follower: BrokerId,
) {
    let version = config.version;
    let is_live = match live {
        Some(live) if version.has(Change::IsrJoinNeedsLiveBroker) => live.contains(&follower),
        _ => true,
    };
    let skips_epoch_start = config.is(Mutant::JoinBelowEpochStart);
    let high_watermark = replica.high_watermark;
    let leader = replica.leader_mut().expect("only a leader's followers join");
    if !is_live || leader.isr.is_pending() || leader.isr.committed().contains(&follower) {
        return;
    }
    let end = leader.follower(follower).and_then(|state| state.end);
    let end = end.expect("its fetch was just recorded");
    let started = !version.has(Change::IsrJoinNeedsEpochStart)
        || end >= leader.epoch_start
        || skips_epoch_start;
    if end >= high_watermark && started {
        let isr = leader.isr.propose_with(follower);
        propose(cx, version, replica, isr);
    }
}

/// A proposed change ended. Returns whether it ended anything here.
pub fn change_ended(
    cx: &mut Context<'_>,
    version: KafkaVersion,
    replica: &mut PartitionReplica,
    outcome: IsrOutcome,
) -> bool {
    let (epoch, known) = (replica.leader_epoch, replica.partition_epoch);
    // Another broker leads by now.
    let Some(leader) = replica.leader_mut() else { return false };
    match outcome {
        IsrOutcome::Committed { isr, leader_epoch, partition_epoch } => {
            // A LeaderAndIsr request came in between.
            if leader_epoch != epoch || partition_epoch < known || !leader.isr.is_pending() {
                return false;
            }
            let from = std::mem::replace(&mut leader.isr, Isr::new(isr.clone()));
            replica.partition_epoch = partition_epoch;
            tracing::info!(at = %replica.at, ?isr, partition_epoch, "ISR changed");
            if version.isr_path() == IsrPath::ZooKeeper {
                cx.effects.observe(Observation::Broker(BrokerObservation::IsrChanged {
                    at: replica.at.clone(),
                    from: from.committed().to_vec(),
                    to: isr,
                    partition_epoch,
                }));
            }
        }
        IsrOutcome::Refused => {
            leader.isr.refuse();
            tracing::info!(at = %replica.at, "ISR change refused; the committed ISR stays");
        }
        IsrOutcome::Superseded => {}
    }
    observe_isr(cx, version, replica);
    true
}
