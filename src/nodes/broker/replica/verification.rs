//! What a transaction coordinator says of the partitions of a Produce request, and what its producer is answered.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;

use super::validate::Refused;
use crate::nodes::broker::Config;
use crate::releases::{Change, settings};

/// The first version of Produce whose clients know TRANSACTION_ABORTABLE (KIP-890).
const WITH_ABORTABLE: i16 = 11;
/// And that of TxnOffsetCommit.
const COMMIT_WITH_ABORTABLE: i16 = 4;
/// The first version of TxnOffsetCommit whose clients survive COORDINATOR_LOAD_IN_PROGRESS.
const COMMIT_WITH_LOADING: i16 = 2;
/// TRANSACTION_ABORTABLE, since 3.8.
const TRANSACTION_ABORTABLE: i16 = 120;

/// Where a partition is in a Produce request: topic, and partition in it.
pub type Place = (usize, usize);

/// What the coordinator said of the partitions of a Produce request.
#[derive(Debug, Default)]
pub struct Verified {
    /// The guards of those that were asked for.
    guards: BTreeMap<Place, u64>,
    /// Those that are not in the transaction, or of which it is not known.
    refused: BTreeMap<Place, Refused>,
}

impl Verified {
    /// The coordinator is asked for a partition, which gets a guard.
    pub fn is_asked(&mut self, place: Place, guard: u64) {
        self.guards.insert(place, guard);
    }

    /// The coordinator's answer for a partition; 0 is that it is in the transaction.
    pub fn is_answered(&mut self, place: Place, code: i16, api_version: i16) {
        if let Some(error) = ResponseError::try_from_code(code) {
            self.refused.insert(place, refusal(error, api_version));
        }
    }

    /// The guard of a partition, if one is needed.
    pub fn guard(&self, place: Place) -> Option<u64> {
        self.guards.get(&place).copied()
    }

    /// Why a partition is refused, if it is.
    pub fn take_refused(&mut self, place: Place) -> Option<Refused> {
        self.refused.remove(&place)
    }
}

/// Whether a broker verifies transactions (`transaction.partition.verification.enable`).
pub fn verifies(config: &Config) -> bool {
    let name = "transaction.partition.verification.enable";
    let set = config.server_properties.get(name).map(String::as_str);
    let default = || settings::of_broker(name, config.version)?.default_in(config.version)?;
    config.version.has(Change::TransactionsVerified) && set.or_else(default) == Some("true")
}

/// What a producer is answered when its coordinator answered so. Older clients do not try again after all errors that
/// a coordinator has.
fn refusal(error: ResponseError, api_version: i16) -> Refused {
    let named = |error: ResponseError, why: String| Refused { why: Some(why), ..error.into() };
    match error {
        ResponseError::Unknown(TRANSACTION_ABORTABLE) if api_version < WITH_ABORTABLE => {
            refusal(ResponseError::InvalidTxnState, api_version)
        }
        ResponseError::InvalidTxnState => {
            named(error, "Partition was not added to the transaction".to_owned())
        }
        ResponseError::ConcurrentTransactions
        | ResponseError::NetworkException
        | ResponseError::CoordinatorLoadInProgress
        | ResponseError::CoordinatorNotAvailable
        | ResponseError::NotCoordinator => {
            let why = "Unable to verify the partition has been added to the transaction. \
                       Underlying error: ";
            named(ResponseError::NotEnoughReplicas, format!("{why}{}", java_name(error)))
        }
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch.into(),
        other => other.into(),
    }
}

/// The error that a TxnOffsetCommit gets when its coordinator answered so; none when it may go on
/// (`GroupMetadataManager.maybeConvertOffsetCommitError`).
pub fn refused_commit(code: i16, api_version: i16) -> Option<i16> {
    let error = match ResponseError::try_from_code(code)? {
        ResponseError::NetworkException => ResponseError::CoordinatorLoadInProgress,
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        ResponseError::Unknown(TRANSACTION_ABORTABLE) if api_version < COMMIT_WITH_ABORTABLE => {
            ResponseError::InvalidTxnState
        }
        other => other,
    };
    let hides = api_version < COMMIT_WITH_LOADING;
    Some(match error {
        ResponseError::CoordinatorLoadInProgress if hides => ResponseError::CoordinatorNotAvailable,
        other => other,
    })
    .map(|error| error.code())
}

/// The name of a constant of `Errors`.
fn java_name(error: ResponseError) -> &'static str {
    match error {
        ResponseError::ConcurrentTransactions => "CONCURRENT_TRANSACTIONS",
        ResponseError::NetworkException => "NETWORK_EXCEPTION",
        ResponseError::CoordinatorLoadInProgress => "COORDINATOR_LOAD_IN_PROGRESS",
        ResponseError::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
        _ => "NOT_COORDINATOR",
    }
}
