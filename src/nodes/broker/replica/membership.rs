//! Who is in sync: shrinking and expanding the ISR (`Partition.maybeShrinkIsr`, `maybeExpandIsr`).

use super::isr::Isr;
use super::{Due, ReplicaManager, Slot};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Ask, Context, IsrChange, IsrOutcome};
use crate::releases::{Change, IsrPath};
use crate::vocab::{BrokerId, Mutant, TopicPartition};

impl ReplicaManager {
    /// Tells the history by which in-sync replicas a leader goes.
    pub(super) fn tell_isr(&self, cx: &mut Context<'_>, slot: Slot) {
        let partition = self.at(slot);
        let Some(leader) = partition.leader() else { return };
        cx.effects.observe(Observation::Broker(BrokerObservation::IsrKnown {
            at: partition.at.clone(),
            committed: leader.isr.committed().to_vec(),
            maximal: leader.isr.maximal().to_vec(),
            min: u32::try_from(partition.min_isr(self.config.version)).unwrap_or(u32::MAX),
        }));
    }

    fn ask_isr(&self, cx: &mut Context<'_>, slot: Slot, isr: Vec<BrokerId>) {
        self.tell_isr(cx, slot);
        let partition = self.at(slot);
        tracing::info!(at = %partition.at, ?isr, "ISR change proposed");
        cx.ask(Ask::ChangeIsr(IsrChange {
            at: partition.at.clone(),
            leader_epoch: partition.leader_epoch,
            controller_epoch: partition.controller_epoch,
            isr,
            partition_epoch: partition.partition_epoch,
        }));
    }

    /// Every half `replica.lag.time.max.ms`: proposes to drop the followers that lag.
    pub(super) fn shrink_all(&mut self, cx: &mut Context<'_>) {
        for slot in self.slots() {
            self.maybe_shrink(cx, slot);
        }
        let at = Self::later(cx, self.config.replica_lag_time_max / 2);
        self.alarm.set(cx, at, Due::ShrinkIsr);
    }

    /// Since 2.1 a follower that has everything is in sync however silent it is; before, even that one had to
    /// fetch now and then.
    fn maybe_shrink(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let (me, lag_max, now) = (self.me(), self.config.replica_lag_time_max, cx.clock.now);
        let spares_whoever_has_all = self.config.version.has(Change::SilentFollowerAtEndStays);
        let partition = self.at_mut(slot);
        let leader_end = partition.log.flushed_end();
        let Some(leader) = partition.leader_mut() else { return };
        if leader.isr.is_pending() {
            return;
        }
        let followers = &leader.followers;
        let in_sync = |id: BrokerId| {
            let state = followers.iter().find(|(other, _)| *other == id).map(|(_, state)| state);
            // An id outside the assignment stays: only the controller removes it.
            id == me
                || state.is_none_or(|state| {
                    let has_all = spares_whoever_has_all && state.end == Some(leader_end);
                    has_all || state.is_caught_up(lag_max, now)
                })
        };
        if let Some(isr) = leader.isr.propose_only(in_sync) {
            self.ask_isr(cx, slot, isr);
        }
    }

    /// Proposes to admit `replica`, if it has reached the high watermark, and (KAFKA-7128) the start of the
    /// leader's epoch: below that it may lack records that the previous leader committed.
    pub(super) fn maybe_expand(&mut self, cx: &mut Context<'_>, slot: Slot, replica: BrokerId) {
        let version = self.config.version;
        let live = match &self.live {
            Some(live) if version.has(Change::IsrJoinNeedsLiveBroker) => live.contains(&replica),
            _ => true,
        };
        let skips_epoch_start = self.config.is(Mutant::JoinBelowEpochStart);
        let partition = self.at_mut(slot);
        let high_watermark = partition.high_watermark;
        let Some(leader) = partition.leader_mut() else { return };
        if !live || leader.isr.is_pending() || leader.isr.committed().contains(&replica) {
            return;
        }
        let Some(end) = leader.follower(replica).and_then(|state| state.end) else { return };
        let started = !version.has(Change::IsrJoinNeedsEpochStart)
            || end >= leader.epoch_start
            || skips_epoch_start;
        if end >= high_watermark && started {
            let isr = leader.isr.propose_with(replica);
            self.ask_isr(cx, slot, isr);
        }
    }

    /// A proposed change ended.
    pub fn isr_change_done(
        &mut self,
        cx: &mut Context<'_>,
        at: &TopicPartition,
        outcome: IsrOutcome,
    ) {
        let path = self.config.version.isr_path();
        let Some(slot) = self.find_at(at) else { return };
        let partition = self.at_mut(slot);
        let (epoch, known) = (partition.leader_epoch, partition.partition_epoch);
        let Some(leader) = partition.leader_mut() else { return };
        match outcome {
            IsrOutcome::Committed { isr, leader_epoch, partition_epoch } => {
                if leader_epoch != epoch || partition_epoch < known || !leader.isr.is_pending() {
                    return;
                }
                let from = std::mem::replace(&mut leader.isr, Isr::new(isr.clone()));
                partition.partition_epoch = partition_epoch;
                tracing::info!(%at, ?isr, partition_epoch, "ISR changed");
                if path == IsrPath::ZooKeeper {
                    cx.effects.observe(Observation::Broker(BrokerObservation::IsrChanged {
                        at: at.clone(),
                        from: from.committed().to_vec(),
                        to: isr,
                        partition_epoch,
                    }));
                }
            }
            IsrOutcome::Refused => {
                tracing::info!(%at, "ISR change refused; the committed ISR stays");
                leader.isr.refuse();
            }
            IsrOutcome::Superseded => {}
        }
        self.tell_isr(cx, slot);
        if !self.config.is(Mutant::StallAfterShrink) {
            self.progress(cx, slot);
        }
    }
}
