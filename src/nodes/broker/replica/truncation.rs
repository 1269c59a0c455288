//! How a follower finds out where its log parts from its leader's, and cuts it there.
//!
//! Four protocols, by version: the own high watermark (before 0.11), the end offset of the own last epoch
//! (KIP-101), epochs and offsets until both sides agree (KIP-279, KIP-320), and divergence told in the fetch
//! response (2.7).
//!
//! A cut is over when what goes with it is on the platter: the leader epochs, if some were cut, and the recovery
//! point, if it was (`Log.truncateTo`, `LogManager.truncateTo`). The fetcher, which is one thread that writes these
//! files, asks for nothing before. So the epochs of a cut never outlive it beside records that came later: those
//! would stand under an epoch that is not theirs, and followers be told that it ends behind them. The cut itself is
//! not fsynced. A power loss can undo it only together with what was written to these files after it, as file
//! systems that keep a journal of metadata commit it in order. (3.7 no longer waits for the epochs' fsync,
//! KAFKA-15046; it is simulated as before.)

use std::collections::BTreeSet;

use super::partition::{Follower, Partition, Role, Stage};
use super::{ReplicaManager, Slot};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::nodes::broker::log::checkpoint::RECOVERY_POINTS;
use crate::nodes::broker::log::{EpochEnd, epochs};
use crate::releases::Truncation;
use crate::vocab::{Mutant, Offset};

/// Where to cut, and whether the question is settled by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub to: Offset,
    pub complete: bool,
}

/// The stage in which following begins.
pub(super) fn first_stage(protocol: Truncation, has_epoch: bool) -> Stage {
    match protocol {
        Truncation::Kip101 | Truncation::Kip279 | Truncation::Kip320 if has_epoch => {
            Stage::Truncating
        }
        _ => Stage::Fetching,
    }
}

/// Whether following begins with a cut to the own high watermark.
pub(super) fn begins_at_high_watermark(protocol: Truncation, has_epoch: bool) -> bool {
    protocol == Truncation::HighWatermark || !has_epoch
}

/// What to make of a leader's answer that the asked epoch ended so in its log.
pub(super) fn cut(partition: &Partition, protocol: Truncation, leader: EpochEnd) -> Cut {
    let end = partition.log.end();
    let done = |to| Cut { to, complete: true };
    if leader.end_offset == epochs::UNDEFINED {
        return done(partition.high_watermark);
    }
    if protocol == Truncation::Kip101 || leader.epoch == EpochEnd::UNDEFINED.epoch {
        return done(leader.end_offset.min(end));
    }
    let own = partition.log.epochs().end_offset_for(leader.epoch, end);
    if own.end_offset == epochs::UNDEFINED {
        done(leader.end_offset.min(end))
    } else if own.epoch == leader.epoch {
        done(leader.end_offset.min(own.end_offset).min(end))
    } else {
        // The leader's epoch is one that this log has not: ask again about the one below it.
        Cut { to: own.end_offset.min(end), complete: false }
    }
}

impl ReplicaManager {
    /// Cuts a log to `to`, and with it what is known to be committed.
    pub(super) fn truncate(&mut self, cx: &mut Context<'_>, slot: Slot, to: Offset) {
        let (partition, mut disk) = self.with_disk(cx, slot);
        let from = partition.log.end();
        if to < partition.high_watermark {
            tracing::warn!(at = %partition.at, to, hw = partition.high_watermark,
                "truncating below the high watermark");
        }
        let cut = partition.log.truncate_to(&mut disk, to.max(0));
        self.truncated(cx, slot, cut.then_some(from));
    }

    /// Tells that a log was cut, if it was.
    fn truncated(&mut self, cx: &mut Context<'_>, slot: Slot, from: Option<Offset>) {
        if from.is_some() {
            self.checkpoint_recovery_points(cx);
        }
        if self.is_cut_open(slot) {
            self.cutting.insert(slot);
        }
        let partition = self.at_mut(slot);
        let to = partition.log.end();
        if let Some(from) = from {
            cx.effects.observe(Observation::Broker(BrokerObservation::Truncated {
                at: partition.at.clone(),
                from,
                to,
            }));
        }
        let high_watermark = partition.high_watermark.clamp(partition.log.start(), to);
        Self::set_high_watermark(cx, partition, high_watermark);
    }

    /// Whether a file that goes with a cut of this log is being written.
    fn is_cut_open(&self, slot: Slot) -> bool {
        let Some(partition) = &self.partitions[slot] else { return false };
        self.files.is_writing(partition.log.epoch_file()) || self.files.is_writing(RECOVERY_POINTS)
    }

    /// A file was written: fetchers that waited for the end of a cut go on.
    pub(super) fn end_cuts(&mut self, cx: &mut Context<'_>) {
        if self.cutting.is_empty() {
            return;
        }
        let cutting = std::mem::take(&mut self.cutting);
        let (open, over): (BTreeSet<Slot>, BTreeSet<Slot>) =
            cutting.into_iter().partition(|slot| self.is_cut_open(*slot));
        self.cutting = open;
        for slot in over {
            let role = self.partitions[slot].as_ref().map(|partition| &partition.role);
            if let Some(&Role::Follower(Follower { leader: Some(leader), .. })) = role {
                self.drive(cx, leader);
            }
        }
    }

    /// Drops a log and begins it anew at `offset`, where the leader's starts.
    pub(super) fn start_anew(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        let (partition, mut disk) = self.with_disk(cx, slot);
        let from = partition.log.end();
        partition.log.truncate_fully_and_start_at(&mut disk, offset);
        self.truncated(cx, slot, Some(from));
    }

    /// A leader said where an epoch ended in its log. Returns whether nothing is left to ask.
    pub(super) fn truncate_by(
        &mut self,
        cx: &mut Context<'_>,
        slot: Slot,
        leader: EpochEnd,
    ) -> bool {
        let protocol = match self.config.is(Mutant::TruncateByOneAnswer) {
            true => Truncation::Kip101,
            false => self.config.version.truncation(),
        };
        let cut = cut(self.at(slot), protocol, leader);
        self.truncate(cx, slot, cut.to);
        // Nothing is left to ask about when no epoch is left.
        cut.complete || self.at(slot).log.epochs().latest().is_none()
    }
}
