//! What every change at a leader leads to: the high watermark moves, and requests that waited are answered.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::FetchableTopicResponse;
use kafka_protocol::messages::{FetchResponse, ResponseKind};

use super::alarm::{Alarm, Due};
use super::fetch_partitions::FetchParams;
use super::fetch_sessions::{FetchSessions, FetchSource, NO_SESSION};
use super::high_watermark::{advanced, set_high_watermark};
use super::partition::WaitingFetch;
use super::purgatory::{DelayedFetch, Purgatory, waiting_fetches};
use super::read::{Answer, FetchReader};
use super::replicas::{Replicas, Slot};
use super::transaction_facts::observe_stable;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::Offset;
use crate::wire::message_set::{cut, down_convert};
use crate::wire::records::{Batch, DECOMPRESSED_MAX};

/// The parts that the leader of a partition works with.
#[derive(Debug)]
pub struct LeaderHandler<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a mut Replicas,
    /// The sessions of those that fetch.
    pub sessions: &'a mut FetchSessions,
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
        let to = self.advanced(cx, slot);
        let replica = self.replicas.at_mut(slot);
        if let Some(to) = to {
            set_high_watermark(cx, replica, to);
        }
        observe_stable(cx, replica);
        self.complete_produces(cx, slot);
        self.wake_fetches(cx, slot);
    }

    /// As [`Self::progress`], when nothing but time has passed since the last: unless the high watermark moves, no
    /// request that waits can be answered. A follower names each of its partitions in every fetch, so that this
    /// happens far more often than anything else.
    pub fn progress_by_time(&mut self, cx: &mut Context<'_>, slot: Slot) {
        if self.advanced(cx, slot).is_some() {
            self.progress(cx, slot);
        }
    }

    /// Where the high watermark moves to, if it moves.
    fn advanced(&self, cx: &Context<'_>, slot: Slot) -> Option<Offset> {
        let replicas = &self.replicas;
        advanced(replicas.at(slot), replicas.times(), self.config, cx.clock)
    }

    /// Answers the produce requests that the high watermark, or an fsync, has reached.
    pub fn complete_produces(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let replica = self.replicas.at_mut(slot);
        self.purgatory.complete_produces(cx, self.alarm, self.config.version, slot, replica);
    }

    /// Answers the fetches that wait for this partition and may now be answered.
    pub fn wake_fetches(&mut self, cx: &mut Context<'_>, slot: Slot) {
        for WaitingFetch { number, place } in waiting_fetches(self.replicas, self.sessions, slot) {
            if self.purgatory.is_locked(self.replicas, self.sessions, number) {
                continue;
            }
            // The answer to an earlier one sends none.
            let DelayedFetch { params, source, .. } = self.purgatory.fetch(number);
            let partitions = source.partitions(self.sessions);
            if self.reader().is_ready(params, partitions, place) {
                self.answer_fetch(cx, number);
            }
        }
    }

    /// A handler has appended to `slot` and looks at the fetches that wait for that: the lock at which it is blocked.
    pub fn hold_fetch(&mut self, slot: Slot) -> Option<Slot> {
        self.purgatory.hold_fetch(self.replicas, self.sessions, slot)
    }

    /// Answers a fetch that waits with what there is.
    pub fn answer_fetch(&mut self, cx: &mut Context<'_>, number: u64) {
        let Self { replicas, sessions, purgatory, alarm, .. } = self;
        let delayed = purgatory.take_fetch(alarm, replicas, sessions, number);
        let DelayedFetch { to, params, mut source, .. } = delayed;
        if let Some(id) = source.session() {
            self.sessions.refresh(self.replicas, id);
        }
        let reader = FetchReader { config: self.config, replicas: self.replicas };
        let has_session = source.has_session();
        let answers = reader.read(&params, source.partitions_mut(self.sessions), has_session);
        self.answer(cx, to, &params, source, answers);
    }

    /// Answers the request of a session that waits, if one does, with what there is.
    pub fn answer_waiting_of(&mut self, cx: &mut Context<'_>, id: i32) {
        if let Some(number) = self.sessions.get(id).and_then(|session| session.waiting) {
            self.answer_fetch(cx, number);
        }
    }

    /// Ends a session, if it is there.
    pub fn close_session(&mut self, cx: &mut Context<'_>, id: i32) {
        self.answer_waiting_of(cx, id);
        self.sessions.close(self.replicas, id);
    }

    /// Observes how far a consumer may read, or that a follower gets records.
    fn observe_answer(&self, cx: &mut Context<'_>, params: &FetchParams, answer: &Answer) {
        let records = answer.data.records.as_ref().filter(|records| !records.is_empty());
        let (Some(records), Some(slot)) = (records, answer.slot) else { return };
        let at = || self.replicas.at(slot).at.clone();
        let observation = match params.follower {
            Some(follower) => {
                BrokerObservation::HandedToFollower { at: at(), follower, from: answer.offset }
            }
            None => match Batch::end_of_all(records) {
                Some(end) => BrokerObservation::Serving { at: at(), end },
                None => return,
            },
        };
        cx.effects.observe(Observation::Broker(observation));
    }

    /// Puts the records of an answer into an older format: for a client that knows no other, or as a real broker has
    /// stored them (`message.format.version`). Of those, it gives as many messages as fit into `most` bytes.
    fn convert(&self, params: &FetchParams, most: i32, answer: &mut Answer) {
        let Some(slot) = answer.slot else { return };
        let of_topic = self.replicas.at(slot).settings.magic;
        let Some(to) = params.converts_to(of_topic) else { return };
        let Some(records) = answer.data.records.as_ref().filter(|records| !records.is_empty())
        else {
            return;
        };
        let (is_stored_so, is_in_messages) = (of_topic == to as i8, of_topic < 2);
        let lazily = !is_stored_so && self.config.version.has(Change::ConvertsWhileSending);
        match down_convert(records, to, answer.offset, lazily, &mut { DECOMPRESSED_MAX }) {
            Ok(converted) if is_in_messages => {
                let most = usize::try_from(most).unwrap_or(0);
                answer.data.records = Some(cut(converted, most, params.version >= 3));
            }
            Ok(converted) => answer.data.records = Some(converted),
            Err(why) => {
                tracing::info!(%why, "records cannot be converted");
                answer.data.records = Some(Bytes::new());
                answer.data.error_code = ResponseError::UnknownServerError.code();
            }
        }
    }

    /// Sends what was read. A session remembers it, and one that is to be opened begins with it.
    pub fn answer(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        params: &FetchParams,
        source: FetchSource,
        mut answers: Vec<Answer>,
    ) {
        for answer in &mut answers {
            self.observe_answer(cx, params, answer);
            let asked = source.partitions(self.sessions).at(answer.place).max_bytes;
            self.convert(params, asked.min(params.max_bytes), answer);
        }
        let session_id = match source {
            FetchSource::Named { opens: false, .. } => NO_SESSION,
            FetchSource::Named { mut partitions, opens: true } => {
                answers.iter().for_each(|answer| answer.note(&mut partitions));
                let (of_follower, now) = (params.follower.is_some(), cx.clock.by_wall());
                self.sessions.open(self.replicas, partitions, of_follower, now)
            }
            FetchSource::Session(id) => {
                let session = self.sessions.get_mut(id).expect("a session outlives its request");
                answers.iter().for_each(|answer| answer.note(&mut session.partitions));
                let places: Vec<usize> = answers.iter().map(|answer| answer.place).collect();
                session.partitions.move_to_end(&places);
                id
            }
        };
        let mut topics: Vec<FetchableTopicResponse> = Vec::new();
        for Answer { topic, topic_id, data, .. } in answers {
            match topics.last_mut() {
                Some(last) if last.topic == topic => last.partitions.push(data),
                _ => topics.push(
                    FetchableTopicResponse::default()
                        .with_topic(topic)
                        .with_topic_id(topic_id)
                        .with_partitions(vec![data]),
                ),
            }
        }
        let response = FetchResponse::default().with_session_id(session_id).with_responses(topics);
        cx.reply(to, ResponseKind::Fetch(response));
    }

    /// The replica leads no longer: requests that wait for it are answered with an error.
    pub fn lose_leadership(&mut self, cx: &mut Context<'_>, slot: Slot) {
        let (replica, error) = (self.replicas.at_mut(slot), ResponseError::NotLeaderOrFollower);
        self.purgatory.fail_produces(cx, self.alarm, slot, replica, error);
        self.wake_fetches(cx, slot);
    }
}
