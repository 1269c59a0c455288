//! What a producer with a transactional id does when a broker answers with an error: the handlers of
//! `TransactionManager`.

use crate::nodes::clients::protocol::code::*;
use crate::nodes::clients::protocol::is_retriable;
use crate::releases::{Change, KafkaVersion};

/// What a producer does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It asks again after `retry.backoff.ms`.
    Retry,
    /// It asks again, sooner if it is the first request of the transaction: the one before is about to complete.
    RetrySoon,
    /// It looks for the coordinator, and asks that one.
    FindCoordinator,
    /// The transaction has to be aborted.
    Abort,
    /// The transaction has to be aborted, and the producer needs another epoch; without a way to get one, it is at
    /// its end.
    AbortAndBump,
    /// Another producer has its transactional id.
    Fenced,
    /// It is at its end.
    Fatal,
}

use Reaction::*;

/// An error that no other row names.
fn to_others(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        TRANSACTION_ABORTABLE if release.has(Change::TransactionAbortableError) => Abort,
        INVALID_PRODUCER_EPOCH | PRODUCER_FENCED => Fenced,
        _ => Fatal,
    }
}

/// The coordinator does not know the producer id, or another for the transactional id.
fn to_unknown_id(release: KafkaVersion) -> Reaction {
    if release.has(Change::ProducerBumpsEpoch) { AbortAndBump } else { Fatal }
}

/// After FindCoordinator.
pub fn to_find(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        COORDINATOR_NOT_AVAILABLE => Retry,
        TRANSACTION_ABORTABLE => to_others(release, error),
        _ => Fatal,
    }
}

/// After InitProducerId.
pub fn to_initialize(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => FindCoordinator,
        COORDINATOR_LOAD_IN_PROGRESS | CONCURRENT_TRANSACTIONS => Retry,
        _ => to_others(release, error),
    }
}

/// After AddPartitionsToTxn, for one partition.
pub fn to_add_partition(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => FindCoordinator,
        CONCURRENT_TRANSACTIONS => RetrySoon,
        COORDINATOR_LOAD_IN_PROGRESS | UNKNOWN_TOPIC_OR_PARTITION => Retry,
        INVALID_PRODUCER_EPOCH | PRODUCER_FENCED => Fenced,
        INVALID_TXN_STATE | TRANSACTIONAL_ID_AUTHORIZATION_FAILED => Fatal,
        INVALID_PRODUCER_ID_MAPPING => to_unknown_id(release),
        UNKNOWN_PRODUCER_ID if release.has(Change::ProducerBumpsEpoch) => AbortAndBump,
        _ => Abort,
    }
}

/// After AddOffsetsToTxn, and after EndTxn.
pub fn to_end(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE => FindCoordinator,
        COORDINATOR_LOAD_IN_PROGRESS | CONCURRENT_TRANSACTIONS => Retry,
        INVALID_PRODUCER_ID_MAPPING | UNKNOWN_PRODUCER_ID => to_unknown_id(release),
        _ => to_others(release, error),
    }
}

/// After TxnOffsetCommit, for one partition; the coordinator is that of the group.
pub fn to_commit_offsets(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        NOT_COORDINATOR | COORDINATOR_NOT_AVAILABLE | REQUEST_TIMED_OUT => FindCoordinator,
        UNKNOWN_TOPIC_OR_PARTITION => Retry,
        COORDINATOR_LOAD_IN_PROGRESS if release.has(Change::OffsetsAwaitLoading) => Retry,
        UNKNOWN_MEMBER_ID | ILLEGAL_GENERATION | FENCED_INSTANCE_ID
            if release.has(Change::TransactionsNameMembers) =>
        {
            Abort
        }
        _ if release.has(Change::OffsetsAreSentAgain) && is_retriable_of_offsets(error) => Retry,
        _ => to_others(release, error),
    }
}

fn is_retriable_of_offsets(error: i16) -> bool {
    is_retriable(error) || error == CONCURRENT_TRANSACTIONS
}

/// After a batch that is given up.
pub fn to_batch(release: KafkaVersion, error: i16) -> Reaction {
    match error {
        PRODUCER_FENCED => Fenced,
        INVALID_PRODUCER_EPOCH if !release.has(Change::StaleEpochAborts) => Fenced,
        _ if release.has(Change::ProducerBumpsEpoch) => AbortAndBump,
        _ => Abort,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> KafkaVersion {
        text.parse().unwrap()
    }

    /// What the handlers of `TransactionManager` make of errors at the tags 0.11.0.3, 1.1.1, 2.4.1, 2.5.1, 2.8.2, 3.3.2
    /// and 3.9.0.
    #[test]
    fn errors_of_a_transaction_are_retriable_abortable_or_fatal_as_in_each_release() {
        let all = ["0.11.0", "1.1", "2.4", "2.5", "2.8", "3.3", "3.9"].map(release);
        let each = |react: fn(KafkaVersion, i16) -> Reaction, error: i16| {
            all.map(|release| react(release, error))
        };
        for react in [to_initialize, to_add_partition, to_end, to_commit_offsets] {
            assert_eq!(each(react, 15), [FindCoordinator; 7]);
            assert_eq!(each(react, 16), [FindCoordinator; 7]);
            assert_eq!(each(react, 47), [Fenced; 7]);
        }
        assert_eq!(each(to_find, 15), [Retry; 7]);
        assert_eq!(each(to_initialize, 51), [Retry; 7]);
        assert_eq!(each(to_add_partition, 51), [RetrySoon; 7]);
        assert_eq!(each(to_end, 51), [Retry; 7]);
        for react in [to_add_partition, to_end] {
            assert_eq!(each(react, 14), [Retry; 7]);
            let bumps = AbortAndBump;
            assert_eq!(each(react, 49), [Fatal, Fatal, Fatal, bumps, bumps, bumps, bumps]);
            assert_eq!(each(react, 48), [Fatal; 7], "INVALID_TXN_STATE");
        }
        assert_eq!(each(to_add_partition, 55), [Abort; 7], "OPERATION_NOT_ATTEMPTED");
        assert_eq!(each(to_add_partition, 3), [Retry; 7]);
        let abortable = [Fatal, Fatal, Fatal, Fatal, Fatal, Fatal, Abort];
        for react in [to_find, to_initialize, to_end, to_commit_offsets] {
            assert_eq!(each(react, 120), abortable, "TRANSACTION_ABORTABLE");
        }
    }

    #[test]
    fn offsets_of_a_group_that_is_loaded_are_sent_again_since_2_0_1() {
        let to = |text: &str, error: i16| to_commit_offsets(release(text), error);
        assert_eq!(["1.1", "2.0.1", "3.9"].map(|text| to(text, 14)), [Fatal, Retry, Retry]);
        // Of a member that was replaced: with a consumer group's metadata (KIP-447).
        for error in [22, 25, 82] {
            assert_eq!(["2.4", "2.5", "3.9"].map(|text| to(text, error)), [Fatal, Abort, Abort]);
        }
        assert_eq!(["3.7", "3.8"].map(|text| to(text, 51)), [Fatal, Retry]);
    }

    #[test]
    fn a_batch_of_an_old_epoch_ends_the_producer_before_2_7() {
        let to = |text: &str, error: i16| to_batch(release(text), error);
        let old = ["0.11.0", "2.4", "2.6", "2.7", "3.9"].map(|text| to(text, 47));
        assert_eq!(old, [Fenced, Fenced, Fenced, AbortAndBump, AbortAndBump]);
        assert_eq!(["2.4", "2.5"].map(|text| to(text, 45)), [Abort, AbortAndBump]);
        assert_eq!(to("3.9", 90), Fenced);
    }
}
