//! What every change at a leader leads to: the high watermark moves, and requests that waited are answered.

use kafka_protocol::ResponseError;

use super::alarm::{Alarm, Due};
use super::high_watermark::{advanced, set_high_watermark};
use super::purgatory::{DelayedFetch, Purgatory};
use super::read::FetchReader;
use super::replicas::{Replicas, Slot};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;

/// The parts that the leader of a partition works with.
#[derive(Debug)]
pub struct LeaderHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a mut Replicas,
    /// Requests that wait.
    pub purgatory: &'a mut Purgatory,
    /// Their deadlines.
    pub alarm: &'a mut Alarm<Due>,
}

impl LeaderHandler<'_> {
    /// What may be read, and how.
    pub fn reader(&self) -> FetchReader<'_> {
        FetchReader { config: self.config, replicas: self.replicas }
    }

    /// Moves the high watermark if it can, and answers the requests that this completes.
    pub fn progress(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let replica = self.replicas.at_mut(slot);
        if let Some(to) = advanced(replica, self.config, cx.clock.now) {
            set_high_watermark(cx, replica, to);
        }
        self.complete_produces(cx, slot);
        self.wake_fetches(cx, slot);
    }

    /// As [`Self::progress`], when nothing but time has passed since the last: unless the high watermark moves, no
    /// request that waits can be answered. A follower names each of its partitions in every fetch, so that this
    /// happens far more often than anything else.
    pub fn progress_by_time(&mut self, cx: &mut Context<'_>, slot: Slot) {
        if advanced(self.replicas.at(slot), self.config, cx.clock.now).is_some() {
            self.progress(cx, slot);
        }
    }

    /// Answers the produce requests that the high watermark, or an fsync, has reached.
    pub fn complete_produces(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let replica = self.replicas.at_mut(slot);
        self.purgatory.complete_produces(cx, self.alarm, self.config.version, slot, replica);
    }

    /// Answers the fetches that wait for this partition and may now be answered.
    pub fn wake_fetches(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let mut n = 0;
        while let Some(&waiting) = self.replicas.at(slot).waiting_fetches.get(n) {
            if self.reader().is_ready(self.purgatory.fetch(waiting.number), slot, waiting.place) {
                // Takes it off the list.
                self.answer_fetch(cx, waiting.number);
            } else {
                n += 1;
            }
        }
    }

    /// Answers a fetch that waits with what there is.
    pub fn answer_fetch(&mut self, cx: &mut Context<'_>, number: u64) {
        let delayed = self.purgatory.take_fetch(self.alarm, self.replicas, number);
        let DelayedFetch { to, request, slots, .. } = delayed;
        let reader = self.reader();
        let read = reader.read(&request, &slots, to.version);
        reader.reply(cx, to, &request, &slots, read);
    }

    /// The replica leads no longer: requests that wait for it are answered with an error.
    pub fn lose_leadership(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let (replica, error) = (self.replicas.at_mut(slot), ResponseError::NotLeaderOrFollower);
        self.purgatory.fail_produces(cx, self.alarm, slot, replica, error);
        self.wake_fetches(cx, slot);
    }
}
