//! The coordinator: it owns the transactional ids, and says whether it is one's coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::adding::Batches;
use super::appends::Appends;
use super::deadlines::Due;
use super::loads::Loads;
use super::marker::Markers;
use super::senders::Senders;
use super::state::Transaction;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, Part};
use crate::nodes::broker::group::partition_of;
use crate::nodes::broker::replica::Alarm;
use crate::vocab::{LeaderEpoch, Stream, Time, nanos};

/// A partition of `__transaction_state` that this broker coordinates.
#[derive(Debug)]
pub struct Owned {
    /// The leader epoch in which it does: the coordinator epoch of its markers.
    pub epoch: LeaderEpoch,
    /// By transactional id.
    pub transactions: BTreeMap<StrBytes, Transaction>,
}

/// The transaction coordinator of one broker.
#[derive(Debug)]
pub struct TransactionCoordinator {
    pub(super) config: Arc<Config>,
    /// Draws the phases of the periodic tasks of a broker that was up before the run.
    phases: Stream,
    /// When the process began.
    started: Time,
    pub(super) owned: BTreeMap<i32, Owned>,
    pub(super) loads: Loads,
    pub(super) alarm: Alarm<Due>,
    pub(super) appends: Appends,
    pub(super) markers: Markers,
    pub(super) senders: Senders,
    /// AddPartitionsToTxn with many transactions.
    pub(super) batches: Batches,
    /// Whether the periodic tasks run.
    is_periodic: bool,
}

impl TransactionCoordinator {
    /// A coordinator of no transactional id.
    pub fn new(config: Arc<Config>, phases: Stream) -> Self {
        Self {
            senders: Senders::new(&config),
            config,
            phases,
            started: Time::ZERO,
            owned: BTreeMap::new(),
            loads: Loads::default(),
            alarm: Alarm::of(Part::Transactions),
            appends: Appends::default(),
            markers: Markers::default(),
            batches: Batches::default(),
            is_periodic: false,
        }
    }

    /// The process begins.
    pub fn start(&mut self, now: Time) {
        self.started = now;
    }

    /// The partition of a transactional id.
    pub(super) fn partition(&self, id: &str) -> i32 {
        partition_of(id, self.config.transactions.topic_num_partitions)
    }

    /// The coordinator epoch of a transactional id, and what is known of it.
    ///
    /// # Errors
    /// When this broker is not its coordinator, or not yet.
    pub(super) fn find(
        &self,
        id: &str,
    ) -> Result<(LeaderEpoch, Option<&Transaction>), ResponseError> {
        let partition = self.partition(id);
        if self.loads.is_loading(partition) {
            return Err(ResponseError::CoordinatorLoadInProgress);
        }
        let owned = self.owned.get(&partition).ok_or(ResponseError::NotCoordinator)?;
        Ok((owned.epoch, owned.transactions.get(id.as_bytes())))
    }

    /// A transactional id that is known, to be changed; what [`TransactionCoordinator::find`] finds.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Transaction> {
        self.find(id).ok()?;
        let partition = self.partition(id);
        self.owned.get_mut(&partition)?.transactions.get_mut(id.as_bytes())
    }

    /// A transactional id, when this broker coordinates it in `epoch` still.
    pub(super) fn find_in(&mut self, id: &str, epoch: LeaderEpoch) -> Option<&mut Transaction> {
        let (current, _) = self.find(id).ok()?;
        if current == epoch { self.find_mut(id) } else { None }
    }

    /// The first time of a periodic task. They begin with the process, at any phase if it was up before the run; what
    /// comes before the first partition would find nothing to do.
    fn first_time(&mut self, now: Time, interval: Duration, name: &str) -> Time {
        let interval_ns = nanos(interval).max(1);
        if self.config.was_up {
            return now.after_nanos(self.phases.below_name(name).below(interval_ns));
        }
        let passed = nanos(now.since(self.started)) / interval_ns + 1;
        self.started.after_nanos(passed.saturating_mul(interval_ns))
    }

    /// Starts the periodic tasks, once.
    pub(super) fn start_periodic(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.is_periodic, true) {
            return;
        }
        let (abort, expire) =
            (self.config.transactions.abort_interval, self.config.transactions.expiry_interval);
        let at = self.first_time(cx.clock.now, abort, "abort");
        self.alarm.set(cx, at, Due::Abort);
        let at = self.first_time(cx.clock.now, expire, "expire");
        self.alarm.set(cx, at, Due::Expire);
    }

    /// The earliest timer is due. Returns the partition that is to be loaded now, if one is: see
    /// [`TransactionCoordinator::load`].
    pub fn on_timer(&mut self, cx: &mut Context<'_>) -> Option<i32> {
        self.alarm.fired();
        let mut loads = None;
        while let Some(due) = self.alarm.pop(cx) {
            match due {
                Due::Load => loads = self.loads.first(),
                Due::Abort => {
                    self.abort_timed_out(cx);
                    self.alarm.set_after(cx, self.config.transactions.abort_interval, Due::Abort);
                }
                Due::Expire => {
                    self.expire(cx);
                    self.alarm.set_after(cx, self.config.transactions.expiry_interval, Due::Expire);
                }
                Due::MarkersTimeout(broker) => self.markers_timed_out(cx, broker),
                Due::Reconnect(broker) => self.reconnect(cx, broker),
                Due::MarkersAgain => self.markers_again(),
                Due::CompleteAgain => self.complete_again(cx),
            }
        }
        loads
    }
}
