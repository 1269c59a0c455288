//! The requests of a producer with a transactional id, in the versions of its release.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, EndTxnRequest,
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, RequestKind, TransactionalId,
    TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::super::idempotence::Identity;
use super::config::TransactionConfig;
use crate::history::CommittedOffset;
use crate::nodes::clients::protocol::{text, topic_name};
use crate::releases::apis::highest_sent;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;

/// A request with its version.
pub type Versioned = (ApiKey, i16, RequestKind);

/// Whose offsets become part of a transaction (`ConsumerGroupMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// `group.id`
    pub group: Arc<str>,
    /// The generation of the member; −1 where it is not named.
    pub generation: i32,
    /// The member; empty where it is not named.
    pub member: StrBytes,
    /// `group.instance.id`
    pub instance: Option<StrBytes>,
}

/// Makes the requests of one producer.
pub struct TransactionRequests<'a> {
    /// Its settings.
    pub config: &'a TransactionConfig,
    /// Its release.
    pub release: KafkaVersion,
    /// Its id and epoch; −1 while it has none.
    pub identity: Identity,
}

fn version(release: KafkaVersion, api: ApiKey) -> i16 {
    highest_sent(release, api).expect("the release has transactions")
}

/// The items of each topic, in the order of their topics.
fn by_topic<T>(items: impl Iterator<Item = (TopicPartition, T)>) -> Vec<(Arc<str>, Vec<T>)> {
    let mut topics: Vec<(Arc<str>, Vec<T>)> = Vec::new();
    for (at, item) in items {
        match topics.iter_mut().find(|(topic, _)| *topic == at.topic) {
            Some((_, of_topic)) => of_topic.push(item),
            None => topics.push((at.topic, vec![item])),
        }
    }
    topics
}

impl TransactionRequests<'_> {
    fn id(&self) -> TransactionalId {
        TransactionalId(text(&self.config.id))
    }

    /// Asks any broker for a coordinator: of the transactional id, or of a group.
    pub fn find(&self, group: Option<&str>) -> Versioned {
        let version = version(self.release, ApiKey::FindCoordinator);
        let key = text(group.unwrap_or(&self.config.id));
        let request = FindCoordinatorRequest::default().with_key_type(i8::from(group.is_none()));
        let request = match version >= 4 {
            true => request.with_coordinator_keys(vec![key]),
            false => request.with_key(key),
        };
        (ApiKey::FindCoordinator, version, RequestKind::FindCoordinator(request))
    }

    /// Asks for an id and an epoch; with `bump`, for the next epoch.
    pub fn initialize(&self, bump: bool) -> Versioned {
        let version = version(self.release, ApiKey::InitProducerId);
        let millis = |span: Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
        let mut request = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id()))
            .with_transaction_timeout_ms(millis(self.config.timeout));
        if version >= 3 {
            let Identity { id, epoch } = if bump { self.identity } else { Identity::NONE };
            request.producer_id = id.into();
            request.producer_epoch = epoch;
        }
        (ApiKey::InitProducerId, version, RequestKind::InitProducerId(request))
    }

    /// Adds partitions to the transaction.
    pub fn add_partitions(&self, partitions: impl Iterator<Item = TopicPartition>) -> Versioned {
        let topics = by_topic(partitions.map(|at| {
            let partition = at.partition;
            (at, partition)
        }));
        let topic = |(name, partitions): (Arc<str>, Vec<i32>)| {
            AddPartitionsToTxnTopic::default()
                .with_name(topic_name(&name))
                .with_partitions(partitions)
        };
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id())
            .with_v3_and_below_producer_id(self.identity.id.into())
            .with_v3_and_below_producer_epoch(self.identity.epoch)
            .with_v3_and_below_topics(topics.into_iter().map(topic).collect());
        // Versions above are spoken among brokers.
        let version = version(self.release, ApiKey::AddPartitionsToTxn).min(3);
        (ApiKey::AddPartitionsToTxn, version, RequestKind::AddPartitionsToTxn(request))
    }

    /// Adds a group's partition of `__consumer_offsets` to the transaction.
    pub fn add_offsets(&self, group: &str) -> Versioned {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(self.identity.id.into())
            .with_producer_epoch(self.identity.epoch)
            .with_group_id(GroupId(text(group)));
        let version = version(self.release, ApiKey::AddOffsetsToTxn);
        (ApiKey::AddOffsetsToTxn, version, RequestKind::AddOffsetsToTxn(request))
    }

    /// Commits offsets in the transaction.
    pub fn commit_offsets(
        &self,
        group: &GroupMetadata,
        offsets: impl Iterator<Item = CommittedOffset>,
    ) -> Versioned {
        let version = version(self.release, ApiKey::TxnOffsetCommit);
        let topics = by_topic(offsets.map(|one| {
            let mut partition = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(one.at.partition)
                .with_committed_offset(one.offset)
                .with_committed_metadata(Some(StrBytes::default()));
            if version >= 2 {
                partition.committed_leader_epoch = one.leader_epoch;
            }
            (one.at, partition)
        }));
        let topic = |(name, partitions): (Arc<str>, Vec<TxnOffsetCommitRequestPartition>)| {
            TxnOffsetCommitRequestTopic::default()
                .with_name(topic_name(&name))
                .with_partitions(partitions)
        };
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id())
            .with_group_id(GroupId(text(&group.group)))
            .with_producer_id(self.identity.id.into())
            .with_producer_epoch(self.identity.epoch)
            .with_topics(topics.into_iter().map(topic).collect());
        if self.release.has(Change::TransactionsNameMembers) {
            request.generation_id = group.generation;
            request.member_id = group.member.clone();
            request.group_instance_id = group.instance.clone();
        }
        (ApiKey::TxnOffsetCommit, version, RequestKind::TxnOffsetCommit(request))
    }

    /// Ends the transaction.
    pub fn end(&self, commit: bool) -> Versioned {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(self.identity.id.into())
            .with_producer_epoch(self.identity.epoch)
            .with_committed(commit);
        let version = version(self.release, ApiKey::EndTxn);
        (ApiKey::EndTxn, version, RequestKind::EndTxn(request))
    }
}
