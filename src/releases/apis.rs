//! The highest version of each API, by release.
//!
//! Source: the message definitions at the tags of the releases. Clients and followers use the highest version of their
//! release, too, but for Fetch ([`highest_sent`]).

use kafka_protocol::messages::ApiKey;

use super::KafkaVersion;
use super::defaults::in_force;
use super::first::*;

/// The highest version, oldest release first, each from that release on.
pub type Steps = &'static [(KafkaVersion, i16)];

/// Every API that is simulated, with its steps.
pub const APIS: &[(ApiKey, Steps)] = &[
    (
        ApiKey::Produce,
        &[
            (V0_10, 2),
            (V0_11, 3),
            (V1_0, 5),
            (V2_0, 6),
            (V2_1, 7),
            (V2_4, 8),
            (V2_8, 9),
            (V3_7, 10),
            (V3_8, 11),
        ],
    ),
    (
        ApiKey::Fetch,
        &[
            (V0_10, 3),
            (V0_11, 5),
            (V1_0, 6),
            (V1_1, 7),
            (V2_0, 8),
            (V2_1, 10),
            (V2_3, 11),
            (V2_7, 12),
            (V3_1, 13),
            (V3_5, 15),
            (V3_7, 16),
            (V3_9, 17),
        ],
    ),
    (
        ApiKey::ListOffsets,
        &[
            (V0_10, 1),
            (V0_11, 2),
            (V2_0, 3),
            (V2_1, 4),
            (V2_2, 5),
            (V2_8, 6),
            (V3_0, 7),
            (V3_5, 8),
            (V3_9, 9),
        ],
    ),
    (
        ApiKey::Metadata,
        &[
            (V0_10, 2),
            (V0_11, 4),
            (V1_0, 5),
            (V2_0, 6),
            (V2_1, 7),
            (V2_3, 8),
            (V2_4, 9),
            (V2_8, 11),
            (V3_1, 12),
        ],
    ),
    (
        ApiKey::LeaderAndIsr,
        &[(V0_10, 0), (V1_0, 1), (V2_2, 2), (V2_4, 4), (V2_8, 5), (V3_2, 6), (V3_4, 7)],
    ),
    (ApiKey::StopReplica, &[(V0_10, 0), (V2_2, 1), (V2_4, 2), (V2_6, 3), (V3_4, 4)]),
    (ApiKey::UpdateMetadata, &[(V0_10, 3), (V1_0, 4), (V2_2, 5), (V2_4, 6), (V2_8, 7), (V3_4, 8)]),
    (ApiKey::ControlledShutdown, &[(V0_10, 1), (V2_2, 2), (V2_4, 3)]),
    (
        ApiKey::FindCoordinator,
        &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_4, 3), (V3_0, 4), (V3_8, 5), (V3_9, 6)],
    ),
    (ApiKey::ApiVersions, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_4, 3), (V3_9, 4)]),
    (ApiKey::CreateTopics, &[(V0_10, 1), (V0_11, 2), (V2_0, 3), (V2_4, 5), (V2_7, 6), (V2_8, 7)]),
    (
        ApiKey::DeleteTopics,
        &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_1, 3), (V2_4, 4), (V2_7, 5), (V2_8, 6)],
    ),
    (ApiKey::AlterPartitionReassignments, &[(V2_4, 0)]),
    (ApiKey::ListPartitionReassignments, &[(V2_4, 0)]),
    (ApiKey::DescribeClientQuotas, &[(V2_6, 0), (V2_8, 1)]),
    (ApiKey::AlterClientQuotas, &[(V2_6, 0), (V2_8, 1)]),
    (ApiKey::UpdateFeatures, &[(V2_7, 0), (V3_3, 1)]),
    (ApiKey::DeleteRecords, &[(V0_11, 0), (V2_0, 1), (V2_6, 2)]),
    (ApiKey::CreatePartitions, &[(V1_0, 0), (V2_0, 1), (V2_5, 2), (V2_7, 3)]),
    (ApiKey::AlterConfigs, &[(V0_11, 0), (V2_0, 1), (V2_8, 2)]),
    (ApiKey::IncrementalAlterConfigs, &[(V2_3, 0), (V2_4, 1)]),
    (ApiKey::OffsetForLeaderEpoch, &[(V0_11, 0), (V2_0, 1), (V2_1, 2), (V2_3, 3), (V2_8, 4)]),
    (ApiKey::DescribeConfigs, &[(V0_11, 0), (V1_1, 1), (V2_0, 2), (V2_6, 3), (V2_8, 4)]),
    (ApiKey::ElectLeaders, &[(V2_2, 0), (V2_4, 2)]),
    (
        ApiKey::OffsetCommit,
        &[(V0_10, 2), (V0_11, 3), (V2_0, 4), (V2_1, 6), (V2_3, 7), (V2_4, 8), (V3_7, 9)],
    ),
    (
        ApiKey::OffsetFetch,
        &[(V0_10, 2), (V0_11, 3), (V2_0, 4), (V2_1, 5), (V2_4, 6), (V2_5, 7), (V3_0, 8), (V3_7, 9)],
    ),
    (
        ApiKey::JoinGroup,
        &[(V0_10, 1), (V0_11, 2), (V2_0, 3), (V2_2, 4), (V2_3, 5), (V2_4, 6), (V2_5, 7), (V3_2, 9)],
    ),
    (ApiKey::SyncGroup, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_3, 3), (V2_4, 4), (V2_5, 5)]),
    (ApiKey::Heartbeat, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_3, 3), (V2_4, 4)]),
    (ApiKey::LeaveGroup, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_4, 4), (V3_2, 5)]),
    (ApiKey::DescribeGroups, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_3, 3), (V2_4, 5)]),
    (ApiKey::ListGroups, &[(V0_10, 0), (V0_11, 1), (V2_0, 2), (V2_4, 3), (V2_6, 4), (V3_8, 5)]),
    (ApiKey::ConsumerGroupHeartbeat, &[(V3_7, 0)]),
    (ApiKey::ConsumerGroupDescribe, &[(V3_8, 0)]),
    (ApiKey::DeleteGroups, &[(V1_1, 0), (V2_0, 1), (V2_4, 2)]),
    (ApiKey::OffsetDelete, &[(V2_4, 0)]),
    (ApiKey::InitProducerId, &[(V0_11, 0), (V2_0, 1), (V2_4, 2), (V2_5, 3), (V2_7, 4), (V3_8, 5)]),
    (ApiKey::WriteTxnMarkers, &[(V0_11, 0), (V2_8, 1)]),
    (ApiKey::DescribeProducers, &[(V2_8, 0)]),
    (
        ApiKey::AddPartitionsToTxn,
        &[(V0_11, 0), (V2_0, 1), (V2_7, 2), (V2_8, 3), (V3_5, 4), (V3_8, 5)],
    ),
    (ApiKey::AddOffsetsToTxn, &[(V0_11, 0), (V2_0, 1), (V2_7, 2), (V2_8, 3), (V3_8, 4)]),
    (ApiKey::EndTxn, &[(V0_11, 0), (V2_0, 1), (V2_7, 2), (V2_8, 3), (V3_8, 4)]),
    (ApiKey::TxnOffsetCommit, &[(V0_11, 0), (V2_0, 1), (V2_1, 2), (V2_5, 3), (V3_8, 4)]),
    (ApiKey::DescribeTransactions, &[(V3_0, 0)]),
    (ApiKey::ListTransactions, &[(V3_0, 0), (V3_8, 1)]),
    (ApiKey::SaslHandshake, &[(V0_10, 0), (V1_0, 1)]),
    (ApiKey::SaslAuthenticate, &[(V1_0, 0), (V2_2, 1), (V2_5, 2)]),
    (ApiKey::DescribeAcls, &[(V0_11, 0), (V2_0, 1), (V2_5, 2), (V3_3, 3)]),
    (ApiKey::CreateAcls, &[(V0_11, 0), (V2_0, 1), (V2_5, 2), (V3_3, 3)]),
    (ApiKey::DeleteAcls, &[(V0_11, 0), (V2_0, 1), (V2_5, 2), (V3_3, 3)]),
    (ApiKey::CreateDelegationToken, &[(V1_1, 0), (V2_0, 1), (V2_4, 2), (V3_3, 3)]),
    (ApiKey::RenewDelegationToken, &[(V1_1, 0), (V2_0, 1), (V2_5, 2)]),
    (ApiKey::ExpireDelegationToken, &[(V1_1, 0), (V2_0, 1), (V2_5, 2)]),
    (ApiKey::DescribeDelegationToken, &[(V1_1, 0), (V2_0, 1), (V2_5, 2), (V3_3, 3)]),
    (ApiKey::DescribeUserScramCredentials, &[(V2_7, 0)]),
    (ApiKey::AlterUserScramCredentials, &[(V2_7, 0)]),
    (ApiKey::AlterReplicaLogDirs, &[(V1_0, 0), (V2_0, 1), (V2_8, 2)]),
    (ApiKey::DescribeLogDirs, &[(V1_0, 0), (V2_0, 1), (V2_6, 2), (V3_2, 3), (V3_3, 4)]),
    (ApiKey::AlterPartition, &[(V2_7, 0), (V3_2, 1), (V3_3, 2), (V3_5, 3)]),
    (ApiKey::Envelope, &[(V3_4, 0)]),
    (ApiKey::AllocateProducerIds, &[(V3_0, 0)]),
    (ApiKey::DescribeCluster, &[(V2_8, 0), (V3_7, 1)]),
];

/// The highest version of `api` that `release` speaks; `None` when it does not know the API.
pub fn highest(release: KafkaVersion, api: ApiKey) -> Option<i16> {
    let (_, steps) = APIS.iter().find(|(known, _)| *known == api)?;
    in_force(steps, release)
}

/// The highest version of the embedded consumer protocol (`ConsumerProtocolSubscription` and `…Assignment`).
const CONSUMER_PROTOCOL: Steps = &[(V0_10, 0), (V2_4, 1), (V3_4, 3)];

/// The version of the embedded consumer protocol that a client of `release` writes.
pub fn consumer_protocol(release: KafkaVersion) -> i16 {
    in_force(CONSUMER_PROTOCOL, release).expect("the table begins with the oldest release")
}

/// The highest version of `api` in which the nodes of the simulation send it: they name the topics of a Fetch request,
/// where real ones send their ids since 3.1 (v13).
pub fn highest_sent(release: KafkaVersion, api: ApiKey) -> Option<i16> {
    let most = if api == ApiKey::Fetch { 12 } else { i16::MAX };
    highest(release, api).map(|version| version.min(most))
}

/// The lowest version of `api` that `release` speaks: 0 nearly always.
pub fn lowest(release: KafkaVersion, api: ApiKey) -> i16 {
    // Version 0 of ControlledShutdown has a header of its own, which brokers read again since 1.0.
    i16::from(api == ApiKey::ControlledShutdown && !release.at_least(V1_0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_with_the_releases() {
        for (api, steps) in APIS {
            assert!(steps.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.1), "{api:?}");
        }
    }

    #[test]
    fn a_version_holds_until_the_next_step() {
        let fetch = |text: &str| highest(text.parse().unwrap(), ApiKey::Fetch);
        assert_eq!(["0.10", "1.0", "2.6", "2.7.0", "3.9"].map(fetch), [3, 6, 11, 12, 17].map(Some));
        assert_eq!(highest_sent("3.9".parse().unwrap(), ApiKey::Fetch), Some(12));
        assert_eq!(highest("2.7".parse().unwrap(), ApiKey::DescribeCluster), None);
    }
}
