//! What a fetcher asks, in the versions that brokers of each release use between themselves.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId as WireBrokerId, FetchRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, RequestKind, TopicName,
};

use super::fetchers::{Asked, Fetcher, Fetching, Question};
use crate::nodes::broker::Config;
use crate::nodes::broker::replica::log_manager::LogManager;
use crate::nodes::broker::replica::partition::{
    FetchState, Follower, PartitionReplica, ReplicaRole,
};
use crate::nodes::broker::replica::replicas::{Replicas, Slot};
use crate::nodes::fetch_session::FetchSession;
use crate::releases::apis::highest_sent;
use crate::releases::{KafkaVersion, Truncation};
use crate::vocab::{LeaderEpoch, Mutant, Time};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

type Request = (ApiKey, i16, RequestKind, Asked);

/// The version that followers use: `inter.broker.protocol.version` is that of the release.
fn version(release: KafkaVersion, api: ApiKey) -> i16 {
    highest_sent(release, api).expect("a release speaks what its followers ask for")
}

/// Begins a topic of a request, unless the last one has that name.
fn group<T>(
    topics: &mut Vec<T>,
    last: &mut Option<TopicName>,
    name: &TopicName,
    begin: impl FnOnce(TopicName) -> T,
) {
    if last.as_ref() != Some(name) {
        topics.push(begin(name.clone()));
        *last = Some(name.clone());
    }
}

/// Whether a partition's question may be asked now, and which.
fn state_now(replica: &PartitionReplica, now: Time) -> Result<FetchState, Option<Time>> {
    let ReplicaRole::Follower(Follower { state, delayed_until, .. }) = replica.role else {
        unreachable!("a fetcher has followers only");
    };
    if matches!(state, FetchState::Parked | FetchState::Failed) {
        return Err(None);
    }
    if delayed_until > now { Err(Some(delayed_until)) } else { Ok(state) }
}

/// The parts that the next request is made from.
#[derive(Clone, Copy, Debug)]
pub struct RequestBuilder<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// All replicas.
    pub replicas: &'a Replicas,
    /// What is on its way to the disk.
    pub logs: &'a LogManager,
}

impl RequestBuilder<'_> {
    /// The next request of a fetcher: truncation first, then offsets that went out of range, then records.
    /// With nothing to ask, says when there may be.
    pub fn next(self, fetcher: &mut Fetcher, now: Time) -> (Option<Request>, Option<Time>) {
        let sends_epoch = self.config.version.truncation() == Truncation::OnFetch
            && !self.config.is(Mutant::CompareOffsetsOnly);
        if !fetcher.looks_at_all && !fetcher.session.is_full() {
            let answered = std::mem::take(&mut fetcher.answered);
            let fetching = |slot| (slot, Fetching::of(self.replicas.at(slot), sends_epoch));
            let changed: Vec<_> = answered.into_iter().map(fetching).collect();
            let request = self.fetch_request(&changed, true, &mut fetcher.session);
            debug_assert!(self.asks_as_if_it_looked_at_all(fetcher, now, sends_epoch));
            return (Some(request), None);
        }
        fetcher.answered.clear();
        let (mut truncating, mut lost) = (Vec::new(), Vec::new());
        let mut fetching = Vec::with_capacity(fetcher.slots.len());
        let mut delayed_until: Option<Time> = None;
        let rotated =
            fetcher.slots.range(fetcher.first..).chain(fetcher.slots.range(..fetcher.first));
        for &slot in rotated {
            let replica = self.replicas.at(slot);
            let log = &replica.log;
            if log.flushed_end() < log.end() || self.logs.is_cutting(slot) {
                // An append or a cut waits for an fsync, and with it, as it is one thread, the whole fetcher.
                return (None, None);
            }
            match state_now(replica, now) {
                Ok(FetchState::Truncating) => truncating.push(slot),
                Ok(FetchState::AskingEnd | FetchState::AskingStart) => lost.push(slot),
                Ok(FetchState::Fetching) => {
                    fetching.push((slot, Fetching::of(replica, sends_epoch)));
                }
                Ok(FetchState::Parked | FetchState::Failed) | Err(None) => {}
                Err(Some(until)) => {
                    delayed_until = Some(delayed_until.map_or(until, |other| other.min(until)));
                }
            }
        }
        let request = if !truncating.is_empty() {
            Some(self.epochs_request(&truncating))
        } else if !lost.is_empty() {
            Some(self.offsets_request(&lost))
        } else if !fetching.is_empty() {
            // A partition that waits, or has to be asked about first, is looked at again each time.
            fetcher.looks_at_all = fetching.len() < fetcher.slots.len();
            Some(self.fetch_request(&fetching, false, &mut fetcher.session))
        } else {
            None
        };
        (request, delayed_until)
    }

    /// Whether the session asks what it would if all replicas had been looked at.
    fn asks_as_if_it_looked_at_all(self, fetcher: &Fetcher, now: Time, sends_epoch: bool) -> bool {
        fetcher.slots.iter().all(|&slot| {
            let replica = self.replicas.at(slot);
            let asked = fetcher.session.asked(slot);
            let is_unhindered = replica.log.flushed_end() == replica.log.end()
                && !self.logs.is_cutting(slot)
                && state_now(replica, now) == Ok(FetchState::Fetching);
            is_unhindered && asked == Some(Fetching::of(replica, sends_epoch))
        })
    }

    fn wire_id(self) -> WireBrokerId {
        WireBrokerId(self.config.id.0)
    }

    fn latest_epoch(self, slot: Slot) -> LeaderEpoch {
        self.replicas.at(slot).log.epochs().latest().unwrap_or(-1)
    }

    /// A fetch of these partitions, or of those in the session when only these `changed`.
    fn fetch_request(
        self,
        wanted: &[(Slot, Fetching)],
        changed: bool,
        session: &mut FetchSession<Fetching>,
    ) -> Request {
        let config = &self.config;
        let wait_ms = i32::try_from(config.replica_fetch_wait_max.as_millis()).unwrap_or(i32::MAX);
        let mut request = FetchRequest::default()
            .with_replica_id(self.wire_id())
            .with_max_wait_ms(wait_ms)
            .with_min_bytes(config.replica_fetch_min_bytes)
            .with_max_bytes(config.replica_fetch_response_max_bytes);
        if changed {
            session.next_changed(&mut request, wanted);
        } else {
            session.next(&mut request, wanted, |slot| {
                let partition = self.replicas.at(slot);
                (&partition.topic, partition.at.partition)
            });
        }
        let mut last = None;
        for &slot in session.named() {
            let partition = self.replicas.at(slot);
            group(&mut request.topics, &mut last, &partition.topic, |name| {
                FetchTopic::default().with_topic(name)
            });
            let asked = session.asked(slot).expect("it was just named");
            // One by one: a chain of `with_…` moves it as often as it has links.
            let mut question = FetchPartition::default();
            question.partition = partition.at.partition;
            question.current_leader_epoch = asked.current;
            question.fetch_offset = asked.offset;
            question.last_fetched_epoch = asked.last_fetched_epoch;
            question.log_start_offset = asked.log_start;
            question.partition_max_bytes = config.replica_fetch_max_bytes;
            request.topics.last_mut().expect("it was just begun").partitions.push(question);
        }
        let version = version(config.version, ApiKey::Fetch);
        (ApiKey::Fetch, version, RequestKind::Fetch(request), Asked::Fetch)
    }

    fn epochs_request(self, slots: &[Slot]) -> Request {
        let (mut topics, mut last): (Vec<OffsetForLeaderTopic>, _) = (Vec::new(), None);
        let mut asked = Vec::with_capacity(slots.len());
        for &slot in slots {
            let partition = self.replicas.at(slot);
            group(&mut topics, &mut last, &partition.topic, |name| {
                OffsetForLeaderTopic::default().with_topic(name)
            });
            let epoch = self.latest_epoch(slot);
            let question = OffsetForLeaderPartition::default()
                .with_partition(partition.at.partition)
                .with_current_leader_epoch(partition.leader_epoch)
                .with_leader_epoch(epoch);
            topics.last_mut().expect("it was just begun").partitions.push(question);
            asked.push(Question { slot, current: partition.leader_epoch, what: epoch });
        }
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id(self.wire_id())
            .with_topics(topics);
        let version = version(self.config.version, ApiKey::OffsetForLeaderEpoch);
        let body = RequestKind::OffsetForLeaderEpoch(request);
        (ApiKey::OffsetForLeaderEpoch, version, body, Asked::Epochs(asked))
    }

    fn offsets_request(self, slots: &[Slot]) -> Request {
        let (mut topics, mut last): (Vec<ListOffsetsTopic>, _) = (Vec::new(), None);
        let mut asked = Vec::with_capacity(slots.len());
        for &slot in slots {
            let partition = self.replicas.at(slot);
            let ReplicaRole::Follower(follower) = &partition.role else {
                unreachable!("a fetcher has followers only");
            };
            group(&mut topics, &mut last, &partition.topic, |name| {
                ListOffsetsTopic::default().with_name(name)
            });
            let asks_start = follower.state == FetchState::AskingStart;
            let timestamp = if asks_start { EARLIEST_TIMESTAMP } else { LATEST_TIMESTAMP };
            let question = ListOffsetsPartition::default()
                .with_partition_index(partition.at.partition)
                .with_current_leader_epoch(partition.leader_epoch)
                .with_timestamp(timestamp);
            topics.last_mut().expect("it was just begun").partitions.push(question);
            asked.push(Question { slot, current: partition.leader_epoch, what: follower.state });
        }
        let request =
            ListOffsetsRequest::default().with_replica_id(self.wire_id()).with_topics(topics);
        let version = version(self.config.version, ApiKey::ListOffsets);
        (ApiKey::ListOffsets, version, RequestKind::ListOffsets(request), Asked::Offsets(asked))
    }
}
