//! Fetch: what a leader learns from its followers' fetches, and which fetches wait.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ResponseKind};

use super::alarm::Due;
use super::fetch_partitions::{FetchParams, FetchPartitions};
use super::fetch_sessions::{FINAL_EPOCH, FetchSource, INITIAL_EPOCH, NO_SESSION};
use super::isr_change::maybe_expand;
use super::leader::LeaderHandler;
use super::partition::FetchTime;
use super::purgatory::DelayedFetch;
use super::read::{FetchReader, Position};
use super::replicas::Knows;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::{Ask, Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::BrokerId;

/// The first version in which topics are named by their ids (KIP-516).
pub const FETCH_WITH_IDS: i16 = 13;

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
    ///
    /// Returns whether it rests there in its `session`: as long as the partition does not change, its next fetches say
    /// nothing but when they came.
    fn record(
        &mut self,
        cx: &mut Context<'_>,
        replica: BrokerId,
        position: &Position,
        at: FetchTime,
        session: Option<i32>,
    ) -> bool {
        let release = self.leader.config.version;
        let looks_at_every_fetch = release.has(Change::HighWatermarkAtEveryFetch);
        let partition = self.leader.replicas.at_mut_beside(position.slot);
        // Where the high watermark is at the log's end, it cannot move.
        let is_done = partition.high_watermark == position.leader_end;
        let leader = partition.leader_mut().expect("it was just read from as the leader");
        let state = leader.followers.iter_mut().find(|(id, _)| *id == replica);
        let Some((_, state)) = state else {
            tracing::info!(at = %partition.at, %replica, "fetch of a replica that is not assigned");
            return false;
        };
        let moved = state.end != Some(position.offset);
        state.fetched(position.offset, position.leader_end, at);
        state.log_start = position.log_start;
        let is_in_sync = leader.isr.maximal().contains(&replica);
        let mut rests = false;
        if let Some(session) = session
            && position.is_quiet
            && is_in_sync
            && (is_done || !looks_at_every_fetch)
        {
            state.rest(session);
            rests = true;
        }
        if !moved && is_in_sync && !looks_at_every_fetch {
            return rests;
        }
        if moved {
            let (at, offset) = (partition.at.clone(), position.offset);
            let fetched = BrokerObservation::FollowerFetched { at, follower: replica, offset };
            cx.effects.observe(Observation::Broker(fetched));
        }
        if !is_in_sync {
            maybe_expand(cx, self.leader.config, self.live, partition, replica);
        }
        // The high watermark can move without the follower having moved: when another one, outside the ISR,
        // no longer counts as caught up. Since 2.4 that waits for a follower that moves.
        if moved {
            self.leader.progress(cx, position.slot);
        } else if looks_at_every_fetch {
            self.leader.progress_by_time(cx, position.slot);
        }
        rests
    }

    /// What a request asks for: it opens a session, goes on with one, or has none (`FetchManager.newContext`).
    fn source(
        &mut self,
        cx: &mut Context<'_>,
        version: i16,
        request: &FetchRequest,
        knows: Knows<'_>,
    ) -> Result<FetchSource, ResponseError> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        let replicas = &*self.leader.replicas;
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            let mut partitions = FetchPartitions::named(&request.topics, replicas);
            partitions.by_ids = version >= FETCH_WITH_IDS;
            partitions.resolve(replicas, knows);
            if id != NO_SESSION {
                self.leader.close_session(cx, id);
            }
            return Ok(FetchSource::Named { partitions, opens: epoch == INITIAL_EPOCH });
        }
        let expected = self.leader.sessions.expects(id);
        if expected.ok_or(ResponseError::FetchSessionIdNotFound)? != epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        let session = self.leader.sessions.get(id).expect("it has a next epoch");
        if session.partitions.by_ids != (version >= FETCH_WITH_IDS) {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        let named = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        if request.replica_id.0 < 0 && !self.leader.sessions.has_room(Some(id), named) {
            // Its fetcher opens another, or goes on without.
            self.leader.close_session(cx, id);
            return Err(ResponseError::FetchSessionIdNotFound);
        }
        // Its fetcher sent another request on another connection.
        self.leader.answer_waiting_of(cx, id);
        let LeaderHandler { replicas, sessions, .. } = &mut self.leader;
        let session = sessions.get(id).expect("it has a next epoch");
        let is_of_another_kind = session.of_follower() != (request.replica_id.0 >= 0);
        sessions.rename(replicas, id, |partitions, replicas| {
            if is_of_another_kind {
                partitions.look_again();
            }
            partitions.name(&request.topics, replicas);
            partitions.forget(&request.forgotten_topics_data);
            partitions.resolve(replicas, knows);
        });
        if sessions.get(id).is_some_and(|session| session.partitions.is_empty()) {
            sessions.close(replicas, id);
            return Ok(FetchSource::Named { partitions: FetchPartitions::default(), opens: false });
        }
        sessions.touch(id, cx.clock.by_wall());
        Ok(FetchSource::Session(id))
    }

    /// Answers a fetch of a follower or a consumer, at once or when there is enough. `is_foreign` says whether it comes
    /// from outside of the simulation, `knows` which partitions there are in the cluster.
    pub fn fetch(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &FetchRequest,
        is_foreign: bool,
        knows: Knows<'_>,
    ) {
        if !matches!(request.isolation_level, 0 | 1) {
            // Before 2.8 the request did not parse, and the connection is closed.
            match self.leader.config.version.has(Change::UnknownIsolationIsAnswered) {
                true => self.fail(cx, to, request),
                false => cx.ask(Ask::Close(to.conn)),
            }
            return;
        }
        let mut source = match self.source(cx, to.version, request, knows) {
            Ok(source) => source,
            Err(error) => {
                let response = FetchResponse::default().with_error_code(error.code());
                cx.reply(to, ResponseKind::Fetch(response));
                return;
            }
        };
        let params = FetchParams::of(request, to.version, is_foreign);
        if self.is_impostor(cx, to, request, &params, &source) {
            return;
        }
        let at = FetchTime::of(cx.clock);
        if let Some(id) = source.session() {
            let LeaderHandler { replicas, sessions, .. } = &mut self.leader;
            sessions.refresh(replicas, id);
            if params.follower.is_some() {
                sessions.follower_fetches(replicas, id, at);
            }
        }
        let has_session = source.has_session();
        let LeaderHandler { config, replicas, sessions, .. } = &mut self.leader;
        let reader = FetchReader { config, replicas };
        let partitions = source.partitions_mut(sessions);
        let survey = reader.survey(&params, partitions);
        let enough = params.max_wait_ms <= 0
            || partitions.is_empty()
            || survey.urgent
            || survey.bytes >= params.min_bytes;
        // Before the fetch is recorded: what that makes of the high watermark is in the next answer.
        let answers = enough.then(|| reader.read(&params, partitions, has_session));
        if let Some(follower) = params.follower {
            for position in &survey.positions {
                let rests = self.record(cx, follower, position, at, source.session());
                let partitions = source.partitions_mut(self.leader.sessions);
                match rests {
                    true => partitions.at_mut(position.place).rests = true,
                    false => partitions.make_loud(position.place),
                }
            }
        }
        if let Some(answers) = answers {
            self.leader.answer(cx, to, &params, source, answers);
            return;
        }
        let LeaderHandler { replicas, sessions, purgatory, alarm, .. } = &mut self.leader;
        let number = purgatory.number();
        let wait = Duration::from_millis(params.max_wait_ms.unsigned_abs().into());
        let deadline = alarm.set_after(cx, wait, Due::Fetch(number));
        let delayed = DelayedFetch { to, deadline, params, source, is_held: false };
        purgatory.park_fetch(replicas, sessions, number, delayed);
    }

    /// Whether a client from outside says that it is a replica, and this ended its request: a replica that a partition
    /// has moves the high watermark, so that a client could make acknowledged records be lost. With authorization Kafka
    /// wants CLUSTER_ACTION for it.
    fn is_impostor(
        &self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &FetchRequest,
        params: &FetchParams,
        source: &FetchSource,
    ) -> bool {
        if !params.is_foreign || params.follower.is_none() {
            return false;
        }
        let replicas = &self.leader.replicas;
        let partitions = source.partitions(self.leader.sessions);
        let mut here = partitions.all().filter_map(|asked| asked.slot).peekable();
        let is_known = here.peek().is_some();
        if here.any(|slot| !params.is_unassigned(replicas.at(slot))) {
            tracing::info!(replica = request.replica_id.0, "no replica: closes a connection");
            cx.ask(Ask::Close(to.conn));
            return true;
        }
        let fails = is_known && !self.leader.config.version.has(Change::UnassignedReplicaAlone);
        if fails {
            self.fail(cx, to, request);
        }
        fails
    }

    /// Answers a whole request with UNKNOWN_SERVER_ERROR.
    fn fail(&self, cx: &mut Context<'_>, to: ReplyTo, request: &FetchRequest) {
        let code = ResponseError::UnknownServerError.code();
        let is_bare = self.leader.config.version.has(Change::NoAbortedTransactionsOfUnknown);
        let refused = |asked: &FetchPartition| {
            let mut data = PartitionData::default()
                .with_partition_index(asked.partition)
                .with_error_code(code)
                .with_high_watermark(-1);
            data.aborted_transactions = is_bare.then(Vec::new);
            data.records = (!is_bare).then(Bytes::new);
            data
        };
        let topics = request.topics.iter().map(|topic| {
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(topic.partitions.iter().map(refused).collect())
        });
        let response =
            FetchResponse::default().with_error_code(code).with_responses(topics.collect());
        cx.reply(to, ResponseKind::Fetch(response));
    }
}
