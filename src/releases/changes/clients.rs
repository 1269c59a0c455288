//! Rows about clients.

macro_rules! rows { ($($before:tt)*) => { collect! { $($before)*
    NotLeaderOrFollower: "not-leader-or-follower", since(2, 6, 0),
        "KAFKA-10223", Test("the_name_of_error_6_changed_in_2_6"),
        "Error 6 is called NOT_LEADER_OR_FOLLOWER; before, NOT_LEADER_FOR_PARTITION.";
    ConsumerChecksEpochEnd: "consumer-checks-epoch-end", since(2, 3, 0),
        "KIP-320 (KAFKA-7747)", Test("before_2_3_a_new_leader_is_not_asked_and_gets_no_epoch"),
        "A consumer asks a new leader where its epoch ends, and so detects a truncated log.";
    OldConsumer: "old-consumer", until(1, 1, 1),
        "KAFKA-2983", Test("a_group_of_znodes_is_as_the_real_one"),
        "There is the old consumer, whose groups are made of znodes below /consumers.";
    DeliveryTimeout: "delivery-timeout", since(2, 1, 0),
        "KIP-91 (KAFKA-5886)", Scenario("delivery_timeouts"),
        "delivery.timeout.ms ends every record of a producer; before, retries could go on \
         without end.";
    StickyPartitioner: "sticky-partitioner", since(2, 4, 0),
        "KIP-480 (KAFKA-8601)", Test("records_without_a_key_spread_as_their_release_spreads_them"),
        "Records without a key fill a batch of one partition before the next; before, each went \
         to the next partition.";
    PartitionerByBytes: "partitioner-by-bytes", since(3, 3, 0),
        "KIP-794 (KAFKA-10888)", Test("records_without_a_key_spread_as_their_release_spreads_them"),
        "Records without a key move to another partition after batch.size bytes, not after a \
         batch.";
    LostRequestsOldestFirst: "lost-requests-oldest-first", since(2, 0, 0),
        "apache/kafka#4642", Test("a_lost_connection_turns_its_batches_around_since_2_0"),
        "A client whose connection is lost ends its requests oldest first, and each batch goes \
         back to the head of its queue: the order of a producer's batches is turned around.";
    TopicErrorAsksAgain: "topic-error-asks-again", since(2, 3, 0),
        "KAFKA-7831", Test("a_topic_that_is_not_known_yet_is_asked_for_again_since_2_3"),
        "A client that is answered that a topic has no leader, or is not known, asks again after \
         retry.backoff.ms; before, a consumer waited for metadata.max.age.ms.";
    PatternRefreshesMetadata: "pattern-refreshes-metadata", since(2, 0, 1),
        "KAFKA-7126", Test("a_member_by_pattern_asks_for_metadata_before_it_joins_since_2_0_1"),
        "A member that subscribes by a pattern asks for metadata before it joins; before, each \
         member made the group rebalance when it found a new topic.";
    CommitInRebalanceKeepsMember: "commit-in-rebalance-keeps-member", since(2, 4, 0),
        "KAFKA-8487", Test("a_commit_in_a_rebalance_costs_the_membership_before_2_4"),
        "A member whose commit is refused because the group rebalances joins again as who it is; \
         before, as a new member.";
    IllegalGenerationKeepsMember: "illegal-generation-keeps-member", since(3, 2, 0),
        "KAFKA-13419", Test("a_generation_that_is_over_leaves_the_member_its_id_since_3_2"),
        "A member whose generation is refused loses its partitions and joins again under its \
         member id; before, as a new member, and the group waited for the old one.";
    SyncInRebalanceForgetsGeneration: "sync-in-rebalance-forgets-generation",
        between((3, 3, 0), (3, 3, 1)),
        "KAFKA-13891", Test("a_sync_in_a_rebalance_costs_the_partitions_in_3_3_0_and_3_3_1"),
        "A member whose SyncGroup is refused because the group rebalances has lost its \
         partitions; in other releases it joins with what it has.";
    HeartbeatsWhileSyncing: "heartbeats-while-syncing", since(2, 6, 1),
        "KAFKA-10134", Test("heartbeats_begin_with_join_since_2_6_1"),
        "A member sends heartbeats from the answer to its JoinGroup on; before, from the answer to \
         its SyncGroup on.";
    OffsetsAwaitLoading: "offsets-await-loading", since(2, 0, 1),
        "KAFKA-7296", Test("offsets_of_a_group_that_is_loaded_are_sent_again_since_2_0_1"),
        "A producer whose TxnOffsetCommit is answered COORDINATOR_LOAD_IN_PROGRESS asks again; \
         before, it was at its end.";
    OffsetsAreSentAgain: "offsets-are-sent-again", since(3, 8, 0),
        "apache/kafka#15266", Test("offsets_of_a_group_that_is_loaded_are_sent_again_since_2_0_1"),
        "A producer whose TxnOffsetCommit is answered with any error that may pass asks again; \
         before, with a few of them.";
    StaleEpochAborts: "stale-epoch-aborts", since(2, 7, 0),
        "KIP-588 (KAFKA-9911)", Test("a_batch_of_an_old_epoch_ends_the_producer_before_2_7"),
        "A producer whose batch is answered INVALID_PRODUCER_EPOCH aborts its transaction and asks \
         for another epoch; before, it was at its end.";
} } }
pub(super) use rows;
