//! Rows about idempotent producers.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    IdempotentProducers: "idempotent-producers", since(0, 11, 0),
        "KIP-98 (KAFKA-4815)", Test("a_batch_that_is_sent_again_is_answered_as_the_first_time"),
        "Producers can be idempotent: what they send again is written once.";
    BatchesRemembered: "batches-remembered", since(1, 0, 0),
        "KAFKA-5494", Test("a_batch_that_is_sent_again_is_answered_as_the_first_time"),
        "A leader remembers the last five batches of an idempotent producer; before, one.";
    UnknownProducersRefused: "unknown-producers-refused", since(1, 0, 0),
        "KAFKA-5793", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A batch of a producer that the leader does not know has to be its first, else the answer \
         is UNKNOWN_PRODUCER_ID; before, OUT_OF_ORDER_SEQUENCE_NUMBER.";
    ProducersBeginAnywhere: "producers-begin-anywhere", since(2, 5, 0),
        "KIP-360 (KAFKA-8710)", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A producer that the leader does not know may begin with any sequence.";
    DuplicateSequenceError: "duplicate-sequence-error", between((1, 0, 0), (1, 0, 1)),
        "KAFKA-6683", Test("a_batch_out_of_order_is_refused_as_in_each_release"),
        "A batch before those that are remembered is answered DUPLICATE_SEQUENCE_NUMBER.";
    MarkerHidesSequence: "marker-hides-sequence", between((2, 0, 1), (2, 4, 1)),
        "KAFKA-7298", Test("behind_a_marker_a_sequence_begins_with_0"),
        "A batch behind a marker, all that is known of its producer's epoch, has to be the first, \
         else the answer is UNKNOWN_PRODUCER_ID; in other releases, OUT_OF_ORDER_SEQUENCE_NUMBER.";
    MarkersKeepProducers: "markers-keep-producers", since(2, 4, 1),
        "KAFKA-9144", Test("a_producer_with_an_open_transaction_does_not_expire"),
        "The marker of a transaction is a sign of life of its producer; before, its batches alone.";
    EmptyTransactionsIndexed: "empty-transactions-indexed", until(2, 7, 2),
        "KAFKA-10702", Test("up_to_2_7_an_aborted_transaction_without_records_is_listed"),
        "An aborted transaction without records is listed in answers to Fetch, at its marker.";
    TransactionsVerified: "transactions-verified", since(3, 6, 0),
        "KIP-890 (KAFKA-14561)", Test("a_first_batch_waits_until_its_transaction_is_verified"),
        "Before a leader appends the first batch of a transaction, it asks the coordinator whether \
         the partition is in it.";
    CommitsVerified: "commits-verified", since(3, 7, 0),
        "KIP-890 (KAFKA-15987)", Test("offsets_in_a_transaction_are_verified_since_3_7"),
        "A group coordinator asks whether its partition is in the transaction before it takes \
         offsets in it.";
    ProducerBumpsEpoch: "producer-bumps-epoch", since(2, 5, 0),
        "KIP-360 (KAFKA-8710)",
        Test("since_2_5_the_epoch_rises_when_the_next_batch_is_out_of_order"),
        "A producer whose batch is out of order begins its next epoch; before, it got another id.";
    ProducerIdsFromController: "producer-ids-from-controller", since(3, 0, 0),
        "KAFKA-12620", Test("producer_ids_come_in_blocks_from_each_place_of_a_release"),
        "A broker asks the controller for producer ids with AllocateProducerIds when it needs \
         them; before, it wrote to ZooKeeper itself, for the first time as it started.";
    ProducerIdsNotAwaited: "producer-ids-not-awaited", since(3, 6, 0),
        "KAFKA-14694", Test("producer_ids_come_in_blocks_from_each_place_of_a_release"),
        "InitProducerId is answered COORDINATOR_LOAD_IN_PROGRESS while the broker waits for ids; \
         before, it waited, too.";
} } }
pub(super) use rows;
