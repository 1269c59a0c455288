//! Rows about what producers send, and how records are kept.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    BatchesOfFormat2: "batches-of-format-2", since(0, 11, 0),
        "KIP-98 (KAFKA-4816)", Test("messages_of_old_formats_are_taken_and_kept"),
        "Brokers store record batches of format 2; before, messages of format 1.";
    MessageFormatIgnored: "message-format-ignored", since(3, 0, 0),
        "KIP-724 (KAFKA-12415)", Test("a_topic_may_have_an_older_format_up_to_2_8"),
        "message.format.version has no effect.";
    RecordsCheckedByPartition: "records-checked-by-partition", since(2, 4, 0),
        "KAFKA-8729", Test("what_is_no_batch_ends_the_connection_or_is_refused"),
        "Produce refuses records that are not one batch of format 2 for their partition; before, \
         it closed the connection.";
    RecordsCheckedApart: "records-checked-apart", since(2, 8, 0),
        "KAFKA-9628", Test("what_is_no_batch_ends_the_connection_or_is_refused"),
        "Produce refuses records without a whole batch for their partition; before, it closed the \
         connection.";
    TransactionNeedsId: "transaction-needs-id", since(2, 1, 0),
        "KAFKA-7304", Test("a_transactional_batch_needs_a_transactional_id_since_2_1"),
        "Produce refuses transactional batches without a transactional id.";
    RecordErrorsHaveText: "record-errors-have-text", since(2, 6, 0),
        "KAFKA-9565", Test("records_that_cannot_be_stored_are_named"),
        "Errors of single records have a text.";
    RejectedRecordsNamed: "rejected-records-named", since(3, 0, 0),
        "KAFKA-12675", Test("records_that_cannot_be_stored_are_named"),
        "The text of an INVALID_RECORD lists the first records that were rejected.";
    AppendTimeBitCleared: "append-time-bit-cleared", since(3, 6, 0),
        "KIP-937 (KAFKA-14991)", Test("the_bit_of_the_append_time_is_not_the_producers"),
        "A batch that says it has the time of its append is stored without saying so; before, it \
         was refused.";
    ReplicaNotAvailableError: "replica-not-available-error", between((2, 4, 0), (2, 5, 1)),
        "KIP-392 (KAFKA-8443)", Test("a_fetch_of_a_partition_that_is_elsewhere_is_refused"),
        "A consumer that may read from followers is answered REPLICA_NOT_AVAILABLE by a broker \
         without a replica; since, NOT_LEADER_OR_FOLLOWER.";
    KnownPartitionIsElsewhere: "known-partition-is-elsewhere", since(2, 0, 0),
        "KAFKA-6650", Test("a_partition_that_is_elsewhere_has_another_error_since_2_0"),
        "A broker without a replica of a partition that it knows answers NOT_LEADER; before, \
         UNKNOWN_TOPIC_OR_PARTITION.";
    MaxTimestampListed: "max-timestamp-listed", since(3, 0, 0),
        "KIP-734 (KAFKA-12541)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets takes -3 for the record with the largest timestamp; before, for a time.";
    EarliestLocalListed: "earliest-local-listed", since(3, 5, 0),
        "KIP-405 (KAFKA-14522)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets takes -4 for the start of what is on the broker; before, for a time.";
    SpecialTimestampsByVersion: "special-timestamps-by-version", since(3, 9, 0),
        "KIP-1005 (KAFKA-15857)", Test("special_timestamps_are_those_of_the_release"),
        "ListOffsets knows -5, and refuses special timestamps in versions of the request that do \
         not have them.";
    OddListOffsetsByPartition: "odd-list-offsets-by-partition", since(2, 8, 0),
        "KAFKA-10332", Test("a_partition_that_is_listed_twice_is_refused"),
        "ListOffsets with an unknown isolation level is answered with an error; before, it closed \
         the connection. A partition that is there twice is answered twice; before, once.";
    EpochOfPartitionElsewhere: "epoch-of-partition-elsewhere", since(2, 1, 0),
        "KIP-320 (KAFKA-7395)", Test("a_partition_that_is_elsewhere_has_another_error_since_2_0"),
        "OffsetForLeaderEpoch answers NOT_LEADER for a known partition that is elsewhere, too.";
} } }
pub(super) use rows;
