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
    use ApiKey::*;
    match api {
        Produce | Fetch | ListOffsets | OffsetForLeaderEpoch | WriteTxnMarkers | DeleteRecords
        | DescribeLogDirs | AlterReplicaLogDirs | DescribeProducers => Owner::Replicas,
        LeaderAndIsr | StopReplica | UpdateMetadata => Owner::Control,
        CreateTopics
        | AlterPartition
        | ControlledShutdown
        | ElectLeaders
        | AllocateProducerIds
        | AlterPartitionReassignments
        | ListPartitionReassignments => Owner::Controller,
        JoinGroup | SyncGroup | Heartbeat | LeaveGroup | OffsetCommit | TxnOffsetCommit
        | OffsetFetch | OffsetDelete | DescribeGroups | ListGroups | DeleteGroups => Owner::Groups,
        InitProducerId | AddPartitionsToTxn | AddOffsetsToTxn | EndTxn | DescribeTransactions
        | ListTransactions => Owner::Transactions,
        Metadata | FindCoordinator | DescribeCluster | ApiVersions => Owner::Metadata,
        DeleteTopics
        | CreatePartitions
        | DescribeConfigs
        | AlterConfigs
        | IncrementalAlterConfigs
        | UpdateFeatures
        | DescribeClientQuotas
        | AlterClientQuotas
        | AlterUserScramCredentials
        | DescribeUserScramCredentials => Owner::Administration,
        _ => Owner::Refused,
    }
}
