//! The requests of a member to its coordinator, in the versions of its release.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, RequestKind, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::config::GroupConfig;
use super::standing::Identity;
use crate::history::CommittedOffset;
use crate::nodes::clients::protocol::{text, topic_name};
use crate::releases::KafkaVersion;
use crate::releases::apis::highest;
use crate::vocab::TopicPartition;

/// `ConsumerProtocol.PROTOCOL_TYPE`
const PROTOCOL_TYPE: &str = "consumer";

/// A request with its version.
pub type Versioned = (ApiKey, i16, RequestKind);

/// Makes the requests of one member.
pub struct GroupRequests<'a> {
    /// Its settings.
    pub config: &'a GroupConfig,
    /// Its release.
    pub release: KafkaVersion,
    /// Who it is.
    pub identity: &'a Identity,
}

/// Items grouped by topic. They come sorted by topic.
fn by_topic<'a, T>(
    items: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> Vec<(&'a TopicPartition, Vec<T>)> {
    let mut topics: Vec<(&TopicPartition, Vec<T>)> = Vec::new();
    for (at, item) in items {
        match topics.last_mut().filter(|(first, _)| first.topic == at.topic) {
            Some((_, of_topic)) => of_topic.push(item),
            None => topics.push((at, vec![item])),
        }
    }
    topics
}

fn version(release: KafkaVersion, api: ApiKey) -> i16 {
    highest(release, api).expect("every release has groups")
}

/// Asks any broker for the coordinator.
pub fn find_coordinator(release: KafkaVersion, group: &str) -> Versioned {
    let version = version(release, ApiKey::FindCoordinator);
    let request = FindCoordinatorRequest::default();
    let request = if version >= 4 {
        request.with_coordinator_keys(vec![text(group)])
    } else {
        request.with_key(text(group))
    };
    (ApiKey::FindCoordinator, version, RequestKind::FindCoordinator(request))
}

impl GroupRequests<'_> {
    fn group(&self) -> GroupId {
        GroupId(text(&self.config.id))
    }

    fn instance(&self) -> Option<StrBytes> {
        self.config.instance.as_deref().map(text)
    }

    fn version(&self, api: ApiKey) -> i16 {
        version(self.release, api)
    }

    /// `metadata`: what it tells the leader, for each of its assignors.
    pub fn join(&self, metadata: Vec<(&'static str, Bytes)>) -> Versioned {
        let version = self.version(ApiKey::JoinGroup);
        let millis =
            |duration: std::time::Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
        let protocol = |(name, metadata)| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(name))
                .with_metadata(metadata)
        };
        let mut request = JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_session_timeout_ms(millis(self.config.session_timeout))
            .with_member_id(self.identity.member.clone())
            .with_group_instance_id(self.instance())
            .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
            .with_protocols(metadata.into_iter().map(protocol).collect());
        if version >= 1 {
            request.rebalance_timeout_ms = millis(self.config.max_poll_interval);
        }
        (ApiKey::JoinGroup, version, RequestKind::JoinGroup(request))
    }

    /// `assignments`: of every member, from the leader; from others none.
    pub fn sync(&self, assignments: Vec<(StrBytes, Bytes)>) -> Versioned {
        let version = self.version(ApiKey::SyncGroup);
        let assignment = |(member, assignment)| {
            SyncGroupRequestAssignment::default().with_member_id(member).with_assignment(assignment)
        };
        let mut request = SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_generation_id(self.identity.generation)
            .with_member_id(self.identity.member.clone())
            .with_group_instance_id(self.instance())
            .with_assignments(assignments.into_iter().map(assignment).collect());
        if version >= 5 {
            request.protocol_type = Some(StrBytes::from_static_str(PROTOCOL_TYPE));
            request.protocol_name = self.identity.protocol.clone();
        }
        (ApiKey::SyncGroup, version, RequestKind::SyncGroup(request))
    }

    /// A heartbeat.
    pub fn heartbeat(&self) -> Versioned {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_generation_id(self.identity.generation)
            .with_member_id(self.identity.member.clone())
            .with_group_instance_id(self.instance());
        let version = self.version(ApiKey::Heartbeat);
        (ApiKey::Heartbeat, version, RequestKind::Heartbeat(request))
    }

    /// It leaves. Static members do not.
    pub fn leave(&self) -> Versioned {
        let version = self.version(ApiKey::LeaveGroup);
        let member = self.identity.member.clone();
        let request = LeaveGroupRequest::default().with_group_id(self.group());
        let request = if version >= 3 {
            request.with_members(vec![MemberIdentity::default().with_member_id(member)])
        } else {
            request.with_member_id(member)
        };
        (ApiKey::LeaveGroup, version, RequestKind::LeaveGroup(request))
    }

    /// Commits offsets.
    pub fn commit(&self, offsets: &[CommittedOffset]) -> Versioned {
        let version = self.version(ApiKey::OffsetCommit);
        let partition = |one: &CommittedOffset| {
            let mut partition = OffsetCommitRequestPartition::default()
                .with_partition_index(one.at.partition)
                .with_committed_offset(one.offset)
                .with_committed_metadata(Some(StrBytes::default()));
            if version >= 6 {
                partition.committed_leader_epoch = one.leader_epoch;
            }
            partition
        };
        let topics = by_topic(offsets.iter().map(|one| (&one.at, partition(one))));
        let topics = topics.into_iter().map(|(at, partitions)| {
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(&at.topic))
                .with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group())
            .with_generation_id_or_member_epoch(self.identity.generation)
            .with_member_id(self.identity.member.clone())
            .with_group_instance_id(self.instance())
            .with_topics(topics.collect());
        (ApiKey::OffsetCommit, version, RequestKind::OffsetCommit(request))
    }

    /// Asks for the committed offsets of these partitions.
    pub fn fetch_offsets(&self, partitions: &[TopicPartition]) -> Versioned {
        let version = self.version(ApiKey::OffsetFetch);
        let topics = by_topic(partitions.iter().map(|at| (at, at.partition)));
        let request = if version >= 8 {
            let topic = |(at, indexes): (&TopicPartition, Vec<i32>)| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic_name(&at.topic))
                    .with_partition_indexes(indexes)
            };
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(self.group())
                .with_topics(Some(topics.into_iter().map(topic).collect()));
            OffsetFetchRequest::default().with_groups(vec![group])
        } else {
            let topic = |(at, indexes): (&TopicPartition, Vec<i32>)| {
                OffsetFetchRequestTopic::default()
                    .with_name(topic_name(&at.topic))
                    .with_partition_indexes(indexes)
            };
            OffsetFetchRequest::default()
                .with_group_id(self.group())
                .with_topics(Some(topics.into_iter().map(topic).collect()))
        };
        let request = request.with_require_stable(version >= 7);
        (ApiKey::OffsetFetch, version, RequestKind::OffsetFetch(request))
    }
}
