//! What a member does when the coordinator answers with an error: the tables of `AbstractCoordinator` and
//! `ConsumerCoordinator`.

use crate::nodes::clients::protocol::code::*;
use crate::releases::{Change, KafkaVersion};

/// What a member does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It asks again at once.
    Retry,
    /// It asks again after `retry.backoff.ms`.
    BackOff,
    /// It looks for the coordinator again, after `retry.backoff.ms`.
    FindCoordinator,
    /// It is a member no longer, and joins as a new one.
    Reset,
    /// Its generation is over: it has lost its partitions, and joins again under its member id.
    ForgetGeneration,
    /// It joins again as who it is.
    Rejoin,
    /// The request is given up, and nothing else happens.
    GiveUp,
    /// The application gets an exception that it does not handle.
    Fatal,
}

use Reaction::*;

/// After JoinGroup.
pub fn to_join(error: i16) -> Reaction {
    match error {
        COORDINATOR_LOAD_IN_PROGRESS => BackOff,
        COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => FindCoordinator,
        UNKNOWN_MEMBER_ID => Reset,
        MEMBER_ID_REQUIRED | REBALANCE_IN_PROGRESS => Retry,
        _ => Fatal,
    }
}

/// After ILLEGAL_GENERATION.
fn to_illegal_generation(release: KafkaVersion) -> Reaction {
    match release.has(Change::IllegalGenerationKeepsMember) {
        true => ForgetGeneration,
        false => Reset,
    }
}

/// After SyncGroup.
pub fn to_sync(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => FindCoordinator,
        UNKNOWN_MEMBER_ID => Reset,
        ILLEGAL_GENERATION => to_illegal_generation(release),
        REBALANCE_IN_PROGRESS if release.has(Change::SyncInRebalanceForgetsGeneration) => {
            ForgetGeneration
        }
        REBALANCE_IN_PROGRESS => Retry,
        _ => Fatal,
    }
}

/// After Heartbeat.
pub fn to_heartbeat(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => FindCoordinator,
        UNKNOWN_MEMBER_ID => Reset,
        ILLEGAL_GENERATION => to_illegal_generation(release),
        REBALANCE_IN_PROGRESS => Rejoin,
        FENCED_INSTANCE_ID => Fatal,
        _ => BackOff,
    }
}

/// After OffsetCommit, for one partition.
pub fn to_commit(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        COORDINATOR_LOAD_IN_PROGRESS | UNKNOWN_TOPIC_OR_PARTITION => BackOff,
        COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR | REQUEST_TIMED_OUT => FindCoordinator,
        UNKNOWN_MEMBER_ID => Reset,
        ILLEGAL_GENERATION => to_illegal_generation(release),
        REBALANCE_IN_PROGRESS if release.has(Change::CommitInRebalanceKeepsMember) => Rejoin,
        REBALANCE_IN_PROGRESS => Reset,
        FENCED_INSTANCE_ID => Fatal,
        _ => GiveUp,
    }
}

/// After OffsetFetch, as a whole or for one partition.
pub fn to_offset_fetch(error: i16) -> Reaction {
    match error {
        COORDINATOR_LOAD_IN_PROGRESS | UNSTABLE_OFFSET_COMMIT => BackOff,
        COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => FindCoordinator,
        _ => Fatal,
    }
}
