//! Which versions of which API a release speaks, and the answer to ApiVersions.
//!
//! Only what the simulated broker does is advertised.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use crate::releases::apis::{APIS, highest, lowest};
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
    let min = lowest(release, api);
    Some(ApiVersion::default().with_api_key(api as i16).with_min_version(min).with_max_version(max))
}

/// The whole table, in the order of the API keys.
pub fn table(release: KafkaVersion) -> ApiVersionsResponse {
    let mut api_keys: Vec<_> = APIS.iter().filter_map(|(api, _)| range(release, *api)).collect();
    api_keys.sort_by_key(|row| row.api_key);
    ApiVersionsResponse::default().with_api_keys(api_keys)
}

/// Whether an ApiVersions request names its client as it has to, since version 3 of the request
/// (`ApiVersionsRequest.isValid`).
pub fn names_client(release: KafkaVersion, version: i16, request: &ApiVersionsRequest) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let is_name = |name: &str| {
        let inside = |c: char| is_word(c) || matches!(c, '-' | '.');
        name.starts_with(is_word) && name.ends_with(is_word) && name.chars().all(inside)
    };
    let names = [&request.client_software_name, &request.client_software_version];
    version < 3
        || !release.has(Change::ClientNameChecked)
        || names.into_iter().all(|name| is_name(name))
}

/// The answer to a client that does not name itself properly.
pub fn nameless() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code())
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
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::wire::foreign::is_for_clients;

    #[test]
    fn releases_advertise_their_row() {
        let cases = [
            (ApiKey::Produce, (1, 0), Some(5)),
            (ApiKey::Produce, (2, 8), Some(9)),
            (ApiKey::Produce, (3, 6), Some(9)),
            (ApiKey::Produce, (3, 7), Some(10)),
            (ApiKey::Produce, (3, 9), Some(11)),
            (ApiKey::Metadata, (3, 3), Some(12)),
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
            (ApiKey::DeleteTopics, (2, 8), Some(6)),
            (ApiKey::CreatePartitions, (2, 8), Some(3)),
            (ApiKey::DeleteRecords, (2, 8), Some(2)),
            (ApiKey::AlterPartitionReassignments, (2, 3), None),
            (ApiKey::AlterConfigs, (1, 1), Some(0)),
            (ApiKey::IncrementalAlterConfigs, (2, 2), None),
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
                let is_old = api == ApiKey::ControlledShutdown && release < KafkaVersion::new(1, 0);
                assert_eq!(row.min_version, i16::from(is_old), "{api:?} in {release}");
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
            ApiKey::Envelope,
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

    #[test]
    fn a_client_has_to_name_itself_properly() {
        // As real brokers of 2.4 to 3.9 answered.
        for (name, is_one) in [("", false), ("a b", false), ("-a", false), ("a.b-c1", true)] {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str(name))
                .with_client_software_version(StrBytes::from_static_str("1"));
            let new = KafkaVersion::new(2, 4);
            assert_eq!(names_client(new, 3, &request), is_one, "{name}");
            assert!(
                names_client(new, 2, &request)
                    && names_client(KafkaVersion::new(2, 3), 3, &request)
            );
        }
        assert_eq!(nameless().error_code, 42);
    }
}
