//! Requests that wait: produce requests for the high watermark, fetches for data.
//!
//! Partitions name the requests that wait for them, so that a partition's progress costs only as much as
//! there are requests that it may complete.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, ProduceResponse, ResponseKind};

use super::alarm::Deadline;
use super::produce::{ACKS_ALL, ACKS_LEADER, tell_acknowledged};
use super::{ReplicaManager, Slot};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::vocab::{ConnId, Offset};

/// A partition of a produce request that is not settled.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// Where in the response: topic and partition.
    pub place: (usize, usize),
    pub slot: Slot,
    /// The offset behind its last record.
    pub required: Offset,
}

/// A produce request that waits.
#[derive(Debug)]
pub(super) struct DelayedProduce {
    pub to: ReplyTo,
    pub deadline: Deadline,
    pub response: ProduceResponse,
    pub unsettled: Vec<Unsettled>,
}

/// A fetch that waits.
#[derive(Debug)]
pub(super) struct DelayedFetch {
    pub to: ReplyTo,
    pub deadline: Deadline,
    pub request: FetchRequest,
    /// The partitions of the request, in order.
    pub slots: Vec<Option<Slot>>,
}

fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

impl ReplicaManager {
    /// One partition of a produce request is settled, well or not.
    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        request: u64,
        slot: Slot,
        error: Option<ResponseError>,
    ) {
        let Some(delayed) = self.produces.get_mut(&request) else { return };
        let Some(n) = delayed.unsettled.iter().position(|part| part.slot == slot) else { return };
        let (topic, partition) = delayed.unsettled.swap_remove(n).place;
        let part = &mut delayed.response.responses[topic].partition_responses[partition];
        part.error_code = code(error);
        if delayed.unsettled.is_empty() {
            let delayed = self.produces.remove(&request).expect("it was just looked at");
            self.alarm.clear(delayed.deadline);
            self.waiting_clients.remove(&delayed.to.conn);
            cx.reply(delayed.to, ResponseKind::Produce(delayed.response));
        }
    }

    /// Settles the produce requests that the high watermark, or an fsync, has reached.
    pub(super) fn complete_produces(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let version = self.config.version;
        let partition = self.at_mut(slot);
        if partition.waiting_commits.is_empty() && partition.waiting_flushes.is_empty() {
            return;
        }
        let Some(leader) = partition.leader() else { return };
        let too_few = leader.isr.maximal().len() < partition.min_isr(version);
        let error = too_few.then_some(ResponseError::NotEnoughReplicasAfterAppend);
        let (committed, settled) = (partition.high_watermark, partition.log.flushed_end());
        loop {
            let partition = self.at_mut(slot);
            let reached = |required: &mut (Offset, u64)| required.0 <= committed;
            let Some((end, request)) = partition.waiting_commits.pop_front_if(reached) else {
                break;
            };
            if error.is_none() {
                tell_acknowledged(cx, partition, end, ACKS_ALL);
            }
            self.settle(cx, request, slot, error);
        }
        loop {
            let partition = self.at_mut(slot);
            let reached = |required: &mut (Offset, u64)| required.0 <= settled;
            let Some((end, request)) = partition.waiting_flushes.pop_front_if(reached) else {
                break;
            };
            tell_acknowledged(cx, partition, end, ACKS_LEADER);
            self.settle(cx, request, slot, None);
        }
    }

    /// Leadership is lost: nobody can say what becomes of what was appended.
    pub(super) fn fail_produces(&mut self, cx: &mut Context<'_>, slot: Slot, error: ResponseError) {
        let partition = self.at_mut(slot);
        let mut waiting = std::mem::take(&mut partition.waiting_commits);
        waiting.append(&mut partition.waiting_flushes);
        for (_, request) in waiting {
            self.settle(cx, request, slot, Some(error));
        }
    }

    fn forget_produce(&mut self, delayed: &DelayedProduce, request: u64) {
        for part in &delayed.unsettled {
            let partition = self.at_mut(part.slot);
            let entry = (part.required, request);
            for waiting in [&mut partition.waiting_commits, &mut partition.waiting_flushes] {
                if let Ok(n) = waiting.binary_search(&entry) {
                    waiting.remove(n);
                }
            }
        }
    }

    /// A produce request has waited for its `timeout_ms`. What was appended may still be committed.
    pub(super) fn produce_timed_out(&mut self, cx: &mut Context<'_>, request: u64) {
        let Some(mut delayed) = self.produces.remove(&request) else { return };
        self.forget_produce(&delayed, request);
        self.waiting_clients.remove(&delayed.to.conn);
        for part in &delayed.unsettled {
            let (topic, partition) = part.place;
            let part = &mut delayed.response.responses[topic].partition_responses[partition];
            part.error_code = ResponseError::RequestTimedOut.code();
        }
        cx.reply(delayed.to, ResponseKind::Produce(delayed.response));
    }

    /// Lets a fetch wait for data.
    pub(super) fn park_fetch(&mut self, number: u64, delayed: DelayedFetch) {
        for slot in delayed.slots.iter().flatten() {
            self.at_mut(*slot).waiting_fetches.push(number);
        }
        self.waiting_clients.insert(delayed.to.conn, number);
        self.fetches.insert(number, delayed);
    }

    fn take_fetch(&mut self, number: u64) -> Option<DelayedFetch> {
        let delayed = self.fetches.remove(&number)?;
        for slot in delayed.slots.iter().flatten() {
            let waiting = &mut self.at_mut(*slot).waiting_fetches;
            if let Some(n) = waiting.iter().position(|other| *other == number) {
                waiting.swap_remove(n);
            }
        }
        self.waiting_clients.remove(&delayed.to.conn);
        self.alarm.clear(delayed.deadline);
        Some(delayed)
    }

    /// Answers a fetch that waits with what there is.
    pub(super) fn answer_fetch(&mut self, cx: &mut Context<'_>, number: u64) {
        let Some(delayed) = self.take_fetch(number) else { return };
        let DelayedFetch { to, request, slots, .. } = delayed;
        let read = self.read(&request, &slots, to.version);
        self.reply_fetch(cx, to, &request, &slots, read);
    }

    /// Answers the fetches that wait for this partition and may now be answered.
    pub(super) fn wake_fetches(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let mut n = 0;
        while let Some(&number) = self.at(slot).waiting_fetches.get(n) {
            let delayed = &self.fetches[&number];
            if self.is_fetch_ready(delayed, slot) {
                // Takes it off the list.
                self.answer_fetch(cx, number);
            } else {
                n += 1;
            }
        }
    }

    /// A client's connection is gone: what it waits for is nobody's business any more. What it appended
    /// stays.
    pub fn client_gone(&mut self, conn: ConnId) {
        let Some(number) = self.waiting_clients.remove(&conn) else { return };
        if let Some(delayed) = self.produces.remove(&number) {
            self.forget_produce(&delayed, number);
            self.alarm.clear(delayed.deadline);
        } else {
            self.take_fetch(number);
        }
    }
}
