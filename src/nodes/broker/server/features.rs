//! UpdateFeatures (2.7+, KIP-584): a broker at a ZooKeeper supports no feature that could be finalized, so every update
//! is refused (`KafkaController.validateFeatureUpdate`).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use kafka_protocol::protocol::StrBytes;

/// The first version that names the type of an upgrade (KIP-778).
const WITH_UPGRADE_TYPE: i16 = 1;
/// `UpgradeType.UPGRADE`
const UPGRADE: i8 = 1;
/// `UpgradeType.SAFE_DOWNGRADE` and `UNSAFE_DOWNGRADE`.
const DOWNGRADES: [i8; 2] = [2, 3];

/// Why an update is refused; `typed` is whether the release knows types of upgrades, whatever the request's version.
fn refusal(update: &FeatureUpdateKey, version: i16, typed: bool) -> String {
    let level = update.max_version_level;
    let downgrades = match version {
        WITH_UPGRADE_TYPE.. => DOWNGRADES.contains(&update.upgrade_type),
        _ => update.allow_downgrade,
    };
    let is_unknown = version >= WITH_UPGRADE_TYPE && update.upgrade_type != UPGRADE && !downgrades;
    if update.feature.is_empty() {
        "Feature name can not be empty.".to_owned()
    } else if is_unknown {
        "Received unknown upgrade type.".to_owned()
    } else if level < 1 && downgrades {
        "Can not delete non-existing finalized feature.".to_owned()
    } else if level < 1 && typed {
        format!(
            "Can not provide versionLevel: {level} less than 1 without setting the SAFE \
             downgradeType in the request."
        )
    } else if level < 1 {
        format!(
            "Can not provide maxVersionLevel: {level} less than 1 without setting the \
             allowDowngrade flag to true in the request."
        )
    } else {
        "Could not apply finalized feature update because the provided feature is not supported."
            .to_owned()
    }
}

/// The answer to a request of this version.
pub fn update(
    request: &UpdateFeaturesRequest,
    version: i16,
    is_controller: bool,
    typed: bool,
) -> UpdateFeaturesResponse {
    let response = UpdateFeaturesResponse::default().with_error_message(None);
    if !is_controller {
        let why = "This is not the correct controller for this cluster.";
        return response
            .with_error_code(ResponseError::NotController.code())
            .with_error_message(Some(StrBytes::from_static_str(why)));
    }
    let results = request.feature_updates.iter().map(|update| {
        let why = refusal(update, version, typed);
        UpdatableFeatureResult::default()
            .with_feature(update.feature.clone())
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_error_message(Some(StrBytes::from_string(why)))
    });
    response.with_results(results.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_feature_can_be_updated() {
        // The sources at 2.8.2 and 3.3.2.
        for (name, level, allows, starts) in [
            ("", 1, false, "Feature name can not be empty."),
            ("x", 0, true, "Can not delete non-existing finalized feature."),
            ("x", 0, false, "Can not provide maxVersionLevel: 0 less than 1"),
            ("x", 1, false, "Could not apply finalized feature update"),
        ] {
            let key = FeatureUpdateKey::default()
                .with_feature(StrBytes::from_static_str(name))
                .with_max_version_level(level)
                .with_allow_downgrade(allows);
            let request = UpdateFeaturesRequest::default().with_feature_updates(vec![key]);
            let answer = update(&request, 0, true, false);
            let row = &answer.results[0];
            let why = row.error_message.as_deref().unwrap_or_default();
            assert_eq!((answer.error_code, row.error_code), (0, 42));
            assert!(why.starts_with(starts), "{why}");
            assert_eq!(update(&request, 0, false, false).error_code, 41);
        }
    }
}
