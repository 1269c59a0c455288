//! Fetch: what a leader learns from its followers' fetches, and which fetches wait.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse, ResponseKind};

use super::alarm::Due;
use super::isr_change::maybe_expand;
use super::leader::LeaderHandler;
use super::purgatory::DelayedFetch;
use super::read::{Position, size};
use super::replicas::Slot;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::BrokerId;

/// The parts that a fetch works with.
#[derive(Debug)]
pub struct FetchHandler<'a> {
    /// Those of a leader.
    pub leader: LeaderHandler<'a>,
    /// Registered brokers, which alone may join an ISR since 3.3; `None` before the first UpdateMetadata.
    pub live: Option<&'a BTreeSet<BrokerId>>,
}

impl FetchHandler<'_> {
    /// Notes where a follower is: it has everything below the offset that it fetches from. What this makes
    /// of the ISR and the high watermark is not in the response that was just read.
    fn record(&mut self, cx: &mut Context<'_>, replica: BrokerId, position: &Position) {
        let now = cx.clock.now;
        let config = self.leader.config;
        let looks_at_every_fetch = config.version.has(Change::HighWatermarkAtEveryFetch);
        let partition = self.leader.replicas.at_mut(position.slot);
        let leader = partition.leader_mut().expect("it was just read from as the leader");
        let state = leader.followers.iter_mut().find(|(id, _)| *id == replica);
        let Some((_, state)) = state else {
            tracing::info!(at = %partition.at, %replica, "fetch of a replica that is not assigned");
            return;
        };
        let moved = state.end != Some(position.offset);
        state.fetched(position.offset, position.leader_end, now);
        let is_in_sync = leader.isr.maximal().contains(&replica);
        if moved {
            let (at, offset) = (partition.at.clone(), position.offset);
            let fetched = BrokerObservation::FollowerFetched { at, follower: replica, offset };
            cx.effects.observe(Observation::Broker(fetched));
        }
        if !is_in_sync {
            maybe_expand(cx, config, self.live, partition, replica);
        }
        // The high watermark can move without the follower having moved: when another one, outside the ISR,
        // no longer counts as caught up. Since 2.4 that waits for a follower that moves.
        if moved {
            self.leader.progress(cx, position.slot);
        } else if looks_at_every_fetch {
            self.leader.progress_by_time(cx, position.slot);
        }
    }

    /// Answers a fetch of a follower or a consumer, at once or when there is enough.
    pub fn fetch(&mut self, cx: &mut Context<'_>, to: ReplyTo, request: FetchRequest) {
        if request.session_id != 0 && request.session_epoch > 0 {
            let code = ResponseError::FetchSessionIdNotFound.code();
            let response = FetchResponse::default().with_error_code(code);
            cx.reply(to, ResponseKind::Fetch(response));
            return;
        }
        let count = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        let mut slots: Vec<Option<Slot>> = Vec::with_capacity(count);
        for topic in &request.topics {
            let asked = topic.partitions.iter().map(|asked| asked.partition);
            slots.extend(self.leader.replicas.find_each(&topic.topic, asked));
        }
        let survey = self.leader.reader().survey(&request, &slots, to.version);
        let enough = request.max_wait_ms <= 0
            || slots.is_empty()
            || survey.urgent
            || survey.bytes >= size(request.min_bytes);
        // Before the fetch is recorded: what that makes of the high watermark is in the next answer.
        let response = enough.then(|| self.leader.reader().read(&request, &slots, to.version));
        let replica = BrokerId(request.replica_id.0);
        for position in &survey.positions {
            self.record(cx, replica, position);
        }
        if let Some(response) = response {
            self.leader.reader().reply(cx, to, &request, &slots, response);
            return;
        }
        let LeaderHandler { replicas, purgatory, alarm, .. } = &mut self.leader;
        let number = purgatory.number();
        let wait = Duration::from_millis(request.max_wait_ms.unsigned_abs().into());
        let deadline = alarm.set_after(cx, wait, Due::Fetch(number));
        purgatory.park_fetch(replicas, number, DelayedFetch { to, deadline, request, slots });
    }
}
