//! Which versions of which API a release speaks, and the answer to ApiVersions.
//!
//! Only what the simulated broker does is advertised.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};

use crate::releases::apis::{APIS, highest};
use crate::releases::{Change, KafkaVersion};

/// The highest versions of one release, by API key.
#[derive(Debug)]
pub struct Versions {
    /// −1 where the API is unknown.
    highest: Vec<i16>,
}

impl Versions {
    /// Those of `release`.
    pub fn of(release: KafkaVersion) -> Self {
        let keys = APIS.iter().map(|(api, _)| *api as usize).max().map_or(0, |last| last + 1);
        let mut all = vec![-1; keys];
        for (api, _) in APIS {
            all[*api as usize] = highest(release, *api).unwrap_or(-1);
        }
        Self { highest: all }
    }

    /// Whether requests of `api` in `version` are taken.
    pub fn speaks(&self, api: ApiKey, version: i16) -> bool {
        version >= 0 && self.highest.get(api as usize).is_some_and(|highest| version <= *highest)
    }
}

fn range(release: KafkaVersion, api: ApiKey) -> Option<ApiVersion> {
    let max = highest(release, api)?;
    Some(ApiVersion::default().with_api_key(api as i16).with_min_version(0).with_max_version(max))
}

/// The whole table, in the order of the API keys.
pub fn table(release: KafkaVersion) -> ApiVersionsResponse {
    let mut api_keys: Vec<_> = APIS.iter().filter_map(|(api, _)| range(release, *api)).collect();
    api_keys.sort_by_key(|row| row.api_key);
    ApiVersionsResponse::default().with_api_keys(api_keys)
}

/// The answer, always in version 0, to an ApiVersions request of a version that is not spoken: error 35, and
/// since 2.4 the range of ApiVersions itself, from which the client picks (KIP-511).
pub fn unsupported(release: KafkaVersion) -> ApiVersionsResponse {
    let own = if release.has(Change::ApiVersionsRangeInError) {
        range(release, ApiKey::ApiVersions)
    } else {
        None
    };
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::foreign::is_for_clients;

    #[test]
    fn releases_advertise_their_row() {
        let cases = [
            (ApiKey::Produce, (1, 0), Some(5)),
            (ApiKey::Produce, (2, 8), Some(9)),
            (ApiKey::Produce, (3, 8), Some(9)),
            (ApiKey::Fetch, (1, 0), Some(6)),
            (ApiKey::Fetch, (2, 8), Some(12)),
            (ApiKey::Metadata, (1, 0), Some(5)),
            (ApiKey::Metadata, (2, 5), Some(9)),
            (ApiKey::ApiVersions, (1, 0), Some(1)),
            (ApiKey::CreateTopics, (1, 1), Some(2)),
            (ApiKey::DescribeCluster, (2, 7), None),
            (ApiKey::AlterPartition, (2, 6), None),
            (ApiKey::JoinGroup, (2, 8), Some(7)),
            (ApiKey::InitProducerId, (1, 1), Some(0)),
            (ApiKey::OffsetDelete, (2, 3), None),
            (ApiKey::AllocateProducerIds, (3, 0), Some(0)),
            (ApiKey::DeleteTopics, (2, 8), None),
        ];
        for (api, (major, minor), max) in cases {
            assert_eq!(
                highest(KafkaVersion::new(major, minor), api),
                max,
                "{api:?} {major}.{minor}"
            );
        }
    }

    #[test]
    fn only_versions_of_the_row_are_spoken() {
        let versions = Versions::of(KafkaVersion::new(1, 0));
        assert!(versions.speaks(ApiKey::Fetch, 0) && versions.speaks(ApiKey::Fetch, 6));
        assert!(!versions.speaks(ApiKey::Fetch, 7) && !versions.speaks(ApiKey::Fetch, -1));
        assert!(!versions.speaks(ApiKey::AlterPartition, 0));
        assert!(!versions.speaks(ApiKey::DeleteGroups, 0) && !versions.speaks(ApiKey::Vote, 0));
    }

    #[test]
    fn every_advertised_version_can_be_decoded() {
        for &release in KafkaVersion::ALL {
            for row in table(release).api_keys {
                let api = ApiKey::try_from(row.api_key).unwrap();
                let valid = api.valid_versions();
                assert!(valid.min == 0 && row.max_version <= valid.max, "{api:?} in {release}");
            }
        }
    }

    #[test]
    fn every_advertised_api_is_looked_through_or_not_for_clients() {
        let for_brokers = [
            ApiKey::LeaderAndIsr,
            ApiKey::StopReplica,
            ApiKey::UpdateMetadata,
            ApiKey::ControlledShutdown,
            ApiKey::AlterPartition,
            ApiKey::AllocateProducerIds,
        ];
        for (api, _) in APIS {
            assert_ne!(is_for_clients(*api), for_brokers.contains(api), "{api:?}");
        }
    }

    #[test]
    fn the_answer_to_an_unknown_version_names_the_range_since_2_4() {
        assert!(unsupported(KafkaVersion::new(2, 3)).api_keys.is_empty());
        let answer = unsupported(KafkaVersion::new(2, 4));
        assert_eq!((answer.error_code, answer.api_keys[0].max_version), (35, 3));
    }
}
