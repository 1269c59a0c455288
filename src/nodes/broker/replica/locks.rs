//! The locks of partitions: which requests wait for them, and what goes on when they are free
//! ([`super::handlers`]).

use std::collections::VecDeque;

use kafka_protocol::messages::{
    FetchRequest, LeaderAndIsrRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ResponseKind, StopReplicaRequest,
};

use super::handlers::{Blocked, WaitsFor};
use super::isr_change::maybe_shrink;
use super::manager::ReplicaManager;
use super::partition::ReplicaRole;
use super::replicas::Slot;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::TopicPartition;

/// The periodic look at the ISRs, while it waits for a partition's lock: it is one task.
#[derive(Debug)]
pub struct IsrCheck {
    /// The replica that it waits for.
    waits_for: Slot,
    /// The replicas that it looks at then.
    left: VecDeque<Slot>,
}

impl ReplicaManager {
    /// How many request handlers are blocked.
    pub fn blocked_handlers(&self) -> usize {
        self.handlers.count()
    }

    /// Whether appends to a replica have to wait.
    fn is_locked(&self, slot: Slot) -> bool {
        let is_writing = self.replicas.get(slot).is_some_and(|replica| replica.log.is_writing());
        is_writing || self.replicas.writes_isr(slot)
    }

    /// Up to 2.6: a changed ISR is on its way to ZooKeeper. The thread that changes it has the partition's lock.
    pub fn isr_write_begins(&mut self, at: &TopicPartition) {
        if let Some(slot) = self.replicas.find_at(at) {
            self.replicas.isr_write_begins(slot);
        }
    }

    /// The replica named in a request whose ISR is being written, if reads wait for that.
    fn locked_for_reading<'a>(
        &self,
        named: impl Iterator<Item = (&'a str, i32)>,
    ) -> Option<WaitsFor> {
        let mut slots = named.filter_map(|(topic, index)| self.replicas.find(topic, index));
        slots.find(|slot| self.replicas.writes_isr(*slot)).map(WaitsFor::Lock)
    }

    /// What a fetch has to wait for.
    pub(super) fn fetch_waits_for(&self, request: &FetchRequest) -> Option<WaitsFor> {
        if !self.replicas.any_isr_write() {
            return None;
        }
        let is_followers = request.replica_id.0 >= 0;
        if !is_followers && !self.config.version.has(Change::ReadsUnderPartitionLock) {
            return None;
        }
        let named = self.locked_for_reading(request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|asked| (topic.topic.as_str(), asked.partition))
        }));
        // A session names the others.
        let session = self.sessions.get(request.session_id).filter(|_| request.session_epoch > 0);
        named.or_else(|| {
            let mut slots = session?.partitions.iter().filter_map(|(_, asked)| asked.slot);
            slots.find(|slot| self.replicas.writes_isr(*slot)).map(WaitsFor::Lock)
        })
    }

    /// What ListOffsets has to wait for.
    pub(super) fn offsets_wait_for(&self, request: &ListOffsetsRequest) -> Option<WaitsFor> {
        if !self.replicas.any_isr_write()
            || !self.config.version.has(Change::ReadsUnderPartitionLock)
        {
            return None;
        }
        self.locked_for_reading(request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|asked| (topic.name.as_str(), asked.partition_index))
        }))
    }

    /// What OffsetForLeaderEpoch has to wait for.
    pub(super) fn epochs_wait_for(
        &self,
        request: &OffsetForLeaderEpochRequest,
    ) -> Option<WaitsFor> {
        if !self.replicas.any_isr_write() {
            return None;
        }
        self.locked_for_reading(request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|asked| (topic.topic.as_str(), asked.partition))
        }))
    }

    /// What a control request has to wait for: the locks of the partitions that it names, and fetchers that are
    /// blocked in an append, as they have the lock of their list of partitions.
    fn control_waits_for(&self, is_named: impl Fn(&TopicPartition) -> bool) -> Option<WaitsFor> {
        if !self.replicas.any_isr_write() && !self.logs.is_flushing() {
            return None;
        }
        let holds = |slot: &Slot| {
            let Some(replica) = self.replicas.get(*slot) else { return false };
            let follows = matches!(replica.role, ReplicaRole::Follower(_));
            replica.log.is_writing() && follows || self.is_locked(*slot) && is_named(&replica.at)
        };
        (0..self.replicas.end()).find(holds).map(WaitsFor::Lock)
    }

    /// LeaderAndIsr; answered when it is carried out.
    pub fn take_leader_and_isr(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: LeaderAndIsrRequest,
    ) {
        let waits_for = self.control_waits_for(|at| {
            let mut old = request.ungrouped_partition_states.iter();
            let is_it = |topic: &str, index: i32| *topic == *at.topic && index == at.partition;
            old.any(|state| is_it(state.topic_name.as_str(), state.partition_index))
                || request.topic_states.iter().any(|topic| {
                    let mut states = topic.partition_states.iter();
                    states.any(|state| is_it(topic.topic_name.as_str(), state.partition_index))
                })
        });
        if let Some(waits_for) = waits_for {
            self.handlers.block(waits_for, Blocked::LeaderAndIsr(to, request));
            return;
        }
        let response = self.leader_and_isr(cx, request, to.version);
        cx.reply(to, ResponseKind::LeaderAndIsr(response));
    }

    /// StopReplica; answered when it is carried out.
    pub fn take_stop_replica(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: StopReplicaRequest,
    ) {
        // All of a broker's partitions or those of a deleted topic: which ones does not matter.
        if let Some(waits_for) = self.control_waits_for(|_| true) {
            self.handlers.block(waits_for, Blocked::StopReplica(to, request));
            return;
        }
        let response = self.stop_replica(cx, request, to.version);
        cx.reply(to, ResponseKind::StopReplica(response));
    }

    /// The lock of a replica may be free: what waited for it goes on, in order.
    pub(super) fn release(&mut self, cx: &mut Context<'_>, slot: Slot) {
        while !self.is_locked(slot)
            && let Some(request) = self.handlers.next(slot)
        {
            match request {
                Blocked::Produce(producing) => self.go_on_producing(cx, *producing),
                Blocked::Fetch(to, request, is_foreign, elsewhere) => {
                    let knows = |topic: &str, n| elsewhere.has(topic, n);
                    self.fetch(cx, to, request, is_foreign, &knows);
                }
                Blocked::ListOffsets(to, request, elsewhere) => {
                    self.list_offsets(cx, to, request, &|topic, n| elsewhere.has(topic, n));
                }
                Blocked::Epochs(to, request, elsewhere) => {
                    let knows = |topic: &str, n| elsewhere.has(topic, n);
                    self.offsets_for_leader_epoch(cx, to, request, &knows);
                }
                Blocked::LeaderAndIsr(to, request) => self.take_leader_and_isr(cx, to, request),
                Blocked::StopReplica(to, request) => self.take_stop_replica(cx, to, request),
                Blocked::Markers(writing) => self.go_on_writing(cx, *writing),
                Blocked::Group(append, is_in) => self.append_internal(cx, append, is_in),
            }
        }
    }

    /// The ISR of a replica is no longer being written: what waited for that goes on.
    pub(super) fn isr_write_ended(&mut self, cx: &mut Context<'_>, slot: Slot) {
        if self.replicas.isr_write_ended(slot) {
            self.release(cx, slot);
            self.release_fetches(cx, slot);
        }
        if let Some(check) = self.isr_check.take_if(|check| check.waits_for == slot) {
            self.check_isrs(cx, check.left);
        }
    }

    /// A fetch that waits is due. Since 2.1 one thread looks at all of them, and it is blocked at a partition whose
    /// ISR is being written.
    pub(super) fn fetch_due(&mut self, cx: &mut Context<'_>, number: u64) {
        if !self.purgatory.has_overdue()
            && !self.purgatory.is_locked(&self.replicas, &self.sessions, number)
        {
            self.leading().answer_fetch(cx, number);
            return;
        }
        self.purgatory.fetch_overdue(number);
    }

    /// Fetches at which threads were blocked because of this replica go on.
    fn release_fetches(&mut self, cx: &mut Context<'_>, slot: Slot) {
        for number in self.purgatory.take_held(&self.replicas, &self.sessions, slot) {
            // Another one may have answered it.
            let Some(fetch) = self.purgatory.find_fetch(number) else { continue };
            let partitions = fetch.source.partitions(&self.sessions);
            let slots: Vec<Slot> = partitions.iter().filter_map(|(_, asked)| asked.slot).collect();
            for slot in slots {
                self.leading().wake_fetches(cx, slot);
            }
        }
        while let Some(number) = self.purgatory.next_overdue(&self.replicas, &self.sessions) {
            self.leading().answer_fetch(cx, number);
        }
    }

    /// Looks for followers that lag, in all replicas.
    pub(super) fn begin_isr_check(&mut self, cx: &mut Context<'_>) {
        let left = match self.replicas.is_locking() {
            true => self.replicas.in_order_of_pool(),
            false => (0..self.replicas.end()).collect(),
        };
        self.check_isrs(cx, left);
    }

    /// Looks for followers that lag, in the replicas that are left; waits where an ISR is being written.
    fn check_isrs(&mut self, cx: &mut Context<'_>, mut left: VecDeque<Slot>) {
        let is_locking = self.replicas.is_locking();
        while let Some(slot) = left.pop_front() {
            if self.replicas.writes_isr(slot) {
                // Another thread writes it: this one looks then.
                left.push_front(slot);
                self.isr_check = Some(IsrCheck { waits_for: slot, left });
                return;
            }
            let Some((replica, times)) = self.replicas.beside_times(slot) else { continue };
            let proposes = maybe_shrink(cx, &self.config, replica, times);
            if proposes && is_locking {
                self.isr_check = Some(IsrCheck { waits_for: slot, left });
                return;
            }
        }
        self.isr_check_done(cx);
    }
}
