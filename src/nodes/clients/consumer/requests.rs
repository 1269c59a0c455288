//! The requests that a consumer sends to leaders.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, RequestKind, TopicName,
};

use super::assignment::{Assigned, FetchPhase};
use super::config::ConsumerConfig;
use super::fetcher::Fetching;
use crate::nodes::clients::metadata::Metadata;
use crate::nodes::clients::protocol::ApiVersions;
use crate::nodes::fetch_session::FetchSession;
use crate::vocab::LeaderEpoch;
use crate::wire::kafka::LATEST_TIMESTAMP;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Positions by timestamp.
    ListOffsets,
    /// Whether positions are still in the log.
    Validate,
    /// Records.
    Fetch,
}

/// Makes requests out of what the consumer knows.
pub(super) struct Requests<'a> {
    pub(super) config: &'a ConsumerConfig,
    pub(super) versions: &'a ApiVersions,
    pub(super) metadata: &'a Metadata,
    pub(super) assigned: &'a [Assigned],
}

impl Requests<'_> {
    /// The request for the partitions `slots`; a fetch is the next one of its session.
    pub(super) fn of(
        &self,
        purpose: Purpose,
        slots: &[usize],
        session: &mut FetchSession<Fetching>,
    ) -> (ApiKey, i16, RequestKind) {
        match purpose {
            Purpose::ListOffsets => {
                (ApiKey::ListOffsets, self.versions.list_offsets, self.list_offsets(slots))
            }
            Purpose::Validate => {
                let version = self.versions.offset_for_leader_epoch;
                let version = version.expect("a release that validates has a version for it");
                let body = self.offset_for_leader_epoch(slots, version);
                (ApiKey::OffsetForLeaderEpoch, version, body)
            }
            Purpose::Fetch => (ApiKey::Fetch, self.versions.fetch, self.fetch(slots, session)),
        }
    }

    /// The partitions grouped by topic: each topic's name with what `each` makes of its partitions.
    fn by_topic<T>(
        &self,
        slots: &[usize],
        each: impl Fn(usize, &Assigned) -> T,
    ) -> Vec<(TopicName, Vec<T>)> {
        let mut topics: Vec<(usize, TopicName, Vec<T>)> = Vec::new();
        for &slot in slots {
            let assigned = &self.assigned[slot];
            let item = each(slot, assigned);
            match topics.iter_mut().find(|topic| topic.0 == assigned.topic) {
                Some(topic) => topic.2.push(item),
                None => {
                    let name = self.metadata.wire_name(assigned.topic).clone();
                    topics.push((assigned.topic, name, vec![item]));
                }
            }
        }
        topics.into_iter().map(|(_, name, items)| (name, items)).collect()
    }

    fn fetch(&self, slots: &[usize], session: &mut FetchSession<Fetching>) -> RequestKind {
        let fetching = |&slot: &usize| {
            let assigned = &self.assigned[slot];
            let offset = assigned.position.expect("a partition is fetched by position");
            (slot, Fetching { epoch: self.epoch(assigned), offset })
        };
        let wanted: Vec<(usize, Fetching)> = slots.iter().map(fetching).collect();
        let max_wait = self.config.fetch_max_wait.as_millis();
        let mut request = FetchRequest::default()
            .with_max_wait_ms(i32::try_from(max_wait).unwrap_or(i32::MAX))
            .with_min_bytes(self.config.fetch_min_bytes)
            .with_max_bytes(self.config.fetch_max_bytes)
            .with_isolation_level(i8::from(self.config.read_committed));
        session.next(&mut request, &wanted, |slot| {
            let assigned = &self.assigned[slot];
            (self.metadata.wire_name(assigned.topic), assigned.at.partition)
        });
        let partition = |slot: usize, assigned: &Assigned| {
            let fetching = session.asked(slot).expect("it was just asked for");
            // One by one: a chain of `with_…` moves it as often as it has links.
            let mut asked = FetchPartition::default();
            asked.partition = assigned.at.partition;
            asked.current_leader_epoch = fetching.epoch;
            asked.fetch_offset = fetching.offset;
            asked.partition_max_bytes = self.config.max_partition_fetch_bytes;
            asked
        };
        request.topics = self
            .by_topic(session.named(), partition)
            .into_iter()
            .map(|(name, items)| FetchTopic::default().with_topic(name).with_partitions(items))
            .collect();
        RequestKind::Fetch(request)
    }

    fn list_offsets(&self, slots: &[usize]) -> RequestKind {
        let partition = |_, assigned: &Assigned| {
            let timestamp = match assigned.phase {
                FetchPhase::Unpositioned(timestamp) => timestamp,
                _ => LATEST_TIMESTAMP,
            };
            ListOffsetsPartition::default()
                .with_partition_index(assigned.at.partition)
                .with_current_leader_epoch(self.epoch(assigned))
                .with_timestamp(timestamp)
        };
        let topics = self.by_topic(slots, partition);
        let topics = topics.into_iter().map(|(name, items)| {
            ListOffsetsTopic::default().with_name(name).with_partitions(items)
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(i8::from(self.config.read_committed));
        RequestKind::ListOffsets(request.with_topics(topics.collect()))
    }

    fn offset_for_leader_epoch(&self, slots: &[usize], version: i16) -> RequestKind {
        let partition = |_, assigned: &Assigned| {
            OffsetForLeaderPartition::default()
                .with_partition(assigned.at.partition)
                .with_current_leader_epoch(self.epoch(assigned))
                .with_leader_epoch(assigned.last_epoch)
        };
        let topics = self.by_topic(slots, partition);
        let topics = topics.into_iter().map(|(name, items)| {
            OffsetForLeaderTopic::default().with_topic(name).with_partitions(items)
        });
        let mut request = OffsetForLeaderEpochRequest::default().with_topics(topics.collect());
        if version >= 3 {
            request.replica_id = (-1).into();
        }
        RequestKind::OffsetForLeaderEpoch(request)
    }

    /// The leader epoch that the leader must have; it refuses the request when it has another one (KIP-320). −1, which
    /// every leader accepts, in releases before that.
    fn epoch(&self, assigned: &Assigned) -> LeaderEpoch {
        let sends_it = self.versions.offset_for_leader_epoch.is_some();
        assigned.leader().filter(|_| sends_it).map_or(-1, |leader| leader.epoch)
    }
}
