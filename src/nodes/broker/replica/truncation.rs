//! How a follower finds where its log diverges from its leader's, and truncates it there.
//!
//! Four protocols, by version: the own high watermark (before 0.11), the end offset of the own last epoch
//! (KIP-101), epochs and offsets until both sides agree (KIP-279, KIP-320), and the diverging epoch of a fetch
//! response (2.7).
//!
//! A truncation is over when the files that go with it are on the platter: the leader epochs, if some were cut, and
//! the recovery point, if it was (`Log.truncateTo`, `LogManager.truncateTo`). The fetcher is one thread, which
//! writes these files and asks for nothing before. So the cut epochs never outlive the truncation beside records
//! that came later: those would have an epoch that is not theirs, and followers would get a wrong end of it. The
//! truncation of the segment itself is not fsynced. A power loss can undo it only together with what was written to
//! these files after it, because file systems with a metadata journal commit in order. (3.7 no longer waits for the
//! epochs' fsync, KAFKA-15046; it is simulated as before.)

use super::high_watermark::set_high_watermark;
use super::log_manager::LogManager;
use super::partition::{FetchState, PartitionReplica};
use super::replicas::{Replicas, Slot};
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;
use crate::nodes::broker::log::{EpochEnd, epochs};
use crate::releases::Truncation;
use crate::vocab::{Mutant, Offset};

/// Where to cut, and whether the question is settled by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub to: Offset,
    pub complete: bool,
}

/// The state in which following begins.
pub fn first_state(protocol: Truncation, has_epoch: bool) -> FetchState {
    match protocol {
        Truncation::Kip101 | Truncation::Kip279 | Truncation::Kip320 if has_epoch => {
            FetchState::Truncating
        }
        _ => FetchState::Fetching,
    }
}

/// Whether following begins with a cut to the own high watermark.
pub fn begins_at_high_watermark(protocol: Truncation, has_epoch: bool) -> bool {
    protocol == Truncation::HighWatermark || !has_epoch
}

/// What to make of a leader's answer that the asked epoch ended so in its log.
pub fn cut(partition: &PartitionReplica, protocol: Truncation, leader: EpochEnd) -> Cut {
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
        // This log does not have the leader's epoch: ask again about the one below it.
        Cut { to: own.end_offset.min(end), complete: false }
    }
}

/// The parts that a truncation works with.
#[derive(Debug)]
pub struct Truncator<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas: a truncation writes the checkpoints of all of them.
    pub replicas: &'a mut Replicas,
    /// The disk.
    pub logs: &'a mut LogManager,
}

impl Truncator<'_> {
    /// Truncates a log to `to`, and with it what is known to be committed.
    pub fn truncate(&mut self, cx: &mut Context<'_>, slot: Slot, to: Offset) {
        let replica = self.replicas.at_mut(slot);
        let from = replica.log.end();
        if to < replica.high_watermark {
            tracing::warn!(at = %replica.at, to, hw = replica.high_watermark,
                "truncating below the high watermark");
        }
        let keeps = self.config.is(Mutant::KeepTruncatedSequences);
        let producers = keeps.then(|| replica.log.producers().clone());
        let cut = replica.log.truncate_to(&mut self.logs.disk(cx), to.max(0));
        if let Some(producers) = producers {
            replica.log.set_producers(producers);
        }
        self.truncated(cx, slot, cut.then_some(from));
    }

    /// Observes that a log was cut, if it was.
    fn truncated(&mut self, cx: &mut Context<'_>, slot: Slot, from: Option<Offset>) {
        if from.is_some() {
            self.logs.checkpoint_recovery_points(cx, self.replicas);
        }
        let replica = self.replicas.at_mut(slot);
        self.logs.note_cut(slot, replica);
        let to = replica.log.end();
        if let Some(from) = from {
            cx.effects.observe(Observation::Broker(BrokerObservation::Truncated {
                at: replica.at.clone(),
                from,
                to,
            }));
        }
        let high_watermark = replica.high_watermark.clamp(replica.log.start(), to);
        set_high_watermark(cx, replica, high_watermark);
    }

    /// Drops a log and starts a new one at `offset`, where the leader's starts.
    pub fn truncate_fully(&mut self, cx: &mut Context<'_>, slot: Slot, offset: Offset) {
        let replica = self.replicas.at_mut(slot);
        let from = replica.log.end();
        replica.log.truncate_fully_and_start_at(&mut self.logs.disk(cx), offset);
        self.truncated(cx, slot, Some(from));
    }

    /// A leader said where an epoch ended in its log. Returns whether nothing is left to ask.
    pub fn truncate_by(&mut self, cx: &mut Context<'_>, slot: Slot, leader: EpochEnd) -> bool {
        let protocol = match self.config.is(Mutant::TruncateByOneAnswer) {
            true => Truncation::Kip101,
            false => self.config.version.truncation(),
        };
        let cut = cut(self.replicas.at(slot), protocol, leader);
        self.truncate(cx, slot, cut.to);
        // Nothing is left to ask about when no epoch is left.
        cut.complete || self.replicas.at(slot).log.epochs().latest().is_none()
    }
}
