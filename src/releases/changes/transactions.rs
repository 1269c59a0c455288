//! Rows about transactions and their coordinator.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    ProducerFencedError: "producer-fenced-error", since(2, 7, 0),
        "KIP-588 (KAFKA-9911)", Test("a_producer_that_was_replaced_is_fenced_as_in_each_release"),
        "A transaction coordinator answers a producer that was replaced PRODUCER_FENCED, which \
         older clients get as INVALID_PRODUCER_EPOCH; before, that alone.";
    EndsNeedTheEpoch: "ends-need-the-epoch", since(2, 6, 0),
        "KAFKA-9600", Test("an_epoch_that_is_too_high_is_refused_as_in_each_release"),
        "EndTxn of an epoch that is too high is refused; before, one that is too low alone.";
    FailedFencesKeepEpoch: "failed-fences-keep-epoch", since(2, 6, 0),
        "KAFKA-9666", Test("a_fence_that_is_not_written_takes_one_epoch_since_2_6"),
        "A transaction that cannot be aborted, as that cannot be written, takes one epoch of its \
         producer; before, one with each try.";
    ElectionDropsMarkers: "election-drops-markers", since(2, 4, 1),
        "KAFKA-9144", Test("markers_are_sent_again_by_the_next_coordinator"),
        "A broker that becomes transaction coordinator drops the markers of its last time.";
    MarkersForgottenByEpoch: "markers-forgotten-by-epoch", since(3, 7, 1),
        "KAFKA-16352", Test("markers_are_sent_again_by_the_next_coordinator"),
        "The answer to markers of an older coordinator epoch ends nothing of a later one; before, \
         a transaction that the same broker had loaded again was never completed.";
    TransactionsNameMembers: "transactions-name-members", since(2, 5, 0),
        "KIP-447 (KAFKA-9365)", Test("a_member_that_was_replaced_commits_no_offsets_since_2_5"),
        "TxnOffsetCommit is checked for the member, its instance and the generation that it names.";
    TransactionMembersCheckedWhole: "transaction-members-checked-whole", since(3, 0, 0),
        "apache/kafka#9958", Test("a_member_that_was_replaced_commits_no_offsets_since_2_5"),
        "TxnOffsetCommit that names a member, an instance or a generation is checked for all of \
         them, unless it names no generation and the group is empty; before, for what it names.";
    LoadingHiddenFromOldProducers: "loading-hidden-from-old-producers", since(2, 6, 0),
        "KAFKA-9656", Test("an_old_producer_does_not_hear_that_groups_are_loaded_since_2_6"),
        "A TxnOffsetCommit below version 2 is answered COORDINATOR_NOT_AVAILABLE while groups are \
         loaded; before, COORDINATOR_LOAD_IN_PROGRESS, which such clients do not survive.";
    TransactionAbortableError: "transaction-abortable-error", since(3, 8, 0),
        "KIP-1050 (KAFKA-16314)", Test("partitions_are_verified_as_in_each_release"),
        "A partition that is not part of a transaction is answered TRANSACTION_ABORTABLE to the \
         broker that verifies it; before, INVALID_TXN_STATE.";
} } }
pub(super) use rows;
