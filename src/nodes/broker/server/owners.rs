//! Which part of a broker answers a request.

use kafka_protocol::messages::ApiKey;

/// A part of a broker that answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The replica manager: records, and what is known of logs.
    Replicas,
    /// What a controller's requests make of this broker.
    Control,
    /// The controller, if this broker is it.
    Controller,
    /// The group coordinator.
    Groups,
    /// The transaction coordinator.
    Transactions,
    /// What the broker knows of the cluster: other brokers, leaders, coordinators.
    Metadata,
    /// Work of tools: topics, settings, quotas.
    Administration,
    /// No part: security that is not set up, protocols that are switched off.
    Refused,
}

/// The part that answers requests of an API.
pub fn owner(api: ApiKey) -> Owner {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::WriteTxnMarkers
        | ApiKey::DeleteRecords
        | ApiKey::DescribeLogDirs
        | ApiKey::AlterReplicaLogDirs
        | ApiKey::DescribeProducers => Owner::Replicas,
        ApiKey::LeaderAndIsr | ApiKey::StopReplica | ApiKey::UpdateMetadata => Owner::Control,
        ApiKey::CreateTopics
        | ApiKey::AlterPartition
        | ApiKey::ControlledShutdown
        | ApiKey::ElectLeaders
        | ApiKey::AllocateProducerIds
        | ApiKey::AlterPartitionReassignments
        | ApiKey::ListPartitionReassignments => Owner::Controller,
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::OffsetCommit
        | ApiKey::TxnOffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::OffsetDelete
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups => Owner::Groups,
        ApiKey::InitProducerId
        | ApiKey::AddPartitionsToTxn
        | ApiKey::AddOffsetsToTxn
        | ApiKey::EndTxn
        | ApiKey::DescribeTransactions
        | ApiKey::ListTransactions => Owner::Transactions,
        ApiKey::Metadata
        | ApiKey::FindCoordinator
        | ApiKey::DescribeCluster
        | ApiKey::ApiVersions => Owner::Metadata,
        ApiKey::DeleteTopics
        | ApiKey::CreatePartitions
        | ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::UpdateFeatures
        | ApiKey::DescribeClientQuotas
        | ApiKey::AlterClientQuotas
        | ApiKey::AlterUserScramCredentials
        | ApiKey::DescribeUserScramCredentials => Owner::Administration,
        _ => Owner::Refused,
    }
}
